/* SPDX-License-Identifier: GPL-2.0-or-later */
/* line.h: the line discipline: what stands between the bytes of a device and those that programs read and write.

   It knows no message, no thread and no device: bytes typed go in by line_input, bytes written by line_write; what
   shall go to the device gathers in `output', what programs may read in `input'.  What else must happen (signals,
   waking readers) is told in a struct line_events.  The caller holds the terminal's lock around everything here.

        device --line_input--> [edit --delimiter-->] input --line_read--> program
        device <--output-- line_write, echo          <-- program

   In canonical mode `edit' is the line being typed, and `input' holds complete lines; otherwise what is typed goes to
   `input' at once.  Erasing takes a whole UTF-8 sequence for one character of one column. */

#ifndef TERM_LINE_H
#define TERM_LINE_H

#include <signal.h>
#include <stddef.h>
#include "modes.h"
#include "queue.h"

enum {
    LINE_INPUT_MAX = 8192, /* characters typed and not read: beyond that they are refused with a beep */
    LINE_XOFF_AT = 6144,   /* with IXOFF: stop the sender, and let it go on */
    LINE_XON_AT = 2048,
    LINE_ECHO_MAX = 16384, /* bytes waiting for the device: beyond that nothing more is echoed */
};

/* The status key's signal; a host of the unit tests may not have it. */
#ifdef SIGINFO
#define LINE_SIGINFO SIGINFO
#else
#define LINE_SIGINFO 29
#endif

struct line {
    struct modes modes;
    struct queue input;       /* what may be read */
    unsigned int delimiters;  /* entries of `input' with MARK_DELIM or MARK_EOF */
    struct queue edit;        /* the line being typed */
    struct bytes output;      /* what shall go to the device */
    unsigned int column;      /* where the cursor is after `output' */
    unsigned int edit_column; /* where the echo of `edit' began */
    bool edit_lost;           /* something else was written since: echo it anew before erasing */
    bool literal_next;        /* the literal-next key was typed */
    bool hard_erasing;        /* with ECHOPRT: within \.../ */
    bool stopped;             /* by the stop key or TIOCSTOP: nothing goes to the device */
    bool sender_stopped;      /* with IXOFF: we have sent the stop character */
    bool input_flushed;       /* line_flush_input, line_flush_output were called; for the owner, who clears them */
    bool output_flushed;
};

/* What line_input, line_set_modes and line_read want done. */
struct line_events {
    uint64_t signals;   /* 1 << signal number, for the foreground group */
    bool readable;      /* readers may find something now */
    bool started;       /* output goes on */
};

void line_create(struct line *line);
void line_destroy(struct line *line);

/* As new, but that what waits in `output' still shall go: nobody has the terminal open any more, and whoever opens it
   next shall not find the modes of a program that died. */
void line_reset(struct line *line);

/* SIZE bytes have come from the device. */
void line_input(struct line *line, const uint8_t *bytes, size_t size, struct line_events *events);

/* A record from a pty's master in remote mode: SIZE bytes, not looked at, that a read in canonical mode gets as a line;
   0 bytes are an end of file.  Gives how many were taken: at most LINE_INPUT_MAX. */
size_t line_input_record(struct line *line, const uint8_t *bytes, size_t size, struct line_events *events);

/* How many more typed bytes are taken without any being refused. */
size_t line_room(const struct line *line);

/* Appends what a program writes, processed, to `output' until that holds LIMIT bytes or more: gives how many of the
   bytes were taken (fewer also when memory is short). */
size_t line_write(struct line *line, const uint8_t *bytes, size_t size, size_t limit);

/* The same for one character of the terminal's own; a character that finds no memory, or LINE_ECHO_MAX bytes before it,
   is lost. */
void line_put(struct line *line, uint8_t c);

/* Whether a read gives something (the end of file is something); how many bytes. */
bool line_readable(const struct line *line);
size_t line_available(const struct line *line);

/* Takes at most SIZE bytes for a read: in canonical mode at most a line. Gives how many; 0 in canonical mode: end of
   file. Call it only if line_readable. */
size_t line_read(struct line *line, uint8_t *bytes, size_t size, struct line_events *events);

/* New modes, with all that follows from a change. */
void line_set_modes(struct line *line, const struct modes *modes, struct line_events *events);

void line_flush_input(struct line *line);
void line_flush_output(struct line *line);
void line_stop(struct line *line);
void line_start(struct line *line, struct line_events *events);

/* Echo and erasing (line_echo.c), for line_input.c. */
void line_echo(struct line *line, uint16_t entry);
void line_erase_character(struct line *line);
void line_erase_word(struct line *line);
void line_erase_line(struct line *line);
void line_retype(struct line *line);

#endif /* TERM_LINE_H */
