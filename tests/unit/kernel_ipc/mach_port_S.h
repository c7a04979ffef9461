/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In the place of MIG's header, which the host does not make: the routines of mach_port.defs that
   kernel/ipc/mach_port.c defines. */

#ifndef MACH_PORT_S_H
#define MACH_PORT_S_H

#include <mach/notify.h>
#include <mach/port.h>

kern_return_t rpc_mach_port_names(ipc_space_t space, mach_port_name_array_t *names, mach_msg_type_number_t *names_count,
                                  mach_port_type_array_t *types, mach_msg_type_number_t *types_count);
kern_return_t rpc_mach_port_type(ipc_space_t space, mach_port_name_t name, mach_port_type_t *type);
kern_return_t rpc_mach_port_rename(ipc_space_t space, mach_port_name_t old_name, mach_port_name_t new_name);
kern_return_t rpc_mach_port_allocate_name(ipc_space_t space, mach_port_right_t right, mach_port_name_t name);
kern_return_t rpc_mach_port_allocate(ipc_space_t space, mach_port_right_t right, mach_port_name_t *name);
kern_return_t rpc_mach_port_destroy(ipc_space_t space, mach_port_name_t name);
kern_return_t rpc_mach_port_deallocate(ipc_space_t space, mach_port_name_t name);
kern_return_t rpc_mach_port_get_refs(ipc_space_t space, mach_port_name_t name, mach_port_right_t right,
                                     mach_port_urefs_t *refs);
kern_return_t rpc_mach_port_mod_refs(ipc_space_t space, mach_port_name_t name, mach_port_right_t right,
                                     mach_port_delta_t delta);
kern_return_t rpc_mach_port_set_qlimit(ipc_space_t space, mach_port_name_t name, mach_port_msgcount_t qlimit);
kern_return_t rpc_mach_port_set_mscount(ipc_space_t space, mach_port_name_t name, mach_port_mscount_t mscount);
kern_return_t rpc_mach_port_set_seqno(ipc_space_t space, mach_port_name_t name, mach_port_seqno_t seqno);
kern_return_t rpc_mach_port_get_set_status(ipc_space_t space, mach_port_name_t name, mach_port_name_array_t *members,
                                           mach_msg_type_number_t *count);
kern_return_t rpc_mach_port_move_member(ipc_space_t space, mach_port_name_t member, mach_port_name_t after);
kern_return_t rpc_mach_port_request_notification(ipc_space_t space, mach_port_name_t name, mach_msg_id_t id,
                                                 mach_port_mscount_t sync, ipc_port_t notify, ipc_port_t *previous);
kern_return_t rpc_mach_port_insert_right(ipc_space_t space, mach_port_name_t name, ipc_port_t right,
                                         mach_msg_type_name_t type);
kern_return_t rpc_mach_port_extract_right(ipc_space_t space, mach_port_name_t name, mach_msg_type_name_t type,
                                          ipc_port_t *right, mach_msg_type_name_t *right_type);
kern_return_t rpc_mach_port_get_receive_status(ipc_space_t space, mach_port_name_t name, mach_port_status_t *status);
kern_return_t rpc_mach_port_set_protected_payload(ipc_space_t space, mach_port_name_t name, rpc_uintptr_t payload);
kern_return_t rpc_mach_port_clear_protected_payload(ipc_space_t space, mach_port_name_t name);

#endif
