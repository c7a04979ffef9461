/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Owners of record locks that are ports: file_record_lock's RENDEZVOUS.

   An owner is an object without a port of its own, found by our name of the rendezvous port, to which it holds a send
   right; the kernel's dead-name notification is for it.  It keeps a list of the places where it has locks, each of
   which holds the node.  It lives while it has places or a request uses it.  When the port dies all its locks go;
   requests that are under way notice when they are through.

   Locks: a node's lock, then owners_lock, a leaf but for the locks of lib/ports. */

#include <fshelp/fshelp.h>

#include <fcntl.h>
#include <ports/ports.h>
#include <stdlib.h>

struct place {
    struct place *next;
    struct fshelp_lock_site site; /* its node held */
};

struct owner {
    struct ports_object port;
    struct ports_link link;       /* key: rendezvous; owners_lock, as all that follows */
    mach_port_t rendezvous;       /* constant; a user reference */
    unsigned int uses;            /* requests, and the death, under way */
    struct place *places;
    bool dead;                    /* the port has died */
    bool ended;                   /* not in the table any more */
};

static pthread_mutex_t owners_lock = PTHREAD_MUTEX_INITIALIZER;
static struct ports_table owners; /* owners_lock */

/* Ends OWNER unless it is used, then gives owners_lock back. */
static void owner_put_unlock(struct owner *owner)
{
    bool last = --owner->uses == 0 && owner->places == NULL && !owner->ended;
    if (last) {
        owner->ended = true;
        ports_table_remove(&owners, &owner->link);
    }
    pthread_mutex_unlock(&owners_lock);
    if (last)
        ports_object_deref(owner);
}

static void owner_destroy(struct ports_object *object)
{
    struct owner *owner = (struct owner *)object;
    if (owner->rendezvous != MACH_PORT_NULL)
        mach_port_deallocate(mach_task_self(), owner->rendezvous);
}

/* The port has died: gives back all that OWNER has. */
static void owner_end(struct owner *owner)
{
    struct place *place, *next;
    pthread_mutex_lock(&owners_lock);
    owner->dead = true;
    owner->uses++;
    place = owner->places;
    owner->places = NULL;
    pthread_mutex_unlock(&owners_lock);
    for (; place != NULL; place = next) {
        const struct fshelp_lock_site *site = &place->site;
        next = place->next;
        pthread_mutex_lock(site->node_lock);
        fshelp_lock_drop(site->box, owner);
        pthread_mutex_unlock(site->node_lock);
        site->release(site->node);
        free(place);
    }
    pthread_mutex_lock(&owners_lock);
    owner_put_unlock(owner);
}

static void owner_dead(struct ports_object *object, mach_port_t name)
{
    (void)name;
    owner_end((struct owner *)object);
}

static const struct ports_class_ops owner_ops = {
    .name = "lock owner", .size = sizeof(struct owner), .destroy = owner_destroy, .dead_name = owner_dead,
};
static struct ports_class owner_class = PORTS_CLASS(owner_ops);

/* A new owner, used once, for RENDEZVOUS; or one that somebody else made meanwhile. */
static error_t owner_create(struct ports_bucket *bucket, mach_port_t rendezvous, struct owner **result)
{
    struct owner *owner;
    error_t err = ports_object_create_quiet(&owner_class, bucket, &owner);
    if (err)
        return err;
    owner->uses = 1;
    err = mach_port_mod_refs(mach_task_self(), rendezvous, MACH_PORT_RIGHT_SEND, +1);
    if (err == 0) {
        owner->rendezvous = owner->link.key = rendezvous;
        pthread_mutex_lock(&owners_lock);
        struct ports_link *other = ports_table_find(&owners, rendezvous);
        err = other != NULL ? EEXIST : ports_table_reserve(&owners) ? ENOMEM : 0;
        if (err == 0)
            ports_table_insert(&owners, &owner->link);
        pthread_mutex_unlock(&owners_lock);
    } else {
        err = EINVAL; /* it died */
    }
    if (err) {
        ports_object_deref(owner);
        return err;
    }
    err = ports_object_notify_dead(owner, rendezvous);
    if (err) {
        owner_end(owner);
        pthread_mutex_lock(&owners_lock);
        owner_put_unlock(owner);
        return err;
    }
    *result = owner;
    return 0;
}

/* The owner that RENDEZVOUS is, used once more. */
static error_t owner_get(struct ports_bucket *bucket, mach_port_t rendezvous, struct owner **result)
{
    error_t err;
    if ((ports_name_type(rendezvous) & (MACH_PORT_TYPE_SEND | MACH_PORT_TYPE_RECEIVE)) != MACH_PORT_TYPE_SEND)
        return EINVAL;
    do {
        pthread_mutex_lock(&owners_lock);
        struct ports_link *link = ports_table_find(&owners, rendezvous);
        if (link != NULL) {
            *result = PORTS_LINK_OWNER(link, struct owner, link);
            (*result)->uses++;
        }
        pthread_mutex_unlock(&owners_lock);
        if (link != NULL)
            return 0;
        err = owner_create(bucket, rendezvous, result);
    } while (err == EEXIST);
    return err;
}

static struct place **place_find(struct owner *owner, const struct fshelp_lockbox *box)
{
    struct place **at = &owner->places;
    while (*at != NULL && (*at)->site.box != box)
        at = &(*at)->next;
    return at;
}

/* Notes whether OWNER has locks at NEW's site, whose lock is held.  A place that is no more, or NEW if it is not
   needed, is left in *UNUSED: one node to release each.  EINVAL: the owner is dead, and has no locks any more. */
static error_t place_note(struct owner *owner, struct place *new, struct place **unused)
{
    const struct fshelp_lock_site *site = &new->site;
    error_t err = 0;
    *unused = new;
    pthread_mutex_lock(&owners_lock);
    struct place **at = place_find(owner, site->box), *old = *at;
    if (owner->dead) {
        fshelp_lock_drop(site->box, owner);
        err = EINVAL;
    }
    bool wanted = fshelp_lock_holds(site->box, owner);
    if (wanted && old == NULL) {
        new->next = NULL;
        *at = new;
        *unused = NULL;
    } else if (!wanted && old != NULL) {
        *at = old->next;
        old->next = new;
        new->next = NULL;
        *unused = old;
    }
    pthread_mutex_unlock(&owners_lock);
    return err;
}

error_t fshelp_lock_record_port(struct ports_bucket *bucket, mach_port_t rendezvous,
                                const struct fshelp_lock_site *site, pid_t pid, int cmd, struct flock64 *lock)
{
    struct owner *owner;
    struct place *new = calloc(1, sizeof *new), *unused, *next;
    if (new == NULL)
        return ENOLCK;
    error_t err = owner_get(bucket, rendezvous, &owner);
    if (err) {
        free(new);
        return err;
    }
    new->site = *site;
    site->hold(site->node);
    pthread_mutex_lock(site->node_lock);
    err = fshelp_lock_record(site->box, site->node_lock, owner, pid, cmd, lock);
    error_t gone = place_note(owner, new, &unused);
    pthread_mutex_unlock(site->node_lock);
    for (; unused != NULL; unused = next) {
        next = unused->next;
        site->release(site->node);
        free(unused);
    }
    pthread_mutex_lock(&owners_lock);
    owner_put_unlock(owner);
    return err ? err : gone;
}

unsigned int fshelp_lock_ports(void)
{
    pthread_mutex_lock(&owners_lock);
    unsigned int count = owners.count;
    pthread_mutex_unlock(&owners_lock);
    return count;
}
