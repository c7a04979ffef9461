/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tree should be. */

#include "oracle.h"

#include <stdlib.h>

struct node nodes[NODES];
struct entry entries[ENTRIES];
struct open_file opens[OPENS];
char names[NAMES][256];
char root[256];

int node_new(enum kind kind, unsigned int mode)
{
    for (int i = 1; i < NODES; i++)
        if (nodes[i].kind == FREE) {
            unsigned char *data = nodes[i].data;
            if (kind == REGULAR && !data && !(data = malloc(FILE_MAX)))
                fail("no memory for the model");
            if (kind == REGULAR)
                memset(data, 0, FILE_MAX);
            nodes[i] = (struct node){ .kind = kind, .mode = mode, .data = data };
            return i;
        }
    return -1;
}

void node_release(int n)
{
    if (nodes[n].links == 0 && nodes[n].opens == 0)
        nodes[n].kind = FREE;
}

struct entry *entry_find(int folder, int name)
{
    for (int i = 0; i < ENTRIES; i++)
        if (entries[i].used && entries[i].folder == folder && entries[i].name == name)
            return &entries[i];
    return NULL;
}

struct entry *entry_add(int folder, int name, int node)
{
    for (int i = 0; i < ENTRIES; i++)
        if (!entries[i].used) {
            entries[i] = (struct entry){ folder, name, node, true };
            nodes[node].links++;
            nodes[folder].time_known = false;
            return &entries[i];
        }
    return NULL;
}

unsigned int entries_used(void)
{
    unsigned int count = 0;
    for (int i = 0; i < ENTRIES; i++)
        count += entries[i].used;
    return count;
}

void entry_drop(struct entry *e)
{
    e->used = false;
    nodes[e->folder].time_known = false;
    nodes[e->node].links--;
    if (nodes[e->node].kind == DIRECTORY)
        nodes[e->folder].subdirs--;
    node_release(e->node);
}

bool folder_is_empty(int folder)
{
    for (int i = 0; i < ENTRIES; i++)
        if (entries[i].used && entries[i].folder == folder)
            return false;
    return true;
}

static struct entry *entry_of_folder(int folder)
{
    for (int i = 0; i < ENTRIES; i++)
        if (entries[i].used && entries[i].node == folder)
            return &entries[i];
    return NULL;
}

bool folder_is_within(int inner, int folder)
{
    while (inner != folder && inner != 0)
        inner = entry_of_folder(inner)->folder;
    return inner == folder;
}

void folder_path(int folder, char *path)
{
    if (folder == 0) {
        strcpy(path, root);
        return;
    }
    struct entry *e = entry_of_folder(folder);
    folder_path(e->folder, path);
    strcat(path, "/");
    strcat(path, names[e->name]);
}

const char *path_of(int folder, int name, char *path)
{
    folder_path(folder, path);
    strcat(path, "/");
    strcat(path, names[name]);
    return path;
}

int any_folder(void)
{
    int found = 0;
    for (unsigned int i = 0, seen = 1; i < NODES; i++)
        if (i && nodes[i].kind == DIRECTORY && nodes[i].links && any(++seen) == 0)
            found = (int)i;
    return found;
}

struct entry *any_entry(enum kind kind)
{
    struct entry *found = NULL;
    for (unsigned int i = 0, seen = 0; i < ENTRIES; i++)
        if (entries[i].used && (kind == FREE || nodes[entries[i].node].kind == kind) && any(++seen) == 0)
            found = &entries[i];
    return found;
}

struct entry *any_entry_or(enum kind kind, unsigned int odds, int folder, int name)
{
    struct entry *e = any(odds) ? any_entry(kind) : NULL;
    return e ? e : entry_find(folder, name);
}

struct open_file *any_open(void)
{
    struct open_file *file = &opens[any(OPENS)];
    return file->fd >= 0 ? file : NULL;
}
