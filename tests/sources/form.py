# SPDX-License-Identifier: GPL-2.0-or-later
"""The form of the sources (docs/hacking.md): what each file begins with, how wide it is, who includes whose headers, and
that every folder of lib/ and servers/ is in docs/architecture.md."""

import functools
import os
import re

from machine import Failure

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FOLDERS = ("bench", "image", "interface", "kernel", "lib", "servers", "tests", "toolchain", "tools", "userland", "utils")
CODE = (".c", ".h", ".S", ".defs")
WIDTH = 120


@functools.cache
def files():
    """The text of every source by its name; what has no ending is a script if it says so."""
    found = {}
    for folder, below, names in (step for top in FOLDERS for step in os.walk(os.path.join(ROOT, top))):
        below[:] = [name for name in below if name not in ("__pycache__", "corpus", "root")]
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                text = file.read()
            if name.endswith((*CODE, ".py", ".sh", ".build")) or text.startswith(b"#!"):
                found[os.path.relpath(path, ROOT)] = text.decode("utf-8")
    if len(found) < 600:
        raise Failure(f"only {len(found)} sources were found")
    return found


def code():
    return {name: text for name, text in files().items() if name.endswith(CODE)}


def none_of(bad):
    if bad:
        raise Failure("\n".join(bad))


def test_first_lines(_folder):
    """The licence, then a comment that says what the file is for."""
    bad = [f"{name}: no SPDX line at its beginning" for name, text in files().items()
           if "SPDX-License-Identifier: GPL-2.0-or-later" not in "".join(text.splitlines()[:2])]
    bad += [f"{name}: no comment behind the SPDX line says what it is for" for name, text in code().items()
            if not re.match(r"/\* SPDX[^\n]*\n/[*/] ?\S", text)]
    none_of(bad)


def test_lines(_folder):
    bad = [f"{name}:{number}: {len(line)} columns" for name, text in code().items()
           for number, line in enumerate(text.splitlines(), 1) if len(line) > WIDTH]
    bad += [f"{name}:{number}: a blank at the end, or a tab" for name, text in files().items()
            for number, line in enumerate(text.split("\n"), 1) if line != line.rstrip() or "\t" in line]
    bad += [f"{name}: the last line has no end" for name, text in files().items() if text and not text.endswith("\n")]
    none_of(bad)


def test_no_paths_of_one_machine(_folder):
    path = re.compile(r"/home/\w+/|/" + "work/")
    none_of([f"{name}:{number}: {line.strip()}" for name, text in files().items()
             for number, line in enumerate(text.splitlines(), 1) if path.search(line)])


def test_headers_of_others(_folder):
    """A server includes no other server's headers, a library none of a server's; of other libraries only `<library/…>`,
    and not what their files have among themselves."""
    bad = []
    for name, text in code().items():
        own = os.path.dirname(name)
        if not name.startswith(("lib/", "servers/")):
            continue
        for header in re.findall(r'^\s*#\s*include\s+"([^"]+)"', text, re.MULTILINE):
            folder = os.path.dirname(os.path.normpath(os.path.join(own, header)))
            if folder.split("/")[:2] != own.split("/")[:2]:
                bad.append(f"{name}: includes {header}")
        bad += [f"{name}: includes <{header}>" for header in re.findall(r"^\s*#\s*include\s+<([^>]+)>", text, re.MULTILINE)
                if "servers" in header.split("/") or "-internal" in header]
    none_of(bad)


def test_every_folder_is_told_of(_folder):
    with open(os.path.join(ROOT, "docs", "architecture.md"), encoding="utf-8") as file:
        told = file.read()
    none_of([f"docs/architecture.md does not tell of {top}/{name}" for top in ("lib", "servers")
             for name in sorted(os.listdir(os.path.join(ROOT, top)))
             if os.path.isdir(os.path.join(ROOT, top, name)) and f"`{top}/{name}`" not in told])
