/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The object behind proc's bootstrap port in the proc boot module. */

#ifndef PROC_MODULE_FAKE_H
#define PROC_MODULE_FAKE_H

#include <ports/ports.h>

struct fake {
    struct ports_object port;
};
typedef struct fake *fake_t;
extern struct ports_class fake_class;
PORTS_MIG_HOOKS(fake, struct fake, &fake_class)

#endif
