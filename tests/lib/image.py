# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk images for tests: fresh copies of the built one, files put in and taken out from outside, and the judges (e2fsck, debugfs)."""

import os
import shutil
import struct
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("QUADRILLE_BUILD", os.path.join(ROOT, "build"))
OBJ = os.path.join(BUILD, "obj")
PATH = os.environ["PATH"] + ":/sbin:/usr/sbin"
SECTOR = 512


def tool(*argv, check=True):
    """Runs a host program and gives its output (stdout and stderr together)."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ, PATH=PATH),
                          stdin=subprocess.DEVNULL, text=True, errors="replace")
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit status {done.returncode}\n{done.stdout[-2000:]}")
    return done.returncode, done.stdout


class Image:
    """A copy of build/quadrille.img (or of SOURCE) in FOLDER, thrown away with it."""

    def __init__(self, folder, source=None):
        self.path = os.path.join(folder, "disk.img")
        tool("cp", "--sparse=always", source or os.path.join(BUILD, "quadrille.img"), self.path)

    def partition(self, number=1):
        """Offset and length in bytes of a primary MBR partition."""
        with open(self.path, "rb") as disk:
            sector = disk.read(SECTOR)
        if sector[510:512] != b"\x55\xaa":
            raise RuntimeError(f"{self.path}: no partition table")
        start, count = struct.unpack_from("<II", sector, 446 + 16 * (number - 1) + 8)
        return start * SECTOR, count * SECTOR

    @property
    def filesystem(self):
        """The root file system in the words of e2fsprogs."""
        return f"{self.path}?offset={self.partition()[0]}"

    def debugfs(self, *requests, write=False):
        """Runs debugfs requests; its complaints are errors, since debugfs exits with 0 whatever happens."""
        with tempfile.NamedTemporaryFile("w", suffix=".debugfs") as script:
            script.write("\n".join(requests) + "\n")
            script.flush()
            _, out = tool("debugfs", *(["-w"] if write else []), "-f", script.name, self.filesystem)
        return out

    def put(self, host_path, path, mode=0o100644):
        """Writes a host file into the image."""
        folder, name = os.path.split(path)
        out = self.debugfs(f"cd {folder}", f"write {host_path} {name}", f"sif {path} mode 0{mode:o}",
                           f"sif {path} uid 0", f"sif {path} gid 0", write=True)
        if "No free" in out or "not found" in out:
            raise RuntimeError(f"put {path}: {out}")

    def mkdir(self, path):
        self.debugfs(f"mkdir {path}", write=True)

    def remove(self, path):
        self.debugfs(f"rm {path}", write=True)

    def get(self, path):
        """The bytes of a file in the image."""
        with tempfile.NamedTemporaryFile() as out:
            self.debugfs(f"dump {path} {out.name}")
            with open(out.name, "rb") as data:
                return data.read()

    def check(self):
        """e2fsck -fn: None when clean, else what it said."""
        status, out = tool("e2fsck", "-fn", self.filesystem, check=False)
        return None if status == 0 else out

    def state(self):
        """The superblock's state in debugfs' words: clean, not clean.  (dumpe2fs 1.47.2 does not take "?offset=".)"""
        out = self.debugfs("show_super_stats -h")
        return next(line.split(":", 1)[1].strip() for line in out.splitlines() if line.startswith("Filesystem state"))

    def damage(self, offset, data):
        """Overwrites bytes at OFFSET of the root file system."""
        with open(self.path, "r+b") as disk:
            disk.seek(self.partition()[0] + offset)
            disk.write(data)


class Folder:
    """A scratch folder that goes with the `with` block."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="quadrille-")
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)
