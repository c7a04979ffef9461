/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pty.h: the master side of a pseudo terminal: what is a device below another terminal is a program here.

   What the master writes is typed at the terminal; what programs write to the slave (and the echo) waits in the
   line's output until the master reads it.  When the master is closed, the terminal hangs up.  All fields are under
   the terminal's lock, and waiting is on `changed'.

   The modes of a master, one or none:
     packet (TIOCPKT)          each read begins with a byte: 0, data follows; else TIOCPKT_* bits that say what has
                               happened to the slave, and with TIOCPKT_IOCTL (only while the slave has EXTPROC) a
                               struct termios behind them
     user control (TIOCUCNTL)  each read begins with a byte: 0, data follows; the ioctls UIOCCMD(n) of the slave, which
                               the other values would tell, do not exist in the Hurd's interfaces
   and beside them remote (TIOCREMOTE): each write is a line, taken as it is; one of 0 bytes an end of file. */

#ifndef TERM_PTY_H
#define TERM_PTY_H

#include "terminal.h"

struct pty {
    struct terminal *terminal;  /* constant */
    pthread_cond_t changed;     /* there may be something to read or room to write, or the slave was opened or closed */
    unsigned int waiting;       /* threads that wait for it */
    bool open;                  /* somebody has the master */
    bool slave_seen;            /* the slave has been open since the master was opened */
    bool packet, user_control, remote;
    uint8_t control;            /* TIOCPKT_*: what has happened and was not read yet */
    bool stopped, does_stop;    /* what the control bytes have told last */
};

enum pty_mode { PTY_PACKET, PTY_USER_CONTROL, PTY_REMOTE };

/* The master of TERMINAL, closed. */
void pty_create(struct pty *pty, struct terminal *terminal);

/* EBUSY: somebody has it, or processes of another life still have the slave. */
error_t pty_open(struct pty *pty);
void pty_close(struct pty *pty);

/* What the slave's programs have written, at most SIZE bytes.  0 bytes: nobody has the slave any more.  EWOULDBLOCK
   with NONBLOCK, EINTR. */
error_t pty_read(struct pty *pty, bool nonblock, void *data, size_t size, size_t *count);
/* Types SIZE bytes; waits for readers of the slave when it is full of typed lines.  EWOULDBLOCK, EINTR if nothing was
   taken. */
error_t pty_write(struct pty *pty, bool nonblock, const void *data, size_t size, size_t *count);
size_t pty_readable(struct pty *pty);
/* As terminal_select; SELECT_URG is a control byte of packet mode. */
error_t pty_select(struct pty *pty, int *type, const struct timespec *until);
/* EINVAL: packet and user control mode exclude each other. */
error_t pty_set_mode(struct pty *pty, enum pty_mode mode, bool on);

/* From the terminal, with its lock held: the slave is to be opened (false: it must not, the master is closed); its
   modes have been set; something has happened to its line. */
bool pty_slave_opens(struct pty *pty);
void pty_modes_changed(struct pty *pty);
void pty_notice(struct pty *pty);

#endif /* TERM_PTY_H */
