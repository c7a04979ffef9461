/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vectors of strings read out of another task's memory, which may say anything. */

#include "memory.h"
#include "unit.h"

enum { BASE = 0x10000, SIZE = 4 * MEMORY_PAGE };
static char space[SIZE];

static error_t space_read(void *context, int side, uint64_t address, const char **page)
{
    (void)context, (void)side;
    if (address % MEMORY_PAGE || address < BASE || address >= BASE + SIZE)
        return EFAULT;
    *page = space + (address - BASE);
    return 0;
}

UNIT_TEST(strings_of_a_vector)
{
    char *data = NULL;
    size_t length = 0;
    uint64_t vector[] = {BASE + 100, BASE + MEMORY_PAGE - 3, BASE + 200, 0};
    memset(space, 0, sizeof space);
    strcpy(space + 100, "one");
    strcpy(space + MEMORY_PAGE - 3, "crosses a page");
    memcpy(space + 2 * MEMORY_PAGE - 12, vector, sizeof vector);
    CHECK_EQ(memory_collect(space_read, NULL, BASE + 2 * MEMORY_PAGE - 12, &data, &length), 0);
    CHECK_EQ(length, sizeof "one" + sizeof "crosses a page" + 1);
    CHECK(data && !memcmp(data, "one\0crosses a page\0", length));
    free(data);
}

UNIT_TEST(strange_vectors)
{
    char *data = NULL;
    size_t length = 1;
    CHECK_EQ(memory_collect(space_read, NULL, 0, &data, &length), 0);
    CHECK_EQ(length, 0);
    CHECK_EQ(memory_collect(space_read, NULL, 5, &data, &length), EFAULT);
    CHECK_EQ(memory_collect(space_read, NULL, UINT64_MAX - 3, &data, &length), EFAULT);
    /* No end: a vector that runs into nothing, of strings that do. */
    uint64_t good = BASE, bad = BASE + SIZE - 4;
    memset(space, 'x', sizeof space);
    strcpy(space, "good");
    memcpy(space + 64, &good, 8);
    memcpy(space + 72, &bad, 8);
    CHECK_EQ(memory_collect(space_read, NULL, BASE + 64, &data, &length), 0);
    CHECK_EQ(length, 5);
    free(data);
    data = NULL;
    CHECK_EQ(memory_collect(space_read, NULL, BASE + 72, &data, &length), EFAULT);
    /* The same string over and over, without end. */
    for (size_t i = 0; i < SIZE; i += 8)
        memcpy(space + i, &good, 8);
    memset(space + 6, 0, 1);
    CHECK_EQ(memory_collect(space_read, NULL, BASE + 8, &data, &length), 0);
    CHECK(length <= MEMORY_MOST);
    free(data);
}

UNIT_MAIN
