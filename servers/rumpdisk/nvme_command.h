/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NVMe commands and what Identify tells.  No system call.

   Source: NVM Express 1.4: 4.3 (PRP entries and lists), 5.15.2 (Identify), 6.8, 6.9, 6.15 (flush, read, write).
   Left out: namespaces with metadata or protection information, key-value and zoned ones. */

#ifndef RUMPDISK_NVME_COMMAND_H
#define RUMPDISK_NVME_COMMAND_H

#include "block.h"
#include "nvme_regs.h"

#define NVME_LIST_ENTRIES (BLOCK_PAGE / 8) /* a list is a page, and the only one of its command */

/* What a controller says of itself (Identify, CNS 1). */
struct nvme_identity {
    char model[BLOCK_MODEL_SIZE];
    size_t transfer_max;       /* bytes of a command; SIZE_MAX: no limit */
    unsigned int aborts;       /* at a time */
    uint32_t namespaces;       /* the highest identifier */
    bool write_cache;          /* volatile, so a flush means something */
};
void nvme_controller_parse(const uint8_t *data, struct nvme_identity *identity);

/* Reads 4096 bytes of Identify, CNS 0, into UNIT: size, sector, read-only. NULL, or a few words why the namespace
   cannot be used. */
const char *nvme_namespace_parse(const uint8_t *data, struct block_unit *unit);

/* Fills COMMAND's PRPs for at most LENGTH bytes from byte FROM of MEMORY; LIST (NVME_LIST_ENTRIES, at physical address
   LIST_PHYSICAL) is used if two pages do not hold them.  Gives the bytes: LENGTH, or what the list has room for, whole
   sectors of 1 << SECTOR_LOG. */
size_t nvme_prps_fill(struct nvme_command *command, uint64_t *list, uint64_t list_physical,
                      const struct block_memory *memory, size_t from, size_t length, unsigned int sector_log);

/* A read, write or flush of REQUEST's next piece of LENGTH bytes; PRPs and identifier stay as they are. */
void nvme_transfer_fill(struct nvme_command *command, const struct block_request *request, size_t length,
                        uint32_t namespace);

/* The block layer's error for a status that is not 0: EIO when it may be tried again. */
error_t nvme_status_error(uint32_t status);

#endif
