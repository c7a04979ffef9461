/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processors beyond the first.

   Starting: one after the other, each by INIT and two STARTUP interrupts (Intel SDM volume 3, chapter 9.4); it begins in ap.S, copied to
   a page below 1 MiB, and finds its struct cpu in the mailbox there.  One that is given up takes nothing: its mailbox was emptied.

   Waiting for the kernel lock: with interrupts off, so whoever waits looks for requests itself.

   Flushing: who changes page tables has the kernel lock and sends VECTOR_FLUSH to each processor that has them loaded, and waits until
   all have done it.  They do it without the lock: in user mode and idle by the interrupt, in the kernel (then waiting for
   the lock) by kernel_lock_wait.  An idle processor uses no user memory: it is only told to load the tables again before it does
   (cpu->pmap NULL), and sent for if page tables are freed, because it might still walk them by itself.

   Locks: the kernel lock, for all but cpu->flush_wanted and cpu->online, which are atomic. */

#include "smp.h"

#include "../../task/task.h"
#include "../../vm/page.h"
#include "acpi.h"
#include "firmware.h"
#include "apic.h"
#include "machine.h"

#define START_LIMIT_MS 5000       /* a busy emulator may take long */
#define LOCK_PATIENCE 64          /* how often the lock may pass by before one who waits reserves it */
#define FLUSH_PAGES_MAX 32        /* more: all of the buffer */
#define APIC_ID_MAX 254

enum { FLUSH_NOTHING, FLUSH_RANGE, FLUSH_RELOAD };

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

void kernel_lock_wait(void)
{
    struct cpu *cpu = cpu_self();
    uint32_t reserved = 2 * (1 + cpu->number), turns = kernel_lock.turns;
    for (unsigned int passed = 0;;) {
        uint32_t word = __atomic_load_n(&kernel_lock.word, __ATOMIC_RELAXED), now = __atomic_load_n(&kernel_lock.turns, __ATOMIC_RELAXED);
        if ((word == 0 || word == reserved) && lock_try(word, 1))
            return;
        if (now != turns) {
            turns = now;
            passed++;
        }
        if (passed >= LOCK_PATIENCE && word == 1)
            lock_try(1, 1 | reserved);
        flush_serve(cpu);
        cpu_pause();
    }
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
        while (__atomic_load_n(&cpu->flush_wanted, __ATOMIC_ACQUIRE) != FLUSH_NOTHING)
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
        if (cpu->idling)
            cpu->pmap = cpu->loaded = pmap_kernel();
        flush_ask(cpu, cpu->idling || (end - start) / PAGE_SIZE > FLUSH_PAGES_MAX ? FLUSH_RELOAD : FLUSH_RANGE);
        asked = true;
    }
    if (asked)
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
    if (apic_id == boot_cpu.apic_id || start->full)
        return;
    if (apic_id > APIC_ID_MAX) {
        kprintf("cpu%u: its number, %u, is too large for the local interrupt controller's old mode: not used\n", cpu_count, apic_id);
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
