#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares what MIG makes of interface/hurd/*.defs with the tables of the Hurd's wire protocols.

    check_interface.py [--verbose] [INTERFACE...]

For each interface: its message ids, whether a routine answers, the arguments in their order in the request and in the answer
with name, size and number of each one's elements, in line or not, what the server gives away, which arrays come with a copy flag.
Then the constants, as the compiler sees them.  One line an interface, a line for each difference, and `N passed, N failed`.

The tables (hurd-rpc.tsv, hurd-types.tsv, hurd-constants.tsv) are facts read off the Hurd's public interfaces of mid 2025; they are
never made from our own files.  Needs what toolchain/setup makes (MIG, the sysroot).
"""

import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
MIG = os.path.join(ROOT, "toolchain", "mig")
CC = os.path.join(ROOT, "toolchain", "x86_64-gnu-gcc")

PORT = {
    "mach_port_t": "COPY_SEND", "mach_port_copy_send_t": "COPY_SEND", "mach_port_make_send_t": "MAKE_SEND",
    "mach_port_send_t": "POLYMORPHIC", "mach_port_poly_t": "POLYMORPHIC", "mach_port_move_receive_t": "MOVE_RECEIVE",
    "mach_port_move_send_t": "MOVE_SEND", "task_t": "COPY_SEND", "thread_t": "COPY_SEND", "host_priv_t": "COPY_SEND",
    "device_t": "COPY_SEND", "ctty_t": "COPY_SEND", "memory_object_t": "COPY_SEND", "memory_object_name_t": "COPY_SEND",
}
# The kernel's own types, and those of the ioctls, which the tables use without telling.
SCALAR = {
    "char": ("CHAR", 8), "short": ("INTEGER_16", 16), "int": ("INTEGER_32", 32), "int32_t": ("INTEGER_32", 32),
    "uint32_t": ("INTEGER_32", 32), "int64_t": ("INTEGER_64", 64), "uint64_t": ("INTEGER_64", 64), "natural_t": ("INTEGER_32", 32),
    "integer_t": ("INTEGER_32", 32), "boolean_t": ("BOOLEAN", 32), "long_natural_t": ("INTEGER_64", 64),
    "mach_msg_id_t": ("INTEGER_32", 32), "mach_msg_type_number_t": ("INTEGER_32", 32), "vm_address_t": ("INTEGER_64", 64),
    "vm_offset_t": ("INTEGER_64", 64), "vm_size_t": ("INTEGER_64", 64), "recnum_t": ("INTEGER_64", 64),
}
OTHER = {
    "mach_port_name_array_t": "array[] of mach_port_name_t", "thread_state_t": "array[*:1024] of natural_t",
    "time_value_t": "struct { int64_t a; int b; }", "modes_t": "array[4] of int", "ccs_t": "array[20] of char",
    "speeds_t": "array[2] of int", "winsize_t": "struct[4] of short", "ifname_t": "array[16] of char",
    "sockaddr_t": "struct[16] of char", "srtentry_t": "struct[10] of int", "vm_size_array_t": "array[] of vm_size_t",
    "recnum_array_t": "array[] of recnum_t", "mach_port_array_t": "array[] of mach_port_t",
    "default_pager_filename_t": "(STRING_C, 2048)", "new_default_pager_filename_t": "c_string[256]",
    "default_pager_info_t": "struct { vm_size_t a; vm_size_t b; vm_size_t c; }",
    "default_pager_object_t": "struct { vm_offset_t a; vm_size_t b; }", "default_pager_page_t": "struct { vm_offset_t a; }",
    "default_pager_object_array_t": "array[] of default_pager_object_t",
    "default_pager_page_array_t": "array[] of default_pager_page_t",
}
UTSNAME_LENGTH = 1024


def table(name):
    with open(os.path.join(HERE, name)) as file:
        return [line.rstrip("\n").split("\t") for line in file][1:]


class Wire:
    """What one argument is on the wire: element name, element bits, number, kind (scalar, fixed, long, variable)."""

    def __init__(self, name, bits, number=1, kind="scalar"):
        self.name, self.bits, self.number, self.kind = name, bits, number, kind

    def size(self):
        return self.bits * self.number // 8

    def long_form(self):
        """Whether its descriptor is the long one: also what does not fit the short one's 8 bits of size, 12 of number."""
        return self.kind == "long" or self.bits > 255 or self.number > 4095

    def alignment(self):
        return self.bits // 8

    def __str__(self):
        return f"{self.name}:{self.bits}x{self.number if self.kind != 'long' else 'n'}"


class Types:
    def __init__(self):
        self.definitions = dict(OTHER)
        self.definitions.update({row[0]: row[1] for row in table("hurd-types.tsv")})

    def wire(self, text):
        """The wire form of a type, given by name or as a MIG expression."""
        text = text.strip()
        if text in PORT:
            return Wire(PORT[text], 64)
        if text in SCALAR:
            return Wire(*SCALAR[text])
        if text == "mach_port_name_t":
            return Wire("PORT_NAME", 32)
        if text in self.definitions:
            return self.wire(self.definitions[text])
        match = re.fullmatch(r"MACH_MSG_TYPE_(PORT_SEND|MAKE_SEND)", text)
        if match:
            return Wire("POLYMORPHIC" if match[1] == "PORT_SEND" else match[1], 64)
        match = re.fullmatch(r"\((\w+), (\d+)\)", text)
        if match:
            return Wire(match[1], int(match[2]))
        match = re.fullmatch(r"c_string\[(\d+)\]", text)
        if match:
            return Wire("STRING_C", 8, int(match[1]), "fixed")
        match = re.fullmatch(r"(array|struct)\s*\[([^]]*)\] of (\w+)", text)
        if match:
            return self.array(match[2], self.wire(match[3]))
        match = re.fullmatch(r"struct\s*\{(.*)\}", text)
        if match:
            return self.structure(match[1])
        raise KeyError(text)

    @staticmethod
    def array(count, element):
        if count == "":
            return Wire(element.name, element.bits, 0 if element.number == 1 else element.number, "long")
        if count.startswith("*"):
            return Wire(element.name, element.bits, int(count[2:]), "variable")
        number = eval(count, {"_UTSNAME_LENGTH": UTSNAME_LENGTH})  # pylint: disable=eval-used
        return Wire(element.name, element.bits, number, "fixed")

    def structure(self, body):
        """A structure travels as elements as wide as its alignment, padding included."""
        offset, alignment = 0, 1
        for member in body.strip().rstrip(";").split(";"):
            wire = self.wire(member.strip().rsplit(" ", 1)[0])
            offset += -offset % wire.alignment() + wire.size()
            alignment = max(alignment, wire.alignment())
        offset += -offset % alignment
        return Wire({8: "INTEGER_64", 4: "INTEGER_32"}[alignment], alignment * 8, offset // alignment, "fixed")


class Argument:
    def __init__(self, text, types):
        match = re.fullmatch(r"(?:(in|out|inout|\w+port|waittime|msgseqno)\s+)?(\w+)\s*:\s*(.*)", text.strip())
        self.direction, self.name, rest = match[1] or "in", match[2], match[3]
        rest, *flags = [part.strip() for part in re.split(r",(?![^{]*\})", rest)]
        self.flags = {flag.lower() for flag in flags}
        self.type = rest.split("=")[-1].strip()
        self.carried = self.direction in ("in", "out", "inout") and self.type not in ("reply_port_t", "sreply_port_t")
        self.wire = types.wire(self.type) if self.carried else None


class Routine:
    """One row of hurd-rpc.tsv."""

    def __init__(self, row, types):
        self.interface, self.base, self.id, self.kind, self.name = row[0], int(row[1]), int(row[2]), row[3], row[4]
        text = re.sub(r"(?<!\|) REPLYPORT", " | REPLYPORT", row[5].replace("| LAST", ""))
        text = text.replace("RETURN_CODE_ARG", "in return_code: int")
        words = [word.strip() for word in text.split(" | ") if word.strip() and word.strip() != "REPLYPORT"]
        # The first is the request port; a request interface's reply port travels as one, whatever the row calls it.
        self.arguments = [a for a in (Argument(word, types) for word in words[1:]) if a.carried]

    def sent(self):
        return [a for a in self.arguments if a.direction in ("in", "inout")]

    def request_names(self):
        """What the request carries; of an array that is `CountInOut' the room that the caller has for it."""
        names = [a.name if a.direction != "out" else f"{a.name}Cnt" for a in self.arguments
                 if a.direction in ("in", "inout") or "countinout" in a.flags]
        return names

    def answered(self):
        return [a for a in self.arguments if a.direction in ("out", "inout")]


class Stub:
    """One routine as MIG wrote it: its structures' members and the type descriptors."""

    def __init__(self, text):
        self.text = text
        # In a server the reply's structure may hold the return code first; it is no argument.
        self.structures = {name: re.findall(r"mach_msg_type(?:_long)?_t (\w+)Type;", body)
                           for body, name in re.findall(r"typedef struct \{(.*?)\n\t\} (Request|Reply);", text, re.S)}
        self.descriptors = {}
        pattern = r"const mach_msg_type(_long)?_t (\w+)Type = \{(.*?)\n\t?\};"
        for long, name, body in re.findall(pattern, text, re.S):
            field = dict(re.findall(r"\.(msgtl?_\w+) =\s*(?:\(unsigned char\) )?(?:MACH_MSG_TYPE_)?(\w+)", body))
            prefix = "msgtl" if "msgtl_name" in field and field.get("msgtl_name") else "msgt"
            name_ = field.get("msgtl_name") or field.get("msgt_name")
            self.descriptors[name] = {"name": name_, "long": bool(long) or field.get("msgt_longform") == "TRUE",
                                      "bits": int(field.get("msgtl_size") or field["msgt_size"]),
                                      "number": int(field.get("msgtl_number") or field["msgt_number"]), "prefix": prefix}


def stubs(path):
    """All routines of a generated file by name."""
    with open(path) as file:
        text = file.read()
    parts = re.split(r"/\* (Routine|SimpleRoutine) (\w+) \*/", text)
    return {parts[i + 1]: (parts[i].lower(), Stub(parts[i + 2])) for i in range(1, len(parts), 3)}


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stdout[-2000:]}")


def compare_wire(where, argument, descriptor):
    wire = argument.wire
    if descriptor is None:
        yield f"{where}: {argument.name} has no descriptor"
        return
    got = (descriptor["name"], descriptor["bits"])
    if got != (wire.name, wire.bits):
        yield f"{where}: {argument.name} is {got[0]}:{got[1]}, the table says {wire}"
    if descriptor["long"] != wire.long_form():
        yield f"{where}: {argument.name}: the descriptor's form (long, short) is not that of {wire}"
    if wire.kind in ("scalar", "fixed") and descriptor["number"] != wire.number:
        yield f"{where}: {argument.name} has {descriptor['number']} elements, the table says {wire}"


def compare_list(where, arguments, names, stub, structure):
    members = [name for name in stub.structures.get(structure, []) if name != "RetCode"]
    if members != names:
        yield f"{where}: {structure.lower()} carries {members}, the table says {names}"
        return
    for argument in arguments:
        yield from compare_wire(f"{where} {structure.lower()}", argument, stub.descriptors.get(argument.name))


def given_away(argument):
    """What becomes of an answer's array out of line: it leaves the server, stays, or as a flag of the routine says."""
    if argument.wire.kind != "long" or not any(flag.startswith("dealloc") for flag in argument.flags):
        return "stays"
    return "flag" if "dealloc[]" in argument.flags else "leaves"


def stub_gives_away(argument, text):
    found = re.search(rf"Out\w*P->{argument.name}Type\.msgtl_header\.msgt_deallocate = (\w+)", text)
    return {None: "stays", "FALSE": "stays", "TRUE": "leaves"}.get(found and found[1], "flag")


def compare_routine(routine, user, server):
    kind, stub = user
    if kind != routine.kind:
        yield f"{routine.name} is a {kind}, the table says {routine.kind}"
    ids = re.findall(r"InP->Head.msgh_id = (\d+);", stub.text)
    if ids != [str(routine.id)]:
        yield f"{routine.name} has id {ids}, the table says {routine.id}"
    reply = re.findall(r"OutP->Head.msgh_id != (\d+)", stub.text)
    if routine.kind == "routine" and reply != [str(routine.id + 100)]:
        yield f"{routine.name}'s answer has id {reply}, the table says {routine.id + 100}"
    yield from compare_list(routine.name, routine.sent(), routine.request_names(), stub, "Request")
    if routine.kind == "routine":
        yield from compare_list(routine.name, routine.answered(), [a.name for a in routine.answered()],
                                server, "Reply")
    for argument in routine.answered():
        if given_away(argument) != stub_gives_away(argument, server.text):
            yield f"{routine.name}: whether the server gives {argument.name} away differs from the table"
    for argument in routine.sent():
        if ("servercopy" in argument.flags) != (f"{argument.name}SCopy" in server.text):
            yield f"{routine.name}: {argument.name}'s copy flag differs from the table"


def server_stubs(path):
    """A server file's routines; their bodies stand behind the comment, as in a user file."""
    return {name: stub for name, (_, stub) in stubs(path).items()}


def check_interface(name, routines, folder):
    defs = os.path.join(ROOT, "interface", "hurd", f"{name}.defs")
    user_c, server_c = os.path.join(folder, f"{name}.user.c"), os.path.join(folder, f"{name}.server.c")
    try:
        run(MIG, "user", defs, user_c, os.path.join(folder, f"{name}.user.h"))
        run(MIG, "server", defs, server_c, os.path.join(folder, f"{name}.server.h"), "--prefix", "")
    except RuntimeError as error:
        return [str(error)]
    user, server = stubs(user_c), server_stubs(server_c)
    differences = [f"{extra} is not in the table" for extra in sorted(set(user) - {r.name for r in routines})]
    for routine in routines:
        if routine.name not in user or routine.name not in server:
            differences.append(f"{routine.name} ({routine.id}) is missing")
        else:
            differences += compare_routine(routine, user[routine.name], server[routine.name])
    return differences


def check_constants(folder):
    source = os.path.join(folder, "constants.c")
    with open(source, "w") as file:
        file.write("#define _GNU_SOURCE\n#include <hurd/hurd_types.h>\n#include <hurd/paths.h>\n")
        for name, value in table("hurd-constants.tsv"):
            value = re.sub(r"/\*.*\*/", "", value).strip()
            equal = f"__builtin_strcmp({name}, {value}) == 0" if '"' in value else f"({name}) == ({value})"
            file.write(f'_Static_assert({equal}, "{name}");\n')
        file.write("_Static_assert(sizeof(struct procinfo) == 9 * 4 + 4 + sizeof(struct task_basic_info)"
                   " + sizeof(struct task_events_info), \"procinfo\");\n"
                   "_Static_assert(sizeof(struct pci_bar) == 24 && sizeof(struct pci_xrom_bar) == 16, \"pci\");\n")
    done = subprocess.run([CC, "-fsyntax-only", f"-I{ROOT}/interface", source], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    return [line for line in done.stdout.splitlines() if "error" in line] if done.returncode else []


def main():
    wanted = [word for word in sys.argv[1:] if not word.startswith("-")]
    types = Types()
    interfaces = {}
    for row in table("hurd-rpc.tsv"):
        interfaces.setdefault(row[0], []).append(Routine(row, types))
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {name: pool.submit(check_interface, name, routines, folder)
                for name, routines in interfaces.items() if not wanted or name in wanted}
        if not wanted or "constants" in wanted:
            jobs["constants"] = pool.submit(check_constants, folder)
        for name, job in jobs.items():
            differences = job.result()
            count = f"{len(interfaces[name])} routines" if name in interfaces else "hurd_types.h, paths.h"
            print(f"{name}: {count}: {'ok' if not differences else 'FAILED'}")
            for difference in differences:
                print(f"    {difference}")
            passed, failed = passed + (not differences), failed + bool(differences)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
