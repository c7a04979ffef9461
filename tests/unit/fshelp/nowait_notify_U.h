/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stand-ins for MIG's stubs of lib/fshelp/nowait_notify.defs, in test_notify.c. */

#include <hurd/hurd_types.h>
#include <mach.h>

kern_return_t nowait_dir_changed(mach_port_t to, mach_port_t reply, mach_msg_type_name_t reply_type, int option,
                                 natural_t tick, dir_changed_type_t change, string_t name);
kern_return_t nowait_file_changed(mach_port_t to, mach_port_t reply, mach_msg_type_name_t reply_type, int option,
                                  natural_t tick, file_changed_type_t change, loff_t start, loff_t end);
