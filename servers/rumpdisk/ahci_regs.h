/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers of an AHCI host bus adapter (Serial ATA AHCI 1.3.1, chapter 3): byte offsets into memory region 5. */

#ifndef RUMPDISK_AHCI_REGS_H
#define RUMPDISK_AHCI_REGS_H

/* Generic host control. */
#define HBA_CAP 0x00
#define HBA_CAP_SLOTS(CAP) (((CAP) >> 8 & 31) + 1)
#define HBA_CAP_SSS (1u << 27)  /* staggered spin-up: a port spins up when told */
#define HBA_CAP_SNCQ (1u << 30) /* native command queuing */
#define HBA_CAP_S64A (1u << 31) /* 64-bit addresses */
#define HBA_GHC 0x04
#define HBA_GHC_RESET (1u << 0)
#define HBA_GHC_IE (1u << 1)
#define HBA_GHC_AE (1u << 31)
#define HBA_IS 0x08
#define HBA_PI 0x0c
#define HBA_CAP2 0x24
#define HBA_CAP2_BOH (1u << 0)
#define HBA_BOHC 0x28
#define HBA_BOHC_BIOS (1u << 0) /* the firmware owns it */
#define HBA_BOHC_OS (1u << 1)
#define HBA_BOHC_BUSY (1u << 4)

/* Ports. */
#define HBA_PORTS 32u
#define HBA_PORT(N) (0x100u + 0x80u * (N))
#define PORT_CLB 0x00
#define PORT_CLBU 0x04
#define PORT_FB 0x08
#define PORT_FBU 0x0c
#define PORT_IS 0x10
#define PORT_IE 0x14
#define PORT_CMD 0x18
#define PORT_CMD_ST (1u << 0)
#define PORT_CMD_SUD (1u << 1)
#define PORT_CMD_POD (1u << 2)
#define PORT_CMD_FRE (1u << 4)
#define PORT_CMD_FR (1u << 14)
#define PORT_CMD_CR (1u << 15)
#define PORT_TFD 0x20
#define PORT_SIG 0x24
#define PORT_SIG_ATA 0x00000101u
#define PORT_SIG_ATAPI 0xeb140101u
#define PORT_SSTS 0x28
#define PORT_SSTS_DET(SSTS) ((SSTS) & 15)
#define PORT_DET_READY 3u /* a device, and the link to it is up */
#define PORT_SCTL 0x2c
#define PORT_SERR 0x30
#define PORT_SACT 0x34
#define PORT_CI 0x38
#define PORT_SIZE 0x80u

/* Bits of PORT_IS and PORT_IE. */
#define PORT_INT_DHRS (1u << 0) /* register FIS: a command has ended */
#define PORT_INT_PSS (1u << 1)
#define PORT_INT_DSS (1u << 2)
#define PORT_INT_SDBS (1u << 3) /* set device bits: queued commands have ended */
#define PORT_INT_OFS (1u << 24) /* overflow: more data than the list had room for */
#define PORT_INT_IFS (1u << 27) /* fatal interface error */
#define PORT_INT_HBDS (1u << 28)
#define PORT_INT_HBFS (1u << 29)
#define PORT_INT_TFES (1u << 30) /* the device set ERR */
#define PORT_INT_ERRORS (PORT_INT_OFS | PORT_INT_IFS | PORT_INT_HBDS | PORT_INT_HBFS | PORT_INT_TFES)
#define PORT_INT_WANTED (PORT_INT_DHRS | PORT_INT_PSS | PORT_INT_DSS | PORT_INT_SDBS | PORT_INT_ERRORS)

#endif
