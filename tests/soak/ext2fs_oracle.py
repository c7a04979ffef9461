# SPDX-License-Identifier: GPL-2.0-or-later
"""ext2fs's format layer against a model in memory: 500,000 random operations on images of every kind (tests/unit/ext2fs/test_oracle.c)."""

import os
import subprocess
import time

from machine import Failure

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(os.environ.get("QUADRILLE_BUILD", os.path.join(ROOT, "build")), "unit")
OPERATIONS = 500000


def soak(folder):
    """Five seeds, so that each starts from empty file systems."""
    again = ["--reconfigure"] if os.path.exists(os.path.join(BUILD, "build.ninja")) else []
    subprocess.run(["meson", "setup", *again, BUILD, os.path.join(ROOT, "tests", "unit")], stdout=subprocess.DEVNULL, check=True)
    subprocess.run(["ninja", "-C", BUILD, "ext2fs/test_oracle"], stdout=subprocess.DEVNULL, check=True)
    start = time.monotonic()
    for seed in range(1, 6):
        done = subprocess.run([os.path.join(BUILD, "ext2fs", "test_oracle"), str(OPERATIONS // 5), str(seed)], cwd=folder,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=7200)
        if done.returncode:
            raise Failure(f"seed {seed}: {done.stdout[-3000:]}")
    return f"{OPERATIONS} operations on 10 kinds of image, 5 seeds, no difference, {time.monotonic() - start:.0f} s"
