# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks of several buses in one machine: the root file system behind AHCI, an NVMe controller with two namespaces, virtio disks of several kinds; sectors
of 512 and 4096 bytes, a read-only and a legacy one.  What was written is looked for on the host."""

import os
import re
import struct

from image import OBJ, Image
from machine import Machine

SIZE = 16 << 20


def machine_with(folder, image):
    words = []
    for name in ("ns1", "ns2", "big", "fixed", "old"):
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.truncate(SIZE)
        words += ["-drive", f"file={path},if=none,id={name},format=raw" + (",readonly=on" if name == "fixed" else "")]
    for device in ("nvme,id=nvme0,serial=1,addr=8", "nvme-ns,drive=ns1,bus=nvme0,nsid=1,logical_block_size=4096,physical_block_size=4096",
                   "nvme-ns,drive=ns2,bus=nvme0,nsid=5", "virtio-blk-pci,drive=big,addr=9,logical_block_size=4096,physical_block_size=4096",
                   "virtio-blk-pci,drive=fixed,addr=a,disable-legacy=on", "virtio-blk-pci,drive=old,addr=b,disable-modern=on"):
        words += ["-device", device]
    return Machine(os.path.join(folder, "serial.log"), "--root", "part:1:device:wd4", *(f"--qemu={word}" for word in words),
                   disk=image.path)


def pattern_check(machine, path, length):
    """All of the first LENGTH bytes and of the end are where they belong."""
    with open(path, "rb") as file:
        data = file.read(length)
    for at in range(0, length, 8):
        if data[at:at + 8] != struct.pack("<Q", at):
            machine.fail(f"{path}: byte {at} is {data[at:at + 8]!r}")


def test_mixed(folder):
    image = Image(folder)
    image.put(os.path.join(OBJ, "tests", "inside", "disktest"), "/disktest", 0o100755)
    with machine_with(folder, image) as machine:
        machine.expect("00:0b.0 is a legacy one", machine.boot_limit)
        machine.prompt()
        written = {}
        for disk, record, name in (("wd0", 4096, "ns1"), ("wd1", 512, "ns2"), ("wd2", 4096, "big")):
            output = machine.run(f"/disktest {disk} {record}", limit=120)
            written[name] = int(re.search(r" 0 failed, (\d+) bytes", output).group(1))
        machine.run("/disktest --readonly wd3")
        machine.halt()
    for name, length in written.items():
        pattern_check(machine, os.path.join(folder, name), length)
    problem = image.check()
    if problem:
        machine.fail(problem)
