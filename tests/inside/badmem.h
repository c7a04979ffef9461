/* SPDX-License-Identifier: GPL-2.0-or-later */
/* badmem.h: memory that cannot be read, for sending to servers or pointing them at: the pages of a memory object of our
   own whose every page is an error, or never comes. */

#ifndef INSIDE_BADMEM_H
#define INSIDE_BADMEM_H

#include <mach.h>
#include <mach/mach_interface.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

enum { BADMEM_INIT = 2200, BADMEM_DATA_REQUEST = 2203 };  /* message ids of memory_object.defs */

struct badmem {
    mach_port_t object;         /* receive right */
    bool answers;               /* with an error; else never */
};

/* What is common to memory_object_init and _data_request: the control port, and in the second what is asked for. */
struct badmem_message {
    mach_msg_header_t head;
    mach_msg_type_t control_type;
    mach_port_name_inlined_t control;
    mach_msg_type_t offset_type;
    vm_offset_t offset;
    mach_msg_type_t length_type;
    vm_size_t length;
    char rest[256];
};

static void *badmem_main(void *arg)
{
    struct badmem *bad = arg;
    struct badmem_message m;
    for (;;) {
        m.head.msgh_local_port = bad->object;
        m.head.msgh_size = sizeof m;
        if (mach_msg(&m.head, MACH_RCV_MSG, 0, sizeof m, bad->object, MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL))
            return NULL;
        if (m.head.msgh_id == BADMEM_INIT)
            memory_object_ready(m.control.name, FALSE, MEMORY_OBJECT_COPY_DELAY);
        else if (m.head.msgh_id == BADMEM_DATA_REQUEST && bad->answers)
            memory_object_data_error(m.control.name, m.offset, m.length, KERN_FAILURE);
    }
}

/* SIZE bytes of such memory; NULL if there is none.  It stays until the program ends. */
static void *badmem_create(size_t size, bool answers)
{
    vm_address_t address = 0;
    pthread_t thread;
    struct badmem *bad = malloc(sizeof *bad);
    sigset_t all, before;
    *bad = (struct badmem) { MACH_PORT_NULL, answers };
    if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &bad->object)
        || mach_port_insert_right(mach_task_self(), bad->object, bad->object, MACH_MSG_TYPE_MAKE_SEND))
        return NULL;
    /* Signals are for the tester's own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int err = pthread_create(&thread, NULL, badmem_main, bad);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err)
        return NULL;
    pthread_detach(thread);
    if (vm_map(mach_task_self(), &address, size, 0, TRUE, bad->object, 0, FALSE, VM_PROT_ALL, VM_PROT_ALL,
               VM_INHERIT_SHARE))
        return NULL;
    return (void *) address;
}

#endif
