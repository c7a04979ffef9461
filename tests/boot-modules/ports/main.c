/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Boot module: lib/ports on a running Mach, its only task.  A server's loop runs in threads of this task and clients in
   others.  Prints a line a failed check, instruction (or time stamp) counts, and `N passed, N failed`.  */

#include <errno.h>
#include <hurd/interrupt.h>
#include <mach.h>
#include <mach/gnumach.h>
#include <device/device.h>
#include <mach/notify.h>
#include <ports/ports.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../module.h"
#include "probe.h"
#include "probe_S.h"
#include "probe_U.h"

/* ---- the server ------------------------------------------------------------- */

static const ports_interface_t probe_interfaces[] = {probe_server_routine, NULL};
static atomic_uint no_senders_seen, destroyed_seen;
static mach_port_t dead_seen;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static unsigned int waiters, wakes;

static void probe_no_senders(struct ports_object *object)
{
    (void)object;
    atomic_fetch_add(&no_senders_seen, 1);
}

static void probe_destroy(struct ports_object *object)
{
    (void)object;
    atomic_fetch_add(&destroyed_seen, 1);
}

static void probe_dead_name(struct ports_object *object, mach_port_t name)
{
    (void)object;
    dead_seen = name;
}

static const struct ports_class_ops probe_ops = {
    .name = "probe", .size = sizeof(struct probe), .interfaces = probe_interfaces,
    .no_senders = probe_no_senders, .destroy = probe_destroy, .dead_name = probe_dead_name,
};
struct ports_class probe_class = PORTS_CLASS(probe_ops);
static struct ports_bucket *bucket;
static struct probe *root;

kern_return_t S_probe_null(probe_object_t probe)
{
    return probe != NULL ? 0 : EOPNOTSUPP;
}

kern_return_t S_probe_echo(probe_object_t probe, const probe_data_t data, mach_msg_type_number_t length,
                           probe_data_t back, mach_msg_type_number_t *back_length)
{
    if (probe == NULL)
        return EOPNOTSUPP;
    memcpy(back, data, length);
    *back_length = length;
    return 0;
}

kern_return_t S_probe_large(probe_object_t probe, const probe_large_t data, int *sum)
{
    if (probe == NULL)
        return EOPNOTSUPP;
    *sum = 0;
    for (int i = 0; i < 32768; i++)
        *sum += data[i];
    return 0;
}

kern_return_t S_probe_wait(probe_object_t probe)
{
    error_t err = 0;
    if (probe == NULL)
        return EOPNOTSUPP;
    pthread_mutex_lock(&lock);
    unsigned int seen = wakes;
    waiters++;
    while (seen == wakes && err == 0)
        err = ports_cond_wait(&cond, &lock);
    waiters--;
    pthread_mutex_unlock(&lock);
    return err;
}

kern_return_t S_probe_wake(probe_object_t probe, int *count)
{
    if (probe == NULL)
        return EOPNOTSUPP;
    pthread_mutex_lock(&lock);
    *count = waiters;
    wakes++;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&lock);
    return 0;
}

kern_return_t S_probe_open(probe_object_t probe, mach_port_t *port)
{
    struct probe *new;
    if (probe == NULL)
        return EOPNOTSUPP;
    error_t err = ports_object_create(&probe_class, bucket, &new);
    if (err)
        return err;
    *port = ports_object_make_send_name(new);
    ports_object_deref(new);
    return 0;
}

kern_return_t S_probe_fail(probe_object_t probe, mach_port_t right, probe_mem_t memory, mach_msg_type_number_t length)
{
    (void)probe, (void)right, (void)memory, (void)length;
    return EIO;
}

kern_return_t S_probe_watch(probe_object_t probe, mach_port_t right)
{
    return probe != NULL ? ports_object_notify_dead(probe, right) : EOPNOTSUPP;
}

/* A message that no kernel counted was handled. */
static inline void ports_discount(struct probe *probe)
{
    probe->port.begun--;
}

/* ---- the checks ------------------------------------------------------------- */

static unsigned int waiting_now(void)
{
    pthread_mutex_lock(&lock);
    unsigned int n = waiters;
    pthread_mutex_unlock(&lock);
    return n;
}

static void pause_ms(unsigned int ms)
{
    mach_port_t set;
    mach_msg_header_t message;
    mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &set);
    mach_msg(&message, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof message, set, ms, MACH_PORT_NULL);
    mach_port_mod_refs(mach_task_self(), set, MACH_PORT_RIGHT_PORT_SET, -1);
}

static void until(atomic_uint *counter, unsigned int value)
{
    for (int i = 0; i < 100 && atomic_load(counter) < value; i++)
        pause_ms(10);
}

struct caller {
    pthread_t thread;
    mach_port_t port;
    kern_return_t result;
};

static void *call_wait(void *arg)
{
    struct caller *caller = arg;
    caller->result = probe_wait(caller->port);
    return NULL;
}

static void check_calls(mach_port_t port)
{
    char data[2048] = "hello", back[2048];
    mach_msg_type_number_t length = sizeof back;
    static char large[32768];
    int sum = 0, bad = 0;

    enum { ROUNDS = 20000 };
    unsigned long begin = stamp();
    for (int i = 0; i < ROUNDS; i++)
        bad += probe_null(port) != 0;
    unsigned long end = stamp();
    CHECK(bad == 0);
    say("null rpc: %lu per call\n", (end - begin) / ROUNDS);

    /* The library's own share of that: what happens between receiving and sending. */
    struct { mach_msg_header_t head; char room[256]; } request = {0}, reply;
    begin = stamp();
    for (int i = 0; i < ROUNDS; i++) {
        request.head.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, MACH_MSG_TYPE_PROTECTED_PAYLOAD);
        request.head.msgh_size = sizeof request.head;
        request.head.msgh_remote_port = MACH_PORT_NULL;
        request.head.msgh_protected_payload = root->port.by_serial.key;
        request.head.msgh_id = 9000;
        ports_bucket_dispatch(bucket, &request.head, (void *)&reply);
        ports_discount(root);
    }
    end = stamp();
    CHECK(((mig_reply_header_t *)&reply)->RetCode == 0);
    say("dispatch alone: %lu\n", (end - begin) / ROUNDS);

    CHECK(probe_echo(port, data, 6, back, &length) == 0);
    CHECK(length == 6 && memcmp(back, "hello", 6) == 0);

    memset(large, 1, sizeof large);
    CHECK(probe_large(port, large, &sum) == 0);
    CHECK(sum == 32768);
    CHECK(probe_null(port) == 0);
}

static void check_unknown(mach_port_t port)
{
    struct { mach_msg_header_t head; char room[256]; } message = {0};
    mach_port_t reply = mig_get_reply_port();
    message.head.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE);
    message.head.msgh_remote_port = port;
    message.head.msgh_local_port = reply;
    message.head.msgh_id = 9099;
    kern_return_t err = mach_msg(&message.head, MACH_SEND_MSG | MACH_RCV_MSG, sizeof message.head, sizeof message,
                                 reply, 0, MACH_PORT_NULL);
    CHECK(err == 0);
    CHECK(((mig_reply_header_t *)&message)->RetCode == MIG_BAD_ID);

    /* A forged no-senders notification: nothing may happen. */
    mach_no_senders_notification_t note = {0};
    unsigned int before = atomic_load(&no_senders_seen);
    note.not_header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0);
    note.not_header.msgh_remote_port = port;
    note.not_header.msgh_id = MACH_NOTIFY_NO_SENDERS;
    CHECK(mach_msg(&note.not_header, MACH_SEND_MSG, sizeof note, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL) == 0);
    CHECK(probe_null(port) == 0);
    CHECK(atomic_load(&no_senders_seen) == before);
}

static unsigned int names_now(void)
{
    mach_port_t *names;
    mach_port_type_t *types;
    mach_msg_type_number_t count = 0, type_count = 0;
    mach_port_names(mach_task_self(), &names, &count, &types, &type_count);
    vm_deallocate(mach_task_self(), (vm_address_t)names, count * sizeof *names);
    vm_deallocate(mach_task_self(), (vm_address_t)types, type_count * sizeof *types);
    return count;
}

static void check_no_senders(mach_port_t port)
{
    enum { OPENS = 2000 };
    mach_port_t new;
    unsigned int no_senders = atomic_load(&no_senders_seen), destroyed = atomic_load(&destroyed_seen);
    int bad = 0;

    unsigned int names = 0;
    unsigned long begin = 0;
    for (int i = 0; i < OPENS + 50; i++) {
        if (i == 50) { /* warm: spare rights and reply ports are there */
            until(&destroyed_seen, destroyed + 50);
            names = names_now();
            begin = stamp();
        }
        bad += probe_open(port, &new) != 0 || probe_null(new) != 0;
        bad += mach_port_deallocate(mach_task_self(), new) != 0;
    }
    unsigned long end = stamp();
    until(&destroyed_seen, destroyed + OPENS + 50);
    CHECK(bad == 0);
    CHECK(atomic_load(&no_senders_seen) == no_senders + OPENS + 50);
    CHECK(atomic_load(&destroyed_seen) == destroyed + OPENS + 50);
    say("open, null, close: %lu\n", (end - begin) / OPENS);
    pause_ms(50);
    /* A thread that was needed meanwhile has names, too, but none is left for each open. */
    unsigned int more = names_now() - names;
    say("names: %u, %d more\n", names, (int)more);
    CHECK((int)more <= OPENS / 50);

    /* A large request to an object, then its last right: the count of messages must still come out even. */
    static char large[32768];
    int sum;
    CHECK(probe_open(port, &new) == 0 && probe_large(new, large, &sum) == 0);
    mach_port_deallocate(mach_task_self(), new);
    until(&destroyed_seen, destroyed + OPENS + 51);
    CHECK(atomic_load(&destroyed_seen) == destroyed + OPENS + 51);
    CHECK(ports_class_count(&probe_class) == 1);
}

static void check_dead_names(mach_port_t port)
{
    mach_port_t other;
    mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &other);
    mach_port_insert_right(mach_task_self(), other, other, MACH_MSG_TYPE_MAKE_SEND);
    dead_seen = MACH_PORT_NULL;
    CHECK(probe_watch(port, other) == 0);
    CHECK(probe_watch(port, other) == 0); /* again: replaces the first */
    mach_port_mod_refs(mach_task_self(), other, MACH_PORT_RIGHT_RECEIVE, -1);
    for (int i = 0; i < 100 && dead_seen == MACH_PORT_NULL; i++)
        pause_ms(10);
    CHECK(dead_seen == other);
    dead_seen = MACH_PORT_NULL;
    CHECK(ports_object_notify_dead(root, other) == 0); /* dead already: at once */
    for (int i = 0; i < 100 && dead_seen == MACH_PORT_NULL; i++)
        pause_ms(10);
    CHECK(dead_seen == other);
    mach_port_mod_refs(mach_task_self(), other, MACH_PORT_RIGHT_DEAD_NAME, -4);
}

static void check_pool_and_interrupt(mach_port_t port)
{
    enum { CALLERS = 12 };
    struct caller callers[CALLERS];
    int count = 0;

    /* All of them wait in the server, and it still answers. */
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.port = port, .result = -1};
        pthread_create(&callers[i].thread, NULL, call_wait, &callers[i]);
    }
    for (int i = 0; i < 200 && waiting_now() != CALLERS; i++)
        pause_ms(10);
    CHECK(waiting_now() == CALLERS);
    CHECK(probe_null(port) == 0);
    CHECK(probe_wake(port, &count) == 0);
    CHECK(count == CALLERS);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        CHECK(callers[i].result == 0);
    }

    /* The same, ended by interrupt_operation. */
    for (int i = 0; i < CALLERS; i++) {
        callers[i].result = -1;
        pthread_create(&callers[i].thread, NULL, call_wait, &callers[i]);
    }
    for (int i = 0; i < 200 && waiting_now() != CALLERS; i++)
        pause_ms(10);
    CHECK(interrupt_operation(port, 2000) == 0);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        CHECK(callers[i].result == EINTR);
    }
    say("interrupted: %#x\n", callers[0].result);
    CHECK(waiting_now() == 0);
    CHECK(probe_null(port) == 0);
}

/* A client that dies while it waits. */
static void check_client_death(mach_port_t port)
{
    mach_port_t reply;
    mach_msg_header_t message = {0};
    mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &reply);
    message.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE);
    message.msgh_remote_port = port;
    message.msgh_local_port = reply;
    message.msgh_id = 9003;
    CHECK(mach_msg(&message, MACH_SEND_MSG, sizeof message, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL) == 0);
    for (int i = 0; i < 100 && waiting_now() != 1; i++)
        pause_ms(10);
    CHECK(waiting_now() == 1);
    mach_port_mod_refs(mach_task_self(), reply, MACH_PORT_RIGHT_RECEIVE, -1);
    for (int i = 0; i < 400 && waiting_now() != 0; i++)
        pause_ms(10);
    CHECK(waiting_now() == 0);
}

static void check_failed_request(mach_port_t port)
{
    vm_statistics_data_t stats;
    (void)stats;
    for (int i = 0; i < 30; i++) {
        mach_port_t other;
        vm_address_t memory = 0;
        mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &other);
        mach_port_insert_right(mach_task_self(), other, other, MACH_MSG_TYPE_MAKE_SEND);
        vm_allocate(mach_task_self(), &memory, 65536, TRUE);
        if (probe_fail(port, other, (char *)memory, 65536) != EIO)
            CHECK(!"probe_fail");
        vm_deallocate(mach_task_self(), memory, 65536);
        mach_port_urefs_t refs = 0;
        mach_port_get_refs(mach_task_self(), other, MACH_PORT_RIGHT_SEND, &refs);
        if (i == 29)
            CHECK(refs == 1);
        mach_port_mod_refs(mach_task_self(), other, MACH_PORT_RIGHT_RECEIVE, -1);
        mach_port_deallocate(mach_task_self(), other);
    }
}

static void check_inhibit(mach_port_t port)
{
    struct caller caller = {.port = port, .result = -1};
    pthread_create(&caller.thread, NULL, call_wait, &caller);
    for (int i = 0; i < 100 && waiting_now() != 1; i++)
        pause_ms(10);
    CHECK(ports_class_inhibit(&probe_class, true) == 0);
    CHECK(ports_class_inhibit(&probe_class, false) == EBUSY);
    CHECK(waiting_now() == 0);
    ports_class_resume(&probe_class);
    pthread_join(caller.thread, NULL);
    CHECK(caller.result == EINTR);
    CHECK(probe_null(port) == 0);
}

static void check_destroyed_right(void)
{
    struct probe *object;
    CHECK(ports_object_create_quiet(&probe_class, bucket, &object) == 0);
    mach_port_t right = ports_object_send_right(object);
    CHECK(right != MACH_PORT_NULL && probe_null(right) == 0);
    CHECK(ports_object_lookup(NULL, right, &probe_class) == object);
    ports_object_deref(object);
    ports_object_destroy_right(object);
    CHECK(probe_null(right) == MACH_SEND_INVALID_DEST);
    CHECK(ports_object_make_send_name(object) == MACH_PORT_NULL);
    mach_port_deallocate(mach_task_self(), right);
    ports_object_deref(object);
    CHECK(ports_class_count(&probe_class) == 1);
}

/* A message that no buffer holds is lost, but nothing else is. */
static void check_too_large(mach_port_t port)
{
    enum { SIZE = 100000 };
    static struct { mach_msg_header_t head; mach_msg_type_t type; char data[SIZE]; } message;
    mach_port_t new, reply = mig_get_reply_port();
    unsigned int destroyed = atomic_load(&destroyed_seen);
    CHECK(probe_open(port, &new) == 0);
    message.head.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE);
    message.head.msgh_remote_port = new;
    message.head.msgh_local_port = reply;
    message.head.msgh_id = 9002;
    message.type = (mach_msg_type_t){.msgt_name = MACH_MSG_TYPE_CHAR,
                                     .msgt_size = 8,
                                     .msgt_number = SIZE,
                                     .msgt_inline = TRUE};
    kern_return_t err = mach_msg(&message.head, MACH_SEND_MSG | MACH_RCV_MSG | MACH_RCV_TIMEOUT, sizeof message,
                                 sizeof message, reply, 3000, MACH_PORT_NULL);
    CHECK(err == 0 && message.head.msgh_id == MACH_NOTIFY_SEND_ONCE);
    CHECK(probe_null(new) == 0);
    mach_port_deallocate(mach_task_self(), new);
    until(&destroyed_seen, destroyed + 1);
    CHECK(atomic_load(&destroyed_seen) == destroyed + 1);
}

/* A port that others hold and have sent to becomes an object's. */
static void *import_call(void *arg)
{
    struct caller *caller = arg;
    caller->result = probe_null(caller->port);
    return NULL;
}

static void check_adopt(void)
{
    struct caller caller = {.result = -1};
    struct probe *object;
    unsigned int destroyed = atomic_load(&destroyed_seen);
    mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &caller.port);
    mach_port_insert_right(mach_task_self(), caller.port, caller.port, MACH_MSG_TYPE_MAKE_SEND);
    pthread_create(&caller.thread, NULL, import_call, &caller);
    pause_ms(50);
    CHECK(caller.result == -1);
    CHECK(ports_object_create_quiet(&probe_class, bucket, &object) == 0);
    CHECK(ports_object_adopt_right(object, caller.port) == 0);
    CHECK(ports_object_adopt_right(object, caller.port) == EBUSY);
    ports_object_deref(object);
    pthread_join(caller.thread, NULL);
    CHECK(caller.result == 0);
    CHECK(atomic_load(&destroyed_seen) == destroyed);
    mach_port_deallocate(mach_task_self(), caller.port);
    until(&destroyed_seen, destroyed + 1);
    CHECK(atomic_load(&destroyed_seen) == destroyed + 1);
}

static unsigned int dead_names(void)
{
    mach_port_name_array_t names;
    mach_port_type_array_t types;
    mach_msg_type_number_t count, type_count;
    unsigned int dead = 0;
    if (mach_port_names(mach_task_self(), &names, &count, &types, &type_count) != 0)
        return 0;
    for (mach_msg_type_number_t i = 0; i < count; i++)
        dead += (types[i] & MACH_PORT_TYPE_DEAD_NAME) != 0;
    vm_deallocate(mach_task_self(), (vm_address_t)names, count * sizeof *names);
    vm_deallocate(mach_task_self(), (vm_address_t)types, type_count * sizeof *types);
    return dead;
}

static unsigned int threads_now(void)
{
    thread_t *threads;
    mach_msg_type_number_t count;
    if (task_threads(mach_task_self(), &threads, &count) != 0)
        return 0;
    for (mach_msg_type_number_t i = 0; i < count; i++)
        mach_port_deallocate(mach_task_self(), threads[i]);
    vm_deallocate(mach_task_self(), (vm_address_t)threads, count * sizeof *threads);
    return count;
}

/* Threads that many waiting requests made, and that end when they are surplus, leave no names behind. */
static void check_surplus(void)
{
    enum { CALLERS = 24, KEPT = 8 };
    struct ports_serve_options options = {.idle_ms = 200};
    struct caller callers[CALLERS];
    struct ports_bucket *other;
    struct probe *object;
    int count = 0;
    CHECK(ports_bucket_create(&other) == 0);
    CHECK(ports_bucket_serve_detached(other, &options) == 0);
    CHECK(ports_object_create(&probe_class, other, &object) == 0);
    mach_port_t port = ports_object_send_right(object);
    unsigned int threads = threads_now(), dead = dead_names();
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.port = port, .result = -1};
        pthread_create(&callers[i].thread, NULL, call_wait, &callers[i]);
    }
    for (int i = 0; i < 1000 && waiting_now() != CALLERS; i++)
        pause_ms(10);
    CHECK(waiting_now() == CALLERS);
    CHECK(threads_now() >= threads + 2 * CALLERS);
    CHECK(probe_wake(port, &count) == 0);
    for (int i = 0; i < CALLERS; i++)
        pthread_join(callers[i].thread, NULL);
    for (int i = 0; i < 3000 && threads_now() > threads + KEPT; i++)
        pause_ms(10);
    CHECK(threads_now() <= threads + KEPT);
    say("dead names: %u, %u\n", dead, dead_names());
    CHECK(dead_names() == dead);
    mach_port_deallocate(mach_task_self(), port);
}

/* A loop that ends when nothing comes. */
static void check_exit(void)
{
    struct ports_bucket *other;
    struct ports_serve_options options = {.exit_ms = 100};
    CHECK(ports_bucket_create(&other) == 0);
    CHECK(ports_bucket_serve(other, &options) == 0);
    CHECK(ports_bucket_count(other) == 0);
}

int main(int argc, char **argv)
{
    module_begin(argc, argv);
    CHECK(ports_bucket_create(&bucket) == 0);
    CHECK(ports_bucket_serve_detached(bucket, NULL) == 0);
    CHECK(ports_object_create(&probe_class, bucket, &root) == 0);
    mach_port_t port = ports_object_send_right(root);
    CHECK(port != MACH_PORT_NULL);

    say("ports: calls\n");
    check_calls(port);
    say("ports: unknown ids\n");
    check_unknown(port);
    say("ports: no senders\n");
    check_no_senders(port);
    say("ports: dead names\n");
    check_dead_names(port);
    say("ports: failed requests\n");
    check_failed_request(port);
    say("ports: pool, interrupt\n");
    check_pool_and_interrupt(port);
    say("ports: death of a client\n");
    check_client_death(port);
    say("ports: inhibit\n");
    check_inhibit(port);
    say("ports: renew\n");
    check_destroyed_right();
    say("ports: too large\n");
    check_too_large(port);
    say("ports: adopt\n");
    check_adopt();
    say("ports: surplus threads\n");
    check_surplus();
    say("ports: exit\n");
    check_exit();
    module_end();
}
