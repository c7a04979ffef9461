/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ids: see ids.h. */

#include "ids.h"

#include <stdlib.h>
#include <string.h>

static uid_t *list_copy(struct ids_list *to, const struct ids_list *from, uid_t *room)
{
    to->ids = room;
    to->count = from->count;
    if (from->count > 0)
        memcpy(room, from->ids, from->count * sizeof *room);
    return room + from->count;
}

error_t ids_create(struct ids *ids, const struct ids_list *euids, const struct ids_list *auids, const struct ids_list *egids,
                   const struct ids_list *agids)
{
    size_t total = (size_t) euids->count + auids->count + egids->count + agids->count;
    uid_t *room = malloc((total + 1) * sizeof *room);

    if (room == NULL)
        return ENOMEM;
    room = list_copy(&ids->euids, euids, room);
    room = list_copy(&ids->auids, auids, room);
    room = list_copy(&ids->egids, egids, room);
    list_copy(&ids->agids, agids, room);
    return 0;
}

void ids_destroy(struct ids *ids)
{
    free(ids->euids.ids);
    *ids = (struct ids) { 0 };
}

static bool list_has(const struct ids_list *list, uid_t id)
{
    for (unsigned int i = 0; i < list->count; i++)
        if (list->ids[i] == id)
            return true;
    return false;
}

static bool given_has_uid(const struct ids *const *given, size_t count, uid_t uid)
{
    for (size_t i = 0; i < count; i++)
        if (list_has(&given[i]->euids, uid) || list_has(&given[i]->auids, uid))
            return true;
    return false;
}

static bool given_has_gid(const struct ids *const *given, size_t count, gid_t gid)
{
    for (size_t i = 0; i < count; i++)
        if (list_has(&given[i]->egids, gid) || list_has(&given[i]->agids, gid))
            return true;
    return false;
}

typedef bool (*given_has_t)(const struct ids *const *given, size_t count, uid_t id);

static bool given_have_all(const struct ids *const *given, size_t count, given_has_t has, const struct ids_list *wanted)
{
    for (unsigned int i = 0; i < wanted->count; i++)
        if (!has(given, count, wanted->ids[i]))
            return false;
    return true;
}

error_t ids_check(const struct ids *const *given, size_t count, const struct ids *wanted)
{
    if (given_has_uid(given, count, 0))
        return 0;
    return given_have_all(given, count, given_has_uid, &wanted->euids)
                   && given_have_all(given, count, given_has_uid, &wanted->auids)
                   && given_have_all(given, count, given_has_gid, &wanted->egids)
                   && given_have_all(given, count, given_has_gid, &wanted->agids)
               ? 0 : EPERM;
}
