/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server: the routines of exec.defs.  The message is checked here; what it asks is done elsewhere. */

#include "hooks.h"
#include "exec_S.h"

/* Takes over what exec_run has left of a successful request. */
static void request_drop_rest(file_t file, task_t oldtask, const portarray_t dtable, unsigned int dtable_count,
                              bool dtable_inline, const portarray_t portarray, unsigned int portarray_count,
                              bool portarray_inline, const int *intarray, unsigned int intarray_count,
                              bool intarray_inline)
{
    if (MACH_PORT_VALID(file))
        mach_port_deallocate(mach_task_self(), file);
    if (MACH_PORT_VALID(oldtask))
        mach_port_deallocate(mach_task_self(), oldtask);
    /* Out-of-line arrays are ours because of `servercopy`. */
    if (!dtable_inline && dtable_count > 0)
        vm_deallocate(mach_task_self(), (vm_address_t) dtable, dtable_count * sizeof *dtable);
    if (!portarray_inline && portarray_count > 0)
        vm_deallocate(mach_task_self(), (vm_address_t) portarray, portarray_count * sizeof *portarray);
    if (!intarray_inline && intarray_count > 0)
        vm_deallocate(mach_task_self(), (vm_address_t) intarray, intarray_count * sizeof *intarray);
}

/* Bytes that came out of line are memory of their own. */
static int data_kind(bool is_inline)
{
    return is_inline ? EXEC_DATA_BORROWED : EXEC_DATA_VM;
}

kern_return_t S_exec_exec_paths(exec_object_t object, mach_port_t file, mach_port_t oldtask, int flags,
                                const_string_t path, const_string_t abspath, const_data_t argv,
                                mach_msg_type_number_t argv_length, boolean_t argv_inline, const_data_t envp,
                                mach_msg_type_number_t envp_length, boolean_t envp_inline, const_portarray_t dtable,
                                mach_msg_type_number_t dtable_count, boolean_t dtable_inline,
                                const_portarray_t portarray, mach_msg_type_number_t portarray_count,
                                boolean_t portarray_inline, const_intarray_t intarray,
                                mach_msg_type_number_t intarray_count, boolean_t intarray_inline,
                                const_mach_port_name_array_t deallocnames, mach_msg_type_number_t deallocnames_count,
                                const_mach_port_name_array_t destroynames, mach_msg_type_number_t destroynames_count)
{
    struct exec_request request = {
        .file = file, .oldtask = oldtask, .flags = flags, .path = path, .abspath = abspath,
        .argv = argv, .envp = envp, .argv_length = argv_length, .envp_length = envp_length,
        .dtable = dtable, .portarray = portarray, .dtable_count = dtable_count, .portarray_count = portarray_count,
        .intarray = intarray, .intarray_count = intarray_count,
        .deallocnames = deallocnames, .destroynames = destroynames,
        .deallocnames_count = deallocnames_count, .destroynames_count = destroynames_count,
    };
    error_t err;

    if (object == NULL || (object->class != exec_protid_class && object->class != exec_control_class))
        return EOPNOTSUPP;
    if (!MACH_PORT_VALID(file) || oldtask == mach_task_self())
        return EINVAL;
    if (oldtask == MACH_PORT_DEAD)
        return ESRCH;   /* killed while it asked */
    err = exec_run(&request, data_kind(argv_inline), data_kind(envp_inline));
    if (!err)
        request_drop_rest(file, oldtask, (portarray_t)dtable, dtable_count, dtable_inline, (portarray_t)portarray,
                          portarray_count, portarray_inline, intarray, intarray_count, intarray_inline);
    return err;
}

kern_return_t S_exec_exec(exec_object_t object, mach_port_t file, mach_port_t oldtask, int flags, const_data_t argv,
                          mach_msg_type_number_t argv_length, boolean_t argv_inline, const_data_t envp,
                          mach_msg_type_number_t envp_length, boolean_t envp_inline, const_portarray_t dtable,
                          mach_msg_type_number_t dtable_count, boolean_t dtable_inline, const_portarray_t portarray,
                          mach_msg_type_number_t portarray_count, boolean_t portarray_inline, const_intarray_t intarray,
                          mach_msg_type_number_t intarray_count, boolean_t intarray_inline,
                          const_mach_port_name_array_t deallocnames, mach_msg_type_number_t deallocnames_count,
                          const_mach_port_name_array_t destroynames, mach_msg_type_number_t destroynames_count)
{
    return S_exec_exec_paths(object, file, oldtask, flags, "", "", argv, argv_length, argv_inline, envp, envp_length,
                             envp_inline, dtable, dtable_count, dtable_inline, portarray, portarray_count,
                             portarray_inline, intarray, intarray_count, intarray_inline, deallocnames,
                             deallocnames_count, destroynames, destroynames_count);
}

/* The bootstrap file system says that auth and proc are there.  Only once, and thereby only it: nobody else runs
   then. */
kern_return_t S_exec_init(exec_object_t object, auth_t auth, mach_port_t proc)
{
    if (object == NULL || (object->class != exec_protid_class && object->class != exec_control_class))
        return EOPNOTSUPP;
    if (!MACH_PORT_VALID(auth) || !MACH_PORT_VALID(proc))
        return EINVAL;
    return exec_init_complete(auth, proc);
}

/* proc says what the standard arrays are, on the port that it alone has got (proc_execdata_notify). */
kern_return_t S_exec_setexecdata(exec_object_t object, const_portarray_t ports, mach_msg_type_number_t port_count,
                                 boolean_t ports_inline, const_intarray_t ints, mach_msg_type_number_t int_count,
                                 boolean_t ints_inline)
{
    error_t err;

    if (object == NULL || object->class != &exec_notify_class)
        return EPERM;
    err = exec_defaults_set(ports, port_count, ints, int_count);
    if (!err && !ports_inline && port_count > 0)
        vm_deallocate(mach_task_self(), (vm_address_t) ports, port_count * sizeof *ports);
    if (!err && !ints_inline && int_count > 0)
        vm_deallocate(mach_task_self(), (vm_address_t) ints, int_count * sizeof *ints);
    return err;
}
