# SPDX-License-Identifier: GPL-2.0-or-later
"""The C library's own tests, 1,100 programs, compiled from the source that the set-up has and run inside.  Those of glibc-failures.txt fail,
for the reasons given there; any other that does has found something.  QUADRILLE_GLIBC="WORD..." takes only those whose names contain a word
(io-, posix-tst-exec); the names are FOLDER-TEST, as in the source."""

import concurrent.futures
import glob
import os
import re
import subprocess

from image import BUILD, ROOT, Image
from machine import Failure, Machine
from session import clean

FOLDERS = ("io", "posix", "dirent", "signal", "misc", "socket", "rt", "termios", "time", "setjmp", "hurd", "login", "stdio-common", "libio",
           "stdlib", "malloc", "sysdeps/pthread")
# What the tests' own library and the tests include of the source beside their folder.
BESIDE = ("support", "test-skeleton.c", "include/array_length.h", "include/file_change_detection.h", "include/intprops.h",
          "include/libc-diag.h", "include/libc-pointer-arith.h", "include/libc-symbols.h", "include/scratch_buffer.h")
INTERNAL = ("scratch_buffer_grow", "scratch_buffer_grow_preserve", "scratch_buffer_set_array_size", "dynarray_at_failure",
            "dynarray_emplace_enlarge", "dynarray_finalize", "dynarray_resize", "dynarray_resize_clear")  # of malloc/
NOT_OF_LIBRARY = ("tst-", "test-", "links-dso", "shell-container", "echo-container", "true-container")
# These want a table of results to compare with, or a source of their own to read.
LEFT_OUT = re.compile(r"tst-printf-format|.*mod$")
PRELUDE = """#include <errno.h>
#include <limits.h>
#define libc_hidden_proto(x)
#define libc_hidden_def(x)
#define attribute_hidden
#define __set_errno(e) (errno = (e))
"""
PATHS = {"SRCDIR": "/", "OBJDIR": "/", "OBJDIR_ELF_LDSO": "/lib/ld.so", "INSTDIR": "/", "LIBDIR": "/lib", "BINDIR": "/bin", "SBINDIR": "/sbin",
         "SLIBDIR": "/lib", "ROOTSBINDIR": "/sbin", "COMPLOCALEDIR": "/lib", "SYSCONFDIR": "/etc"}
SECONDS = 120   # of a test, before it is killed
TOGETHER = 300  # tests on one image


class Source:
    """The library's source in FOLDER, and what is compiled of it."""

    def __init__(self, folder):
        tarball = glob.glob(os.path.join(BUILD, "packages", "usr", "src", "glibc", "glibc-*.tar.xz"))[0]
        top = os.path.basename(tarball)[:-len(".tar.xz")]
        subprocess.run(["tar", "-C", folder, "-xf", tarball, *[f"{top}/{name}" for name in FOLDERS + BESIDE]], check=True)
        self.top, self.made = os.path.join(folder, top), os.path.join(folder, "made")
        self.include = os.path.join(folder, "include")
        for path in (self.made, self.include):
            os.mkdir(path)
        for name in ("support", "malloc", "malloc/dynarray.h", *BESIDE[2:]):
            os.symlink(os.path.join(self.top, name), os.path.join(self.include, os.path.basename(name)))
        for name, text in (("prelude.h", PRELUDE), ("libc-config.h", "")):
            with open(os.path.join(self.include, name), "w", encoding="ascii") as file:
                file.write(text)
        self.library = os.path.join(folder, "libsupport.a")

    def compile(self, *words):
        words = [os.path.join(ROOT, "toolchain", "x86_64-gnu-gcc"), "-O1", "-w", "-D_GNU_SOURCE", "-DTIMEOUTFACTOR=4", "-DMODULE_NAME=testsuite",
                 "-include", "prelude.h", "-I" + self.include, *words]
        return subprocess.run(words, check=False, capture_output=True).returncode == 0

    def make_library(self, pool):
        paths = ["-DROOT=\"/\""] + [f'-D{name}_PATH="{path}"' for name, path in PATHS.items()]
        sources = [path for path in sorted(glob.glob(os.path.join(self.top, "support", "*.c")))
                   if not os.path.basename(path).startswith(NOT_OF_LIBRARY)]
        sources += [os.path.join(self.top, "malloc", name + ".c") for name in INTERNAL]
        objects = [os.path.join(self.made, os.path.basename(path)[:-2] + ".o") for path in sources]
        list(pool.map(lambda pair: self.compile(*paths, "-I" + os.path.join(self.include, "support"), "-c", pair[0], "-o", pair[1]), zip(sources, objects)))
        subprocess.run(["ar", "rc", self.library, *filter(os.path.exists, objects)], check=True)

    def make_test(self, source):
        """Name and program of a test; None if it does not compile by itself."""
        folder = os.path.dirname(source)
        name = os.path.basename(folder) + "-" + os.path.basename(source)[:-2]
        program = os.path.join(self.made, name)
        made = self.compile("-s", "-iquote", folder, "-iquote", self.top, source, "-o", program, self.library, self.library, "-lpthread", "-lrt", "-lm")
        return (name, program) if made else None

    def tests(self, pool, words):
        sources = []
        for folder in FOLDERS:
            for path in sorted(glob.glob(os.path.join(self.top, folder, "*.c"))):
                base = os.path.basename(path)[:-2]
                named = os.path.basename(folder) + "-" + base
                if re.match(r"(tst|test|bug)-|.*test", base) and not LEFT_OUT.match(base) and (not words or any(word in named for word in words)):
                    sources.append(path)
        return [test for test in pool.map(self.make_test, sources) if test]


def failures_known():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "glibc-failures.txt"), encoding="ascii") as file:
        return {word for line in file if not line.startswith("#") for word in line.split()}


def run(folder, number, tests):
    """Runs TESTS on an image of their own; what failed, as name → the end of its output."""
    image, failed, log = Image(folder), {}, os.path.join(folder, f"serial-{number}.log")
    image.debugfs("mkdir /t", "cd /t", *[line for name, path in tests for line in (f"write {path} {name}", f"sif {name} mode 0100755")], write=True)
    with Machine(log, disk=image.path) as machine:
        machine.prompt()
        machine.run("cd /tmp")
        for name, _ in tests:
            status, _ = machine.run(f"timeout -s KILL {SECONDS} /t/{name} > /tmp/out 2>&1 < /dev/null", limit=4 * SECONDS, status=None)
            if status not in (0, 77):  # 77: the test itself says that it has nothing to test here
                failed[name] = f"status {status}: " + machine.run("tail -c 300 /tmp/out", status=None)[1]
        machine.halt()
    clean(image)
    return failed


def soak(folder):
    source, failed = Source(folder), {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        source.make_library(pool)
        tests = source.tests(pool, os.environ.get("QUADRILLE_GLIBC", "").split())
    for start in range(0, len(tests), TOGETHER):
        failed |= run(folder, start, tests[start:start + TOGETHER])
    known = failures_known()
    new = {name: said for name, said in failed.items() if name not in known}
    if new or not tests:
        raise Failure(f"{len(new)} of {len(tests)} fail that should not:\n" + "\n".join(f"{name}: {said}" for name, said in new.items()))
    return f"{len(tests)} tests of the C library: {len(tests) - len(failed)} pass, {len(failed)} fail as they should"
