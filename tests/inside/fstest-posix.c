/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fstest: what POSIX says of names, modes, times, deleted files and holes. */

#include "fstest.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { USER = 1000, OTHER = 1001, GROUP = 100, OTHER_GROUP = 200 };

static struct stat st;
static nlink_t links(const char *name)
{
    return lstat(name, &st) == 0 ? st.st_nlink : 0;
}

static mode_t mode_of(const char *name)
{
    return lstat(name, &st) == 0 ? st.st_mode & 07777 : (mode_t) -1;
}

/* ---- rename ------------------------------------------------------------------------------ */

static void rename_files(void)
{
    put("a", "first", 0644);
    put("b", "second", 0644);
    CHECK(rename("a", "c") == 0 && !exists("a") && holds("c", "first"));
    CHECK(rename("c", "b") == 0 && !exists("c") && holds("b", "first"));
    CHECK(rename("b", "b") == 0 && holds("b", "first"));
    CHECK(link("b", "b2") == 0 && links("b") == 2);
    /* two names of one file: nothing happens */
    CHECK(rename("b", "b2") == 0 && exists("b") && exists("b2") && links("b") == 2);
    CHECK(unlink("b2") == 0 && links("b") == 1);
    FAILS(rename("none", "b"), ENOENT);
    FAILS(rename("b", "none/b"), ENOENT);
    FAILS(rename("b/", "c"), ENOTDIR);
    FAILS(rename("b", "b/c"), ENOTDIR);
    FAILS(rename("b", ""), ENOENT);
    char name[300];
    memset(name, 'n', sizeof name);
    name[255] = '\0';
    CHECK(rename("b", name) == 0 && rename(name, "b") == 0);
    memset(name, 'n', sizeof name);
    name[256] = '\0';
    FAILS(rename("b", name), ENAMETOOLONG);
    CHECK(symlink("b", "s") == 0 && rename("s", "t") == 0 && holds("t", "first") && links("t") == 1);
    CHECK(rename("t", "b") == 0 && lstat("b", &st) == 0 && S_ISLNK(st.st_mode));
    CHECK(unlink("b") == 0);
}

static void rename_directories(void)
{
    nlink_t top = links(".");
    CHECK(mkdir("d", 0755) == 0 && mkdir("d/e", 0755) == 0 && mkdir("x", 0755) == 0 && links(".") == top + 2);
    put("f", "file", 0644);
    FAILS(rename("d", "f"), ENOTDIR);
    FAILS(rename("f", "d"), EISDIR);
    FAILS(rename("d", "d/e/d"), EINVAL);
    FAILS(rename("d", "d/d"), EINVAL);
    FAILS(rename("x", "d"), ENOTEMPTY);
    FAILS(rename("d/e", "d"), ENOTEMPTY);
    FAILS(rename("d/.", "y"), EINVAL);
    FAILS(rename("d/..", "y"), EINVAL);
    /* onto an empty one, out of its parent */
    CHECK(rename("d/e", "x") == 0 && links("d") == 2 && links(".") == top + 2);
    CHECK(rename("x", "d/x") == 0 && links("d") == 3 && links(".") == top + 1);
    CHECK(chdir("d/x") == 0 && exists("../../d") && chdir("../..") == 0 && exists("d"));
    CHECK(rename("d/x", "d/z") == 0 && exists("d/z"));
    int open_dir = open("d/z", O_RDONLY);
    /* what was there is open, and has no name now */
    CHECK(mkdir("w", 0755) == 0 && rename("w", "d/z") == 0);
    CHECK(open_dir >= 0 && fstat(open_dir, &st) == 0 && st.st_nlink == 0);
    FAILS(openat(open_dir, "new", O_CREAT | O_WRONLY, 0644), ENOENT);
    CHECK(close(open_dir) == 0);
    CHECK(rmdir("d/z") == 0 && rmdir("d") == 0 && unlink("f") == 0 && links(".") == top);
}

static int rename_in_sticky(const char *arg)
{
    (void) arg;
    bool own = rename("sticky/mine", "sticky/still") == 0;
    bool others = rename("sticky/theirs", "sticky/stolen") == -1 && (errno == EPERM || errno == EACCES);
    bool onto = rename("sticky/still", "sticky/theirs") == -1 && (errno == EPERM || errno == EACCES);
    bool removed = unlink("sticky/theirs") == -1 && (errno == EPERM || errno == EACCES);
    return own && others && onto && removed ? 0 : 1;
}

static int rename_other_dir(const char *arg)
{
    /* The directory's ".." changes: its mover must be able to write it. */
    return rename("open1/dir", arg) == -1 && errno == EACCES ? 0 : 1;
}

static void rename_permissions(void)
{
    CHECK(mkdir("sticky", 01777) == 0);
    put("sticky/mine", "m", 0644);
    put("sticky/theirs", "t", 0666);
    CHECK(chown("sticky/mine", USER, GROUP) == 0 && chown("sticky/theirs", OTHER, GROUP) == 0);
    CHECK(in_child(USER, GROUP, rename_in_sticky, NULL) == 0);
    CHECK(mkdir("open1", 0777) == 0 && mkdir("open2", 0777) == 0 && mkdir("open1/dir", 0755) == 0);
    CHECK(in_child(USER, GROUP, rename_other_dir, "open2/dir") == 0);
    CHECK(shell("rm -r sticky open1 open2") == 0);
}

/* Who may not search a directory is not told which names there are. */
static int in_unsearchable(const char *arg)
{
    (void) arg;
    unsigned int before = failed;
    FAILS(unlink("closed/file"), EACCES);
    FAILS(unlink("closed/none"), EACCES);
    FAILS(mkdir("closed/dir", 0777), EACCES);
    FAILS(mkdir("closed/none", 0777), EACCES);
    FAILS(rmdir("closed/dir"), EACCES);
    FAILS(rmdir("closed/none"), EACCES);
    FAILS(link("free", "closed/file"), EACCES);
    FAILS(rename("closed/none", "free"), EACCES);
    FAILS(rename("free", "closed/none"), EACCES);
    return failed != before;
}

static void search_permission(void)
{
    CHECK(mkdir("closed", 0666) == 0 && mkdir("closed/dir", 0777) == 0);
    put("closed/file", "f", 0666);
    put("free", "f", 0666);
    CHECK(in_child(USER, GROUP, in_unsearchable, NULL) == 0);
    CHECK(shell("rm -r closed free") == 0);
}

/* ---- making and removing ------------------------------------------------------------------------ */

static void exclusive(void)
{
    put("there", "x", 0644);
    CHECK(symlink("nowhere", "dangling") == 0 && symlink("loop", "loop") == 0);
    FAILS(open("there", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
    FAILS(open(".", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
    FAILS(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
    CHECK(!exists("nowhere"));
    int fd = open("dangling", O_CREAT | O_RDWR, 0600);          /* without O_EXCL the link is followed */
    CHECK(fd >= 0 && exists("nowhere") && mode_of("nowhere") == 0600);
    close(fd);
    FAILS(open("loop", O_RDONLY), ELOOP);
    FAILS(open("loop", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    FAILS(open("there", O_RDONLY | O_DIRECTORY), ENOTDIR);
    FAILS(open("there/", O_RDONLY), ENOTDIR);
    FAILS(open("there/x", O_RDONLY), ENOTDIR);
    FAILS(open(".", O_RDWR), EISDIR);
    FAILS(open("new/", O_CREAT | O_RDWR, 0644), EISDIR);
    FAILS(open("none/new", O_CREAT | O_RDWR, 0644), ENOENT);
    fd = open("readonly", O_CREAT | O_RDWR, 0400);              /* the mode is for those who come later */
    CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0 && mode_of("readonly") == 0400);
    FAILS(mkdir("there", 0755), EEXIST);
    FAILS(mkdir("dangling", 0755), EEXIST);
    FAILS(mkdir(".", 0755), EEXIST);
    FAILS(rmdir("there"), ENOTDIR);
    FAILS(rmdir("."), EINVAL);
    FAILS(unlink("/tmp/fstest"), EISDIR);
    FAILS(link("there", "dangling"), EEXIST);
    FAILS(link(".", "hard"), EPERM);
    CHECK(linkat(AT_FDCWD, "dangling", AT_FDCWD, "dangling2", 0) == 0 && lstat("dangling2", &st) == 0 &&
          S_ISLNK(st.st_mode) && st.st_nlink == 2);
    CHECK(shell("rm -f there dangling dangling2 loop nowhere readonly") == 0);
}

static int make_in_group_dir(const char *arg)
{
    (void) arg;
    int fd = open("team/file", O_CREAT | O_WRONLY, 0644);
    return fd >= 0 && mkdir("team/dir", 0755) == 0 && mkdir("plain/dir", 0755) == 0 ? 0 : 1;
}

static int set_group_id(const char *arg)
{
    return chmod(arg, 02755) == 0 ? 0 : 1;
}

static int write_some(const char *arg)
{
    int fd = open(arg, O_WRONLY);
    return fd >= 0 && write(fd, "y", 1) == 1 ? 0 : 1;
}

static int cut(const char *arg)
{
    return truncate(arg, 0);
}

static void group_ids(void)
{
    CHECK(mkdir("team", 02777) == 0 && chmod("team", 02777) == 0 && mkdir("plain", 0777) == 0);
    CHECK(chown("team", 0, OTHER_GROUP) == 0 && chmod("team", 02777) == 0);
    CHECK(in_child(USER, GROUP, make_in_group_dir, NULL) == 0);
    CHECK(lstat("team/file", &st) == 0 && st.st_uid == USER && st.st_gid == OTHER_GROUP &&
          (st.st_mode & 07777) == 0644);
    CHECK(lstat("team/dir", &st) == 0 && st.st_gid == OTHER_GROUP && (st.st_mode & 07777) == 02755);
    CHECK(lstat("plain/dir", &st) == 0 && st.st_gid == GROUP && (st.st_mode & 07777) == 0755);
    /* Who is not in the file's group cannot make it set-gid; who writes or gives away a set-id file takes the bits
       away. */
    CHECK(in_child(USER, GROUP, set_group_id, "team/file") == 0 && mode_of("team/file") == 0755);
    put("setid", "x", 0777);
    CHECK(chmod("setid", 06777) == 0 && in_child(USER, GROUP, write_some, "setid") == 0 && mode_of("setid") == 0777);
    CHECK(chmod("setid", 06777) == 0 && in_child(USER, GROUP, cut, "setid") == 0 && mode_of("setid") == 0777);
    CHECK(chmod("setid", 06777) == 0 && chown("setid", USER, GROUP) == 0 && mode_of("setid") == 0777);
    CHECK(shell("rm -r team plain setid") == 0);
}

static int owner_only(const char *arg)
{
    struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } }, then[2] = { { 5, 0 }, { 5, 0 } };
    bool refused = chmod(arg, 0777) == -1 && errno == EPERM && chown(arg, USER, GROUP) == -1 && errno == EPERM
                   && utimensat(AT_FDCWD, arg, then, 0) == -1 && errno == EPERM;
    struct timespec none[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };
    refused = refused && utimensat(AT_FDCWD, arg, none, 0) == 0;        /* nothing is to be changed */
    return refused && utimensat(AT_FDCWD, arg, now, 0) == 0 ? 0 : 1;     /* who may write may say that it is now */
}

static void ownership(void)
{
    put("theirs", "x", 0666);
    CHECK(chown("theirs", OTHER, OTHER_GROUP) == 0);
    CHECK(in_child(USER, GROUP, owner_only, "theirs") == 0);
    struct timespec times[2] = { { 1000000000, 123456789 }, { 0, UTIME_OMIT } };
    CHECK(utimensat(AT_FDCWD, "theirs", times, 0) == 0 && lstat("theirs", &st) == 0);
    CHECK(st.st_atim.tv_sec == 1000000000 && st.st_atim.tv_nsec == 123456789 && st.st_mtim.tv_sec > 1000000000);
    CHECK(unlink("theirs") == 0);
}

/* ---- files without a name ------------------------------------------------------------------------- */

static void deleted(void)
{
    char text[8] = "";
    put("gone", "content", 0644);
    int fd = open("gone", O_RDWR), again = -1;
    CHECK(fd >= 0 && unlink("gone") == 0 && !exists("gone"));
    CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 7);
    CHECK(pread(fd, text, 7, 0) == 7 && strcmp(text, "content") == 0 && pwrite(fd, "CON", 3, 0) == 3);
    put("gone", "new", 0644);                                    /* the name is free, and another file */
    CHECK(pread(fd, text, 7, 0) == 7 && strcmp(text, "CONtent") == 0 && holds("gone", "new"));
    CHECK(ftruncate(fd, 1 << 20) == 0 && pwrite(fd, "end", 3, (1 << 20) - 3) == 3 && fsync(fd) == 0);
    char *map = mmap(NULL, 1 << 20, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED && close(fd) == 0);
    CHECK(map != MAP_FAILED && memcmp(map, "CONtent", 7) == 0 && memcmp(map + (1 << 20) - 3, "end", 3) == 0);
    CHECK(munmap(map, 1 << 20) == 0 && unlink("gone") == 0);
    CHECK(mkdir("empty", 0755) == 0 && (again = open("empty", O_RDONLY)) >= 0 && rmdir("empty") == 0);
    DIR *dir = fdopendir(again);
    int entries = 0;
    while (dir && readdir(dir))
        entries++;
    CHECK(dir && entries <= 2 && closedir(dir) == 0);
}

/* ---- holes ------------------------------------------------------------------------------------------ */

enum { MIB = 1 << 20 };

/* Data in [4 MiB, 5 MiB) and at the end, 1 byte, of 8 MiB. */
static void holes_seek(int fd)
{
    char block[4096];
    memset(block, 'd', sizeof block);
    CHECK(ftruncate(fd, 8 * MIB) == 0);
    CHECK(lseek(fd, 0, SEEK_HOLE) == 0);
    FAILS(lseek(fd, 0, SEEK_DATA), ENXIO);
    for (off_t at = 4 * MIB; at < 5 * MIB; at += (off_t) sizeof block)
        CHECK(pwrite(fd, block, sizeof block, at) == sizeof block);
    CHECK(pwrite(fd, "e", 1, 8 * MIB - 1) == 1);
    CHECK(lseek(fd, 0, SEEK_HOLE) == 0 && lseek(fd, 0, SEEK_DATA) == 4 * MIB);
    CHECK(lseek(fd, 4 * MIB + 100, SEEK_DATA) == 4 * MIB + 100 && lseek(fd, 4 * MIB + 100, SEEK_HOLE) == 5 * MIB);
    off_t last = lseek(fd, 5 * MIB, SEEK_DATA);
    CHECK(last > 5 * MIB && last <= 8 * MIB - 1 && last >= 8 * MIB - 4096 && lseek(fd, last, SEEK_HOLE) == 8 * MIB);
    FAILS(lseek(fd, 8 * MIB, SEEK_DATA), ENXIO);
    FAILS(lseek(fd, 8 * MIB, SEEK_HOLE), ENXIO);
    FAILS(lseek(fd, -1, SEEK_DATA), ENXIO);
    FAILS(lseek(fd, 0, 99), EINVAL);
    CHECK(fstat(fd, &st) == 0 && st.st_blocks * 512 < 2 * MIB);
    CHECK(pread(fd, block, 100, 2 * MIB) == 100 && block[0] == 0 && block[99] == 0);
    CHECK(pread(fd, block, 100, 4 * MIB - 50) == 100 && block[49] == 0 && block[50] == 'd');
}

static void holes(void)
{
    int fd = open("sparse", O_CREAT | O_RDWR, 0644);
    holes_seek(fd);
    /* A page of a hole that is written through a mapping is data. */
    char *map = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    if (map != MAP_FAILED)
        map[MIB] = 'm';
    CHECK(lseek(fd, 0, SEEK_DATA) == MIB && munmap(map, 8 * MIB) == 0);
    CHECK(ftruncate(fd, 100) == 0 && ftruncate(fd, 5000) == 0);
    char byte = 1;
    CHECK(pread(fd, &byte, 1, 4999) == 1 && byte == 0 && close(fd) == 0 && unlink("sparse") == 0);
    /* Small files, which the server keeps in its own memory. */
    fd = open("small", O_CREAT | O_RDWR, 0644);
    CHECK(pwrite(fd, "x", 1, 12288) == 1 && lseek(fd, 0, SEEK_DATA) >= 8192 && lseek(fd, 12288, SEEK_HOLE) == 12289);
    CHECK(close(fd) == 0 && unlink("small") == 0);
}

/* ---- attributes that forbid changes -------------------------------------------------------------------- */

/* What a file costs its server goes by what is in it, not by its length. */
static void far_apart(void)
{
    static const off_t tib = (off_t) 1 << 40, step = (off_t) 256 << 20;
    char name[20], byte;
    bool well = true;
    for (int n = 0; n < 24; n++) {
        snprintf(name, sizeof name, "far%d", n);
        int fd = open(name, O_CREAT | O_RDWR, 0644);
        well = well && fd >= 0 && pwrite(fd, "x", 1, tib + n) == 1 && fsync(fd) == 0;
        well = well && fstat(fd, &st) == 0 && st.st_size == tib + n + 1 && st.st_blocks <= 64 && close(fd) == 0;
    }
    CHECK(well);
    for (int n = 0; n < 24; n++) {
        snprintf(name, sizeof name, "far%d", n);
        well = well && truncate(name, n) == 0 && unlink(name) == 0;
    }
    CHECK(well);
    int fd = open("hole", O_CREAT | O_RDWR, 0644);
    CHECK(fd >= 0 && ftruncate(fd, tib + tib / 2) == 0 && pwrite(fd, "a", 1, 7 * step) == 1);
    for (int n = 0; n < 4500; n++)
        well = well && pread(fd, &byte, 1, n * step) == 1 && byte == (n == 7 ? 'a' : 0);
    CHECK(well && pwrite(fd, "b", 1, 3 * step) == 1 && pread(fd, &byte, 1, 3 * step) == 1 && byte == 'b');
    CHECK(fsync(fd) == 0 && pread(fd, &byte, 1, 7 * step) == 1 && byte == 'a' && close(fd) == 0 && unlink("hole") == 0);
}

static void flags(void)
{
    struct timespec then[2] = { { 5, 0 }, { 5, 0 } };
    put("fixed", "x", 0644);
    put("log", "x", 0644);
    CHECK(chflags("fixed", SF_IMMUTABLE) == 0 && chflags("log", SF_APPEND) == 0);
    FAILS(chmod("fixed", 0600), EPERM);
    FAILS(chown("fixed", 5, 5), EPERM);
    FAILS(utimensat(AT_FDCWD, "fixed", then, 0), EPERM);
    FAILS(utimensat(AT_FDCWD, "fixed", NULL, 0), EPERM);
    FAILS(unlink("fixed"), EPERM);
    FAILS(rename("fixed", "other"), EPERM);
    FAILS(rename("log", "fixed"), EPERM);
    FAILS(link("fixed", "other"), EPERM);
    FAILS(truncate("fixed", 0), EPERM);
    FAILS(chmod("log", 0600), EPERM);
    FAILS(chown("log", 5, 5), EPERM);
    FAILS(utimensat(AT_FDCWD, "log", then, 0), EPERM);
    CHECK(utimensat(AT_FDCWD, "log", NULL, 0) == 0);
    FAILS(truncate("log", 0), EPERM);
    int fd = open("log", O_WRONLY | O_APPEND);
    CHECK(fd >= 0 && write(fd, "y", 1) == 1);
    FAILS(pwrite(fd, "z", 1, 0), EPERM);
    CHECK(close(fd) == 0 && holds("log", "xy"));
    CHECK(chflags("fixed", 0) == 0 && chflags("log", 0) == 0 && unlink("fixed") == 0 && unlink("log") == 0);
}

static void appending(void)
{
    char buffer[600] = "";
    memset(buffer, 'b', 500);
    int one = open("append", O_CREAT | O_WRONLY | O_APPEND, 0644), two = open("append", O_WRONLY | O_APPEND);
    CHECK(write(one, "1", 1) == 1 && write(two, "2", 1) == 1 && write(one, "3", 1) == 1 && holds("append", "123"));
    CHECK(lseek(one, 0, SEEK_CUR) == 3 && close(one) == 0 && close(two) == 0 && unlink("append") == 0);
    /* One write that comes out of line is one piece of the file. */
    size_t large = 3 << 20;
    char *data = malloc(large);
    memset(data, 'l', large);
    one = open("large", O_CREAT | O_RDWR, 0644);
    CHECK(write(one, data, large) == (ssize_t) large && lseek(one, 0, SEEK_CUR) == (off_t) large);
    CHECK(pwrite(one, data, large, 5) == (ssize_t) large && fstat(one, &st) == 0 && st.st_size == (off_t) large + 5);
    memset(data, 0, large);
    CHECK(pread(one, data, large, 5) == (ssize_t) large && data[0] == 'l' && memcmp(data, data + 1, large - 1) == 0);
    FAILS(pwrite(one, data, 1, -5), EINVAL);
    CHECK(close(one) == 0 && unlink("large") == 0);
    free(data);
}

void posix_tests(void)
{
    SECTION(rename_files());
    SECTION(rename_directories());
    SECTION(rename_permissions());
    SECTION(search_permission());
    SECTION(exclusive());
    SECTION(group_ids());
    SECTION(ownership());
    SECTION(deleted());
    SECTION(holes());
    SECTION(far_apart());
    SECTION(flags());
    SECTION(appending());
}
