/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The programs (hogs.h). */

#include "hogs.h"

#include "pattern.h"
#include "store.h"

struct report *report;
long hog_pages;

static bool fail(int line, long page)
{
    if (report->failed == 0) {
        report->page = page;
        report->failed = line;
    }
    return false;
}
#define MUST(COND) ((COND) ? true : fail(__LINE__, -1))
/* The pages [FIRST, LAST) of MEMORY are as GENERATION says. */
#define MUST_BE(MEMORY, FIRST, LAST, GENERATION) pages_must_be(__LINE__, MEMORY, FIRST, LAST, GENERATION)
/* Of pages in threes, those that NUMBER % 3 == WHICH. */
#define EACH_THIRD(NUMBER, WHICH, COUNT) for (long NUMBER = (WHICH); NUMBER < (COUNT); NUMBER += 3)

static bool pages_must_be(int line, const void *memory, long first, long last, unsigned int generation)
{
    long bad = pattern_check(memory, first, last, generation);
    return bad < 0 ? true : fail(line, bad);
}

static char *memory_take(long count)
{
    vm_address_t memory = 0;
    if (!MUST(vm_allocate(mach_task_self(), &memory, (vm_size_t)count * PAGE_BYTES, TRUE) == 0))
        return NULL;
    return (char *)memory;
}

static void memory_drop(char *memory, long count)
{
    MUST(vm_deallocate(mach_task_self(), (vm_address_t)memory, (vm_size_t)count * PAGE_BYTES) == 0);
}

static char *memory_filled(long count, unsigned int generation)
{
    char *memory = memory_take(count);
    for (long i = 0; memory && i < count; i++) {
        pattern_write(memory, i, generation);
        report->progress = i * 100 / count;
    }
    return memory;
}

static void end(void)
{
    __atomic_add_fetch(&report->ended, 1, __ATOMIC_SEQ_CST);
}

void hog_fill(void *argument)
{
    unsigned int generation = 1 + 2 * (unsigned int)(uintptr_t)argument;
    char *memory = memory_filled(hog_pages, generation);
    MUST_BE(memory, 0, hog_pages, generation);
    EACH_THIRD(i, 1, hog_pages)
        pattern_write(memory, i, generation + 1);
    for (int third = 2; third >= 0; third--)
        EACH_THIRD(i, third, hog_pages)
            MUST_BE(memory, i, i + 1, generation + (third == 1));
    end();
}

/* ---- copies ------------------------------------------------------------------------------------- */

static char *common; /* what parent and child have */

static void forked_child(void *unused)
{
    (void)unused;
    MUST_BE(common, 0, hog_pages, 1);
    EACH_THIRD(i, 0, hog_pages)
        pattern_write(common, i, 2);
    for (long i = 0; i < hog_pages; i++)
        MUST_BE(common, i, i + 1, i % 3 == 0 ? 2 : 1);
    end();
}

void hog_fork(void *argument)
{
    struct child child;
    (void)argument;
    common = memory_filled(hog_pages, 1);
    child_create(&child, forked_child, NULL);
    child_start(&child);
    EACH_THIRD(i, 2, hog_pages)
        pattern_write(common, i, 3);
    MUST(child_join(&child));
    for (int third = 0; third < 3; third++)
        EACH_THIRD(i, third, hog_pages)
            MUST_BE(common, i, i + 1, third == 2 ? 3 : 1);
    end();
}

static void short_child(void *argument)
{
    long from = (long)(uintptr_t)argument;
    MUST_BE(common, from, from + 20, (unsigned int)from / 20 + 2); /* written by the parent just before */
    EACH_THIRD(i, from, from + 20)
        pattern_write(common, i, 90);
    end();
}

void hog_children(void *argument)
{
    enum { CHILDREN = 40 };
    (void)argument;
    common = memory_filled(hog_pages, 1);
    for (long i = 0; i < CHILDREN; i++) {
        struct child child;
        for (long page = 20 * i; page < 20 * (i + 1); page++)
            pattern_write(common, page, (unsigned int)i + 2);
        child_create(&child, short_child, (void *)(uintptr_t)(20 * i));
        child_start(&child);
        for (long page = hog_pages - 10 * (i + 1); page < hog_pages - 10 * i; page++)
            pattern_write(common, page, (unsigned int)i + 2);
        MUST(child_join(&child));
    }
    for (long i = 0; i < CHILDREN; i++) {
        MUST_BE(common, 20 * i, 20 * (i + 1), (unsigned int)i + 2);
        MUST_BE(common, hog_pages - 10 * (i + 1), hog_pages - 10 * i, (unsigned int)i + 2);
    }
    MUST_BE(common, 20 * CHILDREN, hog_pages - 10 * CHILDREN, 1);
    end();
}

/* Generation N writes the pages whose number is N modulo GENERATIONS. */
void hog_generations(void *argument)
{
    long left = (long)(uintptr_t)argument, own = GENERATIONS - left;
    if (own == 0)
        common = memory_filled(hog_pages, 1);
    for (long i = own; i < hog_pages; i += GENERATIONS)
        pattern_write(common, i, (unsigned int)own + 2);
    if (left > 1) {
        struct child child;
        child_create(&child, hog_generations, (void *)(uintptr_t)(left - 1));
        child_start(&child);
        for (long i = 0; i < hog_pages; i += 2 * GENERATIONS)
            pattern_write(common, i, 80); /* which the child does not see */
    } else {
        for (long i = 0; i < hog_pages; i++)
            MUST_BE(common, i, i + 1, (unsigned int)(i % GENERATIONS) + 2);
    }
    end();
}

/* ---- shared memory ----------------------------------------------------------------------------- */

static void sharing_child(void *unused)
{
    (void)unused;
    EACH_THIRD(i, 0, hog_pages / 2)
        pattern_write(common, i, 2);
    end();
}

static char *copy_of(const char *memory, long count)
{
    vm_offset_t data = 0;
    mach_msg_type_number_t size = 0;
    if (!MUST(vm_read(mach_task_self(), (vm_address_t)memory, (vm_size_t)count * PAGE_BYTES, &data, &size) == 0))
        return NULL;
    MUST(size == (mach_msg_type_number_t)(count * PAGE_BYTES));
    return (char *)data;
}

void hog_share(void *argument)
{
    struct child child;
    long half = hog_pages / 2;
    (void)argument;
    common = memory_filled(half, 1);
    MUST(vm_inherit(mach_task_self(), (vm_address_t)common, (vm_size_t)half * PAGE_BYTES, VM_INHERIT_SHARE) == 0);
    child_create(&child, sharing_child, NULL);
    char *before = copy_of(common, half);
    child_start(&child);
    MUST(child_join(&child));
    char *after = copy_of(common, half);
    for (long i = 0; i < half; i++)
        pattern_write(common, i, 3);
    char *last = copy_of(common, half);
    MUST_BE(before, 0, half, 1);
    for (long i = 0; i < half; i++)
        MUST_BE(after, i, i + 1, i % 3 == 0 ? 2 : 1);
    MUST_BE(common, 0, half, 3);
    MUST_BE(last, 0, half, 3);
    memory_drop(before, half);
    MUST_BE(last, 0, half, 3);
    memory_drop(last, half);
    memory_drop(after, half);
    memory_drop(common, half);
    end();
}

/* ---- operations on memory that is out ----------------------------------------------------------- */

/* Pushes whatever else this task has out of memory. */
static void others_push_out(void)
{
    char *memory = memory_filled(hog_pages, 50);
    memory_drop(memory, hog_pages);
}

static void memory_send(mach_port_t port, char *memory, long count, bool deallocate)
{
    struct {
        mach_msg_header_t header;
        mach_msg_type_long_t type;
        char *data;
    } message = {.header = {.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0) | MACH_MSGH_BITS_COMPLEX,
                            .msgh_size = sizeof message,
                            .msgh_remote_port = port},
                 .type = {.msgtl_header = {.msgt_longform = 1, .msgt_inline = 0, .msgt_deallocate = deallocate},
                          .msgtl_name = MACH_MSG_TYPE_BYTE,
                          .msgtl_size = 8,
                          .msgtl_number = (natural_t)(count * PAGE_BYTES)},
                 .data = memory};
    MUST(mach_msg(&message.header, MACH_SEND_MSG | MACH_SEND_TIMEOUT, sizeof message, 0, MACH_PORT_NULL, 0,
                  MACH_PORT_NULL) == 0);
}

static char *memory_receive(mach_port_t port)
{
    char *memory = NULL;
    if (MUST(receive_within(port, 0) == 0))
        memcpy(&memory, (char *)(received() + 1) + sizeof(mach_msg_type_long_t), sizeof memory);
    return memory;
}

static void sent_and_received(char *memory, long count)
{
    mach_port_t port = port_create();
    memory_send(port, memory, count, false);
    memory_send(port, memory, count, true);
    others_push_out();
    for (int i = 0; i < 2; i++) {
        char *got = memory_receive(port);
        MUST_BE(got, 0, count, 1);
        memory_drop(got, count);
    }
    port_destroy(port);
}

void hog_map(void *argument)
{
    enum { PART = 200 };
    const vm_size_t bytes = (vm_size_t)PART * PAGE_BYTES;
    mach_port_t self = mach_task_self();
    (void)argument;
    char *memory[6];
    for (int i = 0; i < 6; i++)
        memory[i] = memory_filled(PART, 1);
    others_push_out();
    MUST(vm_wire(host_priv, self, (vm_address_t)memory[0], bytes, VM_PROT_READ | VM_PROT_WRITE) == 0);
    MUST_BE(memory[0], 0, PART, 1);
    MUST(vm_wire(host_priv, self, (vm_address_t)memory[0], bytes, VM_PROT_NONE) == 0);
    vm_address_t middle = (vm_address_t)memory[1] + 50 * PAGE_BYTES;
    MUST(vm_deallocate(self, middle, 50 * PAGE_BYTES) == 0 && vm_allocate(self, &middle, 50 * PAGE_BYTES, FALSE) == 0);
    for (long i = 50 * PAGE_WORDS; i < 100 * PAGE_WORDS; i++)
        if (((volatile uint64_t *)memory[1])[i] && !MUST(false))
            break;
    MUST_BE(memory[1], 0, 50, 1);
    MUST_BE(memory[1], 100, PART, 1);
    MUST(vm_protect(self, (vm_address_t)memory[2], bytes, FALSE, VM_PROT_READ) == 0);
    MUST_BE(memory[2], 0, PART, 1);
    MUST(vm_write(self, (vm_address_t)memory[3] + 10 * PAGE_BYTES, (vm_address_t)memory[2] + 10 * PAGE_BYTES,
                  20 * PAGE_BYTES) == 0);
    MUST(vm_copy(self, (vm_address_t)memory[2], bytes, (vm_address_t)memory[4]) == 0);
    MUST_BE(memory[3], 0, PART, 1);
    MUST_BE(memory[4], 0, PART, 1);
    sent_and_received(memory[5], PART);
    for (int i = 0; i < 5; i++)
        memory_drop(memory[i], PART);
    end();
}

/* ---- those that wait ------------------------------------------------------------------------------ */

void hog_wait(void *argument)
{
    (void)argument;
    char *memory = memory_filled(hog_pages, 1);
    report->progress = 100;
    while (!report->go)
        pause_ms(10);
    MUST_BE(memory, 0, hog_pages, 1);
    end();
}

void hog_forgotten(void *argument)
{
    (void)argument;
    long zeros = 0;
    char *memory = memory_filled(hog_pages, 1);
    report->progress = 100;
    while (!report->go)
        pause_ms(10);
    for (long i = 0; i < hog_pages; i++) {
        if (*(volatile uint64_t *)(memory + i * PAGE_BYTES))
            MUST_BE(memory, i, i + 1, 1);
        else
            zeros++;
    }
    MUST(zeros > hog_pages / 3);
    end();
}
