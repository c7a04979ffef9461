/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame.h: what a conformance case is written with.

   A case is a function in one of this folder's files; the file's name is its subject.  All cases are one boot module,
   `conform`, the kernel's only program.  The module runs on GNU Mach and on our kernel and writes a transcript: what
   the case observed.  conformance.py holds one against the other.  So a case observes return codes, counts and
   contents, never names of ports, addresses or times, which may differ.

       CASE(destination_dead)
       {
           mach_port_t name = port_create_dead();
           EXPECT(send_empty(name, 1), MACH_SEND_INVALID_DEST);         what the manual says
           OBSERVE(port_refs(name, MACH_PORT_RIGHT_DEAD_NAME));         whatever GNU Mach does
           port_destroy(name);
       }

   A case leaves nothing behind: names in the space, threads and tasks are counted before and after it.  A case that
   does not end within CASE_LIMIT_S, or whose thread faults, has failed; the others go on.  Each case is run by the same
   worker thread, which has no pending reply.  */

#ifndef TESTS_KERNEL_FRAME_H
#define TESTS_KERNEL_FRAME_H

#include <errno.h>
#include <mach.h>
#include <mach/gnumach.h>
#include <mach/mach4.h>
#include <mach/mach_host.h>
#include <mach/mig_support.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CASE_LIMIT_S = 240 }; /* against hangs alone: the machine may be slow, and its clock goes on */

enum case_kind {
    CASE_BOTH,    /* the transcripts agree */
    CASE_DIFFERS, /* both pass, the transcripts differ on purpose: docs/kernel.md says why */
    CASE_OURS,    /* GNU Mach panics, hangs or has no such thing: docs/kernel.md says which */
};

struct conformance_case {
    const char *file;
    int line;
    const char *name;
    enum case_kind kind;
    void (*run)(void);
};

#define CASE_OF(NAME, KIND)                                                                                            \
    static void case_##NAME(void);                                                                                     \
    static const struct conformance_case case_##NAME##_entry = {__FILE__, __LINE__, #NAME, KIND, case_##NAME};         \
    static const struct conformance_case *case_##NAME##_at                                                             \
        __attribute__((section("cases"), used)) = &case_##NAME##_entry;                                                \
    static void case_##NAME(void)

/* Defines a case; its body follows.  The three kinds are those of enum case_kind. */
#define CASE(NAME) CASE_OF(NAME, CASE_BOTH)
#define CASE_DIFFERS(NAME) CASE_OF(NAME, CASE_DIFFERS)
#define CASE_OURS(NAME) CASE_OF(NAME, CASE_OURS)

/* ---- what a case says --------------------------------------------------------------------- */

/* Writes the value of EXPR (an integer, signed 64 bits) into the transcript. */
#define OBSERVE(EXPR) observe(#EXPR, (long)(EXPR))
/* The same under another name. */
void observe(const char *name, long value);

/* The case fails unless COND holds. */
#define CHECK(COND) check(__FILE__, __LINE__, #COND, !!(COND))
/* The case fails unless EXPR has VALUE; the value is in the transcript. */
#define EXPECT(EXPR, VALUE) expect(__FILE__, __LINE__, #EXPR, (long)(EXPR), (long)(VALUE))
/* The same for what a case cannot go on without: it returns from the function if not. */
#define REQUIRE(EXPR, VALUE) \
    do { \
        if (!expect(__FILE__, __LINE__, #EXPR, (long)(EXPR), (long)(VALUE))) \
            return; \
    } while (0)
bool check(const char *file, int line, const char *text, bool holds);
bool expect(const char *file, int line, const char *text, long value, long wanted);
/* A line for who reads the transcript; not compared. */
void remark(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- where it runs -------------------------------------------------------------------------- */

extern mach_port_t host_priv;     /* the privileged host port */
extern mach_port_t device_master; /* the device master port */
extern bool on_quadrille;         /* our kernel, not GNU Mach */

/* ---- help -------------------------------------------------------------------------------- */

/* A new port of this task: its receive right alone.  Never fails (the case does). */
mach_port_t port_create(void);
/* A new port with a send right beside the receive right. */
mach_port_t port_create_with_send(void);
/* A port with a send right, one message (of id 1) in its queue and room for no more. */
mach_port_t port_create_full(void);
/* A dead name: of a port that had a send right and lost its receive right. */
mach_port_t port_create_dead(void);
/* Takes the receive right, all send rights or the dead name away; the name is free then if it had no send-once
   right. */
void port_destroy(mach_port_t name);
/* What rights NAME has (mach_port_type), 0 if none. */
mach_port_type_t port_type(mach_port_t name);
/* User references of RIGHT, or -1. */
long port_refs(mach_port_t name, mach_port_right_t right);
/* How many names this task's space has. */
unsigned int port_names(void);

/* Sends a message of a header alone to NAME by copy-send with id ID, waiting at most 0 ms for room. */
mach_msg_return_t send_empty(mach_port_t name, mach_msg_id_t id);
/* Receives from NAME within MS milliseconds; the message, of at most 4 KiB, is in received() until the next one. */
mach_msg_return_t receive_within(mach_port_t name, unsigned int ms);
mach_msg_header_t *received(void);

/* How many processors run. */
unsigned int processors_available(void);

/* Waits MS milliseconds in the kernel, without spinning. */
void pause_ms(unsigned int ms);
/* Looks every 10 ms whether HOLDS(COOKIE), TRIES times at most: what ended in the kernel may need a moment until it is
   gone.  Does it? */
bool settle(bool (*holds)(void *cookie), void *cookie, unsigned int tries);

/* Another thread of this task that runs ENTRY(ARGUMENT), with a stack and thread-local data of its own, until ENTRY
   returns; it may use everything but CHECK and its like.  `thread` is its port; helper_join waits for its end, frees
   all and drops the port. */
struct helper {
    mach_port_t thread;
    void *area;
    mach_port_t done;
};
void helper_start(struct helper *helper, void (*entry)(void *), void *argument);
/* False if it did not end within CASE_LIMIT_S / 2 seconds; it is terminated then. */
bool helper_join(struct helper *helper);
/* Until it waits in the kernel, be it in what it is to do or because it is done (it waits to be joined then); false if
   it does not for long. Who was woken runs, so when all wait nothing is under way. */
bool helper_waits(struct helper *helper);
/* Ends it wherever it is. */
void helper_kill(struct helper *helper);
/* The same, but keeps `done` for the next start. */
void helper_end(struct helper *helper);

/* Another task: a copy of this one's memory, of whose port rights it has none, whose only thread runs ENTRY(ARGUMENT)
   and then terminates the task.  `task` and `thread` are this task's names for them. */
struct child {
    mach_port_t task;
    mach_port_t thread;
};
/* Makes it; its thread does not run before child_start.  Insert what rights it shall have in between
   (mach_port_insert_right). */
void child_create(struct child *child, void (*entry)(void *), void *argument);
void child_start(struct child *child);
/* True when the task has gone, within CASE_LIMIT_S / 2 seconds; drops the names in any case (a task that lives is
   terminated). */
bool child_join(struct child *child);
void child_kill(struct child *child);

#endif /* TESTS_KERNEL_FRAME_H */
