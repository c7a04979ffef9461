/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hostile: a client that sends servers what no honest client would, of every routine of every interface.

   main.c      the command line; a process of its own for each interface and kind, so that what a message does to its
               sender does not matter
   message.c   a well-formed request of a routine with arbitrary values, and the ways to spoil it
   values.c    the values: numbers, strings, rights
   victims.c   the ports that are attacked
   send.c      sending, many at a time, and what becomes of the answers
   abort.c     a sender that is aborted in the middle of its calls
   pager.c     memory whose pager never answers, answers with errors, or dies
   answer.c    whether all servers still answer; what each of them holds
   toolchain/routines.py makes the table of routines from the .defs

   Every message is made from a number alone (seed, interface, kind, count), so it can be sent again without the
   others.  */

#ifndef HOSTILE_H
#define HOSTILE_H

#include <errno.h>
#include <mach.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- the table ------------------------------------------------------------------ */

enum argument_kind {
    FIXED,        /* in line, NUMBER elements */
    ARRAY,        /* in line up to NUMBER elements, out of line above */
    VARIABLE,     /* in line, up to NUMBER elements */
    OUT_OF_LINE,
};

struct argument {
    const char *name;
    uint8_t type;             /* MACH_MSG_TYPE_*; 255: any right */
    uint16_t bits;            /* of an element, as in line */
    uint32_t number;
    enum argument_kind kind;
};

struct routine {
    const char *name;
    mach_msg_id_t id;
    bool simple;              /* sends no answer */
    const struct argument *arguments;
    unsigned int argument_count;
};

struct interface {
    const char *name;
    const struct routine *routines;
    unsigned int routine_count;
};
extern const struct interface interfaces[]; /* ends with a null name */
const struct interface *interface_lookup(const char *name);

/* ---- numbers -------------------------------------------------------------------- */

void random_start(uint64_t seed, const char *interface, unsigned int kind, uint64_t number);
uint64_t random_next(void);
/* Below LIMIT; 0 if LIMIT is 0. */
uint64_t below(uint64_t limit);
/* True once in COUNT times. */
bool once_in(unsigned int count);

/* ---- kinds of hostility ------------------------------------------------------------ */

enum kind {
    WELL_FORMED,
    SIZE,
    TYPE,
    COUNT,
    HUGE,
    RIGHT,
    CLASS,
    REPLY,
    NOISE,
    NOTIFY,
    INTERRUPT,
    ABANDON,
    PAGER,
    ABORT,
    KILL,
    KINDS
};
extern const char *const kind_names[KINDS];

/* ---- values --------------------------------------------------------------------- */

/* The rights that messages carry; names in our space.  Filled by main before the processes are made. */
enum { TASKS = 3, FOUND = 32 };
struct pool {
    mach_port_t own, dead, set, name_only; /* receive (and send) right of ours, a dead name, a port set, no right at
                                              all */
    mach_port_t tasks[TASKS];              /* without threads */
    mach_port_t *victims;                  /* those of this process, VICTIM_COUNT */
    unsigned int victim_count;
    mach_port_t found[FOUND];              /* what answers brought */
    unsigned int found_next;
};
extern struct pool pool;
error_t pool_fill(void);
/* A new port of ours: the last one's receive right may have been given away. */
void pool_own_renew(void);
/* Notes the names of this process, which it lives by: descriptors, proc, auth, the C library's own ports. */
void vital_note(void);
/* Whether NAME was there then and is not of the pool. */
bool right_is_vital(mach_port_t name);
/* More references to a send right, and all of them back with one more. */
enum { HOARD = 1000 };
void right_hoard(mach_port_t name);
void right_unhoard(mach_port_t name);
/* New tasks for those that have died. */
void pool_tasks_renew(void);
void pool_tasks_end(void);

/* SIZE bytes of DATA for ARGUMENT, as an honest client might fill them. */
void value_fill(const struct argument *argument, void *data, size_t size);
/* A right that the kernel accepts for TYPE (255: any), and its type. */
mach_port_t right_choose(const char *argument, unsigned int type, unsigned int *chosen);
/* Any name at all. */
mach_port_t name_choose(void);
/* What a string argument might be, at most 1023 bytes. */
const char *string_choose(void);

/* ---- messages ------------------------------------------------------------------- */

enum { MESSAGE_MAX = 96 * 1024, SLOTS_MAX = 24 };
struct slot { size_t type_at, data_at, size; bool inlined; };
struct message {
    union { mach_msg_header_t head; char bytes[MESSAGE_MAX]; };
    struct slot slots[SLOTS_MAX];
    unsigned int slot_count;
    void *memory[SLOTS_MAX];  /* out of line, to free afterwards */
    size_t memory_size[SLOTS_MAX];
    unsigned int memory_count;
    bool simple;
    const struct routine *routine;
};
void message_build(struct message *message, const struct routine *routine, enum kind kind);
void message_spoil(struct message *message, enum kind kind);
void message_noise(struct message *message, const struct interface *interface);
void message_notification(struct message *message);
void message_release(struct message *message);

/* ---- sending ---------------------------------------------------------------------- */

enum { OUTCOMES = 5 };
enum outcome { ANSWERED, ERROR, REFUSED, UNANSWERED, SENT };
/* Counts what became of a message (main.c): CHANGE more of OUTCOME.  Whoever waits for an answer counts as unanswered
   until it has come. */
void outcome_count(enum outcome outcome, int change);
/* Sends MESSAGE and goes on; the answer is waited for together with others'. */
void message_send(struct message *message, mach_port_t victim, enum kind kind);
/* Waits for what is under way, but not for ever. */
void send_finish(void);
/* At most SIZE requests under way: with 1 the last message named is the culprit. */
void send_window(unsigned int size);
/* The same by a thread that is aborted (thread_abort) again and again until it has its answer or has given up.  */
void message_send_aborted(struct message *message, mach_port_t victim, enum kind kind);
/* In a new process: nothing of the parent's receive rights is there.  */
void send_renew(void);

/* ---- victims ---------------------------------------------------------------------- */

enum { VICTIMS_MAX = 48 };
/* Fills PORTS with ports to which INTERFACE's messages may be sent, for which it makes files in the folder FOLDER.
   Their number. */
unsigned int victims_find(const char *interface, const char *folder, mach_port_t ports[VICTIMS_MAX]);
void victims_release(mach_port_t *ports, unsigned int count);
/* True for routines that are not sent well-formed because they legitimately end the machine or the test. */
bool routine_excluded(const char *name);

/* ---- hostile memory ---------------------------------------------------------------- */

/* Pages of SIZE bytes whose pager is hostile, or NULL.  Belongs to the process. */
void *pager_memory(size_t size);

/* ---- afterwards --------------------------------------------------------------------- */

/* Real calls on every server: how many failed, each with a line. */
unsigned int servers_ask(const char *folder);
/* One line a server: names, threads, regions, KiB mapped and resident. */
error_t census_print(void);
/* Ends the processes that are not root's (root): what hostile requests had executed. */
error_t left_end(void);

#endif /* HOSTILE_H */
