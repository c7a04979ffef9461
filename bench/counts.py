# SPDX-License-Identifier: GPL-2.0-or-later
"""What bench/count.c wrote: instruction counts at marks, and whose they are."""

import os
import subprocess

# Static programs whose address spaces the plugin tells apart: name → file below build/obj.  Dynamic ones among them (proc, auth, ...) are
# known by their own code; what they do in the C library goes with it.
PROGRAMS = {
    "pci-arbiter": "servers/pci-arbiter/pci-arbiter.static", "rumpdisk": "servers/rumpdisk/rumpdisk.static",
    "ext2fs": "servers/ext2fs/ext2fs.static", "exec": "servers/exec/exec.static", "startup": "servers/startup/startup",
    "proc": "servers/proc/proc", "auth": "servers/auth/auth", "pflocal": "servers/pflocal/pflocal", "term": "servers/term/term",
    "qbench": "bench/qbench", "qbench-dynamic": "bench/qbench-dynamic",
}
CLIENTS = ("qbench", "qbench-dynamic")
# Shared libraries, whose functions can be told apart: name → file below build/sysroot/lib.
LIBRARIES = {"libc": "libc.so.0.3", "libmachuser": "libmachuser.so.1", "libhurduser": "libhurduser.so.0.3", "libpthread": "libpthread.so.0.3",
             "ld": "ld-x86-64.so.1"}


def plugin_words(obj, log, symbols=None, programs=None, functions=False):
    """The words for tools/boot or QEMU that load the plugin; with FUNCTIONS it counts those of programs and libraries, too."""
    words = f"{obj}/bench/count.so,out={log}"
    if functions:
        libraries = os.path.join(os.path.dirname(obj), "sysroot", "lib")
        words += ",functions=1" + "".join(f",library={name}:{libraries}/{file}" for name, file in LIBRARIES.items())
    for name, path in (PROGRAMS if programs is None else programs).items():
        path = os.path.join(obj, path)
        if os.path.exists(path):
            words += f",program={name}:{path}"
    return words + (f",symbols={symbols}" if symbols else "")


def symbols_write(kernel, path):
    """`nm` of an unstripped kernel, for the plugin."""
    with open(path, "w", encoding="ascii", errors="replace") as out:
        subprocess.run(["nm", kernel], stdout=out, check=True)
    return path


class Share:
    """Instructions of a piece of work: all, switches of the address space, by program (kernel's for it, its own), by function (and
    how often each was called), the kernel's by its name, others by "PROGRAM:NAME"."""

    def __init__(self, total=0, switches=0, spaces=None, functions=None, calls=None):
        self.total, self.switches, self.spaces, self.functions, self.calls = total, switches, spaces or {}, functions or {}, calls or {}

    def minus(self, other, rounds):
        """What lies between OTHER and this, for one of ROUNDS."""
        spaces = {name: tuple((new - old) / rounds for new, old in zip(value, other.spaces.get(name, (0, 0))))
                  for name, value in self.spaces.items()}
        functions = {name: (value - other.functions.get(name, 0)) / rounds for name, value in self.functions.items()}
        calls = {name: (value - other.calls.get(name, 0)) / rounds for name, value in self.calls.items()}
        return Share((self.total - other.total) / rounds, (self.switches - other.switches) / rounds,
                     {name: value for name, value in spaces.items() if any(value)},
                     {name: value for name, value in functions.items() if value}, {name: value for name, value in calls.items() if value})


class Counts:
    """The lines that bench/count.c wrote so far."""

    def __init__(self, path):
        with open(path, encoding="ascii", errors="replace") as lines:
            self.events = [line.split() for line in lines]

    @staticmethod
    def total(event):
        return int(event[-2]) + int(event[-1])

    def mark(self, number):
        """Instructions at the first mark NUMBER."""
        return next(self.total(event) for event in self.events if event[:2] == ["mark", str(number)])

    def first(self, kind):
        return next(self.total(event) for event in self.events if event[0] == kind)

    def last(self, kind):
        return next(self.total(event) for event in reversed(self.events) if event[0] == kind)

    def share(self, number):
        """All that is known of the moment of the first mark NUMBER."""
        at = next(i for i, event in enumerate(self.events) if event[:2] == ["mark", str(number)])
        share = Share(self.total(self.events[at]))
        for event in self.events[at + 1:]:
            if event[0] == "switches":
                share.switches = int(event[1])
            elif event[0] == "space":
                share.spaces[event[1]] = (int(event[2]), int(event[3]))
            elif event[0] == "function":
                share.functions[event[1]] = share.functions.get(event[1], 0) + int(event[2])
                share.calls[event[1]] = share.calls.get(event[1], 0) + int(event[3])
            else:
                break
        return share
