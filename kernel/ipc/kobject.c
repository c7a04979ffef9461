/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to the kernel: MIG's kernel-server stubs, in one table by the message's id. */

#include "../mig/mig_types.h"
#include "../task/task.h"
#include "body.h"
#include "device_S.h"
#include "experimental_S.h"
#include "gnumach_S.h"
#include "kobject.h"
#include "mach_S.h"
#include "mach4_S.h"
#include "mach_debug_S.h"
#include "mach_host_S.h"
#include "mach_i386_S.h"
#include "mach_port_S.h"

/* MIG gives each interface a function from a header to its routine. */
typedef mig_routine_t (*finder_t)(const mach_msg_header_t *header);

static const finder_t finders[] = {
    mach_server_routine,      mach_host_server_routine, device_server_routine, mach_debug_server_routine,
    mach_port_server_routine, mach_i386_server_routine, mach4_server_routine,  gnumach_server_routine,
};

kobject_routine_t kobject_routines[KOBJECT_IDS];

/* Ids that are not in the table; experimental.defs is far away. */
void kobject_routine_other(mach_msg_header_t *request, mach_msg_header_t *reply)
{
    mig_routine_t routine = experimental_server_routine(request);
    if (routine)
        routine(request, reply);
    else
        ((mig_reply_header_t *)reply)->RetCode = MIG_BAD_ID;
}

static kobject_routine_t routine_find(uint32_t id)
{
    const mach_msg_header_t header = {.msgh_id = (mach_msg_id_t)id};
    for (size_t i = 0; i < countof(finders); i++) {
        mig_routine_t routine = finders[i](&header);
        if (routine)
            return routine;
    }
    return kobject_routine_other;
}

void kobject_init(void)
{
    for (uint32_t i = 0; i < KOBJECT_IDS; i++)
        kobject_routines[i] = routine_find(KOBJECT_FIRST_ID + i);
}

void kobject_reply_address(struct kmsg *reply, struct ipc_port *port, mach_msg_type_name_t type, uint32_t id)
{
    mach_msg_header_t *header = &reply->header;
    header->msgh_bits = MACH_MSGH_BITS(type, 0) | (header->msgh_bits & MACH_MSGH_BITS_COMPLEX);
    header->msgh_remote_port_do_not_use = (uint64_t)port;
    header->msgh_protected_payload = 0;
    header->msgh_id = (mach_msg_id_t)id + 100;
}

struct kmsg *kobject_reply_sent(struct kmsg *reply)
{
    const mig_reply_header_t *out = (const mig_reply_header_t *)&reply->header;
    if (out->RetCode == MIG_NO_REPLY) {
        kmsg_free(reply); /* routines that answer later have taken the right */
        return NULL;
    }
    if (likely(IP_VALID(kmsg_remote(reply))))
        return reply;
    /* A simple routine was given no right to answer to. */
    if (out->Head.msgh_bits & MACH_MSGH_BITS_COMPLEX) {
        body_make(reply);
        kmsg_destroy(reply);
    } else {
        kmsg_free(reply);
    }
    return NULL;
}

/* The request has been carried out with result KR: what is left of it goes. */
static inline void request_end(struct kmsg *request, kern_return_t kr)
{
    mach_msg_header_t *in = &request->header;
    struct ipc_port *port = kmsg_remote(request);
    in->msgh_protected_payload = 0; /* the reply's right has moved */
    in->msgh_bits &= ~MACH_MSGH_BITS_LOCAL_MASK;
    if (unlikely(kr != KERN_SUCCESS && kr != MIG_NO_REPLY)) {
        kmsg_destroy(request);
        return;
    }
    if (likely(MACH_MSGH_BITS_REMOTE(in->msgh_bits) == MACH_MSG_TYPE_PORT_SEND && port->srights > 1)) {
        port->srights--;
        port->refs--;
    } else {
        right_release(port, MACH_MSGH_BITS_REMOTE(in->msgh_bits));
    }
    kmsg_free(request);
}

struct kmsg *kobject_server(struct kmsg *request)
{
    struct kmsg *reply = kmsg_alloc_large_waiting();
    if (unlikely(reply == NULL)) {
        kmsg_destroy(request);
        return NULL;
    }
    mach_msg_header_t *in = &request->header;
    mach_msg_type_name_t type = MACH_MSGH_BITS_LOCAL(in->msgh_bits);
    uint32_t id = (uint32_t)in->msgh_id;
    struct ipc_port *port = kmsg_local(request);
    kobject_reply_prepare(reply);
    kobject_routine(id)(in, &reply->header);
    kern_return_t kr = ((mig_reply_header_t *)&reply->header)->RetCode;
#ifdef TRACE_ERRORS
    if (kr && kr != MIG_NO_REPLY)
        kprintf("[%s: %d -> %d]\n", current_task()->name, id, kr);
#endif
    request_end(request, kr);
    kobject_reply_address(reply, port, type, id);
    return kobject_reply_sent(reply);
}
