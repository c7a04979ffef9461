/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot module's test object and its hooks for MIG.  */

#ifndef PROBE_H
#define PROBE_H

#include <ports/ports.h>

struct probe {
    struct ports_object port;
    int value;
};
typedef struct probe *probe_object_t;
typedef char probe_data_t[2048];
typedef char probe_large_t[32768];
typedef char *probe_mem_t;
typedef const char *const_probe_mem_t;
typedef mach_port_t probe_t;

extern struct ports_class probe_class;
PORTS_MIG_HOOKS(probe, struct probe, &probe_class)

#endif
