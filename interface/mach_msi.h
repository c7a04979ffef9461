/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Message-signalled interrupts for drivers in user space: what a kernel offers beside the "irq" device.  GNU Mach has
   nothing of the kind (device_open answers D_NO_SUCH_DEVICE, and drivers use interrupt lines); Quadrille's own kernel
   does as is written here.

   All of it is device.defs, on a device of the kernel's:

     device_open (device_master, D_READ | D_WRITE, "msi", &device)
         A device port with no vector yet.  D_NO_SUCH_DEVICE: this kernel, or this processor, has no message-signalled
         interrupts.

     device_get_status (device, MSI_ALLOCATE, status, &count)
         Allocates one interrupt vector, which belongs to this device port; asked again, the port gives the same.  COUNT
         must hold at least MSI_ALLOCATE_COUNT words on entry, and is MSI_ALLOCATE_COUNT after it: the number of the
         vector, as below, and what the device has to write where to raise it (PCI 3.0, 6.8.1.3 and 6.8.2): the message
         address's low and high half, and the message data, of which the upper 16 bits are 0.  The vector is
         edge-triggered and goes to one processor, of the kernel's choice. D_NO_MEMORY: no vector is free.
         D_INVALID_SIZE: COUNT is too small.

     device_intr_register (device, id, flags, port)
         ID is the vector's number, FLAGS 0, PORT a receive right's send right (MACH_MSG_TYPE_MAKE_SEND), which the
         kernel keeps. From now on the kernel sends a notification (id 100000, as for lines) to PORT when the vector
         is raised.  No device_intr_ack: nothing is masked, since nobody shares it.  The kernel has at most one
         notification of a vector waiting in PORT's queue; interrupts that come while it waits are in it, and one that
         comes after it was received is another.  So nothing is lost if the driver looks at the device after it has
         received. D_INVALID_OPERATION: ID is not this port's; D_ALREADY_OPEN: registered before.

     device_intr_ack (device, port)
         D_SUCCESS without effect: a driver may use one loop for both kinds.

   A vector is freed when the last send right of its device port is gone, so at the latest when the driver dies; PORT's
   dying too ends the notifications.  The driver turns the device's messages off before that; one that comes later is
   dropped and counted.

   Only who has the device master port gets here: a device that may write anywhere in memory can raise any vector
   anyhow. */

#ifndef MACH_MSI_H
#define MACH_MSI_H

#define MACH_MSI_DEVICE "msi"

/* Flavour of device_get_status ('m', 1), and its words. */
#define MSI_ALLOCATE (('m' << 8) | 1)
#define MSI_ALLOCATE_VECTOR 0
#define MSI_ALLOCATE_ADDRESS_LOW 1
#define MSI_ALLOCATE_ADDRESS_HIGH 2
#define MSI_ALLOCATE_DATA 3
#define MSI_ALLOCATE_COUNT 4

#endif /* MACH_MSI_H */
