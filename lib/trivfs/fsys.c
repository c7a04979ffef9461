/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fsys.defs on the control port: what the parent file system and the translator's owner ask of it.  */

#include "trivfs-internal.h"

#include "fsys_S.h"

#include <argz.h>
#include <error.h>
#include <hurd/fsys.h>
#include <stdlib.h>
#include <string.h>

enum { FSYS_GOAWAY_REPLY = 22101 };

kern_return_t S_fsys_getroot(trivfs_control_t control, mach_port_t reply, mach_msg_type_name_t reply_type,
                             mach_port_t dotdot, const_idarray_t uids, mach_msg_type_number_t nuids,
                             const_idarray_t gids, mach_msg_type_number_t ngids, int flags, retry_type *retry,
                             string_t retry_name, mach_port_t *root, mach_msg_type_name_t *root_type)
{
    (void)reply, (void)reply_type;
    if (control == NULL)
        return EOPNOTSUPP;
    struct fshelp_user *user = fshelp_user_create_sent(NULL, uids, nuids, gids, ngids);
    if (user == NULL)
        return ENOMEM;

    error_t err;
    *retry = FS_RETRY_NORMAL;
    retry_name[0] = '\0';
    if (control->ops->getroot != NULL) {
        err = control->ops->getroot(control, user, flags, retry, retry_name, root);
        *root_type = MACH_MSG_TYPE_MOVE_SEND;
    } else if (control->ops->lookup != NULL && MACH_PORT_VALID(dotdot)) {
        err = control_open_root_name(control, user, flags, dotdot, root);
        *root_type = MACH_MSG_TYPE_MAKE_SEND;
        dotdot = MACH_PORT_NULL;
    } else {
        err = control_open_name(control, user, flags, root);
        *root_type = MACH_MSG_TYPE_MAKE_SEND;
    }
    fshelp_user_deref(user);
    if (err == 0 && MACH_PORT_VALID(dotdot))
        mach_port_deallocate(mach_task_self(), dotdot);
    return err;
}

/* ---- going away -------------------------------------------------------------------- */

/* 0 if nobody uses the node any more or FORCE; new opens are held back from then on. */
static error_t control_close_down(struct trivfs_control *control, bool force)
{
    error_t err = ports_class_inhibit(control->protid_class, force);
    if (err)
        return err;
    pthread_mutex_lock(&control->lock);
    bool used = control->peropens != 0;
    pthread_mutex_unlock(&control->lock);
    if (used && !force) {
        ports_class_resume(control->protid_class);
        return EBUSY;
    }
    return 0;
}

/* The node has lost its last name, so nobody comes to it any more: the program ends with its last user, or (true) now.
   Its port to the node would keep both alive for ever otherwise. */
static bool control_unlinked(struct trivfs_control *control)
{
    pthread_mutex_lock(&control->lock);
    control->orphan = true;
    bool unused = trivfs_ends_with_control && control->peropens == 0;
    pthread_mutex_unlock(&control->lock);
    return unused;
}

/* Answers fsys_goaway; whoever asked does not hold the program up. */
static void goaway_answer(mach_port_t reply, mach_msg_type_name_t reply_type)
{
    mig_reply_header_t message = {
        .Head = {.msgh_bits = MACH_MSGH_BITS(reply_type, 0), .msgh_size = sizeof message, .msgh_id = FSYS_GOAWAY_REPLY},
        .RetCodeType = {.msgt_name = MACH_MSG_TYPE_INTEGER_32, .msgt_size = 32, .msgt_number = 1, .msgt_inline = TRUE},
    };
    message.Head.msgh_remote_port = reply;
    if (MACH_PORT_VALID(reply))
        (void)ports_message_send_now(&message.Head);
}

/* All that nobody has yet brought to where it belongs goes there, unless FLAGS say that it need not.  With NOWAIT the
   answer is sent before (*ANSWERED), so that an error cannot be told: it is worth a line. */
static error_t goaway_sync(struct trivfs_control *control, mach_port_t reply, mach_msg_type_name_t reply_type,
                           int flags, bool *answered)
{
    if (flags & FSYS_GOAWAY_NOWAIT) {
        goaway_answer(reply, reply_type);
        *answered = true;
    }
    if ((flags & FSYS_GOAWAY_NOSYNC) || control->ops->sync == NULL)
        return 0;
    error_t err = control->ops->sync(control, true);
    if (err && *answered)
        error(0, err, "%s: sync before going away", control->ops->name);
    return (flags & FSYS_GOAWAY_FORCE) || *answered ? 0 : err;
}

/* 0: nobody uses CONTROL's node any more, or FLAGS say that it does not matter, and nobody comes to it from now on. */
static error_t goaway_check(struct trivfs_control *control, int flags)
{
    if (flags & FSYS_GOAWAY_UNLINK)
        return control_unlinked(control) ? 0 : EBUSY;
    if (control->ops->goaway != NULL)
        return control->ops->goaway(control, flags);
    return control_close_down(control, flags & FSYS_GOAWAY_FORCE);
}

kern_return_t S_fsys_goaway(trivfs_control_t control, mach_port_t reply, mach_msg_type_name_t reply_type, int flags)
{
    bool answered = false;
    if (control == NULL)
        return EOPNOTSUPP;
    error_t err = goaway_check(control, flags);
    if (err) /* a node without a name goes by itself when its last user does */
        return flags & FSYS_GOAWAY_UNLINK ? 0 : err;
    err = goaway_sync(control, reply, reply_type, flags, &answered);
    if (err) {
        if (!(flags & FSYS_GOAWAY_UNLINK) && control->ops->goaway == NULL)
            ports_class_resume(control->protid_class);
        return err;
    }
    if (!answered)
        goaway_answer(reply, reply_type);
    exit(0);
}

/* ---- options ------------------------------------------------------------------------- */

error_t options_return(struct trivfs_control *control, data_t *data, mach_msg_type_number_t *count)
{
    char *argz = NULL;
    size_t length = 0;
    error_t err = argz_add(&argz, &length, program_invocation_name);
    if (err == 0 && control->ops->get_options != NULL)
        err = control->ops->get_options(control, &argz, &length);
    if (err) {
        free(argz);
        return err;
    }
    return data_return(argz, length, data, count);
}

kern_return_t S_fsys_get_options(trivfs_control_t control, mach_port_t reply, mach_msg_type_name_t reply_type,
                                 data_t *data, mach_msg_type_number_t *count)
{
    (void)reply, (void)reply_type;
    return control != NULL ? options_return(control, data, count) : EOPNOTSUPP;
}

kern_return_t S_fsys_set_options(trivfs_control_t control, mach_port_t reply, mach_msg_type_name_t reply_type,
                                 const_data_t options, mach_msg_type_number_t length, int do_children)
{
    (void)reply, (void)reply_type, (void)do_children;
    if (control == NULL)
        return EOPNOTSUPP;
    if (length == 0)
        return 0;
    if (options[length - 1] != '\0' || control->ops->set_options == NULL)
        return EINVAL;
    return control->ops->set_options(control, options, length);
}

kern_return_t S_fsys_syncfs(trivfs_control_t control, mach_port_t reply, mach_msg_type_name_t reply_type, int wait,
                            int do_children)
{
    (void)reply, (void)reply_type, (void)do_children;
    if (control == NULL)
        return EOPNOTSUPP;
    return control->ops->sync != NULL ? control->ops->sync(control, wait) : 0;
}

/* ---- the boot ---------------------------------------------------------------------------- */

kern_return_t S_fsys_startup(mach_port_t bootstrap, mach_port_t reply, mach_msg_type_name_t reply_type, int flags,
                             mach_port_t child, mach_port_t *realnode, mach_msg_type_name_t *realnode_type)
{
    (void)bootstrap; /* the object is known to the dispatcher only */
    struct trivfs_control *control = control_self();
    if (control == NULL || control->ops->fsys_startup == NULL)
        return EOPNOTSUPP;
    *realnode = MACH_PORT_NULL;
    *realnode_type = MACH_MSG_TYPE_MOVE_SEND;
    return control->ops->fsys_startup(control, reply, reply_type, flags, child, realnode);
}

kern_return_t S_fsys_init(trivfs_control_t control, mach_port_t reply, mach_msg_type_name_t reply_type,
                          mach_port_t proc, mach_port_t auth)
{
    if (control == NULL || control->ops->fsys_init == NULL)
        return EOPNOTSUPP;
    return control->ops->fsys_init(control, reply, reply_type, proc, auth);
}

kern_return_t S_fsys_getpriv(trivfs_control_t control, mach_port_t reply, mach_msg_type_name_t reply_type,
                             mach_port_t *host_priv, mach_msg_type_name_t *host_priv_type, mach_port_t *device_master,
                             mach_msg_type_name_t *device_master_type, mach_port_t *fstask,
                             mach_msg_type_name_t *fstask_type)
{
    (void)reply, (void)reply_type;
    if (control == NULL || control->ops->fsys_getpriv == NULL)
        return EOPNOTSUPP;
    *host_priv_type = *device_master_type = *fstask_type = MACH_MSG_TYPE_COPY_SEND;
    return control->ops->fsys_getpriv(control, host_priv, device_master, fstask);
}

/* ---- what single nodes do not have ----------------------------------------------------------- */

kern_return_t S_fsys_getfile(trivfs_control_t control, mach_port_t reply, mach_msg_type_name_t reply_type,
                             const_idarray_t uids, mach_msg_type_number_t nuids, const_idarray_t gids,
                             mach_msg_type_number_t ngids, const_data_t handle, mach_msg_type_number_t length,
                             mach_port_t *file, mach_msg_type_name_t *file_type)
{
    (void)control, (void)reply, (void)reply_type, (void)uids, (void)nuids, (void)gids, (void)ngids;
    (void)handle, (void)length, (void)file, (void)file_type;
    return EOPNOTSUPP;
}

kern_return_t S_fsys_forward(mach_port_t server, mach_port_t reply, mach_msg_type_name_t reply_type,
                             mach_port_t requestor, const_data_t argv, mach_msg_type_number_t length)
{
    (void)server, (void)reply, (void)reply_type, (void)requestor, (void)argv, (void)length;
    return EOPNOTSUPP;
}

kern_return_t S_fsys_get_children(trivfs_control_t control, mach_port_t reply, mach_msg_type_name_t reply_type,
                                  data_t *names, mach_msg_type_number_t *names_count, portarray_t *controls,
                                  mach_msg_type_name_t *controls_type, mach_msg_type_number_t *controls_count)
{
    (void)control, (void)reply, (void)reply_type, (void)names, (void)names_count, (void)controls;
    (void)controls_type, (void)controls_count;
    return EOPNOTSUPP;
}

kern_return_t S_fsys_get_source(trivfs_control_t control, mach_port_t reply, mach_msg_type_name_t reply_type,
                                string_t source)
{
    (void)control, (void)reply, (void)reply_type, (void)source;
    return EOPNOTSUPP;
}
