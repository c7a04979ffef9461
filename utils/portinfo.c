/* SPDX-License-Identifier: GPL-2.0-or-later */
/* portinfo: shows the port rights that processes hold. */

#include <hurd.h>
#include <hurd/process.h>
#include <mach/mach_port.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "processes.h"

const char program_name[] = "portinfo";
const char program_help[] = "portinfo [OPTION...] PID...\n"
                            "Shows the port rights of each process PID: name, kinds and references, for receive rights "
                            "also messages and senders.\n\n"
                            "  -s, --summary  only how many of each kind\n"
                            "      --help     this text\n";

struct kind {
    mach_port_type_t type;
    mach_port_right_t right;
    const char *name;
};
static const struct kind kinds[] = {
    {MACH_PORT_TYPE_RECEIVE, MACH_PORT_RIGHT_RECEIVE, "receive"},
    {MACH_PORT_TYPE_SEND, MACH_PORT_RIGHT_SEND, "send"},
    {MACH_PORT_TYPE_SEND_ONCE, MACH_PORT_RIGHT_SEND_ONCE, "send-once"},
    {MACH_PORT_TYPE_PORT_SET, MACH_PORT_RIGHT_PORT_SET, "set"},
    {MACH_PORT_TYPE_DEAD_NAME, MACH_PORT_RIGHT_DEAD_NAME, "dead"},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void show_name(task_t task, mach_port_t name, mach_port_type_t type)
{
    mach_port_urefs_t refs;
    mach_port_status_t status;

    printf("%8u", name);
    for (unsigned int i = 0; i < KINDS; i++)
        if ((type & kinds[i].type) && mach_port_get_refs(task, name, kinds[i].right, &refs) == 0)
            printf(" %s(%u)", kinds[i].name, refs);
    if ((type & MACH_PORT_TYPE_RECEIVE) && mach_port_get_receive_status(task, name, &status) == 0)
        printf(" %u/%u messages%s%s", status.mps_msgcount, status.mps_qlimit, status.mps_srights ? ", has senders" : "",
               status.mps_pset != MACH_PORT_NULL ? ", in a set" : "");
    putchar('\n');
}

static error_t show(pid_t pid, bool summary)
{
    mach_port_name_array_t names;
    mach_port_type_array_t types;
    mach_msg_type_number_t name_count, type_count;
    unsigned int counts[KINDS] = { 0 };
    task_t task;
    error_t err = proc_pid2task(getproc(), pid, &task);

    if (!err && task == MACH_PORT_NULL)
        err = ESRCH;
    if (!err)
        err = mach_port_names(task, &names, &name_count, &types, &type_count);
    if (err) {
        complain(err, "%d", pid);
        return err;
    }
    for (mach_msg_type_number_t i = 0; i < name_count; i++) {
        for (unsigned int k = 0; k < KINDS; k++)
            counts[k] += (types[i] & kinds[k].type) != 0;
        if (!summary)
            show_name(task, names[i], types[i]);
    }
    printf("%d: %u names", pid, name_count);
    for (unsigned int k = 0; k < KINDS; k++)
        printf(", %u %s", counts[k], kinds[k].name);
    putchar('\n');
    return 0;
}

int main(int argc, char **argv)
{
    return processes_main(argc, argv, show);
}
