/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The threads' kernel stacks (stack.c).  Lock: the kernel lock. */

#ifndef X86_64_STACK_H
#define X86_64_STACK_H

#include "../../base/base.h"

/* Makes the area that stacks are in part of the kernel's address space, which pmaps made afterwards have. */
void stack_init(void);
/* KERNEL_STACK_SIZE bytes of mapped memory, contents undefined, with nothing mapped below; their lowest address.  NULL:
   no memory. */
char *stack_alloc(void);
/* No processor runs on STACK. */
void stack_free(char *stack);
/* Unmaps and frees the stacks that are kept for the next threads; false: there are none. */
bool stack_kept_free(void);
/* Is ADDRESS in the area, and nothing there?  Then a stack above it has overflowed. */
bool stack_guards(uint64_t address);

#endif
