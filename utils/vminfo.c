/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vminfo: shows the address space of processes. */

#include <hurd.h>
#include <hurd/process.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "processes.h"

const char program_name[] = "vminfo";
const char program_help[] = "vminfo [OPTION...] PID...\n"
                            "Shows the regions of each process PID: address, size, protection (largest allowed), "
                            "inheritance, offset in its memory object.\n\n"
                            "  -s, --summary  only how many there are and how large they are together\n"
                            "      --help     this text\n";

static void protection_text(vm_prot_t protection, char text[4])
{
    text[0] = protection & VM_PROT_READ ? 'r' : '-';
    text[1] = protection & VM_PROT_WRITE ? 'w' : '-';
    text[2] = protection & VM_PROT_EXECUTE ? 'x' : '-';
    text[3] = '\0';
}

struct region {
    vm_address_t address;
    vm_size_t size;
    vm_prot_t protection, maximum;
    vm_inherit_t inheritance;
    boolean_t shared;
    vm_offset_t offset;
};

static void region_print(const struct region *r)
{
    const char *child = r->inheritance == VM_INHERIT_COPY    ? "copy"
                        : r->inheritance == VM_INHERIT_SHARE ? "share"
                                                             : "none";
    char now[4], most[4];

    protection_text(r->protection, now);
    protection_text(r->maximum, most);
    printf("%#14lx %10lu KiB %s (%s) %s%s +%#lx\n", (unsigned long)r->address, (unsigned long)r->size / 1024, now, most,
           child, r->shared ? " shared" : "", (unsigned long)r->offset);
}

static error_t show(pid_t pid, bool summary)
{
    struct region r = { 0 };
    unsigned long total = 0;
    unsigned int count = 0;
    task_t task;
    error_t err = proc_pid2task(getproc(), pid, &task);

    if (!err && task == MACH_PORT_NULL)
        err = ESRCH;
    for (; !err; r.address += r.size) {
        mach_port_t object = MACH_PORT_NULL;
        err = vm_region(task, &r.address, &r.size, &r.protection, &r.maximum, &r.inheritance, &r.shared, &object,
                        &r.offset);
        if (err)
            break;
        if (!summary)
            region_print(&r);
        if (MACH_PORT_VALID(object))
            mach_port_deallocate(mach_task_self(), object);
        total += r.size;
        count++;
    }
    if (err != KERN_NO_SPACE) {
        complain(err, "%d", pid);
        return err;
    }
    printf("%d: %u regions, %lu KiB\n", pid, count, total / 1024);
    return 0;
}

int main(int argc, char **argv)
{
    return processes_main(argc, argv, show);
}
