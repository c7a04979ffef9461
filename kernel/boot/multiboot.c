/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the boot loader's information, in either version. */

#include "multiboot.h"

#include "../base/base.h"
#include "../vm/page.h"

#define MAGIC_1 0x2badb002
#define MAGIC_2 0x36d76289
#define INFO_COMMAND_LINE (1u << 2)
#define INFO_MODULES (1u << 3)
#define INFO_MEMORY_MAP (1u << 6)
#define INFO_FRAMEBUFFER (1u << 12)
#define FRAMEBUFFER_TEXT 2
#define RSDP_SIZE_1 20u /* of the first version of ACPI */
#define MEMORY_USABLE 1

struct info1 {
    uint32_t flags, memory_lower, memory_upper, boot_device, command_line, module_count, modules, symbols[4],
        map_length, map, drives_length, drives, config, loader_name, apm, vbe[4];
    uint64_t framebuffer;
    uint32_t framebuffer_pitch, framebuffer_width, framebuffer_height;
    uint8_t framebuffer_depth, framebuffer_type;
};
_Static_assert(offsetof(struct info1, framebuffer) == 88, "Multiboot 1, 3.3");

struct module1 {
    uint32_t start, end, line, reserved;
};

struct map1 {
    uint32_t size; /* of the rest */
    uint64_t base, length;
    uint32_t type;
} __attribute__((packed));

struct tag2 {
    uint32_t type, size;
};

struct map_entry2 {
    uint64_t base, length;
    uint32_t type, reserved;
};

enum {
    TAG_END,
    TAG_COMMAND_LINE,
    TAG_MODULE = 3,
    TAG_MEMORY_MAP = 6,
    TAG_FRAMEBUFFER = 8,
    TAG_EFI_32 = 11,
    TAG_EFI_64 = 12,
    TAG_ACPI_1 = 14,
    TAG_ACPI_2 = 15
};

struct boot_info boot_info;

static const char *line_keep(uint64_t physical)
{
    const char *line = phys_to_virt(physical);
    page_bootstrap_reserve(physical, physical + strlen(line) + 1);
    return line;
}

static void module_add(struct boot_info *boot, uint64_t start, uint64_t end, const char *line)
{
    if (boot->module_count == BOOT_MODULES_MAX)
        panic("more than %d boot modules", BOOT_MODULES_MAX);
    page_bootstrap_reserve(start, end);
    boot->modules[boot->module_count++] = (struct boot_module){start, end, line};
}

static void memory_add(uint64_t base, uint64_t length, uint32_t type)
{
    if (type == MEMORY_USABLE)
        page_bootstrap_region(base, base + length);
}

static void parse1(uint64_t information, struct boot_info *boot)
{
    const struct info1 *info = phys_to_virt(information);
    if (!(info->flags & INFO_MEMORY_MAP))
        panic("the boot loader gives no memory map");
    boot->version = 1;
    boot->no_text_screen = (info->flags & INFO_FRAMEBUFFER) && info->framebuffer_type != FRAMEBUFFER_TEXT;
    if (info->flags & INFO_COMMAND_LINE)
        boot->command_line = line_keep(info->command_line);
    const struct module1 *modules = phys_to_virt(info->modules);
    for (uint32_t i = 0; (info->flags & INFO_MODULES) && i < info->module_count; i++)
        module_add(boot, modules[i].start, modules[i].end, modules[i].line ? line_keep(modules[i].line) : "");
    for (uint32_t at = 0; at < info->map_length;) {
        const struct map1 *map = phys_to_virt(info->map + at);
        memory_add(map->base, map->length, map->type);
        at += map->size + sizeof map->size;
    }
}

static void parse_map2(const struct tag2 *tag)
{
    const uint32_t *head = (const uint32_t *)(tag + 1);
    uint32_t entry_size = head[0];
    for (uint32_t at = 16; entry_size >= sizeof(struct map_entry2) && at + entry_size <= tag->size; at += entry_size) {
        const struct map_entry2 *entry = (const struct map_entry2 *)((const char *)tag + at);
        memory_add(entry->base, entry->length, entry->type);
    }
}

/* The newer version of ACPI's root pointer counts, whichever comes first. */
static void acpi_keep(const struct tag2 *tag, uint64_t physical, struct boot_info *boot)
{
    if (tag->size < sizeof *tag + RSDP_SIZE_1 || (tag->type == TAG_ACPI_1 && boot->acpi_rsdp))
        return;
    boot->acpi_rsdp = physical + sizeof *tag;
    boot->acpi_rsdp_size = tag->size - (uint32_t)sizeof *tag;
}

static void tag_parse(const struct tag2 *tag, uint64_t physical, struct boot_info *boot)
{
    const uint32_t *words = (const uint32_t *)(tag + 1);
    switch (tag->type) {
    case TAG_COMMAND_LINE:
        boot->command_line = (const char *)(tag + 1);
        break;
    case TAG_MODULE:
        module_add(boot, words[0], words[1], (const char *)(words + 2));
        break;
    case TAG_MEMORY_MAP:
        parse_map2(tag);
        break;
    case TAG_FRAMEBUFFER:
        boot->no_text_screen = ((const uint8_t *)(tag + 1))[21] != FRAMEBUFFER_TEXT;
        break;
    case TAG_EFI_32:
    case TAG_EFI_64:
        boot->efi = true;
        break;
    case TAG_ACPI_1:
    case TAG_ACPI_2:
        acpi_keep(tag, physical, boot);
        break;
    }
}

static void parse2(uint64_t information, struct boot_info *boot)
{
    uint32_t total = *(const uint32_t *)phys_to_virt(information);
    page_bootstrap_reserve(information, information + total);
    boot->version = 2;
    for (uint32_t at = 8; at + sizeof(struct tag2) <= total;) {
        const struct tag2 *tag = phys_to_virt(information + at);
        if (tag->type == TAG_END || tag->size < sizeof *tag || tag->size > total - at)
            return;
        tag_parse(tag, information + at, boot);
        at += align_up(tag->size, 8u);
    }
}

void multiboot_parse(uint32_t magic, uint64_t information, struct boot_info *boot)
{
    boot->command_line = "";
    if (magic == MAGIC_1)
        parse1(information, boot);
    else if (magic == MAGIC_2)
        parse2(information, boot);
    else
        panic("not loaded by a Multiboot boot loader (magic %x)", magic);
}
