/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A name that MIG's stubs include. */
#include "../mig_types.h"
