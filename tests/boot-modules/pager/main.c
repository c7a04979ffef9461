/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A boot module that tries lib/pager on the kernel it was booted on: a file of 16 MiB that is in memory here, read and written through
   windows and through a mapping, synced, discarded, uncached; and what reading and writing cost (under -icount, rdtsc counts
   instructions).  Prints `N passed, N failed`.  */

#include <device/device.h>
#include <errno.h>
#include <mach.h>
#include <pager/pager.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE ((uint64_t)16 << 20)

static mach_port_t console;

/* What printf does when there is a standard output.  */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args), wrote;
    va_end(args);
    for (int done = 0; done < length; done += wrote)
        if (device_write_inband(console, 0, 0, line + done, (mach_msg_type_number_t)(length - done > 120 ? 120 : length - done), &wrote) || wrote <= 0)
            return;
}

static unsigned int passed, failed;
#define CHECK(C) ((C) ? (void)passed++ : (void)(failed++, say("line %d failed: %s\n", __LINE__, #C)))

static char *disk;
static uint64_t hole_from = SIZE;       /* zeros from here on */
static uint64_t bad = UINT64_MAX;       /* page that cannot be read */
static uint64_t full_from = SIZE;       /* no room for writes from here on */
static unsigned int fetches, writes, unlocks, acquired, released;
static uint64_t fetch_max;

static error_t fetch(void *hook, struct pager_fetch *f)
{
    (void)hook;
    fetches++;
    if (f->page == bad)
        return EIO;
    if (f->end > SIZE)
        f->end = SIZE;
    if (f->page >= SIZE)
        return EIO;
    if (f->start <= bad && bad < f->end && bad < f->page)
        f->start = f->page;
    if (f->start <= bad && bad < f->end)
        f->end = bad;
    if (f->page >= hole_from) {
        f->buffer = NULL;
        return 0;
    }
    if (f->end > hole_from)
        f->end = hole_from;
    if (f->end - f->start > fetch_max)
        fetch_max = f->end - f->start;
    f->buffer = mmap(NULL, f->end - f->start, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(f->buffer, disk + f->start, f->end - f->start);
    return 0;
}

static error_t put(void *hook, uint64_t offset, const void *data, size_t length)
{
    (void)hook;
    writes++;
    if (offset < SIZE)
        memcpy(disk + offset, data, offset + length > SIZE ? SIZE - offset : length);
    return 0;
}

static error_t unlock_pages(void *hook, uint64_t offset, size_t length, bool own)
{
    (void)hook, (void)length, (void)own;
    unlocks++;
    return offset >= full_from ? ENOSPC : 0;
}

static void acquire(void *hook) { (void)hook; acquired++; }
static void release(void *hook) { (void)hook; released++; }

static const struct pager_ops ops = { fetch, put, unlock_pages, acquire, release };

static uint64_t rdtsc(void)
{
    uint32_t a, d;
    __asm__ volatile("rdtsc" : "=a"(a), "=d"(d));
    return a | (uint64_t)d << 32;
}

static char pattern(uint64_t i)
{
    return (char)(i * 2654435761u >> 15);
}

static bool region_is(const char *p, uint64_t offset, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (p[i] != pattern(offset + i))
            return false;
    return true;
}

int main(int argc, char **argv)
{
    mach_port_t device = 2;
    for (int i = 1; i < argc; i++)
        sscanf(argv[i], "--device-master-port=%u", &device);
    device_open(device, D_READ | D_WRITE, "console", &console);
    struct pager *p;
    char *buffer = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    disk = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (uint64_t i = 0; i < SIZE; i++)
        disk[i] = pattern(i);
    memset(buffer, 1, 1 << 20);
    CHECK(pager_init() == 0);
    CHECK(pager_create(&ops, disk, &p) == 0);

    /* Reading in order: cold, then with the pages there.  */
    for (int round = 0; round < 3; round++) {
        uint64_t t = rdtsc();
        bool same = true;
        for (uint64_t at = 0; at < SIZE; at += 65536) {
            CHECK(pager_read(p, at, buffer, 65536, SIZE) == 0);
            if (round == 0)
                same &= region_is(buffer, at, 65536);
        }
        t = rdtsc() - t;
        CHECK(same);
        say("read %s: %llu.%02llu instructions a byte, %u fetches so far, largest %llu\n", round ? "cached" : "cold (with a check)",
               (unsigned long long)(t / SIZE), (unsigned long long)(t * 100 / SIZE % 100), fetches, (unsigned long long)fetch_max);
    }
    CHECK(acquired == 1 && released == 0);

    /* A mapping sees what is written and the other way round.  */
    mach_port_t object = pager_object(p);
    vm_address_t map = 0;
    CHECK(vm_map(mach_task_self(), &map, SIZE, 0, 1, object, 0, 0, VM_PROT_READ | VM_PROT_WRITE, VM_PROT_READ | VM_PROT_WRITE,
                 VM_INHERIT_NONE) == 0);
    mach_port_deallocate(mach_task_self(), object);
    char *m = (char *)map;
    CHECK(region_is(m + 100000, 100000, 10000));
    CHECK(pager_write(p, 200000, "window", 6, SIZE) == 0);
    CHECK(!memcmp(m + 200000, "window", 6));
    memcpy(m + 300000, "mapping", 7);
    CHECK(pager_read(p, 300000, buffer, 7, SIZE) == 0 && !memcmp(buffer, "mapping", 7));
    CHECK(memcmp(disk + 200000, "window", 6) && memcmp(disk + 300000, "mapping", 7));
    CHECK(pager_sync(p, 0, SIZE, true) == 0);
    CHECK(!memcmp(disk + 200000, "window", 6) && !memcmp(disk + 300000, "mapping", 7));
    unsigned int writes_before = writes;
    CHECK(pager_sync(p, 0, SIZE, true) == 0);
    CHECK(writes == writes_before);

    /* Writing in order over what is there, and syncing.  */
    for (int round = 0; round < 2; round++) {
        uint64_t t = rdtsc();
        unsigned int u = unlocks, w = writes;
        for (uint64_t at = 0; at < SIZE; at += 65536)
            CHECK(pager_write(p, at, buffer, 65536, SIZE) == 0);
        t = rdtsc() - t;
        say("write: %llu.%02llu instructions a byte, %u unlocks\n", (unsigned long long)(t / SIZE), (unsigned long long)(t * 100 / SIZE % 100), unlocks - u);
        t = rdtsc();
        CHECK(pager_sync(p, 0, SIZE, true) == 0);
        t = rdtsc() - t;
        say("sync: %llu.%02llu instructions a byte, %u writes\n", (unsigned long long)(t / SIZE), (unsigned long long)(t * 100 / SIZE % 100), writes - w);
    }
    CHECK(!memcmp(disk + 1234567, buffer + 1234567 % 65536, 100));

    /* Discarding: the disk's contents come back.  */
    CHECK(pager_write(p, 4096, "gone", 4, SIZE) == 0);
    pager_discard(p, 0, 65536);
    CHECK(pager_read(p, 4096, buffer + 70000, 4, SIZE) == 0 && memcmp(buffer + 70000, "gone", 4));

    /* Errors: of the server's own access, and of a mapping's. */
    pager_discard(p, 0, SIZE);
    bad = 81920;
    CHECK(pager_read(p, 65536, buffer, 65536, SIZE) == EIO);
    CHECK(pager_read(p, 65536, buffer, 16384, SIZE) == 0);
    CHECK(pager_read(p, 86016, buffer, 16384, SIZE) == 0);
    bad = UINT64_MAX;
    CHECK(pager_read(p, 65536, buffer, 65536, SIZE) == 0);
    CHECK(!memcmp(buffer, disk + 65536, 65536));

    /* Memory of a client that cannot be touched.  */
    char *gone = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(gone + 8192, 65536 - 8192);
    CHECK(pager_write(p, 0, gone, 65536, SIZE) == EFAULT);
    CHECK(ports_copy_guarded(buffer, gone + 8192, 3) == EFAULT);
    CHECK(ports_copy_guarded(buffer, "0123456789abcde", 13) == 0 && !memcmp(buffer, "0123456789abc", 13));

    /* Holes, and no room for them.  */
    pager_discard(p, 0, SIZE);
    hole_from = SIZE / 2;
    full_from = SIZE / 4 * 3;
    CHECK(pager_read(p, SIZE / 2, buffer, 8192, SIZE) == 0 && buffer[0] == 0 && buffer[8191] == 0);
    CHECK(pager_write(p, SIZE / 2 + 100, "hole", 4, SIZE) == 0);
    CHECK(!memcmp(m + SIZE / 2 + 100, "hole", 4));
    CHECK(pager_write(p, full_from + 4096, "full", 4, SIZE) == ENOSPC);
    CHECK(m[full_from + 4096] == 0);
    CHECK(pager_write(p, full_from + 4096, "full", 4, SIZE) == ENOSPC);
    uint64_t t = rdtsc();
    CHECK(pager_write(p, SIZE / 2 + 65536, buffer, 65536, SIZE) == 0);
    t = rdtsc() - t;
    say("write into a hole: %llu instructions for 64 KiB\n", (unsigned long long)t);

    /* The end.  */
    vm_deallocate(mach_task_self(), map, SIZE);
    CHECK(pager_uncache(p));
    for (int i = 0; i < 100 && released == 0; i++)
        usleep(10000);
    CHECK(acquired == 1 && released == 1);
    CHECK(!memcmp(disk + SIZE / 2 + 100, "hole", 4));
    CHECK(!pager_is_active(p));
    CHECK(pager_read(p, 0, buffer, 10, SIZE) == 0);
    CHECK(acquired == 2);
    CHECK(pager_uncache(p));
    for (int i = 0; i < 100 && released == 1; i++)
        usleep(10000);
    CHECK(released == 2);
    pager_destroy(p);

    /* What a small file costs from beginning to end.  */
    t = rdtsc();
    for (int i = 0; i < 20; i++) {
        unsigned int r = released;
        CHECK(pager_create(&ops, disk, &p) == 0);
        CHECK(pager_write(p, 0, "small", 5, 5) == 0);
        pager_discard(p, 0, 4096);
        (void)pager_uncache(p);            /* an object without pages is not kept at all */
        while (released == r)
            swtch_pri(0);
        pager_destroy(p);
    }
    t = rdtsc() - t;
    say("create, write, discard, forget: %llu instructions\n", (unsigned long long)(t / 20));
    say("%u passed, %u failed\n", passed, failed);
    for (;;)
        sleep(1000);
}
