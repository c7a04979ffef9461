# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine with little memory, more of which is changed than it has: files larger than it, written by several at once, are on the disk
afterwards as they were written."""

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


CASES = [(f"{memory}-MiB", functools.partial(more_changed_than_memory, memory, writers)) for memory, writers in ((64, 2), (40, 3))]
