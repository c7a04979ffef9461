/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What page faults leave behind: a kernel may map more than was touched, give a child what its parent has mapped, move
   a page instead of copying it. None of it may be seen but by its speed. */

#include <cpuid.h>

#include "memory_help.h"
#include "objects.h"

#define SELF mach_task_self()
#define RW (VM_PROT_READ | VM_PROT_WRITE)

/* An object of COUNT pages that are all there, full of FILL, FILL + 1, …; only the first was touched. */
static char *object_resident(struct object *object, unsigned int count, char fill, vm_prot_t lock)
{
    struct toucher toucher;
    char *at = object_map(object, 0, count * PAGE, false, MEMORY_OBJECT_COPY_DELAY);
    touch_start(&toucher, at, false, 0);
    object_request_expect(object, 0);
    object_supply(object, 0, count, fill, lock, false, false);
    EXPECT(touch_end(&toucher), 0);
    EXPECT(toucher.value, fill);
    return at;
}

static void object_leave(struct object *object, char *at, unsigned int count)
{
    pages_drop(at, count);
    object_terminate_expect(object);
}

CASE(flush_of_a_page_beside)
{
    struct object object;
    char *at = object_resident(&object, 8, 20, VM_PROT_NONE);
    char value;
    EXPECT(touch_read(at + PAGE, &value), 0);
    EXPECT(value, 21);
    EXPECT(object_lock(&object, 3 * PAGE, PAGE, MEMORY_OBJECT_RETURN_NONE, true, VM_PROT_NO_CHANGE), KERN_SUCCESS);
    EXPECT(pager_receive(object.replies, LONG_WAIT).id, MSG_LOCKED);
    object_fill(&object, at + 3 * PAGE, 3 * PAGE, 50, VM_PROT_NONE, false);
    for (unsigned int i = 0; i < 8; i++)
        EXPECT(at[i * PAGE], i == 3 ? 50 : 20 + (int)i);
    object_leave(&object, at, 8);
}

CASE(write_to_a_page_beside_that_is_locked)
{
    struct object object;
    struct toucher toucher;
    char *at = object_resident(&object, 4, 20, VM_PROT_WRITE);
    EXPECT(touch_read(at + PAGE, NULL), 0);
    touch_start(&toucher, at + 2 * PAGE, true, 9);
    struct pager_message message = object_receive(&object, LONG_WAIT, NULL);
    EXPECT(message.id, MSG_UNLOCK);
    message_observe(&message);
    EXPECT(object_lock(&object, 2 * PAGE, PAGE, MEMORY_OBJECT_RETURN_NONE, false, VM_PROT_NONE), KERN_SUCCESS);
    EXPECT(touch_end(&toucher), 0);
    EXPECT(at[2 * PAGE], 9);
    EXPECT(at[3 * PAGE], 23);
    object_leave(&object, at, 4);
}

CASE(changed_page_among_those_beside)
{
    struct object object;
    char *at = object_resident(&object, 8, 20, VM_PROT_NONE);
    char data = 0;
    EXPECT(touch_read(at + PAGE, NULL), 0);
    EXPECT(touch_write(at + 5 * PAGE, 77), 0);
    EXPECT(object_lock(&object, 0, 8 * PAGE, MEMORY_OBJECT_RETURN_DIRTY, false, VM_PROT_NO_CHANGE), KERN_SUCCESS);
    struct pager_message message = object_receive(&object, LONG_WAIT, &data);
    EXPECT(message.id, MSG_RETURN);
    EXPECT(message.item[1].value, 5 * PAGE);
    EXPECT(message.item[2].number, PAGE);
    EXPECT(data, 77);
    EXPECT(pager_receive(object.replies, LONG_WAIT).id, MSG_LOCKED);
    object_leave(&object, at, 8);
}

/* A private copy shows its own pages beside the object's. */
CASE(own_page_beside)
{
    struct object object;
    char *at = object_resident(&object, 4, 20, VM_PROT_NONE), *copy;
    REQUIRE(object_map_more(&object, 0, 4 * PAGE, true, RW, &copy), KERN_SUCCESS);
    copy[2 * PAGE] = 90;
    EXPECT(vm_protect(SELF, (vm_address_t)copy, 4 * PAGE, FALSE, VM_PROT_NONE), KERN_SUCCESS);
    EXPECT(vm_protect(SELF, (vm_address_t)copy, 4 * PAGE, FALSE, RW), KERN_SUCCESS);
    for (unsigned int i = 0; i < 4; i++)
        EXPECT(copy[i * PAGE], i == 2 ? 90 : 20 + (int)i);
    copy[PAGE] = 91;
    EXPECT(copy[PAGE], 91);
    EXPECT(at[PAGE], 21);
    EXPECT(at[2 * PAGE], 22);
    pages_drop(copy, 4);
    object_leave(&object, at, 4);
}

/* A copy that alone is left of the object's mappings, and is written. */
CASE(write_to_the_only_copy)
{
    struct object object;
    char *at = object_resident(&object, 2, 20, VM_PROT_NONE), *copy;
    REQUIRE(object_map_more(&object, 0, 2 * PAGE, true, RW, &copy), KERN_SUCCESS);
    pages_drop(at, 2);
    EXPECT(touch_write(copy + PAGE, 90), 0);
    EXPECT(copy[0], 20);
    EXPECT(copy[PAGE], 90);
    EXPECT(copy[PAGE + 1], 21);
    pages_drop(copy, 2);
    object_terminate_expect(&object);
}

/* What a child reads, for which its parent had faulted. */
struct child_reads {
    const char *at[2];
    volatile char value[2], done;
};
STUB(
    stub_read_two,
    "mov (%rdi), %rax\n mov (%rax), %cl\n mov %cl, 16(%rdi)\n mov 8(%rdi), %rax\n mov (%rax), %cl\n mov %cl, 17(%rdi)\n"
    "movb $1, 18(%rdi)\n 1: pause\n jmp 1b");

CASE(child_reads_what_the_parent_had_mapped)
{
    struct object object;
    mach_port_t task;
    struct bare bare;
    char *at = object_resident(&object, 4, 20, VM_PROT_NONE), *copy;
    struct child_reads *reads = (struct child_reads *)pages(1);
    REQUIRE(vm_inherit(SELF, (vm_address_t)reads, PAGE, VM_INHERIT_SHARE), KERN_SUCCESS);
    REQUIRE(object_map_more(&object, 0, 4 * PAGE, true, RW, &copy), KERN_SUCCESS);
    for (unsigned int i = 0; i < 4; i++)
        EXPECT(copy[i * PAGE], 20 + (int)i);
    reads->at[0] = copy + PAGE;
    reads->at[1] = copy + 2 * PAGE;
    REQUIRE(task_create(SELF, TRUE, &task), KERN_SUCCESS);
    copy[PAGE] = 90;
    at[2 * PAGE] = 91; /* neither is the child's */
    bare_create(&bare, task, stub_read_two, (long)reads);
    EXPECT(thread_resume(bare.thread), KERN_SUCCESS);
    WAIT_FOR(reads->done);
    EXPECT(reads->value[0], 21);
    EXPECT(reads->value[1], 22);
    EXPECT(copy[PAGE], 90);
    EXPECT(copy[2 * PAGE], 22);
    EXPECT(task_terminate(task), KERN_SUCCESS);
    mach_port_deallocate(SELF, bare.thread);
    mach_port_deallocate(SELF, task);
    pages_drop(reads, 1);
    pages_drop(copy, 4);
    object_leave(&object, at, 4);
}

/* Generations of children that each have pages of their own, and the parent's pages in between. */
CASE(copies_of_copies)
{
    enum { COUNT = 8 };
    char *at = pages(COUNT);
    vm_offset_t copies[4];
    mach_msg_type_number_t size;
    memset(at, 1, COUNT * PAGE);
    for (unsigned int i = 0; i < 4; i++) {
        REQUIRE(vm_read(SELF, (vm_address_t)at, COUNT * PAGE, &copies[i], &size), KERN_SUCCESS);
        at[i * PAGE] = (char)(10 + i);
        ((char *)copies[i])[(i + 4) * PAGE] = (char)(20 + i);
    }
    for (unsigned int i = 0; i < 4; i++) {
        const char *copy = (char *)copies[i];
        for (unsigned int page = 0; page < COUNT; page++)
            EXPECT(copy[page * PAGE], page < i ? 10 + (int)page : page == i + 4 ? 20 + (int)i : 1);
        if (i % 2 == 0)
            pages_drop(copy, COUNT);
    }
    for (unsigned int page = 0; page < COUNT; page++) {
        EXPECT(at[page * PAGE], page < 4 ? 10 + (int)page : 1);
        at[page * PAGE] = (char)(50 + page);
    }
    for (unsigned int i = 1; i < 4; i += 2) {
        EXPECT(((char *)copies[i])[0], 10);
        EXPECT(((char *)copies[i])[7 * PAGE], i == 3 ? 23 : 1);
        pages_drop((char *)copies[i], COUNT);
    }
    pages_drop(at, COUNT);
}

/* The first is cleared and the second copied while the vector registers hold something. */
CASE(vector_registers)
{
    unsigned int eax, ebx, ecx = 0, edx;
    char *at = pages(2);
    vm_offset_t copy;
    mach_msg_type_number_t size;
    static unsigned char before[64] __attribute__((aligned(32))), after[64] __attribute__((aligned(32)));
    for (unsigned int i = 0; i < sizeof before; i++)
        before[i] = (unsigned char)(3 * i + 1);
    at[PAGE] = 5;
    REQUIRE(vm_read(SELF, (vm_address_t)at + PAGE, PAGE, &copy, &size), KERN_SUCCESS);
    __get_cpuid(1, &eax, &ebx, &ecx, &edx);
    if (ecx & bit_AVX) {
        __asm__ volatile("vmovdqu (%0), %%ymm0\n vmovdqu 32(%0), %%ymm1\n movb $1, (%2)\n movb $1, 4096(%2)\n"
                         "vmovdqu %%ymm0, (%1)\n vmovdqu %%ymm1, 32(%1)\n vzeroupper"
                         : : "r"(before), "r"(after), "r"(at) : "memory", "xmm0", "xmm1");
        CHECK(memcmp(before, after, 64) == 0);
    } else {
        __asm__ volatile("movdqu (%0), %%xmm0\n movdqu 16(%0), %%xmm1\n movb $1, (%2)\n movb $1, 4096(%2)\n"
                         "movdqu %%xmm0, (%1)\n movdqu %%xmm1, 16(%1)"
                         : : "r"(before), "r"(after), "r"(at) : "memory", "xmm0", "xmm1");
        CHECK(memcmp(before, after, 32) == 0);
    }
    for (unsigned int i = 0; i < PAGE; i++)
        if (at[i] != (i == 0) || at[PAGE + i] != (i == 0))
            CHECK(at[i] == (i == 0) && at[PAGE + i] == (i == 0));
    EXPECT(*(char *)copy, 5);
    pages_drop((char *)copy, 1);
    pages_drop(at, 2);
}
