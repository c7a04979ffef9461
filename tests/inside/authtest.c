/* SPDX-License-Identifier: GPL-2.0-or-later */
/* authtest: auth from inside: who may have which ids, rendezvous in both orders, with the dead, the doubled and the
   interrupted. that waits cost their servers no threads and are not for ever.  Prints a line for each check that fails,
   and last `N passed, N failed`. */

#include <errno.h>
#include <fcntl.h>
#include <hurd.h>
#include <hurd/auth.h>
#include <hurd/io.h>
#include <hurd/process.h>
#include <mach/mach_port.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <hurd/auth_request.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "badmem.h"

static unsigned int passed, failed;
#define CHECK(CONDITION) \
    ((CONDITION) ? (void) passed++ : (void) (failed++, printf("line %d: %s\n", __LINE__, #CONDITION)))

static auth_t root;

static error_t make(auth_t from, const mach_port_t *others, unsigned int count, uid_t uid, gid_t gid, auth_t *result)
{
    uid_t uids[2] = { uid, uid };
    gid_t gids[2] = { gid, gid };
    return auth_makeauth(from, others, MACH_MSG_TYPE_COPY_SEND, count, uids, 1, uids, 2, gids, 1, gids, 2, result);
}

static void test_ids(auth_t user)
{
    uid_t room[4][64], *lists[4] = { room[0], room[1], room[2], room[3] };
    mach_msg_type_number_t counts[4] = { 64, 64, 64, 64 };
    auth_t other = MACH_PORT_NULL;

    CHECK(auth_getids(user, &lists[0], &counts[0], &lists[1], &counts[1], &lists[2], &counts[2], &lists[3],
                      &counts[3]) == 0);
    CHECK(counts[0] == 1 && counts[1] == 2 && counts[2] == 1 && counts[3] == 2);
    CHECK(lists[0][0] == 1000 && lists[1][1] == 1000 && lists[2][0] == 100 && lists[3][0] == 100);
    CHECK(make(user, NULL, 0, 1001, 100, &other) == EPERM);
    CHECK(make(user, NULL, 0, 1000, 101, &other) == EPERM);
    CHECK(make(user, NULL, 0, 0, 100, &other) == EPERM);
    CHECK(make(user, NULL, 0, 1000, 100, &other) == 0);
    mach_port_deallocate(mach_task_self(), other);
    CHECK(make(user, &root, 1, 1001, 101, &other) == 0);
    mach_port_deallocate(mach_task_self(), other);
    mach_port_t self = mach_task_self();
    CHECK(make(user, &self, 1, 1000, 100, &other) == EINVAL);
}

static void test_long_lists(void)
{
    static uid_t many[3000];
    uid_t *lists[4] = { NULL, NULL, NULL, NULL };
    mach_msg_type_number_t counts[4] = { 0, 0, 0, 0 };
    auth_t big;
    for (unsigned int i = 0; i < 3000; i++)
        many[i] = i * 7;
    CHECK(auth_makeauth(root, NULL, MACH_MSG_TYPE_COPY_SEND, 0, many, 3000, many, 2000, many, 0, many, 1500, &big) ==
          0);
    CHECK(auth_getids(big, &lists[0], &counts[0], &lists[1], &counts[1], &lists[2], &counts[2], &lists[3],
                      &counts[3]) == 0);
    CHECK(counts[0] == 3000 && counts[1] == 2000 && counts[2] == 0 && counts[3] == 1500);
    CHECK(lists[0][2999] == 2999 * 7 && lists[3][1499] == 1499 * 7);
    mach_port_deallocate(mach_task_self(), big);
}

/* The longest lists that there may be, from somebody who is not root and must have each id looked for; and longer
   ones. */
static void test_huge_lists(void)
{
    enum { MOST = 65536 };
    static uid_t many[MOST + 1];
    auth_t big, same;
    for (unsigned int i = 0; i <= MOST; i++)
        many[i] = 1 + (i * 2654435761u) % 100003 * 2;
    CHECK(auth_makeauth(root, NULL, MACH_MSG_TYPE_COPY_SEND, 0, many, MOST, many, MOST, many, MOST, many, MOST, &big) ==
          0);
    CHECK(auth_makeauth(big, &big, MACH_MSG_TYPE_COPY_SEND, 1, many, MOST, many, MOST, many, MOST, many, MOST, &same) ==
          0);
    mach_port_deallocate(mach_task_self(), same);
    many[MOST - 1] = 2;
    CHECK(auth_makeauth(big, NULL, MACH_MSG_TYPE_COPY_SEND, 0, many, MOST, NULL, 0, NULL, 0, NULL, 0, &same) == EPERM);
    CHECK(auth_makeauth(root, NULL, MACH_MSG_TYPE_COPY_SEND, 0, many, MOST + 1, NULL, 0, NULL, 0, NULL, 0, &same) ==
          E2BIG);
    mach_port_deallocate(mach_task_self(), big);
}

/* Ids in memory that cannot be read: an error, and auth lives.  One who sends memory that never comes waits alone. */
static void test_bad_memory(auth_t user)
{
    enum { COUNT = 4096 };
    uid_t *bad = badmem_create(COUNT * sizeof *bad, true);
    auth_t made;
    CHECK(bad != NULL);
    CHECK(auth_makeauth(user, NULL, MACH_MSG_TYPE_COPY_SEND, 0, bad, COUNT, NULL, 0, NULL, 0, NULL, 0, &made) ==
          EFAULT);
    CHECK(auth_makeauth(user, NULL, MACH_MSG_TYPE_COPY_SEND, 0, NULL, 0, bad, COUNT, bad, COUNT, NULL, 0, &made) ==
          EFAULT);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        uid_t *never = badmem_create(COUNT * sizeof *never, false);
        alarm(60);
        auth_makeauth(user, NULL, MACH_MSG_TYPE_COPY_SEND, 0, never, COUNT, NULL, 0, NULL, 0, NULL, 0, &made);
        _exit(0);
    }
    usleep(300000);
    CHECK(make(user, NULL, 0, 1000, 100, &made) == 0);
    mach_port_deallocate(mach_task_self(), made);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    CHECK(make(user, NULL, 0, 1000, 100, &made) == 0);
    mach_port_deallocate(mach_task_self(), made);
}

/* The server's half, in a thread. */
struct server {
    mach_port_t rendezvous, newport;
    unsigned int delay;
    error_t err;
    uid_t uid;
    gid_t gid;
};

static void *server_main(void *arg)
{
    struct server *server = arg;
    uid_t room[4][64], *lists[4] = { room[0], room[1], room[2], room[3] };
    mach_msg_type_number_t counts[4] = { 64, 64, 64, 64 };
    usleep(server->delay);
    server->err = auth_server_authenticate(root, server->rendezvous, MACH_MSG_TYPE_COPY_SEND, server->newport,
                                           MACH_MSG_TYPE_COPY_SEND, &lists[0], &counts[0], &lists[1], &counts[1],
                                           &lists[2], &counts[2], &lists[3], &counts[3]);
    server->uid = !server->err && counts[0] > 0 ? lists[0][0] : (uid_t) -1;
    server->gid = !server->err && counts[2] > 0 ? lists[2][0] : (gid_t) -1;
    return NULL;
}

static mach_port_t new_port(void)
{
    mach_port_t port = mach_reply_port();
    mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND);
    return port;
}

static void test_meeting(auth_t user, unsigned int server_delay, unsigned int user_delay)
{
    mach_port_t newport = new_port(), got = MACH_PORT_NULL;
    struct server server = { new_port(), newport, server_delay, -1, 0, 0 };
    pthread_t thread;
    pthread_create(&thread, NULL, server_main, &server);
    usleep(user_delay);
    CHECK(auth_user_authenticate(user, server.rendezvous, MACH_MSG_TYPE_COPY_SEND, &got) == 0);
    pthread_join(thread, NULL);
    CHECK(server.err == 0 && server.uid == 1000 && server.gid == 100);
    CHECK(got == newport);
    mach_port_deallocate(mach_task_self(), got);
    mach_port_destroy(mach_task_self(), server.rendezvous);
    mach_port_destroy(mach_task_self(), newport);
}

/* The rendezvous port dies under a waiting server. */
static void test_dead(void)
{
    struct server server = { new_port(), MACH_PORT_NULL, 0, -1, 0, 0 };
    pthread_t thread;
    pthread_create(&thread, NULL, server_main, &server);
    usleep(200000);
    mach_port_destroy(mach_task_self(), server.rendezvous);
    pthread_join(thread, NULL);
    CHECK(server.err != 0 && server.err != -1);
}

/* Two servers at one rendezvous: one waits, the other is told. */
static void test_doubled(auth_t user)
{
    mach_port_t rendezvous = new_port(), got = MACH_PORT_DEAD;
    struct server one = {rendezvous, MACH_PORT_NULL, 0, -1, 0, 0}, two = {rendezvous, MACH_PORT_NULL, 200000, -1, 0, 0};
    pthread_t first, second;
    pthread_create(&first, NULL, server_main, &one);
    pthread_create(&second, NULL, server_main, &two);
    pthread_join(second, NULL);
    CHECK(two.err == EBUSY);
    CHECK(auth_user_authenticate(user, rendezvous, MACH_MSG_TYPE_COPY_SEND, &got) == 0);
    CHECK(got == MACH_PORT_NULL);
    pthread_join(first, NULL);
    CHECK(one.err == 0 && one.uid == 1000);
    mach_port_destroy(mach_task_self(), rendezvous);
}

static void on_alarm(int signo)
{
    (void) signo;
}

/* A user who waits for nobody is woken by a signal. */
static void test_interrupted(auth_t user)
{
    mach_port_t rendezvous = new_port(), got;
    struct sigaction action = { .sa_handler = on_alarm };
    struct itimerval soon = { { 0, 0 }, { 0, 300000 } };
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    CHECK(auth_user_authenticate(user, rendezvous, MACH_MSG_TYPE_COPY_SEND, &got) == EINTR);
    mach_port_destroy(mach_task_self(), rendezvous);
}

static void test_wrong(auth_t user)
{
    mach_port_t got, rendezvous = new_port(), receive = mach_reply_port();
    uid_t room[64], *list = room;
    mach_msg_type_number_t count = 64;
    CHECK(auth_user_authenticate(user, MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND, &got) == EINVAL);
    CHECK(auth_server_authenticate(root, rendezvous, MACH_MSG_TYPE_COPY_SEND, receive, MACH_MSG_TYPE_MAKE_SEND_ONCE,
                                   &list, &count, &list, &count, &list, &count, &list, &count) == EINVAL);
    mach_port_destroy(mach_task_self(), rendezvous);
    mach_port_destroy(mach_task_self(), receive);
}

/* Takes the answer out of REPLY's queue: its code, or -1 when there is none. */
static int answer(mach_port_t reply)
{
    struct { mig_reply_header_t head; char rest[2048]; } message;
    if (mach_msg(&message.head.Head, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof message, reply, 20000, MACH_PORT_NULL))
        return -1;
    int code = message.head.RetCode;
    mach_msg_destroy(&message.head.Head);
    return code;
}

/* A thousand users wait at once; a third finds its server, a third sees its rendezvous die, and of a third both ends go
   away. */
static void test_many_pending(auth_t user)
{
    enum { MANY = 1000 };
    static mach_port_t rendezvous[MANY], reply[MANY];
    unsigned int met = 0, died = 0, wrong = 0;
    for (int i = 0; i < MANY; i++) {
        rendezvous[i] = new_port();
        reply[i] = mach_reply_port();
        if (auth_user_authenticate_request(user, reply[i], MACH_MSG_TYPE_MAKE_SEND_ONCE, rendezvous[i],
                                           MACH_MSG_TYPE_COPY_SEND))
            wrong++;
    }
    for (int i = 0; i < MANY; i++) {
        struct server server = { rendezvous[i], MACH_PORT_NULL, 0, -1, 0, 0 };
        if (i % 3 == 0)
            server_main(&server);
        wrong += i % 3 == 0 && (server.err != 0 || server.uid != 1000);
        if (i % 3 == 2)
            mach_port_mod_refs(mach_task_self(), reply[i], MACH_PORT_RIGHT_RECEIVE, -1);
        if (i % 3)
            mach_port_destroy(mach_task_self(), rendezvous[i]);
    }
    for (int i = 0; i < MANY; i++) {
        int code = i % 3 == 2 ? 0 : answer(reply[i]);
        met += i % 3 == 0 && code == 0;
        died += i % 3 == 1 && code != 0 && code != -1;
        if (i % 3 == 0)
            mach_port_destroy(mach_task_self(), rendezvous[i]);
        if (i % 3 != 2)
            mach_port_mod_refs(mach_task_self(), reply[i], MACH_PORT_RIGHT_RECEIVE, -1);
    }
    CHECK(wrong == 0);
    CHECK(met == (MANY + 2) / 3);
    CHECK(died == (MANY + 1) / 3);
}

/* The server comes first and has gone when the user comes: he waits for another, who comes. */
static void test_server_gone(auth_t user)
{
    mach_port_t meeting = new_port(), reply = mach_reply_port();
    CHECK(auth_server_authenticate_request(root, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, meeting, MACH_MSG_TYPE_COPY_SEND,
                                           MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND) == 0);
    mach_port_mod_refs(mach_task_self(), reply, MACH_PORT_RIGHT_RECEIVE, -1);
    usleep(300000);     /* two handles: their messages have no order */
    reply = mach_reply_port();
    CHECK(auth_user_authenticate_request(user, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, meeting, MACH_MSG_TYPE_COPY_SEND) ==
          0);
    struct server server = { meeting, MACH_PORT_NULL, 300000, -1, 0, 0 };
    server_main(&server);
    CHECK(server.err == 0 && server.uid == 1000);
    CHECK(answer(reply) == 0);
    mach_port_mod_refs(mach_task_self(), reply, MACH_PORT_RIGHT_RECEIVE, -1);
    mach_port_destroy(mach_task_self(), meeting);
}

/* One who does not wait any more does not keep others away: a server asks, goes, and asks again. */
static void test_server_again(auth_t user)
{
    mach_port_t meeting = new_port(), reply = mach_reply_port(), got = MACH_PORT_DEAD;
    CHECK(auth_server_authenticate_request(root, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, meeting, MACH_MSG_TYPE_COPY_SEND,
                                           MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND) == 0);
    mach_port_mod_refs(mach_task_self(), reply, MACH_PORT_RIGHT_RECEIVE, -1);
    struct server server = { meeting, MACH_PORT_NULL, 300000, -1, 0, 0 };
    pthread_t thread;
    pthread_create(&thread, NULL, server_main, &server);
    usleep(600000);
    CHECK(auth_user_authenticate(user, meeting, MACH_MSG_TYPE_COPY_SEND, &got) == 0);
    pthread_join(thread, NULL);
    CHECK(server.err == 0 && server.uid == 1000);
    mach_port_destroy(mach_task_self(), meeting);
}

/* The whole task of a user ends while he waits; the rendezvous is still good for another. */
static void test_user_killed(auth_t user)
{
    mach_port_t meeting = new_port(), got = MACH_PORT_NULL;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        mach_port_t mine = new_port();
        auth_user_authenticate(user, mine, MACH_MSG_TYPE_COPY_SEND, &got);
        _exit(0);
    }
    usleep(200000);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    struct server server = { meeting, MACH_PORT_NULL, 0, -1, 0, 0 };
    pthread_t thread;
    pthread_create(&thread, NULL, server_main, &server);
    CHECK(auth_user_authenticate(user, meeting, MACH_MSG_TYPE_COPY_SEND, &got) == 0);
    pthread_join(thread, NULL);
    CHECK(server.err == 0);
    mach_port_destroy(mach_task_self(), meeting);
}

/* Waits that would not end with whoever waits: at a handle, which the wait itself would keep, or without a send-once
   right for the answer. */
static void test_endless(auth_t user)
{
    mach_port_t got = MACH_PORT_NULL, meeting = new_port(), reply = mach_reply_port();
    auth_t handle;
    CHECK(auth_user_authenticate(user, user, MACH_MSG_TYPE_COPY_SEND, &got) == EINVAL);
    CHECK(auth_user_authenticate(user, root, MACH_MSG_TYPE_COPY_SEND, &got) == EINVAL);
    CHECK(auth_user_authenticate_request(user, reply, MACH_MSG_TYPE_MAKE_SEND, meeting, MACH_MSG_TYPE_COPY_SEND) == 0);
    CHECK(answer(reply) == EINVAL);
    /* Who gives up the handle waits no more. */
    CHECK(make(user, NULL, 0, 1000, 100, &handle) == 0);
    CHECK(auth_user_authenticate_request(handle, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE, meeting,
                                         MACH_MSG_TYPE_COPY_SEND) == 0);
    mach_port_deallocate(mach_task_self(), handle);
    CHECK(answer(reply) == EINTR);
    mach_port_destroy(mach_task_self(), meeting);
    mach_port_mod_refs(mach_task_self(), reply, MACH_PORT_RIGHT_RECEIVE, -1);
}

/* Of more requests to a handle than may wait the oldest make room.  (auth has several threads: which those are is not
   quite the order of sending.) */
static void test_too_many(void)
{
    enum { MOST = 4096, MORE = 3 };
    static mach_port_t reply[MOST + MORE], rendezvous[MOST + MORE];
    unsigned int wrong = 0;
    mach_port_t all;
    auth_t handle;
    CHECK(make(root, NULL, 0, 1000, 100, &handle) == 0);
    CHECK(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &all) == 0);
    for (int i = 0; i < MOST + MORE; i++) {
        rendezvous[i] = new_port();
        reply[i] = mach_reply_port();
        mach_port_move_member(mach_task_self(), reply[i], all);
        wrong += auth_user_authenticate_request(handle, reply[i], MACH_MSG_TYPE_MAKE_SEND_ONCE, rendezvous[i],
                                                MACH_MSG_TYPE_COPY_SEND) != 0;
    }
    for (int i = 0; i < MORE; i++)
        wrong += answer(all) != EAGAIN;
    mach_port_deallocate(mach_task_self(), handle);
    for (int i = 0; i < MOST; i++)
        wrong += answer(all) != EINTR;
    for (int i = 0; i < MOST + MORE; i++) {
        mach_port_destroy(mach_task_self(), rendezvous[i]);
        mach_port_mod_refs(mach_task_self(), reply[i], MACH_PORT_RIGHT_RECEIVE, -1);
    }
    mach_port_mod_refs(mach_task_self(), all, MACH_PORT_RIGHT_PORT_SET, -1);
    CHECK(wrong == 0);
}

static unsigned int threads_of(pid_t pid)
{
    thread_t *threads = NULL;
    mach_msg_type_number_t count = 0;
    task_t task;
    if (proc_pid2task(getproc(), pid, &task) != 0 || task_threads(task, &threads, &count) != 0)
        return 0;
    for (mach_msg_type_number_t i = 0; i < count; i++)
        mach_port_deallocate(mach_task_self(), threads[i]);
    vm_deallocate(mach_task_self(), (vm_address_t) threads, count * sizeof *threads);
    mach_port_deallocate(mach_task_self(), task);
    return count;
}

/* The server of the file NAME is asked to meet users who never come: that costs it no thread, and it goes on. */
static void test_reauthentication_waits_without_threads(const char *name)
{
    enum { MANY = 100 };
    mach_port_t rendezvous[MANY];
    struct stat st;
    int fd = open(name, O_RDONLY);
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    io_t port = getdport(fd), got = MACH_PORT_NULL;
    unsigned int before = threads_of(st.st_fsid);
    CHECK(before > 0);
    for (int i = 0; i < MANY; i++) {
        rendezvous[i] = new_port();
        CHECK(io_reauthenticate(port, rendezvous[i], MACH_MSG_TYPE_COPY_SEND) == 0);
        CHECK(fstat(fd, &st) == 0);     /* comes behind it: one at a time */
    }
    /* A few may have come about because auth's queue was full.  Were each of them kept it would be all. */
    CHECK(threads_of(st.st_fsid) < before + MANY / 2);
    /* One comes after all, and what he sends reaches the file. */
    CHECK(auth_user_authenticate(root, rendezvous[MANY / 2], MACH_MSG_TYPE_COPY_SEND, &got) == 0);
    struct stat64 again;
    CHECK(io_stat(got, &again) == 0 && again.st_ino == st.st_ino);
    mach_port_deallocate(mach_task_self(), got);
    for (int i = 0; i < MANY; i++)
        mach_port_destroy(mach_task_self(), rendezvous[i]);
    mach_port_deallocate(mach_task_self(), port);
    close(fd);
}

/* authtest --alone: both halves wait at ports that live and to which nobody comes; a good minute later both are told.
   Run beside other tests. */
static int wait_alone(void)
{
    mach_port_t reply[2] = { mach_reply_port(), mach_reply_port() };
    if (auth_user_authenticate_request(root, reply[0], MACH_MSG_TYPE_MAKE_SEND_ONCE, new_port(),
                                       MACH_MSG_TYPE_COPY_SEND) ||
        auth_server_authenticate_request(root, reply[1], MACH_MSG_TYPE_MAKE_SEND_ONCE, new_port(),
                                         MACH_MSG_TYPE_COPY_SEND, MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND))
        return 1;
    int user = -1, server = -1;
    for (int tries = 0; tries < 60 && (user == -1 || server == -1); tries++) {
        user = user == -1 ? answer(reply[0]) : user;
        server = server == -1 ? answer(reply[1]) : server;
    }
    printf("authtest alone: user: %s, server: %s\n", strerror(user), strerror(server));
    return user != ETIMEDOUT || server != ETIMEDOUT;
}

int main(int argc, char **argv)
{
    auth_t user;

    setvbuf(stdout, NULL, _IOLBF, 0);
    root = getauth();
    if (argc > 1 && !strcmp(argv[1], "--alone"))
        return wait_alone();
    CHECK(make(root, NULL, 0, 1000, 100, &user) == 0);
    test_ids(user);
    test_long_lists();
    test_huge_lists();
    test_bad_memory(user);
    test_many_pending(user);
    test_server_gone(user);
    test_server_again(user);
    test_user_killed(user);
    test_meeting(user, 0, 200000);
    test_meeting(user, 200000, 0);
    for (int i = 0; i < 200; i++)
        test_meeting(user, 0, 0);
    test_dead();
    test_doubled(user);
    test_interrupted(user);
    test_wrong(user);
    test_endless(user);
    test_too_many();
    test_reauthentication_waits_without_threads("/etc/passwd");
    test_reauthentication_waits_without_threads("/dev/null");
    printf("authtest: %u passed, %u failed\n", passed, failed);
    return failed != 0;
}
