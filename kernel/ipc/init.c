/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order in which the parts of IPC are set up. */

#include "ipc.h"

void ipc_init(void)
{
    kmsg_init();
    port_init();
    pset_init();
    space_init();
    accepted_init();
    kobject_init();
}
