/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pager: life of a pager, and what the server asks of the kernel for it.  */

#include "internal.h"

#include <mach.h>
#include <stdatomic.h>
#include <stdio.h>

#include "memory_object_S.h"

/* Threads that serve pagers, each with a bucket: as many requests can wait for the disk at once.  */
#define BUCKETS 4
static struct ports_bucket *buckets[BUCKETS];
static atomic_uint bucket_next;

static void pager_gone(struct ports_object *object);
static void pager_no_senders(struct ports_object *object);

static const ports_interface_t pager_interfaces[] = { memory_object_server_routine, NULL };
static const struct ports_class_ops pager_class_ops = {
    .name = "pager", .size = sizeof(struct pager), .interfaces = pager_interfaces,
    .destroy = pager_gone, .no_senders = pager_no_senders,
};
struct ports_class pager_class = PORTS_CLASS(pager_class_ops);

error_t pager_init(void)
{
    static const struct ports_serve_options one_thread = { .single = true };
    for (unsigned int i = 0; i < BUCKETS; i++) {
        error_t err = ports_bucket_create(&buckets[i]);
        if (!err)
            err = ports_bucket_serve_detached(buckets[i], &one_thread);
        if (err)
            return err;
    }
    return 0;
}

error_t pager_create(const struct pager_ops *ops, void *hook, struct pager **pager)
{
    struct pager *p;
    unsigned int bucket = atomic_fetch_add(&bucket_next, 1) % BUCKETS;
    error_t err = ports_object_create(&pager_class, buckets[bucket], &p);
    if (err)
        return err;
    p->ops = ops;
    p->hook = hook;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    *pager = p;
    return 0;
}

void pager_destroy(struct pager *pager)
{
    pager_windows_drop(pager);
    ports_object_destroy_right(pager);
    ports_object_deref(pager);
}

static void pager_gone(struct ports_object *object)
{
    struct pager *p = (struct pager *)object;
    free(p->hot.words);
    free(p->present.words);
    free(p->windows);
    if (p->control != MACH_PORT_NULL)
        mach_port_destroy(mach_task_self(), p->control);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->changed);
}

/* ---- who has it ----------------------------------------------------------------------------- */

mach_port_t pager_object(struct pager *pager)
{
    pthread_mutex_lock(&pager->lock);
    mach_port_t right = ports_object_send_right(pager);
    bool first = right != MACH_PORT_NULL && !pager->acquired;
    pager->acquired |= first;
    if (pager->uncached && pager->control != MACH_PORT_NULL)
        memory_object_change_attributes(pager->control, true, MEMORY_OBJECT_COPY_DELAY, MACH_PORT_NULL);
    pager->uncached = false;
    pthread_mutex_unlock(&pager->lock);
    if (first)
        pager->ops->acquire(pager->hook);
    return right;
}

/* The last send right has gone; but a new one may have been made since, under the lock.  */
static void pager_no_senders(struct ports_object *object)
{
    struct pager *p = (struct pager *)object;
    struct mach_port_status status;
    pthread_mutex_lock(&p->lock);
    bool gone = p->acquired && (p->port.receive == MACH_PORT_NULL ||
                                mach_port_get_receive_status(mach_task_self(), p->port.receive, &status) != 0 || !status.mps_srights);
    if (gone)
        p->acquired = false;
    pthread_mutex_unlock(&p->lock);
    if (gone)
        p->ops->release(p->hook);
}

bool pager_is_active(struct pager *pager)
{
    pthread_mutex_lock(&pager->lock);
    bool active = pager->control != MACH_PORT_NULL || pager->acquired;
    pthread_mutex_unlock(&pager->lock);
    return active;
}

bool pager_uncache(struct pager *pager)
{
    pager_windows_drop(pager);
    pthread_mutex_lock(&pager->lock);
    bool acquired = pager->acquired;
    if (pager->control != MACH_PORT_NULL && !pager->uncached) {
        pager->uncached = true;
        memory_object_change_attributes(pager->control, false, MEMORY_OBJECT_COPY_DELAY, MACH_PORT_NULL);
    } else {
        pager->uncached = true;
    }
    pthread_mutex_unlock(&pager->lock);
    return acquired;
}

/* ---- lock requests --------------------------------------------------------------------------- */

kern_return_t pager_lock_request(struct pager *p, uint64_t offset, uint64_t length, memory_object_return_t give_back, bool flush,
                                 vm_prot_t prot, bool wait)
{
    kern_return_t kr = 0;
    pthread_mutex_lock(&p->lock);
    if (p->control != MACH_PORT_NULL) {
        kr = memory_object_lock_request(p->control, offset, length, give_back, flush, prot, wait ? p->port.receive : MACH_PORT_NULL);
        uint64_t mine = ++p->lock_sent;
        if (!wait || kr)
            p->lock_sent--;
        while (wait && !kr && p->lock_done < mine && p->control != MACH_PORT_NULL)
            pthread_cond_wait(&p->changed, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return kr;
}

error_t pager_sync(struct pager *pager, uint64_t offset, uint64_t length, bool wait)
{
    uint64_t first = offset / vm_page_size, end = (offset + length + vm_page_size - 1) / vm_page_size;
    pthread_mutex_lock(&pager->lock);
    bool any = bits_any(&pager->hot, first, end) || pager->serving;
    pthread_mutex_unlock(&pager->lock);
    if (!any)
        return 0;
    kern_return_t kr = pager_lock_request(pager, first * vm_page_size, (end - first) * vm_page_size, MEMORY_OBJECT_RETURN_DIRTY, false,
                                          VM_PROT_NO_CHANGE, wait);
    return kr ? EIO : 0;
}

void pager_discard(struct pager *pager, uint64_t offset, uint64_t length)
{
    uint64_t first = offset / vm_page_size, end = (offset + length + vm_page_size - 1) / vm_page_size;
    pthread_mutex_lock(&pager->lock);
    bool any = bits_any(&pager->present, first, end) || pager->serving;
    pthread_mutex_unlock(&pager->lock);
    if (!any)
        return;
    /* Twice: a request that was being handled may have supplied pages after the first.  */
    for (int i = 0; i < 2; i++)
        pager_lock_request(pager, first * vm_page_size, (end - first) * vm_page_size, MEMORY_OBJECT_RETURN_NONE, true,
                           VM_PROT_NO_CHANGE, true);
    pthread_mutex_lock(&pager->lock);
    bits_clear(&pager->present, first, end);
    bits_clear(&pager->hot, first, end);
    pthread_mutex_unlock(&pager->lock);
}
