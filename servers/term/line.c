/* SPDX-License-Identifier: GPL-2.0-or-later */
/* line.c: a line's life, its modes, reading, flushing, stopping. */

#include <string.h>
#include "line.h"

void line_create(struct line *line)
{
    memset(line, 0, sizeof *line);
    line->modes = modes_default;
}

void line_destroy(struct line *line)
{
    queue_destroy(&line->input);
    queue_destroy(&line->edit);
    bytes_destroy(&line->output);
}

void line_reset(struct line *line)
{
    line_flush_input(line);
    line->modes = modes_default;
    line->stopped = line->sender_stopped = line->edit_lost = false;
}

static bool is_canonical(const struct line *line)
{
    return line->modes.lflag & L_ICANON;
}

/* ---- reading ------------------------------------------------------------------------ */

bool line_readable(const struct line *line)
{
    return is_canonical(line) ? line->delimiters > 0 : line->input.count > 0;
}

size_t line_available(const struct line *line)
{
    size_t count = 0;

    if (!line_readable(line))
        return 0;
    if (!is_canonical(line))
        return line->input.count;
    for (unsigned int i = 0; i < line->input.count; i++) {
        uint16_t entry = queue_at(&line->input, i);

        if (entry & MARK_EOF)
            break;
        count++;
        if (entry & MARK_DELIM)
            break;
    }
    return count;
}

static uint16_t take(struct line *line)
{
    uint16_t entry = queue_pop(&line->input);

    if (entry & (MARK_DELIM | MARK_EOF))
        line->delimiters--;
    return entry;
}

static size_t read_canonical(struct line *line, uint8_t *bytes, size_t size, struct line_events *events)
{
    size_t count = 0;

    /* An end of file behind the last byte wanted is taken along, or the next read would find it. */
    while (line->input.count > 0 && (count < size || (queue_at(&line->input, 0) & MARK_EOF))) {
        uint16_t entry = take(line);

        if (entry & MARK_EOF)
            break;
        if (entry & MARK_DSUSP) {
            events->signals |= UINT64_C(1) << SIGTSTP;
            continue;
        }
        bytes[count++] = entry & 0xff;
        if (entry & MARK_DELIM)
            break;
    }
    return count;
}

static size_t read_raw(struct line *line, uint8_t *bytes, size_t size)
{
    size_t count = 0;

    while (line->input.count > 0 && count < size)
        bytes[count++] = take(line) & 0xff;
    return count;
}

static void sender_start_if_empty(struct line *line)
{
    uint8_t start = line->modes.cc[CC_START];

    if (line->sender_stopped && start != CC_DISABLED && line->input.count + line->edit.count <= LINE_XON_AT) {
        line->sender_stopped = false;
        line_put(line, start);
    }
}

size_t line_read(struct line *line, uint8_t *bytes, size_t size, struct line_events *events)
{
    size_t count = is_canonical(line) ? read_canonical(line, bytes, size, events) : read_raw(line, bytes, size);

    sender_start_if_empty(line);
    return count;
}

/* ---- modes ---------------------------------------------------------------------------- */

/* What was typed before the change: to be read at once, or as a line. */
static void canonical_end(struct line *line, struct line_events *events)
{
    for (unsigned int i = 0; i < line->edit.count; i++)
        queue_push(&line->input, queue_at(&line->edit, i));
    queue_clear(&line->edit);
    events->readable = true;
}

static void canonical_begin(struct line *line, struct line_events *events)
{
    unsigned int last = line->input.count - 1;

    if (line->input.count == 0 || (queue_at(&line->input, last) & (MARK_DELIM | MARK_EOF)))
        return;
    queue_mark(&line->input, last, MARK_DELIM);
    line->delimiters++;
    events->readable = true;
}

void line_set_modes(struct line *line, const struct modes *modes, struct line_events *events)
{
    bool was_canonical = is_canonical(line);

    line->modes = *modes;
    line->literal_next = false;
    if (was_canonical && !is_canonical(line))
        canonical_end(line, events);
    else if (!was_canonical && is_canonical(line))
        canonical_begin(line, events);
    else if (!is_canonical(line))
        events->readable = true; /* MIN and TIME may say something else now */
    if (line->modes.lflag & L_PENDIN) { /* a wish, not a state */
        line->modes.lflag &= ~L_PENDIN;
        if (line->edit.count > 0)
            line_retype(line);
    }
    if (!(modes->iflag & I_IXON))
        line_start(line, events);
}

/* ---- flushing and stopping -------------------------------------------------------------- */

void line_flush_input(struct line *line)
{
    queue_clear(&line->input);
    queue_clear(&line->edit);
    line->delimiters = 0;
    line->literal_next = false;
    line->hard_erasing = false;
    line->input_flushed = true;
    sender_start_if_empty(line);
}

void line_flush_output(struct line *line)
{
    line->output.length = 0;
    line->output_flushed = true;
}

void line_stop(struct line *line)
{
    line->stopped = true;
}

void line_start(struct line *line, struct line_events *events)
{
    line->modes.lflag &= ~L_FLUSHO;
    if (!line->stopped)
        return;
    line->stopped = false;
    events->started = true;
}
