/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cutmoves FOLDER STEPS SEED DISK: what a power cut finds under way: files made, moved (over others, too), linked,
   unlinked, cut and grown; directories made, removed and moved; and in between syncs of a file, of one of the
   directories, of all.  Each is printed when it is done, and after each step's syncs a mark is written to DISK, the
   whole disk, behind its partition table and outside the file system, so that the log of the disk's writes tells what
   had been synced.  tests/lib/cutmoves.py plays it again and judges.

     FOLDER/dD/xN   files: D 0 to 2, N 0 to 7           FOLDER/dD/eN   directories that stay empty: N 0 to 2
     FOLDER/dD/mN   directories that move, each with a file `inside' of the number 900000 + N */

#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cutmark.h"

enum {
    DIRS = 3,
    NAMES = 8,
    EMPTY = 3,
    MOVING = 3,
    FILES = 4096,
    SMALLEST = 64,
    MARK_SECTOR = 2046,
    SECTOR = 512,
    INSIDE = 900000
};

static int names[DIRS][NAMES];                  /* the file's number; 0: none */
static long sizes[FILES];
static int files;                               /* numbers given out: 1 to this */
static bool empty[DIRS][EMPTY];
static struct { int dir, name; } moving[MOVING];
static int folders[DIRS], disk;
static unsigned long long seed;

static int rnd(int n)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (int)((seed >> 11) % (unsigned int)n);
}

static const char *path(int dir, char kind, int number)
{
    static char paths[2][32];
    static int turn;
    char *p = paths[turn++ & 1];
    snprintf(p, sizeof paths[0], "d%d/%c%d", dir, kind, number);
    return p;
}

static void must(int result, const char *what)
{
    if (result < 0)
        err(1, "%s", what);
}

static void file_make(const char *name, int number, long size)
{
    char block[BLOCK];
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
    must(fd, name);
    for (long at = 0; at < size; at += BLOCK) {
        long length = size - at < BLOCK ? size - at : BLOCK;
        block_fill(block, number, (int)(at / BLOCK));
        if (write(fd, block, (size_t)length) != length)
            err(1, "write %s", name);
    }
    close(fd);
}

/* Any name with a file, or (FREE) without one.  False: there is none.  */
static bool name_pick(bool free, int *dir, int *name)
{
    for (int tries = 0; tries < 50; tries++) {
        *dir = rnd(DIRS);
        *name = rnd(NAMES);
        if (!names[*dir][*name] == free)
            return true;
    }
    return false;
}

static void make(void)
{
    int d, n;
    if (!name_pick(true, &d, &n) || files + 1 >= FILES)
        return;
    int number = ++files;
    sizes[number] = SMALLEST + rnd(rnd(3) ? 9000 : 70000);
    file_make(path(d, 'x', n), number, sizes[number]);
    names[d][n] = number;
    printf("make %d %d %d %ld\n", d, n, number, sizes[number]);
}

/* To a free name or over another file.  */
static void file_rename(void)
{
    int d, n, d2, n2;
    if (!name_pick(false, &d, &n) || !name_pick(rnd(2), &d2, &n2) || names[d][n] == names[d2][n2])
        return;
    must(rename(path(d, 'x', n), path(d2, 'x', n2)), "rename");
    names[d2][n2] = names[d][n];
    names[d][n] = 0;
    printf("rename %d %d %d %d\n", d, n, d2, n2);
}

static void file_link(void)
{
    int d, n, d2, n2;
    if (!name_pick(false, &d, &n) || !name_pick(true, &d2, &n2))
        return;
    must(link(path(d, 'x', n), path(d2, 'x', n2)), "link");
    names[d2][n2] = names[d][n];
    printf("link %d %d %d %d\n", d, n, d2, n2);
}

static void file_unlink(void)
{
    int d, n;
    if (!name_pick(false, &d, &n))
        return;
    must(unlink(path(d, 'x', n)), "unlink");
    names[d][n] = 0;
    printf("unlink %d %d\n", d, n);
}

static void file_size(void)
{
    int d, n;
    if (!name_pick(false, &d, &n))
        return;
    long size = rnd(3) ? SMALLEST + rnd((int)sizes[names[d][n]]) : sizes[names[d][n]] + rnd(10000);
    must(truncate(path(d, 'x', n), size), "truncate");
    sizes[names[d][n]] = size;
    printf("size %d %ld\n", names[d][n], size);
}

static void directory(void)
{
    int d = rnd(DIRS), n = rnd(EMPTY);
    if (empty[d][n])
        must(rmdir(path(d, 'e', n)), "rmdir");
    else
        must(mkdir(path(d, 'e', n), 0755), "mkdir");
    empty[d][n] = !empty[d][n];
    printf("%s %d %d\n", empty[d][n] ? "mkdir" : "rmdir", d, n);
}

static void directory_move(void)
{
    int m = rnd(MOVING), d = moving[m].dir, n = moving[m].name, d2 = rnd(DIRS), n2 = rnd(MOVING);
    for (int i = 0; i < MOVING; i++)
        if (moving[i].dir == d2 && moving[i].name == n2)
            return;
    must(rename(path(d, 'm', n), path(d2, 'm', n2)), "rename directory");
    moving[m].dir = d2;
    moving[m].name = n2;
    printf("move %d %d %d %d %d\n", m, d, n, d2, n2);
}

static void sync_something(void)
{
    int what = rnd(4), d, n;
    if (what == 0) {
        must(syncfs(folders[0]), "syncfs");
        printf("sync all\n");
    } else if (what == 1 && name_pick(false, &d, &n)) {
        int fd = open(path(d, 'x', n), O_RDONLY);
        must(fd, "open");
        must(fsync(fd), "fsync");
        close(fd);
        printf("sync file %d\n", names[d][n]);
    } else {
        d = rnd(DIRS);
        must(fsync(folders[d]), "fsync");
        printf("sync dir %d\n", d);
    }
}

static void mark(int number)
{
    char sector[SECTOR] = { 0 };
    snprintf(sector, sizeof sector, "MARK:%d;", number);
    if (pwrite(disk, sector, sizeof sector, (off_t)MARK_SECTOR * SECTOR) != (ssize_t)sizeof sector)
        err(1, "mark");
    printf("mark %d\n", number);
    fflush(stdout);
}

static void prepare(void)
{
    char name[32];
    for (int d = 0; d < DIRS; d++) {
        snprintf(name, sizeof name, "d%d", d);
        must(mkdir(name, 0755), name);
        folders[d] = open(name, O_RDONLY);
        must(folders[d], name);
    }
    for (int m = 0; m < MOVING; m++) {
        moving[m].dir = moving[m].name = m;
        must(mkdir(path(m, 'm', m), 0755), "mkdir");
        snprintf(name, sizeof name, "d%d/m%d/inside", m, m);
        file_make(name, INSIDE + m, SMALLEST);
        printf("moving %d %d %d\n", m, m, m);
    }
    must(syncfs(folders[0]), "syncfs");
    printf("sync all\n");
    mark(0);
}

int main(int argc, char **argv)
{
    static void (*const work[])(void) = {make,        make,           make,          file_rename, file_rename,
                                         file_rename, file_rename,    file_link,     file_unlink, file_size,
                                         directory,   directory_move, directory_move};
    if (argc != 5 || chdir(argv[1]))
        err(1, "cutmoves FOLDER STEPS SEED DISK");
    seed = 0x9e3779b97f4a7c15ull * (unsigned long long)(atoi(argv[3]) + 1);
    disk = open(argv[4], O_RDWR);
    must(disk, argv[4]);
    prepare();
    for (int step = 1; step <= atoi(argv[2]); step++) {
        for (int i = rnd(6) + 1; i > 0; i--)
            work[rnd(sizeof work / sizeof work[0])]();
        for (int i = rnd(2) + 1; i > 0; i--)
            sync_something();
        mark(step);
    }
    return 0;
}
