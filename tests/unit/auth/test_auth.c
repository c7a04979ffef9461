/* SPDX-License-Identifier: GPL-2.0-or-later */
/* auth: who may have which ids, and the table of those who wait. */

#include "../../../servers/auth/ids.h"
#include "../../../servers/auth/table.h"

#include "unit.h"

#define LIST(...) { (uid_t[]) { __VA_ARGS__ }, sizeof((uid_t[]) { __VA_ARGS__ }) / sizeof(uid_t) }

UNIT_TEST(root_may_all)
{
    struct ids root = { LIST(0), LIST(0, 0), LIST(0), LIST(0) }, wanted = { LIST(5), LIST(7, 7), LIST(9), LIST(11) };
    const struct ids *given[] = { &root };
    CHECK(ids_check(given, 1, &wanted) == 0);
    /* An available 0 is enough; a group 0 is not. */
    struct ids available = { LIST(5), LIST(5, 0), LIST(9), LIST(9) };
    given[0] = &available;
    CHECK(ids_check(given, 1, &wanted) == 0);
    struct ids group = { LIST(5), LIST(5), LIST(0), LIST(0) };
    given[0] = &group;
    CHECK(ids_check(given, 1, &wanted) == EPERM);
}

UNIT_TEST(others_may_what_they_have)
{
    struct ids user = {LIST(5), LIST(5, 6), LIST(9), LIST(9, 10)}, none = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    const struct ids *given[] = { &user, &none };
    struct ids swapped = {LIST(6), LIST(5, 5), LIST(10, 9), LIST(9)}, other_uid = {LIST(7), LIST(5), LIST(9), LIST(9)};
    struct ids uid_as_gid = { LIST(5), LIST(5), LIST(5), LIST(9) };
    CHECK(ids_check(given, 2, &swapped) == 0);
    CHECK(ids_check(given, 2, &none) == 0);
    CHECK(ids_check(given, 2, &other_uid) == EPERM);
    CHECK(ids_check(given, 2, &uid_as_gid) == EPERM);
    struct ids second = { LIST(7), LIST(7), LIST(5), LIST(5) };
    given[1] = &second;
    CHECK(ids_check(given, 2, &other_uid) == 0);
    CHECK(ids_check(given, 2, &uid_as_gid) == 0);
}

static error_t copy_plainly(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
    return 0;
}

static error_t copy_fails_for_long(void *to, const void *from, size_t bytes)
{
    return bytes > sizeof(uid_t) ? EFAULT : copy_plainly(to, from, bytes);
}

UNIT_TEST(lists_are_kept_as_they_are)
{
    struct ids from = { LIST(3, 1, 3), LIST(2, 2), { NULL, 0 }, LIST(4) }, ids;
    CHECK(ids_create(&ids, &from.euids, &from.auids, &from.egids, &from.agids, copy_plainly) == 0);
    CHECK(ids.euids.count == 3 && ids.euids.ids[0] == 3 && ids.euids.ids[1] == 1 && ids.euids.ids[2] == 3);
    CHECK(ids.auids.count == 2 && ids.auids.ids[1] == 2 && ids.egids.count == 0 && ids.agids.ids[0] == 4);
    ids_destroy(&ids);
}

UNIT_TEST(lists_that_cannot_be_had_leave_nothing)
{
    struct ids_list one = LIST(3), two = LIST(2, 2), none = { NULL, 0 }, long_one = { NULL, IDS_LIST_MAX + 1 };
    struct ids ids;
    CHECK_EQ(ids_create(&ids, &one, &none, &one, &two, copy_fails_for_long), EFAULT);
    CHECK_EQ(ids_create(&ids, &two, &one, &one, &one, copy_fails_for_long), EFAULT);
    CHECK_EQ(ids_create(&ids, &one, &none, &one, &long_one, copy_plainly), E2BIG);
    CHECK_EQ(ids_create(&ids, &none, &none, &none, &none, copy_plainly), 0);
    ids_destroy(&ids);
}

/* Lists at the limit on both sides must not take for ever, and mean the same as short ones. */
UNIT_TEST(long_lists)
{
    static uid_t many[IDS_LIST_MAX], wanted_ids[IDS_LIST_MAX];
    for (unsigned i = 0; i < IDS_LIST_MAX; i++)
        many[i] = wanted_ids[IDS_LIST_MAX - 1 - i] = 1 + (i * 2654435761u) % 100000 * 2;
    struct ids_list all = { many, IDS_LIST_MAX }, none = { NULL, 0 }, even = LIST(2);
    struct ids user = {none, all, none, all},
               same = {{wanted_ids, IDS_LIST_MAX}, none, {wanted_ids, IDS_LIST_MAX}, none};
    struct ids other_uid = { even, none, none, none }, other_gid = { none, none, none, even };
    const struct ids *given[] = { &user };
    CHECK_EQ(ids_check(given, 1, &same), 0);
    CHECK_EQ(ids_check(given, 1, &other_uid), EPERM);
    CHECK_EQ(ids_check(given, 1, &other_gid), EPERM);
    many[77] = 0;
    CHECK_EQ(ids_check(given, 1, &other_uid), 0);
}

UNIT_TEST(table_grows_and_forgets)
{
    enum { COUNT = 5000 };
    struct table table = { NULL, 0, 0 };
    struct table_entry *entries = calloc(COUNT, sizeof *entries);
    CHECK(table_find(&table, 1) == NULL);
    for (uint32_t i = 0; i < COUNT; i++) {
        entries[i].name = i * 3 + 1;
        CHECK(table_add(&table, &entries[i]) == 0);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        CHECK(table_find(&table, i * 3 + 1) == &entries[i] && table_find(&table, i * 3 + 2) == NULL);
    for (uint32_t i = 0; i < COUNT; i += 2)
        table_remove(&table, &entries[i]);
    CHECK_EQ(table.count, COUNT / 2);
    for (uint32_t i = 1; i < COUNT; i += 2) {
        CHECK(table_find(&table, i * 3 + 1) == &entries[i]);
        table_remove(&table, &entries[i]);
        CHECK(table_find(&table, i * 3 + 1) == NULL);
    }
    CHECK_EQ(table.count, 0);
    free(table.slots);
    free(entries);
}

UNIT_MAIN
