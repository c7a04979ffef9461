/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pty.c: see pty.h.  The lock is the terminal's throughout. */

#include "pty.h"

#include <hurd/hurd_types.h>
#include <ports/ports.h>
#include <string.h>
#include "terminal_output.h"

void pty_create(struct pty *pty, struct terminal *terminal)
{
    *pty = (struct pty){ .terminal = terminal };
    pthread_cond_init(&pty->changed, NULL);
}

/* ---- what the terminal tells ------------------------------------------------------------ */

bool pty_slave_opens(struct pty *pty)
{
    if (!pty->open || pty->terminal->hung_up)
        return false;
    pty->slave_seen = true;
    return true;
}

void pty_modes_changed(struct pty *pty)
{
    if (pty->packet && (pty->terminal->line.modes.lflag & L_EXTPROC))
        pty->control |= TIOCPKT_IOCTL;
}

/* The stop and start keys are ^S and ^Q and mean what they do: then the other side may act on them by itself. */
static bool does_stop(const struct line *line)
{
    return (line->modes.iflag & I_IXON) && line->modes.cc[CC_STOP] == ('s' & 0x1f)
           && line->modes.cc[CC_START] == ('q' & 0x1f);
}

/* One of a pair of control bits takes the place of the other. */
static void control_pair(struct pty *pty, uint8_t now, uint8_t not)
{
    pty->control = (uint8_t)((pty->control & ~not) | now);
}

void pty_notice(struct pty *pty)
{
    struct line *line = &pty->terminal->line;

    if (pty->packet) {
        if (line->input_flushed)
            pty->control |= TIOCPKT_FLUSHREAD;
        if (line->output_flushed)
            pty->control |= TIOCPKT_FLUSHWRITE;
        if (line->stopped && !pty->stopped)
            control_pair(pty, TIOCPKT_STOP, TIOCPKT_START);
        else if (!line->stopped && pty->stopped)
            control_pair(pty, TIOCPKT_START, TIOCPKT_STOP);
        if (does_stop(line) && !pty->does_stop)
            control_pair(pty, TIOCPKT_DOSTOP, TIOCPKT_NOSTOP);
        else if (!does_stop(line) && pty->does_stop)
            control_pair(pty, TIOCPKT_NOSTOP, TIOCPKT_DOSTOP);
    }
    pty->stopped = line->stopped;
    pty->does_stop = does_stop(line);
    line->input_flushed = line->output_flushed = false;
    if (pty->waiting)
        pthread_cond_broadcast(&pty->changed);
}

/* ---- open and close ------------------------------------------------------------------------- */

error_t pty_open(struct pty *pty)
{
    struct terminal *terminal = pty->terminal;
    error_t err = 0;

    pthread_mutex_lock(&terminal->lock);
    if (pty->open || terminal->opens > 0) {
        err = EBUSY;
    } else {
        line_reset(&terminal->line);
        line_flush_output(&terminal->line);
        memset(&terminal->size, 0, sizeof terminal->size);
        terminal->hung_up = terminal->exclusive = false;
        terminal->foreground = 0;
        pty->packet = pty->user_control = pty->remote = pty->slave_seen = false;
        pty->open = true;
        pty_notice(pty);
        pty->control = 0;
    }
    pthread_mutex_unlock(&terminal->lock);
    return err;
}

void pty_close(struct pty *pty)
{
    pthread_mutex_lock(&pty->terminal->lock);
    pty->open = pty->packet = pty->user_control = pty->remote = false;
    pthread_mutex_unlock(&pty->terminal->lock);
    terminal_hang_up(pty->terminal);
}

/* ---- reading ---------------------------------------------------------------------------------- */

static bool has_output(const struct pty *pty)
{
    const struct line *line = &pty->terminal->line;

    return line->output.length > 0 && !line->stopped;
}

static bool at_end(const struct pty *pty)
{
    return pty->slave_seen && pty->terminal->opens == 0 && !has_output(pty);
}

static bool is_readable(const struct pty *pty)
{
    return has_output(pty) || pty->control || at_end(pty);
}

static error_t wait_changed(struct pty *pty, bool nonblock)
{
    error_t err;

    if (nonblock)
        return EWOULDBLOCK;
    pty->waiting++;
    err = ports_cond_wait(&pty->changed, &pty->terminal->lock);
    pty->waiting--;
    return !err && ports_self_abandoned() ? EINTR : err;    /* the dead take nothing */
}

static size_t take_output(struct pty *pty, uint8_t *data, size_t size)
{
    struct bytes *output = &pty->terminal->line.output;
    size_t count = output->length < size ? output->length : size;

    if (count == 0)
        return 0;
    memcpy(data, output->data, count);
    output->length -= count;
    memmove(output->data, output->data + count, output->length);
    terminal_output_wake(pty->terminal);
    return count;
}

/* What has happened, as one byte and, after TIOCPKT_IOCTL, the modes: struct modes is laid out as struct termios. */
static size_t take_control(struct pty *pty, uint8_t *data, size_t size)
{
    const struct modes *modes = &pty->terminal->line.modes;
    size_t more = pty->control & TIOCPKT_IOCTL ? sizeof *modes : 0;

    data[0] = pty->control;
    pty->control = 0;
    if (more > size - 1)
        more = size - 1;
    memcpy(data + 1, modes, more);
    return 1 + more;
}

/* There is something to read, and SIZE is not 0. */
static size_t take(struct pty *pty, uint8_t *data, size_t size)
{
    if (pty->packet && pty->control)
        return take_control(pty, data, size);
    if (!pty->packet && !pty->user_control)
        return take_output(pty, data, size);
    if (!has_output(pty))
        return 0; /* the end */
    data[0] = TIOCPKT_DATA;
    return 1 + take_output(pty, data + 1, size - 1);
}

error_t pty_read(struct pty *pty, bool nonblock, void *data, size_t size, size_t *count)
{
    error_t err = 0;

    *count = 0;
    if (size == 0)
        return 0;
    pthread_mutex_lock(&pty->terminal->lock);
    while (!err && !is_readable(pty))
        err = wait_changed(pty, nonblock);
    if (!err)
        *count = take(pty, data, size);
    pthread_mutex_unlock(&pty->terminal->lock);
    return err;
}

size_t pty_readable(struct pty *pty)
{
    pthread_mutex_lock(&pty->terminal->lock);
    size_t count = has_output(pty) ? pty->terminal->line.output.length : 0;
    if (pty->packet || pty->user_control)
        count += has_output(pty) || pty->control;
    pthread_mutex_unlock(&pty->terminal->lock);
    return count;
}

/* ---- writing ------------------------------------------------------------------------------------- */

/* Whether more may be typed.  A line that is too long and not complete cannot wait for a reader: the bell rings
   instead. */
static bool is_writable(const struct pty *pty)
{
    const struct line *line = &pty->terminal->line;

    if (pty->remote)
        return line->input.count == 0;
    return line_room(line) > 0 || !line_readable(line);
}

static size_t type_some(struct pty *pty, const uint8_t *bytes, size_t size)
{
    struct terminal *terminal = pty->terminal;
    struct line_events events = { 0 };
    size_t room = line_room(&terminal->line);

    if (!(terminal->line.modes.cflag & C_CREAD))
        return size; /* nobody listens */
    if (pty->remote)
        size = line_input_record(&terminal->line, bytes, size, &events);
    else
        line_input(&terminal->line, bytes, size = room > 0 && room < size ? room : size, &events);
    terminal_events(terminal, &events);
    return size;
}

error_t pty_write(struct pty *pty, bool nonblock, const void *data, size_t size, size_t *count)
{
    const uint8_t *bytes = data;
    error_t err = 0;

    *count = 0;
    pthread_mutex_lock(&pty->terminal->lock);
    do {
        while (!err && !is_writable(pty))
            err = wait_changed(pty, nonblock);
        if (!err)
            *count += type_some(pty, bytes + *count, size - *count);
    } while (!err && *count < size);
    pthread_mutex_unlock(&pty->terminal->lock);
    return *count > 0 ? 0 : err;
}

/* ---- select and modes ------------------------------------------------------------------------------- */

static int select_possible(const struct pty *pty, int type)
{
    int possible = 0;

    if ((type & SELECT_READ) && is_readable(pty))
        possible |= SELECT_READ;
    if ((type & SELECT_WRITE) && is_writable(pty))
        possible |= SELECT_WRITE;
    if ((type & SELECT_URG) && pty->packet && pty->control)
        possible |= SELECT_URG;
    return possible;
}

error_t pty_select(struct pty *pty, int *type, const struct timespec *until)
{
    struct terminal *terminal = pty->terminal;
    int possible;
    error_t err = 0;

    if (*type == 0)
        return 0;
    pthread_mutex_lock(&terminal->lock);
    pty->waiting++;
    while (!(possible = select_possible(pty, *type)) && !err)
        err = until ? ports_cond_timedwait(&pty->changed, &terminal->lock, until)
                    : ports_cond_wait(&pty->changed, &terminal->lock);
    pty->waiting--;
    pthread_mutex_unlock(&terminal->lock);
    *type = possible;
    return possible ? 0 : err;
}

error_t pty_set_mode(struct pty *pty, enum pty_mode mode, bool on)
{
    error_t err = 0;

    pthread_mutex_lock(&pty->terminal->lock);
    if (on && ((mode == PTY_PACKET && pty->user_control) || (mode == PTY_USER_CONTROL && pty->packet))) {
        err = EINVAL;
    } else if (mode == PTY_PACKET) {
        pty->packet = on;
        pty->control = 0;
    } else if (mode == PTY_USER_CONTROL) {
        pty->user_control = on;
    } else {
        pty->remote = on;
        line_flush_input(&pty->terminal->line);
        pty_notice(pty);
    }
    pthread_mutex_unlock(&pty->terminal->lock);
    return err;
}
