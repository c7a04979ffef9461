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

UNIT_TEST(the_last_to_ask_is_told_first)
{
    struct notify_list list = {0};
    CHECK_EQ(notify_add(&list, 1, "disk"), 0);
    CHECK_EQ(notify_add(&list, 2, "gone"), 0);
    CHECK_EQ(notify_add(&list, 3, "ext2fs"), 0);
    struct notify *n = notify_take(&list, 2);
    CHECK(n && n->port == 2);
    notify_free(n);
    CHECK(notify_take(&list, 2) == NULL);
    n = notify_pop(&list);
    CHECK_STR(n->name, "ext2fs");
    notify_free(n);
    n = notify_pop(&list);
    CHECK_STR(n->name, "disk");
    notify_free(n);
    CHECK(notify_pop(&list) == NULL);
}

UNIT_MAIN
