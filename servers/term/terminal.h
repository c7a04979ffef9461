/* SPDX-License-Identifier: GPL-2.0-or-later */
/* terminal.h: the terminal that this server is: a line discipline, the device or the pty's master below it, and the
   threads of programs that wait for either.

   Life of a byte: the device's reader thread calls terminal_input, which may echo, wake readers and post signals; a
   program's read waits in terminal_read until the line has something.  A program's write is processed into the line's
   output and the writing thread itself takes it to the device, all that is there in one request; only one thread at a
   time is in the device (`writing'), the others wait for it and then find their bytes gone or take them.

   Lock order: terminal lock, then the signaller's.  The device and other servers are never called with a lock held. */

#ifndef TERM_TERMINAL_H
#define TERM_TERMINAL_H

#include <errno.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <time.h>
#include "line.h"

struct device;
struct pty;
struct signaller;

struct terminal {
    pthread_mutex_t lock;
    pthread_cond_t input;        /* there may be something to read */
    pthread_cond_t output;       /* output has left, or may go on */
    pthread_cond_t either;       /* the same two for those in select */
    struct line line;            /* lock */
    struct bytes leaving;        /* what `writing' is about; of the thread that writes */
    bool writing;                /* a thread is in the device; lock */
    uint64_t queued, gone;       /* writes put into the line's output, and how many of them have left it; lock */
    unsigned int waiting;        /* threads waiting for output; lock */
    unsigned int selecting;      /* threads in select; lock */
    unsigned int opens;          /* lock */
    bool exclusive;              /* TIOCEXCL; lock */
    bool hung_up;                /* the device failed, or speed 0: reads end, writes fail; lock */
    pid_t foreground;            /* process group, 0: none; lock */
    struct winsize size;         /* lock */
    char name[1024];             /* in the file system, empty: not known; lock */
    pid_t owner;                 /* who gets SIGIO and SIGURG: a process, or negative a group; 0: nobody; lock */
    struct device *device;       /* constant; NULL: a pty's slave, whose output its master takes (pty.h) */
    struct pty *pty;             /* constant; NULL: a device's */
    struct signaller *signaller; /* constant */
};

/* Who asks: the process group behind a controlling-terminal port, 0 for any other port (job control does not apply to
   it), and whether it must not wait. */
struct caller {
    pid_t pgrp;
    bool nonblocking;
};

/* One of DEVICE and PTY is NULL. */
error_t terminal_create(struct terminal *terminal, const char *name, struct device *device, struct pty *pty,
                        struct signaller *signaller);

/* From the device. */
void terminal_input(struct terminal *terminal, const uint8_t *bytes, size_t size);
void terminal_hang_up(struct terminal *terminal);

/* One more, one less open file. EBUSY: somebody has it exclusively (PRIVILEGED may all the same). The device is opened
   at the first; its errors. A pty's slave can be opened only while its master is: EIO. After the last close the
   terminal is as new: no foreground group, default modes, no more hung up. */
error_t terminal_open(struct terminal *terminal, bool privileged);
void terminal_close(struct terminal *terminal);

/* Reads at most SIZE bytes; 0: end of file. EBACKGROUND, EWOULDBLOCK, EINTR. */
error_t terminal_read(struct terminal *terminal, struct caller caller, void *data, size_t size, size_t *count);
size_t terminal_available(struct terminal *terminal);

/* For the pty's master, with the lock held: does what the line asks for after input. */
struct line_events;
void terminal_events(struct terminal *terminal, const struct line_events *events);

/* Writes; *COUNT bytes of it were taken, also when that is fewer, after EINTR or EWOULDBLOCK later on. EBACKGROUND
   (TOSTOP), EWOULDBLOCK, EINTR, EIO. */
error_t terminal_write(struct terminal *terminal, struct caller caller, const void *data, size_t size, size_t *count);

/* Waits until one of *TYPE (SELECT_*) is possible, leaves those. ETIMEDOUT after UNTIL (NULL: never). EINTR. */
error_t terminal_select(struct terminal *terminal, int *type, const struct timespec *until);

/* Waits until all output has left. EINTR. */
error_t terminal_drain(struct terminal *terminal);

/* EBACKGROUND if the caller is in a background group. */
error_t terminal_check_foreground(struct terminal *terminal, struct caller caller);

/* Modes, after output has left if DRAIN, with unread input thrown away if FLUSH. */
void terminal_modes(struct terminal *terminal, struct modes *modes);
error_t terminal_set_modes(struct terminal *terminal, const struct modes *modes, bool drain, bool flush);
void terminal_flush(struct terminal *terminal, bool input, bool output);
void terminal_stop(struct terminal *terminal);
void terminal_start(struct terminal *terminal);
size_t terminal_output_size(struct terminal *terminal);
void terminal_set_size(struct terminal *terminal, const struct winsize *size);
void terminal_set_foreground(struct terminal *terminal, pid_t pgrp);
pid_t terminal_foreground(struct terminal *terminal);
/* SIGNAL to the foreground group. */
void terminal_signal(struct terminal *terminal, int signal);
/* Who hears of input by SIGIO: a process, negative a group, 0 nobody. */
void terminal_set_owner(struct terminal *terminal, pid_t owner);
pid_t terminal_owner(struct terminal *terminal);
void terminal_set_exclusive(struct terminal *terminal, bool exclusive);

#endif /* TERM_TERMINAL_H */
