/* SPDX-License-Identifier: GPL-2.0-or-later */
/* process.h: the table of processes and what POSIX says of them.

   This is the part of proc that knows no message: it runs in unit tests on the
   host (tests/unit/proc).  What must be told to the outside (a signal, an
   answer to somebody who waits, the end of a task) it tells through the
   functions of effects.h, which the server and the test each define.

   An object's life.  A `struct process` is made by process_create when a task
   is first heard of, and is in the table by its number, and by its task as long
   as that lives.  process_adopt (proc_child) makes it a POSIX process with a
   parent.  process_exit is called when its task has died: it is a zombie until
   its parent waits for it, or gone at once if nobody will.  A pointer is valid
   as long as the lock is held, and no longer.

   Locking: everything here is protected by one lock, proc_lock, which all
   callers hold.  No function here blocks or gives it up.  */

#ifndef PROC_PROCESS_H
#define PROC_PROCESS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* A name of a port right in proc's port space; 0 is none, ~0 a dead one. */
typedef uint32_t port_name_t;

/* The place of a thing in a hash table, its first use. */
struct hash_link {
    struct hash_link *next;
    uint32_t key;
};

/* A hash table that doubles when it has as many things as places. */
struct hash_table {
    struct hash_link **places;
    size_t size;  /* a power of two */
    size_t count;
};

/* Adds LINK with KEY (ENOMEM), which must not be in the table; takes it out; finds it (NULL: none). A zeroed table is
   empty. */
error_t hash_add(struct hash_table *table, struct hash_link *link, uint32_t key);
void hash_remove(struct hash_table *table, struct hash_link *link);
struct hash_link *hash_find(const struct hash_table *table, uint32_t key);

/* A doubly linked list, circular; the head is a link of nothing. */
struct list_link {
    struct list_link *next, *prev;
};
#define LIST_ENTRY(LINK, TYPE, MEMBER) ((TYPE *)((char *)(LINK) - offsetof(TYPE, MEMBER)))
#define LIST_FOREACH(VAR, HEAD, MEMBER)                                            \
    for (VAR = LIST_ENTRY((HEAD)->next, __typeof__(*VAR), MEMBER); &VAR->MEMBER != (HEAD); \
         VAR = LIST_ENTRY(VAR->MEMBER.next, __typeof__(*VAR), MEMBER))
#define LIST_FOREACH_SAFE(VAR, NEXT, HEAD, MEMBER)                                 \
    for (VAR = LIST_ENTRY((HEAD)->next, __typeof__(*VAR), MEMBER),                   \
        NEXT = LIST_ENTRY(VAR->MEMBER.next, __typeof__(*VAR), MEMBER);             \
         &VAR->MEMBER != (HEAD);                                                   \
         VAR = NEXT, NEXT = LIST_ENTRY(VAR->MEMBER.next, __typeof__(*VAR), MEMBER))

static inline void list_init(struct list_link *head) { head->next = head->prev = head; }
static inline bool list_empty(const struct list_link *head) { return head->next == head; }
static inline bool list_linked(const struct list_link *link) { return link->next != NULL; }
static inline void list_add(struct list_link *head, struct list_link *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}
/* Takes LINK out; no harm if it is in no list. */
static inline void list_remove(struct list_link *link)
{
    if (link->next == NULL)
        return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->next = link->prev = NULL;
}

/* The user ids that a process has proved to auth.  Shared by reference. */
struct ids {
    unsigned refs;
    unsigned count;
    uid_t uid[];
};

struct session {
    pid_t sid;
    port_name_t port;          /* receive right that stands for the session, made when first asked for */
    struct list_link pgrps;    /* of struct pgrp */
};

struct pgrp {
    pid_t pgid;
    struct session *session;
    struct list_link session_link;
    struct list_link members;  /* of struct process, living and zombies */
    unsigned anchors;          /* living members whose parent is in another group of the same session:
                                  without any the group is orphaned */
};

/* A login collection: processes that are one login. */
struct login {
    unsigned refs;             /* of processes */
    pid_t id;                  /* number of the process that made it */
    char *name;                /* NULL: none */
    struct list_link members;
};

/* All that goes by one number.  It is in use as long as one of these is not NULL. */
struct slot {
    struct hash_link link;     /* key: the number */
    struct process *process;
    struct pgrp *pgrp;
    struct session *session;
    struct login *login;
};

/* Somebody who waits for an answer of ours. */
struct waiter {
    struct list_link link;
    port_name_t reply;         /* send-once right, owned */
    uint32_t reply_type;
    struct process *caller;    /* who asked */
    struct list_link caller_link;  /* in caller->asks */
    enum { WAIT_CHILD, WAIT_MSGPORT } kind;
    bool waitid;               /* WAIT_CHILD: answer as proc_waitid's */
    pid_t pid;                 /* WAIT_CHILD: as for waitpid */
    int options;
};

struct process {
    struct hash_link task_link;   /* key: the task's name; in the table while task is not 0 */
    pid_t pid;
    port_name_t task;             /* send right, owned; 0 when the task is dead or none came yet */
    unsigned task_urefs;          /* user references of it that we hold */
    void *port;                   /* the server's object for its process port; NULL when dead */
    void *pending;                /* the server's: reauthentication in progress */
    void *exceptions;             /* the server's: where exceptions of its signal thread arrive */

    port_name_t msgport;          /* send right, owned; 0: none now */
    uint64_t pending_signals;     /* signals to be sent as soon as there is a message port with room; bit n-1 */
    int pending_child_code;       /* the last sigcode of a pending SIGCHLD */
    struct hash_link flood_link;  /* key: msgport; effects.c's, while flooded */
    struct list_link msgport_waiters;  /* of struct waiter: those who want our message port */
    struct list_link asks;        /* of struct waiter: what we wait for */
    struct list_link child_waiters;    /* of struct waiter: our calls of proc_wait */

    struct process *parent;       /* NULL for startup, or init before there is one */
    struct list_link sibling, children;
    struct list_link report_link, reports;  /* children with something to be waited for */

    struct pgrp *pgrp;
    struct list_link pgrp_link;
    bool anchor;                  /* counted in pgrp->anchors */
    struct login *login;
    struct list_link login_link;

    struct ids *ids;
    uid_t owner;
    uint64_t argv, envp;          /* addresses in the task */
    uint64_t start_code, end_code, entry;
    char *exe;                    /* NULL: not known */
    port_name_t task_namespace;   /* send right, owned: who is told of new tasks below; 0: nobody */

    int status;                   /* as wait tells it, while exiting, dead or stopped */
    int sigcode;
    struct rusage usage;          /* while exiting */
    struct rusage children_usage; /* of children waited for, and theirs */

    bool adopted : 1;             /* it has a parent of its own */
    bool execed : 1;
    bool stopped : 1;
    bool continued : 1;           /* and nobody waited for that yet */
    bool waited : 1;              /* its stop has been waited for */
    bool exiting : 1;             /* status is its exit status */
    bool dead : 1;
    bool traced : 1;
    bool no_stop_signal : 1;      /* wants no SIGCHLD when children stop */
    bool login_leader : 1;
    bool important : 1;
    bool owned : 1;               /* owner is valid */
    bool flooded : 1;             /* its message port has no room: the kernel will tell when it has */
    bool pending_ids : 1;         /* its ids are to be told as pending signals are */
    bool told_ids : 1;            /* it knows its ids, so it must hear of changes */
};

/* ---- table.c ---- */

/* Puts init (pid 1), which has no task yet, into the empty table.  ENOMEM. */
error_t process_table_init(void);

struct process *process_lookup(pid_t pid);              /* NULL: none */
struct process *process_lookup_task(port_name_t task);  /* NULL: none */
struct pgrp *pgrp_lookup(pid_t pgid);
struct session *session_lookup(pid_t sid);
struct login *login_lookup(pid_t id);
struct process *process_init(void);                     /* pid 1; always there */
size_t process_count(void);

/* Runs FN(process, ARG) for each. FN may not change the table. */
void process_iterate(void (*fn)(struct process *, void *), void *arg);

/* The slot of ID in *SLOT, made if there is none (ENOMEM). */
error_t slot_get(pid_t id, struct slot **slot);
/* Forgets the slot if nothing uses its number any more. */
void slot_release(struct slot *slot);
struct slot *slot_lookup(pid_t id);

/* A new process with number PID (0: the next free one) and, if TASK is not 0, that task, of which it owns a
   reference on success.  It belongs to init's group and login collection and has no parent but init.
   ENOMEM; EEXIST: the number or the task is taken. */
error_t process_create(pid_t pid, port_name_t task, struct process **process);
/* Gives a process without a task one (consumed), or takes it away (TASK 0; the right is then the caller's). */
void process_set_task(struct process *process, port_name_t task, unsigned urefs);
/* Removes a process that nobody refers to any more, and frees it. */
void process_free(struct process *process);

/* ---- tree.c ---- */

/* Is ABOVE PROCESS itself or one of its ancestors?  Then it must not become its child, nor may PROCESS take over its
   task. */
bool process_is_below(const struct process *process, const struct process *above);

/* proc_child: CHILD is from now on PARENT's.  EBUSY: it has a parent already; EINVAL: it would be its own ancestor. */
error_t process_adopt(struct process *parent, struct process *child);

/* ROOT (startup) is above all others: it has no parent, and init is its child. */
void process_set_root(struct process *root);

/* PROCESS's task is gone (the right is released already, task is 0). Frees it if nobody waits for it. */
void process_exit(struct process *process);

/* proc_mark_exit: how it is about to end.  EINVAL: not an exit status; EBUSY: already told. */
error_t process_mark_exit(struct process *process, int status, int sigcode, const struct rusage *usage);
void process_mark_stop(struct process *process, int signo, int sigcode);
void process_mark_cont(struct process *process);

/* proc_reassign and proc_set_init_task: PROCESS takes over STUB's task and addresses, and STUB is gone.  The caller has
   put away PROCESS's own task and exchanged the ports; STUB is not above PROCESS. */
void process_take_over(struct process *process, struct process *stub);

/* ---- wait.c ---- */

struct wait_result {
    pid_t pid;
    int status;
    int sigcode;
    struct rusage usage;
};
/* Looks for a child of PARENT with something to tell, and takes note that it was told. 0; EAGAIN: none now; ECHILD:
   there never will be; EINVAL: bad options. */
error_t process_wait(struct process *parent, pid_t pid, int options, struct wait_result *result);
/* Puts WAITER, filled in, among PARENT's. */
void process_wait_add(struct process *parent, struct waiter *waiter);
/* Answers those of PARENT's waiters that can be answered. */
void process_wait_run(struct process *parent);
/* CHILD has something to tell: answers waiters and signals the parent. SIGCODE: one of CLD_*.  */
void process_report(struct process *child, int sigcode);
/* Ends all that PROCESS waits for with ERROR. */
void process_waits_cancel(struct process *process, error_t error);
/* Those who waited for PROCESS's message port get it, or ERROR. */
void process_msgport_run(struct process *process, error_t error);
void rusage_add(struct rusage *sum, const struct rusage *usage);

/* ---- pgrp.c ---- */

/* proc_setpgrp by CALLER; both arguments may be 0. ESRCH, EPERM, EACCES, ENOMEM, EINVAL. */
error_t pgrp_set(struct process *caller, pid_t pid, pid_t pgid);
/* proc_setsid: EPERM if there is such a group. */
error_t session_create(struct process *process);
/* The group of a new process: PGRP, without checks. */
void pgrp_join(struct process *process, struct pgrp *pgrp);
void pgrp_leave(struct process *process);
/* PROCESS's parent, group or life has changed: counts again; ORPHANING: a group that became orphaned and has stopped
   members gets SIGHUP and SIGCONT. */
void pgrp_recount(struct process *process);
bool pgrp_orphaned(const struct pgrp *pgrp);
/* Creates session and group SID for the very first process. */
error_t session_create_first(struct process *process);

error_t login_create(struct process *process);
void login_join(struct process *process, struct login *login);
void login_leave(struct process *process);
error_t login_set_name(struct login *login, const char *name);

/* ---- ids.c ---- */
struct ids *ids_create(const uid_t *uid, unsigned count);  /* NULL: no memory */
struct ids *ids_ref(struct ids *ids);
void ids_deref(struct ids *ids);
bool process_is_root(const struct process *process);
bool process_has_uid(const struct process *process, uid_t uid);
/* May PROCESS do as it likes with OTHER? */
bool process_owns(const struct process *process, const struct process *other);

#endif
