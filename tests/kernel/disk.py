# SPDX-License-Identifier: GPL-2.0-or-later
"""rumpdisk with a client in ext2fs's place: every kind of request, many at once, and a disk with a bad sector."""

import os
import subprocess
import sys

from image import BUILD, OBJ, ROOT
from machine import Failure

RUN = os.path.join(ROOT, "tests", "boot-modules", "disk", "run")


def case(chain, disk):
    def run(folder):
        done = subprocess.run([sys.executable, RUN, os.path.join(BUILD, "boot", "boot", "gnumach"), OBJ, "--chain", str(chain),
                               "--disk", disk], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              env=dict(os.environ, TMPDIR=folder))
        if done.returncode:
            raise Failure(done.stdout[-4000:])
    return run


CASES = [(f"chain{chain}-{disk}", case(chain, disk)) for chain in (3, 4) for disk in ("good", "bad")]
