/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run: one exec from beginning to end.  Until the old task is cleared everything can still be taken back; after that
   the only way out of an error is the end of the task. */

#include "exec.h"

#include <fshelp/fshelp.h>
#include <hurd.h>
#include <hurd/auth.h>
#include <hurd/fs.h>
#include <hurd/io.h>
#include <hurd/process.h>
#include <mach/gnumach.h>
#include <mach/thread_switch.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tell_U.h"

/* Execs that wait at the same time for another file system to do them: a script whose interpreter only its file system
   can run. Such a chain has no end of its own when the interpreter is such a script again. */
#define DELEGATED_MAX 16
static atomic_int delegated;

/* kernel_debug_name_t of gnumach.defs. */
#define TASK_NAME_SIZE 64

/* How often, a millisecond apart, proc is asked whether a process has gone over to its new task. */
#define REASSIGN_LOOKS_MAX 2000

/* An exec under way. */
struct run {
    const struct exec_request *request;
    struct exec_program program;
    struct exec_boot *boot;
    bool new_task;             /* `task` was made by us */
    task_t task;               /* where the program will run; owned if new_task */
    thread_t thread;           /* its first thread, suspended */
    mach_port_t proc;          /* a right that proc gave for the new task, in the boot object; MACH_PORT_NULL: the
                                  request's stays */
};

static unsigned int max_count(unsigned int a, unsigned int b)
{
    return a > b ? a : b;
}

/* Puts the right PORT, which is ours, into the new program's ports. What was there before is still the request's. */
static void run_set_port(struct run *run, unsigned int index, mach_port_t port)
{
    if (port == MACH_PORT_NULL)
        return;
    if (index < run->request->portarray_count && run->request->portarray[index] == port)
        mach_port_deallocate(mach_task_self(), port);
    else
        run->boot->portarray[index] = port;
}

/* Gives the program the standard directory INDEX, which is nobody's, with the rights of its own auth port; should the
   file system or auth refuse, nobody's it stays. */
static void run_set_directory(struct run *run, unsigned int index)
{
    mach_port_t directory = exec_defaults_port(index), auth = run->boot->portarray[INIT_PORT_AUTH];

    if (directory == MACH_PORT_NULL)
        return;
    if (MACH_PORT_VALID(auth))
        fshelp_port_renew(&directory, auth, io_reauthenticate);
    run_set_port(run, index, directory);
}

/* Standard ports and integers for what the request lacks (EXEC_DEFAULTS), or must not choose itself (EXEC_SECURE). */
static void run_set_defaults(struct run *run)
{
    int flags = run->request->flags;
    struct exec_boot *boot = run->boot;

    if (!(flags & (EXEC_DEFAULTS | EXEC_SECURE)))
        return;
    if (boot->portarray[INIT_PORT_AUTH] == MACH_PORT_NULL)
        run_set_port(run, INIT_PORT_AUTH, exec_defaults_port(INIT_PORT_AUTH));
    if (boot->portarray[INIT_PORT_CRDIR] == MACH_PORT_NULL || (flags & EXEC_SECURE))
        run_set_directory(run, INIT_PORT_CRDIR);
    if (boot->portarray[INIT_PORT_CWDIR] == MACH_PORT_NULL)
        run_set_directory(run, INIT_PORT_CWDIR);
    if (run->request->intarray_count <= INIT_UMASK || (flags & EXEC_SECURE))
        boot->intarray[INIT_UMASK] = exec_defaults_int(INIT_UMASK, 022);
    if (flags & EXEC_SECURE)
        boot->intarray[INIT_TRACEMASK] = 0;
}

/* Whether a process goes on in the program: one whose task and process port were given. */
static bool run_has_process(const struct exec_request *request)
{
    return request->portarray_count > INIT_PORT_PROC && MACH_PORT_VALID(request->portarray[INIT_PORT_PROC]) &&
           MACH_PORT_VALID(request->oldtask);
}

/* What the program is told, and we do.  A traced program is stopped by its own C library, which has a message port by
   then, unless only the flag asks for it.  One with more rights than its caller does not stop before it begins to
   please him, nor does one in a task that is nobody's: it would wait for ever, with all that it was given. */
static int run_boot_flags(const struct run *run)
{
    int flags = run->request->flags & ~EXEC_STACK_ARGS;
    bool stops_itself = run->boot->intarray_count > INIT_TRACEMASK && run->boot->intarray[INIT_TRACEMASK] != 0;
    bool is_nobodys = run->new_task && !run_has_process(run->request);

    return stops_itself || is_nobodys || (flags & EXEC_SECURE) ? flags & ~EXEC_SIGTRAP : flags;
}

static error_t run_prepare_boot(struct run *run, int argv_kind, int envp_kind)
{
    const struct exec_request *request = run->request;
    struct exec_program *program = &run->program;
    bool complete = (request->flags & (EXEC_DEFAULTS | EXEC_SECURE)) != 0;
    unsigned int descriptors = max_count(request->dtable_count, program->script ? program->script_fd + 1 : 0);
    error_t err = exec_boot_create(request, descriptors,
                                   max_count(request->portarray_count, complete ? INIT_PORT_MAX : 0),
                                   max_count(request->intarray_count, complete ? INIT_INT_MAX : 0), &run->boot);

    if (err)
        return err;
    if (program->script != MACH_PORT_NULL) {
        err = mach_port_mod_refs(mach_task_self(), program->script, MACH_PORT_RIGHT_SEND, 1);
        if (err)
            return EBADF;
        run->boot->dtable[program->script_fd] = program->script;
    }
    run_set_defaults(run);
    if (program->argv != NULL)
        err = exec_data_settle(&run->boot->argv, program->argv, program->argv_length, EXEC_DATA_MALLOC);
    else
        err = exec_data_settle(&run->boot->argv, request->argv, request->argv_length, argv_kind);
    if (err)
        return err;
    program->argv = NULL;
    return exec_data_settle(&run->boot->envp, request->envp, request->envp_length, envp_kind);
}

/* Undoes run_prepare_boot: gives back what is ours, leaves what is the message's. */
static void run_drop_boot(struct run *run, int argv_kind, int envp_kind)
{
    struct exec_boot *boot = run->boot;

    if (boot == NULL)
        return;
    for (unsigned int i = 0; i < boot->portarray_count; i++)
        if (boot->portarray[i] != MACH_PORT_NULL
            && (i >= run->request->portarray_count || run->request->portarray[i] != boot->portarray[i]))
            mach_port_deallocate(mach_task_self(), boot->portarray[i]);
    if (run->program.script != MACH_PORT_NULL && run->program.script_fd < boot->dtable_count
        && boot->dtable[run->program.script_fd] == run->program.script)
        mach_port_deallocate(mach_task_self(), run->program.script);
    if (boot->argv.kind == EXEC_DATA_MALLOC || argv_kind != EXEC_DATA_VM || boot->argv.bytes != run->request->argv)
        exec_data_free(&boot->argv);
    if (boot->envp.kind == EXEC_DATA_MALLOC || envp_kind != EXEC_DATA_VM || boot->envp.bytes != run->request->envp)
        exec_data_free(&boot->envp);
    ports_object_deref(boot);
}

/* After success: of the request's rights those are left over that were replaced. */
static void run_drop_replaced(struct run *run)
{
    for (unsigned int i = 0; i < run->request->portarray_count; i++)
        if (run->boot->portarray[i] != run->request->portarray[i] && MACH_PORT_VALID(run->request->portarray[i]))
            mach_port_deallocate(mach_task_self(), run->request->portarray[i]);
}

/* Everything that goes into the task: memory, stack, bootstrap port, first thread. */
static error_t run_fill_task(struct run *run)
{
    struct exec_boot *boot = run->boot;
    const struct exec_image *main = &run->program.main, *interpreter = &run->program.interpreter;
    const struct exec_image *first = interpreter->plan ? interpreter : main;
    error_t err = exec_target_map(run->task, main);

    if (!err && interpreter->plan != NULL)
        err = exec_target_map(run->task, interpreter);
    if (!err)
        err = exec_target_stack(run->task, main->plan->stack_size, main->plan->executable_stack, &boot->stack_base,
                                &boot->stack_size);
    if (err)
        return err;
    boot->inline_max = interpreter->plan ? SIZE_MAX : EXEC_STATIC_INLINE_MAX;
    boot->user_entry = main->plan->entry + main->base;
    boot->phdr_address = main->plan->headers_address ? main->plan->headers_address + main->base : 0;
    boot->phdr_size = main->plan->headers_address ? main->plan->headers_size : 0;
    boot->flags = run_boot_flags(run);

    mach_port_t right = ports_object_send_right(boot);
    if (right == MACH_PORT_NULL)
        return ENOMEM;
    err = exec_kernel_error(task_set_special_port(run->task, TASK_BOOTSTRAP_PORT, right));
    mach_port_deallocate(mach_task_self(), right);
    return err ? err
               : exec_target_thread(run->task, first->plan->entry + first->base, boot->stack_base + boot->stack_size,
                                    &run->thread);
}

/* proc_reauthenticate_complete has no answer, and only when proc has acted on it may the old task end, else the process
   ends with it.  Nearly always the first look finds it done. */
static error_t run_await_reassigned(mach_port_t proc, task_t task)
{
    for (int look = 0; look < REASSIGN_LOOKS_MAX; look++) {
        task_t current;
        error_t err = proc_proc2task(proc, &current);
        if (err)
            return err;
        if (MACH_PORT_VALID(current))
            mach_port_deallocate(mach_task_self(), current);
        if (current == task)
            return 0;
        thread_switch(MACH_PORT_NULL, SWITCH_OPTION_WAIT, 1);
    }
    return ETIMEDOUT;
}

/* The process port of the request may have been anybody's who plays proc.  A program with more rights than its caller
   gets what our own proc says is its task's port, which for honest ones is the same. */
static error_t run_verify_proc(struct run *run)
{
    const struct exec_request *request = run->request;
    mach_port_t *place = &run->boot->portarray[INIT_PORT_PROC], server = getproc(), real = MACH_PORT_NULL;
    mach_port_t requested = request->portarray_count > INIT_PORT_PROC ? request->portarray[INIT_PORT_PROC]
                                                                      : MACH_PORT_NULL;
    error_t err = server == MACH_PORT_NULL ? EPERM : proc_task2proc(server, run->task, &real);

    if (server != MACH_PORT_NULL)
        mach_port_deallocate(mach_task_self(), server);
    if (err)
        return err;
    if (*place != requested && MACH_PORT_VALID(*place))
        mach_port_deallocate(mach_task_self(), *place);
    *place = requested;
    run_set_port(run, INIT_PORT_PROC, real);
    return 0;
}

/* Whether PROC is what our own proc says is the process port of TASK.  Nobody answers proc_reauthenticate_reassign, so
   what is somebody else's port would not say that it does not know it, and the wait at auth for its half would never
   end. */
static error_t run_check_process(mach_port_t proc, task_t task)
{
    mach_port_t server = getproc(), real = MACH_PORT_NULL;
    error_t err = server == MACH_PORT_NULL ? EPERM : proc_task2proc(server, task, &real);

    if (server != MACH_PORT_NULL)
        mach_port_deallocate(mach_task_self(), server);
    if (err)
        return err;
    if (MACH_PORT_VALID(real))
        mach_port_deallocate(mach_task_self(), real);
    return real == proc ? 0 : EINVAL;
}

/* The process goes on in the new task, and from then on has that task's process port: those who hold the old one have
   lost it.  One with more rights than before gets a port that goes with its new ids; the C library does the same dance
   after a setuid. */
static error_t run_reassign(struct run *run)
{
    const struct exec_request *request = run->request;
    mach_port_t proc, rendezvous, newproc;
    error_t err;

    if (!run_has_process(request))
        return 0;
    proc = request->portarray[INIT_PORT_PROC];
    if (!(request->flags & EXEC_SECURE) || !MACH_PORT_VALID(run->boot->portarray[INIT_PORT_AUTH])) {
        err = proc_task2proc(proc, run->task, &newproc);
        if (!err)
            run_set_port(run, INIT_PORT_PROC, newproc);
        return err ? err : proc_reassign(proc, run->task);
    }
    err = run_check_process(proc, request->oldtask);
    if (err)
        return err;
    rendezvous = mach_reply_port();
    err = proc_reauthenticate_reassign(proc, rendezvous, MACH_MSG_TYPE_MAKE_SEND, run->task);
    if (!err)
        err = auth_user_authenticate(run->boot->portarray[INIT_PORT_AUTH], rendezvous, MACH_MSG_TYPE_MAKE_SEND,
                                     &newproc);
    mach_port_mod_refs(mach_task_self(), rendezvous, MACH_PORT_RIGHT_RECEIVE, -1);
    if (!err && MACH_PORT_VALID(newproc)) {
        run_set_port(run, INIT_PORT_PROC, newproc);
        err = proc_reauthenticate_complete(newproc);
        if (!err)
            err = run_await_reassigned(newproc, run->task);
    }
    return err;
}

/* Tells proc. What it answers would not change anything, so nobody waits for it; messages to one port keep their
   order. */
static void run_tell_proc(struct run *run)
{
    struct exec_boot *boot = run->boot;
    const char *path = run->request->abspath;

    if (boot->portarray_count <= INIT_PORT_PROC || !MACH_PORT_VALID(boot->portarray[INIT_PORT_PROC]))
        return;
    mach_port_t proc = boot->portarray[INIT_PORT_PROC];
    if (path[0] == '/')
        tell_set_exe(proc, path);
    tell_set_entry(proc, boot->user_entry);
    tell_mark_exec(proc);
}

/* What the kernel calls the task when it complains: the program's name without its folder. */
static void run_name_task(const struct run *run)
{
    const struct exec_request *request = run->request;
    const char *path = request->abspath[0] ? request->abspath : request->path;
    char name[TASK_NAME_SIZE] = "";

    if (path[0] == '\0')
        return;
    const char *slash = strrchr(path, '/');
    strncpy(name, slash ? slash + 1 : path, sizeof name - 1);
    task_set_name(run->task, name);
}

/* Lets the program run. The one that only its flag makes stop stays suspended, and its parent is told. */
static error_t run_start(struct run *run)
{
    bool stop = (run->boot->flags & EXEC_SIGTRAP) != 0;
    error_t err;

    exec_boot_commit(run->boot);
    if (stop)
        task_suspend(run->task);
    err = exec_kernel_error(thread_resume(run->thread));
    if (err)
        exec_boot_revoke(run->boot);
    else if (stop && run->boot->portarray_count > INIT_PORT_PROC)
        proc_mark_stop(run->boot->portarray[INIT_PORT_PROC], SIGTRAP, 0);
    return err;
}

/* The task: a fresh one, from which nobody else has inherited anything, or the old one, emptied. */
static error_t run_make_task(struct run *run)
{
    error_t err;

    if (!run->new_task) {
        run->task = run->request->oldtask;
        return exec_target_clear(run->task, run->request);
    }
    err = exec_kernel_error(task_create(mach_task_self(), FALSE, &run->task));
    if (!err)
        err = exec_kernel_error(task_set_special_port(run->task, TASK_EXCEPTION_PORT, MACH_PORT_NULL));
    return err;
}

/* A program that asked for standard ports and has no process port gets that of its task. */
static error_t run_find_proc(struct run *run)
{
    mach_port_t server, proc = MACH_PORT_NULL;
    error_t err = 0;

    if (!(run->request->flags & (EXEC_DEFAULTS | EXEC_SECURE)) ||
        run->boot->portarray[INIT_PORT_PROC] != MACH_PORT_NULL)
        return 0;
    server = getproc();
    if (server == MACH_PORT_NULL)
        return 0;
    err = proc_task2proc(server, run->task, &proc);
    mach_port_deallocate(mach_task_self(), server);
    if (!err)
        run_set_port(run, INIT_PORT_PROC, proc);
    return err;
}

static error_t run_in_task(struct run *run)
{
    error_t err = run_make_task(run);

    if (!err)
        err = run_fill_task(run);
    if (!err && run->new_task)
        err = run_reassign(run);
    if (!err && (run->request->flags & EXEC_SECURE))
        err = run_verify_proc(run);
    if (!err)
        err = run_find_proc(run);
    if (!err) {
        run_name_task(run);
        run_tell_proc(run);
        err = run_start(run);
    }
    if (run->thread != MACH_PORT_NULL)
        mach_port_deallocate(mach_task_self(), run->thread);
    if (run->new_task && run->task != MACH_PORT_NULL) {
        task_t loser = err ? run->task : run->request->oldtask;
        if (MACH_PORT_VALID(loser))
            task_terminate(loser);
        mach_port_deallocate(mach_task_self(), run->task);
    } else if (err && run->task != MACH_PORT_NULL)
        task_terminate(run->task);
    return err;
}

/* Lets the file's own server do it: it knows what we may not see. */
static error_t run_delegate(struct run *run)
{
    const struct exec_request *request = run->request;
    const struct exec_program *program = &run->program;
    unsigned int count = max_count(request->dtable_count, program->script ? program->script_fd + 1 : 0);
    mach_port_t *dtable = calloc(count + 1, sizeof *dtable);
    error_t err;

    if (dtable == NULL)
        return ENOMEM;
    memcpy(dtable, request->dtable, request->dtable_count * sizeof *dtable);
    if (program->script != MACH_PORT_NULL)
        dtable[program->script_fd] = program->script;
    if (atomic_fetch_add(&delegated, 1) >= DELEGATED_MAX)
        err = ELOOP;
    else
        err = file_exec_paths(program->delegate, request->oldtask, request->flags, program->delegate_name,
                              program->delegate_name, program->argv, (mach_msg_type_number_t)program->argv_length,
                              request->envp, (mach_msg_type_number_t)request->envp_length, dtable,
                              MACH_MSG_TYPE_COPY_SEND, count, request->portarray, MACH_MSG_TYPE_COPY_SEND,
                              request->portarray_count, request->intarray, request->intarray_count,
                              request->deallocnames, request->deallocnames_count, request->destroynames,
                              request->destroynames_count);
    atomic_fetch_sub(&delegated, 1);
    free(dtable);
    if (err)
        return err;
    for (unsigned int i = 0; i < request->dtable_count; i++)
        if (MACH_PORT_VALID(request->dtable[i]))
            mach_port_deallocate(mach_task_self(), request->dtable[i]);
    for (unsigned int i = 0; i < request->portarray_count; i++)
        if (MACH_PORT_VALID(request->portarray[i]))
            mach_port_deallocate(mach_task_self(), request->portarray[i]);
    return 0;
}

error_t exec_run(const struct exec_request *request, int argv_kind, int envp_kind)
{
    struct run run = { .request = request };
    error_t err = exec_arguments_check(request);

    if (!err)
        err = exec_program_load(request, &run.program);
    if (err)
        return err;
    run.new_task = (request->flags & (EXEC_NEWTASK | EXEC_SECURE)) || !MACH_PORT_VALID(request->oldtask);
    if (run.program.delegate != MACH_PORT_NULL) {
        err = run_delegate(&run);
        if (!err) {
            exec_data_free(&(struct exec_data) { (char *) request->argv, request->argv_length, argv_kind });
            exec_data_free(&(struct exec_data) { (char *) request->envp, request->envp_length, envp_kind });
        }
    } else {
        bool script = run.program.argv != NULL;
        err = run_prepare_boot(&run, argv_kind, envp_kind);
        if (!err)
            err = run_in_task(&run);
        if (err)
            run_drop_boot(&run, argv_kind, envp_kind);
        else {
            run_drop_replaced(&run);
            if (script)
                exec_data_free(&(struct exec_data) { (char *) request->argv, request->argv_length, argv_kind });
            ports_object_deref(run.boot);
        }
    }
    exec_program_release(&run.program);
    return err;
}
