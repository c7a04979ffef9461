/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The console: on the serial line, or on the screen with the keyboard (8042), and the kernel's log.

   Input comes by interrupt into a ring; what does not fit is lost, as on any terminal line.  What users write to the
   serial line goes through a ring too, which interrupts empty; writers wait for room.  The kernel's own words wait for
   the line itself, behind what is in the ring: they come out whatever happens.  Lock: the kernel lock. */

#include "console.h"

#include "../arch/x86_64/cpu.h"
#include "../arch/x86_64/machine.h"
#include "../arch/x86_64/pmap.h"
#include "../task/sched.h"
#include "../trace/debugger.h"
#include "interrupt.h"
#include "keyboard.h"
#include "screen.h"
#include "serial.h"

#define KEYBOARD_LINE 1
#define KEYBOARD_STATUS 0x64
#define KEYBOARD_DATA 0x60
#define STATUS_FULL 0x01
#define STATUS_MOUSE 0x20 /* what is in the buffer is the mouse's */
#define VGA_INDEX 0x3d4
#define VGA_CELLS 0xb8000
#define LOG_SIZE 65536
#define INPUT_SIZE 1024
#define OUTPUT_SIZE 2048
#define ATTENTION 0x1d /* Ctrl-], three times: the debugger */
#define ATTENTIONS 3

static bool use_serial = true;
static struct screen screen;
static struct keyboard keyboard;
static char log_ring[LOG_SIZE];
static size_t log_end;              /* characters ever logged */
static char input[INPUT_SIZE];
static size_t input_first, input_last;
static unsigned int attentions;     /* in a row */
static char output[OUTPUT_SIZE];    /* what users wrote to the serial line, and the line has not taken yet */
static size_t output_first, output_last;
static bool output_interrupts;      /* the line says when it has room */
void (*console_input_arrived)(void);

/* ---- output -------------------------------------------------------------------------- */

static void cursor_show(void)
{
    static unsigned int shown = ~0u;
    unsigned int at = screen_cursor(&screen);
    if (at == shown)
        return;
    shown = at;
    out8(VGA_INDEX, 14);
    out8(VGA_INDEX + 1, (uint8_t)(at >> 8));
    out8(VGA_INDEX, 15);
    out8(VGA_INDEX + 1, (uint8_t)at);
}

/* As much of the ring as the line takes now.  Did it take anything? */
static bool output_run(void)
{
    const size_t before = output_first;
    while (output_first != output_last) {
        size_t at = output_first % OUTPUT_SIZE;
        size_t taken = serial_put_some(output + at, min(output_last - output_first, OUTPUT_SIZE - at));
        if (taken == 0)
            break;
        output_first += taken;
    }
    bool left = output_first != output_last;
    if (left != output_interrupts) {
        output_interrupts = left;
        serial_interrupts_set(left);
    }
    return output_first != before;
}

static void put(char c)
{
    if (!use_serial) {
        screen_put(&screen, c);
        return;
    }
    console_drain();
    serial_put(c);
}

void console_put(char c)
{
    log_ring[log_end++ % LOG_SIZE] = c;
    if (c == '\n')
        put('\r');
    put(c);
    if (!use_serial)
        cursor_show();
}

size_t console_write(const char *text, size_t size)
{
    if (!use_serial) {
        for (size_t i = 0; i < size; i++)
            screen_put(&screen, text[i]);
        cursor_show();
        return size;
    }
    for (size_t i = 0; i < size; i++) {
        while (output_last - output_first == OUTPUT_SIZE) {
            output_run();
            if (output_last - output_first == OUTPUT_SIZE && thread_sleep(output, true) != WAIT_AWAKENED)
                return i;
        }
        output[output_last++ % OUTPUT_SIZE] = text[i];
    }
    output_run();
    return size;
}

void console_drain(void)
{
    while (output_first != output_last)
        serial_put(output[output_first++ % OUTPUT_SIZE]);
}

size_t console_log_read(size_t *position, char *to, size_t size)
{
    size_t first = log_end > LOG_SIZE ? log_end - LOG_SIZE : 0, count = 0;
    size_t at = max(*position, first);
    while (at < log_end && count < size)
        to[count++] = log_ring[at++ % LOG_SIZE];
    *position = at;
    return count;
}

bool console_log_grown(void)
{
    static size_t known;
    bool grown = log_end != known;
    known = log_end;
    return grown;
}

/* ---- input ------------------------------------------------------------------------------ */

/* False: it was the last of those that call the debugger. */
static bool input_add(char c)
{
    attentions = c == ATTENTION ? attentions + 1 : 0;
    if (debugger_enabled && attentions == ATTENTIONS) {
        attentions = 0;
        input_last -= min(input_last - input_first, (size_t)ATTENTIONS - 1);
        return false;
    }
    if (input_last - input_first < INPUT_SIZE)
        input[input_last++ % INPUT_SIZE] = c;
    return true;
}

size_t console_input_read(char *to, size_t size)
{
    size_t count = 0;
    while (count < size && input_first != input_last)
        to[count++] = input[input_first++ % INPUT_SIZE];
    return count;
}

/* The characters of the next key of the keyboard's, into TO; -1: none has come. */
static int keyboard_get(char *to)
{
    bool reboot = false;
    uint8_t status = in8(KEYBOARD_STATUS);
    if (status == 0xff || !(status & STATUS_FULL))
        return -1;
    uint8_t code = in8(KEYBOARD_DATA);
    if (status & STATUS_MOUSE)
        return 0;
    int count = (int)keyboard_take(&keyboard, code, to, &reboot);
    if (reboot)
        machine_halt(0);
    return count;
}

static void arrived(bool debugger)
{
    if (console_input_arrived)
        console_input_arrived();
    if (debugger)
        debugger_enter("called from the console");
}

/* The line's interrupts are edges: there is no other while it still wants something, so this ends when it wants nothing
   any more. */
static void serial_interrupt(bool user)
{
    (void)user;
    bool debugger = false, more = true;
    while (output_run() || more) {
        more = false;
        for (int c; (c = serial_get()) != SERIAL_NONE; more = true)
            debugger |= c == SERIAL_BREAK ? debugger_enabled : !input_add((char)c);
    }
    if (output_last - output_first <= OUTPUT_SIZE / 2)
        thread_wakeup(output);
    arrived(debugger);
}

static void keyboard_interrupt(bool user)
{
    (void)user;
    bool debugger = false;
    char text[KEYBOARD_MAX];
    for (int count; (count = keyboard_get(text)) >= 0;)
        for (int i = 0; i < count; i++)
            debugger |= !input_add(text[i]);
    arrived(debugger);
}

int console_poll(void)
{
    static char text[KEYBOARD_MAX];
    static int at, count;
    if (use_serial) {
        int c = serial_get();
        return c < 0 ? -1 : c;
    }
    if (at >= count) {
        at = 0;
        count = keyboard_get(text);
    }
    return at < count ? (unsigned char)text[at++] : -1;
}

void console_init(bool serial)
{
    use_serial = serial;
    serial_init();
    if (!serial)
        screen_init(&screen, phys_to_virt(VGA_CELLS));
}

void console_start(void)
{
    if (use_serial) {
        interrupt_attach(SERIAL_LINE, serial_interrupt);
        serial_interrupts_set(output_interrupts);
    } else {
        char text[KEYBOARD_MAX];
        while (keyboard_get(text) >= 0) /* what was typed at the boot loader */
            ;
        interrupt_attach(KEYBOARD_LINE, keyboard_interrupt);
    }
}

void console_wait_key(void)
{
    char c;
    while (console_input_read(&c, 1) == 0)
        kernel_wait();
}
