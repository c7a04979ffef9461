/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unit.h: the little that a unit test needs.

       UNIT_TEST(path_step_splits) { CHECK(step("a/b") == 1); CHECK_EQ(n, 3); }
       UNIT_MAIN

   Every UNIT_TEST of the program runs, in the order of the file; a failed check names its place and goes on. */

#ifndef UNIT_H
#define UNIT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit_test { const char *name; void (*run)(void); struct unit_test *next; };
static struct unit_test *unit_first, **unit_last = &unit_first;
static unsigned unit_failures; /* checks that failed in the test now running */

#define UNIT_TEST(NAME)                                                                      \
    static void test_##NAME(void);                                                           \
    __attribute__((constructor)) static void register_##NAME(void)                           \
    {                                                                                        \
        static struct unit_test test = { #NAME, test_##NAME, NULL };                         \
        *unit_last = &test;                                                                  \
        unit_last = &test.next;                                                              \
    }                                                                                        \
    static void test_##NAME(void)

#define CHECK(CONDITION)                                                                     \
    do {                                                                                     \
        if (!(CONDITION)) {                                                                  \
            unit_failures++;                                                                 \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #CONDITION);          \
        }                                                                                    \
    } while (0)

#define CHECK_EQ(GOT, WANTED)                                                                \
    do {                                                                                     \
        long long got_ = (long long)(GOT), wanted_ = (long long)(WANTED);                    \
        if (got_ != wanted_) {                                                               \
            unit_failures++;                                                                 \
            fprintf(stderr, "%s:%d: %s is %lld, wanted %lld\n", __FILE__, __LINE__, #GOT, got_, wanted_); \
        }                                                                                    \
    } while (0)

#define CHECK_STR(GOT, WANTED)                                                                                         \
    do {                                                                                                               \
        const char *got_ = (GOT), *wanted_ = (WANTED);                                                                 \
        if (!got_ || strcmp(got_, wanted_)) {                                                                          \
            unit_failures++;                                                                                           \
            fprintf(stderr, "%s:%d: %s is \"%s\", wanted \"%s\"\n", __FILE__, __LINE__, #GOT, got_ ? got_ : "(null)",  \
                    wanted_);                                                                                          \
        }                                                                                                              \
    } while (0)

static inline int unit_run_all(void)
{
    unsigned passed = 0, failed = 0;

    for (struct unit_test *test = unit_first; test; test = test->next) {
        unit_failures = 0;
        test->run();
        if (unit_failures)
            fprintf(stderr, "FAILED %s\n", test->name);
        unit_failures ? failed++ : passed++;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}

#define UNIT_MAIN int main(void) { return unit_run_all(); }

#endif /* UNIT_H */
