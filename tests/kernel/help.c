/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What cases share: ports, empty messages, threads and tasks (frame.h). */

#include "frame.h"

#include <mach/thread_info.h>

#include "thread_start.h"

/* ---- ports --------------------------------------------------------------------------------------- */

mach_port_t port_create(void)
{
    mach_port_t name = MACH_PORT_NULL;
    if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &name))
        __builtin_trap();
    return name;
}

mach_port_t port_create_with_send(void)
{
    mach_port_t name = port_create();
    if (mach_port_insert_right(mach_task_self(), name, name, MACH_MSG_TYPE_MAKE_SEND))
        __builtin_trap();
    return name;
}

mach_port_t port_create_full(void)
{
    mach_port_t name = port_create_with_send();
    if (mach_port_set_qlimit(mach_task_self(), name, 1) || send_empty(name, 1))
        __builtin_trap();
    return name;
}

mach_port_t port_create_dead(void)
{
    mach_port_t name = port_create_with_send();
    if (mach_port_mod_refs(mach_task_self(), name, MACH_PORT_RIGHT_RECEIVE, -1))
        __builtin_trap();
    return name;
}

mach_port_type_t port_type(mach_port_t name)
{
    mach_port_type_t type;
    return mach_port_type(mach_task_self(), name, &type) ? 0 : type;
}

long port_refs(mach_port_t name, mach_port_right_t right)
{
    mach_port_urefs_t refs;
    return mach_port_get_refs(mach_task_self(), name, right, &refs) ? -1 : (long)refs;
}

static void right_drop(mach_port_t name, mach_port_right_t right)
{
    long refs = port_refs(name, right);
    if (refs > 0)
        mach_port_mod_refs(mach_task_self(), name, right, -(int)refs);
}

void port_destroy(mach_port_t name)
{
    right_drop(name, MACH_PORT_RIGHT_SEND);
    right_drop(name, MACH_PORT_RIGHT_RECEIVE);
    right_drop(name, MACH_PORT_RIGHT_PORT_SET);
    right_drop(name, MACH_PORT_RIGHT_DEAD_NAME);
}

unsigned int port_names(void)
{
    mach_port_t *names;
    mach_port_type_t *types;
    mach_msg_type_number_t name_count = 0, type_count = 0;
    if (mach_port_names(mach_task_self(), &names, &name_count, &types, &type_count))
        return 0;
    vm_deallocate(mach_task_self(), (vm_address_t)names, name_count * sizeof *names);
    vm_deallocate(mach_task_self(), (vm_address_t)types, type_count * sizeof *types);
    return name_count;
}

unsigned int processors_available(void)
{
    host_basic_info_data_t info = {0};
    mach_msg_type_number_t count = HOST_BASIC_INFO_COUNT;
    mach_port_t host = (mach_host_self)();
    if (host_info(host, HOST_BASIC_INFO, (host_info_t)&info, &count))
        __builtin_trap();
    mach_port_deallocate(mach_task_self(), host);
    return (unsigned int)info.avail_cpus;
}

/* ---- messages -------------------------------------------------------------------------------------- */

static union {
    mach_msg_header_t header;
    char room[4096];
} received_message;

mach_msg_return_t send_empty(mach_port_t name, mach_msg_id_t id)
{
    mach_msg_header_t header = {.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0), .msgh_size = sizeof header,
                                .msgh_remote_port = name, .msgh_id = id};
    return mach_msg(&header, MACH_SEND_MSG | MACH_SEND_TIMEOUT, sizeof header, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL);
}

mach_msg_return_t receive_within(mach_port_t name, unsigned int ms)
{
    return mach_msg(&received_message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof received_message, name, ms,
                    MACH_PORT_NULL);
}

mach_msg_header_t *received(void)
{
    return &received_message.header;
}

/* Each caller waits on a set of its own. */
void pause_ms(unsigned int ms)
{
    mach_port_t set;
    mach_msg_header_t header;
    if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &set))
        __builtin_trap();
    mach_msg(&header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof header, set, ms, MACH_PORT_NULL);
    mach_port_mod_refs(mach_task_self(), set, MACH_PORT_RIGHT_PORT_SET, -1);
}

bool settle(bool (*holds)(void *cookie), void *cookie, unsigned int tries)
{
    for (unsigned int i = 0; i < tries; i++) {
        if (holds(cookie))
            return true;
        pause_ms(10);
    }
    return holds(cookie);
}

/* ---- threads --------------------------------------------------------------------------------------- */

struct helper_call {
    void (*entry)(void *);
    void *argument;
};

/* First lines of a helper: `done` is a receive right of the task that joins. */
static void helper_main(void *call_at, void *done)
{
    struct helper_call call = *(struct helper_call *)call_at;
    call.entry(call.argument);
    mach_port_t own = mig_get_reply_port(); /* now: who joins may end this thread at any moment after the message */
    mach_msg_header_t header = {.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0), .msgh_size = sizeof header,
                                .msgh_remote_port = (mach_port_t)(uintptr_t)done};
    mach_msg(&header, MACH_SEND_MSG, sizeof header, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL);
    for (;;)
        mach_msg(&header, MACH_RCV_MSG, 0, sizeof header, own, 0, MACH_PORT_NULL);
}

void helper_start(struct helper *helper, void (*entry)(void *), void *argument)
{
    if (helper->done == MACH_PORT_NULL)
        helper->done = port_create();
    helper->area = thread_area_create();
    *(struct helper_call *)helper->area = (struct helper_call){entry, argument}; /* the far end of the stack */
    if (thread_create(mach_task_self(), &helper->thread)
        || thread_area_start(helper->thread, helper->area, helper_main, helper->area, (void *)(uintptr_t)helper->done)
        || thread_resume(helper->thread))
        __builtin_trap();
}

static void helper_free(struct helper *helper, bool keep_done)
{
    thread_terminate(helper->thread);
    mach_port_t reply = thread_area_reply_port(helper->area);
    if (reply != MACH_PORT_NULL && reply != MACH_PORT_DEAD)
        mach_port_mod_refs(mach_task_self(), reply, MACH_PORT_RIGHT_RECEIVE, -1);
    mach_port_deallocate(mach_task_self(), helper->thread);
    thread_area_destroy(helper->area);
    if (!keep_done) {
        mach_port_mod_refs(mach_task_self(), helper->done, MACH_PORT_RIGHT_RECEIVE, -1);
        helper->done = MACH_PORT_NULL;
    }
}

bool helper_waits(struct helper *helper)
{
    struct thread_basic_info info = {0};
    for (unsigned int waited = 0; waited < CASE_LIMIT_S * 500; waited += 10) {
        mach_msg_type_number_t count = THREAD_BASIC_INFO_COUNT;
        if (thread_info(helper->thread, THREAD_BASIC_INFO, (thread_info_t)&info, &count))
            return false;
        if (info.run_state == TH_STATE_WAITING)
            return true;
        pause_ms(10);
    }
    return false;
}

bool helper_join(struct helper *helper)
{
    bool ended = receive_within(helper->done, CASE_LIMIT_S * 500) == MACH_MSG_SUCCESS;
    helper_free(helper, false);
    return ended;
}

void helper_kill(struct helper *helper)
{
    helper_free(helper, false);
}

void helper_end(struct helper *helper)
{
    helper_free(helper, true);
}

/* ---- tasks -------------------------------------------------------------------------------------------- */

static void child_main(void *call_at, void *unused)
{
    (void)unused;
    struct helper_call call = *(struct helper_call *)call_at;
    __mach_task_self_ = (mach_task_self)();
    call.entry(call.argument);
    for (;;)
        task_terminate(mach_task_self());
}

void child_create(struct child *child, void (*entry)(void *), void *argument)
{
    void *area = thread_area_create();
    *(struct helper_call *)area = (struct helper_call){entry, argument};
    if (task_create(mach_task_self(), TRUE, &child->task) || thread_create(child->task, &child->thread)
        || thread_area_start(child->thread, area, child_main, area, NULL))
        __builtin_trap();
    thread_area_destroy(area); /* the child has its copy */
}

void child_start(struct child *child)
{
    if (thread_resume(child->thread))
        __builtin_trap();
}

void child_kill(struct child *child)
{
    task_terminate(child->task);
    mach_port_deallocate(mach_task_self(), child->thread);
    mach_port_deallocate(mach_task_self(), child->task);
}

bool child_join(struct child *child)
{
    bool gone = false;
    for (unsigned int waited = 0; waited < CASE_LIMIT_S * 500 && !gone; waited += 10) {
        gone = port_type(child->task) & MACH_PORT_TYPE_DEAD_NAME;
        if (!gone)
            pause_ms(10);
    }
    child_kill(child);
    return gone;
}
