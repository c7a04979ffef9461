/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading and writing user memory inline, for paths on which a call counts: eight bytes at a time.  Each may fault, and block; an address
   that cannot be used makes it false, as with copy_from_user (entry.S).  The caller has compared the address with USER_LIMIT. */

#ifndef X86_64_USER_H
#define X86_64_USER_H

#include <stdbool.h>
#include <stdint.h>

#define USER_LIMIT 0x800000000000ul

/* What goes on at LABEL if the instruction at 1 faults in vain. */
#define USER_FIXUP(label) ".pushsection .fixup, \"a\"\n.quad 1b, %l[" #label "]\n.popsection"

static inline bool user_load(uint64_t from, uint64_t *value)
{
    uint64_t loaded;
    __asm__ volatile goto("1: movq %[from], %[loaded]\n" USER_FIXUP(fault) : [loaded] "=r"(loaded) : [from] "m"(*(const uint64_t *)from) : : fault);
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
