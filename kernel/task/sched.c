/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scheduler: one run queue of 64 priorities, round robin within one, with fair sharing of time: a thread that uses
   the processor loses priority, and gets it back within seconds when it no longer does.

   usage counts ticks of processor time and halves every second, so a thread that always runs comes to about 2 HZ; every
   USAGE_STEP of it costs one priority.  */

#include "sched.h"

#include "../arch/x86_64/segments.h"
#include "../arch/x86_64/smp.h"
#include "../device/interrupt.h"
#include "../vm/map.h"
#include "sampling.h"
#include "switch.h"

#include <mach/policy.h>

#define USAGE_STEP (HZ / 6)
#define EVENT_BUCKETS 1024

static struct list run_queue[PRIORITIES];
static uint64_t run_bitmap; /* bit 63 - p: run_queue[p] is not empty */
static struct wait_queue events[EVENT_BUCKETS];
static struct list dead = LIST_INIT(dead); /* threads that ended and whose last switch is over */
static struct thread idle_thread;                /* of the first processor */
static uint32_t idle_cpus;                       /* idle, and not yet told of something to run */

/* ---- the run queue ------------------------------------------------------------------ */

static void usage_age(struct thread *thread)
{
    uint64_t seconds = (clock_ticks - thread->usage_stamp) / HZ;
    if (seconds == 0)
        return;
    thread->usage = seconds < 32 ? thread->usage >> seconds : 0;
    thread->usage_stamp += seconds * HZ;
}

static void priority_compute(struct thread *thread)
{
    if (thread->depressed) {
        thread->sched_priority = PRIORITY_IDLE - 1;
        return;
    }
    usage_age(thread);
    int priority = thread->priority + (thread->fixed ? 0 : (int)(thread->usage / USAGE_STEP));
    thread->sched_priority = min(priority, PRIORITY_IDLE - 1);
}

static inline int best_priority(void)
{
    return run_bitmap ? __builtin_clzl(run_bitmap) : PRIORITIES;
}

static void queue_put(struct thread *thread, bool first)
{
    struct list *queue = &run_queue[thread->sched_priority];
    if (first)
        list_prepend(queue, &thread->run_link);
    else
        list_append(queue, &thread->run_link);
    run_bitmap |= 1ul << (63 - thread->sched_priority);
    thread->on_run_queue = true;
}

void sched_enqueue(struct thread *thread)
{
    assert(!thread->on_run_queue && !thread->is_idle);
    thread->state = THREAD_RUNNING;
    priority_compute(thread);
    queue_put(thread, false);
    struct cpu *cpu = cpu_self();
    if (unlikely(cpu_count > 1)) {
        cpu->ast |= AST_SPREAD;
        if (idle_cpus > 0)
            return; /* it need not make room */
    }
    if (thread->sched_priority < cpu->thread->sched_priority)
        cpu->ast |= AST_RESCHEDULE;
}

/* Takes THREAD off the run queue, if it is there. */
static void sched_dequeue(struct thread *thread)
{
    if (!thread->on_run_queue)
        return;
    list_remove(&thread->run_link);
    thread->on_run_queue = false;
    if (list_empty(&run_queue[thread->sched_priority]))
        run_bitmap &= ~(1ul << (63 - thread->sched_priority));
}

static struct thread *queue_take(void)
{
    if (run_bitmap == 0)
        return cpu_self()->idle;
    struct thread *thread = list_entry(run_queue[best_priority()].next, struct thread, run_link);
    sched_dequeue(thread);
    thread->quantum = thread->slice;
    if (unlikely(cpu_count > 1) && run_bitmap)
        cpu_self()->ast |= AST_SPREAD;
    return thread;
}

/* Whom to tell of THREAD on the run queue; NULL: it waits for its turn. */
static struct cpu *cpu_choose(const struct thread *thread)
{
    struct cpu *self = cpu_self(), *last = thread->cpu, *worst = NULL;
    if (last && last->idling && !last->kicked)
        return last; /* its caches may still know the thread */
    int priority = thread->sched_priority;
    for_each_cpu(cpu) {
        if (cpu == self)
            continue;
        if (cpu->idling && !cpu->kicked)
            return cpu;
        if (!cpu->idling && !(cpu->ast & AST_RESCHEDULE) && cpu->thread->sched_priority > priority) {
            worst = cpu;
            priority = cpu->thread->sched_priority;
        }
    }
    return worst;
}

void sched_spread(void)
{
    if (run_bitmap == 0)
        return;
    struct cpu *cpu = cpu_choose(list_entry(run_queue[best_priority()].next, struct thread, run_link));
    if (cpu == NULL)
        return;
    if (cpu->idling) {
        cpu->kicked = true;
        idle_cpus--;
    } else
        cpu->ast |= AST_RESCHEDULE;
    smp_wake(cpu);
}

uint32_t sched_runnable(void)
{
    uint32_t count = 0;
    for (unsigned int i = 0; i < PRIORITIES; i++)
        list_for_each(link, &run_queue[i])
            count++;
    for_each_cpu(cpu)
        count += !cpu->thread->is_idle;
    return count;
}

bool sched_others(void)
{
    return run_bitmap != 0;
}

void sched_priority_changed(struct thread *thread)
{
    if (thread->on_run_queue) {
        sched_dequeue(thread);
        sched_enqueue(thread);
        return;
    }
    priority_compute(thread);
    if (thread == cpu_self()->thread && best_priority() < thread->sched_priority)
        cpu_self()->ast |= AST_RESCHEDULE;
}

void sched_policy_set(struct thread *thread, int policy, int milliseconds)
{
    thread->fixed = policy == POLICY_FIXEDPRI;
    thread->slice = thread->fixed ? min(max(milliseconds / (1000 / HZ), 1), HZ) : QUANTUM_TICKS;
    sched_priority_changed(thread);
}

/* ---- switching ------------------------------------------------------------------------- */

static void reap(void)
{
    struct list *link;
    while ((link = list_pop(&dead)))
        thread_deref(list_entry(link, struct thread, run_link));
}

static void debug_switch(struct cpu *cpu, struct thread *next)
{
    cpu_debug_load(&next->debug);
    cpu->debug_owner = next->debug.control ? next : NULL;
}

void sched_debug_changed(struct thread *thread)
{
    if (thread == current_thread())
        debug_switch(cpu_self(), thread);
}

/* From or to a kernel thread, which runs on anybody's address space and registers: what the last user thread left may
   be there still, but need not. */
static void kernel_state_switch(struct cpu *cpu, struct thread *prev, struct thread *next)
{
    if (prev->float_area)
        cpu_float_save(prev->float_area);
    if (next->float_area == NULL)
        return;
    pmap_activate(next->task->map->pmap);
    cpu_float_restore(next->float_area);
    wrmsr(MSR_FS_BASE, next->fs_base);
    wrmsr(MSR_KERNEL_GS_BASE, next->gs_base);
    if (cpu->io_owner != NULL || next->task->io != NULL)
        io_bitmap_load(cpu, next);
    if (cpu->debug_owner != NULL)
        debug_switch(cpu, next);
    if (cpu->segments_loaded || next->segments)
        segments_enter(cpu, next);
}

__attribute__((no_caller_saved_registers)) void sched_io_bitmap_load(struct cpu *cpu, struct thread *thread)
{
    io_bitmap_load(cpu, thread);
}

/* What `attention` may stand for of the registers: gs base, debug registers, segments. */
static void rare_state_switch(struct cpu *cpu, struct thread *prev, struct thread *next)
{
    /* Loading a selector, which users may, makes a base 0: what prev had may be gone. */
    if (next->gs_base || prev->gs_base)
        wrmsr(MSR_KERNEL_GS_BASE, next->gs_base);
    if (cpu->debug_owner != NULL || next->debug.control != 0)
        debug_switch(cpu, next);
    if (cpu->segments_loaded || next->segments)
        segments_enter(cpu, next);
    if (next->attention)
        cpu->ast |= AST_HALT;
}

/* Runs NEXT on this processor.  Who was chosen from the run queue has a whole time slice; who was handed the processor
   has what was left of the slice, or two threads that call each other would keep it for ever. */
static void switch_to(struct thread *next)
{
    struct cpu *cpu = cpu_self();
    struct thread *prev = cpu->thread;
    if (next == prev)
        return;
    if (unlikely(prev->attention) && prev->segments)
        segments_leave(prev);
    sched_thread_switch(cpu, next);
    if (likely(prev->float_area && next->float_area))
        sched_user_state_switch(cpu, prev, next);
    else
        kernel_state_switch(cpu, prev, next);
    if (next->float_area && (next->attention || prev->attention))
        rare_state_switch(cpu, prev, next);
    if (unlikely(prev->settle_wanted)) {
        prev->settle_wanted = false;
        thread_wakeup(&prev->settle_wanted);
    }
    if (prev->state == THREAD_DEAD)
        list_append(&dead, &prev->run_link);
    cpu_switch_stack(&prev->stack_pointer, next->stack_pointer);
    sched_switched();
}

void sched_switched(void)
{
    if (unlikely(!list_empty(&dead)))
        reap();
}

void sched_float_save(struct thread *thread)
{
    if (thread == current_thread())
        cpu_float_save(thread->float_area);
}

void sched_user_bases_load(struct thread *thread)
{
    if (thread == current_thread()) {
        wrmsr(MSR_FS_BASE, thread->fs_base);
        wrmsr(MSR_KERNEL_GS_BASE, thread->gs_base);
    }
}

void sched_yield(void)
{
    struct thread *thread = current_thread();
    if (run_bitmap == 0)
        return;
    sched_enqueue(thread);
    switch_to(queue_take());
}

void sched_yield_to(struct thread *next)
{
    struct thread *thread = current_thread();
    sched_dequeue(next);
    sched_enqueue(thread);
    next->quantum = thread->quantum;
    switch_to(next);
}

void sched_pause(void)
{
    kernel_pause();
    sched_spread();
    if (cpu_self()->ast & AST_RESCHEDULE) {
        cpu_self()->ast &= ~AST_RESCHEDULE;
        sched_yield();
    }
}

/* ---- waiting ------------------------------------------------------------------------------ */

void wait_begin(struct wait_queue *queue, bool interruptible)
{
    struct thread *thread = current_thread();
    thread->state = THREAD_WAITING;
    thread->interruptible = interruptible;
    thread->wait_queue = queue;
    thread->wait_result = WAIT_AWAKENED;
    list_append(&queue->threads, &thread->wait_link);
}

static void wait_expired(struct timer *timer)
{
    thread_wake(list_entry(timer, struct thread, timer), WAIT_TIMED_OUT);
}

void wait_timeout(uint32_t milliseconds)
{
    struct thread *thread = current_thread();
    if (milliseconds) {
        thread->timer.expire = wait_expired;
        timer_start(&thread->timer, milliseconds);
    }
}

/* What would interrupt a wait that has not begun yet. */
static bool interrupted_already(struct thread *thread)
{
    if (!thread->interruptible || (!thread->aborted && thread->active))
        return false;
    thread->aborted = false;
    cpu_self()->ast |= AST_HALT; /* which sets `attention` right */
    thread_wake_direct(thread, WAIT_INTERRUPTED);
    return true;
}

enum wait_result thread_block(void)
{
    struct thread *thread = current_thread();
    if (thread->state == THREAD_WAITING && unlikely(interrupted_already(thread)))
        thread->state = THREAD_RUNNING;
    if (thread->state != THREAD_RUNNING)
        switch_to(queue_take());
    return thread->wait_result;
}

enum wait_result thread_block_to(struct thread *next)
{
    struct thread *thread = current_thread();
    if (thread->state == THREAD_WAITING && unlikely(interrupted_already(thread)))
        thread->state = THREAD_RUNNING;
    next->state = THREAD_RUNNING;
    if (thread->state == THREAD_RUNNING)
        sched_enqueue(thread);
    next->quantum = thread->quantum;
    switch_to(next);
    return thread->wait_result;
}

void thread_wake_direct(struct thread *thread, enum wait_result result)
{
    thread->wait_queue = NULL;
    thread->wait_result = result;
    list_remove(&thread->wait_link);
    if (!list_empty(&thread->timer.link))
        timer_stop(&thread->timer);
}

void thread_wake(struct thread *thread, enum wait_result result)
{
    if (thread->state != THREAD_WAITING || thread->wait_queue == NULL)
        return;
    thread_wake_direct(thread, result);
    if (thread != cpu_self()->thread)
        sched_enqueue(thread);
    else
        thread->state = THREAD_RUNNING; /* between wait_begin and thread_block */
}

struct thread *wait_queue_first(const struct wait_queue *queue)
{
    return list_empty(&queue->threads) ? NULL : list_entry(queue->threads.next, struct thread, wait_link);
}

bool wait_queue_wake_one(struct wait_queue *queue, enum wait_result result)
{
    struct thread *thread = wait_queue_first(queue);
    if (thread)
        thread_wake(thread, result);
    return thread != NULL;
}

bool wait_queue_wake_all(struct wait_queue *queue, enum wait_result result)
{
    bool any = false;
    while (wait_queue_wake_one(queue, result))
        any = true;
    return any;
}

static struct wait_queue *event_queue(const void *event)
{
    return &events[((uint64_t)event >> 3) * 0x9e3779b97f4a7c15 >> 54];
}

enum wait_result thread_sleep(const void *event, bool interruptible)
{
    current_thread()->wait_event = event;
    wait_begin(event_queue(event), interruptible);
    enum wait_result result = thread_block();
    current_thread()->wait_event = NULL;
    return result;
}

bool thread_wakeup(const void *event)
{
    bool any = false;
    list_for_each_safe(link, after, &event_queue(event)->threads) {
        struct thread *thread = list_entry(link, struct thread, wait_link);
        if (thread->wait_event != event)
            continue;
        thread_wake(thread, WAIT_AWAKENED);
        any = true;
    }
    return any;
}

/* ---- the clock ------------------------------------------------------------------------------- */

void sched_tick(bool user)
{
    struct cpu *cpu = cpu_self();
    struct thread *thread = cpu->thread;
    if (thread->is_idle)
        return;
    *(user ? &thread->user_ticks : &thread->system_ticks) += 1;
    sample_take(thread, SAMPLED_PC_PERIODIC);
    usage_age(thread);
    thread->usage++;
    if (--thread->quantum <= 0) {
        thread->quantum = thread->slice;
        priority_compute(thread);
        if (best_priority() <= thread->sched_priority)
            cpu->ast |= AST_RESCHEDULE;
    }
}

void sched_init(void)
{
    for (unsigned int i = 0; i < PRIORITIES; i++)
        list_init(&run_queue[i]);
    for (unsigned int i = 0; i < EVENT_BUCKETS; i++)
        wait_queue_init(&events[i]);
    struct thread *thread = &idle_thread;
    *thread = (struct thread){.refs = 1, .state = THREAD_RUNNING, .active = true, .is_idle = true,
                              .sched_priority = PRIORITY_IDLE, .priority = PRIORITY_IDLE, .name = "idle"};
    list_init(&thread->wait_link);
    list_init(&thread->run_link);
    list_init(&thread->timer.link);
    thread->cpu = &boot_cpu;
    boot_cpu.idle = boot_cpu.thread = thread;
    thread->stack_top = boot_cpu.kernel_rsp;
    thread->frame = (struct trap_frame *)thread->stack_top - 1;
}

_Noreturn void sched_start_first(void)
{
    if (!thread_stack_make(&idle_thread))
        panic("no memory for the idle thread's stack");
    boot_cpu.kernel_rsp = idle_thread.stack_top;
    cpu_stack_begin(idle_thread.stack_top, sched_start);
}

_Noreturn void sched_start(void)
{
    struct cpu *cpu = cpu_self();
    assert(cpu->thread == cpu->idle);
    for (;;) {
        while (run_bitmap)
            switch_to(queue_take());
        cpu->ast = 0;
        cpu->idling = true;
        idle_cpus++;
        kernel_wait();
        idle_cpus -= !cpu->kicked;
        cpu->idling = cpu->kicked = false;
    }
}
