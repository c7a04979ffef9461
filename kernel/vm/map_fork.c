/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A child's address space: each entry of the parent's as its inheritance says. */

#include "map.h"

bool entry_share_prepare(struct map_entry *entry)
{
    if (entry->object == NULL) {
        entry->object = object_create(entry->end - entry->start);
        entry->offset = 0;
        if (entry->object == NULL)
            return false;
    } else if (entry->needs_copy) {
        if (!object_shadow(&entry->object, &entry->offset, entry->end - entry->start))
            return false;
        entry->needs_copy = false;
    }
    entry->shared = true;
    return true;
}

/* Both maps see the same from now on. */
static bool entry_share(struct map_entry *entry, struct map_entry *child)
{
    if (!entry_share_prepare(entry))
        return false;
    child->shared = true;
    child->object = entry->object;
    child->offset = entry->offset;
    child->needs_copy = false;
    object_ref(entry->object);
    return true;
}

static bool entry_fork(struct vm_map *parent, struct map_entry *entry, struct vm_map *map)
{
    struct map_entry *child = entry_alloc();
    if (child == NULL)
        return false;
    *child = *entry;
    child->wired = false;
    uint64_t version = parent->version;
    bool good = entry->inheritance == VM_INHERIT_SHARE ? entry_share(entry, child) : entry_copy(parent, entry, child);
    if (!good) {
        entry_free(child);
        return false;
    }
    map_append(map, child);
    if (unlikely(parent->version != version))
        return true; /* this waited for a pager, and ENTRY may have gone */
    /* What the parent uses of a program's file, the child will: it need not fault for it. */
    struct vm_object *object = child->object;
    if (object && object == entry->object && !object->is_physical && (!object->internal || object->resident == 0))
        pmap_copy_used(map->pmap, parent->pmap, entry->start, entry->end);
    return true;
}

struct vm_map *map_fork(struct vm_map *parent)
{
    struct vm_map *map = map_create();
    if (map == NULL)
        return NULL;
    for (struct map_entry *entry = map_lookup_above(parent, 0); entry;) {
        uint64_t end = entry->end, version = parent->version;
        if (entry->inheritance != VM_INHERIT_NONE && !entry_fork(parent, entry, map)) {
            map_deref(map);
            return NULL;
        }
        entry = likely(parent->version == version) ? map_next(parent, entry) : map_lookup_above(parent, end);
    }
    return map;
}
