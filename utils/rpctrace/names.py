#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the table of the routines' ids and names (rpctrace.h) from what MIG makes of the .defs.

    names.py MIG OUT.c INTERFACE.defs...
"""

import os
import re
import subprocess
import sys
import tempfile


def main():
    mig, out, *defs = sys.argv[1:]
    names = {}
    with tempfile.TemporaryDirectory() as folder:
        for path in defs:
            stub = os.path.join(folder, "stub.c")
            subprocess.run([mig, "user", path, stub, stub[:-1] + "h"], check=True)
            with open(stub, encoding="utf-8") as file:
                for name, id_ in re.findall(r"/\* (?:Simple)?Routine (\w+) \*/.*?msgh_id = (\d+);", file.read(), re.S):
                    names.setdefault(int(id_), name)
    with open(out, "w", encoding="utf-8") as file:
        file.write('/* SPDX-License-Identifier: GPL-2.0-or-later */\n/* Made by names.py. */\n#include "rpctrace.h"\n')
        file.write("const struct routine_name routine_names[] = {\n")
        file.writelines(f'    {{{id_}, "{name}"}},\n' for id_, name in sorted(names.items()))
        file.write("};\nconst size_t routine_count = sizeof routine_names / sizeof *routine_names;\n")


if __name__ == "__main__":
    main()
