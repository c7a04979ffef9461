/* SPDX-License-Identifier: GPL-2.0-or-later */
/* startuptest: who may ask startup how often to be told of the end: root as often as he likes, a user and those who
   come by startup's message port so often that nobody fills its memory (servers/startup/lists.h).  As root.  Prints a
   line for each check that fails, and last `N passed, N failed`. */

#include <errno.h>
#include <hurd.h>
#include <hurd/paths.h>
#include <hurd/process.h>
#include <hurd/startup.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { QUOTA = 64, TRIES = 1200 };
static unsigned int passed, failed;
#define CHECK(CONDITION)                                                                                               \
    ((CONDITION) ? (void)passed++ : (void)(failed++, printf("%s:%d: %s\n", __FILE__, __LINE__, #CONDITION)))

static error_t ask(mach_port_t startup, mach_port_t port)
{
    static char name[1024] = "startuptest";
    return startup_request_notification(startup, port, MACH_MSG_TYPE_MAKE_SEND, name);
}

/* Asks for COUNT new PORTS; how many were taken. */
static unsigned int ask_often(mach_port_t startup, mach_port_t *ports, unsigned int count)
{
    unsigned int taken = 0;
    for (unsigned int i = 0; i < count; i++) {
        CHECK(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &ports[i]) == 0);
        error_t err = ask(startup, ports[i]);
        CHECK(err == 0 || err == EAGAIN);
        taken += err == 0;
    }
    return taken;
}

static void forget(mach_port_t *ports, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        CHECK(mach_port_mod_refs(mach_task_self(), ports[i], MACH_PORT_RIGHT_RECEIVE, -1) == 0);
}

/* STARTUP takes QUOTA ports and no more, each as often as it is asked; dead ones make room. */
static void limited(mach_port_t startup)
{
    mach_port_t ports[QUOTA + 20], one;
    CHECK(ask_often(startup, ports, QUOTA + 20) == QUOTA);
    CHECK(ask(startup, ports[0]) == 0 && ask(startup, ports[QUOTA - 1]) == 0);
    CHECK(ask(startup, ports[QUOTA]) == EAGAIN);
    forget(ports, 1);
    CHECK(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &one) == 0);
    error_t err = EAGAIN;
    for (unsigned int i = 0; i < TRIES && err == EAGAIN; i++) {     /* it has to hear of the death */
        err = ask(startup, one);
        if (err)
            usleep(50000);
    }
    CHECK(err == 0);
    forget(&one, 1);
    forget(ports + 1, QUOTA + 19);
}

/* As another user: the result is how many checks failed. */
static int as_user(uid_t uid)
{
    CHECK(setgid(uid) == 0 && setuid(uid) == 0);
    mach_port_t startup = file_name_lookup(_SERVERS_STARTUP, 0, 0);
    CHECK(MACH_PORT_VALID(startup));
    limited(startup);
    fflush(stdout);
    return failed > 255 ? 255 : (int)failed;
}

static void users(void)
{
    for (uid_t uid = 1000; uid < 1002; uid++) {
        int status = -1;
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0)
            _exit(as_user(uid));
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    }
}

int main(void)
{
    mach_port_t ports[2 * QUOTA], message, startup = file_name_lookup(_SERVERS_STARTUP, 0, 0);
    CHECK(MACH_PORT_VALID(startup) && proc_getmsgport(getproc(), HURD_PID_STARTUP, &message) == 0);
    CHECK(ask_often(startup, ports, 2 * QUOTA) == 2 * QUOTA);
    forget(ports, 2 * QUOTA);
    users();
    unsigned int taken = ask_often(message, ports, 2 * QUOTA);  /* some servers of the boot have come this way */
    CHECK(taken <= QUOTA && taken > QUOTA / 2);
    forget(ports, 2 * QUOTA);
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
