/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fsys.defs: what the control port understands.  The stubs are made with REPLY_PORTS, as fsys_init and fsys_goaway
   answer before they are through; those two are in boot-init.c and goaway.c.  */

#include "diskfs-internal.h"
#include "mig-hooks.h"
#include "fsys_S.h"

#include <hurd/fsys.h>
#include <stdio.h>
#include <stdlib.h>

/* On a control port fsys_startup and fsys_forward mean nothing: MIG_BAD_ID. (The execboot port has the former, see
   boot.c.) */
static mig_routine_t control_server_routine(const mach_msg_header_t *header)
{
    return header->msgh_id == 22000 || header->msgh_id == 22008 ? NULL : fsys_server_routine(header);
}

static const ports_interface_t control_interfaces[] = { control_server_routine, NULL };
static const struct ports_class_ops control_ops = {
    .name = "control", .size = sizeof(struct diskfs_control), .interfaces = control_interfaces,
};
struct ports_class diskfs_control_class = PORTS_CLASS(control_ops);

/* The root as USER opens it, coming from the directory of ORIGIN. */
static error_t root_open(struct diskfs_origin *origin, struct fshelp_user *user, int flags, mach_port_t *file,
                         mach_msg_type_name_t *filePoly)
{
    pthread_mutex_lock(&diskfs_root->lock);
    error_t err = diskfs_open_check(diskfs_root, flags, user);
    pthread_mutex_unlock(&diskfs_root->lock);
    if (err)
        return err;
    diskfs_node_ref(diskfs_root);
    return diskfs_open_reply(diskfs_root, flags, origin, user, file, filePoly);
}

kern_return_t diskfs_S_fsys_getroot(diskfs_control_t control, mach_port_t reply_port,
                                    mach_msg_type_name_t reply_portPoly, mach_port_t dotdot, const_idarray_t uids,
                                    mach_msg_type_number_t uidsCnt, const_idarray_t gids,
                                    mach_msg_type_number_t gidsCnt, int flags, retry_type *do_retry,
                                    string_t retry_name, mach_port_t *file, mach_msg_type_name_t *filePoly)
{
    (void) reply_port, (void) reply_portPoly;
    if (control == NULL)
        return EOPNOTSUPP;
    struct fshelp_user *user = fshelp_user_create_sent(NULL, uids, uidsCnt, gids, gidsCnt);
    struct diskfs_origin *origin = diskfs_origin_create(dotdot, NULL, MACH_PORT_NULL);
    error_t err = user == NULL || origin == NULL ? ENOMEM : 0;

    pthread_mutex_lock(&diskfs_root->lock);
    bool translated = !(flags & O_NOTRANS) && diskfs_node_translated(diskfs_root, flags);
    pthread_mutex_unlock(&diskfs_root->lock);
    if (!err && translated) {   /* somebody sits on our root */
        *filePoly = MACH_MSG_TYPE_MOVE_SEND;
        retry_name[0] = '\0';
        err = diskfs_translator_root(diskfs_root, NULL, dotdot, origin, user, flags, "", do_retry, retry_name, file);
        translated = err != ENOENT;
        err = translated ? err : 0;
    }
    if (!err && !translated) {
        *do_retry = FS_RETRY_NORMAL;
        retry_name[0] = '\0';
        err = root_open(origin, user, flags, file, filePoly);
    }
    if (err && origin != NULL)
        origin->root_parent = MACH_PORT_NULL;   /* the request's right stays the request's */
    if (origin != NULL)
        diskfs_origin_deref(origin);
    if (user != NULL)
        fshelp_user_deref(user);
    return err;
}

kern_return_t diskfs_S_fsys_getfile(diskfs_control_t control, mach_port_t reply_port,
                                    mach_msg_type_name_t reply_portPoly, const_idarray_t uids,
                                    mach_msg_type_number_t uidsCnt, const_idarray_t gids,
                                    mach_msg_type_number_t gidsCnt, const_data_t handle,
                                    mach_msg_type_number_t handleCnt, mach_port_t *file, mach_msg_type_name_t *filePoly)
{
    struct diskfs_node *node;
    (void) reply_port, (void) reply_portPoly;
    if (control == NULL)
        return EOPNOTSUPP;
    error_t err = diskfs_handle_lookup(handle, handleCnt, &node);
    if (err)
        return err;
    struct fshelp_user *user = fshelp_user_create_sent(NULL, uids, uidsCnt, gids, gidsCnt);
    struct diskfs_origin *origin = diskfs_origin_create(MACH_PORT_NULL, NULL, MACH_PORT_NULL);
    if (user == NULL || origin == NULL) {
        diskfs_node_deref(node);
        err = ENOMEM;
    } else {
        /* As much as the user may: the handle is for a server of other machines' clients, which checks what they do. */
        pthread_mutex_lock(&node->lock);
        int flags = fshelp_allowed(&node->stat, user);
        if (S_ISDIR(node->stat.st_mode) || diskfs_readonly)
            flags &= ~O_WRITE;
        pthread_mutex_unlock(&node->lock);
        err = diskfs_open_reply(node, flags, origin, user, file, filePoly);
    }
    if (origin != NULL)
        diskfs_origin_deref(origin);
    if (user != NULL)
        fshelp_user_deref(user);
    return err;
}

kern_return_t diskfs_S_fsys_syncfs(diskfs_control_t control, mach_port_t reply_port,
                                   mach_msg_type_name_t reply_portPoly, int wait, int do_children)
{
    (void) reply_port, (void) reply_portPoly;
    return control ? diskfs_syncfs(wait, do_children) : EOPNOTSUPP;
}

struct child_options { const char *argz; size_t length; };

static error_t options_child(mach_port_t child, void *arg)
{
    struct child_options *o = arg;
    error_t err = fsys_set_options(child, o->argz, (mach_msg_type_number_t) o->length, 1);
    /* What a child does not understand is not for it. */
    return err == EINVAL || err == EOPNOTSUPP || err == MIG_BAD_ID || err == MACH_SEND_INVALID_DEST ||
                   err == MIG_SERVER_DIED
               ? 0
               : err;
}

kern_return_t diskfs_S_fsys_set_options(diskfs_control_t control, mach_port_t reply_port,
                                        mach_msg_type_name_t reply_portPoly, const_data_t options,
                                        mach_msg_type_number_t optionsCnt, int do_children)
{
    char *argz;
    (void) reply_port, (void) reply_portPoly;
    if (control == NULL)
        return EOPNOTSUPP;
    error_t err = diskfs_copy_in(options, optionsCnt, &argz);
    if (err)
        return err;
    struct child_options o = { argz, optionsCnt };
    if (do_children)
        err = diskfs_translators_iterate(options_child, &o);
    if (!err)
        err = diskfs_options_set(argz, optionsCnt);
    free(argz);
    return err;
}

kern_return_t diskfs_S_fsys_get_options(diskfs_control_t control, mach_port_t reply_port,
                                        mach_msg_type_name_t reply_portPoly, data_t *options,
                                        mach_msg_type_number_t *optionsCnt)
{
    char *argz;
    size_t length;
    (void) reply_port, (void) reply_portPoly;
    if (control == NULL)
        return EOPNOTSUPP;
    error_t err = diskfs_options_get(&argz, &length);
    if (err)
        return err;
    struct diskfs_buffer buffer = { .data = *options, .capacity = *optionsCnt };
    err = diskfs_buffer_reserve(&buffer, length);
    if (!err) {
        memcpy(buffer.data, argz, length);
        *options = buffer.data;
        *optionsCnt = (mach_msg_type_number_t) length;
    }
    free(argz);
    return err;
}

/* Three more references, for an answer; those before the one that failed are given back. */
static error_t ports_ref(mach_port_t *ports, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        if (!MACH_PORT_VALID(ports[i]))
            continue;
        error_t err = mach_port_mod_refs(mach_task_self(), ports[i], MACH_PORT_RIGHT_SEND, +1);
        if (err) {
            while (i-- > 0)
                if (MACH_PORT_VALID(ports[i]))
                    mach_port_deallocate(mach_task_self(), ports[i]);
            return err;
        }
    }
    return 0;
}

kern_return_t diskfs_S_fsys_getpriv(diskfs_control_t control, mach_port_t reply_port,
                                    mach_msg_type_name_t reply_portPoly, mach_port_t *host_priv,
                                    mach_msg_type_name_t *host_privPoly, mach_port_t *device_master,
                                    mach_msg_type_name_t *device_masterPoly, mach_port_t *fstask,
                                    mach_msg_type_name_t *fstaskPoly)
{
    (void) reply_port, (void) reply_portPoly;
    /* Only the boot file system has them to give, and only startup has the port to ask on. */
    if (control == NULL || !diskfs_is_boot())
        return EOPNOTSUPP;
    mach_port_t ports[] = { diskfs_arguments.host_priv, diskfs_arguments.device_master, mach_task_self() };
    error_t err = ports_ref(ports, 3);
    if (err)
        return err;
    *host_priv = ports[0];
    *device_master = ports[1];
    *fstask = ports[2];
    *host_privPoly = *device_masterPoly = *fstaskPoly = MACH_MSG_TYPE_MOVE_SEND;
    return 0;
}

kern_return_t diskfs_S_fsys_forward(mach_port_t server, mach_port_t reply_port, mach_msg_type_name_t reply_portPoly,
                                    mach_port_t requestor, const_data_t argv, mach_msg_type_number_t argvCnt)
{
    (void) server, (void) reply_port, (void) reply_portPoly, (void) requestor, (void) argv, (void) argvCnt;
    return EOPNOTSUPP;
}

kern_return_t diskfs_S_fsys_get_source(diskfs_control_t control, mach_port_t reply_port,
                                       mach_msg_type_name_t reply_portPoly, string_t source)
{
    (void) reply_port, (void) reply_portPoly;
    if (control == NULL)
        return EOPNOTSUPP;
    const char *name = diskfs_ops->source ? diskfs_ops->source() : diskfs_arguments.stores[0];
    snprintf(source, STRING_MAX, "%s", name);
    return 0;
}
