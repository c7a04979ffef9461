/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the boot loader tells (Multiboot 1, section 3.3; Multiboot 2, section 3.6). */

#ifndef BOOT_MULTIBOOT_H
#define BOOT_MULTIBOOT_H

#include <stdbool.h>
#include <stdint.h>

#define BOOT_MODULES_MAX 64

struct boot_module {
    uint64_t start, end;   /* physical addresses */
    const char *line;      /* what GRUB's configuration says behind the file's name */
};

struct boot_info {
    const char *command_line;
    struct boot_module modules[BOOT_MODULES_MAX];
    unsigned int module_count;
    unsigned int version;       /* of Multiboot: 1 or 2 */
    bool efi;                   /* the firmware is UEFI: there are no tables in the BIOS's area */
    bool no_text_screen;        /* the screen is not in VGA's text mode */
    uint64_t acpi_rsdp;         /* physical address of (a copy of) ACPI's root pointer, which stays; 0: not told, it is
                                   to be searched for */
    uint32_t acpi_rsdp_size;    /* its bytes, at least 20 */
};

/* Constant once step 2 of kernel_main is done. */
extern struct boot_info boot_info;

/* Reads what MAGIC and the physical address INFORMATION say; tells the page allocator of memory, and reserves what
   holds modules and lines. Panics if it was no Multiboot loader, or there is no memory map. */
void multiboot_parse(uint32_t magic, uint64_t information, struct boot_info *boot);

#endif
