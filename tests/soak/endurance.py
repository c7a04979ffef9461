# SPDX-License-Identifier: GPL-2.0-or-later
"""10,000 programs forked and executed, 100,000 files made and removed: no server grows."""

from campaign import endurance


def soak(folder):
    return endurance(folder, programs=10000, files=100000, limit=7200)
