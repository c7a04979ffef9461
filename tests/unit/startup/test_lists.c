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
    bool known, same;
    CHECK_EQ(essential_add(&essentials, 11, "pci-arbiter", &e, &known), 0);
    CHECK_EQ(essential_add(&essentials, 12, "rumpdisk", &e, &known), 0);
    CHECK_EQ(essential_add(&essentials, 13, "ext2fs", &e, &known), 0);
    CHECK_EQ(notify_add(&list, 1, ASKER_ROOT, "pci-arbiter", &same), 0);
    CHECK_EQ(notify_add(&list, 2, ASKER_ROOT, "gone", &same), 0);
    CHECK_EQ(notify_add(&list, 3, ASKER_ROOT, "ext2fs", &same), 0);
    CHECK_EQ(notify_add(&list, 4, ASKER_ROOT, "rumpdisk", &same), 0);
    CHECK_EQ(notify_add(&list, 5, ASKER_ROOT, "mount 1", &same), 0);
    CHECK_EQ(notify_add(&list, 6, ASKER_ROOT, "mount 2", &same), 0);
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

static unsigned int length(const struct notify_list *list)
{
    unsigned int count = 0;
    for (const struct notify *n = list->first; n; n = n->next)
        count++;
    return count;
}

UNIT_TEST(a_port_is_told_once)
{
    struct notify_list list = {0};
    bool known = true;
    CHECK_EQ(notify_add(&list, 5, 1000, "first", &known), 0);
    CHECK(!known);
    CHECK_EQ(notify_add(&list, 5, 1000, "again", &known), 0);
    CHECK(known && length(&list) == 1);
    CHECK_STR(list.first->name, "again");
    /* others change nothing, but root does, and then nobody else */
    CHECK_EQ(notify_add(&list, 5, 1001, "other", &known), 0);
    CHECK(known && list.first->asker == 1000);
    CHECK_EQ(notify_add(&list, 5, ASKER_UNKNOWN, "unknown", &known), 0);
    CHECK_STR(list.first->name, "again");
    CHECK_EQ(notify_add(&list, 5, ASKER_ROOT, "root's", &known), 0);
    CHECK(known && list.first->asker == ASKER_ROOT);
    CHECK_EQ(notify_add(&list, 5, 1000, "again", &known), 0);
    CHECK_STR(list.first->name, "root's");
    CHECK(length(&list) == 1);
    /* who is not known does not even rename his own, which may be another's */
    CHECK_EQ(notify_add(&list, 6, ASKER_UNKNOWN, "first", &known), 0);
    CHECK_EQ(notify_add(&list, 6, ASKER_UNKNOWN, "second", &known), 0);
    CHECK_STR(list.first->name, "first");
    notify_free(notify_take(&list, 5));
    notify_free(notify_take(&list, 6));
}

UNIT_TEST(only_so_many_are_told_for_a_user)
{
    static const lists_asker_t askers[] = {1000, 1001, ASKER_UNKNOWN, ASKER_ROOT};
    struct notify_list list = {0};
    bool known;
    for (unsigned int a = 0; a < 4; a++)
        for (unsigned int i = 0; i < 2 * NOTIFY_QUOTA; i++)
            CHECK_EQ(notify_add(&list, 1000 * (a + 1) + i, askers[a], "x", &known),
                     i < NOTIFY_QUOTA || askers[a] == ASKER_ROOT ? 0 : EAGAIN);
    CHECK_EQ(length(&list), 5 * NOTIFY_QUOTA);
    /* one that is there may be asked for again, and one that has died makes room */
    CHECK_EQ(notify_add(&list, 1000, 1000, "y", &known), 0);
    CHECK(known);
    notify_free(notify_take(&list, 1001));
    CHECK_EQ(notify_add(&list, 1999, 1000, "z", &known), 0);
    CHECK_EQ(notify_add(&list, 1998, 1000, "z", &known), EAGAIN);
    while (list.first)
        notify_free(notify_take(&list, list.first->port));
}

/* However many ask, and whatever they call themselves, the end comes. */
UNIT_TEST(patience_ends)
{
    struct essential_list essentials = {0};
    struct essential *e = NULL, *next;
    struct notify fs = {.name = (char *)"ext2fs"}, stranger = {.name = (char *)"stranger"};
    bool known;
    unsigned total = 0;
    CHECK_EQ(essential_add(&essentials, 12, "rumpdisk", &e, &known), 0);
    CHECK_EQ(essential_add(&essentials, 13, "ext2fs", &e, &known), 0);
    struct patience patience = patience_create(&essentials, 60000);
    CHECK_EQ(patience_for(&patience, &stranger, &essentials), 60000);
    patience_spend(&patience, 10);
    CHECK_EQ(patience_for(&patience, &stranger, &essentials), 60000);
    for (unsigned i = 0; i < 1000; i++) {
        unsigned limit = patience_for(&patience, i % 2 ? &fs : &stranger, &essentials);
        CHECK(limit >= PATIENCE_LEAST_MS && limit <= 60000);
        patience_spend(&patience, limit);
        total += limit;
    }
    CHECK(total <= 4 * 60000 + 1000 * PATIENCE_LEAST_MS);
    for (e = essentials.first; e; e = next) {
        next = e->next;
        free(e->name);
        free(e);
    }
}

UNIT_TEST(whose_process_is_not_known)
{
    struct essential_list list = {0};
    struct essential *e = NULL;
    bool known;
    CHECK(essential_without_pid(&list) == NULL);
    CHECK_EQ(essential_add(&list, 5, "proc", &e, &known), 0);
    CHECK(essential_without_pid(&list) == e);
    e->pid = -1;
    CHECK(essential_without_pid(&list) == NULL);
    free(e->name);
    free(e);
}

UNIT_MAIN
