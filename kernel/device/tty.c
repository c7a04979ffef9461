/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The devices "console" (and its other name, "com0") and "kmsg". */

#include "console.h"
#include "device.h"

#include <device/tty_status.h>

/* What was set, for whoever asks; the line itself is always raw, and as fast as it was set up: speeds and modes are the
   terminal server's business. */
static struct tty_status tty_status = {.tt_ispeed = B115200, .tt_ospeed = B115200,
                                       .tt_flags = TF_ANYP | TF_LITOUT | TF_ECHO | TF_CRMOD | TF_XTABS};

static kern_return_t console_read(struct device *device, uint64_t record, char *to, uint32_t size, uint32_t *count)
{
    (void)device, (void)record;
    *count = (uint32_t)console_input_read(to, size);
    return D_SUCCESS;
}

static kern_return_t console_device_write(struct device *device, uint64_t record, const char *from, uint32_t size,
                                          uint32_t *written)
{
    (void)device, (void)record;
    *written = (uint32_t)console_write(from, size);
    return D_SUCCESS;
}

static kern_return_t console_get_status(struct device *device, dev_flavor_t flavor, dev_status_t status,
                                        mach_msg_type_number_t *count)
{
    (void)device;
    if (flavor != TTY_STATUS || *count < TTY_STATUS_COUNT)
        return D_INVALID_OPERATION;
    *(struct tty_status *)status = tty_status;
    *count = TTY_STATUS_COUNT;
    return D_SUCCESS;
}

static kern_return_t console_set_status(struct device *device, dev_flavor_t flavor, const dev_status_t status,
                                        mach_msg_type_number_t count)
{
    (void)device;
    if (flavor != TTY_STATUS || count < TTY_STATUS_COUNT)
        return D_INVALID_OPERATION;
    const struct tty_status *wanted = (const struct tty_status *)status;
    if (wanted->tt_ispeed < 0 || wanted->tt_ispeed >= NSPEEDS || wanted->tt_ospeed < 0 || wanted->tt_ospeed >= NSPEEDS)
        return D_INVALID_OPERATION;
    tty_status = *wanted;
    return D_SUCCESS;
}

/* The log is read like a terminal: each read goes on where the last one ended, from the oldest words on after each
   open; at the end it waits for more. */
static size_t kmsg_position;

static kern_return_t kmsg_open(struct device *device, struct device **instance)
{
    kmsg_position = 0;
    *instance = device;
    return D_SUCCESS;
}

static kern_return_t kmsg_read(struct device *device, uint64_t record, char *to, uint32_t size, uint32_t *count)
{
    (void)device, (void)record;
    *count = (uint32_t)console_log_read(&kmsg_position, to, size);
    return D_SUCCESS;
}

const struct device_ops console_ops = {.read = console_read,
                                       .write = console_device_write,
                                       .get_status = console_get_status,
                                       .set_status = console_set_status,
                                       .waits = true};
const struct device_ops kmsg_ops = {.open = kmsg_open, .read = kmsg_read, .waits = true};
