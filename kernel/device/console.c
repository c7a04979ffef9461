/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The serial line (16550, 115200 8n1) and the PC's screen (VGA text mode) and keyboard (8042, scan code set 1).

   Output waits for room in the transmitter's FIFO; a real UART takes 16 characters at once, so a wait is short.  Input comes by
   interrupt into a ring; what does not fit is lost, as on any terminal line. */

#include "console.h"

#include "../arch/x86_64/cpu.h"
#include "../arch/x86_64/pmap.h"
#include "interrupt.h"

#define UART 0x3f8
#define UART_LINE 4
#define KEYBOARD_LINE 1
#define SCREEN 0xb8000
#define COLUMNS 80
#define ROWS 25
#define LOG_SIZE 65536
#define INPUT_SIZE 1024

static bool use_serial = true;
static unsigned int column, row;
static char log_ring[LOG_SIZE];
static size_t log_end;              /* characters ever logged */
static char input[INPUT_SIZE];
static size_t input_first, input_last;
static bool shift, control;
void (*console_input_arrived)(void);

/* ---- output -------------------------------------------------------------------------- */

static void serial_put(char c)
{
    while (!(in8(UART + 5) & 0x20))
        cpu_pause();
    out8(UART, (uint8_t)c);
}

static void screen_scroll(void)
{
    uint16_t *screen = phys_to_virt(SCREEN);
    memmove(screen, screen + COLUMNS, (ROWS - 1) * COLUMNS * sizeof *screen);
    for (unsigned int i = 0; i < COLUMNS; i++)
        screen[(ROWS - 1) * COLUMNS + i] = 0x0700 | ' ';
    row = ROWS - 1;
}

static void screen_cursor(void)
{
    unsigned int at = row * COLUMNS + column;
    out8(0x3d4, 14);
    out8(0x3d5, (uint8_t)(at >> 8));
    out8(0x3d4, 15);
    out8(0x3d5, (uint8_t)at);
}

static void screen_put(char c)
{
    uint16_t *screen = phys_to_virt(SCREEN);
    switch (c) {
    case '\n':
        row++;
        break;
    case '\r':
        column = 0;
        break;
    case '\b':
        column -= column > 0;
        break;
    case '\t':
        column = (column + 8) & ~7u;
        break;
    case 7:
        return;
    default:
        screen[row * COLUMNS + column++] = (uint16_t)(0x0700 | (unsigned char)c);
    }
    if (column >= COLUMNS) {
        column = 0;
        row++;
    }
    if (row >= ROWS)
        screen_scroll();
    screen_cursor();
}

static void put(char c)
{
    if (use_serial)
        serial_put(c);
    else
        screen_put(c);
}

void console_put(char c)
{
    log_ring[log_end++ % LOG_SIZE] = c;
    if (c == '\n')
        put('\r');
    put(c);
}

void console_write(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        put(text[i]);
}

size_t console_log_read(size_t from, char *to, size_t size)
{
    size_t first = log_end > LOG_SIZE ? log_end - LOG_SIZE : 0, count = 0;
    for (size_t at = max(from, first); at < log_end && count < size; at++)
        to[count++] = log_ring[at % LOG_SIZE];
    return count;
}

/* ---- input ------------------------------------------------------------------------------ */

static void input_add(char c)
{
    if (input_last - input_first < INPUT_SIZE)
        input[input_last++ % INPUT_SIZE] = c;
}

size_t console_input_read(char *to, size_t size)
{
    size_t count = 0;
    while (count < size && input_first != input_last)
        to[count++] = input[input_first++ % INPUT_SIZE];
    return count;
}

static void serial_interrupt(bool user)
{
    (void)user;
    while (in8(UART + 5) & 1)
        input_add((char)in8(UART));
    if (console_input_arrived)
        console_input_arrived();
}

static void key_taken(uint8_t code)
{
    static const char plain[] = "\0\0331234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
    static const char shifted[] = "\0\033!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
    bool released = code & 0x80;
    code &= 0x7f;
    if (code == 0x2a || code == 0x36)
        shift = !released;
    else if (code == 0x1d)
        control = !released;
    else if (!released && code < sizeof plain - 1) {
        char c = shift ? shifted[code] : plain[code];
        if (c)
            input_add(control ? c & 0x1f : c);
    }
}

static void keyboard_interrupt(bool user)
{
    (void)user;
    while (in8(0x64) & 1)
        key_taken(in8(0x60));
    if (console_input_arrived)
        console_input_arrived();
}

void console_init(bool serial)
{
    use_serial = serial;
    out8(UART + 1, 0);
    out8(UART + 3, 0x80); /* divisor 1: 115200 */
    out8(UART + 0, 1);
    out8(UART + 1, 0);
    out8(UART + 3, 0x03);
    out8(UART + 2, 0xc7);
    out8(UART + 4, 0x0b);
}

void console_start(void)
{
    if (use_serial) {
        interrupt_attach(UART_LINE, serial_interrupt);
        out8(UART + 1, 0x01);
    } else {
        interrupt_attach(KEYBOARD_LINE, keyboard_interrupt);
    }
}

void console_wait_key(void)
{
    char c;
    while (console_input_read(&c, 1) == 0)
        kernel_wait();
}
