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

/* However many users ask, and whatever they call themselves, they are told together and before root's. */
UNIT_TEST(users_are_told_first_and_together)
{
    struct notify_list list = {0};
    struct essential_list essentials = {0};
    struct essential *e = NULL;
    bool known;
    CHECK_EQ(essential_add(&essentials, 13, "ext2fs", &e, &known), 0);
    CHECK_EQ(notify_add(&list, 1, 1000, "ext2fs", &known), 0);
    CHECK_EQ(notify_add(&list, 2, ASKER_ROOT, "ext2fs", &known), 0);
    CHECK_EQ(notify_add(&list, 3, ASKER_UNKNOWN, "ext2fs", &known), 0);
    CHECK_EQ(notify_add(&list, 4, ASKER_ROOT, "mount", &known), 0);
    CHECK_EQ(notify_add(&list, 5, 1001, "a", &known), 0);
    struct notify_list users = notify_take_users(&list);
    CHECK(length(&users) == 3 && length(&list) == 2);
    static const unsigned order[] = {5, 3, 1};
    for (unsigned i = 0; i < 3; i++) {
        struct notify *n = users.first;
        CHECK_EQ(n->port, order[i]);
        users.first = n->next;
        notify_free(n);
    }
    for (unsigned port = 4; port; port -= 2) {
        struct notify *n = notify_next(&list, &essentials, "ext2fs");
        CHECK(n && n->port == port);
        notify_free(n);
    }
    users = notify_take_users(&list);
    CHECK(!users.first && !list.first);
    free(e->name);
    free(e);
}

/* Names go to the console: no second line, no escapes, no flood. */
UNIT_TEST(names_are_shown_as_they_are)
{
    struct notify_list list = {0};
    char flood[1000];
    bool known;
    memset(flood, 'x', sizeof flood - 1);
    flood[sizeof flood - 1] = 0;
    CHECK_EQ(notify_add(&list, 1, 1000, "a\npanic: \033[2J\177\233b", &known), 0);
    CHECK_STR(list.first->name, "a?panic: ?[2J??b");
    CHECK_EQ(notify_add(&list, 1, 1000, flood, &known), 0);
    CHECK_EQ(strlen(list.first->name), NOTIFY_NAME);
    notify_free(notify_take(&list, 1));
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
