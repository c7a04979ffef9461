# SPDX-License-Identifier: GPL-2.0-or-later
"""The power goes off at any moment while files are written and synced: e2fsck repairs the file system, and every file whose fsync had
returned is there with its contents.  The same while files and directories are made, moved, linked, cut and removed: each name stands for what it
stood for at the last sync or was made to stand for since, and nothing is lost on its way.  tests/soak/power_cut.py does both with more cuts."""

from powercut import campaign, moves_campaign

FILES = 25


def test_ahci(folder):
    campaign(folder, 12, FILES, 1)


def test_ide(folder):
    campaign(folder, 4, FILES, 2, "--disk-bus", "ide")


def test_moves(folder):
    moves_campaign(folder, 16, 40, 3)
