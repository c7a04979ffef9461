/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file_exec: the file system's part of exec.

   It checks that the caller may execute the file, makes sure that a set-id program gets its rights (and nobody else
   gets hold of it), and hands everything to the exec server together with a port from which that can read the file.

   Rights in the message.  The arrays of ports are moved on to the exec server, not copied: that saves two kernel calls
   a port. Once moved they are gone whatever the exec server says, so the elements in the message are overwritten with
   null, and the dispatcher finds nothing to destroy when the answer is an error.

   Set-id programs run in a new task (EXEC_NEWTASK: whoever has the old one's port must not control the new program)
   with EXEC_SECURE.  Their auth port is made by our own (root's) auth handle together with the caller's: effective ids
   from the file, the others kept.  Every port that the program shall have is then reauthenticated to it, as the caller
   would do after a setuid; those of servers that refuse are left out.  */

#include "diskfs-internal.h"
#include "mig-hooks.h"
#include "fs_S.h"

#include <hurd.h>
#include <hurd/auth.h>
#include <hurd/exec.h>
#include <hurd/io.h>
#include <stdlib.h>

mach_port_t diskfs_exec_server;

struct exec_request {
    struct diskfs_protid *cred;
    mach_port_t task;
    int flags;
    const char *path, *abspath;
    const_data_t argv, envp;
    mach_msg_type_number_t argv_count, envp_count;
    mach_port_t *fds, *ports;           /* in the message */
    mach_msg_type_number_t fds_count, ports_count;
    const_intarray_t ints;
    mach_msg_type_number_t ints_count;
    const_mach_port_name_array_t dealloc, destroy;
    mach_msg_type_number_t dealloc_count, destroy_count;
};

/* The exec server; *LOOKED_UP: to be deallocated by the caller. */
static error_t exec_server(mach_port_t *server, bool *looked_up)
{
    *looked_up = false;
    *server = diskfs_exec_server;
    if (*server != MACH_PORT_NULL)
        return 0;
    *server = file_name_lookup(_SERVERS_EXEC, 0, 0);
    *looked_up = true;
    return *server == MACH_PORT_NULL ? errno : 0;
}

/* ---- set-id ------------------------------------------------------------------------------ */

/* Gives PORT, if it is a right, in the name of AUTH.  If that fails the old port, with the old rights, serves on, as
   after a setuid. */
static error_t reauthenticate_port(mach_port_t *port, mach_port_t auth)
{
    return MACH_PORT_VALID(*port) ? fshelp_port_renew(port, auth, io_reauthenticate) : 0;
}

struct ids {
    uid_t *list;
    mach_msg_type_number_t count;
    uid_t room[32];
};

/* The list with FIRST in front (in place of what is there), as effective ids are ordered. malloc'd. */
static uid_t *ids_with_first(const uid_t *old, mach_msg_type_number_t count, uid_t first,
                             mach_msg_type_number_t *result)
{
    uid_t *list = malloc((count + 1) * sizeof *list);
    if (list == NULL)
        return NULL;
    list[0] = first;
    *result = 1;
    for (mach_msg_type_number_t i = count > 0 ? 1 : 0; i < count; i++)
        list[(*result)++] = old[i];
    return list;
}

/* Saved ids: the real one stays, the saved becomes FIRST. malloc'd. */
static uid_t *ids_with_saved(const uid_t *old, mach_msg_type_number_t count, const uid_t *effective,
                             mach_msg_type_number_t effective_count, uid_t first, mach_msg_type_number_t *result)
{
    uid_t *list = malloc((count + 2) * sizeof *list);
    if (list == NULL)
        return NULL;
    *result = 2;
    list[0] = count > 0 ? old[0] : effective_count > 0 ? effective[0] : first;
    list[1] = first;
    for (mach_msg_type_number_t i = 2; i < count; i++)
        list[(*result)++] = old[i];
    return list;
}

static void ids_free(struct ids *ids)
{
    if (ids->list != ids->room)
        vm_deallocate(mach_task_self(), (vm_address_t) ids->list, ids->count * sizeof *ids->list);
}

/* A new auth port in *RESULT: the ids of the caller's AUTH, with UID and GID (-1: unchanged) as effective and saved
   ids. */
static error_t setid_auth(mach_port_t auth, uid_t uid, gid_t gid, mach_port_t *result)
{
    struct ids eu, au, eg, ag;
    struct ids *all[] = { &eu, &au, &eg, &ag };
    uid_t *lists[4] = { NULL };
    mach_msg_type_number_t counts[4];
    for (int i = 0; i < 4; i++) {
        all[i]->list = all[i]->room;
        all[i]->count = sizeof all[i]->room / sizeof *all[i]->room;
    }
    error_t err = auth_getids(auth, &eu.list, &eu.count, &au.list, &au.count, &eg.list, &eg.count, &ag.list, &ag.count);
    if (err)
        return err;
    uid_t new_uid = uid != (uid_t) -1 ? uid : eu.count > 0 ? eu.list[0] : (uid_t) -1;
    gid_t new_gid = gid != (gid_t) -1 ? gid : eg.count > 0 ? eg.list[0] : (gid_t) -1;
    lists[0] = ids_with_first(eu.list, eu.count, new_uid, &counts[0]);
    lists[1] = ids_with_saved(au.list, au.count, eu.list, eu.count, new_uid, &counts[1]);
    lists[2] = ids_with_first(eg.list, eg.count, new_gid, &counts[2]);
    lists[3] = ids_with_saved(ag.list, ag.count, eg.list, eg.count, new_gid, &counts[3]);
    for (int i = 0; i < 4; i++)
        err = lists[i] == NULL ? ENOMEM : err;
    if (new_uid == (uid_t) -1)
        counts[0] = counts[1] = 0;
    if (new_gid == (gid_t) -1)
        counts[2] = counts[3] = 0;
    mach_port_t ours = getauth();
    if (!err)
        err = auth_makeauth(ours, &auth, MACH_MSG_TYPE_COPY_SEND, 1, lists[0], counts[0], lists[1], counts[1], lists[2],
                            counts[2], lists[3], counts[3], result);
    mach_port_deallocate(mach_task_self(), ours);
    for (int i = 0; i < 4; i++) {
        free(lists[i]);
        ids_free(all[i]);
    }
    return err;
}

/* The program is set-id: its ports are changed in the message.  The process port is left to exec, which shows the new
   ids to proc when it hands the process over to the new task (proc_reauthenticate_reassign). */
static error_t setid_ports(struct exec_request *r, uid_t uid, gid_t gid)
{
    mach_port_t auth;
    if (r->ports_count <= INIT_PORT_AUTH || !MACH_PORT_VALID(r->ports[INIT_PORT_AUTH]))
        return EACCES;
    error_t err = setid_auth(r->ports[INIT_PORT_AUTH], uid, gid, &auth);
    if (err)
        return err;
    mach_port_deallocate(mach_task_self(), r->ports[INIT_PORT_AUTH]);
    r->ports[INIT_PORT_AUTH] = auth;
    if (r->ports_count > INIT_PORT_CRDIR)
        err = reauthenticate_port(&r->ports[INIT_PORT_CRDIR], auth);
    if (err != ETIMEDOUT && r->ports_count > INIT_PORT_CWDIR)
        err = reauthenticate_port(&r->ports[INIT_PORT_CWDIR], auth);
    /* One that costs a minute is a caller's trick, and he may have thousands. */
    for (mach_msg_type_number_t i = 0; i < r->fds_count && err != ETIMEDOUT; i++)
        err = reauthenticate_port(&r->fds[i], auth);
    return err == ETIMEDOUT ? err : 0;
}

/* ---- the request ----------------------------------------------------------------------------- */

/* May the file be executed so? Finds the flags to add, and *UID, *GID of a set-id program (-1: not that). */
static error_t exec_check(struct exec_request *r, uid_t *uid, gid_t *gid)
{
    struct diskfs_protid *cred = r->cred;
    struct diskfs_node *node = cred->po->node;
    *uid = (uid_t) -1;
    *gid = (gid_t) -1;
    if (!(atomic_load(&cred->po->flags) & O_EXEC))
        return EBADF;
    pthread_mutex_lock(&node->lock);
    const struct stat *st = &node->stat;
    error_t err = S_ISREG(st->st_mode) && !diskfs_noexec ? fshelp_access(st, S_IEXEC, cred->user) : EACCES;
    if (!err) {
        bool set_id = !diskfs_nosuid;
        if (set_id && (st->st_mode & S_ISUID) && !fshelp_user_has_uid(cred->user, st->st_uid))
            *uid = st->st_uid;
        if (set_id && (st->st_mode & S_ISGID) && !fshelp_user_has_gid(cred->user, st->st_gid))
            *gid = st->st_gid;
        if (fshelp_access(st, S_IREAD, cred->user))
            r->flags |= EXEC_NEWTASK;   /* he may run it but not look at it */
        diskfs_node_accessed(node);
    }
    pthread_mutex_unlock(&node->lock);
    if (*uid != (uid_t) -1 || *gid != (gid_t) -1)
        r->flags |= EXEC_NEWTASK | EXEC_SECURE;
    return err;
}

/* A port to the file that the exec server may read, whatever the caller may.  It is open for reading and in nobody's
   name: the exec server hands it to the program when that is a script (/dev/fd/N), and whoever has the program's task
   gets hold of it. */
static error_t exec_file_right(struct diskfs_node *node, struct diskfs_origin *origin, mach_port_t *right)
{
    struct fshelp_user *nobody = fshelp_user_create(NULL, 0, NULL, 0);
    if (nobody == NULL)
        return ENOMEM;
    diskfs_node_ref(node);
    error_t err = diskfs_open_right(node, O_READ | O_EXEC, origin, nobody, right);
    fshelp_user_deref(nobody);
    return err;
}

static error_t exec_forward(struct exec_request *r, mach_port_t server, mach_port_t file)
{
    error_t err = exec_exec_paths(server, file, MACH_MSG_TYPE_MOVE_SEND, r->task, r->flags, r->path, r->abspath,
                                  r->argv, r->argv_count, r->envp, r->envp_count, r->fds, MACH_MSG_TYPE_MOVE_SEND,
                                  r->fds_count, r->ports, MACH_MSG_TYPE_MOVE_SEND, r->ports_count, r->ints,
                                  r->ints_count, r->dealloc, r->dealloc_count, r->destroy, r->destroy_count);
    if (err == MACH_SEND_INVALID_DEST) {        /* nothing was moved */
        mach_port_deallocate(mach_task_self(), file);
        return EIEIO;
    }
    for (mach_msg_type_number_t i = 0; i < r->fds_count; i++)
        r->fds[i] = MACH_PORT_NULL;
    for (mach_msg_type_number_t i = 0; i < r->ports_count; i++)
        r->ports[i] = MACH_PORT_NULL;
    return err == MIG_SERVER_DIED ? EIEIO : err;
}

static error_t exec_request(struct exec_request *r)
{
    mach_port_t server, file = MACH_PORT_NULL;
    bool looked_up;
    uid_t uid;
    gid_t gid;

    error_t err = exec_check(r, &uid, &gid);
    if (err)
        return err;
    err = exec_server(&server, &looked_up);
    if (err)
        return err;
    if (uid != (uid_t) -1 || gid != (gid_t) -1)
        err = setid_ports(r, uid, gid);
    if (!err)
        err = exec_file_right(r->cred->po->node, r->cred->po->origin, &file);
    if (!err)
        err = exec_forward(r, server, file);
    if (!err && MACH_PORT_VALID(r->task))
        mach_port_deallocate(mach_task_self(), r->task);
    if (looked_up)
        mach_port_deallocate(mach_task_self(), server);
    return err;
}

/* Out-of-line memory of a request that has succeeded. */
static void drop(boolean_t inline_data, const void *data, size_t size)
{
    if (!inline_data && size > 0)
        vm_deallocate(mach_task_self(), (vm_address_t) data, size);
}

kern_return_t diskfs_S_file_exec_paths(diskfs_protid_t cred, mach_port_t task, int flags, const_string_t path,
                                       const_string_t abspath, const_data_t argv, mach_msg_type_number_t argvCnt,
                                       boolean_t argvSCopy, const_data_t envp, mach_msg_type_number_t envpCnt,
                                       boolean_t envpSCopy, const_portarray_t fdarray,
                                       mach_msg_type_number_t fdarrayCnt, boolean_t fdarraySCopy,
                                       const_portarray_t portarray, mach_msg_type_number_t portarrayCnt,
                                       boolean_t portarraySCopy, const_intarray_t intarray,
                                       mach_msg_type_number_t intarrayCnt, boolean_t intarraySCopy,
                                       const_mach_port_name_array_t deallocnames,
                                       mach_msg_type_number_t deallocnamesCnt, boolean_t deallocnamesSCopy,
                                       const_mach_port_name_array_t destroynames,
                                       mach_msg_type_number_t destroynamesCnt, boolean_t destroynamesSCopy)
{
    if (cred == NULL)
        return EOPNOTSUPP;
    struct exec_request r = {
        .cred = cred, .task = task, .flags = flags & (EXEC_NEWTASK | EXEC_SECURE | EXEC_DEFAULTS | EXEC_SIGTRAP),
        .path = path, .abspath = abspath,
        .argv = argv, .argv_count = argvCnt, .envp = envp, .envp_count = envpCnt,
        .fds = (mach_port_t *) fdarray, .fds_count = fdarrayCnt,
        .ports = (mach_port_t *) portarray, .ports_count = portarrayCnt,
        .ints = intarray, .ints_count = intarrayCnt,
        .dealloc = deallocnames, .dealloc_count = deallocnamesCnt,
        .destroy = destroynames, .destroy_count = destroynamesCnt,
    };
    error_t err = exec_request(&r);
    if (err)
        return err;
    drop(argvSCopy, argv, argvCnt);
    drop(envpSCopy, envp, envpCnt);
    drop(fdarraySCopy, fdarray, fdarrayCnt * sizeof *fdarray);
    drop(portarraySCopy, portarray, portarrayCnt * sizeof *portarray);
    drop(intarraySCopy, intarray, intarrayCnt * sizeof *intarray);
    drop(deallocnamesSCopy, deallocnames, deallocnamesCnt * sizeof *deallocnames);
    drop(destroynamesSCopy, destroynames, destroynamesCnt * sizeof *destroynames);
    return 0;
}

kern_return_t diskfs_S_file_exec(diskfs_protid_t cred, mach_port_t task, int flags, const_data_t argv,
                                 mach_msg_type_number_t argvCnt, boolean_t argvSCopy, const_data_t envp,
                                 mach_msg_type_number_t envpCnt, boolean_t envpSCopy, const_portarray_t fdarray,
                                 mach_msg_type_number_t fdarrayCnt, boolean_t fdarraySCopy,
                                 const_portarray_t portarray, mach_msg_type_number_t portarrayCnt,
                                 boolean_t portarraySCopy, const_intarray_t intarray,
                                 mach_msg_type_number_t intarrayCnt, boolean_t intarraySCopy,
                                 const_mach_port_name_array_t deallocnames, mach_msg_type_number_t deallocnamesCnt,
                                 boolean_t deallocnamesSCopy, const_mach_port_name_array_t destroynames,
                                 mach_msg_type_number_t destroynamesCnt, boolean_t destroynamesSCopy)
{
    return diskfs_S_file_exec_paths(cred, task, flags, "", "", argv, argvCnt, argvSCopy, envp, envpCnt, envpSCopy,
                                    fdarray, fdarrayCnt, fdarraySCopy, portarray, portarrayCnt, portarraySCopy,
                                    intarray, intarrayCnt, intarraySCopy, deallocnames, deallocnamesCnt,
                                    deallocnamesSCopy, destroynames, destroynamesCnt, destroynamesSCopy);
}
