# SPDX-License-Identifier: GPL-2.0-or-later
"""rumpdisk with a client in ext2fs's place: every kind of request, many at once, a disk with a bad sector, one of 3 TiB; behind
each kind of adapter, on our kernel; and on GNU Mach."""

import os
import subprocess
import sys

from image import BUILD, OBJ, ROOT
from machine import Failure

RUN = os.path.join(ROOT, "tests", "boot-modules", "disk", "run")


KERNELS = {"quadrille": os.path.join(OBJ, "kernel", "quadrille"), "gnumach": os.path.join(BUILD, "boot", "boot", "gnumach")}
BUSES = ("ahci", "ide", "nvme", "virtio")
DISKS = (("3", "good"), ("4", "bad"), ("3", "big"))


def case(kernel, chain, bus, disk):
    def run(folder):
        done = subprocess.run([sys.executable, RUN, KERNELS[kernel], OBJ, "--chain", chain, "--bus", bus, "--disk", disk],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              env=dict(os.environ, TMPDIR=folder))
        if done.returncode:
            raise Failure(done.stdout[-4000:])
    return f"chain{chain}-{bus}-{disk}" + ("-gnumach" if kernel == "gnumach" else ""), run


CASES = [case("quadrille", chain, bus, disk) for bus in BUSES for chain, disk in DISKS] \
    + [case("gnumach", chain, "ahci", disk) for chain, disk in DISKS] + [case("gnumach", "3", "nvme", "good")]
