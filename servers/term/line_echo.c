/* SPDX-License-Identifier: GPL-2.0-or-later */
/* line_echo.c: showing what is typed, and taking it back. */

#include "line.h"

static bool entry_is_control(const struct line *line, uint16_t entry)
{
    uint8_t c = entry & 0xff;

    if (!(line->modes.lflag & L_ECHOCTL))
        return false;
    if (entry & MARK_QUOTED)
        return c < 0x20 || c == 0x7f;
    return (c < 0x20 && c != '\t' && c != '\n') || c == 0x7f;
}

void line_echo(struct line *line, uint16_t entry)
{
    uint8_t c = entry & 0xff;

    if (!(line->modes.lflag & L_ECHO) && !(c == '\n' && (line->modes.lflag & L_ECHONL)))
        return;
    if (entry_is_control(line, entry)) {
        line_put(line, '^');
        line_put(line, c ^ 0x40);
    } else {
        line_put(line, c);
    }
}

/* Where the cursor is after ENTRY was echoed at COLUMN. */
static unsigned int column_after(const struct line *line, unsigned int column, uint16_t entry)
{
    uint8_t c = entry & 0xff;

    if (entry_is_control(line, entry))
        return column + 2;
    if (c == '\t')
        return column + 8 - column % 8;
    if (c < 0x20 || c == 0x7f)
        return column;
    return column + ((c & 0xc0) != 0x80);
}

static unsigned int edit_column_at(const struct line *line, unsigned int count)
{
    unsigned int column = line->edit_column;

    for (unsigned int i = 0; i < count; i++)
        column = column_after(line, column, queue_at(&line->edit, i));
    return column;
}

/* The cursor goes back to COLUMN, wiping out what stands there. */
static void wipe_to(struct line *line, unsigned int column)
{
    while (line->column > column) {
        unsigned int before = line->column;

        line_put(line, '\b');
        line_put(line, ' ');
        line_put(line, '\b');
        if (line->column == before) /* output is thrown away, or not processed: */
            line->column--;         /* the cursor is where it would be */
    }
}

static bool echoes(const struct line *line)
{
    return line->modes.lflag & L_ECHO;
}

/* The last character of `edit', a UTF-8 sequence as one, begins at this index. */
static unsigned int last_character(const struct line *line)
{
    unsigned int index = line->edit.count - 1;
    unsigned int tail = 0;

    while (index > 0 && tail < 3 && (queue_at(&line->edit, index) & 0xc0) == 0x80) {
        index--;
        tail++;
    }
    if (tail > 0 && (queue_at(&line->edit, index) & 0xff) < 0xc0) /* no UTF-8 after all */
        return line->edit.count - 1;
    return index;
}

static void end_hard_erasing(struct line *line)
{
    if (line->hard_erasing) {
        line->hard_erasing = false;
        line_put(line, '/');
    }
}

/* What is shown when the characters from INDEX on go, as ECHOE, ECHOPRT or neither say. */
static void show_erased(struct line *line, unsigned int index)
{
    if (!echoes(line))
        return;
    if (line->modes.lflag & L_ECHOPRT) {
        if (!line->hard_erasing)
            line_put(line, '\\');
        line->hard_erasing = true;
        for (unsigned int i = line->edit.count; i-- > index;)
            line_echo(line, queue_at(&line->edit, i));
    } else if (line->modes.lflag & L_ECHOE) {
        if (line->edit_lost)
            line_retype(line);
        wipe_to(line, edit_column_at(line, index));
    } else {
        line_echo(line, line->modes.cc[CC_ERASE]);
    }
}

static void erase_from(struct line *line, unsigned int index)
{
    show_erased(line, index);
    while (line->edit.count > index)
        queue_pop_last(&line->edit);
    if (line->edit.count == 0)
        end_hard_erasing(line);
}

void line_erase_character(struct line *line)
{
    if (line->edit.count > 0)
        erase_from(line, last_character(line));
}

static bool is_blank(uint16_t entry)
{
    return (entry & 0xff) == ' ' || (entry & 0xff) == '\t';
}

static bool is_word(uint16_t entry)
{
    uint8_t c = entry & 0xff;

    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

/* Blanks, then all that is no blank; with ALTWERASE then all that is a word's character, or all that is not. */
void line_erase_word(struct line *line)
{
    unsigned int index = line->edit.count;
    bool word;

    while (index > 0 && is_blank(queue_at(&line->edit, index - 1)))
        index--;
    word = index > 0 && is_word(queue_at(&line->edit, index - 1));
    while (index > 0 && !is_blank(queue_at(&line->edit, index - 1))) {
        if ((line->modes.lflag & L_ALTWERASE) && is_word(queue_at(&line->edit, index - 1)) != word)
            break;
        index--;
    }
    if (index < line->edit.count)
        erase_from(line, index);
}

void line_erase_line(struct line *line)
{
    uint32_t lflag = line->modes.lflag;

    if (echoes(line) && (lflag & L_ECHOKE) && (lflag & L_ECHOE) && !(lflag & L_ECHOPRT)) {
        if (line->edit.count > 0)
            erase_from(line, 0);
        return;
    }
    end_hard_erasing(line);
    line_echo(line, line->modes.cc[CC_KILL]);
    if (echoes(line) && (lflag & (L_ECHOK | L_ECHOKE)))
        line_put(line, '\n');
    queue_clear(&line->edit);
}

void line_retype(struct line *line)
{
    if (line->modes.cc[CC_REPRINT] != CC_DISABLED)
        line_echo(line, line->modes.cc[CC_REPRINT]);
    if (echoes(line))
        line_put(line, '\n');
    line->edit_column = line->column;
    line->edit_lost = false;
    line->hard_erasing = false;
    for (unsigned int i = 0; i < line->edit.count; i++)
        line_echo(line, queue_at(&line->edit, i));
}
