/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The debugger's prompt and commands.  A command is a line of words; input is polled, since interrupts are off. */

#include "debugger.h"

#include "../arch/x86_64/layout.h"
#include "../arch/x86_64/machine.h"
#include "../device/console.h"
#include "../device/interrupt.h"
#include "../task/task.h"
#include "../vm/page.h"
#include "dump.h"
#include "symbols.h"

#define LINE_SIZE 80

bool debugger_enabled;

static bool go_on;

static bool number_read(const char *text, uint64_t *number)
{
    *number = 0;
    if (text[0] == '0' && text[1] == 'x')
        text += 2;
    if (*text == 0)
        return false;
    for (; *text; text++) {
        unsigned int digit = *text <= '9' ? (unsigned int)(*text - '0') : (unsigned int)((*text | 32) - 'a') + 10;
        if (digit > 15)
            return false;
        *number = *number * 16 + digit;
    }
    return true;
}

/* ---- the commands: each gets the word behind its name, or "" --------------------------------------------- */

static void for_task(const char *word, void (*show)(struct task *task))
{
    struct task *task = dump_task_lookup(word);
    if (task)
        show(task);
    else
        kprintf("no such task: say its number, name or address, as \"tasks\" shows them\n");
}

static void command_tasks(const char *word)
{
    (void)word;
    dump_tasks();
}

static void command_threads(const char *word)
{
    if (*word) {
        for_task(word, dump_task);
        return;
    }
    list_for_each(link, &all_tasks)
        dump_task(list_entry(link, struct task, all_link));
}

static void command_thread(const char *word)
{
    uint64_t address;
    struct thread *thread = number_read(word, &address) ? dump_thread_lookup(address) : NULL;
    if (thread)
        dump_thread(thread);
    else
        kprintf("no such thread: say its address, as \"threads\" shows it\n");
}

static void command_ports(const char *word)
{
    for_task(word, dump_ports);
}

static void command_map(const char *word)
{
    for_task(word, dump_map);
}

static void command_pages(const char *word)
{
    (void)word;
    dump_memory();
    dump_caches();
}

static void command_interrupts(const char *word)
{
    (void)word;
    interrupt_dump();
}

/* Eight words of the kernel's image or of physical memory seen through the direct map; user memory is not looked at. */
static void command_memory(const char *word)
{
    uint64_t address;
    bool there = number_read(word, &address) && address % 8 == 0 &&
                 ((address >= DIRECT_MAP && address - DIRECT_MAP < page_limit - 64) ||
                  symbol_lookup(address, &(uint64_t){0}));
    for (unsigned int i = 0; there && i < 8; i++)
        kprintf("%s%016lx%s", i % 4 ? " " : "  ", ((const uint64_t *)address)[i], i % 4 == 3 ? "\n" : "");
    if (!there)
        kprintf("no such kernel address, or no multiple of 8\n");
}

static void command_here(const char *word)
{
    (void)word;
    backtrace_print(__builtin_frame_address(0));
}

static void command_continue(const char *word)
{
    (void)word;
    go_on = true;
}

static void command_panic(const char *word)
{
    panic("asked for by the debugger%s%s", *word ? ": " : "", word);
}

/* Calls itself until the stack is full, for a test of what happens then. */
static __attribute__((noinline)) uint64_t stack_use(uint64_t depth)
{
    volatile uint64_t room[32] = {depth};
    return depth == UINT64_MAX ? room[0] : stack_use(depth + 1) + room[0];
}

static void command_overflow(const char *word)
{
    (void)word;
    kprintf("%lu\n", stack_use(0));
}

static void command_reboot(const char *word)
{
    (void)word;
    machine_halt(0);
}

static void command_halt(const char *word)
{
    (void)word;
    machine_halt(8);
}

static void command_help(const char *word);

static const struct {
    const char *name, *help;
    void (*run)(const char *word);
} commands[] = {
    {"tasks", "every task", command_tasks},
    {"threads", "[TASK]  its threads, or all: what each does or waits for", command_threads},
    {"thread", "ADDRESS  and the calls on its kernel stack", command_thread},
    {"ports", "TASK  its names and their ports", command_ports},
    {"map", "TASK  its memory", command_map},
    {"pages", "physical memory and the kernel's objects", command_pages},
    {"interrupts", "who hears of them, and how many came", command_interrupts},
    {"memory", "ADDRESS  eight words of the kernel's memory", command_memory},
    {"here", "the calls that led here", command_here},
    {"continue", "lets the system go on", command_continue},
    {"panic", "[WORDS]  stops the system as an error of the kernel's does", command_panic},
    {"overflow", "uses up the kernel stack of the thread that runs, to see what happens", command_overflow},
    {"reboot", "", command_reboot},
    {"halt", "", command_halt},
    {"help", "", command_help},
};

static void command_help(const char *word)
{
    (void)word;
    for (size_t i = 0; i < countof(commands); i++)
        kprintf("  %-11s %s\n", commands[i].name, commands[i].help);
}

/* ---- the prompt ----------------------------------------------------------------------------------------------- */

static void line_read(char *line)
{
    size_t length = 0;
    for (;;) {
        int c = console_poll();
        if (c < 0)
            continue;
        if (c == '\r' || c == '\n')
            break;
        if ((c == 8 || c == 127) && length > 0) {
            length--;
            kprintf("\b \b");
        } else if (c >= ' ' && c < 127 && length < LINE_SIZE - 1) {
            line[length++] = (char)c;
            kprintf("%c", c);
        }
    }
    line[length] = 0;
    kprintf("\n");
}

static void command_run(char *line)
{
    char *word = line;
    while (*word && *word != ' ')
        word++;
    if (*word)
        *word++ = 0;
    while (*word == ' ')
        word++;
    for (size_t i = 0; i < countof(commands); i++)
        if (strcmp(commands[i].name, line) == 0) {
            commands[i].run(word);
            return;
        }
    if (*line)
        kprintf("no such command; \"help\" lists them\n");
}

void debugger_enter(const char *why)
{
    char line[LINE_SIZE];
    kprintf("\nkernel debugger: %s (\"help\" lists the commands)\n", why);
    go_on = false;
    while (!go_on) {
        kprintf("kdb> ");
        line_read(line);
        command_run(line);
    }
}
