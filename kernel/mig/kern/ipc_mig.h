/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How MIG's user stubs of the kernel send: see ipc/ipc.h. */
#include "../mig_types.h"
#include <mach/message.h>
mach_msg_return_t mach_msg_send_from_kernel(mach_msg_header_t *message, mach_msg_size_t size);
mach_msg_return_t mach_msg_rpc_from_kernel(mach_msg_header_t *message, mach_msg_size_t send_size,
                                           mach_msg_size_t reply_size);
