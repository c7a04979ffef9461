/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot: arguments and ports of a program, kept until its C library asks for them on its bootstrap port. */

#include "hooks.h"
#include "exec_startup_S.h"

#include <stdlib.h>
#include <string.h>

static void boot_destroy(struct ports_object *object);

static const ports_interface_t boot_interfaces[] = { exec_startup_server_routine, NULL };
static const struct ports_class_ops boot_ops = {
    .name = "boot", .size = sizeof(struct exec_boot), .interfaces = boot_interfaces, .destroy = boot_destroy,
};
struct ports_class exec_boot_class = PORTS_CLASS(boot_ops);

void exec_data_free(struct exec_data *data)
{
    if (data->kind == EXEC_DATA_MALLOC)
        free(data->bytes);
    else if (data->kind == EXEC_DATA_VM && data->length > 0)
        vm_deallocate(mach_task_self(), (vm_address_t) data->bytes, data->length);
    *data = (struct exec_data) { 0 };
}

error_t exec_data_settle(struct exec_data *data, const char *bytes, size_t length, int kind)
{
    vm_address_t pages;

    *data = (struct exec_data) { (char *) bytes, length, kind };
    if (kind == EXEC_DATA_VM || (kind == EXEC_DATA_MALLOC && length <= EXEC_DATA_INLINE_MAX))
        return 0;
    if (length <= EXEC_DATA_INLINE_MAX) {
        data->kind = EXEC_DATA_MALLOC;
        data->bytes = malloc(length + 1);
        if (data->bytes == NULL)
            return ENOMEM;
    } else {
        data->kind = EXEC_DATA_VM;
        if (vm_allocate(mach_task_self(), &pages, length, TRUE))
            return ENOMEM;
        data->bytes = (char *) pages;
    }
    memcpy(data->bytes, bytes, length);
    if (kind == EXEC_DATA_MALLOC)
        free((char *) bytes);
    return 0;
}

static void boot_drop_rights(const mach_port_t *ports, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        if (MACH_PORT_VALID(ports[i]))
            mach_port_deallocate(mach_task_self(), ports[i]);
}

static void boot_destroy(struct ports_object *object)
{
    struct exec_boot *boot = (struct exec_boot *) object;

    if (boot->filled) {
        boot_drop_rights(boot->dtable, boot->dtable_count);
        boot_drop_rights(boot->portarray, boot->portarray_count);
        exec_data_free(&boot->argv);
        exec_data_free(&boot->envp);
    }
    free(boot->dtable);
    pthread_mutex_destroy(&boot->lock);
}

error_t exec_boot_create(const struct exec_request *request, unsigned int dtable_count, unsigned int portarray_count,
                         unsigned int intarray_count, struct exec_boot **result)
{
    size_t ports = (size_t) dtable_count + portarray_count;
    mach_port_t *block = calloc(1, ports * sizeof *block + intarray_count * sizeof(int) + 1);
    struct exec_boot *boot;
    error_t err;

    if (block == NULL)
        return ENOMEM;
    int *ints = (int *) (block + ports);
    err = request->intarray_count > 0
              ? ports_copy_guarded(ints, request->intarray, request->intarray_count * sizeof(int))
              : 0;
    if (!err)
        err = ports_object_create(&exec_boot_class, exec_bucket, &boot);
    if (err) {
        free(block);
        return err;
    }
    pthread_mutex_init(&boot->lock, NULL);
    boot->dtable = block;
    boot->portarray = block + dtable_count;
    boot->intarray = ints;
    boot->dtable_count = dtable_count;
    boot->portarray_count = portarray_count;
    boot->intarray_count = intarray_count;
    memcpy(boot->dtable, request->dtable, request->dtable_count * sizeof *block);
    memcpy(boot->portarray, request->portarray, request->portarray_count * sizeof *block);
    *result = boot;
    return 0;
}

void exec_boot_commit(struct exec_boot *boot)
{
    pthread_mutex_lock(&boot->lock);
    boot->filled = true;
    pthread_mutex_unlock(&boot->lock);
}

void exec_boot_revoke(struct exec_boot *boot)
{
    pthread_mutex_lock(&boot->lock);
    boot->filled = false;
    pthread_mutex_unlock(&boot->lock);
}

/* Makes sure that DATA can go into a reply with room for ROOM bytes: what is longer needs memory of its own. */
static error_t reply_data_prepare(struct exec_data *data, size_t room)
{
    vm_address_t pages;

    if (data->length <= room || data->kind == EXEC_DATA_VM)
        return 0;
    if (vm_allocate(mach_task_self(), &pages, data->length, TRUE))
        return ENOMEM;
    memcpy((void *) pages, data->bytes, data->length);
    size_t length = data->length;
    exec_data_free(data);
    *data = (struct exec_data) { .bytes = (char *) pages, .length = length, .kind = EXEC_DATA_VM };
    return 0;
}

/* Moves DATA, prepared for ROOM bytes, into a reply argument.  The stub sends what is not in its own room out of line
   and deallocates it; a client's memory goes so even if it is small, since it must not be touched. */
static void reply_data(struct exec_data *data, size_t room, data_t *bytes, mach_msg_type_number_t *length)
{
    if (data->length > room || (data->kind == EXEC_DATA_VM && data->length > 0))
        *bytes = data->bytes;
    else
        memcpy(*bytes, data->bytes, data->length);
    *length = (mach_msg_type_number_t) data->length;
    if (*bytes == data->bytes)
        *data = (struct exec_data) { 0 };
    exec_data_free(data);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* An array on its way into a reply that has ROOM for so many elements at PLACE. */
struct reply_array {
    void *place;
    mach_msg_type_number_t room;
    const void *elements;
    unsigned int count;
    size_t size;        /* of an element */
    vm_address_t own;   /* where more elements go: memory that the stub deallocates */
};

/* Gives ARRAYS, COUNT of them, memory of their own where they need it; all, or none. */
static error_t reply_arrays_prepare(struct reply_array *arrays, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        struct reply_array *a = &arrays[i];
        if (a->count <= a->room || vm_allocate(mach_task_self(), &a->own, a->count * a->size, TRUE) == 0)
            continue;
        while (a-- > arrays)
            if (a->own)
                vm_deallocate(mach_task_self(), a->own, a->count * a->size);
        return ENOMEM;
    }
    return 0;
}

/* Where the elements of ARRAY are now. */
static void *reply_array(const struct reply_array *array)
{
    return memcpy(array->own ? (void *) array->own : array->place, array->elements, array->count * array->size);
}

kern_return_t S_exec_startup_get_info(struct exec_boot *boot, vm_address_t *user_entry, vm_address_t *phdr_data,
                                      vm_size_t *phdr_size, vm_address_t *stack_base, vm_size_t *stack_size, int *flags,
                                      data_t *argv, mach_msg_type_number_t *argv_length, data_t *envp,
                                      mach_msg_type_number_t *envp_length, portarray_t *dtable,
                                      mach_msg_type_name_t *dtable_type, mach_msg_type_number_t *dtable_count,
                                      portarray_t *portarray, mach_msg_type_name_t *portarray_type,
                                      mach_msg_type_number_t *portarray_count, intarray_t *intarray,
                                      mach_msg_type_number_t *intarray_count)
{
    error_t err;

    if (boot == NULL)
        return EOPNOTSUPP;
    pthread_mutex_lock(&boot->lock);
    size_t argv_room = smaller(*argv_length, boot->inline_max), envp_room = smaller(*envp_length, boot->inline_max);
    struct reply_array arrays[] = {
        { *dtable, *dtable_count, boot->dtable, boot->dtable_count, sizeof(mach_port_t), 0 },
        { *portarray, *portarray_count, boot->portarray, boot->portarray_count, sizeof(mach_port_t), 0 },
        { *intarray, *intarray_count, boot->intarray, boot->intarray_count, sizeof(int), 0 },
    };
    err = boot->filled ? 0 : EALREADY;
    if (!err)
        err = reply_data_prepare(&boot->argv, argv_room);
    if (!err)
        err = reply_data_prepare(&boot->envp, envp_room);
    if (!err)
        err = reply_arrays_prepare(arrays, 3);
    if (err) {
        pthread_mutex_unlock(&boot->lock);
        return err;
    }
    *dtable = reply_array(&arrays[0]);
    *portarray = reply_array(&arrays[1]);
    *intarray = reply_array(&arrays[2]);
    *dtable_count = boot->dtable_count;
    *portarray_count = boot->portarray_count;
    *intarray_count = boot->intarray_count;
    *dtable_type = *portarray_type = MACH_MSG_TYPE_MOVE_SEND;
    reply_data(&boot->argv, argv_room, argv, argv_length);
    reply_data(&boot->envp, envp_room, envp, envp_length);
    *user_entry = boot->user_entry;
    *phdr_data = boot->phdr_address;
    *phdr_size = boot->phdr_size;
    *stack_base = boot->stack_base;
    *stack_size = boot->stack_size;
    *flags = boot->flags;
    boot->filled = false;
    pthread_mutex_unlock(&boot->lock);
    return 0;
}
