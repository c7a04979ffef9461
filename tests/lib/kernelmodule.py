# SPDX-License-Identifier: GPL-2.0-or-later
"""A boot module that is a kernel's only program, or nearly: booted, watched, judged by its last line (`= ... N passed, N failed`)."""

import os
import re
import select
import shutil
import subprocess
import time

from image import BUILD, OBJ
from machine import Failure

SILENCE = 240   # seconds without a word: the machine hangs
GRUB = """set timeout=0
menuentry module {
    multiboot /boot/kernel console=com0
    module /boot/module NAME '--host-priv-port=${host-port}' '--device-master-port=${device-port}' WORDS '$(task-create)' '$(task-resume)'
BESIDE    boot
}
"""


def medium_make(folder, kernel, program, words, beside):
    tree = os.path.join(folder, "medium")
    os.makedirs(os.path.join(tree, "boot", "grub"))
    image = os.path.join(BUILD, "boot", "boot", "gnumach") if kernel == "gnumach" else os.path.join(OBJ, "kernel", kernel)
    shutil.copy(image, os.path.join(tree, "boot", "kernel"))
    subprocess.run(["strip", "-o", os.path.join(tree, "boot", "module"), os.path.join(OBJ, "tests", program)], check=True)
    lines = []
    for path, line in beside.items():
        name = os.path.basename(path)
        subprocess.run(["strip", "-o", os.path.join(tree, "boot", name), os.path.join(OBJ, path)], check=True)
        lines.append(f"    module /boot/{name} {line}\n")
    with open(os.path.join(tree, "boot", "grub", "grub.cfg"), "w", encoding="utf-8") as file:
        file.write(GRUB.replace("NAME", os.path.basename(program)).replace("WORDS", " ".join(words)).replace("BESIDE", "".join(lines)))
    medium = os.path.join(folder, "medium.iso")
    subprocess.run(["grub-mkrescue", "-o", medium, tree], check=True, capture_output=True)
    return medium


def rest_read(stdout):
    """What a panic still says: all until there has been no word for a while."""
    text = ""
    while select.select([stdout], [], [], 5)[0]:
        data = os.read(stdout.fileno(), 65536)
        if not data:
            break
        text += data.decode(errors="replace").replace("\r", "")
    return text


def run(folder, program, *words, kernel="quadrille-checked", beside={}, memory=128, cpus=1, limit=600, silence=SILENCE):
    """Boots PROGRAM (below build/obj/tests) with WORDS on KERNEL (gnumach, quadrille, quadrille-checked); gives its last line.  BESIDE has
    further modules: their file below build/obj, and what follows it in the boot script.  Fails if the kernel panics, falls silent or does not
    end within LIMIT seconds (or says nothing for SILENCE), or if the module says that something failed."""
    argv = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max,-erms", "-m", str(memory), "-smp", str(cpus), "-boot", "d",
            "-cdrom", medium_make(folder, kernel, program, words, beside), "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot"]
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
                    text += rest_read(child.stdout)
            elif now - last > silence:
                why = f"silent for {silence} s"
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
