/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer.h: answers of any length. */

#ifndef PROC_ANSWER_H
#define PROC_ANSWER_H

#include <hurd/hurd_types.h>
#include <mach.h>

struct pid_list {
    pid_t *pids;
    size_t count, size;
};
/* ENOMEM */
error_t pid_list_add(struct pid_list *list, pid_t pid);
/* Fills the out-argument (PIDS, COUNT) of a MIG routine and frees the list; ERR, if not 0, is the result instead. */
error_t pid_list_answer(struct pid_list *list, error_t err, pidarray_t *pids, mach_msg_type_number_t *count);

/* Copies COUNT elements of SIZE bytes into the out-argument (*ARRAY, *ROOM: MIG's room inline, in elements), or into
   new pages if they need more. ENOMEM. */
error_t answer_array(void **array, mach_msg_type_number_t *room, const void *data, size_t count, size_t size);

#endif
