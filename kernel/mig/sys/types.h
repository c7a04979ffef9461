/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A name that mach_debug/slab_info.h includes. */
#include <stddef.h>
