# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks that cannot read or write a sector of a file's data, of metadata, of the superblock: the program whose data it is gets EIO, everything else
goes on, what is synced elsewhere is not lost, and what e2fsck finds afterwards it can repair.  tests/soak/disk_errors.py has errors of data on every bus."""

import functools
import os

from baddisk import FLUSH, READ, WRITE, bitmap_sectors, data_sector, drive, inode_sector, superblock_sector
from image import Image, tool
from machine import Failure, Machine

EIO = "Input/output error"
SIZE, BLOCK = 100_000, 4096


def prepare(folder):
    """A root file system with /t/f0, /t/f1 (SIZE bytes each, of their digit) and /t/dir/in."""
    image = Image(folder)
    image.mkdir("/t")
    image.mkdir("/t/dir")
    source = os.path.join(folder, "source")
    for path, data in (("/t/f0", b"0" * SIZE), ("/t/f1", b"1" * SIZE), ("/t/dir/in", b"in\n")):
        with open(source, "wb") as file:
            file.write(data)
        image.put(source, path)
    return image


class Session:
    """A boot with FAULTS, made by a function of the image, from tests of this file: the shell is at its prompt."""

    def __init__(self, folder, faults, *options):
        self.image = prepare(folder)
        words = drive(folder, self.image.path, *faults(self.image))
        self.machine = Machine(os.path.join(folder, "serial.log"), *options, disk=words)

    def __enter__(self):
        self.machine.__enter__()
        self.machine.prompt()
        return self

    def __exit__(self, *args):
        self.machine.__exit__(*args)

    def good(self, command):
        return self.machine.run(command)

    def fails(self, command):
        status, output = self.machine.run(command, status=None)
        if status == 0 or EIO not in output:
            self.machine.fail(f"{command!r} should end with {EIO!r}: status {status}:\n{output}")

    def halt(self, repair=False):
        """Halts; e2fsck must find nothing, or (REPAIR) be able to repair what it finds."""
        self.machine.halt()
        status, said = tool("e2fsck", "-fy" if repair else "-fn", self.image.filesystem, check=False)
        if status not in ((0, 1) if repair else (0,)):
            raise Failure(f"e2fsck ends with {status}:\n{said}")

    def expect_file(self, path, data):
        if self.image.get(path) != data:
            raise Failure(f"{path} is not what was written and synced")


def check_others(session):
    """What has nothing to do with the bad sector goes on."""
    session.good("test $(tr -d 1 < /t/f1 | wc -c) = 0 && ls /bin > /dev/null")


def read_data(folder, once, bus):
    with Session(folder, lambda image: [(READ, data_sector(image, "/t/f0", 3), once)], "--disk-bus", bus) as session:
        if once:
            session.good("test $(tr -d 0 < /t/f0 | wc -c) = 0")
        else:
            session.fails("cat /t/f0 > /dev/null")
            session.good(f"test $(head -c {3 * BLOCK} /t/f0 | wc -c) = {3 * BLOCK}")
            session.good(f"test $(tail -c {SIZE - 4 * BLOCK} /t/f0 | wc -c) = {SIZE - 4 * BLOCK}")
        check_others(session)
        session.good("echo more >> /t/f1 && sync /t/f1")
        session.halt()
        session.expect_file("/t/f1", b"1" * SIZE + b"more\n")


def write_data(folder, once, bus):
    with Session(folder, lambda image: [(WRITE, data_sector(image, "/t/f0", 3), once)], "--disk-bus", bus) as session:
        session.good("seq 1 1000 > /t/synced && sync /t/synced /t")
        command = "dd if=/dev/zero of=/t/f0 bs=4096 count=10 conv=notrunc,fsync"
        if once:
            session.good(command)
        else:
            session.fails(command)
        check_others(session)
        session.good("echo after > /t/after && sync /t/after /t")
        session.halt()
        session.expect_file("/t/synced", "".join(f"{n}\n" for n in range(1, 1001)).encode())
        session.expect_file("/t/after", b"after\n")
        lost = b"" if once else b"0" * BLOCK
        session.expect_file("/t/f0", bytes(3 * BLOCK) + (lost or bytes(BLOCK)) + bytes(6 * BLOCK) + b"0" * (SIZE - 10 * BLOCK))


def on_buses(*which):
    """(name, function) of reading and writing data with an error on each (what, bus, once)."""
    return [(f"{what.__name__}-{'once' if once else 'always'}-{bus}", functools.partial(what, once=once, bus=bus)) for what, bus, once in which]


CASES = on_buses((read_data, "ahci", True), (read_data, "ahci", False), (read_data, "ide", False),
                 (write_data, "ahci", True), (write_data, "ahci", False), (write_data, "ide", False))


def case(function):
    CASES.append((function.__name__, function))


@case
def read_directory(folder):
    with Session(folder, lambda image: [(READ, data_sector(image, "/t/dir"), False)]) as session:
        session.fails("ls /t/dir")
        session.fails("cat /t/dir/in")
        session.fails("touch /t/dir/new")
        check_others(session)
        session.halt()


@case
def read_inode(folder):
    with Session(folder, lambda image: [(READ, inode_sector(image, "/t/dir/in"), False)]) as session:
        session.fails("cat /t/dir/in")
        session.good("ls /bin > /dev/null")
        session.halt()


@case
def read_bitmaps(folder):
    """The first group's: the others have room."""
    with Session(folder, lambda image: [(READ, sector, False) for sector in bitmap_sectors(image)]) as session:
        session.good("echo new > /t/new && sync /t/new /t")
        check_others(session)
        session.halt()
        session.expect_file("/t/new", b"new\n")


@case
def write_inode(folder):
    with Session(folder, lambda image: [(WRITE, inode_sector(image, "/t/dir/in"), False)]) as session:
        session.fails("echo in >> /t/dir/in; sync /t/dir/in")
        check_others(session)
        session.halt(repair=True)
        session.expect_file("/t/f1", b"1" * SIZE)


@case
def write_bitmap(folder):
    with Session(folder, lambda image: [(WRITE, bitmap_sectors(image)[0], False)]) as session:
        session.fails("echo new > /t/new; sync /t/new")
        check_others(session)
        session.halt(repair=True)
        session.expect_file("/t/f1", b"1" * SIZE)


@case
def read_superblock(folder):
    image = Image(folder)
    words = drive(folder, image.path, (READ, superblock_sector(image), False))
    with Machine(os.path.join(folder, "serial.log"), disk=words) as machine:
        machine.expect(r"ext2fs: boot failed: part:1:device:wd0: super ?block.*", 60)


def stays_readonly(folder, fault):
    """The mark "in use" cannot be written: the root file system stays as it is, and says so to those who want to write."""
    with Session(folder, fault) as session:
        status, output = session.machine.run("echo new > /t/new", status=None)
        if status == 0 or "Read-only file system" not in output:
            session.machine.fail(f"writing should not be possible:\n{output}")
        check_others(session)
        session.machine.halt()
        session.expect_file("/t/f1", b"1" * SIZE)


@case
def write_superblock(folder):
    stays_readonly(folder, lambda image: [(WRITE, superblock_sector(image), False)])


@case
def flush(folder):
    stays_readonly(folder, lambda image: [(FLUSH, None, False)])
