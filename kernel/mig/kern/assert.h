/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A name that mach/machine/vm_types.h includes. */
#ifndef assert
#include "../../base/base.h"
#endif
