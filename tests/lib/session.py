# SPDX-License-Identifier: GPL-2.0-or-later
"""A system on a fresh image, from its prompt to a clean halt."""

import contextlib
import os

from image import OBJ, Image
from machine import Failure, Machine


def image_with(folder, *programs):
    """A fresh image with PROGRAMS of tests/inside in its root folder."""
    image = Image(folder)
    for name in programs:
        image.put(os.path.join(OBJ, "tests", "inside", name), f"/{name}", 0o100755)
    return image


def clean(image, when="halt"):
    """Fails unless the file system of IMAGE, whose system has ended, is whole."""
    problem = image.check()
    if problem:
        raise Failure(f"e2fsck -fn after {when}:\n{problem}")


@contextlib.contextmanager
def session(folder, image, *options):
    """The machine that IMAGE was booted on, at its prompt; after the block it is halted, and the file system must be whole."""
    with Machine(os.path.join(folder, "serial.log"), *options, disk=image.path) as machine:
        machine.prompt()
        yield machine
        machine.halt()
    clean(image)
