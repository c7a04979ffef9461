/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A name that mach/memory_object.h includes. */
#include "../mig_types.h"
