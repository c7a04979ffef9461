/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve_info.c: what ps and debuggers ask: numbers, states, arguments and environments, programs.

   What needs the memory or the answer of another task is asked without the lock, with a reference to the task: a
   process that does not answer holds up only who asked about it. */

#include <mach/vm_statistics.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "msg_U.h"
#include "process_S.h"
#include "server.h"

struct all_pids {
    struct pid_list list;
    error_t err;
};

static void all_pids_add(struct process *p, void *arg)
{
    struct all_pids *all = arg;
    if (!all->err && (p->task || p->adopted))
        all->err = pid_list_add(&all->list, p->pid);
}

static int pid_compare(const void *a, const void *b)
{
    pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;
    return (x > y) - (x < y);
}

kern_return_t S_proc_getallpids(pcall_t call, pidarray_t *pids, mach_msg_type_number_t *count)
{
    struct all_pids all = {0};
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    process_iterate(all_pids_add, &all);
    call_leave(0);
    if (!all.err && all.list.count)
        qsort(all.list.pids, all.list.count, sizeof *all.list.pids, pid_compare);
    return pid_list_answer(&all.list, all.err, pids, count);
}

/* ---- argv and envp ---- */

kern_return_t S_proc_set_arg_locations(pcall_t call, vm_address_t argv, vm_address_t envp)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    p->argv = argv;
    p->envp = envp;
    return call_leave(0);
}

kern_return_t S_proc_get_arg_locations(pcall_t call, vm_address_t *argv, vm_address_t *envp)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    *argv = p->argv;
    *envp = p->envp;
    return call_leave(0);
}

/* Gives the strings at VECTOR in TASK, whose reference is consumed. */
static error_t strings_answer(mach_port_t task, uint64_t vector, data_t *data, mach_msg_type_number_t *count)
{
    char *text = NULL;
    size_t length = 0;
    error_t err = 0;
    if (task != MACH_PORT_NULL) {
        err = inspect_strings(task, vector, &text, &length);
        task_unref(task);
    }
    if (!err)
        err = answer_array((void **)data, count, text, length, 1);
    free(text);
    return err;
}

kern_return_t S_proc_getprocargs(pcall_t call, pid_t which, data_t *args, mach_msg_type_number_t *count)
{
    struct process *p, *other;
    kern_return_t err = call_enter_about(call, which, &p, &other);
    if (err)
        return err;
    uint64_t vector = other->argv;
    mach_port_t task = task_ref(other);
    call_leave(0);
    return strings_answer(task, vector, args, count);
}

kern_return_t S_proc_getprocenv(pcall_t call, pid_t which, data_t *env, mach_msg_type_number_t *count)
{
    struct process *p, *other;
    kern_return_t err = call_enter_about(call, which, &p, &other);
    if (err)
        return err;
    if (!process_owns(p, other))
        return call_leave(EPERM);
    uint64_t vector = other->envp;
    mach_port_t task = task_ref(other);
    call_leave(0);
    return strings_answer(task, vector, env, count);
}

/* ---- where the program lies ---- */

kern_return_t S_proc_set_code(pcall_t call, vm_address_t start, vm_address_t end)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    p->start_code = start;
    p->end_code = end;
    return call_leave(0);
}

kern_return_t S_proc_get_code(pcall_t call, vm_address_t *start, vm_address_t *end)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    *start = p->start_code;
    *end = p->end_code;
    return call_leave(0);
}

kern_return_t S_proc_set_entry(pcall_t call, vm_address_t entry)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    p->entry = entry;
    return call_leave(0);
}

kern_return_t S_proc_get_entry(pcall_t call, vm_address_t *entry)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    *entry = p->entry;
    return call_leave(0);
}

kern_return_t S_proc_set_exe(pcall_t call, const_string_t path)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    /* The same program again, as after fork and in loops, needs no new copy. */
    if (p->exe && !strcmp(p->exe, path))
        return call_leave(0);
    char *copy = strdup(path);
    if (!copy)
        return call_leave(ENOMEM);
    free(p->exe);
    p->exe = copy;
    return call_leave(0);
}

kern_return_t S_proc_get_exe(pcall_t call, pid_t which, string_t path)
{
    struct process *p, *other;
    kern_return_t err = call_enter_about(call, which, &p, &other);
    if (err)
        return err;
    path[0] = 0;
    if (other->exe)
        strncat(path, other->exe, sizeof(string_t) - 1);
    return call_leave(0);
}

/* ---- proc_getprocinfo ---- */

static int procinfo_state(const struct process *p)
{
    return (p->stopped ? PI_STOPPED : 0) | (p->execed ? PI_EXECED : 0) |
           (!list_empty(&p->child_waiters) ? PI_WAITING : 0) | (pgrp_orphaned(p->pgrp) ? PI_ORPHAN : 0) |
           (!p->msgport ? PI_NOMSG : 0) | (p->pgrp->session->sid == p->pid ? PI_SESSLD : 0) |
           (!p->owned ? PI_NOTOWNED : 0) | (!p->adopted ? PI_NOPARENT : 0) | (p->dead ? PI_ZOMBIE : 0) |
           (p->traced ? PI_TRACED : 0) | (!list_empty(&p->msgport_waiters) ? PI_GETMSG : 0) |
           (p->login_leader ? PI_LOGINLD : 0);
}

static void procinfo_fill(struct procinfo *info, const struct process *p)
{
    info->state = procinfo_state(p);
    info->owner = p->owner;
    info->ppid = p->parent ? p->parent->pid : p->pid;
    info->pgrp = p->pgrp->pgid;
    info->session = p->pgrp->session->sid;
    info->logincollection = p->login->id;
    if (p->dead || p->stopped) {
        info->exitstatus = p->status;
        info->sigcode = p->sigcode;
    }
}

/* What a thread waits for, as its process says, in WAITS. */
struct waits {
    char *text;
    size_t length, size;
};

static void waits_add(struct waits *waits, const char *text)
{
    size_t length = strlen(text) + 1;
    if (waits->length + length > waits->size) {
        size_t size = (waits->length + length) * 2;
        char *new = realloc(waits->text, size);
        if (!new)
            return;
        waits->text = new;
        waits->size = size;
    }
    memcpy(waits->text + waits->length, text, length);
    waits->length += length;
}

/* MSGPORT: whom to ask what the thread waits for; null once it has not answered in time. */
static void thread_describe(thread_t thread, mach_port_t *msgport, int flags, struct procinfo *info, unsigned i,
                            struct waits *waits)
{
    mach_msg_type_number_t count = THREAD_BASIC_INFO_COUNT;
    info->threadinfos[i].died = 0;
    if (flags & PI_FETCH_THREAD_BASIC)
        info->threadinfos[i].died = thread_info(thread, THREAD_BASIC_INFO,
                                                (thread_info_t)&info->threadinfos[i].pis_bi, &count) != 0;
    count = THREAD_SCHED_INFO_COUNT;
    if ((flags & PI_FETCH_THREAD_SCHED) && !info->threadinfos[i].died)
        info->threadinfos[i].died = thread_info(thread, THREAD_SCHED_INFO,
                                                (thread_info_t)&info->threadinfos[i].pis_si, &count) != 0;
    if (!(flags & PI_FETCH_THREAD_WAITS))
        return;
    string_t description = "";
    mach_msg_id_t rpc = 0;
    if (*msgport != MACH_PORT_NULL && !info->threadinfos[i].died) {
        error_t err = brief_msg_report_wait(*msgport, thread, description, &rpc);
        if (err == MACH_SEND_TIMED_OUT || err == MACH_RCV_TIMED_OUT)
            *msgport = MACH_PORT_NULL;
    }
    description[sizeof description - 1] = 0;
    info->threadinfos[i].rpc_block = rpc;
    waits_add(waits, description);
}

/* The parts of TASK that FLAGS want, into *INFOP, which grows for the threads; *FLAGS loses what could not be had. */
static error_t procinfo_fetch(mach_port_t task, mach_port_t msgport, int *flags, struct procinfo **infop, size_t *size,
                              struct waits *waits)
{
    thread_t *threads = NULL;
    mach_msg_type_number_t nthreads = 0, count = TASK_BASIC_INFO_COUNT;
    struct procinfo *info = *infop;
    if ((*flags & PI_FETCH_TASKINFO) &&
        (task == MACH_PORT_NULL || task_info(task, TASK_BASIC_INFO, (task_info_t)&info->taskinfo, &count)))
        *flags &= ~PI_FETCH_TASKINFO;
    count = TASK_EVENTS_INFO_COUNT;
    if ((*flags & PI_FETCH_TASKEVENTS) &&
        (task == MACH_PORT_NULL || task_info(task, TASK_EVENTS_INFO, (task_info_t)&info->taskevents, &count)))
        *flags &= ~PI_FETCH_TASKEVENTS;
    if (!(*flags & (PI_FETCH_THREADS | PI_FETCH_THREAD_BASIC | PI_FETCH_THREAD_SCHED | PI_FETCH_THREAD_WAITS)))
        return 0;
    *flags |= PI_FETCH_THREADS;
    if (task == MACH_PORT_NULL || task_threads(task, &threads, &nthreads)) {
        *flags &= ~(PI_FETCH_THREADS | PI_FETCH_THREAD_BASIC | PI_FETCH_THREAD_SCHED | PI_FETCH_THREAD_WAITS);
        return 0;
    }
    error_t err = 0;
    *size = sizeof *info + nthreads * sizeof info->threadinfos[0];
    info = realloc(info, *size);
    if (!info)
        err = ENOMEM;
    else
        *infop = info;
    if (!err) {
        memset(info->threadinfos, 0, nthreads * sizeof info->threadinfos[0]);
        info->nthreads = (int)nthreads;
    }
    for (unsigned i = 0; i < nthreads; i++) {
        if (!err)
            thread_describe(threads[i], &msgport, *flags, info, i, waits);
        mach_port_deallocate(mach_task_self(), threads[i]);
    }
    vm_deallocate(mach_task_self(), (vm_address_t)threads, nthreads * sizeof *threads);
    return err;
}

kern_return_t S_proc_getprocinfo(pcall_t call, pid_t which, int *flags, procinfo_t *procinfo,
                                 mach_msg_type_number_t *procinfo_count, data_t *threadwaits,
                                 mach_msg_type_number_t *threadwaits_count)
{
    size_t size = sizeof(struct procinfo);
    struct waits waits = {0};
    mach_port_t msgport = MACH_PORT_NULL;
    struct procinfo *info = calloc(1, size);
    if (!info)
        return ENOMEM;
    struct process *p = call_enter(call);
    struct process *other = p ? call_find(p, which) : NULL;
    if (!other) {
        free(info);
        return p ? call_leave(ESRCH) : call_refuse(call);
    }
    procinfo_fill(info, other);
    mach_port_t task = task_ref(other);
    if ((*flags & PI_FETCH_THREAD_WAITS) && other->msgport &&
        !mach_port_mod_refs(mach_task_self(), other->msgport, MACH_PORT_RIGHT_SEND, 1))
        msgport = other->msgport;
    call_leave(0);
    error_t err = procinfo_fetch(task, msgport, flags, &info, &size, &waits);
    if (!err)
        err = answer_array((void **)procinfo, procinfo_count, info, size / sizeof(int), sizeof(int));
    if (!err)
        err = answer_array((void **)threadwaits, threadwaits_count, waits.text, waits.length, 1);
    if (msgport)
        mach_port_deallocate(mach_task_self(), msgport);
    task_unref(task);
    free(waits.text);
    free(info);
    return err;
}

kern_return_t S_proc_getnports(pcall_t call, pid_t which, mach_msg_type_number_t *nports)
{
    mach_port_t *names;
    mach_port_type_t *types;
    mach_msg_type_number_t name_count, type_count;
    struct process *p, *other;
    kern_return_t err = call_enter_about(call, which, &p, &other);
    if (err)
        return err;
    mach_port_t task = task_ref(other);
    call_leave(0);
    err = mach_port_names(task, &names, &name_count, &types, &type_count);
    task_unref(task);
    if (err)
        return err;
    *nports = name_count;
    vm_deallocate(mach_task_self(), (vm_address_t)names, name_count * sizeof *names);
    vm_deallocate(mach_task_self(), (vm_address_t)types, type_count * sizeof *types);
    return 0;
}
