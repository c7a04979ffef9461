/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The C types and constants of the Hurd's protocols. */

#ifndef _HURD_TYPES_H
#define _HURD_TYPES_H

#include <sys/types.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <fcntl.h>

#include <mach/std_types.h>
#include <mach/message.h>
#include <mach/task_info.h>
#include <mach/thread_info.h>
#include <device/device_types.h>

/* ---- Ports.  The names say what a port speaks; all are mach_port_t. ---- */

typedef mach_port_t file_t;
typedef mach_port_t fsys_t;
typedef mach_port_t io_t;
typedef mach_port_t process_t;
typedef mach_port_t auth_t;
typedef mach_port_t socket_t;
typedef mach_port_t pf_t;
typedef mach_port_t addr_port_t;
typedef mach_port_t term_t;
typedef mach_port_t startup_t;
typedef mach_port_t fs_notify_t;
typedef mach_port_t exec_startup_t;
typedef mach_port_t interrupt_t;
typedef mach_port_t pci_t;
typedef mach_port_t shutdown_t;
typedef mach_port_t acpi_t;
typedef mach_port_t proccoll_t;
typedef mach_port_t ctty_t;
typedef mach_port_t sreply_port_t;

/* ---- Data ---- */

/* Bytes, with a count that travels beside them. */
typedef char *data_t;
typedef const char *const_data_t;

/* A NUL-terminated string, at most 1023 characters and the NUL. */
typedef char string_t[1024];
typedef const char *const_string_t;

typedef mach_port_t *portarray_t;
typedef const mach_port_t *const_portarray_t;
typedef int *intarray_t;
typedef const int *const_intarray_t;
typedef loff_t *off_array_t;
typedef const loff_t *const_off_array_t;
typedef pid_t *pidarray_t;
typedef const pid_t *const_pidarray_t;
typedef uid_t *idarray_t;
typedef const uid_t *const_idarray_t;
typedef int *procinfo_t;
typedef const int *const_procinfo_t;

typedef struct utsname utsname_t;
typedef struct stat64 io_statbuf_t;
typedef struct statfs64 fsys_statfsbuf_t;
typedef struct rusage rusage_t;
typedef struct flock64 flock_t;
typedef struct timespec timespec_t;

/* ---- exec_exec, file_exec ---- */

#define EXEC_NEWTASK    1
#define EXEC_SECURE     2
#define EXEC_DEFAULTS   4
#define EXEC_SIGTRAP    8
#define EXEC_STACK_ARGS 16

/* The places of a process's initial ports and of its initial integers. */
#define INIT_PORT_CWDIR     0
#define INIT_PORT_CRDIR     1
#define INIT_PORT_AUTH      2
#define INIT_PORT_PROC      3
#define INIT_PORT_CTTYID    4
#define INIT_PORT_BOOTSTRAP 5
#define INIT_PORT_MAX       6

#define INIT_UMASK      0
#define INIT_SIGMASK    1
#define INIT_SIGIGN     2
#define INIT_SIGPENDING 3
#define INIT_TRACEMASK  4
#define INIT_INT_MAX    5

/* ---- Looking up names: dir_lookup's and fsys_getroot's do_retry ---- */

enum retry_type {
    FS_RETRY_NORMAL = 1,
    FS_RETRY_REAUTH = 2,
    FS_RETRY_MAGICAL = 3,
};
typedef enum retry_type retry_type;

/* ---- file_set_translator's flags ---- */

#define FS_TRANS_FORCE  1
#define FS_TRANS_EXCL   2
#define FS_TRANS_SET    4
#define FS_TRANS_ORPHAN 8

/* ---- Notices of changes ---- */

#define DIR_CHANGED_NULL     0
#define DIR_CHANGED_NEW      1
#define DIR_CHANGED_UNLINK   2
#define DIR_CHANGED_RENUMBER 3

#define FILE_CHANGED_NULL     0
#define FILE_CHANGED_WRITE    1
#define FILE_CHANGED_EXTEND   2
#define FILE_CHANGED_TRUNCATE 3
#define FILE_CHANGED_META     4

typedef int dir_changed_type_t;
typedef int file_changed_type_t;

/* ---- io_select's kinds ---- */

#define SELECT_READ  1
#define SELECT_WRITE 2
#define SELECT_URG   4

/* ---- fsys_goaway's flags ---- */

#define FSYS_GOAWAY_NOWAIT  1
#define FSYS_GOAWAY_NOSYNC  2
#define FSYS_GOAWAY_FORCE   4
#define FSYS_GOAWAY_UNLINK  8
#define FSYS_GOAWAY_RECURSE 16

/* ---- file_get_storage_info: the first integer of each store ---- */

enum file_storage_class {
    STORAGE_OTHER = 0,
    STORAGE_DEVICE = 1,
    STORAGE_HURD_FILE = 2,
    STORAGE_NETWORK = 3,
    STORAGE_MEMORY = 4,
    STORAGE_TASK = 5,
    STORAGE_ZERO = 6,
    STORAGE_CONCAT = 7,
    STORAGE_INTERLEAVE = 8,
    STORAGE_LAYER = 9,
    STORAGE_REMAP = 10,
    STORAGE_COPY = 11,
};

#define STORAGE_MUTATED 1

/* ---- io_stat's st_fstype, statfs's f_type ---- */

#define FSTYPE_UFS     0
#define FSTYPE_NFS     1
#define FSTYPE_GFS     2
#define FSTYPE_LFS     3
#define FSTYPE_SYSV    4
#define FSTYPE_FTP     5
#define FSTYPE_TAR     6
#define FSTYPE_AR      7
#define FSTYPE_CPIO    8
#define FSTYPE_MSLOSS  9
#define FSTYPE_CPM     10
#define FSTYPE_HFS     11
#define FSTYPE_DTFS    12
#define FSTYPE_GRFS    13
#define FSTYPE_TERM    14
#define FSTYPE_DEV     15
#define FSTYPE_PROC    16
#define FSTYPE_IFSOCK  17
#define FSTYPE_AFS     18
#define FSTYPE_DFS     19
#define FSTYPE_PROC9   20
#define FSTYPE_SOCKET  21
#define FSTYPE_MISC    22
#define FSTYPE_EXT2FS  23
#define FSTYPE_HTTP    24
#define FSTYPE_MEMFS   25
#define FSTYPE_ISO9660 26
#define FSTYPE_PCI     27
#define FSTYPE_ACPI    28

/* ---- proc ---- */

/* What proc_getprocinfo shall tell. */
#define PI_FETCH_TASKINFO     1
#define PI_FETCH_TASKEVENTS   32
#define PI_FETCH_THREADS      2
#define PI_FETCH_THREAD_BASIC 4
#define PI_FETCH_THREAD_SCHED 8
#define PI_FETCH_THREAD_WAITS 16

/* The bits of procinfo.state. */
#define PI_STOPPED  1
#define PI_EXECED   2
#define PI_WAITING  4
#define PI_ORPHAN   8
#define PI_NOMSG    16
#define PI_SESSLD   32
#define PI_NOTOWNED 64
#define PI_NOPARENT 128
#define PI_ZOMBIE   256
#define PI_TRACED   512
#define PI_GETMSG   1024
#define PI_LOGINLD  2048

/* The numbers of the first processes. */
#define HURD_PID_INIT    1
#define HURD_PID_STARTUP 2
#define HURD_PID_KERNEL  3
#define HURD_PID_PROC    4

/* What proc_getprocinfo returns.  The task and thread parts are valid as far as
   they were asked for and the answer's flags say. */
struct procinfo {
    int state;
    uid_t owner;
    pid_t ppid;
    pid_t pgrp;
    pid_t session;
    pid_t logincollection;
    int exitstatus;     /* if PI_ZOMBIE */
    int sigcode;        /* if PI_ZOMBIE */
    int nthreads;

    struct task_basic_info taskinfo;
    struct task_events_info taskevents;

    struct {
        int died;                   /* then nothing else is valid */
        mach_msg_id_t rpc_block;    /* message id waited for, or 0 */
        struct thread_basic_info pis_bi;
        struct thread_sched_info pis_si;
    } threadinfos[0];
};

/* ---- pci ---- */

struct pci_bar {
    __uint64_t base_addr;
    __uint64_t size;
    unsigned int is_IO : 1;
    unsigned int is_prefetchable : 1;
    unsigned int is_64 : 1;
};

struct pci_xrom_bar {
    __uint64_t base_addr;
    __uint64_t size;
};

#endif
