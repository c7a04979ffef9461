/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fshelp: what every file system needs and none should write twice: users and permissions, translators (starting,
   linking, dropping), path names, advisory locks, options.

   Nothing here knows of a particular kind of node; trivfs and diskfs build on it.  Functions marked [pure] make no
   system call and run in unit tests on the host.  */

#ifndef FSHELP_FSHELP_H
#define FSHELP_FSHELP_H

#include <errno.h>
#include <mach.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <hurd/hurd_types.h>

/* ---- users: who stands behind a port --------------------------------------- */

/* The effective ids that an auth server vouched for. Constant after creation; shared by reference count.  */
struct fshelp_user {
    atomic_uint refs;
    unsigned int nuids, ngids;
    uid_t *uids;
    gid_t *gids;
};

/* A user with copies of the id vectors, one reference; NULL without memory.  The empty user (no ids: may do what
   `others` of nobody may) and root are ordinary values.  [pure] */
struct fshelp_user *fshelp_user_create(const uid_t *uids, unsigned int nuids, const gid_t *gids, unsigned int ngids);
struct fshelp_user *fshelp_user_create_root(void);
void fshelp_user_ref(struct fshelp_user *user);
void fshelp_user_deref(struct fshelp_user *user);
bool fshelp_user_has_uid(const struct fshelp_user *user, uid_t uid);  /* [pure] */
bool fshelp_user_has_gid(const struct fshelp_user *user, gid_t gid);  /* [pure] */
bool fshelp_user_is_root(const struct fshelp_user *user);             /* has uid 0 [pure] */
/* The ids of USER that are in the vectors too (io_restrict_auth); root may take on any.  NULL without memory. [pure] */
struct fshelp_user *fshelp_user_restrict(const struct fshelp_user *user, const uid_t *uids, unsigned int nuids,
                                         const gid_t *gids, unsigned int ngids);
/* A user of the lists of a request (fsys_getroot, io_restrict_auth), which are only read: restricted to the ids of
   LIMIT unless that is NULL.  NULL without memory, for lists of more than FSHELP_IDS_MAX ids, and for memory that
   cannot be touched. */
#define FSHELP_IDS_MAX 4096
struct fshelp_user *fshelp_user_create_sent(const struct fshelp_user *limit, const uid_t *uids, unsigned int nuids,
                                            const gid_t *gids, unsigned int ngids);
/* The server's half of io_reauthenticate, for OBJECT, a ports_object: asks AUTH (a send right, not consumed; null: our
   own, getauth()) who comes to RENDEZVOUS (a send right, consumed on success).  Does not wait: when he has come, in a
   thread of OBJECT's bucket, TAKE makes an object for USER (borrowed) of RECEIVE, to which he has got a send right;
   should auth refuse, nobody come (it gives that up after a minute) or TAKE fail, the right is destroyed. OBJECT is
   kept until then.  TAKE consumes RECEIVE on success. */
typedef error_t (*fshelp_reauth_take_t)(void *object, struct fshelp_user *user, mach_port_t receive);
error_t fshelp_reauthenticate(void *object, mach_port_t auth, mach_port_t rendezvous, fshelp_reauth_take_t take);
/* The user's half: shows *PORT's server by ASK (io_reauthenticate, proc_reauthenticate) for whom AUTH stands, and waits
   for the right that it gives him, which replaces *PORT.  After an error *PORT is as it was.  EINVAL: the server has
   given none.  ETIMEDOUT: it does not do its half, and auth has given that up after a minute. */
typedef kern_return_t (*fshelp_reauth_ask_t)(mach_port_t port, mach_port_t rendezvous, mach_msg_type_name_t type);
error_t fshelp_port_renew(mach_port_t *port, mach_port_t auth, fshelp_reauth_ask_t ask);

/* ---- permissions, on plain stat buffers [all pure] ------------------------- */

/* 0 if USER may access the node: OP is an or of S_IREAD, S_IWRITE, S_IEXEC; EACCES otherwise.  Root may read and write
   all, and execute what anybody may execute and search all directories. Honours the Hurd's S_IUSEUNK/S_IUNKNOWN bits
   for users without ids. */
error_t fshelp_access(const struct stat *node, int op, const struct fshelp_user *user);
/* 0 if USER owns the node or is root; EPERM otherwise.  */
error_t fshelp_check_owner(const struct stat *node, const struct fshelp_user *user);
/* May USER add an entry to DIR, or remove or replace the one that names NODE (NULL: no such node yet)? The sticky bit
   counts. EACCES, EPERM. */
error_t fshelp_check_dir_modify(const struct stat *dir, const struct stat *node, const struct fshelp_user *user);
/* Which of O_READ, O_WRITE, O_EXEC USER may open the node for: what file_check_access answers. */
int fshelp_allowed(const struct stat *node, const struct fshelp_user *user);
/* Rights to change: the caller may chown to OWNER/GROUP (-1: leave), chmod to MODE; gives EPERM or the mode with what
   must be cleared.  */
error_t fshelp_check_chown(const struct stat *node, uid_t owner, gid_t group, const struct fshelp_user *user);
error_t fshelp_check_chmod(const struct stat *node, mode_t mode, const struct fshelp_user *user, mode_t *result);

/* ---- paths [pure] ----------------------------------------------------------- */

/* Splits off the first component of *PATH (leading slashes skipped) into NAME (NAME_MAX+1 bytes) and moves *PATH behind
   it and the slashes that follow.  *LAST: nothing follows. *MUST_BE_DIR: trailing slashes followed the last one.
   ENAMETOOLONG; ENOENT when *PATH is empty.  */
error_t fshelp_path_step(const char **path, char *name, bool *last, bool *must_be_dir);

/* ---- translators ------------------------------------------------------------ */

/* The active translator of one node.  Embedded in the node; protected by the node's own lock, which the callers hold
   unless said otherwise.  Starting one drops the lock and marks the box, so that others wait and exactly one start
   happens.  */
struct fshelp_transbox {
    mach_port_t active;      /* send right of the control port, or MACH_PORT_NULL; node lock */
    bool starting;           /* node lock */
    unsigned int waiters;    /* node lock */
    unsigned int changes;    /* how often `active` has changed: names of ports are used again; node lock */
    pthread_cond_t wakeup;   /* a start has ended */
};
void fshelp_transbox_init(struct fshelp_transbox *box);
void fshelp_transbox_destroy(struct fshelp_transbox *box);
static inline bool fshelp_translated(const struct fshelp_transbox *box) { return box->active != MACH_PORT_NULL; }

/* How fshelp_transbox_root gets at what starting a translator needs.  */
struct fshelp_transbox_ops {
    /* A send right to the underlying node opened with FLAGS for the translator.  Node lock not held. */
    error_t (*underlying)(void *node, int flags, mach_port_t *port);
    /* The argument vector of the passive translator (argz in malloc'd memory), ENOENT if none.  Node lock held. */
    error_t (*argv)(void *node, char **argz, size_t *length);
    /* The ids that the translator runs with: the node's owner's.  Node lock held.  NULL: root. */
    void (*owner)(void *node, uid_t *uid, gid_t *gid);
    /* Waits until the program itself is so far that it can start others; its error is that of the start.  Node lock not
       held.  NULL: always. */
    error_t (*ready)(void);
};

/* Gives the root of the node's translator: starts the passive one if none is active (drops and takes NODE_LOCK again
   meanwhile), then asks fsys_getroot of it with DOTDOT (send right, not consumed), USER, FLAGS; result as of dir_lookup
   (RETRY, RETRY_NAME, *ROOT a send right for the caller).  A control port that turns out dead is dropped and the
   passive translator is started anew, once. ENOENT when the node has no translator at all (any more): the caller goes
   on with the node itself. */
error_t fshelp_transbox_root(struct fshelp_transbox *box, const struct fshelp_transbox_ops *ops, void *node,
                             pthread_mutex_t *node_lock, mach_port_t dotdot, const struct fshelp_user *user, int flags,
                             retry_type *retry, char *retry_name, mach_port_t *root);
/* Sets CONTROL (send right, consumed on success) as active translator; MACH_PORT_NULL clears. EBUSY while one is active
   and EXCL. The old one is given in *OLD, the caller's to ask to go away. */
error_t fshelp_transbox_set(struct fshelp_transbox *box, mach_port_t control, bool excl, pthread_mutex_t *node_lock,
                            mach_port_t *old);

/* Starts the program ARGZ (argv[0] is a path) as a translator: a new task through file_exec with our own auth narrowed
   to owner ids, cwd, root, the given stdio ports, its bootstrap port ours; waits for fsys_startup (at most TIMEOUT_MS),
   answers it with UNDERLYING(cookie, flags) and gives the child's control port in *CONTROL.  Errors of exec as they
   are, EDIED when the child died before, ETIMEDOUT.  */
error_t fshelp_translator_start(const char *argz, size_t length, uid_t uid, gid_t gid, int timeout_ms,
                                error_t (*underlying)(void *cookie, int flags, mach_port_t *port), void *cookie,
                                mach_port_t *control);

/* ---- advisory locks ----------------------------------------------------------- */

/* All locks of one node: flock's and fcntl's records, in one ordered list of ranges with owners. Node lock protects it.
   An owner is the address of a peropen, and closing drops its locks; or, of records, a port
   (fshelp_lock_record_port). */
struct fshelp_lockbox { struct fshelp_lock *records; pthread_cond_t wakeup; };
void fshelp_lockbox_init(struct fshelp_lockbox *box);
void fshelp_lockbox_destroy(struct fshelp_lockbox *box);
/* flock (file_lock): FLAGS of LOCK_SH, LOCK_EX, LOCK_UN, LOCK_NB. Blocks interruptibly. EWOULDBLOCK, EINTR, ENOLCK. */
error_t fshelp_lock_whole(struct fshelp_lockbox *box, pthread_mutex_t *node_lock, void *owner, int flags);
/* What OWNER holds and what others hold (LOCK_UN, LOCK_SH, LOCK_EX): file_lock_stat. */
void fshelp_lock_status(struct fshelp_lockbox *box, void *owner, int *mine, int *others);
/* fcntl (file_record_lock): CMD F_GETLK64, F_SETLK64, F_SETLKW64; l_start already absolute. EAGAIN, EINTR, EDEADLK,
   ENOLCK. */
error_t fshelp_lock_record(struct fshelp_lockbox *box, pthread_mutex_t *node_lock, void *owner, pid_t pid, int cmd,
                           struct flock64 *lock);
/* The same for the owner that is the port RENDEZVOUS (a send right, not consumed; file_record_lock): whoever names it
   has the same locks, through whatever open and on however many files, until they are unlocked or the port dies.  SITE,
   copied, says what is locked; its lock is not held by the caller.  BUCKET: where the port's death is told.  EINVAL
   also for a port that is dead, or one of this server's own. */
struct fshelp_lock_site {
    struct fshelp_lockbox *box;
    pthread_mutex_t *node_lock;
    void *node;
    void (*hold)(void *node);     /* NODE and BOX stay until RELEASE; both are called without locks */
    void (*release)(void *node);
};
struct ports_bucket;
error_t fshelp_lock_record_port(struct ports_bucket *bucket, mach_port_t rendezvous,
                                const struct fshelp_lock_site *site, pid_t pid, int cmd, struct flock64 *lock);
/* How many ports own locks, or are about to. */
unsigned int fshelp_lock_ports(void);
/* Has OWNER any lock in BOX?  */
bool fshelp_lock_holds(const struct fshelp_lockbox *box, const void *owner);
/* LOCK, counted as l_whence says from the start, OFFSET (the file pointer) or SIZE (the file's), counts from the start
   afterwards (SEEK_SET) and has no negative length.  EINVAL: no such whence, or before the start; EOVERFLOW.  [pure] */
error_t fshelp_lock_absolute(struct flock64 *lock, int64_t offset, int64_t size);
void fshelp_lock_drop(struct fshelp_lockbox *box, void *owner);

/* ---- notices of changes -------------------------------------------------------- */

/* Who wants to hear of a node's changes (file_notice_changes, dir_notice_changes): a list, NULL while it is empty,
   which the node's lock or another of its owner's protects.  One list may serve several nodes, which KEY tells apart.
   Notices are sent without waiting: who does not take one is dropped, and so is who dies, and who says of the first one
   that he does not know such messages. */
struct fshelp_notify;
/* Where a list is, for who has to find it without holding its lock. */
struct fshelp_notify_home {
    struct ports_bucket *bucket;        /* answers come in here */
    void *owner;
    void (*owner_ref)(void *owner);     /* each watcher has one; called with the list's lock held */
    void (*owner_deref)(void *owner);   /* called with it and, if this may be the last, without */
    /* WATCHER has died, or does not know notices: takes the list's lock and calls fshelp_notify_drop(list, WATCHER).  A
       reference to OWNER is held. */
    void (*drop)(void *owner, struct fshelp_notify *watcher);
};
/* PORT (a send right, consumed on success) hears of changes of KEY's file or directory from now on, of nothing having
   changed at once; if it does so already it hears that again.  EINVAL: a dead port or one of this server's own; ENOMEM;
   the error of sending. */
error_t fshelp_notify_add_file(struct fshelp_notify **list, const void *key, mach_port_t port,
                               const struct fshelp_notify_home *home);
error_t fshelp_notify_add_dir(struct fshelp_notify **list, const void *key, mach_port_t port,
                              const struct fshelp_notify_home *home);
/* Takes WATCHER out of LIST, if it is there still. */
void fshelp_notify_drop(struct fshelp_notify **list, struct fshelp_notify *watcher);
/* Tells of a change: START and END are bytes; NAME has LENGTH bytes, less than a string_t. */
void fshelp_notify_file(struct fshelp_notify **list, const void *key, file_changed_type_t change, loff_t start,
                        loff_t end);
void fshelp_notify_dir(struct fshelp_notify **list, const void *key, dir_changed_type_t change, const char *name,
                       size_t length);
/* Forgets all of them.  The caller has a reference to the owner. */
void fshelp_notify_clear(struct fshelp_notify **list);

/* ---- where a file's bytes are ------------------------------------------------- */

/* What file_get_storage_info answers. Zeroed but for kind and block_size: a file that lies nowhere. */
struct fshelp_storage {
    int kind;                /* STORAGE_* */
    mach_port_t port;        /* send right of the device or file, or MACH_PORT_NULL */
    uint32_t block_size;     /* bytes */
    char *name;              /* malloc'd: of the device or file; NULL: it has none */
    struct fshelp_run { off_t start, length; } *runs; /* malloc'd: in order, in blocks; start -1: a hole */
    size_t nruns;
};
/* Adds a run behind the others, joined with the last one if they are one. ENOMEM. */
error_t fshelp_storage_run(struct fshelp_storage *storage, off_t start, off_t length);
/* Gives all of it back; it is then that of a file that lies nowhere. */
void fshelp_storage_release(struct fshelp_storage *storage);
/* Fills the answer of the routine, whose arguments the others are (the right to be sent with MOVE_SEND); STORAGE is
   released in any case. ENOMEM. */
error_t fshelp_storage_answer(struct fshelp_storage *storage, portarray_t *ports, unsigned int *nports,
                              intarray_t *ints, unsigned int *nints, off_array_t *offsets, unsigned int *noffsets,
                              data_t *data, unsigned int *ndata);

/* ---- options ------------------------------------------------------------------- */

/* Common startup of a bootstrap translator's ports: gets the root of the file system behind CONTROL (fsys_getroot),
   makes AUTH, PROC and that root our own (setauth, setproc by _hurd_port_set, setcrdir, setcwdir): the seed's "It gets
   the root node of ext2fs, sets all common ports".  */
error_t fshelp_adopt_common_ports(mach_port_t control, mach_port_t auth, mach_port_t proc);

/* Attaches CONTROL (send right, not consumed) as active translator at PATH (FS_TRANS_SET on the active side) under root
   directory DIR. What `install as translator` means in the seed. */
error_t fshelp_install_translator(mach_port_t dir, const char *path, mach_port_t control);

#endif /* FSHELP_FSHELP_H */
