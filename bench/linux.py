# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's Linux on the same virtual machine, with the same disk image and the same workload (bench/qbench.c, compiled for Linux)."""

import importlib.machinery
import importlib.util
import os
import subprocess
from types import SimpleNamespace

from counts import plugin_words
from image import OBJ, ROOT

HERE = os.path.dirname(os.path.abspath(__file__))
# No protection against leaks between programs that our machine does not have either.
COMMAND_LINE = "console=ttyS0 loglevel=3 nokaslr mitigations=off panic=-1"
PROGRAMS = {"qbench": "bench/qbench.linux"}
TIME_LIMIT = 600


def cpio_entry(name, mode, data=b"", device=(0, 0)):
    """One file of an initial RAM disk in the format "newc"; DEVICE: major and minor number of a special file."""
    path = name.encode() + b"\0"
    header = b"070701" + b"".join(b"%08X" % field for field in (
        0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0))
    entry = header + path
    entry += b"\0" * (-len(entry) % 4) + data
    return entry + b"\0" * (-len(entry) % 4)


def initial_disk(path, kernel, workloads):
    """Writes the initial RAM disk: our init, the modules, what to run."""
    modules = os.path.join(kernel, "modules")
    with open(path, "wb") as out:
        for folder in ("dev", "root", "modules"):
            out.write(cpio_entry(folder, 0o040755))
        out.write(cpio_entry("dev/console", 0o020600, device=(5, 1)))
        with open(os.path.join(OBJ, "bench", "linux-init"), "rb") as program:
            out.write(cpio_entry("init", 0o100755, program.read()))
        for name in os.listdir(modules):
            with open(os.path.join(modules, name), "rb") as module:
                out.write(cpio_entry(f"modules/{name}", 0o100644, module.read()))
        out.write(cpio_entry("workloads", 0o100644, "".join(line + "\n" for line in workloads).encode()))
        out.write(cpio_entry("TRAILER!!!", 0))


def boot_tool():
    """tools/boot as a module, for its table of buses."""
    loader = importlib.machinery.SourceFileLoader("boot_tool", os.path.join(ROOT, "tools", "boot"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("boot_tool", loader))
    loader.exec_module(module)
    return module


def fetch():
    """The folder with Debian's kernel; None (and a line that says why) without it."""
    done = subprocess.run([os.path.join(HERE, "fetch"), "linux"], stdout=subprocess.PIPE, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def run(kernel, folder, image, workloads, bus="ahci", log=None):
    """Boots Linux with IMAGE as its disk and runs WORKLOADS (lines of qbench's words); gives what the console said.  LOG: with the plugin."""
    boot = boot_tool()
    ram = os.path.join(folder, "initrd")
    initial_disk(ram, kernel, workloads)
    options = SimpleNamespace(disk_bus=bus, cdrom=[], disk_options="")
    words = ["qemu-system-x86_64", "-machine", boot.BUSES[bus][0], "-accel", "tcg", "-cpu", "max,-erms", "-m", "512", "-nodefaults", "-vga", "std",
             "-display", "none", "-nic", "none", "-no-reboot", "-serial", "stdio", "-kernel", os.path.join(kernel, "vmlinuz"),
             "-initrd", ram, "-append", COMMAND_LINE, *boot.disk_words(options, [image])]
    if log:
        words += ["-plugin", plugin_words(OBJ, log, programs=PROGRAMS)]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIME_LIMIT, check=False)
    return done.stdout.decode("utf-8", "replace").replace("\r", "")
