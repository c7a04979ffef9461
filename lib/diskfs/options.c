/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options: of the command line (argp) and at run time (fsysopts).  */

#include "diskfs-internal.h"

#include <argz.h>
#include <stdio.h>
#include <stdlib.h>

struct diskfs_arguments diskfs_arguments;
bool diskfs_readonly, diskfs_noatime, diskfs_synchronous;

enum {
    KEY_MULTIBOOT = 0x1000, KEY_HOST_PRIV, KEY_DEVICE_MASTER, KEY_EXEC_TASK, KEY_KERNEL_TASK, KEY_BOOTFLAGS,
    KEY_NO_ATIME, KEY_ATIME, KEY_DIRECTORY, KEY_TRACE_BOOT,
};

static const struct argp_option startup_options[] = {
    { "readonly", 'r', 0, 0, "Never write to the disk", 1 },
    { "rdonly", 0, 0, OPTION_ALIAS | OPTION_HIDDEN, 0, 1 },
    { "writable", 'w', 0, 0, "Use the normal read and write behaviour", 1 },
    { "rdwr", 0, 0, OPTION_ALIAS | OPTION_HIDDEN, 0, 1 },
    { "sync", 's', "INTERVAL", OPTION_ARG_OPTIONAL,
      "Bring changes to the disk every INTERVAL seconds (30), or without one at once", 1 },
    { "no-sync", 'n', 0, 0, "Bring changes to the disk when asked only", 1 },
    { "no-atime", KEY_NO_ATIME, 0, 0, "Keep no access times", 1 },
    { "atime", KEY_ATIME, 0, 0, "Keep access times (once a day for files that are only read)", 1 },
    { "store-type", 'T', "TYPE", 0, "The disk's name is of TYPE, e.g. typed", 2 },
    { 0, 0, 0, 0, "Options of the file system that the system boots from:", 3 },
    { "multiboot-command-line", KEY_MULTIBOOT, "WORDS", 0, "What the kernel was started with", 3 },
    { "host-priv-port", KEY_HOST_PRIV, "PORT", 0, "The kernel's privileged host port", 3 },
    { "device-master-port", KEY_DEVICE_MASTER, "PORT", 0, "The kernel's device port", 3 },
    { "exec-server-task", KEY_EXEC_TASK, "PORT", 0, "The task that will be the exec server", 3 },
    { "kernel-task", KEY_KERNEL_TASK, "PORT", 0, "The kernel's own task", 3 },
    { "trace-boot", KEY_TRACE_BOOT, 0, 0, "Say each step of the boot on the console", 3 },
    { "bootflags", KEY_BOOTFLAGS, "FLAGS", OPTION_HIDDEN, 0, 3 },
    { 0 },
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

/* What may be changed at run time, too. ARGP_ERR_UNKNOWN, EINVAL. */
static error_t parse_common(int key, const char *arg)
{
    char *end;
    switch (key) {
    case 's':
        diskfs_synchronous = arg == NULL;
        if (arg != NULL) {
            unsigned long interval = strtoul(arg, &end, 0);
            if (end == arg || *end != '\0' || interval > INT_MAX)
                return EINVAL;
            atomic_store(&diskfs_sync_interval, (int) interval);
        }
        return 0;
    case 'n':
        diskfs_synchronous = false;
        atomic_store(&diskfs_sync_interval, 0);
        return 0;
    case KEY_NO_ATIME:
        diskfs_noatime = true;
        return 0;
    case KEY_ATIME:
        diskfs_noatime = false;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_startup(int key, char *arg, struct argp_state *state)
{
    struct diskfs_arguments *a = &diskfs_arguments;
    error_t err;
    switch (key) {
    case 'r': diskfs_readonly = true; return 0;
    case 'w': diskfs_readonly = false; return 0;
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
        err = parse_common(key, arg);
        if (err == EINVAL)
            argp_error(state, "%s: not a number of seconds", arg);
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

struct runtime { bool change_mode, readonly, update; };

static error_t runtime_option(const char *word, struct runtime *r)
{
    const char *value;
    if (option_value(word, "readonly") || option_value(word, "rdonly") || strcmp(word, "-r") == 0)
        r->change_mode = r->readonly = true;
    else if (option_value(word, "writable") || option_value(word, "rdwr") || strcmp(word, "-w") == 0)
        r->change_mode = true, r->readonly = false;
    else if (option_value(word, "update") || option_value(word, "remount") || strcmp(word, "-u") == 0)
        r->update = true;
    else if ((value = option_value(word, "sync")) != NULL)
        return parse_common('s', *value ? value : NULL);
    else if (strncmp(word, "-s", 2) == 0)
        return parse_common('s', word[2] ? word + 2 : NULL);
    else if (option_value(word, "no-sync") || option_value(word, "nosync") || strcmp(word, "-n") == 0)
        return parse_common('n', NULL);
    else if (option_value(word, "no-atime") || option_value(word, "noatime"))
        return parse_common(KEY_NO_ATIME, NULL);
    else if (option_value(word, "atime"))
        return parse_common(KEY_ATIME, NULL);
    else
        return diskfs_ops->set_option ? diskfs_ops->set_option(word) : EINVAL;
    return 0;
}

error_t diskfs_options_set(const char *argz, size_t length)
{
    struct runtime r = { false, false, false };
    if (length > 0 && argz[length - 1] != '\0')
        return EINVAL;
    for (const char *word = argz; word < argz + length; word += strlen(word) + 1) {
        error_t err = *word ? runtime_option(word, &r) : 0;
        if (err)
            return err;
    }
    diskfs_sync_rearm();
    error_t err = 0;
    if (r.change_mode && r.readonly)
        err = diskfs_set_readonly(true);
    if (!err && r.update)
        err = diskfs_reload();
    if (!err && r.change_mode && !r.readonly)
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
    if (!err && diskfs_noatime)
        err = argz_add(argz, length, "--no-atime");
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
