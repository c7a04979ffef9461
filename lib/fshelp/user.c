/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Users: immutable vectors of ids behind a count of references; see fshelp.h. */

#include <fshelp/fshelp.h>

#include <stdlib.h>
#include <string.h>

struct fshelp_user *fshelp_user_create(const uid_t *uids, unsigned int nuids, const gid_t *gids, unsigned int ngids)
{
    /* One block: the structure, then the uids, then the gids. */
    struct fshelp_user *user = malloc(sizeof *user + nuids * sizeof *uids + ngids * sizeof *gids);

    if (!user)
        return NULL;
    atomic_init(&user->refs, 1);
    user->nuids = nuids;
    user->ngids = ngids;
    user->uids = (uid_t *) (user + 1);
    user->gids = (gid_t *) (user->uids + nuids);
    if (nuids)
        memcpy(user->uids, uids, nuids * sizeof *uids);
    if (ngids)
        memcpy(user->gids, gids, ngids * sizeof *gids);
    return user;
}

struct fshelp_user *fshelp_user_create_root(void)
{
    static const uid_t root_uid;
    static const gid_t root_gid;

    return fshelp_user_create(&root_uid, 1, &root_gid, 1);
}

void fshelp_user_ref(struct fshelp_user *user)
{
    atomic_fetch_add_explicit(&user->refs, 1, memory_order_relaxed);
}

void fshelp_user_deref(struct fshelp_user *user)
{
    if (atomic_fetch_sub_explicit(&user->refs, 1, memory_order_acq_rel) == 1)
        free(user);
}

static bool contains(const unsigned int *ids, unsigned int count, unsigned int id)
{
    for (unsigned int i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

bool fshelp_user_has_uid(const struct fshelp_user *user, uid_t uid)
{
    return contains(user->uids, user->nuids, uid);
}

bool fshelp_user_has_gid(const struct fshelp_user *user, gid_t gid)
{
    return contains(user->gids, user->ngids, gid);
}

bool fshelp_user_is_root(const struct fshelp_user *user)
{
    return fshelp_user_has_uid(user, 0);
}

/* Moves to the front of IDS those that are in MINE too (all of them if EVERY); how many. */
static unsigned int keep_common(unsigned int *ids, unsigned int count, const unsigned int *mine, unsigned int nmine,
                                bool every)
{
    unsigned int kept = 0;

    for (unsigned int i = 0; i < count; i++)
        if (every || contains(mine, nmine, ids[i]))
            ids[kept++] = ids[i];
    return kept;
}

struct fshelp_user *fshelp_user_restrict(const struct fshelp_user *user, const uid_t *uids, unsigned int nuids,
                                         const gid_t *gids, unsigned int ngids)
{
    struct fshelp_user *narrow = fshelp_user_create(uids, nuids, gids, ngids);
    bool root = fshelp_user_is_root(user);

    if (!narrow)
        return NULL;
    narrow->nuids = keep_common(narrow->uids, nuids, user->uids, user->nuids, root);
    narrow->ngids = keep_common(narrow->gids, ngids, user->gids, user->ngids, root);
    return narrow;
}
