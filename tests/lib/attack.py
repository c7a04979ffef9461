# SPDX-License-Identifier: GPL-2.0-or-later
"""Attacks on the servers of a running system with tests/inside/hostile, and what the servers hold before and after."""

import os
import re

from image import OBJ, Image
from machine import Machine

PROGRAM = os.path.join(OBJ, "tests", "inside", "hostile", "hostile")
FOLDER = "/tmp/hostile"     # what the tester makes its files in (main.c)
USER = "chroot --userspec=1000:100 / "
AS_USER = ("fs", "io", "fsys", "exec", "exec_startup", "process", "auth", "term", "tioctl", "socket", "pci", "startup", "msg", "memory_object", "interrupt", "notify",
           "exc", "task_notify", "startup_notify", "fs_notify", "auth_reply", "io_reply", "fsys_reply", "process_reply", "startup_reply")
# Not fs, io, exec, process and what else goes to files or tasks: root's requests remove programs, set translators and end servers, as they should.
# Single routines that root must not send are named in hostile's victims.c.
AS_ROOT = ("device", "term", "pci", "fsys", "startup", "memory_object")
# The servers of the boot; translators come and go.
WATCHED = ("startup", "proc", "pci-arbiter", "rumpdisk", "ext2fs", "exec", "auth")
ABANDONED = 40
SLACK = {"names": 60, "threads": 12, "mapped": 12288}
# Ports that a user had startup tell of the shutdown: other servers' never die, but there are no more for him (servers/startup/lists.h, NOTIFY_QUOTA).
QUOTA = {("startup", "names"): 64}
# What the kernel says of a server that gave up or used a name it does not have: an accounting error that one day hits another's name.
BOGUS = re.compile(r"^task (?!\(?hostile)(\S+) .*bogus port.*$", re.M)


def census(machine):
    """{server: {figure: number}}."""
    held = {}
    for line in machine.run("/hostile --census", limit=120).splitlines():
        match = re.match(r"census \d+ (?:\S*/)?(\S+) names (\d+) threads (\d+) regions \d+ mapped (\d+)", line)
        if match and match[1] in WATCHED and match[1] not in held:
            held[match[1]] = dict(zip(("names", "threads", "mapped"), map(int, match.groups()[1:])))
    if len(held) != len(WATCHED):
        machine.fail(f"only {sorted(held)} are there")
    return held


def grown(before, after):
    """Lines that tell what grew more than SLACK."""
    return [f"{server}: {what} {before[server][what]} -> {after[server][what]}" for server in before for what, slack in SLACK.items()
            if after[server][what] > before[server][what] + slack + QUOTA.get((server, what), 0)]


def attack(machine, interfaces, count, seed, user=True, limit=600):
    """COUNT messages of each kind of each of INTERFACES; how many were sent."""
    if user:    # a user has control ports of the translators that he started
        machine.run(f"{USER}mkdir -p {FOLDER}; {USER}settrans -a -c {FOLDER}/null /hurd/null", status=None)
    # The terminal is attacked, too: its modes are restored before the next command is typed.  Programs that messages had executed are ended.
    status, out = machine.run(f"{USER if user else ''}/hostile -s {seed} -n {count} {' '.join(interfaces)}; e=$?; stty sane; /hostile --sweep; (exit $e)",
                              status=None, limit=limit)
    machine.send("\n" * ABANDONED)     # reads of the terminal that were abandoned eat these instead of the next command
    match = re.search(r"hostile: (\d+) messages, (\d+) failed", out)
    if status != 0 or not match or match[2] != "0":
        machine.fail(f"hostile {' '.join(interfaces)}: status {status}\n{out[-4000:]}")
    return int(match[1])


def said(machine):
    """Fails if the kernel complained of a server's bookkeeping."""
    lines = sorted(set(BOGUS.findall(machine.log)))
    if lines:
        machine.fail(f"the kernel found wrong port names in {', '.join(lines)}: {BOGUS.search(machine.log)[0]}")


def machine_for(folder, *options):
    """An image with the tester, and the machine that is to boot it."""
    image = Image(folder)
    image.put(PROGRAM, "/hostile", 0o100755)
    return image, Machine(os.path.join(folder, "serial.log"), *options, disk=image.path)
