# SPDX-License-Identifier: GPL-2.0-or-later
"""Our kernel, checked, with two to four processors, much and little memory, by every chain, boot after boot: programs that come and go, pipes,
files and folders read by several processes at once, a halt.  QUADRILLE_PROCESSORS="BOOTS [KERNEL]" changes 20 and quadrille-checked.

A boot that stands still is explained before it ends: where each processor is, by the functions' names; with QUADRILLE_CORES=FOLDER all of
its memory goes there, an ELF core that gdb reads beside build/obj/kernel/quadrille-checked."""

import bisect
import os
import re
import socket
import time

from image import OBJ, Image, tool
from machine import Failure, Machine

SHAPES = ((2, 512, 4), (4, 512, 4), (2, 64, 4), (2, 6144, 3), (3, 512, 4), (2, 96, 2), (4, 6144, 4), (2, 64, 3))  # processors, MiB, chain
LIMIT = 900     # seconds for one command; a loaded host is slow, a hang is for ever
SUMS = "cat /bin/* /hurd/* | md5sum"
WORK = (
    "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do ls -l /bin > /dev/null & done; wait",
    "for i in 1 2 3 4 5 6; do ls -lR /bin /hurd /lib /dev | md5sum > /tmp/l$i & done; wait; cat /tmp/l* | sort -u | wc -l",
    "for i in 1 2 3 4; do " + SUMS + " > /tmp/s$i & done; wait; cat /tmp/s* | sort -u | wc -l",
    "for i in 1 2 3 4 5 6 7 8; do (for j in 1 2 3 4 5 6 7 8; do true | cat | cat; done) & done; wait",
    "for i in 1 2 3 4; do (for j in 1 2 3 4 5; do mkdir /tmp/d$i; cp /bin/dash /tmp/d$i/f; md5sum < /bin/dash > /tmp/a$i; md5sum < /tmp/d$i/f > /tmp/b$i; "
    "[ \"$(cat /tmp/a$i)\" = \"$(cat /tmp/b$i)\" ] || echo differs; rm -r /tmp/d$i; done) "
    "& done; wait",
    "for i in 1 2 3; do (for j in 1 2 3 4; do sleep 0.1; date > /dev/null; done) & done; wait",
)


class Monitor:
    """QEMU's monitor by a socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(120)
        self.socket.connect(path)
        self._answer()

    def _answer(self):
        text = b""
        while not text.endswith(b"(qemu) "):
            data = self.socket.recv(65536)
            if not data:
                break
            text += data
        return text.decode(errors="replace")

    def ask(self, command):
        self.socket.sendall(command.encode() + b"\n")
        return self._answer()


def functions(kernel):
    """Addresses and names of the kernel's functions, in order."""
    listed = [line.split() for line in tool("nm", "-n", os.path.join(OBJ, "kernel", kernel))[1].splitlines()]
    return [(int(words[0], 16), words[2]) for words in listed if len(words) == 3 and words[1] in "tT"]


def name_of(table, address):
    at = bisect.bisect(table, (address, "\uffff")) - 1
    return f"{table[at][1]}+{address - table[at][0]:#x}" if at >= 0 and address >> 31 == 0x1ffffffff else f"user {address:#x}"


def explain(path, kernel, number):
    """Where each processor is, three times; and the memory, if it is wanted."""
    table, lines = functions(kernel), []
    try:
        monitor = Monitor(path)
        for _ in range(3):
            places = re.findall(r"^RIP=([0-9a-f]+)[^\n]*HLT=(\d)", monitor.ask("info registers -a"), re.M)
            lines.append(" | ".join(name_of(table, int(rip, 16)) + (" halted" if halted == "1" else "") for rip, halted in places))
            time.sleep(0.2)
        folder = os.environ.get("QUADRILLE_CORES")
        if folder:
            core = os.path.join(folder, f"processors-{os.getpid()}-{number}.core")
            monitor.ask("dump-guest-memory " + core)
            lines.append("memory: " + core)
    except OSError as error:
        lines.append(f"the monitor does not answer: {error}")
    return "\n".join(lines)


def boot(folder, kernel, shape, number):
    cpus, memory, chain = shape
    path = os.path.join(folder, "monitor")
    with Machine(os.path.join(folder, f"serial-{number}.log"), "--kernel", kernel, "--cpus", str(cpus), "--memory", str(memory), "--chain", str(chain),
                 "--qemu=-monitor",
                 f"--qemu=unix:{path},server,nowait", disk=Image(folder).path, boot_limit=600) as machine:
        try:
            machine.prompt()
            for command in WORK:
                said = machine.run(command, limit=LIMIT)
                if "wc -l" in command and said.split()[-1:] != ["1"] or "differs" in said:
                    machine.fail(f"{command}: what was read differs: {said}")
            machine.halt()
        except Failure as failure:
            raise Failure(f"boot {number}, {cpus} processors, {memory} MiB, chain {chain}: {failure}\nprocessors at:\n{explain(path, kernel, number)}") from None


def soak(folder):
    words = os.environ.get("QUADRILLE_PROCESSORS", "20").split()
    boots, kernel = int(words[0]), words[1] if len(words) > 1 else "quadrille-checked"
    for number in range(boots):
        boot(folder, kernel, SHAPES[number % len(SHAPES)], number)
    return f"{boots} boots of {kernel} with 2, 3 and 4 processors, 64 MiB to 6 GiB: no hang, no panic, the same bytes read by all"
