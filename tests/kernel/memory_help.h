/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_help.h: what the cases about memory share: threads that touch memory and tell how it ended, and memory objects
   whose pager is the case itself, which sees each message that the kernel sends. */

#ifndef TESTS_KERNEL_MEMORY_HELP_H
#define TESTS_KERNEL_MEMORY_HELP_H

#include "frame.h"

#define PAGE ((vm_size_t)4096)
#define LONG_WAIT 100000 /* ms: a message that will come */
#define SHORT_WAIT 30   /* ms: a message that should not come */

/* COUNT pages of this task, zeros. */
char *pages(unsigned int count);
void pages_drop(const void *at, unsigned int count);
/* What vm_region tells of the first region that ends behind AT in TASK; the right to its object's name is dropped, and
   `name` tells it apart from others.  KERN_NO_SPACE: there is none. */
struct region {
    vm_address_t start;
    vm_size_t size;
    vm_prot_t protection, max_protection;
    vm_inherit_t inheritance;
    boolean_t shared;
    mach_port_t name;
    vm_offset_t offset;
};
kern_return_t region_at(mach_port_t task, const void *at, struct region *region);
/* Is the byte at AT in a region?  (A thread that touched it would have its stack there by then.) */
bool mapped(const void *at);

/* A thread that reads or writes one byte. */
struct toucher {
    struct helper helper;
    mach_port_t exceptions, reply;
    volatile char *at;
    bool write;
    char value;
    volatile bool go, done;
};
enum { TOUCH_WAITS = -1 };

void touch_start(struct toucher *toucher, void *at, bool write, char value);
/* 0 when it has touched the byte (`value` is what it read), the exception's code when it got one, TOUCH_WAITS if
   neither within MS milliseconds; then touch_end must follow later. */
long touch_wait(struct toucher *toucher, unsigned int ms);
/* touch_wait with a long time, and the end of the thread. */
long touch_end(struct toucher *toucher);
/* One read or write from beginning to end: 0 or the exception's code. */
long touch_read(const void *at, char *value);
long touch_write(void *at, char value);

/* A message from the kernel to a pager, taken apart. */
#define ITEMS_MAX 6
struct pager_message {
    mach_msg_id_t id; /* 0: none came */
    unsigned int count;
    struct {
        uint64_t value;     /* the first element, or where the memory is */
        uint32_t number;    /* elements */
        bool memory;
    } item[ITEMS_MAX];
};
enum {
    MSG_INIT = 2200,
    MSG_TERMINATE = 2201,
    MSG_COPY = 2202,
    MSG_REQUEST = 2203,
    MSG_UNLOCK = 2204,
    MSG_LOCKED = 2206,
    MSG_SUPPLIED = 2207,
    MSG_RETURN = 2208,
    MSG_CHANGED = 2209
};
/* Takes the next message from PORT within MS milliseconds. */
struct pager_message pager_receive(mach_port_t port, unsigned int ms);

/* A memory object of this task. */
struct object {
    mach_port_t port, control, name;
    mach_port_t replies; /* for completed requests */
};
/* Makes it, maps SIZE bytes of it from OFFSET on and answers the kernel's first message with memory_object_ready. */
char *object_map(struct object *object, vm_offset_t offset, vm_size_t size, bool may_cache,
                 memory_object_copy_strategy_t strategy);
/* The parts of it. */
void object_create(struct object *object);
kern_return_t object_map_more(struct object *object, vm_offset_t offset, vm_size_t size, bool copy,
                              vm_prot_t protection, char **at);
void object_init_expect(struct object *object);
/* The next message for the object; the right that came with it is dropped, and data are taken and freed (their first
   byte is `data`). */
struct pager_message object_receive(struct object *object, unsigned int ms, char *data);
/* Expects the kernel's request for the page at OFFSET. */
void object_request_expect(struct object *object, vm_offset_t offset);
/* Supplies COUNT pages from OFFSET on, full of FILL, FILL + 1, … */
void object_supply(struct object *object, vm_offset_t offset, unsigned int count, char fill, vm_prot_t lock,
                   bool precious, bool reply);
/* Reads a byte at OFFSET in the mapping AT, answering the kernel's request with a page of FILL. */
void object_fill(struct object *object, char *at, vm_offset_t offset, char fill, vm_prot_t lock, bool precious);
kern_return_t object_lock(struct object *object, vm_offset_t offset, vm_size_t size, memory_object_return_t how,
                          bool flush, vm_prot_t lock);
/* Takes messages until memory_object_terminate, which must come; how many bytes were returned before, changed and not,
   is observed: the kernels divide them differently into messages. */
void object_terminate_expect(struct object *object);
/* Ends it without expecting anything. */
void object_drop(struct object *object);
/* Writes the message's fields into the transcript, rights left out. */
void message_observe(const struct pager_message *message);

#endif /* TESTS_KERNEL_MEMORY_HELP_H */
