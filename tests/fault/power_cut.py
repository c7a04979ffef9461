# SPDX-License-Identifier: GPL-2.0-or-later
"""The power goes off at any moment while files are written and synced: e2fsck repairs the file system, and every file whose fsync had
returned is there with its contents.  tests/soak/power_cut.py does the same with more cuts."""

import os
import random
import shutil

from image import OBJ, Image, tool
from machine import Failure, Machine
from powercut import Log, drive

FILES = 25
BLOCK = 4096


def content(number):
    """What tests/inside/cutwriter.c writes into file NUMBER."""
    blocks = []
    for index in range(number % 7 * 3 + 2):
        mark = b"CUT:%d:%d;" % (number, index)
        blocks.append((mark * (BLOCK // len(mark) + 1))[:BLOCK])
    blocks[-1] = blocks[-1][:number % BLOCK]
    return b"".join(blocks)


def record(folder, files, *options):
    """One boot that writes FILES files; gives the image as it was before, and the log."""
    image = Image(folder)
    image.mkdir("/cut")
    image.put(os.path.join(OBJ, "tests", "inside", "cutwriter"), "/bin/cutwriter", 0o100755)
    before = os.path.join(folder, "before.img")
    tool("cp", "--sparse=always", image.path, before)
    log = os.path.join(folder, "writes.log")
    with Machine(os.path.join(folder, "serial.log"), *options, disk=drive(image.path, log)) as machine:
        machine.prompt()
        machine.run(f"cutwriter /cut {files}", limit=300)
        machine.halt()
    os.unlink(image.path)
    return before, Log(log)


def check_cut(folder, before, log, firsts, files, cut, seed):
    """Cuts, repairs, and gives how many files had to be there and were."""
    image = Image(folder, before)
    log.cut(image.path, cut, seed)
    status, said = tool("e2fsck", "-fy", image.filesystem, check=False)
    if status not in (0, 1):
        raise Failure(f"cut after {cut} of {len(log.entries)} writes (seed {seed}): e2fsck -fy ends with {status}:\n{said[-3000:]}")
    synced = [number for number in range(1, files) if firsts.get(b"%d" % (number + 1), cut) < cut]
    dumps = os.path.join(folder, "dumps")
    shutil.rmtree(dumps, ignore_errors=True)
    os.mkdir(dumps)
    image.debugfs(*[f"dump /cut/f{number} {dumps}/f{number}" for number in synced])
    for number in synced:
        path = os.path.join(dumps, f"f{number}")
        data = open(path, "rb").read() if os.path.exists(path) else None
        if data != content(number):
            what = "is not there" if data is None else f"has {len(data)} bytes that are not what was written ({len(content(number))})"
            raise Failure(f"cut after {cut} of {len(log.entries)} writes (seed {seed}): f{number}, synced before, {what}\n{said[-2000:]}")
    return len(synced)


def campaign(folder, cuts, files, seed, *options):
    """CUTS cuts of one boot; gives how many files were looked for altogether."""
    before, log = record(folder, files, *options)
    firsts = log.first(rb"CUT:(\d+):0;")
    if b"%d" % files not in firsts:
        raise Failure(f"the log of {len(log.entries)} writes does not have the last file's")
    chance = random.Random(seed)
    start = firsts[b"1"]
    return sum(check_cut(folder, before, log, firsts, files, chance.randrange(start, len(log.entries) + 1), seed + i) for i in range(cuts))


def test_ahci(folder):
    campaign(folder, 12, FILES, 1)


def test_ide(folder):
    campaign(folder, 4, FILES, 2, "--disk-bus", "ide")
