/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.c: startup must be able to end the system when the disk is gone, so it does not leave memory.

   All its memory is wired, region by region; of the stack, which is big and nearly all untouched, only what is in use
   and some pages below. */

#include <mach.h>
#include <mach/mach_host.h>

#include "startup.h"

enum { STACK_RESERVE = 64 << 10 };

static vm_address_t stack_bottom(void)
{
    vm_address_t here = (vm_address_t)__builtin_frame_address(0);
    return trunc_page(here - STACK_RESERVE);
}

error_t wire_self(mach_port_t host_priv)
{
    vm_address_t address = 0, bottom = stack_bottom();
    vm_size_t size;
    for (;;) {
        vm_prot_t protection, most;
        vm_inherit_t inheritance;
        boolean_t shared;
        mach_port_t object = MACH_PORT_NULL;
        vm_offset_t offset;
        if (vm_region(mach_task_self(), &address, &size, &protection, &most, &inheritance, &shared, &object, &offset))
            return 0;  /* no more regions */
        if (MACH_PORT_VALID(object))
            mach_port_deallocate(mach_task_self(), object);
        vm_address_t from = address;
        if (from < bottom && bottom < address + size)
            from = bottom;
        if (protection != VM_PROT_NONE) {
            error_t err = vm_wire(host_priv, mach_task_self(), from, address + size - from, protection);
            if (err)
                return err;
        }
        address += size;
    }
}
