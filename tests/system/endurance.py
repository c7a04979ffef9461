# SPDX-License-Identifier: GPL-2.0-or-later
"""A short share of make soak's endurance: no server grows while programs run and files come and go."""

from campaign import endurance


def test_nothing_grows(folder):
    endurance(folder, programs=300, files=2000, limit=300)
