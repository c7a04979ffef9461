/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel and lib/ports as lib/pager sees them.  See kernel.h.  */
#include "kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct page kernel_pages[PAGES];
uint8_t kernel_disk[PAGES];
enum ports_memory kernel_memory;
void (*kernel_between)(struct pager *pager);

enum kind { REQUEST, UNLOCK, RETURN, COMPLETED };
struct message { enum kind kind; unsigned int page; bool write, kept; uint8_t value; struct message *next; };
static struct message *queue, **queue_end = &queue;
static struct pager *the_pager;

static void post(struct message message)
{
    struct message *m = malloc(sizeof *m);
    *m = message;
    m->next = NULL;
    *queue_end = m;
    queue_end = &m->next;
}

static void between(void)
{
    static bool inside;
    if (!kernel_between || inside || pthread_mutex_trylock(&the_pager->lock))
        return;
    pthread_mutex_unlock(&the_pager->lock);
    inside = true;
    kernel_between(the_pager);
    inside = false;
}

/* ---- the pager's calls ---------------------------------------------------------------------------------------- */

kern_return_t memory_object_data_supply(mach_port_t control, vm_offset_t offset, vm_offset_t data,
                                        mach_msg_type_number_t length, boolean_t dealloc, vm_prot_t lock_value,
                                        boolean_t precious, mach_port_t reply)
{
    (void)precious, (void)reply;
    if (control != CONTROL || !dealloc || offset % vm_page_size || length % vm_page_size)
        abort();
    between();
    for (size_t at = 0; at < length; at += vm_page_size) {
        struct page *page = &kernel_pages[(offset + at) / vm_page_size];
        if (!page->here)                       /* a page that is here already stays */
            *page = (struct page){ true, false, lock_value & VM_PROT_WRITE, *((uint8_t *)data + at) };
    }
    munmap((void *)data, length);
    between();
    return KERN_SUCCESS;
}

kern_return_t memory_object_data_error(mach_port_t control, vm_offset_t offset, vm_size_t length, kern_return_t error)
{
    (void)control, (void)offset, (void)length, (void)error;
    abort();                                   /* nothing fails here */
}

static void page_lock(unsigned int number, memory_object_return_t give_back, bool flush, vm_prot_t prot)
{
    struct page *page = &kernel_pages[number];
    if (!page->here)
        return;
    if (give_back != MEMORY_OBJECT_RETURN_NONE && page->dirty) {
        post((struct message){ .kind = RETURN, .page = number, .kept = !flush, .value = page->value });
        page->dirty = false;
    }
    if (flush)
        *page = (struct page){ 0 };
    else if (prot != VM_PROT_NO_CHANGE)
        page->locked = prot & VM_PROT_WRITE;
}

kern_return_t memory_object_lock_request(mach_port_t control, vm_offset_t offset, vm_size_t length,
                                         memory_object_return_t give_back, boolean_t flush, vm_prot_t prot,
                                         mach_port_t reply)
{
    if (control != CONTROL)
        abort();
    bool opens = !flush && prot == VM_PROT_NONE;
    if (opens)
        between();
    for (vm_offset_t at = offset; at < offset + length && at / vm_page_size < PAGES; at += vm_page_size)
        page_lock((unsigned int)(at / vm_page_size), give_back, flush, prot);
    if (reply != MACH_PORT_NULL)
        post((struct message){ .kind = COMPLETED });
    if (opens)
        between();
    return KERN_SUCCESS;
}

kern_return_t memory_object_ready(mach_port_t control, boolean_t may_cache, memory_object_copy_strategy_t strategy)
{
    (void)control, (void)may_cache, (void)strategy;
    return KERN_SUCCESS;
}

kern_return_t memory_object_change_attributes(mach_port_t control, boolean_t may_cache,
                                              memory_object_copy_strategy_t strategy, mach_port_t reply)
{
    (void)control, (void)may_cache, (void)strategy, (void)reply;
    return KERN_SUCCESS;
}

kern_return_t memory_object_destroy(mach_port_t control, kern_return_t reason)
{
    (void)control, (void)reason;
    return KERN_SUCCESS;
}

kern_return_t memory_object_create_proxy(mach_port_t task, vm_prot_t protection, const mach_port_t *objects,
                                         mach_msg_type_name_t kind, mach_msg_type_number_t nobjects,
                                         const rpc_vm_offset_t *offsets, mach_msg_type_number_t noffsets,
                                         const rpc_vm_offset_t *starts, mach_msg_type_number_t nstarts,
                                         const rpc_vm_size_t *lengths, mach_msg_type_number_t nlengths,
                                         mach_port_t *proxy)
{
    (void)task, (void)protection, (void)objects, (void)kind, (void)nobjects, (void)offsets, (void)noffsets,
        (void)starts, (void)nstarts;
    (void)lengths, (void)nlengths, (void)proxy;
    return KERN_FAILURE;
}

/* ---- the rest of the kernel ------------------------------------------------------------------------------------ */

vm_size_t vm_page_size = 4096;
mach_port_t __mach_task_self_ = 1;

kern_return_t mach_port_deallocate(mach_port_t task, mach_port_t name)
{
    (void)task, (void)name;
    return KERN_SUCCESS;
}

kern_return_t mach_port_destroy(mach_port_t task, mach_port_t name)
{
    return mach_port_deallocate(task, name);
}

kern_return_t mach_port_mod_refs(mach_port_t task, mach_port_t name, mach_port_right_t right, mach_port_delta_t delta)
{
    (void)right, (void)delta;
    return mach_port_deallocate(task, name);
}

kern_return_t mach_port_get_receive_status(mach_port_t task, mach_port_t name, mach_port_status_t *status)
{
    (void)status;
    (void)mach_port_deallocate(task, name);
    return KERN_FAILURE;
}

kern_return_t vm_statistics(mach_port_t task, vm_statistics_data_t *statistics)
{
    (void)task, (void)statistics;
    return KERN_FAILURE;
}

kern_return_t vm_deallocate(mach_port_t task, vm_address_t address, vm_size_t size)
{
    (void)task;
    return munmap((void *)address, size) ? KERN_INVALID_ADDRESS : KERN_SUCCESS;
}

kern_return_t vm_map(mach_port_t task, vm_address_t *address, vm_size_t size, vm_address_t mask, boolean_t anywhere,
                     mach_port_t object, vm_offset_t offset, boolean_t copy, vm_prot_t prot, vm_prot_t most,
                     vm_inherit_t inheritance)
{
    (void)task, (void)address, (void)size, (void)mask, (void)anywhere, (void)object, (void)offset, (void)copy,
        (void)prot, (void)most;
    (void)inheritance;
    return KERN_FAILURE;                       /* no windows here */
}

kern_return_t vm_wire(mach_port_t host, mach_port_t task, vm_address_t address, vm_size_t size, vm_prot_t prot)
{
    (void)host, (void)task, (void)address, (void)size, (void)prot;
    return KERN_FAILURE;
}

/* ---- lib/ports --------------------------------------------------------------------------------------------------- */

void ports_reads_guarded(mach_msg_id_t id) { (void)id; }
void ports_pageout_thread(void) { }
bool ports_kernel_is_ours(void) { return false; }
void ports_object_destroy_right(void *object) { (void)object; }
mach_port_t ports_object_send_right(void *object) { (void)object; return 3; }
enum ports_memory ports_memory_state(size_t bytes) { (void)bytes; return kernel_memory; }
bool ports_memory_wait(enum ports_memory wanted, unsigned int limit_ms) { (void)wanted, (void)limit_ms; return true; }

error_t ports_thread_create(size_t stack, void *(*main)(void *), void *arg)
{
    pthread_t thread;
    (void)stack;
    error_t err = pthread_create(&thread, NULL, main, arg);
    return err ? err : pthread_detach(thread);
}

error_t ports_bucket_create(struct ports_bucket **bucket)
{
    *bucket = NULL;
    return ENOMEM;
}

error_t ports_bucket_serve_detached(struct ports_bucket *bucket, const struct ports_serve_options *options)
{
    (void)bucket, (void)options;
    return ENOMEM;
}

error_t ports_copy_guarded(void *to, const void *from, size_t length)
{
    memcpy(to, from, length);
    return 0;
}

kern_return_t ports_row_allocate(mach_port_t host, size_t size, uint64_t limit, vm_address_t *address,
                                 uint64_t *physical)
{
    (void)host, (void)size, (void)limit, (void)address, (void)physical;
    return KERN_RESOURCE_SHORTAGE;
}

error_t ports_object_create(struct ports_class *class, struct ports_bucket *bucket, void *object)
{
    struct ports_object *o = calloc(1, class->ops->size);
    o->class = class;
    o->bucket = bucket;
    o->receive = 2;
    atomic_init(&o->refs, 1);
    *(void **)object = o;
    return 0;
}

void ports_object_end(struct ports_object *o)
{
    o->class->ops->destroy(o);
    free(o);
}

/* ---- the disk ------------------------------------------------------------------------------------------------- */

static error_t disk_fetch(void *hook, struct pager_fetch *f)
{
    (void)hook;
    if (f->end > PAGES * vm_page_size)
        f->end = PAGES * vm_page_size;
    f->buffer = mmap(NULL, f->end - f->start, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (uint64_t at = f->start; at < f->end; at += vm_page_size)
        memset((char *)f->buffer + (at - f->start), kernel_disk[at / vm_page_size], vm_page_size);
    return 0;
}

static error_t disk_write(void *hook, uint64_t offset, const void *data, size_t length)
{
    (void)hook;
    for (size_t at = 0; at < length; at += vm_page_size)
        kernel_disk[(offset + at) / vm_page_size] = *((const uint8_t *)data + at);
    return 0;
}

static error_t disk_unlock(void *hook, uint64_t offset, size_t length, bool own)
{
    (void)hook, (void)offset, (void)length, (void)own;
    return 0;
}

static void nothing(void *hook) { (void)hook; }
static const struct pager_ops ops = { disk_fetch, disk_write, disk_unlock, nothing, nothing };

/* ---- what the test asks for ------------------------------------------------------------------ */

struct pager *kernel_start(void)
{
    memset(kernel_pages, 0, sizeof kernel_pages);
    memset(kernel_disk, 0, sizeof kernel_disk);
    kernel_memory = MEMORY_ENOUGH;
    kernel_between = NULL;
    if (pager_create(&ops, NULL, &the_pager) || S_memory_object_init(the_pager, CONTROL, NAME, vm_page_size))
        abort();
    return the_pager;
}

void kernel_end(struct pager *pager)
{
    kernel_between = NULL;
    kernel_drain(pager);
    S_memory_object_terminate(pager, CONTROL, NAME);
    pager_destroy(pager);
}

bool kernel_step(struct pager *pager)
{
    struct message *m = queue;
    if (!m)
        return false;
    if (!(queue = m->next))
        queue_end = &queue;
    vm_offset_t offset = m->page * vm_page_size;
    if (m->kind == REQUEST) {
        S_memory_object_data_request(pager, CONTROL, offset, vm_page_size,
                                     m->write ? VM_PROT_READ | VM_PROT_WRITE : VM_PROT_READ);
    } else if (m->kind == UNLOCK) {
        S_memory_object_data_unlock(pager, CONTROL, offset, vm_page_size, VM_PROT_WRITE);
    } else if (m->kind == RETURN) {
        void *data = mmap(NULL, vm_page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(data, m->value, vm_page_size);
        S_memory_object_data_return(pager, CONTROL, offset, (vm_offset_t)data, (mach_msg_type_number_t)vm_page_size,
                                    true, m->kept);
    } else {
        S_memory_object_lock_completed(pager, CONTROL, 0, 0);
    }
    free(m);
    return true;
}

void kernel_drain(struct pager *pager)
{
    while (kernel_step(pager))
        continue;
}

static void page_want(struct pager *pager, unsigned int number, bool write)
{
    struct page *page = &kernel_pages[number];
    while (!page->here || (write && page->locked)) {
        post((struct message){ .kind = page->here ? UNLOCK : REQUEST, .page = number, .write = write });
        kernel_drain(pager);
    }
}

uint8_t kernel_read(struct pager *pager, unsigned int page)
{
    page_want(pager, page, false);
    return kernel_pages[page].value;
}

void kernel_write(struct pager *pager, unsigned int page, uint8_t value)
{
    page_want(pager, page, true);
    kernel_pages[page].value = value;
    kernel_pages[page].dirty = true;
}

void kernel_evict(unsigned int page)
{
    page_lock(page, MEMORY_OBJECT_RETURN_DIRTY, true, VM_PROT_NO_CHANGE);
}
