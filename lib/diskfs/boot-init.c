/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bootstrap file system's part of the dance, from startup's fsys_init on: seed, "startup getting back control",
   "libdiskfs taking back control" and "back to libdiskfs initialization"; and the end, when startup says that the
   system goes down.

   init_lock is a leaf.  */

#include "diskfs-internal.h"
#include "mig-hooks.h"
#include "fsys_S.h"
#include "fsys_reply_U.h"
#include "startup_notify_S.h"

#include <dance/dance.h>
#include <hurd.h>
#include <hurd/auth.h>
#include <hurd/exec.h>
#include <hurd/fsys.h>
#include <hurd/paths.h>
#include <hurd/process.h>
#include <hurd/startup.h>
#include <stdio.h>
#include <time.h>

static pthread_mutex_t init_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t init_wakeup = PTHREAD_COND_INITIALIZER;
static bool init_done;                  /* fsys_init was called; init_lock */
static mach_port_t boot_auth;           /* send right, as soon as fsys_init has come; init_lock */
static bool process_done;               /* the C library has all that a process has; init_lock */
static bool parent_told;                /* diskfs_boot_parent_told was called; init_lock */

/* ---- who is who, before the C library knows the auth server ------------------------------------ */

error_t diskfs_auth_await(mach_port_t *auth)
{
    error_t err = 0;
    *auth = MACH_PORT_NULL;
    if (!diskfs_is_boot())
        return 0;
    pthread_mutex_lock(&init_lock);
    while (!err && boot_auth == MACH_PORT_NULL)
        err = ports_cond_wait(&init_wakeup, &init_lock);
    *auth = boot_auth;
    pthread_mutex_unlock(&init_lock);
    return err;
}

/* Those who take part in the boot must not be kept waiting for each other for ever. */
enum { STARTS_PATIENCE = 60 /* seconds */ };

error_t diskfs_starts_await(void)
{
    struct timespec until;
    error_t err = 0;
    if (!diskfs_is_boot())
        return 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STARTS_PATIENCE;
    pthread_mutex_lock(&init_lock);
    while (!err && init_done && !process_done)
        err = ports_cond_timedwait(&init_wakeup, &init_lock, &until);
    pthread_mutex_unlock(&init_lock);
    return err;
}

/* ---- the system goes down ----------------------------------------------------------------------- */

static mig_routine_t shutdown_server_routine(const mach_msg_header_t *header)
{
    return startup_notify_server_routine(header);
}

static const ports_interface_t shutdown_interfaces[] = { shutdown_server_routine, NULL };
static const struct ports_class_ops shutdown_class_ops = {
    .name = "shutdown notification", .size = sizeof(struct ports_object), .interfaces = shutdown_interfaces,
};
static struct ports_class shutdown_class = PORTS_CLASS(shutdown_class_ops);

/* Everything to the disk, and nothing more after that: the file system is clean and read-only from here on. */
kern_return_t diskfs_S_startup_dosync(mach_port_t notify)
{
    (void) notify;      /* only ports of shutdown_class have this interface */
    error_t err = diskfs_last_sync();
    if (err) {
        diskfs_warn("shutdown: %s; syncing only", strerror(err));
        diskfs_sync_all(true, false);
    }
    return err;
}

/* Seed: "Eventually, it calls _diskfs_init_completed to finish its initialization, and notably call
   startup_request_notification to get notified by startup when the system is shutting down." */
static void _diskfs_init_completed(mach_port_t startup)
{
    struct ports_object *object;
    error_t err = ports_object_create(&shutdown_class, diskfs_bucket, &object);
    if (!err) {
        dance_step(20, "startup_request_notification");
        err = startup_request_notification(startup, ports_object_make_send_name(object), MACH_MSG_TYPE_MAKE_SEND,
                                           diskfs_ops->name);
        ports_object_deref(object);
    }
    if (err)
        diskfs_warn("startup_request_notification: %s: shutdown will not sync by itself", strerror(err));
}

/* An ordinary translator of a running system: startup is found in the file system, and told only by who may. */
void diskfs_request_shutdown_notice(void)
{
    mach_port_t startup = file_name_lookup(_SERVERS_STARTUP, 0, 0);
    if (startup == MACH_PORT_NULL)
        return;
    _diskfs_init_completed(startup);
    mach_port_deallocate(mach_task_self(), startup);
}

/* ---- diskfs_S_fsys_init ------------------------------------------------------------------------------ */

/* "diskfs now knows that proc and auth are ready, and can call exec_init on the exec port." */
static void init_exec(mach_port_t proc, mach_port_t auth)
{
    mach_port_t exec_proc = MACH_PORT_NULL;
    error_t err = proc_task2proc(proc, diskfs_arguments.exec_server_task, &exec_proc);
    dance_step(16, "exec_init");
    if (!err)
        err = exec_init(diskfs_exec_control, auth, exec_proc, MACH_MSG_TYPE_MOVE_SEND);
    if (err)
        diskfs_warn("exec_init: %s", strerror(err));
}

void diskfs_boot_parent_told(void)
{
    pthread_mutex_lock(&init_lock);
    parent_told = true;
    pthread_cond_broadcast(&init_wakeup);
    pthread_mutex_unlock(&init_lock);
}

/* startup, running already, may be faster than our main thread; but rumpdisk's part begins with the control port from
   fsys_startup. */
static void await_parent_told(void)
{
    pthread_mutex_lock(&init_lock);
    while (!parent_told)
        pthread_cond_wait(&init_wakeup, &init_lock);
    pthread_mutex_unlock(&init_lock);
}

/* "It also calls fsys_init on its bootstrap port, i.e. rumpdisk." With rumpdisk's own process port. */
static void init_bootstrap_parent(mach_port_t proc, mach_port_t auth)
{
    mach_port_t host_priv, device_master, task, parent_proc = MACH_PORT_NULL;
    if (diskfs_bootstrap == MACH_PORT_NULL)
        return;
    await_parent_told();
    error_t err = fsys_getpriv(diskfs_bootstrap, &host_priv, &device_master, &task);
    if (!err) {
        err = proc_task2proc(proc, task, &parent_proc);
        mach_port_t ports[] = { host_priv, device_master, task };
        for (int i = 0; i < 3; i++)
            if (MACH_PORT_VALID(ports[i]))
                mach_port_deallocate(mach_task_self(), ports[i]);
    }
    dance_step(17, "fsys_init on the bootstrap port");
    if (!err) {
        err = fsys_init(diskfs_bootstrap, parent_proc, MACH_MSG_TYPE_COPY_SEND, auth);
        mach_port_deallocate(mach_task_self(), parent_proc);
    }
    if (err)
        diskfs_warn("fsys_init on the bootstrap port: %s", strerror(err));
}

static void start_c_library(void *ports)
{
    _hurd_init(0, diskfs_argv, ports, INIT_PORT_MAX, NULL, 0);
    _hurd_libc_proc_init(diskfs_argv);
}

static void process_is_done(void)
{
    pthread_mutex_lock(&init_lock);
    process_done = true;
    pthread_cond_broadcast(&init_wakeup);
    pthread_mutex_unlock(&init_lock);
}

/* Our pid, by which programs tell our files from those of other servers (st_dev). */
static void take_fsid(mach_port_t proc)
{
    mach_port_t own;
    pid_t pid, ppid;
    int orphaned;
    if (proc_task2proc(proc, mach_task_self(), &own))
        return;
    if (proc_getpids(own, &pid, &ppid, &orphaned) == 0)
        diskfs_fsid = (fsid_t) pid;
    mach_port_deallocate(mach_task_self(), own);
}

/* "It initializes the default proc and auth ports to be given to processes." The C library, which had nothing when we
   were started by the kernel, begins to work: signals, descriptors, names. It frees the array. */
static void init_default_ports(mach_port_t proc, mach_port_t auth)
{
    vm_address_t memory = 0;
    if (vm_allocate(mach_task_self(), &memory, INIT_PORT_MAX * sizeof(mach_port_t), TRUE)) {
        diskfs_warn("setting proc and auth: %s", strerror(ENOMEM));
        return;
    }
    dance_step(18, "default proc and auth ports set");
    mach_port_t *ports = (mach_port_t *) memory, root = diskfs_boot_root();
    mach_port_mod_refs(mach_task_self(), root, MACH_PORT_RIGHT_SEND, +2);
    mach_port_mod_refs(mach_task_self(), auth, MACH_PORT_RIGHT_SEND, +1);
    ports[INIT_PORT_PROC] = proc;
    ports[INIT_PORT_AUTH] = auth;
    ports[INIT_PORT_CRDIR] = root;
    ports[INIT_PORT_CWDIR] = root;
    if (_hurd_ports == NULL) {
        ports_signals_start(start_c_library, ports);
        ports_fault_is_death();
        return;
    }
    /* Not setauth(): that would reauthenticate ports of our own. */
    _hurd_port_set(&_hurd_ports[INIT_PORT_AUTH], auth);
    _hurd_port_set(&_hurd_ports[INIT_PORT_CRDIR], root);
    _hurd_port_set(&_hurd_ports[INIT_PORT_CWDIR], root);
    _hurd_port_set(&_hurd_ports[INIT_PORT_PROC], proc);
    ports_proc_init(diskfs_argv);
    ports_fault_is_death();
    vm_deallocate(mach_task_self(), memory, INIT_PORT_MAX * sizeof(mach_port_t));
}

/* "It calls startup_essential_task on the startup port to tell startup that it is ready." That is the node which
   startup has attached, for there it knows us as root, and whom root asks for it tells last and gives time; or else, if
   there is none, the message port of its process. */
static void tell_startup(mach_port_t proc)
{
    mach_port_t startup = file_name_lookup(_SERVERS_STARTUP, 0, 0);
    error_t err = startup == MACH_PORT_NULL ? proc_getmsgport(proc, HURD_PID_STARTUP, &startup) : 0;
    if (err) {
        diskfs_warn("finding startup: %s", strerror(err));
        return;
    }
    dance_step(19, "startup_essential_task");
    err = startup_essential_task(startup, mach_task_self(), MACH_PORT_NULL, diskfs_ops->name,
                                 diskfs_arguments.host_priv);
    if (err)
        diskfs_warn("startup_essential_task: %s", strerror(err));
    _diskfs_init_completed(startup);
    mach_port_deallocate(mach_task_self(), startup);
}

kern_return_t diskfs_S_fsys_init(diskfs_control_t control, mach_port_t reply, mach_msg_type_name_t reply_type,
                                 mach_port_t proc, mach_port_t auth)
{
    if (control == NULL || !diskfs_is_boot() || !MACH_PORT_VALID(auth) || !MACH_PORT_VALID(proc))
        return EOPNOTSUPP;
    pthread_mutex_lock(&init_lock);
    bool again = init_done;
    init_done = true;
    if (!again)
        boot_auth = auth;
    pthread_cond_broadcast(&init_wakeup);
    pthread_mutex_unlock(&init_lock);
    if (again)
        return EBUSY;
    /* Ours for ever: the request's right to proc goes to the C library, that to auth stays in boot_auth. */

    /* "It first replies to startup, so startup is not stuck in its fsys_init call and not able to reply to RPCs." */
    dance_step(15, "fsys_init came with proc and auth; answered");
    fsys_init_reply(reply, reply_type, 0);
    init_exec(proc, auth);
    init_bootstrap_parent(proc, auth);
    init_default_ports(proc, auth);
    process_is_done();
    take_fsid(proc);
    tell_startup(proc);
    return MIG_NO_REPLY;
}
