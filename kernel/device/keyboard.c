/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scan codes, set 1.  Alt puts an Escape before the key, as Meta does on terminals; the keys of the cursor are a
   VT100's. */

#include "keyboard.h"

#define RELEASED 0x80
#define EXTENDED 0xe0
#define PAUSE 0xe1

enum {
    KEY_CONTROL = 0x1d,
    KEY_SHIFT_LEFT = 0x2a,
    KEY_SHIFT_RIGHT = 0x36,
    KEY_ALT = 0x38,
    KEY_CAPS_LOCK = 0x3a,
    KEY_DELETE = 0x53
};

static const char plain[] = "\0\0331234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] = "\0\033!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

/* The keypad without Num Lock, and the keys between: what is behind "ESC [". */
static const char *cursor_key(uint8_t code)
{
    switch (code) {
    case 0x47: return "H";
    case 0x48: return "A";
    case 0x49: return "5~";
    case 0x4b: return "D";
    case 0x4d: return "C";
    case 0x4f: return "F";
    case 0x50: return "B";
    case 0x51: return "6~";
    case 0x52: return "2~";
    case KEY_DELETE: return "3~";
    default: return NULL;
    }
}

/* A key that changes what others mean. */
static bool modifier_take(struct keyboard *keyboard, uint8_t code, bool pressed)
{
    switch (code) {
    case KEY_SHIFT_LEFT: keyboard->shift_left = pressed; return true;
    case KEY_SHIFT_RIGHT: keyboard->shift_right = pressed; return true;
    case KEY_CONTROL: keyboard->control = pressed; return true;
    case KEY_ALT: keyboard->alt = pressed; return true;
    case KEY_CAPS_LOCK: keyboard->caps_lock ^= pressed; return true;
    default: return false;
    }
}

static size_t sequence_put(char *to, const char *text)
{
    size_t count = 0;
    to[count++] = 27;
    to[count++] = '[';
    while (*text)
        to[count++] = *text++;
    return count;
}

static char character_of(const struct keyboard *keyboard, uint8_t code)
{
    bool shift = keyboard->shift_left || keyboard->shift_right;
    char c = plain[code];
    if (keyboard->caps_lock && c >= 'a' && c <= 'z')
        shift = !shift;
    c = shift ? shifted[code] : c;
    if (!keyboard->control)
        return c;
    if (c == ' ' || c == '2' || c == '@')
        return 0;
    return c == '?' || c == '/' ? (c == '?' ? 127 : 31) : (c >= '@' && c < 127) ? (char)(c & 0x1f) : c;
}

size_t keyboard_take(struct keyboard *keyboard, uint8_t code, char *to, bool *reboot)
{
    bool pressed = !(code & RELEASED), extended = keyboard->extended;
    size_t count = 0;
    *reboot = false;
    if (keyboard->skip) {
        keyboard->skip--;
        return 0;
    }
    keyboard->extended = code == EXTENDED;
    if (code == PAUSE)
        keyboard->skip = 2;
    if (code == EXTENDED || code == PAUSE)
        return 0;
    code &= RELEASED - 1;
    /* The keys between send false Shifts around their own codes. */
    if (extended && (code == KEY_SHIFT_LEFT || code == KEY_SHIFT_RIGHT))
        return 0;
    if (modifier_take(keyboard, code, pressed) || !pressed)
        return 0;
    *reboot = code == KEY_DELETE && keyboard->control && keyboard->alt;
    const char *sequence = cursor_key(code);
    if (*reboot || sequence)
        return *reboot ? 0 : sequence_put(to, sequence);
    if (extended) {
        /* Of the keypad: Enter and the stroke. */
        if (code != 0x1c && code != 0x35)
            return 0;
        to[0] = code == 0x1c ? '\r' : '/';
        return 1;
    }
    if (code == 0x4a || code == 0x4e) {
        to[0] = code == 0x4a ? '-' : '+';
        return 1;
    }
    if (code >= sizeof plain - 1 || plain[code] == 0)
        return 0;
    if (keyboard->alt)
        to[count++] = 27;
    to[count++] = character_of(keyboard, code);
    return count;
}
