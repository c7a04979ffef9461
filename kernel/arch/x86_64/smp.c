/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processors beyond the first.

   Starting: one after the other, each by INIT and two STARTUP interrupts (Intel SDM volume 3, chapter 9.4); it begins
   in ap.S, copied to a page below 1 MiB, and finds its struct cpu in the mailbox there.  One that is given up takes
   nothing: its mailbox was emptied.

   Waiting for the kernel lock (kernel_lock_wait): at first with interrupts off, looking for requests itself; then
   halted, because a virtual processor that turns round and round takes the host's time from the one that has the lock.
   It says so (lock_halted, then LOCK_SLEEPER in the lock's word); who gives the lock back and finds the word not 0
   takes that back and sends VECTOR_FLUSH.  While it is halted, interrupts come in: those that need the lock are noted,
   without telling their controller that they are done with.

   Flushing: who changes page tables has the kernel lock and sends VECTOR_FLUSH to each processor that has them loaded,
   and waits until all have done it.  They do it without the lock: in user mode and idle by the interrupt, in the kernel
   (then waiting for the lock) by kernel_lock_wait.  One that waits for the lock cannot leave that wait: it is only told
   to load the tables again when it does, unless page tables are freed.  An idle processor uses no user memory: it is
   only told to load the tables again before it does (cpu->pmap NULL), and sent for if page tables are freed, because it
   might still walk them by itself.

   Locks: the kernel lock, for all but cpu->flush_wanted, lock_halted and online, which are atomic, cpu->lock_waiting,
   which its processor writes and others read with the lock held, and cpu->postponed, its own. */

#include "smp.h"

#include "../../task/task.h"
#include "../../vm/page.h"
#include "acpi.h"
#include "firmware.h"
#include "apic.h"
#include "machine.h"
#include "traps.h"

#define START_LIMIT_MS 5000       /* a busy emulator may take long */
/* looks at the lock before the processor is halted: as long as halting and waking take, or a little more */
#define LOCK_SPINS 100
#define LOCK_PATIENCE 4           /* how often it is woken and finds the lock taken again before it reserves it */
#define FLUSH_PAGES_MAX 32        /* more: all of the buffer */

enum { FLUSH_NOTHING, FLUSH_LATER, FLUSH_RANGE, FLUSH_RELOAD }; /* LATER: all of it, and nobody waits for it */

bool smp_stopping;

extern char ap_start[], ap_end[], ap_tables[], ap_mailbox[];
extern uint64_t boot_top[];

static uint64_t ap_top[512] __attribute__((aligned(4096)));  /* page tables for the first instructions */
static struct { uint64_t start, end; } flush;                /* what FLUSH_RANGE is about */

/* ---- waiting -------------------------------------------------------------------------- */

static void flush_serve(struct cpu *cpu)
{
    uint32_t wanted = __atomic_load_n(&cpu->flush_wanted, __ATOMIC_ACQUIRE);
    if (wanted == FLUSH_NOTHING)
        return;
    if (wanted == FLUSH_LATER) { /* taken back first: the next one may come at any moment */
        if (__atomic_compare_exchange_n(&cpu->flush_wanted, &wanted, FLUSH_NOTHING, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            write_cr3(cpu->loaded->root);
        return;
    }
    if (wanted == FLUSH_RELOAD)
        write_cr3(cpu->loaded->root);
    else
        for (uint64_t address = flush.start; address < flush.end; address += PAGE_SIZE)
            invlpg(address);
    __atomic_store_n(&cpu->flush_wanted, FLUSH_NOTHING, __ATOMIC_RELEASE);
}

static bool lock_try(uint32_t from, uint32_t to)
{
    return __atomic_compare_exchange_n(&kernel_lock.word, &from, to, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Takes the lock if it is free or reserved for this processor. */
static bool lock_take(uint32_t mine)
{
    uint32_t word = __atomic_load_n(&kernel_lock.word, __ATOMIC_RELAXED), reserved = word & ~(LOCK_RESERVED - 1);
    if ((word & LOCK_HELD) || (reserved && reserved != mine))
        return false;
    return lock_try(word, (word - reserved) | LOCK_HELD);
}

/* Looks at the lock for a while; true: it is taken. */
static bool lock_spin(struct cpu *cpu, uint32_t mine, bool reserve)
{
    for (unsigned int i = 0; i < LOCK_SPINS; i++) {
        if (lock_take(mine))
            return true;
        uint32_t word = __atomic_load_n(&kernel_lock.word, __ATOMIC_RELAXED);
        if (reserve && (word & LOCK_HELD) && word < LOCK_RESERVED)
            lock_try(word, word + mine);
        flush_serve(cpu);
        cpu_pause();
    }
    return false;
}

/* Halts until the lock was given back; not at all if it is free.  A reservation is given up: one that sleeps keeps
   nobody out. */
static void lock_halt(struct cpu *cpu, uint32_t mine)
{
    __atomic_store_n(&cpu->lock_halted, 1, __ATOMIC_SEQ_CST);
    uint32_t word, wanted;
    do {
        word = __atomic_load_n(&kernel_lock.word, __ATOMIC_SEQ_CST);
        wanted = word >= LOCK_RESERVED && (word & ~(LOCK_RESERVED - 1)) == mine ? word - mine : word;
        if (word & LOCK_HELD)
            wanted += LOCK_SLEEPER;
    } while (wanted != word && !lock_try(word, wanted));
    if (!(word & LOCK_HELD)) {
        if (!__atomic_exchange_n(&cpu->lock_halted, 0, __ATOMIC_SEQ_CST))
            /* it was woken in the place of one that sleeps on */
            __atomic_fetch_add(&kernel_lock.word, LOCK_SLEEPER, __ATOMIC_SEQ_CST);
        return;
    }
    while (__atomic_load_n(&cpu->lock_halted, __ATOMIC_ACQUIRE))
        cpu_wait();
}

void kernel_lock_wake(void)
{
    uint32_t word;
    do {
        word = __atomic_load_n(&kernel_lock.word, __ATOMIC_SEQ_CST);
        if ((word & LOCK_HELD) || (word & (LOCK_RESERVED - 1)) == 0)
            return; /* who has it now looks when it gives it back */
    } while (!lock_try(word, word - LOCK_SLEEPER));
    /* there is one: its mark is older than its count */
    for (struct cpu *cpu = &boot_cpu;; cpu = cpu->next ? cpu->next : &boot_cpu)
        if (__atomic_load_n(&cpu->lock_halted, __ATOMIC_RELAXED) &&
            __atomic_exchange_n(&cpu->lock_halted, 0, __ATOMIC_SEQ_CST)) {
            apic_send(cpu, VECTOR_FLUSH);
            return;
        }
}

bool kernel_lock_postpones(unsigned int vector)
{
    struct cpu *cpu = cpu_self();
    if (!cpu->lock_waiting)
        return false;
    cpu->postponed[vector / 64] |= 1ul << vector % 64;
    return true;
}

static void postponed_handle(struct cpu *cpu)
{
    for (unsigned int i = countof(cpu->postponed); i-- > 0;)
        while (cpu->postponed[i]) { /* the last that came has the highest vector, and is ended first */
            unsigned int bit = 63 - (unsigned int)__builtin_clzl(cpu->postponed[i]);
            cpu->postponed[i] &= ~(1ul << bit);
            trap_interrupt(64 * i + bit, false);
        }
}

void kernel_lock_wait(void)
{
    struct cpu *cpu = cpu_self();
    uint32_t mine = LOCK_RESERVED * (1 + cpu->number);
    __atomic_store_n(&cpu->lock_waiting, true, __ATOMIC_SEQ_CST);
    for (unsigned int woken = 0; !lock_spin(cpu, mine, woken >= LOCK_PATIENCE); woken++)
        lock_halt(cpu, mine);
    cpu->lock_waiting = false;
    flush_serve(cpu);
    postponed_handle(cpu);
}

void kernel_lock_interrupted(void)
{
    struct cpu *cpu = cpu_self();
    if (!cpu->unlocked)
        return;
    kernel_lock_acquire();
    cpu->unlocked = false;
}

void kernel_wait(void)
{
    struct cpu *cpu = cpu_self();
    cpu->unlocked = true;
    kernel_lock_release();
    while (cpu->unlocked)
        cpu_wait();
}

void kernel_pause(void)
{
    struct cpu *cpu = cpu_self();
    cpu->unlocked = true;
    kernel_lock_release();
    __asm__ volatile("sti; nop; cli" : : : "memory");
    kernel_lock_interrupted();
}

void smp_flush_interrupt(void)
{
    flush_serve(cpu_self());
    apic_eoi();
}

/* ---- asking others -------------------------------------------------------------------- */

static void flush_ask(struct cpu *cpu, uint32_t wanted)
{
    __atomic_store_n(&cpu->flush_wanted, wanted, __ATOMIC_SEQ_CST);
    apic_send(cpu, VECTOR_FLUSH);
}

static void flush_await(void)
{
    for_each_cpu(cpu)
        while (__atomic_load_n(&cpu->flush_wanted, __ATOMIC_ACQUIRE) > FLUSH_LATER)
            cpu_pause();
}

void smp_flush(struct pmap *pmap, uint64_t start, uint64_t end, bool tables)
{
    struct cpu *self = cpu_self();
    bool asked = false;
    flush.start = start;
    flush.end = end;
    for_each_cpu(cpu) {
        if (cpu == self || cpu->loaded != pmap)
            continue;
        if (cpu->idling && !tables) {
            cpu->pmap = NULL;
            continue;
        }
        if (cpu->lock_waiting && !tables) {
            __atomic_store_n(&cpu->flush_wanted, FLUSH_LATER, __ATOMIC_SEQ_CST);
            continue;
        }
        if (cpu->idling)
            cpu->pmap = cpu->loaded = pmap_kernel();
        /* One that waits for the lock may have FLUSH_LATER still to do: all of it, then. */
        bool all = cpu->idling || cpu->lock_waiting || (end - start) / PAGE_SIZE > FLUSH_PAGES_MAX;
        flush_ask(cpu, all ? FLUSH_RELOAD : FLUSH_RANGE);
        asked = true;
    }
    if (asked)
        flush_await();
}

void smp_flush_kernel(void)
{
    struct cpu *self = cpu_self();
    write_cr3(self->loaded->root);
    for_each_cpu(cpu)
        if (cpu != self)
            flush_ask(cpu, FLUSH_RELOAD);
    if (cpu_count > 1)
        flush_await();
}

void smp_pmap_leave(struct pmap *pmap)
{
    struct cpu *self = cpu_self();
    if (self->loaded == pmap)
        pmap_activate(NULL);
    for_each_cpu(cpu) {
        if (cpu->loaded != pmap)
            continue;
        cpu->pmap = cpu->loaded = pmap_kernel();
        flush_ask(cpu, FLUSH_RELOAD);
    }
    if (cpu_count > 1)
        flush_await();
}

void smp_wake(const struct cpu *cpu)
{
    apic_send(cpu, VECTOR_WAKE);
}

void smp_stop_others(void)
{
    if (cpu_count == 1)
        return;
    smp_stopping = true;
    apic_send_nmi_others();
}

/* ---- starting ---------------------------------------------------------------------------- */

/* The first C of a processor that was started, on its idle thread's stack. */
_Noreturn void cpu_start_here(struct cpu *cpu)
{
    cpu_init(cpu);
    write_cr3(pmap_kernel()->root);
    apic_start_here();
    __atomic_store_n(&cpu->online, true, __ATOMIC_RELEASE);
    kernel_lock_acquire();
    sched_start();
}

static struct cpu *cpu_create(uint32_t apic_id)
{
    struct cpu *cpu = kalloc(sizeof *cpu);
    if (cpu == NULL)
        return NULL;
    *cpu = (struct cpu){.number = cpu_count, .apic_id = apic_id, .pmap = pmap_kernel(), .loaded = pmap_kernel()};
    if (!thread_make_idle(cpu)) {
        kfree(cpu, sizeof *cpu);
        return NULL;
    }
    return cpu;
}

/* What of the page at PAGE lies where SYMBOL does in ap.S. */
static void *ap_place(char *page, const char *symbol)
{
    return page + (symbol - ap_start);
}

struct start {
    char *page;     /* where ap.S was copied */
    bool late;      /* one was given up and may still come: the page stays */
    bool full;      /* no memory for more */
};

static void processor_start(uint32_t apic_id, void *cookie)
{
    struct start *start = cookie;
    if (start->full)
        return;
    for_each_cpu(cpu)
        if (cpu->apic_id == apic_id)
            return; /* the boot processor, or listed twice */
    if (apic_id > apic_id_max()) {
        kprintf("cpu%u: its number, %u, is too large for the local interrupt controller's old mode: not used\n",
                cpu_count, apic_id);
        return;
    }
    struct cpu *cpu = cpu_create(apic_id);
    if (cpu == NULL) {
        kprintf("cpu%u: no memory for it and those behind it: not used\n", cpu_count);
        start->full = true;
        return;
    }
    struct cpu **mailbox = ap_place(start->page, ap_mailbox);
    __atomic_store_n(mailbox, cpu, __ATOMIC_SEQ_CST);
    apic_send_start(apic_id, virt_to_phys(start->page));
    for (unsigned int i = 0; i < START_LIMIT_MS && !__atomic_load_n(&cpu->online, __ATOMIC_ACQUIRE); i++)
        machine_delay(1000);
    if (__atomic_exchange_n(mailbox, NULL, __ATOMIC_SEQ_CST) == cpu) {
        kprintf("cpu%u: the processor with number %u does not start: not used\n", cpu_count, apic_id);
        start->late = true; /* its structure stays, too: a few pages */
        return;
    }
    while (!__atomic_load_n(&cpu->online, __ATOMIC_ACQUIRE)) /* it has begun and cannot stop now */
        cpu_pause();
    struct cpu *last = &boot_cpu;
    while (last->next)
        last = last->next;
    last->next = cpu;
    cpu_count++;
}

void smp_start(void)
{
    const struct acpi_header *madt = apic_present ? firmware_table("APIC") : NULL;
    struct page *page = madt ? page_alloc(0, 1ul << 20) : NULL;
    if (madt == NULL)
        return; /* an old machine, with one processor */
    if (page == NULL) {
        kprintf("cpu1: no memory below 1 MiB to start other processors: not used\n");
        return;
    }
    struct start start = {.page = page_address(page)};
    memcpy(start.page, ap_start, (size_t)(ap_end - ap_start));
    memcpy(ap_top, boot_top, sizeof ap_top);
    ap_top[0] = boot_top[DIRECT_MAP_SLOT];
    *(uint64_t *)ap_place(start.page, ap_tables) = (uint64_t)ap_top - IMAGE_BASE;
    apic_timer_measure();
    if (!acpi_processors_visit(madt, processor_start, &start))
        kprintf("acpi: the table of processors is damaged: those behind the damage are not used\n");
    if (!start.late)
        page_free(page, 0);
    if (cpu_count > 1)
        kprintf("%u processors\n", cpu_count);
}
