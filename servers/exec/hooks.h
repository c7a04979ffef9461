/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the MIG stubs of exec.defs and exec_startup.defs need to turn ports into objects. */

#ifndef EXEC_HOOKS_H
#define EXEC_HOOKS_H

#include "exec.h"

typedef struct exec_boot *exec_boot_t;
extern struct ports_class exec_boot_class;
PORTS_MIG_HOOKS(exec_boot, struct exec_boot, &exec_boot_class)
PORTS_MIG_HOOKS(exec_object, struct ports_object, NULL)

#endif
