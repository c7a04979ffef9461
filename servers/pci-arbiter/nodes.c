/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nodes of the tree: who may open what, attributes, listings, contents.

   Everything belongs to root.  Directories and `config' can be read by all (lspci shows what is there); writing configuration
   space, and regions and ROMs, which are the device itself, is root's.  */

#include "arbiter.h"

#include <device/device.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "pci_S.h"

static mode_t node_mode(const struct tree_node *node)
{
    if (tree_is_directory(node))
        return S_IFDIR | 0755;
    return S_IFREG | (node->kind == TREE_CONFIG ? 0644 : node->kind == TREE_ROM ? 0400 : 0600);
}

static error_t node_open(struct trivfs_peropen *peropen, struct fshelp_user *user)
{
    (void)user;
    peropen->hook = arbiter.tree.root;
    return 0;
}

static error_t node_check(const struct tree_node *node, const struct fshelp_user *user, int flags)
{
    struct stat st = {.st_mode = node_mode(node)};
    int op = (flags & O_READ ? S_IREAD : 0) | (flags & O_WRITE ? S_IWRITE : 0);
    if ((flags & O_DIRECTORY) && !tree_is_directory(node))
        return ENOTDIR;
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
        return EEXIST;
    /* A driver opens the directory of its function for writing: root's, as the files are. */
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
    st->st_mode = node_mode(node) | (node->kind == TREE_ROOT ? S_IROOT : 0);
    st->st_uid = st->st_gid = st->st_author = 0;
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

/* Copies LENGTH bytes of device memory at ADDRESS, in words where it can: registers want whole accesses. */
static void registers_copy(void *to, const volatile void *from, size_t length)
{
    if ((uintptr_t)from % 4 == 0 && length % 4 == 0) {
        for (size_t i = 0; i < length / 4; i++) {
            uint32_t word = ((const volatile uint32_t *)from)[i];
            memcpy((char *)to + 4 * i, &word, 4);
        }
        return;
    }
    for (size_t i = 0; i < length; i++)
        ((char *)to)[i] = ((const volatile char *)from)[i];
}

static error_t region_read(const struct tree_node *node, off_t offset, size_t amount, void *data)
{
    const struct pci_region *region = &node->function->regions[node->number];
    void *window;
    if (region->is_io || region->base == 0)
        return EOPNOTSUPP; /* ports are read by who has permission for them (i386_io_perm_create) */
    error_t err = pci_map_physical(arbiter.device_master, region->base + offset, amount, VM_PROT_READ, &window);
    if (err)
        return err;
    registers_copy(data, window, amount);
    vm_address_t first = trunc_page((vm_address_t)window);
    vm_deallocate(mach_task_self(), first, round_page((vm_address_t)window + amount) - first);
    return 0;
}

static error_t rom_read(const struct tree_node *node, off_t offset, size_t amount, void *data)
{
    void *rom;
    size_t size;
    error_t err = pci_function_rom(arbiter.bus, node->function, arbiter.device_master, &rom, &size);
    if (err)
        return err == ENOENT ? EIO : err;
    memcpy(data, (char *)rom + offset, amount);
    free(rom);
    return 0;
}

static error_t node_read(struct trivfs_protid *protid, off_t offset, size_t amount, struct trivfs_buffer *buffer)
{
    const struct tree_node *node = protid_node(protid);
    if (tree_is_directory(node))
        return EISDIR;
    if (offset < 0 || (uint64_t)offset >= node->size)
        return 0;
    if (amount > node->size - offset)
        amount = node->size - offset;
    error_t err = trivfs_buffer_reserve(buffer, amount);
    if (err)
        return err;
    if (node->kind == TREE_CONFIG)
        err = pci_config_read_bytes(arbiter.bus, node->function->address, offset, buffer->data, amount);
    else if (node->kind == TREE_REGION)
        err = region_read(node, offset, amount, buffer->data);
    else
        err = rom_read(node, offset, amount, buffer->data);
    if (!err)
        buffer->length = amount;
    return err;
}

static error_t node_write(struct trivfs_protid *protid, off_t offset, const void *data, size_t length, size_t *amount)
{
    const struct tree_node *node = protid_node(protid);
    if (node->kind != TREE_CONFIG)
        return tree_is_directory(node) ? EISDIR : EOPNOTSUPP;
    if (offset < 0 || (uint64_t)offset >= node->size)
        return length == 0 ? 0 : ENOSPC;
    if (length > node->size - offset)
        length = node->size - offset;
    error_t err = pci_config_write_bytes(arbiter.bus, node->function->address, offset, data, length);
    if (!err)
        *amount = length;
    return err;
}

/* Memory regions can be mapped: the object is the kernel's. */
static error_t node_map(struct trivfs_protid *protid, memory_object_t *read, memory_object_t *write)
{
    const struct tree_node *node = protid_node(protid);
    if (node->kind != TREE_REGION)
        return EOPNOTSUPP;
    const struct pci_region *region = &node->function->regions[node->number];
    if (region->is_io || region->base % vm_page_size)
        return EOPNOTSUPP;
    bool writable = protid->peropen->flags & O_WRITE;
    mach_port_t device;
    error_t err = device_open(arbiter.device_master, D_READ | D_WRITE, (char *)"mem", &device);
    if (err)
        return err;
    err = device_map(device, VM_PROT_READ | (writable ? VM_PROT_WRITE : 0), region->base, round_page(region->size), read,
                     0);
    mach_port_deallocate(mach_task_self(), device);
    *write = MACH_PORT_NULL;
    if (!err && writable) {
        *write = *read;
        err = mach_port_mod_refs(mach_task_self(), *read, MACH_PORT_RIGHT_SEND, 1);
        if (err)
            mach_port_deallocate(mach_task_self(), *read);
    }
    return err;
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
    .node_interfaces = interfaces,
};
