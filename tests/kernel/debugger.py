# SPDX-License-Identifier: GPL-2.0-or-later
"""Our kernel's debugger in a running system, and by what it shows: that disk adapters interrupt by messages where they can."""

import functools
import os
import re

from image import Image
from machine import Machine

COMMANDS = {                    # what each must show, of a system that runs
    "tasks": r" ext2fs\n(.|\n)* proc\n",
    "threads ext2fs": r"thread ffff[0-9a-f]+: waits for a message to the (set|port) \d+, priority",
    "ports proc": r"receive .* of proc, \d+ messages",
    "map auth": r"r-x (wired )?object",
    "pages": r"pages: \d+, free \d+(.|\n)* port +\d+ bytes: +\d+ used of",
    "here": r" debugger_enter\+0x",
    "memory 0x10": r"no such kernel address",
    "ports nobody": r"no such task",
    "nonsense": r"no such command",
}
BUSES = ("ahci", "nvme", "virtio")    # whose adapters raise messages


def enter(machine):
    machine.prompt()
    machine.run("ls /bin > /dev/null")
    machine.send("\x1d\x1d\x1d")
    machine.expect(r"kdb> ")


def command(machine, words):
    start = machine.mark
    machine.send(words + "\r")
    machine.expect(r"kdb> ")
    return machine.log[start:machine.mark]


def test_debugger(folder):
    with Machine(os.path.join(folder, "serial.log"), "--kernel", "quadrille-checked", "--append", "kdb", disk=Image(folder).path) as machine:
        enter(machine)
        for words, pattern in COMMANDS.items():
            output = command(machine, words)
            if not re.search(pattern, output):
                machine.fail(f"{words!r} does not show {pattern!r}:\n{output}")
        thread = re.search(r"thread (ffff[0-9a-f]+): waits for a message", command(machine, "threads auth"))[1]
        calls = command(machine, "thread " + thread)
        if not re.search(r" (msg_receive\w*|msg_wait_over)\+", calls):
            machine.fail("a thread that waits for a message does not show its calls")
        machine.send("continue\r")
        machine.run("echo still here")
        machine.halt()


def test_panic(folder):
    """By name, how the kernel came there; and the debugger afterwards."""
    with Machine(os.path.join(folder, "serial.log"), "--kernel", "quadrille", "--append", "kdb", disk=Image(folder).path) as machine:
        enter(machine)
        machine.send("panic for a test\r")
        machine.expect(r"panic: asked for by the debugger: for a test\n(.*\n)*  ffffffff[0-9a-f]+ debugger_enter\+0x[0-9a-f]+\n(.*\n)*kernel debugger: panic")
        status = machine.ended()
        if status != 4:
            machine.fail(f"tools/boot ended with status {status}")


def test_overflow(folder):
    """Nothing is mapped below a kernel stack: one that overflows stops the system, and tells whose it was and by which calls."""
    with Machine(os.path.join(folder, "serial.log"), "--kernel", "quadrille", "--append", "kdb", disk=Image(folder).path) as machine:
        machine.prompt()
        machine.run("(while :; do :; done) & true")
        machine.send("\x1d\x1d\x1d")
        machine.expect(r"kdb> ")
        machine.send("overflow\r")
        machine.expect(r"the calls up to there:\n  ffffffff[0-9a-f]+ stack_use\+0x(.*\n)*panic: a kernel stack of 16384 bytes has overflowed: .*\n"
                       r"  in (task \S+, )?thread \S+\n(.*\n)*kernel debugger: panic")
        if "double fault" in machine.log:
            machine.fail("it is not told from another double fault")
        status = machine.ended()
        if status != 4:
            machine.fail(f"tools/boot ended with status {status}")


def test_no_debugger_without_the_word(folder):
    """The keys are then the terminal's."""
    with Machine(os.path.join(folder, "serial.log"), "--kernel", "quadrille", disk=Image(folder).path) as machine:
        machine.prompt()
        machine.send("\x1d\x1d\x1d\x15\n")
        machine.run("echo on")
        if "kdb>" in machine.log:
            machine.fail("the debugger came without being asked for")


def test_lines_by_the_io_apic(folder):
    """With two processors the old disk adapter's line and the serial line's come through the I/O APIC."""
    with Machine(os.path.join(folder, "serial.log"), "--kernel", "quadrille-checked", "--append", "kdb", "--cpus", "2", "--disk-bus", "ide",
                 disk=Image(folder).path) as machine:
        enter(machine)
        output = command(machine, "interrupts")
        lines = {int(line): int(count) for line, count in re.findall(r"line (\d+) \(I/O APIC\): (\d+) interrupts", output)}
        if lines.get(14, 0) < 20 or lines.get(4, 0) < 1:
            machine.fail(f"lines 4 and 14 do not come through the I/O APIC:\n{output}")
        machine.send("continue\r")
        machine.run("md5sum /bin/[a-d]* > /dev/null & ls -lR /dev /lib > /dev/null & wait", limit=200)
        machine.halt()


def messages(folder, options, by_message):
    with Machine(os.path.join(folder, "serial.log"), "--kernel", "quadrille", "--append", "kdb", *options, disk=Image(folder).path) as machine:
        enter(machine)
        output = command(machine, "interrupts")
        counts = [int(count) for count in re.findall(r"message \w+: (\d+) interrupts", output)]
        lines = [int(count) for count in re.findall(r"line \d+: (\d+) interrupts, [1-9] drivers", output)]
        if max(counts if by_message else lines, default=0) < 20 or (counts and not by_message):
            machine.fail(f"the disk does not interrupt by {'messages' if by_message else 'a line'}:\n{output}")


CASES = [("debugger", test_debugger), ("panic", test_panic), ("overflow", test_overflow), ("no-debugger-without-the-word", test_no_debugger_without_the_word)]
CASES += [("lines-by-the-io-apic", test_lines_by_the_io_apic)]
CASES += [(f"interrupts-by-message-{bus}", functools.partial(messages, options=["--disk-bus", bus], by_message=True)) for bus in BUSES]
CASES += [("interrupts-by-line-without-apic", functools.partial(messages, options=["--cpu", "max,-erms,-apic"], by_message=False))]
