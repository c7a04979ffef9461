/* SPDX-License-Identifier: GPL-2.0-or-later */
/* window: the server's own reads and writes of a file, through maps of its memory object.

   A file is mapped in pieces of 64 MiB, the last one as far as it reaches, rounded to a power of two so that a growing
   file is not mapped anew too often.  Windows stay until the file goes idle, or has too many: what was read once costs
   no fault the next time.  */

#include "pager-internal.h"

#include <mach.h>
#include <stdlib.h>
#include <string.h>

void pager_windows_drop(struct pager *p)
{
    for (uint64_t i = 0; i < p->nwindows; i++)
        if (p->windows[i].length)
            vm_deallocate(mach_task_self(), p->windows[i].address, p->windows[i].length);
    free(p->windows);
    p->windows = NULL;
    p->nwindows = 0;
}

/* The window of piece INDEX, which may be new and not mapped; NULL: no memory.  They are in order, because of a file
   with holes only few pieces are ever looked at.  */
static struct window *window_find(struct pager *p, uint64_t index)
{
    uint64_t low = 0, high = p->nwindows;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (p->windows[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < p->nwindows && p->windows[low].index == index)
        return &p->windows[low];
    if (p->nwindows >= WINDOWS_MAX) {
        pager_windows_drop(p);
        low = 0;
    }
    struct window *windows = realloc(p->windows, (p->nwindows + 1) * sizeof *windows);
    if (!windows)
        return NULL;
    p->windows = windows;
    memmove(windows + low + 1, windows + low, (p->nwindows++ - low) * sizeof *windows);
    windows[low] = (struct window){ index, 0, 0 };
    return &windows[low];
}

/* Maps W so that it reaches at least NEED bytes, better up to the end of a file of SIZE bytes.  */
static error_t window_map(struct pager *p, struct window *w, uint64_t need, uint64_t size)
{
    uint64_t base = w->index * WINDOW_MAX, length = WINDOW_MIN;
    uint64_t wanted = size > base && size - base > need ? size - base : need;
    while (length < wanted && length < WINDOW_MAX)
        length *= 2;
    mach_port_t object = pager_object(p);
    if (object == MACH_PORT_NULL)
        return ENOMEM;
    vm_address_t address = 0;
    kern_return_t kr = vm_map(mach_task_self(), &address, length, 0, true, object, base, false,
                              VM_PROT_READ | VM_PROT_WRITE, VM_PROT_READ | VM_PROT_WRITE, VM_INHERIT_NONE);
    mach_port_deallocate(mach_task_self(), object);
    if (kr)
        return kr == KERN_NO_SPACE || kr == KERN_RESOURCE_SHORTAGE ? ENOMEM : EIO;
    if (w->length)
        vm_deallocate(mach_task_self(), w->address, w->length);
    w->address = address;
    w->length = length;
    return 0;
}

/* The address of OFFSET, good for *LENGTH bytes (shortened to what the piece has).  */
static error_t window_get(struct pager *p, uint64_t offset, size_t *length, uint64_t size, char **address)
{
    uint64_t inside = offset % WINDOW_MAX;
    if (*length > WINDOW_MAX - inside)
        *length = WINDOW_MAX - inside;
    struct window *w = window_find(p, offset / WINDOW_MAX);
    error_t err = !w ? ENOMEM : w->length < inside + *length ? window_map(p, w, inside + *length, size) : 0;
    if (!err)
        *address = (char *)w->address + inside;
    return err;
}

static void own_begin(struct pager *p, uint64_t offset, size_t length, bool write)
{
    pthread_mutex_lock(&p->lock);
    p->own_start = offset / vm_page_size * vm_page_size;
    p->own_end = offset + length;
    p->own_write = write;
    p->own_in_order = offset == p->own_last;
    p->own_last = offset + length;
    p->own_error = 0;
    pthread_mutex_unlock(&p->lock);
}

/* Throws out the pages that stand for failed ones, and no others: those between them may have been changed.  */
static void failed_drop(struct pager *p)
{
    uint64_t page = 0, end = bits_end(&p->failed);   /* only we make it grow, and are done */
    while ((page = bits_next(&p->failed, page, end)) < end) {
        pager_flush(p, page * vm_page_size, vm_page_size);
        page++;
    }
    pthread_mutex_lock(&p->lock);
    bits_clear(&p->failed, 0, end);
    pthread_mutex_unlock(&p->lock);
}

static error_t own_end(struct pager *p)
{
    pthread_mutex_lock(&p->lock);
    error_t err = p->own_error;
    p->own_end = 0;
    p->own_write = false;
    p->own_error = 0;
    pthread_mutex_unlock(&p->lock);
    if (err)
        failed_drop(p);
    return err;
}

error_t pager_read(struct pager *p, uint64_t offset, void *data, size_t length, uint64_t size)
{
    error_t err = 0;
    own_begin(p, offset, length, false);
    for (size_t done = pager_read_direct(p, offset, data, length), n; done < length && !err; done += n) {
        char *window;
        n = length - done;
        err = window_get(p, offset + done, &n, size, &window);
        if (!err)
            memcpy((char *)data + done, window, n);
    }
    error_t own = own_end(p);
    return err ? err : own;
}

error_t pager_write(struct pager *p, uint64_t offset, const void *data, size_t length, uint64_t size)
{
    error_t err = 0;
    behind_throttle();
    own_begin(p, offset, length, true);
    for (size_t done = 0, n; done < length && !err; done += n) {
        char *window;
        n = length - done;
        err = window_get(p, offset + done, &n, size, &window);
        if (!err && data)
            err = ports_copy_guarded(window, (const char *)data + done, n);
        else if (!err)
            memset(window, 0, n);
    }
    error_t own = own_end(p);
    return err ? err : own;
}
