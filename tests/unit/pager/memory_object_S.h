/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands for the header that MIG makes of memory_object.defs: the routines of lib/pager/serve.c, which the test calls
   as the kernel would.  */
#ifndef PAGER_UNIT_MEMORY_OBJECT_S_H
#define PAGER_UNIT_MEMORY_OBJECT_S_H

#include "../../../lib/pager/pager-internal.h"

typedef struct pager *pager_t;

kern_return_t S_memory_object_init(pager_t pager, mach_port_t control, mach_port_t name, vm_size_t page_size);
kern_return_t S_memory_object_terminate(pager_t pager, mach_port_t control, mach_port_t name);
kern_return_t S_memory_object_copy(pager_t pager, mach_port_t control, vm_offset_t offset, vm_size_t length,
                                   mach_port_t object);
kern_return_t S_memory_object_data_request(pager_t pager, mach_port_t control, vm_offset_t offset, vm_size_t length,
                                           vm_prot_t access);
kern_return_t S_memory_object_data_unlock(pager_t pager, mach_port_t control, vm_offset_t offset, vm_size_t length,
                                          vm_prot_t access);
kern_return_t S_memory_object_data_return(pager_t pager, mach_port_t control, vm_offset_t offset, vm_offset_t data,
                                          mach_msg_type_number_t length, boolean_t dirty, boolean_t kernel_copy);
kern_return_t S_memory_object_lock_completed(pager_t pager, mach_port_t control, vm_offset_t offset, vm_size_t length);
kern_return_t S_memory_object_supply_completed(pager_t pager, mach_port_t control, vm_offset_t offset, vm_size_t length,
                                               kern_return_t result, vm_offset_t error_offset);
kern_return_t S_memory_object_change_completed(pager_t pager, boolean_t may_cache,
                                               memory_object_copy_strategy_t strategy);

/* The table of MIG's, of which lib/pager takes the address only.  */
static inline mig_routine_t memory_object_server_routine(const mach_msg_header_t *message)
{
    (void)message;
    return NULL;
}

#endif /* PAGER_UNIT_MEMORY_OBJECT_S_H */
