/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nodes of the tree: who may open what, attributes, listings, reading and writing.

   Everything belongs to root, or to whom a permission scope says (scope.h).  Directories and `config' can be read by
   all (lspci shows what is there); writing configuration space, and regions and ROMs, which are the device itself, is
   the owner's, and the group's if a scope names one.  */

#include "arbiter.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "pci_S.h"

static mode_t node_mode(const struct tree_node *node, bool group)
{
    mode_t owners = tree_is_directory(node) ? 0755
                    : node->kind == TREE_CONFIG ? 0644
                    : node->kind == TREE_ROM ? 0400 : 0600;
    if (group)
        owners |= (owners & 0600) >> 3;
    return (tree_is_directory(node) ? S_IFDIR : S_IFREG) | owners;
}

/* Owner, group and mode of NODE. */
static void node_owner(const struct tree_node *node, struct stat *st)
{
    struct scope_owner owner = {0};
    if (node->function) {
        pthread_mutex_lock(&arbiter.scopes_lock);
        owner = scopes_owner(&arbiter.scopes, node->function);
        pthread_mutex_unlock(&arbiter.scopes_lock);
    }
    st->st_uid = st->st_author = owner.uid;
    st->st_gid = owner.gid;
    st->st_mode = node_mode(node, owner.has_gid);
}

static error_t node_open(struct trivfs_peropen *peropen, struct fshelp_user *user)
{
    (void)user;
    peropen->hook = arbiter.tree.root;
    return 0;
}

static error_t node_check(const struct tree_node *node, const struct fshelp_user *user, int flags)
{
    struct stat st = {0};
    int op = (flags & O_READ ? S_IREAD : 0) | (flags & O_WRITE ? S_IWRITE : 0);
    if ((flags & O_DIRECTORY) && !tree_is_directory(node))
        return ENOTDIR;
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
        return EEXIST;
    /* A driver opens the directory of its function for writing: its owner's, as the files are. */
    node_owner(node, &st);
    return op ? fshelp_access(&st, op, user) : 0;
}

static error_t node_lookup(struct trivfs_protid *protid, const char *path, int flags, struct trivfs_protid **result,
                           const char **above)
{
    struct tree_node *node;
    error_t err = tree_lookup(protid_node(protid), path, &node, above);
    if (err || *above)
        return err;
    err = node_check(node, protid->user, flags);
    if (!err)
        err = trivfs_open(protid->peropen->control, protid->user, flags, result);
    if (!err)
        (*result)->peropen->hook = node;
    return err;
}

static error_t node_readdir(struct trivfs_protid *protid, unsigned int index, const char **name, ino64_t *fileno,
                            int *type)
{
    const struct tree_node *node = protid_node(protid);
    if (!tree_is_directory(node))
        return ENOTDIR;
    if (index < 2) {
        *name = index == 0 ? "." : "..";
        *fileno = index == 0 ? node->fileno : node->parent->fileno;
        *type = DT_DIR;
        return 0;
    }
    if (index - 2 >= node->child_count)
        return ENOENT;
    const struct tree_node *child = node->children[index - 2];
    *name = child->name;
    *fileno = child->fileno;
    *type = tree_is_directory(child) ? DT_DIR : DT_REG;
    return 0;
}

static void node_stat(struct trivfs_protid *protid, struct stat *st)
{
    const struct tree_node *node = protid_node(protid);
    node_owner(node, st);
    st->st_mode |= node->kind == TREE_ROOT ? S_IROOT : 0;
    st->st_ino = node->fileno;
    st->st_nlink = tree_is_directory(node) ? 2 + node->child_count : 1;
    st->st_size = node->size;
}

/* Protected by the control's lock, in lib/trivfs. */
static mach_port_t *node_identity(struct trivfs_protid *protid)
{
    return &protid_node(protid)->identity;
}

static off_t node_size(struct trivfs_protid *protid)
{
    return protid_node(protid)->size;
}

/* ---- contents ------------------------------------------------------------------------- */

/* At most this much a read: regions may be gigabytes. */
#define READ_MAX (1u << 20)

/* Regions and ROMs are the device at work: they are its driver's alone while it has one. */
static error_t node_read(struct trivfs_protid *protid, off_t offset, size_t amount, struct trivfs_buffer *buffer)
{
    const struct tree_node *node = protid_node(protid);
    if (tree_is_directory(node))
        return EISDIR;
    if (offset < 0 || (uint64_t)offset >= node->size)
        return 0;
    if (amount > node->size - offset)
        amount = node->size - offset;
    if (amount > READ_MAX)
        amount = READ_MAX;
    error_t err = node->kind == TREE_CONFIG ? 0 : claim_check(protid);
    if (!err)
        err = trivfs_buffer_reserve(buffer, amount);
    if (err)
        return err;
    if (node->kind == TREE_CONFIG)
        err = pci_config_read_bytes(arbiter.bus, node->function->address, offset, buffer->data, amount);
    else if (node->kind == TREE_REGION)
        err = region_access(node, offset, amount, buffer->data, false);
    else
        err = rom_read(node, offset, amount, buffer->data);
    if (!err)
        buffer->length = amount;
    return err;
}

/* At most this much a write: it is copied before the hardware sees it, since the client's memory may go at any time. */
#define WRITE_MAX 4096u

static error_t node_write(struct trivfs_protid *protid, off_t offset, const void *data, size_t length, size_t *amount)
{
    const struct tree_node *node = protid_node(protid);
    uint32_t bytes[WRITE_MAX / 4];
    if (node->kind != TREE_CONFIG && node->kind != TREE_REGION)
        return tree_is_directory(node) ? EISDIR : EOPNOTSUPP;
    if (offset < 0 || (uint64_t)offset >= node->size)
        return length == 0 ? 0 : ENOSPC;
    if (length > node->size - offset)
        length = node->size - offset;
    if (length > WRITE_MAX)
        length = WRITE_MAX;
    error_t err = claim_check(protid);
    if (!err)
        err = ports_copy_guarded(bytes, data, length);
    if (!err && node->kind == TREE_CONFIG)
        err = pci_config_write_bytes(arbiter.bus, node->function->address, offset, bytes, length);
    else if (!err)
        err = region_access(node, offset, length, bytes, true);
    if (!err)
        *amount = length;
    return err;
}

/* Memory regions can be mapped, with what the open may do. */
static error_t node_map(struct trivfs_protid *protid, memory_object_t *read, memory_object_t *write)
{
    const struct tree_node *node = protid_node(protid);
    int flags = protid->peropen->flags;
    if (node->kind != TREE_REGION)
        return EOPNOTSUPP;
    if (!(flags & (O_READ | O_WRITE)))
        return EBADF;
    error_t err = claim_check(protid);
    vm_prot_t prot = (flags & O_READ ? VM_PROT_READ : 0) | (flags & O_WRITE ? VM_PROT_READ | VM_PROT_WRITE : 0);
    mach_port_t object;
    if (!err)
        err = region_object(node, prot, &object);
    if (err)
        return err;
    *read = flags & O_READ ? object : MACH_PORT_NULL;
    *write = flags & O_WRITE ? object : MACH_PORT_NULL;
    if (*read != MACH_PORT_NULL && *write != MACH_PORT_NULL)
        err = mach_port_mod_refs(mach_task_self(), object, MACH_PORT_RIGHT_SEND, 1);
    if (err)
        mach_port_deallocate(mach_task_self(), object);
    return err;
}

/* ---- options -------------------------------------------------------------------------- */

static error_t options_get(struct trivfs_control *control, char **argz, size_t *length)
{
    (void)control;
    pthread_mutex_lock(&arbiter.scopes_lock);
    error_t err = scopes_format(&arbiter.scopes, argz, length);
    pthread_mutex_unlock(&arbiter.scopes_lock);
    return err;
}

static error_t options_set(struct trivfs_control *control, const char *argz, size_t length)
{
    struct scopes scopes;
    (void)control;
    error_t err = scopes_parse(argz, length, &scopes);
    if (err)
        return err;
    pthread_mutex_lock(&arbiter.scopes_lock);
    struct scopes old = arbiter.scopes;
    arbiter.scopes = scopes;
    pthread_mutex_unlock(&arbiter.scopes_lock);
    scopes_destroy(&old);
    return 0;
}

static const ports_interface_t interfaces[] = {pci_server_routine, NULL};

const struct trivfs_ops arbiter_node_ops = {
    .seekable = true,
    .open = node_open,
    .lookup = node_lookup,
    .identity = node_identity,
    .readdir = node_readdir,
    .stat = node_stat,
    .size = node_size,
    .read = node_read,
    .write = node_write,
    .map = node_map,
    .close = claim_release,
    .lockbox = claim_lockbox,
    .get_options = options_get,
    .set_options = options_set,
    .node_interfaces = interfaces,
};
