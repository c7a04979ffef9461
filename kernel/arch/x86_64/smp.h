/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processors beyond the first: starting them, and what one asks of another. */

#ifndef X86_64_SMP_H
#define X86_64_SMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pmap;
struct cpu;

/* Starts every processor that firmware's tables list; each then waits for threads.  One that has no memory or does not
   start is left out, with a line that says so. */
void smp_start(void);

/* All processors but this one forget what they know of PMAP in [START, END) before this returns.  TABLES: page tables
   of it go, too. */
void smp_flush(struct pmap *pmap, uint64_t start, uint64_t end, bool tables);
/* All processors, this one too, forget all translations: something of the kernel's own has gone (stack.c). */
void smp_flush_kernel(void);
/* No processor has PMAP loaded when this returns; no thread may run on it any more. */
void smp_pmap_leave(struct pmap *pmap);

/* CPU, another one, looks at its ASTs and at the run queue. */
void smp_wake(const struct cpu *cpu);
/* All others stop for good: the end of the system. */
void smp_stop_others(void);

/* entry.S calls it at VECTOR_FLUSH; without the kernel lock. */
void smp_flush_interrupt(void);

#endif
