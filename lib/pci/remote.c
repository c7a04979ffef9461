/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bus behind an arbiter: a tree DOMAIN/BUS/DEVICE/FUNCTION of directories (0000/00/1f/2), as the Hurd's pci-arbiter
   shows it.  A port to a function's directory understands the `pci` interface.  The tree hangs on the arbiter's
   bootstrap port while the system comes up and on /servers/bus/pci later; both are spoken to by dir_lookup and
   dir_readdir. */

#include <pci/pci.h>

#include <dirent.h>
#include <fcntl.h>
#include <hurd/fs.h>
#include <hurd/hurd_types.h>
#include <hurd/pci.h>
#include <mach/mig_errors.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

/* One function's port, kept: a driver speaks to few functions and often. */
struct known {
    struct pci_address address;
    mach_port_t port;
    struct known *next;
};

struct remote {
    struct pci_bus bus;
    mach_port_t root;      /* constant */
    pthread_mutex_t lock;  /* list */
    struct known *list;
};

static bool address_equal(struct pci_address a, struct pci_address b)
{
    return a.domain == b.domain && a.bus == b.bus && a.device == b.device && a.function == b.function;
}

/* Follows PATH from DIR; the tree has no translators and no links inside, so one answer is the answer. */
static error_t tree_lookup(mach_port_t dir, const char *path, int flags, mach_port_t *port)
{
    retry_type retry;
    char *retry_name = malloc(sizeof(string_t));
    if (!retry_name)
        return ENOMEM;
    error_t err = dir_lookup(dir, (char *)path, flags, 0, &retry, retry_name, port);
    if (!err && (retry != FS_RETRY_NORMAL || retry_name[0] != '\0')) {
        mach_port_deallocate(mach_task_self(), *port);
        err = EGRATUITOUS;
    }
    free(retry_name);
    return err;
}

/* The port of the function at ADDRESS, ours; not to be released. */
static error_t function_port(struct remote *remote, struct pci_address address, mach_port_t *port)
{
    pthread_mutex_lock(&remote->lock);
    error_t err = 0;
    struct known *known = remote->list;
    while (known && !address_equal(known->address, address))
        known = known->next;
    if (!known) {
        char path[32];
        snprintf(path, sizeof path, "%04x/%02x/%02x/%1x", address.domain, address.bus, address.device,
                 address.function);
        known = malloc(sizeof *known);
        err = known ? tree_lookup(remote->root, path, O_READ | O_WRITE, &known->port) : ENOMEM;
        if (err) {
            free(known);
        } else {
            known->address = address;
            known->next = remote->list;
            remote->list = known;
        }
    }
    if (!err)
        *port = known->port;
    pthread_mutex_unlock(&remote->lock);
    return err;
}

static error_t remote_read(struct pci_bus *bus, struct pci_address address, unsigned int reg, uint32_t *value,
                           unsigned int size)
{
    mach_port_t port;
    char bytes[4], *data = bytes;
    mach_msg_type_number_t length = sizeof bytes;
    error_t err = function_port((struct remote *)bus, address, &port);
    *value = 0xffffffffu >> (32 - 8 * size);
    if (err)
        return err == ENOENT ? 0 : err;
    err = pci_conf_read(port, reg, &data, &length, size);
    if (!err && length == size) {
        *value = 0;
        memcpy(value, data, size);
    } else if (!err) {
        err = EIO;
    }
    if (data != bytes)
        vm_deallocate(mach_task_self(), (vm_address_t)data, length);
    return err;
}

static error_t remote_write(struct pci_bus *bus, struct pci_address address, unsigned int reg, uint32_t value,
                            unsigned int size)
{
    mach_port_t port;
    error_t err = function_port((struct remote *)bus, address, &port);
    if (err)
        return err == ENOENT ? 0 : err;
    vm_size_t amount;
    err = pci_conf_write(port, reg, (char *)&value, size, &amount);
    return err ? err : amount == size ? 0 : EIO;
}

static error_t remote_read_bytes(struct pci_bus *bus, struct pci_address address, unsigned int reg, void *bytes,
                                 size_t size)
{
    mach_port_t port;
    char *data = bytes;
    mach_msg_type_number_t length = size;
    error_t err = function_port((struct remote *)bus, address, &port);
    if (err == ENOENT)
        memset(bytes, 0xff, size);
    if (err)
        return err == ENOENT ? 0 : err;
    err = pci_conf_read(port, reg, &data, &length, size);
    if (err)
        return err;
    if (data != bytes) {
        memcpy(bytes, data, length < size ? length : size);
        vm_deallocate(mach_task_self(), (vm_address_t)data, length);
    }
    return length == size ? 0 : EIO;
}

/* The lock goes with our port to the function, which is kept; it is released by the arbiter when we end. */
static error_t remote_claim(struct pci_bus *bus, struct pci_address address)
{
    mach_port_t port;
    error_t err = function_port((struct remote *)bus, address, &port);
    if (!err)
        err = file_lock(port, LOCK_EX | LOCK_NB);
    if (err == EOPNOTSUPP || err == MIG_BAD_ID)
        return 0;
    return err == EWOULDBLOCK ? EBUSY : err;
}

/* ---- the walk ------------------------------------------------------------------ */

#define LEVELS 4 /* domain, bus, device, function */

struct walk {
    struct remote *remote;
    pci_visit_t visit;
    void *arg;
    unsigned long numbers[LEVELS];
};

static error_t walk_level(struct walk *walk, mach_port_t dir, unsigned int level);

static error_t walk_entry(struct walk *walk, mach_port_t dir, unsigned int level, const char *name)
{
    char *end;
    unsigned long number = strtoul(name, &end, 16);
    static const unsigned long limits[LEVELS] = {0xffff, 0xff, 31, 7};
    if (end == name || *end != '\0' || number > limits[level])
        return 0;
    walk->numbers[level] = number;
    if (level + 1 == LEVELS) {
        struct pci_address address = {walk->numbers[0], walk->numbers[1], walk->numbers[2], number};
        struct pci_function function;
        error_t err = pci_function_probe(&walk->remote->bus, address, &function);
        return err ? (err == ENXIO ? 0 : err) : walk->visit(&walk->remote->bus, &function, walk->arg);
    }
    mach_port_t child;
    error_t err = tree_lookup(dir, name, O_READ, &child);
    if (err)
        return err;
    err = walk_level(walk, child, level + 1);
    mach_port_deallocate(mach_task_self(), child);
    return err;
}

/* All entries of DIR that are numbers.  What the server sent is believed only inside the bytes that came. */
static error_t walk_level(struct walk *walk, mach_port_t dir, unsigned int level)
{
    char *data = NULL;
    mach_msg_type_number_t length = 0;
    int count;
    error_t err = dir_readdir(dir, &data, &length, 0, -1, 0, &count);
    if (err)
        return err;
    const size_t fixed = offsetof(struct dirent64, d_name);
    for (size_t at = 0; !err && count > 0 && at + fixed + 1 < length; count--) {
        struct dirent64 *entry = (struct dirent64 *)(data + at);
        if (entry->d_reclen < fixed + 2 || entry->d_reclen > length - at
            || memchr(entry->d_name, '\0', entry->d_reclen - fixed) == NULL) {
            err = EIO;
            break;
        }
        err = walk_entry(walk, dir, level, entry->d_name);
        at += entry->d_reclen;
    }
    if (length > 0)
        vm_deallocate(mach_task_self(), (vm_address_t)data, length);
    return err;
}

static error_t remote_walk(struct pci_bus *bus, pci_visit_t visit, void *arg)
{
    struct remote *remote = (struct remote *)bus;
    struct walk walk = {.remote = remote, .visit = visit, .arg = arg};
    return walk_level(&walk, remote->root, 0);
}

/* ---- regions ------------------------------------------------------------------- */

static error_t remote_regions(struct pci_bus *bus, struct pci_function *function)
{
    mach_port_t port;
    error_t err = function_port((struct remote *)bus, function->address, &port);
    if (err)
        return err;
    struct pci_bar bars[PCI_BARS];
    char *data = (char *)bars;
    mach_msg_type_number_t length = sizeof bars;
    err = pci_get_dev_regions(port, &data, &length);
    if (err)
        return err;
    unsigned int count = length / sizeof(struct pci_bar);
    memset(function->regions, 0, sizeof function->regions);
    for (unsigned int i = 0; i < count && i < PCI_BARS; i++) {
        struct pci_bar bar;
        memcpy(&bar, data + i * sizeof bar, sizeof bar);
        function->regions[i] = (struct pci_region){.base = bar.base_addr, .size = bar.size, .is_io = bar.is_IO,
                                                   .is_prefetchable = bar.is_prefetchable, .is_64 = bar.is_64};
    }
    if (data != (char *)bars)
        vm_deallocate(mach_task_self(), (vm_address_t)data, length);
    return 0;
}

static error_t remote_rom(struct pci_bus *bus, const struct pci_function *function, void **rom, size_t *size)
{
    mach_port_t port;
    error_t err = function_port((struct remote *)bus, function->address, &port);
    if (err)
        return err;
    char *data = NULL;
    mach_msg_type_number_t length = 0;
    err = pci_get_dev_rom(port, &data, &length);
    if (err)
        return err;
    struct pci_xrom_bar place;
    if (length <= sizeof place) {
        err = ENOENT;
    } else {
        *size = length - sizeof place;
        *rom = malloc(*size);
        if (*rom)
            memcpy(*rom, data + sizeof place, *size);
        else
            err = ENOMEM;
    }
    if (length > 0)
        vm_deallocate(mach_task_self(), (vm_address_t)data, length);
    return err;
}

static const struct pci_bus_ops remote_ops = {
    .name = "pci-arbiter",
    .read = remote_read,
    .write = remote_write,
    .read_bytes = remote_read_bytes,
    .claim = remote_claim,
    .walk = remote_walk,
    .regions = remote_regions,
    .rom = remote_rom,
};

error_t pci_remote_open(mach_port_t root, struct pci_bus **bus)
{
    /* A port that is no arbiter's answers MIG_BAD_ID or EOPNOTSUPP. */
    mach_msg_type_number_t count;
    error_t err = pci_get_ndevs(root, &count);
    if (err)
        return err;
    struct remote *remote = calloc(1, sizeof *remote);
    if (!remote)
        return ENOMEM;
    remote->bus.ops = &remote_ops;
    remote->root = root;
    pthread_mutex_init(&remote->lock, NULL);
    *bus = &remote->bus;
    return 0;
}
