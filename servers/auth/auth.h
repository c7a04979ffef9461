/* SPDX-License-Identifier: GPL-2.0-or-later */
/* auth: handles, and the rendezvous of users with servers.

   A handle is a port that stands for a set of ids.  To show a server who he is, a user hands it a rendezvous port that
   he made for that, and both give it to us: the user with his handle (auth_user_authenticate), the server with the port
   that the user shall get (auth_server_authenticate).  Who comes first waits, without a thread: his reply port is kept.
   When the second comes, the server learns the ids of the user's handle, and the user gets the port; neither can pass
   for another, since only the two have the port.

   No wait is for ever.  A rendezvous port may live on without anybody who would come to it, even by our own right to it
   (two ports of files, each the other's rendezvous), so what has waited a minute is given up; and of more than
   AUTH_WAITING_MAX requests to a handle the oldest makes room: an honest partner is a few messages behind. */

#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include <hurd/hurd_types.h>
#include <ports/ports.h>
#include <sys/queue.h>

#include "ids.h"

struct waiter;
TAILQ_HEAD(waiter_list, waiter);

struct auth_handle {
    struct ports_object port;
    struct ids ids;             /* constant */
    struct waiter_list waiters; /* requests to it that wait for a partner, the oldest first; rendezvous.c's lock */
    unsigned int waiting;       /* how many; rendezvous.c's lock */
    bool ended;                 /* nobody has it any more, and no request to it waits; rendezvous.c's lock */
};
typedef struct auth_handle *auth_handle_t;

extern struct ports_bucket *auth_bucket;
extern struct ports_class auth_handle_class;
PORTS_MIG_HOOKS(auth_handle, struct auth_handle, &auth_handle_class)

/* A handle with IDS, which it takes over on success; one reference.  ENOMEM. */
error_t auth_handle_create(const struct ids *ids, struct auth_handle **handle);

/* Where a side of a rendezvous may be answered later. */
struct auth_reply {
    mach_port_t port;
    mach_msg_type_name_t type;
};

/* The most requests to one handle that wait at a time: for one more the oldest ends with EAGAIN. */
enum { AUTH_WAITING_MAX = 4096 };

/* The user's half, at RENDEZVOUS (a send right).  0: the server was waiting and has its answer; *NEWPORT is a send
   right (or null) for the user.  MIG_NO_REPLY: he will be answered at REPLY (ETIMEDOUT after a minute).  Both consume
   rendezvous and, the second, the reply right; errors (EBUSY: another user waits there; EINVAL: the rendezvous or
   NEWPORT is a handle, or there is no send-once right to answer, so that nobody could say whether it is waited at;
   EINTR: nobody has HANDLE any more; ENOMEM) consume nothing. */
kern_return_t auth_rendezvous_user(struct auth_handle *handle, struct auth_reply reply, mach_port_t rendezvous,
                                   mach_port_t *newport);

/* The server's half, giving away NEWPORT (a send right or null), which is consumed likewise.  0: *USER is the user's
   handle, with a reference; he has his answer.  HANDLE is only what the request was sent to. */
kern_return_t auth_rendezvous_server(struct auth_handle *handle, struct auth_reply reply, mach_port_t rendezvous,
                                     mach_port_t newport, struct auth_handle **user);

/* What is done once in AUTH_TICK_MS while anybody waits: whose partner has not come in AUTH_TICKS_MAX of them, a minute
   and up to one tick more, is told so (ETIMEDOUT), and whose sender has gone is forgotten. */
enum { AUTH_TICK_MS = 15000, AUTH_TICKS_MAX = 5 };
void auth_rendezvous_tick(void);

/* Answers everybody who waits on a request to HANDLE with EINTR: it was interrupted. */
void auth_rendezvous_interrupt(struct auth_handle *handle);

/* The same for good, since nobody has HANDLE any more: a request that another thread is about to enter does not wait
   either. */
void auth_rendezvous_end(struct auth_handle *handle);

/* RENDEZVOUS, at which somebody waits on a request to HANDLE, has died; so nobody will come. */
void auth_rendezvous_dead(struct auth_handle *handle, mach_port_t rendezvous);

#endif
