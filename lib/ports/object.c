/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects: birth, references, death, and what callers do with their rights.

   An object without references is dead from the moment that its count falls to zero: lookups, which all go through
   the bucket's tables under its lock, take no reference to it any more.  The thread that gave up the last one takes it
   out of the tables and destroys it.  */

#include "ports-internal.h"

#include <stdlib.h>
#include <string.h>

/* A new object without a right, in the bucket's list, one reference. */
static struct ports_object *object_make(struct ports_class *class, struct ports_bucket *bucket)
{
    struct ports_object *object = calloc(1, class->ops->size);
    if (object == NULL)
        return NULL;
    object->class = class;
    object->bucket = bucket;
    atomic_init(&object->refs, 1);
    atomic_fetch_add_explicit(&class->count, 1, memory_order_relaxed);
    return object;
}

static void object_link(struct ports_object *object)
{
    struct ports_bucket *bucket = object->bucket;
    object->next = bucket->objects;
    object->prevp = &bucket->objects;
    if (object->next != NULL)
        object->next->prevp = &object->next;
    bucket->objects = object;
}

static void object_unlink(struct ports_object *object)
{
    *object->prevp = object->next;
    if (object->next != NULL)
        object->next->prevp = object->prevp;
}

static void object_free(struct ports_object *object)
{
    atomic_fetch_sub_explicit(&object->class->count, 1, memory_order_relaxed);
    free(object);
}

/* Births: quiet, with a new right (RECEIVE null), or with the given one. */
static error_t object_birth(struct ports_class *class, struct ports_bucket *bucket, bool quiet, mach_port_t receive,
                            void *result)
{
    struct ports_object *object = object_make(class, bucket);
    if (object == NULL)
        return ENOMEM;

    bucket_lock(bucket);
    error_t err = quiet ? 0 : receive != MACH_PORT_NULL ? right_adopt(object, receive) : right_make(object);
    if (err == 0)
        object_link(object);
    bucket_unlock(bucket);

    if (err) {
        object_free(object);
        return err;
    }
    memcpy(result, &object, sizeof object);
    return 0;
}

error_t ports_object_create(struct ports_class *class, struct ports_bucket *bucket, void *object)
{
    return object_birth(class, bucket, false, MACH_PORT_NULL, object);
}

error_t ports_object_create_quiet(struct ports_class *class, struct ports_bucket *bucket, void *object)
{
    return object_birth(class, bucket, true, MACH_PORT_NULL, object);
}

error_t ports_object_import(struct ports_class *class, struct ports_bucket *bucket, mach_port_t receive, void *object)
{
    if (!MACH_PORT_VALID(receive))
        return EINVAL;
    return object_birth(class, bucket, false, receive, object);
}

error_t ports_object_adopt_right(void *object, mach_port_t receive)
{
    struct ports_object *o = object;
    bucket_lock(o->bucket);
    error_t err = o->receive != MACH_PORT_NULL || o->gone ? EBUSY : right_adopt(o, receive);
    bucket_unlock(o->bucket);
    return err;
}

void ports_object_end(struct ports_object *o)
{
    if (__atomic_load_n(&o->waits, __ATOMIC_ACQUIRE) != NULL)
        death_forget_object(o);
    bucket_lock(o->bucket);
    object_unlink(o);
    right_retire(o);
    bucket_unlock(o->bucket);

    if (o->class->ops->destroy != NULL)
        o->class->ops->destroy(o);
    object_free(o);
}

mach_port_t ports_object_make_send_name(void *object)
{
    struct ports_object *o = object;
    bucket_lock(o->bucket);
    if (right_make(o) == 0) {
        o->mscount++;
        o->clean = false;
        if (!o->has_senders) {
            o->has_senders = true;
            ports_object_ref(o);
            right_expect_no_senders(o);
        }
    }
    mach_port_t name = o->receive;
    bucket_unlock(o->bucket);
    return name;
}

mach_port_t ports_object_receive_name(void *object)
{
    struct ports_object *o = object;
    bucket_lock(o->bucket);
    right_make(o);
    o->clean = false;
    o->once = true;
    mach_port_t name = o->receive;
    bucket_unlock(o->bucket);
    return name;
}

mach_port_t ports_object_send_right(void *object)
{
    mach_port_t name = ports_object_make_send_name(object);
    if (name == MACH_PORT_NULL)
        return MACH_PORT_NULL;
    if (mach_port_insert_right(mach_task_self(), name, name, MACH_MSG_TYPE_MAKE_SEND) == 0)
        return name;

    /* The right was destroyed meanwhile, or there is no room for another reference: nothing was made. */
    struct ports_object *o = object;
    bucket_lock(o->bucket);
    if (o->receive == name) {
        o->mscount--;
        right_expect_no_senders(o);
    }
    bucket_unlock(o->bucket);
    return MACH_PORT_NULL;
}

void ports_object_destroy_right(void *object)
{
    struct ports_object *o = object;
    mach_port_t receive;
    bucket_lock(o->bucket);
    bool deref = right_leave(o, &receive);
    bucket_unlock(o->bucket);

    if (receive != MACH_PORT_NULL)
        mach_port_mod_refs(mach_task_self(), receive, MACH_PORT_RIGHT_RECEIVE, -1);
    if (deref)
        ports_object_deref(o);
}

unsigned int ports_class_count(struct ports_class *class)
{
    return atomic_load_explicit(&class->count, memory_order_relaxed);
}
