/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpc_term.c: the routines of term.defs.  A terminal stays on what it was started on for life: what would put it on
   something else answers EOPNOTSUPP.  A pty's master is nobody's controlling terminal, and has nothing below it: that
   tells the C library (ptsname) which side it has. */

#include <fcntl.h>
#include <hurd/hurd_types.h>
#include <hurd/io.h>
#include <string.h>
#include "node.h"
#include "term_S.h"

/* What term_get_bottom_type tells. */
enum { TERM_ON_MACHDEV = 1, TERM_ON_MASTERPTY = 3 };

/* Hands the port of an object that the caller has just made over to the answer. */
static error_t give_port(void *object, mach_port_t *port, mach_msg_type_name_t *type)
{
    *port = ports_object_make_send_name(object);
    *type = MACH_MSG_TYPE_MAKE_SEND;
    ports_object_deref(object);
    return *port == MACH_PORT_NULL ? ENOMEM : 0;
}

kern_return_t S_term_getctty(trivfs_protid_t protid, mach_port_t *ctty, mach_msg_type_name_t *type)
{
    if (!protid || node_is_master(protid))
        return EOPNOTSUPP;
    ports_object_ref(node_cttyid);
    return give_port(node_cttyid, ctty, type);
}

/* The port of the protid that was made last, if it is still there.  A name only: it keeps nothing alive, and another
   protid may have got it since.  */
static _Atomic mach_port_t recent_ctty;

/* That one, with a reference, if it is what a new one would be: every fork asks for the same once for each of its
   descriptors.  */
static struct trivfs_protid *recent_find(const struct trivfs_protid *protid, uint64_t tag)
{
    struct trivfs_protid *found = ports_object_lookup(protid->port.bucket, recent_ctty, protid->port.class);
    if (!found || (found->peropen == protid->peropen && found->user == protid->user && found->tag == tag))
        return found;
    ports_object_deref(found);
    return NULL;
}

kern_return_t S_term_open_ctty(trivfs_protid_t protid, pid_t pid, pid_t pgrp, mach_port_t *newtty,
                               mach_msg_type_name_t *type)
{
    struct trivfs_protid *duplicate;

    if (!protid || node_is_master(protid))
        return EOPNOTSUPP;
    if (pid <= 0 || pgrp <= 0)
        return EINVAL;
    duplicate = recent_find(protid, node_tag(pid, pgrp));
    error_t err = duplicate ? 0 : trivfs_protid_duplicate(protid, &duplicate);
    if (err)
        return err;
    duplicate->tag = node_tag(pid, pgrp);
    err = give_port(duplicate, newtty, type);
    recent_ctty = *newtty;
    return err;
}

kern_return_t S_termctty_open_terminal(cttyid_t ctty, int flags, mach_port_t *terminal, mach_msg_type_name_t *type)
{
    struct fshelp_user *nobody;
    struct trivfs_protid *protid;
    error_t err;

    if (!ctty)
        return EOPNOTSUPP;
    nobody = fshelp_user_create(NULL, 0, NULL, 0);
    if (!nobody)
        return ENOMEM;
    err = trivfs_open(ctty->control, nobody, flags & (O_READ | O_WRITE | O_NONBLOCK | O_APPEND | O_ASYNC), &protid);
    fshelp_user_deref(nobody);
    return err ? err : give_port(protid, terminal, type);
}

/* ---- names --------------------------------------------------------------------------------- */

static error_t check_owner(trivfs_protid_t protid)
{
    struct stat st;
    error_t err;

    if (!protid)
        return EOPNOTSUPP;
    if (fshelp_user_is_root(protid->user))
        return 0;
    if (protid->realnode == MACH_PORT_NULL)
        return EPERM;
    err = io_stat(protid->realnode, (io_statbuf_t *)&st);
    return err ? err : fshelp_check_owner(&st, protid->user);
}

kern_return_t S_term_set_nodename(trivfs_protid_t protid, const_string_t name)
{
    error_t err = check_owner(protid);

    if (err)
        return err;
    if (strnlen(name, sizeof node_terminal.name) == sizeof node_terminal.name)
        return ENAMETOOLONG;
    pthread_mutex_lock(&node_terminal.lock);
    strcpy(node_terminal.name, name);
    pthread_mutex_unlock(&node_terminal.lock);
    return 0;
}

kern_return_t S_term_get_nodename(trivfs_protid_t protid, string_t name)
{
    if (!protid)
        return EOPNOTSUPP;
    pthread_mutex_lock(&node_terminal.lock);
    strcpy(name, node_terminal.name);
    pthread_mutex_unlock(&node_terminal.lock);
    return *name ? 0 : ENOENT;
}

/* A terminal that is a terminal's node, its own or another's, might be asked for its attributes by itself, for ever.
   EINVAL; or what asking FILENODE gave. */
static error_t check_filenode(mach_port_t filenode)
{
    struct stat st;

    if (ports_name_type(filenode) & MACH_PORT_TYPE_RECEIVE)
        return EINVAL;
    error_t err = io_stat(filenode, (io_statbuf_t *)&st);
    return err ? err : st.st_fstype == FSTYPE_TERM ? EINVAL : 0;
}

kern_return_t S_term_set_filenode(trivfs_protid_t protid, mach_port_t filenode)
{
    error_t err = check_owner(protid);

    if (!err)
        err = check_filenode(filenode);
    return err ? err : trivfs_control_set_underlying(protid->peropen->control, filenode);
}

kern_return_t S_term_get_peername(trivfs_protid_t protid, string_t name)
{
    if (!protid || !node_peer_name)
        return EOPNOTSUPP;
    const char *peer = node_is_master(protid) ? node_terminal.name : node_peer_name;
    pthread_mutex_lock(&node_terminal.lock);
    strcpy(name, peer);
    pthread_mutex_unlock(&node_terminal.lock);
    return *name ? 0 : ENOENT;
}

/* ---- what is below ---------------------------------------------------------------------------- */

kern_return_t S_term_get_bottom_type(trivfs_protid_t protid, int *type)
{
    *type = node_peer_name ? TERM_ON_MASTERPTY : TERM_ON_MACHDEV;
    return protid && !node_is_master(protid) ? 0 : EOPNOTSUPP;
}

kern_return_t S_term_on_machdev(trivfs_protid_t protid, mach_port_t device)
{
    (void)protid;
    (void)device;
    return EOPNOTSUPP;
}

kern_return_t S_term_on_hurddev(trivfs_protid_t protid, trivfs_protid_t device)
{
    (void)protid;
    (void)device;
    return EOPNOTSUPP;
}

kern_return_t S_term_on_pty(trivfs_protid_t protid, trivfs_protid_t *master)
{
    (void)protid;
    (void)master;
    return EOPNOTSUPP;
}
