/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Segment descriptors of a thread's own: segments.h; Intel SDM volume 3, chapter 3.4 and 3.5.

   A 64-bit program needs none: it has segment bases.  Those that it may have are of data; code segments would lead to
   modes in which system calls come in by other ways, so they are refused.

   A thread that has descriptors has `attention`, and its fs and gs selectors are kept while others run.  Before one of
   them is changed the thread is stopped, and its stack segment, which is loaded on the way back to it, is the one that
   everybody has.  Lock: the kernel lock. */

#include "segments.h"

#include "../../ipc/ipc.h"
#include "../../mig/mig_types.h"
#include "../../task/task.h"
#include "mach_i386_S.h"

#define LOCAL_MAX 8192 /* descriptors of a local table: what a selector can name */
#define SELECTOR_INDEX(selector) ((unsigned int)(selector) >> 3)
#define SELECTOR_TABLE 4u /* the local one */
#define SELECTOR_USER 3u

/* Of the second word. */
#define TYPE_ACCESSED (1u << 8)
#define TYPE_CODE (1u << 11)
#define TYPE_SEGMENT (1u << 12) /* of code or data */
#define LEVEL_USER (3u << 13)
#define PRESENT (1u << 15)

struct segments {
    uint64_t global[USER_SEGMENTS];
    uint64_t *local;        /* local_count of them; NULL: none */
    size_t local_count;
    uint16_t fs, gs;        /* selectors, while the thread does not run */
};

static uint64_t descriptor_raw(descriptor_t descriptor)
{
    return descriptor.low_word | (uint64_t)descriptor.high_word << 32;
}

static descriptor_t descriptor_of(uint64_t raw)
{
    return (descriptor_t){.low_word = (unsigned int)raw, .high_word = (unsigned int)(raw >> 32)};
}

/* A data segment of the user's, or nothing. */
static bool descriptor_good(descriptor_t descriptor)
{
    const unsigned int wanted = PRESENT | LEVEL_USER | TYPE_SEGMENT;
    if (descriptor.low_word == 0 && descriptor.high_word == 0)
        return true;
    return (descriptor.high_word & (wanted | TYPE_CODE)) == wanted;
}

/* ---- the processor's tables ---------------------------------------------------------------------- */

static void local_load(struct cpu *cpu, const struct segments *segments)
{
    uint16_t selector = 0;
    if (segments && segments->local) {
        uint64_t base = (uint64_t)segments->local, limit = segments->local_count * sizeof(uint64_t) - 1;
        cpu->gdt[GDT_LOCAL] = (limit & 0xffff) | (base & 0xffffff) << 16 | 0x82ull << 40 | (limit >> 16) << 48 |
                              (base >> 24 & 0xff) << 56;
        cpu->gdt[GDT_LOCAL + 1] = base >> 32;
        selector = GDT_LOCAL << 3;
    }
    __asm__ volatile("lldt %0" : : "r"(selector));
}

static void tables_load(struct cpu *cpu, const struct segments *segments)
{
    for (unsigned int i = 0; i < USER_SEGMENTS; i++)
        cpu->gdt[GDT_USER + i] = segments ? segments->global[i] : 0;
    local_load(cpu, segments);
    cpu->segments_loaded = segments != NULL;
}

/* May the selector be loaded while the tables are those of SEGMENTS? */
static bool selector_good(const struct segments *segments, uint16_t selector)
{
    unsigned int index = SELECTOR_INDEX(selector);
    if ((selector & SELECTOR_USER) != SELECTOR_USER)
        return selector < 4;
    if (selector & SELECTOR_TABLE)
        return index < segments->local_count && segments->local[index];
    return selector == SELECTOR_USER_DATA || (index - GDT_USER < USER_SEGMENTS && segments->global[index - GDT_USER]);
}

void segments_leave(struct thread *thread)
{
    struct segments *segments = thread->segments;
    __asm__ volatile("movw %%fs, %0; movw %%gs, %1" : "=r"(segments->fs), "=r"(segments->gs));
    thread->fs_base = rdmsr(MSR_FS_BASE);
    thread->gs_base = rdmsr(MSR_KERNEL_GS_BASE);
}

void segments_enter(struct cpu *cpu, struct thread *next)
{
    const struct segments *segments = next->segments;
    uint16_t fs = segments && selector_good(segments, segments->fs) ? segments->fs : 0;
    uint16_t gs = segments && selector_good(segments, segments->gs) ? segments->gs : 0;
    tables_load(cpu, segments);
    __asm__ volatile("movw %0, %%fs; swapgs; movw %1, %%gs; swapgs" : : "r"(fs), "r"(gs) : "memory");
    /* Loading a selector has loaded the descriptor's base, too. */
    wrmsr(MSR_FS_BASE, next->fs_base);
    wrmsr(MSR_KERNEL_GS_BASE, next->gs_base);
}

void segments_drop(struct thread *thread)
{
    struct segments *segments = thread->segments;
    if (segments == NULL)
        return;
    thread->segments = NULL; /* a processor that has them loaded forgets them before the next user thread runs there */
    kfree(segments->local, segments->local_count * sizeof *segments->local);
    kfree(segments, sizeof *segments);
}

/* ---- what is asked of a thread ------------------------------------------------------------------------ */

/* THREAD, which runs on no other processor, gets descriptors; false: no memory. */
static bool segments_make(struct thread *thread)
{
    if (thread->segments == NULL) {
        struct segments *segments = kalloc(sizeof *segments);
        if (segments == NULL)
            return false;
        *segments = (struct segments){0};
        thread->segments = segments;
    }
    thread->attention = true;
    return true;
}

/* THREAD's descriptors have changed. */
static void segments_changed(struct thread *thread)
{
    thread_frame(thread)->ss = SELECTOR_USER_DATA;
    if (thread != current_thread())
        return; /* they are loaded when it runs */
    segments_leave(thread);
    segments_enter(cpu_self(), thread);
}

/* The place of a selector in the global table: USER_SEGMENTS if it is none. */
static unsigned int global_place(int selector)
{
    unsigned int place = SELECTOR_INDEX(selector) - GDT_USER;
    return (selector & ~0xffff) || (selector & SELECTOR_TABLE) || place >= USER_SEGMENTS ? USER_SEGMENTS : place;
}

static kern_return_t global_set(struct thread *thread, int *selector, descriptor_t descriptor)
{
    unsigned int place = 0;
    if (!segments_make(thread))
        return KERN_RESOURCE_SHORTAGE;
    if (*selector == -1) {
        while (place < USER_SEGMENTS && thread->segments->global[place])
            place++;
        if (place == USER_SEGMENTS)
            return KERN_NO_SPACE;
    } else {
        place = global_place(*selector);
    }
    uint64_t raw = descriptor_raw(descriptor);
    thread->segments->global[place] = raw ? raw | (uint64_t)TYPE_ACCESSED << 32 : 0;
    *selector = (int)((GDT_USER + place) << 3 | SELECTOR_USER);
    segments_changed(thread);
    return KERN_SUCCESS;
}

kern_return_t rpc_i386_set_gdt(thread_t thread, int *selector, descriptor_t descriptor)
{
    if (thread == NULL || !thread->active || !descriptor_good(descriptor) ||
        (*selector != -1 && global_place(*selector) == USER_SEGMENTS))
        return KERN_INVALID_ARGUMENT;
    bool caught = thread_catch(thread);
    kern_return_t kr = global_set(thread, selector, descriptor);
    thread_uncatch(thread, caught);
    return kr;
}

kern_return_t rpc_i386_get_gdt(thread_t thread, int selector, descriptor_t *descriptor)
{
    unsigned int place = global_place(selector);
    if (thread == NULL || place == USER_SEGMENTS)
        return KERN_INVALID_ARGUMENT;
    *descriptor = descriptor_of(thread->segments ? thread->segments->global[place] : 0);
    return KERN_SUCCESS;
}

/* The local table has at least COUNT descriptors; false: no memory. */
static bool local_grow(struct thread *thread, size_t count)
{
    struct segments *segments = thread->segments;
    if (count <= segments->local_count)
        return true;
    uint64_t *local = kalloc(count * sizeof *local), *old = segments->local;
    size_t old_count = segments->local_count;
    if (local == NULL)
        return false;
    memset(local, 0, count * sizeof *local);
    if (old)
        memcpy(local, old, old_count * sizeof *old);
    segments->local = local;
    segments->local_count = count;
    segments_changed(thread); /* before the old one goes */
    kfree(old, old_count * sizeof *old);
    return true;
}

static kern_return_t local_set(struct thread *thread, unsigned int first, const descriptor_t *list, size_t count)
{
    if (!segments_make(thread) || !local_grow(thread, first + count))
        return KERN_RESOURCE_SHORTAGE;
    for (size_t i = 0; i < count; i++) {
        uint64_t raw = descriptor_raw(list[i]);
        thread->segments->local[first + i] = raw ? raw | (uint64_t)TYPE_ACCESSED << 32 : 0;
    }
    segments_changed(thread);
    return KERN_SUCCESS;
}

/* Sets those from the one that SELECTOR names on.  They come in the message: MIG's stub does not look whether a message
   with out-of-line memory says that it has any, so IS_INLINE false is refused, and LIST not touched. */
kern_return_t rpc_i386_set_ldt(thread_t thread, int selector, const_descriptor_list_t list,
                               mach_msg_type_number_t count, boolean_t is_inline)
{
    unsigned int first = SELECTOR_INDEX(selector);
    if (thread == NULL || !thread->active || selector < 0 || count > LOCAL_MAX || first + count > LOCAL_MAX ||
        !is_inline)
        return KERN_INVALID_ARGUMENT;
    for (mach_msg_type_number_t i = 0; i < count; i++)
        if (!descriptor_good(list[i]))
            return KERN_INVALID_ARGUMENT;
    if (count == 0)
        return KERN_SUCCESS;
    bool caught = thread_catch(thread);
    kern_return_t kr = local_set(thread, first, list, count);
    thread_uncatch(thread, caught);
    return kr;
}

/* NUMBER of them, as far as the table goes. */
kern_return_t rpc_i386_get_ldt(thread_t thread, int selector, int number, descriptor_list_t *list,
                               mach_msg_type_number_t *count)
{
    unsigned int first = SELECTOR_INDEX(selector);
    if (thread == NULL || selector < 0 || number < 0 || first >= LOCAL_MAX || (unsigned int)number > LOCAL_MAX - first)
        return KERN_INVALID_ARGUMENT;
    const struct segments *segments = thread->segments;
    size_t there = segments && first < segments->local_count ? min((size_t)number, segments->local_count - first) : 0;
    descriptor_t *answer = kalloc(max(there, 1ul) * sizeof *answer);
    if (answer == NULL)
        return KERN_RESOURCE_SHORTAGE;
    for (size_t i = 0; i < there; i++)
        answer[i] = descriptor_of(segments->local[first + i]);
    kern_return_t kr = mig_array_give((void **)list, count, answer, there, sizeof *answer);
    kfree(answer, max(there, 1ul) * sizeof *answer);
    return kr;
}
