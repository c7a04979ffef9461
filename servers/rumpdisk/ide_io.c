/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processor's I/O ports; see ide_io.h. */

#include "ide_io.h"

#include <pci/portio.h>

uint8_t ide_in8(uint16_t port)
{
    return port_in8(port);
}

uint16_t ide_in16(uint16_t port)
{
    return port_in16(port);
}

void ide_out8(uint16_t port, uint8_t value)
{
    port_out8(port, value);
}

void ide_out16(uint16_t port, uint16_t value)
{
    port_out16(port, value);
}

void ide_out32(uint16_t port, uint32_t value)
{
    port_out32(port, value);
}
