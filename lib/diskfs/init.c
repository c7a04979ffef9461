/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Initialisation of a disk file system, as its main calls it, and words to people.  */

#include "diskfs-internal.h"

#include <dance/dance.h>
#include <device/device.h>
#include <hurd.h>
#include <hurd/fsys.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <unistd.h>

const struct diskfs_ops *diskfs_ops;
struct diskfs_node *diskfs_root;
struct ports_bucket *diskfs_bucket;
fsid_t diskfs_fsid;
mach_port_t diskfs_bootstrap, diskfs_console;
struct diskfs_origin *diskfs_origin_boot;
char **diskfs_argv;

static struct diskfs_control *startup_control;  /* made by diskfs_call_fsys_startup; its parent holds the send right */
static bool startup_complete;

bool diskfs_is_boot(void)
{
    return diskfs_arguments.multiboot_command_line != NULL;
}

/* ---- words ------------------------------------------------------------------------------ */

/* WHAT: what is up, between our name and that of the disk; may be empty. */
static void say(const char *what, const char *format, va_list args)
{
    char text[512];
    const char *source = diskfs_arguments.nstores > 0 ? diskfs_arguments.stores[0] : "";
    vsnprintf(text, sizeof text, format, args);
    bool named = source[0] == '\0' || strncmp(text, source, strlen(source)) == 0;  /* the store says its name itself */
    fprintf(stderr, "%s: %s%s%s%s\n", diskfs_ops ? diskfs_ops->name : "diskfs", what, named ? "" : source,
            named ? "" : ": ", text);
    fflush(stderr);
}

void diskfs_warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("", format, args);
    va_end(args);
}

void diskfs_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(diskfs_is_boot() && !startup_complete ? "boot failed: " : "", format, args);
    va_end(args);
    /* Without a root file system there is nothing to go on with: the machine stops here, with the reason on the
       screen. */
    if (diskfs_is_boot() && !startup_complete && diskfs_arguments.host_priv != MACH_PORT_NULL)
        host_reboot(diskfs_arguments.host_priv, RB_HALT);
    exit(1);
}

/* ---- diskfs_init_main --------------------------------------------------------------------- */

/* The privileged ports may be in the command line, or known to whoever started us (rumpdisk). */
static void find_privileged_ports(void)
{
    struct diskfs_arguments *a = &diskfs_arguments;
    mach_port_t host_priv, device_master, task;

    if ((a->host_priv == MACH_PORT_NULL || a->device_master == MACH_PORT_NULL) && diskfs_bootstrap != MACH_PORT_NULL
        && fsys_getpriv(diskfs_bootstrap, &host_priv, &device_master, &task) == 0) {
        if (a->host_priv == MACH_PORT_NULL)
            a->host_priv = host_priv;
        if (a->device_master == MACH_PORT_NULL)
            a->device_master = device_master;
        if (MACH_PORT_VALID(task))
            mach_port_deallocate(mach_task_self(), task);
    }
    _hurd_host_priv = a->host_priv;
    _hurd_device_master = a->device_master;
}

/* Seed: "It makes sure to have a working stdout by opening the Mach console." */
static void open_console(void)
{
    if (diskfs_arguments.device_master == MACH_PORT_NULL
        || device_open(diskfs_arguments.device_master, D_READ | D_WRITE, "console", &diskfs_console))
        return;
    FILE *stream = mach_open_devstream(diskfs_console, "w");
    if (stream == NULL)
        return;
    setvbuf(stream, NULL, _IOLBF, 0);
    stdout = stderr = stream;
}

/* Seed: "Since the multiboot command line is available, diskfs_init_main sets the ext2fs bootstrap port to
   MACH_PORT_NULL: it is the bootstrap filesystem which will be in charge of dancing with the exec and startup
   translator." What was there (rumpdisk's) is kept. */
static void take_bootstrap_port(void)
{
    if (task_get_bootstrap_port(mach_task_self(), &diskfs_bootstrap))
        diskfs_bootstrap = MACH_PORT_NULL;
    task_set_bootstrap_port(mach_task_self(), MACH_PORT_NULL);
}

/* "diskfs_init_main then initializes the libdiskfs library and spawns a thread to manage libdiskfs RPCs." */
static void start_library(void)
{
    if (diskfs_is_boot())
        ports_pageout_server(diskfs_arguments.host_priv);   /* programs' pages are files of the root file system */
    diskfs_fsid = (fsid_t) getpid();    /* the bootstrap file system has none yet: boot-init.c */
    diskfs_origin_boot = diskfs_origin_create(MACH_PORT_NULL, NULL, MACH_PORT_NULL);
    enum { IO_WRITE = 21000 };
    ports_reads_guarded(IO_WRITE);      /* diskfs_ops->write does */
    error_t err = diskfs_origin_boot == NULL ? ENOMEM : ports_bucket_create(&diskfs_bucket);
    if (!err)
        err = ports_bucket_serve_detached(diskfs_bucket,
                                          &(struct ports_serve_options){.waits_for_memory = diskfs_is_boot()});
    if (err)
        diskfs_die("cannot serve requests: %s", strerror(err));
}

void diskfs_init_main(const struct diskfs_ops *ops, const struct argp_child *options, int argc, char **argv)
{
    diskfs_ops = ops;
    diskfs_argv = argv;
    diskfs_options_parse(options, argc, argv);
    take_bootstrap_port();
    if (diskfs_is_boot()) {
        find_privileged_ports();
        open_console();
        if (diskfs_arguments.trace_boot)
            dance_start(ops->name, diskfs_arguments.device_master);
        for (char **word = argv; *word != NULL; word++)
            dance_hold(*word);
        dance_step(1, "command line parsed, console open");
        dance_step(2, "bootstrap port set to null%s",
                   diskfs_bootstrap != MACH_PORT_NULL ? "; the disk driver's is kept" : "");
    } else if (diskfs_bootstrap == MACH_PORT_NULL) {
        diskfs_die("must be started as a translator");
    }
    mach_port_t device_master = diskfs_arguments.device_master;
    if (device_master == MACH_PORT_NULL)
        get_privileged_ports(NULL, &device_master);
    diskfs_time_map(device_master);
    start_library();
    dance_step(3, "libdiskfs initialised, its threads serve");
}

mach_port_t diskfs_device_master(void)
{
    if (!diskfs_is_boot())
        return diskfs_arguments.device_master;
    return diskfs_bootstrap != MACH_PORT_NULL ? diskfs_bootstrap : diskfs_arguments.device_master;
}

/* ---- diskfs_startup_diskfs -------------------------------------------------------------------- */

/* Seed: "it calls diskfs_call_fsys_startup which creates a new control port and passes it do a call to fsys_startup on
   the bootstrap port". The node that comes back: of the file that we translate; rumpdisk gives none. */
void diskfs_call_fsys_startup(mach_port_t bootstrap, bool want_node)
{
    mach_port_t node = MACH_PORT_NULL;
    error_t err = ports_object_create(&diskfs_control_class, diskfs_bucket, &startup_control);
    mach_port_t right = err ? MACH_PORT_NULL : ports_object_send_right(startup_control);
    if (right == MACH_PORT_NULL)
        diskfs_die("cannot make a control port: %s", strerror(err ? err : ENOMEM));
    err = fsys_startup(bootstrap, want_node ? O_READ : 0, right, MACH_MSG_TYPE_MOVE_SEND, &node);
    ports_object_deref(startup_control);
    if (err)
        diskfs_die("fsys_startup on the bootstrap port: %s", strerror(err));
    if (MACH_PORT_VALID(node))
        mach_port_deallocate(mach_task_self(), node);
}

void diskfs_startup_diskfs(ino_t root_ino)
{
    error_t err = diskfs_node_lookup(root_ino, &diskfs_root);
    if (err)
        diskfs_die("root directory (inode %llu): %s", (unsigned long long) root_ino, strerror(err));
    if (!S_ISDIR(diskfs_root->stat.st_mode))
        diskfs_die("root (inode %llu) is not a directory", (unsigned long long) root_ino);
    diskfs_sync_start();
    dance_step(6, "root inode open; diskfs_startup_diskfs");
    if (diskfs_is_boot()) {
        diskfs_start_bootstrap();
        /* "diskfs_start_bootstrap is complete, we are back to diskfs_startup_diskfs, which checks whether ext2fs was
           given a bootstrap port, i.e. whether the rumpdisk translator was started before ext2fs." */
        if (diskfs_bootstrap != MACH_PORT_NULL) {
            dance_step(14, "fsys_startup on the bootstrap port, with a new control port");
            diskfs_call_fsys_startup(diskfs_bootstrap, false);
        }
        diskfs_boot_parent_told();
    } else {
        diskfs_call_fsys_startup(diskfs_bootstrap, true);
        ports_sieve_install();
        diskfs_request_shutdown_notice();
    }
    startup_complete = true;
}

void diskfs_main_end(void)
{
    pthread_exit(NULL);
}
