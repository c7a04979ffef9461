# SPDX-License-Identifier: GPL-2.0-or-later
"""Fuzz targets: tests/fuzz/NAME.c, each one LLVMFuzzerTestOneInput.  Its first comment says how it is built and run:

    Sources: lib/store/partition.c lib/store/store.c      files of the tree to compile with it (further lines: indented more)
    Flags: -DX=1 @hurd                                    words for the compiler; @hurd: the system's headers, as in tests/unit; @kernel: the kernel's
    Max: 65536                                            longest input in bytes (default 4096)

Inputs to start from are the files of tests/fuzz/corpus/NAME and, where files would be large, what the program
tests/fuzz/seeds/NAME writes into the folder that is its argument.
"""

import os
import re
import shutil
import subprocess

from image import BUILD, ROOT
from machine import Failure

FUZZ = os.path.join(ROOT, "tests", "fuzz")
DRIVER = os.path.join(FUZZ, "driver", "standalone.c")
COMMON = ["-std=gnu17", "-g", "-D_GNU_SOURCE", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all",
          "-I" + os.path.join(ROOT, "lib"), "-I" + os.path.join(ROOT, "interface"), "-I" + os.path.join(ROOT, "tests", "unit")]
HURD = ["-include", os.path.join(ROOT, "tests", "unit", "hurd_host.h"), "-idirafter", os.path.join(BUILD, "sysroot", "include")]
KERNEL = ["-DKERNEL", "-DMACH_KERNEL", "-DNCPUS=1", "-fno-strict-aliasing", "-include", os.path.join(ROOT, "kernel", "mig", "mig_types.h"),
          "-I" + os.path.join(ROOT, "kernel", "mig"), "-I" + os.path.join(ROOT, "tests", "unit", "kernel_ipc"),
          "-idirafter", os.path.join(BUILD, "sysroot", "include")]
SHORT = {"@hurd": HURD, "@kernel": KERNEL}
TAIL = 60


class Target:
    """One fuzz target.  `work` is its folder below build/fuzz: programs, the growing corpus, inputs that failed."""

    def __init__(self, name):
        self.name = name
        self.path = os.path.join(FUZZ, name + ".c")
        self.corpus = os.path.join(FUZZ, "corpus", name)
        self.seeder = os.path.join(FUZZ, "seeds", name)
        self.work = os.path.join(BUILD, "fuzz", name)
        with open(self.path) as file:
            said = dict(directives(file.read()))
        self.sources = [os.path.join(ROOT, word) for word in said.get("Sources", "").split()]
        self.flags = [flag for word in said.get("Flags", "").split() for flag in SHORT.get(word, [word])]
        self.max = int(said.get("Max", "4096"))

    def compile(self, compiler, sanitizers, *more):
        """Builds it with COMPILER and gives the program's path; what does not compile is a Failure."""
        os.makedirs(self.work, exist_ok=True)
        program = os.path.join(self.work, compiler)
        done = subprocess.run([compiler, "-O1", *COMMON, "-fsanitize=" + sanitizers, *self.flags, "-I" + ROOT, self.path, *self.sources,
                               *more, "-lpthread", "-o", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise Failure(f"{self.name} does not compile:\n{done.stdout[-4000:]}")
        return program

    def inputs(self):
        """The folders of inputs to start from."""
        folders = [self.corpus] if os.path.isdir(self.corpus) else []
        if os.path.exists(self.seeder):
            seeds = os.path.join(self.work, "seeds")
            shutil.rmtree(seeds, ignore_errors=True)
            os.makedirs(seeds)
            subprocess.run([self.seeder, seeds], check=True, stdout=subprocess.DEVNULL)
            folders.append(seeds)
        return folders

    def check(self, seconds):
        """The inputs, then mutations in a fixed order for SECONDS at most, in the host compiler's sanitizers."""
        program = self.compile("gcc", "address,undefined", DRIVER)
        failed = os.path.join(self.work, "failed")
        done = subprocess.run([program, "-s", str(seconds), "-m", str(self.max), "-o", failed, *self.inputs()], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        if done.returncode:
            raise Failure(f"{self.name}: exit status {done.returncode}, the input is {failed}\n" + tail(done.stdout))
        return done.stdout.strip().splitlines()[-1]

    def fuzz(self, seconds):
        """libFuzzer for SECONDS; gives a line of figures, raises Failure with the end of its log."""
        program = self.compile("clang", "fuzzer,address,undefined")
        grown = os.path.join(self.work, "corpus")
        os.makedirs(grown, exist_ok=True)
        log = os.path.join(self.work, "log")
        words = [f"-max_total_time={seconds}", f"-max_len={self.max}", "-timeout=60", "-rss_limit_mb=4096", "-close_fd_mask=1", "-print_final_stats=1",
                 "-reload=0", f"-artifact_prefix={self.work}/"]
        with open(log, "w") as out:
            status = subprocess.run([program, *words, grown, *self.inputs()], stdin=subprocess.DEVNULL, stdout=out,
                                    stderr=subprocess.STDOUT).returncode
        with open(log, errors="replace") as file:
            text = file.read()
        if status:
            raise Failure(f"{self.name}: exit status {status}, the log is {log}\n" + tail(text))
        runs = re.findall(r"stat::number_of_executed_units:\s*(\d+)", text)
        reached = re.findall(r"cov: (\d+)", text)
        return f"{seconds} s, {runs[-1] if runs else '?'} inputs, {reached[-1] if reached else '?'} edges, {len(os.listdir(grown))} kept: clean"

    def keep(self):
        """Merges what the runs have found into tests/fuzz/corpus: as few inputs as reach as much."""
        program = self.compile("clang", "fuzzer,address,undefined")
        os.makedirs(self.corpus, exist_ok=True)
        subprocess.run([program, "-merge=1", f"-max_len={self.max}", "-close_fd_mask=3", self.corpus, os.path.join(self.work, "corpus")],
                       stderr=subprocess.DEVNULL, check=True)


def directives(text):
    """(word, rest) for each `Word: rest` of the first comment that tells something (the one after the SPDX line)."""
    comments = re.findall(r"/\*(.*?)\*/", text, re.S)
    body = next((c for c in comments if "SPDX" not in c), "")
    for match in re.finditer(r"^([ *]*)(Sources|Flags|Max): (.*(?:\n\1[ ]+\S.*)*)", body, re.M):
        yield match[2], match[3].replace("\n", " ")


def tail(text):
    return "\n".join(text.splitlines()[-TAIL:])


def targets():
    """All of them, by name."""
    return [Target(file[:-2]) for file in sorted(os.listdir(FUZZ)) if file.endswith(".c")]
