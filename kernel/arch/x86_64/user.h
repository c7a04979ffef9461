/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading and writing user memory inline, for paths on which a call counts: eight bytes at a time.  Each may fault, and block; an address
   that cannot be used makes it false, as with copy_from_user (entry.S).  The caller has made sure by user_lower that the first address is not one
   of the kernel's; from there a row of accesses runs into addresses that nobody has. */

#ifndef X86_64_USER_H
#define X86_64_USER_H

#include <stdbool.h>
#include <stdint.h>

static inline bool user_lower(uint64_t address)
{
    return (int64_t)address >= 0;
}

/* What goes on at LABEL if the instruction at 1 faults in vain. */
#define USER_FIXUP(label) ".pushsection .fixup, \"a\"\n.quad 1b, %l[" #label "]\n.popsection"

static inline bool user_load32(uint64_t from, uint32_t *value)
{
    uint32_t loaded;
    __asm__ volatile goto("1: movl %[from], %[loaded]\n" USER_FIXUP(fault) : [loaded] "=r"(loaded) : [from] "m"(*(const uint32_t *)from) : : fault);
    *value = loaded;
    return true;
fault:
    return false;
}

static inline bool user_store(uint64_t to, uint64_t value)
{
    __asm__ volatile goto("1: movq %[value], %[to]\n" USER_FIXUP(fault) : : [to] "m"(*(uint64_t *)to), [value] "r"(value) : "memory" : fault);
    return true;
fault:
    return false;
}

/* COUNT words of eight bytes; one of the addresses is the user's. */
static inline bool user_move(void *to, const void *from, uint64_t count)
{
    __asm__ volatile goto("1: rep movsq\n" USER_FIXUP(fault) : "+D"(to), "+S"(from), "+c"(count) : : "memory" : fault);
    return true;
fault:
    return false;
}

#endif
