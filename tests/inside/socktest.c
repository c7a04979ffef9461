/* SPDX-License-Identifier: GPL-2.0-or-later */
/* socktest: local sockets and pipes from inside: pairs of each type, names, backlog, descriptors and credentials on
   their way, shutdown, options, errors, odd requests.  Prints a line for each check that fails, and last `socktest: N
   passed, N failed`. */

#include <fcntl.h>
#include <hurd.h>
#include <hurd/fs.h>
#include <hurd/io.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static bool ready(int fd, short events)
{
    struct pollfd poll_fd = { .fd = fd, .events = events };
    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & events);
}

static struct sockaddr_un named(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_LOCAL };
    strcpy(address.sun_path, path);
    return address;
}

static int bound(int type, const char *path)
{
    struct sockaddr_un address = named(path);
    int fd = socket(AF_LOCAL, type, 0);
    unlink(path);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, SUN_LEN(&address)) == 0);
    return fd;
}

static int connected(int type, const char *path, int flags)
{
    struct sockaddr_un address = named(path);
    int fd = socket(AF_LOCAL, type, 0);
    fcntl(fd, F_SETFL, flags);
    if (connect(fd, (struct sockaddr *)&address, SUN_LEN(&address)) == 0)
        return fd;
    int err = errno;
    close(fd);
    errno = err;
    return -1;
}

static void test_stream(void)
{
    int fd[2], n;
    char got[64];
    CHECK(socketpair(AF_LOCAL, SOCK_STREAM, 0, fd) == 0);
    CHECK(write(fd[0], "one", 3) == 3 && write(fd[0], "two", 3) == 3);
    CHECK(ioctl(fd[1], FIONREAD, &n) == 0 && n == 6);
    CHECK(recv(fd[1], got, 4, MSG_PEEK) == 4 && !memcmp(got, "onet", 4));
    CHECK(recv(fd[1], got, sizeof got, 0) == 6 && !memcmp(got, "onetwo", 6));
    CHECK(recv(fd[1], got, sizeof got, MSG_DONTWAIT) == -1 && errno == EWOULDBLOCK);
    CHECK(ready(fd[0], POLLOUT) && !ready(fd[0], POLLIN));
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 10; i++) {
            (void)!write(fd[0], "0123456789", 10);
            usleep(1000);
        }
        _exit(0);
    }
    static char all[100];
    CHECK(recv(fd[1], all, sizeof all, MSG_WAITALL) == sizeof all);
    waitpid(child, NULL, 0);
    CHECK(shutdown(fd[0], SHUT_WR) == 0 && read(fd[1], got, 1) == 0);
    CHECK(send(fd[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
    CHECK(write(fd[1], "back", 4) == 4 && read(fd[0], got, sizeof got) == 4);
    CHECK(shutdown(fd[0], 77) == -1 && errno == EINVAL);
    close(fd[0]);
    while ((n = send(fd[1], "x", 1, MSG_NOSIGNAL)) == 1)
        ;
    CHECK(errno == EPIPE);
    close(fd[1]);
}

static void test_records(int type)
{
    int fd[2];
    char got[64];
    struct iovec vector = { got, 2 };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
    CHECK(socketpair(AF_LOCAL, type, 0, fd) == 0);
    CHECK(write(fd[0], "one", 3) == 3 && write(fd[0], "", 0) == 0 && write(fd[0], "three", 5) == 5);
    CHECK(recvmsg(fd[1], &message, 0) == 2 && (message.msg_flags & MSG_TRUNC));
    CHECK(read(fd[1], got, sizeof got) == 0);
    CHECK(read(fd[1], got, sizeof got) == 5);
    static char much[100000];
    CHECK(send(fd[0], much, sizeof much, 0) == -1 && errno == EMSGSIZE);
    close(fd[0]);
    close(fd[1]);
}

/* A connection to LISTENER, which is NAME, that is made after one who waited for it was killed is for the next one. */
static void killed_acceptor(int listener, const char *name)
{
    int server = -1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(accept(listener, NULL, NULL) >= 0);
    usleep(200000);
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    int client = connected(SOCK_STREAM, name, 0);
    CHECK(client >= 0 && fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
    for (int i = 0; i < 100 && server < 0; i++) {
        usleep(10000);
        server = accept(listener, NULL, NULL);
    }
    CHECK(server >= 0 && write(server, "x", 1) == 1 && fcntl(listener, F_SETFL, 0) == 0);
    close(client);
    close(server);
}

static void test_names(void)
{
    struct sockaddr_un address = named("/tmp/sock");
    struct sockaddr_un other;
    socklen_t length = sizeof other;
    struct stat st;
    char got[16];
    int listener = bound(SOCK_STREAM, "/tmp/sock");
    CHECK(stat("/tmp/sock", &st) == 0 && S_ISSOCK(st.st_mode));
    CHECK(connected(SOCK_STREAM, "/tmp/sock", 0) == -1 && errno == ECONNREFUSED);   /* nobody listens */
    int second = socket(AF_LOCAL, SOCK_STREAM, 0);
    CHECK(bind(second, (struct sockaddr *)&address, SUN_LEN(&address)) == -1 && errno == EADDRINUSE);
    CHECK(accept(second, NULL, NULL) == -1 && errno == EINVAL);
    CHECK(listen(listener, 2) == 0);
    killed_acceptor(listener, "/tmp/sock");
    CHECK(connected(SOCK_SEQPACKET, "/tmp/sock", 0) == -1 && errno == EPROTOTYPE);
    int one = connected(SOCK_STREAM, "/tmp/sock", 0), two = connected(SOCK_STREAM, "/tmp/sock", 0);
    CHECK(one >= 0 && two >= 0);
    CHECK(connected(SOCK_STREAM, "/tmp/sock", O_NONBLOCK) == -1 && errno == EWOULDBLOCK);  /* two wait already */
    CHECK(ready(listener, POLLIN));
    int server = accept(listener, (struct sockaddr *)&other, &length);
    CHECK(server >= 0 && other.sun_family == AF_LOCAL);
    CHECK(write(one, "hi", 2) == 2 && read(server, got, sizeof got) == 2);
    CHECK(write(server, "ho", 2) == 2 && read(one, got, sizeof got) == 2);
    CHECK(connect(one, (struct sockaddr *)&address, SUN_LEN(&address)) == -1 && errno == EISCONN);
    CHECK(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
    int last = accept(listener, NULL, NULL);
    CHECK(last >= 0);
    CHECK(accept(listener, NULL, NULL) == -1 && errno == EWOULDBLOCK);
    length = sizeof other;
    CHECK(getpeername(one, (struct sockaddr *)&other, &length) == 0);
    length = sizeof other;
    CHECK(getsockname(listener, (struct sockaddr *)&other, &length) == 0);
    CHECK(getpeername(second, (struct sockaddr *)&other, &length) == -1 && errno == ENOTCONN);
    int waiting = connected(SOCK_STREAM, "/tmp/sock", 0);
    close(listener);
    CHECK(read(waiting, got, sizeof got) == 0);     /* it was never accepted */
    CHECK(connected(SOCK_STREAM, "/tmp/sock", 0) == -1 && errno == ECONNREFUSED);
    CHECK(connected(SOCK_STREAM, "/tmp/nowhere", 0) == -1 && errno == ENOENT);
    CHECK(connected(SOCK_STREAM, "/etc/motd", 0) == -1);
    int fds[] = { one, two, second, server, last, waiting };
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        close(fds[i]);
    unlink("/tmp/sock");
}

static void test_datagrams(void)
{
    struct sockaddr_un to = named("/tmp/dgram"), from = { 0 };
    socklen_t length = sizeof from;
    char got[16];
    int server = bound(SOCK_DGRAM, "/tmp/dgram"), client = bound(SOCK_DGRAM, "/tmp/client");
    CHECK(send(client, "x", 1, 0) == -1 && (errno == EDESTADDRREQ || errno == ENOTCONN));
    CHECK(sendto(client, "one", 3, 0, (struct sockaddr *)&to, SUN_LEN(&to)) == 3);
    CHECK(recvfrom(server, got, sizeof got, 0, (struct sockaddr *)&from, &length) == 3 && from.sun_family == AF_LOCAL);
    CHECK(connect(client, (struct sockaddr *)&to, SUN_LEN(&to)) == 0 && send(client, "four", 4, 0) == 4);
    CHECK(recv(server, got, sizeof got, 0) == 4);
    CHECK(listen(server, 1) == -1 && errno == EOPNOTSUPP);
    close(server);
    ssize_t n;
    while ((n = send(client, "x", 1, 0)) == 1)
        ;
    CHECK(n == -1 && errno == ECONNREFUSED);
    close(client);
    unlink("/tmp/dgram");
    unlink("/tmp/client");
}

union control {
    struct cmsghdr header;
    char room[256];
};

/* Sends the descriptors WHAT with one byte. */
static bool send_descriptors(int fd, const int *what, size_t count)
{
    union control control = { 0 };
    struct iovec vector = { "!", 1 };
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), what, count * sizeof(int));
    return sendmsg(fd, &message, 0) == 1;
}

/* Receives at most COUNT of them; how many came. */
static size_t receive_descriptors(int fd, int *what, size_t count)
{
    union control control = { 0 };
    char byte;
    struct iovec vector = { &byte, 1 };
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    if (recvmsg(fd, &message, 0) != 1)
        return 0;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS)
        return 0;
    size_t there = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(what, CMSG_DATA(header), (there < count ? there : count) * sizeof(int));
    return there;
}

/* Whoever does not read has only so much kept for him, of that too which has no bytes. */
static void test_overhead(void)
{
    int pair[2], got, sent = 0;
    char byte;
    CHECK(socketpair(AF_LOCAL, SOCK_DGRAM, 0, pair) == 0);
    while (sent < 20000 && send(pair[0], "", 0, MSG_DONTWAIT) == 0)
        sent++;
    CHECK(sent > 0 && sent < 20000 && errno == EWOULDBLOCK && !ready(pair[0], POLLOUT) && ready(pair[1], POLLIN));
    while (sent > 0 && recv(pair[1], &byte, 1, MSG_DONTWAIT) == 0)
        sent--;
    CHECK(sent == 0 && ready(pair[0], POLLOUT) && send(pair[0], "x", 1, MSG_DONTWAIT) == 1);
    close(pair[0]);
    close(pair[1]);
    CHECK(socketpair(AF_LOCAL, SOCK_STREAM, 0, pair) == 0 && fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0);
    while (sent < 20000 && send_descriptors(pair[0], pair, 1))
        sent++;
    CHECK(sent > 0 && sent < 20000 && errno == EWOULDBLOCK);
    for (; sent > 0 && receive_descriptors(pair[1], &got, 1) == 1; sent--)
        close(got);
    CHECK(sent == 0 && ready(pair[0], POLLOUT));
    close(pair[0]);
    close(pair[1]);
}

static void test_rights(void)
{
    int pair[2], pipe_ends[2], got[3] = { -1, -1, -1 };
    char text[16];
    CHECK(socketpair(AF_LOCAL, SOCK_STREAM, 0, pair) == 0 && pipe(pipe_ends) == 0);
    CHECK(send_descriptors(pair[0], pipe_ends, 2));
    CHECK(receive_descriptors(pair[1], got, 2) == 2);
    CHECK(write(got[1], "through", 7) == 7 && read(pipe_ends[0], text, sizeof text) == 7);
    close(got[0]);
    close(got[1]);
    CHECK(send_descriptors(pair[0], pair, 1) && receive_descriptors(pair[1], got, 1) == 1);
    close(got[0]);
    /* Sent and never received: they end with the socket. */
    CHECK(send_descriptors(pair[0], pipe_ends + 1, 1));
    close(pipe_ends[1]);
    close(pair[0]);
    close(pair[1]);
    CHECK(read(pipe_ends[0], text, sizeof text) == 0);
    close(pipe_ends[0]);
}

static void test_options(void)
{
    int fd[2], value = 0, on = 1;
    socklen_t length = sizeof value;
    CHECK(socketpair(AF_LOCAL, SOCK_SEQPACKET, 0, fd) == 0);
    CHECK(getsockopt(fd[0], SOL_SOCKET, SO_TYPE, &value, &length) == 0 && value == SOCK_SEQPACKET);
    CHECK(getsockopt(fd[0], SOL_SOCKET, SO_ERROR, &value, &length) == 0 && value == 0);
    CHECK(getsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &value, &length) == 0 && value >= 4096);
    CHECK(setsockopt(fd[0], SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) == 0);
    CHECK(getsockopt(fd[0], SOL_SOCKET, SO_KEEPALIVE, &value, &length) == 0 && value == 1);
    CHECK(setsockopt(fd[0], SOL_SOCKET, SO_RCVBUF, &on, sizeof on) == 0);
    CHECK(setsockopt(fd[0], SOL_SOCKET, SO_TYPE, &on, sizeof on) == -1 && errno == ENOPROTOOPT);
    CHECK(setsockopt(fd[0], 4711, 1, &on, sizeof on) == -1 && errno == ENOPROTOOPT);
    CHECK(setsockopt(fd[0], SOL_SOCKET, SO_KEEPALIVE, &on, 1) == -1 && errno == EINVAL);
    close(fd[0]);
    close(fd[1]);
    CHECK(socket(AF_LOCAL, 99, 0) == -1);
    CHECK(socket(AF_LOCAL, SOCK_STREAM, 99) == -1 && errno == EPROTONOSUPPORT);
    int listener = bound(SOCK_STREAM, "/tmp/sock");
    CHECK(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value == 0);
    CHECK(listen(listener, 1000000) == 0);
    CHECK(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value == 1);
    close(listener);
    unlink("/tmp/sock");
}

static void test_pipes(void)
{
    enum { MUCH = 1000000 };
    static char block[8192];
    int fd[2];
    size_t total = 0;
    struct stat st;
    ssize_t n;
    CHECK(pipe(fd) == 0 && fstat(fd[0], &st) == 0 && S_ISFIFO(st.st_mode));
    CHECK(write(fd[0], "x", 1) == -1 && errno == EBADF);
    CHECK(read(fd[1], block, 1) == -1 && errno == EBADF);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(fd[0]);
        for (size_t done = 0; done < MUCH; done += n)
            if ((n = write(fd[1], block, MUCH - done < sizeof block ? MUCH - done : sizeof block)) <= 0)
                _exit(1);
        _exit(0);
    }
    close(fd[1]);
    while ((n = read(fd[0], block, 777)) > 0)
        total += n;
    CHECK(n == 0 && total == MUCH);
    waitpid(child, NULL, 0);
    close(fd[0]);
}

static void on_alarm(int number)
{
    (void)number;
}

/* A child that reads up to AMOUNT bytes from FD and exits with RESULT of what it got. */
static pid_t reading(int fd, int other, size_t amount, int (*result)(const char *data, ssize_t got))
{
    static char block[100000];
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(other);
        ssize_t got = read(fd, block, amount);
        _exit(result(block, got));
    }
    return child;
}

static int result_of(pid_t child)
{
    int status;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int got_count(const char *data, ssize_t got)
{
    (void)data;
    return got < 0 ? 255 : got > 254 ? 254 : (int)got;
}

static int got_pair(const char *data, ssize_t got)
{
    return got == 2 && data[1] == data[0] + 1 ? data[0] : 255;
}

/* Reads that wait when somebody writes, closes, interrupts or kills. */
static void test_waiting(void)
{
    static char block[60000];
    char c[8];
    int fd[2];
    pid_t child, other;

    /* The end of the stream. */
    CHECK(pipe(fd) == 0);
    child = reading(fd[0], fd[1], 10, got_count);
    usleep(100000);
    close(fd[1]);
    CHECK(result_of(child) == 0);
    close(fd[0]);

    /* Two readers, each with half of what is written at once, and a reader that gets more than fits into a small
       answer. */
    CHECK(pipe(fd) == 0);
    child = reading(fd[0], fd[1], 2, got_pair);
    other = reading(fd[0], fd[1], 2, got_pair);
    usleep(100000);
    CHECK(write(fd[1], "1289", 4) == 4);
    CHECK(result_of(child) + result_of(other) == '1' + '8');
    child = reading(fd[0], fd[1], 100000, got_count);
    usleep(100000);
    CHECK(write(fd[1], block, sizeof block) == sizeof block);
    CHECK(result_of(child) == 254);

    /* A signal ends the wait; what is written then is there for the next read. */
    struct sigaction action = { .sa_handler = on_alarm };
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = { .it_value = { .tv_usec = 200000 } };
    setitimer(ITIMER_REAL, &timer, NULL);
    CHECK(read(fd[0], c, 1) == -1 && errno == EINTR);
    CHECK(write(fd[1], "abc", 3) == 3 && read(fd[0], c, 8) == 3 && !memcmp(c, "abc", 3));

    /* A reader that was killed takes nothing with it. */
    child = reading(fd[0], fd[1], 8, got_count);
    usleep(100000);
    kill(child, SIGKILL);
    CHECK(result_of(child) == -1);
    sleep(2);
    CHECK(write(fd[1], "de", 2) == 2 && ready(fd[0], POLLIN) && read(fd[0], c, 8) == 2);
    close(fd[0]);
    ssize_t n = 1;
    for (int i = 0; i < 100 && n == 1; i++, usleep(100000)) /* the server hears of the close later */
        n = write(fd[1], "f", 1);
    CHECK(n == -1 && errno == EPIPE);
    close(fd[1]);
}

/* A socket is no node: its port gives nobody power over the server, nor over others' sockets; looked up again it is the
   same socket. */
static void test_no_node(void)
{
    int fd[2];
    char got[4] = "";
    retry_type retry;
    string_t retry_name;
    mach_port_t control = MACH_PORT_NULL, again = MACH_PORT_NULL;
    CHECK(socketpair(AF_LOCAL, SOCK_STREAM, 0, fd) == 0);
    io_t port = getdport(fd[0]);
    CHECK(file_getcontrol(port, &control) == EOPNOTSUPP);
    CHECK(io_revoke(port) == EOPNOTSUPP);
    CHECK(dir_lookup(port, "", O_READ | O_WRITE, 0, &retry, retry_name, &again) == 0 && MACH_PORT_VALID(again));
    vm_size_t amount = 0;
    CHECK(io_write(again, "abc", 3, -1, &amount) == 0 && amount == 3);
    CHECK(read(fd[1], got, 3) == 3 && !memcmp(got, "abc", 3));
    mach_port_deallocate(mach_task_self(), again);
    mach_port_deallocate(mach_task_self(), port);
    close(fd[0]);
    close(fd[1]);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    fflush(stdout);
    test_stream();
    test_records(SOCK_DGRAM);
    test_records(SOCK_SEQPACKET);
    test_names();
    test_datagrams();
    test_rights();
    test_overhead();
    test_options();
    test_pipes();
    test_waiting();
    test_no_node();
    return check_end("socktest");
}
