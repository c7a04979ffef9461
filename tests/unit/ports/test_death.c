/* SPDX-License-Identifier: GPL-2.0-or-later */
/* death: who is told of a name's death, with a stand-in for the kernel's names and requests.  The test says when each
   message that the kernel has made is handled, in any order. */

#include "hurd_host.h"
#include "unit.h"

#include <ports/ports-internal.h>
#include <stdlib.h>

enum { NAMES = 16, MESSAGES = 64 };
/* A name: what it means, whether a request is open, and how many user references it has. */
static struct { enum { NOTHING, ALIVE, DEAD } is; bool requested; int refs; } names[NAMES];
static struct { mach_msg_id_t id; mach_port_t name; } messages[MESSAGES];
static unsigned int message_count, requests, takebacks;
static bool no_request;

mach_port_t mach_task_self_, __mach_task_self_;
enum { PREVIOUS = 1000 };

static void post(mach_msg_id_t id, mach_port_t name)
{
    CHECK(message_count < MESSAGES);
    messages[message_count].id = id;
    messages[message_count++].name = name;
    names[name].requested = false;
    names[name].refs += id == MACH_NOTIFY_DEAD_NAME;
}

kern_return_t mach_port_request_notification(mach_port_t task, mach_port_t name, mach_msg_id_t id,
                                             mach_port_mscount_t sync, mach_port_t notify,
                                             mach_msg_type_name_t type, mach_port_t *previous)
{
    (void)task, (void)id, (void)sync, (void)type;
    bool ask = notify != MACH_PORT_NULL;
    if (names[name].is == NOTHING || (ask && no_request))
        return KERN_INVALID_NAME;
    *previous = names[name].requested ? PREVIOUS : MACH_PORT_NULL;
    takebacks += !ask && names[name].requested;
    requests += ask;
    names[name].requested = ask;
    if (ask && names[name].is == DEAD)
        post(MACH_NOTIFY_DEAD_NAME, name);
    return 0;
}

/* The last reference of a name gives it back; a request for it is told so. */
kern_return_t mach_port_deallocate(mach_port_t task, mach_port_t name)
{
    (void)task;
    if (name == PREVIOUS)
        return 0;
    CHECK(names[name].refs > 0);
    if (--names[name].refs == 0) {
        if (names[name].requested)
            post(MACH_NOTIFY_PORT_DELETED, name);
        names[name].is = NOTHING;
    }
    return 0;
}

static void name_make(mach_port_t name)
{
    CHECK(names[name].is == NOTHING);
    names[name].is = ALIVE;
    names[name].refs = 1;
}

static void name_die(mach_port_t name)
{
    CHECK(names[name].is == ALIVE);
    names[name].is = DEAD;
    if (names[name].requested)
        post(MACH_NOTIFY_DEAD_NAME, name);
}

/* Handles message NUMBER of those that wait. */
static void handle(unsigned int number)
{
    mach_dead_name_notification_t message = {.not_header = {.msgh_size = sizeof message}};
    CHECK(number < message_count);
    message.not_header.msgh_id = messages[number].id;
    message.not_port = messages[number].name;
    for (unsigned int i = number + 1; i < message_count; i++)
        messages[i - 1] = messages[i];
    message_count--;
    death_message(&message.not_header);
}

static void handle_all(void)
{
    while (message_count != 0)
        handle(0);
}

kern_return_t gsync_wait(task_t task, vm_offset_t address, unsigned int a, unsigned int b, natural_t ms, int flags)
{
    (void)task, (void)address, (void)a, (void)b, (void)ms, (void)flags;
    abort();    /* nobody competes here */
}

kern_return_t gsync_wake(task_t task, vm_offset_t address, unsigned int value, int flags)
{
    (void)task, (void)address, (void)value, (void)flags;
    abort();
}

/* ---- objects ------------------------------------------------------------------- */

struct thing { struct ports_object port; unsigned int told; mach_port_t name; void (*then)(struct thing *); };
static struct ports_bucket bucket = {.notify = 100}, second = {.notify = 200};
static unsigned int alive;

static void thing_dead(struct ports_object *object, mach_port_t name)
{
    struct thing *thing = (struct thing *)object;
    thing->told++;
    thing->name = name;
    if (thing->then != NULL)
        thing->then(thing);
}

static const struct ports_class_ops thing_ops = {.name = "thing", .size = sizeof(struct thing),
                                                 .dead_name = thing_dead};
static struct ports_class thing_class = PORTS_CLASS(thing_ops);

static struct thing *thing_make(struct ports_bucket *in)
{
    struct thing *thing = calloc(1, sizeof *thing);
    thing->port.class = &thing_class;
    thing->port.bucket = in;
    thing->port.refs = 1;
    alive++;
    return thing;
}

void ports_object_end(struct ports_object *object)
{
    if (object->waits != NULL)
        death_forget_object(object);
    alive--;
    free(object);
}

static unsigned int cancelled;
void rpc_cancel(struct ports_bucket *in, struct ports_rpc *rpc)
{
    (void)in;
    cancelled++;
    atomic_store(&rpc->interrupted, true);
}

/* OBJECT holds a reference of its own to NAME, and asks. */
static error_t ask(struct thing *thing, mach_port_t name)
{
    names[name].refs++;
    error_t err = ports_object_notify_dead(thing, name);
    if (err)
        mach_port_deallocate(0, name);
    return err;
}

static void give_up(struct thing *thing, mach_port_t name)
{
    ports_object_cancel_dead(thing, name);
    mach_port_deallocate(0, name);
}

static void nothing_is_left(void)
{
    CHECK(message_count == 0 && alive == 0);
    for (unsigned int i = 0; i < NAMES; i++)
        CHECK(names[i].is == NOTHING && names[i].refs == 0 && !names[i].requested);
    /* the library has forgotten the names, too: a new request is a first one */
    requests = takebacks = 0;
}

UNIT_TEST(all_who_asked_are_told_once)
{
    struct thing *things[5];
    name_make(3);
    for (unsigned int i = 0; i < 5; i++) {
        things[i] = thing_make(i % 2 ? &bucket : &second);
        CHECK_EQ(ask(things[i], 3), 0);
        CHECK_EQ(ports_object_notify_dead(things[i], 3), 0);    /* twice is once */
    }
    CHECK_EQ(message_count, 0);
    name_die(3);
    CHECK_EQ(message_count, 1);
    handle_all();
    for (unsigned int i = 0; i < 5; i++) {
        CHECK(things[i]->told == 1 && things[i]->name == 3 && things[i]->port.waits == NULL);
        give_up(things[i], 3);
        ports_object_deref(things[i]);
    }
    mach_port_deallocate(0, 3);
    nothing_is_left();
}

UNIT_TEST(who_took_it_back_is_not_told)
{
    struct thing *one = thing_make(&bucket), *two = thing_make(&bucket), *gone = thing_make(&second);
    name_make(3);
    CHECK(ask(one, 3) == 0 && ask(two, 3) == 0 && ask(gone, 3) == 0);
    give_up(one, 3);
    ports_object_deref(gone);
    mach_port_deallocate(0, 3);     /* its */
    CHECK_EQ(takebacks, 0);         /* one still waits */
    name_die(3);
    handle_all();
    CHECK(one->told == 0 && two->told == 1);
    give_up(two, 3);
    CHECK_EQ(ask(one, 3), 0);       /* dead already: told at once */
    handle_all();
    CHECK_EQ(one->told, 1);
    mach_port_deallocate(0, 3);
    mach_port_deallocate(0, 3);
    name_make(4);
    CHECK_EQ(ask(one, 4), 0);
    give_up(one, 4);
    CHECK_EQ(takebacks, 1);
    mach_port_deallocate(0, 4);
    ports_object_deref(one);
    ports_object_deref(two);
    nothing_is_left();
}

UNIT_TEST(no_such_name)
{
    struct thing *one = thing_make(&bucket);
    CHECK_EQ(ports_object_notify_dead(one, MACH_PORT_NULL), EINVAL);
    CHECK_EQ(ports_object_notify_dead(one, MACH_PORT_DEAD), EINVAL);
    CHECK_EQ(ports_object_notify_dead(one, 5), KERN_INVALID_NAME);
    CHECK(one->port.waits == NULL);
    ports_object_cancel_dead(one, 5);
    ports_object_deref(one);
    nothing_is_left();
}

/* A name that is given up and comes to mean another port, while the message of its first life is on its way: in both
   orders of the messages. */
static void name_used_again(bool first_dies, bool second_dies, unsigned int order)
{
    struct thing *old = thing_make(&bucket), *new = thing_make(&bucket);
    name_make(3);
    CHECK_EQ(ports_object_notify_dead(old, 3), 0);  /* without a reference of its own, which it should have had */
    if (first_dies)
        name_die(3);
    while (names[3].is != NOTHING)
        mach_port_deallocate(0, 3);
    CHECK_EQ(message_count, 1);
    name_make(3);
    if (first_dies)
        names[3].refs++;            /* the message's reference, which the stand-in gave up for us */
    CHECK_EQ(ask(new, 3), 0);
    if (second_dies)
        name_die(3);
    if (order < message_count)
        handle(order);
    handle_all();
    CHECK_EQ(new->told, second_dies);
    CHECK(old->told <= first_dies || order != 0);
    give_up(new, 3);
    handle_all();
    while (names[3].is != NOTHING)
        mach_port_deallocate(0, 3);
    handle_all();
    ports_object_deref(old);
    ports_object_deref(new);
    nothing_is_left();
}

UNIT_TEST(names_are_used_again)
{
    for (unsigned int i = 0; i < 8; i++)
        name_used_again(i & 1, i & 2, i >> 2);
}

/* The first who is told ends the second, who takes himself and the third out. */
static struct thing *others[2];
static void ends_others(struct thing *thing)
{
    thing->then = NULL;
    for (unsigned int i = 0; i < 2; i++)
        if (others[i] != NULL && others[i] != thing) {
            ports_object_deref(others[i]);
            others[i] = NULL;
        }
}

UNIT_TEST(who_goes_while_others_are_told)
{
    struct thing *first = thing_make(&bucket);
    others[0] = thing_make(&second);
    others[1] = thing_make(&bucket);
    name_make(3);
    CHECK(ask(others[0], 3) == 0 && ask(others[1], 3) == 0 && ask(first, 3) == 0);
    first->then = ends_others;
    name_die(3);
    handle_all();
    CHECK(first->told == 1 && alive == 1 && others[0] == NULL && others[1] == NULL);
    while (names[3].is != NOTHING)
        mach_port_deallocate(0, 3);
    ports_object_deref(first);
    nothing_is_left();
}

/* One whose last reference has gone, and who is about to be ended by another thread. */
UNIT_TEST(who_is_dying_is_not_told)
{
    struct thing *one = thing_make(&bucket);
    name_make(3);
    CHECK_EQ(ask(one, 3), 0);
    atomic_store(&one->port.refs, 0);
    name_die(3);
    handle_all();
    CHECK(one->told == 0 && one->port.waits == NULL && one->port.refs == 0);
    ports_object_end(&one->port);
    while (names[3].is != NOTHING)
        mach_port_deallocate(0, 3);
    nothing_is_left();
}

UNIT_TEST(requests_and_their_reply_ports)
{
    struct ports_rpc one = {.reply = 3}, two = {.reply = 3};
    struct thing *thing = thing_make(&second);
    name_make(3);
    death_watch_reply(&bucket, &one);
    death_watch_reply(&bucket, &two);
    CHECK(ask(thing, 3) == 0 && rpc_is_watched(&one) && one.eventful && rpc_is_watched(&two));
    name_die(3);
    handle_all();
    CHECK(cancelled == 2 && one.interrupted && two.interrupted && !rpc_is_watched(&one) && thing->told == 1);
    while (names[3].is != NOTHING)
        mach_port_deallocate(0, 3);
    /* answered: the name goes with the answer, and comes back as another's before its message is handled */
    name_make(3);
    death_watch_reply(&bucket, &one);
    death_forget_reply(&one);
    death_forget_reply(&one);
    mach_port_deallocate(0, 3);
    name_make(3);
    death_watch_reply(&bucket, &two);
    CHECK_EQ(message_count, 1);
    handle_all();
    CHECK(cancelled == 2 && rpc_is_watched(&two));
    mach_port_deallocate(0, 3);
    handle_all();
    CHECK(cancelled == 2 && !rpc_is_watched(&two));
    no_request = true;
    name_make(4);
    death_watch_reply(&bucket, &one);
    CHECK(!rpc_is_watched(&one));
    no_request = false;
    mach_port_deallocate(0, 4);
    ports_object_deref(thing);
    nothing_is_left();
}

/* Many objects at one name, and one object at many names: none of it takes longer the more there are. */
UNIT_TEST(many)
{
    enum { MANY = 20000 };
    struct thing **things = calloc(MANY, sizeof *things);
    name_make(3);
    for (unsigned int i = 0; i < MANY; i++) {
        things[i] = thing_make(&bucket);
        CHECK_EQ(ask(things[i], 3), 0);
    }
    for (unsigned int i = 0; i < MANY; i += 2)
        give_up(things[i], 3);
    name_die(3);
    handle_all();
    for (unsigned int i = 0; i < MANY; i++) {
        CHECK_EQ(things[i]->told, i % 2);
        if (i % 2)
            mach_port_deallocate(0, 3);
        ports_object_deref(things[i]);
    }
    mach_port_deallocate(0, 3);
    free(things);
    nothing_is_left();
}

UNIT_MAIN
