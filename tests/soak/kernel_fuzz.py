# SPDX-License-Identifier: GPL-2.0-or-later
"""Random messages to every routine of our kernel and random system calls (tests/kernel/fuzz), boot after boot, for ten minutes.
QUADRILLE_KERNEL_FUZZ="SECONDS [SEED [CPUS]]" changes that."""

import os
import re
import time

import kernelmodule

ROUNDS, COUNT = 40, 1000


def soak(folder):
    words = os.environ.get("QUADRILLE_KERNEL_FUZZ", "600").split()
    seconds, seed, cpus = int(words[0]), int(words[1]) if len(words) > 1 else 1, int(words[2]) if len(words) > 2 else 1
    start, boots, messages, calls = time.monotonic(), 0, 0, 0
    while boots == 0 or time.monotonic() - start < seconds:
        scratch = os.path.join(folder, str(boots))
        os.makedirs(scratch)
        line = kernelmodule.run(scratch, "kernel/fuzz/kernel_fuzz", f"--seed={seed + boots}", f"--rounds={ROUNDS}", f"--count={COUNT}", cpus=cpus,
                                limit=3600)
        found = re.match(r"(\d+) messages, (\d+) calls", line)
        messages, calls, boots = messages + int(found[1]), calls + int(found[2]), boots + 1
    return f"{boots} boots, seeds from {seed}: {messages} messages, {calls} system calls: no panic, no hang, nothing missing"
