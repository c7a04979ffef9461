/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main: hostile [-s SEED] [-n COUNT] [-f FIRST] [-k KIND]... [-d FOLDER] [-w WINDOW] [-v] [INTERFACE...]
         hostile --census | --sweep | --answer

   Sends COUNT messages (300) of each KIND (all) of each INTERFACE (all), from number FIRST (0) on; -v names each
   message before it is sent: with -w 1 (at most so many under way) the last one named is the culprit.  After each
   interface, and each kind when it is many messages, all servers are asked whether they are there.  --census counts
   what every server holds (root), --sweep ends what is left of users' processes (root), --answer only asks.  The last
   line is `hostile: N messages, N failed`; exit status 0 if nothing failed. */

#include "hostile.h"

#include <fcntl.h>
#include <getopt.h>
#include <hurd.h>
#include <hurd/process.h>
#include <mach/mach_port.h>
#include <mach/mig_support.h>
#include <mach/thread_switch.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TERMINAL_TRIES = 70,
    KILL_BURST = 32,
    KIDS = 4,
    RENEW_EVERY = 400,
    RENEW_ABANDONED = 100,
    RENEW_SHORTLIVED = 12,
    STUCK_SECONDS = 300,
    DEATHS_MIN = 40,
    ASK_EVERY = 100
};

const char *const kind_names[KINDS] = {"well-formed", "size",    "type",  "count", "huge",
                                       "right",       "class",   "reply", "noise", "notify",
                                       "interrupt",   "abandon", "pager", "abort", "kill"};

struct wishes {
    uint64_t seed, first, count;
    bool kinds[KINDS], verbose;
    const char *folder;
};

/* What the child of a batch tells its parent. */
struct progress {
    volatile uint64_t number, outcomes[OUTCOMES];
    volatile mach_port_t reply_port;    /* the C library's, in the child */
};
static struct progress *progress;
static volatile sig_atomic_t late;

const struct interface *interface_lookup(const char *name)
{
    for (const struct interface *i = interfaces; i->name; i++)
        if (!strcmp(i->name, name))
            return i;
    return NULL;
}

void outcome_count(enum outcome outcome, int change)
{
    __atomic_fetch_add(&progress->outcomes[outcome], (uint64_t) (int64_t) change, __ATOMIC_RELAXED);
}

static uint64_t sent_count(void)
{
    uint64_t sum = 0;
    for (unsigned int i = 0; i < OUTCOMES; i++)
        sum += progress->outcomes[i];
    return sum;
}

/* ---- in the child ------------------------------------------------------------------- */

static const struct routine *routine_choose(const struct interface *interface, enum kind kind)
{
    const struct routine *routine;
    if (kind == CLASS) { /* of any other interface */
        unsigned int count = 0;
        while (interfaces[count].name)
            count++;
        interface = &interfaces[below(count)];
    }
    for (unsigned int try = 0; try < 40; try++) {
        routine = &interface->routines[below(interface->routine_count)];
        if (!routine_excluded(routine->name))
            return routine;
    }
    return NULL;
}

static void one_message(const struct interface *interface, enum kind kind, const struct wishes *wishes, uint64_t number)
{
    static struct message message;
    random_start(wishes->seed, interface->name, kind, number);
    mach_port_t victim = pool.victims[below(pool.victim_count)];
    const struct routine *routine = routine_choose(interface, kind);
    if (!routine)
        return;
    if (kind == NOISE) {
        message_noise(&message, interface);
    } else if (kind == NOTIFY) {
        message_notification(&message);
    } else {
        message_build(&message, routine, kind);
        message_spoil(&message, kind);
    }
    if (wishes->verbose)
        printf("%s %s %llu: %s id %d to %u\n", interface->name, kind_names[kind], (unsigned long long) number,
               message.routine ? routine->name : "-", message.head.msgh_id, victim);
    if (kind == ABORT)
        message_send_aborted(&message, victim, kind);
    else
        message_send(&message, victim, kind);
    message_release(&message);
}

/* Processes that send messages until they are ended in the middle of one: the task is gone, with its reply ports and
   all that it had. */
static pid_t kids[KIDS];

static void kid_end(pid_t *kid)
{
    task_t task;
    int status;
    if (*kid > 0 && proc_pid2task(getproc(), *kid, &task) == 0 && MACH_PORT_VALID(task)) {
        task_terminate(task);
        mach_port_deallocate(mach_task_self(), task);
    }
    if (*kid > 0)
        waitpid(*kid, &status, 0);
    *kid = 0;
}

static void kid_start(pid_t *kid, const struct interface *interface, const struct wishes *wishes, uint64_t number)
{
    fflush(stdout);
    *kid = fork();
    if (*kid != 0)
        return;
    send_renew();
    for (uint64_t i = 0; i < KILL_BURST; i++)
        one_message(interface, i % 4 == 3 ? RIGHT : WELL_FORMED, wishes, number * KILL_BURST + i);
    _exit(0);
}

/* Starts one more and ends another, after a time that depends on NUMBER. */
static void one_killed(const struct interface *interface, const struct wishes *wishes, uint64_t number)
{
    random_start(wishes->seed, interface->name, KILL, number);
    pid_t *kid = &kids[below(KIDS)];
    kid_end(kid);
    kid_start(kid, interface, wishes, number);
    random_start(wishes->seed, interface->name, KILL, number);
    for (unsigned int turns = below(8); turns; turns--)
        thread_switch(MACH_PORT_NULL, SWITCH_OPTION_DEPRESS, 1);
}

/* Releases what earlier messages have spoilt and looks for new victims; ends the process if there are none. */
static void victims_renew(const struct interface *interface, const struct wishes *wishes)
{
    static mach_port_t ports[VICTIMS_MAX];
    send_finish();
    pool.victims = ports;
    victims_release(ports, pool.victim_count);
    pool_own_renew();
    pool_tasks_renew();
    pool.victim_count = victims_find(interface->name, wishes->folder, ports);
    if (pool.victim_count == 0) {
        pool_tasks_end();
        _exit(2);
    }
}

/* A session with a terminal of its own: a user may type at his own terminal, hang it up or take its modes away, and at
   the end of file that he has typed at the console the shell that runs the test would end. */
static void session_begin(void)
{
    static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU };
    for (unsigned int i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_IGN);
    setsid();
    for (unsigned int try = 0; try < TERMINAL_TRIES; try++) {   /* some message may still hold the last child's */
        char name[] = "/dev/ptyp1";
        name[sizeof name - 2] += try % 7;
        int master = open(name, O_RDWR | O_NOCTTY), slave;
        name[5] = 't';
        slave = master < 0 ? -1 : open(name, O_RDWR | O_NOCTTY);
        if (slave >= 0 && ioctl(slave, TIOCSCTTY, 0) == 0)
            return;
        close(slave);
        close(master);
        usleep(20000);
    }
    printf("no terminal of one's own: %s\n", strerror(errno));
}

static void child_main(const struct interface *interface, enum kind kind, const struct wishes *wishes, uint64_t from,
                       uint64_t end)
{
    bool shortlived = !strcmp(interface->name, "exec_startup"); /* such a port answers once */
    unsigned int renew_every = shortlived ? RENEW_SHORTLIVED : kind == ABANDON ? RENEW_ABANDONED : RENEW_EVERY;
    if (kind == KILL)
        renew_every = renew_every > KILL_BURST ? renew_every / KILL_BURST : 1;
    session_begin();
    vital_note();
    for (uint64_t number = from; kind == KILL ? sent_count() < wishes->count : number < end; number++) {
        if (number == from || number % renew_every == 0)
            victims_renew(interface, wishes);
        progress->number = number;
        progress->reply_port = mig_get_reply_port();
        if (kind == KILL)
            one_killed(interface, wishes, number);
        else
            one_message(interface, kind, wishes, number);
    }
    for (unsigned int i = 0; i < KIDS; i++)
        kid_end(&kids[i]);
    send_finish();
    pool_tasks_end();
    _exit(0);
}

/* ---- in the parent -------------------------------------------------------------------- */

static void on_alarm(int signo)
{
    (void) signo;
    late = 1;
}

/* Whether a message of PID's took the right away by which the C library hears its answers: then it waits for nobody. */
static bool sender_was_hit(pid_t pid)
{
    task_t task;
    mach_port_type_t type;
    if (proc_pid2task(getproc(), pid, &task) != 0)
        return false;
    kern_return_t err = mach_port_type(task, progress->reply_port, &type);
    mach_port_deallocate(mach_task_self(), task);
    return err == KERN_INVALID_NAME || (err == 0 && !(type & MACH_PORT_TYPE_RECEIVE));
}

/* Waits for PID; false if it had to be killed because no message was sent for STUCK_SECONDS, and it was waiting for
   somebody. */
static bool child_wait(pid_t pid, int *status)
{
    uint64_t seen = sent_count();
    late = 0;
    alarm(STUCK_SECONDS);
    while (waitpid(pid, status, 0) < 0) {
        if (!late)
            continue;
        if (sent_count() == seen) {
            bool hit = sender_was_hit(pid);
            kill(pid, SIGKILL);
            waitpid(pid, status, 0);
            return hit;
        }
        seen = sent_count();
        late = 0;
        alarm(STUCK_SECONDS);
    }
    alarm(0);
    return true;
}

static double seconds(void)
{
    struct timeval now;
    gettimeofday(&now, NULL);
    return now.tv_sec + now.tv_usec / 1e6;
}

/* One kind of one interface; how many failures. */
static unsigned int batch(const struct interface *interface, enum kind kind, const struct wishes *wishes)
{
    uint64_t from = wishes->first, end = wishes->first + wishes->count;
    unsigned int failed = 0, deaths = 0;
    memset((void *) progress, 0, sizeof *progress);
    double start = seconds();
    while (from < end) {
        int status = 0;
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0)
            child_main(interface, kind, wishes, from, end);
        bool stuck = pid < 0 || !child_wait(pid, &status);
        if (!stuck && WIFEXITED(status)) {
            if (WEXITSTATUS(status) == 2)
                printf("%s: nothing to attack\n", interface->name);
            break;
        }
        from = progress->number + 1; /* a message hit its sender: go on after it */
        if (stuck || ++deaths > DEATHS_MIN + wishes->count / 4) {
            printf("FAILED: %s %s: %s at message %llu of seed %llu\n", interface->name, kind_names[kind],
                   stuck ? "stuck" : "gave up", (unsigned long long)progress->number, (unsigned long long)wishes->seed);
            failed++;
            break;
        }
    }
    const volatile uint64_t *outcomes = progress->outcomes;
    printf("%s %s: answered %llu, error %llu, refused %llu, unanswered %llu, sent %llu, sender died %u, %.1f s\n",
           interface->name, kind_names[kind], (unsigned long long)outcomes[ANSWERED],
           (unsigned long long)outcomes[ERROR], (unsigned long long)outcomes[REFUSED],
           (unsigned long long)outcomes[UNANSWERED], (unsigned long long)outcomes[SENT], deaths, seconds() - start);
    return failed;
}

static bool kind_choose(struct wishes *wishes, const char *name)
{
    for (unsigned int k = 0; k < KINDS; k++)
        if (!strcmp(kind_names[k], name))
            return wishes->kinds[k] = true;
    fprintf(stderr, "hostile: %s: no such kind\n", name);
    return false;
}

static bool wishes_parse(int argc, char **argv, struct wishes *wishes)
{
    bool some = false;
    for (int option; (option = getopt(argc, argv, "s:n:f:k:d:w:v")) != -1;)
        switch (option) {
        case 's': wishes->seed = strtoull(optarg, NULL, 0); break;
        case 'n': wishes->count = strtoull(optarg, NULL, 0); break;
        case 'f': wishes->first = strtoull(optarg, NULL, 0); break;
        case 'd': wishes->folder = optarg; break;
        case 'w': send_window(strtoul(optarg, NULL, 0)); break;
        case 'v': wishes->verbose = true; break;
        case 'k':
            some = true;
            if (!kind_choose(wishes, optarg))
                return false;
            break;
        default: return false;
        }
    for (unsigned int k = 0; k < KINDS && !some; k++)
        wishes->kinds[k] = true;
    return true;
}

static error_t shared_make(void)
{
    vm_address_t address = 0;
    error_t err = vm_allocate(mach_task_self(), &address, vm_page_size, TRUE);
    if (!err)
        err = vm_inherit(mach_task_self(), address, vm_page_size, VM_INHERIT_SHARE);
    progress = (void *) address;
    return err;
}

static void attack(const char *name, const struct wishes *wishes, uint64_t *messages, unsigned int *failed)
{
    const struct interface *interface = interface_lookup(name);
    if (!interface) {
        printf("FAILED: %s: no such interface\n", name);
        ++*failed;
        return;
    }
    for (unsigned int k = 0; k < KINDS; k++)
        if (wishes->kinds[k]) {
            *failed += batch(interface, k, wishes);
            if (wishes->count >= ASK_EVERY)
                *failed += servers_ask(wishes->folder);
            *messages += sent_count();
        }
    *failed += servers_ask(wishes->folder);
}

int main(int argc, char **argv)
{
    struct wishes wishes = { .seed = 1, .count = 300, .folder = "/tmp/hostile" };
    struct sigaction action = { .sa_handler = on_alarm };
    uint64_t messages = 0;
    unsigned int failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2 && !strcmp(argv[1], "--census"))
        return census_print() != 0;
    if (argc == 2 && !strcmp(argv[1], "--sweep"))
        return left_end() != 0;
    if (argc == 2 && !strcmp(argv[1], "--answer"))
        return servers_ask(wishes.folder) != 0;
    if (!wishes_parse(argc, argv, &wishes))
        return 2;
    if (shared_make() != 0 || pool_fill() != 0)
        return 2;
    sigaction(SIGALRM, &action, NULL);
    printf("hostile: seed %llu, %llu of each kind\n", (unsigned long long)wishes.seed,
           (unsigned long long)wishes.count);
    if (optind < argc)
        while (optind < argc)
            attack(argv[optind++], &wishes, &messages, &failed);
    else
        for (const struct interface *i = interfaces; i->name; i++)
            attack(i->name, &wishes, &messages, &failed);
    printf("hostile: %llu messages, %u failed\n", (unsigned long long) messages, failed);
    return failed != 0;
}
