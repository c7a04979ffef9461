/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading and writing a thread's registers: general ones, segment bases, floating point and vectors. */

#include "thread_state.h"

#include "../device/interrupt.h"
#include "../mig/mig_types.h"
#include "mach_i386_S.h"
#include "task.h"

#include <mach/machine/fp_reg.h>

#define FLAVOR_LIST 0 /* which flavors there are (THREAD_STATE_FLAVOR_LIST) */
#define RFLAGS_USER 0x240dd5u  /* CF PF AF ZF SF TF DF OF NT AC ID: what a user may set */
#define RFLAGS_ALWAYS 0x202u   /* IF and the bit that is always 1 */
#define XSAVE_LEGACY 512
#define XSAVE_HEADER 64
#define MXCSR_MASK 0xffffu

static kern_return_t general_get(struct thread *thread, struct i386_thread_state *state)
{
    const struct trap_frame *f = thread_frame(thread);
    *state = (struct i386_thread_state){.r8 = f->r8,
                                        .r9 = f->r9,
                                        .r10 = f->r10,
                                        .r11 = f->r11,
                                        .r12 = f->r12,
                                        .r13 = f->r13,
                                        .r14 = f->r14,
                                        .r15 = f->r15,
                                        .rdi = f->rdi,
                                        .rsi = f->rsi,
                                        .rbp = f->rbp,
                                        .rbx = f->rbx,
                                        .rdx = f->rdx,
                                        .rcx = f->rcx,
                                        .rax = f->rax,
                                        .rip = f->rip,
                                        .cs = (unsigned int)f->cs,
                                        .rfl = f->rflags,
                                        .ursp = f->rsp,
                                        .ss = (unsigned int)f->ss};
    if (f->vector == VECTOR_SYSCALL) { /* where the instruction has put them; the frame does not have them twice */
        state->rcx = f->rip;
        state->r11 = f->rflags;
    }
    return KERN_SUCCESS;
}

static kern_return_t general_set(struct thread *thread, const struct i386_thread_state *s)
{
    if (s->rip >= 0x800000000000 && s->rip < 0xffff800000000000)
        return KERN_INVALID_ARGUMENT; /* not canonical: the processor cannot go there, not even to fault */
    struct trap_frame *f = thread_frame(thread);
    *f = (struct trap_frame){.r8 = s->r8,
                             .r9 = s->r9,
                             .r10 = s->r10,
                             .r11 = s->r11,
                             .r12 = s->r12,
                             .r13 = s->r13,
                             .r14 = s->r14,
                             .r15 = s->r15,
                             .rdi = s->rdi,
                             .rsi = s->rsi,
                             .rbp = s->rbp,
                             .rbx = s->rbx,
                             .rdx = s->rdx,
                             .rcx = s->rcx,
                             .rax = s->rax,
                             .rip = s->rip,
                             .cs = SELECTOR_USER_CODE,
                             .rflags = (s->rfl & RFLAGS_USER) | RFLAGS_ALWAYS,
                             .rsp = s->ursp,
                             .ss = SELECTOR_USER_DATA,
                             .vector = 0}; /* back by iretq, which restores every register */
    thread->attention = true; /* the way out of a system call must look at the frame again */
    return KERN_SUCCESS;
}

static bool canonical_user(uint64_t address)
{
    return address < 0x800000000000;
}

/* i386_REGS_SEGS_STATE: the segments count, and only the user's own are known. */
static bool segments_valid(const struct i386_thread_state *state)
{
    return state->cs == SELECTOR_USER_CODE && state->ss == SELECTOR_USER_DATA;
}

static kern_return_t bases_set(struct thread *thread, const struct i386_fsgs_base_state *bases)
{
    if (!canonical_user(bases->fs_base) || !canonical_user(bases->gs_base))
        return KERN_INVALID_ARGUMENT;
    thread->fs_base = bases->fs_base;
    thread->gs_base = bases->gs_base;
    thread->attention = thread->attention || bases->gs_base;
    sched_user_bases_load(thread);
    return KERN_SUCCESS;
}

/* ---- floating point ---------------------------------------------------------------------------- */

/* Has THREAD never had other registers than the initial ones? */
static bool float_initial(struct thread *thread)
{
    uint64_t features;
    sched_float_save(thread);
    memcpy(&features, (char *)thread->float_area + XSAVE_LEGACY, sizeof features);
    return features == 0;
}

/* The eight x87 registers and their environment in the old format, from the new one (Intel SDM volume 1, chapters
   8.1.10 and 10.5). */
static void old_float_get(struct thread *thread, struct i386_float_state *state)
{
    memset(state, 0, sizeof *state);
    if (float_initial(thread))
        return;
    const unsigned char *area = thread->float_area;
    struct i386_fp_save *save = (struct i386_fp_save *)state->hw_state;
    unsigned char *regs = state->hw_state + sizeof *save;
    state->fpkind = FP_387X;
    state->initialized = 1;
    uint16_t control, status;
    memcpy(&control, area, 2);
    memcpy(&status, area + 2, 2);
    uint32_t words[3] = {0xffff0000u | control, 0xffff0000u | status, 0xffff0000u};
    uint16_t tags = 0;
    for (unsigned int i = 0; i < 8; i++)
        tags |= (uint16_t)((area[4] & 1u << i ? 0u : 3u) << (2 * i));
    words[2] |= tags;
    memcpy(save, words, sizeof words);
    for (unsigned int i = 0; i < 8; i++)
        memcpy(regs + 10 * i, area + 32 + 16 * i, 10);
}

static void old_float_set(struct thread *thread, const struct i386_float_state *state)
{
    if (!state->initialized) {
        cpu_float_init(thread->float_area);
        return;
    }
    unsigned char *area = thread->float_area;
    const unsigned char *regs = state->hw_state + sizeof(struct i386_fp_save);
    uint32_t words[3];
    memcpy(words, state->hw_state, sizeof words);
    memcpy(area, &words[0], 2);
    memcpy(area + 2, &words[1], 2);
    area[4] = 0;
    for (unsigned int i = 0; i < 8; i++)
        if ((words[2] >> (2 * i) & 3) != 3)
            area[4] |= (unsigned char)(1u << i);
    for (unsigned int i = 0; i < 8; i++)
        memcpy(area + 32 + 16 * i, regs + 10 * i, 10);
    area[XSAVE_LEGACY] |= 1; /* XSTATE_BV: x87 is there */
}

/* in i386_xfloat_state.fp_save_kind: of several layouts, the processor's XSAVE; GNU Mach's number */
#define SAVE_KIND 3

static kern_return_t xfloat_set(struct thread *thread, const struct i386_xfloat_state *state)
{
    if (state->initialized && state->fp_save_kind != SAVE_KIND)
        return KERN_INVALID_ARGUMENT;
    cpu_float_init(thread->float_area);
    if (!state->initialized)
        return KERN_SUCCESS;
    memcpy(thread->float_area, state->hw_state, cpu_float_size);
    /* Only what xrstor accepts: defined MXCSR bits, features that are on, a clear header. */
    unsigned char *area = thread->float_area;
    uint32_t mxcsr;
    memcpy(&mxcsr, area + 24, 4);
    mxcsr &= MXCSR_MASK;
    memcpy(area + 24, &mxcsr, 4);
    uint64_t features;
    memcpy(&features, area + XSAVE_LEGACY, 8);
    features &= cpu_float_features;
    memset(area + XSAVE_LEGACY, 0, XSAVE_HEADER);
    memcpy(area + XSAVE_LEGACY, &features, 8);
    return KERN_SUCCESS;
}

static size_t xfloat_words(void)
{
    return (sizeof(struct i386_xfloat_state) + cpu_float_size) / sizeof(unsigned int);
}

kern_return_t rpc_i386_get_xstate_size(host_t host, vm_size_t *size)
{
    *size = sizeof(struct i386_xfloat_state) + cpu_float_size;
    return host ? KERN_SUCCESS : KERN_INVALID_ARGUMENT;
}

static void xfloat_get(struct thread *thread, struct i386_xfloat_state *state)
{
    memset(state, 0, sizeof *state + cpu_float_size);
    if (float_initial(thread))
        return;
    *state = (struct i386_xfloat_state){.fpkind = FP_387X, .initialized = 1, .fp_save_kind = SAVE_KIND};
    memcpy(state->hw_state, thread->float_area, cpu_float_size);
}

/* ---- breakpoints in hardware ---------------------------------------------------------------------

   Four addresses, what was hit, and what to watch (Intel SDM volume 3, chapter 19.2).  The flavor's words have 32 bits,
   so no address is the kernel's. */

static void debug_get(const struct thread *thread, struct i386_debug_state *state)
{
    *state = (struct i386_debug_state){{0}};
    for (unsigned int i = 0; i < 4; i++)
        state->dr[i] = (unsigned int)thread->debug.address[i];
    state->dr[6] = (unsigned int)thread->debug.status;
    state->dr[7] = (unsigned int)thread->debug.control;
}

static void debug_set(struct thread *thread, const struct i386_debug_state *state)
{
    for (unsigned int i = 0; i < 4; i++)
        thread->debug.address[i] = state->dr[i];
    thread->debug.status = 0;
    thread->debug.control = state->dr[7] & DEBUG_CONTROL_USER;
    thread->attention = true;
    sched_debug_changed(thread);
}

/* ---- by flavor ------------------------------------------------------------------------------------ */

static kern_return_t room(mach_msg_type_number_t *count, size_t words)
{
    if (*count < words)
        return KERN_INVALID_ARGUMENT;
    *count = (mach_msg_type_number_t)words;
    return KERN_SUCCESS;
}

kern_return_t thread_state_get(struct thread *thread, int flavor, thread_state_t state, mach_msg_type_number_t *count)
{
    kern_return_t kr;
    switch (flavor) {
    case FLAVOR_LIST:
        kr = room(count, 3);
        if (kr == KERN_SUCCESS)
            memcpy(state, (const natural_t[]){i386_THREAD_STATE, i386_FLOAT_STATE, i386_ISA_PORT_MAP_STATE},
                   3 * sizeof *state);
        return kr;
    case i386_ISA_PORT_MAP_STATE:
        kr = room(count, i386_ISA_PORT_MAP_STATE_COUNT);
        if (kr == KERN_SUCCESS)
            io_bitmap_read(thread->task, state, sizeof(struct i386_isa_port_map_state));
        return kr;
    case i386_DEBUG_STATE:
        kr = room(count, i386_DEBUG_STATE_COUNT);
        if (kr == KERN_SUCCESS)
            debug_get(thread, (struct i386_debug_state *)state);
        return kr;
    case i386_THREAD_STATE:
    case i386_REGS_SEGS_STATE:
        kr = room(count, i386_THREAD_STATE_COUNT);
        return kr ? kr : general_get(thread, (struct i386_thread_state *)state);
    case i386_FSGS_BASE_STATE:
        kr = room(count, i386_FSGS_BASE_STATE_COUNT);
        if (kr == KERN_SUCCESS)
            *(struct i386_fsgs_base_state *)state = (struct i386_fsgs_base_state){thread->fs_base, thread->gs_base};
        return kr;
    case i386_FLOAT_STATE:
        kr = room(count, i386_FLOAT_STATE_COUNT);
        if (kr == KERN_SUCCESS)
            old_float_get(thread, (struct i386_float_state *)state);
        return kr;
    case i386_XFLOAT_STATE:
        kr = room(count, xfloat_words());
        if (kr == KERN_SUCCESS)
            xfloat_get(thread, (struct i386_xfloat_state *)state);
        return kr;
    default:
        return KERN_INVALID_ARGUMENT;
    }
}

kern_return_t thread_state_set(struct thread *thread, int flavor, const thread_state_t state,
                               mach_msg_type_number_t count)
{
    switch (flavor) {
    case i386_DEBUG_STATE:
        if (count < i386_DEBUG_STATE_COUNT)
            return KERN_INVALID_ARGUMENT;
        debug_set(thread, (const struct i386_debug_state *)state);
        return KERN_SUCCESS;
    case i386_REGS_SEGS_STATE:
        if (count < i386_THREAD_STATE_COUNT || !segments_valid((const struct i386_thread_state *)state))
            return KERN_INVALID_ARGUMENT;
        return general_set(thread, (const struct i386_thread_state *)state);
    case i386_THREAD_STATE:
        return count < i386_THREAD_STATE_COUNT ? KERN_INVALID_ARGUMENT
                                               : general_set(thread, (const struct i386_thread_state *)state);
    case i386_FSGS_BASE_STATE:
        return count < i386_FSGS_BASE_STATE_COUNT ? KERN_INVALID_ARGUMENT
                                                  : bases_set(thread, (const struct i386_fsgs_base_state *)state);
    case i386_FLOAT_STATE:
        if (count < i386_FLOAT_STATE_COUNT)
            return KERN_INVALID_ARGUMENT;
        old_float_set(thread, (const struct i386_float_state *)state);
        return KERN_SUCCESS;
    case i386_XFLOAT_STATE:
        return count < xfloat_words() ? KERN_INVALID_ARGUMENT
                                      : xfloat_set(thread, (const struct i386_xfloat_state *)state);
    default:
        return KERN_INVALID_ARGUMENT;
    }
}

#define STATE_WORDS_MAX 1024 /* thread_state_t, mach_types.defs */

/* thread_set_self_state: flavors that do not replace the trap's own frame. */
kern_return_t trap_thread_set_self_state(int flavor, uint64_t user, mach_msg_type_number_t count)
{
    struct i386_fsgs_base_state bases;
    if (flavor != i386_FSGS_BASE_STATE || count < i386_FSGS_BASE_STATE_COUNT || count > STATE_WORDS_MAX
        || !copy_from_user(&bases, user, sizeof bases))
        return KERN_INVALID_ARGUMENT;
    return bases_set(current_thread(), &bases);
}
