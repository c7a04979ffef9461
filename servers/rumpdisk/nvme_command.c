/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Building NVMe commands, reading identities; see nvme_command.h. */

#include "nvme_command.h"

#include <string.h>

static uint16_t word16(const uint8_t *bytes)
{
    return bytes[0] | bytes[1] << 8;
}

static uint32_t word32(const uint8_t *bytes)
{
    return word16(bytes) | (uint32_t)word16(bytes + 2) << 16;
}

static uint64_t word64(const uint8_t *bytes)
{
    return word32(bytes) | (uint64_t)word32(bytes + 4) << 32;
}

/* SIZE bytes of text, blank-padded, made printable. */
static void text_copy(char *to, const uint8_t *from, size_t size)
{
    size_t length = size;
    while (length > 0 && (from[length - 1] == ' ' || from[length - 1] == 0))
        length--;
    for (size_t i = 0; i < length; i++)
        to[i] = from[i] >= ' ' && from[i] < 0x7f ? from[i] : '?';
    to[length] = '\0';
}

void nvme_controller_parse(const uint8_t *data, struct nvme_identity *identity)
{
    unsigned int transfer_log = data[77];
    text_copy(identity->model, data + 24, 40);
    identity->transfer_max = transfer_log == 0 || transfer_log > 30 ? SIZE_MAX : (size_t)BLOCK_PAGE << transfer_log;
    identity->aborts = data[258] + 1u;
    identity->namespaces = word32(data + 516);
    identity->write_cache = data[525] & 1;
}

const char *nvme_namespace_parse(const uint8_t *data, struct block_unit *unit)
{
    unsigned int format = (data[26] & 15) | (data[26] >> 1 & 0x30);
    const uint8_t *lbaf = data + 128 + 4 * format;
    unsigned int sector_log = lbaf[2];
    uint64_t sectors = word64(data);
    if (sectors == 0)
        return "it is empty";
    if (word16(lbaf) != 0 || (data[29] & 7))
        return "it has metadata beside its sectors";
    if (sector_log < 9 || sector_log > 12)
        return "its sectors have neither 512 to 4096 bytes";
    if (sectors > UINT64_MAX >> sector_log)
        return "its size is none";
    unit->sectors = sectors;
    unit->sector_log = sector_log;
    unit->readonly = data[99] & 1;
    return NULL;
}

/* A page of the transfer, number COUNT: the first two go into the command, unless there are more; then all but the
   first are the list's. */
static void prp_add(struct nvme_command *command, uint64_t *list, uint64_t list_physical, unsigned int count,
                    uint64_t address)
{
    if (count == 0) {
        command->prp1 = address;
        return;
    }
    list[count - 1] = address;
    command->prp2 = count == 1 ? address : list_physical;
}

size_t nvme_prps_fill(struct nvme_command *command, uint64_t *list, uint64_t list_physical,
                      const struct block_memory *memory, size_t from, size_t length, unsigned int sector_log)
{
    size_t done = 0;
    command->prp1 = command->prp2 = 0;
    for (unsigned int count = 0; done < length && count <= NVME_LIST_ENTRIES; count++) {
        size_t run;
        uint64_t address = block_memory_at(memory, from + done, &run);
        size_t page = BLOCK_PAGE - address % BLOCK_PAGE;
        prp_add(command, list, list_physical, count, address);
        if (page > length - done)
            page = length - done;
        done += page;
    }
    /* What is left of the last sector stays in the PRPs; the command's length leaves it out. */
    return done < length ? done & ~(((size_t)1 << sector_log) - 1) : done;
}

void nvme_transfer_fill(struct nvme_command *command, const struct block_request *request, size_t length,
                        uint32_t namespace)
{
    uint64_t lba = block_request_lba(request);
    command->namespace = namespace;
    if (request->kind == BLOCK_FLUSH) {
        command->opcode = NVME_FLUSH;
        return;
    }
    command->opcode = request->kind == BLOCK_WRITE ? NVME_WRITE : NVME_READ;
    command->words[0] = lba;
    command->words[1] = lba >> 32;
    command->words[2] = (uint32_t)((length >> request->unit->sector_log) - 1) | (request->fua ? NVME_FUA : 0);
}

error_t nvme_status_error(uint32_t status)
{
    return NVME_STATUS_FINAL(status) ? ENXIO : EIO;
}
