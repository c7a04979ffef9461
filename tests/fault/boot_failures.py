# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots that cannot succeed: one clear line that names the step and the cause, and an end, never a silent hang."""

import os
import subprocess

from image import Image
from machine import Machine

LIMIT = 60


def expect_line(folder, pattern, *options, disk=None):
    with Machine(os.path.join(folder, "serial.log"), *options, disk=disk) as machine:
        machine.expect(pattern, LIMIT)


def test_no_disk(folder):
    """No disk behind the controller: ext2fs says that it cannot open its store."""
    expect_line(folder, r"ext2fs: .*wd0.*: .*(no such device|No such device)", disk="none")


def test_no_such_partition(folder):
    expect_line(folder, r"ext2fs: .*part:7:device:wd0.*: .*no such partition", "--root", "part:7:device:wd0", disk=Image(folder).path)


def test_no_such_device(folder):
    expect_line(folder, r"ext2fs: .*device:wd9.*: .*[Nn]o such device", "--root", "device:wd9", disk=Image(folder).path)


def test_bad_store_name(folder):
    expect_line(folder, r"ext2fs: .*rubbish:.*", "--root", "rubbish:wd0", disk=Image(folder).path)


def test_damaged_superblock(folder):
    image = Image(folder)
    image.damage(1024, b"\xa5" * 1024)
    expect_line(folder, r"ext2fs: .*super ?block", disk=image.path)


def test_missing_startup(folder):
    image = Image(folder)
    image.remove("/hurd/startup")
    expect_line(folder, r"ext2fs: .*/hurd/startup.*: .*", disk=image.path)


def test_missing_proc(folder):
    image = Image(folder)
    image.remove("/hurd/proc")
    expect_line(folder, r"startup: .*/hurd/proc.*: .*", disk=image.path)


def test_missing_auth(folder):
    image = Image(folder)
    image.remove("/hurd/auth")
    expect_line(folder, r"startup: .*/hurd/auth.*: .*", disk=image.path)


def test_missing_runsystem_gives_a_shell(folder):
    """The seed: "if that can not be found, launches a shell instead, so the user can fix it"."""
    image = Image(folder)
    image.remove("/libexec/runsystem")
    with Machine(os.path.join(folder, "serial.log"), disk=image.path) as machine:
        machine.expect(r"startup: .*/libexec/runsystem", LIMIT)
        machine.prompt()
        machine.run("echo here")


def test_no_exec_module(folder):
    """GNU Mach's boot script itself misses the task; a kernel that went on would leave it to ext2fs to say so."""
    expect_line(folder, r"exec-task|ext2fs: .*exec.*", "--omit", "exec.static", disk=Image(folder).path)


def test_wrong_option(folder):
    done = subprocess.run([Machine("", "--chain", "9").argv[0], "--chain", "9"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "chain" in done.stderr, done
