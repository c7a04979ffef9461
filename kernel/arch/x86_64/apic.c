/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The local APIC (Intel SDM volume 3, chapter 11): in x2APIC mode, by model-specific registers, where the processor has
   it; otherwise by its page of registers, which is written through the direct map (firmware's memory type registers say
   that it is not cached).

   The lines of the old interrupt controllers come to the boot processor by its LINT0. */

#include "apic.h"

#include "../base/base.h"
#include "../task/sched.h"
#include "cpu.h"
#include "machine.h"
#include "pmap.h"

#define MSR_APIC_BASE 0x1b
#define BASE_X2APIC (1u << 10)
#define BASE_ENABLED (1u << 11)
#define BASE_ADDRESS 0xfffff000u
#define MSR_X2APIC 0x800 /* the registers in x2APIC mode: one for each 16 bytes of the page */
#define MSR_X2APIC_COMMAND 0x830

#define REGISTER_ID 0x020
#define REGISTER_PRIORITY 0x080
#define REGISTER_EOI 0x0b0
#define REGISTER_SPURIOUS 0x0f0
#define REGISTER_COMMAND 0x300
#define REGISTER_DESTINATION 0x310
#define REGISTER_TIMER 0x320
#define REGISTER_LINT0 0x350
#define REGISTER_LINT1 0x360
#define REGISTER_ERROR 0x370
#define REGISTER_TIMER_INITIAL 0x380
#define REGISTER_TIMER_CURRENT 0x390
#define REGISTER_TIMER_DIVIDE 0x3e0

#define SPURIOUS_ENABLE 0x100u
#define LVT_MASKED 0x10000u
#define LVT_PERIODIC 0x20000u
#define LVT_EXTINT 0x700u
#define LVT_NMI 0x400u
#define DIVIDE_16 3u
#define COMMAND_FIXED 0x4000u
#define COMMAND_NMI_OTHERS 0xc4400u
#define COMMAND_INIT 0x4500u
#define COMMAND_START 0x4600u
#define COMMAND_PENDING 0x1000u

#define MEASURE_MICROS 10000
#define MEASURES 3

bool apic_present;
static bool x2apic;                  /* constant after apic_init, and of all processors */
static volatile uint32_t *registers; /* without x2APIC mode */
static uint32_t timer_per_tick;

static inline uint32_t apic_read(unsigned int at)
{
    return x2apic ? (uint32_t)rdmsr(MSR_X2APIC + at / 16) : registers[at / 4];
}

static inline void apic_write(unsigned int at, uint32_t value)
{
    if (x2apic)
        wrmsr(MSR_X2APIC + at / 16, value);
    else
        registers[at / 4] = value;
}

/* The number of this processor's controller, as messages of devices and the tables of firmware name it. */
static uint32_t apic_id_here(void)
{
    return x2apic ? apic_read(REGISTER_ID) : apic_read(REGISTER_ID) >> 24;
}

uint32_t apic_id_max(void)
{
    return x2apic ? UINT32_MAX - 1 : 254; /* the one behind it is all processors */
}

void apic_eoi(void)
{
    apic_write(REGISTER_EOI, 0);
}

static void setup(bool boot)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);
    if (!(base & BASE_ENABLED))
        wrmsr(MSR_APIC_BASE, base |= BASE_ENABLED);
    if (x2apic && !(base & BASE_X2APIC)) /* from disabled it is two steps */
        wrmsr(MSR_APIC_BASE, base | BASE_X2APIC);
    apic_write(REGISTER_PRIORITY, 0);
    apic_write(REGISTER_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    apic_write(REGISTER_LINT0, boot ? LVT_EXTINT : LVT_MASKED);
    apic_write(REGISTER_LINT1, boot ? LVT_NMI : LVT_MASKED);
    apic_write(REGISTER_ERROR, LVT_MASKED);
    apic_write(REGISTER_TIMER, LVT_MASKED);
}

void apic_init(void)
{
    uint32_t leaf[4];
    cpuid(1, 0, leaf);
    if (!(leaf[3] & 1u << 9)) {
        kprintf("cpu0: no local interrupt controller\n");
        return;
    }
    x2apic = leaf[2] & 1u << 21;
    registers = phys_to_virt(rdmsr(MSR_APIC_BASE) & BASE_ADDRESS);
    setup(true);
    boot_cpu.apic_id = apic_id_here();
    apic_present = true;
}

/* ---- the timer --------------------------------------------------------------------------- */

void apic_timer_measure(void)
{
    uint32_t least = UINT32_MAX;
    apic_write(REGISTER_TIMER_DIVIDE, DIVIDE_16);
    for (unsigned int i = 0; i < MEASURES; i++) {
        apic_write(REGISTER_TIMER_INITIAL, UINT32_MAX);
        machine_delay(MEASURE_MICROS);
        least = min(least, UINT32_MAX - apic_read(REGISTER_TIMER_CURRENT)); /* what comes in between makes it more */
    }
    apic_write(REGISTER_TIMER_INITIAL, 0);
    timer_per_tick = max((uint32_t)((uint64_t)least * (1000000 / HZ) / MEASURE_MICROS), 1000u);
}

void apic_start_here(void)
{
    setup(false);
    apic_write(REGISTER_TIMER_DIVIDE, DIVIDE_16);
    apic_write(REGISTER_TIMER, LVT_PERIODIC | VECTOR_TICK);
    apic_write(REGISTER_TIMER_INITIAL, timer_per_tick);
}

void apic_interrupt(unsigned int vector, bool user)
{
    if (vector == VECTOR_SPURIOUS)
        return; /* wants no end */
    apic_eoi();
    if (vector == VECTOR_TICK)
        sched_tick(user);
    /* VECTOR_WAKE: that it came is enough; the idle loop or the way out to user mode looks. */
}

/* ---- to other processors -------------------------------------------------------------------- */

static void command(uint32_t apic_id, uint32_t word)
{
    if (x2apic) {
        __asm__ volatile("mfence; lfence" : : : "memory"); /* this register is written before what was stored is seen
                                                              otherwise */
        wrmsr(MSR_X2APIC_COMMAND, (uint64_t)apic_id << 32 | word);
        return;
    }
    while (apic_read(REGISTER_COMMAND) & COMMAND_PENDING)
        cpu_pause();
    apic_write(REGISTER_DESTINATION, apic_id << 24);
    apic_write(REGISTER_COMMAND, word);
}

void apic_send(const struct cpu *cpu, unsigned int vector)
{
    command(cpu->apic_id, COMMAND_FIXED | vector);
}

void apic_send_nmi_others(void)
{
    command(0, COMMAND_NMI_OTHERS);
}

void apic_send_start(uint32_t apic_id, uint64_t start)
{
    command(apic_id, COMMAND_INIT);
    machine_delay(10000);
    for (unsigned int i = 0; i < 2; i++) {
        command(apic_id, COMMAND_START | (uint32_t)(start >> 12));
        machine_delay(200);
    }
}
