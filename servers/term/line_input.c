/* SPDX-License-Identifier: GPL-2.0-or-later */
/* line_input.c: what becomes of a typed character. */

#include <signal.h>
#include "line.h"

static bool key_is(const struct line *line, int place, uint8_t c)
{
    return line->modes.cc[place] == c && c != CC_DISABLED;
}

/* ---- keys that act at once, whatever the mode ---------------------------------- */

static void signal_key(struct line *line, uint8_t c, int signal, bool flush_output, struct line_events *events)
{
    if (!(line->modes.lflag & L_NOFLSH)) {
        line_flush_input(line);
        if (flush_output)
            line_flush_output(line);
    }
    line_echo(line, c);
    events->signals |= UINT64_C(1) << signal;
}

static bool try_signal_keys(struct line *line, uint8_t c, struct line_events *events)
{
    if (!(line->modes.lflag & L_ISIG))
        return false;
    if (key_is(line, CC_INTR, c))
        signal_key(line, c, SIGINT, true, events);
    else if (key_is(line, CC_QUIT, c))
        signal_key(line, c, SIGQUIT, true, events);
    else if (key_is(line, CC_SUSP, c))
        signal_key(line, c, SIGTSTP, false, events);
    else
        return false;
    return true;
}

static bool try_flow_keys(struct line *line, uint8_t c, struct line_events *events)
{
    if (!(line->modes.iflag & I_IXON))
        return false;
    if (key_is(line, CC_STOP, c)) {
        if (line->stopped && key_is(line, CC_START, c)) /* one key for both */
            line_start(line, events);
        else
            line_stop(line);
        return true;
    }
    if (key_is(line, CC_START, c)) {
        line_start(line, events);
        return true;
    }
    return false;
}

static bool try_extended_keys(struct line *line, uint8_t c)
{
    if (!(line->modes.lflag & L_IEXTEN))
        return false;
    if (key_is(line, CC_LNEXT, c)) {
        line->literal_next = true;
        if (line->modes.lflag & L_ECHO) {
            line_put(line, '^');
            line_put(line, '\b');
        }
        return true;
    }
    if (key_is(line, CC_DISCARD, c)) {
        if (line->modes.lflag & L_FLUSHO) {
            line->modes.lflag &= ~L_FLUSHO;
        } else {
            line_flush_output(line);
            line_echo(line, c);
            line->modes.lflag |= L_FLUSHO;
        }
        return true;
    }
    return false;
}

/* ---- storing -------------------------------------------------------------------- */

static bool full(const struct line *line)
{
    return line->input.count + line->edit.count >= LINE_INPUT_MAX;
}

static void refuse(struct line *line)
{
    if (line->modes.iflag & I_IMAXBEL)
        line_put(line, '\a');
}

static void sender_stop_if_full(struct line *line)
{
    uint8_t stop = line->modes.cc[CC_STOP];

    if ((line->modes.iflag & I_IXOFF) && !line->sender_stopped && stop != CC_DISABLED
        && line->input.count + line->edit.count >= LINE_XOFF_AT) {
        line->sender_stopped = true;
        line_put(line, stop);
    }
}

/* Into `input', where readers find it. */
static void deliver(struct line *line, uint16_t entry, struct line_events *events)
{
    if (!queue_push(&line->input, entry))
        return;
    if (entry & (MARK_DELIM | MARK_EOF))
        line->delimiters++;
    events->readable = true;
}

static void deliver_edit(struct line *line, struct line_events *events)
{
    for (unsigned int i = 0; i < line->edit.count; i++)
        deliver(line, queue_at(&line->edit, i), events);
    queue_clear(&line->edit);
}

/* ---- canonical mode --------------------------------------------------------------- */

static bool try_editing_keys(struct line *line, uint8_t c, struct line_events *events)
{
    bool extended = line->modes.lflag & L_IEXTEN;

    if (key_is(line, CC_ERASE, c))
        line_erase_character(line);
    else if (key_is(line, CC_KILL, c))
        line_erase_line(line);
    else if (extended && key_is(line, CC_WERASE, c))
        line_erase_word(line);
    else if (extended && key_is(line, CC_REPRINT, c))
        line_retype(line);
    else if (extended && (line->modes.lflag & L_ISIG) && key_is(line, CC_STATUS, c)) {
        if (!(line->modes.lflag & L_NOKERNINFO))
            events->signals |= UINT64_C(1) << LINE_SIGINFO;
    } else
        return false;
    return true;
}

static uint16_t canonical_marks(const struct line *line, uint8_t c)
{
    if (key_is(line, CC_EOF, c))
        return MARK_EOF;
    if (c == '\n' || key_is(line, CC_EOL, c) || ((line->modes.lflag & L_IEXTEN) && key_is(line, CC_EOL2, c)))
        return MARK_DELIM;
    if ((line->modes.lflag & L_ISIG) && (line->modes.lflag & L_IEXTEN) && key_is(line, CC_DSUSP, c))
        return MARK_DSUSP;
    return 0;
}

/* The end-of-file key shows for a moment and is written over. */
static void echo_canonical(struct line *line, uint16_t entry)
{
    if (line->hard_erasing) {
        line->hard_erasing = false;
        line_put(line, '/');
    }
    line_echo(line, entry);
    if ((entry & MARK_EOF) && (line->modes.lflag & L_ECHO) && (line->modes.lflag & L_ECHOCTL)) {
        line_put(line, '\b');
        line_put(line, '\b');
    }
}

static void canonical(struct line *line, uint16_t entry, struct line_events *events)
{
    if (!(entry & MARK_QUOTED)) {
        if (try_editing_keys(line, entry & 0xff, events))
            return;
        entry |= canonical_marks(line, entry & 0xff);
    }
    /* A full queue still takes what ends the line, once, so that it can be read at all. */
    if (full(line) && !((entry & (MARK_DELIM | MARK_EOF)) && line->edit.count > 0)) {
        refuse(line);
        return;
    }
    if (line->edit.count == 0) {
        line->edit_column = line->column;
        line->edit_lost = false;
    }
    if (!queue_push(&line->edit, entry)) {
        refuse(line);
        return;
    }
    echo_canonical(line, entry);
    if (entry & (MARK_DELIM | MARK_EOF))
        deliver_edit(line, events);
}

static void raw(struct line *line, uint16_t entry, struct line_events *events)
{
    if (full(line)) {
        refuse(line);
        return;
    }
    deliver(line, entry, events);
    line_echo(line, entry);
}

/* ---- the way of one character ------------------------------------------------------- */

/* Carriage return and newline. False: to be ignored. */
static bool map_newline(const struct line *line, uint8_t *c)
{
    uint32_t iflag = line->modes.iflag;

    if (*c == '\r') {
        if (iflag & I_IGNCR)
            return false;
        if (iflag & I_ICRNL)
            *c = '\n';
    } else if (*c == '\n' && (iflag & I_INLCR)) {
        *c = '\r';
    }
    if ((iflag & I_IUCLC) && *c >= 'A' && *c <= 'Z')
        *c += 'a' - 'A';
    return true;
}

static void store(struct line *line, uint16_t entry, struct line_events *events)
{
    if (line->modes.lflag & L_ICANON)
        canonical(line, entry, events);
    else
        raw(line, entry, events);
}

/* With EXTPROC all that a key could mean has been dealt with where it was typed; lines still end where they do. */
static void external(struct line *line, uint8_t c, struct line_events *events)
{
    uint16_t entry = c | (line->modes.lflag & L_ICANON ? canonical_marks(line, c) & (MARK_DELIM | MARK_EOF) : 0);

    if (line_room(line) > 0)
        deliver(line, entry, events);
}

static void character(struct line *line, uint8_t c, struct line_events *events)
{
    uint16_t marks = 0;

    if (line->modes.lflag & L_EXTPROC) {
        external(line, c, events);
        return;
    }
    if (line->modes.iflag & I_ISTRIP)
        c &= 0x7f;
    if (line->literal_next) {
        line->literal_next = false;
        marks = MARK_QUOTED;
    } else {
        if (try_flow_keys(line, c, events))
            return;
        if (line->stopped && (line->modes.iflag & I_IXON) && (line->modes.iflag & I_IXANY))
            line_start(line, events);
        if (try_extended_keys(line, c))
            return;
        line->modes.lflag &= ~L_FLUSHO;
        if (try_signal_keys(line, c, events) || !map_newline(line, &c))
            return;
    }
    if (c == 0xff && (line->modes.iflag & I_PARMRK) && !(line->modes.iflag & I_ISTRIP))
        store(line, 0xff | MARK_QUOTED, events); /* a true 255 is doubled: one alone begins an error's report */
    store(line, c | marks, events);
}

size_t line_room(const struct line *line)
{
    size_t there = (size_t)line->input.count + line->edit.count;

    return there < LINE_INPUT_MAX ? LINE_INPUT_MAX - there : 0;
}

size_t line_input_record(struct line *line, const uint8_t *bytes, size_t size, struct line_events *events)
{
    size_t room = line_room(line), count = size < room ? size : room;

    if (size == 0)
        deliver(line, MARK_EOF, events);
    for (size_t i = 0; i < count; i++)
        deliver(line, bytes[i] | MARK_QUOTED | (i + 1 == count ? MARK_DELIM : 0), events);
    return count;
}

void line_input(struct line *line, const uint8_t *bytes, size_t size, struct line_events *events)
{
    for (size_t i = 0; i < size; i++)
        character(line, bytes[i], events);
    sender_stop_if_full(line);
}
