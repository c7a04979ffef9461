/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device-status flavor by which a disk driver is asked to empty its disk's write cache: device_set_status(device,
   STORE_DEVICE_FLUSH, no values).  It returns when everything written before is on the medium; D_INVALID_OPERATION from a driver that
   has nothing to flush.  Mach itself has no such call.  The value is that of a disk ioctl _IO('d', 118) in Mach's encoding.  */
#ifndef STORE_STORE_DEVICE_H
#define STORE_STORE_DEVICE_H
#define STORE_DEVICE_FLUSH (('d' << 8) | 118)
#endif
