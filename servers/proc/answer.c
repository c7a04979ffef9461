/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer.c: answers of any length. */

#include "answer.h"

#include <stdlib.h>
#include <string.h>

error_t answer_array(void **array, mach_msg_type_number_t *room, const void *data, size_t count, size_t size)
{
    if (count > *room) {
        vm_address_t pages;
        error_t err = vm_allocate(mach_task_self(), &pages, count * size, 1);
        if (err)
            return ENOMEM;
        *array = (void *)pages;
    }
    *room = count;
    if (count)
        memcpy(*array, data, count * size);
    return 0;
}

error_t pid_list_add(struct pid_list *list, pid_t pid)
{
    if (list->count == list->size) {
        size_t size = list->size ? list->size * 2 : 64;
        pid_t *pids = realloc(list->pids, size * sizeof *pids);
        if (!pids)
            return ENOMEM;
        list->pids = pids;
        list->size = size;
    }
    list->pids[list->count++] = pid;
    return 0;
}

error_t pid_list_answer(struct pid_list *list, error_t err, pidarray_t *pids, mach_msg_type_number_t *count)
{
    if (!err)
        err = answer_array((void **)pids, count, list->pids, list->count, sizeof *list->pids);
    free(list->pids);
    return err;
}
