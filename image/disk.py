# SPDX-License-Identifier: GPL-2.0-or-later
"""What image/build and tools/boot share: a disk that BIOS boots through GRUB.

The disk has an MBR with GRUB's boot.img, core.img in the sectors behind it, and
one ext2 partition from 1 MiB to the end, with /boot/grub/grub.cfg in it.  A disk
that UEFI boots too has its system partition (FAT, with GRUB as the default
program) behind that.
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
GRUB_MODULES = ('part_msdos ext2 multiboot multiboot2 normal configfile serial terminal '
                'echo test sleep ls boot halt reboot').split()
ESP_SECTORS = 8 * 2048                  # UEFI's system partition: 8 MiB


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


def partition_extract(disk, target):
    """Partition 1 of the file DISK (the whole of it, if it has no partition table),
    made as small as its file system allows, with some room to write, in TARGET."""
    start, size = 0, os.path.getsize(disk)
    with open(disk, 'rb') as file:
        sector = file.read(SECTOR)
    if sector[510:] == b'\x55\xaa' and sector[450]:
        start, size = (word * SECTOR for word in struct.unpack_from('<II', sector, 454))
    run('dd', 'if=' + disk, 'of=' + target, 'bs=1M', 'conv=sparse', 'status=none', 'iflag=skip_bytes,count_bytes',
        'skip=%d' % start, 'count=%d' % size)
    try:
        run('e2fsck', '-fp', target)
        run('resize2fs', '-M', target)
        run('resize2fs', target, '%dM' % (os.path.getsize(target) // 2**20 + 24))
    except DiskError:
        pass                            # too damaged to be changed: as it is


def loader_find(kind, package):
    for folder in ('/usr/lib/grub/', '/usr/share/grub/'):
        if os.path.exists(folder + kind + '/moddep.lst'):
            return folder + kind
    raise DiskError('GRUB for %s (%s) is not installed' % (kind, package))


def esp_write(image, start, scratch):
    """UEFI's system partition at sector START of IMAGE."""
    loader = os.path.join(scratch, 'bootx64.efi')
    run('grub-mkimage', '-d', loader_find('x86_64-efi', 'grub-efi-amd64-bin'), '-O', 'x86_64-efi', '-o', loader,
        '-p', '(,msdos1)/boot/grub', *GRUB_MODULES)
    where = '%s@@%d' % (image, start * SECTOR)
    run('mformat', '-i', where, '-T', str(ESP_SECTORS), '-h', '16', '-s', '63', '-N', '5175616d', '::')
    run('mmd', '-i', where, '::/EFI', '::/EFI/BOOT')
    run('mcopy', '-i', where, loader, '::/EFI/BOOT/BOOTX64.EFI')


def boot_sectors_write(image, sectors, scratch, esp=0):
    """MBR with GRUB's first stage, the partition table, and core.img behind it.
    boot.img loads sector 1, core.img's own list goes on from sector 2: these are
    the defaults they are built with, so nothing needs patching.  ESP: sectors
    behind SECTORS that are UEFI's system partition."""
    loader = loader_find('i386-pc', 'grub-pc-bin')
    core = os.path.join(scratch, 'core.img')
    run('grub-mkimage', '-d', loader, '-O', 'i386-pc', '-o', core,
        '-p', '(,msdos1)/boot/grub', 'biosdisk', *GRUB_MODULES)
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
    if esp:
        struct.pack_into('<B3sB3sII', mbr, 462, 0, b'\xfe\xff\xff', 0xef, b'\xfe\xff\xff', sectors, esp)
    mbr[510:512] = b'\x55\xaa'
    with open(image, 'r+b') as file:
        file.write(mbr)
        file.write(core)
