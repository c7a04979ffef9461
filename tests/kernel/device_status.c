/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Status of devices (Mach manual, "Device Status"; device/tty_status.h), and the console's and the log's reading and
   writing. */

#include <device/tty_status.h>

#include "devices.h"

/* device_get_status of FLAVOR with room for COUNT words: the code, and how many came. */
static void status_observe(mach_port_t device, dev_flavor_t flavor, mach_msg_type_number_t count)
{
    int status[DEV_STATUS_MAX] = {0};
    kern_return_t kr = device_get_status(device, flavor, status, &count);
    observe("code", kr);
    if (kr == KERN_SUCCESS)
        observe("count", count);
}

CASE(console_tty_status)
{
    mach_port_t console = device_opened("console");
    struct tty_status status = {0};
    mach_msg_type_number_t count = TTY_STATUS_COUNT;
    EXPECT(device_get_status(console, TTY_STATUS, (int *)&status, &count), D_SUCCESS);
    EXPECT(count, TTY_STATUS_COUNT);
    OBSERVE(status.tt_breakc);
    OBSERVE(status.tt_flags);
    OBSERVE(status.tt_ispeed);
    OBSERVE(status.tt_ospeed);
    mach_port_deallocate(mach_task_self(), console);
}

CASE(console_tty_status_set_as_it_is)
{
    mach_port_t console = device_opened("console");
    struct tty_status status = {0}, again = {0};
    mach_msg_type_number_t count = TTY_STATUS_COUNT;
    EXPECT(device_get_status(console, TTY_STATUS, (int *)&status, &count), D_SUCCESS);
    EXPECT(device_set_status(console, TTY_STATUS, (int *)&status, TTY_STATUS_COUNT), D_SUCCESS);
    EXPECT(device_get_status(console, TTY_STATUS, (int *)&again, &count), D_SUCCESS);
    CHECK(memcmp(&status, &again, sizeof status) == 0);
    mach_port_deallocate(mach_task_self(), console);
}

CASE(console_status_counts)
{
    mach_port_t console = device_opened("console");
    status_observe(console, TTY_STATUS, TTY_STATUS_COUNT - 1);
    status_observe(console, TTY_STATUS, 0);
    status_observe(console, TTY_STATUS, DEV_STATUS_MAX);
    mach_port_deallocate(mach_task_self(), console);
}

CASE(console_status_flavors)
{
    mach_port_t console = device_opened("console");
    status_observe(console, DEV_GET_SIZE, 2);
    status_observe(console, DEV_GET_RECORDS, 2);
    status_observe(console, 0x7fffffff, 8);
    status_observe(console, (dev_flavor_t)0x80000000, 8);
    mach_port_deallocate(mach_task_self(), console);
}

CASE(console_set_status_errors)
{
    mach_port_t console = device_opened("console");
    int words[8] = {0};
    OBSERVE(device_set_status(console, TTY_STATUS, words, TTY_STATUS_COUNT - 1));
    OBSERVE(device_set_status(console, 0x7fffffff, words, 2));
    mach_port_deallocate(mach_task_self(), console);
}

CASE(console_set_status_speed_out_of_range)
{
    mach_port_t console = device_opened("console");
    struct tty_status status = {.tt_ispeed = 1000, .tt_ospeed = B9600};
    OBSERVE(device_set_status(console, TTY_STATUS, (int *)&status, TTY_STATUS_COUNT));
    status = (struct tty_status){.tt_ispeed = B9600, .tt_ospeed = -1};
    OBSERVE(device_set_status(console, TTY_STATUS, (int *)&status, TTY_STATUS_COUNT));
    mach_port_deallocate(mach_task_self(), console);
}

CASE_DIFFERS(status_of_time_mem_irq_kmsg)
{
    static const char *const names[] = {"time", "mem", "irq", "kmsg"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mach_port_t device = device_opened(names[i]);
        int words[4] = {0};
        status_observe(device, DEV_GET_SIZE, 2);
        status_observe(device, DEV_GET_RECORDS, 2);
        status_observe(device, TTY_STATUS, TTY_STATUS_COUNT);
        OBSERVE(device_set_status(device, DEV_GET_SIZE, words, 2));
        mach_port_deallocate(mach_task_self(), device);
    }
}

CASE(console_write_inband)
{
    mach_port_t console = device_opened("console");
    int written = -1;
    EXPECT(device_write_text(console, 0, "\n", 1, &written), D_SUCCESS);
    EXPECT(written, 1);
    EXPECT(device_write_text(console, D_NOWAIT, "# by device_write_inband\n", 25, &written), D_SUCCESS);
    EXPECT(written, 25);
    mach_port_deallocate(mach_task_self(), console);
}

CASE(console_write_nothing)
{
    mach_port_t console = device_opened("console");
    int written = -1;
    OBSERVE(device_write_text(console, 0, "", 0, &written));
    OBSERVE(written);
    mach_port_deallocate(mach_task_self(), console);
}

CASE(console_write_out_of_line)
{
    mach_port_t console = device_opened("console");
    int written = -1;
    EXPECT(device_write(console, 0, 0, (char *)"\n# by device_write\n", 19, &written), D_SUCCESS);
    EXPECT(written, 19);
    mach_port_deallocate(mach_task_self(), console);
}

CASE_OURS(console_read_without_waiting)
{
    mach_port_t console = device_opened("console");
    io_buf_ptr_t data = 0;
    io_buf_ptr_inband_t inband;
    mach_msg_type_number_t count = sizeof inband;
    OBSERVE(device_read_inband(console, D_NOWAIT, 0, 16, inband, &count));
    count = 0;
    OBSERVE(device_read(console, D_NOWAIT, 0, 16, &data, &count));
    mach_port_deallocate(mach_task_self(), console);
}

CASE_OURS(console_read_sizes)
{
    mach_port_t console = device_opened("console");
    io_buf_ptr_inband_t inband;
    mach_msg_type_number_t count = sizeof inband;
    OBSERVE(device_read_inband(console, D_NOWAIT, 0, 0, inband, &count));
    count = sizeof inband;
    OBSERVE(device_read_inband(console, D_NOWAIT, 0, -1, inband, &count));
    mach_port_deallocate(mach_task_self(), console);
}

/* A request that nobody answers: its reply port goes away while it waits. */
static void read_console(void *argument)
{
    io_buf_ptr_inband_t inband;
    mach_msg_type_number_t count = sizeof inband;
    device_read_inband(*(mach_port_t *)argument, 0, 0, 16, inband, &count);
}

CASE_OURS(console_reader_is_killed)
{
    mach_port_t console = device_opened("console");
    struct helper helper = {0};
    io_buf_ptr_inband_t inband;
    mach_msg_type_number_t count = sizeof inband;
    helper_start(&helper, read_console, &console);
    CHECK(helper_waits(&helper));
    helper_kill(&helper);
    OBSERVE(device_read_inband(console, D_NOWAIT, 0, 16, inband, &count));
    mach_port_deallocate(mach_task_self(), console);
}

CASE(kmsg_is_read)
{
    mach_port_t kmsg = MACH_PORT_NULL;
    io_buf_ptr_inband_t inband;
    mach_msg_type_number_t count = sizeof inband;
    REQUIRE(device_open(device_master, D_READ, (char *)"kmsg", &kmsg), D_SUCCESS);
    EXPECT(device_read_inband(kmsg, D_NOWAIT, 0, 64, inband, &count), D_SUCCESS);
    CHECK(count > 0 && count <= 64);
    mach_port_deallocate(mach_task_self(), kmsg);
}

CASE(kmsg_goes_on_to_its_end)
{
    mach_port_t kmsg = MACH_PORT_NULL;
    io_buf_ptr_inband_t first, inband;
    mach_msg_type_number_t count = sizeof first;
    int reads = 0;
    REQUIRE(device_open(device_master, D_READ, (char *)"kmsg", &kmsg), D_SUCCESS);
    EXPECT(device_read_inband(kmsg, D_NOWAIT, 0, 64, first, &count), D_SUCCESS);
    count = sizeof inband;
    EXPECT(device_read_inband(kmsg, D_NOWAIT, 0, 64, inband, &count), D_SUCCESS);
    CHECK(memcmp(first, inband, 64) != 0);
    kern_return_t kr = D_SUCCESS;
    for (; kr == D_SUCCESS && reads < 10000; reads++) {
        count = sizeof inband;
        kr = device_read_inband(kmsg, D_NOWAIT, 0, sizeof inband, inband, &count);
    }
    EXPECT(kr, D_WOULD_BLOCK);
    mach_port_deallocate(mach_task_self(), kmsg);
}

CASE_DIFFERS(kmsg_is_not_written)
{
    mach_port_t kmsg = MACH_PORT_NULL;
    int written = -1;
    REQUIRE(device_open(device_master, D_READ, (char *)"kmsg", &kmsg), D_SUCCESS);
    OBSERVE(device_write_text(kmsg, 0, "x", 1, &written));
    mach_port_deallocate(mach_task_self(), kmsg);
}
