/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transinfo PATH...: says of each path whether a translator sits on it: "PATH: active", "PATH: passive" or "PATH:
   none". */

#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <hurd.h>
#include <hurd/fs.h>
#include <stdio.h>

static int has_passive(file_t node)
{
    char buffer[256], *argz = buffer;
    mach_msg_type_number_t length = sizeof buffer;
    error_t err = file_get_translator(node, &argz, &length);

    if (!err && argz != buffer)
        vm_deallocate(mach_task_self(), (vm_address_t) argz, length);
    return !err && length > 0;
}

static int has_active(file_t node)
{
    mach_port_t control = MACH_PORT_NULL;
    error_t err = file_get_translator_cntl(node, &control);

    if (!err && control != MACH_PORT_NULL)
        mach_port_deallocate(mach_task_self(), control);
    return !err && control != MACH_PORT_NULL;
}

int main(int argc, char **argv)
{
    int status = 0;

    for (int i = 1; i < argc; i++) {
        file_t node = file_name_lookup(argv[i], O_NOTRANS, 0);

        if (node == MACH_PORT_NULL) {
            error(0, errno, "%s", argv[i]);
            status = 1;
            continue;
        }
        printf("%s: %s\n", argv[i], has_active(node) ? "active" : has_passive(node) ? "passive" : "none");
        mach_port_deallocate(mach_task_self(), node);
    }
    return status;
}
