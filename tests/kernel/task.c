/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tasks: making and ending them, stopping them, their ports (mach.defs; Mach manual, "Task Interface").  */

#include "memory_help.h"
#include "objects.h"

#include <mach/mach_traps.h>
#include <mach/notify.h>
#include <mach_init.h>

#define syscall_task_create(PARENT, INHERIT, CHILD) TRAP_3(-68, PARENT, INHERIT, CHILD)
#define syscall_task_terminate(TASK) TRAP_1(-69, TASK)
#define syscall_task_suspend(TASK) TRAP_1(-70, TASK)
#define syscall_task_set_special_port(TASK, WHICH, PORT) TRAP_3(-71, TASK, WHICH, PORT)

static long marker = 4711;

CASE(create_inherits_memory)
{
    mach_port_t task;
    vm_offset_t data;
    mach_msg_type_number_t size;
    marker = 0x123456789abcdef;
    vm_address_t page = (vm_address_t)&marker & ~4095ul;
    REQUIRE(task_create(mach_task_self(), TRUE, &task), KERN_SUCCESS);
    marker = 0;
    EXPECT(vm_read(task, page, 4096, &data, &size), KERN_SUCCESS);
    EXPECT(*(long *)(data + ((vm_address_t)&marker & 4095)), 0x123456789abcdef);
    vm_deallocate(mach_task_self(), data, size);
    task_end(task);
}

CASE(create_empty)
{
    mach_port_t task = task_empty();
    struct region region;
    EXPECT(region_at(task, NULL, &region), KERN_NO_SPACE);
    EXPECT(task_basic(task).virtual_size, 0);
    EXPECT(task_basic(task).suspend_count, 0);
    task_end(task);
}

CASE(create_from_no_task)
{
    mach_port_t task, host = (mach_host_self)(), thread = mach_thread_self(), dead = task_dead();
    EXPECT(task_create(host, FALSE, &task), KERN_INVALID_TASK);
    EXPECT(task_create(thread, TRUE, &task), KERN_INVALID_TASK);
    EXPECT(task_create(host_priv, TRUE, &task), KERN_INVALID_TASK);
    OBSERVE(task_create(device_master, TRUE, &task));
    EXPECT(task_create(dead, FALSE, &task), MACH_SEND_INVALID_DEST);
    mach_port_deallocate(mach_task_self(), dead);
    mach_port_deallocate(mach_task_self(), host);
    mach_port_deallocate(mach_task_self(), thread);
}

CASE(create_from_suspended)
{
    mach_port_t parent = task_empty(), child;
    EXPECT(task_suspend(parent), KERN_SUCCESS);
    REQUIRE(task_create(parent, TRUE, &child), KERN_SUCCESS);
    EXPECT(task_basic(child).suspend_count, 0);
    task_end(child);
    task_end(parent);
}

CASE(create_inherits_ports)
{
    mach_port_t parent = task_empty(), child, port = port_create_with_send(), found = MACH_PORT_NULL;
    EXPECT(task_set_special_port(parent, TASK_BOOTSTRAP_PORT, port), KERN_SUCCESS);
    EXPECT(task_set_special_port(parent, TASK_EXCEPTION_PORT, port), KERN_SUCCESS);
    EXPECT(mach_ports_register(parent, &port, 1), KERN_SUCCESS);
    REQUIRE(task_create(parent, FALSE, &child), KERN_SUCCESS);
    for (int which = TASK_EXCEPTION_PORT; which <= TASK_BOOTSTRAP_PORT; which++) {
        EXPECT(task_get_special_port(child, which, &found), KERN_SUCCESS);
        EXPECT(found == port, true);
        mach_port_deallocate(mach_task_self(), found);
    }
    mach_port_t *ports;
    mach_msg_type_number_t count = 0;
    EXPECT(mach_ports_lookup(child, &ports, &count), KERN_SUCCESS);
    for (mach_msg_type_number_t i = 0; i < count; i++) {
        OBSERVE(ports[i] == port);
        if (ports[i])
            mach_port_deallocate(mach_task_self(), ports[i]);
    }
    vm_deallocate(mach_task_self(), (vm_address_t)ports, count * sizeof *ports);
    task_end(child);
    task_end(parent);
    port_destroy(port);
}

CASE(create_inherits_priority)
{
    mach_port_t parent = task_empty(), child;
    OBSERVE(task_basic(parent).base_priority);
    EXPECT(task_priority(parent, 30, FALSE), KERN_SUCCESS);
    EXPECT(task_basic(parent).base_priority, 30);
    REQUIRE(task_create(parent, FALSE, &child), KERN_SUCCESS);
    EXPECT(task_basic(child).base_priority, 30);
    task_end(child);
    task_end(parent);
}

CASE(create_by_trap)
{
    mach_port_t task = MACH_PORT_NULL, host = (mach_host_self)();
    EXPECT(syscall_task_create(mach_task_self(), FALSE, &task), KERN_SUCCESS);
    EXPECT(port_type(task), MACH_PORT_TYPE_SEND);
    task_end(task);
    OBSERVE(syscall_task_create(0x7654321, FALSE, &task));
    OBSERVE(syscall_task_create(MACH_PORT_NULL, FALSE, &task));
    OBSERVE(syscall_task_create(host, FALSE, &task));
    mach_port_t dead = task_dead();
    OBSERVE(syscall_task_create(dead, FALSE, &task));
    mach_port_deallocate(mach_task_self(), dead);
    mach_port_deallocate(mach_task_self(), host);
}

CASE_DIFFERS(create_by_trap_bad_pointer)
{
    OBSERVE(syscall_task_create(mach_task_self(), FALSE, (mach_port_t *)8));
    /* The task lives on under a name that nobody knows: the highest. */
    mach_port_t *names;
    mach_port_type_t *types;
    mach_msg_type_number_t count = 0, type_count = 0;
    EXPECT(mach_port_names(mach_task_self(), &names, &count, &types, &type_count), KERN_SUCCESS);
    struct task_basic_info info;
    for (mach_msg_type_number_t i = 0; i < count; i++) {
        mach_msg_type_number_t words = TASK_BASIC_INFO_COUNT;
        if (types[i] == MACH_PORT_TYPE_SEND && names[i] != mach_task_self() &&
            task_info(names[i], TASK_BASIC_INFO, (task_info_t)&info, &words) == KERN_SUCCESS)
            task_end(names[i]);
    }
    vm_deallocate(mach_task_self(), (vm_address_t)names, count * sizeof *names);
    vm_deallocate(mach_task_self(), (vm_address_t)types, type_count * sizeof *types);
}

/* ---- ending ------------------------------------------------------------------------------ */

CASE(terminate_twice)
{
    mach_port_t task = task_empty();
    EXPECT(task_terminate(task), KERN_SUCCESS);
    EXPECT(port_type(task), MACH_PORT_TYPE_DEAD_NAME);
    EXPECT(task_terminate(task), MACH_SEND_INVALID_DEST);
    mach_port_deallocate(mach_task_self(), task);
}

CASE(terminate_no_task)
{
    mach_port_t host = (mach_host_self)(), thread = mach_thread_self();
    EXPECT(task_terminate(host), KERN_INVALID_ARGUMENT);
    EXPECT(task_terminate(thread), KERN_INVALID_ARGUMENT);
    EXPECT(task_terminate(host_priv), KERN_INVALID_ARGUMENT);
    OBSERVE(syscall_task_terminate(0x7654321));
    OBSERVE(syscall_task_terminate(host));
    mach_port_deallocate(mach_task_self(), host);
    mach_port_deallocate(mach_task_self(), thread);
}

CASE(terminate_ends_threads_and_rights)
{
    mach_port_t task = task_empty(), thread, name, right = MACH_PORT_NULL;
    mach_msg_type_name_t kind;
    EXPECT(thread_create(task, &thread), KERN_SUCCESS);
    EXPECT(mach_port_allocate(task, MACH_PORT_RIGHT_RECEIVE, &name), KERN_SUCCESS);
    EXPECT(mach_port_extract_right(task, name, MACH_MSG_TYPE_MAKE_SEND, &right, &kind), KERN_SUCCESS);
    EXPECT(task_terminate(task), KERN_SUCCESS);
    EXPECT(port_type(thread), MACH_PORT_TYPE_DEAD_NAME);
    EXPECT(port_type(right), MACH_PORT_TYPE_DEAD_NAME);
    mach_port_deallocate(mach_task_self(), thread);
    mach_port_deallocate(mach_task_self(), right);
    mach_port_deallocate(mach_task_self(), task);
}

CASE(terminate_notifies)
{
    mach_port_t task = task_empty(), notify = port_create(), before = MACH_PORT_NULL;
    EXPECT(mach_port_request_notification(mach_task_self(), task, MACH_NOTIFY_DEAD_NAME, 0, notify,
                                          MACH_MSG_TYPE_MAKE_SEND_ONCE, &before),
           KERN_SUCCESS);
    EXPECT(task_terminate(task), KERN_SUCCESS);
    EXPECT(receive_within(notify, 20000), MACH_MSG_SUCCESS);
    EXPECT(received()->msgh_id, MACH_NOTIFY_DEAD_NAME);
    EXPECT(port_refs(task, MACH_PORT_RIGHT_DEAD_NAME), 2);
    mach_port_deallocate(mach_task_self(), task);
    mach_port_deallocate(mach_task_self(), task);
    port_destroy(notify);
}

STUB(stub_terminate_self, "mov $-28, %rax\n syscall\n mov %eax, %edi\n mov $-69, %rax\n syscall\n ud2");

CASE(terminate_self)
{
    mach_port_t task;
    struct bare bare;
    REQUIRE(task_create(mach_task_self(), TRUE, &task), KERN_SUCCESS);
    bare_create(&bare, task, stub_terminate_self, 0);
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    WAIT_FOR(port_type(task) == MACH_PORT_TYPE_DEAD_NAME);
    EXPECT(port_type(bare.thread), MACH_PORT_TYPE_DEAD_NAME);
    mach_port_deallocate(mach_task_self(), bare.thread);
    mach_port_deallocate(mach_task_self(), task);
}

CASE(terminate_while_threads_run)
{
    mach_port_t task;
    struct bare bare[3];
    long *counters;
    vm_address_t page = 0;
    REQUIRE(vm_allocate(mach_task_self(), &page, 4096, TRUE), KERN_SUCCESS);
    REQUIRE(vm_inherit(mach_task_self(), page, 4096, VM_INHERIT_SHARE), KERN_SUCCESS);
    counters = (long *)page;
    counters[0] = 0;
    REQUIRE(task_create(mach_task_self(), TRUE, &task), KERN_SUCCESS);
    for (int i = 0; i < 3; i++) {
        bare_create(&bare[i], task, stub_count, (long)&counters[i]);
        thread_resume(bare[i].thread);
    }
    for (int i = 0; i < 3; i++)
        WAIT_FOR(*(volatile long *)&counters[i] > 0);
    EXPECT(task_terminate(task), KERN_SUCCESS);
    long seen = counters[0] + counters[1] + counters[2];
    pause_ms(50);
    EXPECT(seen == counters[0] + counters[1] + counters[2], true);
    for (int i = 0; i < 3; i++) {
        EXPECT(port_type(bare[i].thread), MACH_PORT_TYPE_DEAD_NAME);
        mach_port_deallocate(mach_task_self(), bare[i].thread);
    }
    mach_port_deallocate(mach_task_self(), task);
    vm_deallocate(mach_task_self(), page, 4096);
}

CASE(terminate_suspended)
{
    mach_port_t task = task_empty(), thread;
    EXPECT(thread_create(task, &thread), KERN_SUCCESS);
    EXPECT(task_suspend(task), KERN_SUCCESS);
    EXPECT(thread_suspend(thread), KERN_SUCCESS);
    EXPECT(task_terminate(task), KERN_SUCCESS);
    EXPECT(port_type(thread), MACH_PORT_TYPE_DEAD_NAME);
    mach_port_deallocate(mach_task_self(), thread);
    mach_port_deallocate(mach_task_self(), task);
}

/* ---- stopping ---------------------------------------------------------------------------- */

CASE(suspend_counts)
{
    mach_port_t task = task_empty(), host = (mach_host_self)();
    EXPECT(task_resume(task), KERN_FAILURE);
    for (int i = 1; i <= 5; i++) {
        EXPECT(task_suspend(task), KERN_SUCCESS);
        EXPECT(task_basic(task).suspend_count, i);
    }
    for (int i = 4; i >= 0; i--) {
        EXPECT(task_resume(task), KERN_SUCCESS);
        EXPECT(task_basic(task).suspend_count, i);
    }
    EXPECT(task_resume(task), KERN_FAILURE);
    OBSERVE(syscall_task_suspend(task));
    EXPECT(task_basic(task).suspend_count, 1);
    OBSERVE(syscall_task_suspend(host));
    EXPECT(task_suspend(host), KERN_INVALID_ARGUMENT);
    EXPECT(task_resume(host), KERN_INVALID_ARGUMENT);
    mach_port_deallocate(mach_task_self(), host);
    task_end(task);
}

CASE(suspend_stops_threads)
{
    mach_port_t task;
    struct bare bare;
    vm_address_t page = 0;
    REQUIRE(vm_allocate(mach_task_self(), &page, 4096, TRUE), KERN_SUCCESS);
    REQUIRE(vm_inherit(mach_task_self(), page, 4096, VM_INHERIT_SHARE), KERN_SUCCESS);
    volatile long *counter = (long *)page;
    *counter = 0;
    REQUIRE(task_create(mach_task_self(), TRUE, &task), KERN_SUCCESS);
    bare_create(&bare, task, stub_count, page);
    EXPECT(task_suspend(task), KERN_SUCCESS);
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    pause_ms(30);
    EXPECT(*counter, 0);
    EXPECT(task_resume(task), KERN_SUCCESS);
    WAIT_FOR(*counter > 0);
    EXPECT(task_suspend(task), KERN_SUCCESS);
    long seen = *counter;
    pause_ms(30);
    EXPECT(*counter == seen, true);
    EXPECT(thread_basic(bare.thread).suspend_count, 0);
    EXPECT(task_resume(task), KERN_SUCCESS);
    WAIT_FOR(*counter > seen);
    bare_end(&bare);
    task_end(task);
    vm_deallocate(mach_task_self(), page, 4096);
}

CASE(threads_listed)
{
    mach_port_t task = task_empty(), thread[3], *list, host = (mach_host_self)();
    mach_msg_type_number_t count = 9;
    EXPECT(task_threads(task, &list, &count), KERN_SUCCESS);
    EXPECT(count, 0);
    for (int i = 0; i < 3; i++)
        EXPECT(thread_create(task, &thread[i]), KERN_SUCCESS);
    EXPECT(task_threads(task, &list, &count), KERN_SUCCESS);
    EXPECT(count, 3);
    for (mach_msg_type_number_t i = 0; i < count; i++)
        EXPECT(port_refs(list[i], MACH_PORT_RIGHT_SEND), 2);
    for (mach_msg_type_number_t i = 0; i < count; i++)
        mach_port_deallocate(mach_task_self(), list[i]);
    vm_deallocate(mach_task_self(), (vm_address_t)list, count * sizeof *list);
    EXPECT(thread_terminate(thread[1]), KERN_SUCCESS);
    EXPECT(task_threads(task, &list, &count), KERN_SUCCESS);
    EXPECT(count, 2);
    for (mach_msg_type_number_t i = 0; i < count; i++)
        mach_port_deallocate(mach_task_self(), list[i]);
    vm_deallocate(mach_task_self(), (vm_address_t)list, count * sizeof *list);
    EXPECT(task_threads(host, &list, &count), KERN_INVALID_ARGUMENT);
    task_end(task);
    for (int i = 0; i < 3; i++)
        mach_port_deallocate(mach_task_self(), thread[i]);
    mach_port_deallocate(mach_task_self(), host);
}

/* ---- ports ------------------------------------------------------------------------------- */

CASE(special_ports_by_number)
{
    mach_port_t task = task_empty(), port = port_create_with_send(), host = (mach_host_self)();
    for (int which = -1; which <= 6; which++) {
        mach_port_t found = MACH_PORT_NULL;
        OBSERVE(which);
        OBSERVE(task_get_special_port(task, which, &found));
        OBSERVE(found != MACH_PORT_NULL);
        if (found)
            mach_port_deallocate(mach_task_self(), found);
        found = MACH_PORT_NULL;
        OBSERVE(task_set_special_port(task, which, port));
        OBSERVE(task_get_special_port(task, which, &found));
        OBSERVE(found == port);
        if (found)
            mach_port_deallocate(mach_task_self(), found);
    }
    mach_port_t found;
    EXPECT(task_get_special_port(host, TASK_KERNEL_PORT, &found), KERN_INVALID_ARGUMENT);
    EXPECT(task_set_special_port(host, TASK_KERNEL_PORT, port), KERN_INVALID_ARGUMENT);
    EXPECT(port_refs(port, MACH_PORT_RIGHT_SEND), 1);
    mach_port_deallocate(mach_task_self(), host);
    task_end(task);
    port_destroy(port);
}

CASE(special_port_dies)
{
    mach_port_t task = task_empty(), port = port_create_with_send(), found = MACH_PORT_NULL;
    EXPECT(task_set_special_port(task, TASK_BOOTSTRAP_PORT, port), KERN_SUCCESS);
    port_destroy(port);
    EXPECT(task_get_special_port(task, TASK_BOOTSTRAP_PORT, &found), KERN_SUCCESS);
    OBSERVE(found == MACH_PORT_NULL ? 0 : found == MACH_PORT_DEAD ? 1 : 2);
    if (MACH_PORT_VALID(found))
        mach_port_deallocate(mach_task_self(), found);
    EXPECT(task_set_special_port(task, TASK_BOOTSTRAP_PORT, MACH_PORT_DEAD), KERN_SUCCESS);
    EXPECT(task_get_special_port(task, TASK_BOOTSTRAP_PORT, &found), KERN_SUCCESS);
    OBSERVE(found == MACH_PORT_NULL ? 0 : found == MACH_PORT_DEAD ? 1 : 2);
    EXPECT(task_set_special_port(task, TASK_BOOTSTRAP_PORT, MACH_PORT_NULL), KERN_SUCCESS);
    EXPECT(task_get_special_port(task, TASK_BOOTSTRAP_PORT, &found), KERN_SUCCESS);
    EXPECT(found, MACH_PORT_NULL);
    task_end(task);
}

CASE(special_port_by_trap)
{
    mach_port_t task = task_empty(), port = port_create_with_send(), receive_only = port_create(),
                found = MACH_PORT_NULL;
    EXPECT(syscall_task_set_special_port(task, TASK_BOOTSTRAP_PORT, port), KERN_SUCCESS);
    EXPECT(task_get_special_port(task, TASK_BOOTSTRAP_PORT, &found), KERN_SUCCESS);
    EXPECT(found == port, true);
    mach_port_deallocate(mach_task_self(), found);
    OBSERVE(syscall_task_set_special_port(task, TASK_BOOTSTRAP_PORT, receive_only));
    OBSERVE(syscall_task_set_special_port(task, TASK_BOOTSTRAP_PORT, 0x7654321));
    OBSERVE(syscall_task_set_special_port(task, 77, port));
    OBSERVE(syscall_task_set_special_port(port, TASK_BOOTSTRAP_PORT, port));
    EXPECT(port_refs(port, MACH_PORT_RIGHT_SEND), 1);
    task_end(task);
    port_destroy(port);
    port_destroy(receive_only);
}

STUB(stub_self_names,
     "mov $-28, %rax\n syscall\n mov %eax, (%rdi)\n mov $-27, %rax\n syscall\n mov %eax, 4(%rdi)\n 1: pause\n jmp 1b");

/* What task_self and thread_self give is what the kernel ports were set to. */
CASE(kernel_port_replaced)
{
    mach_port_t task, port = port_create_with_send(), name;
    struct bare bare;
    vm_address_t page = 0;
    REQUIRE(vm_allocate(mach_task_self(), &page, 4096, TRUE), KERN_SUCCESS);
    REQUIRE(vm_inherit(mach_task_self(), page, 4096, VM_INHERIT_SHARE), KERN_SUCCESS);
    volatile mach_port_t *names = (mach_port_t *)page;
    names[1] = 0;
    REQUIRE(task_create(mach_task_self(), TRUE, &task), KERN_SUCCESS);
    EXPECT(task_set_special_port(task, TASK_KERNEL_PORT, port), KERN_SUCCESS);
    bare_create(&bare, task, stub_self_names, page);
    EXPECT(thread_set_special_port(bare.thread, THREAD_KERNEL_PORT, port), KERN_SUCCESS);
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    WAIT_FOR(names[1] != 0);
    EXPECT(names[0] == names[1], true);
    mach_msg_type_name_t kind;
    EXPECT(mach_port_extract_right(task, names[0], MACH_MSG_TYPE_COPY_SEND, &name, &kind), KERN_SUCCESS);
    EXPECT(name == port, true);
    mach_port_deallocate(mach_task_self(), name);
    bare_end(&bare);
    task_end(task);
    port_destroy(port);
    vm_deallocate(mach_task_self(), page, 4096);
}

static void registered_observe(mach_port_t task, const mach_port_t *known)
{
    mach_port_t *ports;
    mach_msg_type_number_t count = 0;
    EXPECT(mach_ports_lookup(task, &ports, &count), KERN_SUCCESS);
    OBSERVE(count);
    for (mach_msg_type_number_t i = 0; i < count; i++) {
        OBSERVE(ports[i] == MACH_PORT_NULL ? 0 : ports[i] == MACH_PORT_DEAD ? 1 : ports[i] == known[i] ? 2 : 3);
        if (MACH_PORT_VALID(ports[i]))
            mach_port_deallocate(mach_task_self(), ports[i]);
    }
    if (count)
        vm_deallocate(mach_task_self(), (vm_address_t)ports, count * sizeof *ports);
}

CASE(ports_registered)
{
    mach_port_t task = task_empty(), ports[6], host = (mach_host_self)();
    for (int i = 0; i < 6; i++)
        ports[i] = port_create_with_send();
    registered_observe(task, ports);
    for (unsigned int count = 1; count <= 6; count++) {
        OBSERVE(mach_ports_register(task, ports, count));
        registered_observe(task, ports);
    }
    port_destroy(ports[5]);
    ports[5] = MACH_PORT_DEAD;
    OBSERVE(mach_ports_register(task, ports + 4, 2));
    registered_observe(task, ports + 4);
    EXPECT(mach_ports_register(host, ports, 1), KERN_INVALID_ARGUMENT);
    mach_port_t *found;
    mach_msg_type_number_t count;
    EXPECT(mach_ports_lookup(host, &found, &count), KERN_INVALID_ARGUMENT);
    task_end(task);
    for (int i = 0; i < 5; i++) {
        EXPECT(port_refs(ports[i], MACH_PORT_RIGHT_SEND), 1);
        port_destroy(ports[i]);
    }
    mach_port_mod_refs(mach_task_self(), host, MACH_PORT_RIGHT_SEND, -1);
}

CASE_DIFFERS(no_ports_registered)
{
    mach_port_t task = task_empty();
    OBSERVE(mach_ports_register(task, &task, 0));
    task_end(task);
}

/* ---- the rest of mach.defs and gnumach.defs --------------------------------------------------- */

CASE(names)
{
    mach_port_t task = task_empty(), thread, host = (mach_host_self)();
    char name[64], longest[64];
    memset(longest, 'x', sizeof longest);
    longest[63] = 0;
    EXPECT(thread_create(task, &thread), KERN_SUCCESS);
    EXPECT(task_set_name(task, "first"), KERN_SUCCESS);
    EXPECT(thread_set_name(thread, "the thread"), KERN_SUCCESS);
    EXPECT(thread_get_name(thread, name), KERN_SUCCESS);
    EXPECT(strcmp(name, "the thread"), 0);
    EXPECT(thread_set_name(thread, longest), KERN_SUCCESS);
    EXPECT(thread_get_name(thread, name), KERN_SUCCESS);
    OBSERVE(strnlen(name, sizeof name));
    EXPECT(thread_set_name(thread, ""), KERN_SUCCESS);
    EXPECT(thread_get_name(thread, name), KERN_SUCCESS);
    OBSERVE(strnlen(name, sizeof name));
    OBSERVE(thread_get_name(host, name));
    OBSERVE(thread_get_name(task, name));
    EXPECT(task_set_name(task, longest), KERN_SUCCESS);
    EXPECT(task_set_name(host, "host"), KERN_SUCCESS);
    task_end(task);
    mach_port_deallocate(mach_task_self(), thread);
    mach_port_deallocate(mach_task_self(), host);
}

CASE(thread_named_after_task)
{
    mach_port_t task = task_empty(), thread;
    char name[64];
    EXPECT(thread_create(task, &thread), KERN_SUCCESS);
    memset(name, 0, sizeof name);
    OBSERVE(thread_get_name(thread, name));
    OBSERVE(strnlen(name, sizeof name) > 0);
    EXPECT(task_set_name(task, "godfather"), KERN_SUCCESS);
    OBSERVE(thread_get_name(thread, name));
    OBSERVE(strcmp(name, "godfather") == 0);
    task_end(task);
    mach_port_deallocate(mach_task_self(), thread);
}

CASE(essential_and_not)
{
    mach_port_t task = task_empty(), host = (mach_host_self)();
    EXPECT(task_set_essential(task, TRUE), KERN_SUCCESS);
    EXPECT(task_set_essential(task, FALSE), KERN_SUCCESS);
    EXPECT(task_set_essential(host, TRUE), KERN_SUCCESS);
    EXPECT(task_terminate(task), KERN_SUCCESS);
    mach_port_deallocate(mach_task_self(), task);
    mach_port_deallocate(mach_task_self(), host);
}

CASE(restartable_sequences)
{
    mach_port_t task = task_empty(), host = (mach_host_self)();
    for (int flavor = -1; flavor <= 4; flavor++)
        OBSERVE(task_ras_control(task, 0x1000, 0x2000, flavor));
    OBSERVE(task_ras_control(host, 0x1000, 0x2000, 0));
    task_end(task);
    mach_port_deallocate(mach_task_self(), host);
}
