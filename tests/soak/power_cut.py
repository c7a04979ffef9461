# SPDX-License-Identifier: GPL-2.0-or-later
"""The power goes off at 1,000 moments of 4 boots that write and sync 60 files each: e2fsck repairs, and no synced file is lost.  At 1,000 more of 10 boots
that make, move, link, cut and remove files and directories: nothing that was synced is lost, and each name stands for what it may (cutmoves.py)."""

import os
import shutil

from powercut import campaign, moves_campaign

BOOTS = (("ahci", 400), ("ide", 200), ("nvme", 200), ("virtio", 200))
FILES = 60
MOVES = (("ahci", 5), ("ide", 2), ("nvme", 2), ("virtio", 1))
STEPS, MOVES_CUTS = 100, 100


def soak(folder):
    looked = 0
    for seed, (bus, cuts) in enumerate(BOOTS):
        place = os.path.join(folder, bus)
        os.mkdir(place)
        looked += campaign(place, cuts, FILES, 1000 * seed, "--disk-bus", bus)
    events, boots = 0, [bus for bus, count in MOVES for _ in range(count)]
    for seed, bus in enumerate(boots):
        place = os.path.join(folder, f"moves{seed}")
        os.mkdir(place)
        events += moves_campaign(place, MOVES_CUTS, STEPS, 100 + seed, "--disk-bus", bus)
        shutil.rmtree(place)
    return f"{sum(cuts for _, cuts in BOOTS)} cuts, {looked} synced files looked for and found; {MOVES_CUTS * len(boots)} cuts among {events} operations and syncs"
