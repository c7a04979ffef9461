/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reauth.h: for the stubs of auth_answer.defs alone: the object that auth answers. */

#ifndef FSHELP_REAUTH_H
#define FSHELP_REAUTH_H

#include <fshelp/fshelp.h>
#include <ports/ports.h>

/* One io_reauthenticate under way, or an idle one.  From the request to auth until its answer one thread at a time uses
   it. */
struct fshelp_reauth {
    struct ports_object port;         /* auth's answer comes here, to a send-once right */
    struct ports_object *object;      /* whose port the user shall have; a reference */
    fshelp_reauth_take_t take;
    mach_port_t receive;              /* of the user's port: ours, in no set */
    struct fshelp_reauth *next_idle;  /* idle_lock */
};
typedef struct fshelp_reauth *struct_fshelp_reauth_t;
extern struct ports_class fshelp_reauth_class;
PORTS_MIG_HOOKS(fshelp_reauth, struct fshelp_reauth, &fshelp_reauth_class)

#endif
