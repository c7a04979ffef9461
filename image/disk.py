# SPDX-License-Identifier: GPL-2.0-or-later
"""What image/build and tools/boot share: a disk that BIOS boots through GRUB.

The disk has an MBR with GRUB's boot.img, core.img in the sectors behind it, and
one ext2 partition from 1 MiB to the end, with /boot/grub/grub.cfg in it.
"""
import os
import struct
import subprocess

SECTOR = 512
PARTITION_START = 2048                  # sectors: 1 MiB, room for core.img
PARTITION_OFFSET = PARTITION_START * SECTOR
DISK_ID = 0x5175616d
EPOCH = int(os.environ.get('SOURCE_DATE_EPOCH', 1767225600))
# What e2fsprogs makes by default for ext2; said here so that a machine's own
# mke2fs.conf changes nothing.
FEATURES = 'none,ext_attr,resize_inode,dir_index,filetype,sparse_super,large_file'
GRUB_MODULES = ('biosdisk part_msdos ext2 multiboot normal configfile serial terminal '
                'echo test sleep ls boot halt reboot').split()


class DiskError(Exception):
    """One line: what is missing or what failed."""


def run(*words, **options):
    """Runs a program; its output is shown only when it fails."""
    path = os.environ.get('PATH', '') + ':/usr/sbin:/sbin'
    result = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            env=dict(os.environ, PATH=path, LC_ALL='C',
                                     E2FSPROGS_FAKE_TIME=str(EPOCH),
                                     SOURCE_DATE_EPOCH=str(EPOCH)), **options)
    if result.returncode != 0:
        raise DiskError('%s failed: %s' % (words[0], result.stdout.decode(errors='replace')))
    return result.stdout.decode(errors='replace')


def create(image, sectors):
    """An empty (sparse) disk of SECTORS sectors."""
    with open(image, 'wb') as file:
        file.truncate(sectors * SECTOR)


def filesystem_make(image, sectors, tree, *options, extra=''):
    """Fills partition 1 with an ext2 file system that holds a copy of the folder
    TREE.  OPTIONS are mke2fs's, EXTRA is added to its -E list."""
    run('mke2fs', '-q', '-F', '-t', 'ext2', '-b', '4096', '-I', '256', '-O', FEATURES,
        '-o', 'linux', *options, '-E',
        'offset=%d,lazy_itable_init=0,nodiscard,root_owner=0:0%s' % (PARTITION_OFFSET, extra),
        '-d', tree, image, '%dk' % ((sectors - PARTITION_START) * SECTOR // 1024))


def loader_find():
    for folder in ('/usr/lib/grub/i386-pc', '/usr/share/grub/i386-pc'):
        if os.path.exists(folder + '/boot.img'):
            return folder
    raise DiskError('GRUB for BIOS (grub-pc-bin) is not installed')


def boot_sectors_write(image, sectors, scratch):
    """MBR with GRUB's first stage, the partition table, and core.img behind it.
    boot.img loads sector 1, core.img's own list goes on from sector 2: these are
    the defaults they are built with, so nothing needs patching."""
    loader = loader_find()
    core = os.path.join(scratch, 'core.img')
    run('grub-mkimage', '-d', loader, '-O', 'i386-pc', '-o', core,
        '-p', '(,msdos1)/boot/grub', *GRUB_MODULES)
    with open(core, 'rb') as file:
        core = file.read()
    if len(core) > (PARTITION_START - 1) * SECTOR:
        raise DiskError('core.img does not fit before the first partition')
    with open(loader + '/boot.img', 'rb') as file:
        mbr = bytearray(file.read(SECTOR))
    # Bytes 440 to 510: disk id, then four entries of status, CHS, type, CHS,
    # first sector, length.  CHS says "beyond": LBA counts.
    mbr[440:510] = bytes(70)
    struct.pack_into('<I', mbr, 440, DISK_ID)
    struct.pack_into('<B3sB3sII', mbr, 446, 0x80, b'\xfe\xff\xff', 0x83, b'\xfe\xff\xff',
                     PARTITION_START, sectors - PARTITION_START)
    mbr[510:512] = b'\x55\xaa'
    with open(image, 'r+b') as file:
        file.write(mbr)
        file.write(core)
