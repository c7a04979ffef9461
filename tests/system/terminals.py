# SPDX-License-Identifier: GPL-2.0-or-later
"""Terminals, pipes and sockets from inside: the programs of tests/inside that look at them, and what their servers keep.  A boot each."""

import functools
import os

from image import OBJ, Image
from machine import Failure, Machine


def program(name, folder):
    image = Image(folder)
    image.put(os.path.join(OBJ, "tests", "inside", name), f"/{name}", 0o100755)
    with Machine(os.path.join(folder, "serial.log"), disk=image.path) as machine:
        machine.prompt()
        status, output = machine.run(f"/{name}", status=None, limit=300)
        if status or " 0 failed" not in output:
            machine.fail(f"{name}: status {status}")
        machine.halt()
    problem = image.check()
    if problem:
        raise Failure(f"e2fsck -fn after halt:\n{problem}")


CASES = [(name, functools.partial(program, name)) for name in ("ptytest", "fifotest", "socktest")]
