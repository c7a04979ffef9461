/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's benchmark: a boot module, the only one of a kernel that takes GNU Mach's modules.  Prints a line
   `operation ROUNDS INSTRUCTIONS NAME` an operation (instructions of all rounds), then `N passed, N failed`, and
   reboots (bench/kernel/run). */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tests/boot-modules/module.h"
#include "../mark.h"
#include "bench.h"

#define WARM 16 /* a warm-up has rounds / WARM + 1 rounds */

static const char *only = "";       /* part of the names of what is measured */

void must(kern_return_t result, const char *what)
{
    if (result == KERN_SUCCESS)
        return;
    say("%s: error 0x%x\n", what, (unsigned int)result);
    failed++;
    module_end();
}

static void measure(const struct operation *operations)
{
    for (const struct operation *operation = operations; operation->name; operation++) {
        if (!strstr(operation->name, only))
            continue;
        operation->run(operation, operation->rounds / WARM + 1);
        MARK(0); /* for bench/count.c, which takes the first of each number */
        unsigned long spent = operation->run(operation, operation->rounds);
        MARK(1);
        say("operation %u %lu %s\n", operation->rounds, spent, operation->name);
        passed++;
    }
}

int main(int argc, char **argv)
{
    module_begin(argc, argv);
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "--only=", 7) == 0)
            only = argv[i] + 7;
    say("\n"); /* GNU Mach has not ended its line */
    messages_prepare();
    memory_prepare();
    partner_init();
    messages_start();
    memory_start();
    tasks_start();
    measure(message_operations);
    measure(memory_operations);
    measure(task_operations);
    module_end();
}
