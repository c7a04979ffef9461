/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting the program of a translator: see fshelp_translator_start in fshelp.h.

   seeds/bootstrap.txt: "the parent translator starts the child and sets its bootstrap port. The parent then waits for
   the child to call fsys_startup on the bootstrap port, for the child to provide its control port, and for the parent
   to provide the FS node that the child is translator for."

   Locks: start_lock (the state of every start), nothing below it. */

#include <fshelp/fshelp.h>

#include "bootstrap_S.h"
#include "start.h"

#include <argz.h>
#include <fcntl.h>
#include <hurd.h>
#include <hurd/auth.h>
#include <hurd/fs.h>
#include <hurd/io.h>
#include <hurd/process.h>
#include <mach/mig_errors.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { FSYS_STARTUP_REPLY = 22100 }; /* fsys.defs: the id of fsys_startup's answer */

static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t start_done = PTHREAD_COND_INITIALIZER;

static void start_finish(struct fshelp_start *start, error_t result)
{
    pthread_mutex_lock(&start_lock);
    if (!start->done) {
        start->done = true;
        start->result = result;
        pthread_cond_broadcast(&start_done);
    }
    pthread_mutex_unlock(&start_lock);
}

/* The child has died, or has ended before it called. */
static void start_no_senders(struct ports_object *object)
{
    start_finish((struct fshelp_start *) object, EDIED);
}

static void start_destroy(struct ports_object *object)
{
    struct fshelp_start *start = (struct fshelp_start *) object;

    if (start->control != MACH_PORT_NULL)
        mach_port_deallocate(mach_task_self(), start->control);
}

static const ports_interface_t start_interfaces[] = { fshelp_bootstrap_server_routine, NULL };
static const struct ports_class_ops start_ops = {
    .name = "translator being started", .size = sizeof(struct fshelp_start), .interfaces = start_interfaces,
    .destroy = start_destroy, .no_senders = start_no_senders,
};
struct ports_class fshelp_start_class = PORTS_CLASS(start_ops);

/* Answers the child's fsys_startup on REPLY (a right of REPLY_TYPE, consumed): ERR, or NODE (send right, consumed
   then).  By hand, because whoever waits for the start may end the program as soon as he hears of it, and the answer
   must be out before. */
static error_t start_answer(mach_port_t reply, mach_msg_type_name_t reply_type, error_t err, mach_port_t node)
{
    struct {
        mach_msg_header_t head;
        mach_msg_type_t code_type;
        kern_return_t code;
        int code_pad;
        mach_msg_type_t node_type;
        mach_port_name_inlined_t node;
    } message = {
        .head = {.msgh_bits = MACH_MSGH_BITS(reply_type, 0),
                 .msgh_size = sizeof(mig_reply_header_t),
                 .msgh_id = FSYS_STARTUP_REPLY},
        .code_type = {.msgt_name = MACH_MSG_TYPE_INTEGER_32, .msgt_size = 32, .msgt_number = 1, .msgt_inline = TRUE},
        .code = err,
    };

    message.head.msgh_remote_port = reply;
    if (!err) {
        message.head.msgh_bits |= MACH_MSGH_BITS_COMPLEX;
        message.head.msgh_size = sizeof message;
        message.node_type = (mach_msg_type_t){.msgt_name = MACH_MSG_TYPE_MOVE_SEND,
                                              .msgt_size = sizeof message.node * 8,
                                              .msgt_number = 1,
                                              .msgt_inline = TRUE};
        message.node.name = node;
    }
    return ports_message_send_now(&message.head);
}

kern_return_t S_fshelp_startup(struct fshelp_start *start, mach_port_t reply, mach_msg_type_name_t reply_type,
                               int flags, mach_port_t control, mach_port_t *realnode,
                               mach_msg_type_name_t *realnode_kind)
{
    mach_port_t node = MACH_PORT_NULL;
    error_t err = 0;

    (void) realnode, (void) realnode_kind; /* start_answer gives it */
    if (!start)
        return EOPNOTSUPP;
    pthread_mutex_lock(&start_lock);
    if (start->done || start->abandoned || start->control != MACH_PORT_NULL)
        err = EBUSY;
    else
        start->control = control;
    pthread_mutex_unlock(&start_lock);
    if (err)
        return err; /* the loop answers */

    err = start->underlying(start->cookie, flags, &node);
    error_t lost = start_answer(reply, reply_type, err, node);
    /* From here on CONTROL is the start's: who waits takes it, or it goes with the start. */
    start_finish(start, err ? err : lost ? EDIED : 0);
    return MIG_NO_REPLY;
}

/* The bucket of all starts of this program, served by threads of its own from the first start on. */
static error_t start_bucket(struct ports_bucket **result)
{
    static struct ports_bucket *bucket;
    static bool served;
    error_t err = 0;

    pthread_mutex_lock(&start_lock);
    if (!bucket)
        err = ports_bucket_create(&bucket);
    if (!err && !served) {      /* if that fails it is tried again the next time */
        err = ports_bucket_serve_detached(bucket, NULL);
        served = !err;
    }
    pthread_mutex_unlock(&start_lock);
    *result = bucket;
    return err;
}

static error_t start_wait(struct fshelp_start *start, int timeout_ms, mach_port_t *control)
{
    struct timespec until;
    error_t err = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    pthread_mutex_lock(&start_lock);
    while (!start->done && !err)
        err = pthread_cond_timedwait(&start_done, &start_lock, &until);
    if (start->done)
        err = start->result;
    else
        start->abandoned = true;
    if (!err) {
        *control = start->control;
        start->control = MACH_PORT_NULL;
    }
    pthread_mutex_unlock(&start_lock);
    return err;
}

/* What the child is given, in the words of exec.defs.  Rights are ours to release. */
struct child {
    mach_port_t ports[INIT_PORT_MAX];
    mach_port_t fds[3];
    int ints[INIT_INT_MAX];
};

static void child_release(struct child *child)
{
    for (int i = 0; i < INIT_PORT_MAX; i++)
        if (child->ports[i] != MACH_PORT_NULL)
            mach_port_deallocate(mach_task_self(), child->ports[i]);
    for (int i = 0; i < 3; i++)
        if (child->fds[i] != MACH_PORT_NULL)
            mach_port_deallocate(mach_task_self(), child->fds[i]);
}

/* Replaces a right to an I/O object by one with the ids UID and GID only. */
static void narrow(mach_port_t *port, uid_t uid, gid_t gid)
{
    mach_port_t restricted = MACH_PORT_NULL;

    if (*port == MACH_PORT_NULL)
        return;
    if (io_restrict_auth(*port, &restricted, &uid, 1, &gid, 1))
        restricted = MACH_PORT_NULL;
    mach_port_deallocate(mach_task_self(), *port);
    *port = restricted;
}

/* A child has our ids at proc: replaces its process port by one with the ids that AUTH stands for. */
static error_t process_narrow(mach_port_t *proc, auth_t auth)
{
    error_t err = fshelp_port_renew(proc, auth, proc_reauthenticate);
    return err ? err : proc_reauthenticate_complete(*proc);
}

static error_t child_identity(struct child *child, task_t task, uid_t uid, gid_t gid)
{
    auth_t own = getauth();
    process_t proc = getproc();
    error_t err = 0;

    if (proc != MACH_PORT_NULL) {
        err = proc_child(proc, task);
        if (!err)
            err = proc_task2proc(proc, task, &child->ports[INIT_PORT_PROC]);
        mach_port_deallocate(mach_task_self(), proc);
    }
    if (!err && own != MACH_PORT_NULL) {
        uid_t avail_uids[2] = { uid, uid };
        gid_t avail_gids[2] = { gid, gid };

        err = auth_makeauth(own, NULL, MACH_MSG_TYPE_COPY_SEND, 0, &uid, 1, avail_uids, 2, &gid, 1, avail_gids, 2,
                            &child->ports[INIT_PORT_AUTH]);
    }
    if (!err && uid != 0 && child->ports[INIT_PORT_PROC] != MACH_PORT_NULL)
        err = own != MACH_PORT_NULL ? process_narrow(&child->ports[INIT_PORT_PROC], child->ports[INIT_PORT_AUTH])
                                    : EPERM;
    if (own != MACH_PORT_NULL)
        mach_port_deallocate(mach_task_self(), own);
    return err;
}

static error_t child_prepare(struct child *child, task_t task, uid_t uid, gid_t gid, struct fshelp_start *start)
{
    error_t err;

    *child = (struct child) { .ints[INIT_UMASK] = 022 };
    child->ports[INIT_PORT_CRDIR] = getcrdir();
    child->ports[INIT_PORT_CWDIR] = getcrdir();
    child->fds[1] = getdport(STDERR_FILENO);
    child->fds[2] = getdport(STDERR_FILENO);
    if (uid != 0) {
        narrow(&child->ports[INIT_PORT_CRDIR], uid, gid);
        narrow(&child->ports[INIT_PORT_CWDIR], uid, gid);
    }
    for (int i = 1; i < 3; i++) {
        if (!MACH_PORT_VALID(child->fds[i]))
            child->fds[i] = MACH_PORT_NULL;
        if (uid != 0)
            narrow(&child->fds[i], uid, gid);
    }
    err = child_identity(child, task, uid, gid);
    if (err)
        return err;
    child->ports[INIT_PORT_BOOTSTRAP] = ports_object_send_right(start);
    return child->ports[INIT_PORT_BOOTSTRAP] == MACH_PORT_NULL ? ENOMEM : 0;
}

/* Runs ARGZ in a new task with START's port as bootstrap port; gives the task (send right), also after an error if
   there is one already. */
static error_t child_run(const char *argz, size_t length, uid_t uid, gid_t gid, struct fshelp_start *start,
                         task_t *task)
{
    file_t file = file_name_lookup(argz, O_EXEC, 0);
    struct child child;
    error_t err;

    *task = MACH_PORT_NULL;
    if (file == MACH_PORT_NULL)
        return errno;
    if (uid != 0)       /* who names a program must be allowed to run it himself */
        narrow(&file, uid, gid);
    if (file == MACH_PORT_NULL)
        return EACCES;
    err = task_create(mach_task_self(), FALSE, task);
    if (err) {
        mach_port_deallocate(mach_task_self(), file);
        return err;
    }
    err = child_prepare(&child, *task, uid, gid, start);
    if (!err)
        err = file_exec_paths(file, *task, EXEC_DEFAULTS, argz, argz, (char *)argz, length, NULL, 0, child.fds,
                              MACH_MSG_TYPE_COPY_SEND, 3, child.ports, MACH_MSG_TYPE_COPY_SEND, INIT_PORT_MAX,
                              child.ints, INIT_INT_MAX, NULL, 0, NULL, 0);
    child_release(&child);
    mach_port_deallocate(mach_task_self(), file);
    return err;
}

error_t fshelp_translator_start(const char *argz, size_t length, uid_t uid, gid_t gid, int timeout_ms,
                                error_t (*underlying)(void *cookie, int flags, mach_port_t *port), void *cookie,
                                mach_port_t *control)
{
    struct ports_bucket *bucket;
    struct fshelp_start *start;
    task_t task;
    error_t err;

    if (length == 0 || argz[length - 1] != '\0')
        return EINVAL;
    err = start_bucket(&bucket);
    if (err)
        return err;
    err = ports_object_create(&fshelp_start_class, bucket, &start);
    if (err)
        return err;
    start->underlying = underlying;
    start->cookie = cookie;
    err = child_run(argz, length, uid, gid, start, &task);
    if (task != MACH_PORT_NULL) {
        fshelp_child_watch(bucket, task);   /* before it can be dead, when its number could not be found any more */
        if (!err)
            err = start_wait(start, timeout_ms, control);
        if (err)
            task_terminate(task);
        mach_port_deallocate(mach_task_self(), task);
    }
    /* COOKIE is the caller's: the port goes before we return. */
    ports_object_destroy_right(start);
    ports_object_deref(start);
    return err;
}
