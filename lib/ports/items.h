/* SPDX-License-Identifier: GPL-2.0-or-later */
/* items: what a message carries behind its header, one item after the other. */

#ifndef PORTS_ITEMS_H
#define PORTS_ITEMS_H

#include <mach/message.h>
#include <stdbool.h>
#include <stdint.h>

struct message_item {
    mach_msg_type_t *type; /* the long form has the same size */
    uint64_t bytes;        /* of the data: 64 bits, as a client may send gigabytes out of line */
    union {
        char *inlined;     /* the data, if type->msgt_inline */
        void **pointer;    /* to where they are, if not */
    };
    char *next, *end;      /* behind the item, behind the message */
};

/* Before the first item of MESSAGE, which the kernel has looked through, or one of ours. */
static inline struct message_item message_items(mach_msg_header_t *message)
{
    return (struct message_item){.next = (char *)(message + 1), .end = (char *)message + message->msgh_size};
}

/* Goes on to the next item; false if there is none. */
static inline bool message_item_next(struct message_item *item)
{
    if (item->next + sizeof *item->type > item->end)
        return false;
    item->type = (void *)item->next;
    item->bytes = ((uint64_t)item->type->msgt_number * item->type->msgt_size + 7) / 8;
    item->inlined = item->next + sizeof *item->type;
    item->next = item->inlined + (item->type->msgt_inline ? (item->bytes + 7) & ~7ULL : sizeof *item->pointer);
    return true;
}

#endif /* PORTS_ITEMS_H */
