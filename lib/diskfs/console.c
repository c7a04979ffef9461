/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Mach console as an io object: what exec and startup get as descriptors 0, 1 and 2 while there is no terminal yet.

   The C library reads and writes descriptors by io.defs, which the kernel's device does not speak.  This object passes
   them on. It has no state but its modes; every user is equal.  */

#include "diskfs-internal.h"
#include "io_S.h"
#include "console-hooks.h"

#include <device/device.h>
#include <stdio.h>

#define READ_MAX 128    /* bytes of one device_read_inband: IO_INBAND_MAX */

static mach_port_t console_device;      /* constant after the first diskfs_console_right */

static const ports_interface_t console_interfaces[] = { io_server_routine, NULL };
static const struct ports_class_ops console_ops = {
    .name = "console", .size = sizeof(struct diskfs_console), .interfaces = console_interfaces,
};
struct ports_class diskfs_console_class = PORTS_CLASS(console_ops);

error_t diskfs_console_right(mach_port_t device, mach_port_t *right)
{
    struct diskfs_console *console;
    console_device = device;
    error_t err = ports_object_create(&diskfs_console_class, diskfs_bucket, &console);
    if (err)
        return err;
    *right = ports_object_send_right(console);
    ports_object_deref(console);
    return *right == MACH_PORT_NULL ? ENOMEM : 0;
}

kern_return_t console_S_io_write(diskfs_console_t console, const_data_t data, mach_msg_type_number_t dataCnt,
                                 boolean_t dataSCopy, loff_t offset, vm_size_t *amount)
{
    (void) offset;
    if (console == NULL)
        return EOPNOTSUPP;
    mach_msg_type_number_t done = 0;
    while (done < dataCnt) {
        int written = 0;
        mach_msg_type_number_t part = dataCnt - done < READ_MAX ? dataCnt - done : READ_MAX;
        error_t err = device_write_inband(console_device, 0, 0, (char *) data + done, part, &written);
        if (err || written <= 0) {
            if (done == 0)
                return err ? err : EIO;
            break;
        }
        done += (mach_msg_type_number_t) written;
    }
    *amount = done;
    if (!dataSCopy && dataCnt > 0)
        vm_deallocate(mach_task_self(), (vm_address_t) data, dataCnt);
    return 0;
}

kern_return_t console_S_io_read(diskfs_console_t console, data_t *data, mach_msg_type_number_t *dataCnt, loff_t offset,
                                vm_size_t amount)
{
    (void) offset;
    if (console == NULL)
        return EOPNOTSUPP;
    io_buf_ptr_inband_t text;
    mach_msg_type_number_t count = READ_MAX;
    error_t err = device_read_inband(console_device, 0, 0, (int) (amount < READ_MAX ? amount : READ_MAX), text, &count);
    if (err)
        return err;
    if (count > *dataCnt)
        count = *dataCnt;
    memcpy(*data, text, count);
    *dataCnt = count;
    return 0;
}

kern_return_t console_S_io_stat(diskfs_console_t console, io_statbuf_t *st)
{
    if (console == NULL)
        return EOPNOTSUPP;
    memset(st, 0, sizeof *st);
    st->st_fstype = FSTYPE_DEV;
    st->st_mode = S_IFCHR | 0666;
    st->st_nlink = 1;
    st->st_blksize = READ_MAX;
    return 0;
}

/* Another reference to the same port. */
static kern_return_t same_port(struct diskfs_console *console, mach_port_t *port, mach_msg_type_name_t *type)
{
    if (console == NULL)
        return EOPNOTSUPP;
    *port = ports_object_make_send_name(console);
    *type = MACH_MSG_TYPE_MAKE_SEND;
    return *port == MACH_PORT_NULL ? ENOMEM : 0;
}

kern_return_t console_S_io_duplicate(diskfs_console_t console, mach_port_t *port, mach_msg_type_name_t *portPoly)
{
    return same_port(console, port, portPoly);
}

kern_return_t console_S_io_restrict_auth(diskfs_console_t console, mach_port_t *port, mach_msg_type_name_t *portPoly,
                                         const_idarray_t uids, mach_msg_type_number_t uidsCnt, boolean_t uidsSCopy,
                                         const_idarray_t gids, mach_msg_type_number_t gidsCnt, boolean_t gidsSCopy)
{
    error_t err = same_port(console, port, portPoly);
    if (!err && !uidsSCopy && uidsCnt > 0)
        vm_deallocate(mach_task_self(), (vm_address_t) uids, uidsCnt * sizeof *uids);
    if (!err && !gidsSCopy && gidsCnt > 0)
        vm_deallocate(mach_task_self(), (vm_address_t) gids, gidsCnt * sizeof *gids);
    return err;
}

static error_t console_for_user(void *object, struct fshelp_user *user, mach_port_t receive)
{
    struct diskfs_console *console;
    (void) object, (void) user;
    error_t err = ports_object_import(&diskfs_console_class, diskfs_bucket, receive, &console);
    if (!err)
        ports_object_deref(console);
    return err;
}

kern_return_t console_S_io_reauthenticate(diskfs_console_t console, mach_port_t rendezvous)
{
    mach_port_t auth;
    if (console == NULL)
        return EOPNOTSUPP;
    error_t err = diskfs_auth_await(&auth);
    return err ? err : fshelp_reauthenticate(console, auth, rendezvous, console_for_user);
}

kern_return_t console_S_io_get_openmodes(diskfs_console_t console, int *bits)
{
    if (console == NULL)
        return EOPNOTSUPP;
    *bits = O_READ | O_WRITE;
    return 0;
}

kern_return_t console_S_io_set_all_openmodes(diskfs_console_t console, int bits)
{
    (void) bits;
    return console ? 0 : EOPNOTSUPP;
}

kern_return_t console_S_io_set_some_openmodes(diskfs_console_t console, int bits)
{
    (void) bits;
    return console ? 0 : EOPNOTSUPP;
}

kern_return_t console_S_io_clear_some_openmodes(diskfs_console_t console, int bits)
{
    (void) bits;
    return console ? 0 : EOPNOTSUPP;
}

kern_return_t console_S_io_select(diskfs_console_t console, int *type)
{
    *type &= SELECT_READ | SELECT_WRITE;
    return console ? 0 : EOPNOTSUPP;
}

kern_return_t console_S_io_select_timeout(diskfs_console_t console, timespec_t timeout, int *type)
{
    (void) timeout;
    return console_S_io_select(console, type);
}

kern_return_t console_S_io_server_version(diskfs_console_t console, string_t name, int *major_version,
                                          int *minor_version, int *edit_level)
{
    if (console == NULL)
        return EOPNOTSUPP;
    snprintf(name, STRING_MAX, "%s console", diskfs_ops->name);
    *major_version = *minor_version = *edit_level = 0;
    return 0;
}

/* The rest means nothing here. */
kern_return_t console_S_io_seek(diskfs_console_t console, loff_t offset, int whence, loff_t *newp)
{
    (void) console, (void) offset, (void) whence, (void) newp;
    return ESPIPE;
}

kern_return_t console_S_io_readable(diskfs_console_t console, vm_size_t *amount)
{
    (void) console, (void) amount;
    return EOPNOTSUPP;
}

kern_return_t console_S_io_async(diskfs_console_t console, mach_port_t notify, mach_port_t *id,
                                 mach_msg_type_name_t *idPoly)
{
    (void) console, (void) notify, (void) id, (void) idPoly;
    return EOPNOTSUPP;
}

kern_return_t console_S_io_mod_owner(diskfs_console_t console, pid_t owner)
{
    (void) console, (void) owner;
    return EOPNOTSUPP;
}

kern_return_t console_S_io_get_owner(diskfs_console_t console, pid_t *owner)
{
    (void) console, (void) owner;
    return EOPNOTSUPP;
}

kern_return_t console_S_io_get_icky_async_id(diskfs_console_t console, mach_port_t *id, mach_msg_type_name_t *idPoly)
{
    (void) console, (void) id, (void) idPoly;
    return EOPNOTSUPP;
}

kern_return_t console_S_io_map(diskfs_console_t console, mach_port_t *rd, mach_msg_type_name_t *rdPoly, mach_port_t *wr,
                               mach_msg_type_name_t *wrPoly)
{
    (void) console, (void) rd, (void) rdPoly, (void) wr, (void) wrPoly;
    return EOPNOTSUPP;
}

kern_return_t console_S_io_map_cntl(diskfs_console_t console, mach_port_t *object, mach_msg_type_name_t *objectPoly)
{
    (void) console, (void) object, (void) objectPoly;
    return EOPNOTSUPP;
}

kern_return_t console_S_io_prenotify(diskfs_console_t console, vm_offset_t start, vm_offset_t end)
{
    (void) console, (void) start, (void) end;
    return EOPNOTSUPP;
}

kern_return_t console_S_io_postnotify(diskfs_console_t console, vm_offset_t start, vm_offset_t end)
{
    (void) console, (void) start, (void) end;
    return EOPNOTSUPP;
}

kern_return_t console_S_io_pathconf(diskfs_console_t console, int name, int *value)
{
    (void) console, (void) name, (void) value;
    return EINVAL;
}

kern_return_t console_S_io_identity(diskfs_console_t console, mach_port_t *id, mach_msg_type_name_t *idPoly,
                                    mach_port_t *fsid, mach_msg_type_name_t *fsidPoly, ino64_t *fileno)
{
    (void) console, (void) id, (void) idPoly, (void) fsid, (void) fsidPoly, (void) fileno;
    return EOPNOTSUPP;
}

#define UNSUPPORTED(NAME) \
    kern_return_t console_S_##NAME(diskfs_console_t console) { (void) console; return EOPNOTSUPP; }
UNSUPPORTED(io_get_conch)
UNSUPPORTED(io_release_conch)
UNSUPPORTED(io_eofnotify)
UNSUPPORTED(io_readnotify)
UNSUPPORTED(io_readsleep)
UNSUPPORTED(io_sigio)
UNSUPPORTED(io_revoke)
