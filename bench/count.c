/* SPDX-License-Identifier: GPL-2.0-or-later */
/* count: a TCG plugin of QEMU that counts the guest's instructions and reports them at marks.

       qemu-system-x86_64 -plugin build/bench/count.so,out=FILE ...

   FILE gets one line for each event:
       user KERNEL USER            the first instruction of the first user program
       mark NUMBER KERNEL USER     a mark (mark.h) was executed
       idle KERNEL USER            the processor went to sleep after a piece of work (not after a mere clock tick)
       end KERNEL USER             the machine stopped
   KERNEL and USER are the instructions executed so far at addresses of the upper and of the lower half.  Time that the processor spends
   halted counts nothing, so the figures mean the same whether the disk was fast or slow.  A kernel starts in the lower half: what runs
   there before the first instruction of the upper half counts as kernel.

   QEMU has no package for its plugin header; what is used of the interface is declared here, from QEMU's documentation ("QEMU TCG
   Plugins").  Version 1 of it is QEMU 7 (Debian 12), version 2 and later QEMU 9 and 10 (Debian 13); build with -DQEMU_PLUGIN_VERSION=N. */

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifndef QEMU_PLUGIN_VERSION
#define QEMU_PLUGIN_VERSION 1
#endif

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
typedef void (*qemu_plugin_vcpu_udata_cb_t)(unsigned int vcpu, void *data);

extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, qemu_plugin_vcpu_udata_cb_t, enum qemu_plugin_cb_flags, void *);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, qemu_plugin_vcpu_udata_cb_t, enum qemu_plugin_cb_flags, void *);
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

__attribute__((visibility("default"))) int qemu_plugin_version = QEMU_PLUGIN_VERSION;
__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t, const void *, int, char **);

enum { MARK_SIZE = 7, MARK_NUMBER = 3, CLOCK_TICK_MAX = 20000 };
static const uint8_t mark_head[] = { 0x0f, 0x1f, 0x80 };
static const uint8_t mark_tail[] = { 0x52, 0x44, 0x51 };

/* One virtual processor is counted exactly; with more, additions of two may collide, which a figure over millions does not show. */
static uint64_t kernel_count, user_count;
static bool kernel_runs, user_runs;
static FILE *out;

static void on_kernel(unsigned int vcpu, void *data)
{
    (void) vcpu;
    kernel_runs = true;
    kernel_count += (uintptr_t) data;
}

static void on_user(unsigned int vcpu, void *data)
{
    (void) vcpu;
    if (!user_runs) {
        if (!kernel_runs) {
            kernel_count += (uintptr_t) data;
            return;
        }
        user_runs = true;
        fprintf(out, "user %" PRIu64 " %" PRIu64 "\n", kernel_count, user_count);
        fflush(out);
    }
    user_count += (uintptr_t) data;
}

static void on_mark(unsigned int vcpu, void *data)
{
    (void) vcpu;
    fprintf(out, "mark %u %" PRIu64 " %" PRIu64 "\n", (unsigned) (uintptr_t) data, kernel_count, user_count);
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

static bool insn_is_mark(const struct qemu_plugin_insn *insn, uintptr_t *number)
{
    uint8_t bytes[MARK_SIZE];

    if (qemu_plugin_insn_size(insn) != MARK_SIZE)
        return false;
#if QEMU_PLUGIN_VERSION >= 3
    if (qemu_plugin_insn_data(insn, bytes, sizeof bytes) != sizeof bytes)
        return false;
#else
    memcpy(bytes, qemu_plugin_insn_data(insn), sizeof bytes);
#endif
    *number = bytes[MARK_NUMBER];
    return !memcmp(bytes, mark_head, sizeof mark_head) && !memcmp(bytes + MARK_NUMBER + 1, mark_tail, sizeof mark_tail);
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    size_t count = qemu_plugin_tb_n_insns(tb);
    bool upper = qemu_plugin_tb_vaddr(tb) >> 63;
    uintptr_t number;

    (void) id;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, upper ? on_kernel : on_user, QEMU_PLUGIN_CB_NO_REGS, (void *) (uintptr_t) count);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

        if (insn_is_mark(insn, &number))
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, QEMU_PLUGIN_CB_NO_REGS, (void *) number);
    }
}

static void on_exit_qemu(qemu_plugin_id_t id, void *data)
{
    (void) id;
    (void) data;
    fprintf(out, "end %" PRIu64 " %" PRIu64 "\n", kernel_count, user_count);
    fclose(out);
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    (void) info;
    out = stderr;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4)) {
            fprintf(stderr, "count: unknown argument %s\n", argv[i]);
            return -1;
        }
        out = fopen(argv[i] + 4, "w");
        if (!out) {
            perror(argv[i] + 4);
            return -1;
        }
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_vcpu_idle_cb(id, on_idle);
    qemu_plugin_register_atexit_cb(id, on_exit_qemu, NULL);
    return 0;
}
