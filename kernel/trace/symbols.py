#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""symbols.py NM IMAGE OUTPUT: the functions of the kernel IMAGE, as assembler for the image that is linked next.

The table goes behind all code and data (section .symbols), so functions have the same addresses in both.  trace/symbols.h
tells its form."""
import subprocess
import sys

BASE = 0xffffffff80000000


def main():
    nm, image, output = sys.argv[1:]
    found = {}
    for line in subprocess.run([nm, image], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in 'tTW' and int(words[0], 16) >= BASE and not words[2].startswith('.'):
            found.setdefault(int(words[0], 16) - BASE, words[2])
    lines = ['    .section .symbols, "a"', '    .globl symbol_table', '    .globl symbol_count', '    .balign 8', 'symbol_table:']
    names, at = [], 0
    for address in sorted(found):
        lines.append('    .long 0x%x, %d' % (address, at))
        names.append('    .asciz "%s"' % found[address])
        at += len(found[address]) + 1
    lines += ['symbol_count: .long %d' % len(found), '    .globl symbol_names', 'symbol_names:'] + names
    lines.append('    .section .note.GNU-stack, "", @progbits')
    with open(output, 'w') as file:
        file.write('\n'.join(lines) + '\n')


main()
