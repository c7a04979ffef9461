# SPDX-License-Identifier: GPL-2.0-or-later
"""Files and directories from inside (tests/inside/fstest): what POSIX and the Hurd say of names, modes, locks, holes, translators and the options of
a second file system, which lies in a file."""

import os

from campaign import wanted
from image import Image, tool
from machine import Failure
from session import image_with, session


def test_semantics(folder):
    second = os.path.join(folder, "second.img")
    tool("mke2fs", "-q", "-t", "ext2", "-O", "^resize_inode", second, "8M")
    image = image_with(folder, "fstest")
    image.put(second, "/second.img")
    with session(folder, image) as machine:
        wanted(machine, "/fstest /second.img", 300)
    with open(second, "wb") as file:
        file.write(image.get("/second.img"))
    status, said = tool("e2fsck", "-fn", second, check=False)
    if status:
        raise Failure(f"e2fsck -fn of the second file system:\n{said}")


def test_deleted_at_halt(folder):
    """Programs that still write to files without a name when the system goes down: these files go, whole, and nothing of them stays on the disk."""
    with session(folder, Image(folder)) as machine:
        machine.run("(exec 3>/tmp/a 4>/tmp/b; rm /tmp/a /tmp/b; "
                    "while :; do echo x >&3; head -c 300000 /bin/sh >&4; done) & sleep 1")
