/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io.defs on files: reading, writing, seeking, mapping, status, modes.  What concerns users is in io-auth.c.

   Locks: peropen->lock, then node->lock (diskfs.h).  */

#include "diskfs-internal.h"
#include "mig-hooks.h"
#include "io_S.h"

#include <mach/mach4.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Bytes of one read or write; doing less than was asked for is always allowed.  Both take memory of ours while they
   last: a read its answer, a write the pages of the request that nobody has touched before. */
#define TRANSFER_MAX ((vm_size_t) 32 << 20)
/* Bytes of a write that came out of line which are taken over, and written, at once. */
#define BOUNCE_MAX ((size_t) 256 << 10)

error_t diskfs_buffer_reserve(struct diskfs_buffer *buffer, size_t size)
{
    vm_address_t address = 0;
    if (size <= buffer->capacity)
        return 0;
    size = round_page(size);
    kern_return_t err = buffer->raw ? diskfs_pages_allocate(&address, size)
                                    : vm_allocate(mach_task_self(), &address, size, TRUE);
    if (err)
        return ENOMEM;
    if (buffer->length > 0)
        memcpy((void *) address, buffer->data, buffer->length);
    if (buffer->reserved)
        vm_deallocate(mach_task_self(), (vm_address_t) buffer->data, buffer->capacity);
    buffer->data = (char *) address;
    buffer->capacity = size;
    buffer->reserved = true;
    return 0;
}

static void buffer_drop(struct diskfs_buffer *buffer)
{
    if (buffer->reserved)
        vm_deallocate(mach_task_self(), (vm_address_t) buffer->data, round_page(buffer->capacity));
}

/* A symbolic link reads as its target. Node locked. */
static error_t read_link(struct diskfs_node *node, off_t offset, size_t amount, struct diskfs_buffer *buffer)
{
    const char *target;
    error_t err = diskfs_link_target(node, &target);
    if (err)
        return err;
    size_t length = strlen(target);
    if ((size_t) offset >= length)
        return 0;
    length -= (size_t) offset;
    if (length > amount)
        length = amount;
    err = diskfs_buffer_reserve(buffer, length);
    if (!err) {
        memcpy(buffer->data, target + offset, length);
        buffer->length = length;
    }
    return err;
}

/* Node locked. QUIET: the access time is left alone. */
static error_t read_node(struct diskfs_node *node, off_t offset, size_t amount, bool quiet,
                         struct diskfs_stream *stream, struct diskfs_buffer *buffer)
{
    if (S_ISDIR(node->stat.st_mode))
        return EISDIR;
    if (S_ISLNK(node->stat.st_mode))
        return read_link(node, offset, amount, buffer);
    if (offset >= node->stat.st_size || amount == 0)
        return 0;
    if ((uint64_t) amount > (uint64_t) (node->stat.st_size - offset))
        amount = (size_t) (node->stat.st_size - offset);
    if (amount > TRANSFER_MAX)
        amount = TRANSFER_MAX;
    error_t err = diskfs_ops->read(node, offset, amount, stream, buffer);
    if (!err && !quiet)
        diskfs_node_accessed(node);
    return err;
}

kern_return_t diskfs_S_io_read(diskfs_protid_t cred, data_t *data, mach_msg_type_number_t *dataCnt, loff_t offset,
                               vm_size_t amount)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_peropen *po = cred->po;
    int flags = atomic_load_explicit(&po->flags, memory_order_relaxed);
    if (!(flags & O_READ))
        return EBADF;
    if (offset < -1)
        return EINVAL;
    struct diskfs_buffer buffer = { .data = *data, .capacity = *dataCnt, .raw = true };
    pthread_mutex_lock(&po->lock);
    off_t start = offset == -1 ? po->offset : offset;
    if (po->stream.next != start)
        po->stream.run = 0;
    pthread_mutex_lock(&po->node->lock);
    error_t err = read_node(po->node, start, amount, flags & O_NOATIME, &po->stream, &buffer);
    pthread_mutex_unlock(&po->node->lock);
    if (!err) {
        po->stream.next = start + (off_t) buffer.length;
        po->stream.run += buffer.length;
        if (offset == -1)
            po->offset = po->stream.next;
    }
    pthread_mutex_unlock(&po->lock);
    if (err) {
        buffer_drop(&buffer);
        return err;
    }
    size_t used = round_page(buffer.length), have = round_page(buffer.capacity);
    if (buffer.reserved && used < have)     /* the answer takes only the pages with data along */
        vm_deallocate(mach_task_self(), (vm_address_t) buffer.data + used, have - used);
    if (buffer.reserved)                    /* what else is in the last page is not for the reader */
        memset(buffer.data + buffer.length, 0, used - buffer.length);
    if (!buffer.reserved || used > 0)
        *data = buffer.data;
    *dataCnt = (mach_msg_type_number_t) buffer.length;
    return 0;
}

void diskfs_node_written(struct diskfs_node *node, const struct fshelp_user *user)
{
    node->mtime_due = node->ctime_due = true;
    if ((node->stat.st_mode & (S_ISUID | S_ISGID)) && !fshelp_user_is_root(user))
        node->stat.st_mode &= ~(mode_t) (S_ISUID | S_ISGID);
    diskfs_node_mark_dirty(node);
}

/* Node locked. *OFFSET -1: append. */
static error_t write_node(struct diskfs_node *node, const struct fshelp_user *user, bool append, off_t *offset,
                          const void *data, size_t length, size_t *amount)
{
    if (S_ISDIR(node->stat.st_mode))
        return EISDIR;
    if (diskfs_unwritable())
        return EROFS;
    if (append)
        *offset = node->stat.st_size;
    if (length == 0)
        return 0;
    if (*offset >= diskfs_ops->size_max)
        return EFBIG;
    if ((uint64_t) length > (uint64_t) (diskfs_ops->size_max - *offset))
        length = (size_t) (diskfs_ops->size_max - *offset);
    off_t old_size = node->stat.st_size;
    error_t err = diskfs_ops->write(node, *offset, data, length, amount);
    if (*amount == 0)
        return err ? err : EIO;
    diskfs_node_written(node, user);
    if (node->notify != NULL)
        diskfs_notice_file(node, node->stat.st_size > old_size ? FILE_CHANGED_EXTEND : FILE_CHANGED_WRITE, *offset,
                           *offset + (loff_t) *amount);
    return 0;
}

/* Writes LENGTH bytes of DATA, memory of ours, by CRED at *OFFSET, -1 for the file pointer, which then moves on; *DONE:
   how many were written. */
static error_t write_at(struct diskfs_protid *cred, loff_t offset, const void *data, size_t length, size_t *done)
{
    struct diskfs_peropen *po = cred->po;
    struct diskfs_node *node = po->node;
    int flags = atomic_load_explicit(&po->flags, memory_order_relaxed);
    *done = 0;
    pthread_mutex_lock(&po->lock);
    off_t start = offset == -1 ? po->offset : offset;
    pthread_mutex_lock(&node->lock);
    error_t err = write_node(node, cred->user, offset == -1 && (flags & O_APPEND), &start, data, length, done);
    if (!err && *done > 0 && ((flags & O_FSYNC) || diskfs_synchronous)) {
        diskfs_node_settle_times(node);
        err = diskfs_ops->node_sync(node, true, false);
    }
    pthread_mutex_unlock(&node->lock);
    if (!err && offset == -1)
        po->offset = start + (off_t) *done;
    pthread_mutex_unlock(&po->lock);
    return err;
}

/* ---- writes out of line: a client's memory is copied before any lock is taken, as it may be backed by a pager that
   never answers --------- */

/* A buffer of BOUNCE_MAX bytes; those not in use are kept, two of them. */
struct bounce { struct bounce *next; };
static pthread_mutex_t bounce_lock = PTHREAD_MUTEX_INITIALIZER;     /* a leaf */
static struct bounce *bounces;                                      /* bounce_lock, and how many there are */
static unsigned int bounce_count;

static struct bounce *bounce_take(void)
{
    pthread_mutex_lock(&bounce_lock);
    struct bounce *bounce = bounces;
    if (bounce != NULL) {
        bounces = bounce->next;
        bounce_count--;
    }
    pthread_mutex_unlock(&bounce_lock);
    return bounce != NULL ? bounce : malloc(BOUNCE_MAX);
}

static void bounce_give(struct bounce *bounce)
{
    pthread_mutex_lock(&bounce_lock);
    bool keep = bounce_count < 2;
    if (keep) {
        bounce->next = bounces;
        bounces = bounce;
        bounce_count++;
    }
    pthread_mutex_unlock(&bounce_lock);
    if (!keep)
        free(bounce);
}

/* Piece by piece, each of which is one write to others. An error after the first piece is told by the next request. */
static error_t write_bounced(struct diskfs_protid *cred, loff_t offset, const char *data, size_t length, size_t *done)
{
    struct bounce *bounce = bounce_take();
    error_t err = bounce == NULL ? ENOMEM : 0;
    size_t piece = BOUNCE_MAX, written = BOUNCE_MAX;
    while (!err && *done < length && written == piece) {
        piece = length - *done < BOUNCE_MAX ? length - *done : BOUNCE_MAX;
        err = ports_copy_guarded(bounce, data + *done, piece);
        if (!err)
            err = write_at(cred, offset == -1 ? -1 : offset + (loff_t) *done, bounce, piece, &written);
        if (!err)
            *done += written;
    }
    if (bounce != NULL)
        bounce_give(bounce);
    return *done > 0 ? 0 : err;
}

kern_return_t diskfs_S_io_write(diskfs_protid_t cred, const_data_t data, mach_msg_type_number_t dataCnt,
                                boolean_t dataSCopy, loff_t offset, vm_size_t *amount)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    if (!(atomic_load_explicit(&cred->po->flags, memory_order_relaxed) & O_WRITE))
        return EBADF;
    if (offset < -1)
        return EINVAL;
    size_t length = dataCnt < TRANSFER_MAX ? dataCnt : TRANSFER_MAX, done = 0;
    error_t err = dataSCopy || length == 0 ? write_at(cred, offset, data, length, &done)
                                           : write_bounced(cred, offset, data, length, &done);
    if (err)
        return err;
    *amount = done;
    if (!dataSCopy && dataCnt > 0)
        vm_deallocate(mach_task_self(), (vm_address_t) data, dataCnt);
    return 0;
}

/* SEEK_DATA and SEEK_HOLE from OFFSET; the end of the file is the beginning of a hole. Node locked. */
static error_t seek_extent(struct diskfs_node *node, loff_t offset, bool hole, loff_t *found)
{
    off_t size = node->stat.st_size;
    if (offset < 0 || offset >= size)
        return ENXIO;
    *found = hole ? size : offset;
    if (diskfs_ops->seek == NULL || !S_ISREG(node->stat.st_mode))
        return 0;
    error_t err = diskfs_ops->seek(node, offset, hole, found);
    return !err && !hole && *found >= size ? ENXIO : err;
}

kern_return_t diskfs_S_io_seek(diskfs_protid_t cred, loff_t offset, int whence, loff_t *newp)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_peropen *po = cred->po;
    loff_t base = 0;
    error_t err = 0;
    pthread_mutex_lock(&po->lock);
    if (whence == SEEK_CUR) {
        base = po->offset;
    } else if (whence == SEEK_END || whence == SEEK_DATA || whence == SEEK_HOLE) {
        pthread_mutex_lock(&po->node->lock);
        if (whence == SEEK_END)
            base = po->node->stat.st_size;
        else
            err = seek_extent(po->node, offset, whence == SEEK_HOLE, &base);
        pthread_mutex_unlock(&po->node->lock);
    } else if (whence != SEEK_SET) {
        err = EINVAL;
    }
    bool absolute = whence == SEEK_DATA || whence == SEEK_HOLE;
    if (!err && (__builtin_add_overflow(base, absolute ? 0 : offset, &base) || base < 0))
        err = EINVAL;
    if (!err)
        *newp = po->offset = base;
    pthread_mutex_unlock(&po->lock);
    return err;
}

kern_return_t diskfs_S_io_readable(diskfs_protid_t cred, vm_size_t *amount)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_peropen *po = cred->po;
    if (!(atomic_load(&po->flags) & O_READ))
        return EBADF;
    pthread_mutex_lock(&po->lock);
    pthread_mutex_lock(&po->node->lock);
    off_t size = po->node->stat.st_size;
    *amount = size > po->offset ? (vm_size_t) (size - po->offset) : 0;
    pthread_mutex_unlock(&po->node->lock);
    pthread_mutex_unlock(&po->lock);
    return 0;
}

kern_return_t diskfs_S_io_stat(diskfs_protid_t cred, io_statbuf_t *st)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_node *node = cred->po->node;
    pthread_mutex_lock(&node->lock);
    diskfs_node_settle_times(node);
    memcpy(st, &node->stat, sizeof *st);
    st->st_fsid = diskfs_fsid;
    if (fshelp_translated(&node->transbox))
        st->st_mode |= S_IATRANS;
    if (node->has_passive)
        st->st_mode |= S_IPTRANS;
    pthread_mutex_unlock(&node->lock);
    return 0;
}

/* Replaces *OBJECT, a right to a file's memory object, by one to a proxy that can be mapped with PROT and nothing else:
   who holds the object itself can map it for writing, and speak to its pager as only the kernel may.  On an error
   *OBJECT is as before. */
static error_t object_limit(mach_port_t *object, vm_prot_t prot)
{
    rpc_vm_offset_t offset = 0, start = 0;
    rpc_vm_size_t length = ~(rpc_vm_size_t)0;
    mach_port_t proxy;
    error_t err = memory_object_create_proxy(mach_task_self(), prot, object, MACH_MSG_TYPE_COPY_SEND, 1, &offset, 1,
                                             &start, 1, &length, 1, &proxy);
    if (err)
        return err;
    mach_port_deallocate(mach_task_self(), *object);
    *object = proxy;
    return 0;
}

kern_return_t diskfs_S_io_map(diskfs_protid_t cred, mach_port_t *rd, mach_msg_type_name_t *rdPoly, mach_port_t *wr,
                              mach_msg_type_name_t *wrPoly)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_node *node = cred->po->node;
    int modes = atomic_load(&cred->po->flags) & (O_READ | O_WRITE);
    if (modes == 0)
        return EBADF;
    vm_prot_t prot = (modes & O_READ ? VM_PROT_READ : 0) | (modes & O_WRITE ? VM_PROT_WRITE : 0);
    mach_port_t object = MACH_PORT_NULL;
    pthread_mutex_lock(&node->lock);
    error_t err = S_ISREG(node->stat.st_mode) || S_ISDIR(node->stat.st_mode)
                      ? diskfs_ops->map(node, prot, &object) : EOPNOTSUPP;
    if (!err)
        diskfs_node_accessed(node);
    pthread_mutex_unlock(&node->lock);
    if (err)
        return err;
    err = object_limit(&object, prot | (modes & O_READ ? VM_PROT_EXECUTE : 0));
    if (!err && modes == (O_READ | O_WRITE)
        && mach_port_mod_refs(mach_task_self(), object, MACH_PORT_RIGHT_SEND, +1) != KERN_SUCCESS) {
        err = ENOMEM;
    }
    if (err) {
        mach_port_deallocate(mach_task_self(), object);
        return err;
    }
    *rd = modes & O_READ ? object : MACH_PORT_NULL;
    *wr = modes & O_WRITE ? object : MACH_PORT_NULL;
    *rdPoly = *wrPoly = MACH_MSG_TYPE_MOVE_SEND;
    return 0;
}

kern_return_t diskfs_S_io_get_openmodes(diskfs_protid_t cred, int *bits)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    *bits = atomic_load(&cred->po->flags);
    return 0;
}

/* flags = (flags and not CLEAR) or SET, only what may be changed */
static kern_return_t change_modes(struct diskfs_protid *cred, int clear, int set)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    int old = atomic_load(&cred->po->flags);
    while (!atomic_compare_exchange_weak(&cred->po->flags, &old,
                                         (old & ~(clear & OPEN_SETTABLE)) | (set & OPEN_SETTABLE)))
        continue;
    return 0;
}

kern_return_t diskfs_S_io_set_all_openmodes(diskfs_protid_t cred, int newbits)
{
    return change_modes(cred, OPEN_SETTABLE, newbits);
}

kern_return_t diskfs_S_io_set_some_openmodes(diskfs_protid_t cred, int bits)
{
    return change_modes(cred, 0, bits);
}

kern_return_t diskfs_S_io_clear_some_openmodes(diskfs_protid_t cred, int bits)
{
    return change_modes(cred, bits, 0);
}

kern_return_t diskfs_S_io_mod_owner(diskfs_protid_t cred, pid_t owner)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    pthread_mutex_lock(&cred->po->lock);
    cred->po->owner = owner;
    pthread_mutex_unlock(&cred->po->lock);
    return 0;
}

kern_return_t diskfs_S_io_get_owner(diskfs_protid_t cred, pid_t *owner)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    pthread_mutex_lock(&cred->po->lock);
    *owner = cred->po->owner;
    pthread_mutex_unlock(&cred->po->lock);
    return 0;
}

/* A file is always ready: both answers come at once. */
kern_return_t diskfs_S_io_select(diskfs_protid_t cred, int *select_type)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    *select_type &= SELECT_READ | SELECT_WRITE;
    return 0;
}

kern_return_t diskfs_S_io_select_timeout(diskfs_protid_t cred, timespec_t timeout, int *select_type)
{
    (void) timeout;
    return diskfs_S_io_select(cred, select_type);
}

kern_return_t diskfs_S_io_server_version(diskfs_protid_t cred, string_t name, int *major_version, int *minor_version,
                                         int *edit_level)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    *major_version = *minor_version = *edit_level = 0;
    sscanf(diskfs_ops->version, "%d.%d.%d", major_version, minor_version, edit_level);
    snprintf(name, STRING_MAX, "%s", diskfs_ops->name);
    return 0;
}

kern_return_t diskfs_S_io_pathconf(diskfs_protid_t cred, int name, int *value)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    switch (name) {
    case _PC_LINK_MAX:
        *value = (int) diskfs_ops->link_max;
        return 0;
    case _PC_NAME_MAX:
        *value = (int) diskfs_ops->name_max;
        return 0;
    case _PC_MAX_CANON: case _PC_MAX_INPUT: case _PC_PATH_MAX: case _PC_PIPE_BUF: case _PC_VDISABLE:
    case _PC_SOCK_MAXBUF: case _PC_ASYNC_IO: case _PC_PRIO_IO:
        *value = -1;
        return 0;
    case _PC_CHOWN_RESTRICTED: case _PC_NO_TRUNC: case _PC_SYNC_IO: case _PC_2_SYMLINKS:
        *value = 1;
        return 0;
    case _PC_FILESIZEBITS:
        *value = 64 - __builtin_clzll((unsigned long long) diskfs_ops->size_max) + 1;
        return 0;
    case _PC_SYMLINK_MAX:
        *value = STRING_MAX - 1;
        return 0;
    case _PC_REC_XFER_ALIGN: case _PC_REC_MIN_XFER_SIZE: case _PC_ALLOC_SIZE_MIN: {
        struct diskfs_node *node = cred->po->node;
        pthread_mutex_lock(&node->lock);
        *value = (int) node->stat.st_blksize;
        pthread_mutex_unlock(&node->lock);
        return 0;
    }
    case _PC_REC_INCR_XFER_SIZE: case _PC_REC_MAX_XFER_SIZE:
        *value = -1;
        return 0;
    default:
        return EINVAL;
    }
}

/* Signals of files, and the shared-page protocol that no client of today speaks. */

kern_return_t diskfs_S_io_async(diskfs_protid_t cred, mach_port_t notify, mach_port_t *id, mach_msg_type_name_t *idPoly)
{
    (void) cred, (void) notify, (void) id, (void) idPoly;
    return EOPNOTSUPP;
}

kern_return_t diskfs_S_io_get_icky_async_id(diskfs_protid_t cred, mach_port_t *id, mach_msg_type_name_t *idPoly)
{
    (void) cred, (void) id, (void) idPoly;
    return EOPNOTSUPP;
}

kern_return_t diskfs_S_io_map_cntl(diskfs_protid_t cred, mach_port_t *object, mach_msg_type_name_t *objectPoly)
{
    (void) cred, (void) object, (void) objectPoly;
    return EOPNOTSUPP;
}

#define UNSUPPORTED(NAME) kern_return_t diskfs_S_##NAME(diskfs_protid_t cred) { (void) cred; return EOPNOTSUPP; }
UNSUPPORTED(io_get_conch)
UNSUPPORTED(io_release_conch)
UNSUPPORTED(io_eofnotify)
UNSUPPORTED(io_readnotify)
UNSUPPORTED(io_readsleep)
UNSUPPORTED(io_sigio)
UNSUPPORTED(io_revoke)

kern_return_t diskfs_S_io_prenotify(diskfs_protid_t cred, vm_offset_t start, vm_offset_t end)
{
    (void) cred, (void) start, (void) end;
    return EOPNOTSUPP;
}

kern_return_t diskfs_S_io_postnotify(diskfs_protid_t cred, vm_offset_t start, vm_offset_t end)
{
    (void) cred, (void) start, (void) end;
    return EOPNOTSUPP;
}
