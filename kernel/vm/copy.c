/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory on its way between spaces: copies by copy-on-write, or the memory itself moved. */

#include "../arch/x86_64/cpu.h"
#include "../task/task.h"
#include "map.h"
#include "pageout.h"

static struct vm_copy *copy_alloc(uint64_t offset, uint64_t size, size_t capacity)
{
    struct vm_copy *copy = kalloc(sizeof *copy + capacity);
    if (copy == NULL)
        return NULL;
    *copy = (struct vm_copy){.offset = offset, .size = size, .capacity = capacity, .is_bytes = capacity > 0};
    list_init(&copy->entries);
    return copy;
}

void vm_copy_discard(struct vm_copy *copy)
{
    if (copy == NULL)
        return;
    struct list *link;
    while ((link = list_pop(&copy->entries))) {
        struct map_entry *entry = list_entry(link, struct map_entry, link);
        if (entry->object)
            object_deref(entry->object);
        entry_free(entry);
    }
    kfree(copy, sizeof *copy + copy->capacity);
}

struct vm_copy *vm_copy_from_kernel(const void *data, uint64_t size)
{
    if (size <= COPY_BYTES_MAX) {
        struct vm_copy *copy = copy_alloc(0, size, max(size, 1ul));
        if (copy)
            memcpy(copy->bytes, data, size);
        return copy;
    }
    struct vm_object *object = object_create(align_up(size, PAGE_SIZE));
    for (uint64_t at = 0; object && at < size; at += PAGE_SIZE) {
        struct page *page = page_alloc(0, UINT64_MAX);
        if (page == NULL) {
            object_deref(object);
            return NULL;
        }
        uint64_t part = min(size - at, PAGE_SIZE);
        memcpy(page_address(page), (const char *)data + at, part);
        memset((char *)page_address(page) + part, 0, PAGE_SIZE - part);
        page->dirty = true;
        page_insert(page, object, at);
        page_activate(page);
    }
    struct vm_copy *copy = object ? vm_copy_from_object(object, size) : NULL;
    if (copy == NULL && object)
        object_deref(object);
    return copy;
}

struct vm_copy *vm_copy_from_object(struct vm_object *object, uint64_t size)
{
    struct vm_copy *copy = copy_alloc(0, size, 0);
    struct map_entry *entry = copy ? entry_alloc() : NULL;
    if (entry == NULL) {
        if (copy)
            kfree(copy, sizeof *copy);
        return NULL;
    }
    *entry = (struct map_entry){.start = 0, .end = align_up(size, PAGE_SIZE), .object = object};
    list_append(&copy->entries, &entry->link);
    return copy;
}

/* ---- taking -------------------------------------------------------------------------------- */

/* The pages of ENTRY one by one, for objects whose pager wants no delayed copies, and for wired memory, whose own pages
   must stay in it. */
static bool entry_copy_slowly(struct map_entry *entry, struct map_entry *copy)
{
    uint64_t size = entry->end - entry->start, base = entry->offset;
    struct vm_object *source = entry->object, *object = object_create(size);
    if (object == NULL)
        return false;
    object_ref(source);
    for (uint64_t at = 0; at < size; at += PAGE_SIZE) {
        struct page *page, *own = NULL;
        bool read_only;
        enum fault_result result;
        do {
            result = object_fault(source, base + at, VM_PROT_READ, true, &page, &read_only);
            if (result == FAULT_DONE && (own = pageout_page_alloc()) == NULL)
                result = pageout_wait();
        } while (result == FAULT_RETRY);
        if (own == NULL) {
            object_deref(source);
            object_deref(object);
            return false;
        }
        page_copy(own, page);
        own->dirty = true;
        page_insert(own, object, at);
        page_activate(own);
        if ((at >> PAGE_SHIFT) % PAUSE_PAGES == PAUSE_PAGES - 1)
            sched_pause();
    }
    object_deref(source);
    copy->object = object;
    copy->offset = 0;
    copy->needs_copy = copy->shared = false;
    return true;
}

/* How the object is copied its pager has not said yet.  ENTRY may go while it is waited for: what was in it is copied
   all the same. */
static bool entry_copy_when_ready(struct vm_map *map, struct map_entry *entry, struct map_entry *copy)
{
    struct map_entry snapshot = *entry;
    object_ref(snapshot.object);
    bool good = object_ready_wait(snapshot.object) && entry_copy(map, &snapshot, copy);
    object_deref(snapshot.object);
    return good;
}

bool entry_copy(struct vm_map *map, struct map_entry *entry, struct map_entry *copy)
{
    struct vm_object *object = entry->object;
    copy->shared = false;
    copy->needs_copy = false;
    copy->object = NULL;
    copy->offset = 0;
    if (object == NULL)
        return true;
    if (object->is_physical) {
        /* Device memory is what it is: everybody sees the same. */
        copy->object = object;
        copy->offset = entry->offset;
        object_ref(object);
        return true;
    }
    if (entry->wired && object->internal)
        return entry_copy_slowly(entry, copy);
    if (object->internal && (!entry->shared || entry->needs_copy)) {
        if (!entry->needs_copy && (entry->protection & VM_PROT_WRITE))
            pmap_protect(map->pmap, entry->start, entry->end, entry->protection & ~VM_PROT_WRITE);
        entry->needs_copy = copy->needs_copy = true;
        copy->object = object;
        copy->offset = entry->offset;
        object_ref(object);
        return true;
    }
    if (!object->internal && object->pager && !object->pager_ready)
        return entry_copy_when_ready(map, entry, copy);
    if (object->copy_strategy == MEMORY_OBJECT_COPY_NONE && !object->internal)
        return entry_copy_slowly(entry, copy);
    if (object->copy_strategy == MEMORY_OBJECT_COPY_CALL && !object->internal && object->alive) {
        copy->object = object_copy_call(object, entry->offset, entry->end - entry->start);
        return copy->object != NULL;
    }
    copy->object = object_copy_delayed(object);
    copy->offset = entry->offset;
    copy->needs_copy = true;
    return copy->object != NULL;
}

/* Takes one entry of MAP, which is cut to what is wanted; true and the new one on COPY's list. */
static bool entry_take(struct vm_map *map, struct map_entry *entry, struct vm_copy *copy, uint64_t at, bool move)
{
    struct map_entry *taken = entry_alloc();
    if (taken == NULL)
        return false;
    *taken = (struct map_entry){.start = at, .end = at + (entry->end - entry->start)};
    if (move && !entry->shared && entry->object && entry->object->internal) {
        taken->object = entry->object;
        taken->offset = entry->offset;
        taken->needs_copy = entry->needs_copy;
        object_ref(taken->object);
    } else if (!entry_copy(map, entry, taken)) {
        entry_free(taken);
        return false;
    }
    list_append(&copy->entries, &taken->link);
    return true;
}

/* Copies what is mapped now, without a fault: a sender never waits for the pager of what it sends.  False: nothing was
   done. */
static bool copyin_bytes(struct vm_map *map, uint64_t address, uint64_t size, bool move, struct vm_copy **result)
{
    struct vm_copy *copy = copy_alloc(0, size, size);
    if (copy == NULL)
        return false;
    current_thread()->no_faults = true;
    bool copied = copy_from_user(copy->bytes, address, size);
    current_thread()->no_faults = false;
    if (!copied) {
        kfree(copy, sizeof *copy + copy->capacity);
        return false;
    }
    if (move)
        vm_map_remove(map, align_down(address, PAGE_SIZE), align_up(address + size, PAGE_SIZE));
    *result = copy;
    return true;
}

kern_return_t vm_map_copyin(struct vm_map *map, uint64_t address, uint64_t size, bool move, struct vm_copy **result)
{
    if (address + size < address || address + size > MAP_MAX)
        return KERN_INVALID_ADDRESS;
    uint64_t start = align_down(address, PAGE_SIZE), end = align_up(address + size, PAGE_SIZE);
    if (!vm_map_check(map, start, end, VM_PROT_READ))
        return vm_map_check(map, start, end, VM_PROT_NONE) ? KERN_PROTECTION_FAILURE : KERN_INVALID_ADDRESS;
    if (size <= COPY_BYTES_MAX && map == current_task()->map && copyin_bytes(map, address, size, move, result))
        return KERN_SUCCESS;
    struct vm_copy *copy = copy_alloc(address - start, size, 0);
    if (copy == NULL)
        return KERN_RESOURCE_SHORTAGE;
    for (uint64_t at = start; at < end;) {
        struct map_entry *entry = map_lookup(map, at);
        if (entry == NULL || !map_clip_start(map, entry, at)) {
            vm_copy_discard(copy);
            return KERN_RESOURCE_SHORTAGE;
        }
        entry = map_lookup(map, at);
        uint64_t part_end = min(entry->end, end);
        if (!map_clip_end(map, entry, end) || !entry_take(map, entry, copy, at - start, move)) {
            vm_copy_discard(copy);
            return KERN_RESOURCE_SHORTAGE;
        }
        at = part_end;
    }
    if (move)
        vm_map_remove(map, start, end);
    *result = copy;
    return KERN_SUCCESS;
}

/* ---- giving -------------------------------------------------------------------------------------- */

static kern_return_t copyout_bytes(struct vm_map *map, uint64_t *address, struct vm_copy *copy)
{
    kern_return_t kr = vm_map_allocate(map, address, align_up(copy->size, PAGE_SIZE), true);
    if (kr)
        return kr;
    if (!copy_to_user(*address, copy->bytes, copy->size)) {
        vm_map_remove(map, *address, *address + align_up(copy->size, PAGE_SIZE));
        return KERN_RESOURCE_SHORTAGE;
    }
    vm_copy_discard(copy);
    return KERN_SUCCESS;
}

kern_return_t vm_map_copyout(struct vm_map *map, uint64_t *address, struct vm_copy *copy)
{
    if (copy->is_bytes)
        return copyout_bytes(map, address, copy);
    uint64_t size = align_up(copy->offset + copy->size, PAGE_SIZE), start = 0;
    kern_return_t kr = map_find_space(map, &start, size, 0xfff);
    if (kr)
        return kr;
    struct list *link;
    while ((link = list_pop(&copy->entries))) {
        struct map_entry *entry = list_entry(link, struct map_entry, link);
        uint64_t at = start + entry->start;
        kr = map_enter(map, &at, entry->end - entry->start, 0xfff, false, entry->object, entry->offset,
                       entry->needs_copy, false, VM_PROT_DEFAULT, VM_PROT_ALL, VM_INHERIT_DEFAULT);
        if (kr) {
            list_prepend(&copy->entries, &entry->link);
            vm_map_remove(map, start, start + entry->start);
            return kr;
        }
        entry_free(entry);
    }
    *address = start + copy->offset;
    kfree(copy, sizeof *copy + copy->capacity);
    return KERN_SUCCESS;
}

/* The bytes at OFFSET of OBJECT, at the beginning of a page. */
static const void *object_contents(struct vm_object *object, uint64_t offset)
{
    if (object->is_physical)
        return offset < object->size && phys_to_virt_mapped(object->physical + offset)
                   ? phys_to_virt(object->physical + offset)
                   : NULL;
    struct page *page;
    bool read_only;
    enum fault_result result;
    do
        result = object_fault(object, offset, VM_PROT_READ, true, &page, &read_only);
    while (result == FAULT_RETRY);
    return result == FAULT_DONE ? page_address(page) : NULL;
}

const void *vm_copy_contents(struct vm_copy *copy, uint64_t at)
{
    if (copy->is_bytes)
        return copy->bytes + at;
    list_for_each(link, &copy->entries) {
        struct map_entry *entry = list_entry(link, struct map_entry, link);
        if (at < entry->start || at >= entry->end)
            continue;
        if (entry->object == NULL) {
            entry->object = object_create(entry->end - entry->start);
            entry->offset = 0;
            if (entry->object == NULL)
                return NULL;
        }
        return object_contents(entry->object, entry->offset + (at - entry->start));
    }
    return NULL;
}

bool vm_copy_read(struct vm_copy *copy, uint64_t offset, void *to, uint64_t size)
{
    if (offset + size > copy->size)
        return false;
    if (copy->is_bytes) {
        memcpy(to, copy->bytes + offset, size);
        return true;
    }
    offset += copy->offset;
    while (size > 0) {
        uint64_t within = offset % PAGE_SIZE, part = min(size, PAGE_SIZE - within);
        const char *contents = vm_copy_contents(copy, offset - within);
        if (contents == NULL)
            return false;
        memcpy(to, contents + within, part);
        to = (char *)to + part;
        offset += part;
        size -= part;
    }
    return true;
}

/* Writes SIZE bytes at ADDRESS of MAP, which need not be the current one. */
static kern_return_t map_write(struct vm_map *map, uint64_t address, const void *data, uint64_t size)
{
    while (size > 0) {
        uint64_t within = address % PAGE_SIZE, part = min(size, PAGE_SIZE - within);
        kern_return_t kr = vm_fault(map, address, VM_PROT_WRITE | VM_PROT_READ, false, true);
        if (kr)
            return kr;
        uint64_t physical = pmap_extract(map->pmap, address);
        if (physical == 0)
            continue; /* the mapping is gone again: once more */
        if (!phys_to_virt_mapped(physical))
            return KERN_INVALID_ADDRESS;
        if (physical < page_limit && page_of_physical(physical)->managed)
            page_of_physical(physical)->dirty = true;
        memcpy(phys_to_virt(physical), data, part);
        data = (const char *)data + part;
        address += part;
        size -= part;
    }
    return KERN_SUCCESS;
}

kern_return_t vm_map_copy_overwrite(struct vm_map *map, uint64_t address, struct vm_copy *copy)
{
    if (!vm_map_check(map, align_down(address, PAGE_SIZE), align_up(address + copy->size, PAGE_SIZE), VM_PROT_WRITE))
        return vm_map_check(map, align_down(address, PAGE_SIZE), align_up(address + copy->size, PAGE_SIZE),
                            VM_PROT_NONE)
                   ? KERN_PROTECTION_FAILURE
                   : KERN_INVALID_ADDRESS;
    if (copy->is_bytes) {
        kern_return_t kr = map_write(map, address, copy->bytes, copy->size);
        if (kr == KERN_SUCCESS)
            vm_copy_discard(copy);
        return kr;
    }
    char *buffer = kalloc(PAGE_SIZE);
    if (buffer == NULL)
        return KERN_RESOURCE_SHORTAGE;
    kern_return_t kr = KERN_SUCCESS;
    for (uint64_t done = 0; done < copy->size && kr == KERN_SUCCESS;) {
        uint64_t part = min(copy->size - done, PAGE_SIZE - (copy->offset + done) % PAGE_SIZE);
        if (!vm_copy_read(copy, done, buffer, part))
            kr = KERN_MEMORY_ERROR;
        else
            kr = map_write(map, address + done, buffer, part);
        done += part;
        if ((done >> PAGE_SHIFT) % PAUSE_PAGES == 0)
            sched_pause();
    }
    kfree(buffer, PAGE_SIZE);
    if (kr == KERN_SUCCESS)
        vm_copy_discard(copy);
    return kr;
}
