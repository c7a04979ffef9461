/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of lib/diskfs share and nobody else sees.  For the objects, their lives and the order of locks see
   diskfs.h.  */

#ifndef DISKFS_INTERNAL_H
#define DISKFS_INTERNAL_H

#include <diskfs/diskfs.h>

#include <dirent.h>
#include <fcntl.h>
#include <hurd/paths.h>
#include <limits.h>
#include <string.h>

#define STRING_MAX 1024                 /* bytes of a string_t */
#define SYMLINKS_MAX 40                 /* links followed in one lookup; ELOOP beyond */
/* What an open keeps of its flags. */
#define OPEN_MODES (O_READ | O_WRITE | O_EXEC | O_APPEND | O_ASYNC | O_FSYNC | O_NONBLOCK | O_NOATIME)
/* What io_set_*_openmodes may change. */
#define OPEN_SETTABLE (O_APPEND | O_ASYNC | O_FSYNC | O_NONBLOCK | O_NOATIME)

/* ---- node.c, names.c, times.c --------------------------------------------- */

extern unsigned int diskfs_idle_max;    /* idle nodes kept; set before the first lookup */
extern fsid_t diskfs_fsid;              /* our pid, as every server of files has its own; 0 before the boot's proc is
                                           there */

/* A node for the inode number that ops->node_alloc gave, referenced and locked. EIO: somebody has a node of that
   number. */
error_t diskfs_node_create_at(ino_t ino, mode_t mode, struct diskfs_node **node);
/* Writes all dirty nodes; goes on after errors and gives the last. */
error_t diskfs_node_write_all(bool wait);
/* Removes NODE, which is in use and has no name, from the disk: nothing of it is written any more. */
void diskfs_node_remove(struct diskfs_node *node);
/* Waits until no node is on its way out. */
void diskfs_node_await_dying(void);
/* Being made read-only: no change may begin. Looked at under a node's lock (sync.c). */
extern atomic_bool diskfs_frozen;
static inline bool diskfs_unwritable(void)
{
    return diskfs_readonly || atomic_load_explicit(&diskfs_frozen, memory_order_relaxed);
}

/* True if the cache knows what NAME in DIR stands for: *INO, 0 for no such entry. */
bool diskfs_names_lookup(ino_t dir, const char *name, size_t length, ino_t *ino);
/* These are called with the directory's node lock held. */
void diskfs_names_enter(ino_t dir, const char *name, size_t length, ino_t ino);
/* A name of INO: *DIR and NAME, NAME_MAX + 1 bytes. False: the cache knows none. */
bool diskfs_names_reverse(ino_t ino, ino_t *dir, char *name);
void diskfs_names_purge(ino_t dir);
void diskfs_names_purge_all(void);
unsigned int diskfs_names_count(void);

/* Maps the kernel's clock through its device master port; without it the time comes by message. */
void diskfs_time_map(mach_port_t device_master);
/* NODE's data was read: the access time is due unless it is newer than the last change and less than a day old. Node
   lock. */
void diskfs_node_accessed(struct diskfs_node *node);

/* ---- entry.c, rename.c: changing directories; know no message ------------------ */

/* The inode that NAME in DIR (locked) names, cache first. ENOENT, EIO. */
error_t diskfs_entry_find(struct diskfs_node *dir, const char *name, size_t length, ino_t *ino);
/* 0 if NAME may be made or removed: ENOENT when empty, EINVAL for "." and "..", ENAMETOOLONG, or with a slash
   EINVAL. */
error_t diskfs_entry_check_name(const char *name, size_t *length);
/* May USER look for names in DIR (locked)?  Who may not is not told which there are.  ENOTDIR, EACCES. */
error_t diskfs_entry_check_search(const struct diskfs_node *dir, const struct fshelp_user *user);
/* A new node that no directory names (st_nlink 0), of MODE with its type, for USER, near DIR (locked): referenced and
   locked. EROFS, ENOSPC. */
error_t diskfs_entry_make_node(struct diskfs_node *dir, mode_t mode, const struct fshelp_user *user,
                               struct diskfs_node **node);
/* Makes a regular file NAME in DIR (locked), which is known not to exist; the node referenced and locked. */
error_t diskfs_entry_create(struct diskfs_node *dir, const char *name, size_t length, mode_t mode,
                            const struct fshelp_user *user, struct diskfs_node **node);
/* Each takes unlocked nodes and checks everything, permissions too. */
error_t diskfs_entry_mkdir(struct diskfs_node *dir, const char *name, mode_t mode, const struct fshelp_user *user);
error_t diskfs_entry_rmdir(struct diskfs_node *dir, const char *name, const struct fshelp_user *user);
/* *VICTIM: the node that lost its name, referenced, for the caller to look after (translator) and to deref. */
error_t diskfs_entry_unlink(struct diskfs_node *dir, const char *name, const struct fshelp_user *user,
                            struct diskfs_node **victim);
error_t diskfs_entry_link(struct diskfs_node *dir, struct diskfs_node *node, const char *name, bool excl,
                          const struct fshelp_user *user);
/* *REPLACED, if not a null pointer: the node that lost the name TO_NAME, as *VICTIM above; NULL if there was none. */
error_t diskfs_entry_rename(struct diskfs_node *from, const char *from_name, struct diskfs_node *to,
                            const char *to_name, bool excl, const struct fshelp_user *user,
                            struct diskfs_node **replaced);
/* DIR has changed: times, generation, name cache, notices; writes it if changes are to be synchronous. Locked. */
void diskfs_dir_changed(struct diskfs_node *dir, const char *name, size_t length, ino_t ino, dir_changed_type_t change);
/* NODE's attributes changed: ctime due, dirty, written if changes are to be synchronous. Locked. */
error_t diskfs_node_changed(struct diskfs_node *node);

/* ---- walk.c: from a path to a node; knows no message -------------------------------- */

/* Where opens come from: shared by all that were reached through one mount (or chroot). Constant after creation but for
   refs. */
struct diskfs_origin {
    atomic_uint refs;
    mach_port_t root_parent;            /* send right: `..` of the root; MACH_PORT_NULL: the root itself */
    struct diskfs_node *shadow_root;    /* referenced: a directory that shall look like a root (file_reparent), or
                                           NULL */
    mach_port_t shadow_parent;          /* send right: its `..` */
};

enum diskfs_walk_outcome {
    WALK_NODE,        /* `node` is it */
    WALK_TRANSLATED,  /* `node`, an entry of `dir`, has a translator, from whose root `rest` goes on ("" when it is
                         itself meant) */
    WALK_PARENT,      /* out of our root: `rest` goes on from the origin's parent */
    WALK_MAGIC,       /* `rest` is an absolute name that the client must look up */
};

struct diskfs_walk {
    /* given */
    struct diskfs_node *start;          /* the caller's reference */
    const char *path;
    int flags;                          /* of dir_lookup */
    mode_t mode;
    const struct fshelp_user *user;
    const struct diskfs_origin *origin;
    /* found */
    enum diskfs_walk_outcome outcome;
    struct diskfs_node *node;           /* referenced: WALK_NODE, WALK_TRANSLATED */
    struct diskfs_node *dir;            /* referenced: WALK_TRANSLATED; what goes on (diskfs_walk_resume) */
    bool created;                       /* the node is new: no permissions to check */
    mach_port_t parent;                 /* WALK_PARENT: borrowed of the origin */
    char rest[STRING_MAX];
    /* the walk's own */
    char text[STRING_MAX];              /* the path, once a symbolic link was in it */
    unsigned int links;
    bool last, must_be_dir;
};

/* Walks. The errors of the walk: ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG, EEXIST, EIO, ... Nothing is referenced
   then. */
error_t diskfs_walk(struct diskfs_walk *walk);
/* After WALK_TRANSLATED the translator turned out to be none: goes on with the node itself. */
error_t diskfs_walk_resume(struct diskfs_walk *walk);
/* The target of the symbolic link NODE (locked), kept with the node. */
error_t diskfs_link_target(struct diskfs_node *node, const char **target);
/* True if opening NODE (locked) with FLAGS means asking a translator. */
bool diskfs_node_translated(const struct diskfs_node *node, int flags);
/* The checks of an open with FLAGS of NODE (locked). EACCES, EISDIR, EROFS. */
error_t diskfs_open_check(const struct diskfs_node *node, int flags, const struct fshelp_user *user);

/* ---- io.c -------------------------------------------------------------------------------- */

/* After NODE (locked) was written or cut by USER: times, and no set-id bits unless he is root. */
void diskfs_node_written(struct diskfs_node *node, const struct fshelp_user *user);

/* ---- file.c ------------------------------------------------------------------------------ */

/* The node that a handle of file_getfh names, referenced. EINVAL, ESTALE. */
error_t diskfs_handle_lookup(const char *data, size_t length, struct diskfs_node **node);

/* ---- notice.c ------------------------------------------------------------------------- */

void diskfs_notice_dir(struct diskfs_node *dir, dir_changed_type_t change, const char *name, size_t length);
void diskfs_notice_file(struct diskfs_node *node, file_changed_type_t change, loff_t start, loff_t end);
/* Forgets who wants to hear of NODE (unlocked, a reference held) if nothing can change any more: it has no name and is
   not open. */
void diskfs_notice_end(struct diskfs_node *node);

/* ---- peropen.c ---------------------------------------------------------------------------- */

struct diskfs_peropen {
    atomic_uint refs;
    struct diskfs_node *node;           /* constant, referenced */
    struct diskfs_origin *origin;       /* constant, referenced */
    pthread_mutex_t lock;
    atomic_int flags;                   /* O_*, OPEN_MODES */
    off_t offset;                       /* lock */
    struct diskfs_stream stream;        /* lock */
    struct diskfs_cursor cursor;        /* directories: where the previous dir_readdir ended; lock */
    pid_t owner;                        /* io_mod_owner; lock */
    bool locks;                         /* may hold advisory locks: to be dropped at the end; node lock */
};

struct diskfs_protid {
    struct ports_object port;
    struct diskfs_peropen *po;          /* constant, referenced */
    struct fshelp_user *user;           /* constant, referenced; replaced only before anybody has the port */
};

struct diskfs_control { struct ports_object port; };

extern atomic_uint diskfs_peropens;     /* files open */
extern struct ports_class diskfs_protid_class, diskfs_control_class;

struct diskfs_origin *diskfs_origin_create(mach_port_t root_parent, struct diskfs_node *shadow_root,
                                           mach_port_t shadow_parent);
void diskfs_origin_ref(struct diskfs_origin *origin);
void diskfs_origin_deref(struct diskfs_origin *origin);

/* An open of NODE (whose reference is taken on success) with FLAGS in ORIGIN: one reference. ENOMEM. */
error_t diskfs_peropen_create(struct diskfs_node *node, int flags, struct diskfs_origin *origin,
                              struct diskfs_peropen **po);
void diskfs_peropen_ref(struct diskfs_peropen *po);
void diskfs_peropen_deref(struct diskfs_peropen *po);

/* A port to PO (its own reference is taken) for USER (likewise). */
error_t diskfs_protid_create(struct diskfs_peropen *po, struct fshelp_user *user, struct diskfs_protid **protid);
/* Both at once, and the reply argument: *PORT is to be sent with *TYPE. Takes the caller's reference to NODE in any
   case. */
error_t diskfs_open_reply(struct diskfs_node *node, int flags, struct diskfs_origin *origin, struct fshelp_user *user,
                          mach_port_t *port, mach_msg_type_name_t *type);
/* The same as a send right, the caller's. */
error_t diskfs_open_right(struct diskfs_node *node, int flags, struct diskfs_origin *origin, struct fshelp_user *user,
                          mach_port_t *right);

/* ---- translator.c ---------------------------------------------------------------------------- */

/* Asks the translator of NODE (unlocked), an entry of DIR (NULL: it is the root, seen from DOTDOT), for its root, as
   dir_lookup and fsys_getroot do: the answer in RETRY, RETRY_NAME (REST added), *ROOT (a send right). ENOENT: there is
   none. */
error_t diskfs_translator_root(struct diskfs_node *node, struct diskfs_node *dir, mach_port_t dotdot,
                               struct diskfs_origin *origin, struct fshelp_user *user, int flags, const char *rest,
                               retry_type *retry, char *retry_name, mach_port_t *root);
/* LENGTH bytes of DATA, which a client sent and which may be memory of his that faults, changes or never answers, as
   malloc'd memory of our own with a NUL behind: called before any lock is taken.  E2BIG beyond 64 KiB, EFAULT,
   ENOMEM. */
error_t diskfs_copy_in(const char *data, size_t length, char **copy);
/* Lets go of the active translator of NODE (unlocked, a reference held) if it has no name: nobody finds it there.
   dirs.c */
void diskfs_translator_let_go(struct diskfs_node *node);
/* References for those who know a node as a `void *`. */
static inline void node_ref_hook(void *node) { diskfs_node_ref(node); }
static inline void node_deref_hook(void *node) { diskfs_node_deref(node); }
/* Whether NODE's active translator or who watches it keeps it in memory, which must end when it has no name: a glance
   without its lock. */
static inline bool node_is_kept(const struct diskfs_node *node)
{
    return __atomic_load_n(&node->held, __ATOMIC_RELAXED) || __atomic_load_n(&node->notify, __ATOMIC_RELAXED) != NULL;
}
/* Takes or drops the library's reference to NODE (locked; the caller has one too) as its translator demands. */
void diskfs_node_hold(struct diskfs_node *node);
/* Sees to it that the death of NODE's (locked) active translator is heard of, after that may have changed; part of
   diskfs_node_hold. watch.c */
void diskfs_watch_update(struct diskfs_node *node);
/* Notes where NODE (locked) is named, if it has an active translator and the name cache knows; otherwise forgets it.
   children.c */
void diskfs_place_note(struct diskfs_node *node);
/* NODE (not locked by the caller) has been given the name NAME in the directory DIR in the place of the one it had. */
void diskfs_place_moved(struct diskfs_node *node, ino_t dir, const char *name, size_t length);
/* A control port of NODE's active translator, a send right for the caller, or MACH_PORT_NULL. Locked. */
mach_port_t diskfs_translator_control(struct diskfs_node *node);
/* Runs FN(control, ARG) on each active translator's control port, without locks. The last error is given. */
error_t diskfs_translators_iterate(error_t (*fn)(mach_port_t control, void *arg), void *arg);

/* ---- ask.c -------------------------------------------------------------------------------------- */

/* Tells the translator behind CONTROL that its node has no name any more; it may do with that what it likes. */
void diskfs_child_unlinked(mach_port_t control);
/* fsys_syncfs of all active translators and those below them, at once. The last error; ETIMEDOUT: some had not answered
   after half a minute. */
error_t diskfs_children_sync(bool wait);

/* ---- sync.c ------------------------------------------------------------------------------------ */

extern atomic_int diskfs_sync_interval;  /* seconds, 0: no periodic sync */

error_t diskfs_sync_all(bool wait, bool clean);
error_t diskfs_syncfs(bool wait, bool children);
void diskfs_sync_start(void);
/* Tells the thread that the interval has changed. */
void diskfs_sync_rearm(void);
/* Makes the file system read-only or writable; holds back all requests meanwhile. EROFS, EBUSY, EIO. */
error_t diskfs_set_readonly(bool readonly);
/* The system goes down: as above, and files without a name are removed though they are open. */
error_t diskfs_last_sync(void);
error_t diskfs_reload(void);

/* ---- goaway.c ------------------------------------------------------------------------------------ */

/* The node below has lost its name, and the program ends with its last user.  Whoever closes a file or loses a
   translator says so then. */
extern atomic_bool diskfs_is_cut_off;
void diskfs_cut_off_check(void);

/* ---- options.c ----------------------------------------------------------------------------------- */

error_t diskfs_options_set(const char *argz, size_t length);
error_t diskfs_options_get(char **argz, size_t *length);
void diskfs_options_parse(const struct argp_child *children, int argc, char **argv);

/* ---- console.c -------------------------------------------------------------------------------------- */

/* A send right to an io object that reads and writes the Mach console DEVICE (a send right, kept). */
error_t diskfs_console_right(mach_port_t device, mach_port_t *right);

/* ---- pages.c ------------------------------------------------------------------------------------------- */

/* SIZE bytes (whole pages) for an answer, which the kernel unmaps when it leaves with the message; what was in the
   pages before may still be there. The caller's, to be given to vm_deallocate. */
kern_return_t diskfs_pages_allocate(vm_address_t *address, size_t size);

/* ---- exec.c -------------------------------------------------------------------------------------------- */

/* The exec server, a send right of the library's; MACH_PORT_NULL: look at /servers/exec. Set once, before it is
   used. */
extern mach_port_t diskfs_exec_server;

/* ---- boot.c, boot-init.c, init.c --------------------------------------------------------------------------- */

extern mach_port_t diskfs_bootstrap;     /* the bootstrap port we were started with (send right), or null */
extern mach_port_t diskfs_console;       /* the Mach console device, or null */
extern struct diskfs_origin *diskfs_origin_boot; /* of the boot file system: no parent */
extern char **diskfs_argv;

extern mach_port_t diskfs_exec_control;  /* exec's control port, from its fsys_startup */
/* For fshelp_reauthenticate: *AUTH is null, but the boot file system's own auth port (borrowed) before the C library
   knows it; waits until there is one (fsys_init).  EINTR. */
error_t diskfs_auth_await(mach_port_t *auth);
/* For fshelp_transbox_ops: waits while the boot file system is becoming a process (from fsys_init on): before it is one
   it cannot start translators.  What is started even earlier fails at once.  EINTR, ETIMEDOUT. */
error_t diskfs_starts_await(void);
/* An ordinary translator asks to be told when the system goes down. */
void diskfs_request_shutdown_notice(void);

void diskfs_start_bootstrap(void);
void diskfs_call_fsys_startup(mach_port_t bootstrap, bool want_node);
/* The bootstrap parent knows our control port (fsys_startup has been answered); its fsys_init waits for that.
   boot-init.c */
void diskfs_boot_parent_told(void);
/* A send right to our root for root, not to be deallocated. */
mach_port_t diskfs_boot_root(void);
/* Is this the boot file system, and not yet told of proc and auth? */
bool diskfs_is_boot(void);

#endif /* DISKFS_INTERNAL_H */
