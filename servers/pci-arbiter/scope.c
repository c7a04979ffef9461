/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading, writing and applying permission scopes; see scope.h. */

#include "scope.h"

#include <argz.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_ROOT_ONLY = 512 };

static const struct {
    const char *name;
    int option;
    int digits;
    unsigned int most;
} keys[SCOPE_KEYS] = {
    [SCOPE_CLASS] = {"class", 'C', 2, 0xff},   [SCOPE_SUBCLASS] = {"subclass", 'c', 2, 0xff},
    [SCOPE_DOMAIN] = {"domain", 'D', 4, 0xffff}, [SCOPE_BUS] = {"bus", 'b', 2, 0xff},
    [SCOPE_DEVICE] = {"dev", 'd', 2, 0x1f},    [SCOPE_FUNCTION] = {"func", 'f', 1, 7},
};

static bool owned(const struct scope *scope)
{
    return scope->owner.has_uid || scope->owner.has_gid;
}

/* A number in BASE from 0 to MOST that is all of TEXT. */
static bool number_parse(const char *text, int base, unsigned long most, unsigned long *number)
{
    char *end;
    if (text[0] == '\0' || text[0] == '-' || text[0] == '+' || text[0] == ' ')
        return false;
    errno = 0;
    *number = strtoul(text, &end, base);
    return errno == 0 && *end == '\0' && *number <= most;
}

/* The scope that options go to: the last one while it has no owner, else a new one. */
static struct scope *scope_current(struct scopes *scopes)
{
    if (scopes->count > 0 && !owned(&scopes->list[scopes->count - 1]))
        return &scopes->list[scopes->count - 1];
    struct scope *more = realloc(scopes->list, (scopes->count + 1) * sizeof *more);
    if (!more)
        return NULL;
    scopes->list = more;
    struct scope *scope = &more[scopes->count++];
    *scope = (struct scope){0};
    for (unsigned int i = 0; i < SCOPE_KEYS; i++)
        scope->keys[i] = -1;
    return scope;
}

static error_t condition_add(struct scopes *scopes, enum scope_key key, const char *arg, struct argp_state *state)
{
    unsigned long number;
    if (!number_parse(arg, 16, keys[key].most, &number)) {
        argp_error(state, "--%s=%s: not a hexadecimal number up to %x", keys[key].name, arg, keys[key].most);
        return EINVAL;
    }
    struct scope *scope = scope_current(scopes);
    if (!scope)
        return ENOMEM;
    if (scope->keys[key] >= 0) {
        argp_error(state, "--%s: twice in one scope", keys[key].name);
        return EINVAL;
    }
    scope->keys[key] = number;
    return 0;
}

static bool conditional(const struct scope *scope)
{
    for (unsigned int i = 0; i < SCOPE_KEYS; i++)
        if (scope->keys[i] >= 0)
            return true;
    return false;
}

/* The owner goes to the last scope, which must not have one of that kind. */
static error_t owner_add(struct scopes *scopes, bool group, const char *arg, struct argp_state *state)
{
    unsigned long number;
    struct scope *scope = scopes->count > 0 ? &scopes->list[scopes->count - 1] : NULL;
    const char *name = group ? "gid" : "uid";
    if (!number_parse(arg, 10, UINT32_MAX - 1, &number)) {
        argp_error(state, "--%s=%s: not an id", name, arg);
        return EINVAL;
    }
    if (!scope || !conditional(scope) || (group ? scope->owner.has_gid : scope->owner.has_uid)) {
        argp_error(state, "--%s=%s: behind no condition", name, arg);
        return EINVAL;
    }
    if (group) {
        scope->owner.has_gid = true;
        scope->owner.gid = number;
    } else {
        scope->owner.has_uid = true;
        scope->owner.uid = number;
    }
    return 0;
}

/* What is only known at the end of all options. */
static error_t scopes_check(const struct scopes *scopes, struct argp_state *state)
{
    for (unsigned int i = 0; i < scopes->count; i++) {
        const struct scope *scope = &scopes->list[i];
        const char *wrong = NULL;
        if (!owned(scope))
            wrong = "a permission scope without --uid and --gid";
        else if (scope->keys[SCOPE_SUBCLASS] >= 0 && scope->keys[SCOPE_CLASS] < 0)
            wrong = "--subclass without --class";
        if (wrong) {
            argp_error(state, "%s", wrong);
            return EINVAL;
        }
    }
    return 0;
}

static error_t option_parse(int key, char *arg, struct argp_state *state)
{
    struct scopes *scopes = state->input;
    switch (key) {
    case 'U':
    case 'G':
        return owner_add(scopes, key == 'G', arg, state);
    case OPT_ROOT_ONLY:
        scopes_destroy(scopes);
        return 0;
    case ARGP_KEY_END:
        return scopes_check(scopes, state);
    }
    for (unsigned int i = 0; i < SCOPE_KEYS; i++)
        if (keys[i].option == key)
            return condition_add(scopes, i, arg, state);
    return ARGP_ERR_UNKNOWN;
}

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "Permission scopes (conditions, then an owner; repeated for more):", 2},
    {"class", 'C', "CLASS", 0, "Devices of this class (hexadecimal)", 2},
    {"subclass", 'c', "SUBCLASS", 0, "and subclass", 2},
    {"domain", 'D', "DOMAIN", 0, "Devices of this domain", 2},
    {"bus", 'b', "BUS", 0, "bus", 2},
    {"dev", 'd', "DEV", 0, "device number", 2},
    {"func", 'f', "FUNC", 0, "function", 2},
    {"uid", 'U', "UID", 0, "belong to this user", 3},
    {"gid", 'G', "GID", 0, "and group", 3},
    {"root-only", OPT_ROOT_ONLY, NULL, 0, "Forget the scopes before this: all is root's", 3},
    {0},
};

const struct argp scopes_argp = {.options = options, .parser = option_parse};

error_t scopes_parse(const char *argz, size_t length, struct scopes *scopes)
{
    size_t count = argz_count(argz, length);
    char **argv = malloc((count + 2) * sizeof *argv);
    char *words = malloc(length); /* argp's argument vector is not constant */
    error_t err = argv && words ? 0 : ENOMEM;
    *scopes = (struct scopes){0};
    if (!err) {
        static char name[] = "pci-arbiter";
        memcpy(words, argz, length);
        argz_extract(words, length, argv + 1);
        argv[0] = name;
        int end;
        err = argp_parse(&scopes_argp, count + 1, argv, ARGP_NO_ERRS | ARGP_NO_HELP | ARGP_NO_EXIT, &end, scopes);
        if (!err && end != (int)count + 1)
            err = EINVAL; /* a word that is no option */
    }
    if (err)
        scopes_destroy(scopes);
    free(words);
    free(argv);
    return err;
}

error_t scopes_format(const struct scopes *scopes, char **argz, size_t *length)
{
    char word[32];
    error_t err = 0;
    for (unsigned int i = 0; !err && i < scopes->count; i++) {
        const struct scope *scope = &scopes->list[i];
        for (unsigned int key = 0; !err && key < SCOPE_KEYS; key++) {
            if (scope->keys[key] < 0)
                continue;
            snprintf(word, sizeof word, "--%s=%0*x", keys[key].name, keys[key].digits, (unsigned int)scope->keys[key]);
            err = argz_add(argz, length, word);
        }
        if (!err && scope->owner.has_uid) {
            snprintf(word, sizeof word, "--uid=%u", (unsigned int)scope->owner.uid);
            err = argz_add(argz, length, word);
        }
        if (!err && scope->owner.has_gid) {
            snprintf(word, sizeof word, "--gid=%u", (unsigned int)scope->owner.gid);
            err = argz_add(argz, length, word);
        }
    }
    return err;
}

static bool scope_fits(const struct scope *scope, const struct pci_function *function)
{
    const int values[SCOPE_KEYS] = {
        [SCOPE_CLASS] = function->class_code >> 16, [SCOPE_SUBCLASS] = function->class_code >> 8 & 0xff,
        [SCOPE_DOMAIN] = function->address.domain,  [SCOPE_BUS] = function->address.bus,
        [SCOPE_DEVICE] = function->address.device,  [SCOPE_FUNCTION] = function->address.function,
    };
    for (unsigned int i = 0; i < SCOPE_KEYS; i++)
        if (scope->keys[i] >= 0 && scope->keys[i] != values[i])
            return false;
    return true;
}

struct scope_owner scopes_owner(const struct scopes *scopes, const struct pci_function *function)
{
    struct scope_owner owner = {0};
    for (unsigned int i = 0; i < scopes->count; i++) {
        const struct scope *scope = &scopes->list[i];
        if (!scope_fits(scope, function))
            continue;
        if (scope->owner.has_uid) {
            owner.has_uid = true;
            owner.uid = scope->owner.uid;
        }
        if (scope->owner.has_gid) {
            owner.has_gid = true;
            owner.gid = scope->owner.gid;
        }
    }
    return owner;
}

void scopes_destroy(struct scopes *scopes)
{
    free(scopes->list);
    *scopes = (struct scopes){0};
}
