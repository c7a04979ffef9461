/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device.c: see device.h.  One lock, of its own, around opening only. */

#include <device/device.h>
#include <device/device_types.h>
#include <error.h>
#include <hurd.h>
#include <ports/ports.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
/* The kernel numbers the speeds as old terminals did, under the names that <termios.h> has for others. */
#include <device/tty_status.h>
#include "device.h"
#include "terminal.h"

struct device {
    const char *name;
    struct terminal *terminal;
    pthread_mutex_t lock;
    bool open;          /* lock */
    mach_port_t port;   /* the device; constant while open */
};

error_t device_create(const char *name, struct device **device)
{
    struct device *new = calloc(1, sizeof *new);

    if (!new)
        return ENOMEM;
    new->name = name;
    pthread_mutex_init(&new->lock, NULL);
    *device = new;
    return 0;
}

void device_attach(struct device *device, struct terminal *terminal)
{
    device->terminal = terminal;
}

/* The device's errors are of a number space of their own. */
static error_t device_error(kern_return_t err)
{
    switch (err) {
    case 0:
        return 0;
    case D_NO_SUCH_DEVICE:
        return ENXIO;
    case D_ALREADY_OPEN:
        return EBUSY;
    case D_NO_MEMORY:
        return ENOMEM;
    default:
        return EIO;
    }
}

/* ---- reading ---------------------------------------------------------------------------- */

static void *read_thread(void *argument)
{
    struct device *device = argument;
    kern_return_t err;

    for (;;) {
        io_buf_ptr_inband_t data;
        mach_msg_type_number_t size = sizeof data;

        err = device_read_inband(device->port, 0, 0, sizeof data, data, &size);
        if (err)
            break;
        terminal_input(device->terminal, (const uint8_t *)data, size);
    }
    error(0, 0, "device:%s: reading failed: %s", device->name, strerror(device_error(err)));
    pthread_mutex_lock(&device->lock);
    device->open = false;
    mach_port_deallocate(mach_task_self(), device->port);
    pthread_mutex_unlock(&device->lock);
    terminal_hang_up(device->terminal);
    return NULL;
}

/* ---- opening ------------------------------------------------------------------------------ */

/* All eight bits shall pass, both ways. Devices that are no serial lines do not know this. */
static void pass_eight_bits(struct device *device)
{
    struct tty_status status;
    mach_msg_type_number_t count = TTY_STATUS_COUNT;

    if (device_get_status(device->port, TTY_STATUS, (dev_status_t)&status, &count) || count < TTY_STATUS_COUNT)
        return;
    status.tt_flags |= TF_ANYP | TF_LITOUT;
    status.tt_flags &= ~(TF_TANDEM | TF_MDMBUF);
    device_set_status(device->port, TTY_STATUS, (dev_status_t)&status, TTY_STATUS_COUNT);
}

static error_t open_locked(struct device *device)
{
    mach_port_t master;
    error_t err = get_privileged_ports(NULL, &master);

    if (err)
        return EPERM;
    err = device_error(device_open(master, D_READ | D_WRITE, device->name, &device->port));
    mach_port_deallocate(mach_task_self(), master);
    if (err)
        return err;
    pass_eight_bits(device);
    err = ports_thread_create(64 * 1024, read_thread, device);
    if (err)
        mach_port_deallocate(mach_task_self(), device->port);
    else
        device->open = true;
    return err;
}

error_t device_open_if_closed(struct device *device)
{
    error_t err = 0;

    pthread_mutex_lock(&device->lock);
    if (!device->open)
        err = open_locked(device);
    pthread_mutex_unlock(&device->lock);
    return err;
}

/* ---- writing -------------------------------------------------------------------------------- */

error_t device_write_all(struct device *device, const void *data, size_t size)
{
    const char *bytes = data;

    while (size > 0) {
        kern_return_t err;
        int written = 0;

        if (size <= IO_INBAND_MAX)
            err = device_write_inband(device->port, 0, 0, bytes, size, &written);
        else
            err = device_write(device->port, 0, 0, (io_buf_ptr_t)bytes, size, &written);
        if (err || written <= 0 || (size_t)written > size)
            return EIO;
        bytes += written;
        size -= written;
    }
    return 0;
}

/* ---- speed ------------------------------------------------------------------------------------- */

static const struct { int baud, code; } speeds[] = {
    { 50, B50 }, { 75, B75 }, { 110, B110 }, { 134, B134 }, { 150, B150 }, { 200, B200 }, { 300, B300 }, { 600, B600 },
    { 1200, B1200 }, { 1800, B1800 }, { 2400, B2400 }, { 4800, B4800 }, { 9600, B9600 }, { 19200, B19200 },
    { 38400, B38400 }, { 57600, B57600 }, { 115200, B115200 },
};

void device_set_speed(struct device *device, int baud)
{
    struct tty_status status;
    mach_msg_type_number_t count = TTY_STATUS_COUNT;

    for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++) {
        if (speeds[i].baud != baud)
            continue;
        if (device_get_status(device->port, TTY_STATUS, (dev_status_t)&status, &count) || count < TTY_STATUS_COUNT)
            return;
        status.tt_ispeed = status.tt_ospeed = speeds[i].code;
        device_set_status(device->port, TTY_STATUS, (dev_status_t)&status, TTY_STATUS_COUNT);
        return;
    }
}

/* ---- breaks and modem lines ------------------------------------------------------------------------ */

error_t device_set_break(struct device *device, bool on)
{
    int nothing = 0;
    kern_return_t err = device_set_status(device->port, on ? TTY_SET_BREAK : TTY_CLEAR_BREAK, (dev_status_t)&nothing,
                                          0);

    return err == D_INVALID_OPERATION ? EOPNOTSUPP : device_error(err);
}

error_t device_modem(struct device *device, int *bits)
{
    mach_msg_type_number_t count = TTY_MODEM_COUNT;
    kern_return_t err = device_get_status(device->port, TTY_MODEM, (dev_status_t)bits, &count);

    if (!err && count < TTY_MODEM_COUNT)
        return EOPNOTSUPP;
    return err == D_INVALID_OPERATION ? EOPNOTSUPP : device_error(err);
}

error_t device_set_modem(struct device *device, int bits)
{
    kern_return_t err = device_set_status(device->port, TTY_MODEM, (dev_status_t)&bits, TTY_MODEM_COUNT);

    return err == D_INVALID_OPERATION ? EOPNOTSUPP : device_error(err);
}
