/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: where names of files that were on the disk before were entered since the last sync.

   A file that is linked and whose old name is removed afterwards must not be without a name after a power cut: the new
   name goes to the disk before the old one leaves it, as in a rename (cache.c).  So each name that is entered for such
   a file is noted here with its block, and who removes one asks.

   There are two generations of notes: what was noted while everything is being written may not have been, so the notes
   made before a sync are forgotten when it has succeeded, and those made meanwhile after the next.

   Lock: struct ext2_links' `lock`, a leaf.  */

#include "ext2.h"

#include <stdlib.h>

enum { ROOM_MIN = 64 };

/* One generation: a table of inode numbers with open addressing.  */
struct notes {
    struct note { uint32_t ino, block; } *table;   /* block 0: several; inode 0: free */
    uint32_t room, count;                          /* room: a power of two, or 0 */
    bool lost;                                     /* there was no memory for a note: every inode may have several */
};

struct ext2_links {
    pthread_mutex_t lock;
    struct notes now, before;                      /* lock */
};

struct ext2_links *ext2_links_create(void)
{
    struct ext2_links *links = calloc(1, sizeof *links);
    if (links)
        pthread_mutex_init(&links->lock, NULL);
    return links;
}

void ext2_links_destroy(struct ext2_links *links)
{
    if (!links)
        return;
    free(links->now.table);
    free(links->before.table);
    pthread_mutex_destroy(&links->lock);
    free(links);
}

/* The note of INO, or the free place where it belongs; NULL: there is no table.  */
static struct note *note_find(const struct notes *notes, uint32_t ino)
{
    if (!notes->room)
        return NULL;
    uint32_t at = ino * 2654435761u & (notes->room - 1);
    while (notes->table[at].ino && notes->table[at].ino != ino)
        at = (at + 1) & (notes->room - 1);
    return &notes->table[at];
}

static bool notes_grow(struct notes *notes)
{
    struct notes bigger = { NULL, notes->room ? 2 * notes->room : ROOM_MIN, notes->count, notes->lost };
    bigger.table = calloc(bigger.room, sizeof *bigger.table);
    if (!bigger.table)
        return false;
    for (uint32_t i = 0; i < notes->room; i++)
        if (notes->table[i].ino)
            *note_find(&bigger, notes->table[i].ino) = notes->table[i];
    free(notes->table);
    *notes = bigger;
    return true;
}

static void notes_add(struct notes *notes, uint32_t ino, uint32_t block)
{
    if (2 * (notes->count + 1) > notes->room && !notes_grow(notes)) {
        notes->lost = true;
        return;
    }
    struct note *note = note_find(notes, ino);
    if (!note->ino) {
        *note = (struct note){ ino, block };
        notes->count++;
    } else if (note->block != block) {
        note->block = 0;
    }
}

static void notes_clear(struct notes *notes)
{
    free(notes->table);
    *notes = (struct notes){ NULL, 0, 0, false };
}

void ext2_links_note(struct ext2_fs *fs, uint32_t ino, uint32_t block)
{
    if (!ext2_inode_is_old(fs, ino))
        return;
    pthread_mutex_lock(&fs->links->lock);
    notes_add(&fs->links->now, ino, block);
    pthread_mutex_unlock(&fs->links->lock);
}

/* Adds what NOTES knows of INO to what is known: *BLOCK, if FOUND already.  True if it knows something.  */
static bool notes_look(const struct notes *notes, uint32_t ino, bool found, uint32_t *block)
{
    const struct note *note = note_find(notes, ino);
    bool noted = note && note->ino;
    if (noted)
        *block = found && *block != note->block ? 0 : note->block;
    if (notes->lost)
        *block = 0;
    return noted || notes->lost;
}

bool ext2_links_find(struct ext2_fs *fs, uint32_t ino, uint32_t *block)
{
    pthread_mutex_lock(&fs->links->lock);
    bool found = notes_look(&fs->links->before, ino, false, block);
    found |= notes_look(&fs->links->now, ino, found, block);
    pthread_mutex_unlock(&fs->links->lock);
    return found;
}

void ext2_links_sync_begin(struct ext2_fs *fs)
{
    struct ext2_links *links = fs->links;
    pthread_mutex_lock(&links->lock);
    if (!links->before.count && !links->before.lost) {
        struct notes empty = links->before;
        links->before = links->now;
        links->now = empty;
    } else {                                         /* the last one failed */
        for (uint32_t i = 0; i < links->now.room; i++)
            if (links->now.table[i].ino)
                notes_add(&links->before, links->now.table[i].ino, links->now.table[i].block);
        links->before.lost |= links->now.lost;
        notes_clear(&links->now);
    }
    pthread_mutex_unlock(&links->lock);
}

void ext2_links_sync_end(struct ext2_fs *fs)
{
    pthread_mutex_lock(&fs->links->lock);
    notes_clear(&fs->links->before);
    pthread_mutex_unlock(&fs->links->lock);
}
