/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file made of a pattern, and its pager (file.h). */

#include "file.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static char pattern(uint64_t i)
{
    return (char)(i * 2654435761u >> 15);
}

void file_fill(struct file *file)
{
    *file = (struct file){.hole_from = FILE_SIZE, .bad = UINT64_MAX, .full_from = FILE_SIZE};
    file->data = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (uint64_t i = 0; i < FILE_SIZE; i++)
        file->data[i] = pattern(i);
}

bool file_is_pattern(const char *data, uint64_t offset, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (data[i] != pattern(offset + i))
            return false;
    return true;
}

/* A fetch does not go across the bad page nor into the hole. */
static error_t fetch(void *hook, struct pager_fetch *f)
{
    struct file *file = hook;
    file->fetches++;
    if (f->page == file->bad || f->page >= FILE_SIZE)
        return EIO;
    if (f->end > FILE_SIZE)
        f->end = FILE_SIZE;
    if (f->start <= file->bad && file->bad < f->page)
        f->start = f->page;
    if (f->start <= file->bad && file->bad < f->end)
        f->end = file->bad;
    if (f->page >= file->hole_from) {
        f->buffer = NULL;
        return 0;
    }
    if (f->end > file->hole_from)
        f->end = file->hole_from;
    if (f->end - f->start > file->fetch_max)
        file->fetch_max = f->end - f->start;
    f->buffer = mmap(NULL, f->end - f->start, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(f->buffer, file->data + f->start, f->end - f->start);
    return 0;
}

static error_t put(void *hook, uint64_t offset, const void *data, size_t length)
{
    struct file *file = hook;
    file->writes++;
    if (offset < FILE_SIZE)
        memcpy(file->data + offset, data, offset + length > FILE_SIZE ? FILE_SIZE - offset : length);
    return 0;
}

static error_t unlock_pages(void *hook, uint64_t offset, size_t length, bool own)
{
    struct file *file = hook;
    (void)length, (void)own;
    file->unlocks++;
    return offset >= file->full_from ? ENOSPC : 0;
}

static void acquire(void *hook)
{
    ((struct file *)hook)->acquired++;
}

static void release(void *hook)
{
    ((struct file *)hook)->released++;
}

const struct pager_ops file_ops = {fetch, put, unlock_pages, acquire, release};
