# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks with bad sectors (QEMU's blkdebug), and where on the disk the parts of a file system are."""

import os
import re

from image import SECTOR

READ, WRITE, FLUSH = "read", "write", "flush"
EVENTS = {READ: "read_aio", WRITE: "write_aio", FLUSH: "flush_to_os"}


def drive(folder, image, *faults):
    """The words for tools/boot --disk: IMAGE with FAULTS, each (kind, sector or None for any, once or not)."""
    conf = os.path.join(folder, "blkdebug.conf")
    with open(conf, "w", encoding="ascii") as file:
        for kind, sector, once in faults:
            file.write(f'[inject-error]\nevent = "{EVENTS[kind]}"\niotype = "{kind}"\nerrno = "5"\nonce = "{"on" if once else "off"}"\n')
            if sector is not None:
                file.write(f'sector = "{sector}"\n')
    return f"driver=raw,file.driver=blkdebug,file.config={conf},file.image.filename={image},rerror=report,werror=report"


def block_sectors(image):
    """Sectors of a file system block."""
    return int(re.search(r"Block size:\s*(\d+)", image.debugfs("show_super_stats -h"))[1]) // SECTOR


def block_sector(image, block):
    """The disk's sector at which BLOCK of the root file system begins."""
    return image.partition()[0] // SECTOR + block * block_sectors(image)


def data_sector(image, path, index=0):
    """The sector of block INDEX of the file at PATH."""
    lines = [line for line in image.debugfs(f"blocks {path}").splitlines() if re.fullmatch(r"[\d ]+", line)]
    return block_sector(image, int(lines[0].split()[index]))


def inode_sector(image, path):
    """The sector that holds the inode of PATH."""
    match = re.search(r"located at block (\d+), offset 0x([0-9a-f]+)", image.debugfs(f"imap {path}"))
    return block_sector(image, int(match[1])) + int(match[2], 16) // SECTOR


def superblock_sector(image):
    return image.partition()[0] // SECTOR + 2


def bitmap_sectors(image):
    """Sectors of the block bitmap and the inode bitmap of the first group."""
    match = re.search(r"block bitmap at (\d+), inode bitmap at (\d+)", image.debugfs("show_super_stats"))
    return block_sector(image, int(match[1])), block_sector(image, int(match[2]))
