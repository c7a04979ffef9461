# SPDX-License-Identifier: GPL-2.0-or-later
"""Power cuts after the fact: QEMU logs each write and flush that a machine sends to its disk (blklogwrites, the format of Linux's dm-log-writes);
afterwards the disk is put together as it could have been at any moment: all that was written before the last flush, and of what came after
it any part, in any order, since a disk's cache keeps none."""

import os
import random
import re
import shutil
import struct

from image import OBJ, Image, tool
from machine import Failure, Machine

BLOCK = 4096
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


def block(number, index):
    """What tests/inside/cutmark.h makes."""
    mark = b"CUT:%d:%d;" % (number, index)
    return (mark * (BLOCK // len(mark) + 1))[:BLOCK]


def content(number):
    """What tests/inside/cutwriter.c writes into file NUMBER."""
    blocks = [block(number, index) for index in range(number % 7 * 3 + 2)]
    blocks[-1] = blocks[-1][:number % BLOCK]
    return b"".join(blocks)


def record(folder, program, arguments, *options):
    """One boot that runs PROGRAM of tests/inside on the folder /cut; gives the image as it was before, the log, and what it printed."""
    image = Image(folder)
    image.mkdir("/cut")
    image.put(os.path.join(OBJ, "tests", "inside", program), f"/bin/{program}", 0o100755)
    before = os.path.join(folder, "before.img")
    tool("cp", "--sparse=always", image.path, before)
    log = os.path.join(folder, "writes.log")
    with Machine(os.path.join(folder, "serial.log"), *options, disk=drive(image.path, log)) as machine:
        machine.prompt()
        printed = machine.run(f"{program} /cut {arguments}", limit=300)
        machine.halt()
    os.unlink(image.path)
    return before, Log(log), printed


def repaired(folder, before, log, cut, seed):
    """The disk after a cut, repaired: the image, and what e2fsck said."""
    image = Image(folder, before)
    log.cut(image.path, cut, seed)
    status, said = tool("e2fsck", "-fy", image.filesystem, check=False)
    if status not in (0, 1):
        raise Failure(f"cut after {cut} of {len(log.entries)} writes (seed {seed}): e2fsck -fy ends with {status}:\n{said[-3000:]}")
    return image, said


def dumps_folder(folder):
    dumps = os.path.join(folder, "dumps")
    shutil.rmtree(dumps, ignore_errors=True)
    os.mkdir(dumps)
    return dumps


def check_cut(folder, before, log, firsts, files, cut, seed):
    """Cuts, repairs, and gives how many files had to be there and were."""
    image, said = repaired(folder, before, log, cut, seed)
    synced = [number for number in range(1, files) if firsts.get(b"%d" % (number + 1), cut) < cut]
    dumps = dumps_folder(folder)
    image.debugfs(*[f"dump /cut/f{number} {dumps}/f{number}" for number in synced])
    for number in synced:
        path = os.path.join(dumps, f"f{number}")
        data = open(path, "rb").read() if os.path.exists(path) else None
        if data != content(number):
            what = "is not there" if data is None else f"has {len(data)} bytes that are not what was written ({len(content(number))})"
            raise Failure(f"cut after {cut} of {len(log.entries)} writes (seed {seed}): f{number}, synced before, {what}\n{said[-2000:]}")
    return len(synced)


def campaign(folder, cuts, files, seed, *options):
    """CUTS cuts of one boot that writes FILES files; gives how many files were looked for altogether."""
    before, log, _ = record(folder, "cutwriter", files, *options)
    firsts = log.first(rb"CUT:(\d+):0;")
    if b"%d" % files not in firsts:
        raise Failure(f"the log of {len(log.entries)} writes does not have the last file's")
    chance = random.Random(seed)
    start = firsts[b"1"]
    return sum(check_cut(folder, before, log, firsts, files, chance.randrange(start, len(log.entries) + 1), seed + i) for i in range(cuts))


def moves_campaign(folder, cuts, steps, seed, *options):
    """CUTS cuts of one boot with STEPS steps of tests/inside/cutmoves.c; gives how many operations and syncs they were."""
    import cutmoves
    before, log, printed = record(folder, "cutmoves", f"{steps} {seed} /dev/wd0", *options)
    play = cutmoves.Play(printed)
    firsts = {int(number): entry for number, entry in log.first(rb"MARK:(\d+);").items()}
    if set(firsts) != set(range(steps + 1)) or set(play.marks) != set(firsts):
        raise Failure(f"of {steps} marks {len(firsts)} are in the log of {len(log.entries)} writes, {len(play.marks)} were printed")
    chance = random.Random(seed)
    for i in range(cuts):
        cut = chance.randrange(firsts[0] + 1, len(log.entries) + 1)
        image, said = repaired(folder, before, log, cut, seed + i)
        dumps = dumps_folder(folder)
        image.debugfs(f"rdump /cut {dumps}")
        wrong = play.check(os.path.join(dumps, "cut"), max(number for number, entry in firsts.items() if entry < cut))
        if wrong:
            raise Failure(f"cut after {cut} of {len(log.entries)} writes (seed {seed + i}): {wrong}\n{said[-2000:]}\n{printed}")
    return play.end
