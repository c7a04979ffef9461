/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Buckets: making them, finding and visiting their objects.  */

#include "ports-internal.h"

#include <stdlib.h>

struct ports_bucket *_Atomic ports_buckets;

/* Makes the port that dead-name notifications come to, and puts it into the set. */
static kern_return_t bucket_make_notify(struct ports_bucket *bucket)
{
    kern_return_t err = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &bucket->notify);
    if (err)
        return err;
    /* Without payloads (an old kernel) the message has the port's name, which will do. */
    mach_port_set_protected_payload(mach_task_self(), bucket->notify, PAYLOAD_NOTIFY);
    err = mach_port_move_member(mach_task_self(), bucket->notify, bucket->set);
    if (err)
        mach_port_mod_refs(mach_task_self(), bucket->notify, MACH_PORT_RIGHT_RECEIVE, -1);
    return err;
}

error_t ports_bucket_create(struct ports_bucket **result)
{
    struct ports_bucket *bucket = calloc(1, sizeof *bucket);
    if (bucket == NULL)
        return ENOMEM;

    kern_return_t err = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &bucket->set);
    if (err)
        goto fail_set;
    err = bucket_make_notify(bucket);
    if (err)
        goto fail_notify;

    bucket->next_serial = PAYLOAD_OBJECT;
    bucket->next = atomic_load(&ports_buckets);
    while (!atomic_compare_exchange_weak(&ports_buckets, &bucket->next, bucket))
        continue;
    *result = bucket;
    return 0;

fail_notify:
    mach_port_mod_refs(mach_task_self(), bucket->set, MACH_PORT_RIGHT_PORT_SET, -1);
fail_set:
    free(bucket);
    return err;
}

unsigned int ports_bucket_count(struct ports_bucket *bucket)
{
    bucket_lock(bucket);
    unsigned int count = bucket->by_serial.count;
    bucket_unlock(bucket);
    return count;
}

/* The objects of CLASS (all, if NULL) with a reference each, in malloc'd memory; their number in *COUNT. */
static error_t bucket_collect(struct ports_bucket *bucket, struct ports_class *class, struct ports_object ***list,
                              size_t *count)
{
    size_t room = 0;
    for (struct ports_object *o = bucket->objects; o != NULL; o = o->next)
        room++;
    *count = 0;
    *list = malloc((room + 1) * sizeof **list);
    if (*list == NULL)
        return ENOMEM;
    for (struct ports_object *o = bucket->objects; o != NULL; o = o->next)
        if ((class == NULL || o->class == class) && object_tryref(o))
            (*list)[(*count)++] = o;
    return 0;
}

error_t ports_bucket_iterate(struct ports_bucket *bucket, struct ports_class *class,
                             error_t (*fn)(struct ports_object *, void *), void *arg)
{
    struct ports_object **list;
    size_t count;
    bucket_lock(bucket);
    error_t err = bucket_collect(bucket, class, &list, &count);
    bucket_unlock(bucket);
    if (err)
        return err;

    for (size_t i = 0; i < count; i++) {
        if (err == 0)
            err = fn(list[i], arg);
        ports_object_deref(list[i]);
    }
    free(list);
    return err;
}

/* The object with receive right PORT, with a reference, or NULL. */
static struct ports_object *bucket_lookup(struct ports_bucket *bucket, mach_port_t port)
{
    bucket_lock(bucket);
    struct ports_link *link = ports_table_find(&bucket->by_name, port);
    struct ports_object *object = link != NULL ? PORTS_LINK_OWNER(link, struct ports_object, by_name) : NULL;
    if (object != NULL && !object_tryref(object))
        object = NULL;
    bucket_unlock(bucket);
    return object;
}

void *ports_object_lookup(struct ports_bucket *bucket, mach_port_t port, struct ports_class *class)
{
    if (!MACH_PORT_VALID(port))
        return NULL;
    struct ports_object *object = NULL;
    if (bucket != NULL)
        object = bucket_lookup(bucket, port);
    else
        for (bucket = atomic_load(&ports_buckets); bucket != NULL && object == NULL; bucket = bucket->next)
            object = bucket_lookup(bucket, port);

    if (object != NULL && class != NULL && object->class != class) {
        ports_object_deref(object);
        return NULL;
    }
    return object;
}
