/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's start: from the boot loader to the first user instruction, in numbered steps. */

#include "../arch/x86_64/cpu.h"
#include "../arch/x86_64/machine.h"
#include "../device/console.h"
#include "../device/device.h"
#include "../device/interrupt.h"
#include "../ipc/ipc.h"
#include "../mig/mig_types.h"
#include "../task/host.h"
#include "../task/task.h"
#include "../vm/map.h"
#include "../vm/pageout.h"
#include "load.h"
#include "mach_S.h"
#include "multiboot.h"
#include "script.h"

#define VARIABLES_MAX (BOOT_MODULES_MAX + 8)
#define ARGUMENTS_SIZE 8192

extern char image_end[];

/* A variable of the boot script: a port or a string. */
struct variable {
    char name[64];
    struct ipc_port *port; /* a send right, or NULL */
    char text[16];
};

static struct boot_info boot;
static struct task *tasks[BOOT_MODULES_MAX];
static struct variable variables[VARIABLES_MAX];
static unsigned int variable_count;

static bool variable_add(const char *name, size_t length, struct ipc_port *port, const char *text)
{
    if (length >= sizeof variables[0].name || variable_count == VARIABLES_MAX)
        return false;
    struct variable *variable = &variables[variable_count++];
    memcpy(variable->name, name, length);
    variable->name[length] = 0;
    variable->port = port;
    ksnprintf(variable->text, sizeof variable->text, "%s", text ? text : "");
    return true;
}

static struct boot_module *module_of(unsigned int index)
{
    return &boot.modules[index];
}

static bool ramdisk_create(unsigned int index, const char *name, size_t length)
{
    struct boot_module *module = module_of(index);
    char text[16];
    unsigned int number = device_ramdisk_add(phys_to_virt(module->start), module->end - module->start);
    ksnprintf(text, sizeof text, "rd%u", number);
    kprintf("%s: %lu KiB from the boot module %u\n", text, (module->end - module->start) / 1024, index + 1);
    return length == 0 || variable_add(name, length, NULL, text);
}

static bool task_create(unsigned int index, const char *name, size_t length)
{
    if (tasks[index] || task_make(NULL, false, &tasks[index]))
        return false;
    tasks[index]->suspend_count = 1; /* whoever is to start it resumes the task */
    return length == 0 || variable_add(name, length, port_make_send(tasks[index]->self), NULL);
}

static bool task_resume(unsigned int index)
{
    return rpc_task_resume(tasks[index]) == KERN_SUCCESS;
}

static bool script_call(void *cookie, unsigned int index, enum script_function function, const char *name, size_t length)
{
    (void)cookie;
    switch (function) {
    case SCRIPT_TASK_CREATE: return task_create(index, name, length);
    case SCRIPT_RAMDISK_CREATE: return ramdisk_create(index, name, length);
    case SCRIPT_TASK_RESUME: return task_resume(index);
    case SCRIPT_PROMPT_TASK_RESUME:
        kprintf("Press a key to resume boot module %u: %s", index + 1, module_of(index)->line);
        console_wait_key();
        kprintf("\n");
        return task_resume(index);
    }
    return false;
}

static int text_put(char *to, size_t size, const char *text, size_t length)
{
    if (length < size)
        memcpy(to, text, length);
    return (int)length;
}

static int script_variable(void *cookie, unsigned int index, const char *name, size_t length, char *to, size_t size)
{
    (void)cookie;
    for (unsigned int i = 0; i < variable_count; i++) {
        struct variable *variable = &variables[i];
        if (strlen(variable->name) != length || memcmp(variable->name, name, length))
            continue;
        char number[16];
        mach_port_name_t port_name;
        if (variable->port == NULL)
            return text_put(to, size, variable->text, strlen(variable->text));
        struct ipc_port *right = port_copy_send(variable->port);
        if (tasks[index] == NULL || !IP_VALID(right) ||
            right_copyout(tasks[index]->space, right, MACH_MSG_TYPE_PORT_SEND, &port_name))
            return -1;
        ksnprintf(number, sizeof number, "%u", port_name);
        return text_put(to, size, number, strlen(number));
    }
    size_t value_length;
    if (length == strlen("kernel-command-line") && memcmp(name, "kernel-command-line", length) == 0)
        return text_put(to, size, boot.command_line, strlen(boot.command_line));
    const char *value = script_word_value(boot.command_line, name, length, &value_length);
    return value ? text_put(to, size, value, value_length) : -1;
}

static _Noreturn void boot_failed(unsigned int index, unsigned int column, const char *reason)
{
    kprintf("boot module %u (%s): column %u: %s: boot failed\n", index + 1, module_of(index)->line, column, reason);
    machine_halt(8);
}

static const struct script_actions actions = {script_call, script_variable};

static void script_pass(enum script_pass pass)
{
    struct script_error error;
    for (unsigned int i = 0; i < boot.module_count; i++)
        if (!script_run(module_of(i)->line, i, pass, &actions, NULL, &error))
            boot_failed(i, error.column, error.reason);
}

static void modules_load(void)
{
    char *arguments = kalloc(ARGUMENTS_SIZE);
    for (unsigned int i = 0; i < boot.module_count; i++) {
        struct boot_module *module = module_of(i);
        struct script_error error;
        unsigned int count;
        size_t used;
        if (tasks[i] == NULL)
            continue;
        if (!script_arguments(module->line, i, &actions, NULL, arguments, ARGUMENTS_SIZE, &count, &used, &error))
            boot_failed(i, error.column, error.reason);
        ksnprintf(tasks[i]->name, sizeof tasks[i]->name, "%s", count ? arguments : "");
        kprintf("task loaded:");
        for (size_t at = 0; at < used; at += strlen(arguments + at) + 1)
            kprintf(" %s", arguments + at);
        kprintf("\n");
        const char *why = load_program(tasks[i], phys_to_virt(module->start), module->end - module->start, arguments, count, used);
        if (why)
            boot_failed(i, 1, why);
        page_release_range(module->start, module->end);
    }
    kfree(arguments, ARGUMENTS_SIZE);
}

/* Steps that need threads: they run in the first one. */
static void bootstrap(void *argument)
{
    (void)argument;
    if (boot.module_count == 0) {
        kprintf("no boot modules: boot failed\n");
        machine_halt(8);
    }
    /* 7. "GNU Mach sets up tasks for the various bootstrap translators": create all, then load each with its variables, then resume. */
    variable_add("host-port", 9, port_make_send(realhost.priv), NULL);
    variable_add("device-port", 11, port_make_send(device_master), NULL);
    variable_add("kernel-task", 11, port_make_send(kernel_task->self), NULL);
    script_pass(SCRIPT_CREATE);
    modules_load();
    console_start();
    script_pass(SCRIPT_RESUME);
    for (;;)
        thread_sleep(&boot, false);
}

static bool command_line_has(const char *word)
{
    size_t size = strlen(word);
    for (const char *at = boot.command_line; (at = strchr(at, word[0])); at++)
        if (strncmp(at, word, size) == 0)
            return true;
    return false;
}

void kernel_main(uint32_t magic, uint64_t information)
{
    /* 1. The processor, and a console for what goes wrong. */
    cpu_init(&boot_cpu);
    console_init(true);

    /* 2. What the boot loader says of memory and modules. */
    page_bootstrap_reserve(0, PAGE_SIZE);
    page_bootstrap_reserve(0x100000, (uint64_t)image_end - IMAGE_BASE);
    multiboot_parse(magic, information, &boot);
    console_init(command_line_has("console=com0"));
    kprintf("%s\n", machine_version);
    cpu_identify();

    /* 3. Physical memory, the direct map, the kernel's own allocators. */
    pmap_bootstrap(page_bootstrap_limit());
    page_bootstrap();
    kalloc_init();
    pmap_init();
    page_hash_init();
    kprintf("memory: %lu MiB\n", page_counts.total >> 8);

    /* 4. Virtual memory, ports, tasks. */
    object_init();
    map_init();
    ipc_init();
    sched_init();
    task_init();

    /* 5. Devices and the clock. */
    interrupt_init();
    host_init();
    device_init();
    gsync_init();
    machine_clock_init();

    /* 6. Threads run from here on; this one becomes the idle thread. */
    pageout_init();
    thread_make_kernel("bootstrap", bootstrap, NULL, PRIORITY_KERNEL);
    sched_start();
}
