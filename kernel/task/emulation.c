/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Emulation vectors (mach.defs): the handlers that a task has for system calls, by number.  As GNU Mach for x86_64, the
   kernel keeps them, copies have them too, and no call goes to one.  Lock: the kernel lock. */

#include "../ipc/ipc.h"
#include "../mig/mig_types.h"
#include "../vm/map.h"
#include "mach_S.h"
#include "task.h"

#define RANGE_MAX 16384   /* from the first number of a vector to the last */
#define EML_BAD_TASK 0x8001

struct emulation {
    int64_t start;        /* the first's number */
    size_t count;
    vm_offset_t entries[];
};

static size_t emulation_size(size_t count)
{
    return sizeof(struct emulation) + count * sizeof(vm_offset_t);
}

void emulation_drop(struct task *task)
{
    if (task->emulation)
        kfree(task->emulation, emulation_size(task->emulation->count));
    task->emulation = NULL;
}

bool emulation_inherit(struct task *task, const struct task *parent)
{
    if (parent->emulation == NULL)
        return true;
    size_t size = emulation_size(parent->emulation->count);
    task->emulation = kalloc(size);
    if (task->emulation == NULL)
        return false;
    memcpy(task->emulation, parent->emulation, size);
    return true;
}

/* TASK's vector has the numbers from START to END - 1 (more than it has, or not); false: too many, or no memory. */
static bool emulation_cover(struct task *task, int64_t start, int64_t end)
{
    struct emulation *old = task->emulation;
    if (old) {
        start = min(start, old->start);
        end = max(end, old->start + (int64_t)old->count);
        if (start == old->start && end == start + (int64_t)old->count)
            return true;
    }
    if (end - start > RANGE_MAX)
        return false;
    struct emulation *new = kalloc(emulation_size((size_t)(end - start)));
    if (new == NULL)
        return false;
    memset(new, 0, emulation_size((size_t)(end - start)));
    new->start = start;
    new->count = (size_t)(end - start);
    if (old)
        memcpy(new->entries + (old->start - start), old->entries, old->count * sizeof *old->entries);
    emulation_drop(task);
    task->emulation = new;
    return true;
}

static kern_return_t emulation_set(struct task *task, int start, const vm_offset_t *entries, size_t count)
{
    if (count == 0)
        return KERN_SUCCESS;
    if (!emulation_cover(task, start, start + (int64_t)count))
        return KERN_RESOURCE_SHORTAGE;
    memcpy(task->emulation->entries + (start - task->emulation->start), entries, count * sizeof *entries);
    return KERN_SUCCESS;
}

kern_return_t rpc_task_set_emulation(task_t task, vm_address_t entry, int number)
{
    return task ? emulation_set(task, number, &entry, 1) : EML_BAD_TASK;
}

/* ENTRIES is out-of-line memory. */
kern_return_t rpc_task_set_emulation_vector(task_t task, int start, emulation_vector_t entries,
                                            mach_msg_type_number_t count)
{
    struct vm_copy *copy = (struct vm_copy *)entries;
    if (task == NULL)
        return EML_BAD_TASK;
    if (count > RANGE_MAX)
        return KERN_RESOURCE_SHORTAGE;
    size_t size = max(count, 1u) * sizeof(vm_offset_t);
    vm_offset_t *list = kalloc(size);
    if (list == NULL)
        return KERN_RESOURCE_SHORTAGE;
    kern_return_t kr = count == 0 || vm_copy_read(copy, 0, list, count * sizeof *list) ? KERN_SUCCESS
                                                                                       : KERN_MEMORY_ERROR;
    if (kr == KERN_SUCCESS)
        kr = emulation_set(task, start, list, count);
    kfree(list, size);
    if (kr == KERN_SUCCESS && copy)
        vm_copy_discard(copy);
    return kr;
}

kern_return_t rpc_task_get_emulation_vector(task_t task, int *start, emulation_vector_t *entries,
                                            mach_msg_type_number_t *count)
{
    if (task == NULL)
        return EML_BAD_TASK;
    const struct emulation *emulation = task->emulation;
    *start = emulation ? (int)emulation->start : 0;
    *count = 0;
    *entries = NULL;
    return emulation ? mig_array_give((void **)entries, count, emulation->entries, emulation->count,
                                      sizeof *emulation->entries)
                     : KERN_SUCCESS;
}
