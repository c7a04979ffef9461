/* SPDX-License-Identifier: GPL-2.0-or-later */
/* authtest: auth from inside: who may have which ids, rendezvous in both orders, with the dead, the doubled and the interrupted.
   Prints a line for each check that fails, and last `N passed, N failed`. */

#include <errno.h>
#include <hurd.h>
#include <hurd/auth.h>
#include <mach/mach_port.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static unsigned int passed, failed;
#define CHECK(CONDITION) ((CONDITION) ? (void) passed++ : (void) (failed++, printf("line %d: %s\n", __LINE__, #CONDITION)))

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

    CHECK(auth_getids(user, &lists[0], &counts[0], &lists[1], &counts[1], &lists[2], &counts[2], &lists[3], &counts[3]) == 0);
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
    CHECK(auth_makeauth(root, NULL, MACH_MSG_TYPE_COPY_SEND, 0, many, 3000, many, 2000, many, 0, many, 1500, &big) == 0);
    CHECK(auth_getids(big, &lists[0], &counts[0], &lists[1], &counts[1], &lists[2], &counts[2], &lists[3], &counts[3]) == 0);
    CHECK(counts[0] == 3000 && counts[1] == 2000 && counts[2] == 0 && counts[3] == 1500);
    CHECK(lists[0][2999] == 2999 * 7 && lists[3][1499] == 1499 * 7);
    mach_port_deallocate(mach_task_self(), big);
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
    server->err = auth_server_authenticate(root, server->rendezvous, MACH_MSG_TYPE_COPY_SEND, server->newport, MACH_MSG_TYPE_COPY_SEND,
                                           &lists[0], &counts[0], &lists[1], &counts[1], &lists[2], &counts[2], &lists[3], &counts[3]);
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
    struct server one = { rendezvous, MACH_PORT_NULL, 0, -1, 0, 0 }, two = { rendezvous, MACH_PORT_NULL, 200000, -1, 0, 0 };
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
    CHECK(auth_server_authenticate(root, rendezvous, MACH_MSG_TYPE_COPY_SEND, receive, MACH_MSG_TYPE_MAKE_SEND_ONCE, &list, &count,
                                   &list, &count, &list, &count, &list, &count) == EINVAL);
    mach_port_destroy(mach_task_self(), rendezvous);
    mach_port_destroy(mach_task_self(), receive);
}

int main(void)
{
    auth_t user;

    setvbuf(stdout, NULL, _IOLBF, 0);
    root = getauth();
    CHECK(make(root, NULL, 0, 1000, 100, &user) == 0);
    test_ids(user);
    test_long_lists();
    test_meeting(user, 0, 200000);
    test_meeting(user, 200000, 0);
    for (int i = 0; i < 200; i++)
        test_meeting(user, 0, 0);
    test_dead();
    test_doubled(user);
    test_interrupted(user);
    test_wrong(user);
    printf("authtest: %u passed, %u failed\n", passed, failed);
    return failed != 0;
}
