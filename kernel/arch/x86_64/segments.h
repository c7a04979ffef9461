/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Segment descriptors of a thread's own (mach_i386.defs: i386_set_gdt, i386_set_ldt): places in the processor's tables
   that are its while it runs. */

#ifndef X86_64_SEGMENTS_H
#define X86_64_SEGMENTS_H

#include "cpu.h"

/* THREAD, which has `segments`, leaves the processor: its segment registers and bases are kept. */
void segments_leave(struct thread *thread);
/* NEXT is to run on CPU; NEXT has `segments`, or CPU has somebody's loaded. */
void segments_enter(struct cpu *cpu, struct thread *next);
/* THREAD ends: its descriptors go. */
void segments_drop(struct thread *thread);

#endif
