/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Controls, peropens and protids: birth, death, and what they know of the underlying node.

   A protid refers to its peropen, that one to its control; the control lives while the parent file system has its
   port or anybody has the node open.  */

#include "trivfs-internal.h"

#include <hurd.h>
#include <hurd/fs.h>
#include <hurd/io.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

bool trivfs_ends_with_control;

/* ---- controls ----------------------------------------------------------------- */

/* What stat shows while there is no underlying node: root's alone. */
static void control_stat_init(struct trivfs_control *control)
{
    struct stat *st = &control->stat;
    mode_t type = control->ops->node_type != 0 ? control->ops->node_type : S_IFCHR;
    st->st_mode = type | 0600;
    st->st_ino = 1;
    st->st_nlink = 1;
    st->st_blksize = vm_page_size;
    clock_gettime(CLOCK_REALTIME, &st->st_atim);
    st->st_mtim = st->st_ctim = st->st_atim;
}

error_t trivfs_control_create(const struct trivfs_ops *ops, struct ports_bucket *bucket, mach_port_t underlying,
                              void *hook, struct trivfs_control **result)
{
    enum { IO_WRITE = 21000 };
    struct ports_class *control_class, *protid_class;
    struct trivfs_control *control;
    ports_takes_beginning(IO_WRITE);
    error_t err = trivfs_classes_create(ops, &control_class, &protid_class);
    struct trivfs_right *node = NULL;
    if (err == 0 && underlying != MACH_PORT_NULL && (node = right_create(underlying)) == NULL)
        err = ENOMEM;
    if (err == 0)
        err = ports_object_create(control_class, bucket, &control);
    if (err) {
        free(node);
        return err;
    }
    control->ops = ops;
    control->hook = hook;
    control->underlying = node;
    control->protid_class = protid_class;
    control->bucket = bucket;
    pthread_mutex_init(&control->lock, NULL);
    fshelp_lockbox_init(&control->locks);
    control_stat_init(control);
    *result = control;
    return 0;
}

void control_destroy(struct ports_object *object)
{
    struct trivfs_control *control = (struct trivfs_control *)object;
    trivfs_right_deref(control->underlying);
    if (control->identity != MACH_PORT_NULL)
        mach_port_mod_refs(mach_task_self(), control->identity, MACH_PORT_RIGHT_RECEIVE, -1);
    if (control->fs_identity != MACH_PORT_NULL)
        mach_port_mod_refs(mach_task_self(), control->fs_identity, MACH_PORT_RIGHT_RECEIVE, -1);
    fshelp_lockbox_destroy(&control->locks);
    pthread_mutex_destroy(&control->lock);
}

/* Ends the program, or forgets who wants to hear of changes, if nothing of CONTROL is left to anybody.  Its lock is
   held, and a reference. */
static void control_end_if_unused(struct trivfs_control *control)
{
    if (!control->orphan || control->peropens != 0)
        return;
    if (trivfs_ends_with_control)
        exit(0);
    fshelp_notify_clear(&control->notify);
}

void control_no_senders(struct ports_object *object)
{
    struct trivfs_control *control = (struct trivfs_control *)object;
    pthread_mutex_lock(&control->lock);
    control->orphan = true;
    control_end_if_unused(control);
    pthread_mutex_unlock(&control->lock);
}

void trivfs_control_hold(struct trivfs_control *control)
{
    ports_object_ref(control);
    pthread_mutex_lock(&control->lock);
    control->peropens++;
    pthread_mutex_unlock(&control->lock);
}

void trivfs_control_release(struct trivfs_control *control)
{
    pthread_mutex_lock(&control->lock);
    control->peropens--;
    control_end_if_unused(control);
    pthread_mutex_unlock(&control->lock);
    ports_object_deref(control);
}

error_t trivfs_control_set_underlying(struct trivfs_control *control, mach_port_t underlying)
{
    struct trivfs_right *new = underlying != MACH_PORT_NULL ? right_create(underlying) : NULL;
    if (new == NULL && underlying != MACH_PORT_NULL)
        return ENOMEM;
    pthread_mutex_lock(&control->lock);
    struct trivfs_right *old = control->underlying;
    control->underlying = new;
    pthread_mutex_unlock(&control->lock);
    trivfs_right_deref(old);
    return 0;
}

struct trivfs_right *trivfs_control_underlying(struct trivfs_control *control)
{
    pthread_mutex_lock(&control->lock);
    struct trivfs_right *underlying = right_ref(control->underlying);
    pthread_mutex_unlock(&control->lock);
    return underlying;
}

error_t control_stat(struct trivfs_control *control, struct stat *st)
{
    pthread_mutex_lock(&control->lock);
    struct trivfs_right *underlying = right_ref(control->underlying);
    *st = control->stat;
    pthread_mutex_unlock(&control->lock);
    error_t err = underlying != NULL ? io_stat(underlying->port, (io_statbuf_t *)st) : 0;
    trivfs_right_deref(underlying);
    if (err)
        return err;

    st->st_fstype = control->ops->fstype;
    st->st_fsid = getpid();
    st->st_mode &= ~(mode_t)S_ITRANS;
    if (control->ops->node_type != 0)
        st->st_mode = (st->st_mode & ~(mode_t)S_IFMT) | control->ops->node_type;
    /* Two devices are the same for some programs if their numbers are; and cp(1) takes a minor number below 3 for that
       of /dev/fd/N. */
    if ((S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) && st->st_rdev == 0)
        st->st_rdev = makedev(1, (unsigned int)st->st_ino + 3);
    st->st_mode |= S_IROOT;
    st->st_size = 0;
    st->st_blocks = 0;
    return 0;
}

/* May USER open the node with FLAGS?  EACCES, or what asking the underlying node gave. */
static error_t control_check_open(struct trivfs_control *control, const struct fshelp_user *user, int flags)
{
    struct stat st;
    if ((flags & FLAGS_ACCESS) & ~control->ops->modes)
        return flags & O_WRITE && !(control->ops->modes & O_WRITE) ? EROFS : EACCES;
    if (!(flags & FLAGS_ACCESS) || fshelp_user_is_root(user))
        return 0;
    error_t err = control_stat(control, &st);
    if (err)
        return err;
    return (flags & FLAGS_ACCESS) & ~fshelp_allowed(&st, user) ? EACCES : 0;
}

/* ---- peropens ------------------------------------------------------------------- */

static struct trivfs_peropen *peropen_create(struct trivfs_control *control, int flags)
{
    struct trivfs_peropen *peropen = calloc(1, sizeof *peropen);
    if (peropen == NULL)
        return NULL;
    atomic_init(&peropen->refs, 1);
    peropen->control = control;
    peropen->flags = flags & FLAGS_KEPT;
    ports_object_ref(control);
    pthread_mutex_lock(&control->lock);
    control->peropens++;
    pthread_mutex_unlock(&control->lock);
    return peropen;
}

struct fshelp_lockbox *peropen_lockbox(struct trivfs_peropen *peropen)
{
    struct trivfs_control *control = peropen->control;
    return control->ops->lockbox != NULL ? control->ops->lockbox(peropen) : &control->locks;
}

/* OPENED: the server's open has succeeded, so its close is due. */
static void peropen_deref(struct trivfs_peropen *peropen, bool opened)
{
    struct trivfs_control *control = peropen->control;
    if (atomic_fetch_sub_explicit(&peropen->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (opened && control->ops->close != NULL)
        control->ops->close(peropen);
    trivfs_right_deref(peropen->dotdot);
    struct fshelp_lockbox *locks = peropen_lockbox(peropen);
    pthread_mutex_lock(&control->lock);
    if (opened && locks != NULL)
        fshelp_lock_drop(locks, peropen);
    control->peropens--;
    control_end_if_unused(control);
    pthread_mutex_unlock(&control->lock);
    ports_object_deref(control);
    free(peropen);
}

/* ---- protids -------------------------------------------------------------------- */

error_t protid_create(struct trivfs_peropen *peropen, struct fshelp_user *user, uint64_t tag, mach_port_t receive,
                      struct trivfs_protid **result)
{
    struct trivfs_control *control = peropen->control;
    struct trivfs_protid *protid;
    error_t err = ports_object_create_quiet(control->protid_class, control->bucket, &protid);
    if (err)
        return err;
    atomic_fetch_add_explicit(&peropen->refs, 1, memory_order_relaxed);
    fshelp_user_ref(user);
    protid->peropen = peropen;
    protid->user = user;
    protid->tag = tag;
    if (receive != MACH_PORT_NULL)
        err = ports_object_adopt_right(protid, receive); /* only now: messages may be waiting in it */
    if (err) {
        ports_object_deref(protid);
        return err;
    }
    *result = protid;
    return 0;
}

void protid_destroy(struct ports_object *object)
{
    struct trivfs_protid *protid = (struct trivfs_protid *)object;
    if (MACH_PORT_VALID(protid->realnode))
        mach_port_deallocate(mach_task_self(), protid->realnode);
    fshelp_user_deref(protid->user);
    peropen_deref(protid->peropen, true);
}

error_t trivfs_protid_duplicate(struct trivfs_protid *protid, struct trivfs_protid **duplicate)
{
    return protid_create(protid->peropen, protid->user, protid->tag, MACH_PORT_NULL, duplicate);
}

error_t trivfs_open(struct trivfs_control *control, struct fshelp_user *user, int flags, struct trivfs_protid **protid)
{
    struct trivfs_peropen *peropen = peropen_create(control, flags);
    if (peropen == NULL)
        return ENOMEM;
    error_t err = control->ops->open != NULL ? control->ops->open(peropen, user) : 0;
    if (err) {
        peropen_deref(peropen, false);
        return err;
    }
    err = protid_create(peropen, user, 0, MACH_PORT_NULL, protid);
    peropen_deref(peropen, true);
    return err;
}

error_t trivfs_open_checked(struct trivfs_control *control, struct fshelp_user *user, int flags,
                            struct trivfs_protid **protid)
{
    error_t err = control_check_open(control, user, flags);
    return err ? err : trivfs_open(control, user, flags, protid);
}

error_t control_open_name(struct trivfs_control *control, struct fshelp_user *user, int flags, mach_port_t *name)
{
    struct trivfs_protid *protid;
    error_t err = trivfs_open_checked(control, user, flags, &protid);
    if (err)
        return err;
    *name = ports_object_make_send_name(protid);
    ports_object_deref(protid);
    return 0;
}

error_t control_open_root_name(struct trivfs_control *control, struct fshelp_user *user, int flags, mach_port_t port,
                               mach_port_t *name)
{
    struct trivfs_protid *protid;
    struct trivfs_right *dotdot = right_create(port);
    if (dotdot == NULL)
        return ENOMEM;
    error_t err = trivfs_open_checked(control, user, flags, &protid);
    if (err) {
        free(dotdot);
        return err;
    }
    protid->peropen->dotdot = dotdot;
    *name = ports_object_make_send_name(protid);
    ports_object_deref(protid);
    return 0;
}

error_t trivfs_protid_realnode(struct trivfs_protid *protid, mach_port_t *realnode)
{
    struct trivfs_control *control = protid->peropen->control;
    const struct fshelp_user *user = protid->user;
    mach_port_t made = MACH_PORT_NULL;

    pthread_mutex_lock(&control->lock);
    *realnode = protid->realnode;
    struct trivfs_right *underlying = *realnode == MACH_PORT_NULL ? right_ref(control->underlying) : NULL;
    pthread_mutex_unlock(&control->lock);
    if (underlying == NULL)
        return 0;

    error_t err = io_restrict_auth(underlying->port, &made, user->uids, user->nuids, user->gids, user->ngids);
    trivfs_right_deref(underlying);
    if (err)
        return err;
    pthread_mutex_lock(&control->lock);
    if (protid->realnode == MACH_PORT_NULL) {
        protid->realnode = made;
        made = MACH_PORT_NULL;
    }
    *realnode = protid->realnode;
    pthread_mutex_unlock(&control->lock);
    if (made != MACH_PORT_NULL) /* another thread was faster */
        mach_port_deallocate(mach_task_self(), made);
    return 0;
}

error_t trivfs_protid_stat(struct trivfs_protid *protid, struct stat *st)
{
    struct trivfs_control *control = protid->peropen->control;
    error_t err = control_stat(control, st);
    if (err)
        return err;
    if (control->ops->size != NULL)
        st->st_size = control->ops->size(protid);
    if (control->ops->stat != NULL)
        control->ops->stat(protid, st);
    return 0;
}
