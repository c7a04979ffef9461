/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The name cache: what (directory, name) stands for, so that a path that was walked before is walked without the disk.

   An entry says which inode a name in a directory names, 0 if none: both kinds of knowledge save the same work.  It is
   exact: who changes a directory holds its node lock and tells the cache before letting go, and who enters what he has
   read holds it too.  A directory that dies takes its entries with it (diskfs_names_purge).

   The table grows up to NAMES_MAX entries; then each new one takes the place of one that was not used since the hand of
   a clock passed it last.  Knows no message; runs in unit tests on the host.

   Lock: names_lock, a leaf.  */

#include "diskfs-internal.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_FIRST 512
#define NAMES_MAX 16384

struct name {
    struct name *hash_next;             /* same bucket of (directory, name) */
    struct name *dir_next, **dir_prevp; /* same bucket of directory */
    struct name *clock_prev, *clock_next; /* ring of all */
    ino_t dir, ino;
    uint32_t hash;
    uint16_t length;
    bool used;
    char text[];
};

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static struct name **table, **dirs;     /* names_lock, as all that follows; both `size` buckets */
static size_t size;
static unsigned int count;
static struct name *hand;

static uint32_t name_hash(ino_t dir, const char *name, size_t length)
{
    uint64_t hash = dir * 0x9e3779b97f4a7c15ull;
    for (; length >= 8; name += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, name, 8);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
        hash ^= hash >> 32;
    }
    for (; length > 0; name++, length--)
        hash = (hash ^ (unsigned char) *name) * 0x100000001b3ull;
    return (uint32_t) (hash ^ hash >> 32);
}

static size_t dir_bucket(ino_t dir)
{
    return (dir * 0x9e3779b97f4a7c15ull >> 32) & (size - 1);
}

static void name_link(struct name *name)
{
    struct name **bucket = &table[name->hash & (size - 1)];
    name->hash_next = *bucket;
    *bucket = name;
    bucket = &dirs[dir_bucket(name->dir)];
    name->dir_next = *bucket;
    name->dir_prevp = bucket;
    if (*bucket)
        (*bucket)->dir_prevp = &name->dir_next;
    *bucket = name;
}

static void name_remove(struct name *name)
{
    struct name **link = &table[name->hash & (size - 1)];
    while (*link != name)
        link = &(*link)->hash_next;
    *link = name->hash_next;
    *name->dir_prevp = name->dir_next;
    if (name->dir_next)
        name->dir_next->dir_prevp = name->dir_prevp;
    if (hand == name)
        hand = name->clock_next == name ? NULL : name->clock_next;
    name->clock_prev->clock_next = name->clock_next;
    name->clock_next->clock_prev = name->clock_prev;
    count--;
    free(name);
}

/* Makes room for one more: doubles the tables, or lets the least used go. False: no memory for even the first table. */
static bool names_make_room(void)
{
    if (count < size)
        return true;
    if (size >= NAMES_MAX) {
        while (hand->used) {
            hand->used = false;
            hand = hand->clock_next;
        }
        name_remove(hand);
        return true;
    }
    size_t bigger = size ? 2 * size : TABLE_FIRST;
    struct name **new_table = calloc(bigger, sizeof *new_table), **new_dirs = calloc(bigger, sizeof *new_dirs);
    if (new_table == NULL || new_dirs == NULL) {
        free(new_table);
        free(new_dirs);
        return size > 0;
    }
    free(table);
    free(dirs);
    table = new_table;
    dirs = new_dirs;
    size = bigger;
    struct name *name = hand;
    for (unsigned int i = 0; i < count; i++, name = name->clock_next)
        name_link(name);
    return true;
}

static struct name *name_find(ino_t dir, const char *text, size_t length, uint32_t hash)
{
    if (size == 0)
        return NULL;
    struct name *name = table[hash & (size - 1)];
    while (name != NULL && !(name->hash == hash && name->dir == dir && name->length == length
                             && memcmp(name->text, text, length) == 0))
        name = name->hash_next;
    return name;
}

bool diskfs_names_lookup(ino_t dir, const char *text, size_t length, ino_t *ino)
{
    uint32_t hash = name_hash(dir, text, length);
    pthread_mutex_lock(&names_lock);
    struct name *name = name_find(dir, text, length, hash);
    if (name != NULL) {
        name->used = true;
        *ino = name->ino;
    }
    pthread_mutex_unlock(&names_lock);
    return name != NULL;
}

void diskfs_names_enter(ino_t dir, const char *text, size_t length, ino_t ino)
{
    uint32_t hash = name_hash(dir, text, length);
    pthread_mutex_lock(&names_lock);
    struct name *name = name_find(dir, text, length, hash);
    if (name != NULL) {
        name->ino = ino;
    } else if (names_make_room() && (name = malloc(sizeof *name + length)) != NULL) {
        *name = (struct name) { .dir = dir, .ino = ino, .hash = hash, .length = (uint16_t) length };
        memcpy(name->text, text, length);
        if (hand == NULL) {
            hand = name->clock_prev = name->clock_next = name;
        } else {
            name->clock_next = hand;
            name->clock_prev = hand->clock_prev;
            hand->clock_prev->clock_next = name;
            hand->clock_prev = name;
        }
        count++;
        name_link(name);
    }
    pthread_mutex_unlock(&names_lock);
}

bool diskfs_names_reverse(ino_t ino, ino_t *dir, char *text)
{
    bool found = false;
    pthread_mutex_lock(&names_lock);
    struct name *name = hand;
    for (unsigned int i = 0; i < count && !found; i++, name = name->clock_next) {
        found = name->ino == ino && name->length <= NAME_MAX &&
                !(name->length == 2 && memcmp(name->text, "..", 2) == 0);
        if (found) {
            *dir = name->dir;
            memcpy(text, name->text, name->length);
            text[name->length] = '\0';
        }
    }
    pthread_mutex_unlock(&names_lock);
    return found;
}

void diskfs_names_purge(ino_t dir)
{
    pthread_mutex_lock(&names_lock);
    struct name *name = size ? dirs[dir_bucket(dir)] : NULL;
    while (name != NULL) {
        struct name *next = name->dir_next;
        if (name->dir == dir)
            name_remove(name);
        name = next;
    }
    pthread_mutex_unlock(&names_lock);
}

void diskfs_names_purge_all(void)
{
    pthread_mutex_lock(&names_lock);
    while (hand != NULL)
        name_remove(hand);
    pthread_mutex_unlock(&names_lock);
}

unsigned int diskfs_names_count(void)
{
    pthread_mutex_lock(&names_lock);
    unsigned int n = count;
    pthread_mutex_unlock(&names_lock);
    return n;
}
