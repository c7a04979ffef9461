# SPDX-License-Identifier: GPL-2.0-or-later
"""Our kernel under attack and under load, a short share of tests/soak/kernel_fuzz.py and kernel_stress.py: random messages and system calls
(fuzz/), tasks and threads that come and go and memory that is filled (stress/)."""

import kernelmodule


def test_fuzz(folder):
    kernelmodule.run(folder, "kernel/fuzz/kernel_fuzz", "--seed=1", "--rounds=8", "--count=250")


def test_stress(folder):
    kernelmodule.run(folder, "kernel/stress/kernel_stress", kernel="quadrille")
