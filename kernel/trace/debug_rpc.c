/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mach_debug.defs, what it tells of the kernel's own memory: caches of objects, stacks, tables.  (vm/vm_debug.c tells
   of regions and objects, ipc/debug.c of ports.)  Addresses in the kernel are nobody's business: where the interface
   has one it is 0. */

#include "../ipc/ipc.h"
#include "../mig/mig_types.h"
#include "../task/host.h"
#include "../task/task.h"
#include "../vm/page.h"
#include "mach_debug_S.h"

/* ---- caches ------------------------------------------------------------------------------------ */

struct cache_list {
    cache_info_t *info; /* NULL: they are only counted */
    size_t count, room;
};

static void cache_tell(const struct cache *cache, void *cookie)
{
    struct cache_list *list = cookie;
    if (list->info && list->count < list->room) {
        size_t each = (PAGE_SIZE << cache->order) / cache->size;
        cache_info_t *info = &list->info[list->count];
        *info = (cache_info_t){.obj_size = cache->object_size,
                               .align = cache->align,
                               .buf_size = cache->size,
                               .slab_size = PAGE_SIZE << cache->order,
                               .bufs_per_slab = each,
                               .nr_objs = cache->used,
                               .nr_bufs = cache->total,
                               .nr_slabs = cache->total / each,
                               .nr_free_slabs = cache_free_slabs(cache)};
        ksnprintf(info->name, sizeof info->name, "%s", cache->name);
    }
    list->count++;
}

kern_return_t rpc_host_slab_info(host_t host, cache_info_array_t *info, mach_msg_type_number_t *count)
{
    if (host == NULL)
        return KERN_INVALID_HOST;
    struct cache_list list = {0};
    cache_walk(cache_tell, &list);
    list.room = list.count;
    list.count = 0;
    list.info = kalloc(list.room * sizeof *list.info);
    if (list.info == NULL)
        return KERN_RESOURCE_SHORTAGE;
    cache_walk(cache_tell, &list);
    kern_return_t kr = mig_array_give((void **)info, count, list.info, list.room, sizeof *list.info);
    kfree(list.info, list.room * sizeof *list.info);
    return kr;
}

/* ---- stacks -------------------------------------------------------------------------------------- */

/* Every thread has one, always resident; how much of one was ever used is not measured. */
static void stacks_tell(unsigned int *total, vm_size_t *space, vm_size_t *resident, vm_size_t *most_used,
                        vm_offset_t *most_used_stack)
{
    *total = (unsigned int)thread_stack_count();
    *space = *resident = (vm_size_t)*total * KERNEL_STACK_SIZE;
    *most_used = *most_used_stack = 0;
}

kern_return_t rpc_host_stack_usage(host_t host, vm_size_t *reserved, unsigned int *total, vm_size_t *space,
                                   vm_size_t *resident, vm_size_t *most_used, vm_offset_t *most_used_stack)
{
    if (host == NULL)
        return KERN_INVALID_HOST;
    *reserved = 0;
    stacks_tell(total, space, resident, most_used, most_used_stack);
    return KERN_SUCCESS;
}

/* The one set has all threads. */
kern_return_t rpc_processor_set_stack_usage(processor_set_t set, unsigned int *total, vm_size_t *space,
                                            vm_size_t *resident, vm_size_t *most_used, vm_offset_t *most_used_stack)
{
    if (set == NULL)
        return KERN_INVALID_ARGUMENT;
    stacks_tell(total, space, resident, most_used, most_used_stack);
    return KERN_SUCCESS;
}

/* ---- tables --------------------------------------------------------------------------------------- */

/* How many pages are in each list of the table by which objects' pages are found. */
kern_return_t rpc_host_virtual_physical_table_info(host_t host, hash_info_bucket_array_t *info,
                                                   mach_msg_type_number_t *count)
{
    if (host == NULL)
        return KERN_INVALID_HOST;
    size_t number = page_table_buckets();
    hash_info_bucket_t *buckets = kalloc(number * sizeof *buckets);
    if (buckets == NULL)
        return KERN_RESOURCE_SHORTAGE;
    for (size_t i = 0; i < number; i++)
        buckets[i].hib_count = page_table_count(i);
    kern_return_t kr = mig_array_give((void **)info, count, buckets, number, sizeof *buckets);
    kfree(buckets, number * sizeof *buckets);
    return kr;
}

/* Requests for msg-accepted notifications are in one list, which has no limit. */
kern_return_t rpc_host_ipc_marequest_info(host_t host, unsigned int *most, hash_info_bucket_array_t *info,
                                          mach_msg_type_number_t *count)
{
    if (host == NULL)
        return KERN_INVALID_HOST;
    hash_info_bucket_t bucket = {.hib_count = accepted_count()};
    *most = UINT32_MAX;
    return mig_array_give((void **)info, count, &bucket, 1, sizeof bucket);
}
