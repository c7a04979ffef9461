/* SPDX-License-Identifier: GPL-2.0-or-later */
/* storage: the answer to file_get_storage_info: where the bytes of a file really are. See fshelp.h. */

#include <fshelp/fshelp.h>

#include <mach.h>
#include <stdlib.h>
#include <string.h>

void fshelp_storage_release(struct fshelp_storage *storage)
{
    if (MACH_PORT_VALID(storage->port))
        mach_port_deallocate(mach_task_self(), storage->port);
    free(storage->name);
    free(storage->runs);
    *storage = (struct fshelp_storage) { .block_size = 1 };
}

error_t fshelp_storage_run(struct fshelp_storage *storage, off_t start, off_t length)
{
    struct fshelp_run *last = storage->nruns ? &storage->runs[storage->nruns - 1] : NULL;

    if (last && (start < 0 ? last->start < 0 : last->start >= 0 && last->start + last->length == start)) {
        last->length += length;
        return 0;
    }
    if ((storage->nruns & (storage->nruns - 1)) == 0) { /* full: 1, 2, 4, ... */
        size_t room = storage->nruns ? 2 * storage->nruns : 1;
        struct fshelp_run *runs = realloc(storage->runs, room * sizeof *runs);
        if (!runs)
            return ENOMEM;
        storage->runs = runs;
    }
    storage->runs[storage->nruns++] = (struct fshelp_run) { start, length };
    return 0;
}

/* Memory for BYTES of an answer that has room for INLINE_BYTES at *AT: there, or out of line in *AT. */
static error_t answer_room(void *at_pointer, size_t inline_bytes, size_t bytes)
{
    vm_address_t memory = 0;

    if (bytes <= inline_bytes)
        return 0;
    if (vm_allocate(mach_task_self(), &memory, bytes, TRUE))
        return ENOMEM;
    memcpy(at_pointer, &memory, sizeof memory);
    return 0;
}

error_t fshelp_storage_answer(struct fshelp_storage *storage, portarray_t *ports, unsigned int *nports,
                              intarray_t *ints, unsigned int *nints, off_array_t *offsets, unsigned int *noffsets,
                              data_t *data, unsigned int *ndata)
{
    enum { FIELDS = 6 }; /* kind, flags, block size, runs, bytes of the name, bytes of what the kind adds */
    size_t name = storage->name ? strlen(storage->name) + 1 : 0;
    error_t err = *nints < FIELDS || (storage->port != MACH_PORT_NULL && *nports < 1) ? ENOMEM : 0;

    if (!err && name > *ndata)
        err = ENAMETOOLONG;
    if (!err)
        err = answer_room(offsets, *noffsets * sizeof **offsets, 2 * storage->nruns * sizeof **offsets);
    if (err) {
        fshelp_storage_release(storage);
        return err;
    }
    (*ints)[0] = storage->kind;
    (*ints)[1] = 0;
    (*ints)[2] = (int) storage->block_size;
    (*ints)[3] = (int) storage->nruns;
    (*ints)[4] = (int) name;
    (*ints)[5] = 0;
    *nints = FIELDS;
    loff_t *runs = *offsets;
    for (size_t i = 0; i < storage->nruns; i++) {
        runs[2 * i] = storage->runs[i].start;
        runs[2 * i + 1] = storage->runs[i].length;
    }
    *noffsets = (unsigned int) (2 * storage->nruns);
    memcpy(*data, storage->name ? storage->name : "", name);
    *ndata = (unsigned int) name;
    *nports = storage->port != MACH_PORT_NULL;
    if (*nports)
        (*ports)[0] = storage->port; /* goes with the message */
    storage->port = MACH_PORT_NULL;
    fshelp_storage_release(storage);
    return 0;
}
