/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rights.h: names of every kind for the cases about ports, and what is asked of them.  */

#ifndef TESTS_KERNEL_RIGHTS_H
#define TESTS_KERNEL_RIGHTS_H

#include <mach/notify.h>

#include "frame.h"

/* What a name can stand for. */
enum kind {
    KIND_RECEIVE,
    KIND_SEND,      /* the receive right is in a message */
    KIND_BOTH,      /* receive and send rights */
    KIND_SEND_ONCE, /* the receive right has another name of this space */
    KIND_SET,
    KIND_DEAD,
    KIND_NONE,      /* a name that nothing has */
    KIND_COUNT,
    KIND_REAL = KIND_NONE /* the number of kinds without the last */
};
extern const char *const kind_names[KIND_COUNT];

/* A name of some kind and what keeps it so: the receive right of a send-once right, or the port whose queue has the
   receive right of a send right (null for other kinds). */
struct named {
    mach_port_t name;
    mach_port_t keeper;
};
/* Makes one with one user reference.  Never fails (the case does). */
struct named named_create(enum kind kind);
/* Takes away what is left of it. */
void named_destroy(struct named *named);

/* A send-once right of PORT, whose receive right this task has; 0 on failure. */
mach_port_t sonce_create(mach_port_t port);
/* Moves the receive right NAME into a message that waits at a new port, which is returned. */
mach_port_t receive_right_hide(mach_port_t name);
/* Receives that message: the receive right is back under the name returned; the port KEEPER goes. */
mach_port_t receive_right_back(mach_port_t keeper);
/* A port set without members. */
mach_port_t set_create(void);
/* A name that nothing has or ever had, nor the next nine: the kernel does not hand it out by itself. */
mach_port_t name_fresh(void);

/* The status of a receive right; all ones if there is none. */
mach_port_status_t port_status(mach_port_t name);
/* Writes every field but names into the transcript; whether it is in a set. */
void status_observe(const char *what, mach_port_t name);

/* Requests notification ID of NAME, to be sent by a send-once right made of NOTIFY (or none: null).  What was asked
   before is given up; *PREVIOUS (if not null) tells whether there was such. */
kern_return_t notification_request(mach_port_t name, mach_msg_id_t id, mach_port_mscount_t sync, mach_port_t notify,
                                   bool *previous);
/* A new port, to which a dead-name notification of NAME will come. */
mach_port_t death_watch(mach_port_t name);
/* The notification that waits at NOTIFY: its id, or -1.  The last one's argument (a name, a count) is
   notification_value. */
mach_msg_id_t notification_next(mach_port_t notify);
extern mach_port_t notification_value;
/* Writes what waits at NOTIFY into the transcript, to the last; OF is the name it may be about. */
void notifications_observe(mach_port_t notify, mach_port_t of);

/* observe with a name that is printed. */
void observe_as(long value, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif /* TESTS_KERNEL_RIGHTS_H */
