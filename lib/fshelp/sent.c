/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sent: users made of the lists of ids that a request brought, which may be long, or memory that cannot be touched. */

#include <fshelp/fshelp.h>
#include <ports/ports.h>

#include <stdlib.h>

/* COUNT ids in malloc'd memory; NULL if that cannot be. */
static unsigned int *ids_copy(const unsigned int *ids, unsigned int count)
{
    unsigned int *copy = count <= FSHELP_IDS_MAX ? malloc((count + 1) * sizeof *copy) : NULL;

    if (copy && count && ports_copy_guarded(copy, ids, count * sizeof *ids)) {
        free(copy);
        return NULL;
    }
    return copy;
}

struct fshelp_user *fshelp_user_create_sent(const struct fshelp_user *limit, const uid_t *uids, unsigned int nuids,
                                            const gid_t *gids, unsigned int ngids)
{
    uid_t *own_uids = ids_copy(uids, nuids);
    gid_t *own_gids = ids_copy(gids, ngids);
    struct fshelp_user *user = NULL;

    if (own_uids && own_gids)
        user = limit ? fshelp_user_restrict(limit, own_uids, nuids, own_gids, ngids)
                     : fshelp_user_create(own_uids, nuids, own_gids, ngids);
    free(own_uids);
    free(own_gids);
    return user;
}
