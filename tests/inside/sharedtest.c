/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sharedtest: POSIX shared memory and named semaphores between processes (/dev/shm).  Prints a line for each check that
   fails, and last `sharedtest: N passed, N failed`. */

#include <fcntl.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define MEMORY "/sharedtest"
#define PING "/sharedtest-ping"
#define PONG "/sharedtest-pong"
enum { SIZE = 3 * 4096 + 100, TURNS = 200 };

/* The other process: opens everything by name, and answers each ping. */
static int answer(void)
{
    int fd = shm_open(MEMORY, O_RDWR, 0);
    if (fd < 0)
        return 1;
    _Atomic unsigned int *words = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    sem_t *ping = sem_open(PING, 0), *pong = sem_open(PONG, 0);
    if (words == MAP_FAILED || ping == SEM_FAILED || pong == SEM_FAILED)
        return 2;
    for (unsigned int i = 0; i < TURNS; i++) {
        if (sem_wait(ping) || words[i] != i)
            return 3;
        words[i] += 1000;
        if (sem_post(pong))
            return 4;
    }
    memset((char *)words + SIZE - 100, 'z', 100);
    return 0;
}

static void test_between_processes(void)
{
    int fd = shm_open(MEMORY, O_RDWR | O_CREAT | O_EXCL, 0600), status = -1;
    CHECK(fd >= 0);
    CHECK(shm_open(MEMORY, O_RDWR | O_CREAT | O_EXCL, 0600) < 0 && errno == EEXIST);
    CHECK(ftruncate(fd, SIZE) == 0);
    _Atomic unsigned int *words = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    /* glibc 2.41's sem_open takes the value for the mark of a shared one and the other way round: 1 is both. */
    sem_t *ping = sem_open(PING, O_CREAT | O_EXCL, 0600, 1), *pong = sem_open(PONG, O_CREAT | O_EXCL, 0600, 1);
    CHECK(words != MAP_FAILED && ping != SEM_FAILED && pong != SEM_FAILED);
    if (words == MAP_FAILED || ping == SEM_FAILED || pong == SEM_FAILED)
        return;
    CHECK(sem_wait(ping) == 0 && sem_wait(pong) == 0);
    pid_t child = fork();
    if (child == 0)
        _exit(answer());
    unsigned int right = 0;
    for (unsigned int i = 0; i < TURNS; i++) {
        words[i] = i;
        if (sem_post(ping) || sem_wait(pong))
            break;
        right += words[i] == i + 1000;
    }
    CHECK(right == TURNS);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(((const char *)words)[SIZE - 1] == 'z');
    sem_close(ping);
    sem_close(pong);
    munmap(words, SIZE);
    close(fd);
}

static void test_names_go(void)
{
    CHECK(sem_unlink(PING) == 0 && sem_unlink(PONG) == 0);
    CHECK(shm_unlink(MEMORY) == 0);
    CHECK(shm_unlink(MEMORY) == -1 && errno == ENOENT);
    CHECK(shm_open(MEMORY, O_RDWR, 0) == -1 && errno == ENOENT);
    CHECK(sem_open(PING, 0) == SEM_FAILED && errno == ENOENT);
}

int main(void)
{
    test_between_processes();
    test_names_go();
    return check_end("sharedtest");
}
