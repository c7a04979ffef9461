# SPDX-License-Identifier: GPL-2.0-or-later
"""rumpdisk with a client in ext2fs's place: every kind of request, many at once, a disk with a bad sector, one of 3 TiB; behind
each kind of adapter."""

import os
import subprocess
import sys

from image import BUILD, OBJ, ROOT
from machine import Failure

RUN = os.path.join(ROOT, "tests", "boot-modules", "disk", "run")


def case(chain, bus, disk):
    def run(folder):
        done = subprocess.run([sys.executable, RUN, os.path.join(BUILD, "boot", "boot", "gnumach"), OBJ, "--chain", chain, "--bus", bus,
                               "--disk", disk], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              env=dict(os.environ, TMPDIR=folder))
        if done.returncode:
            raise Failure(done.stdout[-4000:])
    return run


BUSES = ("ahci", "ide", "nvme", "virtio")
CASES = [(f"chain{chain}-{bus}-{disk}", case(chain, bus, disk)) for bus in BUSES
         for chain, disk in (("3", "good"), ("4", "bad"), ("3", "big"))]
