/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The backend of the tests, and what the files under test need of those that know messages.  */

#include "ramfs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct ram_inode ram_inodes[RAM_INODES];
unsigned int ram_reads, ram_lookups, ram_deletes, ram_forgets, ram_idle_drops;
error_t ram_fail_remove;

/* ---- of the library ------------------------------------------------------------------------- */

const struct diskfs_ops *diskfs_ops;
struct diskfs_node *diskfs_root;
fsid_t diskfs_fsid = 7;
bool diskfs_readonly, diskfs_synchronous, diskfs_nosuid, diskfs_noexec;
enum diskfs_atime diskfs_atime;
atomic_bool diskfs_frozen;

void diskfs_warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

void diskfs_notice_end(struct diskfs_node *node)
{
    (void) node;
}

void diskfs_notice_dir(struct diskfs_node *dir, dir_changed_type_t change, const char *name, size_t length)
{
    (void) dir, (void) change, (void) name, (void) length;
}

void diskfs_place_moved(struct diskfs_node *node, ino_t dir, const char *name, size_t length)
{
    (void) node, (void) dir, (void) name, (void) length;
}

void fshelp_transbox_init(struct fshelp_transbox *box) { memset(box, 0, sizeof *box); }
void fshelp_transbox_destroy(struct fshelp_transbox *box) { (void) box; }
void fshelp_lockbox_init(struct fshelp_lockbox *box) { memset(box, 0, sizeof *box); }
void fshelp_lockbox_destroy(struct fshelp_lockbox *box) { (void) box; }

/* ---- inodes ------------------------------------------------------------------------------------ */

static pthread_mutex_t ram_lock = PTHREAD_MUTEX_INITIALIZER;

static struct ram_inode *ram(const struct diskfs_node *node)
{
    return &ram_inodes[node->ino];
}

static error_t ram_node_read(struct diskfs_node *node)
{
    ram_reads++;
    if (node->ino >= RAM_INODES || !ram(node)->used)
        return ESTALE;
    node->stat = ram(node)->stat;
    return 0;
}

static error_t ram_node_write(struct diskfs_node *node, bool wait)
{
    (void) wait;
    ram(node)->stat = node->stat;
    return 0;
}

static error_t ram_node_alloc(struct diskfs_node *dir, mode_t mode, ino_t *ino)
{
    (void) dir, (void) mode;
    pthread_mutex_lock(&ram_lock);
    error_t err = ENOSPC;
    for (ino_t i = RAM_ROOT; i < RAM_INODES && err; i++) {
        if (ram_inodes[i].used)
            continue;
        ram_inodes[i].used = true;
        *ino = i;
        err = 0;
    }
    pthread_mutex_unlock(&ram_lock);
    return err;
}

static error_t ram_node_create(struct diskfs_node *node, mode_t mode)
{
    (void) mode;
    node->stat.st_blksize = 4096;
    return 0;
}

static void ram_clear(ino_t ino)
{
    struct ram_inode *inode = &ram_inodes[ino];
    for (struct ram_entry *e = inode->entries, *next; e; e = next) {
        next = e->next;
        free(e->name);
        free(e);
    }
    free(inode->link);
    memset(inode, 0, sizeof *inode);
}

static void ram_node_unalloc(ino_t ino, mode_t mode)
{
    (void) mode;
    pthread_mutex_lock(&ram_lock);
    ram_clear(ino);
    pthread_mutex_unlock(&ram_lock);
}

static void ram_node_delete(struct diskfs_node *node)
{
    ram_deletes++;
    ram_node_unalloc(node->ino, 0);
}

static void ram_node_forget(struct diskfs_node *node)
{
    (void) node;
    ram_forgets++;
}

static void ram_node_idle_drop(struct diskfs_node *node)
{
    (void) node;
    ram_idle_drops++;
}

static error_t ram_link_read(struct diskfs_node *node, char *buffer)
{
    memcpy(buffer, ram(node)->link, (size_t) node->stat.st_size);
    return 0;
}

static error_t ram_link_write(struct diskfs_node *node, const char *target, size_t length)
{
    ram(node)->link = strndup(target, length);
    node->stat.st_size = (off_t) length;
    return 0;
}

/* ---- directories ----------------------------------------------------------------------------------- */

static error_t ram_dir_lookup(struct diskfs_node *dir, const char *name, size_t length, ino_t *ino,
                              struct diskfs_slot *slot)
{
    ram_lookups++;
    struct ram_entry **link = &ram(dir)->entries;
    while (*link && !((*link)->length == length && memcmp((*link)->name, name, length) == 0))
        link = &(*link)->next;
    if (slot)
        slot->word[0] = (uintptr_t) link;
    if (*link == NULL)
        return ENOENT;
    *ino = (*link)->ino;
    return 0;
}

static error_t ram_dir_enter(struct diskfs_node *dir, const char *name, size_t length, ino_t ino, int type,
                             struct diskfs_slot *slot)
{
    (void) dir;
    struct ram_entry **link = (struct ram_entry **) slot->word[0], *entry = calloc(1, sizeof *entry);
    *entry = (struct ram_entry) { .name = strndup(name, length), .length = length, .ino = ino, .type = type };
    *link = entry;
    return 0;
}

static error_t ram_dir_remove(struct diskfs_node *dir, struct diskfs_slot *slot)
{
    (void) dir;
    if (ram_fail_remove)
        return ram_fail_remove;
    struct ram_entry **link = (struct ram_entry **) slot->word[0], *entry = *link;
    *link = entry->next;
    free(entry->name);
    free(entry);
    return 0;
}

static error_t ram_dir_rewrite(struct diskfs_node *dir, struct diskfs_slot *slot, ino_t ino, int type)
{
    (void) dir;
    struct ram_entry *entry = *(struct ram_entry **) slot->word[0];
    entry->ino = ino;
    entry->type = type;
    return 0;
}

static void ram_append(ino_t dir, const char *name, ino_t ino)
{
    struct ram_entry **link = &ram_inodes[dir].entries;
    while (*link)
        link = &(*link)->next;
    *link = calloc(1, sizeof **link);
    **link = (struct ram_entry) { .name = strdup(name), .length = strlen(name), .ino = ino, .type = DT_DIR };
}

static error_t ram_dir_init(struct diskfs_node *dir, ino_t parent)
{
    ram_append(dir->ino, ".", dir->ino);
    ram_append(dir->ino, "..", parent);
    return 0;
}

static error_t ram_dir_check_empty(struct diskfs_node *dir)
{
    struct ram_entry *second = ram(dir)->entries->next;
    return second && second->next ? ENOTEMPTY : 0;
}

static error_t ram_translator_get(struct diskfs_node *node, char **argz, size_t *length)
{
    (void) node, (void) argz, (void) length;
    return ENOENT;
}

static const struct diskfs_ops ram_ops = {
    .name = "ramfs", .version = "1.0.0", .node_size = sizeof(struct diskfs_node), .name_max = 255, .link_max = 32,
    .size_max = 1 << 30,
    .node_read = ram_node_read, .node_write = ram_node_write, .node_alloc = ram_node_alloc,
    .node_create = ram_node_create, .node_unalloc = ram_node_unalloc, .node_delete = ram_node_delete,
    .node_forget = ram_node_forget, .node_idle_drop = ram_node_idle_drop,
    .link_read = ram_link_read, .link_write = ram_link_write,
    .dir_lookup = ram_dir_lookup, .dir_enter = ram_dir_enter, .dir_remove = ram_dir_remove,
    .dir_rewrite = ram_dir_rewrite, .dir_init = ram_dir_init, .dir_check_empty = ram_dir_check_empty,
    .translator_get = ram_translator_get,
};

/* ---- the whole ---------------------------------------------------------------------------------------- */

static error_t node_release(struct diskfs_node *node, void *arg)
{
    (void) arg;
    pthread_mutex_lock(&node->lock);
    node->stat.st_nlink = 0;    /* goes with the last reference */
    pthread_mutex_unlock(&node->lock);
    return 0;
}

void ram_format(void)
{
    diskfs_ops = &ram_ops;
    diskfs_node_iterate(node_release, NULL);
    if (diskfs_root)
        diskfs_node_deref(diskfs_root);
    diskfs_root = NULL;
    diskfs_names_purge_all();
    for (ino_t i = 0; i < RAM_INODES; i++)
        ram_clear(i);
    ram_inodes[RAM_ROOT].used = true;
    ram_inodes[RAM_ROOT].stat = (struct stat) { .st_mode = S_IFDIR | 0755, .st_nlink = 2, .st_ino = RAM_ROOT };
    ram_append(RAM_ROOT, ".", RAM_ROOT);
    ram_append(RAM_ROOT, "..", RAM_ROOT);
    if (diskfs_node_lookup(RAM_ROOT, &diskfs_root))
        abort();
    ram_reads = ram_lookups = ram_deletes = ram_forgets = ram_idle_drops = 0;
}

unsigned int ram_used(void)
{
    unsigned int n = 0;
    for (ino_t i = 0; i < RAM_INODES; i++)
        n += ram_inodes[i].used;
    return n;
}

static bool complain(ino_t ino, const char *what, unsigned long have, unsigned long want)
{
    if (have == want)
        return true;
    fprintf(stderr, "inode %lu: %s is %lu, should be %lu\n", (unsigned long) ino, what, have, want);
    return false;
}

bool ram_consistent(void)
{
    static unsigned long links[RAM_INODES], parent[RAM_INODES];
    bool good = diskfs_node_write_all(true) == 0;
    memset(links, 0, sizeof links);
    memset(parent, 0, sizeof parent);
    parent[RAM_ROOT] = RAM_ROOT;
    for (ino_t i = 0; i < RAM_INODES; i++) {
        for (struct ram_entry *e = ram_inodes[i].entries; e; e = e->next) {
            links[e->ino]++;
            good &= complain(e->ino, "in use", ram_inodes[e->ino].used, 1);
            good &= complain(e->ino, "type", (unsigned long) e->type, IFTODT(ram_inodes[e->ino].stat.st_mode));
            if (e->type == DT_DIR && e->name[0] != '.')
                parent[e->ino] = i;
        }
    }
    for (ino_t i = 0; i < RAM_INODES; i++) {
        if (!ram_inodes[i].used)
            continue;
        good &= complain(i, "link count", ram_inodes[i].stat.st_nlink, links[i]);
        if (S_ISDIR(ram_inodes[i].stat.st_mode))
            good &= complain(i, "..", ram_inodes[i].entries->next->ino, parent[i]);
    }
    return good;
}
