# SPDX-License-Identifier: GPL-2.0-or-later
"""Terminals, pipes, sockets and shared memory from inside: the programs of tests/inside that look at them, and what their servers keep.  A boot each."""

import functools

from session import image_with, session


def program(name, folder):
    with session(folder, image_with(folder, name)) as machine:
        status, output = machine.run(f"/{name}", status=None, limit=300)
        if status or " 0 failed" not in output:
            machine.fail(f"{name}: status {status}")


CASES = [(name, functools.partial(program, name)) for name in ("ptytest", "fifotest", "socktest", "sharedtest")]
