# SPDX-License-Identifier: GPL-2.0-or-later
"""Is there a routine of the kernel's interfaces that nobody has written?  MIG answers such ones by a weak function.

    python3 tests/kernel/routines.py        every routine of every interface that gnumach-dev's kernel serves, what we have, and the subjects
                                            (files of this folder) whose conformance cases call it

Those without a body must be in docs/kernel.md, section "Routines without a body".
"""

import functools
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from image import BUILD, OBJ, ROOT  # noqa: E402
from machine import Failure  # noqa: E402

INCLUDE = os.path.join(BUILD, "sysroot", "include")
KERNEL = os.path.join(OBJ, "kernel", "quadrille")
OPTIONS = ["--prefix", "rpc_", "-DKERNEL_SERVER=1", "-DKERNEL=1", "-DMACH_KERNEL=1", "-D__x86_64__=1", "-DMACH_PCSAMPLE=1"]
FOLDERS = ("device", "mach", "mach/machine", "mach_debug")
# What the kernel sends, though these files have the word, too.
OTHERS = ("mach/memory_object.defs", "mach/task_notify.defs")


def interfaces():
    """The interface files that say what the kernel serves."""
    for folder in FOLDERS:
        for name in sorted(os.listdir(os.path.join(INCLUDE, folder))):
            path = os.path.join(INCLUDE, folder, name)
            if name.endswith(".defs") and f"{folder}/{name}" not in OTHERS:
                with open(path, encoding="utf-8") as file:
                    if re.search(r"^subsystem\b[^;]*KernelServer", file.read(), re.M):
                        yield f"{folder}/{name}", path


def routines(path, scratch):
    """The functions that a server of the interface has to have; none if it has no routines."""
    out = os.path.join(scratch, "stubs.c")
    subprocess.run([os.path.join(ROOT, "toolchain", "mig"), "server", path, out, os.path.join(scratch, "stubs.h"), *OPTIONS], check=True,
                   capture_output=True, text=True)
    with open(out, encoding="utf-8") as file:
        return list(dict.fromkeys(re.findall(r"mig_external kern_return_t (\w+)$", file.read(), re.M)))


def bodies():
    """function → "T" written, "W" MIG's own."""
    lines = subprocess.run(["nm", "--defined-only", KERNEL], check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split()[2]: line.split()[1] for line in lines}


def documented():
    with open(os.path.join(ROOT, "docs", "kernel.md"), encoding="utf-8") as file:
        section = re.search(r"^### Routines without a body\n(.*?)^#", file.read() + "\n#", re.M | re.S)
    return set(re.findall(r"`(\w+)`", section[1])) if section else set()


@functools.cache
def table():
    """Rows (interface, routine, what there is)."""
    have = bodies()
    words = {"T": "written", "W": "no body", None: "not served"}
    with tempfile.TemporaryDirectory(prefix="quadrille-routines-") as scratch:
        return [(name, routine, words.get(have.get(routine), have.get(routine)))
                for name, path in interfaces() for routine in routines(path, scratch)]


def subjects(routine):
    """The files of cases in which a routine is called, by the name that its users know."""
    name = re.compile(rf"\b{routine.removeprefix('rpc_').removeprefix('ds_').removeprefix('experimental_')}\b")
    return [subject for subject, text in sources().items() if name.search(text)]


@functools.cache
def sources():
    folder = os.path.dirname(os.path.abspath(__file__))
    found = {}
    for file in sorted(os.listdir(folder)):
        if file.endswith(".c"):
            with open(os.path.join(folder, file), encoding="utf-8") as source:
                found[file[:-2]] = source.read()
    return found


def test_every_routine_has_cases(_folder):
    bad = [f"{name}: {routine}: no conformance case calls it" for name, routine, state in table() if state == "written" and not subjects(routine)]
    if bad:
        raise Failure("\n".join(bad))


def test_every_routine_has_a_body(_folder):
    rows, known = table(), documented()
    if len(rows) < 150:
        raise Failure(f"only {len(rows)} routines were found")
    bad = [f"{name}: {routine}: {state}" for name, routine, state in rows if state != "written" and routine.removeprefix("rpc_") not in known]
    bad += [f"docs/kernel.md says that {name} has no body" for name in known
            if any(routine == "rpc_" + name and state == "written" for _, routine, state in rows)]
    if bad:
        raise Failure("\n".join(bad))


if __name__ == "__main__":
    for row in table():
        print("%-28s %-44s %-10s %s" % (*row, " ".join(subjects(row[1]))))
