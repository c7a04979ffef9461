/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pager: memory that hurts to touch.  One object never answers, one answers with errors, one dies at the first
   question. */

#include "hostile.h"

#include <mach/mach_port.h>
#include <mach/memory_object.h>
#include <pthread.h>

enum { SILENT, FAILING, DYING, BEHAVIOURS, REGION = 1 << 20 };
enum { INIT = 2200, DATA_REQUEST = 2203 };

static struct hostile_object { mach_port_t port; char *memory; } objects[BEHAVIOURS];
static mach_port_t port_set;

/* What the kernel sends: all have the control port first. */
struct question {
    mach_msg_header_t head;
    mach_msg_type_t control_type;
    mach_port_name_inlined_t control;
    mach_msg_type_t second_type;
    uint64_t second;
    mach_msg_type_t third_type;
    uint64_t third;
    char rest[256];
};

static void question_answer(const struct question *q)
{
    if (q->head.msgh_id == INIT) {
        memory_object_ready(q->control.name, FALSE, MEMORY_OBJECT_COPY_DELAY);
        return;
    }
    if (q->head.msgh_id != DATA_REQUEST)
        return;
    if (q->head.msgh_local_port == objects[FAILING].port)
        memory_object_data_error(q->control.name, q->second, q->third, EIO);
    else if (q->head.msgh_local_port == objects[DYING].port)
        mach_port_destroy(mach_task_self(), objects[DYING].port);
}

static void *pager_main(void *arg)
{
    struct question question;
    for (;;)
        if (mach_msg(&question.head, MACH_RCV_MSG, 0, sizeof question, port_set, 0, MACH_PORT_NULL) == 0)
            question_answer(&question);
    return arg;
}

static error_t object_create(struct hostile_object *object)
{
    vm_address_t address = 0;
    error_t err = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &object->port);
    if (!err)
        err = mach_port_insert_right(mach_task_self(), object->port, object->port, MACH_MSG_TYPE_MAKE_SEND);
    if (!err)
        err = mach_port_move_member(mach_task_self(), object->port, port_set);
    if (!err)
        err = vm_map(mach_task_self(), &address, REGION, 0, TRUE, object->port, 0, TRUE, VM_PROT_READ | VM_PROT_WRITE,
                     VM_PROT_READ | VM_PROT_WRITE, VM_INHERIT_NONE);
    object->memory = err ? NULL : (void *) address;
    return err;
}

static error_t pager_start(void)
{
    pthread_t thread;
    error_t err = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &port_set);
    if (!err)
        err = pthread_create(&thread, NULL, pager_main, NULL);
    return err ? err : pthread_detach(thread);
}

void *pager_memory(size_t size)
{
    if (size > REGION || (!MACH_PORT_VALID(port_set) && pager_start() != 0))
        return NULL;
    struct hostile_object *object = &objects[below(BEHAVIOURS)];
    mach_port_type_t type;
    bool dead = object->memory &&
                (mach_port_type(mach_task_self(), object->port, &type) != 0 || !(type & MACH_PORT_TYPE_RECEIVE));
    if (dead) {
        vm_deallocate(mach_task_self(), (vm_address_t) object->memory, REGION);
        object->memory = NULL;
    }
    if (!object->memory && object_create(object) != 0)
        return NULL;
    return object->memory + below((REGION - size) / vm_page_size + 1) * vm_page_size;
}
