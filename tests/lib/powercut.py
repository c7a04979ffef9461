# SPDX-License-Identifier: GPL-2.0-or-later
"""Power cuts after the fact: QEMU logs each write and flush that a machine sends to its disk (blklogwrites, the format of Linux's dm-log-writes);
afterwards the disk is put together as it could have been at any moment: all that was written before the last flush, and of what came after
it any part, in any order, since a disk's cache keeps none."""

import random
import re
import struct

SECTOR = 512
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
MAGIC = 0x6A736677736872


def drive(image, log):
    """The words for tools/boot --disk."""
    open(log, "wb").close()
    return f"driver=blklogwrites,file.driver=file,file.filename={image},log.driver=file,log.filename={log},log-super-update-interval=1"


class Log:
    """What was sent to the disk: entries (kind, offset in bytes, data) in order; kind is "write", "through" (past the cache) or "flush"."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        magic, version, count, size = struct.unpack_from("<QQQI", data)
        if magic != MAGIC or version != 1:
            raise RuntimeError(f"{path}: no log of writes")
        self.entries = []
        at = size
        for _ in range(count):
            sector, sectors, flags, _ = struct.unpack_from("<QQQQ", data, at)
            at += size
            if flags & FLUSH:
                self.entries.append(("flush", 0, b""))
            if flags & DISCARD or sectors == 0:
                continue
            self.entries.append(("through" if flags & FUA else "write", sector * size, data[at:at + sectors * size]))
            at += sectors * size

    def flushed(self, cut):
        """How many of the first CUT entries are surely on the medium."""
        return next((i + 1 for i in range(cut - 1, -1, -1) if self.entries[i][0] == "flush"), 0)

    def first(self, pattern):
        """Number of the first entry that writes bytes matching PATTERN, and each first match's group(1) → number."""
        found = {}
        for number, (kind, _, data) in enumerate(self.entries):
            for match in re.finditer(pattern, data) if kind != "flush" else ():
                found.setdefault(match[1], number)
        return found

    def cut(self, image, cut, seed):
        """Writes into IMAGE, a copy of the disk before the boot, what a cut after CUT entries may leave."""
        chance = random.Random(seed)
        sure = self.flushed(cut)
        with open(image, "r+b") as disk:
            for number, (kind, offset, data) in enumerate(self.entries[:cut]):
                if number >= sure and kind == "write":
                    if chance.random() < 0.5:
                        continue
                    if chance.random() < 0.2:  # a long write may be done in part, whole sectors of it
                        data = data[:chance.randrange(len(data) // SECTOR + 1) * SECTOR]
                if kind != "flush":
                    disk.seek(offset)
                    disk.write(data)
