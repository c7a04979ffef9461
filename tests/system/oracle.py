# SPDX-License-Identifier: GPL-2.0-or-later
"""A short share of make soak's oracle: random file operations against a model in memory, parallel changes of one directory, then e2fsck and the
files on the disk against the model."""

from campaign import oracle


def test_model(folder):
    oracle(folder, operations=4000, seed=1, stress_rounds=150, limit=300)
