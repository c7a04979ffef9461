/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of lib/store: names, partition tables made by sfdisk and by hand, damaged tables.  */
#include <store/partition.h>
#include <store/store.h>
#include <sys/wait.h>
#include <unistd.h>
#include "unit.h"

#define SECTOR 512u

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++, v >>= 8)
        p[i] = (uint8_t)v;
}

static void put64(uint8_t *p, uint64_t v)
{
    put32(p, (uint32_t)v);
    put32(p + 4, (uint32_t)(v >> 32));
}

static void mbr_entry(uint8_t *block, int i, uint8_t type, uint32_t start, uint32_t length)
{
    uint8_t *e = block + 446 + 16 * i;
    e[4] = type;
    put32(e + 8, start);
    put32(e + 12, length);
    block[510] = 0x55;
    block[511] = 0xaa;
}

static error_t image_read(void *hook, uint64_t block, uint32_t count, void *buffer)
{
    memcpy(buffer, (uint8_t *)hook + block * SECTOR, (size_t)count * SECTOR);
    return 0;
}

static uint8_t *image;
static struct partition_disk disk(uint64_t blocks)
{
    free(image);
    image = calloc(blocks, SECTOR);
    return (struct partition_disk){ blocks * SECTOR, SECTOR, image_read, image };
}

UNIT_TEST(mbr_with_logical_partitions)
{
    struct partition_disk d = disk(10000);
    struct partition_list list;
    const char *why;
    mbr_entry(image, 0, 0x83, 100, 900);
    mbr_entry(image, 1, 0x05, 1000, 5000);
    mbr_entry(image, 3, 0x82, 7000, 1000);
    mbr_entry(image + 1000 * SECTOR, 0, 0x83, 10, 500);
    mbr_entry(image + 1000 * SECTOR, 1, 0x05, 1000, 1000);
    mbr_entry(image + 2000 * SECTOR, 0, 0x83, 20, 600);
    CHECK_EQ(partition_list_read(&d, &list, &why), 0);
    CHECK_EQ(list.count, 5);
    CHECK_EQ(partition_list_lookup(&list, 1)->start, 100);
    CHECK_EQ(partition_list_lookup(&list, 4)->length, 1000);
    CHECK_EQ(partition_list_lookup(&list, 5)->start, 1010);
    CHECK_EQ(partition_list_lookup(&list, 6)->start, 2020);
    CHECK(!partition_list_lookup(&list, 3));
    partition_list_destroy(&list);
}

UNIT_TEST(mbr_chain_that_bites_its_tail)
{
    struct partition_disk d = disk(10000);
    struct partition_list list;
    const char *why;
    mbr_entry(image, 0, 0x0f, 1000, 5000);
    mbr_entry(image + 1000 * SECTOR, 0, 0x83, 10, 500);
    mbr_entry(image + 1000 * SECTOR, 1, 0x05, 1000, 1000);
    mbr_entry(image + 2000 * SECTOR, 0, 0x83, 10, 500);
    mbr_entry(image + 2000 * SECTOR, 1, 0x05, 1000, 1000);
    CHECK_EQ(partition_list_read(&d, &list, &why), 0);
    CHECK(list.count >= 3 && list.count < 2000);
    partition_list_destroy(&list);
}

UNIT_TEST(partitions_beyond_the_end_are_left_out)
{
    struct partition_disk d = disk(1000);
    struct partition_list list;
    const char *why;
    mbr_entry(image, 0, 0x83, 900, 101);
    mbr_entry(image, 1, 0x83, 0xffffffff, 0xffffffff);
    mbr_entry(image, 2, 0x83, 900, 100);
    CHECK_EQ(partition_list_read(&d, &list, &why), 0);
    CHECK_EQ(list.count, 1);
    CHECK_EQ(list.entries[0].number, 3);
    partition_list_destroy(&list);
}

UNIT_TEST(no_table)
{
    struct partition_disk d = disk(1000);
    struct partition_list list;
    const char *why;
    CHECK_EQ(partition_list_read(&d, &list, &why), ENXIO);
    CHECK_STR(why, "no partition table");
    d.size = 1024;
    CHECK_EQ(partition_list_read(&d, &list, &why), ENXIO);
}

/* ---- GPT --------------------------------------------------------------------------- */

static void gpt_header(uint64_t lba, uint64_t other, uint64_t array, uint32_t count, uint32_t size)
{
    uint8_t *h = image + lba * SECTOR;
    memset(h, 0, SECTOR);
    memcpy(h, "EFI PART", 8);
    put32(h + 8, 0x10000);
    put32(h + 12, 92);
    put64(h + 24, lba);
    put64(h + 32, other);
    put64(h + 72, array);
    put32(h + 80, count);
    put32(h + 84, size);
    put32(h + 88, partition_crc32(0, image + array * SECTOR, count * size));
    put32(h + 16, partition_crc32(0, h, 92));
}

static struct partition_disk gpt_make(void)
{
    struct partition_disk d = disk(4096);
    mbr_entry(image, 0, 0xee, 1, 4095);
    for (int copy = 0; copy < 2; copy++) {
        uint8_t *array = image + (copy ? 4063 : 2) * SECTOR;
        for (int i = 0; i < 3; i++) {
            memset(array + 128 * i * 2, 0x11, 16);
            put64(array + 128 * i * 2 + 32, 100 + 1000 * (uint64_t)i);
            put64(array + 128 * i * 2 + 40, 599 + 1000 * (uint64_t)i);
        }
        gpt_header(copy ? 4095 : 1, copy ? 1 : 4095, copy ? 4063 : 2, 128, 128);
    }
    return d;
}

UNIT_TEST(crc_is_the_usual_one)
{
    CHECK_EQ(partition_crc32(0, "123456789", 9), 0xcbf43926u);
}

UNIT_TEST(gpt_and_its_copy)
{
    struct partition_list list;
    const char *why;
    for (int round = 0; round < 4; round++) {
        struct partition_disk d = gpt_make();
        if (round == 1 || round == 3)
            image[1 * SECTOR + 40]++;                 /* first header */
        if (round == 2)
            image[2 * SECTOR + 32]++;                 /* first array */
        if (round == 3)
            image[4095 * SECTOR + 40]++;
        error_t err = partition_list_read(&d, &list, &why);
        CHECK_EQ(err, round == 3 ? EINVAL : 0);
        if (err) {
            CHECK_STR(why, "both copies of the GPT are damaged");
            continue;
        }
        CHECK_EQ(list.count, 3);
        CHECK_EQ(partition_list_lookup(&list, 3)->start, 1100);
        CHECK_EQ(partition_list_lookup(&list, 5)->length, 500);
        partition_list_destroy(&list);
    }
}

UNIT_TEST(any_bytes_are_survived)
{
    uint64_t seed = 1234567;
    for (int round = 0; round < 1000; round++) {
        struct partition_disk d = gpt_make();
        struct partition_list list;
        const char *why;
        for (int i = 0; i < 6; i++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            static const unsigned int where[] = { 0, 1, 2, 4063, 4095 };
            image[where[(seed >> 33) % 5] * SECTOR + (seed >> 40) % SECTOR] = (uint8_t)(seed >> 52);
        }
        if (round % 2)                                /* let damaged fields past the sum */
            put32(image + SECTOR + 16, 0), put32(image + SECTOR + 16, partition_crc32(0, image + SECTOR, 92));
        if (partition_list_read(&d, &list, &why) == 0) {
            for (unsigned int i = 0; i < list.count; i++)
                CHECK(list.entries[i].length && list.entries[i].start + list.entries[i].length <= 4096);
            partition_list_destroy(&list);
        }
    }
}

/* ---- names -------------------------------------------------------------------------------- */

static char *fails(const char *name, error_t wanted)
{
    struct store *store;
    char *why = NULL;
    error_t err = store_open(name, NULL, &store, &why);
    CHECK_EQ(err, wanted);
    if (!err)
        store_close(store);
    return why;
}

UNIT_TEST(names_that_are_none)
{
    static const struct { const char *name; error_t err; const char *why; } cases[] = {
        { "wd0", EINVAL, "wd0: not a typed store name (KIND:NAME)" },
        { "nothing:wd0", EINVAL, "nothing:wd0: unknown kind of store `nothing'" },
        { "part:x:zero:1M", EINVAL, "part:x:zero:1M: not part:NUMBER:STORE" },
        { "part:0:zero:1M", EINVAL, "part:0:zero:1M: not part:NUMBER:STORE" },
        { "part:1:zero:1M", ENXIO, "part:1:zero:1M: no partition table" },
        { "zero:", EINVAL, "zero:: not a size" },
        { "zero:12X", EINVAL, "zero:12X: not a size" },
        { "zero:99999999999999999999", EINVAL, "zero:99999999999999999999: not a size" },
        { "file:/does/not/exist", ENOENT, "file:/does/not/exist: No such file or directory" },
        { "part:2:part:1:zero:1M", ENXIO, "part:1:zero:1M: no partition table" },
    };
    for (unsigned int i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *why = fails(cases[i].name, cases[i].err);
        CHECK_STR(why, cases[i].why);
        free(why);
    }
}

UNIT_TEST(long_names)
{
    static char name[20000];
    for (unsigned int i = 0; i + 7 < sizeof name; i += 7)
        memcpy(name + i, "part:1:", 7);
    char *why = fails(name, EINVAL);
    CHECK_STR(why, "part:1:part:1:part:1:part:1:part:1:part:...: a store name of more than 1024 bytes");
    free(why);
}

UNIT_TEST(zero_store)
{
    struct store *store;
    void *data;
    CHECK_EQ(store_open("zero:3G", NULL, &store, NULL), 0);
    CHECK_EQ(store->size, 3ll << 30);
    CHECK_EQ(store_read(store, (2ll << 30) + 512, 1024, &data), 0);
    CHECK(*(char *)data == 0);
    store_free(data, 1024);
    CHECK_EQ(store_read(store, 3ll << 30, 512, &data), ENXIO);
    CHECK_EQ(store_read(store, 100, 512, &data), EINVAL);
    CHECK_EQ(store_read(store, 0, 0, &data), EINVAL);
    CHECK_EQ(store_read(store, 512, SIZE_MAX - 511, &data), ENXIO);
    store_close(store);
}

UNIT_TEST(partition_of_a_file)
{
    char path[64], name[128], command[256];
    struct store *store;
    void *data;
    snprintf(path, sizeof path, "/tmp/store-unit-%d.img", (int)getpid());
    struct partition_disk d = gpt_make();
    memcpy(image + 1100 * SECTOR, "third", 5);
    FILE *f = fopen(path, "w");
    CHECK(f && fwrite(image, d.size, 1, f) == 1);
    fclose(f);
    snprintf(name, sizeof name, "part:3:file:%s", path);
    CHECK_EQ(store_open(name, NULL, &store, NULL), 0);
    CHECK_EQ(store->size, 500 * SECTOR);
    CHECK_EQ(store_read(store, 0, 512, &data), 0);
    CHECK(!memcmp(data, "third", 5));
    memcpy(data, "THIRD", 5);
    CHECK_EQ(store_write(store, 512, data, 512), 0);
    CHECK_EQ(store_write(store, 500 * SECTOR, data, 512), ENXIO);
    CHECK_EQ(store_flush(store), 0);
    store_free(data, 512);
    store_close(store);
    snprintf(name, sizeof name, "part:2:file:%s", path);
    char *why = fails(name, ENXIO);
    snprintf(command, sizeof command, "%s: no such partition (3 found)", name);
    CHECK_STR(why, command);
    free(why);
    struct store_options readonly = { .readonly = true };
    snprintf(name, sizeof name, "file:%s", path);
    CHECK_EQ(store_open(name, &readonly, &store, NULL), 0);
    CHECK_EQ(store_read(store, 1101 * SECTOR, 512, &data), 0);
    CHECK(!memcmp(data, "THIRD", 5));
    CHECK_EQ(store_write(store, 0, data, 512), EROFS);
    store_free(data, 512);
    store_close(store);
    unlink(path);
}

UNIT_TEST(memory_store)
{
    static char bytes[4096];
    struct store *store;
    void *data;
    CHECK_EQ(store_open_memory(bytes, 100, &store), EINVAL);
    CHECK_EQ(store_open_memory(bytes, sizeof bytes, &store), 0);
    CHECK_EQ(store_write(store, 1024, "0123456789abcdef", 0), EINVAL);
    bytes[1024] = 7;
    CHECK_EQ(store_read(store, 1024, 3072, &data), 0);
    CHECK(*(char *)data == 7);
    store_free(data, 3072);
    store_close(store);
    free(image);
    image = NULL;
}

UNIT_MAIN
