/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shutdown.c: the way down: everybody who asked is told, what runs is killed, the disk is written out, the machine
   stops. */

#include <mach/mach_host.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>

#include "fsys_U.h"
#include "process_U.h"
#include "startup.h"

/* Should the process PID be left alone? */
static bool is_spared(mach_port_t proc, pid_t pid, mach_port_t task)
{
    mach_port_t other;
    boolean_t important = false;
    if (pid == HURD_PID_STARTUP || pid == HURD_PID_KERNEL || pid == HURD_PID_PROC || task == mach_task_self())
        return true;
    pthread_mutex_lock(&startup_lock);
    bool essential = essential_find(&startup_state.essentials, task) != NULL;
    pthread_mutex_unlock(&startup_lock);
    if (essential)
        return true;
    if (!brief_proc_pid2proc(proc, pid, &other)) {
        brief_proc_is_important(other, &important);
        mach_port_deallocate(mach_task_self(), other);
    }
    return important;
}

static void kill_processes(void)
{
    mach_port_t proc = startup_state.proc, task;
    pid_t some[64], *pids = some;
    mach_msg_type_number_t count = sizeof some / sizeof *some;
    if (proc == MACH_PORT_NULL || brief_proc_getallpids(proc, &pids, &count))
        return;
    for (mach_msg_type_number_t i = 0; i < count; i++) {
        if (brief_proc_pid2task(proc, pids[i], &task) || !MACH_PORT_VALID(task))
            continue;
        if (!is_spared(proc, pids[i], task))
            task_terminate(task);
        mach_port_deallocate(mach_task_self(), task);
    }
    if (pids != some)
        vm_deallocate(mach_task_self(), (vm_address_t)pids, count * sizeof *pids);
}

void shut_down(int howto)
{
    pthread_mutex_lock(&startup_lock);
    bool again = startup_state.going_down;
    startup_state.going_down = true;
    pthread_mutex_unlock(&startup_lock);
    if (again)
        return;
    notify_all();
    kill_processes();
    if (startup_state.running) {
        error_t err = brief_fsys_syncfs(startup_fs_control, 1, 1);
        if (err == MACH_RCV_TIMED_OUT || err == MACH_SEND_TIMED_OUT)
            complain(0, "the root file system has not said that it is written out, in %d s", FSYS_LIMIT_MS / 1000);
        else if (err && err != EROFS)
            complain(err, "cannot write out the root file system");
    }
    say("startup: %s Mach (flags 0x%x)...\n", howto & RB_HALT ? "halting" : "rebooting", howto);
    host_reboot(startup_host_priv, howto);
    complain(0, "host_reboot did not");
}

/* Writes how the process PID ended to TEXT, if proc can still say it; else nothing. */
static void cause_describe(pid_t pid, char *text, size_t size)
{
    int status, sigcode;
    struct rusage usage;
    pid_t ended;
    *text = 0;
    if (pid <= 0 || startup_state.proc == MACH_PORT_NULL ||
        brief_proc_wait(startup_state.proc, pid, 0, &status, &sigcode, &usage, &ended))
        return;
    if (WIFSIGNALED(status))
        snprintf(text, size, " (signal %d, %s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(text, size, " (exit status %d)", WEXITSTATUS(status));
}

void thread_rest(void)
{
    for (;;)
        thread_suspend(mach_thread_self());
}

void crash(const char *name, pid_t pid)
{
    pthread_mutex_lock(&startup_lock);
    bool again = startup_state.going_down;
    startup_state.going_down = true;
    pthread_mutex_unlock(&startup_lock);
    if (!again) {
        char cause[80];
        cause_describe(pid, cause, sizeof cause);
        say("\npanic: startup: %s died%s: the system cannot go on\n", name, cause);
        notify_crash();
        host_reboot(startup_host_priv, RB_HALT);
    }
    thread_rest();
}
