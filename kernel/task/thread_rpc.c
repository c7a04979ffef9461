/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be asked of threads (mach.defs, mach_host.defs, gnumach.defs; Mach manual, "Threads"). */

#include "../ipc/ipc.h"
#include "../mig/mig_types.h"
#include "../vm/map.h"
#include "../vm/pageout.h"
#include "gnumach_S.h"
#include "host.h"
#include "mach_S.h"
#include "mach_host_S.h"
#include "task.h"
#include "thread_state.h"

#include <mach/policy.h>
#include <mach/thread_info.h>
#include <mach/thread_special_ports.h>

kern_return_t rpc_thread_create(task_t task, thread_t *child)
{
    if (task == NULL)
        return KERN_INVALID_ARGUMENT;
    kern_return_t kr;
    for (unsigned int tries = 0; (kr = thread_make(task, child)) == KERN_RESOURCE_SHORTAGE && pageout_retry(tries, 0);
         tries++)
        ;
    return kr;
}

kern_return_t rpc_thread_terminate(thread_t thread)
{
    kern_return_t kr = thread ? thread_kill(thread) : KERN_INVALID_ARGUMENT;
    if (kr == KERN_SUCCESS)
        thread_settle(thread); /* it is gone when this returns, unless something keeps it in the kernel */
    return kr;
}

kern_return_t rpc_thread_suspend(thread_t thread)
{
    kern_return_t kr = thread ? thread_hold(thread) : KERN_INVALID_ARGUMENT;
    if (kr == KERN_SUCCESS && thread_elsewhere(thread))
        thread_settle(thread); /* no user instruction of it after this returns */
    return kr;
}

kern_return_t rpc_thread_resume(thread_t thread)
{
    return thread ? thread_unhold(thread) : KERN_INVALID_ARGUMENT;
}

kern_return_t rpc_thread_abort(thread_t thread)
{
    if (thread == NULL || thread == current_thread())
        return KERN_INVALID_ARGUMENT;
    thread_interrupt(thread);
    if (thread_held(thread))
        thread_settle(thread);
    return KERN_SUCCESS;
}

bool thread_catch(struct thread *thread)
{
    bool held = thread_held(thread);
    if (thread == current_thread() || (!held && !thread_elsewhere(thread)))
        return false;
    if (!held)
        thread_hold(thread);
    thread_settle(thread);
    return !held;
}

void thread_uncatch(struct thread *thread, bool caught)
{
    if (caught)
        thread_unhold(thread);
}

kern_return_t rpc_thread_get_state(thread_t thread, int flavor, thread_state_t state, mach_msg_type_number_t *count)
{
    if (thread == NULL || (thread == current_thread() && flavor != i386_DEBUG_STATE))
        return KERN_INVALID_ARGUMENT;
    if (!thread->active)
        return KERN_FAILURE;
    bool caught = thread_catch(thread);
    kern_return_t kr = thread_state_get(thread, flavor, state, count);
    thread_uncatch(thread, caught);
    return kr;
}

kern_return_t rpc_thread_set_state(thread_t thread, int flavor, const thread_state_t state,
                                   mach_msg_type_number_t count)
{
    /* A thread may change its own segment bases and breakpoints; the rest of it is in use. */
    if (thread == NULL || (thread == current_thread() && flavor != i386_FSGS_BASE_STATE && flavor != i386_DEBUG_STATE))
        return KERN_INVALID_ARGUMENT;
    if (!thread->active)
        return KERN_FAILURE;
    bool caught = thread_catch(thread);
    kern_return_t kr = thread_state_set(thread, flavor, state, count);
    thread_uncatch(thread, caught);
    return kr;
}

static int run_state(const struct thread *thread)
{
    if (thread->state == THREAD_RUNNING)
        return TH_STATE_RUNNING;
    if (thread->state == THREAD_WAITING && !thread_held(thread))
        return thread->interruptible ? TH_STATE_WAITING : TH_STATE_UNINTERRUPTIBLE;
    return TH_STATE_STOPPED;
}

static void basic_info(struct thread *thread, struct thread_basic_info *info)
{
    uint64_t user = thread->user_ticks * (1000000 / HZ), system = thread->system_ticks * (1000000 / HZ);
    uint64_t created = host_boot_micros() + thread->created;
    *info = (struct thread_basic_info){.cpu_usage = (integer_t)(thread->usage * TH_USAGE_SCALE / (2 * HZ)),
                                       .base_priority = thread->priority,
                                       .cur_priority = thread->sched_priority,
                                       .run_state = run_state(thread),
                                       .suspend_count = (integer_t)thread->suspend_count};
    info->user_time = convert_time_value_to_user(time_of_micros(user));
    info->system_time = convert_time_value_to_user(time_of_micros(system));
    info->creation_time = convert_time_value_to_user(time_of_micros(created));
    info->user_time64 = time64_of_micros(user);
    info->system_time64 = time64_of_micros(system);
    info->creation_time64 = time64_of_micros(created);
}

kern_return_t rpc_thread_info(thread_t thread, int flavor, thread_info_t out, mach_msg_type_number_t *count)
{
    if (thread == NULL)
        return KERN_INVALID_ARGUMENT;
    switch (flavor) {
    case THREAD_BASIC_INFO:
        if (*count < THREAD_BASIC_INFO_COUNT - 3 * sizeof(time_value64_t) / sizeof(integer_t)) /* as in task_info */
            return KERN_INVALID_ARGUMENT;
        basic_info(thread, (struct thread_basic_info *)out);
        *count = min(*count, (mach_msg_type_number_t)THREAD_BASIC_INFO_COUNT);
        return KERN_SUCCESS;
    case THREAD_SCHED_INFO:
        if (*count < THREAD_SCHED_INFO_COUNT)
            return KERN_INVALID_ARGUMENT;
        *(struct thread_sched_info *)
            out = (struct thread_sched_info){.policy = thread->fixed ? POLICY_FIXEDPRI : POLICY_TIMESHARE,
                                             .data = thread->fixed ? thread->slice * 1000 / HZ : 0,
                                             .base_priority = thread->depressed ? PRIORITY_IDLE : thread->priority,
                                             .max_priority = thread->max_priority,
                                             .cur_priority = thread->sched_priority,
                                             .depressed = thread->depressed,
                                             .depress_priority = thread->depressed ? thread->priority : -1};
        *count = THREAD_SCHED_INFO_COUNT;
        return KERN_SUCCESS;
    default:
        return KERN_INVALID_ARGUMENT;
    }
}

static struct ipc_port **special_port(struct thread *thread, int which)
{
    switch (which) {
    case THREAD_KERNEL_PORT: return &thread->self_right;
    case THREAD_EXCEPTION_PORT: return &thread->exception;
    default: return NULL;
    }
}

kern_return_t rpc_thread_get_special_port(thread_t thread, int which, ipc_port_t *port)
{
    struct ipc_port **slot = thread ? special_port(thread, which) : NULL;
    if (slot == NULL)
        return KERN_INVALID_ARGUMENT;
    if (!thread->active)
        return KERN_FAILURE;
    *port = port_copy_send(*slot);
    return KERN_SUCCESS;
}

kern_return_t rpc_thread_set_special_port(thread_t thread, int which, ipc_port_t port)
{
    struct ipc_port **slot = thread ? special_port(thread, which) : NULL;
    if (slot == NULL)
        return KERN_INVALID_ARGUMENT;
    if (!thread->active)
        return KERN_FAILURE;
    struct ipc_port *old = *slot;
    *slot = port;
    port_release_send(old);
    return KERN_SUCCESS;
}

kern_return_t rpc_thread_set_name(thread_t thread, const_kernel_debug_name_t name)
{
    if (thread == NULL)
        return KERN_INVALID_ARGUMENT;
    ksnprintf(thread->name, sizeof thread->name, "%.31s", name);
    return KERN_SUCCESS;
}

kern_return_t rpc_thread_get_name(thread_t thread, kernel_debug_name_t name)
{
    if (thread == NULL)
        return KERN_INVALID_ARGUMENT;
    memset(name, 0, sizeof(kernel_debug_name_t));
    ksnprintf(name, sizeof(kernel_debug_name_t), "%s", thread->name);
    return KERN_SUCCESS;
}

kern_return_t rpc_thread_terminate_release(thread_t thread, task_t task, mach_port_name_t thread_name,
                                           mach_port_name_t reply_port, vm_address_t address, vm_size_t size)
{
    if (task == NULL || thread == NULL)
        return KERN_INVALID_ARGUMENT;
    struct ipc_entry *entry = space_lookup(task->space, thread_name);
    if (entry)
        right_dealloc(task->space, entry);
    if (reply_port != MACH_PORT_NAME_NULL && (entry = space_lookup(task->space, reply_port)))
        right_destroy(task->space, entry);
    if (address != 0 || size != 0)
        vm_map_remove(task->map, align_down(address, PAGE_SIZE), align_up(address + size, PAGE_SIZE));
    return thread_kill(thread);
}

/* ---- scheduling -------------------------------------------------------------------------------- */

kern_return_t rpc_thread_priority(thread_t thread, int priority, boolean_t set_max)
{
    if (thread == NULL || priority < 0 || priority >= PRIORITIES)
        return KERN_INVALID_ARGUMENT;
    if (priority < thread->max_priority)
        return KERN_FAILURE;
    thread->priority = priority;
    if (set_max)
        thread->max_priority = priority;
    sched_priority_changed(thread);
    return KERN_SUCCESS;
}

kern_return_t rpc_thread_max_priority(thread_t thread, processor_set_t set, int priority)
{
    if (thread == NULL || set == NULL || priority < 0 || priority >= PRIORITIES)
        return KERN_INVALID_ARGUMENT;
    thread->max_priority = priority;
    if (thread->priority < priority) {
        thread->priority = priority;
        sched_priority_changed(thread);
    }
    return KERN_SUCCESS;
}

kern_return_t rpc_thread_policy(thread_t thread, int policy, int milliseconds)
{
    if (thread == NULL || invalid_policy(policy))
        return KERN_INVALID_ARGUMENT;
    if (!(default_set.policies & policy))
        return KERN_FAILURE;
    sched_policy_set(thread, policy, milliseconds);
    return KERN_SUCCESS;
}

kern_return_t rpc_thread_wire(host_t host, thread_t thread, boolean_t wired)
{
    if (host == NULL || thread == NULL)
        return KERN_INVALID_ARGUMENT;
    thread->vm_privileged = wired; /* kernel stacks are never paged */
    return KERN_SUCCESS;
}

static kern_return_t depress_abort(struct thread *thread)
{
    if (thread->depressed) {
        thread->depressed = false;
        timer_stop(&thread->depress_timer);
        sched_priority_changed(thread);
    }
    return KERN_SUCCESS;
}

kern_return_t rpc_thread_depress_abort(thread_t thread)
{
    return thread ? depress_abort(thread) : KERN_INVALID_ARGUMENT;
}

/* ---- traps --------------------------------------------------------------------------------------- */

static void depress_expired(struct timer *timer)
{
    depress_abort(list_entry(timer, struct thread, depress_timer));
}

static void depress(struct thread *thread, uint32_t milliseconds)
{
    thread->depressed = true;
    sched_priority_changed(thread);
    thread->depress_timer.expire = depress_expired;
    timer_stop(&thread->depress_timer);
    if (milliseconds)
        timer_start(&thread->depress_timer, milliseconds);
}

boolean_t trap_swtch(void)
{
    sched_yield();
    return sched_others();
}

boolean_t trap_swtch_pri(int priority)
{
    (void)priority;
    struct thread *thread = current_thread();
    if (!sched_others())
        return 0;
    depress(thread, QUANTUM_TICKS * 1000 / HZ); /* no longer: others may never rest */
    sched_yield();
    depress_abort(thread);
    return sched_others();
}

kern_return_t trap_thread_switch(mach_port_name_t name, int option, mach_msg_timeout_t milliseconds)
{
    struct thread *thread = current_thread();
    if (option < 0 || option > 2)
        return KERN_INVALID_ARGUMENT;
    struct ipc_entry *entry = space_lookup(current_task()->space, name);
    struct thread *next = entry && (entry->bits & MACH_PORT_TYPE_SEND) ? port_kobject(entry->port, KOBJECT_THREAD)
                                                                       : NULL;
    if (option == 2) { /* SWITCH_OPTION_WAIT */
        static struct wait_queue waiting = {LIST_INIT(waiting.threads)};
        wait_begin(&waiting, true);
        wait_timeout(max(milliseconds, 1u));
        thread_block();
        return KERN_SUCCESS;
    }
    if (option == 1)
        depress(thread, milliseconds);
    if (next && next != thread && next->on_run_queue)
        sched_yield_to(next);
    else
        sched_yield();
    if (option == 1)
        depress_abort(thread);
    return KERN_SUCCESS;
}

kern_return_t trap_thread_depress_abort(mach_port_name_t name)
{
    struct ipc_entry *entry = space_lookup(current_task()->space, name);
    struct thread *thread = entry && (entry->bits & MACH_PORT_TYPE_SEND) ? port_kobject(entry->port, KOBJECT_THREAD)
                                                                         : NULL;
    return thread ? depress_abort(thread) : MACH_SEND_INTERRUPTED;
}
