/* SPDX-License-Identifier: GPL-2.0-or-later */
/* count: a TCG plugin of QEMU that counts the guest's instructions and reports them at marks.

       qemu-system-x86_64 -plugin
       build/bench/count.so,out=FILE[,program=NAME:ELF]...[,symbols=FILE][,functions=1[,library=NAME:ELF]...] ...

   FILE gets one line for each event:
       user KERNEL USER            the first instruction of the first user program
       mark NUMBER KERNEL USER     a mark (mark.h) was executed
       idle KERNEL USER            the processor went to sleep after a piece of work (not after a mere clock tick)
       end KERNEL USER             the machine stopped
   KERNEL and USER are the instructions executed so far at addresses of the upper and of the lower half.  Time that the
   processor spends halted counts nothing, so the figures mean the same whether the disk was fast or slow.  A kernel
   starts in the lower half: what runs there before the first instruction of the upper half counts as kernel.

   Behind each mark stand the shares of that moment, all since the start:
       switches N                  loads of the register that holds the address space (CR3)
       space NAME KERNEL USER      instructions in the address space of a program, and the kernel's on its behalf
       function NAME N CALLS       instructions in a function of the kernel (those of `symbols`, a file as `nm` writes
                                   it), and how often it began
       function PROGRAM:NAME N CALLS    with functions=1, the same of a program's own code and of the libraries in its
                                        address space

   Whose address space it is, is told by the code: a plugin sees no registers.  A piece of user code is compared with
   the static programs that `program` names, at the address where it runs; code that fits none of them (the C library of
   a dynamic program) belongs to the last program known since the last switch, else to "other".  What the kernel does
   between a switch and the first user code behind it is put down to the program that runs then.

   QEMU has no package for its plugin header; what is used of the interface is declared here, from QEMU's documentation
   ("QEMU TCG Plugins").  Version 1 of it is QEMU 7 (Debian 12), version 2 and later QEMU 9 and 10 (Debian 13); build
   with -DQEMU_PLUGIN_VERSION=N. */

#include "image.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef QEMU_PLUGIN_VERSION
#define QEMU_PLUGIN_VERSION 1
#endif

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
typedef void (*qemu_plugin_vcpu_udata_cb_t)(unsigned int vcpu, void *data);

extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t,
                                                  void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, qemu_plugin_vcpu_udata_cb_t,
                                                 enum qemu_plugin_cb_flags, void *);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, qemu_plugin_vcpu_udata_cb_t,
                                                   enum qemu_plugin_cb_flags, void *);
extern void qemu_plugin_register_vcpu_idle_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, unsigned int));
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
#if QEMU_PLUGIN_VERSION >= 3
extern size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *, void *, size_t);
#else
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
#endif
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);

__attribute__((visibility("default"))) int qemu_plugin_version = QEMU_PLUGIN_VERSION;
__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t, const void *, int, char **);

enum { MARK_SIZE = 7, MARK_NUMBER = 3, CLOCK_TICK_MAX = 20000 };
static const uint8_t mark_head[] = { 0x0f, 0x1f, 0x80 };
static const uint8_t mark_tail[] = { 0x52, 0x44, 0x51 };

enum { INSN_MAX = 15, PROGRAMS_MAX = 32, LIBRARIES_MAX = 8, BLOCK_BYTES_MAX = 512 };

/* A program, as its file has it.  Number 0 is "other". */
struct program {
    struct image image;
    uint64_t kernel, user;
};
static struct program programs[PROGRAMS_MAX] = { { .image.name = "other" } };
static unsigned int nprograms = 1;
static struct image libraries[LIBRARIES_MAX];
static unsigned int nlibraries;
static bool functions_wanted;  /* of user code */

/* What was counted in a function.  A user function's are for each program in whose address space it ran. */
struct tally {
    uint64_t count, calls;
};

/* The kernel's functions by address; the first entry takes what lies before all others. */
static struct functions kernel_functions;

/* A translated block, as long as QEMU has it and longer: they are never given back. */
struct block {
    uint64_t instructions;
    uint32_t fits;             /* user code: bit I: the code of program I at this address is the same */
    struct tally *tallies;     /* of the function that it is in (the kernel's: one, a user's: one a program), or NULL */
    bool begins;               /* it is the function's beginning */
};

/* One virtual processor is counted exactly; with more, additions of two may collide, which a figure over millions does
   not show. */
static uint64_t kernel_count, user_count, switches;
static bool kernel_runs, user_runs;
static int running = -1;       /* number of the program whose address space is active; -1: not known yet */
static uint64_t unowned;       /* the kernel's instructions since `running` is -1 */
static FILE *out;

static void tally_add(struct tally *tally, const struct block *block)
{
    tally->count += block->instructions;
    tally->calls += block->begins;
}

static void on_kernel(unsigned int vcpu, void *data)
{
    const struct block *block = data;

    (void) vcpu;
    kernel_runs = true;
    kernel_count += block->instructions;
    if (running < 0)
        unowned += block->instructions;
    else
        programs[running].kernel += block->instructions;
    if (block->tallies)
        tally_add(block->tallies, block);
}

/* Finds out whose code it is, of those that it FITS. */
static void running_update(uint32_t fits)
{
    if (running > 0 && (!fits || fits >> running & 1))
        return;
    if (running == 0 && !fits)
        return;
    running = fits ? __builtin_ctz(fits) : 0;
    programs[running].kernel += unowned;
    unowned = 0;
}

static void on_user(unsigned int vcpu, void *data)
{
    const struct block *block = data;

    (void) vcpu;
    if (!user_runs) {
        if (!kernel_runs) {
            kernel_count += block->instructions;
            return;
        }
        user_runs = true;
        fprintf(out, "user %" PRIu64 " %" PRIu64 "\n", kernel_count, user_count);
        fflush(out);
    }
    user_count += block->instructions;
    running_update(block->fits);
    programs[running].user += block->instructions;
    if (block->tallies)
        tally_add(&block->tallies[running], block);
}

static void on_switch(unsigned int vcpu, void *data)
{
    (void) vcpu;
    (void) data;
    switches++;
    running = -1;
}

/* A line for each function of LIST that has run in the address space of program NUMBER (a kernel's: PROGRAM NULL,
   NUMBER 0). */
static void functions_print(const struct functions *list, const char *program, unsigned int number)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct tally *tally = list->functions[i].data;

        if (tally && tally[number].count)
            fprintf(out, "function %s%s%s %" PRIu64 " %" PRIu64 "\n", program ? program : "", program ? ":" : "",
                    list->functions[i].name, tally[number].count, tally[number].calls);
    }
}

/* What user code ran, program by program. */
static void user_functions_print(void)
{
    for (unsigned int i = 0; i < nprograms; i++) {
        const char *name = programs[i].image.name;

        functions_print(&programs[i].image.functions, name, i);
        for (unsigned int k = 0; k < nlibraries; k++)
            functions_print(&libraries[k].functions, name, i);
    }
}

static void on_mark(unsigned int vcpu, void *data)
{
    (void) vcpu;
    fprintf(out, "mark %u %" PRIu64 " %" PRIu64 "\nswitches %" PRIu64 "\n", (unsigned)(uintptr_t)data, kernel_count,
            user_count, switches);
    for (unsigned int i = 0; i < nprograms; i++)
        if (nprograms > 1)
            fprintf(out, "space %s %" PRIu64 " %" PRIu64 "\n", programs[i].image.name, programs[i].kernel,
                    programs[i].user);
    functions_print(&kernel_functions, NULL, 0);
    if (functions_wanted)
        user_functions_print();
    fflush(out);
}

static void on_idle(qemu_plugin_id_t id, unsigned int vcpu)
{
    static uint64_t last;

    (void) id;
    (void) vcpu;
    if (kernel_count + user_count - last > CLOCK_TICK_MAX) {
        fprintf(out, "idle %" PRIu64 " %" PRIu64 "\n", kernel_count, user_count);
        fflush(out);
    }
    last = kernel_count + user_count;
}

/* The bytes of an instruction; the number of them. */
static size_t insn_bytes(const struct qemu_plugin_insn *insn, uint8_t bytes[INSN_MAX])
{
    size_t size = qemu_plugin_insn_size(insn);

    if (size > INSN_MAX)
        return 0;
#if QEMU_PLUGIN_VERSION >= 3
    return qemu_plugin_insn_data(insn, bytes, size);
#else
    memcpy(bytes, qemu_plugin_insn_data(insn), size);
    return size;
#endif
}

static bool bytes_are_mark(const uint8_t *bytes, size_t size, uintptr_t *number)
{
    if (size != MARK_SIZE)
        return false;
    *number = bytes[MARK_NUMBER];
    return !memcmp(bytes, mark_head, sizeof mark_head) && !memcmp(bytes + MARK_NUMBER + 1, mark_tail, sizeof mark_tail);
}

/* mov %REG,%cr3: 0F 22 D8..DF, with a REX prefix for the upper registers. */
static bool bytes_are_switch(const uint8_t *bytes, size_t size)
{
    if (size == 4 && (bytes[0] & 0xf0) == 0x40)
        bytes++, size--;
    return size == 3 && bytes[0] == 0x0f && bytes[1] == 0x22 && (bytes[2] & 0xf8) == 0xd8;
}

/* The programs of FITS that have these bytes at ADDRESS. */
static uint32_t programs_match(uint32_t fits, uint64_t address, const uint8_t *bytes, size_t size)
{
    for (unsigned int i = 1; i < nprograms; i++)
        if (!image_has(&programs[i].image, address, bytes, size))
            fits &= ~(1u << i);
    return fits;
}

/* Notes in BLOCK which function of LIST it is in, whose tallies are NUMBER; made at the first time. */
static void block_set_function(struct block *block, struct functions *list, uint64_t address, unsigned int number)
{
    struct function *function = functions_find(list, address);

    if (!function)
        return;
    if (!function->data && !(function->data = calloc(number, sizeof(struct tally))))
        abort();
    block->tallies = function->data;
    block->begins = function->address == address;
}

/* The same for user code, of which the first SIZE bytes are these: in the first program that it fits, else in a
   library. */
static void block_find_function(struct block *block, uint64_t address, const uint8_t *bytes, size_t size)
{
    uint64_t inside;

    if (block->fits) {
        block_set_function(block, &programs[__builtin_ctz(block->fits)].image.functions, address, nprograms);
        return;
    }
    for (unsigned int k = 0; k < nlibraries && !block->tallies; k++)
        if (image_find(&libraries[k], address, bytes, size, &inside))
            block_set_function(block, &libraries[k].functions, inside, nprograms);
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    struct block *block = calloc(1, sizeof *block);
    uint64_t address = qemu_plugin_tb_vaddr(tb);
    bool upper = address >> 63;
    uint8_t bytes[INSN_MAX], all[BLOCK_BYTES_MAX];
    size_t filled = 0;
    uintptr_t number;

    (void) id;
    if (!block)
        abort();
    block->instructions = qemu_plugin_tb_n_insns(tb);
    if (upper)
        block_set_function(block, &kernel_functions, address, 1);
    block->fits = ((uint64_t) 1 << nprograms) - 2;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, upper ? on_kernel : on_user, QEMU_PLUGIN_CB_NO_REGS, block);
    for (size_t i = 0; i < block->instructions; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        size_t size = insn_bytes(insn, bytes);

        if (!upper)
            block->fits = programs_match(block->fits, qemu_plugin_insn_vaddr(insn), bytes, size);
        if (filled + size <= sizeof all) {
            memcpy(all + filled, bytes, size);
            filled += size;
        }
        if (bytes_are_mark(bytes, size, &number))
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, QEMU_PLUGIN_CB_NO_REGS, (void *) number);
        else if (upper && bytes_are_switch(bytes, size))
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_switch, QEMU_PLUGIN_CB_NO_REGS, NULL);
    }
    if (!upper && functions_wanted)
        block_find_function(block, address, all, filled);
}

static void on_exit_qemu(qemu_plugin_id_t id, void *data)
{
    (void) id;
    (void) data;
    fprintf(out, "end %" PRIu64 " %" PRIu64 "\n", kernel_count, user_count);
    fclose(out);
}

/* ---- what the command line names ------------------------------------------------------------------ */

static bool program_add(const char *words)
{
    return nprograms < PROGRAMS_MAX && image_load(&programs[nprograms++].image, words, functions_wanted);
}

static bool library_add(const char *words)
{
    return nlibraries < LIBRARIES_MAX && image_load(&libraries[nlibraries++], words, functions_wanted);
}

static bool functions_want(void)
{
    functions_wanted = true;
    return true;
}

static bool out_open(const char *path)
{
    out = fopen(path, "w");
    if (!out)
        perror(path);
    return out;
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    (void) info;
    out = stderr;
    for (int i = 0; i < argc; i++) {
        bool good = !strncmp(argv[i], "out=", 4)       ? out_open(argv[i] + 4)
                    : !strncmp(argv[i], "program=", 8) ? program_add(argv[i] + 8)
                    : !strncmp(argv[i], "library=", 8) ? library_add(argv[i] + 8)
                    : !strncmp(argv[i], "symbols=", 8) ? functions_load(&kernel_functions, argv[i] + 8)
                    : !strcmp(argv[i], "functions=1")  ? functions_want()
                                                       : false;
        if (!good) {
            fprintf(stderr, "count: unusable argument %s\n", argv[i]);
            return -1;
        }
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_vcpu_idle_cb(id, on_idle);
    qemu_plugin_register_atexit_cb(id, on_exit_qemu, NULL);
    return 0;
}
