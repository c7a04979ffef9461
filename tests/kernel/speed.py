# SPDX-License-Identifier: GPL-2.0-or-later
"""What our kernel's operations cost: instructions, which repeat under QEMU's -icount however busy the machine is (bench/kernel), against what
docs/benchmarks.md says of them.  A limit is the goal where one is set and reached, else a few percent above the figure."""

import json
import os
import subprocess

from image import ROOT
from machine import Failure

LIMITS = {
    "null RPC between tasks": 500,
    "null RPC within a task": 500,
    "RPC, 1 KiB inline each way": 1120,
    "RPC, 4 KiB inline each way": 2700,
    "RPC, 64 KiB out of line, copied": 2750,
    "RPC, 64 KiB out of line, moved both ways": 4800,
    "send to oneself and receive": 800,
    "kernel RPC (mach_port_type)": 352,
    "port allocate and destroy": 900,
    "page fault, zero fill": 1160,
    "page fault, external pager": 5700,
    "context switch between tasks": 305,
    "thread create and terminate": 3000,
    "task create and terminate, empty": 5400,
}


def test_instructions(folder):
    figures = os.path.join(folder, "figures.json")
    done = subprocess.run([os.path.join(ROOT, "bench", "kernel", "run"), "--kernel", "quadrille", "--json", figures], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Failure(done.stdout[-4000:])
    with open(figures, encoding="utf-8") as file:
        found = json.load(file)["quadrille"]
    over = [f"{name}: {found.get(name, 'not measured')}, not {limit} or less" for name, limit in LIMITS.items() if found.get(name, limit + 1) > limit]
    if over:
        raise Failure("instructions an operation: " + "; ".join(over))
