/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ids: see ids.h. */

#include "ids.h"

#include <stdlib.h>
#include <string.h>

/* Copies FROM to *ROOM, which goes on behind it. */
static error_t list_copy(struct ids_list *to, const struct ids_list *from, uid_t **room, ids_copy_t copy)
{
    to->ids = *room;
    to->count = from->count;
    *room += from->count;
    return from->count > 0 ? copy(to->ids, from->ids, from->count * sizeof **room) : 0;
}

error_t ids_create(struct ids *ids, const struct ids_list *euids, const struct ids_list *auids,
                   const struct ids_list *egids, const struct ids_list *agids, ids_copy_t copy)
{
    size_t total = (size_t) euids->count + auids->count + egids->count + agids->count;

    if (euids->count > IDS_LIST_MAX || auids->count > IDS_LIST_MAX || egids->count > IDS_LIST_MAX ||
        agids->count > IDS_LIST_MAX)
        return E2BIG;
    uid_t *block = malloc((total + 1) * sizeof *block), *room = block;
    if (block == NULL)
        return ENOMEM;
    error_t err = list_copy(&ids->euids, euids, &room, copy);
    if (!err)
        err = list_copy(&ids->auids, auids, &room, copy);
    if (!err)
        err = list_copy(&ids->egids, egids, &room, copy);
    if (!err)
        err = list_copy(&ids->agids, agids, &room, copy);
    if (err)
        free(block);
    return err;
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

/* What a client may have shown us is long only if he wants it to be; such lists are put in order once and then
   searched. */
enum { SEARCHED_ONE_BY_ONE = 256 };

static int id_compare(const void *a, const void *b)
{
    uid_t x = *(const uid_t *) a, y = *(const uid_t *) b;
    return (x > y) - (x < y);
}

/* The ids of one kind that GIVEN have: uids or gids. */
struct pool {
    uid_t *sorted;          /* NULL: they are few */
    size_t count;
    const struct ids *const *given;
    size_t given_count;
    bool groups;
};

static const struct ids_list *pool_list(const struct pool *pool, size_t i, bool effective)
{
    const struct ids *ids = pool->given[i];
    return pool->groups ? effective ? &ids->egids : &ids->agids : effective ? &ids->euids : &ids->auids;
}

static void pool_append(struct pool *pool, const struct ids_list *list)
{
    if (list->count > 0)
        memcpy(pool->sorted + pool->count, list->ids, list->count * sizeof *list->ids);
    pool->count += list->count;
}

static error_t pool_fill(struct pool *pool, const struct ids *const *given, size_t count, bool groups)
{
    size_t total = 0;

    *pool = (struct pool) { .given = given, .given_count = count, .groups = groups };
    for (size_t i = 0; i < count; i++)
        total += (size_t) pool_list(pool, i, true)->count + pool_list(pool, i, false)->count;
    if (total <= SEARCHED_ONE_BY_ONE)
        return 0;
    pool->sorted = malloc(total * sizeof *pool->sorted);
    if (pool->sorted == NULL)
        return ENOMEM;
    for (size_t i = 0; i < count; i++) {
        pool_append(pool, pool_list(pool, i, true));
        pool_append(pool, pool_list(pool, i, false));
    }
    qsort(pool->sorted, total, sizeof *pool->sorted, id_compare);
    return 0;
}

static bool pool_has(const struct pool *pool, uid_t id)
{
    if (pool->sorted != NULL)
        return bsearch(&id, pool->sorted, pool->count, sizeof id, id_compare) != NULL;
    for (size_t i = 0; i < pool->given_count; i++)
        if (list_has(pool_list(pool, i, true), id) || list_has(pool_list(pool, i, false), id))
            return true;
    return false;
}

static bool pool_has_all(const struct pool *pool, const struct ids_list *wanted)
{
    for (unsigned int i = 0; i < wanted->count; i++)
        if (!pool_has(pool, wanted->ids[i]))
            return false;
    return true;
}

error_t ids_check(const struct ids *const *given, size_t count, const struct ids *wanted)
{
    struct pool uids, gids;
    error_t err = pool_fill(&uids, given, count, false);

    if (err)
        return err;
    if (pool_has(&uids, 0)) {
        free(uids.sorted);
        return 0;
    }
    err = pool_fill(&gids, given, count, true);
    if (!err && !(pool_has_all(&uids, &wanted->euids) && pool_has_all(&uids, &wanted->auids)
                  && pool_has_all(&gids, &wanted->egids) && pool_has_all(&gids, &wanted->agids)))
        err = EPERM;
    free(uids.sorted);
    free(gids.sorted);
    return err;
}
