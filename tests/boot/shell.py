# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person at the prompt expects of a shell on a terminal: editing, job control, scripts, pipes.  A boot each."""

import functools

from image import Image
from machine import PROMPT
from session import session


def wanted(machine, got, text, what):
    if text not in got:
        machine.fail(f"{what}: {text!r} is not in {got!r}")


def dynamic_program(machine):
    wanted(machine, machine.run("ls /lib/ld-x86-64.so.1 && uname -s"), "GNU", "uname, a dynamic program")


def script(machine):
    machine.run("printf '#!/bin/sh\\necho args: $0 \"$@\"\\nexit 3\\n' > /tmp/script && chmod +x /tmp/script")
    status, output = machine.run("/tmp/script one 'two three'", status=None)
    wanted(machine, output, "args: /tmp/script one two three", "a script with #!")
    if status != 3:
        machine.fail(f"the script's exit status was {status}, wanted 3")


def background_job(machine):
    machine.run("sleep 2 & echo started; wait $!", limit=30)
    wanted(machine, machine.run("sleep 300 & sleep 1; kill $!; wait $!; echo status $?"), "status 143", "kill of a background job")


def interrupt(machine):
    machine.send("sh -c 'echo begun; read word'\n")
    machine.expect(r"^begun\n")
    machine.send("\x03")
    machine.expect(PROMPT)
    wanted(machine, machine.run("echo alive"), "alive", "the shell after ^C")


def stop_and_continue(machine):
    machine.send("sh -c 'echo begun; read word; echo the word is $word'\n")
    machine.expect(r"^begun\n")
    machine.send("\x1a")
    machine.expect(PROMPT)
    wanted(machine, machine.run("jobs"), "Stopped", "^Z")
    machine.send("fg\n")
    machine.expect(r"^sh -c")
    machine.send("quadrille\n")
    machine.expect(r"^the word is quadrille\n")
    machine.expect(PROMPT)


def line_editing(machine):
    machine.send("echo wrogn\x7f\x7fng; echo @@$?@@\n")
    machine.expect(r"^wrong\n")
    machine.expect(PROMPT)
    machine.send("echo all of this goes\x15echo only this\n")
    machine.expect(r"^only this\n")
    machine.expect(PROMPT)


def raw_mode(machine):
    machine.send("stty -icanon -echo min 1; echo begun; dd bs=1 count=3 2>/dev/null | od -An -c; stty sane\n")
    machine.expect(r"^begun\n")
    machine.send("a\tb")
    machine.expect(r"a\s+\\t\s+b")
    machine.expect(PROMPT)


def devices(machine):
    wanted(machine, machine.run("head -c 8 /dev/zero | od -An -x"), "0000 0000 0000 0000", "/dev/zero")
    machine.run("cp /dev/null /tmp/empty && test ! -s /tmp/empty")
    status, output = machine.run("cat /etc/passwd > /dev/full", status=None)
    if status == 0 or "No space" not in output:
        machine.fail(f"/dev/full: status {status}, {output!r}")
    machine.run('test "$(head -c 16 /dev/random | od -An -x)" != "$(head -c 16 /dev/random | od -An -x)"')


def errors(machine):
    for command, text in (("cat /nowhere", "No such file"), ("cd /etc/passwd", ""), ("/etc/passwd", "ermission denied"),
                          ("rmdir /etc", "not empty")):
        status, output = machine.run(command, status=None)
        if status == 0 or text not in output:
            machine.fail(f"{command}: status {status}, {output!r}")


def exit_and_again(machine):
    machine.send("exit\n")
    machine.expect(PROMPT, 30)
    wanted(machine, machine.run("echo again"), "again", "the shell after the shell")


def pipes(machine):
    wanted(machine, machine.run("seq 1 1000 | tail -n 1 | cat"), "1000", "a pipe")
    wanted(machine, machine.run("dd if=/dev/zero bs=1024 count=1000 2>/dev/null | wc -c"), "1024000", "a long pipe")
    status, _ = machine.run("yes | head -n 1; false", status=None)
    if status != 1:
        machine.fail("a writer whose reader has gone")


def boot_and(check, folder):
    with session(folder, Image(folder)) as machine:
        check(machine)


CASES = [(check.__name__, functools.partial(boot_and, check)) for check in (
    dynamic_program, script, background_job, interrupt, stop_and_continue, line_editing, raw_mode, devices, errors, pipes,
    exit_and_again)]
