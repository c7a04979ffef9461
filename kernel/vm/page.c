/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages of memory objects: finding them by object and offset, and the queues by which pageout chooses. */

#include "page.h"

#include "../task/sched.h"
#include "object.h"
#include "pageout.h"

static struct page **buckets; /* 2^n lists of pages by object and offset */
static unsigned int bucket_shift;

struct vm_counters vm_counters;
struct list page_active_queue = LIST_INIT(page_active_queue);
struct list page_inactive_queue = LIST_INIT(page_inactive_queue);

void page_hash_init(void)
{
    unsigned int log = 10;
    while (1ul << log < page_counts.total / 2)
        log++;
    buckets = kalloc(sizeof *buckets << log);
    if (buckets == NULL)
        panic("no memory for the table of pages");
    memset(buckets, 0, sizeof *buckets << log);
    bucket_shift = 64 - log;
}

static inline struct page **bucket_of(const struct vm_object *object, uint64_t offset)
{
    uint64_t key = ((uint64_t)object >> 5) + (offset >> PAGE_SHIFT);
    return &buckets[key * 0x9e3779b97f4a7c15 >> bucket_shift];
}

size_t page_table_buckets(void)
{
    return 1ul << (64 - bucket_shift);
}

unsigned int page_table_count(size_t bucket)
{
    unsigned int count = 0;
    for (const struct page *page = buckets[bucket]; page; page = page->hash_next)
        count++;
    return count;
}

struct page *page_lookup_resident(const struct vm_object *object, uint64_t offset)
{
    for (struct page *page = *bucket_of(object, offset); page; page = page->hash_next)
        if (page->object == object && page->offset == offset)
            return page;
    return NULL;
}

void page_insert(struct page *page, struct vm_object *object, uint64_t offset)
{
    struct page **bucket = bucket_of(object, offset);
    page->object = object;
    page->offset = offset;
    page->hash_next = *bucket;
    *bucket = page;
    list_append(&object->pages, &page->link);
    object->resident++;
}

void page_remove(struct page *page)
{
    struct vm_object *object = page->object;
    if (unlikely(page->laundry)) {
        page->laundry = false;
        object_laundry_done(object);
    }
    struct page **link = bucket_of(object, page->offset);
    while (*link != page)
        link = &(*link)->hash_next;
    *link = page->hash_next;
    list_remove(&page->link);
    object->resident--;
    page->object = NULL;
}

void page_rename(struct page *page, struct vm_object *object, uint64_t offset)
{
    page_remove(page);
    page_insert(page, object, offset);
}

void page_dequeue(struct page *page)
{
    if (page->active)
        page_counts.active--;
    if (page->inactive)
        page_counts.inactive--;
    page->active = page->inactive = false;
    list_remove(&page->queue);
}

void page_activate(struct page *page)
{
    if (page->active || page->wired || page->private_memory || unlikely(page->laundry && page->object->unpageable))
        return;
    page_dequeue(page);
    page->active = true;
    page_counts.active++;
    list_append(&page_active_queue, &page->queue);
}

void page_deactivate(struct page *page)
{
    if (page->inactive || page->wired || page->private_memory)
        return;
    page_dequeue(page);
    page->inactive = true;
    page_counts.inactive++;
    list_append(&page_inactive_queue, &page->queue);
}

void page_wire(struct page *page)
{
    if (page->wired++ == 0) {
        page_dequeue(page);
        page_counts.wired++;
    }
}

void page_unwire(struct page *page)
{
    assert(page->wired > 0);
    if (--page->wired == 0) {
        page_counts.wired--;
        page_activate(page);
    }
}

void page_wakeup(struct page *page)
{
    page->busy = false;
    if (page->wanted) {
        page->wanted = false;
        thread_wakeup(page);
    }
}

void page_discard(struct page *page)
{
    if (page->mapping.pmap)
        pmap_page_protect(page, VM_PROT_NONE);
    if (page->object)
        page_remove(page);
    if (page->wired) {
        page->wired = 0;
        page_counts.wired--;
    }
    page_dequeue(page);
    page_wakeup(page);
    if (!page->private_memory)
        page_free(page, 0);
}
