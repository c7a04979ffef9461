/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The devices that are only mapped: "time", a page with the time of day, and "mem", the physical address space of
   devices and firmware. */

#include "../arch/x86_64/cpu.h"
#include "../arch/x86_64/machine.h"
#include "../task/task.h"
#include "../vm/object.h"
#include "device.h"

static struct mapped_time_value *time_page;

void device_time_update(void)
{
    struct mapped_time_value *mapped = time_page;
    if (mapped == NULL)
        return;
    uint64_t up = machine_uptime_micros(), now = host_boot_micros() + up;
    /* Readers take the check last: it is written first. */
    mapped->check_seconds = (integer_t)(now / 1000000);
    mapped->check_seconds64 = (int64_t)(now / 1000000);
    mapped->check_upseconds64 = (int64_t)(up / 1000000);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    mapped->microseconds = (integer_t)(now % 1000000);
    mapped->time_value.nanoseconds = (int64_t)(now % 1000000 * 1000);
    mapped->uptime_value.nanoseconds = (int64_t)(up % 1000000 * 1000);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    mapped->seconds = (integer_t)(now / 1000000);
    mapped->time_value.seconds = (int64_t)(now / 1000000);
    mapped->uptime_value.seconds = (int64_t)(up / 1000000);
}

static struct vm_object *time_map(struct device *device, vm_prot_t protection, uint64_t offset, uint64_t size)
{
    (void)device;
    if ((protection & VM_PROT_WRITE) || offset || size > PAGE_SIZE)
        return NULL;
    struct vm_object *object = object_create_physical(virt_to_phys(time_page), PAGE_SIZE, false);
    if (object)
        object->physical_read_only = true;
    return object;
}

/* The first physical address that the processor does not have (Intel SDM volume 2, CPUID leaf 80000008h). */
static uint64_t physical_end(void)
{
    uint32_t leaf[4];
    cpuid(0x80000000, 0, leaf);
    if (leaf[0] < 0x80000008)
        return 1ul << 36;
    cpuid(0x80000008, 0, leaf);
    return 1ul << min(leaf[0] & 0xff, 52u);
}

static struct vm_object *mem_map(struct device *device, vm_prot_t protection, uint64_t offset, uint64_t size)
{
    (void)device, (void)protection;
    if (offset % PAGE_SIZE || offset > physical_end() || size > physical_end() - offset)
        return NULL;
    /* Memory that the allocator gives away is not for mapping; the first MiB (firmware tables) is read by drivers. */
    for (uint64_t at = max(offset, 1ul << 20); at < min(offset + size, page_limit); at += PAGE_SIZE)
        if (page_of_physical(at)->managed)
            return NULL;
    return object_create_physical(offset, align_up(size, PAGE_SIZE), offset >= 1ul << 20);
}

void device_time_init(void)
{
    struct page *page = page_alloc(0, UINT64_MAX);
    if (page == NULL)
        panic("no memory for the page of the time");
    time_page = page_address(page);
    memset(time_page, 0, PAGE_SIZE);
    device_time_update();
}

const struct device_ops time_ops = {.map = time_map};
const struct device_ops mem_ops = {.map = mem_map};
