# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile clients: 10,000 messages of each kind to each interface, as a user and then as root.
QUADRILLE_HOSTILE="COUNT [SEED [INTERFACE...]]" changes that."""

import concurrent.futures
import os
import threading
import time

from attack import AS_ROOT, AS_USER, FOLDER, attack, census, grown, machine_for, said
from machine import Failure
from session import clean

SETTLE = 150   # seconds: auth gives up who waits alone after 75, surplus threads of servers end after 60 without work
LOOK = 10
LIMIT = 6 * 3600
BOOTS = 3      # at a time; one of them attacks, the others wait for their servers to settle
WARM = 50
HALT = 400     # seconds: whom hostile clients had told of the end may not answer, and is waited for (servers/startup/lists.h, patience)
# What the files of the test keep mapped is theirs, and so is what their translators are: any ports, many of other files.
CLEAN = ('clean() { [ -L "$1" ] || { settrans -O "$1"; for f in "$1"/*; do case $f in *"*") ;; *) clean "$f";; esac; done; }; }; '
         f"clean {FOLDER} 2>/dev/null; rm -rf {FOLDER}")


def settled(machine, before):
    """What has grown since BEFORE and stays so."""
    end = time.monotonic() + SETTLE
    while True:
        growth = grown(before, census(machine))
        if not growth or time.monotonic() > end:
            return growth
        machine.pause(LOOK)


def one(folder, interface, user, count, seed, busy):
    """A boot for each interface: what one does is not blamed on another.  How many messages were sent, in how many seconds."""
    os.makedirs(folder)
    image, machine = machine_for(folder)
    with machine:
        with busy:
            machine.prompt()
            attack(machine, [interface], WARM, seed, user)
        machine.pause(SETTLE)
        before = census(machine)
        with busy:
            start = time.monotonic()
            sent = attack(machine, [interface], count, seed + 1, user, LIMIT)
            seconds = time.monotonic() - start
            machine.run(CLEAN, limit=600, status=None)
        growth = settled(machine, before)
        said(machine)
        if growth:
            machine.fail("servers grew: " + "; ".join(growth))
        machine.halt(HALT)
    clean(image, f"the attack on {interface}")
    os.remove(image.path)
    return sent, seconds


def soak(folder):
    words = os.environ.get("QUADRILLE_HOSTILE", "10000").split()
    count, seed, only = int(words[0]), int(words[1]) if len(words) > 1 else 1, words[2:]
    # What takes longest comes last.
    jobs = [(interface, user) for user, interfaces in ((True, AS_USER), (False, AS_ROOT)) for interface in interfaces if not only or interface in only]
    jobs.sort(key=lambda job: job[0] in ("exec", "exec_startup"))
    busy, total, failures = threading.Lock(), 0, []

    def run(job):
        interface, user = job
        name = f"{interface} as {'user' if user else 'root'}"
        try:
            sent, seconds = one(os.path.join(folder, name.replace(" ", "-")), interface, user, count, seed, busy)
        except Failure as failure:
            print(f"  {name}: FAILED: {failure}", flush=True)   # its folder stays
            failures.append(name)
            return 0
        print(f"  {name}: {sent} messages in {seconds:.0f} s", flush=True)
        return sent

    with concurrent.futures.ThreadPoolExecutor(BOOTS) as pool:
        total = sum(pool.map(run, jobs))
    if failures:
        raise Failure(f"{len(failures)} of {len(jobs)}: {', '.join(failures)}")
    return f"{len(jobs)} interfaces, {total} messages, seed {seed}: every server answers, none grew"
