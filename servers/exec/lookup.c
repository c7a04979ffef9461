/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lookup: opening files as the process would that calls exec, and reading them. */

#include "exec.h"

#include <fcntl.h>
#include <hurd.h>
#include <hurd/io.h>
#include <hurd/lookup.h>

/* hurd_file_name_lookup asks for ports by calling back without an argument; the request it is about: */
static __thread const struct exec_request *lookup_request;

static error_t lookup_use_port(int which, error_t (*operate)(file_t))
{
    const struct exec_request *request = lookup_request;
    mach_port_t standard = MACH_PORT_NULL;
    error_t err;

    if (which < 0)
        return EINVAL;
    /* A program with more rights than its caller takes no root directory from him. */
    if ((request->flags & EXEC_SECURE) && which == INIT_PORT_CRDIR)
        standard = exec_defaults_port(INIT_PORT_CRDIR);
    if (standard == MACH_PORT_NULL && (unsigned int) which < request->portarray_count
        && request->portarray[which] != MACH_PORT_NULL)
        return operate(request->portarray[which]);
    if (standard == MACH_PORT_NULL && (request->flags & (EXEC_DEFAULTS | EXEC_SECURE)))
        standard = exec_defaults_port((unsigned int) which);
    if (standard == MACH_PORT_NULL)
        return ENOENT;
    err = operate(standard);
    mach_port_deallocate(mach_task_self(), standard);
    return err;
}

static file_t lookup_descriptor(int fd)
{
    const struct exec_request *request = lookup_request;

    if (fd < 0 || (unsigned int) fd >= request->dtable_count || request->dtable[fd] == MACH_PORT_NULL
        || mach_port_mod_refs(mach_task_self(), request->dtable[fd], MACH_PORT_RIGHT_SEND, 1)) {
        errno = EBADF;
        return MACH_PORT_NULL;
    }
    return request->dtable[fd];
}

error_t exec_lookup(const struct exec_request *request, const char *name, int flags, file_t *file)
{
    lookup_request = request;
    error_t err = hurd_file_name_lookup(lookup_use_port, lookup_descriptor, NULL, name, flags, 0, file);
    lookup_request = NULL;
    return err;
}

error_t exec_read(file_t file, uint64_t offset, void *buffer, size_t size, size_t *length)
{
    size_t done = 0;

    while (done < size) {
        char *data = (char *) buffer + done;
        mach_msg_type_number_t got = size - done > EXEC_HEADER_SIZE ? EXEC_HEADER_SIZE
                                                                    : (mach_msg_type_number_t)(size - done);
        error_t err = io_read(file, &data, &got, (loff_t) (offset + done), got);
        if (err)
            return err;
        if (data != (char *) buffer + done) {
            /* Out-of-line: someone else's idea of how much; at most what is wanted is taken. */
            err = ports_copy_guarded((char *) buffer + done, data, got < size - done ? got : size - done);
            vm_deallocate(mach_task_self(), (vm_address_t) data, got);
            if (err)
                return err;
        }
        if (got == 0)
            break;
        done += got < size - done ? got : size - done;
    }
    *length = done;
    return 0;
}
