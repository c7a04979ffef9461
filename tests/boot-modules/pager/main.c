/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Boot module: lib/pager on a running Mach, its only task: a file of 16 MiB in memory (file.c), read and written
   through windows and through a mapping, synced, discarded, uncached; and what reading and writing cost.  Prints failed
   checks, figures and `N passed, N failed`.  */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../module.h"
#include "file.h"

#define CHUNK 65536u

static struct file file;
static struct pager *pager;
static char *buffer; /* 1 MiB */
static char *mapping; /* the whole file */

/* SPENT stamps over the whole file, as hundredths a byte. */
static void cost_say(const char *what, unsigned long spent)
{
    say("%s: %lu.%02lu instructions a byte\n", what, spent / FILE_SIZE, spent * 100 / FILE_SIZE % 100);
}

static void check_reading_in_order(void)
{
    for (int round = 0; round < 3; round++) {
        unsigned long start = stamp();
        bool same = true;
        for (uint64_t at = 0; at < FILE_SIZE; at += CHUNK) {
            CHECK(pager_read(pager, at, buffer, CHUNK, FILE_SIZE) == 0);
            if (round == 0)
                same &= file_is_pattern(buffer, at, CHUNK);
        }
        cost_say(round ? "read cached" : "read cold (with a check)", stamp() - start);
        CHECK(same);
    }
    say("%u fetches, the largest of %lu bytes\n", file.fetches, file.fetch_max);
    CHECK(file.acquired == 1 && file.released == 0);
}

/* A mapping sees what is written, and the other way round; the file sees both when they are synced. */
static void check_mapping(void)
{
    mach_port_t object = pager_object(pager);
    vm_address_t map = 0;
    CHECK(vm_map(mach_task_self(), &map, FILE_SIZE, 0, 1, object, 0, 0, VM_PROT_READ | VM_PROT_WRITE,
                 VM_PROT_READ | VM_PROT_WRITE, VM_INHERIT_NONE) == 0);
    mach_port_deallocate(mach_task_self(), object);
    mapping = (char *)map;
    CHECK(file_is_pattern(mapping + 100000, 100000, 10000));
    CHECK(pager_write(pager, 200000, "window", 6, FILE_SIZE) == 0);
    CHECK(!memcmp(mapping + 200000, "window", 6));
    memcpy(mapping + 300000, "mapping", 7);
    CHECK(pager_read(pager, 300000, buffer, 7, FILE_SIZE) == 0 && !memcmp(buffer, "mapping", 7));
    CHECK(memcmp(file.data + 200000, "window", 6) && memcmp(file.data + 300000, "mapping", 7));
    CHECK(pager_sync(pager, 0, FILE_SIZE, true) == 0);
    CHECK(!memcmp(file.data + 200000, "window", 6) && !memcmp(file.data + 300000, "mapping", 7));
    unsigned int writes = file.writes;
    CHECK(pager_sync(pager, 0, FILE_SIZE, true) == 0);
    CHECK(file.writes == writes);
}

static void check_writing_in_order(void)
{
    for (int round = 0; round < 2; round++) {
        unsigned long start = stamp();
        for (uint64_t at = 0; at < FILE_SIZE; at += CHUNK)
            CHECK(pager_write(pager, at, buffer, CHUNK, FILE_SIZE) == 0);
        cost_say("write", stamp() - start);
        start = stamp();
        CHECK(pager_sync(pager, 0, FILE_SIZE, true) == 0);
        cost_say("sync", stamp() - start);
    }
    CHECK(!memcmp(file.data + 1234567, buffer + 1234567 % CHUNK, 100));
}

/* What is discarded is what the file has, again. */
static void check_discarding(void)
{
    CHECK(pager_write(pager, 4096, "gone", 4, FILE_SIZE) == 0);
    pager_discard(pager, 0, CHUNK);
    CHECK(pager_read(pager, 4096, buffer + 70000, 4, FILE_SIZE) == 0 && memcmp(buffer + 70000, "gone", 4));
}

/* The server's own access to a bad page fails, and nothing beside it. */
static void check_bad_page(void)
{
    pager_discard(pager, 0, FILE_SIZE);
    file.bad = 81920;
    CHECK(pager_read(pager, 65536, buffer, 65536, FILE_SIZE) == EIO);
    CHECK(pager_read(pager, 65536, buffer, 16384, FILE_SIZE) == 0);
    CHECK(pager_read(pager, 86016, buffer, 16384, FILE_SIZE) == 0);
    file.bad = UINT64_MAX;
    CHECK(pager_read(pager, 65536, buffer, 65536, FILE_SIZE) == 0);
    CHECK(!memcmp(buffer, file.data + 65536, 65536));
}

/* A client's memory that cannot be touched. */
static void check_missing_memory(void)
{
    char *gone = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(gone + 8192, 65536 - 8192);
    CHECK(pager_write(pager, 0, gone, 65536, FILE_SIZE) == EFAULT);
    CHECK(ports_copy_guarded(buffer, gone + 8192, 3) == EFAULT);
    CHECK(ports_copy_guarded(buffer, "0123456789abcde", 13) == 0 && !memcmp(buffer, "0123456789abc", 13));
    munmap(gone, 8192);
}

/* Holes read as zeros, are filled where there is room, and stay where there is none. */
static void check_holes(void)
{
    pager_discard(pager, 0, FILE_SIZE);
    file.hole_from = FILE_SIZE / 2;
    file.full_from = FILE_SIZE / 4 * 3;
    CHECK(pager_read(pager, FILE_SIZE / 2, buffer, 8192, FILE_SIZE) == 0 && buffer[0] == 0 && buffer[8191] == 0);
    CHECK(pager_write(pager, FILE_SIZE / 2 + 100, "hole", 4, FILE_SIZE) == 0);
    CHECK(!memcmp(mapping + FILE_SIZE / 2 + 100, "hole", 4));
    CHECK(pager_write(pager, file.full_from + 4096, "full", 4, FILE_SIZE) == ENOSPC);
    CHECK(mapping[file.full_from + 4096] == 0);
    CHECK(pager_write(pager, file.full_from + 4096, "full", 4, FILE_SIZE) == ENOSPC);
    unsigned long start = stamp();
    CHECK(pager_write(pager, FILE_SIZE / 2 + 65536, buffer, 65536, FILE_SIZE) == 0);
    say("write into a hole: %lu instructions for 64 KiB\n", stamp() - start);
}

/* Waits until the kernel has released the object COUNT times, ten seconds at most. */
static bool released(unsigned int count)
{
    for (int i = 0; i < 1000 && __atomic_load_n(&file.released, __ATOMIC_ACQUIRE) < count; i++)
        usleep(10000);
    return file.released == count;
}

/* With nobody using it, the object goes when it is uncached, what was written with it; and comes again. */
static void check_end(void)
{
    vm_deallocate(mach_task_self(), (vm_address_t)mapping, FILE_SIZE);
    CHECK(pager_uncache(pager));
    CHECK(released(1) && file.acquired == 1);
    CHECK(!memcmp(file.data + FILE_SIZE / 2 + 100, "hole", 4));
    CHECK(!pager_is_active(pager));
    CHECK(pager_read(pager, 0, buffer, 10, FILE_SIZE) == 0);
    CHECK(file.acquired == 2);
    CHECK(pager_uncache(pager));
    CHECK(released(2));
    pager_destroy(pager);
}

static void check_small_files(void)
{
    unsigned long start = stamp();
    for (int i = 0; i < 20; i++) {
        unsigned int before = file.released;
        CHECK(pager_create(&file_ops, &file, &pager) == 0);
        CHECK(pager_write(pager, 0, "small", 5, 5) == 0);
        pager_discard(pager, 0, 4096);
        (void)pager_uncache(pager); /* an object without pages is not kept at all */
        CHECK(released(before + 1));
        pager_destroy(pager);
    }
    say("create, write, discard, forget: %lu instructions\n", (stamp() - start) / 20);
}

int main(int argc, char **argv)
{
    module_begin(argc, argv);
    buffer = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(buffer, 1, 1 << 20);
    file_fill(&file);
    CHECK(pager_init() == 0);
    CHECK(pager_create(&file_ops, &file, &pager) == 0);
    check_reading_in_order();
    check_mapping();
    check_writing_in_order();
    check_discarding();
    check_bad_page();
    check_missing_memory();
    check_holes();
    check_end();
    check_small_files();
    module_end();
}
