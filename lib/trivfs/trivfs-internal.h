/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of lib/trivfs share.  Lock order: a control's lock, then those of lib/ports.  */

#ifndef TRIVFS_INTERNAL_H
#define TRIVFS_INTERNAL_H

#include "mig-hooks.h"
#include "trivfs.h"

/* What an open keeps of its flags, and what fcntl may change. */
enum {
    FLAGS_ACCESS = O_READ | O_WRITE | O_EXEC,
    FLAGS_CHANGEABLE = O_APPEND | O_ASYNC | O_FSYNC | O_NONBLOCK | O_NOATIME,
    FLAGS_KEPT = FLAGS_ACCESS | FLAGS_CHANGEABLE,
};

/* Set by trivfs_main: the program ends when its control port and all nodes have gone. */
extern bool trivfs_ends_with_control;

/* ---- right.c ---- */

/* With one reference; consumes PORT, unless it returns NULL: no memory. */
struct trivfs_right *right_create(mach_port_t port);
/* RIGHT, which may be NULL, with one more. */
struct trivfs_right *right_ref(struct trivfs_right *right);

/* ---- node.c ---- */

/* A protid for PEROPEN (a reference is taken) and USER (the same); TAG; with the receive right RECEIVE (consumed on
   success), or MACH_PORT_NULL for a new one when it is needed. */
error_t protid_create(struct trivfs_peropen *peropen, struct fshelp_user *user, uint64_t tag, mach_port_t receive,
                      struct trivfs_protid **protid);
void control_no_senders(struct ports_object *object);

/* Where the advisory locks of PEROPEN's node are, or NULL if it takes none. */
struct fshelp_lockbox *peropen_lockbox(struct trivfs_peropen *peropen);

/* Attributes of the node, before the server's changes. */
error_t control_stat(struct trivfs_control *control, struct stat *st);
/* Opens for USER and puts the name of the new protid, to be sent with MAKE_SEND, into *NAME. */
error_t control_open_name(struct trivfs_control *control, struct fshelp_user *user, int flags, mach_port_t *name);
/* The same for the root of a tree that hangs in the directory DOTDOT (a valid send right, consumed on success). */
error_t control_open_root_name(struct trivfs_control *control, struct fshelp_user *user, int flags, mach_port_t dotdot,
                               mach_port_t *name);
/* The control that a fsys message came for, or NULL. */
struct trivfs_control *control_self(void);

/* ---- common answers ---- */

/* Gives LENGTH bytes of malloc'd MEMORY (freed in any case) as an `out data_t, dealloc' argument. */
error_t data_return(char *memory, size_t length, data_t *data, mach_msg_type_number_t *count);
/* The options of CONTROL with the program's name before them, likewise. */
error_t options_return(struct trivfs_control *control, data_t *data, mach_msg_type_number_t *count);

#endif /* TRIVFS_INTERNAL_H */
