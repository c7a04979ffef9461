/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of processes without messages: what is told to the outside is recorded here. */

#include <signal.h>
#include <sys/wait.h>

#include "effects.h"
#include "process.h"
#include "unit.h"

/* ---- the world ---- */

enum { SEEN = 64 };
static struct { pid_t pid; int signo, sigcode; } signals[SEEN];
static unsigned signal_count, newids_count, reply_count, msgport_count, session_count;
static struct wait_result reply_result;
static error_t reply_error;

void effect_signal(struct process *p, int signo, int sigcode)
{
    if (signal_count < SEEN) {
        signals[signal_count].pid = p->pid;
        signals[signal_count].signo = signo;
        signals[signal_count].sigcode = sigcode;
    }
    signal_count++;
}
void effect_newids(struct process *p) { (void)p; newids_count++; }
void effect_newids_always(struct process *p) { (void)p; newids_count++; }
static port_name_t gone_reply = ~0u;  /* whoever asked with this reply port has gone */
bool effect_wait_reply(struct waiter *w, error_t error, const struct wait_result *result)
{
    if (w->reply == gone_reply)
        return false;
    reply_count++;
    reply_error = error;
    if (!error)
        reply_result = *result;
    return true;
}
void effect_msgport_reply(struct waiter *w, error_t error, port_name_t port)
{
    (void)w, (void)port;
    msgport_count++;
    reply_error = error;
}
void effect_release(struct process *p) { (void)p; }
void effect_session_gone(struct session *s) { (void)s; session_count++; }

static void forget(void)
{
    signal_count = newids_count = reply_count = msgport_count = session_count = 0;
    reply_error = -1;
}

static struct process *startup;
static port_name_t next_task = 1000;

static void begin(void)
{
    forget();
    if (startup)
        return;
    CHECK_EQ(process_table_init(), 0);
    CHECK_EQ(process_create(2, 0, &startup), 0);
    process_set_root(startup);
}

static struct process *child_of(struct process *parent)
{
    struct process *p = NULL;
    CHECK_EQ(process_create(0, next_task++, &p), 0);
    CHECK_EQ(process_adopt(parent, p), 0);
    return p;
}

static void die(struct process *p)
{
    process_set_task(p, 0, 0);
    process_exit(p);
}

static void exits(struct process *p, int status)
{
    static const struct rusage usage = {.ru_utime = {1, 600000}};
    CHECK_EQ(process_mark_exit(p, status, 7, &usage), 0);
    die(p);
}

static struct waiter *waits(struct process *p, pid_t pid, int options)
{
    struct waiter *w = calloc(1, sizeof *w);
    w->caller = p;
    w->kind = WAIT_CHILD;
    w->pid = pid;
    w->options = options;
    process_wait_add(p, w);
    list_add(&p->asks, &w->caller_link);
    return w;
}

static void reap(struct process *parent)
{
    struct wait_result r;
    while (!process_wait(parent, -1, WEXITED, &r))
        ;
}

/* ---- finding and numbers ---- */

UNIT_TEST(first_processes)
{
    begin();
    CHECK(process_init() == process_lookup(1));
    CHECK(process_lookup(2) == startup);
    CHECK(process_init()->parent == startup);
    CHECK(startup->parent == NULL);
    CHECK_EQ(process_init()->pgrp->pgid, 1);
    CHECK_EQ(process_init()->login->id, 1);
    CHECK(process_lookup(4711) == NULL);
    CHECK(process_lookup_task(99) == NULL);
}

UNIT_TEST(numbers_and_tasks_are_found_and_unique)
{
    begin();
    struct process *p = NULL, *q = NULL;
    CHECK_EQ(process_create(0, 7777, &p), 0);
    CHECK(process_lookup(p->pid) == p);
    CHECK(process_lookup_task(7777) == p);
    CHECK_EQ(process_create(p->pid, 0, &q), EEXIST);
    CHECK_EQ(process_create(0, 7777, &q), EEXIST);
    pid_t pid = p->pid;
    die(p);  /* nobody's child: gone at once */
    CHECK(process_lookup(pid) == NULL);
    CHECK(process_lookup_task(7777) == NULL);
}

UNIT_TEST(many_processes)
{
    begin();
    enum { MANY = 20000 };
    static struct process *many[MANY];
    struct process *parent = child_of(startup);
    for (int i = 0; i < MANY; i++)
        many[i] = child_of(parent);
    for (int i = 0; i < MANY; i++) {
        CHECK(process_lookup(many[i]->pid) == many[i]);
        CHECK(process_lookup_task(many[i]->task) == many[i]);
    }
    for (int i = 0; i < MANY; i++)
        exits(many[i], 0);
    reap(parent);
    CHECK(list_empty(&parent->children));
    exits(parent, 0);
    reap(startup);
    CHECK_EQ(process_count(), 2);
}

UNIT_TEST(number_of_a_living_group_is_not_given_away)
{
    begin();
    struct process *leader = child_of(startup), *member = child_of(leader);
    pid_t pgid = leader->pid;
    CHECK_EQ(pgrp_set(leader, 0, 0), 0);
    CHECK_EQ(pgrp_set(member, 0, pgid), 0);
    exits(leader, 0);
    reap(startup);
    CHECK(process_lookup(pgid) == NULL);
    CHECK(pgrp_lookup(pgid) != NULL);
    CHECK(slot_lookup(pgid) != NULL);
    exits(member, 0);  /* now init's child */
    reap(process_init());
    CHECK(slot_lookup(pgid) == NULL);
}

/* ---- families ---- */

UNIT_TEST(adoption_inherits_and_happens_once)
{
    static const uid_t uids[] = {42, 43};
    begin();
    struct process *p = child_of(startup);
    p->ids = ids_create(uids, 2);
    p->owner = 42;
    p->owned = true;
    struct process *c = child_of(p);
    CHECK(c->ids == p->ids);
    CHECK_EQ(c->owner, 42);
    CHECK(c->pgrp == p->pgrp);
    CHECK_EQ(process_adopt(startup, c), EBUSY);
    CHECK(process_owns(p, c));
    CHECK(!process_is_root(c));
    CHECK(process_has_uid(c, 43));
    CHECK(!process_has_uid(c, 44));
    exits(c, 0);
    reap(p);
    exits(p, 0);
    reap(startup);
}

UNIT_TEST(no_process_is_its_own_ancestor)
{
    begin();
    struct process *a = NULL, *b = NULL;
    CHECK_EQ(process_create(0, next_task++, &a), 0);
    CHECK_EQ(process_create(0, next_task++, &b), 0);
    CHECK_EQ(process_adopt(a, b), 0);
    CHECK_EQ(process_adopt(b, a), EINVAL);
    CHECK_EQ(process_adopt(a, a), EINVAL);
    die(a);
    exits(b, 0);
    reap(process_init());
}

UNIT_TEST(orphans_go_to_init_with_what_they_have_to_tell)
{
    begin();
    struct process *p = child_of(startup), *zombie = child_of(p), *living = child_of(p);
    exits(zombie, W_EXITCODE(3, 0));
    forget();
    exits(p, 0);
    CHECK(living->parent == process_init());
    struct wait_result r;
    CHECK_EQ(process_wait(process_init(), -1, WEXITED, &r), 0);
    CHECK_EQ(r.status, W_EXITCODE(3, 0));
    CHECK_EQ(process_wait(process_init(), -1, WEXITED, &r), EAGAIN);
    exits(living, 0);
    reap(process_init());
    reap(startup);
}

/* ---- waiting ---- */

UNIT_TEST(wait_for_exit)
{
    begin();
    struct process *p = child_of(startup), *c = child_of(p);
    pid_t pid = c->pid;
    struct wait_result r;
    CHECK_EQ(process_wait(p, -1, WEXITED, &r), EAGAIN);
    CHECK_EQ(process_wait(p, pid, WEXITED, &r), EAGAIN);
    CHECK_EQ(process_wait(p, 1, WEXITED, &r), ECHILD);
    CHECK_EQ(process_wait(c, -1, WEXITED, &r), ECHILD);
    forget();
    exits(c, W_EXITCODE(5, 0));
    CHECK_EQ(signal_count, 1);
    CHECK_EQ(signals[0].pid, p->pid);
    CHECK_EQ(signals[0].signo, SIGCHLD);
    CHECK_EQ(process_wait(p, -1, WEXITED | WNOWAIT, &r), 0);
    CHECK_EQ(process_wait(p, pid, WEXITED, &r), 0);
    CHECK_EQ(r.pid, pid);
    CHECK_EQ(r.status, W_EXITCODE(5, 0));
    CHECK_EQ(r.sigcode, 7);
    CHECK_EQ(r.usage.ru_utime.tv_sec, 1);
    CHECK_EQ(process_wait(p, -1, WEXITED, &r), ECHILD);
    CHECK_EQ(p->children_usage.ru_utime.tv_usec, 600000);
    CHECK(process_lookup(pid) == NULL);
    exits(p, 0);
    reap(startup);
}

UNIT_TEST(usage_adds_up)
{
    begin();
    struct process *p = child_of(startup);
    for (int i = 0; i < 3; i++)
        exits(child_of(p), 0);
    reap(p);
    CHECK_EQ(p->children_usage.ru_utime.tv_sec, 4);
    CHECK_EQ(p->children_usage.ru_utime.tv_usec, 800000);
    exits(p, 0);
    reap(startup);
}

UNIT_TEST(killed_without_a_word)
{
    begin();
    struct process *p = child_of(startup);
    struct wait_result r;
    die(p);
    CHECK_EQ(process_wait(startup, -1, WEXITED, &r), 0);
    CHECK_EQ(r.status, W_EXITCODE(0, SIGKILL));
}

UNIT_TEST(a_waiter_is_answered_once_by_the_right_child)
{
    begin();
    struct process *p = child_of(startup), *a = child_of(p), *b = child_of(p);
    pid_t b_pid = b->pid;
    waits(p, b_pid, WEXITED);
    forget();
    exits(a, 0);
    CHECK_EQ(reply_count, 0);
    exits(b, W_EXITCODE(9, 0));
    CHECK_EQ(reply_count, 1);
    CHECK_EQ(reply_result.pid, b_pid);
    CHECK(list_empty(&p->child_waiters));
    CHECK(list_empty(&p->asks));
    reap(p);
    exits(p, 0);
    reap(startup);
}

UNIT_TEST(who_does_not_wait_any_more_takes_nothing)
{
    begin();
    struct process *p = child_of(startup), *c = child_of(p);
    pid_t pid = c->pid;
    struct wait_result r;
    waits(p, -1, WEXITED)->reply = gone_reply;
    exits(c, W_EXITCODE(6, 0));
    CHECK_EQ(reply_count, 0);
    CHECK_EQ(process_wait(p, pid, WEXITED, &r), 0);
    CHECK_EQ(WEXITSTATUS(r.status), 6);
    die(p);
    reap(startup);
}

UNIT_TEST(the_last_child_gone_ends_other_waits)
{
    begin();
    struct process *p = child_of(startup), *c = child_of(p);
    waits(p, -1, WEXITED);
    waits(p, -1, WEXITED);
    forget();
    exits(c, 0);
    CHECK_EQ(reply_count, 2);
    CHECK_EQ(reply_error, ECHILD);
    exits(p, 0);
    reap(startup);
}

UNIT_TEST(interrupted_and_dying_waiters)
{
    begin();
    struct process *p = child_of(startup), *c = child_of(p);
    waits(p, -1, WEXITED);
    forget();
    process_waits_cancel(p, EINTR);
    CHECK_EQ(reply_count, 1);
    CHECK_EQ(reply_error, EINTR);
    waits(p, -1, WEXITED);
    die(p);
    CHECK_EQ(reply_error, ESRCH);
    exits(c, 0);
    reap(process_init());
    reap(startup);
}

UNIT_TEST(stop_and_continue)
{
    begin();
    struct process *p = child_of(startup), *c = child_of(p);
    struct wait_result r;
    forget();
    process_mark_stop(c, SIGTSTP, 0);
    CHECK_EQ(signals[0].sigcode, CLD_STOPPED);
    CHECK_EQ(process_wait(p, -1, WEXITED, &r), EAGAIN);
    CHECK_EQ(process_wait(p, -1, WEXITED | WUNTRACED, &r), 0);
    CHECK(WIFSTOPPED(r.status) && WSTOPSIG(r.status) == SIGTSTP);
    CHECK_EQ(process_wait(p, -1, WEXITED | WUNTRACED, &r), EAGAIN);
    process_mark_cont(c);
    CHECK_EQ(process_wait(p, -1, WEXITED | WUNTRACED, &r), EAGAIN);
    CHECK_EQ(process_wait(p, -1, WEXITED | WCONTINUED, &r), 0);
    CHECK_EQ(r.status, 0xffff);
    p->no_stop_signal = true;
    forget();
    process_mark_stop(c, SIGSTOP, 0);
    CHECK_EQ(signal_count, 0);
    exits(c, 0);
    CHECK_EQ(signal_count, 1);
    reap(p);
    exits(p, 0);
    reap(startup);
}

UNIT_TEST(a_stopped_process_dies_while_its_parent_waits)
{
    begin();
    struct process *init = process_init(), *p = child_of(init), *c = child_of(p);
    process_mark_stop(p, SIGSTOP, 0);  /* nobody asks for that */
    exits(c, 0);                       /* and P not for C, which becomes init's with P's end */
    waits(init, -1, WEXITED);
    waits(init, -1, WEXITED);
    forget();
    exits(p, 0);
    CHECK_EQ(reply_count, 2);
    CHECK(list_empty(&init->children));
}

UNIT_TEST(who_is_below_whom)
{
    begin();
    struct process *p = child_of(startup), *c = child_of(p), *other = child_of(startup);
    CHECK(process_is_below(c, p) && process_is_below(c, startup) && process_is_below(p, p));
    CHECK(!process_is_below(p, c) && !process_is_below(other, p));
    exits(c, 0);
    reap(p);
    exits(p, 0);
    exits(other, 0);
    reap(startup);
}

UNIT_TEST(wait_by_group)
{
    begin();
    struct process *p = child_of(startup), *a = child_of(p), *b = child_of(p);
    pid_t group = b->pid;
    struct wait_result r;
    CHECK_EQ(pgrp_set(p, group, 0), 0);
    exits(a, 0);
    CHECK_EQ(process_wait(p, -group, WEXITED, &r), EAGAIN);
    CHECK_EQ(process_wait(p, -4711, WEXITED, &r), ECHILD);
    exits(b, 0);
    CHECK_EQ(process_wait(p, -group, WEXITED, &r), 0);
    CHECK_EQ(process_wait(p, -group, WEXITED, &r), ECHILD);
    CHECK_EQ(process_wait(p, 0, WEXITED, &r), 0);
    exits(p, 0);
    reap(startup);
}

UNIT_TEST(number_one_can_be_replaced)
{
    begin();
    struct process *init = process_init(), *stub = NULL;
    struct wait_result r;
    for (int round = 0; round < 3; round++) {
        CHECK_EQ(process_create(0, next_task, &stub), 0);
        process_take_over(init, stub);
        CHECK(process_lookup_task(next_task++) == init);
        exits(init, W_EXITCODE(round, 0));
        CHECK_EQ(process_wait(startup, 1, WEXITED, &r), 0);
        CHECK_EQ(r.status, W_EXITCODE(round, 0));
        CHECK(process_init() == init && !init->dead);
        CHECK_EQ(process_wait(startup, 1, WEXITED, &r), EAGAIN);
    }
}

/* ---- groups and sessions ---- */

UNIT_TEST(setpgrp_rules)
{
    begin();
    struct process *p = child_of(startup), *c = child_of(p), *other = child_of(startup);
    CHECK_EQ(pgrp_set(p, other->pid, 0), ESRCH);   /* not its child */
    CHECK_EQ(pgrp_set(p, 4711, 0), ESRCH);
    CHECK_EQ(pgrp_set(p, 0, 4711), EPERM);         /* no such group */
    CHECK_EQ(pgrp_set(p, 0, -1), EINVAL);
    CHECK_EQ(pgrp_set(p, c->pid, 0), 0);
    CHECK_EQ(c->pgrp->pgid, c->pid);
    CHECK_EQ(pgrp_set(p, 0, c->pid), 0);
    c->execed = true;
    CHECK_EQ(pgrp_set(p, c->pid, 0), EACCES);
    CHECK_EQ(session_create(c), EPERM);            /* leads a group */
    CHECK_EQ(session_create(other), 0);
    CHECK_EQ(other->pgrp->session->sid, other->pid);
    CHECK_EQ(pgrp_set(other, 0, 0), EPERM);        /* leads a session */
    CHECK_EQ(pgrp_set(p, 0, other->pid), EPERM);   /* another session */
    forget();
    exits(other, 0);
    reap(startup);
    CHECK_EQ(session_count, 1);
    exits(c, 0);
    reap(p);
    exits(p, 0);
    reap(startup);
}

UNIT_TEST(setpgrp_always_tells_new_ids)
{
    begin();
    struct process *p = child_of(startup);
    forget();
    CHECK_EQ(pgrp_set(p, 0, 0), 0);
    CHECK_EQ(pgrp_set(p, 0, 0), 0);
    CHECK_EQ(newids_count, 2);
    exits(p, 0);
    reap(startup);
}

UNIT_TEST(orphaned_stopped_group_is_hung_up)
{
    begin();
    struct process *login = child_of(startup);
    CHECK_EQ(session_create(login), 0);
    struct process *shell = child_of(login), *job = child_of(shell);
    CHECK_EQ(pgrp_set(shell, 0, 0), 0);
    CHECK_EQ(pgrp_set(job, 0, 0), 0);
    CHECK(!pgrp_orphaned(job->pgrp));
    CHECK(!pgrp_orphaned(shell->pgrp));
    CHECK(pgrp_orphaned(login->pgrp));
    process_mark_stop(job, SIGTSTP, 0);
    forget();
    exits(shell, 0);
    CHECK(pgrp_orphaned(job->pgrp));
    int hup = 0, cont = 0;
    for (unsigned i = 0; i < signal_count; i++) {
        hup += signals[i].pid == job->pid && signals[i].signo == SIGHUP;
        cont += signals[i].pid == job->pid && signals[i].signo == SIGCONT;
    }
    CHECK_EQ(hup, 1);
    CHECK_EQ(cont, 1);
    exits(job, 0);
    reap(process_init());
    reap(login);
    exits(login, 0);
    reap(startup);
    CHECK_EQ(process_count(), 2);
}

UNIT_TEST(login_collections)
{
    begin();
    struct process *p = child_of(startup);
    CHECK_EQ(login_create(p), 0);
    CHECK_EQ(login_create(p), 0);
    struct process *c = child_of(p);
    CHECK(c->login == p->login);
    CHECK_EQ(login_set_name(p->login, "someone"), 0);
    CHECK_EQ(login_create(c), 0);
    CHECK_STR(c->login->name, "someone");
    pid_t id = c->pid;
    exits(c, 0);
    reap(p);
    CHECK(login_lookup(id) == NULL);
    exits(p, 0);
    reap(startup);
}

/* ---- reassigning ---- */

UNIT_TEST(take_over_moves_task_and_children)
{
    begin();
    struct process *p = child_of(startup), *stub = NULL, *c = NULL;
    CHECK_EQ(process_create(0, next_task++, &stub), 0);
    stub->argv = 17;
    CHECK_EQ(process_create(0, next_task++, &c), 0);
    CHECK_EQ(process_adopt(stub, c), 0);
    pid_t stub_pid = stub->pid;
    port_name_t task = stub->task;
    process_set_task(p, 0, 0);
    process_take_over(p, stub);
    CHECK(process_lookup_task(task) == p);
    CHECK(process_lookup(stub_pid) == NULL);
    CHECK(c->parent == p);
    CHECK_EQ(p->argv, 17);
    exits(c, 0);
    reap(p);
    exits(p, 0);
    reap(startup);
}

/* Random life: whatever happens, nothing is lost and nothing is used after it is gone (the sanitizers look). */
UNIT_TEST(random_life)
{
    begin();
    enum { LIVES = 40 };
    struct process *alive[LIVES];
    unsigned count = 0;
    srand(1);
    for (int step = 0; step < 40000; step++) {
        struct process *p = count ? alive[rand() % count] : startup;
        struct wait_result r;
        switch (rand() % 9) {
        case 0: case 1: case 2:
            if (count < LIVES)
                alive[count++] = child_of(rand() % 4 ? p : startup);
            break;
        case 3:
            if (p != startup) {
                for (unsigned i = 0; i < count; i++)
                    if (alive[i] == p)
                        alive[i] = alive[--count];
                rand() % 2 ? die(p) : exits(p, W_EXITCODE(1, 0));
            }
            break;
        case 4: process_wait(p, rand() % 3 - 1, WEXITED | WUNTRACED, &r); break;
        case 5: pgrp_set(p, 0, rand() % 2 ? 0 : alive[0]->pid); break;
        case 6: session_create(p); break;
        case 7: process_mark_stop(p, SIGSTOP, 0); break;
        case 8: process_mark_cont(p); if (count && rand() % 4 == 0) waits(p, -1, WEXITED); break;
        }
        if (p == startup && count == 0)
            continue;
        reap(process_init());
        reap(startup);
    }
    while (count)
        die(alive[--count]);
    reap(process_init());
    reap(startup);
    CHECK_EQ(process_count(), 2);
    process_waits_cancel(startup, EINTR);
}

UNIT_MAIN
