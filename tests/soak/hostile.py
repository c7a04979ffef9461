# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile clients: 10,000 messages of each kind to each interface.  QUADRILLE_HOSTILE="COUNT [SEED [INTERFACE...]]" changes that."""

import os
import time

from attack import AS_ROOT, AS_USER, attack, census, grown, machine_for, said
from machine import Failure

SETTLE = 130   # seconds: surplus threads of servers end after 60 without work
LIMIT = 6 * 3600


def one(folder, interface, user, count, seed):
    """A boot for each interface: what one does is not blamed on another."""
    os.makedirs(folder)
    image, machine = machine_for(folder)
    with machine:
        machine.prompt()
        attack(machine, [interface], 50, seed, user)
        machine.pause(SETTLE)
        before = census(machine)
        sent = attack(machine, [interface], count, seed + 1, user, LIMIT)
        machine.pause(SETTLE)
        growth = grown(before, census(machine))
        said(machine)
        if growth:
            machine.fail("servers grew: " + "; ".join(growth))
        machine.halt()
    problem = image.check()
    if problem:
        raise Failure(f"{interface}: e2fsck -fn after halt:\n{problem}")
    os.remove(image.path)
    return sent


def soak(folder):
    words = os.environ.get("QUADRILLE_HOSTILE", "10000").split()
    count, seed, only = int(words[0]), int(words[1]) if len(words) > 1 else 1, words[2:]
    sent = runs = 0
    failures = []
    for user, interfaces in ((True, AS_USER), (False, AS_ROOT)):
        for interface in interfaces:
            if only and interface not in only:
                continue
            name = f"{interface} as {'user' if user else 'root'}"
            start = time.monotonic()
            try:
                sent += one(os.path.join(folder, name.replace(" ", "-")), interface, user, count, seed)
                print(f"  {name}: ok ({time.monotonic() - start:.0f} s)", flush=True)
            except Failure as failure:
                failures.append(name)
                print(f"  {name}: FAILED: {failure}", flush=True)
            runs += 1
    if failures:
        raise Failure(f"{len(failures)} of {runs}: {', '.join(failures)}")
    return f"{runs} interfaces, {sent} messages, seed {seed}: every server answers, none grew"
