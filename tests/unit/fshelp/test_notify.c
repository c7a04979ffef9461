/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notify: who hears of changes and who is dropped, with stand-ins for lib/ports and the kernel.  Names are numbers; the
   test counts what the list has of each. */

#include "hurd_host.h"
#include "unit.h"

#include <fshelp/fshelp.h>
#include <mach/notify.h>
#include <ports/ports.h>
#include <stdlib.h>
#include <string.h>

#include "nowait_notify_U.h"

enum { NAMES = 64 };
static struct { int refs; bool dead, full; unsigned int heard; natural_t tick; mach_port_t reply; } ports[NAMES];
static struct ports_object *asked;      /* the last object made */
static unsigned int objects, rights;
static int owner_refs;
static bool unwatchable;                /* no memory to hear of deaths */
static struct fshelp_notify *list;

mach_port_t mach_task_self_, __mach_task_self_;
kern_return_t mach_port_deallocate(mach_port_t task, mach_port_t name)
{
    (void)task;
    ports[name].refs--;
    return 0;
}

kern_return_t mach_port_type(mach_port_t task, mach_port_t name, mach_port_type_t *type)
{
    (void)task;
    *type = ports[name].dead ? MACH_PORT_TYPE_DEAD_NAME : MACH_PORT_TYPE_SEND;
    return 0;
}

error_t ports_object_create(struct ports_class *class, struct ports_bucket *bucket, void *object)
{
    (void)bucket;
    asked = calloc(1, class->ops->size);
    asked->class = class;
    asked->refs = 1;
    asked->receive = 1000;
    objects++;
    rights++;
    *(struct ports_object **)object = asked;
    return 0;
}

void ports_object_end(struct ports_object *object)
{
    rights -= object->receive != MACH_PORT_NULL;
    objects--;
    free(object);
}

void ports_object_destroy_right(void *object)
{
    struct ports_object *o = object;
    rights -= o->receive != MACH_PORT_NULL;
    o->receive = MACH_PORT_NULL;
}

mach_port_t ports_object_receive_name(void *object)
{
    return ((struct ports_object *)object)->receive;
}

static kern_return_t heard(mach_port_t to, mach_port_t reply, natural_t tick)
{
    if (ports[to].dead)
        return MACH_SEND_INVALID_DEST;
    if (ports[to].full)
        return MACH_SEND_TIMED_OUT;
    ports[to].heard++;
    ports[to].tick = tick;
    ports[to].reply = reply;
    return 0;
}

kern_return_t nowait_dir_changed(mach_port_t to, mach_port_t reply, mach_msg_type_name_t reply_type, int option,
                                 natural_t tick, dir_changed_type_t change, string_t name)
{
    (void)reply_type, (void)option, (void)change, (void)name;
    return heard(to, reply, tick);
}

kern_return_t nowait_file_changed(mach_port_t to, mach_port_t reply, mach_msg_type_name_t reply_type, int option,
                                  natural_t tick, file_changed_type_t change, loff_t start, loff_t end)
{
    (void)reply_type, (void)option, (void)change, (void)start, (void)end;
    return heard(to, reply, tick);
}

/* Who is told of a port's death; one for each port is enough here. */
static struct ports_object *mourners[NAMES];
error_t ports_object_notify_dead(void *object, mach_port_t name)
{
    if (unwatchable)
        return ENOMEM;
    CHECK(ports[name].refs > 0);
    mourners[name] = object;
    return 0;
}

void ports_object_cancel_dead(void *object, mach_port_t name)
{
    if (mourners[name] == object)
        mourners[name] = NULL;
}

static void die(mach_port_t name)
{
    struct ports_object *object = mourners[name];
    ports[name].dead = true;
    mourners[name] = NULL;
    if (object == NULL)
        return;
    ports_object_ref(object);   /* the library's */
    object->class->ops->dead_name(object, name);
    ports_object_deref(object);
}

static void owner_ref(void *owner) { (void)owner; owner_refs++; }
static void owner_deref(void *owner) { (void)owner; owner_refs--; }
static void drop(void *owner, struct fshelp_notify *watcher)
{
    (void)owner;
    CHECK(owner_refs > 0);
    fshelp_notify_drop(&list, watcher);
}
static const struct fshelp_notify_home home = {
    .owner = &list, .owner_ref = owner_ref, .owner_deref = owner_deref, .drop = drop,
};

/* PORT asks to hear of KEY's file. */
static error_t ask(mach_port_t port, const void *key)
{
    ports[port].refs++;
    error_t err = fshelp_notify_add_file(&list, key, port, &home);
    if (err)
        ports[port].refs--;     /* as MIG's stub does */
    return err;
}

/* What comes to OBJECT's port; how it was taken. */
static kern_return_t deliver(struct ports_object *object, int id, kern_return_t code, bool complex)
{
    mig_reply_header_t message = {.Head.msgh_id = id, .Head.msgh_size = sizeof message}, reply = {.RetCode = 0};
    message.Head.msgh_bits = complex ? MACH_MSGH_BITS_COMPLEX : 0;
    message.Head.msgh_protected_payload = (uintptr_t)object;
    message.RetCode = code;
    ports_object_ref(object);   /* the dispatcher's */
    object->class->ops->interfaces[0](&message.Head)(&message.Head, &reply.Head);
    ports_object_deref(object);
    return reply.RetCode;
}

static void nothing_is_left(void)
{
    fshelp_notify_clear(&list);
    CHECK(list == NULL && objects == 0 && rights == 0 && owner_refs == 0);
    for (unsigned int i = 0; i < NAMES; i++)
        CHECK(ports[i].refs == 0 && mourners[i] == NULL);
    memset(ports, 0, sizeof ports);
}

UNIT_TEST(who_does_not_know_notices_is_dropped)
{
    CHECK_EQ(ask(5, NULL), 0);
    CHECK(ports[5].reply != MACH_PORT_NULL && ports[5].heard == 1 && owner_refs == 1);
    CHECK_EQ(deliver(asked, 20601, MIG_BAD_ID, false), MIG_NO_REPLY);
    CHECK(list == NULL && ports[5].refs == 0 && objects == 0);
    CHECK_EQ(ask(5, NULL), 0);
    CHECK_EQ(deliver(asked, 20600, EOPNOTSUPP, false), MIG_NO_REPLY);
    CHECK(list == NULL && ports[5].refs == 0);
    nothing_is_left();
}

UNIT_TEST(who_answers_anything_else_stays)
{
    static const struct { int id; kern_return_t code; bool complex; kern_return_t taken; } answers[] = {
        {20601, 0, false, MIG_NO_REPLY}, {20600, EIO, false, MIG_NO_REPLY},
        {MACH_NOTIFY_SEND_ONCE, MIG_BAD_ID, false, MIG_NO_REPLY},
        {20601, MIG_BAD_ID, true, MIG_BAD_ID}, {4711, MIG_BAD_ID, false, MIG_BAD_ID},
    };
    for (unsigned int i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        CHECK_EQ(ask(5 + i, NULL), 0);
        CHECK_EQ(deliver(asked, answers[i].id, answers[i].code, answers[i].complex), answers[i].taken);
        CHECK(ports[5 + i].refs == 1 && owner_refs == (int)i + 1 && rights == 0);
        deliver(asked, 20601, MIG_BAD_ID, false);   /* cannot be: only one answer counts */
        CHECK_EQ(ports[5 + i].refs, 1);
    }
    fshelp_notify_file(&list, NULL, FILE_CHANGED_WRITE, 0, 1);
    for (unsigned int i = 0; i < sizeof answers / sizeof answers[0]; i++)
        CHECK(ports[5 + i].heard == 2 && ports[5 + i].tick == 1 && ports[5 + i].reply == MACH_PORT_NULL);
    nothing_is_left();
}

UNIT_TEST(once_for_each_node)
{
    CHECK_EQ(ask(5, NULL), 0);
    CHECK_EQ(ask(5, NULL), 0);
    CHECK(ports[5].refs == 1 && ports[5].heard == 2 && objects == 1);
    CHECK_EQ(ask(5, &list), 0);
    CHECK(ports[5].refs == 2 && objects == 2);
    fshelp_notify_file(&list, &list, FILE_CHANGED_WRITE, 0, 1);
    CHECK_EQ(ports[5].heard, 4);
    ports[5].full = true;   /* what it missed it cannot know, so it goes */
    CHECK_EQ(ask(5, NULL), MACH_SEND_TIMED_OUT);
    CHECK(ports[5].refs == 1 && objects == 1);
    CHECK_EQ(ask(6, NULL), 0);
    nothing_is_left();
}

UNIT_TEST(dropped_before_the_answer)
{
    CHECK_EQ(ask(5, NULL), 0);
    struct ports_object *first = asked;
    ports_object_ref(first);    /* a message is being handled */
    ports[5].dead = true;
    fshelp_notify_file(&list, NULL, FILE_CHANGED_WRITE, 0, 1);
    CHECK(list == NULL && owner_refs == 0 && rights == 0);
    CHECK_EQ(ask(6, NULL), 0);
    CHECK_EQ(deliver(first, 20601, MIG_BAD_ID, false), MIG_NO_REPLY);
    ports_object_deref(first);
    CHECK_EQ(ports[6].refs, 1);
    nothing_is_left();
}

UNIT_TEST(who_cannot_be_told)
{
    ports[5].full = ports[6].dead = true;
    CHECK_EQ(ask(5, NULL), MACH_SEND_TIMED_OUT);
    CHECK_EQ(ask(6, NULL), EINVAL);
    nothing_is_left();
    unwatchable = true;
    CHECK_EQ(ask(7, NULL), ENOMEM);
    unwatchable = false;
    nothing_is_left();
}

UNIT_TEST(who_dies_is_dropped)
{
    for (unsigned int i = 0; i < 4; i++)
        CHECK_EQ(ask(5 + i, NULL), 0);
    die(6);                                             /* before it has answered */
    CHECK(ports[6].refs == 0 && owner_refs == 3 && rights == 3 && objects == 3);
    deliver(asked, 20601, 0, false);
    die(8);                                             /* afterwards */
    CHECK(ports[8].refs == 0 && owner_refs == 2 && objects == 2);
    die(5);
    die(7);
    CHECK(list == NULL && owner_refs == 0 && rights == 0 && objects == 0);
    nothing_is_left();
}

/* Somebody else drops it between the message of its death and what that does. */
UNIT_TEST(dropped_before_the_death_is_told)
{
    CHECK_EQ(ask(5, NULL), 0);
    struct ports_object *told = mourners[5];
    ports_object_ref(told);
    fshelp_notify_clear(&list);
    CHECK(ports[5].refs == 0 && owner_refs == 0);
    told->class->ops->dead_name(told, 5);
    CHECK(ports[5].refs == 0 && owner_refs == 0);
    ports_object_deref(told);
    nothing_is_left();
}

/* What an answer has taken away, a death does not. */
UNIT_TEST(refused_and_dead)
{
    CHECK_EQ(ask(5, NULL), 0);
    struct ports_object *told = mourners[5];
    ports_object_ref(told);
    CHECK_EQ(deliver(told, 20600, MIG_BAD_ID, false), MIG_NO_REPLY);
    CHECK(list == NULL && ports[5].refs == 0 && owner_refs == 0);
    told->class->ops->dead_name(told, 5);
    CHECK(ports[5].refs == 0 && owner_refs == 0);
    ports_object_deref(told);
    nothing_is_left();
}

UNIT_MAIN
