/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys of a PC keyboard (scan code set 1, layout US) as the characters and sequences of a terminal.  Pure: a unit test
   runs it on the host. */

#ifndef DEVICE_KEYBOARD_H
#define DEVICE_KEYBOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYBOARD_MAX 8 /* characters of one key */

/* All zero at first. */
struct keyboard {
    bool shift_left, shift_right, control, alt, caps_lock, extended;
    uint8_t skip; /* codes of the Pause key that are still to come */
};

/* The keyboard sent CODE: the characters it means go to TO (room for KEYBOARD_MAX), and how many there are is the
   result.  *REBOOT: it was Delete with Control and Alt. */
size_t keyboard_take(struct keyboard *keyboard, uint8_t code, char *to, bool *reboot);

#endif
