# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile clients: a share of what `make soak` sends (tests/soak/hostile.py), with the same demands: every server answers, the kernel finds no
wrong port names, no server grows with the number of messages, the file system is clean."""

import functools

from attack import AS_ROOT, AS_USER, attack, census, grown, machine_for, said
from session import clean

WARM, COUNT, SEED = 2, 10, 1


def hostile(interfaces, user, folder):
    image, machine = machine_for(folder)
    with machine:
        machine.prompt()
        attack(machine, interfaces, WARM, SEED, user)
        before = census(machine)
        attack(machine, interfaces, COUNT, SEED + 1, user)
        growth = grown(before, census(machine))
        said(machine)
        if growth:
            machine.fail("servers grew: " + "; ".join(growth))
        machine.halt(400)   # those who do not answer are waited for
    clean(image)


CASES = [("user", functools.partial(hostile, AS_USER, True)), ("root", functools.partial(hostile, AS_ROOT, False))]
