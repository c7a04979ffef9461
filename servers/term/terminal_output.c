/* SPDX-License-Identifier: GPL-2.0-or-later */
/* terminal_output.c: writing.  Lock order: see terminal.h.

   A write is cut into pieces of at most OUTPUT_PIECE processed bytes.  Each piece is queued in the line's output and
   counted (`queued'); the writer then takes the whole output to the device itself, or waits for the thread that is
   there to come back.  So one write of a line is one request to the device, and no thread carries other programs'
   output for longer than one request: what is queued has a writer waiting for it, or is echo.

   A pty's output goes when its master reads (pty.c): a write waits only while OUTPUT_PIECE bytes or more are there. */

#include <ports/ports.h>
#include <string.h>
#include "device.h"
#include "pty.h"
#include "terminal.h"
#include "terminal_output.h"

enum { OUTPUT_PIECE = 4096 };

void terminal_output_wake(struct terminal *terminal)
{
    pthread_cond_broadcast(&terminal->output);
    if (terminal->selecting)
        pthread_cond_broadcast(&terminal->either);
}

void terminal_output_forget(struct terminal *terminal)
{
    line_flush_output(&terminal->line);
    terminal->gone = terminal->queued;
    terminal_output_wake(terminal);
}

static bool may_push(const struct terminal *terminal)
{
    return !terminal->pty && !terminal->writing && !terminal->line.stopped && terminal->line.output.length > 0;
}

bool terminal_output_takes(const struct terminal *terminal)
{
    if (terminal->pty)
        return terminal->line.output.length < OUTPUT_PIECE;
    return !terminal->writing && !terminal->line.stopped;
}

/* One request to the device with all there is. */
static void push_once(struct terminal *terminal)
{
    struct bytes empty = terminal->leaving;
    uint64_t upto = terminal->queued;
    error_t err;

    terminal->leaving = terminal->line.output;
    terminal->line.output = empty;
    terminal->writing = true;
    pthread_mutex_unlock(&terminal->lock);
    err = device_write_all(terminal->device, terminal->leaving.data, terminal->leaving.length);
    pthread_mutex_lock(&terminal->lock);
    terminal->leaving.length = 0;
    terminal->writing = false;
    if (upto > terminal->gone)
        terminal->gone = upto;
    if (err && !terminal->hung_up) {
        pthread_mutex_unlock(&terminal->lock);
        terminal_hang_up(terminal);
        pthread_mutex_lock(&terminal->lock);
    }
    if (terminal->waiting || terminal->selecting)
        terminal_output_wake(terminal);
}

void terminal_output_push(struct terminal *terminal)
{
    if (terminal->pty)
        pty_notice(terminal->pty);
    /* Where somebody waits for what is left, it is his to take. */
    do {
        if (!may_push(terminal))
            return;
        push_once(terminal);
    } while (terminal->waiting == 0);
}

/* One step towards an emptier output: sends a piece, or waits until something about the output changes. */
static error_t push_or_wait(struct terminal *terminal)
{
    error_t err;

    if (may_push(terminal)) {
        push_once(terminal);
        return 0;
    }
    if (terminal->pty)
        pty_notice(terminal->pty);
    terminal->waiting++;
    err = ports_cond_wait(&terminal->output, &terminal->lock);
    terminal->waiting--;
    return err;
}

/* Waits until the write number MINE has left; of output thrown away (the discard key) nothing is left to wait for. */
static error_t wait_gone(struct terminal *terminal, uint64_t mine)
{
    error_t err = 0;

    while (terminal->gone < mine && !err && !terminal->hung_up) {
        if (!terminal->writing && terminal->line.output.length == 0)
            return 0;
        err = push_or_wait(terminal);
    }
    return err;
}

static error_t check_write(const struct terminal *terminal, struct caller caller)
{
    if (terminal->hung_up)
        return EIO;
    if (caller.pgrp > 0 && terminal->foreground > 0 && caller.pgrp != terminal->foreground
        && (terminal->line.modes.lflag & L_TOSTOP))
        return EBACKGROUND;
    if (caller.nonblocking && !terminal_output_takes(terminal))
        return EWOULDBLOCK;
    return 0;
}

/* Waits until the line's output has room; so many pieces may be queued only while it is stopped or the device is
   slow. */
static error_t wait_room(struct terminal *terminal)
{
    error_t err = 0;

    while (terminal->line.output.length >= OUTPUT_PIECE && !err && !terminal->hung_up)
        err = push_or_wait(terminal);
    return err;
}

error_t terminal_write(struct terminal *terminal, struct caller caller, const void *data, size_t size, size_t *count)
{
    const uint8_t *bytes = data;
    error_t err = 0;

    *count = 0;
    pthread_mutex_lock(&terminal->lock);
    while (*count < size && !err) {
        size_t taken;

        err = check_write(terminal, caller);
        if (!err && !caller.nonblocking)
            err = wait_room(terminal);
        if (err)
            break;
        taken = line_write(&terminal->line, bytes + *count, size - *count, OUTPUT_PIECE);
        if (taken == 0 && !terminal->hung_up) {
            err = caller.nonblocking ? EWOULDBLOCK : ENOMEM;
            break;
        }
        *count += taken;
        if (!terminal->pty)
            err = wait_gone(terminal, ++terminal->queued);
    }
    terminal_output_push(terminal);
    pthread_mutex_unlock(&terminal->lock);
    return *count > 0 ? 0 : err;
}

error_t terminal_drain(struct terminal *terminal)
{
    error_t err = 0;

    pthread_mutex_lock(&terminal->lock);
    while ((terminal->writing || terminal->line.output.length > 0) && !err && !terminal->hung_up)
        err = push_or_wait(terminal);
    pthread_mutex_unlock(&terminal->lock);
    return err;
}

size_t terminal_output_size(struct terminal *terminal)
{
    size_t size;

    pthread_mutex_lock(&terminal->lock);
    size = terminal->line.output.length + (terminal->writing ? terminal->leaving.length : 0);
    pthread_mutex_unlock(&terminal->lock);
    return size;
}
