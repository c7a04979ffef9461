/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The queue of pipes, sockets and fifos: streams gather and split, records do not, extras travel with the first of
   their bytes. */

#include "unit.h"
#include "../../../lib/pipe/queue.h"

static unsigned dropped;

static void drop(struct extras *extras)
{
    dropped += extras->nrights;
    free(extras->rights);
    free(extras->control);
    *extras = (struct extras) { 0 };
}

static struct extras one_right(void)
{
    struct extras extras = { .nrights = 1, .rights = malloc(sizeof(unsigned int)) };
    *extras.rights = 7;
    return extras;
}

UNIT_TEST(stream_gathers_small_writes)
{
    struct queue queue;
    char out[16];

    queue_init(&queue, false);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(queue_put(&queue, "ab", 2, NULL), 0);
    CHECK_EQ(queue.packets, 1);
    CHECK_EQ(queue_available(&queue, 100), 20);
    CHECK_EQ(queue_get(&queue, out, 3, NULL, false, NULL, drop), 3);
    CHECK(!memcmp(out, "aba", 3));
    CHECK_EQ(queue_get(&queue, out, 16, NULL, true, NULL, drop), 16);
    CHECK_EQ(queue.bytes, 17);
    CHECK_EQ(queue_get(&queue, out, 16, NULL, false, NULL, drop), 16);
    CHECK_EQ(queue_get(&queue, out, 16, NULL, false, NULL, drop), 1);
    CHECK_EQ(queue_get(&queue, out, 16, NULL, false, NULL, drop), 0);
    queue_clear(&queue, drop);
}

UNIT_TEST(stream_crosses_packets)
{
    struct queue queue;
    static char in[30000], out[30000];

    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (char) (i * 7);
    queue_init(&queue, false);
    for (size_t i = 0; i < sizeof in; i += 1000)
        CHECK_EQ(queue_put(&queue, in + i, 1000, NULL), 0);
    CHECK(queue.packets > 1);
    CHECK_EQ(queue_get(&queue, out, sizeof out, NULL, false, NULL, drop), sizeof out);
    CHECK(!memcmp(in, out, sizeof in));
    CHECK_EQ(queue.bytes, 0);
    queue_clear(&queue, drop);
}

UNIT_TEST(rights_stop_a_read)
{
    struct queue queue;
    struct extras extras = one_right(), got;
    char out[16];

    queue_init(&queue, false);
    queue_put(&queue, "before", 6, NULL);
    queue_put(&queue, "after", 5, &extras);
    CHECK_EQ(queue_get(&queue, out, 16, &got, false, NULL, drop), 6);
    CHECK_EQ(got.nrights, 0);
    CHECK(queue.overhead > 0);
    CHECK_EQ(queue_get(&queue, out, 2, &got, false, NULL, drop), 2);
    CHECK_EQ(got.nrights, 1);
    CHECK_EQ(queue.overhead, 0);
    drop(&got);
    CHECK_EQ(queue_get(&queue, out, 16, &got, false, NULL, drop), 3);
    CHECK_EQ(got.nrights, 0);
    queue_clear(&queue, drop);
}

UNIT_TEST(records_keep_their_bounds)
{
    struct queue queue;
    char out[16];
    bool truncated;

    queue_init(&queue, true);
    queue_put(&queue, "first", 5, NULL);
    queue_put(&queue, "", 0, NULL);
    queue_put(&queue, "third", 5, NULL);
    CHECK(queue.overhead >= 3 * sizeof(struct packet));
    CHECK_EQ(queue_get(&queue, out, 3, NULL, false, &truncated, drop), 3);
    CHECK(truncated);
    CHECK_EQ(queue_get(&queue, out, 16, NULL, false, &truncated, drop), 0);
    CHECK_EQ(queue_get(&queue, out, 16, NULL, false, &truncated, drop), 5);
    CHECK(!truncated);
    CHECK_EQ(queue.packets, 0);
    CHECK_EQ(queue.bytes, 0);
    CHECK_EQ(queue.overhead, 0);
    queue_clear(&queue, drop);
}

UNIT_TEST(clear_drops_rights)
{
    struct queue queue;
    struct extras extras = one_right();

    dropped = 0;
    queue_init(&queue, false);
    queue_put(&queue, "x", 1, &extras);
    queue_clear(&queue, drop);
    CHECK_EQ(dropped, 1);
}

UNIT_MAIN
