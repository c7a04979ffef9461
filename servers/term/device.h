/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device.h: the Mach device below a terminal (device.defs): a character device such as "console" or "com0".

   Reading is one thread of ours that is in device_read_inband nearly always; the kernel answers as soon as there is a
   character.  Writing is device_write_inband for what fits into a message (128 bytes), device_write otherwise; the
   kernel answers when it has taken it. */

#ifndef TERM_DEVICE_H
#define TERM_DEVICE_H

#include <errno.h>
#include <mach.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct terminal;

struct device;

/* A device that is not open yet. NAME stays the caller's, for the device's life. ENOMEM. */
error_t device_create(const char *name, struct device **device);

/* Whose input it gives: called once, before device_open_if_closed. */
void device_attach(struct device *device, struct terminal *terminal);

/* Opens the device and starts to read it, if that is not so already: ENXIO (no such device), EBUSY, EPERM (we are not
   privileged), EIO. */
error_t device_open_if_closed(struct device *device);

/* Writes all of it. EIO. */
error_t device_write_all(struct device *device, const void *data, size_t size);

/* Begins or ends a break; EOPNOTSUPP: the device knows none. */
error_t device_set_break(struct device *device, bool on);

/* The modem lines, TIOCM_*, which are Mach's TM_*: read, and set.  EOPNOTSUPP: the device has none. */
error_t device_modem(struct device *device, int *bits);
error_t device_set_modem(struct device *device, int bits);

/* Sets the line's speed, in baud, where the device has one and knows this one. */
void device_set_speed(struct device *device, int baud);

#endif /* TERM_DEVICE_H */
