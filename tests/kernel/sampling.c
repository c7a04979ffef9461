/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: samples of program counters (mach4.defs, mach/pc_sample.h). */

#include "objects.h"

#include <mach/pc_sample.h>

#include "mach4_U.h"

static sampled_pc_t samples[512];

static void samples_take(mach_port_t port, bool task, unsigned int *seqno, unsigned int *count)
{
    *count = 512;
    long result = task ? task_get_sampled_pcs(port, seqno, samples, count)
                       : thread_get_sampled_pcs(port, seqno, samples, count);
    OBSERVE(result);
    remark("%u samples, seqno %u", *count, *seqno);
}

CASE(sample_nothing)
{
    mach_port_t task = task_empty(), thread = MACH_PORT_NULL, host = (mach_host_self)();
    int number = 99;
    unsigned int seqno = 0, count;
    REQUIRE(thread_create(task, &thread), KERN_SUCCESS);
    OBSERVE(task_disable_pc_sampling(task, &number));
    OBSERVE(thread_disable_pc_sampling(thread, &number));
    samples_take(task, true, &seqno, &count);
    samples_take(thread, false, &seqno, &count);
    OBSERVE(task_enable_pc_sampling(host, &number, SAMPLED_PC_PERIODIC));
    OBSERVE(task_disable_pc_sampling(host, &number));
    OBSERVE(thread_enable_pc_sampling(host, &number, SAMPLED_PC_PERIODIC));
    OBSERVE(thread_disable_pc_sampling(host, &number));
    samples_take(host, true, &seqno, &count);
    samples_take(host, false, &seqno, &count);
    mach_port_deallocate(mach_task_self(), thread);
    mach_port_deallocate(mach_task_self(), host);
    task_end(task);
}

CASE(sample_begin_and_end)
{
    mach_port_t task = task_empty(), thread = MACH_PORT_NULL;
    int tick = 0, number = 99;
    unsigned int seqno = 0, count;
    REQUIRE(thread_create(task, &thread), KERN_SUCCESS);
    OBSERVE(task_enable_pc_sampling(task, &tick, SAMPLED_PC_PERIODIC));
    OBSERVE(tick);
    OBSERVE(task_enable_pc_sampling(task, &tick, SAMPLED_PC_VM_FAULTS));
    samples_take(task, true, &seqno, &count);
    OBSERVE(task_disable_pc_sampling(task, &number));
    OBSERVE(task_disable_pc_sampling(task, &number));
    OBSERVE(thread_enable_pc_sampling(thread, &tick, SAMPLED_PC_PERIODIC));
    OBSERVE(tick);
    samples_take(thread, false, &seqno, &count);
    OBSERVE(seqno);
    OBSERVE(count);
    OBSERVE(thread_disable_pc_sampling(thread, &number));
    OBSERVE(thread_enable_pc_sampling(thread, &tick, 0));
    OBSERVE(thread_enable_pc_sampling(thread, &tick, 0xffff));
    OBSERVE(thread_disable_pc_sampling(thread, &number));
    mach_port_deallocate(mach_task_self(), thread);
    task_end(task);
}

/* A thread that counts: its samples are in stub_count. */
static void spin_observe(bool task)
{
    static volatile long counter;
    struct bare bare;
    int tick = 0, number = 0;
    unsigned int seqno = 0, count = 0, good = 0, tries = 0;
    bare_create(&bare, mach_task_self(), stub_count, (long)&counter);
    mach_port_t port = task ? mach_task_self() : bare.thread;
    EXPECT(task ? task_enable_pc_sampling(port, &tick, SAMPLED_PC_PERIODIC)
                : thread_enable_pc_sampling(port, &tick, SAMPLED_PC_PERIODIC),
           KERN_SUCCESS);
    thread_resume(bare.thread);
    while (good < 3 && tries++ < 600) {
        pause_ms(30);
        count = 512;
        if (task ? task_get_sampled_pcs(port, &seqno, samples, &count)
                 : thread_get_sampled_pcs(port, &seqno, samples, &count))
            break;
        for (unsigned int i = 0; i < count; i++)
            good += samples[i].pc >= (vm_offset_t)stub_count && samples[i].pc < (vm_offset_t)stub_count + 32
                    && samples[i].sampletype == SAMPLED_PC_PERIODIC;
    }
    CHECK(good >= 3);
    remark("%u good ones of %u, seqno %u, id %lx pc %lx", good, count, seqno, (unsigned long)samples[0].id,
           (unsigned long)samples[0].pc);
    EXPECT(task ? task_disable_pc_sampling(port, &number) : thread_disable_pc_sampling(port, &number), KERN_SUCCESS);
    CHECK(number >= 3);
    remark("%d taken", number);
    bare_end(&bare);
}

CASE(sample_a_thread)
{
    spin_observe(false);
}

CASE(sample_a_task)
{
    spin_observe(true);
}

CASE(sample_faults)
{
    struct {
        unsigned int flavor;
        unsigned int found;
    } kinds[] = {{SAMPLED_PC_VM_ZFILL_FAULTS, 0}, {SAMPLED_PC_VM_FAULTS_ANY, 0}};
    for (unsigned int i = 0; i < 2; i++) {
        int tick = 0, number = 0;
        unsigned int seqno = 0, count = 0;
        vm_address_t at = 0;
        EXPECT(task_enable_pc_sampling(mach_task_self(), &tick, kinds[i].flavor), KERN_SUCCESS);
        REQUIRE(vm_allocate(mach_task_self(), &at, 16 * 4096, TRUE), KERN_SUCCESS);
        for (unsigned int page = 0; page < 16; page++)
            *(volatile char *)(at + page * 4096) = 1;
        count = 512;
        EXPECT(task_get_sampled_pcs(mach_task_self(), &seqno, samples, &count), KERN_SUCCESS);
        for (unsigned int j = 0; j < count; j++)
            kinds[i].found += !!(samples[j].sampletype & kinds[i].flavor);
        remark("flavor %x: %u of %u", kinds[i].flavor, kinds[i].found, count);
        for (unsigned int j = 0; j < count && j < 3; j++)
            remark("type %x pc %lx", samples[j].sampletype, (unsigned long)samples[j].pc);
        CHECK(kinds[i].found >= 16);
        EXPECT(task_disable_pc_sampling(mach_task_self(), &number), KERN_SUCCESS);
        vm_deallocate(mach_task_self(), at, 16 * 4096);
    }
}
