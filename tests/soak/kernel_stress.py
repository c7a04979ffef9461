# SPDX-License-Identifier: GPL-2.0-or-later
"""A million tasks and threads made and ended, memory filled and freed (tests/kernel/stress).  QUADRILLE_KERNEL_STRESS="SCALE [CPUS]" changes that: of each
kind there are 2,000 times SCALE creations (copies 500, copies that run 50, threads that run 200, crowds of 300 two)."""

import os

import kernelmodule


def soak(folder):
    words = os.environ.get("QUADRILLE_KERNEL_STRESS", "250").split()
    line = kernelmodule.run(folder, "kernel/stress/kernel_stress", f"--scale={words[0]}", kernel="quadrille", cpus=int(words[1]) if len(words) > 1 else 1,
                            limit=4 * 3600, silence=1800)  # a part says nothing before its end
    return f"{line}; figures before and after agree"
