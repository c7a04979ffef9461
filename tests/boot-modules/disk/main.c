/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Boot module: stands in ext2fs's place behind rumpdisk and asks of it what a file system asks, and what none should.
   Sector N of the test's disk begins with N and repeats it, 8 bytes each (tests/boot-modules/disk/run makes it).  The
   word `bad=N` tells that sector N cannot be read or written, `big' that the disk has 3 TiB and nothing on it.  Prints
   failed checks and `N passed, N failed`, then reboots.  Marks (bench/mark.h) stand around single requests. */

#include <device/device.h>
#include <errno.h>
#include <hurd/fsys.h>
#include <mach.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../../bench/mark.h"
#include "../../../lib/machdev/range.h"

#define SECTOR 512u
#define DEVICE_SYNC (('d' << 8) | 118)
#define DEVICE_SIZE (('d' << 8) | 119)
#define WRITE_THROUGH 0x1000
#define AREA 50000u /* where the test writes: 32768 sectors from here */

static mach_port_t boot, disk;
static uint64_t bad = UINT64_MAX;
static unsigned int passed, failed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the two counts */

static void check(bool good, int line, const char *what)
{
    pthread_mutex_lock(&lock);
    if (good)
        passed++;
    else
        failed++;
    pthread_mutex_unlock(&lock);
    if (!good)
        printf("disk: line %d: failed: %s\n", line, what);
}
#define CHECK(COND) check(COND, __LINE__, #COND)

static void pattern_fill(char *data, uint64_t sector, size_t length, uint64_t salt)
{
    for (size_t i = 0; i < length; i += 8) {
        uint64_t value = sector + i / SECTOR + salt;
        memcpy(data + i, &value, 8);
    }
}

static bool pattern_check(const char *data, uint64_t sector, size_t length, uint64_t salt)
{
    for (size_t i = 0; i + 8 <= length; i += 8) {
        uint64_t value;
        memcpy(&value, data + i, 8);
        if (value != sector + i / SECTOR + salt)
            return false;
    }
    return true;
}

static bool hits_bad(uint64_t sector, size_t length)
{
    return bad >= sector && bad < sector + (length + SECTOR - 1) / SECTOR;
}

/* Reads, checks the contents, and gives the error; a bad sector must be one. */
static kern_return_t read_checked(uint64_t sector, int length, size_t expected, uint64_t salt, int line)
{
    io_buf_ptr_t data = NULL;
    mach_msg_type_number_t count = 0;
    kern_return_t err = device_read(disk, 0, sector, length, &data, &count);
    if (hits_bad(sector, length))
        check(err == D_IO_ERROR, line, "a bad sector is an error");
    else
        check(err == 0 && count == expected && pattern_check((char *)data, sector, count, salt), line, "what is read");
    if (!err && count > 0)
        vm_deallocate(mach_task_self(), (vm_address_t)data, count);
    return err;
}
#define READ(SECTOR_, LENGTH, EXPECTED) read_checked(SECTOR_, LENGTH, EXPECTED, 0, __LINE__)

static void test_open(void)
{
    mach_port_t port;
    static const char *const none[] = {"wd9",     "wd00",   "wd",
                                       "wd-1",    "wd0x",   "wd0s1",
                                       "wd0s",    "wd0s01", "wd0s99999999999",
                                       "wd0s1s1", "cd9",    "hd0",
                                       ""};
    for (unsigned int i = 0; i < sizeof none / sizeof *none; i++)
        CHECK(device_open(boot, D_READ, (char *)none[i], &port) == D_NO_SUCH_DEVICE);
    char full[128];
    memset(full, 'w', sizeof full);
    CHECK(device_open(boot, D_READ, full, &port) == D_NO_SUCH_DEVICE);
    CHECK(device_open(boot, D_READ, (char *)"time", &port) == 0); /* the kernel's */
    CHECK(device_open(boot, D_READ | D_WRITE, (char *)"wd0", &disk) == 0);
}

static uint64_t test_status(void)
{
    int status[DEV_STATUS_MAX];
    mach_msg_type_number_t count = 2;
    CHECK(device_get_status(disk, DEV_GET_RECORDS, status, &count) == 0 && count == 2 && status[1] == SECTOR);
    uint64_t records = (unsigned int)status[0];
    count = 2;
    CHECK(device_get_status(disk, DEV_GET_SIZE, status, &count) == 0 && (uint64_t)status[0] == records * SECTOR);
    count = 1;
    CHECK(device_get_status(disk, DEV_GET_SIZE, status, &count) != 0);
    CHECK(device_get_status(disk, 4711, status, &count) == D_INVALID_OPERATION);
    count = 4;
    CHECK(device_get_status(disk, DEVICE_SIZE, status, &count) == 0 && count == 4 &&
          (uint64_t)(unsigned int)status[0] == records && status[1] == 0 && status[2] == SECTOR);
    CHECK(device_set_status(disk, DEVICE_SYNC, status, 0) == 0);
    CHECK(device_set_status(disk, 4711, status, 0) == D_INVALID_OPERATION);
    return records;
}

static void test_reads(uint64_t records)
{
    io_buf_ptr_t data = NULL;
    mach_msg_type_number_t count = 0;
    static const int lengths[] = {1, 512, 513, 4096, 5000, 65536, 1048576, 4194304, 8388608};
    for (unsigned int i = 0; i < sizeof lengths / sizeof *lengths; i++)
        READ(i * 7, lengths[i], lengths[i]);
    READ(records - 4, 8192, 2048); /* cut at the end */
    CHECK(device_read(disk, 0, 3, 0, &data, &count) == 0 && count == 0);
    CHECK(device_read(disk, 0, records, 512, &data, &count) == D_INVALID_RECNUM);
    CHECK(device_read(disk, 0, (recnum_t)-1, 512, &data, &count) == D_INVALID_RECNUM);
    CHECK(device_read(disk, 0, 0, -512, &data, &count) == D_INVALID_SIZE);
    /* Behind the data of a short read the page is clean. */
    CHECK(device_read(disk, 0, 9, 512, &data, &count) == 0 && count == 512);
    bool clean = true;
    for (unsigned int i = 512; i < vm_page_size; i++)
        clean = clean && data[i] == 0;
    CHECK(clean);
    io_buf_ptr_inband_t small;
    count = sizeof small;
    CHECK(device_read_inband(disk, 0, 9, 100, small, &count) == 0 && count == 100 && pattern_check(small, 9, 96, 0));
}

static void test_writes(uint64_t records)
{
    int written;
    mach_port_t reader;
    const size_t size = 1 << 20;
    char *data = malloc(size + 4096);
    CHECK(device_write(disk, 0, AREA, data, 100, &written) == D_INVALID_SIZE);
    CHECK(device_write(disk, 0, records - 1, data, 1024, &written) == D_INVALID_SIZE);
    CHECK(device_write(disk, 0, records, data, 512, &written) == D_INVALID_RECNUM);
    CHECK(device_open(boot, D_READ, (char *)"wd0", &reader) == 0);
    CHECK(device_write(reader, 0, AREA, data, 512, &written) == D_READ_ONLY);
    mach_port_deallocate(mach_task_self(), reader);
    for (unsigned int shift = 0; shift < 4; shift++) { /* even and odd addresses */
        for (size_t length = 512; length <= size; length *= 8) {
            pattern_fill(data + shift, AREA, length, shift + length);
            kern_return_t err = device_write(disk, shift % 2 ? WRITE_THROUGH : 0, AREA, data + shift, length, &written);
            if (hits_bad(AREA, length)) {
                CHECK(err == D_IO_ERROR);
                continue;
            }
            CHECK(err == 0 && (size_t)written == length);
            memset(data + shift, 0, length); /* what was sent is no more the disk's business */
            read_checked(AREA, length, length, shift + length, __LINE__);
        }
    }
    free(data);
}

/* Memory whose pager is gone: the write fails, rumpdisk lives. */
static void test_lost_memory(void)
{
    static const size_t lengths[] = {512, 4096, 65536};
    int written;
    for (unsigned int i = 0; i < 3; i++) {
        mach_port_t object;
        vm_address_t address = 0;
        mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &object);
        mach_port_insert_right(mach_task_self(), object, object, MACH_MSG_TYPE_MAKE_SEND);
        CHECK(vm_map(mach_task_self(), &address, 65536, 0, TRUE, object, 0, FALSE, VM_PROT_ALL, VM_PROT_ALL,
                     VM_INHERIT_NONE) == 0);
        mach_port_mod_refs(mach_task_self(), object, MACH_PORT_RIGHT_RECEIVE, -1);
        mach_port_deallocate(mach_task_self(), object);
        CHECK(device_write(disk, 0, AREA, (char *)address, lengths[i], &written) != 0);
        vm_deallocate(mach_task_self(), address, 65536);
    }
}

/* 3 TiB: sectors that need 33 bits, and a transfer across that border. */
static void test_big(void)
{
    const uint64_t records = 3ull << 31, border = 1ull << 32, places[] = {border - 8, border, 5ull << 30, records - 16};
    int status[DEV_STATUS_MAX], written;
    mach_msg_type_number_t count = 4;
    char *data = malloc(8192);
    CHECK(device_get_status(disk, DEVICE_SIZE, status, &count) == 0 && count == 4
          && ((uint64_t)status[1] << 32 | (unsigned int)status[0]) == records);
    count = 2;
    CHECK(device_get_status(disk, DEV_GET_RECORDS, status, &count) == 0 && status[0] == 0);
    for (unsigned int i = 0; i < 4; i++) {
        pattern_fill(data, places[i], 8192, i);
        CHECK(device_write(disk, 0, places[i], data, 8192, &written) == 0 && written == 8192);
        if (places[i] != border - 8)
            read_checked(places[i], 8192, 8192, i, __LINE__);
    }
    read_checked(border, 8192, 8192, 1, __LINE__);
    read_checked(border - 8, 4096, 4096, 0, __LINE__);
    CHECK(device_write(disk, 0, records - 8, data, 8192, &written) == D_INVALID_SIZE);
    memset(data, 0, 8192);
    read_checked(0, 512, 512, 0, __LINE__); /* nothing has wrapped around */
    free(data);
}

#define THREADS 8u
#define ROUNDS 50u

static void *parallel(void *arg)
{
    uint64_t id = (uintptr_t)arg;
    char *data = malloc(8192);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t sector = AREA + 4096 + id * 256 + i % 10 * 16;
        int written = 0;
        pattern_fill(data, sector, 8192, id * 1000 + i);
        kern_return_t err = device_write(disk, 0, sector, data, 8192, &written);
        CHECK(hits_bad(sector, 8192) ? err == D_IO_ERROR : err == 0 && written == 8192);
        read_checked(sector, 8192, 8192, id * 1000 + i, __LINE__);
    }
    free(data);
    return NULL;
}

static void *forever(void *arg)
{
    for (;;)
        sleep(3600);
    return arg;
}

/* glibc counts one thread too few in a task without process: the last other one must not end (it would exit). */
static void test_parallel(void)
{
    pthread_t threads[THREADS], rest;
    pthread_create(&rest, NULL, forever, NULL);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, parallel, (void *)i);
    for (unsigned int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* Marks 1/2: read of 4 KiB, 3/4: of 64 KiB, 5/6: of 1 MiB, 7/8, 9/10, 11/12: writes of the same; 8 rounds each, the
   caches warm. */
#define MEASURE(BEGIN, END, CALL)                       \
    for (unsigned int round = 0; round < 8; round++) {  \
        MARK(BEGIN);                                    \
        CALL;                                           \
        MARK(END);                                      \
    }

static void read_plain(int length)
{
    io_buf_ptr_t data;
    mach_msg_type_number_t count;
    if (!device_read(disk, 0, AREA, length, &data, &count))
        vm_deallocate(mach_task_self(), (vm_address_t)data, count);
}

static void measure(void)
{
    int written;
    void *data = NULL;
    vm_allocate(mach_task_self(), (vm_address_t *)&data, 1 << 20, TRUE);
    memset(data, 1, 1 << 20);
    MEASURE(1, 2, read_plain(4096))
    MEASURE(3, 4, read_plain(65536))
    MEASURE(5, 6, read_plain(1 << 20))
    MEASURE(7, 8, device_write(disk, 0, AREA, data, 4096, &written))
    MEASURE(9, 10, device_write(disk, 0, AREA, data, 65536, &written))
    MEASURE(11, 12, device_write(disk, 0, AREA, data, 1 << 20, &written))
}

/* The control port that the file system would bring: any port will do. */
static void test_boot(mach_port_t *host_priv)
{
    mach_port_t master, task, control, node = MACH_PORT_DEAD;
    CHECK(fsys_getpriv(boot, host_priv, &master, &task) == 0 && task != mach_task_self());
    CHECK(fsys_startup(boot, 0, MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND, &node) != 0);
    mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &control);
    CHECK(fsys_startup(boot, 0, control, MACH_MSG_TYPE_MAKE_SEND, &node) == 0 && node == MACH_PORT_NULL);
}

static void test_ordinary(void)
{
    uint64_t records = test_status();
    test_reads(records);
    test_writes(records);
    test_lost_memory();
    test_parallel();
    if (bad == UINT64_MAX)
        measure();
}

int main(int argc, char **argv)
{
    mach_port_t console, host_priv = MACH_PORT_NULL;
    bool big = false;
    for (int i = 1; i < argc; i++) {
        big = big || strcmp(argv[i], "big") == 0;
        if (strncmp(argv[i], "bad=", 4) == 0)
            bad = strtoull(argv[i] + 4, NULL, 0);
    }
    task_get_bootstrap_port(mach_task_self(), &boot);
    if (boot == MACH_PORT_NULL || device_open(boot, D_READ | D_WRITE, (char *)"console", &console))
        for (;;)
            sleep(3600);
    stdout = stderr = mach_open_devstream(console, "w");
    setvbuf(stdout, NULL, _IOLBF, 256);
    test_open();
    if (big)
        test_big();
    else
        test_ordinary();
    test_boot(&host_priv);
    printf("%u passed, %u failed\n", passed, failed);
    host_reboot(host_priv, 0);
    for (;;)
        sleep(3600);
}
