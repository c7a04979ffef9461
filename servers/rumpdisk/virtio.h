/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Virtio block devices: disks of a virtual machine.

   Specification: Virtual I/O Device (VIRTIO) 1.1: 2.6 (split virtqueues), 3.1 (initialisation), 4.1 (PCI, modern), 5.2
   (block device). Left out: legacy devices (before 1.0; a transitional device is driven as a modern one), packed
   queues, more than one queue (there is one interrupt thread), discard, changes of size while it runs.

       reset --attach: features, queue, DRIVER_OK--> running --asks for a reset, time-out, damaged ring--> reset --the
       same again--> running
                                                                                                            |
                                                                    dead (does not get reset: bus mastering off; or
                                                                    refuses the features): every request EIO <--+

   There is no way to take one request back, so one that takes too long resets the device; which one fails then is found
   out by trying them one by one (block.h).

   A slot of the block layer has, for ever, a header and a status byte (5.2.6) and a table of descriptors: with indirect
   descriptors a page of its own, to which descriptor number SLOT of the ring points; without, a share of the ring
   itself.  So descriptor numbers need no allocation, and what the device says it used is checked against the slots in
   flight.

   Limits and their reasons: 64 requests in flight (the block layer's slots); 254 pieces of memory a request (a page of
   descriptors, less header and status), or fewer if the device says so; a ring of 128 (it fits into a page with its two
   other parts).

   Locks: everything here is the queue's lock's, attaching apart. */

#ifndef RUMPDISK_VIRTIO_H
#define RUMPDISK_VIRTIO_H

#include "block.h"

/* Common configuration (4.1.4.3). */
#define VIRTIO_DEVICE_FEATURE_SELECT 0
#define VIRTIO_DEVICE_FEATURE 4
#define VIRTIO_DRIVER_FEATURE_SELECT 8
#define VIRTIO_DRIVER_FEATURE 12
#define VIRTIO_MSIX_CONFIG 16
#define VIRTIO_QUEUES 18
#define VIRTIO_STATUS 20
#define VIRTIO_GENERATION 21
#define VIRTIO_QUEUE_SELECT 22
#define VIRTIO_QUEUE_SIZE 24
#define VIRTIO_QUEUE_MSIX 26
#define VIRTIO_QUEUE_ENABLE 28
#define VIRTIO_QUEUE_NOTIFY 30
#define VIRTIO_QUEUE_DESCRIPTORS 32
#define VIRTIO_QUEUE_AVAILABLE 40
#define VIRTIO_QUEUE_USED 48
#define VIRTIO_COMMON_SIZE 56u
#define VIRTIO_NO_VECTOR 0xffffu

/* Device status (2.1). */
#define VIRTIO_ACKNOWLEDGE 1u
#define VIRTIO_DRIVER 2u
#define VIRTIO_DRIVER_OK 4u
#define VIRTIO_FEATURES_OK 8u
#define VIRTIO_NEEDS_RESET 64u
#define VIRTIO_FAILED 128u

/* Features (5.2.3, 6), as bits of 64. */
#define VIRTIO_BLK_SIZE_MAX (1ull << 1)
#define VIRTIO_BLK_SEG_MAX (1ull << 2)
#define VIRTIO_BLK_RO (1ull << 5)
#define VIRTIO_BLK_BLK_SIZE (1ull << 6)
#define VIRTIO_BLK_FLUSH (1ull << 9)
#define VIRTIO_INDIRECT (1ull << 28)
#define VIRTIO_EVENT_IDX (1ull << 29)
#define VIRTIO_VERSION_1 (1ull << 32)
#define VIRTIO_WANTED (VIRTIO_BLK_SIZE_MAX | VIRTIO_BLK_SEG_MAX | VIRTIO_BLK_RO | VIRTIO_BLK_BLK_SIZE \
                       | VIRTIO_BLK_FLUSH | VIRTIO_INDIRECT | VIRTIO_EVENT_IDX | VIRTIO_VERSION_1)

/* Device configuration (5.2.4). */
#define VIRTIO_BLK_CAPACITY 0 /* sectors of 512 bytes, whatever the block size */
#define VIRTIO_BLK_CONFIG_SIZE_MAX 8
#define VIRTIO_BLK_CONFIG_SEG_MAX 12
#define VIRTIO_BLK_CONFIG_BLK_SIZE 20
#define VIRTIO_BLK_CONFIG_LENGTH 24u

/* Interrupt status (4.1.4.5). */
#define VIRTIO_ISR_QUEUE 1u
#define VIRTIO_ISR_CONFIG 2u

/* The parts of a queue (2.6.5, 2.6.6, 2.6.8). */
struct virtio_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};
#define VIRTIO_NEXT 1u
#define VIRTIO_WRITE 2u /* the device writes */
#define VIRTIO_TABLE 4u /* the descriptor points to a table of them */

struct virtio_available {
    uint16_t flags;
    uint16_t index;
    uint16_t ring[]; /* and behind its end: the used index of which an interrupt is wanted */
};

struct virtio_used_entry {
    uint32_t id;
    uint32_t length;
};

struct virtio_used {
    uint16_t flags;
    uint16_t index;
    struct virtio_used_entry ring[]; /* and behind its end, 16 bits: the available index to be told of */
};

/* Requests (5.2.6). */
struct virtio_header {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector; /* of 512 bytes */
};
#define VIRTIO_IN 0u
#define VIRTIO_OUT 1u
#define VIRTIO_FLUSH 4u
#define VIRTIO_STATUS_OK 0u
#define VIRTIO_STATUS_UNSUPPORTED 2u
#define VIRTIO_STATUS_NONE 0xffu /* ours: the device has not written any */

struct virtio_slot {
    struct virtio_header header;
    uint8_t status;
    uint8_t unused[15];
};

#define VIRTIO_RING_MAX 128u
#define VIRTIO_TABLE_ENTRIES (BLOCK_PAGE / sizeof(struct virtio_descriptor))
#define VIRTIO_SHARE 16u /* descriptors of a slot without indirect ones */

struct virtio;

/* How the device's registers are reached (virtio_pci.c). SIZE: 1, 2 or 4. */
struct virtio_transport {
    uint32_t (*read)(struct virtio *virtio, unsigned int offset, unsigned int size);
    void (*write)(struct virtio *virtio, unsigned int offset, unsigned int size, uint32_t value);
    uint32_t (*config)(struct virtio *virtio, unsigned int offset, unsigned int size);
    unsigned int (*interrupt_status)(struct virtio *virtio); /* and clears it */
    void (*notify)(struct virtio *virtio);                   /* queue 0 has more */
    void (*mastering)(struct virtio *virtio, bool on);       /* may it reach memory? NULL: not ours to say */
};

struct virtio {
    struct block_queue queue;                       /* first */
    struct block_unit unit;
    const struct virtio_transport *transport;       /* constant */
    struct block_limits limits;                     /* constant */
    bool messages;                                  /* constant: interrupts are messages */
    uint64_t features;                              /* constant once negotiated: after a reset they must be the same */
    unsigned int size;                              /* constant: entries of the ring */
    unsigned int data_most;                         /* constant: pieces of memory in a request */
    uint32_t piece_max;                             /* constant: bytes of a piece */
    struct virtio_descriptor *descriptors;          /* constant, of the ring */
    struct virtio_available *available;             /* constant */
    const volatile struct virtio_used *used;        /* constant */
    volatile uint16_t *used_event;                  /* constant: the used index of which we want to be interrupted */
    const volatile uint16_t *available_event;       /* constant: the available index the device wants to hear of */
    uint64_t ring_physical;                         /* constant */
    struct virtio_descriptor *tables;               /* constant: a page a slot; NULL without indirect descriptors */
    uint64_t tables_physical;                       /* constant */
    volatile struct virtio_slot *slots;             /* constant */
    uint64_t slots_physical;                        /* constant */
    uint16_t filled;                                /* available index: what we have put there, */
    uint16_t told;                                  /* up to where the device has been told, */
    uint16_t taken;                                 /* used index up to which we have looked */
};

/* Finds out what the device is and makes the memory of its queue; its unit's abilities are filled in. ENOTSUP, ENODEV,
   ENOMEM. */
error_t virtio_start(struct virtio *virtio);
/* Has it run from any state: reset, features, queue. */
error_t virtio_run(struct virtio *virtio);

/* virtio_queue.c */
extern const struct block_queue_ops virtio_queue_ops;

#endif
