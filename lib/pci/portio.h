/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processor's I/O instructions; the task must have been given the ports (i386_io_perm_modify). */

#ifndef PCI_PORTIO_H
#define PCI_PORTIO_H

#include <stdint.h>

#define PORTIO(SUFFIX, TYPE)                                                    \
    static inline TYPE port_in##SUFFIX(uint16_t port)                           \
    {                                                                           \
        TYPE value;                                                             \
        __asm__ volatile("in %1, %0" : "=a"(value) : "d"(port) : "memory");     \
        return value;                                                           \
    }                                                                           \
    static inline void port_out##SUFFIX(uint16_t port, TYPE value)              \
    {                                                                           \
        __asm__ volatile("out %0, %1" : : "a"(value), "d"(port) : "memory");    \
    }
PORTIO(8, uint8_t)
PORTIO(16, uint16_t)
PORTIO(32, uint32_t)
#undef PORTIO

#endif
