/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entropy sources.  None of them is trusted alone: all go into the generator, where one good one is enough.

   Jitter: each sample is the low word of the time stamp counter after giving the processor away and touching memory in
   an order that depends on the samples before.  Where time itself is simulated exactly (an emulator counting
   instructions) it repeats; there the clock and the processor's generator must do. */

#include "source.h"

#include <cpuid.h>
#include <mach.h>
#include <stdbool.h>
#include <sys/time.h>
#include <time.h>

enum {
    SEED_WORDS = 32,     /* words of the processor's generator at the start: 2048 bits */
    SEED_SAMPLES = 2048, /* jitter samples at the start; far below one bit each is still enough */
    SEED_SAMPLES_FEW = 256, /* the same where the processor has a generator */
    REFRESH_WORDS = 4,
    REFRESH_SAMPLES = 64,
    TRIES = 16,          /* for an instruction that may find its source exhausted */
};

static uint64_t tsc_read(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static bool rdseed_step(uint64_t *word)
{
    bool ok;
    __asm__ volatile("rdseed %0; setc %1" : "=r"(*word), "=qm"(ok) : : "cc");
    return ok;
}

static bool rdrand_step(uint64_t *word)
{
    bool ok;
    __asm__ volatile("rdrand %0; setc %1" : "=r"(*word), "=qm"(ok) : : "cc");
    return ok;
}

static bool processor_has_rdseed(void)
{
    unsigned int a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_RDSEED);
}

static bool processor_has_rdrand(void)
{
    unsigned int a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_RDRND);
}

/* False if the processor has no generator. */
static bool processor_stir(struct generator *generator, int words)
{
    bool (*step)(uint64_t *) = processor_has_rdseed() ? rdseed_step : processor_has_rdrand() ? rdrand_step : NULL;
    for (int i = 0; step != NULL && i < words; i++) {
        uint64_t word = 0;
        for (int tries = 0; tries < TRIES && !step(&word); tries++)
            continue;
        generator_stir(generator, &word, sizeof word);
    }
    return step != NULL;
}

static void jitter_stir(struct generator *generator, int samples)
{
    static volatile uint8_t field[32768];
    uint32_t batch[16];
    uint32_t at = 0;
    for (int i = 0; i < samples; i++) {
        if (i % 64 == 0)
            swtch_pri(0);
        for (int j = 0; j < 16; j++) {
            at = at * 1664525u + (uint32_t)tsc_read();
            field[at % sizeof field]++;
        }
        batch[i % 16] = (uint32_t)tsc_read();
        if (i % 16 == 15)
            generator_stir(generator, batch, sizeof batch);
    }
}

/* What is different each time the system runs. */
static void system_stir(struct generator *generator)
{
    struct {
        struct timespec now;
        uint64_t tsc;
        struct vm_statistics vm;
        struct task_basic_info task;
        struct host_load_info load;
        mach_port_t ports[2];
        const void *stack;
    } s = {0};
    mach_msg_type_number_t count = TASK_BASIC_INFO_COUNT;
    clock_gettime(CLOCK_REALTIME, &s.now);
    s.tsc = tsc_read();
    vm_statistics(mach_task_self(), &s.vm);
    task_info(mach_task_self(), TASK_BASIC_INFO, (task_info_t)&s.task, &count);
    count = HOST_LOAD_INFO_COUNT;
    host_info(mach_host_self(), HOST_LOAD_INFO, (host_info_t)&s.load, &count);
    s.ports[0] = mach_task_self();
    s.ports[1] = mach_reply_port();
    s.stack = &s;
    mach_port_mod_refs(mach_task_self(), s.ports[1], MACH_PORT_RIGHT_RECEIVE, -1);
    generator_stir(generator, &s, sizeof s);
}

void source_seed(struct generator *generator)
{
    system_stir(generator);
    jitter_stir(generator, processor_stir(generator, SEED_WORDS) ? SEED_SAMPLES_FEW : SEED_SAMPLES);
    system_stir(generator);
}

void source_refresh(struct generator *generator)
{
    processor_stir(generator, REFRESH_WORDS);
    jitter_stir(generator, REFRESH_SAMPLES);
    system_stir(generator);
}
