/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the generated stubs of memory_object.defs need.  */
#include "pager-internal.h"
typedef struct pager *pager_t;
