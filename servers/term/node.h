/* SPDX-License-Identifier: GPL-2.0-or-later */
/* node.h: the terminal as a file: what trivfs's protids mean here.

   A protid's tag says whose controlling terminal it is: 0 for an ordinary open, else pid in the upper and process group
   in the lower half (term_open_ctty).  Protids with a tag share their peropen, and so its modes, with the one they came
   from. */

#ifndef TERM_NODE_H
#define TERM_NODE_H

#include <trivfs/trivfs.h>
#include "pty.h"
#include "terminal.h"

/* The terminal's id port: what a process keeps as INIT_PORT_CTTYID.  It speaks termctty_open_terminal. */
struct cttyid {
    struct ports_object port;
    struct trivfs_control *control; /* set once, before the port is given away */
};
typedef struct cttyid *cttyid_t;
extern struct ports_class node_cttyid_class;

extern const struct trivfs_ops node_ops;        /* of the terminal */
extern const struct trivfs_ops node_master_ops; /* of a pty's master: the second node of a server that has one */

/* The one terminal and its id port of this server; constant once main serves. */
extern struct terminal node_terminal;
extern struct pty node_pty;
extern const char *node_peer_name; /* of a pty: the slave's, for the master; NULL: a device's terminal */
extern struct cttyid *node_cttyid;

static inline uint64_t node_tag(pid_t pid, pid_t pgrp)
{
    return (uint64_t)(uint32_t)pid << 32 | (uint32_t)pgrp;
}

/* Whether PROTID is one of this terminal and is open for any of MODES (O_READ, O_WRITE): EOPNOTSUPP, EBADF. */
error_t node_check(const struct trivfs_protid *protid, int modes);

/* Whether PROTID is one of the pty's master. */
static inline bool node_is_master(const struct trivfs_protid *protid)
{
    return protid->peropen->control->ops == &node_master_ops;
}

/* The same, and that it may change the terminal: EBACKGROUND. */
error_t node_check_change(const struct trivfs_protid *protid);

/* MIG wants to know how an io_t of ours travels in an answer; none does (term_on_pty always fails). */
static inline mach_port_t node_port_of(struct trivfs_protid *protid)
{
    return protid ? protid->port.receive : MACH_PORT_NULL;
}

PORTS_MIG_HOOKS(cttyid, struct cttyid, &node_cttyid_class)

#endif /* TERM_NODE_H */
