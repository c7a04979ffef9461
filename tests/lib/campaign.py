# SPDX-License-Identifier: GPL-2.0-or-later
"""What the short tests of tests/system and the long ones of tests/soak share: the file system against its model, and servers that must not grow."""

import os
import re
import zlib

from machine import Failure
from session import image_with, session

SERVERS = ("startup", "proc", "pci-arbiter", "rumpdisk", "ext2fs", "exec", "auth", "pflocal", "term")
# What a server may have more after the long run than after the first part of it: rights and threads that come and go, caches.
NAMES_MORE, THREADS_MORE, KIB_MORE = 40, 6, 1024


def wanted(machine, command, limit):
    """Runs a program of ours that must end well; gives what it printed."""
    status, output = machine.run(command, limit=limit, status=None)
    if status != 0 or " 0 failed" not in output:
        machine.fail(f"{command}: status {status}: {output[-1500:]}")
    return output


def manifest_check(image, folder, top, manifest):
    """The files below TOP of the halted image are those of MANIFEST, lines of SIZE, CRC32 and path."""
    copy = os.path.join(folder, "files")
    os.mkdir(copy)
    image.debugfs(f"rdump {top} {copy}")
    for size, sum_, path in manifest:
        with open(os.path.join(copy, os.path.basename(top), path), "rb") as file:
            data = file.read()
        if len(data) != int(size) or zlib.crc32(data) != int(sum_, 16):
            raise Failure(f"{path}: {len(data)} bytes with sum {zlib.crc32(data):08x} on the disk, not {size} with {sum_}")


def oracle(folder, operations, seed, stress_rounds, limit, options=()):
    """Random operations against the model, then processes in each other's way; the disk is clean and holds what the model says."""
    image = image_with(folder, "oracle", "stress")
    with session(folder, image, *options) as machine:
        machine.run("mkdir /model /crowd")
        said = wanted(machine, f"/oracle /model {operations} {seed}", limit)
        if stress_rounds:
            wanted(machine, f"/stress /crowd 6 {stress_rounds}", limit)
    files = re.findall(r"^manifest (\d+) ([0-9a-f]{8}) (\S+)$", said, re.M)
    manifest_check(image, folder, "/model", files)
    return f"{operations} operations, {6 * stress_rounds} in parallel, {len(files)} files compared on the disk"


def holdings(machine):
    """Server → (names, threads, KiB resident)."""
    held = {}
    for line in machine.run("ps -e -o pid,nth,rss,comm", limit=120).splitlines()[1:]:
        words = line.split()
        name = os.path.basename(words[3]) if len(words) > 3 else ""
        if name in SERVERS:
            summary = machine.run(f"portinfo -s {words[0]}", limit=120)
            names = re.search(r"(\d+) names", summary)
            held[name] = (int(names[1]) if names else 0, int(words[1]), int(words[2]))
    return held


def endurance(folder, programs, files, limit, options=()):
    """No server grows while PROGRAMS programs run and FILES files come and go."""
    with session(folder, image_with(folder, "endurance"), *options) as machine:
        machine.run("mkdir /files")
        wanted(machine, f"/endurance /files {max(programs // 5, 60)} {max(files // 5, 400)}", limit)
        before = holdings(machine)
        wanted(machine, f"/endurance /files {programs} {files}", limit)
        after = holdings(machine)
        grown = [f"{name}: {before[name]} before, {after[name]} after" for name in after
                 if any(new > old + more for new, old, more in zip(after[name], before[name], (NAMES_MORE, THREADS_MORE, KIB_MORE)))]
        if grown or len(after) < 6:
            machine.fail("names, threads, KiB: " + "; ".join(grown or after))
    most = max((after[name][2] - before[name][2], name) for name in after)
    return f"{programs} programs, {files} files; most grown: {most[1]} by {most[0]} KiB"
