/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening and closing devices (Mach manual, "Device Open", "Device Close"): names, ports that are none, what a device
   cannot. */


#include "devices.h"

static kern_return_t open_status(mach_port_t master, const char *name)
{
    mach_port_t device = MACH_PORT_NULL;
    kern_return_t kr = device_open(master, D_READ | D_WRITE, (char *)name, &device);
    if (kr == D_SUCCESS)
        mach_port_deallocate(mach_task_self(), device);
    return kr;
}

CASE(open_of_known_names)
{
    EXPECT(open_status(device_master, "console"), D_SUCCESS);
    EXPECT(open_status(device_master, "time"), D_SUCCESS);
    EXPECT(open_status(device_master, "mem"), D_SUCCESS);
    EXPECT(open_status(device_master, "irq"), D_SUCCESS);
    EXPECT(open_status(device_master, "kmsg"), D_SUCCESS);
}

CASE(open_of_unknown_names)
{
    EXPECT(open_status(device_master, ""), D_NO_SUCH_DEVICE);
    EXPECT(open_status(device_master, "nothing"), D_NO_SUCH_DEVICE);
    EXPECT(open_status(device_master, "rd"), D_NO_SUCH_DEVICE);
    EXPECT(open_status(device_master, "rd99"), D_NO_SUCH_DEVICE);
    EXPECT(open_status(device_master, "Console"), D_NO_SUCH_DEVICE);
    EXPECT(open_status(device_master, "hd0"), D_NO_SUCH_DEVICE);
}

CASE(open_with_more_behind_the_name)
{
    OBSERVE(open_status(device_master, "time0"));
    OBSERVE(open_status(device_master, "time1"));
    OBSERVE(open_status(device_master, "timer"));
    OBSERVE(open_status(device_master, "console0"));
    OBSERVE(open_status(device_master, "console1"));
    OBSERVE(open_status(device_master, "mem0"));
    OBSERVE(open_status(device_master, "irq7"));
    OBSERVE(open_status(device_master, "con"));
}

CASE(open_with_the_longest_name)
{
    char name[128];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    EXPECT(open_status(device_master, name), D_NO_SUCH_DEVICE);
}

CASE(open_on_the_host_port)
{
    OBSERVE(open_status(mach_host_self(), "console"));
    OBSERVE(open_status(host_priv, "console"));
}

CASE(open_on_task_and_device)
{
    mach_port_t device = device_opened("time");
    OBSERVE(open_status(mach_task_self(), "console"));
    OBSERVE(open_status(device, "console"));
    mach_port_deallocate(mach_task_self(), device);
}

CASE(open_on_a_dead_port)
{
    mach_port_t dead = port_create_dead();
    EXPECT(open_status(dead, "console"), MACH_SEND_INVALID_DEST);
    port_destroy(dead);
    EXPECT(open_status(MACH_PORT_NULL, "console"), MACH_SEND_INVALID_DEST);
}

CASE(open_again_gives_the_same_port)
{
    mach_port_t first = device_opened("time"), second = device_opened("time");
    CHECK(first == second);
    EXPECT(port_refs(first, MACH_PORT_RIGHT_SEND), 2);
    mach_port_deallocate(mach_task_self(), first);
    mach_port_deallocate(mach_task_self(), second);
}

CASE(open_new_of_names)
{
    struct {
        mach_msg_header_t head;
        mach_msg_type_t mode_type;
        dev_mode_t mode;
        int pad;
    } request = {.head = {.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE),
                          .msgh_size = sizeof request,
                          .msgh_remote_port = device_master,
                          .msgh_local_port = mach_reply_port(),
                          .msgh_id = 2806}};
    /* Its body lacks the name. */
    EXPECT(mach_msg(&request.head, MACH_SEND_MSG | MACH_RCV_MSG, sizeof request, sizeof request,
                    request.head.msgh_local_port, 10000, MACH_PORT_NULL),
           MACH_MSG_SUCCESS);
    OBSERVE(request.head.msgh_id);
    OBSERVE(request.mode);
    mach_port_mod_refs(mach_task_self(), request.head.msgh_local_port, MACH_PORT_RIGHT_RECEIVE, -1);
}

CASE(open_new_opens)
{
    static const char *const names[] = {"time", "console", "mem", "nothing", "", "timer"};
    mach_port_t device, again;
    for (unsigned int i = 0; i < sizeof names / sizeof *names; i++) {
        device = MACH_PORT_NULL;
        OBSERVE(device_open_new(device_master, D_READ, (char *)names[i], &device));
        OBSERVE(device != MACH_PORT_NULL);
        if (device)
            mach_port_deallocate(mach_task_self(), device);
    }
    EXPECT(device_open_new(device_master, D_READ, (char *)"time", &device), D_SUCCESS);
    EXPECT(device_open(device_master, D_READ, (char *)"time", &again), D_SUCCESS);
    EXPECT(device == again, true);
    mach_port_deallocate(mach_task_self(), device);
    mach_port_deallocate(mach_task_self(), again);
    OBSERVE(device_open_new(mach_task_self(), D_READ, (char *)"time", &device));
    OBSERVE(device_open_new(host_priv, D_READ, (char *)"time", &device));
}

CASE(close_and_use)
{
    mach_port_t device = device_opened("time"), pager = MACH_PORT_NULL;
    OBSERVE(device_close(device));
    OBSERVE(device_close(device));
    OBSERVE(device_map(device, VM_PROT_READ, 0, vm_page_size, &pager, 0));
    OBSERVE(port_type(device));
    if (MACH_PORT_VALID(pager))
        mach_port_deallocate(mach_task_self(), pager);
    mach_port_deallocate(mach_task_self(), device);
}

CASE(close_of_no_device)
{
    mach_port_t port = port_create_dead();
    OBSERVE(device_close(mach_task_self()));
    OBSERVE(device_close(device_master));
    EXPECT(device_close(port), MACH_SEND_INVALID_DEST);
    port_destroy(port);
}

CASE_OURS(reads_that_a_device_does_not_know)
{
    mach_port_t time = device_opened("time"), irq = device_opened("irq");
    io_buf_ptr_t data = 0;
    io_buf_ptr_inband_t inband;
    mach_msg_type_number_t count = 0;
    OBSERVE(device_read(time, 0, 0, 16, &data, &count));
    count = sizeof inband;
    OBSERVE(device_read_inband(time, 0, 0, 16, inband, &count));
    OBSERVE(device_read(irq, 0, 0, 16, &data, &count));
    mach_port_deallocate(mach_task_self(), time);
    mach_port_deallocate(mach_task_self(), irq);
}

CASE_OURS(writes_that_a_device_does_not_know)
{
    mach_port_t time = device_opened("time"), irq = device_opened("irq");
    char byte = 0;
    int written = 77;
    OBSERVE(device_write_text(time, 0, &byte, 1, &written));
    OBSERVE(device_write(time, 0, 0, &byte, 1, &written));
    OBSERVE(device_write_text(irq, 0, &byte, 1, &written));
    mach_port_deallocate(mach_task_self(), time);
    mach_port_deallocate(mach_task_self(), irq);
}

CASE(requests_to_ports_that_are_no_devices)
{
    io_buf_ptr_t data = 0;
    io_buf_ptr_inband_t inband;
    mach_msg_type_number_t count = sizeof inband;
    mach_port_t pager = MACH_PORT_NULL;
    int written = 0, status[2];
    OBSERVE(device_read(mach_task_self(), 0, 0, 16, &data, &count));
    OBSERVE(device_read_inband(host_priv, 0, 0, 16, inband, &count));
    OBSERVE(device_write_text(device_master, 0, "x", 1, &written));
    OBSERVE(device_map(mach_task_self(), VM_PROT_READ, 0, vm_page_size, &pager, 0));
    count = 2;
    OBSERVE(device_get_status(device_master, DEV_GET_SIZE, status, &count));
    OBSERVE(device_set_status(device_master, DEV_GET_SIZE, status, 2));
    OBSERVE(device_intr_register(device_master, 5, 0, MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND));
    OBSERVE(device_intr_ack(device_master, MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND));
}

CASE(set_filter_on_a_device_without)
{
    mach_port_t time = device_opened("time"), port = port_create_with_send();
    filter_t filter[4] = {0};
    OBSERVE(device_set_filter(time, port, MACH_MSG_TYPE_COPY_SEND, 0, filter, 4));
    mach_port_deallocate(mach_task_self(), time);
    port_destroy(port);
}
