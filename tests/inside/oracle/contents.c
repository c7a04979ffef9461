/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations on the contents of files. */

#include "oracle.h"

#include <stdio.h>
#include <sys/mman.h>

static size_t any_offset(const struct node *node)
{
    switch (any(8)) {
    case 0: return any(FILE_MAX - PIECE_MAX);                             /* often a hole */
    case 1: return node->size < FILE_MAX - PIECE_MAX ? node->size : 0;
    case 2: return any(16) * 4096;
    default: return any(20000);
    }
}

static size_t any_length(void)
{
    return any(4) ? 1 + any(6000) : 1 + any(PIECE_MAX - 1);
}

static void piece_fill(size_t length)
{
    unsigned int value = any(65536);
    for (size_t i = 0; i < length; i++)
        piece[i] = (unsigned char)((value = value * 75 + 74) >> 3);
}

static void model_write(struct node *node, size_t offset, size_t length)
{
    memcpy(node->data + offset, piece, length);
    if (offset + length > node->size)
        node->size = offset + length;
    node->time_known = false;
}

void do_write(void)
{
    struct open_file *file = any_open();
    doing = "write";
    if (!file)
        return;
    struct node *node = &nodes[file->node];
    size_t length = any_length(), offset = file->append ? node->size : (size_t)file->position;
    if (offset + length > FILE_MAX)
        return;
    piece_fill(length);
    ssize_t done = write(file->fd, piece, length);
    if (done < 0 || (size_t)done != length)
        fail("write of %zu at %zu gave %zd (%s)", length, offset, done, done < 0 ? strerror(errno) : "");
    model_write(node, offset, length);
    file->position = (off_t)(offset + length);
}

void do_pwrite(void)
{
    struct open_file *file = any_open();
    doing = "pwrite";
    if (!file || file->append)
        return;
    struct node *node = &nodes[file->node];
    size_t length = any_length(), offset = any_offset(node);
    piece_fill(length);
    ssize_t done = pwrite(file->fd, piece, length, (off_t)offset);
    if (done < 0 || (size_t)done != length)
        fail("pwrite of %zu at %zu gave %zd (%s)", length, offset, done, done < 0 ? strerror(errno) : "");
    model_write(node, offset, length);
}

void do_read(void)
{
    struct open_file *file = any_open();
    doing = "read";
    if (!file)
        return;
    struct node *node = &nodes[file->node];
    if (any(2)) {
        doing = "pread";
        read_compare(file->fd, file->node, any_offset(node), any_length());
        return;
    }
    size_t length = any_length(), at = (size_t)file->position;
    size_t want = at >= node->size ? 0 : node->size - at < length ? node->size - at : length;
    ssize_t got = read(file->fd, piece, length);
    if (got < 0 || (size_t)got != want)
        fail("read of %zu at %zu gave %zd (%s), expected %zu", length, at, got, got < 0 ? strerror(errno) : "", want);
    data_compare(piece, file->node, at, want);
    file->position += got;
}

void do_seek(void)
{
    struct open_file *file = any_open();
    doing = "lseek";
    if (!file)
        return;
    off_t to = (off_t)any_offset(&nodes[file->node]);
    if (lseek(file->fd, to, SEEK_SET) != to)
        fail("lseek to %ld: %s", (long)to, strerror(errno));
    file->position = to;
}

void do_truncate(void)
{
    char path[PATH_SIZE];
    struct open_file *file = any(2) ? any_open() : NULL;
    struct entry *e = file ? NULL : any_entry(REGULAR);
    doing = "truncate";
    if (!file && !e)
        return;
    struct node *node = &nodes[file ? file->node : e->node];
    size_t size = any(3) ? any_offset(node) : any((unsigned int)node->size + 1);
    expect(file ? ftruncate(file->fd, (off_t)size) : truncate(path_of(e->folder, e->name, path), (off_t)size), 0);
    if (size < node->size)
        memset(node->data + size, 0, node->size - size);
    node->size = size;
    node->time_known = false;
}

void do_mmap(void)
{
    struct open_file *file = any_open();
    doing = "mmap";
    if (!file || nodes[file->node].size == 0)
        return;
    struct node *node = &nodes[file->node];
    size_t start = any((unsigned int)node->size) / 4096 * 4096, length = node->size - start;
    if (length > PIECE_MAX)
        length = PIECE_MAX;
    bool write = any(2), shared = write || any(2);
    unsigned char *map = mmap(NULL, length, PROT_READ | (write ? PROT_WRITE : 0), shared ? MAP_SHARED : MAP_PRIVATE,
                              file->fd, (off_t)start);
    if (map == MAP_FAILED)
        fail("mmap of %zu at %zu: %s", length, start, strerror(errno));
    data_compare(map, file->node, start, length);
    if (write) {
        size_t first = any((unsigned int)length), count = 1 + any((unsigned int)(length - first));
        piece_fill(count);
        memcpy(map + first, piece, count);
        model_write(node, start + first, count);
        if (any(3) == 0)
            expect(msync(map, length, MS_SYNC), 0);
    }
    munmap(map, length);
}

void do_fsync(void)
{
    struct open_file *file = any_open();
    doing = "fsync";
    if (file)
        expect(fsync(file->fd), 0);
}
