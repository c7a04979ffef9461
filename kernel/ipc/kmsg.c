/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages in the kernel: their buffers, and the bodies of those that carry rights and memory.

   A body is a row of items: a type word (mach_msg_type_t) and then either the data, padded to 8 bytes, or the address of
   out-of-line data.  Inside the kernel an inline right is a port pointer; out-of-line rights are a kalloc'ed array of them
   (users' arrays are of 32-bit names); out-of-line memory is a struct vm_copy.  */

#include "ipc.h"

#include "../task/task.h"
#include "../vm/map.h"

#define SPARE_MAX 8u

static struct cache small_cache;
static struct list spare = LIST_INIT(spare); /* buffers of KMSG_LARGE bytes that were given back, the last one first */
static unsigned int spare_count;
static struct list doomed = LIST_INIT(doomed); /* messages to be destroyed: one may hold the last right of a port with others */
static bool destroying;

void kmsg_init(void)
{
    cache_init(&small_cache, "message", offsetof(struct kmsg, header) + KMSG_SMALL);
}

static struct kmsg *kmsg_init_size(struct kmsg *kmsg, uint32_t capacity)
{
    if (kmsg) {
        list_init(&kmsg->link);
        kmsg->accepted = NULL;
        kmsg->capacity = capacity;
    }
    return kmsg;
}

struct kmsg *kmsg_alloc_large(void)
{
    struct list *link = list_pop(&spare);
    if (likely(link != NULL)) {
        spare_count--;
        return list_entry(link, struct kmsg, link);
    }
    return kmsg_init_size(kalloc(offsetof(struct kmsg, header) + KMSG_LARGE), KMSG_LARGE);
}

struct kmsg *kmsg_alloc(uint32_t size)
{
    if (likely(size <= KMSG_SMALL)) {
        struct thread *thread = current_thread();
        struct kmsg *kmsg = thread->cached_kmsg;
        if (likely(kmsg != NULL)) {
            thread->cached_kmsg = NULL;
            return kmsg;
        }
        return kmsg_init_size(cache_alloc(&small_cache), KMSG_SMALL);
    }
    /* A big message may wait in a queue for long: it gets no more than it needs. */
    return kmsg_init_size(kalloc(offsetof(struct kmsg, header) + (size_t)size), size);
}

void kmsg_free(struct kmsg *kmsg)
{
    if (likely(kmsg->capacity == KMSG_SMALL)) {
        struct thread *thread = current_thread();
        if (likely(thread->cached_kmsg == NULL))
            thread->cached_kmsg = kmsg;
        else
            cache_free(&small_cache, kmsg);
    } else if (kmsg->capacity == KMSG_LARGE && spare_count < SPARE_MAX) {
        list_prepend(&spare, &kmsg->link);
        spare_count++;
    } else {
        kfree(kmsg, offsetof(struct kmsg, header) + (size_t)kmsg->capacity);
    }
}

struct kmsg *kmsg_fit(struct kmsg *kmsg)
{
    if (kmsg->capacity != KMSG_LARGE)
        return kmsg;
    struct kmsg *fitting = kmsg_alloc(kmsg->header.msgh_size);
    if (fitting == NULL)
        return kmsg;
    memcpy(&fitting->header, &kmsg->header, kmsg->header.msgh_size);
    kmsg_free(kmsg);
    return fitting;
}

void kmsg_cache_drop(struct kmsg *kmsg)
{
    cache_free(&small_cache, kmsg);
}

mach_msg_return_t kmsg_get(uint64_t user, uint32_t size, struct kmsg **result)
{
    if (size < sizeof(mach_msg_header_t) || size % MACH_MSG_USER_ALIGNMENT)
        return MACH_SEND_MSG_TOO_SMALL;
    struct kmsg *kmsg = kmsg_alloc(size);
    if (kmsg == NULL)
        return MACH_SEND_NO_BUFFER;
    if (!copy_from_user(&kmsg->header, user, size)) {
        kmsg_free(kmsg);
        return MACH_SEND_INVALID_DATA;
    }
    kmsg->header.msgh_size = size;
    *result = kmsg;
    return MACH_MSG_SUCCESS;
}

mach_msg_return_t kmsg_put(uint64_t user, struct kmsg *kmsg, uint32_t size)
{
    bool good = copy_to_user(user, &kmsg->header, size);
    kmsg_free(kmsg);
    return good ? MACH_MSG_SUCCESS : MACH_RCV_INVALID_DATA;
}

/* ---- the items of a body ------------------------------------------------------------------ */

struct item {
    mach_msg_type_t *type;
    void *data;          /* inline data, or the address of the pointer to the rest */
    uint64_t size;       /* of the data, unpadded, as the sender laid it out */
    uint64_t end;        /* offset of the next item */
    bool ports;
};

/* Looks at the item at OFFSET of a message of which all is in the buffer.  If that is too short: its type is NULL, or the data are missing. */
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

/* ---- into the kernel --------------------------------------------------------------------------- */

static mach_msg_return_t port_get(struct ipc_space *space, mach_port_name_t name, const struct item *item, struct ipc_port *destination,
                                  bool *circular, struct ipc_port **port)
{
    if (name == MACH_PORT_NAME_NULL || name == MACH_PORT_NAME_DEAD) {
        *port = name == MACH_PORT_NAME_NULL ? IP_NULL : IP_DEAD;
        return MACH_MSG_SUCCESS;
    }
    if (right_copyin(space, name, item->type->msgt_name, true, port))
        return MACH_SEND_INVALID_RIGHT;
    if (item->type->msgt_name == MACH_MSG_TYPE_MOVE_RECEIVE && IP_VALID(*port)) {
        if (port_circular(*port, destination)) {
            *circular = true;
        } else if (destination) {
            (*port)->destination = destination;
            port_ref(destination);
        }
    }
    return MACH_MSG_SUCCESS;
}

static mach_msg_return_t inline_ports_get(struct ipc_space *space, struct item *item, struct ipc_port *destination, bool *circular,
                                          uint32_t *done)
{
    uint64_t *slots = item->data;
    for (*done = 0; *done < item->type->msgt_number; (*done)++) {
        struct ipc_port *port;
        mach_msg_return_t mr = port_get(space, (mach_port_name_t)slots[*done], item, destination, circular, &port);
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
static mach_msg_return_t array_get(struct ipc_space *space, struct vm_map *map, struct item *item, struct ipc_port *destination, bool *circular)
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
        mach_msg_return_t mr = port_get(space, names[i], item, destination, circular, &port);
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

/* Gives up what the items before OFFSET carry. */
static void body_clean(struct kmsg *kmsg, uint64_t limit)
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

/* Gets one item; says in *COMPLEX whether it is one that the kernel must look at again. */
static mach_msg_return_t item_get(struct kmsg *kmsg, struct item *item, struct ipc_space *space, struct vm_map *map, bool *circular)
{
    struct ipc_port *destination = kmsg_remote(kmsg);
    mach_msg_return_t mr = MACH_MSG_SUCCESS;
    if (!item->ports)
        return item->type->msgt_inline ? MACH_MSG_SUCCESS : memory_get(map, item);
    if (item->type->msgt_inline) {
        uint32_t done;
        mr = inline_ports_get(space, item, destination, circular, &done);
        if (mr)
            ports_release(item->data, done, port_type_of(item->type->msgt_name));
    } else {
        mr = array_get(space, map, item, destination, circular);
        item->type->msgt_size = 64;
    }
    item->type->msgt_name = port_type_of(item->type->msgt_name);
    return mr;
}

static mach_msg_return_t body_copyin(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map)
{
    bool circular = false, complex = false;
    struct item item;
    for (uint64_t offset = sizeof kmsg->header; offset < kmsg->header.msgh_size; offset = item.end) {
        mach_msg_return_t mr = item_parse(kmsg, offset, &item);
        if (item.type && !item_valid(&item))
            mr = MACH_SEND_INVALID_TYPE;
        if (mr == MACH_MSG_SUCCESS)
            mr = item_get(kmsg, &item, space, map, &circular);
        if (mr) {
            body_clean(kmsg, offset);
            return mr;
        }
        complex |= item.ports || !item.type->msgt_inline;
    }
    if (!complex)
        kmsg->header.msgh_bits &= ~MACH_MSGH_BITS_COMPLEX;
    if (circular)
        kmsg->header.msgh_bits |= MACH_MSGH_BITS_CIRCULAR;
    return MACH_MSG_SUCCESS;
}

#define BITS_KEPT (~(MACH_MSGH_BITS_PORTS_MASK | MACH_MSGH_BITS_CIRCULAR)) /* of a header: they go through as they are */

/* The rights of most headers: a request (a send right copied, a send-once right made) or an answer (a send-once right).  False: nothing was
   done. */
static inline bool header_copyin_common(mach_msg_header_t *header, struct ipc_space *space)
{
    uint32_t bits = header->msgh_bits, complex = bits & MACH_MSGH_BITS_COMPLEX;
    struct ipc_entry *to = space_lookup(space, (mach_port_name_t)header->msgh_remote_port);
    struct ipc_port *port = to ? to->port : NULL;
    if ((bits & ~MACH_MSGH_BITS_COMPLEX) == MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE)) {
        struct ipc_entry *from = space_lookup(space, (mach_port_name_t)header->msgh_local_port);
        if (unlikely(!to || !from || !(to->bits & MACH_PORT_TYPE_SEND) || !(from->bits & MACH_PORT_TYPE_RECEIVE) || !port->active))
            return false;
        port->srights++;
        port->refs++;
        header->msgh_protected_payload = (uint64_t)port_make_sonce(from->port);
        header->msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_PORT_SEND, MACH_MSG_TYPE_PORT_SEND_ONCE) | complex;
    } else if ((bits & ~MACH_MSGH_BITS_COMPLEX) == MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0)) {
        if (unlikely(!to || !(to->bits & MACH_PORT_TYPE_SEND_ONCE) || !port->active || to->request || to->name >= space->limit ||
                     (mach_port_name_t)header->msgh_local_port))
            return false;
        space_entry_free_dense(space, to);
        header->msgh_protected_payload = 0;
        header->msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_PORT_SEND_ONCE, 0) | complex;
    } else {
        return false;
    }
    header->msgh_remote_port_do_not_use = (uint64_t)port;
    return true;
}

/* May the header name its two rights so?  BOTH: the reply's name is one that must be looked at. */
static mach_msg_return_t header_check(struct ipc_space *space, const mach_msg_header_t *header, bool both)
{
    mach_msg_type_name_t remote_type = MACH_MSGH_BITS_REMOTE(header->msgh_bits), local_type = MACH_MSGH_BITS_LOCAL(header->msgh_bits);
    mach_port_name_t remote_name = (mach_port_name_t)header->msgh_remote_port, local_name = (mach_port_name_t)header->msgh_local_port;
    struct ipc_entry *remote = space_lookup(space, remote_name);
    if (remote == NULL)
        return MACH_SEND_INVALID_DEST;
    if (both && !right_copyin_check(space, local_name, local_type))
        return MACH_SEND_INVALID_REPLY;
    if (!right_copyin_check(space, remote_name, remote_type) || right_check_dead(space, remote))
        return MACH_SEND_INVALID_DEST;
    if (both && remote_name == local_name && remote_type == local_type && (remote->bits & ENTRY_UREFS) == 1 &&
        (remote_type == MACH_MSG_TYPE_MOVE_SEND || remote_type == MACH_MSG_TYPE_MOVE_SEND_ONCE))
        return MACH_SEND_INVALID_DEST; /* one right cannot be moved twice */
    return MACH_MSG_SUCCESS;
}

/* The destination and the reply port: both or none. */
static mach_msg_return_t header_copyin(struct kmsg *kmsg, struct ipc_space *space)
{
    mach_msg_header_t *header = &kmsg->header;
    uint32_t bits = header->msgh_bits;
    mach_msg_type_name_t remote_type = MACH_MSGH_BITS_REMOTE(bits), local_type = MACH_MSGH_BITS_LOCAL(bits);
    mach_port_name_t remote_name = (mach_port_name_t)header->msgh_remote_port, local_name = (mach_port_name_t)header->msgh_local_port;
    struct ipc_port *remote = IP_NULL, *local = IP_NULL;

    if (!MACH_MSG_TYPE_PORT_ANY_SEND(remote_type))
        return MACH_SEND_INVALID_HEADER;
    if (local_type == 0 ? local_name != 0 : !MACH_MSG_TYPE_PORT_ANY_SEND(local_type))
        return MACH_SEND_INVALID_HEADER;
    if (!MACH_PORT_NAME_VALID(remote_name))
        return MACH_SEND_INVALID_DEST;
    bool both = local_type && MACH_PORT_NAME_VALID(local_name);
    mach_msg_return_t mr = header_check(space, header, both);
    if (mr)
        return mr;
    /* Of one name what is copied comes before what is moved: the last reference may be. */
    bool local_first = both && local_type == MACH_MSG_TYPE_COPY_SEND;
    kern_return_t kr = local_first ? right_copyin(space, local_name, local_type, true, &local) : KERN_SUCCESS;
    kr = kr ? kr : right_copyin(space, remote_name, remote_type, false, &remote);
    if (both && !local_first)
        kr = kr ? kr : right_copyin(space, local_name, local_type, true, &local);
    assert(kr == KERN_SUCCESS);
    if (local_type && local_name == MACH_PORT_NAME_DEAD)
        local = IP_DEAD;
    header->msgh_bits = MACH_MSGH_BITS(port_type_of(remote_type), local_type ? port_type_of(local_type) : 0) |
                        (bits & BITS_KEPT);
    header->msgh_remote_port_do_not_use = (uint64_t)remote;
    header->msgh_protected_payload = (uint64_t)local;
    return MACH_MSG_SUCCESS;
}

/* The rest of a message whose header has been copied in, with result MR. */
static inline mach_msg_return_t copyin_finish(struct kmsg *kmsg, mach_msg_return_t mr, struct ipc_space *space, struct vm_map *map)
{
    if (mr || likely(!(kmsg->header.msgh_bits & MACH_MSGH_BITS_COMPLEX)))
        return mr;
    mr = body_copyin(kmsg, space, map);
    if (mr) {
        right_release(kmsg_local(kmsg), MACH_MSGH_BITS_LOCAL(kmsg->header.msgh_bits));
        right_release(kmsg_remote(kmsg), MACH_MSGH_BITS_REMOTE(kmsg->header.msgh_bits));
    }
    return mr;
}

mach_msg_return_t kmsg_copyin(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map)
{
    mach_msg_return_t mr = likely(header_copyin_common(&kmsg->header, space)) ? MACH_MSG_SUCCESS : header_copyin(kmsg, space);
    return copyin_finish(kmsg, mr, space, map);
}

mach_msg_return_t kmsg_copyin_cancel(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map, mach_port_name_t notify)
{
    mach_port_name_t name = (mach_port_name_t)kmsg->header.msgh_remote_port;
    struct ipc_entry *receive = space_lookup(space, notify), *entry = space_lookup(space, name);
    if (receive == NULL || !(receive->bits & MACH_PORT_TYPE_RECEIVE))
        return MACH_SEND_INVALID_NOTIFY;
    struct request *request = entry ? entry->request : NULL;
    struct ipc_port *sonce = request ? request->notify : IP_NULL;
    if (sonce != receive->port)
        sonce = IP_NULL;
    else
        request->notify = IP_NULL; /* what nobody is told of */
    mach_msg_return_t mr = header_copyin(kmsg, space);
    if (sonce) {
        entry = space_lookup(space, name);
        if (entry && entry->request == request) {
            request->notify = sonce;
        } else {
            sonce->sorights--;
            port_deref(sonce);
        }
    }
    return copyin_finish(kmsg, mr, space, map);
}

/* ---- the kernel's own messages --------------------------------------------------------------------- */

/* A right that the kernel makes of a port pointer, as a user would of a name; the result's type is a naked one. */
static struct ipc_port *kernel_right(struct ipc_port *port, mach_msg_type_name_t type)
{
    switch (type) {
    case MACH_MSG_TYPE_COPY_SEND: return port_copy_send(port);
    case MACH_MSG_TYPE_MAKE_SEND: return port_make_send(port);
    case MACH_MSG_TYPE_MAKE_SEND_ONCE: return port_make_sonce(port);
    default: return port;
    }
}

void kmsg_copyin_from_kernel(struct kmsg *kmsg)
{
    mach_msg_header_t *header = &kmsg->header;
    mach_msg_type_name_t remote = MACH_MSGH_BITS_REMOTE(header->msgh_bits), local = MACH_MSGH_BITS_LOCAL(header->msgh_bits);
    header->msgh_remote_port_do_not_use = (uint64_t)kernel_right(kmsg_remote(kmsg), remote);
    header->msgh_protected_payload = (uint64_t)kernel_right(kmsg_local(kmsg), local);
    header->msgh_bits = MACH_MSGH_BITS(port_type_of(remote), local ? port_type_of(local) : 0) |
                        (header->msgh_bits & MACH_MSGH_BITS_COMPLEX);
    if (!(header->msgh_bits & MACH_MSGH_BITS_COMPLEX))
        return;
    struct item item;
    for (uint64_t offset = sizeof *header; offset < header->msgh_size; offset = item.end) {
        if (item_parse(kmsg, offset, &item))
            panic("the kernel made a message %d with a bad body", header->msgh_id);
        if (item.type->msgt_inline)
            item.type->msgt_deallocate = 0; /* MIG sets it for receive rights, and its servers want it as users send it */
        if (!item.ports)
            continue;
        uint64_t *ports = item.type->msgt_inline ? item.data : *(uint64_t **)item.data;
        for (uint32_t i = 0; i < item.type->msgt_number; i++)
            ports[i] = (uint64_t)kernel_right((struct ipc_port *)ports[i], item.type->msgt_name);
        item.type->msgt_name = port_type_of(item.type->msgt_name);
    }
}

/* ---- out of the kernel ------------------------------------------------------------------------------- */

/* A name for a naked right; MACH_MSG_IPC_SPACE or _IPC_KERNEL when there is none to be had: the right is given up. */
static mach_msg_return_t port_put(struct ipc_space *space, struct ipc_port *port, mach_msg_type_name_t type, mach_port_name_t *name)
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

/* The names of the header as the receiver sees them: remote is where to reply, local the port that it came by. */
static mach_msg_return_t header_copyout(struct kmsg *kmsg, struct ipc_space *space)
{
    mach_msg_header_t *header = &kmsg->header;
    struct ipc_port *dest = kmsg_remote(kmsg), *reply = kmsg_local(kmsg);
    mach_msg_type_name_t dest_type = MACH_MSGH_BITS_REMOTE(header->msgh_bits), reply_type = MACH_MSGH_BITS_LOCAL(header->msgh_bits);
    mach_port_name_t reply_name = MACH_PORT_NAME_NULL;
    struct ipc_entry *entry;
    mach_msg_return_t mr = MACH_MSG_SUCCESS;
    if (likely(reply_type == MACH_MSG_TYPE_PORT_SEND_ONCE && IP_VALID(reply) && reply->active && (entry = space_entry_reuse(space)) != NULL)) {
        entry->port = reply;
        entry->bits = MACH_PORT_TYPE_SEND_ONCE | 1;
        reply_name = entry->name;
    } else if (reply != IP_NULL) {
        mr = port_put(space, reply, reply_type, &reply_name);
    }
    header->msgh_remote_port_do_not_use = reply_name;
    if (dest->active && dest->receiver == space && dest->has_payload) {
        header->msgh_protected_payload = dest->payload;
        header->msgh_bits = (header->msgh_bits & BITS_KEPT) | MACH_MSGH_BITS(reply_type, MACH_MSG_TYPE_PROTECTED_PAYLOAD);
    } else {
        header->msgh_protected_payload = dest->active && dest->receiver == space ? dest->receiver_name : MACH_PORT_NAME_DEAD;
        header->msgh_bits = (header->msgh_bits & BITS_KEPT) | MACH_MSGH_BITS(reply_type, dest_type);
    }
    if (dest_type == MACH_MSG_TYPE_PORT_SEND) {
        if (likely(dest->srights > 1 && dest->refs > 1)) {
            dest->srights--;
            dest->refs--;
        } else {
            port_release_send(dest);
        }
    } else {
        dest->sorights--;
        port_deref(dest);
    }
    return mr ? mr | MACH_RCV_HEADER_ERROR : MACH_MSG_SUCCESS;
}

/* The rest of a message whose header has been copied out, with result MR. */
static inline mach_msg_return_t copyout_finish(struct kmsg *kmsg, mach_msg_return_t mr, struct ipc_space *space, struct vm_map *map)
{
    if (likely(!(kmsg->header.msgh_bits & MACH_MSGH_BITS_COMPLEX)))
        return mr;
    mach_msg_return_t body = MACH_MSG_SUCCESS;
    struct item item;
    for (uint64_t offset = sizeof kmsg->header; offset < kmsg->header.msgh_size; offset = item.end) {
        if (item_parse(kmsg, offset, &item))
            break;
        body |= item_put(&item, space, map);
    }
    if (mr == MACH_MSG_SUCCESS && body)
        mr = MACH_RCV_BODY_ERROR | body;
    return mr;
}

mach_msg_return_t kmsg_copyout(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map)
{
    return copyout_finish(kmsg, header_copyout(kmsg, space), space, map);
}

mach_msg_return_t kmsg_copyout_notify(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map, mach_port_name_t notify)
{
    struct ipc_entry *receive = space_lookup(space, notify), *entry;
    struct ipc_port *reply = kmsg_local(kmsg);
    if (receive == NULL || !(receive->bits & MACH_PORT_TYPE_RECEIVE)) {
        kmsg_copyout_dest(kmsg, space);
        return MACH_RCV_INVALID_NOTIFY;
    }
    struct ipc_port *told = receive->port;
    bool fresh = IP_VALID(reply) && reply->active &&
                 (MACH_MSGH_BITS_LOCAL(kmsg->header.msgh_bits) == MACH_MSG_TYPE_PORT_SEND_ONCE || space_reverse(space, reply) == NULL);
    mach_msg_return_t mr = header_copyout(kmsg, space);
    if (fresh && (entry = space_lookup(space, (mach_port_name_t)kmsg->header.msgh_remote_port)) != NULL) {
        struct ipc_port *sonce = port_make_sonce(told);
        if (request_add(space, entry, sonce)) {
            right_release(sonce, MACH_MSG_TYPE_PORT_SEND_ONCE);
            mr = MACH_RCV_HEADER_ERROR | MACH_MSG_IPC_KERNEL;
        }
    }
    return copyout_finish(kmsg, mr, space, map);
}

mach_msg_return_t kmsg_copyout_pseudo(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map)
{
    mach_msg_header_t *header = &kmsg->header;
    mach_port_name_t remote, local;
    mach_msg_return_t mr = port_put(space, kmsg_remote(kmsg), MACH_MSGH_BITS_REMOTE(header->msgh_bits), &remote);
    mr |= port_put(space, kmsg_local(kmsg), MACH_MSGH_BITS_LOCAL(header->msgh_bits), &local);
    header->msgh_remote_port_do_not_use = remote;
    header->msgh_protected_payload = local;
    header->msgh_bits &= ~MACH_MSGH_BITS_CIRCULAR;
    return (mr | copyout_finish(kmsg, MACH_MSG_SUCCESS, space, map)) & MACH_MSG_MASK;
}

void kmsg_copyout_dest(struct kmsg *kmsg, struct ipc_space *space)
{
    uint32_t kept = kmsg->header.msgh_bits & (MACH_MSGH_BITS_LOCAL_MASK | BITS_KEPT);
    if (kmsg->header.msgh_bits & MACH_MSGH_BITS_COMPLEX)
        body_clean(kmsg, kmsg->header.msgh_size);
    right_release(kmsg_local(kmsg), MACH_MSGH_BITS_LOCAL(kmsg->header.msgh_bits));
    kmsg->header.msgh_protected_payload = 0;
    kmsg->header.msgh_bits &= MACH_MSGH_BITS_REMOTE_MASK;
    header_copyout(kmsg, space);
    /* The bits go on telling what was there. */
    kmsg->header.msgh_bits |= MACH_MSGH_BITS(MACH_MSGH_BITS_LOCAL(kept), 0) | (kept & BITS_KEPT);
}

static void destroy_one(struct kmsg *kmsg)
{
    if (unlikely(kmsg->accepted != NULL))
        accepted_notify(kmsg);
    uint32_t bits = kmsg->header.msgh_bits;
    right_release(kmsg_local(kmsg), MACH_MSGH_BITS_LOCAL(bits));
    if (bits & MACH_MSGH_BITS_COMPLEX)
        body_clean(kmsg, kmsg->header.msgh_size);
    right_release(kmsg_remote(kmsg), MACH_MSGH_BITS_REMOTE(bits));
    kmsg_free(kmsg);
}

void kmsg_destroy(struct kmsg *kmsg)
{
    list_append(&doomed, &kmsg->link);
    if (destroying)
        return;
    destroying = true;
    struct list *link;
    while ((link = list_pop(&doomed)))
        destroy_one(list_entry(link, struct kmsg, link));
    destroying = false;
}
