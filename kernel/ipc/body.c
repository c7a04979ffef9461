/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bodies of messages that carry rights and memory: into the kernel and out of it.

   A body is a row of items: a type word (mach_msg_type_t) and then either the data, padded to 8 bytes, or the address
   of out-of-line data.  Inside the kernel an inline right is a port pointer; out-of-line rights are a kalloc'ed array
   of them (users' arrays are of 32-bit names); out-of-line memory is a struct vm_copy.

   Most items are plain data, which nobody looks at but to step over them (item_plain).  Those that carry something are
   counted on the way in, and the first is noted (kmsg.carriers), so that the way out begins there and ends with the
   last. */

#include "body.h"

#include "../task/task.h"
#include "../vm/map.h"

/* ---- the items of a body ------------------------------------------------------------------ */

#define PLAIN_FLAGS 0x20u /* the type's last byte of an inline item: nothing but msgt_inline */

/* Where the item behind the one at OFFSET of a body of TOTAL bytes begins, if that is inline data and whole; 0: it must
   be looked at. */
static inline uint64_t item_plain(const struct kmsg *kmsg, uint64_t offset, uint64_t total)
{
    if (unlikely(total - offset < sizeof(mach_msg_type_t)))
        return 0;
    uint64_t type = *(const uint64_t *)((const char *)&kmsg->header + offset);
    if ((uint8_t)(type >> 24) != PLAIN_FLAGS || MACH_MSG_TYPE_PORT_ANY((uint8_t)type))
        return 0;
    uint64_t end = offset + sizeof(mach_msg_type_t) + (((type >> 32) * (uint16_t)(type >> 8) + 63) / 64) * 8;
    return likely(end <= total) ? end : 0;
}

struct item {
    mach_msg_type_t *type;
    void *data;          /* inline data, or the address of the pointer to the rest */
    uint64_t size;       /* of the data, unpadded, as the sender laid it out */
    uint64_t end;        /* offset of the next item */
    bool ports;
};

/* Looks at the item at OFFSET of a message of which all is in the buffer.  If that is too short: its type is NULL, or
   the data are missing. */
static mach_msg_return_t item_parse(struct kmsg *kmsg, uint64_t offset, struct item *item)
{
    uint64_t total = kmsg->header.msgh_size;
    item->type = NULL;
    if (total - offset < sizeof(mach_msg_type_t))
        return MACH_SEND_MSG_TOO_SMALL;
    mach_msg_type_t *type = (mach_msg_type_t *)((char *)&kmsg->header + offset);
    item->type = type;
    item->data = type + 1;
    item->ports = MACH_MSG_TYPE_PORT_ANY(type->msgt_name);
    item->size = ((uint64_t)type->msgt_number * type->msgt_size + 7) / 8;
    uint64_t room = total - offset - sizeof *type;
    uint64_t inline_size = type->msgt_inline ? align_up(item->size, 8ul) : sizeof(uint64_t);
    if (inline_size > room)
        return MACH_SEND_MSG_TOO_SMALL;
    item->end = offset + sizeof *type + inline_size;
    return MACH_MSG_SUCCESS;
}

static bool item_valid(const struct item *item)
{
    const mach_msg_type_t *type = item->type;
    if (type->msgt_unused || (type->msgt_inline && type->msgt_deallocate))
        return false;
    if (item->ports && type->msgt_size != (type->msgt_inline ? 64 : 32))
        return false;
    return true;
}

/* An item that was looked at: is it one that the way out must look at too? */
static inline void carrier_note(struct kmsg *kmsg, const struct item *item, uint64_t offset)
{
    if ((item->ports || !item->type->msgt_inline) && kmsg->carriers++ == 0)
        kmsg->first_carrier = (uint32_t)offset;
}

/* ---- into the kernel --------------------------------------------------------------------------- */

/* Where the rights of a body go. */
struct route {
    struct ipc_port *destination;
    struct transit transit;
    bool circular;        /* one of them would wait for itself */
};

static mach_msg_return_t port_get(struct ipc_space *space, mach_port_name_t name, const struct item *item,
                                  struct route *route, struct ipc_port **port)
{
    if (name == MACH_PORT_NAME_NULL || name == MACH_PORT_NAME_DEAD) {
        *port = name == MACH_PORT_NAME_NULL ? IP_NULL : IP_DEAD;
        return MACH_MSG_SUCCESS;
    }
    if (right_copyin(space, name, item->type->msgt_name, true, port))
        return MACH_SEND_INVALID_RIGHT;
    if (item->type->msgt_name == MACH_MSG_TYPE_MOVE_RECEIVE && IP_VALID(*port) &&
        !port_transit_enter(*port, route->destination, &route->transit))
        route->circular = true;
    return MACH_MSG_SUCCESS;
}

static mach_msg_return_t inline_ports_get(struct ipc_space *space, struct item *item, struct route *route,
                                          uint32_t *done)
{
    uint64_t *slots = item->data;
    for (*done = 0; *done < item->type->msgt_number; (*done)++) {
        struct ipc_port *port;
        mach_msg_return_t mr = port_get(space, (mach_port_name_t)slots[*done], item, route, &port);
        if (mr)
            return mr;
        slots[*done] = (uint64_t)port;
    }
    return MACH_MSG_SUCCESS;
}

static void ports_release(uint64_t *ports, uint32_t count, mach_msg_type_name_t type)
{
    for (uint32_t i = 0; i < count; i++)
        right_release((struct ipc_port *)ports[i], type);
}

#define PORT_ARRAY_MAX (1u << 20) /* rights in one item */

/* An out-of-line array of names becomes a kernel array of rights. */
static mach_msg_return_t array_get(struct ipc_space *space, struct vm_map *map, struct item *item,
                                   struct route *route)
{
    uint32_t count = item->type->msgt_number;
    uint64_t *pointer = item->data, user = *pointer;
    if (count == 0) {
        *pointer = 0;
        return MACH_MSG_SUCCESS;
    }
    if (count > PORT_ARRAY_MAX)
        return MACH_SEND_INVALID_MEMORY;
    uint64_t *ports = kalloc(count * sizeof *ports);
    if (ports == NULL)
        return MACH_SEND_NO_BUFFER;
    /* The names come into the array's second half and widen in place. */
    mach_port_name_t *names = (mach_port_name_t *)ports + count;
    if (!copy_from_user(names, user, count * sizeof *names)) {
        kfree(ports, count * sizeof *ports);
        return MACH_SEND_INVALID_MEMORY;
    }
    mach_msg_type_name_t kind = port_type_of(item->type->msgt_name);
    for (uint32_t i = 0; i < count; i++) {
        struct ipc_port *port;
        mach_msg_return_t mr = port_get(space, names[i], item, route, &port);
        if (mr) {
            ports_release(ports, i, kind);
            kfree(ports, count * sizeof *ports);
            return mr;
        }
        ports[i] = (uint64_t)port;
    }
    if (item->type->msgt_deallocate)
        vm_map_remove(map, align_down(user, PAGE_SIZE), align_up(user + count * sizeof *names, PAGE_SIZE));
    *pointer = (uint64_t)ports;
    return MACH_MSG_SUCCESS;
}

static mach_msg_return_t memory_get(struct vm_map *map, struct item *item)
{
    uint64_t *pointer = item->data;
    struct vm_copy *copy = NULL;
    if (item->size && vm_map_copyin(map, *pointer, item->size, item->type->msgt_deallocate, &copy))
        return MACH_SEND_INVALID_MEMORY;
    *pointer = (uint64_t)copy;
    return MACH_MSG_SUCCESS;
}

uint64_t body_memory(struct kmsg *kmsg)
{
    struct item item;
    uint64_t bytes = 0;
    if (!(kmsg->header.msgh_bits & MACH_MSGH_BITS_COMPLEX))
        return 0;
    for (uint64_t offset = sizeof kmsg->header; offset < kmsg->header.msgh_size; offset = item.end) {
        if (item_parse(kmsg, offset, &item))
            break;
        if (!item.type->msgt_inline)
            bytes += item.ports ? item.type->msgt_number * sizeof(uint64_t) : item.size;
    }
    return bytes;
}

void body_clean(struct kmsg *kmsg, uint64_t limit)
{
    struct item item;
    for (uint64_t offset = sizeof kmsg->header; offset < limit; offset = item.end) {
        if (item_parse(kmsg, offset, &item))
            return;
        uint32_t count = item.type->msgt_number;
        if (item.ports && item.type->msgt_inline) {
            ports_release(item.data, count, item.type->msgt_name);
        } else if (item.ports) {
            uint64_t *ports = *(uint64_t **)item.data;
            if (count && ports) {
                ports_release(ports, count, item.type->msgt_name);
                kfree(ports, count * sizeof *ports);
            }
        } else if (!item.type->msgt_inline) {
            vm_copy_discard(*(struct vm_copy **)item.data);
        }
    }
}

/* Gets what one item carries.  ROUTE says if it has a receive right that closes a circle with the destination. */
static mach_msg_return_t item_get(struct item *item, struct ipc_space *space, struct vm_map *map,
                                  struct route *route)
{
    mach_msg_return_t mr = MACH_MSG_SUCCESS;
    if (!item->ports)
        return item->type->msgt_inline ? MACH_MSG_SUCCESS : memory_get(map, item);
    if (item->type->msgt_inline) {
        uint32_t done;
        mr = inline_ports_get(space, item, route, &done);
        if (mr)
            ports_release(item->data, done, port_type_of(item->type->msgt_name));
    } else {
        mr = array_get(space, map, item, route);
        item->type->msgt_size = 64;
    }
    item->type->msgt_name = port_type_of(item->type->msgt_name);
    return mr;
}

mach_msg_return_t body_copyin(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map)
{
    uint64_t total = kmsg->header.msgh_size, next;
    struct route route = {.destination = kmsg_remote(kmsg)};
    struct item item;
    kmsg->carriers = 0;
    for (uint64_t offset = sizeof kmsg->header; offset < total; offset = next) {
        next = item_plain(kmsg, offset, total);
        if (likely(next != 0))
            continue;
        mach_msg_return_t mr = item_parse(kmsg, offset, &item);
        if (item.type && !item_valid(&item))
            mr = MACH_SEND_INVALID_TYPE;
        if (mr == MACH_MSG_SUCCESS)
            mr = item_get(&item, space, map, &route);
        if (mr) {
            body_clean(kmsg, offset);
            return mr;
        }
        carrier_note(kmsg, &item, offset);
        next = item.end;
    }
    if (kmsg->carriers == 0)
        kmsg->header.msgh_bits &= ~MACH_MSGH_BITS_COMPLEX;
    if (route.circular)
        kmsg->header.msgh_bits |= MACH_MSGH_BITS_CIRCULAR;
    return MACH_MSG_SUCCESS;
}

/* ---- the kernel's own messages --------------------------------------------------------------------- */

struct ipc_port *kernel_right(struct ipc_port *port, mach_msg_type_name_t type)
{
    switch (type) {
    case MACH_MSG_TYPE_COPY_SEND: return port_copy_send(port);
    case MACH_MSG_TYPE_MAKE_SEND: return port_make_send(port);
    case MACH_MSG_TYPE_MAKE_SEND_ONCE: return port_make_sonce(port);
    default: return port;
    }
}

/* The item of a message that the kernel made, by port pointers: they become rights. */
static void item_make(struct item *item)
{
    if (item->type->msgt_inline)
        item->type->msgt_deallocate = 0; /* MIG sets it for receive rights, and its servers want it as users send it */
    if (!item->ports)
        return;
    uint64_t *ports = item->type->msgt_inline ? item->data : *(uint64_t **)item->data;
    for (uint32_t i = 0; i < item->type->msgt_number; i++)
        ports[i] = (uint64_t)kernel_right((struct ipc_port *)ports[i], item->type->msgt_name);
    item->type->msgt_name = port_type_of(item->type->msgt_name);
}

/* Makes the first item at or behind *OFFSET that is not plain, and leaves its place in *OFFSET; false: there is
   none. */
static inline bool item_make_next(struct kmsg *kmsg, uint64_t *offset, struct item *item)
{
    uint64_t total = kmsg->header.msgh_size, next;
    for (; *offset < total; *offset = next) {
        next = item_plain(kmsg, *offset, total);
        if (likely(next != 0))
            continue;
        if (item_parse(kmsg, *offset, item))
            panic("the kernel made a message %d with a bad body", kmsg->header.msgh_id);
        item_make(item);
        return true;
    }
    return false;
}

void body_make(struct kmsg *kmsg)
{
    struct item item;
    kmsg->carriers = 0;
    for (uint64_t offset = sizeof kmsg->header; item_make_next(kmsg, &offset, &item); offset = item.end)
        carrier_note(kmsg, &item, offset);
}

/* ---- out of the kernel ------------------------------------------------------------------------------- */

mach_msg_return_t port_put(struct ipc_space *space, struct ipc_port *port, mach_msg_type_name_t type,
                           mach_port_name_t *name)
{
    if (!IP_VALID(port)) {
        *name = port == IP_NULL ? MACH_PORT_NAME_NULL : MACH_PORT_NAME_DEAD;
        return MACH_MSG_SUCCESS;
    }
    if (type != MACH_MSG_TYPE_PORT_RECEIVE && !port->active) {
        right_release(port, type);
        *name = MACH_PORT_NAME_DEAD;
        return MACH_MSG_SUCCESS;
    }
    kern_return_t kr = right_copyout(space, port, type, name);
    if (kr == KERN_SUCCESS)
        return MACH_MSG_SUCCESS;
    right_release(port, type);
    *name = MACH_PORT_NAME_NULL;
    return kr == KERN_RESOURCE_SHORTAGE ? MACH_MSG_IPC_KERNEL : MACH_MSG_IPC_SPACE;
}

static mach_msg_return_t array_put(struct ipc_space *space, struct vm_map *map, struct item *item)
{
    uint32_t count = item->type->msgt_number;
    uint64_t *pointer = item->data, *ports = (uint64_t *)*pointer, user = 0;
    item->type->msgt_size = 32;
    if (count == 0) {
        *pointer = 0;
        return MACH_MSG_SUCCESS;
    }
    mach_msg_return_t mr = MACH_MSG_SUCCESS;
    mach_port_name_t *names = (mach_port_name_t *)ports;
    for (uint32_t i = 0; i < count; i++)
        mr |= port_put(space, (struct ipc_port *)ports[i], item->type->msgt_name, &names[i]);
    uint64_t size = count * sizeof *names;
    if (vm_map_allocate(map, &user, align_up(size, PAGE_SIZE), true) || !copy_to_user(user, names, size)) {
        user = 0;
        mr |= MACH_MSG_VM_SPACE;
    }
    kfree(ports, count * sizeof *ports);
    *pointer = user;
    return mr;
}

static mach_msg_return_t item_put(struct item *item, struct ipc_space *space, struct vm_map *map)
{
    uint64_t *slots = item->data;
    mach_msg_return_t mr = MACH_MSG_SUCCESS;
    if (item->ports && item->type->msgt_inline) {
        for (uint32_t i = 0; i < item->type->msgt_number; i++) {
            mach_port_name_t name;
            mr |= port_put(space, (struct ipc_port *)slots[i], item->type->msgt_name, &name);
            slots[i] = name;
        }
    } else if (item->ports) {
        mr = array_put(space, map, item);
        item->type->msgt_deallocate = 1;
    } else if (!item->type->msgt_inline) {
        uint64_t user = 0;
        if (slots[0] && vm_map_copyout(map, &user, (struct vm_copy *)slots[0])) {
            vm_copy_discard((struct vm_copy *)slots[0]);
            mr = MACH_MSG_VM_SPACE;
        }
        slots[0] = user;
        item->type->msgt_deallocate = 1;
    }
    return mr;
}

mach_msg_return_t body_copyout(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map)
{
    uint64_t total = kmsg->header.msgh_size, offset = kmsg->first_carrier;
    mach_msg_return_t mr = MACH_MSG_SUCCESS;
    struct item item;
    for (uint32_t left = kmsg->carriers; left > 0;) {
        uint64_t next = item_plain(kmsg, offset, total);
        if (next == 0) {
            if (item_parse(kmsg, offset, &item))
                break;
            if (likely(item.ports || !item.type->msgt_inline)) {
                mr |= item_put(&item, space, map);
                left--;
            }
            next = item.end;
        }
        offset = next;
    }
    return mr;
}

mach_msg_return_t body_make_copyout(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map)
{
    mach_msg_return_t mr = MACH_MSG_SUCCESS;
    struct item item;
    for (uint64_t offset = sizeof kmsg->header; item_make_next(kmsg, &offset, &item); offset = item.end)
        mr |= item_put(&item, space, map);
    return mr;
}
