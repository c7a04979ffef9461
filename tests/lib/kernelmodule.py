# SPDX-License-Identifier: GPL-2.0-or-later
"""A boot module that is our kernel's only program: booted, watched, judged by its last line (`= ... N passed, N failed`)."""

import os
import re
import select
import shutil
import subprocess
import time

from image import OBJ
from machine import Failure

SILENCE = 240   # seconds without a word: the machine hangs
GRUB = """set timeout=0
menuentry module {
    multiboot /boot/kernel console=com0
    module /boot/module NAME '--host-priv-port=${host-port}' '--device-master-port=${device-port}' WORDS '$(task-create)' '$(task-resume)'
    boot
}
"""


def medium_make(folder, kernel, program, words):
    tree = os.path.join(folder, "medium")
    os.makedirs(os.path.join(tree, "boot", "grub"))
    shutil.copy(os.path.join(OBJ, "kernel", kernel), os.path.join(tree, "boot", "kernel"))
    subprocess.run(["strip", "-o", os.path.join(tree, "boot", "module"), os.path.join(OBJ, "tests", "kernel", program)], check=True)
    with open(os.path.join(tree, "boot", "grub", "grub.cfg"), "w", encoding="utf-8") as file:
        file.write(GRUB.replace("NAME", os.path.basename(program)).replace("WORDS", " ".join(words)))
    medium = os.path.join(folder, "medium.iso")
    subprocess.run(["grub-mkrescue", "-o", medium, tree], check=True, capture_output=True)
    return medium


def run(folder, program, *words, kernel="quadrille-checked", memory=128, cpus=1, limit=600):
    """Boots PROGRAM (below build/obj/tests/kernel) with WORDS; gives its last line.  Fails if the kernel panics, falls silent or does not end
    within LIMIT seconds, or if the module says that something failed."""
    argv = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max,-erms", "-m", str(memory), "-smp", str(cpus), "-boot", "d",
            "-cdrom", medium_make(folder, kernel, program, words), "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot"]
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text, start = "", time.monotonic()
    last = start
    why = None
    try:
        while why is None:
            now = time.monotonic()
            if select.select([child.stdout], [], [], 1)[0]:
                data = os.read(child.stdout.fileno(), 65536)
                text += data.decode(errors="replace").replace("\r", "")
                last = now
                if not data:
                    why = "the machine stopped"
                elif re.search(r"^= .*\n", text, re.M):
                    break
                elif re.search(r"\bpanic\b", text):
                    why = "panic"
            elif now - last > SILENCE:
                why = f"silent for {SILENCE} s"
            if now - start > limit:
                why = f"did not end within {limit} s"
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    if why is None and " 0 failed" not in re.search(r"^= .*\n", text, re.M)[0]:
        why = "something failed"
    if why:
        raise Failure(f"{why}; the end of the serial log:\n" + text[-4000:])
    return re.search(r"^= (.*)\n", text, re.M)[1]
