/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptor tables, the system call's registers, floating point.  Intel SDM volume 3, chapters 2, 6, 7 and 13. */

#include "cpu.h"
#include "page_fill.h"

#define CR0_MP (1ul << 1)
#define CR0_EM (1ul << 2)
#define CR0_TS (1ul << 3)
#define CR0_NE (1ul << 5)
#define CR4_OSFXSR (1ul << 9)
#define CR4_OSXMMEXCPT (1ul << 10)
#define CR4_OSXSAVE (1ul << 18)
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_FMASK 0xc0000084
#define RFLAGS_AT_ENTRY_CLEAR 0x47700 /* TF IF DF IOPL NT AC */
#define XCR0_X87_SSE 3ul
#define XCR0_AVX 4ul
#define MXCSR_DEFAULT 0x1f80
#define FCW_DEFAULT 0x037f

struct idt_gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};

struct descriptor_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

#define FAULT_STACK 1 /* of tss.ist, counted from 1 */
#define DEBUG_STACK 2

extern char entry_vectors[], entry_syscall[], entry_flush[], entry_nmi[], entry_debug[], boot_stack_end[];

struct cpu boot_cpu;
uint32_t cpu_count = 1;
/* The boot processor has it from the first instruction on. */
struct kernel_lock kernel_lock = {.word = 1};
size_t cpu_float_size;
static struct idt_gate idt[256]; /* constant after the first cpu_init */
uint64_t cpu_float_features;
bool cpu_has_avx, cpu_tells_states;

static void idt_fill(void)
{
    for (unsigned int i = 0; i < countof(idt); i++) {
        uint64_t entry = (uint64_t)entry_vectors + 16 * i;
        if (i == VECTOR_FLUSH)
            entry = (uint64_t)entry_flush;
        else if (i == 2)
            entry = (uint64_t)entry_nmi;
        else if (i == 1)
            entry = (uint64_t)entry_debug;
        bool user_may = i == 3 || i == 4;
        idt[i] = (struct idt_gate){.offset_low = (uint16_t)entry,
                                   .selector = SELECTOR_KERNEL_CODE,
                                   .ist = i == 8 || i == 2 ? FAULT_STACK : i == 1 ? DEBUG_STACK : 0,
                                   .type = user_may ? 0xee : 0x8e,
                                   .offset_middle = (uint16_t)(entry >> 16),
                                   .offset_high = (uint32_t)(entry >> 32)};
    }
}

static void tables_load(struct cpu *cpu)
{
    uint64_t tss = (uint64_t)&cpu->tss;
    uint64_t limit = sizeof cpu->tss - 1;
    cpu->gdt[0] = 0;
    cpu->gdt[1] = 0x00af9a000000ffff; /* kernel code */
    cpu->gdt[2] = 0x00cf92000000ffff; /* kernel data */
    cpu->gdt[3] = 0x00cff2000000ffff; /* user data */
    cpu->gdt[4] = 0x00affa000000ffff; /* user code */
    cpu->gdt[5] = (limit & 0xffff) | (tss & 0xffffff) << 16 | 0x89ull << 40 | (limit >> 16) << 48 |
                  (tss >> 24 & 0xff) << 56;
    cpu->gdt[6] = tss >> 32;
    cpu->tss.io_map_offset = offsetof(struct tss, io_map);
    memset(cpu->tss.io_map, 0xff, sizeof cpu->tss.io_map);
    cpu->tss.ist[FAULT_STACK - 1] = align_down((uint64_t)(cpu->fault_stack + sizeof cpu->fault_stack), 16);
    cpu->tss.ist[DEBUG_STACK - 1] = align_down((uint64_t)(cpu->debug_stack + sizeof cpu->debug_stack), 16);
    struct descriptor_pointer gdt = {sizeof cpu->gdt - 1, (uint64_t)cpu->gdt}, idtr = {sizeof idt - 1, (uint64_t)idt};
    __asm__ volatile("lgdt %0; lidt %1; ltr %w2" : : "m"(gdt), "m"(idtr), "r"(SELECTOR_TSS));
}

static void float_enable(bool boot)
{
    uint32_t leaf[4];
    uint64_t cr0, cr4;
    cpuid(1, 0, leaf);
    if (!(leaf[2] & 1u << 26))
        panic("this processor has no XSAVE instruction");
    __asm__ volatile("movq %%cr0, %0" : "=r"(cr0));
    cr0 = (cr0 & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE;
    __asm__ volatile("movq %0, %%cr0" : : "r"(cr0));
    __asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
    cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
    __asm__ volatile("movq %0, %%cr4" : : "r"(cr4));
    if (boot)
        cpu_float_features = XCR0_X87_SSE | (leaf[2] & 1u << 28 ? XCR0_AVX : 0);
    __asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)cpu_float_features), "d"(0));
    if (boot) {
        cpuid(0xd, 0, leaf);
        cpu_float_size = align_up((size_t)leaf[1], 64);
        cpuid(0xd, 1, leaf);
        cpu_tells_states = leaf[0] & 1u << 2;
        cpu_has_avx = cpu_float_features & XCR0_AVX;
    }
}

void cpu_float_init(void *area)
{
    uint16_t fcw = FCW_DEFAULT;
    uint32_t mxcsr = MXCSR_DEFAULT;
    memset(area, 0, cpu_float_size);
    memcpy(area, &fcw, sizeof fcw);
    memcpy((char *)area + 24, &mxcsr, sizeof mxcsr);
}

void cpu_debug_load(const struct debug_registers *registers)
{
    __asm__ volatile("movq %0, %%db7" : : "r"((uint64_t)DEBUG_CONTROL_ALWAYS));
    if (registers->control == 0)
        return;
    __asm__ volatile("movq %0, %%db0; movq %1, %%db1; movq %2, %%db2; movq %3, %%db3; movq %4, %%db7"
                     :
                     : "r"(registers->address[0]), "r"(registers->address[1]), "r"(registers->address[2]),
                       "r"(registers->address[3]), "r"(registers->control | DEBUG_CONTROL_ALWAYS));
}

void cpu_init(struct cpu *cpu)
{
    cpu->self = cpu;
    if (cpu == &boot_cpu) {
        idt_fill();
        cpu->kernel_rsp = (uint64_t)boot_stack_end;
    }
    tables_load(cpu);
    wrmsr(MSR_GS_BASE, (uint64_t)cpu);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
    wrmsr(MSR_STAR, (uint64_t)SELECTOR_KERNEL_CODE << 32 | (uint64_t)SELECTOR_KERNEL_DATA << 48 | 3ull << 48);
    wrmsr(MSR_LSTAR, (uint64_t)entry_syscall);
    wrmsr(MSR_FMASK, RFLAGS_AT_ENTRY_CLEAR);
    float_enable(cpu == &boot_cpu);
}

void cpu_identify(void)
{
    uint32_t leaf[4];
    char name[49] = "";
    cpuid(0x80000000, 0, leaf);
    if (leaf[0] >= 0x80000004)
        for (unsigned int i = 0; i < 3; i++) {
            cpuid(0x80000002 + i, 0, leaf);
            memcpy(name + 16 * i, leaf, sizeof leaf);
        }
    kprintf("cpu0: %s\n", name[0] ? name : "x86_64");
}
