/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fstest: what its files share: counting checks, children as other users, files made quickly. */

#ifndef FSTEST_H
#define FSTEST_H

#include <stdbool.h>
#include <sys/types.h>

#include "check.h"

/* CALL fails with errno ERROR. */
#define FAILS(CALL, ERROR) (errno = 0, CHECK((CALL) == -1), CHECK(errno == (ERROR)))

/* Runs a part; its name comes first, so that one knows where it hangs. */
#define SECTION(CALL) (printf("%s\n", #CALL), (void) (CALL))

/* Runs BODY(ARG) in a child with the ids UID and GID (0: as we are); its result, 0 to 255, or -1 when it died. */
int in_child(uid_t uid, gid_t gid, int (*body)(const char *), const char *arg);
/* Makes the file NAME hold TEXT; checks. */
void put(const char *name, const char *text, mode_t mode);
/* True if the file NAME holds TEXT. */
bool holds(const char *name, const char *text);
bool exists(const char *name);
/* The first process with WORD in its arguments, as proc knows them; 0: there is none. */
pid_t process_with(const char *word);
/* How many names its task has; 0: there is none. */
unsigned int names_of(const char *word);
/* Runs a command by /bin/sh; its exit status. */
int shell(const char *command);

void posix_tests(void);        /* fstest-posix.c: names, modes, deleted files, holes */
void locks_tests(void);        /* fstest-locks.c: record locks and flock */
void hurd_tests(void);         /* fstest-hurd.c: translators, how they go, storage, hostile writers */
void notices_tests(void);      /* fstest-notices.c: who hears of changes */
void deaths_tests(void);       /* fstest-deaths.c: what is left of ports that have died */
void mount_tests(const char *image); /* fstest-mount.c: options of a file system in the file IMAGE */

#endif /* FSTEST_H */
