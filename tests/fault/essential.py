# SPDX-License-Identifier: GPL-2.0-or-later
"""Essential tasks that die: the system stops, and one line says who it was and how he ended.  And a system whose number 1 has nothing to run."""

import os
import re

from image import Image, tool
from machine import Failure, Machine
from session import clean, image_with

LIMIT = 120
NUMBER = "$(ps -e -o pid,comm | while read pid name; do [ $name = {0} ] && echo $pid; done)\n"


def boot(folder, image, *options):
    return Machine(os.path.join(folder, "serial.log"), *options, disk=image.path)


def death(command, name, line, saved):
    """Ends NAME by COMMAND, just after a file was written, and waits for LINE and for the end.  SAVED: the file system lives and has a disk, so the file is
    there and nothing needs repair; else e2fsck can repair it."""
    def check(folder):
        image = image_with(folder, "wreck")
        with boot(folder, image) as machine:
            machine.prompt()
            machine.run("echo what nobody has synced > /late")
            machine.send(command + " " + NUMBER.format(name))
            machine.expect(rf"panic: {line}: the system cannot go on", LIMIT)
            if saved:
                machine.expect(r"notifying ext2fs of shutdown", LIMIT)
            machine.ended(LIMIT)
        if saved:
            clean(image, "a death")
            if image.get("/late") != b"what nobody has synced\n":
                raise Failure("what was written before the death is not on the disk")
        elif tool("e2fsck", "-fy", image.filesystem, check=False)[0] & ~1:
            machine.fail("e2fsck cannot repair the file system")
    return check


def no_shell(folder):
    """Neither console-run nor startup repeats itself for ever."""
    image = Image(folder)
    for name in ("sh", "dash"):
        image.remove(f"/bin/{name}")
    with boot(folder, image) as machine:
        machine.expect(r"boot failed: there is no program that could be run as number 1|/bin/sh: No such file", LIMIT)
        machine.expect(r"there is no program that could be run as number 1", LIMIT)
        machine.ended(LIMIT)
        if machine.log.count("/bin/sh: No such file") > 3:
            machine.fail("the same line again and again")


def no_sh_but_dash(folder):
    """The shell of last resort."""
    image = Image(folder)
    image.remove("/bin/sh")
    with boot(folder, image) as machine:
        machine.expect(r"startup: /bin/sh: No such file", LIMIT)
        machine.prompt()
        machine.run("echo here")


def silent_root(folder):
    """Whom root lets ask to be told of the end, and who does not answer, is waited for as long as is said, and named."""
    image = image_with(folder, "silent")
    with boot(folder, image, "--append", "shutdown-limit=2") as machine:
        machine.prompt()
        machine.run("/silent 2")
        machine.send("halt\n")
        for name in ("silent 2", "silent 1"):
            machine.expect(rf"notifying {name} of shutdown\.\.\.\(no reply in 2 s\)", LIMIT)
        gone(machine)
    clean(image)


def silent_users(folder):
    """Users who ask and do not answer, by whatever name, are told together and named; all of them together get five seconds, where
    root's would have had the hour each that is said.  Those that answer are waited for."""
    image = image_with(folder, "silent")
    with boot(folder, image, "--append", "shutdown-limit=3600") as machine:
        machine.prompt()
        machine.run("/silent 64 1000 && /silent 64 1001 ext2fs && /silent 10 message && /silent 3 1002 polite")
        machine.send("halt\n")
        told = machine.mark
        gone(machine)
        log = machine.log[told:]
    for name, count, how in ((r"silent \d+", 74, r"\(no reply in 5 s\)"), (r"ext2fs \d+", 64, r"\(no reply in 5 s\)"), (r"polite \d+", 3, "done")):
        lines = re.findall(rf"^startup: notifying {name} of shutdown\.\.\.{how}$", log, re.M)
        if len(lines) != count:
            machine.fail(f"{len(lines)} of {count} lines for {name}")
    clean(image)


def gone(machine):
    """The end, with everybody else told as always."""
    machine.expect(r"notifying ext2fs of shutdown\.\.\.done\nstartup: notifying rumpdisk of shutdown\.\.\.done", LIMIT)
    if machine.ended(LIMIT) != 0:
        machine.fail("no clean end")


SEGV = r"signal 11, Segmentation fault"
# By a fault of its own.  proc, the root file system and what is below it have nobody to tell their last words to.
FAULTS = [("startup", "proc: startup died", False), ("proc", "startup: proc died", True)] + [
    (name, rf"startup: {name} died \(signal 9, Killed\)", name == "pci-arbiter") for name in ("pci-arbiter", "rumpdisk", "ext2fs")] + [
    (name, rf"startup: {name} died \({SEGV}\)", True) for name in ("exec", "auth")]
CASES = [(f"fault_in_{name}", death("/wreck", name, line, saved)) for name, line, saved in FAULTS] + [
    ("killed", death("kill -9", "auth", r"startup: auth died \(signal 9, Killed\)", True)),
    ("no_shell", no_shell), ("no_sh_but_dash", no_sh_but_dash), ("silent_root_at_the_end", silent_root), ("silent_users_at_the_end", silent_users)]
