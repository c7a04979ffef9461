/* SPDX-License-Identifier: GPL-2.0-or-later */
/* startup.h: what the parts of startup share.

   Startup is told things by messages (proc and auth are there, a task is essential, a task has died, shut down) and
   does things in an order (main.c).  The handlers of messages write down what they are told, under startup_lock, and
   wake main's thread, which waits for what its next step needs.  Replies that must wait are kept as reply ports.

   Lock order: startup_lock, then nothing.  No RPC is made with it held. */

#ifndef STARTUP_STARTUP_H
#define STARTUP_STARTUP_H

#include <hurd/hurd_types.h>
#include <ports/ports.h>
#include <pthread.h>
#include <stdbool.h>

#include "lists.h"

/* Behind each of startup's ports: the bootstrap port of what startup runs, its message port, its control port, and the
   port of each open of /servers/startup. */
struct startup_object {
    struct ports_object port;
    lists_asker_t asker;         /* who has the port; constant */
};
typedef struct startup_object *startup_call_t, *startup_control_t;
extern struct ports_class startup_class, startup_control_class;
PORTS_MIG_HOOKS(startup_call, struct startup_object, &startup_class)
PORTS_MIG_HOOKS(startup_control, struct startup_object, &startup_control_class)

extern struct startup_object *startup_object;     /* the bootstrap port's; constant after main's step 5 */
extern struct startup_object *startup_message;    /* the message port's, which proc gives to everybody; likewise */
extern struct startup_object *startup_control;    /* constant after main's step 5 */
extern mach_port_t startup_node;                  /* /servers/startup underneath; MACH_PORT_NULL before it is found;
                                                     startup_lock */

/* A reply that is owed; PORT is MACH_PORT_NULL when there is none. */
struct owed_reply {
    mach_port_t port;
    mach_msg_type_name_t type;
};

/* What main waits for; all under startup_lock, startup_changed tells of changes. */
struct startup_state {
    mach_port_t proc;                /* startup's own process port, from proc */
    mach_port_t auth;                /* the root auth handle, from auth */
    struct owed_reply procinit, authinit;
    struct essential_list essentials;
    struct notify_list notifies;
    mach_port_t init_task;           /* number 1's task; MACH_PORT_NULL: none runs */
    bool init_died;
    bool running;                    /* the core servers have been answered: the boot is done */
    bool going_down;
};
extern struct startup_state startup_state;
extern pthread_mutex_t startup_lock;
extern pthread_cond_t startup_changed;

extern mach_port_t startup_host_priv, startup_device_master;  /* constant after main's step 2 */
extern char **startup_argv;                                   /* constant */
extern mach_port_t startup_fs_control;                        /* constant after main's step 1: ext2fs' control port */
extern mach_port_t startup_fs_task;                           /* constant after main's step 2 */

/* serve.c: the dead_name callback of the startup port's class */
void startup_dead_name(struct ports_object *object, mach_port_t name);

/* console.c: writing to the Mach console, whatever state the system is in. */
void console_open(mach_port_t device_master);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One line: "startup: ", what, and the cause if ERR is not 0. */
void complain(error_t err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, and then the system stops. */
void give_up(error_t err, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

/* wire.c: keeps what startup is made of from being paged out. */
error_t wire_self(mach_port_t host_priv);

/* boot.c: the steps with proc, auth and the file system */
/* Runs a server of ours with the startup port as bootstrap port, and no ports of servers that do not exist yet. */
error_t server_run(const char *path, mach_port_t *task);
/* NAME has died: if it is a server just run, the boot cannot go on. */
void startup_dead_server(mach_port_t name);
/* proc and auth exist; tells everybody of everybody. */
void launch_core_servers(mach_port_t proc_task, mach_port_t auth_task);
/* Answers proc, auth and exec, who wait in startup_essential_task. */
void release_core_servers(void);
/* Finds out the processes of essential tasks. */
void find_essential_pids(void);
void init_stdarrays(void);
void frob_kernel_process(char **argv);

/* node.c */
void install_as_translator(void);

/* launch.c: number 1 */
/* Starts the first program that can be started, from where the last attempt left off.  False: there is none. */
bool launch_something(void);
/* Says how number 1 ended, and waits for it. */
void init_reap(void);

/* notify.c */
/* Tells everybody who asked that the system goes down, and waits for them, within limits.  startup_state.going_down is
   set. */
void notify_all(void);
/* After the death of one that the others need: those of root alone, as far as they live, with a short limit each. */
void notify_crash(void);

/* shutdown.c */
void shut_down(int howto);
/* The calling thread has nothing more to do, for ever. */
void thread_rest(void) __attribute__((noreturn));
/* A task that the system cannot do without has died; PID: its process, whose end proc is asked about; 0: not known.
   Says so, has what has not been written yet written by those that can, and stops the system.  Does not return. */
void crash(const char *name, pid_t pid) __attribute__((noreturn));

#endif
