/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading and writing user memory inline, for paths on which a call counts: eight bytes at a time.  Each may fault, and
   block; an address that cannot be used makes it false, as with copy_from_user (entry.S).  The caller has made sure by
   user_lower that the first address is not one of the kernel's; from there a row of accesses runs into addresses that
   nobody has. */

#ifndef X86_64_USER_H
#define X86_64_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool user_lower(uint64_t address)
{
    return (int64_t)address >= 0;
}

#if __STDC_HOSTED__ /* in a unit test, where copying is the test's */
bool copy_from_user(void *to, uint64_t from, size_t size);
bool copy_to_user(uint64_t to, const void *from, size_t size);

static inline bool user_words_read(void *to, uint64_t from, uint64_t count)
{
    return copy_from_user(to, from, count * 8);
}

static inline bool user_words_write(uint64_t to, const void *from, uint64_t count)
{
    return copy_to_user(to, from, count * 8);
}
#else

/* What goes on at LABEL if the instruction at 1 faults in vain. */
#define USER_FIXUP(label) ".pushsection .fixup, \"a\"\n.quad 1b, %l[" #label "]\n.popsection"

static inline bool user_load32(uint64_t from, uint32_t *value)
{
    uint32_t loaded;
    __asm__ volatile goto("1: movl %[from], %[loaded]\n" USER_FIXUP(fault)
                          : [loaded] "=r"(loaded)
                          : [from] "m"(*(const uint32_t *)from)
                          :
                          : fault);
    *value = loaded;
    return true;
fault:
    return false;
}

static inline bool user_store(uint64_t to, uint64_t value)
{
    __asm__ volatile goto("1: movq %[value], %[to]\n" USER_FIXUP(fault)
                          :
                          : [to] "m"(*(uint64_t *)to), [value] "re"(value)
                          : "memory"
                          : fault);
    return true;
fault:
    return false;
}

static inline bool user_store32(uint64_t to, uint32_t value)
{
    __asm__ volatile goto("1: movl %[value], %[to]\n" USER_FIXUP(fault)
                          :
                          : [to] "m"(*(uint32_t *)to), [value] "ri"(value)
                          : "memory"
                          : fault);
    return true;
fault:
    return false;
}

/* The same if any fault is in vain: nothing blocks (struct fixup in trap.c). */
#define USER_FIXUP_NOW(label) ".pushsection .fixup, \"a\"\n.quad 1b, %l[" #label "] + 0x8000000000000000\n.popsection"

/* COUNT words of eight bytes; one of the addresses is the user's. */
static inline bool user_move(void *to, const void *from, uint64_t count)
{
    __asm__ volatile goto("1: rep movsq\n" USER_FIXUP(fault) : "+D"(to), "+S"(from), "+c"(count) : : "memory" : fault);
    return true;
fault:
    return false;
}

/* The same, but memory that is not there at once cannot be used. */
static inline bool user_move_now(void *to, const void *from, uint64_t count)
{
    __asm__ volatile goto("1: rep movsq\n" USER_FIXUP_NOW(fault)
                          : "+D"(to), "+S"(from), "+c"(count)
                          :
                          : "memory"
                          : fault);
    return true;
fault:
    return false;
}

/* copy_from_user and copy_to_user of COUNT words of eight bytes. */
static inline bool user_words_read(void *to, uint64_t from, uint64_t count)
{
    return user_lower(from) && user_move(to, (const void *)from, count);
}

static inline bool user_words_write(uint64_t to, const void *from, uint64_t count)
{
    return user_lower(to) && user_move((void *)to, from, count);
}

#endif

#endif
