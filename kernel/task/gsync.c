/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gsync: threads that wait for a word of memory to change (gnumach.defs).

   A waiter is known by what its address means: (map, address) for task-local words, (object, offset) for shared ones.
   Waiters with keys of the same hash are on one queue.  */

#include "../mig/mig_types.h"
#include "../vm/map.h"
#include "gnumach_S.h"
#include "task.h"

#define GSYNC_SHARED 0x01
#define GSYNC_QUAD 0x02
#define GSYNC_TIMED 0x04
#define GSYNC_BROADCAST 0x08
#define GSYNC_MUTATE 0x10
#define BUCKETS 512

static struct wait_queue buckets[BUCKETS];

void gsync_init(void)
{
    for (unsigned int i = 0; i < BUCKETS; i++)
        wait_queue_init(&buckets[i]);
}

static struct wait_queue *bucket_of(void *const key[2])
{
    return &buckets[((uint64_t)key[0] + (uint64_t)key[1]) * 0x9e3779b97f4a7c15 >> 55];
}

static kern_return_t key_make(struct task *task, uint64_t address, int flags, void *key[2])
{
    if (address % sizeof(uint32_t))
        return KERN_INVALID_ADDRESS;
    struct map_entry *entry = map_lookup(task->map, address);
    if (entry == NULL)
        return KERN_INVALID_ADDRESS;
    if (!(flags & GSYNC_SHARED)) {
        key[0] = task->map;
        key[1] = (void *)address;
        return KERN_SUCCESS;
    }
    if (entry->object == NULL || entry->needs_copy) {
        /* The object that is shared must be there first. */
        kern_return_t kr = vm_fault(task->map, address, VM_PROT_READ | VM_PROT_WRITE, false, true);
        if (kr)
            return kr;
        entry = map_lookup(task->map, address);
        if (entry == NULL || entry->object == NULL)
            return KERN_INVALID_ADDRESS;
    }
    key[0] = entry->object;
    key[1] = (void *)(entry->offset + (address - entry->start));
    return KERN_SUCCESS;
}

/* The word of TASK at ADDRESS; its page is in memory when this returns, until something blocks. */
static kern_return_t word_find(struct task *task, uint64_t address, vm_prot_t access, uint32_t **word)
{
    uint64_t physical = 0;
    if (task == current_task() && !(access & VM_PROT_WRITE)) {
        uint32_t probe;
        if (!copy_from_user(&probe, address, sizeof probe))
            return KERN_INVALID_ADDRESS;
        physical = pmap_extract(task->map->pmap, address);
    }
    while (physical == 0) {
        kern_return_t kr = vm_fault(task->map, address, access, false, true);
        if (kr)
            return kr;
        physical = pmap_extract(task->map->pmap, address);
    }
    if (!phys_to_virt_mapped(physical))
        return KERN_INVALID_ADDRESS; /* a device's, far up */
    *word = phys_to_virt(physical);
    return KERN_SUCCESS;
}

/* KERN_SUCCESS if the word at ADDRESS is LOW (and the next one HIGH); KERN_INVALID_ARGUMENT if not.  Nothing blocks
   after the last look. */
static kern_return_t value_compare(struct task *task, uint64_t address, uint32_t low, uint32_t high, int flags)
{
    uint32_t *word, *next = NULL;
    do {
        kern_return_t kr = flags & GSYNC_QUAD ? word_find(task, address + 4, VM_PROT_READ, &next) : KERN_SUCCESS;
        if (kr == KERN_SUCCESS)
            kr = word_find(task, address, VM_PROT_READ, &word);
        if (kr)
            return kr;
    } while (next && pmap_extract(task->map->pmap, address + 4) != virt_to_phys(next));
    return *word != low || (next && *next != high) ? KERN_INVALID_ARGUMENT : KERN_SUCCESS;
}

kern_return_t rpc_gsync_wait(task_t task, vm_address_t address, unsigned low, unsigned high, natural_t milliseconds,
                             int flags)
{
    void *key[2];
    if (task == NULL)
        return KERN_INVALID_TASK;
    kern_return_t kr = key_make(task, address, flags, key);
    if (kr == KERN_SUCCESS)
        kr = value_compare(task, address, low, high, flags);
    if (kr)
        return kr;
    struct thread *thread = current_thread();
    thread->gsync_key[0] = key[0];
    thread->gsync_key[1] = key[1];
    wait_begin(bucket_of(key), true);
    if (flags & GSYNC_TIMED)
        wait_timeout(max(milliseconds, 1u));
    switch (thread_block()) {
    case WAIT_TIMED_OUT: return KERN_TIMEDOUT;
    case WAIT_INTERRUPTED: return KERN_INTERRUPTED;
    default: return KERN_SUCCESS;
    }
}

/* Wakes (or, with DESTINATION, moves) waiters of KEY: all, or one. */
static void waiters_take(void *const key[2], bool all, void *const destination[2])
{
    list_for_each_safe(link, after, &bucket_of(key)->threads) {
        struct thread *thread = list_entry(link, struct thread, wait_link);
        if (thread->gsync_key[0] != key[0] || thread->gsync_key[1] != key[1])
            continue;
        if (destination) {
            thread->gsync_key[0] = destination[0];
            thread->gsync_key[1] = destination[1];
            list_remove(link);
            thread->wait_queue = bucket_of(destination);
            list_append(&thread->wait_queue->threads, link);
        } else {
            thread_wake(thread, WAIT_AWAKENED);
        }
        if (!all)
            return;
    }
}

kern_return_t rpc_gsync_wake(task_t task, vm_address_t address, unsigned value, int flags)
{
    void *key[2];
    if (task == NULL)
        return KERN_INVALID_TASK;
    kern_return_t kr = key_make(task, address, flags, key);
    if (kr == KERN_SUCCESS && (flags & GSYNC_MUTATE)) {
        uint32_t *word;
        kr = word_find(task, address, VM_PROT_READ | VM_PROT_WRITE, &word);
        if (kr == KERN_SUCCESS)
            __atomic_store_n(word, value, __ATOMIC_RELEASE);
    }
    if (kr == KERN_SUCCESS)
        waiters_take(key, flags & GSYNC_BROADCAST, NULL);
    return kr;
}

kern_return_t rpc_gsync_requeue(task_t task, vm_address_t source, vm_address_t destination, boolean_t wake_one,
                                int flags)
{
    void *from[2], *to[2];
    if (task == NULL)
        return KERN_INVALID_TASK;
    kern_return_t kr = key_make(task, source, flags, from);
    if (kr == KERN_SUCCESS)
        kr = key_make(task, destination, flags, to);
    if (kr)
        return kr;
    if (wake_one)
        waiters_take(from, false, NULL);
    if (from[0] != to[0] || from[1] != to[1])
        waiters_take(from, flags & GSYNC_BROADCAST, to);
    return KERN_SUCCESS;
}
