/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Translators of nodes: reaching, starting, setting, showing and dropping them.

   A node with an active translator is held by the library (node->held), so that it cannot leave the node cache; the
   same reference serves who wants to hear of its changes.

   The types of nodes that Unix knows without translators have one all the same, by convention (hurd/paths.h): symbolic
   links (which the walk follows itself), devices, fifos, sockets.  Setting one of those as passive translator makes the
   node one of that type; showing it gives the convention's words.  */

#include "diskfs-internal.h"
#include "mig-hooks.h"
#include "fs_S.h"

#include <argz.h>
#include <hurd/fsys.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

void diskfs_node_hold(struct diskfs_node *node)
{
    bool wanted = fshelp_translated(&node->transbox);
    diskfs_watch_update(node);
    if (wanted == node->held)
        return;
    node->held = wanted;
    if (wanted)
        diskfs_node_ref(node);
    else
        diskfs_node_deref(node);    /* never the last: the caller has one */
}

mach_port_t diskfs_translator_control(struct diskfs_node *node)
{
    mach_port_t control = node->transbox.active;
    if (control != MACH_PORT_NULL
        && mach_port_mod_refs(mach_task_self(), control, MACH_PORT_RIGHT_SEND, +1) != KERN_SUCCESS)
        control = MACH_PORT_NULL;   /* it has died */
    return control;
}

/* The words of the convention for what is not kept as a translator record. Node locked. */
static error_t node_implied_translator(struct diskfs_node *node, char **argz, size_t *length)
{
    const struct stat *st = &node->stat;
    char words[100];
    const char *target;
    int n = 0;

    switch (st->st_mode & S_IFMT) {
    case S_IFLNK: {
        error_t err = diskfs_link_target(node, &target);
        if (err)
            return err;
        *length = sizeof _HURD_SYMLINK + strlen(target) + 1;
        *argz = malloc(*length);
        if (*argz == NULL)
            return ENOMEM;
        memcpy(*argz, _HURD_SYMLINK, sizeof _HURD_SYMLINK);
        strcpy(*argz + sizeof _HURD_SYMLINK, target);
        return 0;
    }
    case S_IFCHR:
    case S_IFBLK:
        n = snprintf(words, sizeof words, "%s%c%u%c%u", S_ISCHR(st->st_mode) ? _HURD_CHRDEV : _HURD_BLKDEV, 0,
                     gnu_dev_major(st->st_rdev), 0, gnu_dev_minor(st->st_rdev));
        break;
    case S_IFIFO:
        n = snprintf(words, sizeof words, "%s", _HURD_FIFO);
        break;
    case S_IFSOCK:
        n = snprintf(words, sizeof words, "%s", _HURD_IFSOCK);
        break;
    default:
        return ENOENT;
    }
    *length = (size_t) n + 1;
    *argz = malloc(*length);
    if (*argz == NULL)
        return ENOMEM;
    memcpy(*argz, words, *length);
    return 0;
}

/* The passive translator's argument vector, malloc'd. Node locked. ENOENT. */
static error_t node_passive(struct diskfs_node *node, char **argz, size_t *length)
{
    return node->has_passive ? diskfs_ops->translator_get(node, argz, length)
                             : node_implied_translator(node, argz, length);
}

/* What fshelp needs to start the translator of a node. */
struct start {
    struct diskfs_node *node;
    struct diskfs_origin *origin;
    struct fshelp_user *user;
};

static error_t start_underlying(void *cookie, int flags, mach_port_t *port)
{
    struct start *start = cookie;
    struct fshelp_user *owner;
    pthread_mutex_lock(&start->node->lock);
    uid_t uid = start->node->stat.st_uid;
    gid_t gid = start->node->stat.st_gid;
    pthread_mutex_unlock(&start->node->lock);
    owner = fshelp_user_create(&uid, 1, &gid, 1);
    if (owner == NULL)
        return ENOMEM;
    diskfs_node_ref(start->node);
    error_t err = diskfs_open_right(start->node, flags, start->origin, owner, port);
    fshelp_user_deref(owner);
    return err;
}

static error_t start_argv(void *cookie, char **argz, size_t *length)
{
    struct start *start = cookie;
    return node_passive(start->node, argz, length);
}

static void start_owner(void *cookie, uid_t *uid, gid_t *gid)
{
    struct start *start = cookie;
    *uid = start->node->stat.st_uid;
    *gid = start->node->stat.st_gid;
}

static const struct fshelp_transbox_ops start_ops = {
    .underlying = start_underlying, .argv = start_argv, .owner = start_owner, .ready = diskfs_starts_await,
};

/* A port to DIR for nobody in particular: the translator hands it to who walks out of it, to be reauthenticated. */
static error_t dotdot_right(struct diskfs_node *dir, struct diskfs_origin *origin, mach_port_t *right)
{
    struct fshelp_user *nobody = fshelp_user_create(NULL, 0, NULL, 0);
    if (nobody == NULL)
        return ENOMEM;
    diskfs_node_ref(dir);
    error_t err = diskfs_open_right(dir, 0, origin, nobody, right);
    fshelp_user_deref(nobody);
    return err;
}

/* RETRY_NAME, an answer's, gets REST behind it. */
static error_t retry_append(retry_type retry, char *retry_name, const char *rest)
{
    size_t have = strnlen(retry_name, STRING_MAX), more = strlen(rest);
    if (more == 0)
        return 0;
    bool slash = have > 0 && retry_name[have - 1] != '/' && rest[0] != '/';
    if (have + slash + more >= STRING_MAX)
        return ENAMETOOLONG;
    if (slash)
        retry_name[have++] = '/';
    memcpy(retry_name + have, rest, more + 1);
    (void) retry;
    return 0;
}

error_t diskfs_translator_root(struct diskfs_node *node, struct diskfs_node *dir, mach_port_t dotdot,
                               struct diskfs_origin *origin, struct fshelp_user *user, int flags, const char *rest,
                               retry_type *retry, char *retry_name, mach_port_t *root)
{
    struct start start = { node, origin, user };
    mach_port_t parent = dotdot;
    error_t err = dir != NULL ? dotdot_right(dir, origin, &parent) : 0;
    if (err)
        return err;
    *root = MACH_PORT_NULL;
    pthread_mutex_lock(&node->lock);
    err = fshelp_transbox_root(&node->transbox, &start_ops, &start, &node->lock, parent, user,
                               rest[0] == '\0' ? flags : 0, retry, retry_name, root);
    diskfs_node_hold(node);
    pthread_mutex_unlock(&node->lock);
    if (dir != NULL)
        mach_port_deallocate(mach_task_self(), parent);
    if (err)
        return err;
    err = retry_append(*retry, retry_name, rest);
    if (err && MACH_PORT_VALID(*root))
        mach_port_deallocate(mach_task_self(), *root);
    return err;
}

struct control_list { mach_port_t *ports; size_t count, size; };

static error_t control_collect(struct diskfs_node *node, void *arg)
{
    struct control_list *list = arg;
    pthread_mutex_lock(&node->lock);
    mach_port_t control = diskfs_translator_control(node);
    pthread_mutex_unlock(&node->lock);
    if (control == MACH_PORT_NULL)
        return 0;
    if (list->count == list->size) {
        size_t size = list->size ? 2 * list->size : 16;
        mach_port_t *bigger = realloc(list->ports, size * sizeof *bigger);
        if (bigger == NULL) {
            mach_port_deallocate(mach_task_self(), control);
            return ENOMEM;
        }
        list->ports = bigger;
        list->size = size;
    }
    list->ports[list->count++] = control;
    return 0;
}

error_t diskfs_translators_iterate(error_t (*fn)(mach_port_t control, void *arg), void *arg)
{
    struct control_list list = { NULL, 0, 0 };
    error_t err = diskfs_node_iterate(control_collect, &list);
    for (size_t i = 0; i < list.count; i++) {
        error_t one = fn(list.ports[i], arg);
        if (one)
            err = one;
        mach_port_deallocate(mach_task_self(), list.ports[i]);
    }
    free(list.ports);
    return err;
}

#define COPY_IN_MAX ((size_t) 64 << 10)     /* bytes of an argument vector or of options */

/* ---- file_set_translator ------------------------------------------------------- */

/* MAJOR\0MINOR\0 behind the convention's name. */
static error_t parse_device(const char *words, size_t length, dev_t *rdev)
{
    const char *end = words + length, *minor = memchr(words, '\0', length);
    char *rest;
    if (minor == NULL || ++minor >= end)
        return EINVAL;
    unsigned long major_number = strtoul(words, &rest, 0);
    if (rest == words || *rest != '\0')
        return EINVAL;
    unsigned long minor_number = strtoul(minor, &rest, 0);
    if (rest == minor || *rest != '\0')
        return EINVAL;
    *rdev = gnu_dev_makedev((unsigned int) major_number, (unsigned int) minor_number);
    return 0;
}

/* NODE (locked, empty) becomes a file of TYPE with the device number RDEV. */
static error_t node_retype(struct diskfs_node *node, mode_t type, dev_t rdev)
{
    error_t err = diskfs_ops->node_retype ? diskfs_ops->node_retype(node, type, rdev) : EOPNOTSUPP;
    if (err)
        return err;
    node->stat.st_mode = (node->stat.st_mode & ~S_IFMT) | type;
    node->stat.st_rdev = rdev;
    return 0;
}

/* NODE (locked) becomes a symbolic link. */
static error_t make_link(struct diskfs_node *node, const char *target, size_t length)
{
    if (length == 0 || target[length - 1] != '\0' || length == 1)
        return EINVAL;
    mode_t old = node->stat.st_mode;
    error_t err = node_retype(node, S_IFLNK, 0);
    if (err)
        return err;
    node->stat.st_mode |= 0777;
    err = diskfs_ops->link_write(node, target, strlen(target));
    if (err) {
        (void) node_retype(node, S_IFREG, 0);
        node->stat.st_mode = old;
    }
    free(node->link);
    node->link = NULL;
    return err;
}

/* If ARGZ is one of the convention, NODE (locked, an empty plain file) becomes one of that type. ENOENT: it is not. */
static error_t make_type(struct diskfs_node *node, const char *argz, size_t length)
{
    static const struct { const char *program; mode_t type; } types[] = {
        { _HURD_SYMLINK, S_IFLNK }, { _HURD_CHRDEV, S_IFCHR }, { _HURD_BLKDEV, S_IFBLK },
        { _HURD_FIFO, S_IFIFO }, { _HURD_IFSOCK, S_IFSOCK },
    };
    size_t i = 0, n = strnlen(argz, length) + 1;
    while (i < sizeof types / sizeof *types && strcmp(argz, types[i].program) != 0)
        i++;
    if (i == sizeof types / sizeof *types)
        return ENOENT;
    if (!S_ISREG(node->stat.st_mode) || node->stat.st_size != 0)
        return ENOENT;      /* an ordinary translator record on what is something already */
    if (types[i].type == S_IFLNK)
        return make_link(node, argz + n, length - n);
    dev_t rdev = 0;
    if (types[i].type == S_IFCHR || types[i].type == S_IFBLK) {
        error_t err = parse_device(argz + n, length - n, &rdev);
        if (err)
            return err;
    }
    return node_retype(node, types[i].type, rdev);
}

/* The passive half. Node locked. */
static error_t set_passive(struct diskfs_node *node, int flags, const char *argz, size_t length)
{
    char *old;
    size_t old_length;

    if (diskfs_unwritable())
        return EROFS;
    if (length > 0 && argz[length - 1] != '\0')
        return EINVAL;
    if (flags & FS_TRANS_EXCL) {
        error_t err = node_passive(node, &old, &old_length);
        if (!err) {
            free(old);
            return EBUSY;
        }
        if (err != ENOENT)
            return err;
    }
    error_t err = length > 0 ? make_type(node, argz, length) : ENOENT;
    if (err == ENOENT) {
        if (length == 0 && !S_ISREG(node->stat.st_mode) && !S_ISDIR(node->stat.st_mode) && !node->has_passive) {
            if (S_ISLNK(node->stat.st_mode))
                return EINVAL;
            err = node_retype(node, S_IFREG, 0);
        } else {
            err = diskfs_ops->translator_set(node, argz, length);
        }
    }
    return err ? err : diskfs_node_changed(node);
}

/* What becomes of the translator that was active: asked to go away, unless FS_TRANS_ORPHAN. OLD is consumed. */
static error_t drop_old(mach_port_t old, int active_flags, int goaway_flags)
{
    error_t err = 0;
    if (!(active_flags & FS_TRANS_ORPHAN)) {
        err = fsys_goaway(old, goaway_flags);
        if (err == MIG_SERVER_DIED || err == MACH_SEND_INVALID_DEST)
            err = 0;
    }
    mach_port_deallocate(mach_task_self(), old);
    return err;
}

/* The active half: the old translator goes first; only then the new one is set. Node not locked. */
static error_t set_active(struct diskfs_node *node, int flags, int oldtrans_flags, mach_port_t active)
{
    mach_port_t old = MACH_PORT_NULL;
    pthread_mutex_lock(&node->lock);
    bool busy = fshelp_translated(&node->transbox) && (flags & FS_TRANS_EXCL);
    mach_port_t control = busy ? MACH_PORT_NULL : diskfs_translator_control(node);
    pthread_mutex_unlock(&node->lock);
    if (busy)
        return EBUSY;
    if (control != MACH_PORT_NULL) {
        error_t err = drop_old(control, flags, oldtrans_flags);
        if (err)
            return err;
    }
    if (MACH_PORT_VALID(active)
        && mach_port_mod_refs(mach_task_self(), active, MACH_PORT_RIGHT_SEND, +1) != KERN_SUCCESS)
        return EINVAL;
    pthread_mutex_lock(&node->lock);
    error_t err = fshelp_transbox_set(&node->transbox, active, flags & FS_TRANS_EXCL, &node->lock, &old);
    diskfs_node_hold(node);
    if (!err)
        node->ctime_due = true;
    pthread_mutex_unlock(&node->lock);
    if (err && MACH_PORT_VALID(active))
        mach_port_deallocate(mach_task_self(), active);
    if (!err && MACH_PORT_VALID(old))
        mach_port_deallocate(mach_task_self(), old);
    return err;
}

error_t diskfs_copy_in(const char *data, size_t length, char **copy)
{
    *copy = NULL;
    if (length > COPY_IN_MAX)
        return E2BIG;
    char *memory = malloc(length + 1);
    if (memory == NULL)
        return ENOMEM;
    error_t err = ports_copy_guarded(memory, data, length);
    if (err) {
        free(memory);
        return err;
    }
    memory[length] = '\0';
    *copy = memory;
    return 0;
}

/* Both halves for CRED's user.  ARGZ is our own memory. */
static error_t set_translator(struct diskfs_protid *cred, int passive_flags, int active_flags, int oldtrans_flags,
                              const char *argz, size_t length, mach_port_t active)
{
    struct diskfs_node *node = cred->po->node;
    pthread_mutex_lock(&node->lock);
    error_t err = fshelp_check_owner(&node->stat, cred->user);
    if (!err && (active_flags & FS_TRANS_SET) && (active_flags & FS_TRANS_EXCL) && active != MACH_PORT_NULL
        && fshelp_translated(&node->transbox))
        err = EBUSY;
    if (!err && (passive_flags & FS_TRANS_SET))
        err = set_passive(node, passive_flags, argz, length);
    pthread_mutex_unlock(&node->lock);
    if (!err && (active_flags & FS_TRANS_SET))
        err = set_active(node, active_flags, oldtrans_flags, active);
    return err;
}

kern_return_t diskfs_S_file_set_translator(diskfs_protid_t cred, int passive_flags, int active_flags,
                                           int oldtrans_flags, const_data_t passive, mach_msg_type_number_t passiveCnt,
                                           boolean_t passiveSCopy, mach_port_t active)
{
    char *argz = NULL;
    error_t err = 0;
    if (cred == NULL)
        return EOPNOTSUPP;
    if (passive_flags & FS_TRANS_SET)
        err = diskfs_copy_in(passive, passiveCnt, &argz);
    if (!err && ((passive_flags | active_flags) & FS_TRANS_SET))
        err = set_translator(cred, passive_flags, active_flags, oldtrans_flags, argz, passiveCnt, active);
    free(argz);
    if (err)
        return err;
    if (MACH_PORT_VALID(active))
        mach_port_deallocate(mach_task_self(), active);
    if (!passiveSCopy && passiveCnt > 0)
        vm_deallocate(mach_task_self(), (vm_address_t) passive, passiveCnt);
    return 0;
}

/* Hands LENGTH bytes at TEXT out as a data_t answer whose inline room is *COUNT bytes at *DATA. */
static error_t data_answer(const char *text, size_t length, data_t *data, mach_msg_type_number_t *count)
{
    struct diskfs_buffer buffer = { .data = *data, .capacity = *count };
    error_t err = diskfs_buffer_reserve(&buffer, length);
    if (err)
        return err;
    memcpy(buffer.data, text, length);
    *data = buffer.data;
    *count = (mach_msg_type_number_t) length;
    return 0;
}

kern_return_t diskfs_S_file_get_translator(diskfs_protid_t cred, data_t *data, mach_msg_type_number_t *dataCnt)
{
    char *argz;
    size_t length;
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_node *node = cred->po->node;
    pthread_mutex_lock(&node->lock);
    error_t err = node_passive(node, &argz, &length);
    pthread_mutex_unlock(&node->lock);
    if (err)
        return err == ENOENT ? EINVAL : err;
    err = data_answer(argz, length, data, dataCnt);
    free(argz);
    return err;
}

kern_return_t diskfs_S_file_get_translator_cntl(diskfs_protid_t cred, mach_port_t *control,
                                                mach_msg_type_name_t *controlPoly)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct diskfs_node *node = cred->po->node;
    pthread_mutex_lock(&node->lock);
    error_t err = fshelp_check_owner(&node->stat, cred->user);
    if (!err) {
        *control = diskfs_translator_control(node);
        *controlPoly = MACH_MSG_TYPE_MOVE_SEND;
        if (*control == MACH_PORT_NULL)
            err = ENXIO;
    }
    pthread_mutex_unlock(&node->lock);
    return err;
}

kern_return_t diskfs_S_file_get_fs_options(diskfs_protid_t cred, data_t *options, mach_msg_type_number_t *optionsCnt)
{
    char *argz = NULL;
    size_t length = 0;
    if (cred == NULL)
        return EOPNOTSUPP;
    error_t err = diskfs_options_get(&argz, &length);
    if (!err)
        err = data_answer(argz, length, options, optionsCnt);
    free(argz);
    return err;
}

kern_return_t diskfs_S_file_getcontrol(diskfs_protid_t cred, mach_port_t *control, mach_msg_type_name_t *controlPoly)
{
    struct diskfs_control *object;
    if (cred == NULL)
        return EOPNOTSUPP;
    if (!fshelp_user_is_root(cred->user))
        return EPERM;
    error_t err = ports_object_create(&diskfs_control_class, diskfs_bucket, &object);
    if (err)
        return err;
    *control = ports_object_make_send_name(object);
    *controlPoly = MACH_MSG_TYPE_MAKE_SEND;
    ports_object_deref(object);
    return *control == MACH_PORT_NULL ? ENOMEM : 0;
}
