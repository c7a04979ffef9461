/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lib/store and the disk drivers of user space agree on beyond Mach's device interface.

   The device-status flavor by which a disk driver is asked to empty its disk's write cache: device_set_status(device,
   STORE_DEVICE_FLUSH, no values).  It returns when everything written before is on the medium; D_INVALID_OPERATION from
   a driver that has nothing to flush.  Mach itself has no such call.  The value is that of a disk ioctl _IO('d', 118)
   in Mach's encoding.  */
#ifndef STORE_STORE_DEVICE_H
#define STORE_STORE_DEVICE_H
#define STORE_DEVICE_FLUSH (('d' << 8) | 118)

/* The flavor of device_get_status that tells the size of any disk, where DEV_GET_RECORDS ends at 2^32 records: the
   number of records (low word, high word), bytes of a record, abilities.  D_INVALID_OPERATION from a driver that does
   not know it.  */
#define STORE_DEVICE_SIZE (('d' << 8) | 119)
#define STORE_DEVICE_SIZE_LOW 0
#define STORE_DEVICE_SIZE_HIGH 1
#define STORE_DEVICE_SIZE_RECORD 2
#define STORE_DEVICE_SIZE_ABILITIES 3
#define STORE_DEVICE_SIZE_COUNT 4
/* An ability: device_write knows the mode bit STORE_DEVICE_THROUGH.  */
#define STORE_DEVICE_CAN_THROUGH 1

/* In the mode of device_write: the reply comes when the data is on the medium, past the disk's cache (FUA).  */
#define STORE_DEVICE_THROUGH 0x1000

#endif
