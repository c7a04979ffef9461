/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store: a row of bytes on some medium, named by a typed name.

   A typed name says what kind of store it is and which one:

       device:NAME        the Mach device NAME (device:wd0)
       file:NAME          the file NAME
       zero:SIZE          SIZE bytes of zeros; what is written is forgotten.  SIZE may end in K, M, G or T
       part:N:STORE       partition N, counted from 1, of STORE (part:3:device:wd0, part:1:file:/tmp/image)

   Partitions are those of a GPT or of an MBR; the logical ones inside an extended partition are counted from 5, as
   usual.

   All offsets and lengths are bytes.  Reading hands over memory: the buffer that the device's reply brought is the
   buffer that the caller gets, nothing is copied.  After store_open a store does not change, so that all functions but
   store_close may be called by several threads at the same time.  */

#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* Bytes of a name: it is opened from its end on, so that its length is the depth of the stack.  */
#define STORE_NAME_MAX 1024u

struct store_options {
    bool readonly;                /* never write: store_write gives EROFS */
    unsigned int device_master;   /* port on which `device:` names are opened (not consumed); 0: the task's bootstrap
                                     port if it has one and it serves the name, then the host's device master
                                     (host-privileged tasks), then the node /dev/disk */
};

/* Where the bytes of a store really are: those of it begin at START in the device of PORT, in the file open at FD, or
   nowhere (zeros, memory). */
struct store_place {
    enum { STORE_PLACE_NOWHERE, STORE_PLACE_DEVICE, STORE_PLACE_FILE } kind;
    unsigned int port;            /* the device's, the store's; 0 otherwise */
    int fd;                       /* the store's; -1 otherwise */
    const char *name;             /* of the device or file, the store's */
    uint64_t start;               /* bytes */
};

/* What a kind of store does.  Offsets and lengths are multiples of the block size and inside the store: the functions
   below have seen to that.  */
struct store_class {
    const char *name;             /* the word before the colon */
    /* Opens what REST, the name behind the colon, names, and fills size, block_size, readonly and hook of STORE.  On
       failure *WHY is a sentence of malloc'd memory that says what and where, or NULL if out of memory.  */
    error_t (*open)(struct store *store, const char *rest, const struct store_options *options, char **why);
    error_t (*read)(struct store *store, uint64_t offset, size_t length, void **buffer);   /* as store_read */
    error_t (*write)(struct store *store, uint64_t offset, const void *data, size_t length);
    /* As `write', and the data is on the medium on success.  ENOTSUP, and nothing done: cannot.  NULL: the same.  */
    error_t (*write_through)(struct store *store, uint64_t offset, const void *data, size_t length);
    error_t (*flush)(struct store *store);      /* NULL: nothing to flush */
    void (*place)(struct store *store, struct store_place *place); /* as store_place; NULL: nowhere */
    void (*close)(struct store *store);         /* release the hook; NULL: nothing to do */
};

struct store {
    const struct store_class *class;
    char *name;                   /* the whole typed name */
    uint64_t size;                /* bytes, a multiple of block_size */
    uint32_t block_size;          /* bytes of the smallest piece that can be read or written; a power of two */
    bool readonly;
    void *hook;                   /* the class's */
};

/* Opens the typed name NAME; OPTIONS may be NULL.  On success *STORE is the caller's to close.  On failure *STORE is
   untouched and, if WHY is not NULL, *WHY is one line naming what and where ("part:3:device:wd0: no such partition (2
   found)"), the caller's to free; NULL if there was no memory for it.  Errors: EINVAL (not a typed name), ENODEV, ENXIO
   (no such device, partition), EIO, ENOMEM, and those of the medium.  */
error_t store_open(const char *name, const struct store_options *options, struct store **store, char **why);

/* A store of the SIZE bytes at BASE, which stay the caller's and must outlive it.  For tests and for images that came
   with the program.  EINVAL if SIZE is no multiple of 512.  */
error_t store_open_memory(void *base, size_t size, struct store **store);

void store_close(struct store *store);

/* Reads LENGTH bytes from OFFSET on.  *BUFFER is then page-aligned memory of LENGTH bytes (rounded up to pages), the
   caller's, to be released by store_free.  EINVAL: offset or length no multiple of the block size, or length 0; ENXIO:
   beyond the end; EIO.  */
error_t store_read(struct store *store, uint64_t offset, size_t length, void **buffer);

/* Writes LENGTH bytes of DATA from OFFSET on; DATA stays the caller's.  Errors as store_read; EROFS.  The data may
   still be in the medium's own cache: store_flush.  */
error_t store_write(struct store *store, uint64_t offset, const void *data, size_t length);

/* store_write, and when it returns the data is on the medium: by a write past the disk's cache, if it can, which spares
   the rest of the cache; else by a flush.  */
error_t store_write_through(struct store *store, uint64_t offset, const void *data, size_t length);

/* Returns when everything written before is on the medium.  */
error_t store_flush(struct store *store);

/* Says in *PLACE where the bytes are; what it names lives as long as the store.  */
void store_place(struct store *store, struct store_place *place);

/* Releases a buffer of store_read (of the whole LENGTH that was read, or whole pages of it).  */
void store_free(void *buffer, size_t length);

/* Page-aligned zeroed memory like that of store_read; NULL if there is none.  */
void *store_alloc(size_t length);

/* Sets *WHY, if WHY is not NULL, to a line of printf's kind; gives ERR back.  For classes.  */
error_t store_fail(char **why, error_t err, const char *format, ...) __attribute__((format(printf, 3, 4)));

extern const struct store_class store_class_device, store_class_file, store_class_zero, store_class_part;

#endif /* STORE_STORE_H */
