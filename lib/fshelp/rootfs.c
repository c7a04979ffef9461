/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a server that was there before the root file system does when that comes: see fshelp.h. */

#include <fshelp/fshelp.h>

#include <fcntl.h>
#include <hurd.h>
#include <hurd/fs.h>
#include <hurd/fsys.h>
#include <mach/mig_support.h>
#include <ports/ports.h>
#include <unistd.h>

/* A program that the kernel started from a GRUB module has no port table: the C library begins now as it would have if
   exec had given it these ports (consumed; ROOT twice).  It frees the array. */
static error_t library_begin(mach_port_t auth, mach_port_t proc, mach_port_t root)
{
    static char *argv[2];
    vm_address_t memory = 0;
    error_t err = vm_allocate(mach_task_self(), &memory, INIT_PORT_MAX * sizeof(mach_port_t), TRUE);

    if (err)
        return err;
    mach_port_t *ports = (mach_port_t *) memory;
    ports[INIT_PORT_AUTH] = auth;
    ports[INIT_PORT_PROC] = proc;
    ports[INIT_PORT_CRDIR] = root;
    ports[INIT_PORT_CWDIR] = root;
    argv[0] = program_invocation_name;
    _hurd_init(0, argv, ports, INIT_PORT_MAX, NULL, 0);
    _hurd_libc_proc_init(argv);
    ports_sieve_install();
    return 0;
}

error_t fshelp_adopt_common_ports(mach_port_t control, mach_port_t auth, mach_port_t proc)
{
    char retry_name[1024] = "";
    retry_type retry;
    uid_t uid = 0;
    gid_t gid = 0;
    file_t root;
    error_t err = fsys_getroot(control, mig_get_reply_port(), MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND, &uid, 1, &gid, 1,
                               O_READ | O_EXEC, &retry, retry_name, &root);

    if (err)
        return err;
    mach_port_mod_refs(mach_task_self(), root, MACH_PORT_RIGHT_SEND, 1); /* a reference for each place */
    mach_port_mod_refs(mach_task_self(), auth, MACH_PORT_RIGHT_SEND, 1);
    mach_port_mod_refs(mach_task_self(), proc, MACH_PORT_RIGHT_SEND, 1);
    if (_hurd_ports == NULL)
        return library_begin(auth, proc, root);
    _hurd_port_set(&_hurd_ports[INIT_PORT_CRDIR], root);
    _hurd_port_set(&_hurd_ports[INIT_PORT_CWDIR], root);
    _hurd_port_set(&_hurd_ports[INIT_PORT_AUTH], auth);
    _hurd_port_set(&_hurd_ports[INIT_PORT_PROC], proc);
    return 0;
}

error_t fshelp_install_translator(mach_port_t dir, const char *path, mach_port_t control)
{
    file_t node = file_name_lookup_under(dir, path, O_NOTRANS, 0);
    error_t err;

    if (node == MACH_PORT_NULL)
        return errno;
    err = file_set_translator(node, 0, FS_TRANS_SET, 0, NULL, 0, control, MACH_MSG_TYPE_COPY_SEND);
    mach_port_deallocate(mach_task_self(), node);
    return err;
}
