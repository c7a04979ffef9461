# SPDX-License-Identifier: GPL-2.0-or-later
"""Our kernel with more processors than one: programs and files in parallel.  QEMU runs each processor in a thread of its own, so that they are in
each other's way at any instruction; once in one thread, where one stops for long while another waits for it.  Where QEMU's translator knows
x2APIC mode (from version 9 on), once with it and with a processor whose number only that mode reaches."""

import os
import re
import subprocess

from campaign import endurance, oracle
from machine import Failure


def kernel(cpus, threads="multi"):
    return ("--kernel", "quadrille", "--cpus", str(cpus), "--qemu=-accel", f"--qemu=tcg,thread={threads}")


def test_two_processors(folder):
    oracle(folder, operations=1000, seed=2, stress_rounds=40, limit=400, options=kernel(2))


def test_four_processors(folder):
    endurance(folder, programs=100, files=500, limit=400, options=kernel(4))


def test_four_processors_in_one_thread(folder):
    oracle(folder, operations=300, seed=3, stress_rounds=15, limit=400, options=kernel(4, "single"))


def x2apic(folder):
    """Processor 256 beside processor 0."""
    oracle(folder, operations=300, seed=4, stress_rounds=15, limit=400,
           options=("--kernel", "quadrille", "--qemu=-smp", "--qemu=1,maxcpus=512,sockets=2,cores=256,threads=1", "--qemu=-device",
                    "--qemu=max-x86_64-cpu,socket-id=1,core-id=0,thread-id=0,module-id=0", "--qemu=-device", "--qemu=intel-iommu,intremap=on,eim=on"))
    with open(os.path.join(folder, "serial.log"), encoding="utf-8") as log:
        if "\n2 processors\n" not in log.read():
            raise Failure("processor 256 was not used")


def qemu_version():
    said = subprocess.run(["qemu-system-x86_64", "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
    found = re.search(r"version (\d+)", said)
    return int(found[1]) if found else 0


CASES = [(name[5:], test) for name, test in list(globals().items()) if name.startswith("test_")]
CASES += [("x2apic", x2apic)] if qemu_version() >= 9 else []
