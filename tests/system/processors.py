# SPDX-License-Identifier: GPL-2.0-or-later
"""Our kernel with more processors than one: programs and files in parallel.  QEMU runs each processor in a thread of its own, so that they are in
each other's way at any instruction; once in one thread, where one stops for long while another waits for it."""

from campaign import endurance, oracle


def kernel(cpus, threads="multi"):
    return ("--kernel", "quadrille", "--cpus", str(cpus), "--qemu=-accel", f"--qemu=tcg,thread={threads}")


def test_two_processors(folder):
    oracle(folder, operations=1000, seed=2, stress_rounds=40, limit=400, options=kernel(2))


def test_four_processors(folder):
    endurance(folder, programs=100, files=500, limit=400, options=kernel(4))


def test_four_processors_in_one_thread(folder):
    oracle(folder, operations=300, seed=3, stress_rounds=15, limit=400, options=kernel(4, "single"))
