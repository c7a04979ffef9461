/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Receive rights: making, entering, leaving, and keeping spare ones.  Everything here runs with the bucket lock held.

   A right that was seen without send rights, send-once rights and messages, and whose every received message has found
   its object, can never lead a message to a wrong object.  When its object dies it is kept (`spares`) and the next
   object takes it as it is: open and close then make, move and destroy no port.

   A new right's make-send count begins with a number that nobody can guess.  It comes with the kernel's no-senders
   notification, which is so told from one that a client has sent, without a question to the kernel (notify.c).  */

#include "ports-internal.h"

#include <cpuid.h>

/* Enters RECEIVE under SERIAL into the tables; room was reserved. */
static void right_enter(struct ports_object *object, mach_port_t receive, uint64_t serial)
{
    struct ports_bucket *bucket = object->bucket;
    object->receive = receive;
    object->by_serial.key = serial;
    object->by_name.key = receive;
    ports_table_insert(&bucket->by_serial, &object->by_serial);
    ports_table_insert(&bucket->by_name, &object->by_name);
}

static error_t right_reserve(struct ports_bucket *bucket)
{
    error_t err = ports_table_reserve(&bucket->by_serial);
    return err ? err : ports_table_reserve(&bucket->by_name);
}

/* Gives RECEIVE a payload and puts it into the set. A kernel without payloads sends names, which the dispatcher
   understands as well. */
static kern_return_t right_prepare(struct ports_bucket *bucket, mach_port_t receive, uint64_t serial)
{
    mach_port_set_protected_payload(mach_task_self(), receive, serial);
    return mach_port_move_member(mach_task_self(), receive, bucket->set);
}

/* A number that clients cannot know: of the processor's generator where it has one, and of the moments at which rights
   are made.  Below 2^31, so that counting on from it does not overflow. */
static mach_port_mscount_t random_count(struct ports_bucket *bucket)
{
    unsigned int a, b, c = 0, d;
    uint64_t word = 0;
    if (__get_cpuid(1, &a, &b, &c, &d) && (c & bit_RDRND))
        __asm__ volatile("rdrand %0" : "+r"(word) : : "cc");
    uint64_t mixed = bucket->random ^ word ^ __builtin_ia32_rdtsc();
    mixed = (mixed ^ mixed >> 31) * 0x9e3779b97f4a7c15ull;
    mixed = (mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9ull;
    bucket->random = mixed ^ mixed >> 32;
    return (mach_port_mscount_t)(mixed >> 33);
}

error_t right_make(struct ports_object *object)
{
    struct ports_bucket *bucket = object->bucket;
    if (object->receive != MACH_PORT_NULL)
        return 0;
    if (object->gone)
        return ENXIO;
    error_t err = right_reserve(bucket);
    if (err)
        return err;

    object->clean = true;
    object->once = false;
    if (bucket->spare_count != 0) {
        struct ports_spare *spare = &bucket->spares[--bucket->spare_count];
        object->mscount = spare->mscount;
        object->begun = spare->begun;
        object->secret = spare->secret;
        right_enter(object, spare->receive, spare->serial);
        return 0;
    }

    mach_port_t receive;
    err = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &receive);
    if (err)
        return err;
    uint64_t serial = bucket->next_serial++;
    err = right_prepare(bucket, receive, serial);
    if (err) {
        mach_port_mod_refs(mach_task_self(), receive, MACH_PORT_RIGHT_RECEIVE, -1);
        return err;
    }
    object->mscount = random_count(bucket);
    object->begun = 0;
    object->secret = mach_port_set_mscount(mach_task_self(), receive, object->mscount) == 0;
    if (!object->secret)
        object->mscount = 0;
    right_enter(object, receive, serial);
    return 0;
}

error_t right_adopt(struct ports_object *object, mach_port_t receive)
{
    struct ports_bucket *bucket = object->bucket;
    mach_port_status_t status;
    error_t err = right_reserve(bucket);
    if (err == 0)
        err = mach_port_get_receive_status(mach_task_self(), receive, &status);
    if (err)
        return err;
    uint64_t serial = bucket->next_serial++;
    err = right_prepare(bucket, receive, serial);
    if (err)
        return err;

    object->clean = false;
    object->secret = false;
    object->mscount = status.mps_mscount;
    object->begun = status.mps_seqno;
    right_enter(object, receive, serial);
    if (status.mps_srights) {
        object->has_senders = true;
        ports_object_ref(object);
        right_expect_no_senders(object);
    }
    return 0;
}

void right_expect_no_senders(struct ports_object *object)
{
    /* The make-send count says from which right on we want to hear of it: a reply that carries one may still be on
       its way when the last of the older ones goes. */
    mach_port_t previous = MACH_PORT_NULL;
    mach_port_request_notification(mach_task_self(), object->receive, MACH_NOTIFY_NO_SENDERS, object->mscount,
                                   object->receive, MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous);
    if (MACH_PORT_VALID(previous))
        mach_port_deallocate(mach_task_self(), previous);
}

bool right_leave(struct ports_object *object, mach_port_t *receive)
{
    struct ports_bucket *bucket = object->bucket;
    *receive = object->receive;
    object->gone = true;
    if (object->receive == MACH_PORT_NULL)
        return false;

    ports_table_remove(&bucket->by_serial, &object->by_serial);
    ports_table_remove(&bucket->by_name, &object->by_name);
    object->receive = MACH_PORT_NULL;
    object->clean = false;
    object->recheck = false;
    object->interrupt_late = false;
    bool had = object->has_senders;
    object->has_senders = false;
    return had;
}

void right_retire(struct ports_object *object)
{
    struct ports_bucket *bucket = object->bucket;
    struct ports_spare spare = {
        .receive = object->receive,
        .serial = object->by_serial.key,
        .mscount = object->mscount,
        .begun = object->begun,
        .secret = object->secret,
    };
    bool clean = object->clean;
    mach_port_t receive;
    right_leave(object, &receive);
    if (receive == MACH_PORT_NULL)
        return;
    if (clean && bucket->spare_count < SPARES_MAX)
        bucket->spares[bucket->spare_count++] = spare;
    else
        mach_port_mod_refs(mach_task_self(), receive, MACH_PORT_RIGHT_RECEIVE, -1);
}
