/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An NVMe controller made of memory and a thread that looks at its registers: the part of NVM Express 1.4 that
   servers/rumpdisk/nvme*.c use, and a few ways to misbehave.  Rules of PRPs that are broken are counted in
   `complaints'. */

#ifndef FAKE_NVME_H
#define FAKE_NVME_H

#include "../block/fake_watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "../../../servers/rumpdisk/nvme.h"

#define FAKE_STRIDE 1u /* doorbells are 8 bytes apart */
#define FAKE_SECTORS 4096u

static struct {
    _Alignas(8) volatile uint32_t regs[0x2000 / 4];
    pthread_t thread;
    _Atomic bool stop;
    /* How it behaves. */
    _Atomic bool never_ready;     /* does not get enabled */
    _Atomic bool hold;            /* reads and writes stay where they are */
    _Atomic uint64_t held_lba;    /* those of this sector do */
    _Atomic bool abort_works;
    _Atomic unsigned int failures; /* so many reads and writes of fail_lba fail with */
    _Atomic uint32_t fail_status;
    _Atomic uint64_t fail_lba;
    /* What it has seen. */
    _Atomic unsigned int complaints, commands, flushes, fuas, aborts, enables;
    /* Its own. */
    bool ready;
    unsigned int admin_head, admin_tail, admin_phase, head, tail, phase;
    unsigned int sq_size, cq_size;
    uint64_t sq, cq;
    struct nvme_command held[256];
    unsigned int held_count;
    uint8_t disk[FAKE_SECTORS * 512];
} fake = {.held_lba = UINT64_MAX, .fail_lba = UINT64_MAX, .abort_works = true};

static void complete(uint64_t ring, unsigned int size, unsigned int *tail, unsigned int *phase, uint32_t opcode,
                     uint32_t status, uint32_t result)
{
    volatile struct nvme_completion *entry = (struct nvme_completion *)fake_ram_at(ring, size * 16) + *tail;
    entry->result = result;
    entry->queue = 0;
    __asm__ volatile("" : : : "memory");
    entry->status = opcode >> 16 | *phase << 16 | status << 17;
    if (++*tail == size) {
        *tail = 0;
        *phase ^= 1;
    }
}

/* Moves LENGTH bytes between the disk and what COMMAND's PRPs name. */
static void transfer(const struct nvme_command *command, uint8_t *disk, size_t length, bool write)
{
    uint64_t page = command->prp1;
    const uint64_t *list = NULL;
    for (size_t done = 0, index = 0; done < length; index++) {
        size_t run = 4096 - page % 4096;
        if (run > length - done)
            run = length - done;
        uint8_t *memory = fake_ram_at(page, run);
        if (!memory || page % 4 || (index > 0 && page % 4096)) {
            fake.complaints++;
            return;
        }
        write ? memcpy(disk + done, memory, run) : memcpy(memory, disk + done, run);
        done += run;
        if (done >= length)
            return;
        if (index == 0 && length - done > 4096) {
            list = (const uint64_t *)fake_ram_at(command->prp2, 4096);
            if (!list || command->prp2 % 8) {
                fake.complaints++;
                return;
            }
        }
        page = list ? list[index] : command->prp2;
    }
}

static void identify_fill(uint8_t *data, const struct nvme_command *command)
{
    memset(data, 0, 4096);
    if (command->words[0] == NVME_IDENTIFY_CONTROLLER) {
        memcpy(data + 24, "Fake NVMe disk                          ", 40);
        data[77] = 5; /* 128 KiB */
        data[258] = 3;
        data[516] = 9;
        data[525] = 1;
    } else if (command->words[0] == NVME_IDENTIFY_LIST) {
        memcpy(data, (uint32_t[]){1, 4, 7, 9, 0}, 20);
    } else {
        uint64_t sectors = command->namespace == 4 ? FAKE_SECTORS / 8 : command->namespace == 9 ? 0 : FAKE_SECTORS;
        memcpy(data, &sectors, 8);
        data[26] = 1; /* the second format */
        data[99] = command->namespace == 4;
        data[128 + 4 + 2] = command->namespace == 4 ? 12 : 9;
        data[128 + 4] = command->namespace == 7 ? 8 : 0; /* metadata */
    }
}

static void abort_do(const struct nvme_command *command)
{
    fake.aborts++;
    for (unsigned int i = 0; fake.abort_works && i < fake.held_count; i++)
        if (fake.held[i].opcode >> 16 == command->words[0] >> 16) {
            complete(fake.cq, fake.cq_size, &fake.tail, &fake.phase, fake.held[i].opcode, 7, 0);
            fake.held[i] = fake.held[--fake.held_count];
            return;
        }
}

static void admin_do(const struct nvme_command *command)
{
    switch (command->opcode & 0xff) {
    case NVME_ADMIN_IDENTIFY:
        identify_fill(fake_ram_at(command->prp1, 4096), command);
        break;
    case NVME_ADMIN_CREATE_CQ:
        fake.cq = command->prp1;
        fake.cq_size = (command->words[0] >> 16) + 1;
        fake.tail = 0;
        fake.phase = 1;
        break;
    case NVME_ADMIN_CREATE_SQ:
        fake.sq = command->prp1;
        fake.sq_size = (command->words[0] >> 16) + 1;
        fake.head = 0;
        break;
    case NVME_ADMIN_ABORT:
        abort_do(command);
        break;
    }
    complete((uint64_t)fake.regs[NVME_ACQ / 4] | (uint64_t)fake.regs[NVME_ACQ / 4 + 1] << 32,
             (fake.regs[NVME_AQA / 4] >> 16) + 1, &fake.admin_tail, &fake.admin_phase, command->opcode, 0, 0);
}

static void io_finish(const struct nvme_command *command)
{
    unsigned int opcode = command->opcode & 0xff, log = command->namespace == 4 ? 12 : 9;
    uint64_t lba = command->words[0] | (uint64_t)command->words[1] << 32;
    size_t length = (size_t)((command->words[2] & 0xffff) + 1) << log;
    uint32_t status = 0;
    if (opcode == NVME_FLUSH) {
        fake.flushes++;
    } else if (lba == fake.fail_lba && fake.failures > 0) {
        fake.failures--;
        status = fake.fail_status;
    } else if (lba << log > sizeof fake.disk || length > sizeof fake.disk - (lba << log) || length > 128 << 10) {
        fake.complaints++;
        status = 0x80;
    } else {
        fake.fuas += command->words[2] >> 30 & 1;
        transfer(command, fake.disk + (lba << log), length, opcode == NVME_WRITE);
    }
    complete(fake.cq, fake.cq_size, &fake.tail, &fake.phase, command->opcode, status, 0);
}

static void io_do(const struct nvme_command *command)
{
    fake.commands++;
    if ((command->opcode & 0xff) != NVME_FLUSH && (fake.hold || command->words[0] == fake.held_lba))
        fake.held[fake.held_count++ % 256] = *command;
    else
        io_finish(command);
}

static void ring_look(uint64_t ring, unsigned int size, unsigned int *head, unsigned int doorbell,
                      void (*handle)(const struct nvme_command *))
{
    unsigned int tail = fake.regs[(NVME_DOORBELLS + doorbell * (4u << FAKE_STRIDE)) / 4];
    __asm__ volatile("" : : : "memory");
    while (size > 0 && *head != tail && tail < size) {
        struct nvme_command command = ((struct nvme_command *)fake_ram_at(ring, size * 64))[*head];
        *head = (*head + 1) % size;
        handle(&command);
    }
}

static void fake_look(void)
{
    bool enabled = fake.regs[NVME_CC / 4] & NVME_CC_ENABLE;
    if (enabled && !fake.ready && !fake.never_ready) {
        fake.enables++;
        fake.admin_head = fake.admin_tail = fake.head = fake.tail = fake.sq_size = fake.held_count = 0;
        fake.admin_phase = fake.phase = 1;
        for (unsigned int i = 0; i < 8; i++)
            fake.regs[NVME_DOORBELLS / 4 + i] = 0;
        fake.ready = true;
        __asm__ volatile("" : : : "memory");
        fake.regs[NVME_CSTS / 4] = NVME_CSTS_READY;
    } else if (!enabled && fake.ready) {
        fake.ready = false;
        fake.regs[NVME_CSTS / 4] = 0;
    }
    if (!fake.ready)
        return;
    ring_look((uint64_t)fake.regs[NVME_ASQ / 4] | (uint64_t)fake.regs[NVME_ASQ / 4 + 1] << 32,
              (fake.regs[NVME_AQA / 4] & 0xfff) + 1, &fake.admin_head, 0, admin_do);
    if (fake.sq_size > 0)
        ring_look(fake.sq, fake.sq_size, &fake.head, 2, io_do);
    if (!fake.hold && fake.held_lba == UINT64_MAX)
        while (fake.held_count > 0)
            io_finish(&fake.held[--fake.held_count]);
}

static void *fake_thread(void *arg)
{
    (void)arg;
    while (!fake.stop) {
        fake_look();
        usleep(20);
    }
    return NULL;
}

/* 256 entries, 1 s to get ready, NVM commands, pages of 4096. */
static void fake_start(void)
{
    fake.regs[NVME_CAP / 4] = 255 | 2 << 24;
    fake.regs[NVME_CAP / 4 + 1] = FAKE_STRIDE | 1 << 5;
    pthread_create(&fake.thread, NULL, fake_thread, NULL);
}

static void fake_end(void)
{
    fake.stop = true;
    pthread_join(fake.thread, NULL);
}

#endif
