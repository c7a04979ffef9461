/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers and structures in memory of an NVMe controller (NVM Express 1.4, chapters 3, 4, 5, 6): byte offsets into
   memory region 0. */

#ifndef RUMPDISK_NVME_REGS_H
#define RUMPDISK_NVME_REGS_H

#include <stdint.h>

/* Controller registers (3.1). */
#define NVME_CAP 0x00 /* 64 bits */
#define NVME_CAP_ENTRIES(CAP) (((CAP) & 0xffff) + 1)
#define NVME_CAP_TIMEOUT_MS(CAP) ((unsigned int)((CAP) >> 24 & 0xff) * 500)
#define NVME_CAP_STRIDE(CAP) ((CAP) >> 32 & 15)
#define NVME_CAP_CSS_NVM(CAP) ((CAP) >> 37 & 1)
#define NVME_CAP_PAGE_MIN(CAP) ((CAP) >> 48 & 15)
#define NVME_INTMS 0x0c
#define NVME_INTMC 0x10
#define NVME_CC 0x14
#define NVME_CC_ENABLE 1u
#define NVME_CC_SIZES (6u << 16 | 4u << 20) /* entries of 64 and 16 bytes; pages of 4096, NVM commands, round robin */
#define NVME_CSTS 0x1c
#define NVME_CSTS_READY 1u
#define NVME_CSTS_FATAL 2u
#define NVME_AQA 0x24
#define NVME_ASQ 0x28
#define NVME_ACQ 0x30
#define NVME_DOORBELLS 0x1000u
#define NVME_REGISTERS_MIN 0x2000u

/* Admin commands (5) and NVM commands (6). */
#define NVME_ADMIN_CREATE_SQ 0x01
#define NVME_ADMIN_CREATE_CQ 0x05
#define NVME_ADMIN_IDENTIFY 0x06
#define NVME_ADMIN_ABORT 0x08
#define NVME_ADMIN_SET_FEATURES 0x09
#define NVME_FEATURE_QUEUES 0x07
#define NVME_IDENTIFY_NAMESPACE 0
#define NVME_IDENTIFY_CONTROLLER 1
#define NVME_IDENTIFY_LIST 2
#define NVME_FLUSH 0x00
#define NVME_WRITE 0x01
#define NVME_READ 0x02
#define NVME_FUA (1u << 30) /* of word 12 */

/* A submission queue entry (4.2): the words that are used. */
struct nvme_command {
    uint32_t opcode;    /* and the command's identifier in the upper half */
    uint32_t namespace;
    uint32_t reserved[2];
    uint64_t metadata;
    uint64_t prp1, prp2;
    uint32_t words[6];  /* 10 to 15 */
};
_Static_assert(sizeof(struct nvme_command) == 64, "NVMe 4.2");

/* A completion queue entry (4.6). */
struct nvme_completion {
    uint32_t result;
    uint32_t reserved;
    uint32_t queue;  /* head of the submission queue, its number above */
    uint32_t status; /* identifier, phase, status */
};
_Static_assert(sizeof(struct nvme_completion) == 16, "NVMe 4.6");
#define NVME_STATUS_ID(STATUS) ((STATUS) & 0xffff)
#define NVME_STATUS_PHASE(STATUS) ((STATUS) >> 16 & 1)
#define NVME_STATUS_CODE(STATUS) ((STATUS) >> 17 & 0x7ff) /* and its type in the upper 3 bits */
#define NVME_STATUS_FINAL(STATUS) ((STATUS) >> 31)        /* do not retry */

#endif
