/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thread counts of pool.h.  */

#include "pool.h"

void ports_pool_init(struct ports_pool *pool, bool single)
{
    *pool = (struct ports_pool){.single = single, .threads = 1, .waiting = 1, .low = 1};
}

bool ports_pool_take(struct ports_pool *pool)
{
    pool->rounds++;
    pool->waiting--;
    if (pool->waiting < pool->low)
        pool->low = pool->waiting;
    if (pool->waiting != 0 || pool->single)
        return false;
    pool->threads++;
    pool->waiting++;
    return true;
}

void ports_pool_failed(struct ports_pool *pool)
{
    pool->threads--;
    pool->waiting--;
}

enum ports_pool_next ports_pool_give(struct ports_pool *pool, bool first)
{
    pool->waiting++;
    if (pool->rounds % POOL_ROUNDS == 0) {
        bool surplus = pool->low > POOL_SPARES;
        pool->low = pool->waiting;
        if (surplus && !first) {
            pool->threads--;
            pool->waiting--;
            return POOL_RETIRE;
        }
    }
    return pool->waiting > POOL_SPARES + 1 ? POOL_WAIT_TIMED : POOL_WAIT;
}

bool ports_pool_idle(struct ports_pool *pool, bool first)
{
    if (first || pool->waiting <= POOL_SPARES)
        return false;
    pool->threads--;
    pool->waiting--;
    return true;
}
