/* SPDX-License-Identifier: GPL-2.0-or-later */
/* experimental.defs: what drivers in user space used before gnumach.defs and the device `irq` had it.  Memory is still
   given; for interrupts GNU Mach refers to the device, too. */

#include "../ipc/ipc.h"
#include "../mig/mig_types.h"
#include "../vm/map.h"
#include "experimental_S.h"
#include "gnumach_S.h"

#include <device/device_types.h>

kern_return_t experimental_vm_allocate_contiguous(host_t host, vm_map_t map, vm_address_t *address,
                                                  vm_address_t *physical, vm_size_t size)
{
    rpc_phys_addr_t at = 0;
    kern_return_t kr = rpc_vm_allocate_contiguous(host, map, address, &at, size, 0, UINT64_MAX, PAGE_SIZE);
    *physical = at;
    return kr;
}

kern_return_t experimental_device_intr_register(ipc_port_t master, int line, int id, int flags, ipc_port_t port)
{
    (void)master, (void)line, (void)id, (void)flags, (void)port;
    return D_INVALID_OPERATION;
}

kern_return_t experimental_device_intr_enable(ipc_port_t master, int line, char status)
{
    (void)line, (void)status;
    return port_kobject(master, KOBJECT_DEVICE_MASTER) ? KERN_INVALID_ARGUMENT : D_INVALID_OPERATION;
}
