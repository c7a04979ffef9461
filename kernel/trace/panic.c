/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end: why, and how the kernel came there. */

#include "../arch/x86_64/cpu.h"
#include "../arch/x86_64/layout.h"
#include "../base/base.h"
#include "../task/task.h"

#define FRAMES_MAX 24

static void backtrace(void)
{
    uint64_t *frame = __builtin_frame_address(0);
    for (unsigned int i = 0; i < FRAMES_MAX && (uint64_t)frame >= DIRECT_MAP && frame[0] > (uint64_t)frame; i++) {
        kprintf("  %lx\n", frame[1]);
        frame = (uint64_t *)frame[0];
    }
}

_Noreturn void panic(const char *format, ...)
{
    static bool panicking;
    va_list arguments;
    __asm__ volatile("cli");
    if (!panicking) {
        panicking = true;
        struct thread *thread = boot_cpu.self ? current_thread() : NULL;
        kprintf("\npanic: ");
        va_start(arguments, format);
        kvprintf(format, arguments);
        va_end(arguments);
        kprintf("\n");
        if (thread && thread->task)
            kprintf("  in task %s, thread %s\n", thread->task->name, thread->name);
        backtrace();
    }
    for (;;)
        __asm__ volatile("cli; hlt");
}
