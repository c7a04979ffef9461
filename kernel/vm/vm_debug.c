/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mach_debug.defs, what it tells of memory: a task's regions, the objects behind them, the objects' pages.  An object
   is known by its name port; its address in the kernel is nobody's business: 0. */

#include "../ipc/ipc.h"
#include "../mig/mig_types.h"
#include "map.h"
#include "mach_debug_S.h"
#include "object.h"

/* The name port of exactly OBJECT, with a send right for the answer; IP_NULL: of no object, or no memory. */
static ipc_port_t name_give(struct vm_object *object)
{
    struct ipc_port *name = object ? object_own_name(object) : IP_NULL;
    return name ? port_make_send(name) : IP_NULL;
}

/* The first region that ends behind ADDRESS. */
kern_return_t rpc_mach_vm_region_info(vm_map_t map, vm_address_t address, vm_region_info_t *region, ipc_port_t *object)
{
    if (map == NULL)
        return KERN_INVALID_TASK;
    struct map_entry *entry = map_lookup_above(map, address);
    if (entry == NULL)
        return KERN_NO_SPACE;
    *region = (vm_region_info_t){.vri_start = entry->start,
                                 .vri_end = entry->end,
                                 .vri_protection = entry->protection,
                                 .vri_max_protection = entry->max_protection,
                                 .vri_inheritance = entry->inheritance,
                                 .vri_wired_count = entry->wired,
                                 .vri_user_wired_count = entry->wired,
                                 .vri_offset = entry->offset,
                                 .vri_needs_copy = entry->needs_copy && entry->object};
    *object = name_give(entry->object);
    return KERN_SUCCESS;
}

static vm_object_info_state_t object_state(const struct vm_object *object)
{
    return (object->pager ? VOI_STATE_PAGER_CREATED | VOI_STATE_PAGER_INITIALIZED : 0) |
           (object->pager_ready ? VOI_STATE_PAGER_READY : 0) | (object->can_cache ? VOI_STATE_CAN_PERSIST : 0) |
           (object->internal ? VOI_STATE_INTERNAL : 0) | (object->temporary ? VOI_STATE_TEMPORARY : 0) |
           (object->alive ? VOI_STATE_ALIVE : 0);
}

kern_return_t rpc_mach_vm_object_info(vm_object_t object, vm_object_info_t *info, ipc_port_t *shadow, ipc_port_t *copy)
{
    if (object == NULL)
        return KERN_INVALID_ARGUMENT;
    *info = (vm_object_info_t){
        .voi_pagesize = PAGE_SIZE, .voi_size = object->size, .voi_ref_count = object->refs,
        .voi_resident_page_count = (unsigned int)object->resident, .voi_shadow_offset = object->shadow_offset,
        .voi_copy_strategy = object->copy_strategy, .voi_state = object_state(object)};
    list_for_each(link, &object->pages) {
        const struct page *page = list_entry(link, struct page, link);
        info->voi_absent_count += page->absent;
        info->voi_paging_in_progress += page->busy;
        info->voi_last_alloc = page->offset; /* the newest is the last */
    }
    *shadow = name_give(object->shadow);
    *copy = name_give(object->copy);
    return KERN_SUCCESS;
}

/* ---- pages ------------------------------------------------------------------------------------------ */

static vm_page_info_state_t page_state(struct page *page)
{
    return VPI_STATE_TABLED | (page->busy ? VPI_STATE_BUSY : 0) | (page->wanted ? VPI_STATE_WANTED : 0) |
           (page->private_memory ? VPI_STATE_PRIVATE : 0) | (page->absent ? VPI_STATE_ABSENT : 0) |
           (page->error ? VPI_STATE_ERROR : 0) | (page->dirty || pmap_page_modified(page) ? VPI_STATE_DIRTY : 0) |
           (page->precious ? VPI_STATE_PRECIOUS : 0) | (page->inactive ? VPI_STATE_INACTIVE : 0) |
           (page->active ? VPI_STATE_ACTIVE : 0) | (page->laundry ? VPI_STATE_LAUNDRY : 0) |
           (page->referenced ? VPI_STATE_REFERENCE : 0);
}

static vm_page_phys_info_t page_info(struct page *page)
{
    return (vm_page_phys_info_t){.vpi_offset = page->offset,
                                 .vpi_phys_addr = page_physical(page),
                                 .vpi_wire_count = page->wired,
                                 .vpi_page_lock = page->lock,
                                 .vpi_unlock_request = page->unlock_access,
                                 .vpi_state = page_state(page)};
}

/* The two records are one here: physical addresses of 64 bits. */
_Static_assert(sizeof(vm_page_info_t) == sizeof(vm_page_phys_info_t) &&
                   offsetof(vm_page_info_t, vpi_state) == offsetof(vm_page_phys_info_t, vpi_state),
               "vm_page_info_t");

kern_return_t rpc_mach_vm_object_pages_phys(vm_object_t object, vm_page_phys_info_array_t *pages,
                                            mach_msg_type_number_t *count)
{
    if (object == NULL)
        return KERN_INVALID_ARGUMENT;
    size_t number = object->resident, at = 0, size = max(number, 1ul) * sizeof(vm_page_phys_info_t);
    vm_page_phys_info_t *list = kalloc(size);
    if (list == NULL)
        return KERN_RESOURCE_SHORTAGE;
    list_for_each(link, &object->pages)
        list[at++] = page_info(list_entry(link, struct page, link));
    kern_return_t kr = mig_array_give((void **)pages, count, list, number, sizeof *list);
    kfree(list, size);
    return kr;
}

kern_return_t rpc_mach_vm_object_pages(vm_object_t object, vm_page_info_array_t *pages, mach_msg_type_number_t *count)
{
    return rpc_mach_vm_object_pages_phys(object, (vm_page_phys_info_array_t *)pages, count);
}
