/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pci: configuration space for drivers and for the arbiter.

   pci_open finds a way to the bus in this order (running_rump_for_slash.txt, change 1): the task's bootstrap port, then
   /servers/bus/pci, then the hardware itself (configuration mechanism 1, ports 0xcf8 to 0xcff).  What lies behind is a
   `struct pci_bus` with an operations table; everything else here works on any of them, so it runs in unit tests on a
   configuration space made of bytes.

   Source of the register layout: PCI Local Bus Specification 3.0, chapter 6, and PCI-to-PCI Bridge 1.2, chapter 3.
   The hardware back end uses the ports for what they reach (domain 0, 256 bytes: one access there costs less than a
   page fault) and the memory-mapped space of PCI Express (pci_hardware_extend) for the rest: 4096 bytes, more domains.
   Left out: assigning addresses or bus numbers (the firmware has done that), CardBus bridges.

   A device is driven by one driver: see pci_function_claim.

   Threads: a bus may be used by several threads; back ends that need it lock themselves.  */

#ifndef PCI_PCI_H
#define PCI_PCI_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Registers of configuration space. */
#define PCI_VENDOR_ID 0x00
#define PCI_DEVICE_ID 0x02
#define PCI_COMMAND 0x04
#define PCI_COMMAND_IO 0x0001
#define PCI_COMMAND_MEMORY 0x0002
#define PCI_COMMAND_MASTER 0x0004
#define PCI_COMMAND_INTX_DISABLE 0x0400
#define PCI_STATUS 0x06
#define PCI_STATUS_CAPABILITIES 0x0010
#define PCI_REVISION 0x08 /* below the three bytes of the class code */
#define PCI_HEADER_TYPE 0x0e
#define PCI_HEADER_MULTI 0x80
#define PCI_BAR0 0x10
#define PCI_SECONDARY_BUS 0x19
#define PCI_CAPABILITIES 0x34
#define PCI_ROM 0x30
#define PCI_ROM_BRIDGE 0x38
#define PCI_INTERRUPT_LINE 0x3c
#define PCI_INTERRUPT_PIN 0x3d
#define PCI_CONFIG_SIZE 256u
#define PCI_CONFIG_EXTENDED 4096u /* of a PCI Express function, where the memory-mapped space reaches it */
#define PCI_HEADER_SIZE 64u

/* Capabilities. */
#define PCI_CAP_MSI 0x05
#define PCI_CAP_VENDOR 0x09
#define PCI_CAP_EXPRESS 0x10
#define PCI_CAP_MSIX 0x11

/* Class codes (base class and subclass). */
#define PCI_CLASS_SATA 0x0106
#define PCI_CLASS_NVM 0x0108
#define PCI_CLASS_BRIDGE_HOST 0x0600
#define PCI_CLASS_BRIDGE_PCI 0x0604

#define PCI_BARS 6

struct pci_address {
    uint16_t domain;
    uint8_t bus;
    uint8_t device;   /* 0 to 31 */
    uint8_t function; /* 0 to 7 */
};

/* One base address register; size 0: not there (or the upper half of the one before). */
struct pci_region {
    uint64_t base; /* bus address, or the first I/O port */
    uint64_t size; /* bytes */
    bool is_io;
    bool is_prefetchable;
    bool is_64;
};

/* A function that answers: what the scan has read of it. */
struct pci_function {
    struct pci_address address;
    uint16_t vendor_id;
    uint16_t device_id;
    uint32_t class_code;  /* class, subclass, programming interface: 24 bits */
    uint8_t revision;
    uint8_t header_type;  /* without the multi-function bit: 0 device, 1 bridge to PCI, 2 to CardBus */
    uint8_t secondary;    /* the bus behind a bridge */
    uint8_t irq_line;     /* as the firmware routed it; 0xff: none */
    uint8_t irq_pin;      /* 0: uses none, 1 to 4: INTA to INTD */
    struct pci_region regions[PCI_BARS];
    uint64_t rom_base, rom_size;  /* expansion ROM; size 0: none */
    unsigned int config_size;     /* bytes of configuration space that can be reached: 256, or 4096 (PCI Express) */
};

/* Buses FIRST to LAST of a domain, their configuration space at BASE (that of bus 0) in physical memory. */
struct pci_segment {
    uint64_t base;
    uint16_t domain;
    uint8_t first, last;
};

struct pci_bus;

/* Called for each function; any other result than 0 ends the walk and is its result.  FUNCTION is the walk's own. */
typedef error_t (*pci_visit_t)(struct pci_bus *bus, const struct pci_function *function, void *arg);

/* What a way to the bus must be able to do. Constant, one per back end. */
struct pci_bus_ops {
    const char *name; /* for messages to people */
    /* SIZE (1, 2 or 4) bytes at register REG, aligned to SIZE and inside 4096 bytes: the callers below see to that.
       A function that is not there reads as ones and ignores writes.  EIO, or the error of the server behind. */
    error_t (*read)(struct pci_bus *bus, struct pci_address address, unsigned int reg, uint32_t *value,
                    unsigned int size);
    error_t (*write)(struct pci_bus *bus, struct pci_address address, unsigned int reg, uint32_t value,
                     unsigned int size);
    /* LENGTH bytes at REG, inside 4096, as one request. NULL: by the largest aligned accesses that fit. */
    error_t (*read_bytes)(struct pci_bus *bus, struct pci_address address, unsigned int reg, void *data, size_t length);
    /* Walks all functions. NULL: by looking for them in configuration space. */
    error_t (*walk)(struct pci_bus *bus, pci_visit_t visit, void *arg);
    /* Fills regions and ROM place of FUNCTION. NULL: by sizing the registers, which disturbs a device in use, so only
       the one who owns the bus does it. */
    error_t (*regions)(struct pci_bus *bus, struct pci_function *function);
    /* Contents of the expansion ROM, malloc'd. NULL: by mapping it. */
    error_t (*rom)(struct pci_bus *bus, const struct pci_function *function, void **data, size_t *size);
    /* Makes ADDRESS's function the caller's alone: see pci_function_claim. NULL: the bus is the caller's alone. */
    error_t (*claim)(struct pci_bus *bus, struct pci_address address);
};

/* First member of every back end's own structure, which lives as long as the task. */
struct pci_bus {
    const struct pci_bus_ops *ops;
    const struct pci_segment *segments; /* memory-mapped configuration space; constant; ordered by domain and bus */
    unsigned int segment_count;         /* 0: ports only, domain 0 */
};

/* ---- the bus and its functions (scan.c: no system call, any back end) ------- */

/* Configuration space: SIZE 1, 2 or 4, REG aligned to it; else EINVAL.  Values are in the processor's byte order. */
error_t pci_config_read(struct pci_bus *bus, struct pci_address address, unsigned int reg, uint32_t *value,
                        unsigned int size);
error_t pci_config_write(struct pci_bus *bus, struct pci_address address, unsigned int reg, uint32_t value,
                         unsigned int size);

/* The same for LENGTH bytes at any REG as one string of bytes, in the largest aligned accesses that fit.  EINVAL when
   it is not inside 4096 bytes; what is beyond the function's own space reads as ones. */
error_t pci_config_read_bytes(struct pci_bus *bus, struct pci_address address, unsigned int reg, void *data,
                              size_t length);
error_t pci_config_write_bytes(struct pci_bus *bus, struct pci_address address, unsigned int reg, const void *data,
                               size_t length);

/* Walks all functions in the order of their addresses, bridges before what is behind them.  Each bus is entered once,
   whatever numbers the bridges claim. The visitor's result, or an error of the back end. Regions are not filled. */
error_t pci_bus_walk(struct pci_bus *bus, pci_visit_t visit, void *arg);

/* Reads the header of the function at ADDRESS; config_size is 256 after it. ENXIO when nothing answers there. */
error_t pci_function_probe(struct pci_bus *bus, struct pci_address address, struct pci_function *function);

/* Makes config_size 4096 where FUNCTION is a PCI Express one and the bus's memory-mapped space covers it. */
void pci_function_extend(struct pci_bus *bus, struct pci_function *function);

/* Fills regions, rom_base and rom_size. */
error_t pci_function_regions(struct pci_bus *bus, struct pci_function *function);

/* Register of the capability with ID, 0 if there is none. A list that loops ends. */
unsigned int pci_function_capability(struct pci_bus *bus, const struct pci_function *function, uint8_t id);

/* The same, behind the capability at register AFTER (0: the first): some come several times. */
unsigned int pci_function_capability_next(struct pci_bus *bus, const struct pci_function *function, uint8_t id,
                                          unsigned int after);

/* Changes the command register: sets SET, then clears CLEAR. */
error_t pci_function_command(struct pci_bus *bus, const struct pci_function *function, uint16_t set, uint16_t clear);

/* ---- interrupts as messages (msi.c) ---------------------------------------------- */

/* How FUNCTION sends its interrupts as messages. */
struct pci_msi {
    unsigned int capability; /* its register */
    uint32_t control;        /* as it was found */
    unsigned int entries;    /* MSI-X: of its table; 0: plain MSI */
    unsigned int region;     /* MSI-X: where the table is */
    uint32_t offset;
};

/* What the function shall write where; the kernel's choice (interface/mach_msi.h). */
struct pci_msi_message {
    uint64_t address;
    uint32_t data;
};

/* MSI-X if FUNCTION, whose regions are filled in, has it and the table is where it says, else MSI. ENOENT: only a line.
   */
error_t pci_msi_find(struct pci_bus *bus, const struct pci_function *function, struct pci_msi *msi);
/* Has FUNCTION send MESSAGE for all of its interrupts and use its line no more. TABLE: MSI-X: the mapped table.
   ENOTSUP: the address is too high; then, and after other errors, it uses its line. */
error_t pci_msi_enable(struct pci_bus *bus, const struct pci_function *function, const struct pci_msi *msi,
                       const struct pci_msi_message *message, volatile uint32_t *table);
void pci_msi_disable(struct pci_bus *bus, const struct pci_function *function, const struct pci_msi *msi);

/* Makes FUNCTION the caller's alone, for as long as BUS is open and the caller lives.  To be called before a driver
   touches the device.  EBUSY: another driver has it.  Behind an arbiter this is the exclusive lock of the function's
   node (interface/hurd/pci.defs), and an arbiter that has no locks lets everybody have everything; on the hardware
   itself who has the bus has all that is on it: see pci_bus_reserve. */
error_t pci_function_claim(struct pci_bus *bus, const struct pci_function *function);

/* ---- the memory-mapped space's place (acpi.c: no system call) -------------------- */

/* Copies LENGTH bytes of physical memory at ADDRESS to DATA; an error when that cannot be read. */
typedef error_t (*pci_physical_read_t)(void *arg, uint64_t address, void *data, size_t length);

/* Reads the segments out of ACPI's MCFG table, found by way of the RSDP in the firmware's memory: *SEGMENTS is
   malloc'd, ordered.  ENOENT: no such tables, or what is there is damaged.  Source: PCI Firmware 3.2, 4.1.2; ACPI 6.4,
   5.2.5 to 5.2.8. */
error_t pci_segments_find(pci_physical_read_t read, void *arg, struct pci_segment **segments, unsigned int *count);

#ifdef __MACH__
#include <mach.h>

/* ---- ways to the bus -------------------------------------------------------------- */

struct pci_open_options {
    mach_port_t bootstrap;     /* asked first, unless null; not consumed */
    bool have_filesystem;      /* /servers/bus/pci may be looked up */
    bool hardware;             /* the hardware itself and nothing else */
    mach_port_t device_master; /* for the hardware itself, unless null; not consumed, must stay valid */
};

/* The first way that works, in the order above, in *BUS.  ENODEV when there is none, or the error of the last one
   tried; EBUSY: another task has the hardware. */
error_t pci_open(const struct pci_open_options *options, struct pci_bus **bus);

/* The three of them by themselves. ROOT is the arbiter's tree (a send right, consumed on success). */
error_t pci_hardware_open(mach_port_t device_master, struct pci_bus **bus);
error_t pci_remote_open(mach_port_t root, struct pci_bus **bus);

bool pci_bus_is_hardware(const struct pci_bus *bus);

/* The kernel gives the configuration ports to whoever asks, so two tasks could have the hardware, and disturb each
   other.  Who has it therefore holds the exclusive lock (file_lock) of the node under /servers/bus/pci, as long as it
   lives: pci_open takes the lock where there is a file system; who opened the hardware before there was one calls this
   when it has got its root directory.  No effect on a bus that is not the hardware. EBUSY: another task was faster. */
error_t pci_bus_reserve(struct pci_bus *bus);

/* Adds the memory-mapped space to a bus of pci_hardware_open, if ACPI tells where it is; before the bus is used by
   other threads (a walk may do it: domains that are added then are walked too). ENOENT: there is none, and the bus
   stays as it was. */
error_t pci_hardware_extend(struct pci_bus *bus);

/* Maps SIZE bytes of physical memory from ADDRESS (any, also unaligned) with PROT into the task, through the kernel's
   "mem" device.  *WHERE is ADDRESS's place; vm_deallocate of the pages around it undoes it. The kernel's error. */
error_t pci_map_physical(mach_port_t device_master, uint64_t address, size_t size, vm_prot_t prot, void **where);

/* Maps a memory region of FUNCTION; EINVAL for I/O ports, ENXIO if there is no such region. */
error_t pci_function_map(const struct pci_function *function, mach_port_t device_master, unsigned int region,
                         void **where);

/* Contents of the expansion ROM, malloc'd, in *DATA; ENOENT when the function has none. DEVICE_MASTER for back ends
   that map it. */
error_t pci_function_rom(struct pci_bus *bus, const struct pci_function *function, mach_port_t device_master,
                         void **data, size_t *size);
#endif

#endif /* PCI_PCI_H */
