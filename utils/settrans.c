/* SPDX-License-Identifier: GPL-2.0-or-later */
/* settrans: sets the passive or the active translator of a node, or takes it away. */

#include <argz.h>
#include <fcntl.h>
#include <fshelp/fshelp.h>
#include <getopt.h>
#include <hurd.h>
#include <hurd/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common.h"

const char program_name[] = "settrans";
const char program_help[] =
    "settrans [OPTION...] NODE [TRANSLATOR ARG...]\n"
    "Sets the passive translator of NODE, or without TRANSLATOR removes it.\n\n"
    "  -a, --active       start TRANSLATOR and set it as the active one; without TRANSLATOR, end the active one\n"
    "  -p, --passive      set the passive one (what happens without -a)\n"
    "  -c, --create       create NODE if there is none\n"
    "  -x, --exclusive    only if there is none yet\n"
    "  -L, --dereference  put the new one on top of the old, not in its place\n"
    "  -t, --timeout=SEC  how long TRANSLATOR has to start (60; 0: for ever)\n"
    "When there is an active translator and only the passive one is set (else: an error):\n"
    "  -g, --goaway       make it go away\n"
    "  -k, --keep-active  let it be\n"
    "  -O, --orphan       cut it off: it serves those who use it, and nobody new\n"
    "When one has to go away:\n"
    "  -f, --force        although it is used\n"
    "  -R, --recursive    and those below it\n"
    "  -S, --nosync       without writing what is not on disk yet\n"
    "      --help         this text\n";

static const struct option options[] = {
    {"active", no_argument, NULL, 'a'},      {"passive", no_argument, NULL, 'p'},
    {"create", no_argument, NULL, 'c'},      {"exclusive", no_argument, NULL, 'x'},
    {"dereference", no_argument, NULL, 'L'}, {"timeout", required_argument, NULL, 't'},
    {"goaway", no_argument, NULL, 'g'},      {"keep-active", no_argument, NULL, 'k'},
    {"orphan", no_argument, NULL, 'O'},      {"force", no_argument, NULL, 'f'},
    {"recursive", no_argument, NULL, 'R'},   {"nosync", no_argument, NULL, 'S'},
    {"help", no_argument, NULL, 'h'},        {0},
};

struct wishes {
    bool active, passive, create, exclusive, follow, goaway, keep, orphan;
    int goaway_flags, timeout_ms;
};

static int timeout_parse(const char *text)
{
    char *end;
    long seconds = strtol(text, &end, 10);
    if (end == text || *end != '\0' || seconds < 0 || seconds > 2000000)
        usage_error("--timeout=%s: no number of seconds", text);
    return (int) seconds * 1000;
}

static void wishes_parse(int argc, char **argv, struct wishes *wishes)
{
    int option;

    while ((option = getopt_long(argc, argv, "+apcxLt:gkOfRS", options, NULL)) != -1)
        switch (option) {
        case 'a': wishes->active = true; break;
        case 'p': wishes->passive = true; break;
        case 'c': wishes->create = true; break;
        case 'x': wishes->exclusive = true; break;
        case 'L': wishes->follow = true; break;
        case 't': wishes->timeout_ms = timeout_parse(optarg); break;
        case 'g': wishes->goaway = true; break;
        case 'k': wishes->keep = true; break;
        case 'O': wishes->orphan = true; break;
        case 'f': wishes->goaway_flags |= FSYS_GOAWAY_FORCE; break;
        case 'R': wishes->goaway_flags |= FSYS_GOAWAY_RECURSE; break;
        case 'S': wishes->goaway_flags |= FSYS_GOAWAY_NOSYNC; break;
        case 'h': usage_help();
        default: exit(2);
        }
    if (wishes->goaway + wishes->keep + wishes->orphan > 1)
        usage_error("--goaway, --keep-active and --orphan exclude each other");
    if (!wishes->active)
        wishes->passive = true;
    if (optind == argc)
        usage_error("no node given");
}

/* Opens the node once more for the translator, with the FLAGS it wants. */
struct underlying {
    const char *name;
    int lookup_flags;
};

static error_t underlying_open(void *cookie, int flags, mach_port_t *port)
{
    const struct underlying *underlying = cookie;
    *port = file_name_lookup(underlying->name, flags | underlying->lookup_flags, 0);
    return *port == MACH_PORT_NULL ? errno : 0;
}

static mach_port_t translator_start(const struct wishes *wishes, const char *name, int lookup_flags, const char *argz,
                                    size_t length)
{
    struct underlying underlying = { name, lookup_flags & ~O_CREAT };
    mach_port_t control;
    error_t err = fshelp_translator_start(argz, length, geteuid(), getegid(), wishes->timeout_ms, underlying_open,
                                          &underlying, &control);

    if (err)
        fail(err, "%s", argz);
    return control;
}

/* Flags for the active side when only the passive one is set. */
static int bystander_flags(const struct wishes *wishes)
{
    if (wishes->goaway)
        return FS_TRANS_SET;
    if (wishes->orphan)
        return FS_TRANS_SET | FS_TRANS_ORPHAN;
    return wishes->keep ? 0 : FS_TRANS_SET | FS_TRANS_EXCL;
}

int main(int argc, char **argv)
{
    struct wishes wishes = { .timeout_ms = 60000 };
    mach_port_t control = MACH_PORT_NULL;
    char *argz = NULL;
    size_t length = 0;

    wishes_parse(argc, argv, &wishes);
    const char *name = argv[optind++];
    int lookup_flags = (wishes.follow ? 0 : O_NOTRANS) | (wishes.create ? O_CREAT : 0);
    file_t node = file_name_lookup(name, lookup_flags, 0666);
    if (node == MACH_PORT_NULL)
        fail(errno, "%s", name);
    error_t err = argz_create(argv + optind, &argz, &length);
    if (err)
        fail(err, "arguments");
    if (wishes.active && length > 0)
        control = translator_start(&wishes, name, lookup_flags, argz, length);
    int set = FS_TRANS_SET | (wishes.exclusive ? FS_TRANS_EXCL : 0), old = wishes.orphan ? FS_TRANS_ORPHAN : 0;
    err = file_set_translator(node, wishes.passive ? set : 0, wishes.active ? set | old : bystander_flags(&wishes),
                              wishes.goaway_flags, argz, (mach_msg_type_number_t)(wishes.passive ? length : 0), control,
                              MACH_MSG_TYPE_COPY_SEND);
    if (err)
        fail(err, "%s", name);
    return 0;
}
