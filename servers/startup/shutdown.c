/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shutdown.c: the way down: everybody who asked is told, what runs is killed, the disk is written out, the machine stops. */

#include <hurd.h>
#include <hurd/fsys.h>
#include <hurd/process.h>
#include <mach/mach_host.h>
#include <stdlib.h>
#include <sys/reboot.h>

#include "startup.h"
#include "startup_notify_U.h"

enum { NOTIFY_MS = 60000 };

static void notify_all(void)
{
    for (;;) {
        pthread_mutex_lock(&startup_lock);
        const struct essential *fs = essential_find(&startup_state.essentials, startup_fs_task);
        struct notify *n = notify_next(&startup_state.notifies, &startup_state.essentials, fs ? fs->name : "");
        pthread_mutex_unlock(&startup_lock);
        if (!n)
            return;
        say("startup: notifying %s of shutdown...", n->name);
        error_t err = brief_startup_dosync(n->port, NOTIFY_MS);
        if (err == MACH_RCV_TIMED_OUT || err == MACH_SEND_TIMED_OUT)
            say("(no reply)\n");
        else if (err)
            say("%s\n", strerror(err));
        else
            say("done\n");
        mach_port_deallocate(mach_task_self(), n->port);
        notify_free(n);
    }
}

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
    if (!proc_pid2proc(proc, pid, &other)) {
        proc_is_important(other, &important);
        mach_port_deallocate(mach_task_self(), other);
    }
    return important;
}

static void kill_processes(void)
{
    mach_port_t proc = startup_state.proc, task;
    pid_t some[64], *pids = some;
    mach_msg_type_number_t count = sizeof some / sizeof *some;
    if (proc == MACH_PORT_NULL || proc_getallpids(proc, &pids, &count))
        return;
    for (mach_msg_type_number_t i = 0; i < count; i++) {
        if (proc_pid2task(proc, pids[i], &task) || !MACH_PORT_VALID(task))
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
        error_t err = fsys_syncfs(startup_fs_control, 1, 1);
        if (err && err != EROFS)
            complain(err, "cannot write out the root file system");
    }
    say("startup: %s Mach (flags 0x%x)...\n", howto & RB_HALT ? "halting" : "rebooting", howto);
    host_reboot(startup_host_priv, howto);
    complain(0, "host_reboot did not");
}

void crash(const char *name)
{
    pthread_mutex_lock(&startup_lock);
    bool again = startup_state.going_down;
    startup_state.going_down = true;
    pthread_mutex_unlock(&startup_lock);
    if (!again) {
        say("\npanic: startup: %s died: the system cannot go on\n", name);
        host_reboot(startup_host_priv, RB_HALT);
    }
    for (;;)
        task_suspend(mach_task_self());
}
