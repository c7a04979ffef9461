# SPDX-License-Identifier: GPL-2.0-or-later
"""The servers on the real GNU Mach: what is tested on our kernel, which is the default, and does not ask for a kernel itself."""

import importlib
import os
import sys

from machine import boots_with

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[1:1] = [os.path.join(TESTS, "boot"), os.path.join(TESTS, "system")]
# Chain 2 needs our kernel; the documents know no kernel; GNU Mach does not end a program that fills memory.
OUR_OWN = ("chain2-static", "chain2-ldso", "documented", "hogs_are_ended")
# There a program's rights may outlast its exit by a while, and fstest asks translators to go that programs have just used: by hand, with
# QUADRILLE_BOOT="--kernel gnumach" tests/run system/files/semantics.
BY_HAND = ("files-semantics",)


def on_gnumach(function):
    def run(folder):
        with boots_with("--kernel", "gnumach"):
            function(folder)
    return run


def cases():
    for name in ("dance", "shell", "programs", "terminals", "hostile", "memory", "oracle", "files"):
        module = importlib.import_module(name)
        of_module = getattr(module, "CASES", None) or [(name[5:], test) for name, test in vars(module).items() if name.startswith("test_")]
        for case, function in of_module:
            if case not in OUR_OWN and f"{name}-{case}" not in BY_HAND:
                yield f"{name}-{case}", on_gnumach(function)


CASES = list(cases())
