/* SPDX-License-Identifier: GPL-2.0-or-later */
/* I/O ports of the IDE driver: the processor's in the server, a drive made of bytes in the unit test. */

#ifndef RUMPDISK_IDE_IO_H
#define RUMPDISK_IDE_IO_H

#include <stdint.h>

uint8_t ide_in8(uint16_t port);
uint16_t ide_in16(uint16_t port);
void ide_out8(uint16_t port, uint8_t value);
void ide_out16(uint16_t port, uint16_t value);
void ide_out32(uint16_t port, uint32_t value);

#endif
