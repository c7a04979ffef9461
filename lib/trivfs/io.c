/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io.defs on a node: bytes, positions, modes, attributes, identity.  */

#include "trivfs-internal.h"

#include "io_S.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- buffers ------------------------------------------------------------------ */

error_t trivfs_buffer_reserve(struct trivfs_buffer *buffer, size_t size)
{
    vm_address_t memory = 0;
    if (size <= buffer->capacity)
        return 0;
    size = (size + vm_page_size - 1) & ~(vm_page_size - 1);
    error_t err = vm_allocate(mach_task_self(), &memory, size, TRUE);
    if (err)
        return err;
    memcpy((void *)memory, buffer->data, buffer->length);
    if (buffer->reserved)
        vm_deallocate(mach_task_self(), (vm_address_t)buffer->data, buffer->capacity);
    buffer->data = (char *)memory;
    buffer->capacity = size;
    buffer->reserved = true;
    return 0;
}

/* Frees the pages of BUFFER that the first KEEP bytes do not touch. */
static void buffer_trim(struct trivfs_buffer *buffer, size_t keep)
{
    keep = (keep + vm_page_size - 1) & ~(vm_page_size - 1);
    if (buffer->reserved && keep < buffer->capacity)
        vm_deallocate(mach_task_self(), (vm_address_t)buffer->data + keep, buffer->capacity - keep);
}

error_t data_return(char *memory, size_t length, data_t *data, mach_msg_type_number_t *count)
{
    struct trivfs_buffer buffer = {.data = *data, .capacity = *count};
    error_t err = trivfs_buffer_reserve(&buffer, length);
    if (err == 0) {
        if (length != 0)
            memcpy(buffer.data, memory, length);
        buffer_trim(&buffer, length);
        *data = buffer.data;
        *count = length;
    }
    free(memory);
    return err;
}

/* ---- positions ------------------------------------------------------------------ */

/* Where an operation on PROTID begins that asked for OFFSET; -1 is the file pointer. */
static error_t position_begin(struct trivfs_protid *protid, loff_t *offset)
{
    struct trivfs_control *control = protid->peropen->control;
    if (!control->ops->seekable) {
        *offset = 0;
        return 0;
    }
    if (*offset == -1) {
        pthread_mutex_lock(&control->lock);
        *offset = protid->peropen->offset;
        pthread_mutex_unlock(&control->lock);
    }
    return *offset < 0 ? EINVAL : 0;
}

/* The operation ended at END; moves the file pointer if it was asked for with ASKED -1. */
static void position_end(struct trivfs_protid *protid, loff_t asked, loff_t end)
{
    struct trivfs_control *control = protid->peropen->control;
    if (asked != -1 || !control->ops->seekable)
        return;
    pthread_mutex_lock(&control->lock);
    protid->peropen->offset = end;
    pthread_mutex_unlock(&control->lock);
}

static int protid_flags(struct trivfs_protid *protid)
{
    return __atomic_load_n(&protid->peropen->flags, __ATOMIC_RELAXED);
}

/* ---- reading and writing ---------------------------------------------------------- */

kern_return_t S_io_read(trivfs_protid_t protid, data_t *data, mach_msg_type_number_t *count, loff_t offset,
                        vm_size_t amount)
{
    if (protid == NULL)
        return EOPNOTSUPP;
    if (!(protid_flags(protid) & O_READ))
        return EBADF;
    const struct trivfs_ops *ops = protid->peropen->control->ops;
    struct trivfs_buffer buffer = {.data = *data, .capacity = *count};
    loff_t begin = offset;
    error_t err = ops->read == NULL && ops->readdir != NULL ? EISDIR : position_begin(protid, &begin);
    if (err == 0 && amount != 0 && ops->read != NULL)
        err = ops->read(protid, begin, amount, &buffer);
    if (err == 0 && buffer.length > amount)
        buffer.length = amount;

    buffer_trim(&buffer, err ? 0 : buffer.length);
    if (err)
        return err;
    if (buffer.length != 0)
        *data = buffer.data;
    *count = buffer.length;
    position_end(protid, offset, begin + buffer.length);
    return 0;
}

kern_return_t S_io_write(trivfs_protid_t protid, const_data_t data, mach_msg_type_number_t count, boolean_t in_message,
                         loff_t offset, vm_size_t *amount)
{
    if (protid == NULL)
        return EOPNOTSUPP;
    int flags = protid_flags(protid);
    const struct trivfs_ops *ops = protid->peropen->control->ops;
    if (!(flags & O_WRITE) || ops->write == NULL)
        return EBADF;
    loff_t begin = offset;
    error_t err = position_begin(protid, &begin);
    if (err == 0 && (flags & O_APPEND) && ops->seekable && ops->size != NULL)
        begin = ops->size(protid);
    size_t done = 0;
    if (err == 0)
        err = ops->write(protid, begin, data, count, &done);
    if (err)
        return err;
    *amount = done;
    position_end(protid, offset, begin + done);
    if (done != 0)
        trivfs_notice_file(protid, FILE_CHANGED_WRITE, begin, begin + (loff_t)done);
    if (!in_message)
        vm_deallocate(mach_task_self(), (vm_address_t)data, count);
    return 0;
}

kern_return_t S_io_seek(trivfs_protid_t protid, loff_t offset, int whence, loff_t *new)
{
    if (protid == NULL)
        return EOPNOTSUPP;
    struct trivfs_control *control = protid->peropen->control;
    if (!control->ops->seekable)
        return ESPIPE;
    loff_t size = whence == SEEK_END && control->ops->size != NULL ? control->ops->size(protid) : 0;
    error_t err = 0;
    pthread_mutex_lock(&control->lock);
    loff_t base = whence == SEEK_CUR ? protid->peropen->offset : whence == SEEK_END ? size : 0;
    if ((whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END) || __builtin_add_overflow(base, offset, new)
        || *new < 0)
        err = EINVAL;
    else
        protid->peropen->offset = *new;
    pthread_mutex_unlock(&control->lock);
    return err;
}

kern_return_t S_io_readable(trivfs_protid_t protid, vm_size_t *amount)
{
    if (protid == NULL)
        return EOPNOTSUPP;
    if (!(protid_flags(protid) & O_READ))
        return EBADF;
    const struct trivfs_ops *ops = protid->peropen->control->ops;
    size_t ready = 0;
    error_t err = ops->readable != NULL ? ops->readable(protid, &ready) : EOPNOTSUPP;
    *amount = ready;
    return err;
}

/* ---- waiting ------------------------------------------------------------------------ */

static error_t select_wait(struct trivfs_protid *protid, int *type, const struct timespec *until)
{
    if (protid == NULL)
        return EOPNOTSUPP;
    const struct trivfs_ops *ops = protid->peropen->control->ops;
    int possible = SELECT_READ | SELECT_WRITE | SELECT_URG;
    *type &= possible;
    if (ops->select == NULL) {
        *type &= SELECT_READ | SELECT_WRITE;
        return 0;
    }
    error_t err = ops->select(protid, type, until);
    if (err == ETIMEDOUT) {
        *type = 0;
        err = 0;
    }
    return err;
}

kern_return_t S_io_select(trivfs_protid_t protid, int *type)
{
    return select_wait(protid, type, NULL);
}

kern_return_t S_io_select_timeout(trivfs_protid_t protid, timespec_t timeout, int *type)
{
    return select_wait(protid, type, &timeout);
}

/* ---- signals about input ------------------------------------------------------------------ */

kern_return_t S_io_mod_owner(trivfs_protid_t protid, pid_t owner)
{
    if (protid == NULL || protid->peropen->control->ops->owner == NULL)
        return EOPNOTSUPP;
    return protid->peropen->control->ops->owner(protid, true, &owner);
}

kern_return_t S_io_get_owner(trivfs_protid_t protid, pid_t *owner)
{
    if (protid == NULL || protid->peropen->control->ops->owner == NULL)
        return EOPNOTSUPP;
    return protid->peropen->control->ops->owner(protid, false, owner);
}

kern_return_t S_io_get_icky_async_id(trivfs_protid_t protid, mach_port_t *id, mach_msg_type_name_t *type)
{
    *type = MACH_MSG_TYPE_MOVE_SEND;
    if (protid == NULL || protid->peropen->control->ops->async_id == NULL)
        return EOPNOTSUPP;
    return protid->peropen->control->ops->async_id(protid, id);
}

/* ---- modes ---------------------------------------------------------------------------- */

/* Replaces the changeable flags of MASK by BITS. */
static error_t modes_change(struct trivfs_protid *protid, int mask, int bits)
{
    if (protid == NULL)
        return EOPNOTSUPP;
    struct trivfs_control *control = protid->peropen->control;
    mask &= FLAGS_CHANGEABLE;
    pthread_mutex_lock(&control->lock);
    int flags = (protid->peropen->flags & ~mask) | (bits & mask);
    __atomic_store_n(&protid->peropen->flags, flags, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&control->lock);
    return 0;
}

kern_return_t S_io_get_openmodes(trivfs_protid_t protid, int *bits)
{
    if (protid == NULL)
        return EOPNOTSUPP;
    *bits = protid_flags(protid);
    return 0;
}

kern_return_t S_io_set_all_openmodes(trivfs_protid_t protid, int bits)
{
    return modes_change(protid, ~0, bits);
}

kern_return_t S_io_set_some_openmodes(trivfs_protid_t protid, int bits)
{
    return modes_change(protid, bits, bits);
}

kern_return_t S_io_clear_some_openmodes(trivfs_protid_t protid, int bits)
{
    return modes_change(protid, bits, 0);
}

/* ---- attributes and identity ----------------------------------------------------------- */

kern_return_t S_io_stat(trivfs_protid_t protid, io_statbuf_t *st)
{
    return protid != NULL ? trivfs_protid_stat(protid, (struct stat *)st) : EOPNOTSUPP;
}

kern_return_t S_io_server_version(trivfs_protid_t protid, string_t name, int *major, int *minor, int *edit)
{
    if (protid == NULL)
        return EOPNOTSUPP;
    strncpy(name, protid->peropen->control->ops->name, sizeof(string_t) - 1);
    name[sizeof(string_t) - 1] = '\0';
    *major = 0;
    *minor = 1;
    *edit = 0;
    return 0;
}

kern_return_t S_io_pathconf(trivfs_protid_t protid, int name, int *value)
{
    if (protid == NULL)
        return EOPNOTSUPP;
    switch (name) {
    case _PC_LINK_MAX:
    case _PC_MAX_CANON:
    case _PC_MAX_INPUT:
    case _PC_PATH_MAX:
    case _PC_PIPE_BUF:
    case _PC_SOCK_MAXBUF:
    case _PC_ASYNC_IO:
    case _PC_PRIO_IO:
    case _PC_SYNC_IO:
        *value = -1; /* no limit, or no such thing */
        return 0;
    case _PC_NAME_MAX:
        *value = 255;
        return 0;
    case _PC_CHOWN_RESTRICTED:
    case _PC_NO_TRUNC:
        *value = 1;
        return 0;
    case _PC_VDISABLE:
        *value = _POSIX_VDISABLE;
        return 0;
    case _PC_FILESIZEBITS:
        *value = 64;
        return 0;
    default:
        return EINVAL;
    }
}

/* A port that only serves to be compared, in *SLOT from the first time on.  The control's lock is held. */
static error_t identity_port(mach_port_t *slot)
{
    if (*slot != MACH_PORT_NULL)
        return 0;
    return mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, slot);
}

kern_return_t S_io_identity(trivfs_protid_t protid, mach_port_t *id, mach_msg_type_name_t *id_type, mach_port_t *fs_id,
                            mach_msg_type_name_t *fs_id_type, ino64_t *fileno)
{
    struct stat st;
    if (protid == NULL)
        return EOPNOTSUPP;
    struct trivfs_control *control = protid->peropen->control;
    error_t err = trivfs_protid_stat(protid, &st);
    if (err)
        return err;
    mach_port_t *slot = control->ops->identity != NULL ? control->ops->identity(protid) : &control->identity;
    pthread_mutex_lock(&control->lock);
    err = identity_port(slot);
    if (err == 0)
        err = identity_port(&control->fs_identity);
    *id = *slot;
    *fs_id = control->fs_identity;
    pthread_mutex_unlock(&control->lock);
    *id_type = *fs_id_type = MACH_MSG_TYPE_MAKE_SEND;
    *fileno = st.st_ino;
    return err;
}

/* ---- other ports to the same open -------------------------------------------------------- */

/* A protid for USER (whose reference is given up) on PROTID's peropen, its name in *NAME. */
static error_t protid_derive(struct trivfs_protid *protid, struct fshelp_user *user, mach_port_t *name,
                             mach_msg_type_name_t *type)
{
    struct trivfs_protid *new;
    error_t err = user != NULL ? protid_create(protid->peropen, user, protid->tag, MACH_PORT_NULL, &new) : ENOMEM;
    if (user != NULL)
        fshelp_user_deref(user);
    if (err)
        return err;
    *name = ports_object_make_send_name(new);
    *type = MACH_MSG_TYPE_MAKE_SEND;
    ports_object_deref(new);
    return 0;
}

kern_return_t S_io_duplicate(trivfs_protid_t protid, mach_port_t *name, mach_msg_type_name_t *type)
{
    if (protid == NULL)
        return EOPNOTSUPP;
    fshelp_user_ref(protid->user);
    return protid_derive(protid, protid->user, name, type);
}

kern_return_t S_io_restrict_auth(trivfs_protid_t protid, mach_port_t *name, mach_msg_type_name_t *type,
                                 const_idarray_t uids, mach_msg_type_number_t nuids, boolean_t uids_in_message,
                                 const_idarray_t gids, mach_msg_type_number_t ngids, boolean_t gids_in_message)
{
    if (protid == NULL)
        return EOPNOTSUPP;
    error_t err = protid_derive(protid, fshelp_user_create_sent(protid->user, uids, nuids, gids, ngids), name, type);
    if (err)
        return err;
    if (!uids_in_message)
        vm_deallocate(mach_task_self(), (vm_address_t)uids, nuids * sizeof *uids);
    if (!gids_in_message)
        vm_deallocate(mach_task_self(), (vm_address_t)gids, ngids * sizeof *gids);
    return 0;
}

/* auth has said that USER is the holder of the new port: the protid that serves it. */
static error_t protid_for_user(void *object, struct fshelp_user *user, mach_port_t receive)
{
    struct trivfs_protid *protid = object, *new;
    error_t err = protid_create(protid->peropen, user, protid->tag, receive, &new);
    if (!err)
        ports_object_deref(new);
    return err;
}

kern_return_t S_io_reauthenticate(trivfs_protid_t protid, mach_port_t rendezvous)
{
    return protid ? fshelp_reauthenticate(protid, MACH_PORT_NULL, rendezvous, protid_for_user) : EOPNOTSUPP;
}

/* ---- memory ---------------------------------------------------------------------------------- */

kern_return_t S_io_map(trivfs_protid_t protid, mach_port_t *read, mach_msg_type_name_t *read_type, mach_port_t *write,
                       mach_msg_type_name_t *write_type)
{
    if (protid == NULL)
        return EOPNOTSUPP;
    const struct trivfs_ops *ops = protid->peropen->control->ops;
    int flags = protid_flags(protid);
    if (ops->map == NULL)
        return EOPNOTSUPP;
    if (!(flags & (O_READ | O_WRITE)))
        return EBADF;
    *read = *write = MACH_PORT_NULL;
    error_t err = ops->map(protid, read, write);
    if (err)
        return err;
    if (!(flags & O_READ) && MACH_PORT_VALID(*read)) {
        mach_port_deallocate(mach_task_self(), *read);
        *read = MACH_PORT_NULL;
    }
    if (!(flags & O_WRITE) && MACH_PORT_VALID(*write)) {
        mach_port_deallocate(mach_task_self(), *write);
        *write = MACH_PORT_NULL;
    }
    *read_type = *write_type = MACH_MSG_TYPE_MOVE_SEND;
    return 0;
}

static error_t revoke_one(struct ports_object *object, void *arg)
{
    struct trivfs_protid *protid = (struct trivfs_protid *)object;
    if (protid->peropen->control == arg)
        ports_object_destroy_right(object);
    return 0;
}

kern_return_t S_io_revoke(trivfs_protid_t protid)
{
    struct stat st;
    if (protid == NULL || protid->peropen->control->ops->unnamed)
        return EOPNOTSUPP;
    struct trivfs_control *control = protid->peropen->control;
    error_t err = control_stat(control, &st);
    if (err == 0)
        err = fshelp_check_owner(&st, protid->user);
    if (err)
        return err;
    return ports_bucket_iterate(control->bucket, control->protid_class, revoke_one, control);
}
