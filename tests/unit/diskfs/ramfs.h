/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ramfs: a backend that keeps everything in memory, counts what it is asked, and can be told to fail.  */

#ifndef DISKFS_UNIT_RAMFS_H
#define DISKFS_UNIT_RAMFS_H

#include "diskfs-internal.h"

enum { RAM_INODES = 4096, RAM_ROOT = 2 };

struct ram_entry { struct ram_entry *next; char *name; size_t length; ino_t ino; int type; };
struct ram_inode {
    bool used;
    struct stat stat;
    struct ram_entry *entries;      /* directories, in order */
    char *link;
};
extern struct ram_inode ram_inodes[RAM_INODES];
extern unsigned int ram_reads, ram_lookups, ram_deletes, ram_forgets, ram_idle_drops;
extern error_t ram_fail_remove;     /* dir_remove gives this, if not 0 */

/* An empty file system with a root; the library's state is dropped as far as it can be. */
void ram_format(void);
/* What fsck would say: counts of links are right, all entries name used inodes, `..` is right. Prints what is wrong. */
bool ram_consistent(void);
/* How many inodes are in use. */
unsigned int ram_used(void);

#endif /* DISKFS_UNIT_RAMFS_H */
