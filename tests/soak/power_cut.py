# SPDX-License-Identifier: GPL-2.0-or-later
"""The power goes off at 1,000 moments of 4 boots that write and sync 60 files each: e2fsck repairs, and no synced file is lost."""

import os

from powercut import campaign

BOOTS = (("ahci", 400), ("ide", 200), ("nvme", 200), ("virtio", 200))
FILES = 60


def soak(folder):
    looked = 0
    for seed, (bus, cuts) in enumerate(BOOTS):
        place = os.path.join(folder, bus)
        os.mkdir(place)
        looked += campaign(place, cuts, FILES, 1000 * seed, "--disk-bus", bus)
    return f"{sum(cuts for _, cuts in BOOTS)} cuts, {looked} synced files looked for and found"
