/* SPDX-License-Identifier: GPL-2.0-or-later */
/* line_output.c: output processing, and where the cursor is. */

#include <string.h>
#include "line.h"

/* Bytes that mean themselves whatever the output modes are, and where each leaves the cursor one further; bytes within
   a UTF-8 sequence do not. */
static bool byte_is_plain(uint8_t c, uint32_t oflag)
{
    if (c < 0x20 || c == 0x7f)
        return false;
    return !((oflag & O_OLCUC) && c >= 'a' && c <= 'z');
}

static bool byte_takes_column(uint8_t c)
{
    return (c & 0xc0) != 0x80;
}

/* There is room for one byte. */
static void put_raw(struct line *line, uint8_t c)
{
    line->output.data[line->output.length++] = (char)c;
}

/* The most bytes that one character becomes: a tab. */
enum { CHARACTER_MAX = 8 };

/* One character that is not plain; there is room for CHARACTER_MAX. */
static void put_special(struct line *line, uint8_t c)
{
    uint32_t oflag = line->modes.oflag;

    if ((oflag & O_OCRNL) && c == '\r')
        c = '\n';
    switch (c) {
    case '\n':
        if (oflag & O_ONLCR)
            put_raw(line, '\r');
        if (oflag & (O_ONLCR | O_ONLRET))
            line->column = 0;
        break;
    case '\r':
        if ((oflag & O_ONOCR) && line->column == 0)
            return;
        line->column = 0;
        break;
    case '\t': {
        unsigned int width = 8 - line->column % 8;

        line->column += width;
        if (oflag & O_OXTABS) {
            while (width--)
                put_raw(line, ' ');
            return;
        }
        break;
    }
    case '\b':
        line->column -= line->column > 0;
        break;
    case 4:
        if (oflag & O_ONOEOT)
            return;
        break;
    default:
        if (c >= 'a' && c <= 'z') { /* not plain: OLCUC */
            c -= 'a' - 'A';
            line->column++;
        }
        break;
    }
    put_raw(line, c);
}

/* As many of the bytes as lie before the first that is not plain, and the room there is: appended. */
static size_t put_plain(struct line *line, const uint8_t *bytes, size_t size)
{
    size_t count = 0;

    while (count < size && byte_is_plain(bytes[count], line->modes.oflag)) {
        line->column += byte_takes_column(bytes[count]);
        count++;
    }
    memcpy(line->output.data + line->output.length, bytes, count);
    line->output.length += count;
    return count;
}

static size_t process(struct line *line, const uint8_t *bytes, size_t size, size_t limit)
{
    size_t taken = 0;

    while (taken < size && line->output.length < limit) {
        size_t piece = size - taken;

        if (piece > limit - line->output.length)
            piece = limit - line->output.length;
        if (!bytes_reserve(&line->output, piece > CHARACTER_MAX ? piece : CHARACTER_MAX))
            break;
        piece = put_plain(line, bytes + taken, piece);
        taken += piece;
        if (piece == 0)
            put_special(line, bytes[taken++]);
    }
    return taken;
}

/* Where the cursor is when bytes pass unprocessed: only erasing wants to know. */
static void follow(struct line *line, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '\r')
            line->column = 0;
        else if (bytes[i] == '\t')
            line->column += 8 - line->column % 8;
        else if (bytes[i] == '\b')
            line->column -= line->column > 0;
        else if (bytes[i] >= 0x20 && bytes[i] != 0x7f)
            line->column += byte_takes_column(bytes[i]);
    }
}

static size_t pass(struct line *line, const uint8_t *bytes, size_t size, size_t limit)
{
    size_t room = line->output.length < limit ? limit - line->output.length : 0;

    if (size > room)
        size = room;
    if (!bytes_reserve(&line->output, size))
        return 0;
    if (size > 0)
        memcpy(line->output.data + line->output.length, bytes, size);
    line->output.length += size;
    if (line->modes.lflag & L_ICANON)
        follow(line, bytes, size);
    return size;
}

static size_t put(struct line *line, const uint8_t *bytes, size_t size, size_t limit)
{
    if (line->modes.lflag & L_FLUSHO)
        return size;
    if (line->modes.oflag & O_OPOST)
        return process(line, bytes, size, limit);
    return pass(line, bytes, size, limit);
}

size_t line_write(struct line *line, const uint8_t *bytes, size_t size, size_t limit)
{
    if (line->edit.count > 0 && size > 0)
        line->edit_lost = true;
    return put(line, bytes, size, limit);
}

void line_put(struct line *line, uint8_t c)
{
    if (line->output.length < LINE_ECHO_MAX)
        put(line, &c, 1, line->output.length + CHARACTER_MAX);
}
