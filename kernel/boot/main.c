/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's start: from the boot loader to the first user instruction, in numbered steps. */

#include "../arch/x86_64/apic.h"
#include "../arch/x86_64/cpu.h"
#include "../arch/x86_64/machine.h"
#include "../arch/x86_64/smp.h"
#include "../arch/x86_64/stack.h"
#include "../device/console.h"
#include "../device/device.h"
#include "../device/interrupt.h"
#include "../ipc/ipc.h"
#include "../task/host.h"
#include "../task/sched.h"
#include "../task/task.h"
#include "../trace/debugger.h"
#include "../vm/map.h"
#include "../vm/pageout.h"
#include "bootstrap.h"
#include "multiboot.h"
#include "script.h"

extern char image_end[];

/* Is WORD one of the kernel's line? */
static bool command_line_has(const char *word)
{
    size_t length = strlen(word);
    const char *line = boot_info.command_line;
    for (const char *at = line; (at = strchr(at, word[0])); at++)
        if ((at == line || at[-1] == ' ') && strncmp(at, word, length) == 0 && (at[length] == ' ' || at[length] == 0))
            return true;
    return false;
}

/* Without a screen that shows text there is only the serial line. */
static bool serial_wanted(void)
{
    size_t length;
    const char *console = script_word_value(boot_info.command_line, "console", 7, &length);
    return boot_info.efi || boot_info.no_text_screen || (console && length == 4 && memcmp(console, "com0", 4) == 0);
}

void kernel_main(uint32_t magic, uint64_t information)
{
    /* 1. The processor, and a console for what goes wrong. */
    cpu_init(&boot_cpu);
    console_init(true);

    /* 2. What the boot loader says of memory and modules. */
    page_bootstrap_reserve(0, PAGE_SIZE);
    page_bootstrap_reserve(0x100000, (uint64_t)image_end - IMAGE_BASE);
    multiboot_parse(magic, information, &boot_info);
    console_init(serial_wanted());
    debugger_enabled = command_line_has("kdb");
    kprintf("%s\n", machine_version);
    cpu_identify();

    /* 3. Physical memory, the direct map, the kernel's own allocators. */
    pmap_bootstrap(page_bootstrap_limit());
    page_bootstrap();
    kalloc_init();
    stack_init();
    pmap_init();
    page_hash_init();
    kprintf("memory: %lu MiB\n", page_counts.total >> 8);

    /* 4. Virtual memory, ports, tasks. */
    object_init();
    map_init();
    ipc_init();
    sched_init();
    task_init();

    /* 5. Devices, the clock, the other processors. */
    interrupt_init();
    host_init();
    device_init();
    gsync_init();
    machine_clock_init();
    apic_init();
    smp_start();
    interrupt_lines_spread();
    processors_init();

    /* 6. Threads run from here on; this one becomes the idle thread. */
    pageout_init();
    thread_make_kernel("bootstrap", bootstrap_run, NULL, PRIORITY_KERNEL);
    sched_start_first();
}
