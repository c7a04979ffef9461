/* SPDX-License-Identifier: GPL-2.0-or-later */
/* target: the task that becomes the program.  Each call here costs every exec, so the kernel is asked as seldom as it
   can be. */

#include "exec.h"

#include <mach/machine/thread_status.h>
#include <mach/machine/vm_param.h>
#include <stdlib.h>
#include <string.h>

#include "drop_U.h"
#include "place_U.h"

/* A task that goes on making threads while they are taken away is given up after so many rounds. */
#define CLEAR_ROUNDS_MAX 64

static error_t target_end_threads(task_t task)
{
    for (int round = 0; round < CLEAR_ROUNDS_MAX; round++) {
        thread_array_t threads;
        mach_msg_type_number_t count;
        kern_return_t err = task_threads(task, &threads, &count);
        if (err)
            return exec_kernel_error(err);
        for (unsigned int i = 0; i < count; i++) {
            thread_terminate(threads[i]);
            mach_port_deallocate(mach_task_self(), threads[i]);
        }
        if (count == 0)
            return 0;
        vm_deallocate(mach_task_self(), (vm_address_t) threads, count * sizeof threads[0]);
    }
    return EBUSY;
}

/* Takes names out of TASK's port space.  Those that are gone already are nobody's loss, nor are those in memory that
   cannot be read. */
static void target_drop_names(task_t task, const mach_port_name_t *names, unsigned int count, bool destroy)
{
    mach_port_name_t part[64];

    while (count > 0) {
        unsigned int now = count < 64 ? count : 64;
        if (ports_copy_guarded(part, names, now * sizeof *names))
            return;
        for (unsigned int i = 0; i < now; i++)
            if (destroy)
                drop_port_name(task, part[i]);
            else
                mach_port_deallocate(task, part[i]);
        names += now;
        count -= now;
    }
}

error_t exec_target_clear(task_t task, const struct exec_request *request)
{
    error_t err = target_end_threads(task);

    if (err)
        return err;
    err = vm_deallocate(task, VM_MIN_ADDRESS, VM_MAX_ADDRESS - VM_MIN_ADDRESS);
    if (err)
        return exec_kernel_error(err);
    target_drop_names(task, request->destroynames, request->destroynames_count, true);
    target_drop_names(task, request->deallocnames, request->deallocnames_count, false);
    return 0;
}

static vm_prot_t target_protection(int protection)
{
    return (protection & ELF_PLAN_READ ? VM_PROT_READ : 0) | (protection & ELF_PLAN_WRITE ? VM_PROT_WRITE : 0)
           | (protection & ELF_PLAN_EXECUTE ? VM_PROT_EXECUTE : 0);
}

/* SIZE bytes of OBJECT from OFFSET (MACH_PORT_NULL: zeroes) at ADDRESS of TASK. */
static error_t target_map(task_t task, uint64_t address, uint64_t size, mach_port_t object, uint64_t offset,
                          vm_prot_t protection)
{
    vm_address_t where = address;
    return exec_kernel_error(vm_map(task, &where, size, 0, FALSE, object, offset, object != MACH_PORT_NULL, protection,
                                    VM_PROT_ALL, VM_INHERIT_COPY));
}

/* Puts SIZE bytes of FILE from OFFSET at ADDRESS of TASK, in memory that is still zero.  Whole pages go over. */
static error_t target_copy(task_t task, file_t file, uint64_t address, uint64_t offset, uint64_t size)
{
    while (size > 0) {
        uint64_t skip = address % vm_page_size, chunk = (64u << 10) - skip;
        vm_address_t pages;
        size_t got;
        if (chunk > size)
            chunk = size;
        vm_size_t room = round_page(skip + chunk);
        error_t err = vm_allocate(mach_task_self(), &pages, room, TRUE);
        if (err)
            return exec_kernel_error(err);
        err = exec_read(file, offset, (char *) pages + skip, chunk, &got);
        if (!err && got < chunk)
            err = ENOEXEC;
        if (err) {
            vm_deallocate(mach_task_self(), pages, room);
            return err;
        }
        err = exec_kernel_error(place_pages(task, address - skip, pages, (mach_msg_type_number_t) room));
        if (err)
            return err;
        address += chunk;
        offset += chunk;
        size -= chunk;
    }
    return 0;
}

/* Puts the copied bytes of segment I where they belong: pages read before change hands. */
static error_t target_fill(task_t task, const struct exec_image *image, unsigned int i)
{
    const struct elf_segment *segment = &image->plan->segments[i];
    uint64_t address = segment->copy_address + image->base;

    if (image->ahead[i] == 0)
        return target_copy(task, image->file, address, segment->copy_offset, segment->copy_size);
    error_t err = exec_kernel_error(
        place_pages(task, trunc_page(address), image->ahead[i], (mach_msg_type_number_t)exec_copy_room(segment)));
    if (!err)
        image->ahead[i] = 0;
    return err;
}

static error_t target_map_segment(task_t task, const struct exec_image *image, unsigned int i)
{
    const struct elf_segment *segment = &image->plan->segments[i];
    vm_prot_t protection = target_protection(segment->protection);
    vm_prot_t filling = segment->copy_size > 0 ? protection | VM_PROT_READ | VM_PROT_WRITE : protection;
    uint64_t zero_address = segment->zero_address + image->base, zero_size = segment->zero_size;
    error_t err = 0;

    if (segment->map_size > 0 && image->object != MACH_PORT_NULL)
        err = target_map(task, segment->map_address + image->base, segment->map_size, image->object,
                         segment->map_offset, protection);
    if (!err && zero_size > 0)
        err = target_map(task, zero_address, zero_size, MACH_PORT_NULL, 0, filling);
    if (!err && segment->copy_size > 0)
        err = target_fill(task, image, i);
    if (!err && filling != protection)
        err = exec_kernel_error(vm_protect(task, zero_address, zero_size, FALSE, protection));
    return err;
}

/* A file without memory object: what would be mapped is read.  Its last page may reach behind the end of the file. */
static error_t target_read_segment(task_t task, const struct exec_image *image, const struct elf_segment *segment)
{
    uint64_t address = segment->map_address + image->base;
    vm_prot_t protection = target_protection(segment->protection);
    error_t err = target_map(task, address, segment->map_size, MACH_PORT_NULL, 0, VM_PROT_READ | VM_PROT_WRITE);

    for (uint64_t done = 0; !err && done < segment->map_size;) {
        vm_address_t pages;
        uint64_t chunk = segment->map_size - done > (64u << 10) ? 64u << 10 : segment->map_size - done;
        size_t got;
        err = exec_kernel_error(vm_allocate(mach_task_self(), &pages, chunk, TRUE));
        if (err)
            return err;
        err = exec_read(image->file, segment->map_offset + done, (void *) pages, chunk, &got);
        if (!err)
            err = exec_kernel_error(place_pages(task, address + done, pages, (mach_msg_type_number_t) chunk));
        else
            vm_deallocate(mach_task_self(), pages, chunk);
        done += chunk;
    }
    if (!err)
        err = exec_kernel_error(vm_protect(task, address, segment->map_size, FALSE, protection));
    return err;
}

error_t exec_target_map(task_t task, const struct exec_image *image)
{
    for (unsigned int i = 0; i < image->plan->segment_count; i++) {
        const struct elf_segment *segment = &image->plan->segments[i];
        error_t err = 0;
        if (segment->map_size > 0 && image->object == MACH_PORT_NULL)
            err = target_read_segment(task, image, segment);
        if (!err)
            err = target_map_segment(task, image, i);
        if (err)
            return err;
    }
    return 0;
}

error_t exec_target_stack(task_t task, uint64_t size, bool executable, vm_address_t *base, vm_size_t *length)
{
    if (size < EXEC_STACK_SIZE_DEFAULT)
        size = EXEC_STACK_SIZE_DEFAULT;
    if (size > EXEC_STACK_SIZE_MAX - vm_page_size)
        size = EXEC_STACK_SIZE_MAX - vm_page_size;
    size = round_page(size);
    vm_prot_t protection = VM_PROT_READ | VM_PROT_WRITE | (executable ? VM_PROT_EXECUTE : 0);
    /* No guard page: memory is handed out from low addresses on, so what is below the stack is empty for half a GiB. */
    *base = EXEC_STACK_TOP - size;
    *length = size;
    error_t err = target_map(task, *base, size, MACH_PORT_NULL, 0, protection);
    if (err) {
        *base = EXEC_STACK_TOP_HIGH - size;
        err = target_map(task, *base, size, MACH_PORT_NULL, 0, protection);
    }
    return err;
}

error_t exec_target_thread(task_t task, uint64_t pc, uint64_t sp, thread_t *thread)
{
    struct i386_thread_state state = { .rip = pc, .ursp = sp };
    kern_return_t err = thread_create(task, thread);

    if (err)
        return exec_kernel_error(err);
    /* This flavor lets the kernel choose the segments. */
    err = thread_set_state(*thread, i386_THREAD_STATE, (thread_state_t) &state, i386_THREAD_STATE_COUNT);
    if (err) {
        thread_terminate(*thread);
        mach_port_deallocate(mach_task_self(), *thread);
    }
    return exec_kernel_error(err);
}
