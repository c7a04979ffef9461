/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Characters and control sequences (ECMA-48) on VGA's text cells. */

#include "screen.h"

#define PLAIN 0x07 /* light grey on black */
#define BRIGHT 0x08

static uint16_t cell_of(const struct screen *screen, char c)
{
    uint8_t colours = screen->attribute;
    if (screen->reverse)
        colours = (uint8_t)((colours & 0x88) | (colours & 7) << 4 | (colours >> 4 & 7));
    return (uint16_t)(colours << 8 | (unsigned char)c);
}

/* Blanks the cells from FIRST to before LAST. */
static void blank(struct screen *screen, unsigned int first, unsigned int last)
{
    for (unsigned int i = first; i < last; i++)
        screen->cells[i] = PLAIN << 8 | ' ';
}

static void scroll(struct screen *screen)
{
    const unsigned int kept = (SCREEN_ROWS - 1) * SCREEN_COLUMNS;
    for (unsigned int i = 0; i < kept; i++)
        screen->cells[i] = screen->cells[i + SCREEN_COLUMNS];
    blank(screen, kept, kept + SCREEN_COLUMNS);
}

static void row_next(struct screen *screen)
{
    if (screen->row == SCREEN_ROWS - 1)
        scroll(screen);
    else
        screen->row++;
}

unsigned int screen_cursor(const struct screen *screen)
{
    unsigned int column = screen->column < SCREEN_COLUMNS ? screen->column : SCREEN_COLUMNS - 1;
    return screen->row * SCREEN_COLUMNS + column;
}

void screen_init(struct screen *screen, volatile uint16_t *cells)
{
    *screen = (struct screen){.cells = cells, .attribute = PLAIN};
    blank(screen, 0, SCREEN_ROWS * SCREEN_COLUMNS);
}

static void text_put(struct screen *screen, char c)
{
    switch (c) {
    case '\n':
        row_next(screen);
        break;
    case '\r':
        screen->column = 0;
        break;
    case '\b':
        screen->column -= screen->column > 0;
        break;
    case '\t':
        screen->column = screen->column < SCREEN_COLUMNS - 8 ? (screen->column + 8) & ~7u : SCREEN_COLUMNS - 1;
        break;
    case 27:
        screen->state = SCREEN_ESCAPE;
        break;
    case 0:
    case 7:
        break;
    default:
        if (screen->column >= SCREEN_COLUMNS) {
            screen->column = 0;
            row_next(screen);
        }
        screen->cells[screen->row * SCREEN_COLUMNS + screen->column++] = cell_of(screen, c);
    }
}

/* ---- sequences --------------------------------------------------------------------------- */

/* VGA's colour of ANSI's: red and blue change places. */
static uint8_t colour_of(unsigned int ansi)
{
    return (uint8_t)((ansi & 2) | (ansi & 1) << 2 | (ansi >> 2 & 1));
}

static void attribute_set(struct screen *screen, unsigned int value)
{
    if (value == 0) {
        screen->attribute = PLAIN;
        screen->reverse = false;
    } else if (value == 1) {
        screen->attribute |= BRIGHT;
    } else if (value == 22) {
        screen->attribute &= (uint8_t)~BRIGHT;
    } else if (value == 7 || value == 27) {
        screen->reverse = value == 7;
    } else if (value >= 30 && value <= 37) {
        screen->attribute = (uint8_t)((screen->attribute & 0xf8) | colour_of(value - 30));
    } else if (value >= 40 && value <= 47) {
        screen->attribute = (uint8_t)((screen->attribute & 0x8f) | colour_of(value - 40) << 4);
    } else if (value == 39 || value == 49) {
        screen->attribute = (uint8_t)(value == 39 ? (screen->attribute & 0xf8) | PLAIN : screen->attribute & 0x8f);
    }
}

static unsigned int parameter(const struct screen *screen, unsigned int index, unsigned int otherwise)
{
    return index < screen->count && screen->parameters[index] ? screen->parameters[index] : otherwise;
}

static unsigned int smaller(unsigned int a, unsigned int b)
{
    return a < b ? a : b;
}

static void erase(struct screen *screen, bool line_only)
{
    unsigned int here = screen_cursor(screen), line = screen->row * SCREEN_COLUMNS;
    unsigned int first = line_only ? line : 0, last = line_only ? line + SCREEN_COLUMNS : SCREEN_ROWS * SCREEN_COLUMNS;
    unsigned int which = parameter(screen, 0, 0);
    blank(screen, which == 0 ? here : first, which == 1 ? here + 1 : last);
}

static void sequence_end(struct screen *screen, char final)
{
    unsigned int n = parameter(screen, 0, 1);
    switch (final) {
    case 'A': screen->row -= smaller(n, screen->row); break;
    case 'B': screen->row = smaller(screen->row + smaller(n, SCREEN_ROWS), SCREEN_ROWS - 1); break;
    case 'C': screen->column = smaller(screen->column + smaller(n, SCREEN_COLUMNS), SCREEN_COLUMNS - 1); break;
    case 'D': screen->column -= smaller(n, screen->column); break;
    case 'H':
    case 'f':
        screen->row = smaller(n, SCREEN_ROWS) - 1;
        screen->column = smaller(parameter(screen, 1, 1), SCREEN_COLUMNS) - 1;
        break;
    case 'J': erase(screen, false); break;
    case 'K': erase(screen, true); break;
    case 'm':
        for (unsigned int i = 0; i < (screen->count ? screen->count : 1); i++)
            attribute_set(screen, parameter(screen, i, 0));
        break;
    }
}

static void sequence_put(struct screen *screen, char c)
{
    unsigned int *last = &screen->parameters[screen->count ? screen->count - 1 : 0];
    if (c >= '0' && c <= '9') {
        if (screen->count == 0)
            screen->count = 1;
        *last = smaller(*last * 10 + (unsigned int)(c - '0'), 9999);
    } else if (c == ';') {
        screen->count += screen->count == 0;
        if (screen->count < SCREEN_PARAMETERS)
            screen->parameters[screen->count++] = 0;
    } else if (c >= 0x40) {
        screen->state = SCREEN_TEXT;
        sequence_end(screen, c);
    }
}

void screen_put(struct screen *screen, char c)
{
    switch (screen->state) {
    case SCREEN_TEXT:
        text_put(screen, c);
        break;
    case SCREEN_ESCAPE:
        screen->state = c == '[' ? SCREEN_SEQUENCE : SCREEN_TEXT;
        screen->count = 0;
        for (unsigned int i = 0; i < SCREEN_PARAMETERS; i++)
            screen->parameters[i] = 0;
        break;
    case SCREEN_SEQUENCE:
        sequence_put(screen, c);
        break;
    }
}
