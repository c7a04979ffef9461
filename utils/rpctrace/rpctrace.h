/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpctrace: shows the remote procedure calls of a program.

   The program gets, instead of every port, a port of ours that stands for it (a wrapper).  What is sent to a wrapper is
   written down and sent on to the port behind it, after every right in the message has been exchanged in turn: a
   wrapper that comes back is replaced by what it stands for, any other right by its wrapper.  So both sides see the
   same port where they saw the same before.  The wrapper of a task's own port is made the task's idea of itself, so
   that its calls to the kernel, and those of its children, are seen too.

       main.c       command line, the start of the program
       wrap.c       wrappers and their lives
       forward.c    messages: taking them in, exchanging rights, sending them on
       print.c      lines
       toolchain/routines.py makes the table of the routines' names from the .defs  */

#ifndef RPCTRACE_H
#define RPCTRACE_H

#include <mach.h>
#include <mach/mig_errors.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* ---- wrappers (wrap.c); all run in the one thread that forwards, or before it begins --------- */

struct wrapper {
    mach_port_t receive;  /* ours; the program or a server holds the other end */
    mach_port_t target;   /* what it stands for: a send right, or a send-once right if ONCE */
    bool once;            /* goes with the first message */
    bool inward;          /* TARGET is the program's, and servers use the wrapper; else the other way round */
    bool watched;         /* the kernel will tell when nobody can send to it any more */
    bool task;            /* a task that has not said anything yet */
    bool sends;           /* of a once-wrapper: TARGET is a send right all the same */
    int request;          /* of a reply port: the id of the request, else 0 */
    unsigned int serial;  /* of a reply port: its request's line */
    char label[32];       /* what it is called in lines */
};

/* Must be called first. */
void wrap_init(void);
/* All wrappers' receive rights are in this set, and the port that gets dead-name notifications. */
extern mach_port_t wrap_set, wrap_notify;

/* The wrapper of TARGET, made if there is none; called LABEL then (NULL: a number).  Takes over a send right for
   TARGET. NULL: TARGET is dead, and the right gone. */
struct wrapper *wrap_send(mach_port_t target, const char *label);
/* The wrapper of TARGET, a send right, or NULL. */
struct wrapper *wrap_find(mach_port_t target);
/* A new wrapper for a send-once right, which it takes over. */
struct wrapper *wrap_once(mach_port_t target, const char *label);
/* The wrapper whose receive right NAME is, or NULL. */
struct wrapper *wrap_lookup(mach_port_t name);
/* Names a send right for WRAPPER, to be sent with MACH_MSG_TYPE_MOVE_SEND. */
mach_port_t wrap_make_send(struct wrapper *wrapper);
/* Frees WRAPPER and what it holds; of a once-wrapper whose message was sent on, SPENT tells that its target went with
   it. */
void wrap_destroy(struct wrapper *wrapper, bool spent);
/* A notification that the kernel sent to a wrapper (no senders) or to wrap_notify (a target died). */
void wrap_no_senders(struct wrapper *wrapper);
void wrap_target_died(mach_port_t target);

/* ---- messages (forward.c) -------------------------------------------------------------------- */

/* Makes WRAPPER, of a task, that task's idea of itself, and names it. */
void forward_task(struct wrapper *wrapper);
/* Takes messages for ever. */
void forward_loop(void) __attribute__((noreturn));

/* ---- lines (print.c) ------------------------------------------------------------------------- */

/* Where lines go, and how many bytes of a string or elements of an array are shown. */
void print_init(FILE *to, unsigned int string_limit);
/* A request through WRAPPER; gives its serial number. */
unsigned int print_request(const struct wrapper *wrapper, const mach_msg_header_t *message);
/* The answer through WRAPPER, a reply port. */
void print_reply(const struct wrapper *wrapper, const mach_msg_header_t *message);
/* Any other line. */
void print_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Writes out what is unfinished. */
void print_end(void);

/* ---- names (made by toolchain/routines.py) --------------------------------------------------- */

struct routine_name {
    int id;
    const char *name;
};
extern const struct routine_name routine_names[]; /* by id */
extern const size_t routine_count;
/* The routine of a request's id, or NULL. */
const char *routine_name(int id);

#endif /* RPCTRACE_H */
