/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pager: life of a pager, and what the server asks of the kernel for it.  */

#include "pager-internal.h"

#include <mach.h>
#include <mach/mach4.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

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
    enum { DATA_RETURN = 2208 };
    static const struct ports_serve_options one_thread = { .single = true };
    ports_reads_guarded(DATA_RETURN);   /* from the kernel */
    for (unsigned int i = 0; i < BUCKETS; i++) {
        error_t err = ports_bucket_create(&buckets[i]);
        if (!err)
            err = ports_bucket_serve_detached(buckets[i], &one_thread);
        if (err)
            return err;
    }
    return behind_init();
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
    behind_forget(pager);
    pager_windows_drop(pager);
    ports_object_destroy_right(pager);
    ports_object_deref(pager);
}

static void pager_gone(struct ports_object *object)
{
    struct pager *p = (struct pager *)object;
    behind_sub(p->hot_pages + p->flying);
    bits_free(&p->hot);
    bits_free(&p->syncing);
    bits_free(&p->failed);
    bits_free(&p->present);
    free(p->windows);
    pager_next_drop(p, 0, UINT64_MAX);
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

error_t pager_proxy(struct pager *pager, vm_prot_t prot, mach_port_t *proxy)
{
    rpc_vm_offset_t zero = 0;
    rpc_vm_size_t all = INT64_MAX & ~(rpc_vm_size_t)(vm_page_size - 1);
    mach_port_t object = pager_object(pager);
    if (object == MACH_PORT_NULL)
        return ENOMEM;
    kern_return_t kr = memory_object_create_proxy(mach_task_self(), prot, &object, MACH_MSG_TYPE_COPY_SEND, 1, &zero, 1,
                                                  &zero, 1, &all, 1, proxy);
    mach_port_deallocate(mach_task_self(), object);
    return kr == KERN_RESOURCE_SHORTAGE ? ENOMEM : kr;
}

/* The last send right has gone; but a new one may have been made since, under the lock.  */
static void pager_no_senders(struct ports_object *object)
{
    struct pager *p = (struct pager *)object;
    struct mach_port_status status;
    pthread_mutex_lock(&p->lock);
    bool gone = p->acquired &&
                (p->port.receive == MACH_PORT_NULL ||
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
    pager_next_drop(pager, 0, UINT64_MAX);
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

void pager_note_hot(struct pager *p, uint64_t first, uint64_t end)
{
    uint64_t count = bits_set(&p->hot, first, end);
    p->hot_pages += count;
    if (count)
        behind_add(p, count);
}

void pager_note_cold(struct pager *p, uint64_t first, uint64_t end)
{
    uint64_t count = bits_clear(&p->hot, first, end);
    p->hot_pages -= count;
    if (count)
        behind_sub(count);
}

/* Sends the request; *TICKET is what lock_done reaches when it is completed.  Lock held, control there.  */
static kern_return_t lock_request_send(struct pager *p, uint64_t offset, uint64_t length,
                                       memory_object_return_t give_back, bool flush, vm_prot_t prot, uint64_t *ticket)
{
    kern_return_t kr = memory_object_lock_request(p->control, offset, length, give_back, flush, prot, p->port.receive);
    *ticket = kr ? p->lock_sent : ++p->lock_sent;
    return kr;
}

static void lock_request_wait(struct pager *p, uint64_t ticket)
{
    while (p->lock_done < ticket && p->control != MACH_PORT_NULL)
        pthread_cond_wait(&p->changed, &p->lock);
}

kern_return_t pager_flush(struct pager *p, uint64_t offset, uint64_t length)
{
    kern_return_t kr = 0;
    uint64_t ticket;
    pthread_mutex_lock(&p->lock);
    if (p->control != MACH_PORT_NULL && length) {
        kr = lock_request_send(p, offset, length, MEMORY_OBJECT_RETURN_NONE, true, VM_PROT_NO_CHANGE, &ticket);
        lock_request_wait(p, ticket);
    }
    pthread_mutex_unlock(&p->lock);
    return kr;
}

/* The pages of [OFFSET, OFFSET + LENGTH), as far as there are any. Lock held.  */
static void pages_of(const struct pager *p, uint64_t offset, uint64_t length, uint64_t *first, uint64_t *end)
{
    uint64_t present = bits_end(&p->present), hot = bits_end(&p->hot), pages = present > hot ? present : hot;
    *first = offset / vm_page_size;
    *end = length > UINT64_MAX / 2 ? pages : (offset + length + vm_page_size - 1) / vm_page_size;
    if (*end > pages)
        *end = pages;
    if (*first > *end)
        *first = *end;
}

/* Pages of a gap between changed ones that are looked at rather than asked about separately.  */
#define SYNC_GAP 16

/* Asks for the changed pages among [*AT, END), run by run, PIECE_PAGES of them at most; *AT is then where to go on.
   What was asked for is write-locked afterwards, so that the next change is heard of and a file that does not change
   costs the next sync nothing.  Lock held, control there.  */
static kern_return_t sync_send(struct pager *p, uint64_t *at, uint64_t end, uint64_t *ticket)
{
    bool tight = ports_memory_state(0) != MEMORY_ENOUGH;   /* then the kernel is to keep none */
    uint64_t first = *at, left = tight ? PIECE_PAGES / 8 : PIECE_PAGES;
    while (left > 0 && (first = bits_next(&p->hot, first, end)) < end) {
        uint64_t stop = first + 1, most = end - first > left ? first + left : end, next;
        while (stop < most && (next = bits_next(&p->hot, stop, most)) < most && next - stop <= SYNC_GAP)
            stop = next + 1;
        if (!bits_make_room(&p->syncing, first, stop))
            return KERN_RESOURCE_SHORTAGE;
        bits_set(&p->syncing, first, stop);
        uint64_t count = bits_clear(&p->hot, first, stop);
        p->hot_pages -= count;
        p->flying += count;
        kern_return_t kr = lock_request_send(p, first * vm_page_size, (stop - first) * vm_page_size,
                                             MEMORY_OBJECT_RETURN_DIRTY, tight, VM_PROT_WRITE, ticket);
        if (kr)
            return kr;
        left -= stop - first;
        first = stop;
    }
    *at = first;
    return 0;
}

/* Pages of a cluster that is written when one of them has to be.  */
#define EVICT_CLUSTER 32

void pager_evict_neighbours(struct pager *p, uint64_t page)
{
    uint64_t first = page / EVICT_CLUSTER * EVICT_CLUSTER, ticket;
    if (p->control == MACH_PORT_NULL || !bits_any(&p->hot, first, first + EVICT_CLUSTER))
        return;
    (void)sync_send(p, &first, first + EVICT_CLUSTER, &ticket);
}

error_t pager_sync(struct pager *pager, uint64_t offset, uint64_t length, bool wait)
{
    uint64_t first, end;
    kern_return_t kr = 0;
    pthread_mutex_lock(&pager->lock);
    pages_of(pager, offset, length, &first, &end);
    uint64_t ticket = pager->lock_sent, before = 0;  /* also what others have asked for */
    while (!kr && first < end && pager->control != MACH_PORT_NULL) {
        kr = sync_send(pager, &first, end, &ticket);
        lock_request_wait(pager, before);            /* one piece is being written while the next is asked for */
        before = ticket;
    }
    if (wait)
        lock_request_wait(pager, ticket);
    pthread_mutex_unlock(&pager->lock);
    return kr ? EIO : 0;
}

/* Pages that the kernel does not have, between those that it has, which are looked at rather than left out.  */
#define DISCARD_GAP 64

/* Throws those pages of [FIRST, END) away that the kernel may have, and waits until all is handled that it sent before:
   it looks at each page of a range, so a file's holes are left out.  */
static void present_flush(struct pager *p, uint64_t first, uint64_t end)
{
    uint64_t ticket, barrier = first, next;
    pthread_mutex_lock(&p->lock);
    while (p->control != MACH_PORT_NULL && (first = bits_next(&p->present, first, end)) < end) {
        uint64_t stop = bits_next_clear(&p->present, first, end);
        while ((next = bits_next(&p->present, stop, end)) < end && next - stop <= DISCARD_GAP)
            stop = bits_next_clear(&p->present, next, end);
        memory_object_lock_request(p->control, first * vm_page_size, (stop - first) * vm_page_size,
                                   MEMORY_OBJECT_RETURN_NONE, true, VM_PROT_NO_CHANGE, MACH_PORT_NULL);
        first = stop;
    }
    if (p->control != MACH_PORT_NULL
        && !lock_request_send(p, barrier * vm_page_size, vm_page_size, MEMORY_OBJECT_RETURN_NONE, true,
                              VM_PROT_NO_CHANGE, &ticket))
        lock_request_wait(p, ticket);
    pthread_mutex_unlock(&p->lock);
}

void pager_discard(struct pager *pager, uint64_t offset, uint64_t length)
{
    uint64_t first, end;
    pthread_mutex_lock(&pager->lock);
    pager_next_drop(pager, offset, length > UINT64_MAX - offset ? UINT64_MAX : offset + length);
    pages_of(pager, offset, length, &first, &end);
    bool any = first < end && (bits_any(&pager->present, first, end) || pager->serving);
    pthread_mutex_unlock(&pager->lock);
    if (!any)
        return;
    /* Twice: a request that was being handled may have supplied pages after the first.  */
    for (int i = 0; i < 2; i++)
        present_flush(pager, first, end);
    pthread_mutex_lock(&pager->lock);
    bits_clear(&pager->present, first, end);
    pager_note_cold(pager, first, end);
    pthread_mutex_unlock(&pager->lock);
}
