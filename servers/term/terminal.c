/* SPDX-License-Identifier: GPL-2.0-or-later */
/* terminal.c: input, reading, selecting, modes.  Output is in terminal_output.c.  Lock order: see terminal.h. */

#include <hurd/hurd_types.h>
#include <ports/ports.h>
#include <string.h>
#include "device.h"
#include "pty.h"
#include "signaller.h"
#include "terminal.h"
#include "terminal_output.h"

error_t terminal_create(struct terminal *terminal, const char *name, struct device *device, struct pty *pty,
                        struct signaller *signaller)
{
    if (strlen(name) >= sizeof terminal->name)
        return ENAMETOOLONG;
    memset(terminal, 0, sizeof *terminal);
    pthread_mutex_init(&terminal->lock, NULL);
    pthread_cond_init(&terminal->input, NULL);
    pthread_cond_init(&terminal->output, NULL);
    pthread_cond_init(&terminal->either, NULL);
    line_create(&terminal->line);
    strcpy(terminal->name, name);
    terminal->device = device;
    terminal->pty = pty;
    terminal->signaller = signaller;
    return 0;
}

/* ---- events ---------------------------------------------------------------------------- */

static void wake_readers(struct terminal *terminal)
{
    pthread_cond_broadcast(&terminal->input);
    if (terminal->selecting)
        pthread_cond_broadcast(&terminal->either);
}

/* Lock held; dropped and taken again while output goes to the device. */
void terminal_events(struct terminal *terminal, const struct line_events *events)
{
    if (events->signals && terminal->foreground > 0)
        signaller_post(terminal->signaller, terminal->foreground, events->signals);
    if (events->readable) {
        wake_readers(terminal);
        if (terminal->owner)
            /* who owns and where: opposite signs */
            signaller_post(terminal->signaller, -terminal->owner, UINT64_C(1) << SIGIO);
    }
    if (events->started)
        terminal_output_wake(terminal);
    terminal_output_push(terminal);
}

void terminal_input(struct terminal *terminal, const uint8_t *bytes, size_t size)
{
    struct line_events events = { 0 };

    pthread_mutex_lock(&terminal->lock);
    if (terminal->line.modes.cflag & C_CREAD)
        line_input(&terminal->line, bytes, size, &events);
    terminal_events(terminal, &events);
    pthread_mutex_unlock(&terminal->lock);
}

static void hang_up_locked(struct terminal *terminal)
{
    terminal->hung_up = true;
    line_flush_input(&terminal->line);
    terminal_output_forget(terminal);
    if (terminal->foreground > 0)
        signaller_post(terminal->signaller, terminal->foreground, UINT64_C(1) << SIGHUP | UINT64_C(1) << SIGCONT);
    wake_readers(terminal);
    terminal_output_push(terminal);
}

void terminal_hang_up(struct terminal *terminal)
{
    pthread_mutex_lock(&terminal->lock);
    if (!terminal->hung_up)
        hang_up_locked(terminal);
    pthread_mutex_unlock(&terminal->lock);
}

/* ---- open and close ----------------------------------------------------------------------- */

error_t terminal_open(struct terminal *terminal, bool privileged)
{
    error_t err = 0;

    pthread_mutex_lock(&terminal->lock);
    if (terminal->exclusive && !privileged)
        err = EBUSY;
    else if (terminal->pty && !pty_slave_opens(terminal->pty))
        err = EIO;
    else
        terminal->opens++;
    pthread_mutex_unlock(&terminal->lock);
    if (err)
        return err;
    err = terminal->device ? device_open_if_closed(terminal->device) : 0;
    if (err)
        terminal_close(terminal);
    return err;
}

void terminal_close(struct terminal *terminal)
{
    pthread_mutex_lock(&terminal->lock);
    if (--terminal->opens == 0) {
        terminal->foreground = 0;
        terminal->exclusive = false;
        terminal->hung_up = false;
        terminal->owner = 0;
        line_reset(&terminal->line);
        terminal_output_push(terminal);
    }
    pthread_mutex_unlock(&terminal->lock);
}

/* ---- reading ---------------------------------------------------------------------------------- */

static bool is_background(const struct terminal *terminal, struct caller caller)
{
    return caller.pgrp > 0 && terminal->foreground > 0 && caller.pgrp != terminal->foreground;
}

/* How long a read in non-canonical mode waits, by MIN and TIME (tenths of a second):
       MIN > 0, TIME = 0   until MIN bytes are there
       MIN > 0, TIME > 0   until MIN bytes are there, or TIME has passed since the last one
       MIN = 0, TIME > 0   until one byte is there, or TIME has passed
       MIN = 0, TIME = 0   not at all */
struct patience {
    size_t minimum;       /* bytes that end the wait */
    bool limited;         /* it ends at `until' */
    struct timespec until;
};

static void patience_begin(struct patience *patience, const struct modes *modes, size_t size, size_t there)
{
    unsigned int time = modes->cc[CC_TIME];
    size_t minimum = modes->cc[CC_MIN];

    patience->limited = time > 0 && (minimum == 0 || there > 0);
    patience->minimum = minimum > 0 ? minimum : time > 0;
    if (patience->minimum > size)
        patience->minimum = size;
    if (patience->limited) {
        clock_gettime(CLOCK_REALTIME, &patience->until);
        patience->until.tv_sec += time / 10;
        patience->until.tv_nsec += time % 10 * 100000000;
        if (patience->until.tv_nsec >= 1000000000) {
            patience->until.tv_nsec -= 1000000000;
            patience->until.tv_sec++;
        }
    }
}

/* Waits as PATIENCE says, once; 0: look again. ETIMEDOUT: read what there is. */
static error_t wait_raw(struct terminal *terminal, struct patience *patience, size_t size)
{
    const struct line *line = &terminal->line;
    size_t before = line->input.count;
    error_t err;

    if (before >= patience->minimum)
        return ETIMEDOUT;
    if (patience->limited)
        err = ports_cond_timedwait(&terminal->input, &terminal->lock, &patience->until);
    else
        err = ports_cond_wait(&terminal->input, &terminal->lock);
    if (!err && line->input.count > before) /* the time between bytes begins anew */
        patience_begin(patience, &line->modes, size, line->input.count);
    return err;
}

static bool is_canonical(const struct terminal *terminal)
{
    return terminal->line.modes.lflag & L_ICANON;
}

/* Waits until a read may take what there is. */
static error_t wait_readable(struct terminal *terminal, struct caller caller, size_t size)
{
    struct patience patience;
    error_t err = 0;

    patience_begin(&patience, &terminal->line.modes, size, terminal->line.input.count);
    while (!err) {
        if (terminal->hung_up)
            return 0;
        if (is_background(terminal, caller))
            return EBACKGROUND;
        if (is_canonical(terminal) && line_readable(&terminal->line))
            return 0;
        if (caller.nonblocking)
            return line_readable(&terminal->line) ? 0 : EWOULDBLOCK;
        if (is_canonical(terminal)) {
            err = ports_cond_wait(&terminal->input, &terminal->lock);
            patience_begin(&patience, &terminal->line.modes, size, terminal->line.input.count);
        } else {
            err = wait_raw(terminal, &patience, size);
        }
        if ((!err || err == ETIMEDOUT) && ports_self_abandoned())
            err = EINTR;    /* what was typed is for the living */
    }
    return err == ETIMEDOUT ? 0 : err;
}

error_t terminal_read(struct terminal *terminal, struct caller caller, void *data, size_t size, size_t *count)
{
    struct line_events events = { 0 };
    error_t err;

    *count = 0;
    if (size == 0)
        return 0;
    pthread_mutex_lock(&terminal->lock);
    err = wait_readable(terminal, caller, size);
    if (!err && line_readable(&terminal->line)) {
        *count = line_read(&terminal->line, data, size, &events);
        events.readable = line_readable(&terminal->line); /* for the next reader */
        terminal_events(terminal, &events);
    }
    pthread_mutex_unlock(&terminal->lock);
    return err;
}

size_t terminal_available(struct terminal *terminal)
{
    size_t available;

    pthread_mutex_lock(&terminal->lock);
    available = line_available(&terminal->line);
    pthread_mutex_unlock(&terminal->lock);
    return available;
}

/* ---- select -------------------------------------------------------------------------------------- */

static bool select_readable(const struct terminal *terminal)
{
    const struct line *line = &terminal->line;
    size_t minimum = line->modes.cc[CC_TIME] == 0 ? line->modes.cc[CC_MIN] : 1;

    if (terminal->hung_up || is_canonical(terminal))
        return terminal->hung_up || line_readable(line);
    return line->input.count > 0 && line->input.count >= minimum;
}

static int select_possible(const struct terminal *terminal, int type)
{
    int possible = 0;

    if ((type & SELECT_READ) && select_readable(terminal))
        possible |= SELECT_READ;
    if ((type & SELECT_WRITE) && (terminal->hung_up || terminal_output_takes(terminal)))
        possible |= SELECT_WRITE;
    return possible;
}

error_t terminal_select(struct terminal *terminal, int *type, const struct timespec *until)
{
    int possible;
    error_t err = 0;

    if (*type == 0)
        return 0;
    pthread_mutex_lock(&terminal->lock);
    terminal->selecting++;
    while (!(possible = select_possible(terminal, *type)) && !err)
        err = until ? ports_cond_timedwait(&terminal->either, &terminal->lock, until)
                    : ports_cond_wait(&terminal->either, &terminal->lock);
    terminal->selecting--;
    pthread_mutex_unlock(&terminal->lock);
    *type = possible;
    return possible ? 0 : err;
}

/* ---- modes and the rest ------------------------------------------------------------------------------ */

error_t terminal_check_foreground(struct terminal *terminal, struct caller caller)
{
    error_t err;

    pthread_mutex_lock(&terminal->lock);
    err = is_background(terminal, caller) ? EBACKGROUND : 0;
    pthread_mutex_unlock(&terminal->lock);
    return err;
}

void terminal_modes(struct terminal *terminal, struct modes *modes)
{
    pthread_mutex_lock(&terminal->lock);
    *modes = terminal->line.modes;
    pthread_mutex_unlock(&terminal->lock);
}

/* What is set beside the modes themselves. Lock held. */
static void modes_apply(struct terminal *terminal, const struct modes *wanted)
{
    struct line_events events = { 0 };
    struct modes modes = *wanted;

    if (modes.cflag & C_CIGNORE) {
        modes.cflag = terminal->line.modes.cflag;
        modes.ispeed = terminal->line.modes.ispeed;
        modes.ospeed = terminal->line.modes.ospeed;
    }
    line_set_modes(&terminal->line, &modes, &events);
    if (terminal->pty)
        pty_modes_changed(terminal->pty);
    terminal_events(terminal, &events);
    if (modes.ospeed == 0 && !terminal->hung_up)
        hang_up_locked(terminal);
}

error_t terminal_set_modes(struct terminal *terminal, const struct modes *modes, bool drain, bool flush)
{
    int speed;
    bool changed;
    error_t err = drain ? terminal_drain(terminal) : 0;

    if (err)
        return err;
    pthread_mutex_lock(&terminal->lock);
    speed = terminal->line.modes.ospeed;
    if (flush)
        line_flush_input(&terminal->line);
    modes_apply(terminal, modes);
    changed = terminal->line.modes.ospeed != speed;
    speed = terminal->line.modes.ospeed;
    pthread_mutex_unlock(&terminal->lock);
    if (changed && speed > 0 && terminal->device)
        device_set_speed(terminal->device, speed);
    return 0;
}

void terminal_flush(struct terminal *terminal, bool input, bool output)
{
    pthread_mutex_lock(&terminal->lock);
    if (input)
        line_flush_input(&terminal->line);
    if (output)
        terminal_output_forget(terminal);
    terminal_output_push(terminal); /* flushing input may have let the sender go on */
    pthread_mutex_unlock(&terminal->lock);
}

void terminal_stop(struct terminal *terminal)
{
    pthread_mutex_lock(&terminal->lock);
    line_stop(&terminal->line);
    terminal_output_push(terminal); /* nothing goes, but a pty's master may hear of it */
    pthread_mutex_unlock(&terminal->lock);
}

void terminal_start(struct terminal *terminal)
{
    struct line_events events = { 0 };

    pthread_mutex_lock(&terminal->lock);
    line_start(&terminal->line, &events);
    terminal_events(terminal, &events);
    pthread_mutex_unlock(&terminal->lock);
}

void terminal_set_size(struct terminal *terminal, const struct winsize *size)
{
    pthread_mutex_lock(&terminal->lock);
    if (memcmp(&terminal->size, size, sizeof *size) != 0) {
        terminal->size = *size;
        if (terminal->foreground > 0)
            signaller_post(terminal->signaller, terminal->foreground, UINT64_C(1) << SIGWINCH);
    }
    pthread_mutex_unlock(&terminal->lock);
}

void terminal_set_foreground(struct terminal *terminal, pid_t pgrp)
{
    pthread_mutex_lock(&terminal->lock);
    terminal->foreground = pgrp;
    wake_readers(terminal); /* they may be in the background now */
    pthread_mutex_unlock(&terminal->lock);
}

pid_t terminal_foreground(struct terminal *terminal)
{
    pid_t pgrp;

    pthread_mutex_lock(&terminal->lock);
    pgrp = terminal->foreground;
    pthread_mutex_unlock(&terminal->lock);
    return pgrp;
}

void terminal_signal(struct terminal *terminal, int signal)
{
    struct line_events events = { .signals = UINT64_C(1) << signal };

    pthread_mutex_lock(&terminal->lock);
    terminal_events(terminal, &events);
    pthread_mutex_unlock(&terminal->lock);
}

void terminal_set_owner(struct terminal *terminal, pid_t owner)
{
    pthread_mutex_lock(&terminal->lock);
    terminal->owner = owner;
    pthread_mutex_unlock(&terminal->lock);
}

pid_t terminal_owner(struct terminal *terminal)
{
    pid_t owner;

    pthread_mutex_lock(&terminal->lock);
    owner = terminal->owner;
    pthread_mutex_unlock(&terminal->lock);
    return owner;
}

void terminal_set_exclusive(struct terminal *terminal, bool exclusive)
{
    pthread_mutex_lock(&terminal->lock);
    terminal->exclusive = exclusive;
    pthread_mutex_unlock(&terminal->lock);
}
