/* SPDX-License-Identifier: GPL-2.0-or-later */
/* node.c: startup as the translator of /servers/startup.

   Whoever opens that node gets a port of startup's, which remembers the user; the file calls that ls and stat make on
   it are answered from the node underneath. */

#include <dance/dance.h>
#include <fcntl.h>
#include <hurd.h>
#include <hurd/fs.h>
#include <hurd/io.h>
#include <hurd/paths.h>
#include <string.h>

#include "fsys_S.h"
#include "io_S.h"
#include "startup.h"

mach_port_t startup_node;

void install_as_translator(void)
{
    mach_port_t node = file_name_lookup(_SERVERS_STARTUP, O_NOTRANS, 0);
    if (node == MACH_PORT_NULL) {
        complain(errno, "%s", _SERVERS_STARTUP);
        return;
    }
    mach_port_t control = ports_object_send_right(startup_control);
    error_t err = file_set_translator(node, 0, FS_TRANS_SET, 0, NULL, 0, control, MACH_MSG_TYPE_MOVE_SEND);
    if (err) {
        complain(err, "cannot become the translator of %s", _SERVERS_STARTUP);
        mach_port_deallocate(mach_task_self(), control);
    } else {
        dance_step(10, "install_as_translator on %s", _SERVERS_STARTUP);
    }
    pthread_mutex_lock(&startup_lock);
    startup_node = node;
    pthread_mutex_unlock(&startup_lock);
}

/* Who has the COUNT user ids UIDS: root, if that is among them, or the first. */
static lists_asker_t asker_of(const_idarray_t uids, mach_msg_type_number_t count)
{
    lists_asker_t asker = ASKER_UNKNOWN, uid;
    for (mach_msg_type_number_t i = 0; i < count; i++) {
        if (ports_copy_guarded(&uid, &uids[i], sizeof uid))
            return ASKER_UNKNOWN;
        if (i == 0 || uid == ASKER_ROOT)
            asker = uid;
    }
    return asker;
}

kern_return_t S_fsys_getroot(startup_control_t control, mach_port_t dotdot, const_idarray_t uids,
                             mach_msg_type_number_t uid_count, const_idarray_t gids, mach_msg_type_number_t gid_count,
                             int flags, retry_type *retry, string_t retry_name, mach_port_t *file,
                             mach_msg_type_name_t *file_type)
{
    (void)gids, (void)gid_count, (void)flags;
    struct startup_object *open;
    if (!control)
        return EOPNOTSUPP;
    error_t err = ports_object_create(&startup_class, control->port.bucket, &open);
    if (err)
        return err;
    open->asker = asker_of(uids, uid_count);
    if (MACH_PORT_VALID(dotdot))
        mach_port_deallocate(mach_task_self(), dotdot);
    *retry = FS_RETRY_NORMAL;
    retry_name[0] = 0;
    *file = ports_object_make_send_name(open);
    *file_type = MACH_MSG_TYPE_MAKE_SEND;
    ports_object_deref(open);
    return 0;
}

kern_return_t S_fsys_goaway(startup_control_t control, int flags)
{
    (void)flags;
    return control ? EBUSY : EOPNOTSUPP;
}

kern_return_t S_fsys_syncfs(startup_control_t control, int wait, int children)
{
    (void)wait, (void)children;
    return control ? 0 : EOPNOTSUPP;
}

kern_return_t S_fsys_get_options(startup_control_t control, data_t *options, mach_msg_type_number_t *count)
{
    static const char name[] = _HURD_STARTUP;
    if (!control)
        return EOPNOTSUPP;
    if (*count < sizeof name)
        return ENOMEM;
    memcpy(*options, name, sizeof name);
    *count = sizeof name;
    return 0;
}

kern_return_t S_io_stat(startup_call_t call, io_statbuf_t *statbuf)
{
    if (!call || startup_node == MACH_PORT_NULL)
        return EOPNOTSUPP;
    return io_stat(startup_node, statbuf);
}
