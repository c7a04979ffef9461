/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's screen and keyboard: control sequences on the cells, scrolling, and what keys mean. */

#include "../../../kernel/device/keyboard.h"
#include "../../../kernel/device/screen.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define CELLS (SCREEN_ROWS * SCREEN_COLUMNS)

static uint16_t *cells; /* malloc'd, so that the sanitizer sees a write beside them */
static struct screen screen;

static void begin(void)
{
    free(cells);
    cells = malloc(CELLS * sizeof *cells);
    screen_init(&screen, cells);
}

static void put(const char *text)
{
    while (*text)
        screen_put(&screen, *text++);
}

/* Row ROW without the blanks behind. */
static const char *row(unsigned int number)
{
    static char text[SCREEN_COLUMNS + 1];
    unsigned int length = 0;
    for (unsigned int i = 0; i < SCREEN_COLUMNS; i++) {
        text[i] = (char)cells[number * SCREEN_COLUMNS + i];
        if (text[i] != ' ')
            length = i + 1;
    }
    text[length] = 0;
    return text;
}

UNIT_TEST(text_and_lines)
{
    begin();
    put("one\r\ntwo\tx\b!\r\n");
    CHECK_STR(row(0), "one");
    CHECK_STR(row(1), "two     !");
    CHECK(screen_cursor(&screen) == 2 * SCREEN_COLUMNS);
}

UNIT_TEST(the_last_column_waits)
{
    begin();
    for (unsigned int i = 0; i < SCREEN_COLUMNS; i++)
        put("a");
    CHECK(screen.row == 0 && screen_cursor(&screen) == SCREEN_COLUMNS - 1);
    put("b");
    CHECK_STR(row(1), "b");
}

UNIT_TEST(scrolling)
{
    begin();
    for (unsigned int i = 0; i < SCREEN_ROWS + 2; i++) {
        char line[8] = {(char)('A' + i), '\r', '\n', 0};
        put(line);
    }
    CHECK_STR(row(0), "D");
    CHECK_STR(row(SCREEN_ROWS - 2), "[");
    CHECK_STR(row(SCREEN_ROWS - 1), "");
}

UNIT_TEST(moving_and_clearing)
{
    begin();
    put("abcdef\033[3DX\033[2;5Hy\033[K\033[1;1H\033[2C*");
    CHECK_STR(row(0), "ab*Xef");
    CHECK_STR(row(1), "    y");
    put("\033[H\033[J");
    CHECK_STR(row(0), "");
    CHECK_STR(row(1), "");
    put("\033[99;99Hz\033[1K\033[999A\033[999B\033[999D");
    CHECK_STR(row(SCREEN_ROWS - 1), "");
    CHECK(screen_cursor(&screen) == (SCREEN_ROWS - 1) * SCREEN_COLUMNS);
}

UNIT_TEST(colours)
{
    begin();
    put("\033[1;31;44ma\033[7mb\033[0mc");
    CHECK(cells[0] >> 8 == 0x1c);
    CHECK(cells[1] >> 8 == 0x49);
    CHECK(cells[2] >> 8 == 0x07);
}

UNIT_TEST(rubbish_stays_inside)
{
    unsigned int seed = 1;
    begin();
    for (unsigned int i = 0; i < 300000; i++) {
        seed = seed * 1103515245 + 12345;
        screen_put(&screen, "\033[0123456789;HJKABCDmf\n\r\t\b x\377"[(seed >> 16) % 29]);
    }
    CHECK(screen_cursor(&screen) < CELLS);
}

/* ---- keys -------------------------------------------------------------------------------- */

/* What CODES (hexadecimal bytes) mean, as text. */
static const char *typed(struct keyboard *keyboard, const char *codes)
{
    static char text[64];
    size_t used = 0;
    bool reboot;
    for (char *end; *codes; codes = end) {
        unsigned long code = strtoul(codes, &end, 16);
        used += keyboard_take(keyboard, (uint8_t)code, text + used, &reboot);
        if (reboot)
            text[used++] = '!';
    }
    text[used] = 0;
    return text;
}

UNIT_TEST(letters)
{
    struct keyboard keyboard = {0};
    CHECK_STR(typed(&keyboard, "1e 9e 2a 1e 9e aa 02 82"), "aA1");
    CHECK_STR(typed(&keyboard, "36 02 82 b6 1c 9c 0e 8e"), "!\r\177");
    CHECK_STR(typed(&keyboard, "3a ba 1e 9e 2a 1e 9e aa 02 82 3a ba 1e 9e"), "Aa1a");
}

UNIT_TEST(control_and_alt)
{
    struct keyboard keyboard = {0};
    CHECK_STR(typed(&keyboard, "1d 2e ae 9d 2e ae"), "\003c");
    CHECK_STR(typed(&keyboard, "e0 1d 1b 9b e0 9d"), "\035");
    CHECK_STR(typed(&keyboard, "38 30 b0 b8 30 b0"), "\033bb");
    CHECK_STR(typed(&keyboard, "1d 38 e0 53 e0 d3 b8 9d"), "!");
}

UNIT_TEST(cursor_and_keypad)
{
    struct keyboard keyboard = {0};
    CHECK_STR(typed(&keyboard, "e0 48 e0 c8 e0 50 e0 4b e0 4d"), "\033[A\033[B\033[D\033[C");
    CHECK_STR(typed(&keyboard, "e0 2a e0 47 e0 c7 e0 aa e0 53"), "\033[H\033[3~");
    CHECK_STR(typed(&keyboard, "e0 1c e0 35 4a 4e"), "\r/-+");
    /* Pause, and keys that mean nothing. */
    CHECK_STR(typed(&keyboard, "e1 1d 45 e1 9d c5 3b 7f 00 ff 1e"), "a");
    CHECK(!keyboard.control);
}

UNIT_TEST(every_code)
{
    struct keyboard keyboard = {0};
    char *text = malloc(KEYBOARD_MAX);
    bool reboot;
    for (unsigned int first = 0; first < 256; first++)
        for (unsigned int second = 0; second < 256; second++) {
            CHECK(keyboard_take(&keyboard, (uint8_t)first, text, &reboot) <= KEYBOARD_MAX);
            CHECK(keyboard_take(&keyboard, (uint8_t)second, text, &reboot) <= KEYBOARD_MAX);
        }
    free(text);
    free(cells);
    cells = NULL;
}

UNIT_MAIN
