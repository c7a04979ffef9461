/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The RPCs that change directories, and dir_readdir.  What they do is in entry.c and rename.c.  */

#include "diskfs-internal.h"
#include "mig-hooks.h"
#include "fs_S.h"

#include <hurd/fsys.h>

#define READDIR_CHUNK 32768     /* bytes of an answer at most, unless the client wants less */

kern_return_t diskfs_S_dir_mkdir(diskfs_protid_t cred, const_string_t name, mode_t mode)
{
    return cred ? diskfs_entry_mkdir(cred->po->node, name, mode, cred->user) : EOPNOTSUPP;
}

kern_return_t diskfs_S_dir_rmdir(diskfs_protid_t cred, const_string_t name)
{
    return cred ? diskfs_entry_rmdir(cred->po->node, name, cred->user) : EOPNOTSUPP;
}

void diskfs_translator_let_go(struct diskfs_node *node)
{
    mach_port_t old = MACH_PORT_NULL;
    pthread_mutex_lock(&node->lock);
    if (node->stat.st_nlink == 0)
        (void) fshelp_transbox_set(&node->transbox, MACH_PORT_NULL, false, &node->lock, &old);
    diskfs_node_hold(node);
    pthread_mutex_unlock(&node->lock);
    if (old != MACH_PORT_NULL)
        mach_port_deallocate(mach_task_self(), old);
}

/* NODE has lost its last name: its translator is told that it serves nothing any more, and let go, so that the two do
   not keep each other: it has a port to NODE, and we had one to it. */
static void held_unlinked(struct diskfs_node *node)
{
    pthread_mutex_lock(&node->lock);
    mach_port_t control = node->stat.st_nlink == 0 ? diskfs_translator_control(node) : MACH_PORT_NULL;
    pthread_mutex_unlock(&node->lock);
    diskfs_notice_end(node);
    if (control != MACH_PORT_NULL) {
        diskfs_child_unlinked(control);
        mach_port_deallocate(mach_task_self(), control);
        diskfs_translator_let_go(node);
    }
}

kern_return_t diskfs_S_dir_unlink(diskfs_protid_t cred, const_string_t name)
{
    struct diskfs_node *victim;
    if (cred == NULL)
        return EOPNOTSUPP;
    error_t err = diskfs_entry_unlink(cred->po->node, name, cred->user, &victim);
    if (err)
        return err;
    if (node_is_kept(victim))
        held_unlinked(victim);
    diskfs_node_deref(victim);
    return 0;
}

/* FILE came as a port in the message; MIG leaves the right to us on success. */
static void consume_right(struct diskfs_protid *protid)
{
    mach_port_deallocate(mach_task_self(), protid->port.receive);
}

kern_return_t diskfs_S_dir_link(diskfs_protid_t cred, diskfs_protid_t file, const_string_t name, int excl)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    if (file == NULL)
        return EXDEV;
    error_t err = diskfs_entry_link(cred->po->node, file->po->node, name, excl, cred->user);
    if (!err)
        consume_right(file);
    return err;
}

kern_return_t diskfs_S_dir_rename(diskfs_protid_t from, const_string_t oldname, diskfs_protid_t to,
                                  const_string_t newname, int excl)
{
    if (from == NULL)
        return EOPNOTSUPP;
    if (to == NULL)
        return EXDEV;
    struct diskfs_node *replaced;
    error_t err = diskfs_entry_rename(from->po->node, oldname, to->po->node, newname, excl, from->user, &replaced);
    if (err)
        return err;
    if (replaced != NULL && node_is_kept(replaced))
        held_unlinked(replaced);
    if (replaced != NULL)
        diskfs_node_deref(replaced);
    consume_right(to);
    return 0;
}

/* Collects struct dirents into a buffer. */
struct emit {
    char *data;
    size_t used, room;
    unsigned int skip;      /* entries to be passed over first */
    int left;               /* entries wanted still; -1: all */
    int taken;
    bool full;              /* an entry did not fit */
};

static bool emit_entry(void *arg, ino_t ino, int type, const char *name, size_t length)
{
    struct emit *emit = arg;
    if (emit->skip > 0) {
        emit->skip--;
        return true;
    }
    if (emit->left == 0)
        return false;
    size_t size = (offsetof(struct dirent64, d_name) + length + 1 + 7) & ~(size_t) 7;
    if (size > emit->room - emit->used) {
        emit->full = true;
        return false;
    }
    struct dirent64 *entry = (struct dirent64 *) (emit->data + emit->used);
    entry->d_ino = ino;
    entry->d_reclen = (unsigned short) size;
    entry->d_type = (unsigned char) type;
    entry->d_namlen = (unsigned char) length;
    memcpy(entry->d_name, name, length);
    memset(entry->d_name + length, 0, size - offsetof(struct dirent64, d_name) - length);
    emit->used += size;
    emit->taken++;
    if (emit->left > 0)
        emit->left--;
    return true;
}

/* Fills EMIT with the entries of PO's directory from number ENTRY on. PO and its node locked. */
static error_t readdir_fill(struct diskfs_peropen *po, unsigned int entry, struct emit *emit)
{
    struct diskfs_node *dir = po->node;
    if (!S_ISDIR(dir->stat.st_mode))
        return ENOTDIR;
    if (po->cursor.entry != entry) {
        po->cursor = (struct diskfs_cursor) { 0, 0 };
        emit->skip = entry;
    }
    error_t err = diskfs_ops->dir_iterate(dir, &po->cursor, emit_entry, emit);
    if (emit->skip > 0)     /* the end came before ENTRY */
        po->cursor = (struct diskfs_cursor) { 0, 0 };
    if (!err && emit->full && emit->taken == 0)
        err = EINVAL;       /* the client's limit is smaller than one entry */
    if (!err)
        diskfs_node_accessed(dir);
    return err;
}

kern_return_t diskfs_S_dir_readdir(diskfs_protid_t cred, data_t *data, mach_msg_type_number_t *dataCnt,
                                   boolean_t *dataDealloc, int entry, int nentries, vm_size_t bufsiz, int *amount)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_peropen *po = cred->po;
    if (!(atomic_load(&po->flags) & O_READ))
        return EBADF;
    if (entry < 0)
        return EINVAL;
    struct diskfs_buffer buffer = { .data = *data, .capacity = *dataCnt };
    pthread_mutex_lock(&po->lock);
    pthread_mutex_lock(&po->node->lock);
    size_t room = (size_t) po->node->stat.st_size <= 4096 ? *dataCnt : READDIR_CHUNK;
    if (bufsiz > 0 && bufsiz < room)
        room = bufsiz;
    error_t err = diskfs_buffer_reserve(&buffer, room);
    struct emit emit = { .data = buffer.data, .room = room, .left = nentries < 0 ? -1 : nentries };
    if (!err)
        err = readdir_fill(po, (unsigned int) entry, &emit);
    pthread_mutex_unlock(&po->node->lock);
    pthread_mutex_unlock(&po->lock);
    if (err) {
        if (buffer.reserved)
            vm_deallocate(mach_task_self(), (vm_address_t) buffer.data, buffer.capacity);
        return err;
    }
    if (buffer.reserved && round_page(emit.used) < buffer.capacity)
        vm_deallocate(mach_task_self(), (vm_address_t) buffer.data + round_page(emit.used),
                      buffer.capacity - round_page(emit.used));
    *data = buffer.data;
    *dataCnt = (mach_msg_type_number_t) emit.used;
    *dataDealloc = buffer.reserved;
    *amount = emit.taken;
    return 0;
}
