/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devices.h: what the cases about devices share. */

#ifndef TESTS_KERNEL_DEVICES_H
#define TESTS_KERNEL_DEVICES_H

#include "frame.h"

#include <device/device.h>

/* The device NAME, open to read and write; MACH_PORT_NULL if there is none (and the case fails). */
mach_port_t device_opened(const char *name);
/* Writes COUNT bytes of TEXT by device_write_inband, whose argument is a whole buffer, by its type. */
kern_return_t device_write_text(mach_port_t device, dev_mode_t mode, const char *text, unsigned int count,
                                int *written);

#endif /* TESTS_KERNEL_DEVICES_H */
