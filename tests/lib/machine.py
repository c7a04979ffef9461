# SPDX-License-Identifier: GPL-2.0-or-later
"""A booted machine: tools/boot as a child, its serial console typed at and read."""

import contextlib
import os
import re
import select
import signal
import subprocess
import threading
import time

from image import ROOT

BOOT = os.path.join(ROOT, "tools", "boot")
PROMPT = r"^[#$] |[#$] $"   # at the beginning of a line somebody else may have gone on behind it
TAIL = 40


class Failure(Exception):
    """What a test says when it does not hold."""


here = threading.local()


@contextlib.contextmanager
def boots_with(*words):
    """Each Machine that this thread makes inside gets WORDS for tools/boot before its own."""
    here.words = words
    try:
        yield
    finally:
        here.words = ()


class Machine:
    """Boots on entry of its `with` block and kills only its own emulator on exit.  Everything that the console said stays in `log`,
    and in the file LOG_PATH.  The environment's QUADRILLE_BOOT holds more words for every boot ("--kernel quadrille")."""

    def __init__(self, log_path, *options, disk=None, boot_limit=120):
        self.argv = [BOOT, *os.environ.get("QUADRILLE_BOOT", "").split(), *getattr(here, "words", ()), *options] + (["--disk", disk] if disk else [])
        self.log_path = log_path
        self.boot_limit = boot_limit
        self.log = ""
        self.mark = 0
        self.status = None

    def __enter__(self):
        self.log_file = open(self.log_path, "w", encoding="utf-8", errors="replace")
        self.child = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      start_new_session=True, bufsize=0)
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            try:
                os.killpg(self.child.pid, signal.SIGTERM)
                self.child.wait(5)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(self.child.pid, signal.SIGKILL)
                self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()
        self.log_file.close()

    def tail(self):
        return "\n".join(self.log.splitlines()[-TAIL:])

    def fail(self, why):
        raise Failure(f"{why}\n--- end of the serial log ({self.log_path}) ---\n{self.tail()}\n---")

    def _read(self, until):
        """One piece of output; False at the end of the output."""
        if not select.select([self.child.stdout], [], [], max(0, until - time.monotonic()))[0]:
            return True
        data = os.read(self.child.stdout.fileno(), 65536)
        if not data:
            return False
        text = data.decode("utf-8", "replace").replace("\r", "")
        self.log += text
        self.log_file.write(text)
        self.log_file.flush()
        return True

    def expect(self, pattern, limit=30):
        """Waits for a match of PATTERN behind the last one and gives the match."""
        until = time.monotonic() + limit
        regex = re.compile(pattern, re.M)
        while True:
            match = regex.search(self.log, self.mark)
            if match:
                self.mark = match.end()
                return match
            if time.monotonic() > until:
                self.fail(f"waited {limit} s for {pattern!r}")
            if not self._read(until):
                self.fail(f"the machine stopped (exit status {self.child.wait()}) before {pattern!r}")

    def send(self, text):
        self.child.stdin.write(text.encode())

    def pause(self, seconds):
        """Lets the machine run and collects what it says meanwhile (for keys that are typed at a running program)."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self._read(until):
            pass

    def prompt(self):
        """Waits for the shell's first prompt."""
        self.expect(PROMPT, self.boot_limit)

    def run(self, command, limit=60, status=0):
        """Types a command and gives its output; its exit status must be STATUS (None: any, which is then given with the output)."""
        self.send(command + "; echo @'@'$?@@\n")
        start = self.mark
        match = self.expect(r"@@(\d+)@@\n", limit)
        output = self.log[start:match.start()]
        output = output.split("\n", 1)[1] if "\n" in output else ""
        self.expect(PROMPT, limit)
        got = int(match.group(1))
        if status is None:
            return got, output
        if got != status:
            self.fail(f"{command!r}: exit status {got}, wanted {status}")
        return output

    def ended(self, limit=60):
        """Waits until the machine has stopped and gives the exit status of tools/boot."""
        until = time.monotonic() + limit
        while self._read(until):
            if time.monotonic() > until:
                self.fail(f"still running after {limit} s")
        return self.child.wait(10)

    def halt(self, limit=60):
        """Halts from the shell; the emulator must end by itself with status 0."""
        self.send("halt\n")
        status = self.ended(limit)
        if status != 0:
            self.fail(f"halt: tools/boot ended with status {status}")
