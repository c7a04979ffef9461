/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options: of the command line (argp) and at run time (fsysopts).  */

#include "diskfs-internal.h"

#include <argz.h>
#include <stdio.h>
#include <stdlib.h>

struct diskfs_arguments diskfs_arguments;
bool diskfs_readonly, diskfs_synchronous, diskfs_nosuid, diskfs_noexec;
enum diskfs_atime diskfs_atime = DISKFS_ATIME_RELATIVE;

enum {
    KEY_MULTIBOOT = 0x1000,
    KEY_HOST_PRIV,
    KEY_DEVICE_MASTER,
    KEY_EXEC_TASK,
    KEY_KERNEL_TASK,
    KEY_BOOTFLAGS,
    KEY_TRACE_BOOT,
    KEY_NO_ATIME,
    KEY_RELATIME,
    KEY_STRICTATIME,
    KEY_NO_SUID,
    KEY_SUID,
    KEY_NO_EXEC,
    KEY_EXEC,
    KEY_UPDATE,
};

static const struct argp_option startup_options[] = {
    {"readonly", 'r', 0, 0, "Never write to the disk", 1},
    {"rdonly", 0, 0, OPTION_ALIAS | OPTION_HIDDEN, 0, 1},
    {"writable", 'w', 0, 0, "Use the normal read and write behaviour", 1},
    {"rdwr", 0, 0, OPTION_ALIAS | OPTION_HIDDEN, 0, 1},
    {"sync", 's', "INTERVAL", OPTION_ARG_OPTIONAL,
     "Bring changes to the disk every INTERVAL seconds (30), or without one at once", 1},
    {"no-sync", 'n', 0, 0, "Bring changes to the disk when asked only", 1},
    {"no-atime", KEY_NO_ATIME, 0, 0, "Keep no access times", 1},
    {"noatime", 0, 0, OPTION_ALIAS | OPTION_HIDDEN, 0, 1},
    {"relatime", KEY_RELATIME, 0, 0, "Keep access times, once a day for files that are only read (this is the default)",
     1},
    {"atime", 0, 0, OPTION_ALIAS | OPTION_HIDDEN, 0, 1},
    {"strictatime", KEY_STRICTATIME, 0, 0, "Keep the time of every access", 1},
    {"no-suid", KEY_NO_SUID, 0, 0, "Set-id programs run with the ids of who starts them", 1},
    {"nosuid", 0, 0, OPTION_ALIAS | OPTION_HIDDEN, 0, 1},
    {"suid", KEY_SUID, 0, 0, "Set-id programs do what they are for (the default)", 1},
    {"no-exec", KEY_NO_EXEC, 0, 0, "No file may be executed", 1},
    {"noexec", 0, 0, OPTION_ALIAS | OPTION_HIDDEN, 0, 1},
    {"exec", KEY_EXEC, 0, 0, "Files may be executed (the default)", 1},
    {"store-type", 'T', "TYPE", 0, "The disk's name is of TYPE, e.g. typed", 2},
    {0, 0, 0, 0, "Options of the file system that the system boots from:", 3},
    {"multiboot-command-line", KEY_MULTIBOOT, "WORDS", 0, "What the kernel was started with", 3},
    {"host-priv-port", KEY_HOST_PRIV, "PORT", 0, "The kernel's privileged host port", 3},
    {"device-master-port", KEY_DEVICE_MASTER, "PORT", 0, "The kernel's device port", 3},
    {"exec-server-task", KEY_EXEC_TASK, "PORT", 0, "The task that will be the exec server", 3},
    {"kernel-task", KEY_KERNEL_TASK, "PORT", 0, "The kernel's own task", 3},
    {"trace-boot", KEY_TRACE_BOOT, 0, 0, "Say each step of the boot on the console", 3},
    {"bootflags", KEY_BOOTFLAGS, "FLAGS", OPTION_HIDDEN, 0, 3},
    {0},
};

static void add_store(const char *name)
{
    struct diskfs_arguments *a = &diskfs_arguments;
    char **bigger = realloc(a->stores, (a->nstores + 2) * sizeof *bigger);
    if (bigger == NULL)
        diskfs_die("%s", strerror(ENOMEM));
    a->stores = bigger;
    a->stores[a->nstores++] = (char *) name;
    a->stores[a->nstores] = NULL;
}

static mach_port_t parse_port(struct argp_state *state, const char *text)
{
    char *end;
    unsigned long port = strtoul(text, &end, 0);
    if (end == text || *end != '\0')
        argp_error(state, "%s: not a port's name", text);
    return (mach_port_t) port;
}

/* What may be changed at run time, too: collected first, so that an option which is not understood changes nothing. */
struct settings {
    bool readonly, synchronous, nosuid, noexec;
    bool change_mode;           /* `readonly` was among the options */
    bool update;                /* --update was */
    enum diskfs_atime atime;
    int interval;
};

static void settings_now(struct settings *s)
{
    *s = (struct settings){
        .readonly = diskfs_readonly,
        .synchronous = diskfs_synchronous,
        .nosuid = diskfs_nosuid,
        .noexec = diskfs_noexec,
        .atime = diskfs_atime,
        .interval = atomic_load(&diskfs_sync_interval),
    };
}

/* All but `readonly` and `update`, which take work. */
static void settings_apply(const struct settings *s)
{
    diskfs_synchronous = s->synchronous;
    diskfs_nosuid = s->nosuid;
    diskfs_noexec = s->noexec;
    diskfs_atime = s->atime;
    atomic_store(&diskfs_sync_interval, s->interval);
}

/* ARGP_ERR_UNKNOWN; EINVAL: ARG is no number. */
static error_t parse_setting(struct settings *s, int key, const char *arg)
{
    char *end;
    switch (key) {
    case 's':
        s->synchronous = arg == NULL;
        if (arg != NULL) {
            unsigned long interval = strtoul(arg, &end, 0);
            if (end == arg || *end != '\0' || interval > INT_MAX)
                return EINVAL;
            s->interval = (int) interval;
        }
        return 0;
    case 'n':
        s->synchronous = false;
        s->interval = 0;
        return 0;
    case 'r': s->change_mode = s->readonly = true; return 0;
    case 'w': s->change_mode = true; s->readonly = false; return 0;
    case KEY_UPDATE: s->update = true; return 0;
    case KEY_NO_ATIME: s->atime = DISKFS_ATIME_NEVER; return 0;
    case KEY_RELATIME: s->atime = DISKFS_ATIME_RELATIVE; return 0;
    case KEY_STRICTATIME: s->atime = DISKFS_ATIME_ALWAYS; return 0;
    case KEY_NO_SUID: s->nosuid = true; return 0;
    case KEY_SUID: s->nosuid = false; return 0;
    case KEY_NO_EXEC: s->noexec = true; return 0;
    case KEY_EXEC: s->noexec = false; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_startup(int key, char *arg, struct argp_state *state)
{
    struct diskfs_arguments *a = &diskfs_arguments;
    struct settings settings;
    switch (key) {
    case 'T': a->store_type = arg; return 0;
    case KEY_MULTIBOOT: a->multiboot_command_line = arg; return 0;
    case KEY_HOST_PRIV: a->host_priv = parse_port(state, arg); return 0;
    case KEY_DEVICE_MASTER: a->device_master = parse_port(state, arg); return 0;
    case KEY_EXEC_TASK: a->exec_server_task = parse_port(state, arg); return 0;
    case KEY_KERNEL_TASK: a->kernel_task = parse_port(state, arg); return 0;
    case KEY_TRACE_BOOT: a->trace_boot = true; return 0;
    case KEY_BOOTFLAGS: return 0;
    case ARGP_KEY_ARG: add_store(arg); return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no disk named: say which, e.g. -T typed part:1:device:wd0");
        return EINVAL;
    default:
        settings_now(&settings);
        error_t err = parse_setting(&settings, key, arg);
        if (err == EINVAL)
            argp_error(state, "%s: not a number of seconds", arg);
        settings_apply(&settings);
        diskfs_readonly = settings.readonly;
        return err;
    }
}

void diskfs_options_parse(const struct argp_child *children, int argc, char **argv)
{
    const struct argp argp = { startup_options, parse_startup, "DISK...", NULL, children, NULL, NULL };
    error_t err = argp_parse(&argp, argc, argv, 0, NULL, NULL);
    if (err)
        diskfs_die("command line: %s", strerror(err));
}

/* ---- at run time ------------------------------------------------------------------------ */

/* WORD is --NAME or --NAME=VALUE: gives VALUE, "" if there is none, NULL if it is another option. */
static const char *option_value(const char *word, const char *name)
{
    size_t n = strlen(name);
    if (strncmp(word, "--", 2) != 0 || strncmp(word + 2, name, n) != 0)
        return NULL;
    word += 2 + n;
    return *word == '\0' ? word : *word == '=' ? word + 1 : NULL;
}

/* Names as people give them, here and in mount's lists. */
static const struct { const char *name; int key; } runtime_names[] = {
    { "--readonly", 'r' }, { "--rdonly", 'r' }, { "--ro", 'r' }, { "-r", 'r' },
    { "--writable", 'w' }, { "--rdwr", 'w' }, { "--rw", 'w' }, { "-w", 'w' },
    { "--update", KEY_UPDATE }, { "--remount", KEY_UPDATE }, { "-u", KEY_UPDATE },
    { "--no-sync", 'n' }, { "--nosync", 'n' }, { "-n", 'n' },
    { "--no-atime", KEY_NO_ATIME }, { "--noatime", KEY_NO_ATIME },
    { "--atime", KEY_RELATIME }, { "--relatime", KEY_RELATIME }, { "--strictatime", KEY_STRICTATIME },
    { "--no-suid", KEY_NO_SUID }, { "--nosuid", KEY_NO_SUID }, { "--suid", KEY_SUID },
    { "--no-exec", KEY_NO_EXEC }, { "--noexec", KEY_NO_EXEC }, { "--exec", KEY_EXEC },
};

static error_t runtime_option(const char *word, struct settings *s)
{
    const char *value = option_value(word, "sync");
    if (value == NULL && strncmp(word, "-s", 2) == 0)
        value = word + 2;
    if (value != NULL)
        return parse_setting(s, 's', *value ? value : NULL);
    for (size_t i = 0; i < sizeof runtime_names / sizeof *runtime_names; i++)
        if (strcmp(word, runtime_names[i].name) == 0)
            return parse_setting(s, runtime_names[i].key, NULL);
    return diskfs_ops->set_option ? diskfs_ops->set_option(word) : EINVAL;
}

error_t diskfs_options_set(const char *argz, size_t length)
{
    struct settings s;
    settings_now(&s);
    if (length > 0 && argz[length - 1] != '\0')
        return EINVAL;
    for (const char *word = argz; word < argz + length; word += strlen(word) + 1) {
        error_t err = *word ? runtime_option(word, &s) : 0;
        if (err)
            return err;
    }
    settings_apply(&s);
    diskfs_sync_rearm();
    error_t err = 0;
    if (s.change_mode && s.readonly)
        err = diskfs_set_readonly(true);
    if (!err && s.update)
        err = diskfs_reload();
    if (!err && s.change_mode && !s.readonly)
        err = diskfs_set_readonly(false);
    return err;
}

error_t diskfs_options_get(char **argz, size_t *length)
{
    char word[64];
    int interval = atomic_load(&diskfs_sync_interval);
    *argz = NULL;
    *length = 0;
    error_t err = argz_add(argz, length, program_invocation_name);
    if (!err)
        err = argz_add(argz, length, diskfs_readonly ? "--readonly" : "--writable");
    if (!err && diskfs_atime != DISKFS_ATIME_RELATIVE)
        err = argz_add(argz, length, diskfs_atime == DISKFS_ATIME_NEVER ? "--no-atime" : "--strictatime");
    if (!err && diskfs_nosuid)
        err = argz_add(argz, length, "--no-suid");
    if (!err && diskfs_noexec)
        err = argz_add(argz, length, "--no-exec");
    snprintf(word, sizeof word, "--sync=%d", interval);
    if (!err)
        err = argz_add(argz, length, diskfs_synchronous ? "--sync" : interval > 0 ? word : "--no-sync");
    if (!err && diskfs_ops->get_options)
        err = diskfs_ops->get_options(argz, length);
    if (!err && diskfs_arguments.store_type) {
        snprintf(word, sizeof word, "--store-type=%s", diskfs_arguments.store_type);
        err = argz_add(argz, length, word);
    }
    for (unsigned int i = 0; !err && i < diskfs_arguments.nstores; i++)
        err = argz_add(argz, length, diskfs_arguments.stores[i]);
    if (err) {
        free(*argz);
        *argz = NULL;
    }
    return err;
}
