/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The manager's store (store.h): pages in a hash table by object and offset, each as a list of the words that its
   pattern does not have. */

#include "store.h"

#include <mach.h>
#include <string.h>

#include "pattern.h"

enum { PAGES_MAX = 20000, WHOLE_MAX = 700, BUCKETS = 8192, EXCEPTIONS = 4 };

/* A page that is kept as it is; those with the same contents (a program's text) are one. */
struct whole_page {
    struct whole_page *next; /* in use, or free */
    uint64_t sum;
    uint32_t refs;
    uint64_t word[PAGE_WORDS];
};

struct stored_page {
    struct stored_page *next;                 /* in its bucket, or free */
    struct stored_page *next_of_object, **link_of_object;
    uint64_t object, offset;
    struct whole_page *whole;                 /* NULL: as the words below say */
    uint64_t word[EXCEPTIONS];
    uint16_t at[EXCEPTIONS];
    uint16_t exceptions;
};

static struct stored_page **buckets, *free_pages;
static struct whole_page *used_whole, *free_whole;
static long kept;

bool store_open(void)
{
    vm_address_t memory = 0;
    vm_size_t size = PAGES_MAX * sizeof(struct stored_page) + BUCKETS * sizeof *buckets +
                     WHOLE_MAX * sizeof(struct whole_page);
    if (vm_allocate(mach_task_self(), &memory, size, TRUE))
        return false;
    struct whole_page *whole = (struct whole_page *)memory;
    for (int i = 0; i < WHOLE_MAX; i++, whole++) {
        whole->next = free_whole;
        free_whole = whole;
    }
    buckets = (struct stored_page **)whole;
    struct stored_page *pages = (struct stored_page *)(buckets + BUCKETS);
    for (int i = 0; i < PAGES_MAX; i++) {
        pages[i].next = free_pages;
        free_pages = &pages[i];
    }
    return true;
}

static struct stored_page **bucket_of(uint64_t object, uint64_t offset)
{
    return &buckets[((object << 40) + offset / PAGE_BYTES) * 0x9e3779b97f4a7c15 >> 51];
}

static struct stored_page *page_find(const struct stored_object *object, uint64_t offset)
{
    struct stored_page *page = *bucket_of(object->id, offset);
    while (page && (page->object != object->id || page->offset != offset))
        page = page->next;
    return page;
}

static struct stored_page *page_create(struct stored_object *object, uint64_t offset)
{
    struct stored_page *page = free_pages, **bucket = bucket_of(object->id, offset);
    if (page == NULL)
        return NULL;
    free_pages = page->next;
    *page = (struct stored_page){.next = *bucket,
                                 .object = object->id,
                                 .offset = offset,
                                 .next_of_object = object->pages,
                                 .link_of_object = &object->pages};
    if (object->pages)
        object->pages->link_of_object = &page->next_of_object;
    object->pages = *bucket = page;
    kept++;
    return page;
}

/* Gives PAGE a whole page with DATA; false: there are none left. */
static bool whole_keep(struct stored_page *page, const uint64_t *data)
{
    uint64_t sum = 0;
    for (int i = 0; i < PAGE_WORDS; i++)
        sum = (sum ^ data[i]) * 0x9e3779b97f4a7c15;
    struct whole_page *whole = used_whole;
    while (whole && (whole->sum != sum || memcmp(whole->word, data, PAGE_BYTES)))
        whole = whole->next;
    if (whole == NULL) {
        if ((whole = free_whole) == NULL)
            return false;
        free_whole = whole->next;
        *whole = (struct whole_page){.next = used_whole, .sum = sum};
        memcpy(whole->word, data, PAGE_BYTES);
        used_whole = whole;
    }
    whole->refs++;
    page->whole = whole;
    return true;
}

static void whole_drop(struct stored_page *page)
{
    struct whole_page *whole = page->whole, **link = &used_whole;
    page->whole = NULL;
    if (whole == NULL || --whole->refs > 0)
        return;
    while (*link != whole)
        link = &(*link)->next;
    *link = whole->next;
    whole->next = free_whole;
    free_whole = whole;
}

static void page_destroy(struct stored_page *page)
{
    struct stored_page **link = bucket_of(page->object, page->offset);
    while (*link != page)
        link = &(*link)->next;
    *link = page->next;
    *page->link_of_object = page->next_of_object;
    if (page->next_of_object)
        page->next_of_object->link_of_object = page->link_of_object;
    whole_drop(page);
    page->next = free_pages;
    free_pages = page;
    kept--;
}

/* Describes DATA by its exceptions; false: they are too many. */
static bool page_compress(struct stored_page *page, const uint64_t *data)
{
    uint64_t last = 0;
    page->exceptions = 0;
    for (uint16_t i = 0; i < PAGE_WORDS; last = data[i++]) {
        if (data[i] == pattern_next(last))
            continue;
        if (page->exceptions == EXCEPTIONS)
            return false;
        page->at[page->exceptions] = i;
        page->word[page->exceptions++] = data[i];
    }
    return true;
}

bool store_put(struct stored_object *object, uint64_t offset, const uint64_t *data)
{
    struct stored_page *page = page_find(object, offset);
    if (page == NULL)
        page = page_create(object, offset);
    if (page == NULL)
        return false;
    whole_drop(page);
    return page_compress(page, data) || whole_keep(page, data);
}

bool store_get(const struct stored_object *object, uint64_t offset, uint64_t *data)
{
    const struct stored_page *page = page_find(object, offset);
    if (page == NULL)
        return false;
    if (page->whole) {
        memcpy(data, page->whole->word, PAGE_BYTES);
        return true;
    }
    uint64_t last = 0;
    for (uint16_t i = 0, exception = 0; i < PAGE_WORDS; last = data[i++])
        data[i] = exception < page->exceptions && page->at[exception] == i ? page->word[exception++]
                                                                           : pattern_next(last);
    return true;
}

void store_drop(struct stored_object *object)
{
    while (object->pages)
        page_destroy(object->pages);
}

long store_count(void)
{
    return kept;
}
