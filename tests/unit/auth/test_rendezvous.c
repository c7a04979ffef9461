/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rendezvous: who waits at auth, for how long, and how each wait ends; with stand-ins for lib/ports and the kernel.

   Names are numbers, and the test counts the references that auth has of each.  Answers are noted by their reply
   port. */

#include "../../../servers/auth/auth.h"

#include <hurd/auth_reply.h>
#include <string.h>

#include "unit.h"

enum { NAMES = 20000, NO_ANSWER = -1 };
static int refs[NAMES];              /* of a name, auth's */
static bool dead[NAMES];
static int answer[NAMES];            /* what a reply port was told */
static struct ports_object *watcher[NAMES];
static unsigned int handles_ended;

struct ports_bucket *auth_bucket;
static const struct ports_class_ops handle_ops = { .name = "handle", .size = sizeof(struct auth_handle) };
struct ports_class auth_handle_class = PORTS_CLASS(handle_ops);

void ports_object_end(struct ports_object *object)
{
    (void) object;
    handles_ended++;
}

error_t ports_object_notify_dead(void *object, mach_port_t name)
{
    watcher[name] = object;
    return 0;
}

void ports_object_cancel_dead(void *object, mach_port_t name)
{
    if (watcher[name] == object)
        watcher[name] = NULL;
}

void *ports_object_lookup(struct ports_bucket *bucket, mach_port_t port, struct ports_class *class)
{
    (void) bucket, (void) port, (void) class;
    return NULL;
}

static bool no_memory;          /* for threads */
static unsigned int wakes;      /* of the caretaker */

error_t ports_thread_create(size_t stack, void *(*main)(void *), void *arg)
{
    (void) stack, (void) main, (void) arg;
    return no_memory ? ENOMEM : 0;
}

mach_port_t mach_task_self_;
mach_port_t __mach_task_self_;
kern_return_t mach_port_deallocate(mach_port_t task, mach_port_t name)
{
    (void) task;
    refs[name]--;
    return 0;
}

static unsigned int looks, looks_held;  /* at a reply port, since others had their turn; the most there were */

int sched_yield(void)
{
    looks = 0;
    return 0;
}

kern_return_t mach_port_type(mach_port_t task, mach_port_t name, mach_port_type_t *type)
{
    (void) task;
    if (++looks > looks_held)
        looks_held = looks;
    *type = dead[name] ? MACH_PORT_TYPE_DEAD_NAME : MACH_PORT_TYPE_SEND_ONCE;
    return 0;
}

void ports_tick_wait(atomic_uint *awake, unsigned int ms)
{
    (void) awake, (void) ms;
}

void ports_tick_wake(atomic_uint *awake)
{
    atomic_store(awake, 1);
    wakes++;
}

static kern_return_t answered(mach_port_t reply, kern_return_t code)
{
    if (dead[reply])
        return MACH_SEND_INVALID_DEST;
    answer[reply] = code;
    refs[reply]--;
    return 0;
}

kern_return_t auth_user_authenticate_reply(mach_port_t reply, mach_msg_type_name_t type, kern_return_t code,
                                           mach_port_t newport, mach_msg_type_name_t newport_type)
{
    (void) type, (void) newport_type;
    kern_return_t err = answered(reply, code);
    if (!err && newport != MACH_PORT_NULL)
        refs[newport]--;
    return err;
}

kern_return_t auth_server_authenticate_reply(mach_port_t reply, mach_msg_type_name_t type, kern_return_t code,
                                             const_idarray_t euids, mach_msg_type_number_t euid_count,
                                             const_idarray_t auids, mach_msg_type_number_t auid_count,
                                             const_idarray_t egids, mach_msg_type_number_t egid_count,
                                             const_idarray_t agids, mach_msg_type_number_t agid_count)
{
    (void)type, (void)euids, (void)euid_count, (void)auids, (void)auid_count, (void)egids, (void)egid_count,
        (void)agids, (void)agid_count;
    return answered(reply, code);
}

/* ---- a new world for each test ---------------------------------------------------------------- */

static struct auth_handle handle, other;

static void handle_begin(struct auth_handle *h)
{
    memset(h, 0, sizeof *h);
    atomic_init(&h->port.refs, 1);
    TAILQ_INIT(&h->waiters);
}

static void begin(void)
{
    memset(refs, 0, sizeof refs);
    memset(dead, 0, sizeof dead);
    memset(watcher, 0, sizeof watcher);
    for (unsigned int i = 0; i < NAMES; i++)
        answer[i] = NO_ANSWER;
    handles_ended = 0;
    handle_begin(&handle);
    handle_begin(&other);
    auth_rendezvous_tick();     /* it forgets how many there were in the last test */
}

/* Nobody waits, and auth has no right left. */
static void check_nothing_left(void)
{
    unsigned int left = 0, watched = 0;
    for (unsigned int i = 0; i < NAMES; i++) {
        left += refs[i] != 0;
        watched += watcher[i] != NULL;
    }
    CHECK_EQ(left, 0);
    CHECK_EQ(watched, 0);
    CHECK_EQ(handle.waiting + other.waiting, 0);
    CHECK(TAILQ_EMPTY(&handle.waiters) && TAILQ_EMPTY(&other.waiters));
    CHECK_EQ(atomic_load(&handle.port.refs), 1);
    CHECK_EQ(atomic_load(&other.port.refs), 1);
}

static struct auth_reply reply_at(mach_port_t port)
{
    return (struct auth_reply) { port, MACH_MSG_TYPE_MOVE_SEND_ONCE };
}

static kern_return_t user_comes(struct auth_handle *h, mach_port_t reply, mach_port_t rendezvous)
{
    mach_port_t newport = MACH_PORT_NULL;
    refs[reply]++;
    refs[rendezvous]++;
    kern_return_t err = auth_rendezvous_user(h, reply_at(reply), rendezvous, &newport);
    if (err != MIG_NO_REPLY)    /* answered by the loop */
        refs[reply]--;
    if (err && err != MIG_NO_REPLY)
        refs[rendezvous]--;
    if (newport != MACH_PORT_NULL)
        refs[newport]--;
    return err;
}

static kern_return_t server_comes(struct auth_handle *h, mach_port_t reply, mach_port_t rendezvous, mach_port_t newport)
{
    struct auth_handle *user = NULL;
    refs[reply]++;
    refs[rendezvous]++;
    refs[newport] += newport != MACH_PORT_NULL;
    kern_return_t err = auth_rendezvous_server(h, reply_at(reply), rendezvous, newport, &user);
    if (err != MIG_NO_REPLY)
        refs[reply]--;
    if (err && err != MIG_NO_REPLY) {
        refs[rendezvous]--;
        refs[newport] -= newport != MACH_PORT_NULL;
    }
    if (user != NULL)
        ports_object_deref(user);
    return err;
}

/* The first test: the thread is made once. */
UNIT_TEST(a_caretaker_that_could_not_be_made_is_made_later)
{
    begin();
    no_memory = true;
    CHECK_EQ(user_comes(&handle, 11, 5), MIG_NO_REPLY);
    CHECK_EQ(wakes, 0);
    no_memory = false;
    CHECK_EQ(user_comes(&handle, 12, 6), MIG_NO_REPLY);
    CHECK_EQ(wakes, 1);
    CHECK_EQ(user_comes(&handle, 13, 7), MIG_NO_REPLY);
    CHECK_EQ(wakes, 1);     /* it is awake */
    auth_rendezvous_interrupt(&handle);
    check_nothing_left();
}

UNIT_TEST(both_orders_meet)
{
    begin();
    CHECK_EQ(user_comes(&handle, 11, 5), MIG_NO_REPLY);
    CHECK_EQ(server_comes(&other, 12, 5, 6), 0);
    CHECK_EQ(answer[11], 0);
    CHECK_EQ(server_comes(&other, 13, 5, 6), MIG_NO_REPLY);
    CHECK_EQ(user_comes(&handle, 14, 5), 0);
    CHECK_EQ(answer[13], 0);
    check_nothing_left();
}

/* The rendezvous lives, the senders wait, and nobody comes. */
UNIT_TEST(a_wait_ends_after_a_minute)
{
    begin();
    CHECK_EQ(user_comes(&handle, 11, 5), MIG_NO_REPLY);
    CHECK_EQ(server_comes(&other, 12, 6, 7), MIG_NO_REPLY);
    for (unsigned int i = 0; i + 1 < AUTH_TICKS_MAX; i++)
        auth_rendezvous_tick();
    CHECK_EQ(answer[11], NO_ANSWER);
    CHECK_EQ(user_comes(&handle, 13, 8), MIG_NO_REPLY);     /* younger */
    auth_rendezvous_tick();
    CHECK_EQ(answer[11], ETIMEDOUT);
    CHECK_EQ(answer[12], ETIMEDOUT);
    CHECK_EQ(answer[13], NO_ANSWER);
    CHECK_EQ(handle.waiting, 1);
    CHECK_EQ(server_comes(&other, 14, 8, 9), 0);
    CHECK_EQ(answer[13], 0);
    check_nothing_left();
}

UNIT_TEST(who_has_gone_is_forgotten_at_the_next_tick)
{
    begin();
    CHECK_EQ(user_comes(&handle, 11, 5), MIG_NO_REPLY);
    CHECK_EQ(server_comes(&other, 12, 6, 7), MIG_NO_REPLY);
    dead[11] = dead[12] = true;
    auth_rendezvous_tick();
    check_nothing_left();
}

UNIT_TEST(the_oldest_makes_room)
{
    begin();
    for (mach_port_t i = 0; i < AUTH_WAITING_MAX; i++)
        CHECK_EQ(server_comes(&other, 10000 + i, 100 + i, 0), MIG_NO_REPLY);
    CHECK_EQ(answer[10000], NO_ANSWER);
    CHECK_EQ(server_comes(&other, 10000 + AUTH_WAITING_MAX, 99, 0), MIG_NO_REPLY);
    CHECK_EQ(answer[10000], EAGAIN);
    CHECK_EQ(answer[10001], NO_ANSWER);
    CHECK_EQ(other.waiting, AUTH_WAITING_MAX);
    CHECK_EQ(user_comes(&handle, 11, 99), 0);   /* the newest finds its user */
    auth_rendezvous_interrupt(&other);
    CHECK_EQ(answer[10001], EINTR);
    check_nothing_left();
}

/* Thousands that have gone are not kept until the next tick. */
UNIT_TEST(a_flood_of_abandoned_ones_is_swept)
{
    begin();
    for (mach_port_t i = 0; i < 4000; i++) {
        CHECK_EQ(server_comes(&other, 10000 + i, 100 + i, 0), MIG_NO_REPLY);
        dead[10000 + i] = true;
        CHECK(other.waiting <= 40);
    }
    auth_rendezvous_tick();
    check_nothing_left();
}

/* However many wait, nobody finds the lock taken for long: else each message that comes meanwhile costs a thread. */
UNIT_TEST(a_crowd_is_looked_at_a_few_at_a_time)
{
    enum { CROWD = 4000, FEW = 16 };
    begin();
    for (mach_port_t i = 0; i < CROWD; i++) {
        looks = looks_held = 0;
        CHECK_EQ(server_comes(&other, 10000 + i, 100 + i, 0), MIG_NO_REPLY);
        CHECK(looks_held <= 3);
    }
    looks = looks_held = 0;
    for (mach_port_t i = 0; i < CROWD; i += 2)
        dead[10000 + i] = true;
    auth_rendezvous_tick();
    CHECK(looks_held >= 1 && looks_held <= FEW);
    CHECK_EQ(other.waiting, CROWD / 2);     /* each was looked at */
    auth_rendezvous_interrupt(&other);
    CHECK_EQ(answer[10001], EINTR);
    check_nothing_left();
}

/* A request that was received before the last right to its handle went, and whose thread comes late, does not wait for
   a minute. */
UNIT_TEST(who_comes_late_at_a_handle_that_nobody_has)
{
    begin();
    CHECK_EQ(user_comes(&handle, 11, 5), MIG_NO_REPLY);
    auth_rendezvous_end(&handle);
    CHECK_EQ(answer[11], EINTR);
    CHECK_EQ(user_comes(&handle, 12, 6), EINTR);
    CHECK_EQ(server_comes(&other, 13, 7, 8), MIG_NO_REPLY);
    CHECK_EQ(user_comes(&handle, 14, 7), 0);    /* whose partner is there */
    check_nothing_left();
}

UNIT_TEST(interrupted_dead_and_doubled)
{
    begin();
    CHECK_EQ(user_comes(&handle, 11, 5), MIG_NO_REPLY);
    CHECK_EQ(user_comes(&other, 12, 5), EBUSY);
    CHECK_EQ(user_comes(&other, 13, 6), MIG_NO_REPLY);
    auth_rendezvous_interrupt(&handle);
    CHECK_EQ(answer[11], EINTR);
    CHECK_EQ(answer[13], NO_ANSWER);
    auth_rendezvous_dead(&handle, 6);           /* not on a request to that one */
    CHECK_EQ(answer[13], NO_ANSWER);
    auth_rendezvous_dead(&other, 6);
    CHECK_EQ(answer[13], EDIED);
    check_nothing_left();
}

UNIT_MAIN
