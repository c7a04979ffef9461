/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fstest: a second file system, with all options: at its start and by fsysopts. */

#include "fstest.h"

#include <fcntl.h>
#include <hurd.h>
#include <hurd/fs.h>
#include <hurd/fsys.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static unsigned long mount_flags(void)
{
    struct statvfs info;
    return statvfs("mnt/.", &info) == 0 ? info.f_flag : ~0ul;
}

static int shell_as_user(const char *command)
{
    return shell(command);
}

/* True if the access time of the file NAME changes when it is read now. */
static bool read_changes_atime(const char *name)
{
    struct stat before, after;
    struct timespec old[2] = { { 1000000, 0 }, { 0, UTIME_OMIT } };
    char byte;
    int fd = open(name, O_RDONLY);
    bool changed = utimensat(AT_FDCWD, name, old, 0) == 0 && fstat(fd, &before) == 0 && pread(fd, &byte, 1, 0) == 1
                   && fstat(fd, &after) == 0 && after.st_atim.tv_sec != before.st_atim.tv_sec;
    close(fd);
    return changed;
}

static void access_times(void)
{
    struct stat before, after;
    char byte;
    put("mnt/read", "x", 0644);
    CHECK((mount_flags() & ST_RELATIME) && read_changes_atime("mnt/read"));
    CHECK(shell("fsysopts mnt --no-atime") == 0 && (mount_flags() & (ST_NOATIME | ST_RELATIME)) == ST_NOATIME);
    CHECK(!read_changes_atime("mnt/read"));
    CHECK(shell("fsysopts mnt --strictatime") == 0 && read_changes_atime("mnt/read"));
    int fd = open("mnt/read", O_RDONLY), quiet = open("mnt/read", O_RDONLY | O_NOATIME);
    CHECK(fstat(fd, &before) == 0 && pread(quiet, &byte, 1, 0) == 1 && fstat(fd, &after) == 0);
    CHECK(before.st_atim.tv_sec == after.st_atim.tv_sec && before.st_atim.tv_nsec == after.st_atim.tv_nsec);
    usleep(20000);
    CHECK(pread(fd, &byte, 1, 0) == 1 && fstat(fd, &after) == 0);           /* each access counts */
    CHECK(before.st_atim.tv_sec != after.st_atim.tv_sec || before.st_atim.tv_nsec != after.st_atim.tv_nsec);
    CHECK(close(fd) == 0 && close(quiet) == 0 && shell("fsysopts mnt --relatime") == 0);
}

static void programs(void)
{
    CHECK(shell("cp /bin/id mnt/id && chmod 4755 mnt/id && cp /bin/sh mnt/sh") == 0);
    CHECK(shell("mnt/id > /dev/null 2>&1") == 126 && access("mnt/id", X_OK) == -1 && errno == EACCES);
    CHECK((mount_flags() & (ST_NOSUID | ST_NOEXEC)) == (ST_NOSUID | ST_NOEXEC));
    CHECK(shell("fsysopts mnt --exec") == 0 && (mount_flags() & ST_NOEXEC) == 0 && access("mnt/id", X_OK) == 0);
    const char *is_root = "case \"$(mnt/id)\" in *euid=0*) exit 3;; uid=1000*) exit 4;; esac";
    CHECK(in_child(1000, 100, shell_as_user, is_root) == 4);
    CHECK(shell("fsysopts mnt --suid") == 0 && (mount_flags() & ST_NOSUID) == 0);
    CHECK(in_child(1000, 100, shell_as_user, is_root) == 3);
    /* all or nothing */
    CHECK(shell("fsysopts mnt --no-exec --nonsense 2>/dev/null") != 0 && (mount_flags() & ST_NOEXEC) == 0);
    CHECK(shell("fsysopts mnt --no-suid --no-exec && case \"$(fsysopts mnt)\" in *--no-suid*--no-exec*) ;; *) exit 1;; "
                "esac") == 0);
}

static void readonly_and_back(void)
{
    put("mnt/kept", "kept", 0644);
    int fd = open("mnt/kept", O_RDWR);
    CHECK(fd >= 0 && shell("fsysopts mnt --readonly") == 0 && (mount_flags() & ST_RDONLY));
    FAILS(write(fd, "x", 1), EROFS);
    FAILS(open("mnt/kept", O_RDWR), EROFS);
    FAILS(open("mnt/new", O_CREAT | O_RDWR, 0644), EROFS);
    FAILS(mkdir("mnt/new", 0755), EROFS);
    FAILS(unlink("mnt/kept"), EROFS);
    FAILS(rename("mnt/kept", "mnt/new"), EROFS);
    FAILS(link("mnt/kept", "mnt/new"), EROFS);
    FAILS(chmod("mnt/kept", 0600), EROFS);
    FAILS(chown("mnt/kept", 1, 1), EROFS);
    FAILS(utimensat(AT_FDCWD, "mnt/kept", NULL, 0), EROFS);
    FAILS(truncate("mnt/kept", 0), EROFS);
    FAILS(access("mnt/kept", W_OK), EACCES);        /* the C library knows no other error */
    CHECK(holds("mnt/kept", "kept"));
    CHECK(shell("fsysopts mnt --update && fsysopts mnt --writable") == 0 && (mount_flags() & ST_RDONLY) == 0);
    CHECK(write(fd, "KEPT", 4) == 4 && close(fd) == 0 && holds("mnt/kept", "KEPT"));
    fd = open("mnt/kept", O_RDWR);
    /* what has no name would be lost */
    CHECK(unlink("mnt/kept") == 0 && shell("fsysopts mnt --readonly 2>/dev/null") != 0);
    CHECK(pwrite(fd, "x", 1, 0) == 1 && close(fd) == 0);
    CHECK(shell("fsysopts mnt --sync=7 && case \"$(fsysopts mnt)\" in *--sync=7*) ;; *) exit 1;; esac") == 0);
}

static void going_away(void)
{
    put("mnt/file", "x", 0644);
    CHECK(shell("settrans -a -c mnt/below /hurd/null") == 0);
    CHECK(shell("settrans -a mnt 2>/dev/null") != 0 && exists("mnt/file"));         /* a translator below it */
    int fd = open("mnt/file", O_RDONLY);
    CHECK(shell("settrans -a -R mnt 2>/dev/null") != 0 && close(fd) == 0);          /* a user */
    /* his port's death is told by a message */
    for (int i = 0; i < 50 && shell("settrans -a -R mnt 2>/dev/null") != 0; i++)
        usleep(20000);
    CHECK(!exists("mnt/file"));
}

/* The control port of the translator on NAME. */
static fsys_t control_of(const char *name)
{
    fsys_t control = MACH_PORT_NULL;
    file_t node = file_name_lookup(name, O_NOTRANS, 0);
    CHECK(node != MACH_PORT_NULL && file_get_translator_cntl(node, &control) == 0);
    mach_port_deallocate(mach_task_self(), node);
    return control;
}

/* Waits until the program behind CONTROL has ended; gives the right up. */
static bool ends(fsys_t control)
{
    mach_port_type_t type = MACH_PORT_TYPE_SEND;
    for (int i = 0; i < 3000 && type & MACH_PORT_TYPE_SEND; i++, usleep(20000))
        CHECK(mach_port_type(mach_task_self(), control, &type) == 0);
    mach_port_deallocate(mach_task_self(), control);
    return !(type & MACH_PORT_TYPE_SEND);
}

/* fsys_goaway's other flags.  MOUNT is the command that mounts again. */
static void goaway_flags(const char *mount, const char *image)
{
    char command[300];
    put("mnt/unsynced", "kept", 0644);
    fsys_t control = control_of("mnt");
    error_t err = EBUSY;
    for (int i = 0; i < 1000 && err == EBUSY; i++, usleep(20000))
        /* answered first; nothing is lost */
        err = fsys_goaway(control, FSYS_GOAWAY_NOWAIT);
    CHECK(err == 0 && ends(control) && shell(mount) == 0 && holds("mnt/unsynced", "kept") &&
          unlink("mnt/unsynced") == 0);
    /* The file that it sits on loses its name: who has it open goes on, and with him it goes. */
    snprintf(command, sizeof command, "settrans -a -f mnt; settrans -a -c alone /hurd/ext2fs.static file:%s", image);
    CHECK(shell(command) == 0);
    control = control_of("alone");
    int fd = open("alone/file", O_RDWR);
    CHECK(fd >= 0 && unlink("alone") == 0 && !exists("alone/file") && pwrite(fd, "z", 1, 0) == 1);
    usleep(200000);
    char byte = 0;
    CHECK(pread(fd, &byte, 1, 0) == 1 && byte == 'z' && pwrite(fd, "x", 1, 0) == 1 && close(fd) == 0 && ends(control));
    /* Without the last sync. */
    snprintf(command, sizeof command, "cp %s copy && settrans -a mnt /hurd/ext2fs.static file:/tmp/fstest/copy", image);
    CHECK(shell(command) == 0);
    put("mnt/lost", "x", 0644);
    control = control_of("mnt");
    CHECK(fsys_goaway(control, FSYS_GOAWAY_FORCE | FSYS_GOAWAY_NOSYNC) == 0 && ends(control) && unlink("copy") == 0);
    CHECK(shell(mount) == 0 && holds("mnt/file", "x"));
}

void mount_tests(const char *image)
{
    char command[300];
    snprintf(command, sizeof command, "mkdir -p mnt && settrans -a mnt /hurd/ext2fs.static --no-suid --no-exec file:%s",
             image);
    CHECK(shell(command) == 0);
    SECTION(programs());
    SECTION(access_times());
    SECTION(readonly_and_back());
    SECTION(going_away());
    CHECK(shell(command) == 0);
    SECTION(goaway_flags(command, image));
    CHECK(shell("settrans -a -f mnt") == 0);
    CHECK(shell(command) == 0 && holds("mnt/file", "x") && shell("settrans -a -f mnt") == 0);   /* and once more */
}
