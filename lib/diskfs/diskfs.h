/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diskfs: everything of a disk file system that is not its format.

   A file system server (the *backend*, e.g. ext2fs) gives a table of operations on nodes, directories and the super
   block; the library answers fs.defs, io.defs, fsys.defs and the bootstrap's protocols for it, keeps nodes and names in
   memory, walks paths, starts translators, checks permissions, and does the dance of seeds/bootstrap.txt.

   The objects:
     node     a file in memory, one per inode number; lives in the node cache (node.c)
     peropen  one open(): modes, offset, the way it was reached (`..` above the root, translator it belongs to)
     protid   a port to a peropen for one user (lib/ports object); what clients hold

   Life of a node.  A node has two counts.  `refs` are its users: peropens, walks, the backend while it works.  `weak`
   are held by what merely caches (the backend's pager): the structure stays, but the node counts as unused.  When the
   last user goes:
     - stat.st_nlink > 0: it goes to the end of the list of idle nodes and stays there, name cache and all, until so
       many others are idle that it is evicted (ops->node_idle_drop asks the backend to give up its weak references;
       when the last has gone, the node is written if dirty, ops->node_forget is called and the memory is freed);
     - stat.st_nlink == 0: ops->node_idle_drop, and as soon as the last weak reference has gone, ops->node_delete (which
       frees blocks and inode on disk), then ops->node_forget.
   Whoever holds a weak reference may take a real one at any time (diskfs_node_ref).

   Locks, in the order in which they are taken:
     1. rename_lock (library)           one rename of a directory at a time
     2. node->lock                      a directory before what it names; `..` never with its child locked; two
                                        unrelated ones only by rename, which takes the lower inode number first after
                                        having checked ancestry
     3. the backend's locks             allocation maps, block cache, per-node block map
     4. cache_lock, names_lock (library) leaves: nothing is taken below them
   and before 2: peropen->lock (library), held over a read or write that uses the peropen's offset and stream.
   The backend's pager threads NEVER take node->lock (a thread that holds it may be faulting on the very page): the
   block map and the size that the pager sees are protected by a lock of the backend's (order 3).

   Every operation below is called with node->lock (dir->lock) held unless its comment says otherwise.  An operation may
   block on the disk.  It reports damage on the disk as EIO after one clear line on stderr, and never asserts on it.

   Dirty state.  Who changes node->stat or what is in the backend's part of the inode calls diskfs_node_mark_dirty.  The
   library writes dirty nodes by ops->node_write: from the periodic sync, on fsync, syncfs, eviction.

   Times.  Operations never set times: the library sets atime_due/mtime_due/ctime_due and turns them into times by
   diskfs_node_settle_times before anybody looks or the node is written (one look at the mapped clock, no message).  */

#ifndef DISKFS_DISKFS_H
#define DISKFS_DISKFS_H

#include <argp.h>
#include <fshelp/fshelp.h>
#include <hurd/hurd_types.h>
#include <ports/ports.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statfs.h>

struct diskfs_ops;
struct diskfs_node;
struct fshelp_notify;

/* ---- nodes ------------------------------------------------------------------- */

/* The library's part of a node; the backend's structure has it as its first member (ops->node_size).  */
struct diskfs_node {
    ino_t ino;                     /* constant */
    pthread_mutex_t lock;
    struct stat stat;              /* as io_stat shows it; st_mode without S_IPTRANS/S_IATRANS. node lock */
    bool has_passive;              /* a passive translator is kept on disk (gnu.translator). node lock */
    bool dirty;                    /* stat or the backend's part differs from the disk; cache_lock */
    bool atime_due, mtime_due, ctime_due; /* set to "now" at the next settle; node lock */
    atomic_bool touched;           /* diskfs_node_touched was called; no lock */
    atomic_bool loaded;            /* node_read or node_create has succeeded; set under the node lock */
    error_t load_error;            /* what node_read said, when it failed; node lock */
    struct fshelp_transbox transbox;   /* active translator; node lock */
    struct fshelp_lockbox lockbox;     /* advisory locks; node lock */
    struct fshelp_notify *notify;      /* who wants to hear of changes; node lock */
    struct diskfs_watch *watch;        /* hears of the active translator's death (watch.c); node lock */
    struct diskfs_place *place;        /* where it was named when it got a translator (children.c); node lock */
    atomic_uint opens;                 /* its peropens; no lock */
    unsigned int change_tick;          /* node lock */
    char *link;                    /* target of a symbolic link once read, NUL-terminated; node lock */
    uint64_t dir_generation;       /* directories: changes whenever entries change; node lock */

    bool held;                     /* the library holds a reference because of transbox; node lock */
    struct ports_object *identity; /* the port that io_identity gives while somebody has it; identity_lock
                                      (io-auth.c), a leaf */

    /* the node cache's own; cache_lock */
    unsigned int refs, weak;
    bool removed;                  /* gone from the disk although somebody has it open (diskfs_node_remove): never
                                      written again; cache_lock */
    bool dying;                    /* being deleted or forgotten: lookups wait */
    bool idle;                     /* on the idle list */
    struct diskfs_node *hash_next;
    struct diskfs_node *idle_prev, *idle_next;
    struct diskfs_node *dirty_prev, *dirty_next;
};

/* The node with number INO, referenced, not locked, in *NODE; read from disk when it is not in memory (ops->node_read).
   EIO, ENOMEM, ESTALE when the inode is not in use. */
error_t diskfs_node_lookup(ino_t ino, struct diskfs_node **node);
/* The same, only if it is in memory; NULL otherwise. Never blocks on the disk. */
struct diskfs_node *diskfs_node_peek(ino_t ino);
void diskfs_node_ref(struct diskfs_node *node);
/* Gives up a reference; NODE must not be locked by the caller. May write to the disk (deletion). */
void diskfs_node_deref(struct diskfs_node *node);
/* Unlocks, then gives up the reference. */
void diskfs_node_put(struct diskfs_node *node);
void diskfs_node_weak_ref(struct diskfs_node *node);
/* As diskfs_node_deref; called by the backend without any lock of its own that node_delete or node_forget take. */
void diskfs_node_weak_deref(struct diskfs_node *node);
/* Notes that the node must be written. Any lock may be held except leaves. */
void diskfs_node_mark_dirty(struct diskfs_node *node);
/* Turns due times into times; node lock held. */
void diskfs_node_settle_times(struct diskfs_node *node);
/* Settles the times and calls ops->node_write if dirty; node lock held. */
error_t diskfs_node_update(struct diskfs_node *node, bool wait);
/* Runs FN(node, ARG) on each node in memory (refs, weak or idle) with a reference and without locks; stops at the first
   error. */
error_t diskfs_node_iterate(error_t (*fn)(struct diskfs_node *node, void *arg), void *arg);
/* How many nodes are in memory / of these idle (tests, statistics). */
void diskfs_node_count(unsigned int *total, unsigned int *idle);

/* ---- what the backend gets from the library ------------------------------------- */

/* How one open file is being read: lets the backend read ahead. One per peropen; peropen->lock is held while the
   backend uses it in ops->read, which it may update.  The library keeps `next` and `run`. */
struct diskfs_stream {
    off_t next;          /* where the previous read ended */
    size_t run;          /* bytes read in order up to `next`, 0 after a jump */
    off_t ahead;         /* the backend's: up to where it has asked for data already */
};

/* Where a read puts its bytes (as trivfs_buffer): DATA has room for CAPACITY bytes inside the reply. For more the
   backend calls diskfs_buffer_reserve, or sets DATA to page-aligned vm_allocate'd memory of its own and RESERVED (it is
   then sent out of line and deallocated: handed over without a copy). */
struct diskfs_buffer {
    char *data;
    size_t length;       /* bytes that the operation put there */
    size_t capacity;
    bool reserved;
    bool raw;            /* the library's: reserved memory need not be cleared, the library clears what is left of its
                            last page */
};
error_t diskfs_buffer_reserve(struct diskfs_buffer *buffer, size_t size);

/* What ops->dir_lookup found, or where the name could go: opaque to the library, valid as long as the directory stays
   locked and nothing else is done to it. */
struct diskfs_slot { uint64_t word[6]; };

/* A place in a directory for dir_iterate. COOKIE is the backend's (0: the beginning), e.g. the byte offset of the next
   record; entries may have been added and removed since: the backend finds the first record at or behind it.  */
struct diskfs_cursor { unsigned int entry; uint64_t cookie; };

/* Takes one directory entry; true: go on, false: no room, do not advance past this one. TYPE: DT_*. */
typedef bool (*diskfs_emit_t)(void *arg, ino_t ino, int type, const char *name, size_t name_length);

/* ---- what the backend gives ------------------------------------------------------- */

struct diskfs_ops {
    const char *name;           /* "ext2fs": messages, io_server_version, process name, file system type in options */
    const char *version;        /* of the program, "major.minor.edit" */
    int fstype;                 /* FSTYPE_* for stat and statfs */
    size_t node_size;           /* bytes of the backend's node */
    unsigned int name_max;      /* longest name in a directory */
    unsigned int link_max;      /* largest link count; EMLINK beyond */
    off_t size_max;             /* largest size of a file; EFBIG beyond */

    /* --- inodes --- */

    /* Fills NODE (zeroed behind the library's part; ino set) from the disk: stat (all but st_fsid, st_fstype, st_dev),
       has_passive. Nobody else sees the node yet. EIO; ESTALE when the inode is free. The backend sets st_ino, st_gen
       too. */
    error_t (*node_read)(struct diskfs_node *node);
    /* Writes stat and whatever else is in the inode; WAIT: it is on the disk on return. The `dirty` flag has been
       cleared already (the library sets it again on error). */
    error_t (*node_write)(struct diskfs_node *node, bool wait);
    /* Takes a free inode for a new file of type and mode MODE that will be named in DIR (locked; NULL: nowhere yet) and
       gives its number: allocated on disk from now on, not yet linked. ENOSPC. */
    error_t (*node_alloc)(struct diskfs_node *dir, mode_t mode, ino_t *ino);
    /* Makes NODE, of a number that node_alloc gave, an empty file: sets st_ino, st_gen, st_blksize and its own part.
       The library sets mode, ids, times, st_nlink (0). */
    error_t (*node_create)(struct diskfs_node *node, mode_t mode);
    /* Gives a number of node_alloc back when no node came of it. No lock held but perhaps a directory's. */
    void (*node_unalloc)(ino_t ino, mode_t mode);
    /* No users and no link any more: frees blocks, translator and inode on disk. No lock is held; nobody else has the
       node. Errors are the backend's to report. When the file system is read-only it is not called. */
    void (*node_delete)(struct diskfs_node *node);
    /* Releases the backend's memory of the node, not the node itself. No lock is held; nobody else has the node. */
    void (*node_forget)(struct diskfs_node *node);
    /* No users: give up weak references as soon as possible (at once, or later when the kernel has let go of the memory
       object; data not yet on the disk is written first when st_nlink > 0, thrown away otherwise). No lock is held, but
       the library has taken a reference for the time of the call. May be NULL when the backend takes no weak
       references. */
    void (*node_idle_drop)(struct diskfs_node *node);

    /* --- contents --- */

    /* Reads at most AMOUNT bytes from OFFSET (both ≥ 0) into BUFFER; end of file gives fewer, or none. STREAM may be
       NULL. EIO. May drop node->lock while it waits when it looks at the size again afterwards. */
    error_t (*read)(struct diskfs_node *node, off_t offset, size_t amount, struct diskfs_stream *stream,
                    struct diskfs_buffer *buffer);
    /* Writes LENGTH bytes of DATA at OFFSET, extends st_size as needed, and says in *AMOUNT how many were written (an
       error only if none). ENOSPC, EFBIG, EIO. DATA may be page-aligned memory that came out of line: the backend must
       not keep it. */
    error_t (*write)(struct diskfs_node *node, off_t offset, const void *data, size_t length, size_t *amount);
    /* Changes st_size, freeing blocks behind (and zeroing the rest of the last one) or leaving a hole; coherent with
       mappings. */
    error_t (*set_size)(struct diskfs_node *node, off_t size);
    /* A send right to the memory object of a regular file (or of a directory's or link's data), the caller's. PROT:
       VM_PROT_READ, VM_PROT_WRITE: what may be done through it. Coherent with read and write.  A weak reference of the
       backend keeps the node while the kernel uses it. */
    error_t (*map)(struct diskfs_node *node, vm_prot_t prot, memory_object_t *object);
    /* Where from OFFSET (below st_size) on the next data lies, or with HOLE the next hole, in *FOUND: OFFSET itself if
       it is in one; st_size when there is none behind. NULL: a file without holes. */
    error_t (*seek)(struct diskfs_node *node, off_t offset, bool hole, off_t *found);
    /* Brings the file's data, and unless DATA_ONLY its inode and indirect blocks, to the disk; WAIT: they are there on
       return. The library has called diskfs_node_settle_times. May drop node->lock while it waits. */
    error_t (*node_sync)(struct diskfs_node *node, bool wait, bool data_only);
    /* The target of a symbolic link, st_size bytes into BUFFER, which has room for them. */
    error_t (*link_read)(struct diskfs_node *node, char *buffer);
    /* Makes NODE (empty, new) a symbolic link to TARGET: contents and st_size; the library has set S_IFLNK.
       ENAMETOOLONG. */
    error_t (*link_write)(struct diskfs_node *node, const char *target, size_t length);
    /* NODE, which is empty, is about to become a file of type TYPE (S_IF*, not a directory), a device with the number
       RDEV: nothing may be left of what its old type kept (buffers of contents, a device's number in the place of the
       block map). The library sets st_mode and st_rdev afterwards. EINVAL: the format has no room for RDEV; EBUSY: the
       contents are mapped. NULL: types do not change. */
    error_t (*node_retype)(struct diskfs_node *node, mode_t type, dev_t rdev);

    /* --- directories --- */

    /* Finds NAME (".." too, never ".") in DIR: *INO and SLOT for removing or rewriting; ENOENT, then SLOT says where it
       could be entered. SLOT may be NULL: a look only. EIO. The library has the name cache in front of this. */
    error_t (*dir_lookup)(struct diskfs_node *dir, const char *name, size_t length, ino_t *ino,
                          struct diskfs_slot *slot);
    /* Enters NAME → INO of file type TYPE (DT_*) at SLOT of a dir_lookup that said ENOENT. ENOSPC. Directory link
       counts are the library's business; st_size the backend's. */
    error_t (*dir_enter)(struct diskfs_node *dir, const char *name, size_t length, ino_t ino, int type,
                         struct diskfs_slot *slot);
    /* Removes the entry that SLOT of a successful dir_lookup names. */
    error_t (*dir_remove)(struct diskfs_node *dir, struct diskfs_slot *slot);
    /* Makes that entry name another inode (rename over an existing name, `..` of a moved directory). */
    error_t (*dir_rewrite)(struct diskfs_node *dir, struct diskfs_slot *slot, ino_t ino, int type);
    /* Gives an empty new directory its "." and ".." (PARENT). The library counts the links. */
    error_t (*dir_init)(struct diskfs_node *dir, ino_t parent);
    /* 0 if there is nothing but "." and ".."; ENOTEMPTY; EIO. */
    error_t (*dir_check_empty)(struct diskfs_node *dir);
    /* Calls EMIT for the entries from CURSOR on (with "." and ".."), moving CURSOR (entry by one, cookie) behind each
       that was taken, until EMIT says false or the end. */
    error_t (*dir_iterate)(struct diskfs_node *dir, struct diskfs_cursor *cursor, diskfs_emit_t emit, void *arg);

    /* --- passive translators --- */

    /* The argument vector kept with the node in malloc'd memory; ENOENT. Only called when has_passive. */
    error_t (*translator_get)(struct diskfs_node *node, char **argz, size_t *length);
    /* Keeps it; LENGTH 0 removes it. Sets has_passive. ENOSPC, EOPNOTSUPP. */
    error_t (*translator_set)(struct diskfs_node *node, const char *argz, size_t length);

    /* --- the whole --- */

    /* Fills F (f_type and f_fsid are the library's). No lock. */
    error_t (*statfs)(struct statfs64 *f);
    /* Writes all dirty metadata of the backend's (block cache, bitmaps, super block) and, with DATA, the dirty pages of
       all files. CLEAN: marks the file system clean (not in use or read-only from now on) or dirty; the library has
       written all nodes before. WAIT: it is on the disk, flushed, on return. No lock. */
    error_t (*sync)(bool data, bool wait, bool clean);
    /* The file system is to become read-only or writable: the backend checks that it may (ro_compat features, errors)
       and stops or starts allowing writes. All requests have been held back and everything is synced. No lock.
       diskfs_readonly still has the old value. */
    error_t (*set_readonly)(bool readonly);
    /* Reads everything anew from the disk (option --update, after fsck of a read-only root): drop cached metadata.
       Nodes are reread one by one by the library with node_read on the existing structure after node_forget. NULL:
       EOPNOTSUPP. */
    error_t (*reload)(void);
    /* Where NODE's data lies on the medium, for file_get_storage_info: fills STORAGE (fshelp.h), all of it, the
       caller's to release by fshelp_storage_release. It has brought the data there before it answers. NULL or
       EOPNOTSUPP: STORAGE_OTHER. May drop node->lock while it waits. */
    error_t (*storage)(struct diskfs_node *node, struct fshelp_storage *storage);
    /* The source as shown by fsys_get_source, e.g. "device:wd0". Static or malloc'd for ever; may change. */
    const char *(*source)(void);
    /* The backend's own options at run time (fsysopts), one word without its value split: 0, or EINVAL if unknown.
       NULL: none. */
    error_t (*set_option)(const char *option);
    /* Appends the backend's own options to the vector. NULL: none. */
    error_t (*get_options)(char **argz, size_t *length);
};

/* ---- the state of the server --------------------------------------------------------- */

extern const struct diskfs_ops *diskfs_ops;   /* set by diskfs_init_main; constant afterwards */
extern bool diskfs_readonly;                  /* changes only while all RPCs are held back */
extern bool diskfs_nosuid, diskfs_noexec;     /* --no-suid, --no-exec: looked at by exec and by opens to execute; one
                                                 word each, no lock */
/* When reading sets access times: never (--no-atime), if they are older than the last change or a day (the default), at
   every access (--strictatime). */
extern enum diskfs_atime { DISKFS_ATIME_RELATIVE, DISKFS_ATIME_NEVER, DISKFS_ATIME_ALWAYS } diskfs_atime;
extern bool diskfs_synchronous;               /* --sync without a number: every change goes to the disk before it is
                                                 answered */
extern struct diskfs_node *diskfs_root;       /* the root directory, referenced; constant after diskfs_startup_diskfs */
extern struct ports_bucket *diskfs_bucket;    /* protids and control ports */

/* What the command line said. Strings live for ever. */
struct diskfs_arguments {
    const char *store_type;        /* -T TYPE, "typed" as a rule; NULL when not given: STORE is a file name or typed
                                      name */
    char **stores;                 /* the names that remain, at least one */
    unsigned int nstores;
    const char *multiboot_command_line; /* NULL when this is not the boot file system */
    mach_port_t host_priv, device_master; /* 0 when not given */
    mach_port_t exec_server_task, kernel_task;
    bool trace_boot;               /* say each step of the boot (dance.h) */
};
extern struct diskfs_arguments diskfs_arguments;

/* ---- initialisation: what a backend's main does, in this order ------------------------ */

/* Seed, "ext2fs initialization": parses the command line with argp (OPTIONS: the backend's own children or NULL), makes
   stdout a working one by opening the Mach console, takes the bootstrap port (and sets it to null when this is the boot
   file system: what rumpdisk gave is kept for diskfs_device_master and diskfs_call_fsys_startup), initializes the
   library and spawns the thread that handles its RPCs. Wrong usage ends the program with one line. */
void diskfs_init_main(const struct diskfs_ops *ops, const struct argp_child *options, int argc, char **argv);

/* The port to open devices on (a send right of the library's, not to be deallocated): the port that the bootstrap port
   gave (rumpdisk), or else the kernel's device master of the command line, or else, in a running system,
   MACH_PORT_NULL: the store library then asks the system (/dev/disk, get_privileged_ports). */
mach_port_t diskfs_device_master(void);

/* Opens the root (ROOT_INO) and really runs the startup: as boot file system diskfs_start_bootstrap, as ordinary
   translator fsys_startup on its bootstrap port. Starts the periodic sync. Does not return with an error: one line
   naming step and cause, then the exit of the program (which GNU Mach shows). */
void diskfs_startup_diskfs(ino_t root_ino);

/* The last line of main: the calling thread ends, the RPC threads go on. */
void diskfs_main_end(void) __attribute__((noreturn));

/* One clear line "NAME: SOURCE: ..." on the console and exit(1). */
void diskfs_die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* One clear line, going on. */
void diskfs_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "Now" from the kernel's mapped clock, without a message. */
void diskfs_time_now(struct timespec *now);

/* ---- changes that the backend reports ---------------------------------------------------- */

/* The pager saw a write through a mapping: the library marks mtime and ctime due. Any lock but leaves may be held;
   node->lock need not. */
void diskfs_node_touched(struct diskfs_node *node);

#endif /* DISKFS_DISKFS_H */
