/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages in the kernel: their buffers, and their way in and out: names to rights and back.  The bodies are
   body.c's. */

#include "body.h"

#include "../arch/x86_64/user.h"
#include "../task/task.h"
#include "../vm/map.h"
#include "../vm/pageout.h"

struct kmsg_spares kmsg_spares_small, kmsg_spares_large;

static struct cache small_cache;
static struct list doomed = LIST_INIT(doomed); /* messages to be destroyed: one may hold the last right of a port with
                                                  others */
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

/* A big message may wait in a queue for long: it gets no more than it needs. */
struct kmsg *kmsg_alloc_slowly(uint32_t size)
{
    if (size <= KMSG_SMALL)
        return kmsg_init_size(cache_alloc(&small_cache), KMSG_SMALL);
    return kmsg_init_size(kalloc(offsetof(struct kmsg, header) + (size_t)size), size);
}

void kmsg_free_slowly(struct kmsg *kmsg)
{
    if (kmsg->capacity == KMSG_SMALL)
        cache_free(&small_cache, kmsg);
    else if (kmsg->capacity != KMSG_LARGE || !kmsg_spare_give(&kmsg_spares_large, kmsg))
        kfree(kmsg, offsetof(struct kmsg, header) + (size_t)kmsg->capacity);
}

struct kmsg *kmsg_fit(struct kmsg *kmsg)
{
    if (kmsg->capacity != KMSG_LARGE)
        return kmsg;
    struct kmsg *fitting = kmsg_alloc(kmsg->header.msgh_size);
    if (fitting == NULL)
        return kmsg;
    fitting->carriers = kmsg->carriers;
    fitting->first_carrier = kmsg->first_carrier;
    fitting->accepted = kmsg->accepted;
    kmsg->accepted = NULL;
    memcpy(&fitting->header, &kmsg->header, kmsg->header.msgh_size);
    kmsg_free(kmsg);
    return fitting;
}

/* The same for a caller that may block: only where memory does not come is there none. */
static __attribute__((noinline)) struct kmsg *kmsg_alloc_waiting(uint32_t size)
{
    struct kmsg *kmsg;
    for (unsigned int tries = 0; (kmsg = kmsg_alloc_slowly(size)) == NULL; tries++)
        if (!pageout_retry(tries, offsetof(struct kmsg, header) + (size_t)size))
            break;
    return kmsg;
}

struct kmsg *kmsg_alloc_large_waiting(void)
{
    struct kmsg *kmsg = kmsg_spare_take(&kmsg_spares_large);
    return likely(kmsg != NULL) ? kmsg : kmsg_alloc_waiting(KMSG_LARGE);
}

mach_msg_return_t kmsg_get(uint64_t user, uint32_t size, struct kmsg **result)
{
    if (size < sizeof(mach_msg_header_t) || size % MACH_MSG_USER_ALIGNMENT)
        return MACH_SEND_MSG_TOO_SMALL;
    struct kmsg *kmsg = kmsg_alloc(size);
    if (unlikely(kmsg == NULL) && (kmsg = kmsg_alloc_waiting(size)) == NULL)
        return MACH_SEND_NO_BUFFER;
    if (unlikely(!user_words_read(&kmsg->header, user, size / 8))) {
        kmsg_free(kmsg);
        return MACH_SEND_INVALID_DATA;
    }
    kmsg->header.msgh_size = size;
    *result = kmsg;
    return MACH_MSG_SUCCESS;
}

mach_msg_return_t kmsg_put(uint64_t user, struct kmsg *kmsg, uint32_t size)
{
    bool good = likely(size % 8 == 0) ? user_words_write(user, &kmsg->header, size / 8)
                                      : copy_to_user(user, &kmsg->header, size);
    kmsg_free(kmsg);
    return good ? MACH_MSG_SUCCESS : MACH_RCV_INVALID_DATA;
}

/* ---- into the kernel --------------------------------------------------------------------------- */

/* of a header: they go through as they are */
#define BITS_KEPT (~(MACH_MSGH_BITS_PORTS_MASK | MACH_MSGH_BITS_CIRCULAR))

/* The rights of most headers: a request (a send right copied, a send-once right made) or an answer (a send-once right).
   False: nothing was done. */
static inline bool header_copyin_common(mach_msg_header_t *header, struct ipc_space *space)
{
    uint32_t bits = header->msgh_bits, complex = bits & MACH_MSGH_BITS_COMPLEX;
    struct ipc_entry *to = space_lookup(space, (mach_port_name_t)header->msgh_remote_port);
    struct ipc_port *port = to ? to->port : NULL;
    if ((bits & ~MACH_MSGH_BITS_COMPLEX) == MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE)) {
        struct ipc_entry *from = space_lookup(space, (mach_port_name_t)header->msgh_local_port);
        if (unlikely(!to || !from || !(to->bits & MACH_PORT_TYPE_SEND) || !(from->bits & MACH_PORT_TYPE_RECEIVE) ||
                     !port->active))
            return false;
        port->srights++;
        port->refs++;
        header->msgh_protected_payload = (uint64_t)port_make_sonce(from->port);
        header->msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_PORT_SEND, MACH_MSG_TYPE_PORT_SEND_ONCE) | complex;
    } else if ((bits & ~MACH_MSGH_BITS_COMPLEX) == MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0)) {
        if (unlikely(!to || !(to->bits & MACH_PORT_TYPE_SEND_ONCE) || !port->active || to->request ||
                     to->name >= space->limit || (mach_port_name_t)header->msgh_local_port))
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
    mach_msg_type_name_t remote_type = MACH_MSGH_BITS_REMOTE(header->msgh_bits),
                         local_type = MACH_MSGH_BITS_LOCAL(header->msgh_bits);
    mach_port_name_t remote_name = (mach_port_name_t)header->msgh_remote_port,
                     local_name = (mach_port_name_t)header->msgh_local_port;
    struct ipc_entry *remote = space_lookup(space, remote_name);
    if (remote == NULL)
        return MACH_SEND_INVALID_DEST;
    if (both && !right_copyin_check(space, local_name, local_type))
        return MACH_SEND_INVALID_REPLY;
    if (!right_copyin_check(space, remote_name, remote_type) || right_check_dead(space, remote))
        return MACH_SEND_INVALID_DEST;
    if (both && remote_name == local_name && remote_type == local_type && !entry_has_more(remote) &&
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
    mach_port_name_t remote_name = (mach_port_name_t)header->msgh_remote_port,
                     local_name = (mach_port_name_t)header->msgh_local_port;
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
static inline mach_msg_return_t copyin_finish(struct kmsg *kmsg, mach_msg_return_t mr, struct ipc_space *space,
                                              struct vm_map *map)
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
    mach_msg_return_t mr = likely(header_copyin_common(&kmsg->header, space)) ? MACH_MSG_SUCCESS
                                                                              : header_copyin(kmsg, space);
    return copyin_finish(kmsg, mr, space, map);
}

mach_msg_return_t kmsg_copyin_cancel(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map,
                                     mach_port_name_t notify)
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

void kmsg_copyin_from_kernel(struct kmsg *kmsg)
{
    mach_msg_header_t *header = &kmsg->header;
    mach_msg_type_name_t remote = MACH_MSGH_BITS_REMOTE(header->msgh_bits),
                         local = MACH_MSGH_BITS_LOCAL(header->msgh_bits);
    header->msgh_remote_port_do_not_use = (uint64_t)kernel_right(kmsg_remote(kmsg), remote);
    header->msgh_protected_payload = (uint64_t)kernel_right(kmsg_local(kmsg), local);
    header->msgh_bits = MACH_MSGH_BITS(port_type_of(remote), local ? port_type_of(local) : 0) |
                        (header->msgh_bits & MACH_MSGH_BITS_COMPLEX);
    if (header->msgh_bits & MACH_MSGH_BITS_COMPLEX)
        body_make(kmsg);
}

/* ---- out of the kernel ------------------------------------------------------------------------------- */

/* The names of the header as the receiver sees them: remote is where to reply, local the port that it came by. */
static mach_msg_return_t header_copyout(struct kmsg *kmsg, struct ipc_space *space)
{
    mach_msg_header_t *header = &kmsg->header;
    struct ipc_port *dest = kmsg_remote(kmsg), *reply = kmsg_local(kmsg);
    mach_msg_type_name_t dest_type = MACH_MSGH_BITS_REMOTE(header->msgh_bits),
                         reply_type = MACH_MSGH_BITS_LOCAL(header->msgh_bits);
    mach_port_name_t reply_name = MACH_PORT_NAME_NULL;
    struct ipc_entry *entry;
    mach_msg_return_t mr = MACH_MSG_SUCCESS;
    if (likely(reply_type == MACH_MSG_TYPE_PORT_SEND_ONCE && IP_VALID(reply) && reply->active &&
               (entry = space_entry_reuse(space)) != NULL)) {
        entry->port = reply;
        entry->bits = MACH_PORT_TYPE_SEND_ONCE | 1;
        reply_name = entry->name;
    } else if (reply != IP_NULL) {
        mr = port_put(space, reply, reply_type, &reply_name);
    }
    header->msgh_remote_port_do_not_use = reply_name;
    if (dest->active && dest->receiver == space && dest->has_payload) {
        header->msgh_protected_payload = dest->payload;
        header->msgh_bits = (header->msgh_bits & BITS_KEPT) |
                            MACH_MSGH_BITS(reply_type, MACH_MSG_TYPE_PROTECTED_PAYLOAD);
    } else {
        header->msgh_protected_payload = dest->active && dest->receiver == space ? dest->receiver_name
                                                                                 : MACH_PORT_NAME_DEAD;
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
static inline mach_msg_return_t copyout_finish(struct kmsg *kmsg, mach_msg_return_t mr, struct ipc_space *space,
                                               struct vm_map *map)
{
    if (likely(!(kmsg->header.msgh_bits & MACH_MSGH_BITS_COMPLEX)))
        return mr;
    mach_msg_return_t body = body_copyout(kmsg, space, map);
    return mr == MACH_MSG_SUCCESS && body ? MACH_RCV_BODY_ERROR | body : mr;
}

mach_msg_return_t kmsg_copyout(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map)
{
    return copyout_finish(kmsg, header_copyout(kmsg, space), space, map);
}

mach_msg_return_t kmsg_copyout_from_kernel(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map)
{
    mach_msg_return_t mr = header_copyout(kmsg, space);
    if (likely(!(kmsg->header.msgh_bits & MACH_MSGH_BITS_COMPLEX)))
        return mr;
    mach_msg_return_t body = body_make_copyout(kmsg, space, map);
    return mr == MACH_MSG_SUCCESS && body ? MACH_RCV_BODY_ERROR | body : mr;
}

mach_msg_return_t kmsg_copyout_notify(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map,
                                      mach_port_name_t notify)
{
    struct ipc_entry *receive = space_lookup(space, notify), *entry;
    struct ipc_port *reply = kmsg_local(kmsg);
    if (receive == NULL || !(receive->bits & MACH_PORT_TYPE_RECEIVE)) {
        kmsg_copyout_dest(kmsg, space);
        return MACH_RCV_INVALID_NOTIFY;
    }
    struct ipc_port *told = receive->port;
    bool fresh = IP_VALID(reply) && reply->active &&
                 (MACH_MSGH_BITS_LOCAL(kmsg->header.msgh_bits) == MACH_MSG_TYPE_PORT_SEND_ONCE ||
                  space_reverse(space, reply) == NULL);
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

void kmsg_clean(struct kmsg *kmsg)
{
    uint32_t bits = kmsg->header.msgh_bits;
    right_release(kmsg_local(kmsg), MACH_MSGH_BITS_LOCAL(bits));
    if (bits & MACH_MSGH_BITS_COMPLEX)
        body_clean(kmsg, kmsg->header.msgh_size);
    right_release(kmsg_remote(kmsg), MACH_MSGH_BITS_REMOTE(bits));
}

static void destroy_one(struct kmsg *kmsg)
{
    if (unlikely(kmsg->accepted != NULL))
        accepted_notify(kmsg);
    kmsg_clean(kmsg);
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
