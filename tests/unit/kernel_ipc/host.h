/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.h: what kernel/ipc stands on, on this host: memory that is counted, one processor with one thread, a window of
   user memory, waits that end at once.  The kernel's files are compiled as they are; the processor's data are behind
   the gs base here too.  */

#ifndef UNIT_KERNEL_IPC_HOST_H
#define UNIT_KERNEL_IPC_HOST_H

#include "../../../kernel/ipc/msg.h"
#include "mach_port_S.h"

/* The user memory there is: HOST_USER_SIZE bytes from address HOST_USER on; elsewhere nothing is mapped. */
#define HOST_USER 0x10000ul
#define HOST_USER_SIZE 65536u
extern uint8_t host_user[HOST_USER_SIZE];

/* Sets everything up, once. */
void host_init(void);
/* The space that traps are about from now on. */
void host_space_use(struct ipc_space *space);
/* Objects that were allocated and not freed; what the thread keeps is freed first. */
size_t host_objects(void);
/* The COUNT'th allocation from now on fails, and no other (0: none does). */
extern unsigned int host_fail;

/* Carries out what DATA says, byte by byte, in two spaces: names made, counted, given up, messages sent and received.
   Checks that spaces and ports agree after each step, and that nothing is left when both spaces have ended. */
void ipc_play(const uint8_t *data, size_t size);

#endif
