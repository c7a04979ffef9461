/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the system says, held against the model. */

#include "oracle.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

unsigned char piece[PIECE_MAX];

void expect(int result, int expected)
{
    int got = result < 0 ? errno : 0;
    if (expected == ENOTEMPTY && got == EEXIST)
        got = ENOTEMPTY;
    if (expected == -1 ? got == 0 : got != expected)
        fail("expected %s, got %s", expected == -1 ? "an error" : strerror(expected), strerror(got));
}

void stat_compare(const struct stat *st, int n)
{
    const struct node *node = &nodes[n];
    unsigned int type = node->kind == REGULAR ? S_IFREG : node->kind == DIRECTORY ? S_IFDIR : S_IFLNK;
    unsigned int links = node->kind == DIRECTORY ? 2 + node->subdirs : node->links;
    if ((st->st_mode & S_IFMT) != type)
        fail("type %o, expected %o", (unsigned)st->st_mode, type);
    if (node->kind != SYMLINK && (st->st_mode & 07777) != node->mode)
        fail("mode %o, expected %o", (unsigned)st->st_mode & 07777, node->mode);
    if (st->st_uid != node->uid || st->st_gid != node->gid)
        fail("owner %u:%u, expected %u:%u", (unsigned)st->st_uid, (unsigned)st->st_gid, node->uid, node->gid);
    if (st->st_nlink != links)
        fail("%lu links, expected %u", (unsigned long)st->st_nlink, links);
    if (node->kind != DIRECTORY && (size_t)st->st_size != node->size)
        fail("size %ld, expected %zu", (long)st->st_size, node->size);
    if (node->time_known && (long)st->st_mtime != node->time)
        fail("modification time %ld, expected %ld", (long)st->st_mtime, node->time);
}

void data_compare(const unsigned char *got, int n, size_t offset, size_t length)
{
    const unsigned char *want = nodes[n].data + offset;
    if (!memcmp(got, want, length))
        return;
    for (size_t i = 0; i < length; i++)
        if (got[i] != want[i])
            fail("byte %zu is 0x%02x, expected 0x%02x (size %zu)", offset + i, got[i], want[i], nodes[n].size);
}

void read_compare(int fd, int n, size_t offset, size_t length)
{
    size_t want = offset >= nodes[n].size ? 0 : nodes[n].size - offset < length ? nodes[n].size - offset : length;
    ssize_t got = pread(fd, piece, length, (off_t)offset);
    if (got < 0 || (size_t)got != want)
        fail("pread(%zu, %zu) gave %zd (%s), expected %zu", offset, length, got, got < 0 ? strerror(errno) : "", want);
    data_compare(piece, n, offset, want);
}

void folder_compare(int folder)
{
    char path[PATH_SIZE];
    bool seen[ENTRIES] = { false };
    struct dirent *d;
    folder_path(folder, path);
    DIR *dir = opendir(path);
    if (!dir)
        fail("opendir(%s): %s", path, strerror(errno));
    while ((d = readdir(dir))) {
        int found = -1;
        if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
            continue;
        for (int i = 0; i < ENTRIES && found < 0; i++)
            if (entries[i].used && entries[i].folder == folder && !strcmp(names[entries[i].name], d->d_name))
                found = i;
        if (found < 0 || seen[found])
            fail("readdir: %s: %s in %s", d->d_name, found < 0 ? "should not be" : "is twice", path);
        seen[found] = true;
    }
    closedir(dir);
    for (int i = 0; i < ENTRIES; i++)
        if (entries[i].used && entries[i].folder == folder && !seen[i])
            fail("readdir: %s is missing in %s", names[entries[i].name], path);
}

void entry_compare(const struct entry *e, bool contents)
{
    char path[PATH_SIZE], target[sizeof nodes[0].target];
    struct stat st;
    path_of(e->folder, e->name, path);
    if (lstat(path, &st) < 0)
        fail("lstat(%s): %s", path, strerror(errno));
    stat_compare(&st, e->node);
    if (nodes[e->node].kind == SYMLINK) {
        ssize_t length = readlink(path, target, sizeof target);
        if (length < 0 || (size_t)length != nodes[e->node].size ||
            memcmp(target, nodes[e->node].target, (size_t)length))
            fail("readlink(%s) is wrong", path);
    }
    if (nodes[e->node].kind != REGULAR || !contents)
        return;
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        fail("open(%s): %s", path, strerror(errno));
    for (size_t at = 0; at <= nodes[e->node].size; at += PIECE_MAX)
        read_compare(fd, e->node, at, PIECE_MAX);
    close(fd);
}

void verify_all(void)
{
    doing = "verify";
    for (int i = 0; i < NODES; i++)
        if (nodes[i].kind == DIRECTORY && (i == 0 || nodes[i].links))
            folder_compare(i);
    for (int i = 0; i < ENTRIES; i++)
        if (entries[i].used)
            entry_compare(&entries[i], true);
}
