/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages: taking them in, exchanging rights, sending them on (rpctrace.h). */

#include "rpctrace.h"

#include <mach/notify.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Routines whose requests' and answers' rights stay what they are: those that move rights between the program's own
   names; and memory objects, which a program that is not traced (the exec server) may get from a wrapper and give to
   the kernel. */
static const char *const kept[] = {"mach_port_insert_right",
                                   "mach_port_extract_right",
                                   "io_map",
                                   "device_map",
                                   "vm_map",
                                   "memory_object_create_proxy"};

static bool is_kept(const char *routine)
{
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (routine && strcmp(routine, kept[i]) == 0)
            return true;
    return false;
}

/* A descriptor in a message and what it describes (mach/message.h). */
struct item {
    mach_msg_type_t *type;
    void *data;
    size_t bytes;
    char *next;
};

/* The item at AT of a message that ends at END; false at the end. */
static bool item_get(char *at, const char *end, struct item *item)
{
    if (at + sizeof(mach_msg_type_t) > end)
        return false;
    item->type = (mach_msg_type_t *)at;
    item->bytes = (item->type->msgt_size * (size_t)item->type->msgt_number + 7) / 8;
    at += sizeof(mach_msg_type_t);
    if (item->type->msgt_inline) {
        item->data = at;
        item->next = at + ((item->bytes + 7) & ~(size_t)7);
    } else {
        item->data = *(void **)at;
        item->next = at + sizeof(void *);
    }
    return item->next <= end;
}

/* ---- rights ---------------------------------------------------------------------------------------------- */

/* A send right for what NAME, a send right that came in, stands for on the other side: the program's if INWARD, else
   the servers'.  The wrapper that had to be made is given in *MADE. */
static mach_port_t send_exchange(mach_port_t name, bool inward, struct wrapper **made)
{
    struct wrapper *wrapper = wrap_lookup(name);
    *made = NULL;
    if (wrapper && wrapper->inward != inward)
        return name; /* it goes to those for whom it was made */
    if (wrapper) {
        mach_port_t target = wrapper->target;
        kern_return_t kr = mach_port_mod_refs(mach_task_self(), target, MACH_PORT_RIGHT_SEND, 1);
        mach_port_deallocate(mach_task_self(), name);
        return kr ? MACH_PORT_DEAD : target;
    }
    wrapper = wrap_find(name);
    if (wrapper && wrapper->inward == inward)
        return name; /* a right of that side, come by another way */
    if (wrapper == NULL)
        *made = wrap_send(name, NULL);
    else
        mach_port_deallocate(mach_task_self(), name);
    wrapper = wrapper ? wrapper : *made;
    if (wrapper == NULL)
        return MACH_PORT_DEAD;
    wrapper->inward = !inward;
    return wrap_make_send(wrapper);
}

static mach_port_t right_exchange(mach_port_t name, unsigned int type, bool inward, struct wrapper **made)
{
    *made = NULL;
    if (!MACH_PORT_VALID(name))
        return name;
    if (type == MACH_MSG_TYPE_PORT_SEND)
        return send_exchange(name, inward, made);
    if (type != MACH_MSG_TYPE_PORT_SEND_ONCE)
        return name;
    struct wrapper *wrapper = wrap_once(name, NULL);
    wrapper->inward = !inward;
    mach_port_t once;
    mach_msg_type_name_t got;
    if (mach_port_extract_right(mach_task_self(), wrapper->receive, MACH_MSG_TYPE_MAKE_SEND_ONCE, &once, &got))
        return MACH_PORT_DEAD;
    return once;
}

/* Makes the wrapper of a task (or thread) its idea of itself. */
static void self_set(struct wrapper *wrapper, bool task)
{
    static unsigned int tasks, threads;
    snprintf(wrapper->label, sizeof wrapper->label, "%s%u", task ? "task" : "thread", ++*(task ? &tasks : &threads));
    mach_port_t self = wrap_make_send(wrapper);
    if (task)
        task_set_special_port(wrapper->target, TASK_KERNEL_PORT, self);
    else
        thread_set_special_port(wrapper->target, THREAD_KERNEL_PORT, self);
    mach_port_deallocate(mach_task_self(), self);
    wrapper->task = task;
}

/* WRAPPER was made for a right in the answer to ROUTINE. */
static void made_notice(const char *routine, struct wrapper *wrapper)
{
    if (wrapper == NULL || routine == NULL)
        return;
    if (strcmp(routine, "task_create") == 0)
        self_set(wrapper, true);
    else if (strcmp(routine, "thread_create") == 0)
        self_set(wrapper, false);
}

/* A task's first word: its threads have been made by the exec server. */
static void threads_wrap(struct wrapper *wrapper)
{
    mach_port_t *threads;
    mach_msg_type_number_t count = 0;
    wrapper->task = false;
    if (task_threads(wrapper->target, &threads, &count))
        return;
    for (mach_msg_type_number_t i = 0; i < count; i++) {
        struct wrapper *thread = wrap_send(threads[i], NULL);
        if (thread && !thread->watched)
            self_set(thread, false);
    }
    vm_deallocate(mach_task_self(), (vm_address_t)threads, count * sizeof *threads);
}

void forward_task(struct wrapper *wrapper)
{
    self_set(wrapper, true);
}

/* Exchanges all rights in the body of MESSAGE, a request of ROUTINE or an answer to it, which goes to the program if
   INWARD. */
static void rights_exchange(mach_msg_header_t *message, const char *routine, bool answer, bool inward)
{
    struct item item;
    const char *end = (char *)message + message->msgh_size;
    bool keep = is_kept(routine);
    for (char *at = (char *)(message + 1); item_get(at, end, &item); at = item.next) {
        unsigned int type = item.type->msgt_name;
        if (!item.type->msgt_inline)
            item.type->msgt_deallocate = TRUE;
        if (!MACH_MSG_TYPE_PORT_ANY(type))
            continue;
        for (size_t i = 0; i < item.type->msgt_number && !keep; i++) {
            struct wrapper *made;
            mach_port_t *name = item.type->msgt_inline ? (mach_port_t *)((uint64_t *)item.data + i)
                                                       : (mach_port_t *)item.data + i;
            *name = right_exchange(*name, type, inward, &made);
            if (answer)
                made_notice(routine, made);
        }
        if (type == MACH_MSG_TYPE_PORT_SEND)
            item.type->msgt_name = MACH_MSG_TYPE_MOVE_SEND;
        else if (type == MACH_MSG_TYPE_PORT_SEND_ONCE)
            item.type->msgt_name = MACH_MSG_TYPE_MOVE_SEND_ONCE;
        else
            item.type->msgt_name = MACH_MSG_TYPE_MOVE_RECEIVE;
    }
}

/* ---- one message ------------------------------------------------------------------------------------------- */

static void *blocking_send(void *message)
{
    mach_msg_header_t *header = message;
    if (mach_msg(header, MACH_SEND_MSG, header->msgh_size, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL))
        mach_msg_destroy(header);
    free(header);
    return NULL;
}

/* The kernel carries requests out in the sender's thread: one that waits for another thread of the program is sent by a
   thread of its own. */
static bool send_aside(const mach_msg_header_t *message)
{
    pthread_t thread;
    mach_msg_header_t *copy = malloc(message->msgh_size);
    if (copy == NULL)
        return false;
    memcpy(copy, message, message->msgh_size);
    if (pthread_create(&thread, NULL, blocking_send, copy)) {
        free(copy);
        return false;
    }
    pthread_detach(thread);
    return true;
}

/* Sends MESSAGE on to TARGET, with LOCAL as its reply port. */
static void send_on(mach_msg_header_t *message, mach_port_t target, unsigned int disposition, mach_port_t local,
                    unsigned int local_disposition)
{
    message->msgh_bits = (message->msgh_bits & MACH_MSGH_BITS_COMPLEX) | MACH_MSGH_BITS(disposition, local_disposition);
    message->msgh_remote_port = target;
    message->msgh_local_port = local;
    const char *routine = routine_name(message->msgh_id);
    if (routine && strcmp(routine, "gsync_wait") == 0 && send_aside(message))
        return;
    mach_msg_return_t mr = mach_msg(message, MACH_SEND_MSG, message->msgh_size, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL);
    if (mr) {
        print_note("%s: not delivered: %s", routine ?: "message", strerror(mr));
        mach_msg_destroy(message);
    }
}

/* The program calls a server, or a server the program. */
static void request_forward(struct wrapper *wrapper, mach_msg_header_t *message)
{
    mach_port_t reply = message->msgh_remote_port, target = wrapper->target;
    unsigned int reply_type = MACH_MSGH_BITS_REMOTE(message->msgh_bits), local = 0;
    if (wrapper->task)
        threads_wrap(wrapper);
    unsigned int serial = print_request(wrapper, message);
    rights_exchange(message, routine_name(message->msgh_id), false, wrapper->inward);
    if (MACH_PORT_VALID(reply)) {
        struct wrapper *answer = reply_type == MACH_MSG_TYPE_PORT_SEND ? wrap_lookup(reply) : NULL;
        if (answer) { /* a wrapper as reply port: the other side gets what it stands for */
            struct wrapper *made;
            reply = send_exchange(reply, wrapper->inward, &made);
            local = MACH_MSG_TYPE_MOVE_SEND;
        } else {
            answer = wrap_once(reply, "reply");
            answer->sends = reply_type == MACH_MSG_TYPE_PORT_SEND;
            answer->inward = !wrapper->inward;
            answer->request = message->msgh_id;
            answer->serial = serial;
            reply = answer->receive;
            local = MACH_MSG_TYPE_MAKE_SEND_ONCE;
        }
    }
    send_on(message, target, MACH_MSG_TYPE_COPY_SEND, reply, local);
}

/* A message through a send-once right: an answer or a notification. */
static void answer_forward(struct wrapper *wrapper, mach_msg_header_t *message)
{
    if (message->msgh_id == MACH_NOTIFY_SEND_ONCE && wrapper->request != 0) { /* nobody will answer */
        print_note("%s: no answer", routine_name(wrapper->request) ?: "request");
        wrap_destroy(wrapper, false);
        return;
    }
    if (wrapper->request)
        print_reply(wrapper, message);
    else
        print_request(wrapper, message);
    rights_exchange(message, routine_name(wrapper->request ? wrapper->request : message->msgh_id),
                    wrapper->request != 0, wrapper->inward);
    send_on(message, wrapper->target, wrapper->sends ? MACH_MSG_TYPE_MOVE_SEND : MACH_MSG_TYPE_MOVE_SEND_ONCE,
            MACH_PORT_NULL, 0);
    wrap_destroy(wrapper, true);
}

static void message_forward(mach_msg_header_t *message)
{
    bool from_kernel = MACH_MSGH_BITS_LOCAL(message->msgh_bits) == MACH_MSG_TYPE_PORT_SEND_ONCE;
    if (message->msgh_local_port == wrap_notify) {
        if (message->msgh_id == MACH_NOTIFY_DEAD_NAME) /* not MACH_NOTIFY_PORT_DELETED: we gave it up ourselves */
            wrap_target_died(((mach_dead_name_notification_t *)message)->not_port);
        return;
    }
    struct wrapper *wrapper = wrap_lookup(message->msgh_local_port);
    if (wrapper == NULL)
        mach_msg_destroy(message);
    else if (wrapper->once)
        answer_forward(wrapper, message);
    else if (from_kernel && message->msgh_id == MACH_NOTIFY_NO_SENDERS)
        wrap_no_senders(wrapper);
    else
        request_forward(wrapper, message);
}

/* The next message in *BUFFER of *SIZE bytes, which grows as needed. */
static mach_msg_return_t message_receive(mach_msg_header_t **buffer, size_t *size)
{
    for (;;) {
        mach_msg_return_t mr = mach_msg(*buffer, MACH_RCV_MSG | MACH_RCV_LARGE, 0, *size, wrap_set, 0, MACH_PORT_NULL);
        if (mr != MACH_RCV_TOO_LARGE)
            return mr;
        *size = (*buffer)->msgh_size;
        free(*buffer);
        *buffer = malloc(*size);
        if (*buffer == NULL)
            return MACH_RCV_TOO_LARGE;
    }
}

void forward_loop(void)
{
    size_t size = 8192;
    mach_msg_header_t *buffer = malloc(size);
    while (buffer != NULL) {
        mach_msg_return_t mr = message_receive(&buffer, &size);
        if (mr == MACH_MSG_SUCCESS)
            message_forward(buffer);
    }
    fprintf(stderr, "rpctrace: no memory for a message of %zu bytes\n", size);
    exit(1);
}
