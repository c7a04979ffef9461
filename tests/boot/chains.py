# SPDX-License-Identifier: GPL-2.0-or-later
"""Every chain with every exec on every disk bus: the whole dance, looked at from inside and from outside.

A case reaches the prompt, shows the processes and translators of the seed (bootstrap.txt), reads a file that the host made, writes one
that the host then reads, and halts.  One case of each bus reads files of every size (64 MiB on AHCI only), boots again from the same disk and reboots. e2fsck
agrees after each.  GNU Mach boots every combination, our kernel every chain on AHCI and every bus once, and the chain without a disk driver, whose disk
is in memory; our kernel every chain with one and two processors and little or much memory, too, and by both firmwares and both versions of Multiboot."""

import functools
import hashlib
import os
import random
import re

from image import OBJ, Image
from machine import Failure, Machine
from session import clean

SIZES = [0, 1, 511, 512, 4095, 4096, 4097, 65536, 1_000_003, 13_000_000, 64 << 20]
SHORT_SIZES = [1_000_003]
# Each bus, and its case that is looked at in full.
BUSES = {"ahci": ("4", "static"), "ide": ("3", "ldso"), "nvme": ("4", "ldso"), "virtio": ("3", "static")}
CHAINS = {"4": ["pci-arbiter", "rumpdisk", "ext2fs", "exec"], "3": ["rumpdisk", "ext2fs", "exec"], "2": ["ext2fs", "exec"]}
CORE = ["startup", "proc", "auth"]
ACTIVE = {"4": ["/servers/exec", "/servers/startup", "/servers/bus/pci", "/dev/disk"],
          "3": ["/servers/exec", "/servers/startup", "/dev/disk"],
          "2": ["/servers/exec", "/servers/startup"]}


def host_files(folder, image, sizes):
    """Files of each of SIZES, in /tests of the image; gives path → md5."""
    image.mkdir("/tests")
    sums = {}
    for size in sizes:
        data = random.Random(size).randbytes(size)
        path = os.path.join(folder, f"f{size}")
        with open(path, "wb") as out:
            out.write(data)
        image.put(path, f"/tests/f{size}")
        sums[f"/tests/f{size}"] = hashlib.md5(data).hexdigest()
        os.unlink(path)
    image.put(os.path.join(OBJ, "tests", "inside", "transinfo"), "/tests/transinfo", 0o100755)
    return sums


def check_processes(machine, chain):
    table = machine.run("ps -e -o pid,command")
    lines = dict((int(line.split(None, 1)[0]), line.split(None, 1)[1]) for line in table.splitlines()[1:] if line.strip())
    for pid, word in ((1, ""), (2, "startup"), (3, ""), (4, "proc")):
        if pid not in lines or word not in lines[pid]:
            machine.fail(f"pid {pid} should be {word or 'there'}:\n{table}")
    for server in CHAINS[chain] + CORE:
        if not any(server in command for command in lines.values()):
            machine.fail(f"no process {server}:\n{table}")


def check_translators(machine, chain):
    output = machine.run("/tests/transinfo " + " ".join(ACTIVE[chain]))
    for path in ACTIVE[chain]:
        if f"{path}: active" not in output:
            machine.fail(f"{path} has no active translator:\n{output}")
    served = ["/", "/dev/null"] + [path for path in ACTIVE[chain] if path != "/servers/startup"]   # startup has no files
    devices = machine.run("stat -c '%d %n' " + " ".join(served))
    numbers = [line.split()[0] for line in devices.splitlines()]
    if len(set(numbers)) != len(served) or "0" in numbers:
        machine.fail(f"each server's files should have a device number of their own:\n{devices}")


def check_reading(machine, sums):
    output = machine.run("md5sum " + " ".join(sums), limit=240)
    got = {match[2]: match[1] for match in re.finditer(r"^([0-9a-f]{32})  (\S+)$", output, re.M)}
    for path, digest in sums.items():
        if got.get(path) != digest:
            machine.fail(f"{path} reads wrong: {got.get(path)}, the host wrote {digest}")


def write_inside(machine):
    machine.run("mkdir /root/made && cd /root/made && seq 1 200000 > numbers && cp /tests/f1000003 copy && ln copy hard && ln -s copy soft")
    machine.run("printf 'to be cut' > cut && truncate -s 5 cut && echo more >> cut && mv numbers renamed && cd /")


def check_written(image):
    wanted = "".join(f"{n}\n" for n in range(1, 200001)).encode()
    if image.get("/root/made/renamed") != wanted:
        raise Failure("/root/made/renamed is not what was written")
    for name in ("copy", "hard"):
        if image.get(f"/root/made/{name}") != random.Random(1_000_003).randbytes(1_000_003):
            raise Failure(f"/root/made/{name} is not what was copied")
    if image.get("/root/made/cut") != b"to bemore\n":
        raise Failure(f"/root/made/cut is {image.get('/root/made/cut')!r}")


def check_clean(image, when):
    clean(image, when)
    if image.state() != "clean":
        raise Failure(f"the file system is marked {image.state()!r} after {when}")


def boot(folder, options, chain, sizes):
    """The first boot; gives the image."""
    image = Image(folder)
    sums = host_files(folder, image, sizes)
    with Machine(os.path.join(folder, "first.log"), *options, disk=image.path) as machine:
        machine.prompt()
        check_processes(machine, chain)
        check_translators(machine, chain)
        check_reading(machine, sums)
        write_inside(machine)
        machine.halt()
    check_clean(image, "halt")
    check_written(image)
    return image


def boot_short(folder, options, chain):
    boot(folder, options, chain, SHORT_SIZES)


def boot_full(folder, options, chain):
    image = boot(folder, options, chain, SIZES if "ahci" in options else SIZES[:-1])
    with Machine(os.path.join(folder, "second.log"), *options, disk=image.path) as machine:
        machine.prompt()
        machine.run('test "$(cksum < /root/made/copy)" = "$(cksum < /tests/f1000003)" && rm -r /root/made && sync')
        machine.send("reboot\n")
        machine.ended()
    check_clean(image, "reboot")


def boot_memory(folder, options):
    """The disk is a copy in memory: what is written is read again inside, and the image stays as it was."""
    image = Image(folder)
    sums = host_files(folder, image, SIZES[:-2])
    before = os.stat(image.path).st_mtime_ns
    with Machine(os.path.join(folder, "serial.log"), *options, disk=image.path) as machine:
        machine.prompt()
        check_processes(machine, "2")
        check_translators(machine, "2")
        check_reading(machine, sums)
        write_inside(machine)
        machine.run('test "$(cksum < /root/made/copy)" = "$(cksum < /tests/f1000003)" && test "$(cat /root/made/cut)" = "to bemore" && sync')
        machine.run('test "$(cksum < /root/made/renamed)" = "$(seq 1 200000 | cksum)" && rm -r /root/made')
        machine.halt()
    if os.stat(image.path).st_mtime_ns != before:
        raise Failure("the disk image was written to")


def boot_firmware(folder, firmware, multiboot):
    """From the firmware to the prompt and back."""
    with Machine(os.path.join(folder, "serial.log"), "--kernel", "quadrille", "--firmware", firmware, "--multiboot", multiboot,
                 disk=Image(folder).path) as machine:
        machine.prompt()
        machine.run("ls /servers")
        machine.halt()


def combinations():
    for bus, full in BUSES.items():
        for chain in ("4", "3"):
            for exec_kind in ("static", "ldso"):
                yield "gnumach", bus, chain, exec_kind, (chain, exec_kind) == full
                if bus == "ahci" or (chain, exec_kind) == full:
                    yield "quadrille", bus, chain, exec_kind, bus == "ahci" and (chain, exec_kind) == full


CASES = [(f"{kernel}-{bus}-chain{chain}-{exec_kind}",
          functools.partial(boot_full if full else boot_short, chain=chain,
                            options=["--kernel", kernel, "--disk-bus", bus, "--chain", chain, "--exec", exec_kind]))
         for kernel, bus, chain, exec_kind, full in combinations()]
CASES += [(f"quadrille-memory-chain2-{exec_kind}",
           functools.partial(boot_memory, options=["--kernel", "quadrille", "--chain", "2", "--exec", exec_kind]))
          for exec_kind in ("static", "ldso")]
# One and two processors, with a little more memory than the least (docs/kernel.md) and with more than 4 GiB of it.
SHAPES = (("2", "32", "4", "static"), ("2", "32", "3", "ldso"), ("1", "32", "4", "ldso"), ("2", "6144", "4", "ldso"), ("2", "6144", "3", "static"), ("1", "6144", "3", "ldso"))
CASES += [(f"quadrille-{cpus}-processors-{memory}-MiB-chain{chain}-{exec_kind}",
           functools.partial(boot_short, chain=chain, options=["--kernel", "quadrille", "--cpus", cpus, "--memory", memory, "--chain", chain,
                                                               "--exec", exec_kind]))
          for cpus, memory, chain, exec_kind in SHAPES]
CASES += [(f"quadrille-{cpus}-processors-{memory}-MiB-chain2-{exec_kind}",
           functools.partial(boot_memory, options=["--kernel", "quadrille", "--cpus", cpus, "--memory", memory, "--chain", "2", "--exec", exec_kind]))
          for cpus, memory, exec_kind in (("2", "76", "static"), ("1", "76", "ldso"), ("2", "6144", "ldso"))]
CASES += [(f"quadrille-{firmware}-multiboot{multiboot}", functools.partial(boot_firmware, firmware=firmware, multiboot=multiboot))
          for firmware, multiboot in (("bios", "2"), ("uefi", "1"), ("uefi", "2"))]
