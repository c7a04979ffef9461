/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notify.c: at the end, everybody who asked is told of it and waited for.

   Those of root, as file systems and disk drivers, are told one after the other, because each may need the next to
   write out, and each has a limit of its own.  Anybody else may ask too, as often as his quota allows: they are all
   told at once, first, and waited for together no longer than USERS_LIMIT_MS, however many there are. */

#include <mach/mig_errors.h>
#include <mach/notify.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "startup.h"
#include "startup_notify_U.h"

/* How long each of root's is waited for; `shutdown-limit=SECONDS` among the words that the kernel was booted with says
   otherwise.  If that is not less: how long each of root's after a death, and all others together. */
enum { LIMIT_MS = 60000, CRASH_LIMIT_MS = 10000, USERS_LIMIT_MS = 5000 };

static unsigned limit_ms(void)
{
    static const char word[] = "shutdown-limit=";
    for (char **arg = startup_argv; *arg; arg++)
        if (!strncmp(*arg, word, sizeof word - 1)) {
            long seconds = strtol(*arg + sizeof word - 1, NULL, 10);
            if (seconds > 0 && seconds <= 3600)
                return (unsigned)seconds * 1000;
        }
    return LIMIT_MS;
}

/* How it went: the end of a line. */
static void result_say(error_t err, unsigned limit)
{
    if (err == MACH_RCV_TIMED_OUT || err == MACH_SEND_TIMED_OUT)
        say("(no reply in %u s)\n", (limit + 999) / 1000);
    else if (err)
        say("%s\n", strerror(err));
    else
        say("done\n");
}

static void forget(struct notify *n)
{
    if (n->reply)
        mach_port_mod_refs(mach_task_self(), n->reply, MACH_PORT_RIGHT_RECEIVE, -1);
    mach_port_deallocate(mach_task_self(), n->port);
    notify_free(n);
}

/* ---- users: all at once ------------------------------------------------------------------------------------ */

enum { DOSYNC = 29500 };  /* startup_dosync (startup_notify.defs), whose stub waits for the answer; no arguments */

/* Sends N startup_dosync, to be answered to the port set REPLIES.  A port whose queue is full is not waited for. */
static error_t dosync_send(struct notify *n, mach_port_t replies)
{
    mach_msg_header_t request = {
        .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE),
        .msgh_size = sizeof request, .msgh_remote_port = n->port, .msgh_id = DOSYNC,
    };
    error_t err = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &n->reply);
    if (err)
        return err;
    err = mach_port_move_member(mach_task_self(), n->reply, replies);
    if (err)
        return err;
    request.msgh_local_port = n->reply;
    return ports_message_send_now(&request);
}

/* What an answer says: anything at all may come. */
static error_t answer_result(mig_reply_header_t *answer)
{
    if (answer->Head.msgh_id == DOSYNC + 100 && answer->Head.msgh_size == sizeof *answer &&
        !(answer->Head.msgh_bits & MACH_MSGH_BITS_COMPLEX))
        return answer->RetCode == MACH_RCV_TIMED_OUT || answer->RetCode == MACH_SEND_TIMED_OUT ? EINVAL
                                                                                              : answer->RetCode;
    bool died = answer->Head.msgh_id == MACH_NOTIFY_SEND_ONCE;
    mach_msg_destroy(&answer->Head);
    return died ? MIG_SERVER_DIED : MIG_REPLY_MISMATCH;
}

/* Milliseconds from now to END, 0 if it has passed; no more than USERS_LIMIT_MS, even if somebody sets the clock. */
static unsigned left_ms(const struct timespec *end)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    long ms = (end->tv_sec - now.tv_sec) * 1000 + (end->tv_nsec - now.tv_nsec) / 1000000;
    return ms < 0 ? 0 : ms > USERS_LIMIT_MS ? USERS_LIMIT_MS : (unsigned)ms;
}

/* Takes answers from REPLIES until all WAITED_FOR of USERS have given theirs, but no longer than LIMIT milliseconds. */
static void answers_take(struct notify_list *users, mach_port_t replies, unsigned waited_for, unsigned limit)
{
    union {
        mig_reply_header_t answer;
        char room[1024];
    } message;
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += limit / 1000;
    while (waited_for) {
        kern_return_t err = mach_msg(&message.answer.Head, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof message, replies,
                                     left_ms(&end), MACH_PORT_NULL);
        if (err == MACH_RCV_TOO_LARGE)
            continue;  /* it was thrown away: no answer */
        if (err)
            return;
        struct notify *n = users->first;
        while (n && n->reply != message.answer.Head.msgh_local_port)
            n = n->next;
        error_t result = answer_result(&message.answer);
        if (n && n->result == MACH_RCV_TIMED_OUT) {
            n->result = result;
            waited_for--;
        }
    }
}

static void notify_users(struct notify_list *users, unsigned limit)
{
    mach_port_t replies = MACH_PORT_NULL;
    unsigned waited_for = 0;
    error_t err = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &replies);
    for (struct notify *n = users->first; n; n = n->next) {
        n->result = err ? err : dosync_send(n, replies);
        if (n->result)
            continue;
        n->result = MACH_RCV_TIMED_OUT;
        waited_for++;
    }
    answers_take(users, replies, waited_for, limit);
    for (struct notify *n; (n = users->first);) {
        users->first = n->next;
        say("startup: notifying %s of shutdown...", n->name);
        result_say(n->result, limit);
        forget(n);
    }
    if (!err)
        mach_port_mod_refs(mach_task_self(), replies, MACH_PORT_RIGHT_PORT_SET, -1);
}

/* ---- root: one after the other ----------------------------------------------------------------------------- */

static struct notify *next_take(void)
{
    pthread_mutex_lock(&startup_lock);
    const struct essential *fs = essential_find(&startup_state.essentials, startup_fs_task);
    struct notify *n = notify_next(&startup_state.notifies, &startup_state.essentials, fs ? fs->name : "");
    pthread_mutex_unlock(&startup_lock);
    return n;
}

static void notify_root(unsigned limit)
{
    for (struct notify *n; (n = next_take());) {
        mach_port_type_t type = 0;
        if (mach_port_type(mach_task_self(), n->port, &type) == 0 && !(type & MACH_PORT_TYPE_DEAD_NAME)) {
            say("startup: notifying %s of shutdown...", n->name);
            result_say(brief_startup_dosync(n->port, limit), limit);
        }
        forget(n);
    }
}

void notify_all(void)
{
    unsigned limit = limit_ms();
    pthread_mutex_lock(&startup_lock);
    struct notify_list users = notify_take_users(&startup_state.notifies);
    pthread_mutex_unlock(&startup_lock);
    if (users.first)
        notify_users(&users, limit < USERS_LIMIT_MS ? limit : USERS_LIMIT_MS);
    notify_root(limit);
}

void notify_crash(void)
{
    unsigned limit = limit_ms();
    notify_root(limit < CRASH_LIMIT_MS ? limit : CRASH_LIMIT_MS);
}
