/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzz target: the kernel's ports, spaces, rights and messages (tests/unit/kernel_ipc/play.c): operations on two
   spaces, with messages of any items, and memory that runs out.
   Sources: kernel/ipc/accepted.c kernel/ipc/body.c kernel/ipc/kmsg.c kernel/ipc/mach_port.c kernel/ipc/msg.c
       kernel/ipc/notify.c kernel/ipc/port.c kernel/ipc/pset.c kernel/ipc/right.c kernel/ipc/space.c
       tests/unit/kernel_ipc/host.c tests/unit/kernel_ipc/play.c
   Flags: @kernel
   Max: 2000  */

#include "tests/unit/kernel_ipc/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ipc_play(data, size);
    return 0;
}
