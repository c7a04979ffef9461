/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Releasing what a message carries.  Lengths are computed in 64 bits: a client may send a gigabyte out of line. */

#include "items.h"
#include "ports-internal.h"

/* Releases one right as its TYPE says: held by us (moved), or about to be made by the kernel when the message is sent.
   The latter are made and released, so that make-send counts stay true and no-senders notifications come. */
static void right_release(mach_port_t name, mach_msg_type_name_t type)
{
    if (!MACH_PORT_VALID(name))
        return;
    switch (type) {
    case MACH_MSG_TYPE_MOVE_SEND:
    case MACH_MSG_TYPE_MOVE_SEND_ONCE:
        mach_port_deallocate(mach_task_self(), name);
        break;
    case MACH_MSG_TYPE_MOVE_RECEIVE:
        mach_port_mod_refs(mach_task_self(), name, MACH_PORT_RIGHT_RECEIVE, -1);
        break;
    case MACH_MSG_TYPE_MAKE_SEND:
        if (mach_port_insert_right(mach_task_self(), name, name, MACH_MSG_TYPE_MAKE_SEND) == 0)
            mach_port_deallocate(mach_task_self(), name);
        break;
    default: /* COPY_SEND, MAKE_SEND_ONCE: nothing is owed */
        break;
    }
}

static void rights_release(const mach_msg_type_t *type, const void *data)
{
    const mach_port_name_inlined_t *inlined = data;
    const mach_port_t *names = data;
    for (mach_msg_type_number_t i = 0; i < type->msgt_number; i++)
        right_release(type->msgt_inline ? inlined[i].name : names[i], type->msgt_name);
}

/* Memory that a client sent and that is larger is refused by routines that do not read it guarded themselves.  Many
   clients may send as much at a time, and copies of it all must fit into memory.  */
enum { OWN_MAX = 8 << 20, PARTIAL_MAX = 1 << 20, OWN_CHUNK = 256 << 10, IDS_MAX = 4 };
struct ids { mach_msg_id_t id[IDS_MAX]; unsigned int count; };
static struct ids skipped, partial; /* constant when serving begins */

static bool ids_have(const struct ids *ids, mach_msg_id_t id)
{
    for (unsigned int i = 0; i < ids->count; i++)
        if (ids->id[i] == id)
            return true;
    return false;
}

static void ids_add(struct ids *ids, mach_msg_id_t id)
{
    if (ids->count < IDS_MAX && !ids_have(ids, id))
        ids->id[ids->count++] = id;
}

void ports_reads_guarded(mach_msg_id_t id)
{
    ids_add(&skipped, id);
}

void ports_takes_beginning(mach_msg_id_t id)
{
    ids_add(&partial, id);
}

/* Puts a copy of ours in the place of BYTES of *DATA, which are given up as the copy grows.  After an error *DATA is
   what the message now owns. */
static error_t memory_own(void **data, uint64_t bytes)
{
    vm_address_t copy = 0, from = (vm_address_t)*data;
    error_t err = vm_allocate(mach_task_self(), &copy, bytes, TRUE) ? ENOMEM : 0;
    if (err)
        return err;
    for (uint64_t done = 0, part; done < bytes && !err; done += part) {
        part = OWN_CHUNK - (from + done) % vm_page_size; /* whole pages go */
        part = bytes - done < part ? bytes - done : part;
        err = ports_copy_guarded((char *)copy + done, (char *)from + done, part);
        vm_deallocate(mach_task_self(), from + done, err ? bytes - done : part);
    }
    *data = (void *)copy;
    return err;
}

/* For routines that may do less than they were asked: gives up what is behind the first PARTIAL_MAX bytes of ITEM's
   memory: a writer that waits keeps them. */
static void memory_shorten(struct message_item *item)
{
    vm_address_t data = (vm_address_t)*item->pointer, end = data + item->bytes, gone = round_page(data + PARTIAL_MAX);
    if (gone < end)
        vm_deallocate(mach_task_self(), gone, end - gone);
    item->type->msgt_number = PARTIAL_MAX;
    item->bytes = PARTIAL_MAX;
}

error_t message_own_memory(mach_msg_header_t *message)
{
    struct message_item item = message_items(message);
    if (ids_have(&skipped, message->msgh_id))
        return 0;
    while (message_item_next(&item)) {
        const mach_msg_type_t *type = item.type;
        if (type->msgt_inline || item.bytes == 0 || MACH_MSG_TYPE_PORT_ANY(type->msgt_name))
            continue;
        if (item.bytes > PARTIAL_MAX && type->msgt_size == 8 && ids_have(&partial, message->msgh_id))
            memory_shorten(&item);
        error_t err = item.bytes > OWN_MAX ? E2BIG : memory_own(item.pointer, item.bytes);
        if (err)
            return err;
    }
    return 0;
}

void ports_message_destroy(mach_msg_header_t *message, bool with_remote)
{
    if (with_remote)
        right_release(message->msgh_remote_port, MACH_MSGH_BITS_REMOTE(message->msgh_bits));
    if (!(message->msgh_bits & MACH_MSGH_BITS_COMPLEX))
        return;

    struct message_item item = message_items(message);
    while (message_item_next(&item)) {
        /* Null: the kernel had no room for it.  That many bytes from address 0 on would be the program itself. */
        void *data = item.type->msgt_inline ? item.inlined : *item.pointer;
        if (MACH_MSG_TYPE_PORT_ANY(item.type->msgt_name) && data != NULL)
            rights_release(item.type, data);
        if (!item.type->msgt_inline && item.bytes != 0 && data != NULL)
            vm_deallocate(mach_task_self(), (vm_address_t)data, item.bytes);
    }
}
