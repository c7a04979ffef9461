/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exceptions: a thread that cannot go on tells its exception port, then its task's, and goes on when one of them says
   so (Mach manual, "Exceptions"). */

#include "../ipc/ipc.h"
#include "../mig/mig_types.h"
#include "exc_U.h"
#include "task.h"

/* Sends MESSAGE and waits for the answer on a port made for it. */
mach_msg_return_t mach_msg_rpc_from_kernel(mach_msg_header_t *message, mach_msg_size_t send_size,
                                           mach_msg_size_t reply_size)
{
    struct ipc_port *port = port_alloc();
    if (port == NULL)
        return MACH_SEND_NO_BUFFER;
    port->receiver = ipc_space_dead;
    message->msgh_protected_payload = (uint64_t)port;
    message->msgh_bits = (message->msgh_bits & ~MACH_MSGH_BITS_LOCAL_MASK) |
                         MACH_MSGH_BITS(0, MACH_MSG_TYPE_MAKE_SEND_ONCE);
    mach_msg_return_t mr = mach_msg_send_from_kernel(message, send_size);
    if (mr == MACH_MSG_SUCCESS) {
        struct kmsg *reply;
        mr = msg_receive_kernel(port, &reply);
        if (mr == MACH_MSG_SUCCESS) {
            uint32_t size = min(reply->header.msgh_size, reply_size);
            memcpy(message, &reply->header, size);
            message->msgh_size = reply->header.msgh_size;
            message->msgh_bits = 0;
            kmsg_destroy(reply);
        }
    }
    port_destroy(port);
    return mr;
}

/* Has HANDLER dealt with it?  Also true when the thread need not go on from here: it is to end, or thread_abort took it
   out of its wait. */
static bool handler_ask(struct ipc_port *handler, struct thread *thread, int exception, int code, int64_t subcode)
{
    if (!IP_VALID(handler) || !handler->active)
        return false;
    struct ipc_port *port = port_copy_send(handler);
    kern_return_t kr = exception_raise(port, thread->self, thread->task->self, exception, code, subcode);
    port_release_send(port);
    return kr == KERN_SUCCESS || kr == MACH_RCV_INTERRUPTED || kr == MACH_SEND_INTERRUPTED || !thread->active;
}

void exception_raise_thread(int exception, int code, int64_t subcode)
{
    struct thread *thread = current_thread();
    struct task *task = thread->task;
    if (handler_ask(thread->exception, thread, exception, code, subcode))
        return;
    if (handler_ask(task->exception, thread, exception, code, subcode))
        return;
    if (!task->active)
        return;
    kprintf("%s: exception %d, code %d, subcode %lx at %lx without a handler: task terminated\n",
            task->name[0] ? task->name : "(no name)", exception, code, (uint64_t)subcode, thread_frame(thread)->rip);
    task_kill(task);
}
