/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot script's functions and variables, and the programs of the modules. */

#include "bootstrap.h"

#include "../arch/x86_64/machine.h"
#include "../device/console.h"
#include "../device/device.h"
#include "../ipc/ipc.h"
#include "../mig/mig_types.h"
#include "../task/host.h"
#include "../task/task.h"
#include "../vm/page.h"
#include "load.h"
#include "mach_S.h"
#include "multiboot.h"
#include "script.h"

#define VARIABLES_MAX (BOOT_MODULES_MAX + 8)
#define ARGUMENTS_SIZE 8192

/* A variable of the boot script: a port or a string. */
struct variable {
    char name[64];
    struct ipc_port *port; /* a send right, or NULL */
    char text[16];
};

static struct task *tasks[BOOT_MODULES_MAX];
static bool is_ramdisk[BOOT_MODULES_MAX];
static struct variable variables[VARIABLES_MAX];
static unsigned int variable_count;

static struct boot_module *module_of(unsigned int index)
{
    return &boot_info.modules[index];
}

/* ---- variables ---------------------------------------------------------------------------- */

static struct variable *variable_lookup(const char *name, size_t length)
{
    for (unsigned int i = 0; i < variable_count; i++)
        if (strlen(variables[i].name) == length && memcmp(variables[i].name, name, length) == 0)
            return &variables[i];
    return NULL;
}

/* Why a variable NAME cannot be made, or NULL. */
static const char *variable_refused(const char *name, size_t length)
{
    if (length >= sizeof variables[0].name)
        return "the variable's name is too long";
    return variable_lookup(name, length) ? "the variable has a value already" : NULL;
}

/* PORT: a send right, consumed; or NULL and TEXT.  The name was looked at by variable_refused. */
static void variable_add(const char *name, size_t length, struct ipc_port *port, const char *text)
{
    struct variable *variable = &variables[variable_count++];
    memcpy(variable->name, name, length);
    variable->name[length] = 0;
    variable->port = port;
    ksnprintf(variable->text, sizeof variable->text, "%s", text ? text : "");
}

static int text_put(char *to, size_t size, const char *text, size_t length)
{
    if (length < size)
        memcpy(to, text, length);
    return (int)length;
}

/* The name that the port gets in the task of module INDEX. */
static int port_put(struct ipc_port *port, unsigned int index, char *to, size_t size)
{
    char number[16];
    mach_port_name_t name;
    struct ipc_port *right = port_copy_send(port);
    if (!IP_VALID(right) || right_copyout(tasks[index]->space, right, MACH_MSG_TYPE_PORT_SEND, &name))
        return -1;
    ksnprintf(number, sizeof number, "%u", name);
    return text_put(to, size, number, strlen(number));
}

static int script_variable(void *cookie, unsigned int index, const char *name, size_t length, char *to, size_t size)
{
    (void)cookie;
    const struct variable *variable = variable_lookup(name, length);
    if (variable)
        return variable->port ? port_put(variable->port, index, to, size)
                              : text_put(to, size, variable->text, strlen(variable->text));
    size_t value_length;
    if (length == strlen("kernel-command-line") && memcmp(name, "kernel-command-line", length) == 0)
        return text_put(to, size, boot_info.command_line, strlen(boot_info.command_line));
    const char *value = script_word_value(boot_info.command_line, name, length, &value_length);
    return value ? text_put(to, size, value, value_length) : -1;
}

/* ---- functions: NULL, or why not ------------------------------------------------------------- */

static const char *ramdisk_create(unsigned int index, const char *name, size_t length)
{
    struct boot_module *module = module_of(index);
    uint64_t size = module->end - module->start;
    const char *why = variable_refused(name, length);
    char text[16];
    if (why || is_ramdisk[index] || tasks[index])
        return why ? why : "the module is in use already";
    if (size < 512)
        return "the module is empty";
    is_ramdisk[index] = true;
    ksnprintf(text, sizeof text, "rd%u", device_ramdisk_add(phys_to_virt(module->start), size));
    kprintf("%s: %lu KiB from boot module %u\n", text, size / 1024, index + 1);
    if (length)
        variable_add(name, length, NULL, text);
    return NULL;
}

static const char *task_create(unsigned int index, const char *name, size_t length)
{
    const char *why = variable_refused(name, length);
    if (why || is_ramdisk[index] || tasks[index])
        return why ? why : "the module is in use already";
    if (task_make(NULL, false, &tasks[index]))
        return "no memory for a task";
    tasks[index]->suspend_count = 1; /* whoever is to start it resumes the task */
    if (length)
        variable_add(name, length, port_make_send(tasks[index]->self), NULL);
    return NULL;
}

static const char *task_resume(unsigned int index, bool prompt)
{
    if (tasks[index] == NULL)
        return "the module has no task";
    if (prompt) {
        kprintf("Press a key to resume boot module %u: %s ", index + 1, module_of(index)->line);
        console_wait_key();
        kprintf("\n");
    }
    kprintf("start %s\n", tasks[index]->name);
    return rpc_task_resume(tasks[index]) ? "the task is resumed already" : NULL;
}

static const char *script_call(void *cookie, unsigned int index, enum script_function function, const char *name,
                               size_t length)
{
    (void)cookie;
    switch (function) {
    case SCRIPT_TASK_CREATE: return task_create(index, name, length);
    case SCRIPT_RAMDISK_CREATE: return ramdisk_create(index, name, length);
    case SCRIPT_TASK_RESUME: return task_resume(index, false);
    case SCRIPT_PROMPT_TASK_RESUME: return task_resume(index, true);
    }
    return "no such function";
}

/* ---- the steps ------------------------------------------------------------------------------------ */

static _Noreturn void boot_failed(unsigned int index, unsigned int column, const char *reason)
{
    kprintf("boot module %u (%s): column %u: %s: boot failed\n", index + 1, module_of(index)->line, column, reason);
    machine_halt(8);
}

static const struct script_actions actions = {script_call, script_variable};

static void script_pass(enum script_pass pass)
{
    struct script_error error;
    for (unsigned int i = 0; i < boot_info.module_count; i++)
        if (!script_run(module_of(i)->line, i, pass, &actions, NULL, &error))
            boot_failed(i, error.column, error.reason);
}

/* ARGUMENTS: room for ARGUMENTS_SIZE bytes. */
static void module_load(unsigned int index, char *arguments)
{
    struct boot_module *module = module_of(index);
    struct script_error error;
    unsigned int count;
    size_t used;
    if (!script_arguments(module->line, index, &actions, NULL, arguments, ARGUMENTS_SIZE, &count, &used, &error))
        boot_failed(index, error.column, error.reason);
    ksnprintf(tasks[index]->name, sizeof tasks[index]->name, "%s", count ? arguments : "");
    kprintf("task loaded:");
    for (size_t at = 0; at < used; at += strlen(arguments + at) + 1)
        kprintf(" %s", arguments + at);
    kprintf("\n");
    const char *why = load_program(tasks[index], phys_to_virt(module->start), module->end - module->start, arguments,
                                   count, used);
    if (why)
        boot_failed(index, 1, why);
    page_release_range(module->start, module->end);
}

static void modules_load(void)
{
    char *arguments = kalloc(ARGUMENTS_SIZE);
    for (unsigned int i = 0; i < boot_info.module_count; i++)
        if (tasks[i])
            module_load(i, arguments);
    kfree(arguments, ARGUMENTS_SIZE);
}

void bootstrap_run(void *unused)
{
    (void)unused;
    if (boot_info.module_count == 0) {
        kprintf("no boot modules: boot failed\n");
        machine_halt(8);
    }
    /* 7. "GNU Mach sets up tasks for the various bootstrap translators": create all, then load each with its variables,
          then resume. */
    variable_add("host-port", 9, port_make_send(realhost.priv), NULL);
    variable_add("device-port", 11, port_make_send(device_master), NULL);
    variable_add("kernel-task", 11, port_make_send(kernel_task->self), NULL);
    script_pass(SCRIPT_CREATE);
    for (unsigned int i = 0; i < boot_info.module_count; i++)
        if (tasks[i] == NULL && !is_ramdisk[i])
            boot_failed(i, 1, "neither $(task-create) nor $(ramdisk-create)");
    modules_load();
    console_start();
    script_pass(SCRIPT_RESUME);
    for (;;)
        thread_sleep(&boot_info, false);
}
