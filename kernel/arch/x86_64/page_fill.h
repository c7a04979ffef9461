/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clearing and copying whole pages, the kernel's largest single pieces of work: 32 bytes an instruction where the
   processor has AVX (page_fill.S), eight otherwise. */

#ifndef X86_64_PAGE_FILL_H
#define X86_64_PAGE_FILL_H

#include "../../base/base.h"

/* Constant after the boot processor's cpu_init: AVX is on; and XGETBV tells which states are in use. */
extern bool cpu_has_avx, cpu_tells_states;

void page_clear_wide(void *page);
void page_copy_wide(void *to, const void *from);

/* PAGE, TO and FROM are addresses of whole pages. */
static inline void page_fill_zero(void *page)
{
    if (likely(cpu_has_avx))
        page_clear_wide(page);
    else
        memset(page, 0, 4096);
}
static inline void page_fill_copy(void *to, const void *from)
{
    if (likely(cpu_has_avx))
        page_copy_wide(to, from);
    else
        memcpy(to, from, 4096);
}

#endif
