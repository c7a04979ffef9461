/* SPDX-License-Identifier: GPL-2.0-or-later */
/* targets: ports of the kernel of every kind (kernel_fuzz.h). */

#include "kernel_fuzz.h"

#include <device/device.h>
#include <mach/gnumach.h>
#include <mach/mach4.h>
#include <mach/mach_host.h>
#include <mach/machine/mach_i386.h>
#include <string.h>

#include "../frame.h"

enum class {
    TASK,
    THREAD,
    HOST,
    PRIVILEGED,
    PROCESSOR,
    SET,
    SET_NAME,
    DEVICES,
    DEVICE,
    CONTROL,
    NAME,
    IO,
    OBJECT,
    SELF,
    CLASSES
};
enum { EACH = 4 };

static mach_port_t targets[CLASSES][EACH];
static unsigned int counts[CLASSES];
static mach_port_t all[CLASSES * EACH];

static void target_add(enum class class, mach_port_t port)
{
    if (!MACH_PORT_VALID(port) || counts[class] == EACH)
        return;
    mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_SEND, HOARD);
    targets[class][counts[class]++] = port;
    all[pool.victim_count++] = port;
}

/* A memory object of ours in the map: the kernel tells the ports by which it is controlled (memory_object_init). */
static void object_targets_find(void)
{
    struct {
        mach_msg_header_t header;
        mach_msg_type_t control_type;
        uint64_t control;
        mach_msg_type_t name_type;
        uint64_t name;
        char more[256];
    } init;
    mach_port_t pager = port_create_with_send(), proxy = MACH_PORT_NULL;
    vm_address_t address = 0;
    rpc_vm_offset_t zero = 0;
    rpc_vm_size_t size = 65536;
    target_add(OBJECT, pager);
    if (vm_map(mach_task_self(), &address, 65536, 0, TRUE, pager, 0, FALSE, VM_PROT_ALL, VM_PROT_ALL,
               VM_INHERIT_SHARE) == 0 &&
        mach_msg(&init.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof init, pager, 1000, MACH_PORT_NULL) == 0) {
        target_add(CONTROL, (mach_port_t)init.control);
        target_add(NAME, (mach_port_t)init.name);
    }
    if (memory_object_create_proxy(mach_task_self(), VM_PROT_ALL, &pager, MACH_MSG_TYPE_COPY_SEND, 1, &zero, 1, &zero,
                                   1, &size, 1, &proxy) == 0)
        target_add(OBJECT, proxy);
}

static void host_targets_find(void)
{
    mach_port_t *list, port;
    mach_msg_type_number_t count;
    target_add(HOST, (mach_host_self)());
    target_add(PRIVILEGED, host_priv);
    if (host_processors(host_priv, &list, &count) == 0 && count)
        target_add(PROCESSOR, list[0]);
    if (processor_set_default(host_priv, &port) == 0) {
        target_add(SET_NAME, port);
        if (host_processor_set_priv(host_priv, port, &port) == 0)
            target_add(SET, port);
    }
}

void targets_find(void)
{
    static const char *const devices[] = {"time", "kmsg", "irq"};
    mach_port_t port;
    pool.victims = all;
    pool.victim_count = 0;
    memset(counts, 0, sizeof counts);
    target_add(SELF, mach_task_self());
    target_add(SELF, mach_thread_self());
    for (unsigned int i = 0; i < TASKS; i++) {
        vm_address_t address = 0;
        target_add(TASK, pool.tasks[i]);
        vm_allocate(pool.tasks[i], &address, 65536, TRUE);
        if (thread_create(pool.tasks[i], &port) == 0)
            target_add(THREAD, port);
    }
    host_targets_find();
    target_add(DEVICES, device_master);
    for (unsigned int i = 0; i < sizeof devices / sizeof devices[0]; i++)
        if (device_open(device_master, D_READ | D_WRITE, (char *)devices[i], &port) == 0)
            target_add(DEVICE, port);
    if (i386_io_perm_create(device_master, 0x80, 0x80, &port) == 0)
        target_add(IO, port);
    object_targets_find();
}

/* By the beginning of its name. */
static enum class class_of(const char *routine)
{
    static const struct {
        const char *prefix;
        enum class class;
    }
rules[] = {
    {"task_", TASK},
    {"vm_", TASK},
    {"mach_port", TASK},
    {"gsync", TASK},
    {"memory_object_create_proxy", TASK},
    {"thread_", THREAD},
    {"i386_io_perm_create", DEVICES},
    {"i386_io", TASK},
    {"i386_get_xstate", HOST},
    {"i386", THREAD},
    {"host_get", HOST},
    {"host_info", HOST},
    {"host_", PRIVILEGED},
    {"processor_set_info", SET_NAME},
    {"processor_set_", SET},
    {"processor_", PROCESSOR},
    {"register_", PRIVILEGED},
    {"device_open", DEVICES},
    {"device_", DEVICE},
    {"memory_object_", CONTROL},
    {"xxx_device", DEVICE},
    {"ds_device", DEVICE},
};
if (strstr(routine, "contiguous") || strstr(routine, "pages_phys") || strstr(routine, "vm_wire") ||
    strstr(routine, "default_memory_manager"))
    return PRIVILEGED;
if (strstr(routine, "object_sync"))
    return NAME;
for (unsigned int i = 0; i < sizeof rules / sizeof rules[0]; i++)
    if (strncmp(routine, rules[i].prefix, strlen(rules[i].prefix)) == 0)
        return rules[i].class;
return (enum class)below(CLASSES);
}

mach_port_t target_choose(const char *routine)
{
    enum class class = class_of(routine);
    if ((class == TASK || class == THREAD) && once_in(20))
        return targets[SELF][class == THREAD];
    if (counts[class] && !once_in(6))
        return targets[class][below(counts[class])];
    return once_in(3) ? pool.found[below(FOUND)] : all[1 + below(pool.victim_count - 1)];
}
