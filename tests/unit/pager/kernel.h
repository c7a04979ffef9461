/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel: what lib/pager meets in its kernel, for one memory object: pages that are here or not, changed or not, locked
   against writing or not; and the queue of messages to the pager, which are handled when the test says so.  One thread
   does everything.

   Races.  Whatever another thread of the server could do at some moment is done there: before and after the kernel
   takes in a message about pages that may be changed from now on, `kernel_between` is called, if the pager's lock is
   free for others at that moment, and only then.  */
#ifndef PAGER_UNIT_KERNEL_H
#define PAGER_UNIT_KERNEL_H

#include "memory_object_S.h"

/* Fewer than a sync asks for at a time, for it would then wait for an answer.  */
enum { PAGES = 31, CONTROL = 77, NAME = 78 };

struct page { bool here, dirty, locked; uint8_t value; };
extern struct page kernel_pages[PAGES];
/* Each page of the file on the disk is its value, repeated.  */
extern uint8_t kernel_disk[PAGES];
/* What ports_memory_state says.  */
extern enum ports_memory kernel_memory;
/* See above; null: nothing.  */
extern void (*kernel_between)(struct pager *pager);

/* A pager with the file, and the kernel has its object; all pages of the disk are 0, none is here.  */
struct pager *kernel_start(void);
/* Handles all messages and ends it.  */
void kernel_end(struct pager *pager);
/* Handles the first message that waits; false: there was none.  */
bool kernel_step(struct pager *pager);
void kernel_drain(struct pager *pager);

/* A program looks at a page; writes to it.  Messages are handled until it can.  */
uint8_t kernel_read(struct pager *pager, unsigned int page);
void kernel_write(struct pager *pager, unsigned int page, uint8_t value);
/* The kernel needs the page's memory.  */
void kernel_evict(unsigned int page);

#endif /* PAGER_UNIT_KERNEL_H */
