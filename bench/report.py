# SPDX-License-Identifier: GPL-2.0-or-later
"""What bench/run prints: tables in Markdown, and the account of functions."""

import sys

from counts import CLIENTS

# name → instructions an operation (a byte where the operation moves bytes) of the real Hurd
REAL_HURD = {"boot-to-runsystem": 88e6, "read-cold": 23.8, "read-cached": 33.2, "fork-exit-wait": 0.54e6, "exec-static": 1.39e6,
             "exec-dynamic": 2.58e6, "getpgid": 4149, "fstat": 4992, "stat": 38600, "open-close": 35000,
             "create-write-unlink": 332000, "pipe": 27900}
REAL_HURD_WALL = {"kernel banner to prompt, s": 5.5, "read-cold MB/s": 8, "read-cached MB/s": 18, "exec-static ms": 20, "exec-dynamic ms": 40,
                  "disk reads in a boot": 999, "KiB a disk read in a boot": 4}
FUNCTIONS_SHOWN = 12
# Functions of GNU Mach, and of our kernel, that tell how often something was asked of it.
CALLS = {"mach_msg_trap": "messages and RPCs", "trap_mach_msg": "messages and RPCs", "vm_fault": "page faults", "pmap_copy_page": "pages copied",
         "pmap_zero_page": "pages cleared", "thread_invoke": "changes of threads", "switch_to": "changes of threads"}


def number(value):
    if value is None:
        return ""
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def table(title, columns, rows):
    """A table in Markdown that can be read as it is."""
    rows = [[row[0], *(cell if isinstance(cell, str) else number(cell) for cell in row[1:])] for row in rows]
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    print(f"\n### {title}\n")
    for row in [columns, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])], *rows]:
        print("| " + " | ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]) + " |")
    sys.stdout.flush()


def ratio(value, reference):
    return value / reference if reference else None


def print_instructions(counted, on_linux):
    """COUNTED: kernel → name → Share.  The ratios are the first kernel's."""
    first, rows = next(iter(counted.values())), []
    for name, share in first.items():
        hurd, other = REAL_HURD.get(name), on_linux.get(name)
        ours = [shares[name].total for shares in counted.values()]
        rows.append([name, *ours, hurd, ratio(share.total, hurd), other and other.total, other and ratio(share.total, other.total)])
    table("Instructions an operation (a byte for reads and writes in order)", ["", *counted, "real Hurd", "ratio", "Linux", "ratio"], rows)


def print_shares(kernel, counted, moving):
    """Who spends them; for operations that move bytes, a KiB."""
    rows = []
    for name, share in counted.items():
        unit = 1024 if name in moving else 1
        spaces = dict(share.spaces)
        client = [sum(share.spaces.get(who, (0, 0))[i] for who in CLIENTS) for i in (0, 1)]
        spaces = {who: value for who, value in spaces.items() if who not in CLIENTS}
        known = [spaces.pop(who, (0, 0)) for who in ("ext2fs", "rumpdisk")]
        rest = [sum(value[i] for value in spaces.values()) for i in (0, 1)]
        if share.spaces:
            rows.append([name + (" (a KiB)" if unit > 1 else ""), *(f"{k * unit:,.0f} + {u * unit:,.0f}" for k, u in [client, *known, rest]),
                         share.switches * unit])
    table(f"By program, on {kernel}: the kernel's instructions on its behalf + its own; loads of the address space",
          ["", "client", "ext2fs", "rumpdisk", "others", "CR3 loads"], rows)


def said_most(functions, unit):
    most = sorted(functions.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {count * unit:,.0f}" for name, count in most[:FUNCTIONS_SHOWN] if count * unit >= 1)


def print_account(kernel, counted, moving):
    """Where they are spent: functions of the kernel, of each program and of the libraries in it."""
    print(f"\n### Where they are spent, on {kernel}: functions, and instructions in each\n")
    for name, share in counted.items():
        unit = 1024 if name in moving else 1
        asked = ", ".join(f"{share.calls[function] * unit:,.1f} {what}" for function, what in CALLS.items() if function in share.calls)
        print(f"- `{name}`: {number(share.total * unit)} instructions{' a KiB' if unit > 1 else ''}: {asked}")
        for program in ("", *share.spaces):
            functions = {function.rpartition(":")[2]: count for function, count in share.functions.items() if function.rpartition(":")[0] == program}
            total = sum(functions.values()) if not program else share.spaces[program][1]
            if functions and total * unit >= 1:
                print(f"  - {program or 'kernel'} {total * unit:,.0f}: {said_most(functions, unit)}")
