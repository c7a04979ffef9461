# SPDX-License-Identifier: GPL-2.0-or-later
"""Time in our kernel when interrupts of the clock are lost: the whole machine stands still for a while, as it does on a busy host, once for longer
than ACPI's timer takes to begin again (4.7 s).  What the machine says has passed lies between what the host saw pass before it asked and
after it was told, so a slow host makes no difference."""

import os
import signal
import time

from image import Image
from machine import Machine

SLACK = 0.05    # seconds
STILL = (0.3, 0.3, 6.0, 1.2)


def emulator(machine):
    """The process of QEMU below tools/boot."""
    with open(f"/proc/{machine.child.pid}/task/{machine.child.pid}/children", encoding="ascii") as file:
        return int(file.read().split()[0])


def now(machine):
    """(host's time before, machine's time, host's time after)"""
    before = time.monotonic()
    said = machine.run("date +%s.%N")
    return before, float(said.split()[-1]), time.monotonic()


def check(machine, first, second):
    passed, least, most = second[1] - first[1], second[0] - first[2], second[2] - first[0]
    if not least - SLACK <= passed <= most + SLACK:
        machine.fail(f"the machine's clock says that {passed:.3f} s have passed, the host's between {least:.3f} and {most:.3f}")


def run(folder, *options):
    with Machine(os.path.join(folder, "serial.log"), "--kernel", "quadrille", *options, disk=Image(folder).path) as machine:
        machine.prompt()
        process, first = emulator(machine), now(machine)
        last = first
        for seconds in STILL:
            os.kill(process, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(process, signal.SIGCONT)
            this = now(machine)
            check(machine, last, this)
            last = this
        machine.run("cat /bin/[a-d]* | md5sum & cat /hurd/[a-e]* | md5sum & wait", limit=300)
        check(machine, first, now(machine))
        machine.halt()


def test_lost_ticks(folder):
    run(folder)


def test_lost_ticks_two_processors(folder):
    run(folder, "--cpus", "2")
