/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel has, as text on the console: for the debugger and for panics.  Nothing here changes or allocates
   anything; the kernel lock is held. */

#ifndef TRACE_DUMP_H
#define TRACE_DUMP_H

#include <stdint.h>

struct task;
struct thread;

/* Every task on a line: its number here, its address, name, threads, names and memory. */
void dump_tasks(void);
/* Its threads: what each does or waits for. */
void dump_task(struct task *task);
/* THREAD, and the calls on its kernel stack. */
void dump_thread(struct thread *thread);
/* The names of TASK's space, and what ports they are of. */
void dump_ports(struct task *task);
/* The entries of TASK's map. */
void dump_map(struct task *task);
/* Physical pages, and the kernel's caches of objects. */
void dump_memory(void);
void dump_caches(void);

/* The task by its number, name or address in TEXT; NULL: none. */
struct task *dump_task_lookup(const char *text);
/* The thread at that address; NULL: there is none. */
struct thread *dump_thread_lookup(uint64_t address);

#endif
