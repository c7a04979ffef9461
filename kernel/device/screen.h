/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PC's screen in VGA's text mode: 25 rows of 80 cells, and the part of a VT100's control sequences that programs
   use for moving, clearing and attributes.  Pure: it writes cells and knows no hardware, so a unit test runs it on the
   host. */

#ifndef DEVICE_SCREEN_H
#define DEVICE_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#define SCREEN_COLUMNS 80
#define SCREEN_ROWS 25
#define SCREEN_PARAMETERS 8 /* of one sequence; more are ignored */

struct screen {
    volatile uint16_t *cells;   /* a character, and its colours in the high byte */
    unsigned int column, row;   /* of the cursor; column SCREEN_COLUMNS: the next character goes to the next row */
    uint8_t attribute;
    bool reverse;
    enum { SCREEN_TEXT, SCREEN_ESCAPE, SCREEN_SEQUENCE } state;
    unsigned int parameters[SCREEN_PARAMETERS], count;
};

/* Clears CELLS and puts the cursor at the top. */
void screen_init(struct screen *screen, volatile uint16_t *cells);
void screen_put(struct screen *screen, char c);
/* The cell that the cursor is on. */
unsigned int screen_cursor(const struct screen *screen);

#endif
