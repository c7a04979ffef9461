/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel says to pagers: MIG's user stubs of memory_object.defs and memory_object_default.defs, and the port's
   side of an object's life. */

#ifndef VM_PAGER_H
#define VM_PAGER_H

#include <mach/kern_return.h>
#include <mach/machine/vm_types.h>
#include <mach/boolean.h>
#include <mach/vm_prot.h>

struct ipc_port;

kern_return_t memory_object_init(struct ipc_port *pager, struct ipc_port *control, struct ipc_port *name,
                                 rpc_vm_size_t page_size);
kern_return_t memory_object_terminate(struct ipc_port *pager, struct ipc_port *control, struct ipc_port *name);
kern_return_t memory_object_data_request(struct ipc_port *pager, struct ipc_port *control, rpc_vm_offset_t offset,
                                         rpc_vm_size_t length, vm_prot_t access);
kern_return_t memory_object_data_unlock(struct ipc_port *pager, struct ipc_port *control, rpc_vm_offset_t offset,
                                        rpc_vm_size_t length, vm_prot_t access);
kern_return_t memory_object_data_return(struct ipc_port *pager, struct ipc_port *control, rpc_vm_offset_t offset,
                                        vm_offset_t data, unsigned int size, boolean_t dirty, boolean_t kernel_copy);
kern_return_t memory_object_copy(struct ipc_port *pager, struct ipc_port *control, rpc_vm_offset_t offset,
                                 rpc_vm_size_t length, struct ipc_port *new_pager);
kern_return_t memory_object_create(struct ipc_port *manager, struct ipc_port *pager, rpc_vm_size_t size,
                                   struct ipc_port *control, struct ipc_port *name, rpc_vm_size_t page_size);
kern_return_t memory_object_lock_completed(struct ipc_port *reply, unsigned int reply_type, struct ipc_port *control,
                                           rpc_vm_offset_t offset, rpc_vm_size_t length);
kern_return_t memory_object_supply_completed(struct ipc_port *reply, unsigned int reply_type, struct ipc_port *control,
                                             rpc_vm_offset_t offset, rpc_vm_size_t length, kern_return_t result,
                                             rpc_vm_offset_t error_offset);
kern_return_t memory_object_change_completed(struct ipc_port *reply, unsigned int reply_type, boolean_t may_cache,
                                             int copy_strategy);

/* The port of a pager (ipc_port.is_pager) died. */
void object_pager_died(struct ipc_port *port);

#endif
