/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oracle.h: a tree of files as it should be, and what its parts ask of each other.

   One thread; a difference ends the program (fail), so nothing returns an error. */

#ifndef TESTS_ORACLE_H
#define TESTS_ORACLE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NODES = 96,
    ENTRIES = 160,
    OPENS = 8,
    NAMES = 24,
    DEPTH_MAX = 4,
    FILE_MAX = 400 * 1024,
    PIECE_MAX = 70000,
    PATH_SIZE = 1400
};
enum kind { FREE, REGULAR, DIRECTORY, SYMLINK };

struct node {
    enum kind kind;
    unsigned int links, opens, mode, uid, gid, depth, subdirs;
    bool time_known;
    long time;
    size_t size;
    unsigned char *data;       /* FILE_MAX bytes for a regular file */
    char target[80];
};
struct entry { int folder, name, node; bool used; };
struct open_file { int fd, node; bool append; off_t position; };

extern struct node nodes[NODES];          /* 0: the root */
extern struct entry entries[ENTRIES];
extern struct open_file opens[OPENS];     /* fd -1: none */
extern char names[NAMES][256];            /* of the entries: all there are */
extern char root[256];
extern unsigned char piece[PIECE_MAX];    /* what was written or read last */
extern uint64_t state;                    /* any's */
extern unsigned long operation;           /* its number, and */
extern const char *doing;                 /* what it is, for fail */

/* Says what is wrong and ends the program. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* A number below BELOW. */
unsigned int any(unsigned int below);

/* ---- the model (model.c) --------------------------------------------------------------------------- */

/* A new node without names, -1 if there are as many as there may be. */
int node_new(enum kind kind, unsigned int mode);
/* Frees node N if it has neither names nor opens. */
void node_release(int n);
/* What FOLDER has under NAME, or NULL. */
struct entry *entry_find(int folder, int name);
/* There is room: entries_used. */
struct entry *entry_add(int folder, int name, int node);
void entry_drop(struct entry *e);
unsigned int entries_used(void);
bool folder_is_empty(int folder);
/* Whether INNER is FOLDER or below it. */
bool folder_is_within(int inner, int folder);
/* Writes the path, of PATH_SIZE bytes at most, to PATH; path_of gives PATH. */
void folder_path(int folder, char *path);
const char *path_of(int folder, int name, char *path);
int any_folder(void);
/* An existing entry of KIND (FREE: any), or NULL if there is none. */
struct entry *any_entry(enum kind kind);
/* The same ODDS - 1 times of ODDS, else, or when there is none, whatever FOLDER has under NAME. */
struct entry *any_entry_or(enum kind kind, unsigned int odds, int folder, int name);
/* An open file, mostly; else NULL. */
struct open_file *any_open(void);

/* ---- the system beside it (compare.c) ---------------------------------------------------------------- */

/* RESULT of a call and what was EXPECTED: 0 or an error number; -1: any error. */
void expect(int result, int expected);
/* What was told of node N. */
void stat_compare(const struct stat *st, int n);
/* GOT: what was read at OFFSET; read_compare reads it. */
void data_compare(const unsigned char *got, int n, size_t offset, size_t length);
void read_compare(int fd, int n, size_t offset, size_t length);
void folder_compare(int folder);
void entry_compare(const struct entry *e, bool contents);
/* Everything. */
void verify_all(void);

/* ---- operations: each does one of its kind, if there is something to do it with ------------------------- */

/* names.c */
void do_create(void);
void do_open_close(void);
void do_mkdir(void);
void do_symlink(void);
void do_link(void);
void do_unlink(void);
void do_rmdir(void);
void do_rename(void);
/* contents.c */
void do_write(void);
void do_pwrite(void);
void do_read(void);
void do_seek(void);
void do_truncate(void);
void do_mmap(void);
void do_fsync(void);
/* status.c */
void do_stat(void);
void do_status_change(void);
void do_readdir(void);

#endif /* TESTS_ORACLE_H */
