/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devices: see devices.h. */

#include "devices.h"

mach_port_t device_opened(const char *name)
{
    mach_port_t device = MACH_PORT_NULL;
    EXPECT(device_open(device_master, D_READ | D_WRITE, (char *)name, &device), D_SUCCESS);
    return device;
}

kern_return_t device_write_text(mach_port_t device, dev_mode_t mode, const char *text, unsigned int count, int *written)
{
    io_buf_ptr_inband_t data = {0};
    memcpy(data, text, count);
    return device_write_inband(device, mode, 0, data, count, written);
}
