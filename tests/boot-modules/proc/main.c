/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Boot module: the proc server alone on a running Mach.  This program plays startup (and exec) for /hurd/proc, a second
   module whose task it resumes with itself as bootstrap port; then it makes tasks and asks proc about them.  Prints a
   line a failed check, instruction counts, and `N passed, N failed`.  */

#include <device/device.h>
#include <errno.h>
#include <hurd/process.h>
#include <hurd/interrupt.h>
#include <mach.h>
#include <mach/gnumach.h>
#include <mach/mig_errors.h>
#include <ports/ports.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "../module.h"
#include "fake.h"
#include "exec_startup_S.h"
#include "startup_S.h"

static mach_port_t proc_task;
static mach_port_t startup_proc;
static volatile int essential;

#define CHECK_EQ(GOT, WANTED)                                                                            \
    do {                                                                                                 \
        long got_ = (GOT), wanted_ = (WANTED);                                                           \
        if (got_ == wanted_)                                                                             \
            passed++;                                                                                    \
        else {                                                                                           \
            failed++;                                                                                    \
            say("%d: %s is %ld (%lx), wanted %ld\n", __LINE__, #GOT, got_, got_, wanted_);              \
        }                                                                                                \
    } while (0)

/* ---- what startup and exec do ---- */

static const ports_interface_t interfaces[] = {exec_startup_server_routine, startup_server_routine, NULL};
static const struct ports_class_ops fake_ops = {.name = "fake", .size = sizeof(struct fake), .interfaces = interfaces};
struct ports_class fake_class = PORTS_CLASS(fake_ops);
static struct fake *fake;
static struct ports_bucket *bucket;

kern_return_t S_exec_startup_get_info(fake_t call, vm_address_t *user_entry, vm_address_t *phdr, vm_size_t *phdr_size,
                                      vm_address_t *stack_base, vm_size_t *stack_size, int *flags, data_t *argv,
                                      mach_msg_type_number_t *argv_count, data_t *envp,
                                      mach_msg_type_number_t *envp_count, portarray_t *dtable,
                                      mach_msg_type_name_t *dtable_type, mach_msg_type_number_t *dtable_count,
                                      portarray_t *ports, mach_msg_type_name_t *ports_type,
                                      mach_msg_type_number_t *port_count, intarray_t *ints,
                                      mach_msg_type_number_t *int_count)
{
    if (!call)
        return EOPNOTSUPP;
    (void)argv, (void)envp, (void)dtable;
    *user_entry = *phdr = *phdr_size = *stack_base = *stack_size = 0;
    *flags = EXEC_STACK_ARGS;
    *argv_count = *envp_count = *dtable_count = 0;
    *dtable_type = *ports_type = MACH_MSG_TYPE_COPY_SEND;
    memset(*ports, 0, INIT_PORT_MAX * sizeof **ports);
    (*ports)[INIT_PORT_BOOTSTRAP] = ports_object_send_right(fake);
    *port_count = INIT_PORT_MAX;
    memset(*ints, 0, INIT_INT_MAX * sizeof **ints);
    *int_count = INIT_INT_MAX;
    return 0;
}

kern_return_t S_startup_procinit(fake_t call, mach_port_t reply, mach_msg_type_name_t reply_type, process_t proc,
                                 mach_port_t *task, auth_t *auth, mach_port_t *hp, mach_msg_type_name_t *hp_type,
                                 mach_port_t *dm, mach_msg_type_name_t *dm_type)
{
    (void)call, (void)reply, (void)reply_type;
    startup_proc = proc;
    *task = mach_task_self();
    *auth = MACH_PORT_NULL;
    *hp = host_priv;
    *dm = device_master;
    *hp_type = *dm_type = MACH_MSG_TYPE_COPY_SEND;
    return 0;
}

kern_return_t S_startup_essential_task(fake_t call, mach_port_t reply, mach_msg_type_name_t reply_type,
                                       mach_port_t task, mach_port_t excpt, const_string_t name, mach_port_t credential)
{
    (void)call, (void)reply, (void)reply_type, (void)task, (void)excpt;
    CHECK_EQ(strcmp(name, "proc"), 0);
    CHECK_EQ(credential, host_priv);
    essential = 1;
    return 0;
}

/* What proc does not ask of startup. */

kern_return_t S_startup_authinit(fake_t call, mach_port_t reply, mach_msg_type_name_t reply_type, mach_port_t auth,
                                 mach_port_t *proc, mach_msg_type_name_t *proc_type)
{
    (void)call, (void)reply, (void)reply_type, (void)auth, (void)proc, (void)proc_type;
    return EOPNOTSUPP;
}

kern_return_t S_startup_reboot(fake_t call, mach_port_t credential, int flags)
{
    (void)call, (void)credential, (void)flags;
    return EOPNOTSUPP;
}

kern_return_t S_startup_request_notification(fake_t call, mach_port_t port, const_string_t name)
{
    (void)call, (void)port, (void)name;
    return EOPNOTSUPP;
}

/* ---- the tests ---- */

static mach_port_t child_make(pid_t *pid, mach_port_t *proc)
{
    mach_port_t task = MACH_PORT_NULL;
    CHECK_EQ(task_create(mach_task_self(), 0, &task), 0);
    CHECK_EQ(proc_task2proc(startup_proc, task, proc), 0);
    CHECK_EQ(proc_task2pid(startup_proc, task, pid), 0);
    CHECK_EQ(proc_child(startup_proc, task), 0);
    return task;
}

static void test_identity(void)
{
    pid_t pid, ppid, pgrp;
    int orphaned;
    struct utsname name;
    CHECK_EQ(proc_getpids(startup_proc, &pid, &ppid, &orphaned), 0);
    CHECK_EQ(pid, HURD_PID_STARTUP);
    CHECK_EQ(proc_getpgrp(startup_proc, pid, &pgrp), 0);
    CHECK_EQ(pgrp, 1);
    CHECK_EQ(proc_getpgrp(startup_proc, 4711, &pgrp), ESRCH);
    CHECK_EQ(proc_uname(startup_proc, &name), 0);
    say("uname: %s %s %s %s\n", name.sysname, name.release, name.version, name.machine);
    mach_port_t task;
    CHECK_EQ(proc_pid2task(startup_proc, HURD_PID_PROC, &task), 0);
    CHECK_EQ(task, proc_task);
    CHECK_EQ(proc_pid2task(startup_proc, HURD_PID_KERNEL, &task), 0);
}

static void test_list(void)
{
    pid_t some[64], *pids = some;
    mach_msg_type_number_t count = 64;
    CHECK_EQ(proc_getallpids(startup_proc, &pids, &count), 0);
    for (unsigned i = 0; i < count; i++) {
        int info_buffer[1024], *info = info_buffer,
                               flags = PI_FETCH_TASKINFO | PI_FETCH_THREADS | PI_FETCH_THREAD_BASIC;
        char waits_buffer[64], *waits = waits_buffer;
        mach_msg_type_number_t info_count = 1024, wait_count = 64, arg_count = 256;
        char arg_buffer[256], *args = arg_buffer;
        CHECK_EQ(proc_getprocinfo(startup_proc, pids[i], &flags, &info, &info_count, &waits, &wait_count), 0);
        struct procinfo *pi = (struct procinfo *)info;
        CHECK_EQ(proc_getprocargs(startup_proc, pids[i], &args, &arg_count), 0);
        say("pid %d ppid %d pgrp %d state %x threads %d resident %lu args %.*s\n", pids[i], pi->ppid, pi->pgrp,
            pi->state, pi->nthreads, (unsigned long)pi->taskinfo.resident_size, (int)arg_count, args);
    }
}

static void test_wait(void)
{
    pid_t pid, dead;
    mach_port_t proc, task = child_make(&pid, &proc);
    int status, sigcode;
    struct rusage usage;
    CHECK_EQ(proc_wait(startup_proc, -1, WNOHANG, &status, &sigcode, &usage, &dead), EAGAIN);
    CHECK_EQ(proc_mark_exit(proc, W_EXITCODE(3, 0), 0), 0);
    task_terminate(task);
    CHECK_EQ(proc_wait(startup_proc, pid, 0, &status, &sigcode, &usage, &dead), 0);
    CHECK_EQ(dead, pid);
    CHECK_EQ(status, W_EXITCODE(3, 0));
    CHECK_EQ(proc_wait(startup_proc, pid, 0, &status, &sigcode, &usage, &dead), ECHILD);
    pid_t gone;
    CHECK_EQ(proc_getsid(startup_proc, pid, &gone), ESRCH);
    mach_port_deallocate(mach_task_self(), task);
    mach_port_deallocate(mach_task_self(), proc);

    task = child_make(&pid, &proc);
    task_terminate(task);
    CHECK_EQ(proc_waitid(startup_proc, -1, WEXITED, &status, &sigcode, &usage, &dead), 0);
    CHECK_EQ(status, W_EXITCODE(0, 9));
    mach_port_deallocate(mach_task_self(), task);
    mach_port_deallocate(mach_task_self(), proc);
}

static void test_groups(void)
{
    pid_t pid, pgrp, sid;
    mach_port_t proc, task = child_make(&pid, &proc), port;
    CHECK_EQ(proc_setpgrp(startup_proc, pid, 0), 0);
    CHECK_EQ(proc_getpgrp(proc, 0, &pgrp), 0);
    CHECK_EQ(pgrp, pid);
    CHECK_EQ(proc_setsid(proc), EPERM);
    CHECK_EQ(proc_setpgrp(startup_proc, pid, 1), 0);
    CHECK_EQ(proc_setsid(proc), 0);
    CHECK_EQ(proc_getsid(startup_proc, pid, &sid), 0);
    CHECK_EQ(sid, pid);
    CHECK_EQ(proc_getsidport(proc, &port), 0);
    mach_port_deallocate(mach_task_self(), port);
    mach_port_t msgport = mach_reply_port(), old, got;
    mach_port_insert_right(mach_task_self(), msgport, msgport, MACH_MSG_TYPE_MAKE_SEND);
    CHECK_EQ(proc_setmsgport(proc, msgport, &old), 0);
    CHECK_EQ(old, MACH_PORT_NULL);
    CHECK_EQ(proc_getmsgport(startup_proc, pid, &got), 0);
    CHECK_EQ(got, msgport);
    task_terminate(task);
    int status, sigcode;
    struct rusage usage;
    CHECK_EQ(proc_wait(startup_proc, pid, 0, &status, &sigcode, &usage, &sid), 0);
}

static void test_reassign(void)
{
    pid_t pid, same;
    mach_port_t proc, task = child_make(&pid, &proc), next, next_proc;
    CHECK_EQ(task_create(mach_task_self(), 0, &next), 0);
    CHECK_EQ(proc_task2proc(startup_proc, next, &next_proc), 0);
    CHECK_EQ(proc_reassign(proc, next), 0);
    CHECK_EQ(proc_task2pid(startup_proc, next, &same), 0);
    CHECK_EQ(same, pid);
    int orphaned;
    pid_t ppid;
    CHECK_EQ(proc_getpids(next_proc, &same, &ppid, &orphaned), 0);
    CHECK_EQ(same, pid);
    CHECK_EQ(proc_getpids(proc, &same, &ppid, &orphaned), ESRCH);
    mach_port_type_t type;
    CHECK_EQ(mach_port_type(mach_task_self(), task, &type), 0);
    CHECK_EQ(type & MACH_PORT_TYPE_DEAD_NAME, MACH_PORT_TYPE_DEAD_NAME);
    task_terminate(next);
    int status, sigcode;
    struct rusage usage;
    CHECK_EQ(proc_wait(startup_proc, pid, 0, &status, &sigcode, &usage, &same), 0);
}

/* A port that nobody serves, shown as a task: proc must not wait for it. */
static void test_impostor(void)
{
    mach_port_t port = mach_reply_port(), proc;
    pid_t pid;
    mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND);
    CHECK_EQ(proc_task2pid(startup_proc, port, &pid), ESRCH);
    CHECK_EQ(proc_task2proc(startup_proc, port, &proc), ESRCH);
    CHECK_EQ(proc_child(startup_proc, port), ESRCH);
    CHECK_EQ(proc_task2pid(startup_proc, MACH_PORT_NULL, &pid), ESRCH);
    CHECK_EQ(proc_reassign(startup_proc, port), ESRCH);
    mach_port_destroy(mach_task_self(), port);
}

static void *interrupter(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++)
        swtch_pri(0);
    interrupt_operation(startup_proc, 1000);
    return NULL;
}

static void test_interrupt(void)
{
    pid_t pid, dead;
    mach_port_t proc, task = child_make(&pid, &proc);
    int status, sigcode;
    struct rusage usage;
    pthread_t thread;
    pthread_create(&thread, NULL, interrupter, NULL);
    CHECK_EQ(proc_wait(startup_proc, pid, 0, &status, &sigcode, &usage, &dead), EINTR);
    pthread_join(thread, NULL);
    task_terminate(task);
    CHECK_EQ(proc_wait(startup_proc, pid, 0, &status, &sigcode, &usage, &dead), 0);
}

static void measure(void)
{
    enum { N = 2000 };
    pid_t pid, pgrp, dead;
    int status, sigcode;
    struct rusage usage;
    unsigned long start = stamp(), costs[9] = {0};
    for (int i = 0; i < N; i++)
        proc_getpgrp(startup_proc, 1, &pgrp);
    say("getpgrp: %lu\n", (stamp() - start) / N);
    start = stamp();
    for (int i = 0; i < N; i++) {
        mach_port_t task;
        task_create(mach_task_self(), 0, &task);
        task_terminate(task);
        mach_port_deallocate(mach_task_self(), task);
    }
    say("task_create + task_terminate, with notices: %lu\n", (stamp() - start) / N);
    start = stamp();
    for (int i = 0; i < N; i++) {
        mach_port_t task, proc;
        unsigned step = 0;
        unsigned long last = stamp();
#define STEP(CALL) (CALL, costs[step++] += stamp() - last, last = stamp())
        STEP(task_create(mach_task_self(), 0, &task));
        STEP(proc_task2proc(startup_proc, task, &proc));
        STEP(proc_task2pid(startup_proc, task, &pid));
        STEP(proc_child(startup_proc, task));
        STEP(proc_mark_exit(proc, 0, 0));
        STEP(task_terminate(task));
        STEP(proc_wait(startup_proc, pid, 0, &status, &sigcode, &usage, &dead));
        STEP(mach_port_deallocate(mach_task_self(), proc));
        STEP(mach_port_deallocate(mach_task_self(), task));
    }
    say("the same, and task2proc task2pid child mark_exit wait: %lu\n", (stamp() - start) / N);
    for (unsigned i = 0; i < 9; i++)
        say("%s%lu%s", i ? " " : "  in steps: ", costs[i] / N, i == 8 ? "\n" : "");
}

/* What fork and exec ask besides. */
static void measure_more(void)
{
    enum { N = 500 };
    pid_t pid, dead;
    int status, sigcode;
    struct rusage usage;
    unsigned long exceptions = 0, stop = 0, msgport = 0, locations = 0;
    mach_port_t proc, task = child_make(&pid, &proc), thread, other, old;
    CHECK_EQ(thread_create(task, &thread), 0);
    CHECK_EQ(thread_create(task, &other), 0);
    for (int i = 0; i < N; i++) {
        mach_port_t receive = MACH_PORT_NULL, forward = mach_reply_port();
        natural_t state[64] = {0};
        mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &receive);
        unsigned long start = stamp();
        proc_handle_exceptions(proc, receive, forward, MACH_MSG_TYPE_MAKE_SEND, 1, state, 43);
        exceptions += stamp() - start;
        start = stamp();
        proc_dostop(proc, thread);
        stop += stamp() - start;
        thread_resume(other);
        start = stamp();
        proc_setmsgport(proc, forward, &old);
        msgport += stamp() - start;
        start = stamp();
        proc_set_arg_locations(proc, 1, 2);
        locations += stamp() - start;
        mach_port_mod_refs(mach_task_self(), forward, MACH_PORT_RIGHT_RECEIVE, -1);
    }
    say("handle_exceptions %lu dostop %lu setmsgport %lu set_arg_locations %lu\n", exceptions / N, stop / N,
        msgport / N, locations / N);
    task_terminate(task);
    proc_wait(startup_proc, pid, 0, &status, &sigcode, &usage, &dead);
}

int main(int argc, char **argv)
{
    module_begin(argc, argv);
    for (int i = 1; i < argc; i++)
        sscanf(argv[i], "--proc-task=%u", &proc_task);
    CHECK_EQ(ports_bucket_create(&bucket), 0);
    CHECK_EQ(ports_object_create(&fake_class, bucket, &fake), 0);
    ports_bucket_serve_detached(bucket, NULL);
    CHECK_EQ(task_set_special_port(proc_task, TASK_BOOTSTRAP_PORT, ports_object_send_right(fake)), 0);
    CHECK_EQ(task_resume(proc_task), 0);
    while (!essential)
        swtch_pri(0);
    say("proc is there\n");
    test_identity();
    test_list();
    test_wait();
    test_groups();
    test_reassign();
    test_interrupt();
    test_impostor();
    measure();
    measure_more();
    module_end();
}
