/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system calls that live beside what they work on (mach/syscall_sw.h; Mach manual).  Arguments behind the sixth are
   on the user's stack. */

#ifndef X86_64_TRAPS_H
#define X86_64_TRAPS_H

#include <mach/message.h>
#include <mach/std_types.h>

#include "layout.h"

struct trap_frame;

mach_msg_return_t trap_mach_msg(uint64_t message, mach_msg_option_t option, mach_msg_size_t send_size,
                                mach_msg_size_t receive_size, mach_port_name_t receive_name,
                                mach_msg_timeout_t timeout);
/* Not to be called: where a thread goes on whose stack holds nothing but its trap's frame, after a wait in mach_msg
   (entry.S). */
void msg_wait_over(void);
boolean_t trap_swtch_pri(int priority);
boolean_t trap_swtch(void);
kern_return_t trap_thread_switch(mach_port_name_t thread, int option, mach_msg_timeout_t milliseconds);
kern_return_t trap_thread_depress_abort(mach_port_name_t thread);
kern_return_t trap_thread_set_self_state(int flavor, uint64_t state, mach_msg_type_number_t count);
kern_return_t trap_vm_map(mach_port_name_t task, uint64_t address, vm_size_t size, vm_address_t mask,
                          boolean_t anywhere, mach_port_name_t object);
kern_return_t trap_vm_allocate(mach_port_name_t task, uint64_t address, vm_size_t size, boolean_t anywhere);
kern_return_t trap_vm_deallocate(mach_port_name_t task, vm_address_t address, vm_size_t size);
kern_return_t trap_unknown(struct trap_frame *frame);
void trap_from_user(struct trap_frame *frame);
void trap_from_kernel(struct trap_frame *frame);
/* The interrupt VECTOR came, in user mode or not; the kernel lock is held. */
void trap_interrupt(unsigned int vector, bool user);

#endif
