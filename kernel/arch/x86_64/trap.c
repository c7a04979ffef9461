/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Traps: page faults to the virtual memory, exceptions of the processor to the thread's exception ports, interrupts to
   the devices, system calls by their number. */

#include "../../device/interrupt.h"
#include "../../ipc/ipc.h"
#include "../../task/host.h"
#include "../../task/task.h"
#include "../../trace/symbols.h"
#include "../../vm/map.h"
#include "../../mig/mig_types.h"
#include "apic.h"
#include "stack.h"
#include "mach_S.h"
#include "mach_port_S.h"
#include "traps.h"

#include <mach/exception.h>
#include <mach/machine/exception.h>
#include <mach/machine/trap.h>

#define DEBUG_TRAP 1
#define DOUBLE_FAULT 8
#define GENERAL_PROTECTION 13
#define PAGE_FAULT 14
#define PF_WRITE 2u

/* An instruction at AT that touches user memory: if that is in vain it goes on at GO_ON.  With FIXUP_WAITS off in GO_ON
   it does so at any fault, without asking the virtual memory. */
struct fixup {
    uint64_t at, go_on;
};
#define FIXUP_WAITS (1ul << 63)
extern const struct fixup fixup_table[], fixup_table_end[];

static const char *const trap_names[] = {"divide error",
                                         "debug",
                                         "non-maskable interrupt",
                                         "breakpoint",
                                         "overflow",
                                         "bounds",
                                         "invalid opcode",
                                         "no coprocessor",
                                         "double fault",
                                         "coprocessor overrun",
                                         "invalid TSS",
                                         "segment not present",
                                         "stack fault",
                                         "general protection",
                                         "page fault",
                                         "reserved",
                                         "floating point",
                                         "alignment",
                                         "machine check",
                                         "vector floating point"};

static vm_prot_t fault_access(uint64_t error)
{
    return VM_PROT_READ | (error & PF_WRITE ? VM_PROT_WRITE : 0);
}

static void page_fault_from_user(struct trap_frame *frame, uint64_t address)
{
    kern_return_t kr = address < MAP_MAX
                           ? vm_fault(current_task()->map, address, fault_access(frame->error), false, true)
                           : KERN_INVALID_ADDRESS;
    if (kr == KERN_SUCCESS || kr == KERN_ABORTED)
        return;
    exception_raise_thread(EXC_BAD_ACCESS, kr, (int64_t)address);
}

/* The status word of the running thread's x87 registers (Intel SDM volume 1, chapter 10.5.1). */
static uint16_t float_status(void)
{
    struct thread *thread = current_thread();
    uint16_t status;
    sched_float_save(thread);
    memcpy(&status, (char *)thread->float_area + 2, sizeof status);
    return status;
}

/* What an exception of the processor is called in Mach (mach/machine/exception.h). */
static void exception_from_user(struct trap_frame *frame)
{
    switch (frame->vector) {
    case 0: exception_raise_thread(EXC_ARITHMETIC, EXC_I386_DIV, 0); break;
    case 1:
        current_thread()->debug.status |= cpu_debug_status_take();
        exception_raise_thread(EXC_BREAKPOINT, EXC_I386_SGL, 0);
        break;
    case 3: exception_raise_thread(EXC_BREAKPOINT, EXC_I386_BPT, 0); break;
    case 4: exception_raise_thread(EXC_ARITHMETIC, EXC_I386_INTO, 0); break;
    case 5: exception_raise_thread(EXC_SOFTWARE, EXC_I386_BOUND, 0); break;
    case 6: exception_raise_thread(EXC_BAD_INSTRUCTION, EXC_I386_INVOP, 0); break;
    case 7: exception_raise_thread(EXC_ARITHMETIC, EXC_I386_NOEXT, 0); break;
    case 9: exception_raise_thread(EXC_ARITHMETIC, EXC_I386_EXTOVR, 0); break;
    case 16:
    case 19: exception_raise_thread(EXC_ARITHMETIC, EXC_I386_EXTERR, float_status()); break;
    default: exception_raise_thread(EXC_BAD_INSTRUCTION, (int)frame->vector, (int64_t)(frame->error & 0xffff)); break;
    }
}

void trap_interrupt(unsigned int vector, bool user)
{
    if (vector >= VECTOR_APIC)
        apic_interrupt(vector, user);
    else
        interrupt_taken(vector, user);
}

void trap_from_user(struct trap_frame *frame)
{
    if (frame->vector == PAGE_FAULT)
        page_fault_from_user(frame, read_cr2());
    else if (frame->vector >= VECTOR_LINES)
        trap_interrupt((unsigned int)frame->vector, true);
    else if (frame->vector == 2 || frame->vector == 8 || frame->vector == 18)
        panic("%s", trap_names[frame->vector]);
    else
        exception_from_user(frame);
}

static uint64_t fixup_find(uint64_t rip)
{
    for (const struct fixup *fixup = fixup_table; fixup < fixup_table_end; fixup++)
        if (fixup->at == rip)
            return fixup->go_on;
    return 0;
}

/* Interrupts come in the kernel only where it lets them in (kernel_wait, kernel_pause). */
static void interrupt_from_kernel(unsigned int vector)
{
    if (vector == VECTOR_TICK && cpu_self()->idling && cpu_self()->unlocked) {
        apic_eoi(); /* nothing to count, and no reason to take the lock */
        return;
    }
    if (kernel_lock_postpones(vector))
        return;
    kernel_lock_interrupted();
    trap_interrupt(vector, false);
}

void trap_from_kernel(struct trap_frame *frame)
{
    if (frame->vector >= VECTOR_LINES) {
        interrupt_from_kernel((unsigned int)frame->vector);
        return;
    }
    if (frame->vector == DEBUG_TRAP && cpu_self()->debug_owner == current_thread()) {
        /* The kernel touched the user's memory that the thread watches. */
        current_thread()->debug.status |= cpu_debug_status_take();
        return;
    }
    uint64_t go_on = fixup_find(frame->rip), address = read_cr2();
    if (frame->vector == GENERAL_PROTECTION && go_on) {
        frame->rip = go_on | FIXUP_WAITS; /* an address that no user can have */
        return;
    }
    if (frame->vector == PAGE_FAULT && go_on && address < MAP_MAX) {
        /* The kernel reads or writes the user's memory: as if the user did. */
        if (!(go_on & FIXUP_WAITS) || current_thread()->no_faults ||
            vm_fault(current_task()->map, address, fault_access(frame->error), false, true) != KERN_SUCCESS)
            frame->rip = go_on | FIXUP_WAITS;
        return;
    }
    kprintf("the calls up to there:\n");
    symbol_print(frame->rip);
    backtrace_print((const uint64_t *)frame->rbp);
    if (frame->vector == DOUBLE_FAULT && stack_guards(address))
        panic("a kernel stack of %u bytes has overflowed: rip %lx rsp %lx", KERNEL_STACK_SIZE, frame->rip, frame->rsp);
    panic("%s in the kernel: rip %lx error %lx address %lx rsp %lx rbp %lx\n  rax %lx rbx %lx rcx %lx rdx %lx rsi %lx "
          "rdi %lx",
          frame->vector < countof(trap_names) ? trap_names[frame->vector] : "trap", frame->rip, frame->error, address,
          frame->rsp, frame->rbp, frame->rax, frame->rbx, frame->rcx, frame->rdx, frame->rsi, frame->rdi);
}

/* ---- system calls ------------------------------------------------------------------------- */

static mach_port_name_t self_name(struct ipc_port *right)
{
    mach_port_name_t name;
    if (!IP_VALID(right) || !right->active)
        return right == IP_DEAD ? MACH_PORT_NAME_DEAD : MACH_PORT_NAME_NULL;
    port_copy_send(right);
    if (right_copyout(current_task()->space, right, MACH_MSG_TYPE_PORT_SEND, &name)) {
        port_release_send(right);
        return MACH_PORT_NAME_NULL;
    }
    return name;
}

static mach_port_name_t trap_task_self(void)
{
    return self_name(current_task()->self_right);
}

static mach_port_name_t trap_thread_self(void)
{
    return self_name(current_thread()->self_right);
}

static mach_port_name_t trap_host_self(void)
{
    struct ipc_port *right = port_make_send(realhost.self);
    mach_port_name_t name = self_name(right);
    port_release_send(right);
    return name;
}

static mach_port_name_t trap_reply_port(void)
{
    mach_port_name_t name;
    return rpc_mach_port_allocate(current_task()->space, MACH_PORT_RIGHT_RECEIVE, &name) ? MACH_PORT_NAME_NULL : name;
}

static kern_return_t trap_print(uint64_t text)
{
    char buffer[200];
    if (!copy_string_from_user(buffer, text, sizeof buffer))
        return KERN_INVALID_ADDRESS;
    kprintf("%s", buffer);
    return KERN_SUCCESS;
}

/* The task that NAME is a send right of, if the caller may use the short way. */
static struct task *task_of_name(mach_port_name_t name)
{
    struct ipc_entry *entry = space_lookup(current_task()->space, name);
    return entry && (entry->bits & MACH_PORT_TYPE_SEND) ? port_kobject(entry->port, KOBJECT_TASK) : NULL;
}

static kern_return_t trap_task_create(mach_port_name_t parent, boolean_t inherit, uint64_t child_pointer)
{
    struct task *task = task_of_name(parent), *child;
    mach_port_name_t name;
    if (task == NULL)
        return MACH_SEND_INTERRUPTED;
    kern_return_t kr = rpc_task_create(task, inherit, &child);
    if (kr)
        return kr;
    struct ipc_port *right = port_make_send(child->self);
    task_deref(child);
    if (right_copyout(current_task()->space, right, MACH_MSG_TYPE_PORT_SEND, &name)) {
        port_release_send(right);
        return KERN_RESOURCE_SHORTAGE;
    }
    return copy_to_user(child_pointer, &name, sizeof name) ? KERN_SUCCESS : KERN_INVALID_ADDRESS;
}

static kern_return_t trap_task_terminate(mach_port_name_t name)
{
    struct task *task = task_of_name(name);
    return task ? task_kill(task) : MACH_SEND_INTERRUPTED;
}

static kern_return_t trap_task_suspend(mach_port_name_t name)
{
    struct task *task = task_of_name(name);
    return task ? rpc_task_suspend(task) : MACH_SEND_INTERRUPTED;
}

static kern_return_t trap_task_set_special_port(mach_port_name_t name, int which, mach_port_name_t port_name)
{
    struct task *task = task_of_name(name);
    struct ipc_port *port = port_name == MACH_PORT_NAME_DEAD ? IP_DEAD : IP_NULL;
    if (task == NULL)
        return MACH_SEND_INTERRUPTED;
    kern_return_t kr = KERN_SUCCESS;
    if (MACH_PORT_NAME_VALID(port_name))
        kr = right_copyin(current_task()->space, port_name, MACH_MSG_TYPE_COPY_SEND, false, &port);
    if (kr == KERN_SUCCESS)
        kr = rpc_task_set_special_port(task, which, port);
    if (kr)
        port_release_send(port);
    return kr;
}

static struct ipc_space *space_of_name(mach_port_name_t name)
{
    struct task *task = task_of_name(name);
    return task && task->active ? task->space : NULL;
}

static kern_return_t trap_port_allocate(mach_port_name_t name, mach_port_right_t right, uint64_t result)
{
    struct ipc_space *space = space_of_name(name);
    mach_port_name_t allocated;
    if (space == NULL)
        return MACH_SEND_INTERRUPTED;
    kern_return_t kr = rpc_mach_port_allocate(space, right, &allocated);
    if (kr)
        return kr;
    return copy_to_user(result, &allocated, sizeof allocated) ? KERN_SUCCESS : KERN_INVALID_ADDRESS;
}

static kern_return_t trap_port_allocate_name(mach_port_name_t name, mach_port_right_t right, mach_port_name_t wanted)
{
    struct ipc_space *space = space_of_name(name);
    return space ? rpc_mach_port_allocate_name(space, right, wanted) : MACH_SEND_INTERRUPTED;
}

static kern_return_t trap_port_deallocate(mach_port_name_t name, mach_port_name_t port)
{
    struct ipc_space *space = space_of_name(name);
    return space ? rpc_mach_port_deallocate(space, port) : MACH_SEND_INTERRUPTED;
}

static kern_return_t trap_port_insert_right(mach_port_name_t name, mach_port_name_t new, mach_port_name_t right_name,
                                            mach_msg_type_name_t type)
{
    struct ipc_space *space = space_of_name(name);
    struct ipc_port *right;
    if (space == NULL)
        return MACH_SEND_INTERRUPTED;
    if (!MACH_MSG_TYPE_PORT_ANY(type))
        return KERN_INVALID_VALUE;
    kern_return_t kr = KERN_SUCCESS;
    if (MACH_PORT_NAME_VALID(right_name))
        kr = right_copyin(current_task()->space, right_name, type, true, &right);
    else
        right = right_name == MACH_PORT_NAME_NULL ? IP_NULL : IP_DEAD;
    if (kr)
        return kr;
    kr = rpc_mach_port_insert_right(space, new, right, port_type_of(type));
    if (kr)
        right_release(right, port_type_of(type));
    return kr;
}

#define TRAP(number, function) [-(number)] = (void (*)(void))(function)

/* By the negative of their numbers in mach/syscall_sw.h. */
void (*const trap_table[TRAP_COUNT])(void) = {
    TRAP(-25, trap_mach_msg), TRAP(-26, trap_reply_port), TRAP(-27, trap_thread_self), TRAP(-28, trap_task_self),
    TRAP(-29, trap_host_self), TRAP(-30, trap_print), TRAP(-59, trap_swtch_pri), TRAP(-60, trap_swtch),
    TRAP(-61, trap_thread_switch), TRAP(-64, trap_vm_map), TRAP(-65, trap_vm_allocate), TRAP(-66, trap_vm_deallocate),
    TRAP(-68, trap_task_create), TRAP(-69, trap_task_terminate), TRAP(-70, trap_task_suspend),
    TRAP(-71, trap_task_set_special_port), TRAP(-72, trap_port_allocate), TRAP(-73, trap_port_deallocate),
    TRAP(-74, trap_port_insert_right), TRAP(-75, trap_port_allocate_name), TRAP(-76, trap_thread_depress_abort),
    TRAP(-77, trap_thread_set_self_state),
};

/* A number that no system call has: as GNU Mach, the thread gets an exception. */
kern_return_t trap_unknown(struct trap_frame *frame)
{
    (void)frame;
    exception_raise_thread(EXC_BAD_INSTRUCTION, EXC_I386_INVOP, 0);
    return KERN_INVALID_ARGUMENT;
}
