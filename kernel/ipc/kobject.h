/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to the kernel, by parts: for kobject_server (kobject.c) and the short way of mach_msg (fast.c), which does
   without a message. Lock: the kernel lock. */

#ifndef IPC_KOBJECT_H
#define IPC_KOBJECT_H

#include <mach/mig_errors.h>

#include "ipc.h"

/* MIG's stub of one routine: checks the request, calls the routine, writes the reply behind a header that is there. */
typedef void (*kobject_routine_t)(mach_msg_header_t *request, mach_msg_header_t *reply);

#define KOBJECT_FIRST_ID 2000u
#define KOBJECT_IDS 2300u

extern kobject_routine_t kobject_routines[KOBJECT_IDS];
/* Does what the few routines beyond the table do, or answers MIG_BAD_ID. */
void kobject_routine_other(mach_msg_header_t *request, mach_msg_header_t *reply);

static inline kobject_routine_t kobject_routine(uint32_t id)
{
    return likely(id - KOBJECT_FIRST_ID < KOBJECT_IDS) ? kobject_routines[id - KOBJECT_FIRST_ID]
                                                       : kobject_routine_other;
}

/* What a stub expects of the reply: size, a result's type; and no bits. */
static inline void kobject_reply_prepare(struct kmsg *reply)
{
    mig_reply_header_t *out = (mig_reply_header_t *)&reply->header;
    out->Head.msgh_bits = 0;
    out->Head.msgh_size = sizeof *out;
    out->RetCodeType = (mach_msg_type_t){.msgt_name = MACH_MSG_TYPE_INTEGER_32,
                                         .msgt_size = 32,
                                         .msgt_number = 1,
                                         .msgt_inline = 1};
}

/* The rest of the header, when the routine has run: to the send-once right PORT (consumed), with what belongs to
   request ID.  A complex reply carries port pointers as the stub wrote them (body_make). */
void kobject_reply_address(struct kmsg *reply, struct ipc_port *port, mach_msg_type_name_t type, uint32_t id);
/* REPLY, or NULL if it is not to be sent: it is freed then. */
struct kmsg *kobject_reply_sent(struct kmsg *reply);

#endif
