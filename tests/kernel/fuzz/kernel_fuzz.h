/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_fuzz: random and spoilt messages to every routine of the kernel on every kind of its ports, and system calls
   with random numbers and arguments, from tasks that nobody misses (../../inside/hostile makes the messages).

   main.c      rounds: an attacker is started, watched, ended; what the kernel holds is counted after each
   attack.c    the attacker: from a number alone (seed, number), so that it can be sent again
   targets.c   the kernel's ports, and which of them a routine is for  */

#ifndef TESTS_KERNEL_FUZZ_H
#define TESTS_KERNEL_FUZZ_H

#include "../../inside/hostile/hostile.h"

/* What the attacker shares with who watches it. */
struct progress {
    volatile uint64_t number;            /* of the message or call that is under way */
    volatile uint64_t outcomes[OUTCOMES], calls;
    volatile bool ended;
};

struct attack {
    uint64_t seed, first, count;
    struct progress *progress;
    bool verbose;                        /* each one is named in progress->name before it is sent */
};
/* The attacker's life (frame.h, child_create). */
void attack_run(void *attack);

/* Fills the pool's victims with ports of every kind; the privileged ones are the module's. */
void targets_find(void);
/* A port for ROUTINE: mostly of the kind that it is for. */
mach_port_t target_choose(const char *routine);

#endif /* TESTS_KERNEL_FUZZ_H */
