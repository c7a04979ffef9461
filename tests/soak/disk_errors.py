# SPDX-License-Identifier: GPL-2.0-or-later
"""Sectors of data that cannot be read or written, once and always, on every disk bus (tests/fault/disk_errors.py)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fault"))
from disk_errors import on_buses, read_data, write_data  # noqa: E402

BUSES = ("ahci", "ide", "nvme", "virtio")


def soak(folder):
    cases = on_buses(*[(what, bus, once) for bus in BUSES for what in (read_data, write_data) for once in (True, False)])
    for name, function in cases:
        place = os.path.join(folder, name)
        os.mkdir(place)
        function(place)
    return f"{len(cases)} boots: EIO for what lies on the bad sector, nothing else lost"
