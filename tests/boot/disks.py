# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks, partitions and discs by their names: several on each bus in their order, tables of both kinds and damaged ones, root file systems in
partitions of every sort, on a disk of 3 TiB, optical drives with and without a disc."""

import hashlib
import os
import random

from image import SECTOR, Image, tool
from machine import Failure, Machine

MIB = 1 << 20


def blob(seed, size):
    return random.Random(seed).randbytes(size)


def md5(data):
    return hashlib.md5(data).hexdigest()


def disk_make(path, size, script, **contents):
    """A sparse disk with the partition table of SCRIPT (sfdisk's words) and CONTENTS (pN: bytes at the beginning of partition N)."""
    with open(path, "wb") as disk:
        disk.truncate(size)
    table = path + ".sfdisk"
    with open(table, "w", encoding="ascii") as file:
        file.write(script)
    tool("sh", "-c", f"sfdisk -q --no-reread --no-tell-kernel {path} < {table}")
    starts = partition_starts(path)
    with open(path, "r+b") as disk:
        for name, data in contents.items():
            disk.seek(starts[int(name[1:])] * SECTOR)
            disk.write(data)
    return path


def partition_starts(path):
    """Partition number → first sector, as sfdisk sees it."""
    _, out = tool("sfdisk", "-d", path)
    lines = [line for line in out.splitlines() if " start=" in line]
    return {int(line.split(" : ")[0][len(path):]): int(line.split("start=")[1].split(",")[0]) for line in lines}


MBR = "label: dos\nstart=2048, size=4096, type=83\nstart=8192, size=40000, type=5\nstart=10240, size=2048, type=83\nstart=14336, size=4096, type=83\n"
# sfdisk numbers logical partitions from 5 by itself when they are given as such.
MBR = MBR.replace("start=10240", "/dev/x5: start=10240").replace("start=14336", "/dev/x6: start=14336")
GPT = "label: gpt\nstart=2048, size=4096\nstart=8192, size=2048\n"


def check_sums(machine, sums):
    """device → what md5sum of its first bytes must be."""
    for device, data in sums.items():
        got = machine.run(f"head -c {len(data)} /dev/{device} | md5sum").split()[0]
        if got != md5(data):
            machine.fail(f"/dev/{device} reads wrong")


def check_absent(machine, *devices):
    for device in devices:
        status, output = machine.run(f"head -c 1 /dev/{device}", status=None)
        if status == 0 or "No such device" not in output:
            machine.fail(f"/dev/{device} should not be there: {output}")


def tables(folder, bus):
    """wd0 the root, wd1 an MBR with logical partitions, wd2 a GPT whose first copy is damaged, wd3 rubbish with a table's signature."""
    image = Image(folder)
    data = {n: blob(n, 10_000) for n in range(10)}
    mbr = disk_make(os.path.join(folder, "mbr.img"), 32 * MIB, MBR, p1=data[1], p5=data[5], p6=data[6])
    gpt = disk_make(os.path.join(folder, "gpt.img"), 32 * MIB, GPT, p1=data[2], p2=data[3])
    with open(gpt, "r+b") as disk:
        disk.seek(SECTOR + 40)
        disk.write(b"\xff")
    bad = os.path.join(folder, "bad.img")
    with open(bad, "wb") as disk:
        disk.write(blob(9, 510) + b"\x55\xaa" + blob(8, MIB - 512))
    disks = [word for path in (mbr, gpt, bad) for word in ("--disk", path)]
    with Machine(os.path.join(folder, "serial.log"), "--disk-bus", bus, "--disk", image.path, *disks) as machine:
        machine.prompt()
        machine.run("for d in wd2s1 wd2s2 wd3s1; do settrans -c /dev/$d /hurd/storeio device:$d; done")
        check_sums(machine, {"wd1s1": data[1], "wd1s5": data[5], "wd1s6": data[6], "wd2s1": data[2], "wd2s2": data[3]})
        check_sums(machine, {"wd3": open(bad, "rb").read(5000)})
        check_absent(machine, "wd1s3", "wd1s4", "wd0s2", "cd0")
        machine.run("head -c 1 /dev/wd3s1", status=None)
        size = machine.run("wc -c < /dev/wd1s5").strip()
        if int(size) != 2048 * SECTOR:
            machine.fail(f"/dev/wd1s5 has {size} bytes")
        machine.run("printf 0123456789 | dd of=/dev/wd1s5 bs=1 seek=1000 conv=notrunc,fsync; dd if=/dev/zero of=/dev/wd1s6 bs=1M count=3 || true")
        machine.halt()
    with open(mbr, "rb") as disk:
        whole = disk.read()
    if whole[10240 * SECTOR:][:10_000] != data[5][:1000] + b"0123456789" + data[5][1010:]:
        raise Failure("what was written into /dev/wd1s5 is not there, or more than that has changed")
    end = (14336 + 4096) * SECTOR
    if any(whole[14336 * SECTOR:end]) or partition_starts(mbr) != {1: 2048, 2: 8192, 5: 10240, 6: 14336}:
        raise Failure("writing into /dev/wd1s6 has gone wrong")


def discs(folder, bus):
    """Optical drives: one with a disc, which holds an ext2 file system, and one without."""
    image = Image(folder)
    tree, disc = os.path.join(folder, "tree"), os.path.join(folder, "disc.img")
    os.mkdir(tree)
    data = blob(7, 300_000)
    with open(os.path.join(tree, "file"), "wb") as file:
        file.write(data)
    tool("mke2fs", "-q", "-F", "-t", "ext2", "-b", "4096", "-d", tree, disc, "4M")
    with Machine(os.path.join(folder, "serial.log"), "--disk-bus", bus, "--cdrom", disc, "--cdrom", "none", disk=image.path) as machine:
        machine.prompt()
        with open(disc, "rb") as file:
            check_sums(machine, {"cd0": file.read(2_000_000)})
        check_absent(machine, "cd1")
        status, output = machine.run("echo x > /dev/cd0", status=None)
        if status == 0:
            machine.fail(f"a disc cannot be written: {output}")
        machine.run("settrans -a /mnt /hurd/ext2fs.static --readonly device:cd0")
        if machine.run("md5sum < /mnt/file").split()[0] != md5(data):
            machine.fail("/mnt/file reads wrong")
        machine.run("settrans -g /mnt")
        machine.halt()


def test_many_controllers(folder):
    """Four kinds of adapters in one machine, two of a kind on one interrupt line: names in the order of PCI addresses, all at work at once."""
    image = Image(folder)
    data = {name: blob(name, 2 * MIB) for name in ("second", "third", "nvme", "virtio")}
    words = []
    for name, content in data.items():
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(content)
        words += ["-drive", f"file={path},if=none,id={name},format=raw"]
    words += ["-device", "ich9-ahci,id=second-hba,addr=4", "-device", "ide-hd,drive=second,bus=second-hba.3",
              "-device", "ide-hd,drive=third,bus=second-hba.5", "-device", "nvme,drive=nvme,serial=1,addr=8",
              "-device", "virtio-blk-pci,drive=virtio,addr=12"]
    with Machine(os.path.join(folder, "serial.log"), "--root", "part:1:device:wd4", *[f"--qemu={word}" for word in words],
                 disk=image.path) as machine:
        machine.prompt()
        machine.run("for d in wd4 wd5; do settrans -c /dev/$d /hurd/storeio device:$d; done")
        names = {"wd0": "second", "wd1": "third", "wd2": "nvme", "wd3": "virtio"}
        machine.run(" ".join(f"(for i in 1 2; do md5sum < /dev/{device}; done > /tmp/{device}) &" for device in names) + " wait", 120)
        for device, name in names.items():
            if set(machine.run(f"cat /tmp/{device}").split()) != {md5(data[name]), "-"}:
                machine.fail(f"{device} should be the disk {name!r}, and read as it is")
        check_absent(machine, "wd5")
        machine.run("seq 1 50000 > /tmp/numbers; " + " ".join(f"dd if=/tmp/numbers of=/dev/{device} bs=64k conv=fsync,notrunc 2> /dev/null &"
                                                              for device in names) + " wait", 120)
        machine.halt()
    wanted = "".join(f"{n}\n" for n in range(1, 50001)).encode()
    for name, content in data.items():
        with open(os.path.join(folder, name), "rb") as file:
            if file.read() != wanted + content[len(wanted):]:
                raise Failure(f"the disk {name!r} has not what was written")


def root_in(folder, size, script, number, root, bus="ahci"):
    """The root file system in partition NUMBER of a disk of SIZE bytes, booted as ROOT, written to, and checked."""
    built = Image(folder)
    start, length = built.partition()
    path = disk_make(os.path.join(folder, "root.img"), size, script)
    place = partition_starts(path)[number] * SECTOR
    tool("dd", f"if={built.path}", f"of={path}", "bs=1M", f"skip={start}", f"seek={place}", f"count={length}", "conv=notrunc,sparse",
         "iflag=skip_bytes,count_bytes", "oflag=seek_bytes")
    with Machine(os.path.join(folder, "serial.log"), "--disk-bus", bus, "--root", root, disk=path) as machine:
        machine.prompt()
        machine.run("seq 1 100000 > /root/made && sync")
        machine.halt()
    filesystem = f"{path}?offset={place}"
    status, said = tool("e2fsck", "-fn", filesystem, check=False)
    if status:
        raise Failure(f"e2fsck -fn:\n{said}")
    made = os.path.join(folder, "made")
    tool("debugfs", "-R", f"dump /root/made {made}", filesystem)
    with open(made, "rb") as file:
        if file.read() != "".join(f"{n}\n" for n in range(1, 100001)).encode():
            raise Failure("/root/made is not what was written")


def test_tables_ahci(folder):
    tables(folder, "ahci")


def test_tables_ide(folder):
    tables(folder, "ide")


def test_discs_ahci(folder):
    discs(folder, "ahci")


def test_discs_ide(folder):
    discs(folder, "ide")


def test_root_logical(folder):
    root_in(folder, 600 * MIB, f"label: dos\nstart=2048, size=2048, type=83\nstart=8192, type=5\n/dev/x5: start=10240, size={256 * MIB // SECTOR}, type=83\n",
            5, "device:wd0s5")


def test_root_3_tib(folder):
    """Behind sector 2^32: 33 bits all the way."""
    root_in(folder, 3 << 40, f"label: gpt\nstart=2048, size=2048\nstart={5 << 30}, size={256 * MIB // SECTOR}\n", 2, "part:2:device:wd0")


def test_root_3_tib_virtio(folder):
    root_in(folder, 3 << 40, f"label: gpt\nstart=2048, size=2048\nstart={5 << 30}, size={256 * MIB // SECTOR}\n", 2, "device:wd0s2", "virtio")
