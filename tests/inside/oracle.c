/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oracle: random file operations of every kind, each held against a model in memory.

       oracle DIRECTORY OPERATIONS SEED

   DIRECTORY must be empty.  Each operation's result (success or error number), the data read, and what stat and readdir
   say must be what the model says; every VERIFY_EVERY operations, and at the end, everything is compared.  Then a line
   "manifest SIZE CRC32 PATH" for each regular file tells what the disk must have after a halt, and the last line is
   "oracle: N operations, 0 failed".  The first difference ends the program with 1.  Runs as root; it also runs on other
   systems, which is how the model itself is checked. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    NODES = 96,
    ENTRIES = 160,
    OPENS = 8,
    NAMES = 24,
    DEPTH_MAX = 4,
    SIZE_MAX_ = 400 * 1024,
    PIECE_MAX = 70000,
    PATH_SIZE = 1400
};
enum { VERIFY_EVERY = 5000 };
enum kind { FREE, REGULAR, DIRECTORY, SYMLINK };

struct node {
    enum kind kind;
    unsigned int links, opens, mode, uid, gid, depth, subdirs;
    bool time_known;
    long time;
    size_t size;
    unsigned char *data;       /* SIZE_MAX_ bytes for a regular file */
    char target[80];
};
struct entry { int folder, name, node; bool used; };
struct open_file { int fd, node; bool append; off_t position; };

static struct node nodes[NODES];
static struct entry entries[ENTRIES];
static struct open_file opens[OPENS];
static char names[NAMES][256];
static char root[256];
static unsigned char piece[PIECE_MAX];
static uint64_t state;
static unsigned long operation;
static const char *doing = "nothing";

static void fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    printf("oracle: operation %lu (%s): ", operation, doing);
    vprintf(format, list);
    printf("\noracle: %lu operations, 1 failed\n", operation);
    exit(1);
}

static unsigned int any(unsigned int below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned int)((state >> 11) % below);
}

/* ---- the model ---------------------------------------------------------------------------------- */

static int node_new(enum kind kind, unsigned int mode)
{
    for (int i = 1; i < NODES; i++)
        if (nodes[i].kind == FREE) {
            unsigned char *data = nodes[i].data;
            if (kind == REGULAR && !data && !(data = malloc(SIZE_MAX_)))
                fail("no memory for the model");
            if (kind == REGULAR)
                memset(data, 0, SIZE_MAX_);
            nodes[i] = (struct node){ .kind = kind, .mode = mode, .data = data };
            return i;
        }
    return -1;
}

static void node_release(int n)
{
    if (nodes[n].links == 0 && nodes[n].opens == 0)
        nodes[n].kind = FREE;
}

static struct entry *entry_find(int folder, int name)
{
    for (int i = 0; i < ENTRIES; i++)
        if (entries[i].used && entries[i].folder == folder && entries[i].name == name)
            return &entries[i];
    return NULL;
}

static struct entry *entry_add(int folder, int name, int node)
{
    for (int i = 0; i < ENTRIES; i++)
        if (!entries[i].used) {
            entries[i] = (struct entry){ folder, name, node, true };
            nodes[node].links++;
            nodes[folder].time_known = false;
            return &entries[i];
        }
    return NULL;
}

static unsigned int entries_used(void)
{
    unsigned int count = 0;
    for (int i = 0; i < ENTRIES; i++)
        count += entries[i].used;
    return count;
}

static void entry_drop(struct entry *e)
{
    e->used = false;
    nodes[e->folder].time_known = false;
    nodes[e->node].links--;
    if (nodes[e->node].kind == DIRECTORY)
        nodes[e->folder].subdirs--;
    node_release(e->node);
}

static bool folder_is_empty(int folder)
{
    for (int i = 0; i < ENTRIES; i++)
        if (entries[i].used && entries[i].folder == folder)
            return false;
    return true;
}

static struct entry *entry_of_folder(int folder)
{
    for (int i = 0; i < ENTRIES; i++)
        if (entries[i].used && entries[i].node == folder)
            return &entries[i];
    return NULL;
}

/* Whether INNER is FOLDER or below it. */
static bool folder_is_within(int inner, int folder)
{
    while (inner != folder && inner != 0)
        inner = entry_of_folder(inner)->folder;
    return inner == folder;
}

static void folder_path(int folder, char *path)
{
    if (folder == 0) {
        strcpy(path, root);
        return;
    }
    struct entry *e = entry_of_folder(folder);
    folder_path(e->folder, path);
    strcat(path, "/");
    strcat(path, names[e->name]);
}

static const char *path_of(int folder, int name, char *path)
{
    folder_path(folder, path);
    strcat(path, "/");
    strcat(path, names[name]);
    return path;
}

static int any_folder(void)
{
    int found = 0;
    for (unsigned int i = 0, seen = 1; i < NODES; i++)
        if (i && nodes[i].kind == DIRECTORY && nodes[i].links && any(++seen) == 0)
            found = (int)i;
    return found;
}

/* An existing entry, mostly; else NULL. */
static struct entry *any_entry(enum kind kind)
{
    struct entry *found = NULL;
    for (unsigned int i = 0, seen = 0; i < ENTRIES; i++)
        if (entries[i].used && (kind == FREE || nodes[entries[i].node].kind == kind) && any(++seen) == 0)
            found = &entries[i];
    return found;
}

/* An existing entry of KIND (FREE: any) ODDS - 1 times of ODDS, else, or when there is none, whatever FOLDER has under
   NAME. */
static struct entry *any_entry_or(enum kind kind, unsigned int odds, int folder, int name)
{
    struct entry *e = any(odds) ? any_entry(kind) : NULL;
    return e ? e : entry_find(folder, name);
}

/* ---- comparing ------------------------------------------------------------------------------------- */

/* RESULT of a call and what was EXPECTED: 0 or an error number; -1: any error. */
static void expect(int result, int expected)
{
    int got = result < 0 ? errno : 0;
    if (expected == ENOTEMPTY && got == EEXIST)
        got = ENOTEMPTY;
    if (expected == -1 ? got == 0 : got != expected)
        fail("expected %s, got %s", expected == -1 ? "an error" : strerror(expected), strerror(got));
}

static void stat_compare(const struct stat *st, int n)
{
    const struct node *node = &nodes[n];
    unsigned int type = node->kind == REGULAR ? S_IFREG : node->kind == DIRECTORY ? S_IFDIR : S_IFLNK;
    unsigned int links = node->kind == DIRECTORY ? 2 + node->subdirs : node->links;
    if ((st->st_mode & S_IFMT) != type)
        fail("type %o, expected %o", (unsigned)st->st_mode, type);
    if (node->kind != SYMLINK && (st->st_mode & 07777) != node->mode)
        fail("mode %o, expected %o", (unsigned)st->st_mode & 07777, node->mode);
    if (st->st_uid != node->uid || st->st_gid != node->gid)
        fail("owner %u:%u, expected %u:%u", (unsigned)st->st_uid, (unsigned)st->st_gid, node->uid, node->gid);
    if (st->st_nlink != links)
        fail("%lu links, expected %u", (unsigned long)st->st_nlink, links);
    if (node->kind != DIRECTORY && (size_t)st->st_size != node->size)
        fail("size %ld, expected %zu", (long)st->st_size, node->size);
    if (node->time_known && (long)st->st_mtime != node->time)
        fail("modification time %ld, expected %ld", (long)st->st_mtime, node->time);
}

static void data_compare(const unsigned char *got, int n, size_t offset, size_t length)
{
    const unsigned char *want = nodes[n].data + offset;
    if (!memcmp(got, want, length))
        return;
    for (size_t i = 0; i < length; i++)
        if (got[i] != want[i])
            fail("byte %zu is 0x%02x, expected 0x%02x (size %zu)", offset + i, got[i], want[i], nodes[n].size);
}

static void read_compare(int fd, int n, size_t offset, size_t length)
{
    size_t want = offset >= nodes[n].size ? 0 : nodes[n].size - offset < length ? nodes[n].size - offset : length;
    ssize_t got = pread(fd, piece, length, (off_t)offset);
    if (got < 0 || (size_t)got != want)
        fail("pread(%zu, %zu) gave %zd (%s), expected %zu", offset, length, got, got < 0 ? strerror(errno) : "", want);
    data_compare(piece, n, offset, want);
}

static void folder_compare(int folder)
{
    char path[PATH_SIZE];
    bool seen[ENTRIES] = { false };
    struct dirent *d;
    folder_path(folder, path);
    DIR *dir = opendir(path);
    if (!dir)
        fail("opendir(%s): %s", path, strerror(errno));
    while ((d = readdir(dir))) {
        int found = -1;
        if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
            continue;
        for (int i = 0; i < ENTRIES && found < 0; i++)
            if (entries[i].used && entries[i].folder == folder && !strcmp(names[entries[i].name], d->d_name))
                found = i;
        if (found < 0 || seen[found])
            fail("readdir: %s: %s in %s", d->d_name, found < 0 ? "should not be" : "is twice", path);
        seen[found] = true;
    }
    closedir(dir);
    for (int i = 0; i < ENTRIES; i++)
        if (entries[i].used && entries[i].folder == folder && !seen[i])
            fail("readdir: %s is missing in %s", names[entries[i].name], path);
}

static void entry_compare(const struct entry *e, bool contents)
{
    char path[PATH_SIZE], target[sizeof nodes[0].target];
    struct stat st;
    path_of(e->folder, e->name, path);
    if (lstat(path, &st) < 0)
        fail("lstat(%s): %s", path, strerror(errno));
    stat_compare(&st, e->node);
    if (nodes[e->node].kind == SYMLINK) {
        ssize_t length = readlink(path, target, sizeof target);
        if (length < 0 || (size_t)length != nodes[e->node].size ||
            memcmp(target, nodes[e->node].target, (size_t)length))
            fail("readlink(%s) is wrong", path);
    }
    if (nodes[e->node].kind != REGULAR || !contents)
        return;
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        fail("open(%s): %s", path, strerror(errno));
    for (size_t at = 0; at <= nodes[e->node].size; at += PIECE_MAX)
        read_compare(fd, e->node, at, PIECE_MAX);
    close(fd);
}

static void verify_all(void)
{
    doing = "verify";
    for (int i = 0; i < NODES; i++)
        if (nodes[i].kind == DIRECTORY && (i == 0 || nodes[i].links))
            folder_compare(i);
    for (int i = 0; i < ENTRIES; i++)
        if (entries[i].used)
            entry_compare(&entries[i], true);
}

/* ---- names ------------------------------------------------------------------------------------------ */

static void do_create(void)
{
    char path[PATH_SIZE];
    int folder = any_folder(), name = (int)any(NAMES),
        flags = any(2)   ? O_EXCL
                : any(2) ? O_TRUNC
                         : 0,
        slot = (int)any(OPENS);
    struct entry *e = entry_find(folder, name);
    doing = "open O_CREAT";
    if (opens[slot].fd >= 0 || (!e && entries_used() == ENTRIES) ||
        (e && nodes[e->node].kind == SYMLINK && !(flags & O_EXCL)))
        return;
    int expected = !e ? 0 : flags & O_EXCL ? EEXIST : nodes[e->node].kind == DIRECTORY ? EISDIR : 0;
    int n = e ? e->node : node_new(REGULAR, 0640);
    if (n < 0)
        return;
    bool append = any(4) == 0;
    int fd = open(path_of(folder, name, path), O_RDWR | O_CREAT | flags | (append ? O_APPEND : 0), 0640);
    expect(fd, expected);
    if (fd < 0)
        return;
    if (!e)
        entry_add(folder, name, n);
    else if (flags & O_TRUNC) {
        nodes[n].size = 0;
        nodes[n].time_known = false;
        memset(nodes[n].data, 0, SIZE_MAX_);
    }
    opens[slot] = (struct open_file){ fd, n, append, 0 };
    nodes[n].opens++;
}

static void do_open_close(void)
{
    char path[PATH_SIZE];
    int slot = (int)any(OPENS);
    doing = "open, close";
    if (opens[slot].fd >= 0) {
        expect(close(opens[slot].fd), 0);
        opens[slot].fd = -1;
        nodes[opens[slot].node].opens--;
        node_release(opens[slot].node);
        return;
    }
    struct entry *e = any_entry(REGULAR);
    if (!e)
        return;
    bool append = any(4) == 0;
    int fd = open(path_of(e->folder, e->name, path), O_RDWR | (append ? O_APPEND : 0));
    expect(fd, 0);
    opens[slot] = (struct open_file){ fd, e->node, append, 0 };
    nodes[e->node].opens++;
}

static void do_mkdir(void)
{
    char path[PATH_SIZE];
    int folder = any_folder(), name = (int)any(NAMES);
    doing = "mkdir";
    if (nodes[folder].depth + 1 >= DEPTH_MAX || entries_used() == ENTRIES)
        return;
    bool there = entry_find(folder, name);
    int n = there ? 0 : node_new(DIRECTORY, 0750);
    if (n < 0)
        return;
    expect(mkdir(path_of(folder, name, path), 0750), there ? EEXIST : 0);
    if (there)
        return;
    nodes[n].depth = nodes[folder].depth + 1;
    entry_add(folder, name, n);
    nodes[folder].subdirs++;
}

static void do_symlink(void)
{
    char path[PATH_SIZE];
    int folder = any_folder(), name = (int)any(NAMES);
    doing = "symlink";
    if (entries_used() == ENTRIES)
        return;
    bool there = entry_find(folder, name);
    int n = there ? 0 : node_new(SYMLINK, 0777);
    if (n < 0)
        return;
    char target[sizeof nodes[0].target];
    size_t length = 1 + any(sizeof target - 2);     /* short ones are in the inode, long ones in a block */
    memset(target, 'a' + (int)any(26), length);
    target[length] = '\0';
    expect(symlink(target, path_of(folder, name, path)), there ? EEXIST : 0);
    if (there)
        return;
    strcpy(nodes[n].target, target);
    nodes[n].size = length;
    entry_add(folder, name, n);
}

static void do_link(void)
{
    char from[PATH_SIZE], to[PATH_SIZE];
    struct entry *e = any_entry(REGULAR);
    int folder = any_folder(), name = (int)any(NAMES);
    doing = "link";
    if (!e || entries_used() == ENTRIES)
        return;
    bool there = entry_find(folder, name);
    expect(link(path_of(e->folder, e->name, from), path_of(folder, name, to)), there ? EEXIST : 0);
    if (!there)
        entry_add(folder, name, e->node);
}

static void do_unlink(void)
{
    char path[PATH_SIZE];
    int folder = any_folder(), name = (int)any(NAMES);
    struct entry *e = any_entry_or(FREE, 4, folder, name);
    doing = "unlink";
    if (e)
        folder = e->folder, name = e->name;
    bool directory = e && nodes[e->node].kind == DIRECTORY;
    expect(unlink(path_of(folder, name, path)), !e ? ENOENT : directory ? -1 : 0);
    if (e && !directory)
        entry_drop(e);
}

static void do_rmdir(void)
{
    char path[PATH_SIZE];
    int folder = any_folder(), name = (int)any(NAMES);
    struct entry *e = any_entry_or(DIRECTORY, 4, folder, name);
    doing = "rmdir";
    if (e)
        folder = e->folder, name = e->name;
    int expected = !e ? ENOENT : nodes[e->node].kind != DIRECTORY ? ENOTDIR : folder_is_empty(e->node) ? 0 : ENOTEMPTY;
    expect(rmdir(path_of(folder, name, path)), expected);
    if (!expected)
        entry_drop(e);
}

/* What rename must answer; -1: some error, 1: nothing happens. */
static int rename_expected(struct entry *from, int folder, struct entry *to)
{
    if (!from)
        return ENOENT;
    bool directory = nodes[from->node].kind == DIRECTORY;
    if (directory && folder_is_within(folder, from->node))
        return from == to ? 1 : to ? -1 : EINVAL;
    if (!to)
        return 0;
    if (from->node == to->node)
        return 1;
    bool over = nodes[to->node].kind == DIRECTORY;
    if (over && !folder_is_empty(to->node))
        return directory ? ENOTEMPTY : -1;
    return directory && !over ? ENOTDIR : !directory && over ? EISDIR : 0;
}

/* How deep the tree below FOLDER goes. */
static unsigned int folder_height(int folder)
{
    unsigned int most = 0;
    for (int i = 0; i < ENTRIES; i++)
        if (entries[i].used && entries[i].folder == folder && nodes[entries[i].node].kind == DIRECTORY) {
            unsigned int height = 1 + folder_height(entries[i].node);
            most = height > most ? height : most;
        }
    return most;
}

static void folder_depth_set(int folder, unsigned int depth)
{
    nodes[folder].depth = depth;
    for (int i = 0; i < ENTRIES; i++)
        if (entries[i].used && entries[i].folder == folder && nodes[entries[i].node].kind == DIRECTORY)
            folder_depth_set(entries[i].node, depth + 1);
}

static void do_rename(void)
{
    char old[PATH_SIZE], new[PATH_SIZE];
    int old_folder = any_folder(), old_name = (int)any(NAMES), folder = any_folder(), name = (int)any(NAMES);
    struct entry *from = any_entry_or(any(2) ? FREE : DIRECTORY, 8, old_folder, old_name),
                 *to = entry_find(folder, name);
    doing = "rename";
    if (any(3) == 0 && (to = any_entry(FREE)))
        folder = to->folder, name = to->name;
    if (from)
        old_folder = from->folder, old_name = from->name;
    bool directory = from && nodes[from->node].kind == DIRECTORY;
    if (directory && nodes[folder].depth + 1 + folder_height(from->node) >= DEPTH_MAX)
        return;
    int expected = rename_expected(from, folder, to);
    path_of(old_folder, old_name, old);
    path_of(folder, name, new);
    expect(rename(old, new), expected == 1 ? 0 : expected);
    if (expected)
        return;
    if (to)
        entry_drop(to);
    nodes[from->folder].time_known = nodes[folder].time_known = false;
    if (directory) {
        nodes[from->folder].subdirs--;
        nodes[folder].subdirs++;
        nodes[from->node].time_known = false;
    }
    from->folder = folder;
    from->name = name;
    if (directory)
        folder_depth_set(from->node, nodes[folder].depth + 1);
}

/* ---- contents ------------------------------------------------------------------------------------------ */

static struct open_file *any_open(void)
{
    struct open_file *file = &opens[any(OPENS)];
    return file->fd >= 0 ? file : NULL;
}

static size_t any_offset(const struct node *node)
{
    switch (any(8)) {
    case 0: return any(SIZE_MAX_ - PIECE_MAX);                             /* often a hole */
    case 1: return node->size < SIZE_MAX_ - PIECE_MAX ? node->size : 0;
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

static void do_write(void)
{
    struct open_file *file = any_open();
    doing = "write";
    if (!file)
        return;
    struct node *node = &nodes[file->node];
    size_t length = any_length(), offset = file->append ? node->size : (size_t)file->position;
    if (offset + length > SIZE_MAX_)
        return;
    piece_fill(length);
    ssize_t done = write(file->fd, piece, length);
    if (done < 0 || (size_t)done != length)
        fail("write of %zu at %zu gave %zd (%s)", length, offset, done, done < 0 ? strerror(errno) : "");
    model_write(node, offset, length);
    file->position = (off_t)(offset + length);
}

static void do_pwrite(void)
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

static void do_read(void)
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

static void do_seek(void)
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

static void do_truncate(void)
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

static void do_mmap(void)
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

static void do_fsync(void)
{
    struct open_file *file = any_open();
    doing = "fsync";
    if (file)
        expect(fsync(file->fd), 0);
}

/* ---- status ----------------------------------------------------------------------------------------------- */

static void do_stat(void)
{
    struct open_file *file = any(3) ? NULL : any_open();
    struct entry *e = any_entry(FREE);
    struct stat st;
    doing = "stat";
    if (file) {
        doing = "fstat";
        expect(fstat(file->fd, &st), 0);
        stat_compare(&st, file->node);
    } else if (e) {
        entry_compare(e, false);
    }
}

static void do_status_change(void)
{
    char path[PATH_SIZE];
    struct entry *e = any_entry(FREE);
    doing = "chmod, chown, utimes";
    if (!e || nodes[e->node].kind == SYMLINK)
        return;
    struct node *node = &nodes[e->node];
    struct timeval times[2] = {{.tv_sec = 1000000000 + any(1000000000)}, {.tv_sec = 1000000000 + any(1000000000)}};
    path_of(e->folder, e->name, path);
    switch (any(3)) {
    case 0:
        node->mode = any(512);
        expect(chmod(path, node->mode), 0);
        break;
    case 1:
        node->uid = any(4) * 1000;
        node->gid = any(4) * 100;
        expect(chown(path, node->uid, node->gid), 0);
        break;
    default:
        expect(utimes(path, times), 0);
        node->time = (long)times[1].tv_sec;
        node->time_known = true;
    }
}

static void do_readdir(void)
{
    doing = "readdir";
    folder_compare(any_folder());
}

/* ---- the run ------------------------------------------------------------------------------------------------- */

static const struct { unsigned int weight; void (*run)(void);
} kinds[] = {
    {8, do_create},   {8, do_open_close}, {4, do_mkdir},  {3, do_symlink}, {4, do_link},          {6, do_unlink},
    {3, do_rmdir},    {9, do_rename},     {12, do_write}, {12, do_pwrite}, {14, do_read},         {5, do_seek},
    {5, do_truncate}, {7, do_mmap},       {1, do_fsync},  {8, do_stat},    {4, do_status_change}, {2, do_readdir},
};

static void operation_run(void)
{
    unsigned int total = 0, chosen;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        total += kinds[i].weight;
    chosen = any(total);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (chosen < kinds[i].weight) {
            kinds[i].run();
            return;
        }
        chosen -= kinds[i].weight;
    }
}

static uint32_t crc32(const unsigned char *data, size_t length)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < length; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void manifest_print(void)
{
    char path[PATH_SIZE];
    for (int i = 0; i < ENTRIES; i++)
        if (entries[i].used && nodes[entries[i].node].kind == REGULAR)
            printf("manifest %zu %08x %s\n", nodes[entries[i].node].size,
                   (unsigned)crc32(nodes[entries[i].node].data, nodes[entries[i].node].size),
                   path_of(entries[i].folder, entries[i].name, path) + strlen(root) + 1);
}

static void start(const char *directory, const char *seed)
{
    struct stat st;
    snprintf(root, sizeof root, "%s", directory);
    state = 88172645463325252u + strtoull(seed, NULL, 0) * 2654435761u;
    for (int i = 0; i < NAMES; i++) {        /* short ones, and some as long as they may be */
        int length = i < 16 ? 1 + i % 5 : i < 22 ? 20 + i : 255;
        memset(names[i], 'a' + i, (size_t)(length < 200 || i < 22 ? length : 255));
    }
    for (int i = 0; i < OPENS; i++)
        opens[i].fd = -1;
    umask(0);
    if (stat(root, &st) < 0)
        fail("%s: %s", root, strerror(errno));
    nodes[0] = (struct node){.kind = DIRECTORY,
                             .links = 1,
                             .mode = st.st_mode & 07777,
                             .uid = st.st_uid,
                             .gid = st.st_gid};
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: oracle DIRECTORY OPERATIONS SEED\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    start(argv[1], argv[3]);
    unsigned long count = strtoul(argv[2], NULL, 0);
    for (operation = 1; operation <= count; operation++) {
        operation_run();
        if (operation % VERIFY_EVERY == 0)
            verify_all();
    }
    for (int i = 0; i < OPENS; i++)
        if (opens[i].fd >= 0)
            close(opens[i].fd);
    operation = count;
    verify_all();
    manifest_print();
    printf("oracle: %lu operations, 0 failed\n", count);
    return 0;
}
