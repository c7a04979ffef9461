/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trivfs: translators whose file system is a single node (exec, null, term, disk, ...).

   The server gives a table of operations; the library answers fs.defs, io.defs and fsys.defs for it.  Whatever the
   table leaves NULL gets the sensible answer that the comment names.  Metadata (owner, mode, times) lives on the
   underlying node, to which the library passes the calls on; before there is an underlying node (bootstrap translators)
   the library keeps them itself.

   Objects (all of lib/ports): a trivfs_control is the translator (its control port); a trivfs_peropen is one open()
   with its modes and the server's data; a trivfs_protid is a port to a peropen for one user.  A protid holds a
   reference to its peropen, that one to its control. */

#ifndef TRIVFS_TRIVFS_H
#define TRIVFS_TRIVFS_H

#include <ports/ports.h>
#include <fshelp/fshelp.h>
#include <sys/stat.h>

struct trivfs_ops;

/* A send right that several use, until the last of them gives up his reference. */
struct trivfs_right {
    atomic_uint refs;
    mach_port_t port;                 /* constant */
};

struct trivfs_control {
    struct ports_object port;
    const struct trivfs_ops *ops;     /* constant */
    void *hook;                       /* the server's own */
    struct trivfs_right *underlying;  /* referenced; NULL before/without one; lock */
    struct ports_class *protid_class; /* constant */
    struct ports_bucket *bucket;      /* constant: where its protids are served */
    pthread_mutex_t lock;
    struct stat stat;                 /* attributes where there is no underlying node; lock */
    unsigned int peropens;            /* lock */
    mach_port_t identity, fs_identity; /* what io_identity shows: receive rights made on first use; lock */
    struct fshelp_lockbox locks;      /* advisory locks, owners are peropens; lock */
    struct fshelp_notify *notify;     /* who wants to hear of changes of its nodes, by node (notice.c); changed under
                                         the lock, read freely for "nobody" */
    bool orphan;                      /* nobody has the control port, or the node has no name, any more; lock */
};

struct trivfs_peropen {
    atomic_uint refs;
    struct trivfs_control *control;   /* referenced */
    int flags;                        /* O_READ, O_WRITE, O_EXEC, O_NONBLOCK, O_APPEND, ...; lock of control */
    off_t offset;                     /* lock of control; used when the ops are `seekable` */
    void *hook;                       /* the server's own */
    struct trivfs_right *dotdot;      /* where ".." leads from the root, as its opener sees it: the directory that a
                                         tree hangs in.  Referenced; only with ops->lookup, else NULL; constant once a
                                         port has been given away */
};

struct trivfs_protid {
    struct ports_object port;
    struct trivfs_peropen *peropen;   /* referenced */
    struct fshelp_user *user;         /* referenced */
    mach_port_t realnode;             /* send right to the underlying node with this user's rights, got by
                                         trivfs_protid_realnode on first use, or MACH_PORT_NULL; lock of control */
    uint64_t tag;                     /* the server's own, 0 after an open; protids made from this one (io_duplicate,
                                         io_reauthenticate, io_restrict_auth, trivfs_protid_duplicate) begin with the
                                         same.  term: the controlling process.  Constant once the port has been given
                                         away */
};

/* Where a read puts its bytes: DATA has room for CAPACITY bytes inside the reply; trivfs_buffer_reserve makes more.
   The library frees whatever was reserved when it has sent or on error.  */
struct trivfs_buffer {
    char *data;
    size_t length;     /* bytes that the operation put there */
    size_t capacity;
    bool reserved;     /* DATA is vm_allocate'd by trivfs_buffer_reserve */
};
error_t trivfs_buffer_reserve(struct trivfs_buffer *buffer, size_t size);

struct trivfs_ops {
    const char *name;          /* io_server_version, messages */
    int fstype;                /* FSTYPE_* */
    int modes;                 /* what opens are possible: or of O_READ, O_WRITE, O_EXEC */
    mode_t node_type;          /* S_IFCHR, S_IFBLK, S_IFREG, S_IFDIR: type shown by stat; 0: that of the underlying
                                  node */
    bool unnamed;              /* its opens are things of their own that no file system names, like sockets: nobody gets
                                  the control port, and they are not revoked or opened anew as if they were one node;
                                  looked up again they are the same open */
    bool seekable;             /* offsets mean something; otherwise every read and write is at "now" and io_seek gives
                                  ESPIPE */

    /* A user with permission opens the node. May set PEROPEN->hook. Any error refuses the open. NULL: fine. May block
       (ports_cond_wait). */
    error_t (*open)(struct trivfs_peropen *peropen, struct fshelp_user *user);
    /* The last reference to PEROPEN has gone. */
    void (*close)(struct trivfs_peropen *peropen);
    /* Adjusts ST, already filled from the underlying node. NULL: nothing to adjust. */
    void (*stat)(struct trivfs_protid *protid, struct stat *st);
    /* At most AMOUNT bytes from OFFSET (0 when not seekable). 0 bytes: end of file. May block; EWOULDBLOCK with
       O_NONBLOCK; MIG_NO_REPLY when it has kept the request (ports_rpc_defer). The caller has checked O_READ. NULL: end
       of file at once, or EISDIR where there is `readdir`. */
    error_t (*read)(struct trivfs_protid *protid, off_t offset, size_t amount, struct trivfs_buffer *buffer);
    /* *AMOUNT: how much of DATA was taken. The caller has checked O_WRITE.  NULL: EBADF. */
    error_t (*write)(struct trivfs_protid *protid, off_t offset, const void *data, size_t length, size_t *amount);
    /* How much a read would get at once. NULL: EOPNOTSUPP. */
    error_t (*readable)(struct trivfs_protid *protid, size_t *amount);
    /* Blocks (ports_cond_timedwait with UNTIL, NULL: for ever) until one of *TYPE (SELECT_READ|WRITE|URG) is possible;
       leaves in *TYPE those that are. NULL: everything is always possible.  The library has arranged that the wait ends
       when the client goes. */
    error_t (*select)(struct trivfs_protid *protid, int *type, const struct timespec *until);
    /* io_mod_owner, io_get_owner: who hears of input by SIGIO (a process, negative a group), set (*OWNER) or told; and
       io_get_icky_async_id: the port, a send right for the caller, that such a signal is sent with. NULL:
       EOPNOTSUPP. */
    error_t (*owner)(struct trivfs_protid *protid, bool set, pid_t *owner);
    error_t (*async_id)(struct trivfs_protid *protid, mach_port_t *id);
    /* Size in bytes for SEEK_END, and truncation. NULL: 0, and: accepted without effect. */
    off_t (*size)(struct trivfs_protid *protid);
    error_t (*set_size)(struct trivfs_protid *protid, off_t size);
    /* Memory objects for io_map, send rights or MACH_PORT_NULL. NULL: EOPNOTSUPP. */
    error_t (*map)(struct trivfs_protid *protid, memory_object_t *read, memory_object_t *write);
    /* file_get_storage_info, for root: fills STORAGE (fshelp.h); on an error the library releases what is in it. NULL:
       EOPNOTSUPP. */
    error_t (*storage)(struct trivfs_protid *protid, struct fshelp_storage *storage);
    /* file_sync, file_syncfs, fsys_syncfs. NULL: nothing to do. */
    error_t (*sync)(struct trivfs_control *control, bool wait);
    /* fsys_goaway: 0 lets the translator exit(0) after the reply; EBUSY refuses. FLAGS: FSYS_GOAWAY_*. NULL: go away
       unless there are peropens and not FORCE.  The library sees to the rest: `sync` is called before, unless NOSYNC,
       or with NOWAIT after the reply; UNLINK lets the users be, and the program ends with the last of them.  (RECURSE:
       there is nothing below a translator of this kind.) */
    error_t (*goaway)(struct trivfs_control *control, int flags);
    /* Options of fsysopts as argz: append to *ARGZ; set from ARGZ (run time). NULL: none / EINVAL. */
    error_t (*get_options)(struct trivfs_control *control, char **argz, size_t *length);
    error_t (*set_options)(struct trivfs_control *control, const char *argz, size_t length);
    /* fsys_init and fsys_startup on the control port (bootstrap translators; machdev). NULL: EOPNOTSUPP. `startup`
       takes over CONTROL_OF_CHILD on success. */
    error_t (*fsys_init)(struct trivfs_control *control, mach_port_t reply, mach_msg_type_name_t reply_type,
                         mach_port_t proc, mach_port_t auth);
    error_t (*fsys_startup)(struct trivfs_control *control, mach_port_t reply, mach_msg_type_name_t reply_type,
                            int flags, mach_port_t control_of_child, mach_port_t *realnode);
    error_t (*fsys_getpriv)(struct trivfs_control *control, mach_port_t *host_priv, mach_port_t *device_master,
                            mach_port_t *fstask);
    /* Replaces trivfs's own answer to fsys_getroot where the node is not a trivfs protid (startup gives its own port).
       NULL: protid. */
    error_t (*getroot)(struct trivfs_control *control, struct fshelp_user *user, int flags, retry_type *retry,
                       char *retry_name, mach_port_t *root);

    /* Directories, for a translator that shows a small tree (pci-arbiter): peropens of all its nodes belong to the one
       control, and `hook` says which node. Opens PATH (may be empty: the node itself) from PROTID's node with FLAGS for
       PROTID's user: *RESULT, one reference for the caller. A PATH that leads out of the tree through "..": 0 with
       *ABOVE set to what is left of PATH behind that "..". NULL: ENOTDIR for anything but the node itself. */
    error_t (*lookup)(struct trivfs_protid *protid, const char *path, int flags, struct trivfs_protid **result,
                      const char **above);
    /* Instead of `lookup`, for a directory whose names only the process that looks them up can resolve (magic): puts
       the name that it shall retry with (FS_RETRY_MAGICAL) into RETRY_NAME, room for a string_t. PATH is not empty.
       NULL: ENOTDIR as above. */
    error_t (*magic)(struct trivfs_protid *protid, const char *path, char *retry_name);
    /* Where the port that io_identity shows for PROTID's node is kept (MACH_PORT_NULL before it is made; lock of
       control). NULL: the control's, for the one node that it has. */
    mach_port_t *(*identity)(struct trivfs_protid *protid);
    /* The box of the advisory locks of PEROPEN's node, always the same for it; protected by the control's lock. NULL
       from it: a node that takes none (EBADF). NULL: the control's box, for the one node that it has. */
    struct fshelp_lockbox *(*lockbox)(struct trivfs_peropen *peropen);
    /* Entry number INDEX of the directory: its name (constant memory), file number and DT_* type. ENOENT behind the
       last. NULL: ENOTDIR. */
    error_t (*readdir)(struct trivfs_protid *protid, unsigned int index, const char **name, ino64_t *fileno, int *type);

    /* More interfaces on the node's ports and on the control port, NULL-terminated or NULL; tried after fs, io, fsys.
       Their stubs get protids/controls through the hooks of trivfs/mig-hooks.h. */
    const ports_interface_t *node_interfaces;
    const ports_interface_t *control_interfaces;
};

/* Registers OPS: gives classes for its controls and protids (made once per ops). Done by the two functions below on
   their own; public for servers that create protids by hand. */
error_t trivfs_classes_create(const struct trivfs_ops *ops, struct ports_class **control_class,
                              struct ports_class **protid_class);

/* A control port for a translator with no parent yet; one reference for the caller. UNDERLYING (send right or null) is
   consumed. */
error_t trivfs_control_create(const struct trivfs_ops *ops, struct ports_bucket *bucket, mach_port_t underlying,
                              void *hook, struct trivfs_control **control);

/* The usual start: makes a control, calls fsys_startup on BOOTSTRAP (not consumed) with it and keeps the node that
   comes back as the underlying one (seed, "exec bootstrap"). FLAGS: O_* for that node. */
error_t trivfs_startup(const struct trivfs_ops *ops, struct ports_bucket *bucket, mach_port_t bootstrap, int flags,
                       void *hook, struct trivfs_control **control);

/* The translator stays although nobody has it open, until it is released as often: a mapping of it is used. */
void trivfs_control_hold(struct trivfs_control *control);
void trivfs_control_release(struct trivfs_control *control);

/* Sets the underlying node later on, or another one.  The right is consumed, but on ENOMEM. */
error_t trivfs_control_set_underlying(struct trivfs_control *control, mach_port_t underlying);
/* A reference to it, or NULL if there is none, and the reference back. */
struct trivfs_right *trivfs_control_underlying(struct trivfs_control *control);
void trivfs_right_deref(struct trivfs_right *right);

/* Opens the node for USER (referenced by the result on its own) with FLAGS: one protid in *PROTID, one reference for
   the caller. */
error_t trivfs_open(struct trivfs_control *control, struct fshelp_user *user, int flags, struct trivfs_protid **protid);

/* The same for a USER who must be asked for his permission first: EACCES, or what asking the underlying node gave. */
error_t trivfs_open_checked(struct trivfs_control *control, struct fshelp_user *user, int flags,
                            struct trivfs_protid **protid);

/* A second protid for the same peropen, user and underlying node as PROTID, with its tag (which the caller may change
   before he gives the port away): in *DUPLICATE, one reference for the caller. ENOMEM, or the kernel's error.  */
error_t trivfs_protid_duplicate(struct trivfs_protid *protid, struct trivfs_protid **duplicate);

/* The underlying node as PROTID's user may use it, owned by PROTID; MACH_PORT_NULL where there is none. */
error_t trivfs_protid_realnode(struct trivfs_protid *protid, mach_port_t *realnode);

/* Tells those who asked by file_notice_changes that PROTID's file was changed, by a user or by itself (FILE_CHANGED_*;
   bytes).  The library does it for writes, changes of size and of attributes that come through it. */
void trivfs_notice_file(struct trivfs_protid *protid, file_changed_type_t change, loff_t start, loff_t end);

/* The node's attributes as io_stat shows them. */
error_t trivfs_protid_stat(struct trivfs_protid *protid, struct stat *st);

/* A whole ordinary translator's main, after it has parsed its options: bucket, bootstrap port (error line and exit
   status 1 when there is none), trivfs_startup, serve until asked to go away or, with IDLE_MS not 0, nobody has used it
   that long. */
int trivfs_main(const struct trivfs_ops *ops, void *hook, unsigned int idle_ms) __attribute__((noreturn));

#endif /* TRIVFS_TRIVFS_H */
