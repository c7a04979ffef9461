/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hooks that turn ports into diskfs objects in MIG's server stubs of fs.defs, io.defs and fsys.defs (see
   meson.build).  */

#ifndef DISKFS_MIG_HOOKS_H
#define DISKFS_MIG_HOOKS_H

#include "diskfs-internal.h"

typedef struct diskfs_protid *diskfs_protid_t;
typedef struct diskfs_control *diskfs_control_t;

PORTS_MIG_HOOKS(diskfs_protid, struct diskfs_protid, &diskfs_protid_class)
PORTS_MIG_HOOKS(diskfs_control, struct diskfs_control, &diskfs_control_class)

#endif /* DISKFS_MIG_HOOKS_H */
