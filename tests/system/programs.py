# SPDX-License-Identifier: GPL-2.0-or-later
"""Executing programs and who one is: exec and auth under wrong requests (tests/inside), `#!` in all forms, set-id programs,
programs that may be executed but not read, and that none of it leaves rights behind.  A boot each."""

import functools
import re

from session import image_with, session

PROGRAMS = ("authtest", "exectest", "proctest", "startuptest", "exechello", "exechello-pie", "exectest-bare")
USER = "chroot --userspec=1000:100 / "


def wanted(machine, command, text, status=0):
    got_status, output = machine.run(command, status=None, limit=120)
    if text not in output or (status is not None and got_status != status):
        machine.fail(f"{command}: status {got_status}, {text!r} is not in {output!r}")


SERVERS = "exec|auth|proc|startup"
FEW = 60


def inside(name):
    """Runs a tester, which must leave no rights in the servers: each makes hundreds of everything, of which at most a few may stay."""
    def check(machine):
        before = names_held(machine)
        wanted(machine, f"/{name}", " 0 failed")
        for _ in range(90):     # what the last children leave behind is cleared away in time, a surplus thread after a minute
            after = names_held(machine)
            if all(new <= old + FEW for old, new in zip(before, after)):
                return
            machine.run("sleep 1")
        machine.fail(f"names of {SERVERS} before and after: {before}, {after}")
    return check


def names_held(machine):
    """How many names the servers have; a few come and go with their threads."""
    pids = "$(ps -e -o pid,comm | while read pid name; do case $name in " + SERVERS + ") echo $pid;; esac; done)"
    return [int(line.split()[1]) for line in machine.run(f"portinfo -s {pids}").splitlines() if " names" in line]


def no_leak(machine):
    machine.run("printf '#!/nonexist\\n' > /tmp/bad; head -c 5000 /bin/ls > /tmp/short; chmod +x /tmp/bad /tmp/short")
    work = "i=0; while [ $i -lt 40 ]; do env /tmp/bad 2>/dev/null; env /tmp/short 2>/dev/null; env true; i=$((i+1)); done"
    machine.run(work, limit=120)
    before = names_held(machine)
    for _ in range(3):
        machine.run(work, limit=120)
    after = names_held(machine)
    if any(new > old + 12 for old, new in zip(before, after)):
        machine.fail(f"names of exec and auth before and after: {before}, {after}")


def scripts(machine):
    machine.run("cd /tmp; printf '#!/bin/echo arg one\\n' > s2; printf '#!/tmp/s2 deep\\n' > s3; printf '#!/tmp/self\\n' > self; "
                "printf '#!/nonexist\\n' > lost; chmod +x s2 s3 self lost")
    wanted(machine, "./s2 a 'b c'", "arg one ./s2 a b c")
    wanted(machine, "./s3 a", "arg one /tmp/s2 deep ./s3 a")
    wanted(machine, "PATH=/tmp s3 x", "arg one /tmp/s2 deep /tmp/s3 x")
    wanted(machine, "env ./self", "symbolic links", 126)
    wanted(machine, "env ./lost", "No such file", 127)


def set_id(machine):
    machine.run("mkdir -p /tmp/x/g /tmp/x/y; chmod 755 /tmp/x; cp /bin/id /tmp/x/id; cp /bin/id /tmp/x/g/id; cp /bin/ls /tmp/x/y/ls; "
                "chmod 4755 /tmp/x/id; chmod 2755 /tmp/x/g/id; chmod 111 /tmp/x/y/ls; "
                "printf '#!/bin/sh\\necho $0 $*\\nid\\n' > /tmp/x/s; chmod 4755 /tmp/x/s", limit=60)
    wanted(machine, USER + "/bin/id", "uid=1000(user) gid=100")
    wanted(machine, USER + "/tmp/x/id", "euid=0(root)")
    wanted(machine, USER + "/tmp/x/g/id", "egid=0(root)")
    machine.run("mkdir -p /tmp/x/c; cp /bin/cat /tmp/x/c/cat; chmod 4755 /tmp/x/c/cat; echo secret > /root/secret; chmod 600 /root/secret")
    wanted(machine, USER + "/bin/cat /root/secret", "ermission denied", 1)
    wanted(machine, USER + "/tmp/x/c/cat /root/secret", "secret")
    wanted(machine, USER + "/tmp/x/s 1 2", "/dev/fd/3 1 2")
    # The descriptor is for reading, and in nobody's name.
    machine.run("printf '#!/bin/sh\\nchmod 777 /dev/fd/3 || echo refused\\n' > /tmp/x/t; chmod 2755 /tmp/x/t")
    wanted(machine, USER + "/tmp/x/t 2>&1", "refused")
    wanted(machine, "ls -l /tmp/x/t", "-rwxr-sr-x")
    wanted(machine, USER + "/tmp/x/y/ls -d /", "/")
    wanted(machine, USER + "/bin/cat /tmp/x/y/ls", "ermission denied", 1)
    wanted(machine, USER + "/bin/ls /root", "ermission denied", 2)


def secure(machine):
    """What the caller's environment and rights must not reach: a set-id program's libraries, and the running program itself."""
    machine.run("mkdir -p /tmp/x/l /tmp/x/s; cp /bin/id /tmp/x/id; cp /bin/sleep /tmp/x/s/sleep; cp /bin/id /tmp/x/l/plain; "
                "chmod 4755 /tmp/x/id /tmp/x/s/sleep; chmod 755 /tmp/x /tmp/x/l /tmp/x/s; head -c 100 /dev/urandom > /tmp/x/l/libc.so.0.3", limit=60)
    wanted(machine, USER + "env LD_PRELOAD=/nonexistent.so /tmp/x/l/plain 2>&1", "cannot be preloaded", None)
    _, output = machine.run(USER + "env LD_PRELOAD=/nonexistent.so LD_LIBRARY_PATH=/tmp/x/l LD_TRACE_LOADED_OBJECTS=1 /tmp/x/id 2>&1", status=None)
    if "euid=0" not in output or "preloaded" in output or "=>" in output:
        machine.fail(f"LD_ variables reach a set-id program: {output!r}")
    wanted(machine, USER + "/bin/sh -c '/tmp/x/s/sleep 60 & sleep 1; kill -9 $!; echo status $?'", "status 1")
    wanted(machine, USER + "/bin/sh -c 'kill -9 2 4; echo status $?'", "status 1")
    wanted(machine, USER + "/bin/halt 2>&1", "not permitted", 1)
    wanted(machine, USER + "/bin/reboot 2>&1", "not permitted", 1)


def own_names(machine):
    wanted(machine, "echo foo | cat /dev/fd/0", "foo")
    wanted(machine, "ls -A /dev/fd /dev/fd/ && echo empty", "empty")
    wanted(machine, "cat /dev/fd/ < /etc/motd 2>&1", "Is a directory", 1)
    wanted(machine, "echo foo > /dev/tty", "foo")
    wanted(machine, "echo foo > /dev/stdout", "foo")


def by_hand(machine):
    """Programs of /hurd that somebody runs at the prompt end with a line of theirs."""
    for name in ("startup", "exec", "auth", "proc", "exec.static", "proc.static"):
        wanted(machine, f"/hurd/{name} 2>&1", f"/hurd/{name}: must be started by", 1)
    for name in ("fifo", "ifsock", "pflocal", "null", "random", "mtab", "ext2fs.static /dev/null"):
        wanted(machine, f"/hurd/{name} 2>&1", "must be started as a translator", 1)


def tools(machine):
    wanted(machine, "settrans -a -c /tmp/z /hurd/null --zero && head -c 4 /tmp/z | od -An -x", "0000 0000")
    wanted(machine, "settrans -a -g /tmp/z && wc -c < /tmp/z", "0")
    wanted(machine, "settrans -c /tmp/p /hurd/null && showtrans /tmp/p", "/hurd/null")
    wanted(machine, "settrans -g /tmp/p && showtrans /tmp/p", "no passive translator", 1)
    wanted(machine, "fsysopts /", "--writable")
    wanted(machine, "cat /etc/mtab", "/servers/bus/pci pci-arbiter rw")
    wanted(machine, "df -P && df -P", "part:1:device:wd0")
    for process, number in (("startup", 2), ("proc", 4)):
        wanted(machine, f"ps -o pid,args -p {number}", process)
    if not re.search(r"^ *3 (gnumach|quadrille) ", machine.run("ps -o pid,args -p 3"), re.M):
        machine.fail("the kernel is not process 3")
    for process in ("exec", "auth", "ext2fs", "rumpdisk", "term"):
        wanted(machine, "ps -e -o comm", process)
    wanted(machine, "vminfo 1", "KiB rwx (rwx) copy +0")
    wanted(machine, "vminfo --summary 1", "1: ")
    wanted(machine, "vminfo 4711 2>&1", "vminfo: 4711: No such process", 1)


def rpctrace(machine):
    """The lines are there, the program does not notice, its children are seen, and its status comes back."""
    trace = "rpctrace -o /tmp/trace"
    wanted(machine, f"{trace} cat /etc/passwd", "root:x:0:0")
    wanted(machine, "cat /tmp/trace", 'dir_lookup ("etc/passwd"')
    wanted(machine, f"{trace} sh -c '/bin/true; ls / | wc -l; exit 3'", "\n", 3)
    lines = machine.run("cat /tmp/trace", limit=120)
    for text, least in (("task_create (1) = 0", 2), ("proc_mark_exit", 3), ("file_exec_paths", 2)):
        if lines.count(text) < least:
            machine.fail(f"rpctrace showed {text!r} less than {least} times")
    wanted(machine, f"{trace} sh -c 'kill -9 $$'", "", 137)
    wanted(machine, "tail -n 1 /tmp/trace", "killed by signal 9")
    wanted(machine, "rpctrace /no/such/program", "No such file", 1)


def boot_and(check, folder):
    with session(folder, image_with(folder, *PROGRAMS)) as machine:
        check(machine)


CASES = [(name, functools.partial(boot_and, check)) for name, check in (
    ("auth", inside("authtest")), ("exec", inside("exectest")), ("proc", inside("proctest")), ("startup", inside("startuptest")), ("no_leak", no_leak),
    ("scripts", scripts), ("set_id", set_id), ("secure", secure), ("own_names", own_names), ("by_hand", by_hand),
    ("tools", tools), ("rpctrace", rpctrace))]
