/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mark.h: marks in a program that bench/count.c, a plugin of QEMU, sees go by.

   A mark is one no-operation instruction (NOPL with a displacement that nobody else uses), so it costs nothing, needs
   no kernel's help, and stays where it is on a machine without the plugin.  NUMBER is a constant of 0 to 255. */

#ifndef BENCH_MARK_H
#define BENCH_MARK_H

#define MARK_STRING(X) #X
/* nopl 0x51445200+NUMBER(%rax): 0F 1F 80 disp32, with "QDR" in the upper bytes of the displacement. */
#define MARK(NUMBER) __asm__ volatile(".byte 0x0f, 0x1f, 0x80, " MARK_STRING(NUMBER) ", 0x52, 0x44, 0x51" ::: "memory")

#endif /* BENCH_MARK_H */
