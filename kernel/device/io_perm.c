/* SPDX-License-Identifier: GPL-2.0-or-later */
/* I/O ports for user space (mach_i386.defs, i386_io_perm_*): a right to a range, and a task's map of what its threads
   may touch.  The map goes into the processor's task state segment when a thread of such a task runs. */

#include "../arch/x86_64/cpu.h"
#include "../ipc/ipc.h"
#include "../mig/mig_types.h"
#include "../task/task.h"
#include "interrupt.h"
#include "mach_i386_S.h"

/* PCI's configuration is reached in two steps, so two drivers at it would disturb each other: whoever has a right to
   these ports is the only one, until nobody has the right any more. */
#define PCI_FIRST 0xcf8
#define PCI_LAST 0xcff

struct io_perm {
    struct ipc_port *port;
    uint16_t from, to;
};

static bool pci_taken;

static bool has_pci(uint16_t from, uint16_t to)
{
    return from <= PCI_LAST && to >= PCI_FIRST;
}

struct io_bitmap {
    uint32_t refs;
    uint8_t bits[8192]; /* 1: forbidden, as the processor has it */
};

void io_bitmap_load(struct cpu *cpu, struct thread *next)
{
    if (next->task->io == NULL) {
        memset(cpu->tss.io_map, 0xff, 8192);
        cpu->io_owner = NULL;
    } else if (cpu->io_owner != next->task) {
        memcpy(cpu->tss.io_map, next->task->io->bits, 8192);
        cpu->io_owner = next->task;
    }
}

void io_bitmap_read(const struct task *task, void *bits, size_t size)
{
    if (task->io)
        memcpy(bits, task->io->bits, size);
    else
        memset(bits, 0xff, size);
}

void io_bitmap_inherit(struct task *task, struct task *parent)
{
    task->io = parent->io;
    if (task->io)
        task->io->refs++;
}

void io_bitmap_drop(struct task *task)
{
    for_each_cpu(cpu) {
        if (cpu->io_owner != task)
            continue;
        memset(cpu->tss.io_map, 0xff, 8192);
        cpu->io_owner = NULL;
    }
    if (task->io && --task->io->refs == 0)
        kfree(task->io, sizeof *task->io);
    task->io = NULL;
}

/* TASK's own map, to be changed. */
static struct io_bitmap *bitmap_own(struct task *task)
{
    struct io_bitmap *old = task->io;
    if (old && old->refs == 1)
        return old;
    struct io_bitmap *new = kalloc(sizeof *new);
    if (new == NULL)
        return NULL;
    new->refs = 1;
    memset(new->bits, 0xff, sizeof new->bits);
    if (old) {
        memcpy(new->bits, old->bits, sizeof new->bits);
        old->refs--;
    }
    task->io = new;
    return new;
}

io_perm_t convert_port_to_io_perm(ipc_port_t port)
{
    return port_kobject(port, KOBJECT_IO_PERM);
}

ipc_port_t convert_io_perm_to_port(io_perm_t io_perm)
{
    return port_make_send(io_perm->port);
}

void io_perm_deallocate(io_perm_t io_perm)
{
    (void)io_perm; /* it lives as long as its port has senders, and the request is one */
}

void io_perm_no_senders(struct ipc_port *port)
{
    struct io_perm *io_perm = port->kobject;
    if (has_pci(io_perm->from, io_perm->to))
        pci_taken = false;
    port_destroy(port);
    kfree(io_perm, sizeof *io_perm);
}

kern_return_t rpc_i386_io_perm_create(ipc_port_t master, io_port_t from, io_port_t to, io_perm_t *result)
{
    if (port_kobject(master, KOBJECT_DEVICE_MASTER) == NULL || from > to)
        return KERN_INVALID_ARGUMENT;
    if (has_pci(from, to) && pci_taken)
        return KERN_PROTECTION_FAILURE;
    struct io_perm *io_perm = kalloc(sizeof *io_perm);
    struct ipc_port *port = io_perm ? port_alloc_kernel(KOBJECT_IO_PERM, io_perm) : NULL;
    if (port == NULL) {
        kfree(io_perm, sizeof *io_perm);
        return KERN_RESOURCE_SHORTAGE;
    }
    *io_perm = (struct io_perm){port, from, to};
    pci_taken |= has_pci(from, to);
    port->kernel_no_senders = true;
    *result = io_perm;
    return KERN_SUCCESS;
}

kern_return_t rpc_i386_io_perm_modify(task_t task, io_perm_t io_perm, boolean_t enable)
{
    if (task == NULL || io_perm == NULL)
        return KERN_INVALID_ARGUMENT;
    struct io_bitmap *bitmap = bitmap_own(task);
    if (bitmap == NULL)
        return KERN_RESOURCE_SHORTAGE;
    for (uint32_t port = io_perm->from; port <= io_perm->to; port++) {
        uint8_t bit = (uint8_t)(1u << port % 8);
        if (enable)
            bitmap->bits[port / 8] &= (uint8_t)~bit;
        else
            bitmap->bits[port / 8] |= bit;
    }
    for_each_cpu(cpu) {
        if (cpu->io_owner != task && cpu->thread->task != task)
            continue;
        cpu->io_owner = NULL;
        memset(cpu->tss.io_map, 0xff, 8192);
        if (cpu->thread->task == task)
            io_bitmap_load(cpu, cpu->thread);
    }
    return KERN_SUCCESS;
}
