# SPDX-License-Identifier: GPL-2.0-or-later
"""What our kernel's operations cost: instructions, which repeat under QEMU's -icount however busy the machine is (bench/kernel), against what
docs/benchmarks.md says of them.  A limit is the goal where the figure is near it, else five percent above the figure.  They are
those of Debian 12's gcc; what another one makes of the kernel may take three percent more (gcc 14: 358 for a kernel RPC)."""

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
    "RPC, 64 KiB out of line, copied": 2310,
    "RPC, 64 KiB out of line, moved both ways": 3920,
    "send to oneself and receive": 800,
    "kernel RPC (mach_port_type)": 352,
    "port allocate and destroy": 860,
    "vm_allocate, touch, vm_deallocate a page": 2000,
    "page fault, zero fill": 720,
    "page fault, copy on write": 950,
    "page fault, external pager": 5470,
    "context switch between tasks": 305,
    "thread create and terminate": 2910,
    "task create and terminate, empty": 2110,
    "task create inheriting memory and terminate": 7450,
}

COMPILER = "12"
OTHERS = 1.03


def limits():
    version = subprocess.run(["gcc", "-dumpversion"], stdout=subprocess.PIPE, text=True, check=True).stdout
    factor = 1 if version.split(".")[0].strip() == COMPILER else OTHERS
    return {name: limit * factor for name, limit in LIMITS.items()}


def test_instructions(folder):
    figures = os.path.join(folder, "figures.json")
    done = subprocess.run([os.path.join(ROOT, "bench", "kernel", "run"), "--kernel", "quadrille", "--json", figures], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Failure(done.stdout[-4000:])
    with open(figures, encoding="utf-8") as file:
        found = json.load(file)["quadrille"]
    over = [f"{name}: {found.get(name, 'not measured')}, not {limit} or less" for name, limit in limits().items() if found.get(name, limit + 1) > limit]
    if over:
        raise Failure("instructions an operation: " + "; ".join(over))
