/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: what mach_debug.defs tells of the kernel's caches and stacks, of regions, objects and pages (port_debug.c: of
   ports). */

#include "memory_help.h"
#include "objects.h"

#include <mach_debug/mach_debug_types.h>

#include "mach_debug_U.h"

/* Memory that no other region or object borders on: kernels join what is alike. */
static char *pages_apart(unsigned int count)
{
    vm_address_t at = 0x700000000000;
    if (vm_allocate(mach_task_self(), &at, count * PAGE, FALSE))
        __builtin_trap();
    vm_protect(mach_task_self(), at, count * PAGE, FALSE, VM_PROT_READ | VM_PROT_WRITE);
    return (char *)at;
}

static void info_free(const void *info, const void *buffer, size_t size)
{
    if (info != buffer && size)
        vm_deallocate(mach_task_self(), (vm_address_t)info, size);
}

/* ---- caches -------------------------------------------------------------------------------- */

CASE(slabs)
{
    mach_port_t host = (mach_host_self)();
    static cache_info_t buffer[16];
    cache_info_t *info = buffer;
    mach_msg_type_number_t count = 16;
    unsigned int good = 0, named = 0;
    REQUIRE(host_slab_info(host, &info, &count), KERN_SUCCESS);
    CHECK(count > 8);
    for (unsigned int i = 0; i < count; i++) {
        good += info[i].buf_size >= info[i].obj_size && info[i].nr_objs <= info[i].nr_bufs &&
                info[i].nr_bufs == info[i].nr_slabs * info[i].bufs_per_slab &&
                info[i].nr_free_slabs <= info[i].nr_slabs && info[i].slab_size >= info[i].buf_size &&
                info[i].align != 0;
        named += info[i].name[0] != 0 && memchr(info[i].name, 0, sizeof info[i].name) != NULL;
        remark("%s: obj %lu buf %lu slab %lu per %lu objs %lu bufs %lu slabs %lu free %lu align %lu flags %x pool %lu",
               info[i].name, (unsigned long)info[i].obj_size, (unsigned long)info[i].buf_size,
               (unsigned long)info[i].slab_size, (unsigned long)info[i].bufs_per_slab, (unsigned long)info[i].nr_objs,
               (unsigned long)info[i].nr_bufs, (unsigned long)info[i].nr_slabs, (unsigned long)info[i].nr_free_slabs,
               (unsigned long)info[i].align, info[i].flags, (unsigned long)info[i].cpu_pool_size);
    }
    EXPECT(good == count, 1);
    EXPECT(named == count, 1);
    info_free(info, buffer, count * sizeof *info);
    mach_port_deallocate(mach_task_self(), host);
}

/* How many objects of all caches whose name has WORD are in use. */
static unsigned long objects_in_use(const char *word)
{
    static cache_info_t buffer[16];
    cache_info_t *info = buffer;
    mach_msg_type_number_t count = 0;
    unsigned long used = 0;
    mach_port_t host = (mach_host_self)();
    if (host_slab_info(host, &info, &count) == KERN_SUCCESS)
        for (unsigned int i = 0; i < count; i++)
            used += strstr(info[i].name, word) ? info[i].nr_objs : 0;
    info_free(info, buffer, count * sizeof *info);
    mach_port_deallocate(mach_task_self(), host);
    return used;
}

/* The figures are those of what is there: a hundred threads are a hundred objects. */
CASE(slabs_count_objects)
{
    enum { MANY = 100 };
    mach_port_t threads[MANY], task = task_empty();
    unsigned long before = objects_in_use("thread");
    for (int i = 0; i < MANY; i++)
        CHECK(thread_create(task, &threads[i]) == KERN_SUCCESS);
    EXPECT(objects_in_use("thread") >= before + MANY, 1);
    for (int i = 0; i < MANY; i++)
        mach_port_deallocate(mach_task_self(), threads[i]);
    task_end(task);
    WAIT_FOR(objects_in_use("thread") < before + MANY);
}

CASE(slabs_of_what_is_no_host)
{
    cache_info_t buffer[2], *info = buffer;
    mach_msg_type_number_t count = 2;
    mach_port_t port = port_create_with_send();
    OBSERVE(host_slab_info(mach_task_self(), &info, &count));
    count = 2;
    OBSERVE(host_slab_info(device_master, &info, &count));
    count = 2;
    info = buffer;
    OBSERVE(host_slab_info(host_priv, &info, &count));
    info_free(info, buffer, count * sizeof *info);
    port_destroy(port);
}

/* ---- stacks and tables ------------------------------------------------------------------------- */

CASE(stacks)
{
    mach_port_t host = (mach_host_self)(), set;
    vm_size_t reserved = 0, space = 0, resident = 0, most = 0;
    vm_offset_t stack = 0;
    unsigned int total = 0;
    OBSERVE(host_stack_usage(host, &reserved, &total, &space, &resident, &most, &stack));
    remark("reserved %lu total %u space %lu resident %lu most %lu stack %lx", reserved, total, space, resident, most,
           stack);
    OBSERVE(host_stack_usage(mach_task_self(), &reserved, &total, &space, &resident, &most, &stack));
    REQUIRE(processor_set_default(host, &set), KERN_SUCCESS);
    OBSERVE(processor_set_stack_usage(set, &total, &space, &resident, &most, &stack));
    remark("total %u space %lu resident %lu most %lu stack %lx", total, space, resident, most, stack);
    OBSERVE(processor_set_stack_usage(host, &total, &space, &resident, &most, &stack));
    mach_port_deallocate(mach_task_self(), set);
    mach_port_deallocate(mach_task_self(), host);
}

CASE(tables)
{
    mach_port_t host = (mach_host_self)();
    static hash_info_bucket_t buffer[64];
    hash_info_bucket_t *info = buffer;
    mach_msg_type_number_t count = 64;
    unsigned int most = 0;
    long result = host_virtual_physical_table_info(host, &info, &count);
    OBSERVE(result);
    if (result == KERN_SUCCESS)
        info_free(info, buffer, count * sizeof *info);
    remark("%u buckets of pages", count);
    count = 64;
    OBSERVE(host_virtual_physical_table_info(mach_task_self(), &info, &count));
    info = buffer;
    count = 64;
    result = host_ipc_marequest_info(host, &most, &info, &count);
    OBSERVE(result);
    if (result == KERN_SUCCESS)
        info_free(info, buffer, count * sizeof *info);
    remark("%u buckets of requests, %u at most", count, most);
    info = buffer;
    count = 64;
    OBSERVE(host_ipc_marequest_info(mach_task_self(), &most, &info, &count));
    mach_port_deallocate(mach_task_self(), host);
}

CASE(symbol_table)
{
    static char table[64];
    mach_port_t host = (mach_host_self)();
    OBSERVE(host_load_symbol_table(host_priv, mach_task_self(), "table", (vm_address_t)table, sizeof table));
    OBSERVE(host_load_symbol_table(host, mach_task_self(), "table", (vm_address_t)table, sizeof table));
    OBSERVE(host_load_symbol_table(host_priv, host, "table", (vm_address_t)table, sizeof table));
    mach_port_deallocate(mach_task_self(), host);
}

/* ---- regions ----------------------------------------------------------------------------------- */

static void region_observe(vm_address_t at)
{
    vm_region_info_t info = {0};
    mach_port_t object = MACH_PORT_NULL;
    long result = mach_vm_region_info(mach_task_self(), at, &info, &object);
    OBSERVE(result);
    if (result)
        return;
    OBSERVE((long)info.vri_start - (long)at);
    OBSERVE((long)info.vri_end - (long)at);
    OBSERVE(info.vri_protection);
    OBSERVE(info.vri_max_protection);
    OBSERVE(info.vri_inheritance);
    OBSERVE(info.vri_wired_count);
    OBSERVE(info.vri_user_wired_count);
    OBSERVE(info.vri_needs_copy);
    OBSERVE(info.vri_sharing);
    OBSERVE(object != MACH_PORT_NULL);
    OBSERVE(info.vri_offset);
    remark("object %lx offset %lx port %x", (unsigned long)info.vri_object, (unsigned long)info.vri_offset, object);
    if (object)
        mach_port_deallocate(mach_task_self(), object);
}

CASE(regions)
{
    char *at = pages_apart(8);
    region_observe((vm_address_t)at);
    *(volatile char *)at = 1;
    region_observe((vm_address_t)at);
    vm_protect(mach_task_self(), (vm_address_t)at + 2 * PAGE, PAGE, FALSE, VM_PROT_READ);
    vm_inherit(mach_task_self(), (vm_address_t)at + 4 * PAGE, PAGE, VM_INHERIT_NONE);
    vm_wire(host_priv, mach_task_self(), (vm_address_t)at + 6 * PAGE, PAGE, VM_PROT_READ | VM_PROT_WRITE);
    for (unsigned int i = 1; i < 7; i++)
        region_observe((vm_address_t)at + i * PAGE);
    region_observe((vm_address_t)at + 2 * PAGE + 17);
    vm_wire(host_priv, mach_task_self(), (vm_address_t)at + 6 * PAGE, PAGE, VM_PROT_NONE);
    pages_drop(at, 8);
}

CASE(regions_that_are_none)
{
    vm_region_info_t info;
    mach_port_t object = MACH_PORT_NULL, host = (mach_host_self)();
    OBSERVE(mach_vm_region_info(host, 0, &info, &object));
    char *at = pages_apart(1);
    OBSERVE(mach_vm_region_info(mach_task_self(), (vm_address_t)at - 5 * PAGE, &info, &object));
    OBSERVE((long)info.vri_start - (long)at);
    if (object)
        mach_port_deallocate(mach_task_self(), object);
    pages_drop(at, 1);
    OBSERVE(mach_vm_region_info(mach_task_self(), ~0ul, &info, &object));
    mach_port_t task = task_empty();
    OBSERVE(mach_vm_region_info(task, 0x1000, &info, &object));
    task_end(task);
    mach_port_deallocate(mach_task_self(), host);
}

/* After a task was copied both have the memory until one writes. */
CASE(regions_copied)
{
    char *at = pages_apart(2);
    mach_port_t task, object = MACH_PORT_NULL;
    vm_region_info_t info = {0};
    at[0] = at[PAGE] = 1;
    REQUIRE(task_create(mach_task_self(), TRUE, &task), KERN_SUCCESS);
    EXPECT(mach_vm_region_info(task, (vm_address_t)at, &info, &object), KERN_SUCCESS);
    OBSERVE(info.vri_needs_copy);
    OBSERVE(info.vri_sharing);
    if (object)
        mach_port_deallocate(mach_task_self(), object);
    region_observe((vm_address_t)at);
    at[0] = 2;
    region_observe((vm_address_t)at);
    task_end(task);
    pages_drop(at, 2);
}

/* ---- objects and pages --------------------------------------------------------------------------- */

static void object_observe(mach_port_t object)
{
    vm_object_info_t info = {0};
    mach_port_t shadow = MACH_PORT_NULL, copy = MACH_PORT_NULL;
    long result = mach_vm_object_info(object, &info, &shadow, &copy);
    OBSERVE(result);
    if (result)
        return;
    OBSERVE(info.voi_pagesize);
    OBSERVE(info.voi_resident_page_count);
    OBSERVE(info.voi_absent_count);
    OBSERVE(info.voi_copy_strategy);
    OBSERVE(info.voi_shadow_offset);
    OBSERVE(info.voi_paging_offset);
    OBSERVE(info.voi_paging_in_progress);
    OBSERVE(info.voi_state);
    OBSERVE(shadow != MACH_PORT_NULL);
    OBSERVE(copy != MACH_PORT_NULL);
    remark("size %lx refs %u last %lx object %lx shadow %lx copy %lx", (unsigned long)info.voi_size, info.voi_ref_count,
           (unsigned long)info.voi_last_alloc, (unsigned long)info.voi_object, (unsigned long)info.voi_shadow,
           (unsigned long)info.voi_copy);
    if (shadow)
        mach_port_deallocate(mach_task_self(), shadow);
    if (copy)
        mach_port_deallocate(mach_task_self(), copy);
}

/* The pages of an object by offset, as far as they are resident. */
static void pages_observe(mach_port_t object)
{
    vm_page_info_t buffer[8], *info = buffer;
    vm_page_phys_info_t phys_buffer[8], *phys = phys_buffer;
    mach_msg_type_number_t count = 8, phys_count = 8;
    long result = mach_vm_object_pages(object, &info, &count);
    OBSERVE(result);
    if (result)
        return;
    OBSERVE(count);
    EXPECT(mach_vm_object_pages_phys(object, &phys, &phys_count), KERN_SUCCESS);
    EXPECT(phys_count == count, 1);
    for (vm_offset_t offset = 0; offset < 64 * PAGE; offset += PAGE)
        for (unsigned int i = 0; i < count; i++) {
            if (info[i].vpi_offset != offset)
                continue;
            OBSERVE(info[i].vpi_offset);
            OBSERVE(info[i].vpi_wire_count);
            OBSERVE(info[i].vpi_page_lock);
            OBSERVE(info[i].vpi_unlock_request);
            OBSERVE(info[i].vpi_state & ~(VPI_STATE_OVERWRITING | VPI_STATE_REFERENCE));
            OBSERVE(info[i].vpi_phys_addr % PAGE);
            CHECK(info[i].vpi_phys_addr == phys[i].vpi_phys_addr && phys[i].vpi_offset == offset);
        }
    info_free(info, buffer, count * sizeof *info);
    info_free(phys, phys_buffer, phys_count * sizeof *phys);
}

static mach_port_t object_of(const void *at)
{
    vm_region_info_t info;
    mach_port_t object = MACH_PORT_NULL;
    CHECK(mach_vm_region_info(mach_task_self(), (vm_address_t)at, &info, &object) == KERN_SUCCESS);
    return object;
}

CASE(object_anonymous)
{
    char *at = pages_apart(8);
    for (unsigned int i = 0; i < 8; i += 2)
        at[i * PAGE] = 1;
    mach_port_t object = object_of(at);
    object_observe(object);
    pages_observe(object);
    vm_wire(host_priv, mach_task_self(), (vm_address_t)at, PAGE, VM_PROT_READ | VM_PROT_WRITE);
    pages_observe(object);
    vm_wire(host_priv, mach_task_self(), (vm_address_t)at, PAGE, VM_PROT_NONE);
    mach_port_deallocate(mach_task_self(), object);
    pages_drop(at, 8);
}

CASE(object_of_a_pager)
{
    struct object object;
    char *at = object_map(&object, 0, 8 * PAGE, TRUE, MEMORY_OBJECT_COPY_DELAY);
    object_fill(&object, at, 0, 1, VM_PROT_NONE, FALSE);
    object_fill(&object, at + 2 * PAGE, 2 * PAGE, 2, VM_PROT_WRITE, FALSE);
    object_fill(&object, at + 4 * PAGE, 4 * PAGE, 3, VM_PROT_NONE, TRUE);
    object_observe(object.name);
    pages_observe(object.name);
    at[0] = 2;
    pages_observe(object.name);
    vm_deallocate(mach_task_self(), (vm_address_t)at, 8 * PAGE);
    object_drop(&object);
}

CASE(object_with_many_pages)
{
    enum { MANY = 300 };
    char *at = pages_apart(MANY);
    for (unsigned int i = 0; i < MANY; i++)
        at[i * PAGE] = 1;
    mach_port_t object = object_of(at);
    vm_page_info_t buffer[4], *info = buffer;
    mach_msg_type_number_t count = 4;
    EXPECT(mach_vm_object_pages(object, &info, &count), KERN_SUCCESS);
    CHECK(count >= MANY && info != buffer);
    info_free(info, buffer, count * sizeof *info);
    mach_port_deallocate(mach_task_self(), object);
    pages_drop(at, MANY);
}

CASE(object_that_is_none)
{
    vm_object_info_t info;
    vm_page_info_t buffer[4], *list = buffer;
    vm_page_phys_info_t phys_buffer[4], *phys = phys_buffer;
    mach_msg_type_number_t count = 4;
    mach_port_t shadow, copy, host = (mach_host_self)();
    OBSERVE(mach_vm_object_info(host, &info, &shadow, &copy));
    OBSERVE(mach_vm_object_pages(host, &list, &count));
    count = 4;
    OBSERVE(mach_vm_object_pages_phys(mach_task_self(), &phys, &count));
    mach_port_deallocate(mach_task_self(), host);
}

CASE(object_shadowed)
{
    char *at = pages_apart(4);
    mach_port_t task;
    for (unsigned int i = 0; i < 4; i++)
        at[i * PAGE] = 1;
    REQUIRE(task_create(mach_task_self(), TRUE, &task), KERN_SUCCESS);
    at[0] = 2;
    mach_port_t object = object_of(at);
    object_observe(object);
    pages_observe(object);
    mach_port_deallocate(mach_task_self(), object);
    task_end(task);
    pages_drop(at, 4);
}
