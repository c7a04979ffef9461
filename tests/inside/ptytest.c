/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptytest: pseudo terminals from inside, and by them all that a terminal does: finding a pair, editing, signals, modes,
   window size, job control, flushing, selecting, packet and remote mode, hanging up, and a shell that believes it is at
   a terminal. Prints a line for each check that fails, and last `ptytest: N passed, N failed`. */

#include <fcntl.h>
#include <hurd/ioctl.h>
#include <hurd.h>
#include <hurd/term.h>
#include <hurd/tioctl.h>
#include <hurd/fd.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "check.h"
#include "fullport.h"

static int master, slave;
static char slave_name[64];

static volatile sig_atomic_t seen[NSIG];
static void note(int signal)
{
    seen[signal]++;
}

static void handle(int signal)
{
    struct sigaction action = { .sa_handler = note };
    sigaction(signal, &action, NULL);
}

static bool pair_open(void)
{
    master = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK(master >= 0);
    if (master < 0)
        return false;
    CHECK(grantpt(master) == 0);
    CHECK(unlockpt(master) == 0);
    CHECK(ptsname_r(master, slave_name, sizeof slave_name) == 0);
    slave = open(slave_name, O_RDWR | O_NOCTTY);
    CHECK(slave >= 0);
    return slave >= 0;
}

static void pair_close(void)
{
    close(slave);
    close(master);
}

static void put(int fd, const char *text)
{
    size_t length = strlen(text);
    CHECK(write(fd, text, length) == (ssize_t)length);
}

/* Reads until WANTED is there, or no more comes; true if it was exactly that. */
static bool expect(int fd, const char *wanted)
{
    char got[4096];
    size_t length = 0;
    while (length < strlen(wanted)) {
        ssize_t n = read(fd, got + length, sizeof got - 1 - length);
        if (n <= 0)
            break;
        length += n;
    }
    got[length] = 0;
    if (strcmp(got, wanted)) {
        printf("wanted \"%s\", got \"%s\"\n", wanted, got);
        return false;
    }
    return true;
}

static void change(tcflag_t set, tcflag_t clear)
{
    struct termios modes;
    CHECK(tcgetattr(slave, &modes) == 0);
    modes.c_lflag = (modes.c_lflag | set) & ~clear;
    CHECK(tcsetattr(slave, TCSANOW, &modes) == 0);
}

static bool readable(int fd, short events)
{
    struct pollfd poll_fd = { .fd = fd, .events = events };
    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & events);
}

/* ---- the pair --------------------------------------------------------------------------- */

static void test_pair(void)
{
    char name[64];
    struct termios modes;
    if (!pair_open())
        return;
    CHECK(isatty(slave) && ttyname_r(slave, name, sizeof name) == 0 && !strcmp(name, slave_name));
    CHECK(ptsname_r(slave, name, sizeof name) == ENOTTY);
    CHECK(tcgetattr(master, &modes) == 0);
    int other = posix_openpt(O_RDWR);
    CHECK(other >= 0 && ptsname_r(other, name, sizeof name) == 0 && strcmp(name, slave_name));
    close(other);
    int fd;
    while ((fd = open(name, O_RDWR | O_NOCTTY)) >= 0) {     /* until the server has heard that its master is closed */
        close(fd);
        usleep(1000);
    }
    CHECK(errno == EIO);
    char master_name[64];
    strcpy(master_name, slave_name);
    master_name[5] = 'p';
    CHECK(open(master_name, O_RDWR) == -1 && errno == EBUSY);
    pair_close();
    /* and again, as new */
    CHECK(pair_open());
    CHECK(tcgetattr(slave, &modes) == 0 && (modes.c_lflag & (ECHO | ICANON)) == (ECHO | ICANON));
    pair_close();
}

static void test_line(void)
{
    char got[64];
    if (!pair_open())
        return;
    put(master, "helo\177lo\n");
    CHECK(expect(slave, "hello\n"));
    CHECK(expect(master, "helo\b \blo\r\n"));
    put(slave, "out\n");
    CHECK(expect(master, "out\r\n"));
    put(master, "\4");
    CHECK(read(slave, got, sizeof got) == 0);
    CHECK(expect(master, "^D\b\b"));
    change(0, ECHO);
    put(master, "a\026\003b\n");                        /* a quoted ^C is no ^C */
    CHECK(expect(slave, "a\003b\n"));
    put(master, "one two\027three\n");
    CHECK(expect(slave, "one three\n"));
    int n = -1;
    put(master, "12345\n678\n");
    CHECK(ioctl(slave, FIONREAD, &n) == 0 && n == 6);
    CHECK(tcflush(slave, TCIFLUSH) == 0 && ioctl(slave, FIONREAD, &n) == 0 && n == 0);
    CHECK(!readable(slave, POLLIN));
    put(master, "x");
    CHECK(!readable(slave, POLLIN));
    put(master, "\n");
    CHECK(readable(slave, POLLIN) && expect(slave, "x\n"));
    pair_close();
}

static void test_raw(void)
{
    struct termios modes;
    char got[64];
    if (!pair_open())
        return;
    CHECK(tcgetattr(slave, &modes) == 0);
    cfmakeraw(&modes);
    modes.c_cc[VMIN] = 3;
    modes.c_cc[VTIME] = 0;
    CHECK(tcsetattr(slave, TCSAFLUSH, &modes) == 0);
    put(master, "a\3");
    CHECK(!readable(slave, POLLIN));
    put(master, "\r");
    CHECK(readable(slave, POLLIN));
    CHECK(read(slave, got, sizeof got) == 3 && !memcmp(got, "a\3\r", 3));
    modes.c_cc[VMIN] = 0;
    modes.c_cc[VTIME] = 1;
    CHECK(tcsetattr(slave, TCSANOW, &modes) == 0);
    CHECK(read(slave, got, sizeof got) == 0);
    put(master, "z");
    CHECK(read(slave, got, sizeof got) == 1);
    CHECK(fcntl(slave, F_SETFL, O_NONBLOCK) == 0);
    modes.c_cc[VMIN] = 1;
    CHECK(tcsetattr(slave, TCSANOW, &modes) == 0);
    CHECK(read(slave, got, sizeof got) == -1 && errno == EWOULDBLOCK);
    put(slave, "\n");
    CHECK(expect(master, "\n"));
    pair_close();
}

/* More than fits: writers wait, nothing is lost. */
static void test_much(void)
{
    enum { MUCH = 100000 };
    static char got[MUCH];
    size_t length = 0;
    int status, n;
    if (!pair_open())
        return;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        char block[1000];
        memset(block, 'x', sizeof block);
        for (n = 0; n < MUCH / 1000; n++)
            if (write(slave, block, sizeof block) != sizeof block)
                _exit(1);
        _exit(tcdrain(slave) ? 2 : 0);
    }
    while (length < MUCH && (n = read(master, got + length, MUCH - length)) > 0)
        length += n;
    CHECK(length == MUCH);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(fcntl(slave, F_SETFL, O_NONBLOCK) == 0);
    for (n = 0; n < 1000 && write(slave, got, 1000) > 0; n++)
        ;
    CHECK(n < 1000 && errno == EWOULDBLOCK && !readable(slave, POLLOUT));
    CHECK(ioctl(slave, TIOCOUTQ, &n) == 0 && n >= 4096);
    CHECK(tcflush(slave, TCOFLUSH) == 0 && readable(slave, POLLOUT));
    pair_close();
}

/* ---- signals and job control ------------------------------------------------------------------ */

/* In a child that leads a session on the slave: runs WORK and gives its result as exit status. */
static int on_terminal(int (*work)(void))
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
            _exit(100);
        _exit(work());
    }
    if (waitpid(child, &status, 0) != child)
        return -1;
    status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    if (status)
        printf("the child said %d\n", status);
    return status;
}

static void await(int signal)
{
    sigset_t none, block;
    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, signal);
    sigprocmask(SIG_BLOCK, &block, NULL);
    while (!seen[signal])
        sigsuspend(&none);
    sigprocmask(SIG_UNBLOCK, &block, NULL);
}

static int work_signals(void)
{
    struct winsize size = { .ws_row = 50, .ws_col = 132 }, back = { 0 };
    handle(SIGINT);
    handle(SIGQUIT);
    handle(SIGTSTP);
    handle(SIGWINCH);
    if (tcgetpgrp(slave) != getpgrp())
        return 1;
    put(master, "\003");
    await(SIGINT);
    put(master, "\034");
    await(SIGQUIT);
    put(master, "\032");
    await(SIGTSTP);
    if (ioctl(master, TIOCSWINSZ, &size) || ioctl(slave, TIOCGWINSZ, &back) || back.ws_col != 132 || back.ws_row != 50)
        return 2;
    await(SIGWINCH);
    seen[SIGINT] = 0;
    int fd = open("/dev/tty", O_RDWR);
    if (fd < 0 || !isatty(fd))
        return 3;
    if (tcsetpgrp(slave, 2) == 0 || errno != EPERM)     /* startup's group: another session */
        return 4;
    if (tcsetpgrp(slave, 29999) == 0 || errno != EPERM)
        return 5;
    if (ioctl(slave, TIOCNOTTY))
        return 6;
    return tcgetpgrp(slave) >= 0 ? 0 : 7;
}

/* A child in the background: reads (or writes with TOSTOP), must be stopped by SIGNAL, and goes on in the
   foreground. */
static int background(int signal, bool writes)
{
    int status;
    signal == SIGTTOU ? change(TOSTOP, 0) : (void)0;
    pid_t child = fork();
    if (child == 0) {
        char got[16];
        setpgid(0, 0);
        if (writes)
            _exit(write(slave, "bg\n", 3) == 3 ? 0 : 1);
        _exit(read(slave, got, sizeof got) == 3 ? 0 : 1);
    }
    setpgid(child, child);
    if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status) || WSTOPSIG(status) != signal)
        return 11;
    if (tcsetpgrp(slave, child) || kill(-child, SIGCONT))
        return 12;
    put(master, "ok\n");
    if (waitpid(child, &status, 0) != child || status != 0)
        return 13;
    sigset_t block;
    sigemptyset(&block);
    sigaddset(&block, SIGTTOU);
    sigprocmask(SIG_BLOCK, &block, NULL);               /* as shells do */
    int err = tcsetpgrp(slave, getpgrp());
    sigprocmask(SIG_UNBLOCK, &block, NULL);
    return err ? 14 : 0;
}

static int work_background_read(void)
{
    return background(SIGTTIN, false);
}

static int work_background_write(void)
{
    return background(SIGTTOU, true);
}

/* An orphaned group in the background gets EIO. */
static int work_orphan(void)
{
    int ends[2], status;
    char result = 0;
    if (pipe(ends))
        return 21;
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        if (fork() == 0) {
            char got[4];
            while (getppid() != 1)
                usleep(1000);
            usleep(50000);
            result = read(slave, got, sizeof got) == -1 && errno == EIO ? 'y' : 'n';
            (void)!write(ends[1], &result, 1);
            _exit(0);
        }
        _exit(0);
    }
    waitpid(child, &status, 0);
    close(ends[1]);
    if (read(ends[0], &result, 1) != 1)
        return 22;
    return result == 'y' ? 0 : 23;
}

static int work_input_signal(void)
{
    handle(SIGIO);
    if (fcntl(slave, F_SETOWN, getpid()) || fcntl(slave, F_GETOWN) != getpid())
        return 31;
    if (fcntl(slave, F_SETFL, fcntl(slave, F_GETFL) | O_ASYNC))
        return 32;
    put(master, "news\n");
    await(SIGIO);
    return 0;
}

/* What comes at FD after a reader was killed is for the next one: LENGTH bytes when TEXT is written to OTHER. */
static void killed_reader_takes_nothing(int fd, int other, const char *text, int length)
{
    char got[16];
    int n = -1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(read(fd, got, sizeof got) > 0);
    usleep(200000);
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    put(other, text);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    for (int i = 0; i < 100 && n < 0; i++) {
        usleep(10000);
        n = read(fd, got, sizeof got);
    }
    CHECK(n == length);
}

static void test_killed_reader(void)
{
    if (!pair_open())
        return;
    change(0, ECHO);
    killed_reader_takes_nothing(slave, master, "next\n", 5);
    killed_reader_takes_nothing(master, slave, "next\n", 6);
    pair_close();
}

static void test_jobs(void)
{
    if (!pair_open())
        return;
    CHECK(on_terminal(work_signals) == 0);
    CHECK(on_terminal(work_background_read) == 0);
    CHECK(on_terminal(work_background_write) == 0);
    CHECK(on_terminal(work_orphan) == 0);
    CHECK(on_terminal(work_input_signal) == 0);
    pair_close();
}

static int work_hang_up(void)
{
    char got[4];
    handle(SIGHUP);
    int keep = master;
    (void)keep;
    put(slave, "ready\n");
    await(SIGHUP);
    if (read(slave, got, sizeof got) != 0)
        return 41;
    return write(slave, "x", 1) == -1 && errno == EIO ? 0 : 42;
}

static void test_hang_up(void)
{
    int status;
    if (!pair_open())
        return;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(master);
        if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
            _exit(100);
        _exit(work_hang_up());
    }
    CHECK(expect(master, "ready\r\n"));
    close(master);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(write(slave, "x", 1) == -1 && errno == EIO);
    close(slave);
    CHECK(pair_open());
    put(slave, "last");
    close(slave);
    char got[16];
    CHECK(read(master, got, sizeof got) == 4 && read(master, got, sizeof got) == 0);
    close(master);
    if (pair_open()) {
        CHECK(revoke(slave_name) == 0);
        CHECK(write(slave, "x", 1) == -1);
        pair_close();
    }
}

/* ---- the master's modes ------------------------------------------------------------------------ */

static void test_packet(void)
{
    char got[64];
    int on = 1, off = 0;
    struct termios modes;
    if (!pair_open())
        return;
    CHECK(ioctl(slave, TIOCPKT, &on) == -1 && errno == ENOTTY);
    CHECK(ioctl(master, TIOCPKT, &on) == 0);
    CHECK(ioctl(master, TIOCUCNTL, &on) == -1 && errno == EINVAL);
    put(slave, "data");
    CHECK(read(master, got, sizeof got) == 5 && got[0] == TIOCPKT_DATA && !memcmp(got + 1, "data", 4));
    CHECK(tcflush(slave, TCIFLUSH) == 0);
    CHECK(readable(master, POLLIN) && read(master, got, sizeof got) == 1 && got[0] == TIOCPKT_FLUSHREAD);
    CHECK(tcflow(slave, TCOOFF) == 0 && read(master, got, sizeof got) == 1 && got[0] == TIOCPKT_STOP);
    CHECK(tcflow(slave, TCOON) == 0 && read(master, got, sizeof got) == 1 && got[0] == TIOCPKT_START);
    CHECK(tcgetattr(slave, &modes) == 0);
    modes.c_iflag &= ~IXON;
    CHECK(tcsetattr(slave, TCSANOW, &modes) == 0 && read(master, got, sizeof got) == 1 && got[0] == TIOCPKT_NOSTOP);
    CHECK(ioctl(master, TIOCEXT, &on) == 0);
    CHECK(read(master, got, sizeof got) == 1 + (ssize_t)(4 * sizeof(tcflag_t) + NCCS + 2 * sizeof(speed_t)) &&
          (got[0] & TIOCPKT_IOCTL));
    put(master, "raw\003\177\n");
    CHECK(expect(slave, "raw\003\177\n"));
    CHECK(ioctl(master, TIOCEXT, &off) == 0);
    CHECK(ioctl(master, TIOCPKT, &off) == 0);
    pair_close();
}

static void test_remote(void)
{
    char got[64];
    int on = 1;
    if (!pair_open())
        return;
    CHECK(ioctl(master, TIOCREMOTE, &on) == 0);
    put(master, "one\177\003");
    CHECK(read(slave, got, sizeof got) == 5 && !memcmp(got, "one\177\003", 5));
    CHECK(write(master, "", 0) == 0);
    CHECK(read(slave, got, sizeof got) == 0);
    pair_close();
}

static int work_master_signal(void)
{
    int signal = SIGINT;
    handle(SIGINT);
    if (HURD_DPORT_USE(master, tioctl_tiocsig(port, signal)))
        return 51;
    await(SIGINT);
    return HURD_DPORT_USE(slave, tioctl_tiocsig(port, signal)) == EOPNOTSUPP ? 0 : 52;
}

/* ---- a shell ---------------------------------------------------------------------------------------- */

/* What the shell has said. */
static char got[8192];
static size_t length;

/* Reads on until UNTIL has been said, or the end if that is null; false when nothing comes for a minute. */
static bool listen_until(const char *until)
{
    ssize_t n;
    while (length < sizeof got - 1 && !(until && strstr(got, until))) {
        struct pollfd poll_fd = { .fd = master, .events = POLLIN };
        if (poll(&poll_fd, 1, 60000) != 1)
            return false;
        n = read(master, got + length, sizeof got - 1 - length);
        if (n <= 0)
            return !until;
        got[length += n] = 0;
    }
    return true;
}

static void test_shell(void)
{
    int status;
    if (!pair_open())
        return;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(master);
        setsid();
        ioctl(slave, TIOCSCTTY, 0);
        for (int fd = 0; fd < 3; fd++)
            dup2(slave, fd);
        close(slave);
        setenv("PS1", "ready> ", 1);
        execl("/bin/sh", "sh", "-i", NULL);
        _exit(127);
    }
    close(slave);
    put(master, "tty; stty size; sleep 1000 | cat\n");
    CHECK(listen_until("0 0\r\n"));
    usleep(300000);
    put(master, "\003");
    CHECK(listen_until("^C\r\n"));
    put(master, "echo $((40 + 2)); sleep 1000 & jobs; kill -KILL %1; exit 7\n");
    CHECK(listen_until(NULL));
    CHECK(strstr(got, slave_name) != NULL);
    CHECK(strstr(got, "42\r\n") != NULL);
    CHECK(strstr(got, "Running") != NULL);
    CHECK(strstr(got, "can't access tty") == NULL);
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    if (failed)
        printf("the shell said: %s\n", got);
    close(master);
}

/* ---- requests that no sane program makes ------------------------------------------------------------ */

/* Another terminal as the node below this one. */
static error_t set_other_terminal(mach_port_t terminal)
{
    mach_port_t console = file_name_lookup("/dev/console", 0, 0);
    error_t err = term_set_filenode(terminal, console);
    mach_port_deallocate(mach_task_self(), console);
    return err;
}

static void on_alarm(int signo)
{
    (void)signo;
}

/* A node that takes no messages any more: the terminal waits for room there, is interrupted, and lives. */
static error_t set_full_node(mach_port_t terminal)
{
    mach_port_t node = fullport_create();
    struct sigaction action = {.sa_handler = on_alarm}, before;
    sigaction(SIGALRM, &action, &before);
    alarm(1);
    error_t err = term_set_filenode(terminal, node);
    sigaction(SIGALRM, &before, NULL);
    fullport_destroy(node);
    return err;
}

static void test_strange(void)
{
    static char much[300000];
    struct stat st;
    struct termios modes;
    if (!pair_open())
        return;
    CHECK(HURD_DPORT_USE(slave, tioctl_tiocspgrp(port, -5)) == EINVAL);
    CHECK(HURD_DPORT_USE(slave, tioctl_tiocspgrp(port, 0)) == EINVAL);
    CHECK(HURD_DPORT_USE(slave, tioctl_tiocsetd(port, 77)) == ENXIO);
    CHECK(HURD_DPORT_USE(master, tioctl_tiocsig(port, 12345)) == EINVAL);
    mach_port_t new = MACH_PORT_NULL;
    CHECK(HURD_DPORT_USE(slave, term_open_ctty(port, -1, 7, &new)) == EINVAL);
    CHECK(HURD_DPORT_USE(master, term_open_ctty(port, 1, 1, &new)) == EOPNOTSUPP);
    CHECK(HURD_DPORT_USE(slave, term_on_machdev(port, mach_task_self())) == EOPNOTSUPP);
    CHECK(HURD_DPORT_USE(slave, term_set_filenode(port, port)) == EINVAL);
    CHECK(HURD_DPORT_USE(slave, term_set_filenode(port, MACH_PORT_NULL)) == MACH_SEND_INVALID_DEST);
    CHECK(HURD_DPORT_USE(slave, set_other_terminal(port)) == EINVAL);
    CHECK(HURD_DPORT_USE(slave, set_full_node(port)) == EINTR);
    CHECK(fstat(slave, &st) == 0 && S_ISCHR(st.st_mode));
    CHECK(tcgetattr(slave, &modes) == 0);
    modes.c_iflag = modes.c_oflag = modes.c_lflag = ~(tcflag_t)ICANON & ~(tcflag_t)TOSTOP;
    memset(modes.c_cc, 0xff, sizeof modes.c_cc);
    CHECK(tcsetattr(slave, TCSANOW, &modes) == 0);
    CHECK(fcntl(master, F_SETFL, O_NONBLOCK) == 0 && fcntl(slave, F_SETFL, O_NONBLOCK) == 0);
    memset(much, 0xff, sizeof much);
    for (int i = 0; i < 20; i++) {
        (void)!write(master, much, sizeof much);
        (void)!write(slave, much, sizeof much);
        (void)!read(slave, much, sizeof much);
    }
    CHECK(tcflush(slave, TCIOFLUSH) == 0);
    pair_close();
    CHECK(pair_open());
    CHECK(tcsendbreak(slave, 0) == 0);
    int bits;
    CHECK(ioctl(slave, TIOCMGET, &bits) == -1 && errno == ENOTTY);
    CHECK(ioctl(slave, TIOCEXCL) == 0);
    CHECK(on_terminal(work_master_signal) == 0);
    pair_close();
}

int main(void)
{
    static const struct {
        const char *name;
        void (*function)(void);
    } tests[] = {{"pair", test_pair}, {"line", test_line}, {"raw", test_raw}, {"much", test_much},
                 {"killed_reader", test_killed_reader}, {"jobs", test_jobs}, {"hang_up", test_hang_up},
                 {"packet", test_packet}, {"remote", test_remote}, {"shell", test_shell}, {"strange", test_strange}};
    signal(SIGTTOU, SIG_DFL);
    signal(SIGLOST, SIG_IGN);   /* what the C library raises for a port that was revoked */
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        unsigned int before = failed;
        printf("%s...\n", tests[i].name);
        fflush(stdout);
        tests[i].function();
        if (failed != before)
            printf("%s: %u failed\n", tests[i].name, failed - before);
    }
    return check_end("ptytest");
}
