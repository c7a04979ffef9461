#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the table of all routines that the hostile tester sends (hostile.h says what a row is) from what MIG makes of the .defs.

    table.py MIG OUT.c INTERFACE.defs...
"""

import os
import re
import subprocess
import sys
import tempfile

NUMBERS = {"CHAR": 8, "BYTE": 9, "INTEGER_8": 9, "INTEGER_16": 1, "INTEGER_32": 2, "INTEGER_64": 11, "BOOLEAN": 0, "BIT": 0, "UNSTRUCTURED": 0,
           "STRING_C": 12, "STRING": 12, "REAL": 10, "PORT_NAME": 15, "MOVE_RECEIVE": 16, "PORT_RECEIVE": 16, "MOVE_SEND": 17, "PORT_SEND": 17,
           "MOVE_SEND_ONCE": 18, "PORT_SEND_ONCE": 18, "COPY_SEND": 19, "MAKE_SEND": 20, "MAKE_SEND_ONCE": 21, "POLYMORPHIC": 255}


def descriptors(text):
    """Name of argument: (type, bits, number, in line) of every constant descriptor in a stub."""
    found = {}
    for name, body in re.findall(r"const mach_msg_type(?:_long)?_t (\w+)Type = \{(.*?)\n\t?\};", text, re.S):
        field = dict(re.findall(r"\.msgtl?_(\w+) =\s*(?:\(unsigned char\) )?(?:MACH_MSG_TYPE_)?(\w+)", body))
        type_ = field["name"]
        found[name] = (NUMBERS[type_] if type_ in NUMBERS else int(type_), int(field["size"]), int(field["number"]), field["inline"] == "TRUE")
    return found


def arguments(text):
    """The arguments of a request in their order: (name, type, bits, number, kind)."""
    request = re.search(r"typedef struct \{((?:(?!typedef struct).)*?)\n\t\} Request;", text, re.S)
    known = descriptors(text)
    for name, member in re.findall(r"mach_msg_type(?:_long)?_t (\w+)Type;\n\t\t([^;]*(?:\{.*?\n\t\t\})?;)", request[1] if request else "", re.S):
        type_, bits, number, inline = known[name]
        union = member.startswith("union")
        variable = re.search(rf"InP->{name}Type\.msgtl?_(?:header\.msgt_)?number = ", text)
        kind = "OUT_OF_LINE" if not inline else "ARRAY" if union or variable and number >= 256 else "VARIABLE" if variable else "FIXED"
        yield name, type_, bits, number or 1, kind


def interface_rows(name, mig, defs, folder):
    out = os.path.join(folder, name + ".c")
    subprocess.run([mig, "user", defs, out, out[:-1] + "h"], check=True)
    with open(out) as file:
        parts = re.split(r"/\* (Routine|SimpleRoutine) (\w+) \*/", file.read())
    routines = []
    for i in range(1, len(parts), 3):
        ids = re.search(r"InP->Head.msgh_id = (\d+);", parts[i + 2])
        if ids:
            routines.append((int(ids[1]), parts[i + 1], parts[i] == "SimpleRoutine", list(arguments(parts[i + 2]))))
    return routines


def main():
    mig, out, *defs = sys.argv[1:]
    lines, names = [], []
    with tempfile.TemporaryDirectory() as folder:
        for path in defs:
            name = os.path.basename(path)[:-5]
            routines = interface_rows(name, mig, path, folder)
            names.append(name)
            for id_, routine, _, args in routines:
                if args:
                    lines.append(f"static const struct argument {routine}_{id_}[] = {{")
                    lines += [f'    {{ "{a}", {type_}, {bits}, {number}, {kind} }},' for a, type_, bits, number, kind in args]
                    lines.append("};")
            lines.append(f"static const struct routine {name}_routines[] = {{")
            lines += [f'    {{ "{r}", {id_}, {str(simple).lower()}, {f"{r}_{id_}" if args else "NULL"}, {len(args)} }},'
                      for id_, r, simple, args in routines]
            lines.append("};")
    with open(out, "w") as file:
        file.write("/* SPDX-License-Identifier: GPL-2.0-or-later */\n/* Made by table.py. */\n#include \"hostile.h\"\n" + "\n".join(lines) + "\n")
        file.write("const struct interface interfaces[] = {\n")
        file.writelines(f'    {{ "{n}", {n}_routines, sizeof {n}_routines / sizeof {n}_routines[0] }},\n' for n in names)
        file.write("    { NULL, NULL, 0 },\n};\n")


if __name__ == "__main__":
    main()
