/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations on names: files, directories and links made, removed and renamed. */

#include "oracle.h"

#include <fcntl.h>
#include <stdio.h>

void do_create(void)
{
    char path[PATH_SIZE];
    int folder = any_folder(), name = (int)any(NAMES),
        flags = any(2)   ? O_EXCL
                : any(2) ? O_TRUNC
                         : 0,
        slot = (int)any(OPENS);
    struct entry *e = entry_find(folder, name);
    doing = "open O_CREAT";
    if (opens[slot].fd >= 0 || (!e && entries_used() == ENTRIES) ||
        (e && nodes[e->node].kind == SYMLINK && !(flags & O_EXCL)))
        return;
    int expected = !e ? 0 : flags & O_EXCL ? EEXIST : nodes[e->node].kind == DIRECTORY ? EISDIR : 0;
    int n = e ? e->node : node_new(REGULAR, 0640);
    if (n < 0)
        return;
    bool append = any(4) == 0;
    int fd = open(path_of(folder, name, path), O_RDWR | O_CREAT | flags | (append ? O_APPEND : 0), 0640);
    expect(fd, expected);
    if (fd < 0)
        return;
    if (!e)
        entry_add(folder, name, n);
    else if (flags & O_TRUNC) {
        nodes[n].size = 0;
        nodes[n].time_known = false;
        memset(nodes[n].data, 0, FILE_MAX);
    }
    opens[slot] = (struct open_file){ fd, n, append, 0 };
    nodes[n].opens++;
}

void do_open_close(void)
{
    char path[PATH_SIZE];
    int slot = (int)any(OPENS);
    doing = "open, close";
    if (opens[slot].fd >= 0) {
        expect(close(opens[slot].fd), 0);
        opens[slot].fd = -1;
        nodes[opens[slot].node].opens--;
        node_release(opens[slot].node);
        return;
    }
    struct entry *e = any_entry(REGULAR);
    if (!e)
        return;
    bool append = any(4) == 0;
    int fd = open(path_of(e->folder, e->name, path), O_RDWR | (append ? O_APPEND : 0));
    expect(fd, 0);
    opens[slot] = (struct open_file){ fd, e->node, append, 0 };
    nodes[e->node].opens++;
}

void do_mkdir(void)
{
    char path[PATH_SIZE];
    int folder = any_folder(), name = (int)any(NAMES);
    doing = "mkdir";
    if (nodes[folder].depth + 1 >= DEPTH_MAX || entries_used() == ENTRIES)
        return;
    bool there = entry_find(folder, name);
    int n = there ? 0 : node_new(DIRECTORY, 0750);
    if (n < 0)
        return;
    expect(mkdir(path_of(folder, name, path), 0750), there ? EEXIST : 0);
    if (there)
        return;
    nodes[n].depth = nodes[folder].depth + 1;
    entry_add(folder, name, n);
    nodes[folder].subdirs++;
}

void do_symlink(void)
{
    char path[PATH_SIZE];
    int folder = any_folder(), name = (int)any(NAMES);
    doing = "symlink";
    if (entries_used() == ENTRIES)
        return;
    bool there = entry_find(folder, name);
    int n = there ? 0 : node_new(SYMLINK, 0777);
    if (n < 0)
        return;
    char target[sizeof nodes[0].target];
    size_t length = 1 + any(sizeof target - 2);     /* short ones are in the inode, long ones in a block */
    memset(target, 'a' + (int)any(26), length);
    target[length] = '\0';
    expect(symlink(target, path_of(folder, name, path)), there ? EEXIST : 0);
    if (there)
        return;
    strcpy(nodes[n].target, target);
    nodes[n].size = length;
    entry_add(folder, name, n);
}

void do_link(void)
{
    char from[PATH_SIZE], to[PATH_SIZE];
    struct entry *e = any_entry(REGULAR);
    int folder = any_folder(), name = (int)any(NAMES);
    doing = "link";
    if (!e || entries_used() == ENTRIES)
        return;
    bool there = entry_find(folder, name);
    expect(link(path_of(e->folder, e->name, from), path_of(folder, name, to)), there ? EEXIST : 0);
    if (!there)
        entry_add(folder, name, e->node);
}

void do_unlink(void)
{
    char path[PATH_SIZE];
    int folder = any_folder(), name = (int)any(NAMES);
    struct entry *e = any_entry_or(FREE, 4, folder, name);
    doing = "unlink";
    if (e)
        folder = e->folder, name = e->name;
    bool directory = e && nodes[e->node].kind == DIRECTORY;
    expect(unlink(path_of(folder, name, path)), !e ? ENOENT : directory ? -1 : 0);
    if (e && !directory)
        entry_drop(e);
}

void do_rmdir(void)
{
    char path[PATH_SIZE];
    int folder = any_folder(), name = (int)any(NAMES);
    struct entry *e = any_entry_or(DIRECTORY, 4, folder, name);
    doing = "rmdir";
    if (e)
        folder = e->folder, name = e->name;
    int expected = !e ? ENOENT : nodes[e->node].kind != DIRECTORY ? ENOTDIR : folder_is_empty(e->node) ? 0 : ENOTEMPTY;
    expect(rmdir(path_of(folder, name, path)), expected);
    if (!expected)
        entry_drop(e);
}

/* What rename must answer; -1: some error, 1: nothing happens. */
static int rename_expected(struct entry *from, int folder, struct entry *to)
{
    if (!from)
        return ENOENT;
    bool directory = nodes[from->node].kind == DIRECTORY;
    if (directory && folder_is_within(folder, from->node))
        return from == to ? 1 : to ? -1 : EINVAL;
    if (!to)
        return 0;
    if (from->node == to->node)
        return 1;
    bool over = nodes[to->node].kind == DIRECTORY;
    if (over && !folder_is_empty(to->node))
        return directory ? ENOTEMPTY : -1;
    return directory && !over ? ENOTDIR : !directory && over ? EISDIR : 0;
}

/* How deep the tree below FOLDER goes. */
static unsigned int folder_height(int folder)
{
    unsigned int most = 0;
    for (int i = 0; i < ENTRIES; i++)
        if (entries[i].used && entries[i].folder == folder && nodes[entries[i].node].kind == DIRECTORY) {
            unsigned int height = 1 + folder_height(entries[i].node);
            most = height > most ? height : most;
        }
    return most;
}

static void folder_depth_set(int folder, unsigned int depth)
{
    nodes[folder].depth = depth;
    for (int i = 0; i < ENTRIES; i++)
        if (entries[i].used && entries[i].folder == folder && nodes[entries[i].node].kind == DIRECTORY)
            folder_depth_set(entries[i].node, depth + 1);
}

void do_rename(void)
{
    char old[PATH_SIZE], new[PATH_SIZE];
    int old_folder = any_folder(), old_name = (int)any(NAMES), folder = any_folder(), name = (int)any(NAMES);
    struct entry *from = any_entry_or(any(2) ? FREE : DIRECTORY, 8, old_folder, old_name),
                 *to = entry_find(folder, name);
    doing = "rename";
    if (any(3) == 0 && (to = any_entry(FREE)))
        folder = to->folder, name = to->name;
    if (from)
        old_folder = from->folder, old_name = from->name;
    bool directory = from && nodes[from->node].kind == DIRECTORY;
    if (directory && nodes[folder].depth + 1 + folder_height(from->node) >= DEPTH_MAX)
        return;
    int expected = rename_expected(from, folder, to);
    path_of(old_folder, old_name, old);
    path_of(folder, name, new);
    expect(rename(old, new), expected == 1 ? 0 : expected);
    if (expected)
        return;
    if (to)
        entry_drop(to);
    nodes[from->folder].time_known = nodes[folder].time_known = false;
    if (directory) {
        nodes[from->folder].subdirs--;
        nodes[folder].subdirs++;
        nodes[from->node].time_known = false;
    }
    from->folder = folder;
    from->name = name;
    if (directory)
        folder_depth_set(from->node, nodes[folder].depth + 1);
}
