/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for addresses, and the calls on a stack. */

#include "symbols.h"

#include "../arch/x86_64/layout.h"
#include "../base/base.h"

#define FRAMES_MAX 32

/* Not there in the image of the first link. */
extern const struct symbol symbol_table[] __attribute__((weak));
extern const uint32_t symbol_count __attribute__((weak));
extern const char symbol_names[] __attribute__((weak));
extern char text_end[];

const char *symbol_lookup(uint64_t address, uint64_t *offset)
{
    if (&symbol_count == NULL || address < IMAGE_BASE || address >= (uint64_t)text_end)
        return NULL;
    uint32_t relative = (uint32_t)(address - IMAGE_BASE), low = 0, high = symbol_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (symbol_table[middle].address <= relative)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    *offset = relative - symbol_table[low - 1].address;
    return symbol_names + symbol_table[low - 1].name;
}

void symbol_print(uint64_t address)
{
    uint64_t offset;
    const char *name = symbol_lookup(address, &offset);
    if (name)
        kprintf("  %lx %s+0x%lx\n", address, name, offset);
    else
        kprintf("  %lx\n", address);
}

void backtrace_print(const uint64_t *frame)
{
    for (unsigned int i = 0; i < FRAMES_MAX && (uint64_t)frame >= DIRECT_MAP && (uint64_t)frame % 8 == 0; i++) {
        /* Where a frame pointer led into user mode, the kernel's part ends. */
        if (frame[1] < DIRECT_MAP)
            break;
        symbol_print(frame[1]);
        if (frame[0] <= (uint64_t)frame)
            break;
        frame = (const uint64_t *)frame[0];
    }
}
