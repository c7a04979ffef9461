/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machdev: a driver in a task of its own, reached by Mach's device interface, that may be part of the boot.

   Clients see what the kernel shows them for its own drivers: device_open on a master port gives a device port, which
   understands device_read, device_write and the rest of device.defs.  The master port is
     - for the next task of the boot, its bootstrap port: our control port (running_rump_for_slash.txt: "it would use it
       instead of the gnumach-provided _hurd_device_master port to open devices");
     - for everybody later, a node: /dev/disk.
   A name that the driver does not know is the kernel's (console, time, mem): the call is passed on to the kernel's
   device master.  Only root, and the boot's next task, gets there.

   The boot, as bootstrap.txt tells it for "translators before ext2fs":

       machdev_start          the child task gets our control port as bootstrap port and is resumed
       exec_startup_get_info  from its C library's start-up code: not served: the error makes it take its
                              arguments from its stack, where the kernel put them
       fsys_getpriv           answered with the host's and the device master port and our task
       fsys_startup           the child brings the control port of ext2fs: kept, and passed on to our own parent
       fsys_init              the child brings proc and auth: answered, passed on to our own parent with its process,
                              then the common ports are set, the node is attached, startup is told that we are essential
                              and want to be told of the shutdown

   A server with a null bootstrap port is the first of them.  One that an exec server has started (settrans) takes no
   part in this: it is a translator like others, not essential, and goes away when asked to.

   Locks: each machdev has one, held for moments only; none is held while a driver's operation or an RPC runs. */

#ifndef MACHDEV_MACHDEV_H
#define MACHDEV_MACHDEV_H

#include <device/device_types.h>
#include <ports/ports.h>
#include <trivfs/trivfs.h>

/* Flavour of device_set_status, without values: returns when what was written has reached the medium. ext2fs's store
   uses it; the value is the one of the `cache sync' disk ioctl of the BSDs ('d', 118).  */
#define MACHDEV_SYNC (('d' << 8) | 118)
/* Flavour of device_get_status: number of records (low word, high word), bytes of a record, abilities (bit 0: writes
   know MACHDEV_THROUGH).  lib/store asks it first. */
#define MACHDEV_SIZE (('d' << 8) | 119)
#define MACHDEV_SIZE_COUNT 4
#define MACHDEV_CAN_THROUGH 1
/* In the mode of device_write: answered when the data is on the medium. */
#define MACHDEV_THROUGH 0x1000

/* ---- drivers ---------------------------------------------------------------------- */

/* A read or write on its way.  The driver copies it and hands it back with the result; it is answered exactly once.  */
struct machdev_request {
    mach_port_t reply;               /* a send-once right, the request's */
    mach_msg_type_name_t reply_type;
    mach_msg_id_t reply_id;
    dev_mode_t mode;                 /* the call's own */
};

/* What a driver can do with its devices.  Constant, one per driver.  Results are D_SUCCESS or another D_* code.
   Operations are called by several threads at once, without locks.  */
struct machdev_driver {
    /* Finds the device NAME for a new device port with MODE (D_READ, D_WRITE); *DEVICE is what the others get.
       D_NO_SUCH_DEVICE: not ours. */
    io_return_t (*open)(const char *name, dev_mode_t mode, void **device);
    /* The last send right to a device port that `open` was called for has gone. NULL: nothing to do. */
    void (*close)(void *device);
    /* Reads BYTES (more than 0) from RECORD.  D_SUCCESS: machdev_read_done has been or will be called, by any thread.
       Another code is the answer. */
    io_return_t (*read)(void *device, const struct machdev_request *request, recnum_t record, size_t bytes);
    /* Writes. DATA is memory of vm_allocate (not aligned), the driver's to vm_deallocate if it gives D_SUCCESS, and
       stays the caller's otherwise.  machdev_write_done as above. */
    io_return_t (*write)(void *device, const struct machdev_request *request, recnum_t record, void *data,
                         size_t bytes);
    /* Status words as device_get_status and device_set_status have them; *COUNT holds the room on entry. NULL:
       D_INVALID_OPERATION. */
    io_return_t (*get_status)(void *device, dev_flavor_t flavor, dev_status_t status, mach_msg_type_number_t *count);
    io_return_t (*set_status)(void *device, dev_flavor_t flavor, const int *status, mach_msg_type_number_t count);
    /* A memory object, a send right for the caller. NULL: D_INVALID_OPERATION. */
    io_return_t (*map)(void *device, vm_prot_t prot, vm_offset_t offset, vm_size_t size, mach_port_t *object);
    /* All that was written on all devices reaches the media: at shutdown, and for syncfs of the node. NULL: nothing to
       do. */
    io_return_t (*sync)(void);
};

/* Answers a read: CODE, and with D_SUCCESS COUNT bytes at DATA, memory of vm_allocate that is moved to the client
   (nothing of it may stay wired); it is consumed in any case, whole pages. A client that does not take the answer loses
   it. */
void machdev_read_done(const struct machdev_request *request, io_return_t code, void *data, size_t count);
void machdev_write_done(const struct machdev_request *request, io_return_t code, size_t written);

/* Checks a transfer against a device of RECORDS records of SIZE bytes.  Writes must be whole records; reads may end
   inside one.  *BYTES is cut at the end of the device. D_INVALID_RECNUM behind it, D_INVALID_SIZE. No system call. */
io_return_t machdev_range_check(uint64_t records, unsigned int size, bool write, recnum_t record, int64_t wanted,
                                size_t *bytes);

/* ---- servers ------------------------------------------------------------------------ */

/* What the server gives.  Constant from machdev_create on. */
struct machdev_options {
    const char *name;                     /* of the program: messages, startup's list of essential tasks */
    const char *node;                     /* where it is attached: "/dev/disk" */
    int fstype;                           /* FSTYPE_* of the node */
    mode_t node_type;                     /* S_IFBLK, S_IFDIR, ... */
    const struct machdev_driver *driver;  /* NULL: every device is the kernel's */
    mach_port_t host_priv, device_master; /* from the command line, or null: fsys_getpriv on the bootstrap port */
    char **argv;                          /* main's, for ps; NULL: only the name */
    bool trace_boot;                      /* a line on the console for each step of the boot */
    bool starts_another;                  /* the command line has the task of the next bootstrap translator */
    void (*ordinary)(void);               /* called once, when a server of the boot has got its root directory; NULL:
                                             nothing to do */
    const struct trivfs_ops *node_ops;    /* operations of the node to begin with, or NULL: those of the boot, of
                                             devices, name and modes are filled in */
};

struct machdev {
    struct machdev_options options;  /* constant */
    struct ports_bucket *bucket;     /* constant */
    struct trivfs_ops ops;           /* constant */
    struct trivfs_control *control;  /* constant */
    mach_port_t host_priv;           /* constant, send right */
    mach_port_t device_master;       /* constant, send right */
    mach_port_t bootstrap;           /* constant, send right or null: our parent in the boot */
    mach_port_t parent;              /* constant, send right or null: who has started us as a translator; then no
                                        boot */
    pthread_mutex_t lock;
    mach_port_t root_control;        /* lock: control port of ext2fs, once known */
    bool initialised;                /* lock: fsys_init has come */
    bool ordinary;                   /* lock: and what follows from it is done */
    pthread_cond_t became_ordinary;
};

/* The first thing of main: gets the privileged ports and the bootstrap port, opens the console as stdout and stderr
   when there are none. The one machdev of the program, in *MACHDEV. */
error_t machdev_create(const struct machdev_options *options, struct machdev **machdev);

/* In the boot: makes our control port the bootstrap port of the task CHILD and resumes it, unless CHILD is null.  As an
   ordinary translator (settrans): calls fsys_startup on our parent.  From here on requests come.  An error is also told
   on stderr. */
error_t machdev_start(struct machdev *machdev, mach_port_t child);

/* Serves for ever. */
void machdev_serve(struct machdev *machdev) __attribute__((noreturn));

/* True when the task was started by an exec server and so has a root directory: not in the boot. */
bool machdev_has_filesystem(void);

/* One line on the console, `NAME: words`, if `--trace-boot` asked for it; for what is no step (those: dance.h). */
void machdev_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* MACHDEV_MACHDEV_H */
