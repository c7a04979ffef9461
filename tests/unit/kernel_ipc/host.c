/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.c: the rest of the kernel as kernel/ipc sees it (host.h). */

#include "host.h"

#include <asm/prctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../../kernel/arch/x86_64/cpu.h"
#include "../../../kernel/ipc/msg.h"
#include "../../../kernel/vm/map.h"
#include "../../../kernel/vm/pageout.h"
#include "../../../kernel/vm/pager.h"

uint8_t host_user[HOST_USER_SIZE];
unsigned int host_fail;
static size_t objects;
static struct cpu processor;
static struct thread thread;
static struct task task;

_Noreturn void panic(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    abort();
}

void kprintf(const char *format, ...)
{
    (void)format;
}

/* ---- memory -------------------------------------------------------------------------------- */

void *kalloc(size_t size)
{
    if ((host_fail && --host_fail == 0) || size > 1 << 24)
        return NULL;
    objects++;
    return malloc(size);
}

void kfree(void *memory, size_t size)
{
    (void)size;
    objects -= memory != NULL;
    free(memory);
}

void cache_init(struct cache *cache, const char *name, size_t size)
{
    *cache = (struct cache){.name = name, .size = size};
}

/* Nothing stays at hand (ready_max is 0), so that the sanitizer sees each object come and go. */
/* Memory that is not there does not come. */
bool pageout_retry(unsigned int tries, size_t size)
{
    (void)tries, (void)size;
    return false;
}

void *cache_alloc_more(struct cache *cache)
{
    return kalloc(cache->size);
}

void cache_free_more(struct cache *cache)
{
    struct cache_ready *object = cache->ready;
    cache->ready = NULL;
    cache->ready_count = 0;
    kfree(object, cache->size);
}

size_t host_objects(void)
{
    space_spares_drop();
    while (kmsg_spares_small.count)
        kfree(kmsg_spare_take(&kmsg_spares_small), 0);
    while (kmsg_spares_large.count)
        kfree(kmsg_spare_take(&kmsg_spares_large), 0);
    return objects;
}

/* The bytes at USER, or NULL. */
static uint8_t *user_bytes(uint64_t user, uint64_t size)
{
    if (user < HOST_USER || size > HOST_USER_SIZE || user - HOST_USER > HOST_USER_SIZE - size)
        return NULL;
    return host_user + (user - HOST_USER);
}

bool copy_from_user(void *to, uint64_t from, size_t size)
{
    const uint8_t *bytes = user_bytes(from, size);
    if (bytes)
        memcpy(to, bytes, size);
    return bytes != NULL;
}

bool copy_to_user(uint64_t to, const void *from, size_t size)
{
    uint8_t *bytes = user_bytes(to, size);
    if (bytes)
        memcpy(bytes, from, size);
    return bytes != NULL;
}

/* Out-of-line memory is a byte on the heap. */
kern_return_t vm_map_copyin(struct vm_map *map, uint64_t address, uint64_t size, bool move, struct vm_copy **copy)
{
    (void)map, (void)move;
    if (user_bytes(address, size) == NULL)
        return KERN_INVALID_ADDRESS;
    *copy = kalloc(1);
    return *copy ? KERN_SUCCESS : KERN_RESOURCE_SHORTAGE;
}

kern_return_t vm_map_copyout(struct vm_map *map, uint64_t *address, struct vm_copy *copy)
{
    (void)map;
    if (host_fail && --host_fail == 0)
        return KERN_NO_SPACE;
    kfree(copy, 1);
    *address = HOST_USER;
    return KERN_SUCCESS;
}

void vm_copy_discard(struct vm_copy *copy)
{
    kfree(copy, 1);
}

struct vm_copy *vm_copy_from_kernel(const void *data, uint64_t size)
{
    (void)data, (void)size;
    return kalloc(1);
}

kern_return_t vm_map_allocate(struct vm_map *map, uint64_t *address, uint64_t size, bool anywhere)
{
    (void)map, (void)anywhere;
    *address = HOST_USER;
    return size <= HOST_USER_SIZE ? KERN_SUCCESS : KERN_NO_SPACE;
}

void vm_map_remove(struct vm_map *map, uint64_t start, uint64_t end)
{
    (void)map, (void)start, (void)end;
}

/* ---- the only thread: whatever it waits for does not come --------------------------------------- */

static bool waits;

void wait_begin(struct wait_queue *queue, bool interruptible)
{
    (void)queue, (void)interruptible;
    waits = true;
}

void wait_timeout(uint32_t milliseconds)
{
    (void)milliseconds;
}

enum wait_result thread_block(void)
{
    if (!waits)
        panic("thread_block without wait_begin");
    waits = false;
    return WAIT_INTERRUPTED;
}

void sched_switched(void)
{
}

enum wait_result thread_block_to(struct thread *next)
{
    (void)next;
    panic("there is no other thread");
}

void thread_wake(struct thread *woken, enum wait_result result)
{
    (void)woken, (void)result;
    panic("nobody waits");
}

void thread_wake_direct(struct thread *woken, enum wait_result result)
{
    thread_wake(woken, result);
}

void sched_enqueue(struct thread *woken)
{
    thread_wake(woken, WAIT_AWAKENED);
}

struct thread *wait_queue_first(const struct wait_queue *queue)
{
    (void)queue;
    return NULL;
}

bool wait_queue_wake_one(struct wait_queue *queue, enum wait_result result)
{
    (void)queue, (void)result;
    return false;
}

bool wait_queue_wake_all(struct wait_queue *queue, enum wait_result result)
{
    (void)queue, (void)result;
    return false;
}

/* ---- the kernel's objects: there are none --------------------------------------------------------- */

struct kmsg *kobject_server(struct kmsg *request)
{
    kmsg_destroy(request);
    return NULL;
}

void msg_hand_over(struct thread *sender, struct thread *receiver, struct mqueue *queue)
{
    (void)sender, (void)receiver, (void)queue;
    panic("nobody waits");
}

void kobject_no_senders(struct ipc_port *port)
{
    (void)port;
}

void object_pager_died(struct ipc_port *port)
{
    (void)port;
}

void host_init(void)
{
    if (processor.thread)
        return;
    processor.self = &processor;
    processor.thread = &thread;
    thread.task = &task;
    if (syscall(SYS_arch_prctl, ARCH_SET_GS, &processor))
        panic("no gs base");
    kmsg_init();
    port_init();
    pset_init();
    space_init();
    accepted_init();
    objects = 0;
}

void host_space_use(struct ipc_space *space)
{
    task.space = space;
}
