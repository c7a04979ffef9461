# SPDX-License-Identifier: GPL-2.0-or-later
"""The conformance cases on GNU Mach and on our kernel: each passes on both, and what it observed there agrees.

    python3 tests/kernel/conformance.py [--kernel gnumach|quadrille]... [--qemu=WORD]... [WORD...]

By hand: runs the cases whose `subject/name` contains a WORD on each kernel named (both), and prints the transcripts, or, of two kernels,
where they differ.  Under tests/run each subject (a file of this folder) is one test, and both kernels are booted once for all of them.
"""

import argparse
import functools
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time

if __name__ == "__main__":
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from image import BUILD, OBJ, ROOT  # noqa: E402
from machine import Failure  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
KERNELS = {"gnumach": os.path.join(BUILD, "boot", "boot", "gnumach"), "quadrille": os.path.join(OBJ, "kernel", "quadrille")}
SILENCE = 400                   # seconds without a word: the machine hangs
SOURCE = re.compile(r"^CASE(?:_(DIFFERS|OURS))?\((\w+)\)", re.M)
GRUB = """set timeout=0
menuentry conform {
    multiboot /boot/kernel console=com0
    module /boot/conform conform '--host-priv-port=${host-port}' '--device-master-port=${device-port}' WORDS '$(task-create)' '$(task-resume)'
    RAMDISK
    boot
}
"""
RAMDISK = "module /boot/disk disk '$(ramdisk-create)'"     # our kernel's only
RAMDISK_SIZE = 8 * 512 + 100                               # device_ramdisk.c knows the contents


def cases_written():
    """subject → {name: kind}, as the sources have them."""
    subjects = {}
    for file in sorted(os.listdir(HERE)):
        if file.endswith(".c"):
            with open(os.path.join(HERE, file), encoding="utf-8") as source:
                found = {name: kind.lower() or "both" for kind, name in SOURCE.findall(source.read())}
            if found:
                subjects[file[:-2]] = found
    return subjects


class Case:
    """What one kernel said of one case."""

    def __init__(self):
        self.observed, self.problems, self.remarks, self.ended = [], [], [], False

    def line(self, mark, text):
        {" ": self.observed, "!": self.problems, "#": self.remarks}[mark].append(text)


def medium_make(folder, kernel, words):
    tree = os.path.join(folder, "medium")
    os.makedirs(os.path.join(tree, "boot", "grub"), exist_ok=True)
    shutil.copy(KERNELS[kernel], os.path.join(tree, "boot", "kernel"))
    subprocess.run(["strip", "-o", os.path.join(tree, "boot", "conform"), os.path.join(OBJ, "tests", "kernel", "conform")], check=True)
    with open(os.path.join(tree, "boot", "grub", "grub.cfg"), "w", encoding="utf-8") as file:
        file.write(GRUB.replace("WORDS", " ".join(words)).replace("RAMDISK", RAMDISK if kernel != "gnumach" else ""))
    with open(os.path.join(tree, "boot", "disk"), "wb") as file:
        file.write(bytes((7 * i + i // 256) & 0xff for i in range(RAMDISK_SIZE)))
    medium = os.path.join(folder, "medium.iso")
    subprocess.run(["grub-mkrescue", "-o", medium, tree], check=True, capture_output=True)
    return medium


def lines_read(child):
    """Lines of the console until it falls silent or ends; None at the end of time."""
    text = b""
    last = time.monotonic()
    while True:
        if not select.select([child.stdout], [], [], 5)[0]:
            if time.monotonic() - last > SILENCE:
                yield None
                return
            continue
        data = os.read(child.stdout.fileno(), 65536)
        if not data:
            yield text.decode(errors="replace")
            return
        last = time.monotonic()
        *lines, text = (text + data).replace(b"\r", b"").split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")


def boot_once(folder, kernel, words, qemu, cases, log):
    """One boot: fills CASES; gives the index of the case in which the machine stopped, or None when all is done."""
    argv = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max,-erms", "-m", "256", "-boot", "d", "-cdrom", medium_make(folder, kernel, words), "-display", "none",
            "-monitor", "none", "-serial", "stdio", "-no-reboot", *qemu]
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    index, case, started = 0, None, False
    try:
        for line in lines_read(child):
            log.append("(silent: stopped)" if line is None else line)
            mark, text = (line or "")[:1], (line or "")[2:]
            if mark == "@" and len(text.split()) == 3:
                started, index, case = True, int(text.split()[0]), cases.setdefault(text.split()[1], Case())
            elif mark == "." and case:
                case.ended, case = True, None
            elif mark == "=":
                return None
            elif case and mark in (" ", "!", "#"):
                case.line(mark, text)
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    if not started:
        raise Failure(f"{kernel}: no case began\n" + "\n".join(log[-40:]))
    if case:
        case.problems.append("the machine stopped here\n" + "\n".join(log[-40:]))
    return index


def transcript(kernel, words=(), qemu=()):
    """All cases on KERNEL: `subject/name` → Case.  A machine that stops is booted again behind the case that stopped it."""
    cases, log, start = {}, [], 0
    while start is not None:
        with tempfile.TemporaryDirectory(prefix=f"quadrille-conform-{kernel}-") as folder:
            stopped = boot_once(folder, kernel, [f"--kernel={kernel}", f"--from={start}", *words], list(qemu), cases, log)
        start = None if stopped is None else stopped + 1
    return cases


def problem_of(name, kind, ours, theirs):
    """What is wrong with a case, or None."""
    for kernel, case in (("GNU Mach", theirs), ("Quadrille", ours)):
        if kind == "ours" and kernel == "GNU Mach":
            continue
        if case is None or not case.ended:
            return f"{name}: did not end on {kernel}\n" + "\n".join(case.problems if case else [])
        if case.problems:
            return f"{name}: on {kernel}: " + "; ".join(case.problems)
    if kind == "both" and ours.observed != theirs.observed:
        differing = [f"    GNU Mach: {a}\n    Quadrille: {b}" for a, b in zip(theirs.observed, ours.observed) if a != b]
        if len(ours.observed) != len(theirs.observed):
            differing.append(f"    {len(theirs.observed)} lines of GNU Mach, {len(ours.observed)} of Quadrille")
        return f"{name}: the kernels differ:\n" + "\n".join(differing)
    return None


# ---- under tests/run ------------------------------------------------------------------------------------------

lock = threading.Lock()


# What is compared: our kernel with one processor and with two, each with GNU Mach, which has one.
BOOTS = {"gnumach": ("gnumach", ()), "quadrille": ("quadrille", ()), "quadrille on two processors": ("quadrille", ("-smp", "2"))}


@functools.cache
def all_boots():
    results = {}
    threads = [threading.Thread(target=lambda name=name, kernel=kernel, qemu=qemu: results.update({name: transcript(kernel, qemu=qemu)}))
               for name, (kernel, qemu) in BOOTS.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@functools.cache
def documented():
    with open(os.path.join(ROOT, "docs", "kernel.md"), encoding="utf-8") as file:
        return set(re.findall(r"`(\w+/\w+)`", file.read()))


def subject_test(subject, cases):
    def run(_folder):
        with lock:
            results = all_boots()
        names = {f"{subject}/{name}": kind for name, kind in cases.items()}
        problems = []
        for boot in list(BOOTS)[1:]:
            found = [problem_of(name, kind, results[boot].get(name), results["gnumach"].get(name)) for name, kind in names.items()]
            problems += [f"({boot}) {problem}" for problem in found if problem]
        problems += [f"{name} differs on purpose, but docs/kernel.md does not say why" for name, kind in names.items()
                     if kind != "both" and name not in documented()]
        problems = [problem for problem in problems if problem]
        if problems:
            raise Failure(f"{len(problems)} of {len(names)} cases:\n" + "\n".join(problems))
    return run


CASES = [(f"{subject}-{len(cases)}-cases", subject_test(subject, cases)) for subject, cases in cases_written().items()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", action="append", choices=sorted(KERNELS))
    parser.add_argument("--qemu", action="append", default=[], metavar="WORD")
    parser.add_argument("--silence", type=int, default=SILENCE, metavar="SECONDS", help="without a word for so long the machine hangs")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    globals()["SILENCE"] = options.silence
    kinds = {f"{subject}/{name}": kind for subject, cases in cases_written().items() for name, kind in cases.items()}
    found = {kernel: transcript(kernel, options.words, options.qemu) for kernel in options.kernel or KERNELS}
    if len(found) == 1:
        for name, case in next(iter(found.values())).items():
            print("\n".join([f"@ {name}", *("  " + line for line in case.observed), *("# " + line for line in case.remarks),
                             *("! " + line for line in case.problems)]))
        bad = [name for case_set in found.values() for name, case in case_set.items() if case.problems or not case.ended]
    else:
        names = {name: None for cases in found.values() for name in cases}
        problems = [problem_of(name, kinds[name], found["quadrille"].get(name), found["gnumach"].get(name)) for name in names]
        bad = [problem for problem in problems if problem]
        print("\n".join(bad))
        print(f"{len(names) - len(bad)} passed, {len(bad)} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
