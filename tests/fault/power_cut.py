# SPDX-License-Identifier: GPL-2.0-or-later
"""The power goes off at any moment while files are written and synced: e2fsck repairs the file system, and every file whose fsync had
returned is there with its contents.  tests/soak/power_cut.py does the same with more cuts."""

from powercut import campaign

FILES = 25


def test_ahci(folder):
    campaign(folder, 12, FILES, 1)


def test_ide(folder):
    campaign(folder, 4, FILES, 2, "--disk-bus", "ide")
