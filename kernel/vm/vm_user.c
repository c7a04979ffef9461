/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vm_* calls (mach.defs, gnumach.defs, mach_host.defs; Mach manual, "Virtual Memory Interface"). */

#include "../ipc/ipc.h"
#include "../mig/mig_types.h"
#include "../task/host.h"
#include "../task/task.h"
#include "gnumach_S.h"
#include "mach_S.h"
#include "mach4_S.h"
#include "mach_host_S.h"
#include "map.h"
#include "pager.h"
#include "pageout.h"
#include "proxy.h"

#include <mach/vm_attributes.h>
#include <mach/vm_sync.h>
#include <mach/vm_wire.h>

/* A range of bytes as whole pages; false: it wraps around or leaves the user's half. */
static bool range_pages(vm_address_t address, vm_size_t size, uint64_t *start, uint64_t *end)
{
    *start = align_down(address, PAGE_SIZE);
    *end = align_up(address + size, PAGE_SIZE);
    return address + size >= address && *end >= *start && *end <= MAP_MAX;
}

/* The same for calls that take any range and mean what of it is the user's: nothing of one that wraps around. */
static bool range_clamp(vm_address_t address, vm_size_t size, uint64_t *start, uint64_t *end)
{
    *start = align_down(address, PAGE_SIZE);
    *end = min(align_up(address + size, PAGE_SIZE), MAP_MAX);
    return size > 0 && *start < *end;
}

kern_return_t rpc_vm_allocate(vm_map_t map, vm_address_t *address, vm_size_t size, boolean_t anywhere)
{
    if (map == NULL)
        return KERN_INVALID_ARGUMENT;
    if (size == 0) {
        *address = 0;
        return KERN_SUCCESS;
    }
    uint64_t start = anywhere ? MAP_MIN : align_down(*address, PAGE_SIZE);
    uint64_t bytes = align_up(size, PAGE_SIZE);
    if (bytes < size)
        return KERN_INVALID_ARGUMENT;
    kern_return_t kr = vm_map_allocate(map, &start, bytes, anywhere);
    if (kr == KERN_SUCCESS)
        *address = start;
    return kr;
}

kern_return_t rpc_vm_deallocate(vm_map_t map, vm_address_t address, vm_size_t size)
{
    uint64_t start, end;
    if (map == NULL)
        return KERN_INVALID_ARGUMENT;
    if (range_clamp(address, size, &start, &end))
        vm_map_remove(map, start, end);
    return KERN_SUCCESS;
}

kern_return_t rpc_vm_protect(vm_map_t map, vm_address_t address, vm_size_t size, boolean_t set_maximum,
                             vm_prot_t protection)
{
    uint64_t start, end;
    if (map == NULL || (protection & ~(VM_PROT_ALL | VM_PROT_NOTIFY)))
        return KERN_INVALID_ARGUMENT;
    return range_clamp(address, size, &start, &end)
               ? vm_map_protect(map, start, end, protection & VM_PROT_ALL, set_maximum)
               : KERN_SUCCESS;
}

kern_return_t rpc_vm_inherit(vm_map_t map, vm_address_t address, vm_size_t size, vm_inherit_t inheritance)
{
    uint64_t start, end;
    if (map == NULL || (unsigned int)inheritance > VM_INHERIT_NONE)
        return KERN_INVALID_ARGUMENT;
    return range_clamp(address, size, &start, &end) ? vm_map_inherit(map, start, end, inheritance) : KERN_SUCCESS;
}

kern_return_t rpc_vm_read(vm_map_t map, vm_address_t address, vm_size_t size, vm_offset_t *data,
                          mach_msg_type_number_t *count)
{
    struct vm_copy *copy = NULL;
    if (map == NULL)
        return KERN_INVALID_ARGUMENT;
    if ((uint32_t)size != size) {
        uint64_t start, end;
        return range_pages(address, size, &start, &end) && vm_map_check(map, start, end, VM_PROT_READ)
                   ? KERN_INVALID_ARGUMENT
                   : KERN_INVALID_ADDRESS;
    }
    if (size) {
        kern_return_t kr = vm_map_copyin(map, address, size, false, &copy);
        if (kr)
            return kr;
    }
    *data = (vm_offset_t)copy;
    *count = (mach_msg_type_number_t)size;
    return KERN_SUCCESS;
}

kern_return_t rpc_vm_write(vm_map_t map, vm_address_t address, vm_offset_t data, mach_msg_type_number_t count)
{
    struct vm_copy *copy = (struct vm_copy *)data;
    if (map == NULL || address % PAGE_SIZE || count % PAGE_SIZE || (copy && copy->offset))
        return KERN_INVALID_ARGUMENT;
    return count ? vm_map_copy_overwrite(map, address, copy) : KERN_SUCCESS;
}

kern_return_t rpc_vm_copy(vm_map_t map, vm_address_t source, vm_size_t size, vm_address_t destination)
{
    struct vm_copy *copy;
    if (map == NULL)
        return KERN_INVALID_ARGUMENT;
    if (size == 0)
        return KERN_SUCCESS;
    kern_return_t kr = vm_map_copyin(map, source, size, false, &copy);
    if (kr)
        return kr;
    bool whole = (source | size | destination) % PAGE_SIZE == 0;
    kr = whole ? vm_map_copy_overwrite(map, destination, copy) : KERN_INVALID_ARGUMENT;
    if (kr)
        vm_copy_discard(copy);
    return kr;
}

kern_return_t rpc_vm_region(vm_map_t map, vm_address_t *address, vm_size_t *size, vm_prot_t *protection,
                            vm_prot_t *max_protection, vm_inherit_t *inheritance, boolean_t *is_shared,
                            ipc_port_t *name, vm_offset_t *offset)
{
    if (map == NULL)
        return KERN_INVALID_ARGUMENT;
    struct map_entry *entry = map_lookup_above(map, *address);
    if (entry == NULL)
        return KERN_NO_SPACE;
    *address = entry->start;
    *size = entry->end - entry->start;
    *protection = entry->protection;
    *max_protection = entry->max_protection;
    *inheritance = entry->inheritance;
    *is_shared = entry->shared && entry->object && entry->object->internal;
    *offset = entry->offset;
    *name = entry->object ? port_make_send(object_name(entry->object)) : IP_NULL;
    return KERN_SUCCESS;
}

kern_return_t rpc_vm_statistics(vm_map_t map, vm_statistics_data_t *stats)
{
    if (map == NULL)
        return KERN_INVALID_ARGUMENT;
    memset(stats, 0, sizeof *stats);
    stats->pagesize = PAGE_SIZE;
    stats->free_count = (integer_t)page_counts.free;
    stats->active_count = (integer_t)page_counts.active;
    stats->inactive_count = (integer_t)page_counts.inactive;
    stats->wire_count = (integer_t)(page_counts.total - page_counts.free - page_counts.active - page_counts.inactive);
    stats->zero_fill_count = (integer_t)vm_counters.zero_fills;
    stats->reactivations = (integer_t)vm_counters.reactivations;
    stats->pageins = (integer_t)vm_counters.pageins;
    stats->pageouts = (integer_t)vm_counters.pageouts;
    stats->faults = (integer_t)vm_counters.faults;
    stats->cow_faults = (integer_t)vm_counters.cow_faults;
    stats->lookups = (integer_t)vm_counters.lookups;
    stats->hits = (integer_t)vm_counters.hits;
    return KERN_SUCCESS;
}

kern_return_t rpc_vm_cache_statistics(vm_map_t map, vm_cache_statistics_data_t *stats)
{
    if (map == NULL)
        return KERN_INVALID_ARGUMENT;
    memset(stats, 0, sizeof *stats);
    stats->cache_object_count = (integer_t)object_cached_count;
    return KERN_SUCCESS;
}

kern_return_t rpc_vm_machine_attribute(vm_map_t map, vm_address_t address, vm_size_t size,
                                       vm_machine_attribute_t attribute, vm_machine_attribute_val_t *value)
{
    (void)attribute, (void)value;
    if (map == NULL || address + size > MAP_MAX)
        return KERN_INVALID_ARGUMENT;
    return KERN_INVALID_ADDRESS; /* this machine has none; GNU Mach's answer */
}

/* ---- vm_map -------------------------------------------------------------------------- */

/* The object to map: where PORT leads, through proxies. */
static kern_return_t object_of_port(struct ipc_port *port, uint64_t *offset, uint64_t size, vm_prot_t *max_protection,
                                    struct vm_object **object)
{
    struct proxy *proxy;
    while ((proxy = proxy_lookup(port))) {
        if (*offset > proxy->size || size > proxy->size - *offset)
            return KERN_INVALID_ARGUMENT;
        *offset += proxy->start;
        *max_protection &= proxy->max_protection;
        if (proxy->direct) {
            object_ref(*object = proxy->direct);
            return KERN_SUCCESS;
        }
        port = proxy->object;
    }
    struct vm_object *direct = port_kobject(port, KOBJECT_PAGER);
    if (direct) {
        object_ref(*object = direct);
        return KERN_SUCCESS;
    }
    if (port->receiver == ipc_space_kernel || *offset + size < *offset)
        return KERN_INVALID_ARGUMENT;
    *object = object_enter(port, *offset + size);
    return *object ? KERN_SUCCESS : KERN_INVALID_ARGUMENT;
}

/* A private copy of [OFFSET, OFFSET + SIZE) of *OBJECT takes its place. */
static kern_return_t object_copy_range(struct vm_object **object, uint64_t *offset, uint64_t size, bool *needs_copy)
{
    struct map_entry source = {.end = size, .object = *object, .offset = *offset, .shared = true}, copy = {.end = size};
    if (!(*object)->internal && !(*object)->is_physical && !object_ready_wait(*object))
        return KERN_INVALID_ARGUMENT;
    if (!entry_copy(NULL, &source, &copy))
        return KERN_RESOURCE_SHORTAGE;
    object_deref(*object);
    *object = copy.object;
    *offset = copy.offset;
    *needs_copy = copy.needs_copy;
    return KERN_SUCCESS;
}

kern_return_t rpc_vm_map(vm_map_t map, vm_address_t *address, vm_size_t size, vm_address_t mask, boolean_t anywhere,
                         ipc_port_t port, vm_offset_t offset, boolean_t copy, vm_prot_t protection,
                         vm_prot_t max_protection, vm_inherit_t inheritance)
{
    if (map == NULL || ((protection | max_protection) & ~VM_PROT_ALL) || (protection & ~max_protection) ||
        (unsigned int)inheritance > VM_INHERIT_NONE || size == 0)
        return KERN_INVALID_ARGUMENT;
    if (offset % PAGE_SIZE || port == IP_DEAD)
        return KERN_INVALID_ARGUMENT;
    uint64_t start = align_down(*address, PAGE_SIZE), bytes = align_up(size, PAGE_SIZE), at = offset;
    struct vm_object *object = NULL;
    bool needs_copy = false;
    kern_return_t kr = KERN_SUCCESS;
    if (IP_VALID(port)) {
        vm_prot_t allowed = VM_PROT_ALL; /* by proxies: a copy is made of what may be read, a mapping has no more
                                            rights */
        kr = object_of_port(port, &at, bytes, &allowed, &object);
        if (kr)
            return kr;
        if (at % PAGE_SIZE) {
            kr = KERN_INVALID_ARGUMENT; /* a proxy begins within a page */
        } else if (copy) {
            kr = allowed & VM_PROT_READ ? object_copy_range(&object, &at, bytes, &needs_copy) : KERN_PROTECTION_FAILURE;
        } else {
            protection &= allowed;
            max_protection &= allowed;
        }
    }
    if (kr == KERN_SUCCESS)
        kr = map_enter(map, &start, bytes, mask | 0xfff, anywhere, object, at, needs_copy, object && !copy, protection,
                       max_protection, inheritance);
    if (kr && object)
        object_deref(object);
    if (kr == KERN_SUCCESS)
        *address = start;
    return kr;
}

/* ---- wiring, syncing, physical memory ------------------------------------------------------------- */

kern_return_t rpc_vm_wire(ipc_port_t host, vm_map_t map, vm_address_t address, vm_size_t size, vm_prot_t access)
{
    uint64_t start, end;
    if (!IP_VALID(host) || (host->kobject_type != KOBJECT_HOST && host->kobject_type != KOBJECT_HOST_PRIV))
        return KERN_INVALID_HOST;
    if (map == NULL)
        return KERN_INVALID_TASK;
    if (access & ~VM_PROT_ALL || !range_pages(address, size, &start, &end))
        return KERN_INVALID_ARGUMENT;
    if (host->kobject_type != KOBJECT_HOST_PRIV && access &&
        map->wired_bytes + (end - start) > page_counts.total / 4 * PAGE_SIZE)
        return KERN_NO_ACCESS;
    kern_return_t kr = start < end ? vm_map_wire(map, start, end, access) : KERN_SUCCESS;
    return kr;
}

kern_return_t rpc_vm_wire_all(ipc_port_t host, vm_map_t map, vm_wire_t flags)
{
    if (!IP_VALID(host) || (host->kobject_type != KOBJECT_HOST && host->kobject_type != KOBJECT_HOST_PRIV))
        return KERN_INVALID_HOST;
    if (map == NULL)
        return KERN_INVALID_TASK;
    if (flags & ~VM_WIRE_ALL)
        return KERN_INVALID_ARGUMENT;
    for (struct map_entry *entry = map_lookup_above(map, 0); entry; entry = map_lookup_above(map, entry->end)) {
        uint64_t start = entry->start, end = entry->end;
        if (flags & VM_WIRE_CURRENT) {
            if (!entry->wired && entry->protection) {
                kern_return_t kr = vm_map_wire(map, start, end, entry->protection);
                if (kr)
                    return kr;
            }
        } else if (flags == VM_WIRE_NONE && entry->wired) {
            vm_map_wire(map, start, end, VM_PROT_NONE);
        }
        entry = map_lookup(map, start);
        if (entry == NULL)
            break;
    }
    map->wire_future = flags & VM_WIRE_FUTURE;
    map->wire_future_access = VM_PROT_ALL;
    return KERN_SUCCESS;
}

kern_return_t rpc_vm_msync(vm_map_t map, vm_address_t address, vm_size_t size, vm_sync_t flags)
{
    uint64_t start, end;
    if (map == NULL || !range_pages(address, size, &start, &end))
        return KERN_INVALID_ARGUMENT;
    if ((flags & (VM_SYNC_ASYNCHRONOUS | VM_SYNC_SYNCHRONOUS)) == (VM_SYNC_ASYNCHRONOUS | VM_SYNC_SYNCHRONOUS))
        return KERN_INVALID_ARGUMENT;
    for (uint64_t at = start; at < end;) {
        struct map_entry *entry = map_lookup(map, at);
        if (entry == NULL)
            return KERN_INVALID_ADDRESS;
        uint64_t part = min(entry->end, end) - at;
        if (entry->object && entry->object->pager)
            object_clean(entry->object, entry->offset + (at - entry->start), entry->offset + (at - entry->start) + part,
                         MEMORY_OBJECT_RETURN_ALL, flags & VM_SYNC_INVALIDATE);
        at += part;
    }
    return KERN_SUCCESS;
}

kern_return_t rpc_vm_allocate_contiguous(host_t host, vm_map_t map, vm_address_t *address, rpc_phys_addr_t *physical,
                                         vm_size_t size, rpc_phys_addr_t start, rpc_phys_addr_t end,
                                         rpc_phys_addr_t align)
{
    if (host == NULL)
        return KERN_INVALID_HOST;
    if (map == NULL)
        return KERN_INVALID_TASK;
    if (size == 0 || (align & (align - 1)))
        return KERN_INVALID_ARGUMENT;
    uint64_t bytes = align_up(size, PAGE_SIZE), at = 0;
    if (bytes < size)
        return KERN_INVALID_ARGUMENT;
    struct page *pages = page_alloc_contiguous(bytes >> PAGE_SHIFT, start, end ? end : UINT64_MAX, align);
    if (pages == NULL)
        return KERN_RESOURCE_SHORTAGE;
    struct vm_object *object = object_create(bytes);
    for (uint64_t i = 0; i < bytes >> PAGE_SHIFT; i++) {
        page_zero(pages + i);
        if (object)
            page_insert(pages + i, object, i * PAGE_SIZE);
        else
            page_free(pages + i, 0);
    }
    kern_return_t kr = object ? map_enter(map, &at, bytes, 0xfff, true, object, 0, false, false, VM_PROT_DEFAULT,
                                          VM_PROT_ALL, VM_INHERIT_DEFAULT)
                              : KERN_RESOURCE_SHORTAGE;
    if (kr == KERN_SUCCESS) {
        kr = map_wire_row(map, at, pages, bytes >> PAGE_SHIFT);
        if (kr)
            vm_map_remove(map, at, at + bytes);
    } else if (object) {
        object_deref(object);
    }
    *address = at;
    *physical = page_physical(pages);
    return kr;
}

/* Where the page of MAP at ADDRESS is in memory, mapped or not; 0: nowhere. */
static rpc_phys_addr_t physical_find(struct vm_map *map, uint64_t address)
{
    struct map_entry *entry = map_lookup(map, address);
    uint64_t physical = entry ? pmap_extract(map->pmap, address) : 0;
    if (physical || entry == NULL)
        return physical;
    uint64_t offset = entry->offset + (address - entry->start);
    for (struct vm_object *object = entry->object; object && !object->is_physical; object = object->shadow) {
        struct page *page = page_lookup(object, offset);
        if (page)
            return page_physical(page);
        offset += object->shadow_offset;
    }
    return 0;
}

kern_return_t rpc_vm_pages_phys(host_t host, vm_map_t map, vm_address_t address, vm_size_t size,
                                rpc_phys_addr_array_t *pages, mach_msg_type_number_t *count)
{
    if (host == NULL)
        return KERN_INVALID_HOST;
    if (map == NULL)
        return KERN_INVALID_TASK;
    if (address % PAGE_SIZE || size % PAGE_SIZE || address + size < address)
        return KERN_INVALID_ARGUMENT;
    size_t number = size >> PAGE_SHIFT, capacity = max(number, 1ul) * sizeof(rpc_phys_addr_t);
    if (number > 1u << 20)
        return KERN_INVALID_ARGUMENT;
    rpc_phys_addr_t *physical = kalloc(capacity);
    if (physical == NULL)
        return KERN_RESOURCE_SHORTAGE;
    for (size_t i = 0; i < number; i++)
        physical[i] = physical_find(map, address + i * PAGE_SIZE);
    struct vm_copy *copy = number ? vm_copy_from_kernel(physical, number * sizeof *physical) : NULL;
    kfree(physical, capacity);
    *pages = (rpc_phys_addr_array_t)copy;
    *count = (mach_msg_type_number_t)number;
    return number && copy == NULL ? KERN_RESOURCE_SHORTAGE : KERN_SUCCESS;
}

kern_return_t rpc_vm_set_default_memory_manager(host_t host, ipc_port_t *port)
{
    if (host == NULL)
        return KERN_INVALID_HOST;
    *port = IP_VALID(*port) ? pageout_manager_set(*port) : port_copy_send(pageout_manager());
    return KERN_SUCCESS;
}

/* ---- traps: the same for the caller's own tasks, by name ----------------------------------------------- */

static struct vm_map *map_of_name(mach_port_name_t name)
{
    struct ipc_entry *entry = space_lookup(current_task()->space, name);
    struct task *task = entry && (entry->bits & MACH_PORT_TYPE_SEND) ? port_kobject(entry->port, KOBJECT_TASK) : NULL;
    return task && task->active ? task->map : NULL;
}

kern_return_t trap_vm_allocate(mach_port_name_t target, uint64_t address_pointer, vm_size_t size, boolean_t anywhere)
{
    struct vm_map *map = map_of_name(target);
    vm_address_t address;
    if (map == NULL)
        return MACH_SEND_INTERRUPTED; /* the library then sends the message */
    map_ref(map); /* reading may wait for a pager, and the task end meanwhile */
    kern_return_t kr = copy_from_user(&address, address_pointer, sizeof address)
                           ? rpc_vm_allocate(map, &address, size, anywhere)
                           : KERN_INVALID_ADDRESS;
    if (kr == KERN_SUCCESS && !copy_to_user(address_pointer, &address, sizeof address))
        kr = KERN_INVALID_ADDRESS;
    map_deref(map);
    return kr;
}

kern_return_t trap_vm_deallocate(mach_port_name_t target, vm_address_t address, vm_size_t size)
{
    struct vm_map *map = map_of_name(target);
    return map ? rpc_vm_deallocate(map, address, size) : MACH_SEND_INTERRUPTED; /* which does not block */
}

/* The arguments behind the sixth are on the user's stack, above the return address. */
kern_return_t trap_vm_map(mach_port_name_t target, uint64_t address_pointer, vm_size_t size, vm_address_t mask,
                          boolean_t anywhere, mach_port_name_t object_name)
{
    uint64_t rest[5];
    vm_address_t address;
    struct vm_map *map = map_of_name(target);
    if (map == NULL)
        return MACH_SEND_INTERRUPTED;
    map_ref(map);
    struct ipc_port *port = IP_NULL;
    kern_return_t kr = KERN_SUCCESS;
    if (!copy_from_user(rest, thread_frame(current_thread())->rsp + 8, sizeof rest) ||
        !copy_from_user(&address, address_pointer, sizeof address))
        kr = KERN_INVALID_ADDRESS;
    else if (MACH_PORT_NAME_VALID(object_name) &&
             right_copyin(current_task()->space, object_name, MACH_MSG_TYPE_COPY_SEND, false, &port))
        kr = MACH_SEND_INTERRUPTED;
    if (kr) {
        map_deref(map);
        return kr;
    }
    kr = rpc_vm_map(map, &address, size, mask, anywhere, port, rest[0], (boolean_t)rest[1],
                                  (vm_prot_t)rest[2], (vm_prot_t)rest[3], (vm_inherit_t)rest[4]);
    port_release_send(port);
    if (kr == KERN_SUCCESS && !copy_to_user(address_pointer, &address, sizeof address))
        kr = KERN_INVALID_ADDRESS;
    map_deref(map);
    return kr;
}
