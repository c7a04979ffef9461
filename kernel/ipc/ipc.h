/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports, port sets, name spaces, messages.  Mach manual, chapter "Inter Process Communication".

   A port is alive (`active`) as long as somebody has its receive right: a space (`receiver`), a message under way
   (receiver NULL), or the kernel (receiver is ipc_space_kernel).  The structure lives on while there are references:
   one for each entry of a space with send rights or the receive right or a send-once right, one for each right in a
   message, one for each pointer the kernel keeps.

       port_alloc → active --port_destroy--> dead: queued messages are destroyed, senders and receivers woken,
       no-senders, dead-name and port-destroyed requests answered → last reference: freed

   A right is a reference plus a count in the port: send rights count srights, send-once rights sorights.  right_release
   gives one up.  What messages carry are "naked" rights: a port pointer and a type (MACH_MSG_TYPE_PORT_RECEIVE, _SEND,
   _SEND_ONCE).

   A message queue (struct mqueue) belongs to a port or to a port set; a port that is in a set uses the set's, so
   messages of all members come in the order in which they were sent.

   Lock of everything here: the kernel lock. */

#ifndef IPC_IPC_H
#define IPC_IPC_H

#include <mach/message.h>
#include <mach/notify.h>
#include <mach/port.h>

#include "../base/base.h"
#include "../task/sched.h"

struct ipc_space;
struct ipc_pset;
struct kmsg;
struct thread;
struct task;
struct vm_map;

struct mqueue {
    struct list messages;         /* kmsg.link */
    struct wait_queue receivers;
};

/* What a port of the kernel's stands for. */
enum kobject_type {
    KOBJECT_NONE,
    KOBJECT_TASK,
    KOBJECT_THREAD,
    KOBJECT_HOST,
    KOBJECT_HOST_PRIV,
    KOBJECT_PROCESSOR,
    KOBJECT_PSET,
    KOBJECT_PSET_NAME,
    KOBJECT_PAGER,        /* a memory object that the kernel manages itself */
    KOBJECT_PAGING_REQUEST, /* memory_object_control */
    KOBJECT_PAGING_NAME,
    KOBJECT_DEVICE_MASTER,
    KOBJECT_DEVICE,
    KOBJECT_IO_PERM,
    KOBJECT_PAGER_PROXY
};

struct ipc_port {
    uint32_t refs;
    bool active;
    union {
        struct {
            bool has_payload;
            bool no_room;         /* qlimit is 0 */
        };
        uint16_t unusual;         /* either: one look for the short way */
    };
    bool kernel_no_senders;       /* the kernel's port ends with its last send right */
    bool is_pager;                /* a memory object may have it as its pager */
    uint8_t kobject_type;         /* enum kobject_type */
    struct ipc_space *receiver;   /* NULL: the receive right is in a message */
    mach_port_name_t receiver_name;
    uint32_t srights, sorights, mscount, seqno, qlimit, msgcount;
    void *kobject;
    uint64_t payload;
    struct mqueue *messages;      /* where its messages are: `queue`, or its set's */
    struct mqueue queue;
    struct wait_queue senders;    /* blocked by a full queue */
    struct ipc_pset *pset;        /* that it is a member of */
    struct list pset_link;
    struct ipc_port *nsrequest;   /* send-once rights for the notifications */
    struct ipc_port *pdrequest;
    struct list dnrequests;       /* struct request.link */
    struct ipc_port *destination; /* receive right in a message: the port the message goes to (a reference) */
};

struct ipc_pset {
    uint32_t refs;
    bool active;
    mach_port_name_t name;
    struct ipc_space *space;
    struct mqueue queue;
    struct list members;          /* ipc_port.pset_link */
};

/* A dead-name request on an entry, or a message's msg-accepted request. */
struct request {
    struct list link;             /* in ipc_port.dnrequests, or in accepted.c's */
    struct ipc_space *space;
    mach_port_name_t name;
    struct ipc_port *notify;      /* send-once right */
};

#ifndef IP_NULL /* mig_types.h has them too */
#define IP_NULL ((struct ipc_port *)0)
#define IP_DEAD ((struct ipc_port *)~0ul)
#define IP_VALID(port) ((port) != IP_NULL && (port) != IP_DEAD)
#endif

/* A name of a space.  `bits`: rights as MACH_PORT_TYPE_*, and user references. */
struct ipc_entry {
    union {
        struct ipc_port *port;
        struct ipc_pset *pset;
        struct ipc_entry *free_prev; /* of a free name; meaningless in the first */
    };
    uint32_t bits;
    mach_port_name_t name;
    struct request *request;         /* NULL of a free name */
    union {
        struct ipc_entry *hash_next; /* send rights by port */
        struct ipc_entry *free_next;
    };
};
#define ENTRY_UREFS 0xffffu
#define SEND_UREFS_MAX 0xfffeu /* a send right can die with a notification, which is one reference more */
#define ENTRY_TYPES 0x1f0000u
/* One message may bring more send rights than 16 bits count, and who gives them all back must not lose the one it had.
   So each CARRY_UREFS that are too many become an ENTRY_CARRY.  With all of ENTRY_CARRIES the count stands still. */
#define ENTRY_CARRIES 0x3fe00000u
#define ENTRY_CARRY 0x200000u
#define CARRY_UREFS 0x8000u
#define ENTRY_COUNT (ENTRY_UREFS | ENTRY_CARRIES) /* all that counts user references */

#define LEAF_ENTRIES 128
#define DENSE_NAMES (1u << 24) /* names below are in leaves, others in a hash table */

#define REVERSE_INLINE 4

struct ipc_space {
    uint32_t refs;
    bool active;
    struct task *task;            /* whose it is, for debugging; NULL: the kernel's */
    struct ipc_entry *first;      /* the first leaf, or one without names that nobody changes */
    struct ipc_entry **leaves;
    uint32_t leaf_count;          /* of `leaves`; some are NULL */
    uint32_t limit;               /* names below it were handed out at least once */
    uint32_t high;                /* dense names from here on were never used */
    struct ipc_entry *free;       /* free names below `limit`, last freed first */
    struct ipc_entry **reverse;   /* entries with send rights but no receive right, by port */
    uint32_t reverse_size, reverse_used;
    struct ipc_entry *reverse_first[REVERSE_INLINE]; /* the table to begin with, so that there always is one */
    struct sparse_entry **sparse; /* entries of names from DENSE_NAMES on, by name; NULL: there were never any */
    uint32_t sparse_size, sparse_used;
    bool has_sets;                /* it has port sets, or had */
};

extern struct ipc_space *ipc_space_kernel; /* has the receive rights of the kernel's objects */
extern struct ipc_space *ipc_space_dead;   /* has ended, without names: receives the kernel's own replies */

/* A message.  In a queue its header has port pointers for names and naked-right types in its bits. */
struct kmsg {
    struct list link;
    struct request *accepted;     /* who is told when it leaves the queue; NULL: nobody (always so in free buffers) */
    uint32_t capacity;            /* bytes of `header` and what follows */
    uint32_t carriers;            /* of a complex message: how many items carry rights or memory */
    uint32_t first_carrier;       /* and the offset of the first of them */
    mach_msg_header_t header __attribute__((aligned(16)));
};
static inline struct ipc_port *kmsg_remote(const struct kmsg *kmsg)
{
    return (struct ipc_port *)kmsg->header.msgh_remote_port;
}
static inline struct ipc_port *kmsg_local(const struct kmsg *kmsg)
{
    return (struct ipc_port *)kmsg->header.msgh_local_port;
}

void ipc_init(void);
/* Its parts, in the order of init.c. */
void kmsg_init(void);
void port_init(void);
void pset_init(void);
void space_init(void);
void accepted_init(void);

/* ---- ports (port.c) ------------------------------------------------------------------ */

/* A port without receiver and rights, one reference (the receive right's).  NULL: no memory. */
struct ipc_port *port_alloc(void);
/* A port of the kernel's. */
struct ipc_port *port_alloc_kernel(enum kobject_type type, void *kobject);
static inline void port_ref(struct ipc_port *port)
{
    port->refs++;
}
void port_deref(struct ipc_port *port);
/* Ends the port, whose receive right (and its reference) the caller gives up. */
void port_destroy(struct ipc_port *port);
/* The receive right of PORT, in no set, leaves its space: what was its holder's is reset. */
void port_receiver_clear(struct ipc_port *port);
/* The queue where messages for PORT are. */
static inline struct mqueue *port_queue(struct ipc_port *port);
void mqueue_init(struct mqueue *queue);

/* Naked rights.  port_make_send makes one of a port that the caller can prove alive or holds a reference to; a dead one
   gives IP_DEAD. */
struct ipc_port *port_make_send(struct ipc_port *port);
struct ipc_port *port_copy_send(struct ipc_port *port);
struct ipc_port *port_make_sonce(struct ipc_port *port);
void port_release_send(struct ipc_port *port);
/* Gives up a send-once right that was not used: its receiver is told. */
void port_release_sonce(struct ipc_port *port);
/* Gives up a right of any kind that a message carried. */
void right_release(struct ipc_port *port, mach_msg_type_name_t type);
/* Where a row of receive rights in messages ends, each of which goes to the next one's port, as far as it was looked
   at: all zeros to begin with. */
struct transit {
    struct ipc_port *end;
    uint64_t changes;
};
/* The receive right PORT, which is nowhere else, is in a message to DESTINATION now.  KNOWN is about that destination,
   and kept from one right of a message to the next.  False: it would wait for itself, so the message must not be sent
   (MACH_MSGH_BITS_CIRCULAR). */
bool port_transit_enter(struct ipc_port *port, struct ipc_port *destination, struct transit *known);
/* PORT's receive right is in no message any more, if it was in one. */
void port_transit_leave(struct ipc_port *port);

/* What PORT of type TYPE stands for; NULL: something else, or it is dead. */
static inline void *port_kobject(struct ipc_port *port, enum kobject_type type)
{
    return IP_VALID(port) && port->kobject_type == type ? port->kobject : NULL;
}

/* ---- port sets (pset.c) ---------------------------------------------------------------- */

struct ipc_pset *pset_alloc(void);
void pset_deref(struct ipc_pset *pset);
void pset_destroy(struct ipc_pset *pset);
void pset_add(struct ipc_pset *pset, struct ipc_port *port);
/* Its messages for PORT become the port's own. */
void pset_remove(struct ipc_port *port);

static inline struct mqueue *port_queue(struct ipc_port *port)
{
    return port->messages;
}

/* ---- spaces (space.c) --------------------------------------------------------------------- */

struct ipc_space *space_create(struct task *task);
void space_ref(struct ipc_space *space);
void space_deref(struct ipc_space *space);
/* All rights are given up, and the reference that space_create gave.  With others the space stays, without names for
   good. */
void space_destroy(struct ipc_space *space);
/* Frees what is kept of spaces that have ended (a unit test counts memory). */
void space_spares_drop(void);

struct ipc_entry *space_lookup_slow(struct ipc_space *space, mach_port_name_t name);
extern struct ipc_entry space_no_entry; /* without rights */
/* The entry of NAME; NULL: none in use. */
static inline struct ipc_entry *space_lookup(struct ipc_space *space, mach_port_name_t name)
{
    if (likely(name < LEAF_ENTRIES)) {
        struct ipc_entry *entry = &space->first[name];
        return entry->bits & ENTRY_TYPES ? entry : NULL;
    }
    uint32_t leaf = name / LEAF_ENTRIES;
    if (likely(leaf < space->leaf_count && space->leaves[leaf])) {
        struct ipc_entry *entry = &space->leaves[leaf][name % LEAF_ENTRIES];
        return entry->bits & ENTRY_TYPES ? entry : NULL;
    }
    return space_lookup_slow(space, name);
}
/* The same for the short way of mach_msg: one that is not in use for NULL, also for names beyond the leaves. */
static inline struct ipc_entry *space_entry_of(struct ipc_space *space, mach_port_name_t name)
{
    if (likely(name < LEAF_ENTRIES))
        return &space->first[name];
    uint32_t leaf = name / LEAF_ENTRIES;
    return likely(leaf < space->leaf_count && space->leaves[leaf]) ? &space->leaves[leaf][name % LEAF_ENTRIES]
                                                                   : &space_no_entry;
}
/* An unused entry with a name that the space chooses, or of NAME.  The caller gives it a type at once, or
   space_entry_free. KERN_RESOURCE_SHORTAGE, KERN_NAME_EXISTS, KERN_NO_SPACE (also of a space that has ended). */
kern_return_t space_entry_alloc(struct ipc_space *space, struct ipc_entry **entry);
/* The same where a name was freed before; NULL: none was. */
static inline struct ipc_entry *space_entry_reuse(struct ipc_space *space)
{
    struct ipc_entry *entry = space->free;
    if (likely(entry != NULL))
        space->free = entry->free_next;
    return entry;
}
/* Frees an entry without request, of a name below `limit`. */
static inline void space_entry_free_dense(struct ipc_space *space, struct ipc_entry *entry)
{
    entry->bits = 0;
    entry->free_next = space->free;
    if (space->free)
        space->free->free_prev = entry;
    space->free = entry;
}
kern_return_t space_entry_alloc_name(struct ipc_space *space, mach_port_name_t name, struct ipc_entry **entry);
void space_entry_free(struct ipc_space *space, struct ipc_entry *entry);
/* The entry by which SPACE has send or receive rights for PORT; NULL: none. */
struct ipc_entry *space_reverse(struct ipc_space *space, struct ipc_port *port);
void space_reverse_insert(struct ipc_space *space, struct ipc_entry *entry);
void space_reverse_remove(struct ipc_space *space, struct ipc_entry *entry);
/* How many entries are in use. */
uint32_t space_used(struct ipc_space *space);
/* Bytes that SPACE's names, ports and waiting messages take, with what these carry out of line. */
uint64_t space_memory(struct ipc_space *space);
/* Every entry in use; VISIT may free it. */
void space_walk(struct ipc_space *space, void (*visit)(struct ipc_space *space, struct ipc_entry *entry, void *cookie),
                void *cookie);

/* ---- user references ------------------------------------------------------------------------------ */

static inline uint32_t entry_urefs(const struct ipc_entry *entry)
{
    return (entry->bits & ENTRY_UREFS) + (entry->bits & ENTRY_CARRIES) / ENTRY_CARRY * CARRY_UREFS;
}
static inline void entry_urefs_set(struct ipc_entry *entry, uint32_t urefs)
{
    uint32_t carries = urefs <= ENTRY_UREFS ? 0 : (urefs - SEND_UREFS_MAX + CARRY_UREFS - 1) / CARRY_UREFS;
    entry->bits = (entry->bits & ~ENTRY_COUNT) | carries * ENTRY_CARRY | (urefs - carries * CARRY_UREFS);
}
/* More than one? */
static inline bool entry_has_more(const struct ipc_entry *entry)
{
    return (entry->bits & ENTRY_COUNT) > 1;
}
/* One more send right under ENTRY's name. */
static inline void entry_uref_add(struct ipc_entry *entry)
{
    if (likely((entry->bits & ENTRY_UREFS) < SEND_UREFS_MAX))
        entry->bits++;
    else if ((entry->bits & ENTRY_CARRIES) != ENTRY_CARRIES)
        entry->bits += ENTRY_CARRY - CARRY_UREFS + 1;
}
/* One less; the entry has more. */
static inline void entry_uref_drop(struct ipc_entry *entry)
{
    if (unlikely((entry->bits & ENTRY_CARRIES) == ENTRY_CARRIES))
        return;
    if (likely((entry->bits & ENTRY_UREFS) > 1))
        entry->bits--;
    else
        entry->bits -= ENTRY_CARRY - CARRY_UREFS + 1;
}

/* ---- rights of a space (right.c) -------------------------------------------------------------- */

/* An entry whose port has died is a dead name from then on: makes it one if that is so.  True: it is. */
void right_die(struct ipc_space *space, struct ipc_entry *entry);
static inline bool right_check_dead(struct ipc_space *space, struct ipc_entry *entry)
{
    if (unlikely((entry->bits & MACH_PORT_TYPE_SEND_RIGHTS) && !entry->port->active))
        right_die(space, entry);
    return entry->bits & MACH_PORT_TYPE_DEAD_NAME;
}
/* Takes a right out of SPACE for a message: TYPE is what the sender says (MACH_MSG_TYPE_MOVE_SEND …).  A naked right of
   port_type_of(TYPE) in *PORT (IP_DEAD if DEAD_OK and the name is a dead one).  KERN_INVALID_NAME,
   KERN_INVALID_RIGHT. */
kern_return_t right_copyin(struct ipc_space *space, mach_port_name_t name, mach_msg_type_name_t type, bool dead_ok,
                           struct ipc_port **port);
/* Would right_copyin work? */
bool right_copyin_check(struct ipc_space *space, mach_port_name_t name, mach_msg_type_name_t type);
/* Gives SPACE the naked right PORT of TYPE, consumed on success.  KERN_RESOURCE_SHORTAGE, KERN_UREFS_OVERFLOW never: a
   send right that cannot be counted is given up, as the name stands for it already. */
kern_return_t right_copyout(struct ipc_space *space, struct ipc_port *port, mach_msg_type_name_t type,
                            mach_port_name_t *name);
/* The same under a given, unused name. */
kern_return_t right_copyout_name(struct ipc_space *space, struct ipc_port *port, mach_msg_type_name_t type,
                                 mach_port_name_t name);
/* Asks for a dead-name notification of ENTRY, which has none and a living port: consumes the send-once right NOTIFY.
   KERN_RESOURCE_SHORTAGE. */
kern_return_t request_add(struct ipc_space *space, struct ipc_entry *entry, struct ipc_port *notify);
/* Ends the entry with all its rights. */
void right_destroy(struct ipc_space *space, struct ipc_entry *entry);
/* One user reference less of whatever ENTRY is (mach_port_deallocate). */
kern_return_t right_dealloc(struct ipc_space *space, struct ipc_entry *entry);
kern_return_t right_delta(struct ipc_space *space, struct ipc_entry *entry, mach_port_right_t right,
                          mach_port_delta_t delta);

static inline mach_msg_type_name_t port_type_of(mach_msg_type_name_t type)
{
    switch (type) {
    case MACH_MSG_TYPE_MOVE_RECEIVE: return MACH_MSG_TYPE_PORT_RECEIVE;
    case MACH_MSG_TYPE_MOVE_SEND_ONCE:
    case MACH_MSG_TYPE_MAKE_SEND_ONCE: return MACH_MSG_TYPE_PORT_SEND_ONCE;
    case MACH_MSG_TYPE_MOVE_SEND:
    case MACH_MSG_TYPE_COPY_SEND:
    case MACH_MSG_TYPE_MAKE_SEND: return MACH_MSG_TYPE_PORT_SEND;
    default: return MACH_MSG_TYPE_PORT_NAME;
    }
}

/* ---- notifications (notify.c): each consumes the send-once right NOTIFY ----------------------- */

void notify_port_deleted(struct ipc_port *notify, mach_port_name_t name);
void notify_msg_accepted(struct ipc_port *notify, mach_port_name_t name);
void notify_port_destroyed(struct ipc_port *notify, struct ipc_port *right);
void notify_no_senders(struct ipc_port *notify, mach_port_mscount_t mscount);
void notify_send_once(struct ipc_port *notify);
void notify_dead_name(struct ipc_port *notify, mach_port_name_t name);
/* The port has no send rights any more: answers its request. */
void port_no_senders(struct ipc_port *port);

/* ---- msg-accepted notifications (accepted.c) -------------------------------------------------------- */

/* KMSG, which SPACE sends, is to be queued in any case: the receive right NOTIFY of SPACE is told when it leaves the
   queue. MACH_SEND_INVALID_NOTIFY, MACH_SEND_NOTIFY_IN_PROGRESS, MACH_SEND_NO_NOTIFY. */
mach_msg_return_t accepted_request(struct kmsg *kmsg, struct ipc_space *space, mach_port_name_t notify);
/* ENTRY, marked MACH_PORT_TYPE_MAREQUEST, is going. */
void accepted_forget(struct ipc_space *space, struct ipc_entry *entry);
/* It gets another name. */
void accepted_rename(struct ipc_space *space, mach_port_name_t old_name, mach_port_name_t new_name);
/* KMSG, which has a request, has left the queue. */
void accepted_notify(struct kmsg *kmsg);
/* How many requests there are. */
unsigned int accepted_count(void);

/* ---- messages (kmsg.c) ---------------------------------------------------------------------------- */

#define KMSG_SMALL 448u /* bytes that every buffer has room for */
#define KMSG_LARGE 7936u /* room for the kernel's largest reply: 1024 words and its header */

/* Buffers of one size that were given back: the last one is taken first. */
struct kmsg_spares {
    uint32_t count;
    struct kmsg *buffers[16];
};
extern struct kmsg_spares kmsg_spares_small, kmsg_spares_large; /* of KMSG_SMALL and KMSG_LARGE bytes */

static inline struct kmsg *kmsg_spare_take(struct kmsg_spares *spares)
{
    if (unlikely(spares->count == 0))
        return NULL;
    struct kmsg *kmsg = spares->buffers[--spares->count];
    if (kmsg == NULL)
        __builtin_unreachable();
    return kmsg;
}
/* False: there are plenty. */
static inline bool kmsg_spare_give(struct kmsg_spares *spares, struct kmsg *kmsg)
{
    if (unlikely(spares->count >= countof(spares->buffers)))
        return false;
    spares->buffers[spares->count++] = kmsg;
    return true;
}
struct kmsg *kmsg_alloc_slowly(uint32_t size);
void kmsg_free_slowly(struct kmsg *kmsg);
/* A buffer for a message of SIZE bytes; NULL: no memory. */
static inline struct kmsg *kmsg_alloc(uint32_t size)
{
    struct kmsg *kmsg = likely(size <= KMSG_SMALL) ? kmsg_spare_take(&kmsg_spares_small) : NULL;
    return likely(kmsg != NULL) ? kmsg : kmsg_alloc_slowly(size);
}
static inline void kmsg_free(struct kmsg *kmsg)
{
    if (unlikely(kmsg->capacity != KMSG_SMALL || !kmsg_spare_give(&kmsg_spares_small, kmsg)))
        kmsg_free_slowly(kmsg);
}
/* A buffer of KMSG_LARGE bytes, for a message that does not stay in a queue; NULL: no memory. */
static inline struct kmsg *kmsg_alloc_large(void)
{
    struct kmsg *kmsg = kmsg_spare_take(&kmsg_spares_large);
    return likely(kmsg != NULL) ? kmsg : kmsg_alloc_slowly(KMSG_LARGE);
}
/* The same where the caller may block, and waits for memory.  NULL: none came. */
struct kmsg *kmsg_alloc_large_waiting(void);
/* A message in such a buffer gets one of its own size (if there is memory), because it is to be queued; others stay
   where they are. */
struct kmsg *kmsg_fit(struct kmsg *kmsg);
/* Frees a message under way with all its rights and memory. */
void kmsg_destroy(struct kmsg *kmsg);
/* The same of the message alone, not of its buffer. */
void kmsg_clean(struct kmsg *kmsg);
/* Reads a message of SIZE bytes from user memory; waits for memory.  MACH_SEND_NO_BUFFER: none came. */
mach_msg_return_t kmsg_get(uint64_t user, uint32_t size, struct kmsg **kmsg);
/* Writes it to user memory and frees it. */
mach_msg_return_t kmsg_put(uint64_t user, struct kmsg *kmsg, uint32_t size);
/* Names to rights, user's memory to the message's.  On failure nothing of the message is left in the kernel (but the
   buffer). */
mach_msg_return_t kmsg_copyin(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map);
/* The same with MACH_SEND_CANCEL: if the destination's name goes, its dead-name request to the receive right NOTIFY
   goes silently. MACH_SEND_INVALID_NOTIFY as well. */
mach_msg_return_t kmsg_copyin_cancel(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map,
                                     mach_port_name_t notify);
/* The other way; the bits of MACH_MSG_MASK in the result tell of shortages. */
mach_msg_return_t kmsg_copyout(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map);
/* The same of a message whose body the kernel's stubs wrote. */
mach_msg_return_t kmsg_copyout_from_kernel(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map);
/* The same with MACH_RCV_NOTIFY: the receive right NOTIFY is to be told if a right to reply that is new to SPACE dies.
   MACH_RCV_INVALID_NOTIFY: the header alone is left (kmsg_copyout_dest). */
mach_msg_return_t kmsg_copyout_notify(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map,
                                      mach_port_name_t notify);
/* Gives a message that could not be queued back to who sent it: the header's rights are as they were, by their names
   now.  The bits of MACH_MSG_MASK in the result tell of shortages. */
mach_msg_return_t kmsg_copyout_pseudo(struct kmsg *kmsg, struct ipc_space *space, struct vm_map *map);
/* For a receiver who cannot take the body: header only, the body destroyed. */
void kmsg_copyout_dest(struct kmsg *kmsg, struct ipc_space *space);
/* A message that the kernel made, by rights: the header's remote and local fields are naked rights by its bits. */
void kmsg_copyin_from_kernel(struct kmsg *kmsg);

/* ---- sending and receiving (msg.c) --------------------------------------------------------------- */

/* Queues KMSG at its destination, whose right is used up.  ALWAYS: even if the queue is full.  MACH_SEND_TIMED_OUT,
   MACH_SEND_INTERRUPTED, MACH_SEND_INVALID_DEST... leave the message with the caller.  To a dead port a message is
   destroyed with success. */
mach_msg_return_t msg_send(struct kmsg *kmsg, mach_msg_option_t option, mach_msg_timeout_t timeout, bool always);
/* The message of the kernel's own stubs (MIG's mach_msg_send_from_kernel).  MACH_SEND_NO_BUFFER: what it moves has been
   given up all the same; MACH_SEND_INVALID_DEST: to a port that is none, it is the caller's. */
mach_msg_return_t mach_msg_send_from_kernel(mach_msg_header_t *message, mach_msg_size_t size);
/* Receives in the kernel what comes to PORT. */
mach_msg_return_t msg_receive_kernel(struct ipc_port *port, struct kmsg **kmsg);
/* Sends a message and waits for the reply: exceptions. */
mach_msg_return_t mach_msg_rpc_from_kernel(mach_msg_header_t *message, mach_msg_size_t send_size,
                                           mach_msg_size_t reply_size);

/* ---- the kernel's objects (kobject.c) ---------------------------------------------------------------- */

void kobject_init(void);
/* Carries out the request and gives the reply, or NULL if there is none to send.  The request is consumed.  The reply
   is in a buffer of KMSG_LARGE bytes: for one who gets it at once and frees it.  If it is complex its body has port
   pointers as MIG's stub wrote them: it is sent after kmsg_copyin_from_kernel, or given out by
   kmsg_copyout_from_kernel. */
struct kmsg *kobject_server(struct kmsg *request);
/* A kernel port that asked for it (kernel_no_senders) has lost its last send right: what it stands for may end. */
void kobject_no_senders(struct ipc_port *port);

#endif
