/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tasks, threads and exceptions for the cases about them (objects.h).  */

#include "objects.h"

enum { RAISE_REPLY_ID = 2500, PATIENCE_MS = 100000 };

STUB(stub_count, "1: incq (%rdi)\n jmp 1b");

int trap_call(int number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result), "+r"(r10), "+r"(r8), "+r"(r9), "+D"(a), "+S"(b), "+d"(c)
                     : "0"((long)number)
                     : "rcx", "r11", "memory");
    return (int)result;
}

int64_t time_microseconds(time_value64_t time)
{
    return time.seconds * 1000000 + time.nanoseconds / 1000;
}

bool time_is_between(time_value64_t when, time_value64_t before, time_value64_t after)
{
    enum { SLACK_US = 5000000 };
    int64_t us = time_microseconds(when);
    return us >= time_microseconds(before) - SLACK_US && us <= time_microseconds(after) + SLACK_US;
}

/* ---- tasks ------------------------------------------------------------------------------- */

mach_port_t task_empty(void)
{
    mach_port_t task = MACH_PORT_NULL;
    CHECK(task_create(mach_task_self(), FALSE, &task) == KERN_SUCCESS);
    return task;
}

mach_port_t task_dead(void)
{
    mach_port_t task = task_empty();
    CHECK(task_terminate(task) == KERN_SUCCESS);
    return task;
}

void task_end(mach_port_t task)
{
    task_terminate(task);
    mach_port_deallocate(mach_task_self(), task);
}

struct task_basic_info task_basic(mach_port_t task)
{
    struct task_basic_info info = {0};
    mach_msg_type_number_t count = TASK_BASIC_INFO_COUNT;
    CHECK(task_info(task, TASK_BASIC_INFO, (task_info_t)&info, &count) == KERN_SUCCESS);
    return info;
}

/* ---- threads ----------------------------------------------------------------------------- */

struct i386_thread_state registers_get(mach_port_t thread)
{
    struct i386_thread_state state = {0};
    mach_msg_type_number_t count = i386_THREAD_STATE_COUNT;
    CHECK(thread_get_state(thread, i386_THREAD_STATE, (thread_state_t)&state, &count) == KERN_SUCCESS);
    return state;
}

kern_return_t registers_set(mach_port_t thread, const struct i386_thread_state *state)
{
    return thread_set_state(thread, i386_THREAD_STATE, (thread_state_t)state, i386_THREAD_STATE_COUNT);
}

mach_port_t thread_empty(void)
{
    mach_port_t thread = MACH_PORT_NULL;
    CHECK(thread_create(mach_task_self(), &thread) == KERN_SUCCESS);
    return thread;
}

void thread_end(mach_port_t thread)
{
    thread_terminate(thread);
    mach_port_deallocate(mach_task_self(), thread);
}

void bare_create(struct bare *bare, mach_port_t task, const void *code, long argument)
{
    *bare = (struct bare){.task = task};
    CHECK(vm_allocate(task, &bare->stack, BARE_STACK, TRUE) == KERN_SUCCESS);
    CHECK(thread_create(task, &bare->thread) == KERN_SUCCESS);
    struct i386_thread_state state = registers_get(bare->thread);
    state.rip = (uint64_t)code;
    state.rdi = (uint64_t)argument;
    bare->top = bare->stack + BARE_STACK - 128;
    state.ursp = bare->top;
    CHECK(registers_set(bare->thread, &state) == KERN_SUCCESS);
}

mach_port_t bare_create_heard(struct bare *bare, mach_port_t task, const void *code, long argument)
{
    mach_port_t port = port_create_with_send();
    bare_create(bare, task, code, argument);
    CHECK(thread_set_special_port(bare->thread, THREAD_EXCEPTION_PORT, port) == KERN_SUCCESS);
    return port;
}

void bare_end(struct bare *bare)
{
    thread_end(bare->thread);
    vm_deallocate(bare->task, bare->stack, BARE_STACK);
}

struct thread_basic_info thread_basic(mach_port_t thread)
{
    struct thread_basic_info info = {0};
    mach_msg_type_number_t count = THREAD_BASIC_INFO_COUNT;
    CHECK(thread_info(thread, THREAD_BASIC_INFO, (thread_info_t)&info, &count) == KERN_SUCCESS);
    return info;
}

struct thread_sched_info thread_sched(mach_port_t thread)
{
    struct thread_sched_info info = {0};
    mach_msg_type_number_t count = THREAD_SCHED_INFO_COUNT;
    CHECK(thread_info(thread, THREAD_SCHED_INFO, (thread_info_t)&info, &count) == KERN_SUCCESS);
    return info;
}

bool thread_waits(mach_port_t thread)
{
    for (int tries = 0; tries < PATIENCE_MS / 10; tries++) {
        if (thread_basic(thread).run_state == TH_STATE_WAITING)
            return true;
        pause_ms(10);
    }
    return false;
}

/* ---- exceptions -------------------------------------------------------------------------- */

struct raise_request {
    mach_msg_header_t header;
    mach_msg_type_t thread_type;
    uint64_t thread;
    mach_msg_type_t task_type;
    uint64_t task;
    mach_msg_type_t exception_type;
    int64_t exception;
    mach_msg_type_t code_type;
    int64_t code;
    mach_msg_type_t subcode_type;
    int64_t subcode;
};

struct raised raised_receive(mach_port_t port)
{
    struct raised raised = {0};
    if (!CHECK(receive_within(port, PATIENCE_MS) == MACH_MSG_SUCCESS))
        return raised;
    struct raise_request request;
    memcpy(&request, received(), sizeof request);
    raised = (struct raised){.came = true,
                             .header = request.header,
                             .exception = (int)request.exception,
                             .code = (int)request.code,
                             .subcode = request.subcode,
                             .thread = (mach_port_t)request.thread,
                             .task = (mach_port_t)request.task,
                             .reply = request.header.msgh_remote_port};
    return raised;
}

void raised_drop(struct raised *raised)
{
    if (raised->thread)
        mach_port_deallocate(mach_task_self(), raised->thread);
    if (raised->task)
        mach_port_deallocate(mach_task_self(), raised->task);
    if (raised->reply)
        mach_port_deallocate(mach_task_self(), raised->reply);
    *raised = (struct raised){0};
}

void raised_answer_as(struct raised *raised, mach_msg_id_t id, mach_msg_size_t size, kern_return_t result)
{
    struct {
        mach_msg_header_t header;
        mach_msg_type_t type;
        int64_t result;
        char more[256];
    } reply = {.header = {.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0),
                          .msgh_size = size,
                          .msgh_remote_port = raised->reply,
                          .msgh_id = id},
               .type = {.msgt_name = MACH_MSG_TYPE_INTEGER_32, .msgt_size = 32, .msgt_number = 1, .msgt_inline = TRUE},
               .result = result};
    if (mach_msg(&reply.header, MACH_SEND_MSG, size, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL) == MACH_MSG_SUCCESS)
        raised->reply = MACH_PORT_NULL;
    raised_drop(raised);
}

void raised_answer(struct raised *raised, kern_return_t result)
{
    raised_answer_as(raised, RAISE_REPLY_ID, sizeof(mach_msg_header_t) + 16, result);
}

struct raised fault_of_thread(struct bare *bare)
{
    mach_port_t port = port_create_with_send();
    CHECK(thread_set_special_port(bare->thread, THREAD_EXCEPTION_PORT, port) == KERN_SUCCESS);
    CHECK(thread_resume(bare->thread) == KERN_SUCCESS);
    struct raised raised = raised_receive(port);
    CHECK(raised.thread == bare->thread);
    port_destroy(port);
    return raised;
}

struct raised fault_of(const void *code, long argument)
{
    struct bare bare;
    bare_create(&bare, mach_task_self(), code, argument);
    struct raised raised = fault_of_thread(&bare), result = raised;
    bare_end(&bare);
    raised_drop(&raised);
    result.thread = result.task = result.reply = MACH_PORT_NULL;
    return result;
}

struct i386_thread_state detour_through_count(mach_port_t thread)
{
    static volatile long counter;
    counter = 0;
    EXPECT(thread_suspend(thread), KERN_SUCCESS);
    EXPECT(thread_abort(thread), KERN_SUCCESS);
    struct i386_thread_state before = registers_get(thread), away = before;
    away.rip = (uint64_t)stub_count;
    away.rdi = (uint64_t)&counter;
    EXPECT(registers_set(thread, &away), KERN_SUCCESS);
    EXPECT(thread_resume(thread), KERN_SUCCESS);
    WAIT_FOR(counter > 0);
    EXPECT(thread_suspend(thread), KERN_SUCCESS);
    return before;
}
