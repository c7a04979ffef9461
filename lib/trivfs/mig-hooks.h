/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hooks that turn ports into trivfs objects in MIG server stubs. A meson.build that makes stubs for a trivfs node uses the list
   `trivfs_mig_defines` of lib/trivfs/meson.build, which names these functions for FILE, IO, FSYS, TERM, PCI, EXEC... ports. */

#ifndef TRIVFS_MIG_HOOKS_H
#define TRIVFS_MIG_HOOKS_H

#include <trivfs/trivfs.h>

typedef struct trivfs_protid *trivfs_protid_t;
typedef struct trivfs_control *trivfs_control_t;

/* NULL when PORT is no node port (control port) of trivfs; otherwise with a reference. */
trivfs_protid_t begin_using_trivfs_protid(mach_port_t port);
trivfs_protid_t begin_using_trivfs_protid_payload(unsigned long payload);
void end_using_trivfs_protid(trivfs_protid_t protid);
trivfs_control_t begin_using_trivfs_control(mach_port_t port);
trivfs_control_t begin_using_trivfs_control_payload(unsigned long payload);
void end_using_trivfs_control(trivfs_control_t control);

#endif /* TRIVFS_MIG_HOOKS_H */
