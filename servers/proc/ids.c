/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ids.c: who a process is, and what it may do to another. */

#include <stdlib.h>
#include <string.h>

#include "process.h"

struct ids *ids_create(const uid_t *uid, unsigned count)
{
    struct ids *ids = malloc(sizeof *ids + count * sizeof *uid);
    if (!ids)
        return NULL;
    ids->refs = 1;
    ids->count = count;
    if (count)
        memcpy(ids->uid, uid, count * sizeof *uid);
    return ids;
}

struct ids *ids_ref(struct ids *ids)
{
    if (ids)
        ids->refs++;
    return ids;
}

void ids_deref(struct ids *ids)
{
    if (ids && --ids->refs == 0)
        free(ids);
}

static bool ids_contain(const struct ids *ids, uid_t uid)
{
    if (!ids)
        return false;
    for (unsigned i = 0; i < ids->count; i++)
        if (ids->uid[i] == uid)
            return true;
    return false;
}

bool process_is_root(const struct process *p)
{
    return ids_contain(p->ids, 0);
}

bool process_has_uid(const struct process *p, uid_t uid)
{
    return ids_contain(p->ids, uid) || ids_contain(p->ids, 0);
}

bool process_owns(const struct process *p, const struct process *other)
{
    if (p == other || process_is_root(p))
        return true;
    if (other->owned)
        return ids_contain(p->ids, other->owner);
    /* Nobody owns it: those of its login do, but for the system's own servers. */
    return p->login == other->login && !other->important;
}
