/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads: their life, stopping and ending. */

#include "../arch/x86_64/machine.h"
#include "../arch/x86_64/segments.h"
#include "../arch/x86_64/smp.h"
#include "../arch/x86_64/stack.h"
#include "../ipc/ipc.h"
#include "../vm/map.h"
#include "host.h"
#include "sampling.h"
#include "task.h"

static struct cache thread_cache, float_cache;
uint32_t thread_count_all;

void thread_init(void)
{
    cache_init(&thread_cache, "thread", sizeof(struct thread));
    cache_init(&float_cache, "float registers", cpu_float_size);
}

bool thread_stack_make(struct thread *thread)
{
    thread->stack = stack_alloc();
    if (thread->stack == NULL)
        return false;
    thread->stack_top = (uint64_t)thread->stack + KERNEL_STACK_SIZE;
    thread->frame = (struct trap_frame *)thread->stack_top - 1;
    return true;
}

/* A thread without registers, in no task's list. */
static struct thread *thread_alloc(void)
{
    struct thread *thread = cache_alloc(&thread_cache);
    if (thread == NULL)
        return NULL;
    *thread = (struct thread){.refs = 1,
                              .state = THREAD_STOPPED,
                              .active = true,
                              .slice = QUANTUM_TICKS,
                              .created = machine_uptime_micros()};
    list_init(&thread->task_link);
    list_init(&thread->run_link);
    list_init(&thread->wait_link);
    list_init(&thread->timer.link);
    list_init(&thread->depress_timer.link);
    if (!thread_stack_make(thread)) {
        cache_free(&thread_cache, thread);
        return NULL;
    }
    return thread;
}

size_t thread_stack_count(void)
{
    return thread_cache.used;
}

static void thread_free(struct thread *thread)
{
    samples_drop(&thread->samples);
    segments_drop(thread);
    if (thread->float_area)
        cache_free(&float_cache, thread->float_area);
    stack_free(thread->stack);
    cache_free(&thread_cache, thread);
}

/* The thread begins at ENTRY with the stack TOP. */
static void stack_prepare(struct thread *thread, uint64_t *top, void (*entry)(void))
{
    *--top = (uint64_t)entry;
    thread->stack_pointer = (uint64_t)top;
}

kern_return_t thread_make(struct task *task, struct thread **result)
{
    if (!task->active || task == kernel_task)
        return KERN_FAILURE;
    struct thread *thread = thread_alloc();
    if (thread == NULL)
        return KERN_RESOURCE_SHORTAGE;
    thread->float_area = cache_alloc(&float_cache);
    thread->self = port_alloc_kernel(KOBJECT_THREAD, thread);
    if (thread->float_area == NULL || thread->self == NULL) {
        if (thread->self)
            port_destroy(thread->self);
        thread_free(thread);
        return KERN_RESOURCE_SHORTAGE;
    }
    cpu_float_init(thread->float_area);
    thread->self_right = port_make_send(thread->self);
    struct trap_frame *frame = thread_frame(thread);
    *frame = (struct trap_frame){.cs = SELECTOR_USER_CODE, .ss = SELECTOR_USER_DATA, .rflags = 0x202};
    stack_prepare(thread, (uint64_t *)frame, thread_start_user);
    thread->task = task;
    task_ref(task);
    list_append(&task->threads, &thread->task_link);
    task->thread_count++;
    thread_count_all++;
    thread->suspend_count = 1;
    thread->refs = 2; /* its own and the caller's */
    thread->max_priority = max(default_set.max_priority, PRIORITY_BASE_USER);
    thread->priority = thread->sched_priority = max(task->priority, thread->max_priority);
    memcpy(thread->name, task->name, sizeof thread->name);
    *result = thread;
    return KERN_SUCCESS;
}

struct thread *thread_make_kernel(const char *name, void (*start)(void *argument), void *argument, int priority)
{
    struct thread *thread = thread_alloc();
    if (thread == NULL)
        panic("no memory for the kernel thread %s", name);
    ksnprintf(thread->name, sizeof thread->name, "%s", name);
    thread->task = kernel_task;
    thread->priority = thread->max_priority = priority;
    uint64_t *words = (uint64_t *)thread->stack_top - 2;
    words[0] = (uint64_t)start;
    words[1] = (uint64_t)argument;
    stack_prepare(thread, words, thread_start_kernel);
    sched_enqueue(thread);
    return thread;
}

bool thread_make_idle(struct cpu *cpu)
{
    struct thread *thread = thread_alloc();
    if (thread == NULL)
        return false;
    thread->state = THREAD_RUNNING;
    thread->is_idle = true;
    thread->cpu = cpu;
    thread->priority = thread->sched_priority = PRIORITY_IDLE;
    ksnprintf(thread->name, sizeof thread->name, "idle%u", cpu->number);
    cpu->idle = cpu->thread = thread;
    cpu->kernel_rsp = thread->stack_top;
    return true;
}

void thread_ref(struct thread *thread)
{
    thread->refs++;
}

void thread_deref(struct thread *thread)
{
    assert(thread->refs > 0);
    if (--thread->refs > 0)
        return;
    struct task *task = thread->task;
    assert(thread->state == THREAD_DEAD);
    thread_free(thread);
    task_deref(task);
}

/* ---- running and stopping --------------------------------------------------------------- */

void thread_continue(struct thread *thread)
{
    if (unlikely(thread->settle_wanted) && !thread_held(thread)) {
        thread->settle_wanted = false; /* it need not leave its processor any more, and may stay there for ever */
        thread_wakeup(&thread->settle_wanted);
    }
    if (thread->state == THREAD_STOPPED && !thread_held(thread))
        sched_enqueue(thread);
}

void thread_ast(struct thread *thread)
{
    struct cpu *cpu = thread->cpu;
    thread->attention = true;
    if (cpu == NULL || cpu->thread != thread)
        return; /* it looks for itself when it runs again */
    cpu->ast |= AST_HALT;
    if (cpu != cpu_self())
        smp_wake(cpu);
}

kern_return_t thread_hold(struct thread *thread)
{
    if (!thread->active)
        return KERN_FAILURE;
    thread->suspend_count++;
    thread_ast(thread);
    return KERN_SUCCESS;
}

kern_return_t thread_unhold(struct thread *thread)
{
    if (!thread->active)
        return KERN_FAILURE;
    if (thread->suspend_count == 0)
        return KERN_FAILURE;
    if (--thread->suspend_count == 0)
        thread_continue(thread);
    return KERN_SUCCESS;
}

void thread_settle(struct thread *thread)
{
    while (thread->state == THREAD_RUNNING && thread != current_thread() && thread_held(thread)) {
        if (thread->on_run_queue) {
            sched_yield_to(thread);
        } else {
            thread->settle_wanted = thread->attention = true;
            thread_sleep(&thread->settle_wanted, false);
        }
    }
}

void task_settle(struct task *task)
{
    task_ref(task);
    for (struct list *link = task->threads.next; link != &task->threads;) {
        struct thread *thread = list_entry(link, struct thread, task_link);
        link = link->next;
        if (!thread_elsewhere(thread) || !thread_held(thread)) /* somebody may have resumed it */
            continue;
        thread_ref(thread);
        thread_settle(thread);
        thread_deref(thread);
        link = task->threads.next; /* it was another list while this waited */
    }
    task_deref(task);
}

void thread_interrupt(struct thread *thread)
{
    if (thread->state == THREAD_WAITING && thread->interruptible)
        thread_wake(thread, WAIT_INTERRUPTED);
}

/* ---- ending ---------------------------------------------------------------------------------- */

/* THREAD holds nothing of the kernel's but its structure: everything else of it goes. */
static void thread_detach(struct thread *thread)
{
    struct task *task = thread->task;
    struct ipc_port *self = thread->self;
    thread->self = NULL;
    list_remove(&thread->task_link);
    task->thread_count--;
    thread_count_all--;
    task->user_time += thread->user_ticks * (1000000 / HZ);
    task->system_time += thread->system_ticks * (1000000 / HZ);
    if (self)
        port_destroy(self);
    timer_stop(&thread->depress_timer);
    port_release_send(thread->self_right);
    port_release_send(thread->exception);
    thread->self_right = thread->exception = NULL;
    if (task->thread_count == 0 && !task->active)
        map_clear(task->map);
}

/* The running thread ends. */
static _Noreturn void thread_exit(void)
{
    struct thread *thread = current_thread();
    thread_detach(thread);
    thread->state = THREAD_DEAD;
    thread_block();
    panic("a dead thread runs");
}

kern_return_t thread_kill(struct thread *thread)
{
    if (!thread->active || thread->task == kernel_task)
        return KERN_FAILURE;
    thread->active = false;
    if (thread == current_thread()) {
        thread_ast(thread);
        return KERN_SUCCESS;
    }
    if (thread->state == THREAD_STOPPED) {
        /* It is at its way out and holds nothing: no need to run it. */
        thread_detach(thread);
        thread->state = THREAD_DEAD;
        thread_deref(thread);
        return KERN_SUCCESS;
    }
    thread_interrupt(thread);
    thread_ast(thread);
    return KERN_SUCCESS;
}

void ast_taken(struct trap_frame *frame)
{
    struct cpu *cpu = cpu_self();
    struct thread *thread = cpu->thread;
    (void)frame;
    uint32_t ast = cpu->ast;
    cpu->ast = 0;
    while (unlikely(thread_held(thread))) {
        if (!thread->active)
            thread_exit();
        thread->state = THREAD_STOPPED;
        thread_block();
    }
    thread->attention = thread->aborted || thread->settle_wanted || thread->gs_base || thread->debug.control ||
                        thread->segments;
    if (ast & AST_RESCHEDULE)
        sched_yield();
    if (ast & AST_SPREAD)
        sched_spread();
}
