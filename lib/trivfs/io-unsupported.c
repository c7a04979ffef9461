/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of io.defs that single nodes do not have: shared file pointers in memory, and messages about input.  */

#include "trivfs-internal.h"

#include "io_S.h"

kern_return_t S_io_async(trivfs_protid_t protid, mach_port_t notify, mach_port_t *id, mach_msg_type_name_t *type)
{
    (void)protid, (void)notify, (void)id, (void)type;
    return EOPNOTSUPP;
}

kern_return_t S_io_map_cntl(trivfs_protid_t protid, mach_port_t *object, mach_msg_type_name_t *type)
{
    (void)protid, (void)object, (void)type;
    return EOPNOTSUPP;
}

kern_return_t S_io_get_conch(trivfs_protid_t protid)
{
    (void)protid;
    return EOPNOTSUPP;
}

kern_return_t S_io_release_conch(trivfs_protid_t protid)
{
    (void)protid;
    return EOPNOTSUPP;
}

kern_return_t S_io_eofnotify(trivfs_protid_t protid)
{
    (void)protid;
    return EOPNOTSUPP;
}

kern_return_t S_io_prenotify(trivfs_protid_t protid, vm_offset_t start, vm_offset_t end)
{
    (void)protid, (void)start, (void)end;
    return EOPNOTSUPP;
}

kern_return_t S_io_postnotify(trivfs_protid_t protid, vm_offset_t start, vm_offset_t end)
{
    (void)protid, (void)start, (void)end;
    return EOPNOTSUPP;
}

kern_return_t S_io_readnotify(trivfs_protid_t protid)
{
    (void)protid;
    return EOPNOTSUPP;
}

kern_return_t S_io_readsleep(trivfs_protid_t protid)
{
    (void)protid;
    return EOPNOTSUPP;
}

kern_return_t S_io_sigio(trivfs_protid_t protid)
{
    (void)protid;
    return EOPNOTSUPP;
}
