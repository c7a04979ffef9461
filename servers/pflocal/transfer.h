/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transfer: what sock.c and transfer.c share. */

#ifndef PFLOCAL_TRANSFER_H
#define PFLOCAL_TRANSFER_H

#include "sock.h"

extern pthread_mutex_t sock_lock;
extern const ports_interface_t addr_interfaces[];

#endif /* PFLOCAL_TRANSFER_H */
