/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end: why, and how the kernel came there. */

#include "../arch/x86_64/cpu.h"
#include "../arch/x86_64/smp.h"
#include "../base/base.h"
#include "../task/task.h"
#include "debugger.h"
#include "symbols.h"

_Noreturn void panic(const char *format, ...)
{
    static bool panicking;
    va_list arguments;
    __asm__ volatile("cli");
    if (!panicking) {
        panicking = true;
        smp_stop_others();
        struct thread *thread = boot_cpu.self ? current_thread() : NULL;
        kprintf("\npanic: ");
        va_start(arguments, format);
        kvprintf(format, arguments);
        va_end(arguments);
        kprintf("\n");
        if (thread && thread->task)
            kprintf("  in task %s, thread %s\n", thread->task->name, thread->name);
        else if (thread)
            kprintf("  in thread %s\n", thread->name);
        backtrace_print(__builtin_frame_address(0));
        if (debugger_enabled)
            for (;;)
                debugger_enter("panic");
    }
    for (;;)
        __asm__ volatile("cli; hlt");
}
