/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tasks and threads.

   A task has an address space, a port name space and threads.  References are counted; the last one frees it.  It is
   active until task_terminate, which ends its threads, then its space and its map; what is left lives as long as
   somebody holds it. A thread likewise: thread_terminate on another thread makes it end itself at its next way out of
   the kernel (its AST), where it holds nothing; the structure and stack go when the last reference does and another
   thread is running.

   Each field's lock is the kernel lock unless it says otherwise.  */

#ifndef TASK_TASK_H
#define TASK_TASK_H

#include <mach/exception.h>
#include <mach/message.h>
#include <mach/task_special_ports.h>
#include <mach/time_value.h>

#include "../arch/x86_64/cpu.h"
#include "sched.h"

struct ipc_port;
struct ipc_space;
struct vm_map;
struct kmsg;
struct io_bitmap;
struct emulation;
struct samples;
struct segments;

#define NAME_SIZE 32
#define REGISTERED_PORTS 4 /* mach_ports_register: TASK_PORT_REGISTER_MAX */

struct task {
    uint32_t refs;
    bool active, essential;
    bool denied;                /* was refused memory once (pageout.c) */
    uint32_t suspend_count;     /* user's; threads run while it is 0 */
    uint32_t stop_count;        /* and the kernel's own */
    struct list threads;        /* thread.task_link */
    uint32_t thread_count;
    struct list all_link;       /* in all_tasks */
    struct vm_map *map;         /* constant; NULL of the kernel's */
    struct ipc_space *space;    /* constant, with a reference; ends with task_terminate, and is without names then */
    struct ipc_port *self;      /* the port that stands for the task, NULL when it is dead */
    struct ipc_port *self_right; /* what task_self gives out: self, or what task_set_special_port put in its place */
    struct ipc_port *exception, *bootstrap;
    struct ipc_port *registered[REGISTERED_PORTS];
    struct io_bitmap *io;       /* I/O ports its threads may use; NULL: none */
    struct emulation *emulation; /* NULL: none (emulation.c) */
    struct samples *samples;    /* NULL: nobody samples its program counters (sampling.h) */
    int priority;               /* of new threads */
    uint64_t user_time, system_time; /* microseconds, of threads that have ended */
    uint64_t faults, cow_faults, zero_fills, pageins, messages_sent, messages_received; /* task_events_info */
    uint64_t created;           /* microseconds since boot */
    char name[NAME_SIZE];
};

enum thread_state {
    THREAD_RUNNING,  /* on a processor, or on its run queue */
    THREAD_WAITING,
    THREAD_STOPPED,  /* suspended or halted, at its way out to user mode */
    THREAD_DEAD
};

/* The arguments of mach_msg that the receiving half needs. */
struct receive_call {
    uint64_t user;                /* the buffer */
    mach_msg_option_t option;
    mach_msg_size_t limit;        /* its size; after MACH_RCV_TOO_LARGE with MACH_RCV_LARGE the size that it should
                                     have */
    mach_port_name_t name;        /* a port or a set */
    mach_msg_timeout_t timeout;
};

struct thread {
    uint32_t refs;
    enum thread_state state;
    bool active;                /* not terminated */
    bool on_run_queue, interruptible, is_idle;
    bool attention;             /* it may be held, aborted or settle_wanted, has a gs base, debug registers or segments,
                                   or receives in the kernel: no short way for it, and ast_taken looks closer */
    bool aborted;               /* thread_abort came: the next interruptible wait ends at once */
    bool depressed;
    bool settle_wanted;         /* somebody waits for it to leave its processor (thread_settle) */
    bool no_faults;             /* copying to or from user memory fails at a page that is not mapped */
    uint32_t suspend_count;
    struct task *task;          /* constant, with a reference */
    struct list task_link, run_link;

    /* Waiting. */
    struct wait_queue *wait_queue;
    struct list wait_link;
    enum wait_result wait_result;
    const void *wait_event;     /* of thread_sleep */
    struct timer timer, depress_timer;

    /* The processor's side. */
    uint64_t stack_pointer;     /* while it does not run */
    char *stack;                /* KERNEL_STACK_SIZE */
    uint64_t stack_top;
    struct trap_frame *frame;   /* by which it came into the kernel from user mode: at the top of its stack */
    struct cpu *cpu;            /* that runs it, or did last */
    void *float_area;           /* right while the thread does not run */
    uint64_t fs_base, gs_base;
    struct debug_registers debug; /* control 0: none */
    struct segments *segments;  /* NULL: it has no descriptors of its own (arch/x86_64/segments.c) */

    /* Messages (ipc/msg.c, ipc/fast.c). */
    struct receive_call receive; /* of the mach_msg it is in */
    struct kmsg *kmsg;          /* the message that was handed to it; else NULL */
    mach_msg_return_t receive_error; /* what mach_msg is to say of it */
    uint32_t receive_seqno;
    struct ipc_port *self, *self_right, *exception;
    void *gsync_key[2];         /* what it waits for in gsync_wait */
    struct samples *samples;    /* as in the task */
    bool vm_privileged;         /* thread_wire: it may take the last of the memory */

    /* Scheduling. */
    int priority, max_priority, sched_priority;
    bool fixed;                 /* its priority does not sink with use (POLICY_FIXEDPRI) */
    int slice;                  /* ticks it runs before others of its priority do */
    uint32_t usage;             /* decayed ticks of processor time */
    uint64_t usage_stamp;       /* tick when `usage` was right */
    int quantum;                /* ticks left */
    uint64_t user_ticks, system_ticks;
    uint64_t created;           /* microseconds since boot */
    char name[NAME_SIZE];
};

extern struct list all_tasks;
extern uint32_t task_count, thread_count_all;
extern struct task *kernel_task;

static inline struct task *current_task(void)
{
    return current_thread()->task;
}
/* The frame by which THREAD came into the kernel from user mode: at the top of its stack. */
static inline struct trap_frame *thread_frame(struct thread *thread)
{
    return thread->frame;
}

/* Time as the interfaces want it. */
time_value_t time_of_micros(uint64_t micros);
time_value64_t time64_of_micros(uint64_t micros);
/* The wall clock at boot, in microseconds since 1970. */
uint64_t host_boot_micros(void);

void task_init(void);
/* A task with a copy of PARENT's memory (INHERIT) or an empty one, PARENT's bootstrap and registered ports and a
   reference for the caller. PARENT NULL: none of them.  KERN_RESOURCE_SHORTAGE. */
kern_return_t task_make(struct task *parent, bool inherit, struct task **task);
void task_ref(struct task *task);
void task_deref(struct task *task);
/* Stops threads from going back to user mode (and starts those that are there no more than needed). */
void task_hold(struct task *task);
void task_release(struct task *task);
/* Everything ends: threads, rights, memory.  KERN_FAILURE: it is dead already, or the kernel's. */
kern_return_t task_kill(struct task *task);
/* The kernel's rights for TASK go. */
void task_ports_release(struct task *task);

/* A suspended thread of TASK that will begin in user mode with all registers 0, and a reference for the caller. */
kern_return_t thread_make(struct task *task, struct thread **thread);
/* A kernel thread that calls START(ARGUMENT); START must not return.  Panics if it cannot be had. */
struct thread *thread_make_kernel(const char *name, void (*start)(void *argument), void *argument, int priority);
void thread_init(void);
void thread_ref(struct thread *thread);
void thread_deref(struct thread *thread);
kern_return_t thread_kill(struct thread *thread);
/* Counts suspensions, as thread_suspend and thread_resume (Mach manual, "Thread Execution"). */
kern_return_t thread_hold(struct thread *thread);
kern_return_t thread_unhold(struct thread *thread);
/* THREAD, if it was stopped and may run again, does. */
void thread_continue(struct thread *thread);
/* Gives THREAD a kernel stack; false: no memory. */
bool thread_stack_make(struct thread *thread);
/* A processor's idle thread, which it begins with; false: no memory. */
bool thread_make_idle(struct cpu *cpu);
/* Waits until THREAD, as long as it is held, is out of the kernel (or in a wait that thread_abort can end), and not in
   user mode either. */
void thread_settle(struct thread *thread);
/* THREAD's registers are about to be read or written: it stops running, unless it is the caller.  What it gives goes to
   thread_uncatch. */
bool thread_catch(struct thread *thread);
void thread_uncatch(struct thread *thread, bool caught);
/* How many kernel stacks there are. */
size_t thread_stack_count(void);
/* Ends what THREAD waits for interruptibly. */
void thread_interrupt(struct thread *thread);
/* The running thread is on its way to user mode with an AST: reschedules, stops or ends. */
void ast_taken(struct trap_frame *frame);
/* The same for all threads of TASK that run on other processors. */
void task_settle(struct task *task);
/* Does THREAD run on another processor just now? */
static inline bool thread_elsewhere(const struct thread *thread)
{
    return thread->cpu && thread->cpu->thread == thread && thread->cpu != cpu_self();
}
/* THREAD should look at its ASTs as soon as possible. */
void thread_ast(struct thread *thread);
/* May it run in user mode? */
static inline bool thread_held(const struct thread *thread)
{
    return thread->suspend_count || thread->task->suspend_count || thread->task->stop_count || !thread->active;
}

/* The child TASK gets PARENT's emulation vector; false: no memory. */
bool emulation_inherit(struct task *task, const struct task *parent);
void emulation_drop(struct task *task);

/* gsync.c: sets its queues up. */
void gsync_init(void);

/* ---- exceptions ----------------------------------------------------------------------- */

/* The running thread made EXCEPTION in user mode: tells its exception ports and waits for the answer; without a handler
   the task is terminated. */
void exception_raise_thread(int exception, int code, int64_t subcode);

#endif
