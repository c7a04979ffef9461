# SPDX-License-Identifier: GPL-2.0-or-later
"""Each fuzz target's corpus and a few seconds of mutations in a fixed order, without libFuzzer (tests/fuzz/driver)."""

from fuzzing import targets

SECONDS = 3


def checked(target):
    return lambda _folder: target.check(SECONDS)


CASES = [(target.name, checked(target)) for target in targets()]
