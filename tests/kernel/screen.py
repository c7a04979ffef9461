# SPDX-License-Identifier: GPL-2.0-or-later
"""Our kernel's console on the PC's screen and keyboard: what a boot shows there, and a command typed by key codes."""

import os
import re
import socket
import time

from image import Image
from machine import Machine

LIMIT = 240
KEYS = {" ": "spc", "/": "slash", "-": "minus", "\n": "ret", "$": "shift-4", "_": "shift-minus", "A": "shift-a", ".": "dot", "'": "apostrophe"}


class Monitor:
    """QEMU's monitor: the screen's cells, and keys."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        until = time.monotonic() + LIMIT
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
        self.socket.settimeout(LIMIT)
        self.answer()

    def answer(self):
        text = b""
        while not text.endswith(b"(qemu) "):
            text += self.socket.recv(65536)
        return text.decode(errors="replace")

    def run(self, command):
        self.socket.sendall(command.encode() + b"\n")
        return self.answer()

    def type(self, text):
        for c in text:
            self.run("sendkey " + KEYS.get(c, c))

    def screen(self):
        words = re.findall(r"0x([0-9a-f]{4})\b", self.run("xp /2000xh 0xb8000").split("\n", 1)[1])
        cells = "".join(chr(int(word, 16) & 0xff) for word in words)
        return [cells[at:at + 80].rstrip("\0 ") for at in range(0, len(cells), 80)]

    def expect(self, machine, pattern):
        until = time.monotonic() + LIMIT
        while not re.search(pattern, "\n".join(self.screen()), re.M):
            machine.pause(0.5)
            if time.monotonic() > until:
                machine.fail(f"waited for {pattern!r} on the screen:\n" + "\n".join(self.screen()))


def test_screen(folder):
    path = os.path.join(folder, "monitor")
    with Machine(os.path.join(folder, "serial.log"), "--kernel", "quadrille", "--console", "screen", "--qemu=-monitor",
                 f"--qemu=unix:{path},server,nowait", disk=Image(folder).path) as machine:
        monitor = Monitor(path)
        monitor.expect(machine, r"^Hurd server bootstrap: ext2fs")
        monitor.expect(machine, r"^# $|^#$")
        monitor.type("echo 'A-b_$' /\n")
        monitor.expect(machine, r"^A-b_\$ /$")
        # More than a screen: it scrolls, and the last lines are there.
        monitor.type("seq 40\n")
        monitor.expect(machine, r"^38\n39\n40\n#")
        monitor.type("halt\n")
        monitor_gone(machine)


def monitor_gone(machine):
    status = machine.ended(LIMIT)
    # The words by which tools/boot knows a halt are on the screen, so it sees the emulator end by itself.
    if status not in (0, 3):
        machine.fail(f"halt from the keyboard: tools/boot ended with status {status}")
