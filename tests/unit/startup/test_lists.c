/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Startup's lists. */

#include "lists.h"
#include "unit.h"

UNIT_TEST(essentials)
{
    struct essential_list list = {0};
    struct essential *e = NULL, *next;
    bool known = true;
    CHECK(!essential_has(&list, "proc"));
    CHECK_EQ(essential_add(&list, 5, "proc", &e, &known), 0);
    CHECK(!known);
    CHECK_EQ(essential_add(&list, 6, "auth", &e, &known), 0);
    CHECK(essential_has(&list, "proc") && essential_has(&list, "auth") && !essential_has(&list, "exec"));
    CHECK_EQ(essential_add(&list, 5, "proc2", &e, &known), 0);
    CHECK(known);
    CHECK_STR(essential_find(&list, 5)->name, "proc2");
    CHECK(essential_find(&list, 7) == NULL);
    for (e = list.first; e; e = next) {
        next = e->next;
        free(e->name);
        free(e);
    }
}

UNIT_TEST(a_disk_is_told_after_the_file_systems)
{
    struct notify_list list = {0};
    struct essential_list essentials = {0};
    static const char *const order[] = {"mount 2", "mount 1", "ext2fs", "rumpdisk", "pci-arbiter"};
    struct essential *e = NULL, *next;
    bool known;
    CHECK_EQ(essential_add(&essentials, 11, "pci-arbiter", &e, &known), 0);
    CHECK_EQ(essential_add(&essentials, 12, "rumpdisk", &e, &known), 0);
    CHECK_EQ(essential_add(&essentials, 13, "ext2fs", &e, &known), 0);
    CHECK_EQ(notify_add(&list, 1, "pci-arbiter"), 0);
    CHECK_EQ(notify_add(&list, 2, "gone"), 0);
    CHECK_EQ(notify_add(&list, 3, "ext2fs"), 0);
    CHECK_EQ(notify_add(&list, 4, "rumpdisk"), 0);
    CHECK_EQ(notify_add(&list, 5, "mount 1"), 0);
    CHECK_EQ(notify_add(&list, 6, "mount 2"), 0);
    struct notify *n = notify_take(&list, 2);
    CHECK(n && n->port == 2);
    notify_free(n);
    CHECK(notify_take(&list, 2) == NULL);
    for (unsigned i = 0; i < 5; i++) {
        n = notify_next(&list, &essentials, "ext2fs");
        CHECK_STR(n->name, order[i]);
        notify_free(n);
    }
    CHECK(notify_next(&list, &essentials, "ext2fs") == NULL);
    for (e = essentials.first; e; e = next) {
        next = e->next;
        free(e->name);
        free(e);
    }
}

UNIT_MAIN
