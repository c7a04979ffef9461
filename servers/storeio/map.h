/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A store as memory. */

#ifndef STOREIO_MAP_H
#define STOREIO_MAP_H

#include <mach.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "bytes.h"

struct pager;

/* The store's memory object. While anybody may have it mapped everybody reads and writes through it, so that all see
   the same bytes. */
struct map {
    struct bytes *bytes;       /* constant; its store is there while `held` or anybody has the node open */
    /* The store is used from now on / not any more by mappings: it stays open meanwhile. */
    void (*hold)(void);        /* constant */
    void (*release)(void);     /* constant */
    pthread_rwlock_t gate;     /* held to read or write; exclusively to begin with mapping */
    bool mapped;               /* gate to set; to clear, that nobody has the node open */
    pthread_mutex_t lock;      /* below gate: one at a time goes through the memory object */
    struct pager *pager;       /* made by the first map_object; lock */
    atomic_bool held;          /* somebody may have the memory object */
};

/* A right to map the store with PROT, the caller's. ENOMEM, or the kernel's error. */
error_t map_object(struct map *map, vm_prot_t prot, mach_port_t *object);
/* The same as bytes_read into DATA and bytes_write, through the memory object; false: nobody has it, and that does not
   change before map_leave, which is due after false only. */
bool map_read(struct map *map, uint64_t offset, void *data, size_t amount, size_t *length, error_t *err);
bool map_write(struct map *map, uint64_t offset, const void *data, size_t length, size_t *written, error_t *err);
void map_leave(struct map *map);
/* Writes changed pages to the store. EIO. */
error_t map_sync(struct map *map, bool wait);
/* The last one has closed the node / the first one is opening it. */
void map_closed(struct map *map);
void map_opened(struct map *map);

#endif /* STOREIO_MAP_H */
