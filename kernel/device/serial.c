/* SPDX-License-Identifier: GPL-2.0-or-later */
/* National Semiconductor 16550 (data sheet PC16550D). */

#include "serial.h"

#include "../arch/x86_64/cpu.h"

#define UART 0x3f8
enum {
    DATA = UART,
    INTERRUPTS = UART + 1,
    FIFO = UART + 2,
    LINE_CONTROL = UART + 3,
    MODEM = UART + 4,
    STATUS = UART + 5
};
#define FIFO_SIZE 16 /* empty when STATUS_ROOM says so */
#define STATUS_READY 0x01
#define STATUS_BREAK 0x10
#define STATUS_ROOM 0x20
#define STATUS_ABSENT 0xff /* what is read where nothing is */

void serial_init(void)
{
    out8(INTERRUPTS, 0);
    out8(LINE_CONTROL, 0x80); /* the divisor's registers */
    out8(DATA, 1);
    out8(INTERRUPTS, 0);
    out8(LINE_CONTROL, 0x03);
    out8(FIFO, 0xc7);
    out8(MODEM, 0x0b);
}

void serial_put(char c)
{
    while (!(in8(STATUS) & STATUS_ROOM))
        cpu_pause();
    out8(DATA, (uint8_t)c);
}

size_t serial_put_some(const char *text, size_t size)
{
    size_t count = 0;
    if (in8(STATUS) & STATUS_ROOM)
        for (; count < size && count < FIFO_SIZE; count++)
            out8(DATA, (uint8_t)text[count]);
    return count;
}

int serial_get(void)
{
    uint8_t status = in8(STATUS);
    if (status == STATUS_ABSENT || !(status & STATUS_READY))
        return SERIAL_NONE;
    uint8_t c = in8(DATA);
    return status & STATUS_BREAK ? SERIAL_BREAK : c;
}

void serial_interrupts_set(bool output)
{
    out8(INTERRUPTS, output ? 0x03 : 0x01);
}
