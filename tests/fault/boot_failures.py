# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots that cannot succeed: one clear line that names the step and the cause, and an end, never a silent hang."""

import functools
import os
import re
import subprocess

from image import Image
from machine import Machine

LIMIT = 60


# Behind a module's file: what our kernel says of it.  Each line stands for ext2fs.static's.
SCRIPT_ERRORS = {
    "no-such-function": ("ext2fs '$(task-destroy)'", "column 10: no such function"),
    "unclosed-function": ("ext2fs '$(task-create'", "column 8: no closing parenthesis"),
    "unclosed-variable": ("ext2fs '${root' '$(fs-task=task-create)'", "column 8: no closing brace"),
    "no-such-variable": ("ext2fs '${nothing}' '$(fs-task=task-create)'", "column 8: no such variable"),
    "assigned-twice": ("ext2fs '$(disk-task=task-create)'", "column 8: the variable has a value already"),
    "nothing-to-assign": ("ext2fs '$(x=task-resume)'", "column 8: the function has no result to assign"),
    "resumed-twice": ("ext2fs '$(fs-task=task-create)' '$(task-resume)' '$(task-resume)'", "column 46: the task is resumed already"),
    "nothing-to-resume": ("ext2fs '$(fs-task=ramdisk-create)' '$(task-resume)'", "column 34: the module has no task"),
    "no-task": ("ext2fs", "column 1: neither"),
}


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


def script_error(folder, line, words):
    with Machine(os.path.join(folder, "serial.log"), "--kernel", "quadrille", "--line", "ext2fs.static=" + line, disk="none") as machine:
        machine.expect(r"boot module 3 \(" + re.escape(line.replace("'", "")) + r"\): " + re.escape(words) + r".*: boot failed", LIMIT)
        status = machine.ended()
        if status != 6:
            machine.fail(f"tools/boot ended with status {status}")


def test_module_that_is_no_program(folder):
    """A disk image where a program should be."""
    expect_line(folder, r"boot module 3 .*: column 1: not a 64-bit x86 ELF file: boot failed", "--kernel", "quadrille", "--chain", "2",
                "--line", "ramdisk.img=disk '$(task-create)'", "--line", "ext2fs.static=ext2fs '$(ramdisk-create)'", disk=Image(folder).path)


def test_prompt_task_resume(folder):
    """The kernel waits for a key before the task runs; the rest of the boot is as ever."""
    line = "ramdisk '$(ramdisk-create)'"
    with Machine(os.path.join(folder, "serial.log"), "--kernel", "quadrille", "--chain", "2", "--line", "ramdisk.img=" + line, "--line",
                 "exec.static=exec '$(exec-task=task-create)'", "--line",
                 "ext2fs.static=ext2fs --readonly --multiboot-command-line='${kernel-command-line}' --host-priv-port='${host-port}' "
                 "--device-master-port='${device-port}' --exec-server-task='${exec-task}' -T typed '${root}' "
                 "'$(task-create)' '$(prompt-task-resume)'", disk=Image(folder).path) as machine:
        machine.expect(r"Press a key to resume boot module 1: ext2fs .*", LIMIT)
        machine.send("\n")
        machine.prompt()


def test_chain_2_is_refused_on_gnumach(folder):
    argv = [Machine("").argv[0], "--kernel", "gnumach", "--chain", "2"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "GNU Mach has no driver" in done.stderr, done


CASES = [(name[5:], function) for name, function in list(globals().items()) if name.startswith("test_")]
CASES += [("script-" + name, functools.partial(script_error, line=line, words=words)) for name, (line, words) in SCRIPT_ERRORS.items()]
