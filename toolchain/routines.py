#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads ids, names and arguments of routines out of what MIG makes of interface files, and writes a table of them in C.

    routines.py names MIG OUT.c INTERFACE.defs...       ids and names, in the order of the ids (utils/rpctrace/rpctrace.h)
    routines.py arguments MIG OUT.c INTERFACE.defs...   all that a request has, by interface (tests/inside/hostile/hostile.h)
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


def interface_routines(mig, defs, folder):
    """(id, name, whether it has no answer, its arguments) of each routine of an interface file."""
    out = os.path.join(folder, "stub.c")
    subprocess.run([mig, "user", defs, out, out[:-1] + "h"], check=True)
    with open(out, encoding="utf-8") as file:
        parts = re.split(r"/\* (Routine|SimpleRoutine) (\w+) \*/", file.read())
    routines = []
    for i in range(1, len(parts), 3):
        ids = re.search(r"InP->Head.msgh_id = (\d+);", parts[i + 2])
        if ids:
            routines.append((int(ids[1]), parts[i + 1], parts[i] == "SimpleRoutine", list(arguments(parts[i + 2]))))
    return routines


def names_write(file, interfaces):
    names = {}
    for _, routines in interfaces:
        for id_, routine, _, _ in routines:
            names.setdefault(id_, routine)
    file.write('#include "rpctrace.h"\nconst struct routine_name routine_names[] = {\n')
    file.writelines(f'    {{{id_}, "{name}"}},\n' for id_, name in sorted(names.items()))
    file.write("};\nconst size_t routine_count = sizeof routine_names / sizeof *routine_names;\n")


def arguments_write(file, interfaces):
    file.write('#include "hostile.h"\n')
    for name, routines in interfaces:
        for id_, routine, _, args in routines:
            if args:
                file.write(f"static const struct argument {routine}_{id_}[] = {{\n")
                file.writelines(f'    {{ "{a}", {type_}, {bits}, {number}, {kind} }},\n' for a, type_, bits, number, kind in args)
                file.write("};\n")
        file.write(f"static const struct routine {name}_routines[] = {{\n")
        file.writelines(f'    {{ "{r}", {id_}, {str(simple).lower()}, {f"{r}_{id_}" if args else "NULL"}, {len(args)} }},\n'
                        for id_, r, simple, args in routines)
        file.write("};\n")
    file.write("const struct interface interfaces[] = {\n")
    file.writelines(f'    {{ "{n}", {n}_routines, sizeof {n}_routines / sizeof {n}_routines[0] }},\n' for n, _ in interfaces)
    file.write("    { NULL, NULL, 0 },\n};\n")


def main():
    what, mig, out, *defs = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        interfaces = [(os.path.basename(path)[:-5], interface_routines(mig, path, folder)) for path in defs]
    with open(out, "w", encoding="utf-8") as file:
        file.write("/* SPDX-License-Identifier: GPL-2.0-or-later */\n/* Made by toolchain/routines.py. */\n")
        {"names": names_write, "arguments": arguments_write}[what](file, interfaces)


if __name__ == "__main__":
    main()
