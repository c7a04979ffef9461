/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Advisory locks of one node: flock's and fcntl's in one list.

   A lock is a range [start, end] of bytes that an owner holds, shared or exclusive.  flock's locks are of a kind of
   their own: they cover everything, and conflict with other flocks only, as on other systems.  The records of one owner
   and kind never overlap: setting a range first cuts it out of what the owner has.  The list is in order of start, so
   that neighbours of the same owner melt together.

   Deadlock: a record lock that would wait for an owner that (transitively) waits for its own gives EDEADLK.  Who waits
   for whom is followed through all files of the server: an owner of locks on several files is a port (lock-owner.c),
   since an open is of one file.  It is looked at before a wait and again whenever the wait goes on, because an owner
   may also be given a lock while another thread of his waits.  Waits that lead through another server are not seen.

   Locks: the node's lock, then graph_lock, a leaf: what changes the records of a box holds both, what reads them one of
   the two. */

#include <fshelp/fshelp.h>

#include <fcntl.h>
#include <limits.h>
#include <ports/ports.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/file.h>

enum { KIND_WHOLE, KIND_RECORD };

struct fshelp_lock {
    struct fshelp_lock *next;
    void *owner;
    pid_t pid;
    int kind;
    bool exclusive;
    bool waiting;      /* not held: the owner waits for this range */
    int64_t start, end; /* inclusive */
    struct fshelp_lockbox *box;     /* of a waiting one: where it is; this and the rest: graph_lock */
    struct fshelp_lock *wait_next;  /* waiters of the same bucket */
    struct fshelp_lock *todo;       /* reached by a search, to be followed */
    uint64_t seen;                  /* the last search that reached it */
};

enum { WAITER_BUCKETS = 64 };
static pthread_mutex_t graph_lock = PTHREAD_MUTEX_INITIALIZER;
static struct fshelp_lock *waiters[WAITER_BUCKETS]; /* all waiting locks, by owner; graph_lock */

void fshelp_lockbox_init(struct fshelp_lockbox *box)
{
    box->records = NULL;
    pthread_cond_init(&box->wakeup, NULL);
}

void fshelp_lockbox_destroy(struct fshelp_lockbox *box)
{
    struct fshelp_lock *lock, *next;

    pthread_mutex_lock(&graph_lock);
    for (lock = box->records; lock; lock = next) {
        next = lock->next;
        free(lock);
    }
    box->records = NULL;
    pthread_mutex_unlock(&graph_lock);
    pthread_cond_destroy(&box->wakeup);
}

static bool overlaps(const struct fshelp_lock *a, const struct fshelp_lock *b)
{
    return a->start <= b->end && b->start <= a->end;
}

/* True if HELD, in the same box, keeps WANTED from being held. */
static bool blocks(const struct fshelp_lock *held, const struct fshelp_lock *wanted)
{
    return !held->waiting && held->kind == wanted->kind && held->owner != wanted->owner && overlaps(held, wanted) &&
           (held->exclusive || wanted->exclusive);
}

/* The first lock in BOX that keeps WANTED from being held. */
static struct fshelp_lock *conflict(const struct fshelp_lockbox *box, const struct fshelp_lock *wanted)
{
    for (struct fshelp_lock *lock = box->records; lock; lock = lock->next)
        if (blocks(lock, wanted))
            return lock;
    return NULL;
}

/* ---- who waits for whom; graph_lock is held ----------------------------------------- */

static struct fshelp_lock **waiters_of(const void *owner)
{
    return &waiters[((uintptr_t)owner >> 5) * 0x9e3779b97f4a7c15ull >> 58];
}

static void waiter_enter(struct fshelp_lock *lock)
{
    struct fshelp_lock **bucket = waiters_of(lock->owner);

    lock->wait_next = *bucket;
    *bucket = lock;
}

static void waiter_leave(struct fshelp_lock *lock)
{
    struct fshelp_lock **at = waiters_of(lock->owner);

    while (*at != lock)
        at = &(*at)->wait_next;
    *at = lock->wait_next;
}

/* Would the owner of WANTED, waiting for it, wait for himself?  Each waiting lock is followed once. */
static bool deadlocks(struct fshelp_lock *wanted)
{
    static uint64_t search;
    struct fshelp_lock *todo = wanted;

    wanted->seen = ++search;
    wanted->todo = NULL;
    while (todo) {
        struct fshelp_lock *lock = todo;

        todo = lock->todo;
        for (struct fshelp_lock *held = lock->box->records; held; held = held->next) {
            if (!blocks(held, lock))
                continue;
            if (held->owner == wanted->owner)
                return true;
            for (struct fshelp_lock *waits = *waiters_of(held->owner); waits; waits = waits->wait_next) {
                if (waits->owner != held->owner || waits->seen == search)
                    continue;
                waits->seen = search;
                waits->todo = todo;
                todo = waits;
            }
        }
    }
    return false;
}

/* ---- the records of a box ------------------------------------------------------------- */

static void insert(struct fshelp_lockbox *box, struct fshelp_lock *lock)
{
    struct fshelp_lock **at = &box->records;

    while (*at && (*at)->start < lock->start)
        at = &(*at)->next;
    lock->next = *at;
    *at = lock;
}

static void unlink_lock(struct fshelp_lockbox *box, struct fshelp_lock *lock)
{
    struct fshelp_lock **at = &box->records;

    while (*at != lock)
        at = &(*at)->next;
    *at = lock->next;
}

/* Cuts RANGE out of what its owner holds.  SPARE is used if a lock falls into two; true if it was. */
static bool cut(struct fshelp_lockbox *box, const struct fshelp_lock *range, struct fshelp_lock *spare)
{
    bool used = false;

    for (struct fshelp_lock **at = &box->records, *lock; (lock = *at);) {
        if (lock->waiting || lock->kind != range->kind || lock->owner != range->owner || !overlaps(lock, range)) {
            at = &lock->next;
        } else if (lock->start < range->start && lock->end > range->end) {
            *spare = *lock;
            spare->start = range->end + 1;
            lock->end = range->start - 1;
            insert(box, spare);
            used = true;
            at = &lock->next;
        } else if (lock->start < range->start) {
            lock->end = range->start - 1;
            at = &lock->next;
        } else if (lock->end > range->end) {
            lock->start = range->end + 1;
            *at = lock->next; /* its place in the order may have changed */
            insert(box, lock);
        } else {
            *at = lock->next;
            free(lock);
        }
    }
    return used;
}

/* Joins LOCK with its owner's neighbours of the same strength. */
static void melt(struct fshelp_lockbox *box, struct fshelp_lock *lock)
{
    for (struct fshelp_lock **at = &box->records, *other; (other = *at);) {
        if (other == lock || other->waiting || other->kind != lock->kind || other->owner != lock->owner ||
            other->exclusive != lock->exclusive || other->pid != lock->pid ||
            (other->end != INT64_MAX && other->end + 1 != lock->start &&
             (lock->end == INT64_MAX || lock->end + 1 != other->start)) ||
            (other->end == INT64_MAX && (lock->end == INT64_MAX || lock->end + 1 != other->start))) {
            at = &other->next;
            continue;
        }
        lock->start = other->start < lock->start ? other->start : lock->start;
        lock->end = other->end > lock->end ? other->end : lock->end;
        *at = other->next;
        free(other);
    }
    unlink_lock(box, lock);
    insert(box, lock);
}

/* Waits until nothing keeps WANTED from being held, with WANTED in the list as a waiter.  graph_lock is held, but not
   during the wait.  EINTR also when who asked for it has died meanwhile: nothing is given to the dead. */
static error_t wait_for(struct fshelp_lockbox *box, pthread_mutex_t *node_lock, struct fshelp_lock *wanted, bool block)
{
    error_t err = 0;

    if (!conflict(box, wanted))
        return 0;
    if (!block)
        return EAGAIN;
    wanted->box = box;
    wanted->waiting = true;
    insert(box, wanted);
    waiter_enter(wanted);
    while (!err && conflict(box, wanted)) {
        if (wanted->kind == KIND_RECORD && deadlocks(wanted)) {
            err = EDEADLK;
            break;
        }
        pthread_mutex_unlock(&graph_lock);
        err = ports_cond_wait(&box->wakeup, node_lock);
        pthread_mutex_lock(&graph_lock);
    }
    waiter_leave(wanted);
    unlink_lock(box, wanted);
    wanted->waiting = false;
    return !err && ports_self_abandoned() ? EINTR : err;
}

/* Gives WANTED's range to its owner, or takes it away (UNLOCK). */
static error_t lock_set(struct fshelp_lockbox *box, pthread_mutex_t *node_lock, const struct fshelp_lock *range,
                        bool unlock, bool block)
{
    struct fshelp_lock *lock = malloc(sizeof *lock), *spare = malloc(sizeof *spare);
    error_t err = lock && spare ? 0 : ENOLCK;

    pthread_mutex_lock(&graph_lock);
    if (!err) {
        *lock = *range;
        err = unlock ? 0 : wait_for(box, node_lock, lock, block);
    }
    if (!err) {
        if (cut(box, range, spare))
            spare = NULL;
        if (!unlock) {
            insert(box, lock);
            melt(box, lock);
            lock = NULL;
        }
        pthread_cond_broadcast(&box->wakeup);
    }
    pthread_mutex_unlock(&graph_lock);
    free(lock);
    free(spare);
    return err;
}

error_t fshelp_lock_whole(struct fshelp_lockbox *box, pthread_mutex_t *node_lock, void *owner, int flags)
{
    struct fshelp_lock range = { .owner = owner, .kind = KIND_WHOLE, .end = INT64_MAX };
    int what = flags & (LOCK_SH | LOCK_EX | LOCK_UN);
    error_t err;

    if (what != LOCK_SH && what != LOCK_EX && what != LOCK_UN)
        return EINVAL;
    range.exclusive = what == LOCK_EX;
    err = lock_set(box, node_lock, &range, what == LOCK_UN, !(flags & LOCK_NB));
    return err == EAGAIN ? EWOULDBLOCK : err;
}

void fshelp_lock_status(struct fshelp_lockbox *box, void *owner, int *mine, int *others)
{
    *mine = *others = LOCK_UN;
    for (struct fshelp_lock *lock = box->records; lock; lock = lock->next) {
        int *status = lock->owner == owner ? mine : others;

        if (lock->kind == KIND_WHOLE && !lock->waiting)
            *status = lock->exclusive ? LOCK_EX : LOCK_SH;
    }
}

error_t fshelp_lock_absolute(struct flock64 *lock, int64_t offset, int64_t size)
{
    int64_t base = lock->l_whence == SEEK_CUR ? offset : lock->l_whence == SEEK_END ? size : 0;

    if (lock->l_whence != SEEK_SET && lock->l_whence != SEEK_CUR && lock->l_whence != SEEK_END)
        return EINVAL;
    if (__builtin_add_overflow(base, lock->l_start, &lock->l_start))
        return EOVERFLOW;
    if (lock->l_len < 0) { /* the range before l_start */
        if (lock->l_len == INT64_MIN || __builtin_add_overflow(lock->l_start, lock->l_len, &lock->l_start))
            return EINVAL;
        lock->l_len = -lock->l_len;
    }
    lock->l_whence = SEEK_SET;
    return lock->l_start < 0 ? EINVAL : 0;
}

static error_t range_from_flock(const struct flock64 *flock, struct fshelp_lock *range)
{
    int64_t start = flock->l_start, length = flock->l_len;

    if (flock->l_type != F_RDLCK && flock->l_type != F_WRLCK && flock->l_type != F_UNLCK)
        return EINVAL;
    if (length < 0) {
        if (length == INT64_MIN || start < -length)
            return EINVAL;
        start += length;
        length = -length;
    }
    if (start < 0)
        return EINVAL;
    if (length > 0 && start > INT64_MAX - length)
        return EOVERFLOW;
    range->start = start;
    range->end = length ? start + length - 1 : INT64_MAX;
    range->exclusive = flock->l_type == F_WRLCK;
    return 0;
}

error_t fshelp_lock_record(struct fshelp_lockbox *box, pthread_mutex_t *node_lock, void *owner, pid_t pid, int cmd,
                           struct flock64 *flock)
{
    struct fshelp_lock range = { .owner = owner, .pid = pid, .kind = KIND_RECORD }, *other;
    error_t err = range_from_flock(flock, &range);

    if (err)
        return err;
    if (cmd == F_SETLK64 || cmd == F_SETLKW64)
        return lock_set(box, node_lock, &range, flock->l_type == F_UNLCK, cmd == F_SETLKW64);
    if (cmd != F_GETLK64 || flock->l_type == F_UNLCK)
        return EINVAL;
    other = conflict(box, &range);
    if (!other) {
        flock->l_type = F_UNLCK;
        return 0;
    }
    flock->l_type = other->exclusive ? F_WRLCK : F_RDLCK;
    flock->l_whence = SEEK_SET;
    flock->l_start = other->start;
    flock->l_len = other->end == INT64_MAX ? 0 : other->end - other->start + 1;
    flock->l_pid = other->pid;
    return 0;
}

bool fshelp_lock_holds(const struct fshelp_lockbox *box, const void *owner)
{
    for (const struct fshelp_lock *lock = box->records; lock; lock = lock->next)
        if (lock->owner == owner && !lock->waiting)
            return true;
    return false;
}

void fshelp_lock_drop(struct fshelp_lockbox *box, void *owner)
{
    bool dropped = false;

    pthread_mutex_lock(&graph_lock);
    for (struct fshelp_lock **at = &box->records, *lock; (lock = *at);) {
        if (lock->owner != owner || lock->waiting) {
            at = &lock->next;
            continue;
        }
        *at = lock->next;
        free(lock);
        dropped = true;
    }
    pthread_mutex_unlock(&graph_lock);
    if (dropped)
        pthread_cond_broadcast(&box->wakeup);
}
