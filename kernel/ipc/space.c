/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Name spaces.

   A name is a small number, its entry in a leaf of 128; freed names are handed out again, last freed first.  Names that
   a task chooses itself above DENSE_NAMES (mach_port_allocate_name) are rare, and in a hash table of their own.  In a
   leaf, entries that were never used are all zero, also their names; who goes through all entries stops at the highest
   that was (`high`).  A leaf of a space that has ended has no rights, and is kept for the next task.

   A space has at most one name with send rights or the receive right of a port.  The name of the receive right is in
   the port; for pure send rights a hash table leads from the port to the entry.  Send-once rights have a name each. */

#include "body.h"
#include "../task/task.h"

#define LEAVES_FIRST 4
#define REVERSE_FIRST 32
#define SPARE_LEAVES 8

#define SPARSE_FIRST 16

/* An entry whose name a task has chosen beyond DENSE_NAMES. */
struct sparse_entry {
    struct ipc_entry entry;
    struct sparse_entry *next;
};

static struct cache space_cache;
static struct ipc_entry empty_leaf[LEAF_ENTRIES]; /* never changed */
static struct ipc_entry *spare_leaves[SPARE_LEAVES];  /* with no rights */
static uint32_t spare_count;
struct ipc_entry space_no_entry;
struct ipc_space *ipc_space_kernel, *ipc_space_dead;

void space_init(void)
{
    cache_init(&space_cache, "space", sizeof(struct ipc_space));
    ipc_space_kernel = space_create(NULL);
    ipc_space_dead = space_create(NULL);
    if (ipc_space_kernel == NULL || ipc_space_dead == NULL)
        panic("no memory for the kernel's name spaces");
    ipc_space_dead->active = false;
}

struct ipc_space *space_create(struct task *task)
{
    struct ipc_space *space = cache_alloc(&space_cache);
    if (space == NULL)
        return NULL;
    *space = (struct ipc_space){.refs = 1,
                                .active = true,
                                .task = task,
                                .limit = 1,
                                .first = empty_leaf,
                                .reverse_size = REVERSE_INLINE};
    space->reverse = space->reverse_first;
    return space;
}

void space_ref(struct ipc_space *space)
{
    space->refs++;
}

void space_deref(struct ipc_space *space)
{
    if (--space->refs == 0)
        cache_free(&space_cache, space);
}

static struct sparse_entry **sparse_bucket(struct ipc_space *space, mach_port_name_t name)
{
    return &space->sparse[(name * 0x9e3779b97f4a7c15 >> 32) & (space->sparse_size - 1)];
}

struct ipc_entry *space_lookup_slow(struct ipc_space *space, mach_port_name_t name)
{
    if (name < DENSE_NAMES || space->sparse == NULL)
        return NULL;
    for (struct sparse_entry *sparse = *sparse_bucket(space, name); sparse; sparse = sparse->next)
        if (sparse->entry.name == name)
            return &sparse->entry;
    return NULL;
}

/* Room for one more; false: no memory for the first table.  One that exists stays as it is then, with longer lists. */
static bool sparse_grow(struct ipc_space *space)
{
    if (space->sparse_used < space->sparse_size)
        return true;
    uint32_t old_size = space->sparse_size, size = max(old_size * 2, (uint32_t)SPARSE_FIRST);
    struct sparse_entry **table = kalloc(size * sizeof *table), **old = space->sparse;
    if (table == NULL)
        return old != NULL;
    memset(table, 0, size * sizeof *table);
    space->sparse = table;
    space->sparse_size = size;
    for (uint32_t i = 0; i < old_size; i++)
        for (struct sparse_entry *entry = old[i], *next; entry; entry = next) {
            next = entry->next;
            struct sparse_entry **bucket = sparse_bucket(space, entry->entry.name);
            entry->next = *bucket;
            *bucket = entry;
        }
    kfree(old, old_size * sizeof *old);
    return true;
}

static struct ipc_entry *sparse_create(struct ipc_space *space, mach_port_name_t name)
{
    struct sparse_entry *sparse = sparse_grow(space) ? kalloc(sizeof *sparse) : NULL;
    if (sparse == NULL)
        return NULL;
    struct sparse_entry **bucket = sparse_bucket(space, name);
    *sparse = (struct sparse_entry){.entry.name = name, .next = *bucket};
    *bucket = sparse;
    space->sparse_used++;
    return &sparse->entry;
}

static void sparse_free(struct ipc_space *space, struct ipc_entry *entry)
{
    struct sparse_entry *sparse = list_entry(entry, struct sparse_entry, entry),
                        **link = sparse_bucket(space, entry->name);
    while (*link != sparse)
        link = &(*link)->next;
    *link = sparse->next;
    space->sparse_used--;
    kfree(sparse, sizeof *sparse);
}

/* A leaf without rights; NULL: no memory. */
static struct ipc_entry *leaf_create(void)
{
    if (likely(spare_count > 0))
        return spare_leaves[--spare_count];
    struct ipc_entry *entries = kalloc(LEAF_ENTRIES * sizeof *entries);
    if (entries)
        memset(entries, 0, LEAF_ENTRIES * sizeof *entries);
    return entries;
}

/* A leaf whose rights have all been given up. */
static void leaf_destroy(struct ipc_entry *entries)
{
    if (spare_count < SPARE_LEAVES)
        spare_leaves[spare_count++] = entries;
    else
        kfree(entries, LEAF_ENTRIES * sizeof *entries);
}

void space_spares_drop(void)
{
    while (spare_count > 0)
        kfree(spare_leaves[--spare_count], LEAF_ENTRIES * sizeof(struct ipc_entry));
}

/* The entry of a dense name that is to be used; makes its leaf. */
static struct ipc_entry *dense_entry(struct ipc_space *space, mach_port_name_t name)
{
    uint32_t leaf = name / LEAF_ENTRIES;
    if (leaf >= space->leaf_count) {
        uint32_t count = max(space->leaf_count, (uint32_t)LEAVES_FIRST);
        while (count <= leaf)
            count *= 2;
        struct ipc_entry **leaves = kalloc(count * sizeof *leaves);
        if (leaves == NULL)
            return NULL;
        memset(leaves, 0, count * sizeof *leaves);
        if (space->leaf_count)
            memcpy(leaves, space->leaves, space->leaf_count * sizeof *leaves);
        kfree(space->leaves, space->leaf_count * sizeof *leaves);
        space->leaves = leaves;
        space->leaf_count = count;
    }
    if (space->leaves[leaf] == NULL) {
        struct ipc_entry *entries = leaf_create();
        if (entries == NULL)
            return NULL;
        space->leaves[leaf] = entries;
        if (leaf == 0)
            space->first = entries;
    }
    struct ipc_entry *entry = &space->leaves[leaf][name % LEAF_ENTRIES];
    entry->name = name;
    space->high = max(space->high, name + 1);
    return entry;
}

static void free_list_unlink(struct ipc_space *space, struct ipc_entry *entry)
{
    if (space->free == entry)
        space->free = entry->free_next;
    else
        entry->free_prev->free_next = entry->free_next;
    if (entry->free_next)
        entry->free_next->free_prev = entry->free_prev;
}

kern_return_t space_entry_alloc(struct ipc_space *space, struct ipc_entry **result)
{
    struct ipc_entry *entry = space_entry_reuse(space);
    if (likely(entry != NULL)) {
        *result = entry;
        return KERN_SUCCESS;
    }
    do {
        if (space->limit == DENSE_NAMES || !space->active)
            return KERN_NO_SPACE;
        entry = dense_entry(space, space->limit);
        if (entry == NULL)
            return KERN_RESOURCE_SHORTAGE;
        space->limit++;
    } while (entry->bits & ENTRY_TYPES); /* a task has chosen it before */
    entry->bits = 0;
    entry->request = NULL;
    *result = entry;
    return KERN_SUCCESS;
}

kern_return_t space_entry_alloc_name(struct ipc_space *space, mach_port_name_t name, struct ipc_entry **result)
{
    if (!space->active)
        return KERN_NO_SPACE;
    if (space_lookup(space, name))
        return KERN_NAME_EXISTS;
    struct ipc_entry *entry;
    if (name < DENSE_NAMES) {
        entry = dense_entry(space, name);
        if (entry == NULL)
            return KERN_RESOURCE_SHORTAGE;
        if (name < space->limit)
            free_list_unlink(space, entry);
        entry->bits = 0;
        entry->request = NULL;
    } else {
        entry = sparse_create(space, name);
        if (entry == NULL)
            return KERN_RESOURCE_SHORTAGE;
    }
    *result = entry;
    return KERN_SUCCESS;
}

void space_entry_free(struct ipc_space *space, struct ipc_entry *entry)
{
    assert(entry->request == NULL);
    if (likely(entry->name < space->limit)) {
        space_entry_free_dense(space, entry);
        return;
    }
    entry->bits = 0;
    if (entry->name >= DENSE_NAMES)
        sparse_free(space, entry);
}

/* ---- from the port to the entry ------------------------------------------------------ */

static inline uint32_t reverse_index(const struct ipc_space *space, const struct ipc_port *port)
{
    return (uint32_t)(((uint64_t)port >> 6) * 0x9e3779b97f4a7c15 >> 32) & (space->reverse_size - 1);
}

/* Without memory for it, the table stays as it is, and its lists get longer. */
static void reverse_grow(struct ipc_space *space)
{
    uint32_t size = max(space->reverse_size * 2, (uint32_t)REVERSE_FIRST);
    struct ipc_entry **table = kalloc(size * sizeof *table), **old = space->reverse;
    if (table == NULL)
        return;
    memset(table, 0, size * sizeof *table);
    uint32_t old_size = space->reverse_size;
    space->reverse = table;
    space->reverse_size = size;
    for (uint32_t i = 0; i < old_size; i++)
        for (struct ipc_entry *entry = old[i], *next; entry; entry = next) {
            next = entry->hash_next;
            struct ipc_entry **bucket = &table[reverse_index(space, entry->port)];
            entry->hash_next = *bucket;
            *bucket = entry;
        }
    if (old != space->reverse_first)
        kfree(old, old_size * sizeof *old);
}

struct ipc_entry *space_reverse(struct ipc_space *space, struct ipc_port *port)
{
    if (port->receiver == space)
        return space_lookup(space, port->receiver_name);
    if (space->reverse_used == 0)
        return NULL;
    for (struct ipc_entry *entry = space->reverse[reverse_index(space, port)]; entry; entry = entry->hash_next)
        if (entry->port == port)
            return entry;
    return NULL;
}

void space_reverse_insert(struct ipc_space *space, struct ipc_entry *entry)
{
    if (space->reverse_used >= space->reverse_size)
        reverse_grow(space);
    struct ipc_entry **bucket = &space->reverse[reverse_index(space, entry->port)];
    entry->hash_next = *bucket;
    *bucket = entry;
    space->reverse_used++;
}

void space_reverse_remove(struct ipc_space *space, struct ipc_entry *entry)
{
    struct ipc_entry **link = &space->reverse[reverse_index(space, entry->port)];
    while (*link != entry)
        link = &(*link)->hash_next;
    *link = entry->hash_next;
    space->reverse_used--;
}

/* ---- all of it ----------------------------------------------------------------------------- */

void space_walk(struct ipc_space *space, void (*visit)(struct ipc_space *space, struct ipc_entry *entry, void *cookie),
                void *cookie)
{
    for (uint32_t name = 0; name < space->high; name += LEAF_ENTRIES) {
        struct ipc_entry *entry = space->leaves[name / LEAF_ENTRIES];
        if (entry == NULL)
            continue;
        for (const struct ipc_entry *end = entry + min(space->high - name, (uint32_t)LEAF_ENTRIES); entry < end;
             entry++)
            if (entry->bits & ENTRY_TYPES)
                visit(space, entry, cookie);
    }
    for (uint32_t i = 0; i < space->sparse_size; i++)
        for (struct sparse_entry *sparse = space->sparse[i], *next; sparse; sparse = next) {
            next = sparse->next;
            visit(space, &sparse->entry, cookie);
        }
}

static void entry_count(struct ipc_space *space, struct ipc_entry *entry, void *cookie)
{
    (void)space;
    (void)entry;
    ++*(uint32_t *)cookie;
}

uint32_t space_used(struct ipc_space *space)
{
    uint32_t used = 0;
    space_walk(space, entry_count, &used);
    return used;
}

static uint64_t queue_memory(struct mqueue *queue)
{
    uint64_t bytes = 0;
    list_for_each(link, &queue->messages) {
        struct kmsg *kmsg = list_entry(link, struct kmsg, link);
        bytes += sizeof *kmsg + kmsg->capacity + body_memory(kmsg);
    }
    return bytes;
}

static void entry_weigh(struct ipc_space *space, struct ipc_entry *entry, void *cookie)
{
    uint64_t *bytes = cookie;
    (void)space;
    *bytes += sizeof *entry;
    if (entry->bits & MACH_PORT_TYPE_RECEIVE)
        *bytes += sizeof *entry->port + queue_memory(&entry->port->queue);
    else if (entry->bits & MACH_PORT_TYPE_PORT_SET)
        *bytes += sizeof *entry->pset + queue_memory(&entry->pset->queue);
}

uint64_t space_memory(struct ipc_space *space)
{
    uint64_t bytes = 0;
    space_walk(space, entry_weigh, &bytes);
    return bytes;
}

static void entry_end(struct ipc_space *space, struct ipc_entry *entry, void *cookie)
{
    (void)cookie;
    right_destroy(space, entry);
}

static void set_end(struct ipc_space *space, struct ipc_entry *entry, void *cookie)
{
    (void)cookie;
    if (entry->bits & MACH_PORT_TYPE_PORT_SET)
        right_destroy(space, entry);
}

void space_destroy(struct ipc_space *space)
{
    if (!space->active)
        return;
    space->active = false;
    if (space->has_sets) /* first, as that is how the messages of a set's members are told apart at once */
        space_walk(space, set_end, NULL);
    space_walk(space, entry_end, NULL);
    for (uint32_t leaf = 0; leaf < space->leaf_count; leaf++)
        if (space->leaves[leaf])
            leaf_destroy(space->leaves[leaf]);
    kfree(space->leaves, space->leaf_count * sizeof *space->leaves);
    if (space->reverse != space->reverse_first)
        kfree(space->reverse, space->reverse_size * sizeof *space->reverse);
    if (space->sparse)
        kfree(space->sparse, space->sparse_size * sizeof *space->sparse);
    space->first = empty_leaf;
    space->leaves = NULL;
    space->free = NULL;
    space->sparse = NULL;
    memset(space->reverse_first, 0, sizeof space->reverse_first);
    space->reverse = space->reverse_first;
    space->reverse_size = REVERSE_INLINE;
    space->leaf_count = space->high = space->reverse_used = space->sparse_size = space->sparse_used = 0;
    space->limit = 1;
    space_deref(space);
}
