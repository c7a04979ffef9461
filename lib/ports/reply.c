/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reply: giving up a reply port after a send that was interrupted.

   A call that waits for room in the queue of a client's port ends with MACH_SEND_INTERRUPTED when it is cancelled, and
   the kernel hands the message back with the rights it would have carried: where the reply port's name stood, there is
   now the name of a send-once right to it.  The C library (2.41) takes that for its reply port, finds that it is
   another, and aborts; so any client could end any server that calls back.

   Stubs have two names for what they call then: the C library's own __mig_dealloc_reply_port, ours
   mig_dealloc_reply_port.  In programs that use this library (meson.build) ours comes in between: by --wrap for what is
   linked into the program, and, where the C library's stubs are in a shared library, by a definition that is found
   before the C library's.  That one is weak, because a static program has the C library's, too. */

#include <mach.h>
#include <mach/mig_support.h>

void __real_mig_dealloc_reply_port(mach_port_t port);
void __wrap_mig_dealloc_reply_port(mach_port_t port);
void __wrap___mig_dealloc_reply_port(mach_port_t port) __attribute__((alias("__wrap_mig_dealloc_reply_port")));
void __mig_dealloc_reply_port(mach_port_t port) __attribute__((weak, alias("__wrap_mig_dealloc_reply_port")));

void __wrap_mig_dealloc_reply_port(mach_port_t port)
{
    mach_port_t reply = mig_get_reply_port();
    if (port != reply && MACH_PORT_VALID(port))
        mach_port_deallocate(mach_task_self(), port);
    __real_mig_dealloc_reply_port(reply);
}
