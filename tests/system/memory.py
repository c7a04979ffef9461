# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine with little memory: files larger than it, written by several at once, are on the disk afterwards as they were written; programs that
want more than there is are ended, and nobody else is."""

import functools

from image import Image
from machine import Failure
from session import session

COPIES = 14                             # of a file of 1.3 MiB, by each


def more_changed_than_memory(memory, writers, folder):
    image = Image(folder)
    with session(folder, image, "--memory", str(memory)) as machine:
        machine.run(f"for i in $(seq {writers}); do (for j in $(seq {COPIES}); do cat /bin/coreutils; done) > /tmp/big$i & done; wait", limit=400)
    expected = image.get("/bin/coreutils") * COPIES
    for number in range(1, writers + 1):
        if image.get(f"/tmp/big{number}") != expected:
            raise Failure(f"/tmp/big{number} on the disk is not what was written")


def hogs_are_ended(folder):
    """tail keeps what it reads; a shell doubles a string.  Beside them somebody works, whom nothing may happen to."""
    image = Image(folder)
    with session(folder, image, "--memory", "96") as machine:
        before = machine.run("ps -e -o args --no-headers")
        machine.run("(while [ ! -e /tmp/end ]; do sleep 0.2; ls /bin | md5sum; done) > /tmp/sums & work=$!")
        for hog in ("tail -c 1900m < /dev/zero", "tail -c 1900m < /dev/zero | tail -c 1900m", "sh -c 's=0123456789abcdef; while :; do s=$s$s; done'"):
            _, said = machine.run(hog, limit=400, status=None)
            if "memory is full: " + hog.split()[0] not in said:
                machine.fail(f"{hog}: nothing was said of it")
        machine.run("touch /tmp/end; wait $work; [ $(sort -u /tmp/sums | wc -l) = 1 ]", limit=200)
        after = machine.run("ps -e -o args --no-headers").splitlines()
        gone = [program for program in before.splitlines() if program not in after]
        if gone:
            machine.fail("no longer there: " + ", ".join(gone))


CASES = [(f"{memory}-MiB", functools.partial(more_changed_than_memory, memory, writers)) for memory, writers in ((64, 2), (40, 3))]
CASES += [("hogs_are_ended", hogs_are_ended)]
