/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fsys_get_children: the active translators of this file system, with their paths from its root.

   An inode does not know its name.  A node notes where it was named when it got its translator (its *place*: directory
   and name, which a rename keeps right), and directories are found in their parents; a name that is not true any more
   is looked for in its directory.  A node that has no name to be found is listed as #INODE.

   Locks: one node at a time, the lower one first given up.  */

#include "diskfs-internal.h"
#include "mig-hooks.h"
#include "fsys_S.h"

#include <stdio.h>
#include <stdlib.h>

struct diskfs_place {
    ino_t dir;
    char name[NAME_MAX + 1];
};

void diskfs_place_note(struct diskfs_node *node)
{
    if (!fshelp_translated(&node->transbox)) {
        free(node->place);
        node->place = NULL;
        return;
    }
    if (node->place != NULL)
        return;
    struct diskfs_place *place = malloc(sizeof *place);
    if (place != NULL && diskfs_names_reverse(node->ino, &place->dir, place->name))
        node->place = place;
    else
        free(place);
}

void diskfs_place_moved(struct diskfs_node *node, ino_t dir, const char *name, size_t length)
{
    pthread_mutex_lock(&node->lock);
    if (node->place != NULL && length <= NAME_MAX) {
        node->place->dir = dir;
        memcpy(node->place->name, name, length);
        node->place->name[length] = '\0';
    }
    pthread_mutex_unlock(&node->lock);
}

/* ---- from an inode to its path -------------------------------------------------------- */

struct search { ino_t ino; char *name; bool found; };

static bool search_entry(void *arg, ino_t ino, int type, const char *name, size_t length)
{
    struct search *search = arg;
    (void) type;
    bool dots = name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.'));
    if (ino != search->ino || dots || length > NAME_MAX)
        return true;
    memcpy(search->name, name, length);
    search->name[length] = '\0';
    search->found = true;
    return false;
}

/* The name of INO in the directory DIR: NAME itself if it is one. ENOENT. */
static error_t name_in(ino_t dir, ino_t ino, char *name)
{
    struct diskfs_node *node;
    struct search search = { ino, name, false };
    struct diskfs_cursor cursor = { 0, 0 };
    ino_t there = 0;
    error_t err = diskfs_node_lookup(dir, &node);
    if (err)
        return err;
    pthread_mutex_lock(&node->lock);
    if (!S_ISDIR(node->stat.st_mode) || node->stat.st_nlink == 0)
        err = ENOENT;
    else if (name[0] == '\0' || diskfs_entry_find(node, name, strlen(name), &there) || there != ino)
        err = diskfs_ops->dir_iterate(node, &cursor, search_entry, &search);
    else
        search.found = true;
    diskfs_node_put(node);
    return err ? err : search.found ? 0 : ENOENT;
}

/* The parent of the directory INO. */
static error_t parent_of(ino_t ino, ino_t *parent)
{
    struct diskfs_node *node;
    error_t err = diskfs_node_lookup(ino, &node);
    if (err)
        return err;
    pthread_mutex_lock(&node->lock);
    err = S_ISDIR(node->stat.st_mode) && node->stat.st_nlink > 0 ? diskfs_entry_find(node, "..", 2, parent) : ENOENT;
    diskfs_node_put(node);
    return err;
}

/* Puts NAME and a slash before the text that begins at *AT in PATH. ENAMETOOLONG. */
static error_t path_prepend(const char *path, char **at, const char *name)
{
    size_t length = strlen(name);
    bool slash = **at != '\0';
    if ((size_t) (*at - path) < length + slash)
        return ENAMETOOLONG;
    if (slash)
        *--*at = '/';
    *at -= length;
    memcpy(*at, name, length);
    return 0;
}

/* The path of INO from the root at the end of PATH (STRING_MAX bytes), from *AT on. DIR: where it may be named NAME (0:
   it is a directory). */
static error_t path_find(ino_t ino, ino_t dir, char *name, char *path, char **at)
{
    error_t err = 0;
    *at = path + STRING_MAX - 1;
    **at = '\0';
    for (unsigned int depth = 0; !err && ino != diskfs_root->ino; depth++) {
        if (dir == 0)
            err = parent_of(ino, &dir);
        if (!err && (depth > STRING_MAX || dir == ino))
            err = EIO;          /* a loop on a damaged disk */
        if (!err)
            err = name_in(dir, ino, name);
        if (!err)
            err = path_prepend(path, at, name);
        ino = dir;
        dir = 0;
        name[0] = '\0';
    }
    return err;
}

/* ---- the answer ------------------------------------------------------------------------------- */

struct children {
    char *names;                /* NUL-terminated, one behind the other */
    size_t length, room;
    mach_port_t *controls;
    unsigned int count, ports_room;
};

/* Makes room for one more child with a name of LENGTH bytes. */
static error_t children_grow(struct children *c, size_t length)
{
    if (c->length + length > c->room) {
        size_t room = 2 * (c->length + length) + 256;
        char *names = realloc(c->names, room);
        if (names == NULL)
            return ENOMEM;
        c->names = names;
        c->room = room;
    }
    if (c->count == c->ports_room) {
        unsigned int room = 2 * c->count + 16;
        mach_port_t *controls = realloc(c->controls, room * sizeof *controls);
        if (controls == NULL)
            return ENOMEM;
        c->controls = controls;
        c->ports_room = room;
    }
    return 0;
}

static error_t child_add(struct diskfs_node *node, void *arg)
{
    struct children *c = arg;
    char path[STRING_MAX], name[NAME_MAX + 1] = "", *at;
    ino_t dir = 0;

    pthread_mutex_lock(&node->lock);
    mach_port_t control = diskfs_translator_control(node);
    bool named = S_ISDIR(node->stat.st_mode);
    if (node->place != NULL) {
        dir = node->place->dir;
        strcpy(name, node->place->name);
        named = true;
    }
    pthread_mutex_unlock(&node->lock);
    if (control == MACH_PORT_NULL)
        return 0;
    if (!named || path_find(node->ino, dir, name, path, &at)) {
        at = path;
        snprintf(path, sizeof path, "#%llu", (unsigned long long) node->ino);
    }
    size_t length = strlen(at) + 1;
    error_t err = children_grow(c, length);
    if (err) {
        mach_port_deallocate(mach_task_self(), control);
        return err;
    }
    memcpy(c->names + c->length, at, length);
    c->length += length;
    c->controls[c->count++] = control;
    return 0;
}

/* The interface does not say that memory of ours goes with the answer: an answer that does not fit into the message
   stays until this thread makes the next one. */
static __thread struct { vm_address_t memory; vm_size_t size; } kept[2];

static error_t answer_keep(unsigned int which, struct diskfs_buffer *buffer, size_t size)
{
    if (kept[which].size > 0)
        vm_deallocate(mach_task_self(), kept[which].memory, kept[which].size);
    kept[which].size = 0;
    error_t err = diskfs_buffer_reserve(buffer, size);
    if (!err && buffer->reserved) {
        kept[which].memory = (vm_address_t) buffer->data;
        kept[which].size = buffer->capacity;
    }
    return err;
}

kern_return_t diskfs_S_fsys_get_children(diskfs_control_t control, mach_port_t reply_port,
                                         mach_msg_type_name_t reply_portPoly, data_t *names,
                                         mach_msg_type_number_t *namesCnt, portarray_t *controls,
                                         mach_msg_type_name_t *controlsPoly, mach_msg_type_number_t *controlsCnt)
{
    struct children c = { NULL, 0, 0, NULL, 0, 0 };
    (void) reply_port, (void) reply_portPoly;
    if (control == NULL)
        return EOPNOTSUPP;
    error_t err = diskfs_node_iterate(child_add, &c);
    struct diskfs_buffer text = { .data = *names, .capacity = *namesCnt };
    struct diskfs_buffer ports = { .data = (char *) *controls, .capacity = *controlsCnt * sizeof(mach_port_t) };
    if (!err)
        err = answer_keep(0, &text, c.length);
    if (!err)
        err = answer_keep(1, &ports, c.count * sizeof(mach_port_t));
    if (err) {
        for (unsigned int i = 0; i < c.count; i++)
            mach_port_deallocate(mach_task_self(), c.controls[i]);
    } else if (c.count > 0) {
        memcpy(text.data, c.names, c.length);
        memcpy(ports.data, c.controls, c.count * sizeof(mach_port_t));
        *names = text.data;
        *controls = (mach_port_t *) ports.data;
    }
    if (!err) {
        *namesCnt = (mach_msg_type_number_t) c.length;
        *controlsCnt = c.count;
        *controlsPoly = MACH_MSG_TYPE_MOVE_SEND;
    }
    free(c.names);
    free(c.controls);
    return err;
}
