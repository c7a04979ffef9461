/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to the kernel: MIG's kernel-server stubs, found by the message's id. */

#include <mach/mig_errors.h>

#include "../mig/mig_types.h"
#include "../task/task.h"
#include "device_S.h"
#include "experimental_S.h"
#include "gnumach_S.h"
#include "ipc.h"
#include "mach_S.h"
#include "mach4_S.h"
#include "mach_debug_S.h"
#include "mach_host_S.h"
#include "mach_i386_S.h"
#include "mach_port_S.h"

/* MIG gives each interface a function from a header to its routine. */
typedef mig_routine_t (*finder_t)(const mach_msg_header_t *header);

static const struct {
    mach_msg_id_t base;
    finder_t find;
} interfaces[] = {
    {2000, mach_server_routine},       {2100, mach_server_routine},      {2600, mach_host_server_routine},
    {2800, device_server_routine},     {3000, mach_debug_server_routine}, {3200, mach_port_server_routine},
    {3800, mach_i386_server_routine},  {4000, mach4_server_routine},     {4200, gnumach_server_routine},
};

#define FIRST_HUNDRED 20
#define HUNDREDS 30

static finder_t by_hundred[HUNDREDS];

void kobject_init(void)
{
    for (size_t i = 0; i < countof(interfaces); i++)
        by_hundred[interfaces[i].base / 100 - FIRST_HUNDRED] = interfaces[i].find;
}

static inline mig_routine_t routine_find(const mach_msg_header_t *header)
{
    unsigned int hundred = (unsigned int)header->msgh_id / 100 - FIRST_HUNDRED;
    return likely(hundred < HUNDREDS && by_hundred[hundred]) ? by_hundred[hundred](header) : experimental_server_routine(header);
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
    struct kmsg *reply = kmsg_alloc_large();
    if (unlikely(reply == NULL)) {
        kmsg_destroy(request);
        return NULL;
    }
    mach_msg_header_t *in = &request->header;
    mig_reply_header_t *out = (mig_reply_header_t *)&reply->header;
    *out = (mig_reply_header_t){
        .Head = {.msgh_bits = MACH_MSGH_BITS(MACH_MSGH_BITS_LOCAL(in->msgh_bits), 0), .msgh_size = sizeof *out,
                 .msgh_remote_port_do_not_use = in->msgh_protected_payload, .msgh_id = in->msgh_id + 100},
        .RetCodeType = {.msgt_name = MACH_MSG_TYPE_INTEGER_32, .msgt_size = 32, .msgt_number = 1, .msgt_inline = 1}};
    mig_routine_t routine = routine_find(in);
    if (likely(routine != NULL))
        routine(in, &out->Head);
    else
        out->RetCode = MIG_BAD_ID;
    kern_return_t kr = out->RetCode;
#ifdef TRACE_ERRORS
    if (kr && kr != MIG_NO_REPLY)
        kprintf("[%s: %d -> %d]\n", current_task()->name, in->msgh_id, kr);
#endif
    bool complex = out->Head.msgh_bits & MACH_MSGH_BITS_COMPLEX;
    request_end(request, kr);
    if (unlikely(kr == MIG_NO_REPLY)) {
        kmsg_free(reply); /* routines that answer later have taken the right */
        return NULL;
    }
    if (unlikely(complex))
        kmsg_copyin_from_kernel(reply);
    if (unlikely(!IP_VALID(kmsg_remote(reply)))) {
        /* A simple routine was given no right to answer to. */
        if (complex)
            kmsg_destroy(reply);
        else
            kmsg_free(reply);
        return NULL;
    }
    return reply;
}
