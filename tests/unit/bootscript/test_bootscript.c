/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot script: the seed's own lines, every function, and every error with its module and column. */

#include "../../../kernel/boot/script.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

struct calls {
    char log[512];
    unsigned int ports; /* names given so far, as a task's space counts them */
    bool refuse;
};

static const char *call(void *cookie, unsigned int module, enum script_function function, const char *name,
                        size_t length)
{
    static const char *const names[] = {"create", "resume", "prompt", "ramdisk"};
    struct calls *calls = cookie;
    size_t used = strlen(calls->log);
    snprintf(calls->log + used, sizeof calls->log - used, "%s%u:%s", used ? " " : "", module, names[function]);
    if (length)
        snprintf(calls->log + strlen(calls->log), sizeof calls->log - strlen(calls->log), "=%.*s", (int)length, name);
    return calls->refuse ? "no memory" : NULL;
}

static int variable(void *cookie, unsigned int module, const char *name, size_t length, char *to, size_t size)
{
    struct calls *calls = cookie;
    (void)module;
    char text[64] = "";
    if (length == 4 && !memcmp(name, "root", 4))
        snprintf(text, sizeof text, "device:hd1");
    else if (length == 19 && !memcmp(name, "kernel-command-line", 19))
        snprintf(text, sizeof text, "root=device:hd1 console=com0");
    else if (length >= 4 && (!memcmp(name + length - 4, "port", 4) || !memcmp(name + length - 4, "task", 4)))
        snprintf(text, sizeof text, "%u", ++calls->ports);
    else
        return -1;
    if (strlen(text) < size)
        memcpy(to, text, strlen(text));
    return (int)strlen(text);
}

static const struct script_actions actions = {call, variable};

/* The arguments joined by "|"; or the error as "column reason". */
static const char *arguments(const char *line, size_t room)
{
    static char joined[600], buffer[512];
    struct calls calls = {"", 0, false};
    struct script_error error;
    unsigned int count;
    size_t used;
    if (!script_arguments(line, 0, &actions, &calls, buffer, room, &count, &used, &error)) {
        snprintf(joined, sizeof joined, "%u %s", error.column, error.reason);
        return joined;
    }
    joined[0] = 0;
    for (size_t at = 0; count > 0; count--, at += strlen(buffer + at) + 1)
        snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%s", joined[0] ? "|" : "", buffer + at);
    return joined;
}

static const char *run(const char *line, enum script_pass pass, bool refuse)
{
    static struct calls calls;
    static char text[300];
    struct script_error error;
    calls = (struct calls){"", 0, refuse};
    if (script_run(line, 3, pass, &actions, &calls, &error))
        return calls.log;
    snprintf(text, sizeof text, "%u.%u %s", error.module, error.column, error.reason);
    return text;
}

UNIT_TEST(seed_lines)
{
    const char
        *ext2fs = "ext2fs --readonly --multiboot-command-line=${kernel-command-line} --host-priv-port=${host-port} "
                  "--device-master-port=${device-port} --exec-server-task=${exec-task} -T typed ${root} $(task-create) "
                  "$(task-resume)";
    const char *exec = "exec /hurd/exec $(exec-task=task-create)";
    CHECK_STR(arguments(ext2fs, 512),
              "ext2fs|--readonly|--multiboot-command-line=root=device:hd1 console=com0|--host-priv-port=1|"
              "--device-master-port=2|--exec-server-task=3|-T|typed|device:hd1");
    CHECK_STR(arguments(exec, 512), "exec|/hurd/exec");
    CHECK_STR(run(ext2fs, SCRIPT_CREATE, false), "3:create");
    CHECK_STR(run(ext2fs, SCRIPT_RESUME, false), "3:resume");
    CHECK_STR(run(exec, SCRIPT_CREATE, false), "3:create=exec-task");
    CHECK_STR(run(exec, SCRIPT_RESUME, false), "");
}

UNIT_TEST(functions)
{
    CHECK_STR(run("root.img $(disk=ramdisk-create)", SCRIPT_CREATE, false), "3:ramdisk=disk");
    CHECK_STR(run("a $(prompt-task-resume)", SCRIPT_RESUME, false), "3:prompt");
    CHECK_STR(run("a $(prompt-task-resume)", SCRIPT_CREATE, false), "");
    CHECK_STR(arguments("  a\t b$(task-create)c  ", 512), "a|bc");
    CHECK_STR(arguments("", 512), "");
    CHECK_STR(arguments("cost $5 $", 512), "cost|$5|$");
}

UNIT_TEST(errors)
{
    CHECK_STR(run("a $(task-destroy)", SCRIPT_CREATE, false), "3.5 no such function");
    CHECK_STR(run("a $(x=task-destroy)", SCRIPT_RESUME, false), "3.7 no such function");
    CHECK_STR(run("a $(=task-create)", SCRIPT_CREATE, false), "3.5 an assignment without a name");
    CHECK_STR(run("a $(task-create", SCRIPT_CREATE, false), "3.3 no closing parenthesis");
    CHECK_STR(run("a $(task create)", SCRIPT_CREATE, false), "3.3 no closing parenthesis");
    CHECK_STR(run("a $(task-create)", SCRIPT_CREATE, true), "3.3 no memory");
    CHECK_STR(run("a $(x=task-resume)", SCRIPT_CREATE, false), "3.3 the function has no result to assign");
    CHECK_STR(run("a $()", SCRIPT_CREATE, false), "3.5 no such function");
    CHECK_STR(arguments("a ${nothing}", 512), "3 no such variable");
    CHECK_STR(arguments("a ${root", 512), "3 no closing brace");
    CHECK_STR(arguments("a $(task-create", 512), "3 no closing parenthesis");
    CHECK_STR(arguments("abcdef", 4), "5 the arguments are too long");
    CHECK_STR(arguments("abcd", 4), "5 the arguments are too long");
    CHECK_STR(arguments("a ${root}", 8), "3 the arguments are too long");
}

UNIT_TEST(words)
{
    size_t length;
    const char *line = " root=part:1:device:wd0 console=com0 x= rootx=1";
    CHECK(script_word_value(line, "root", 4, &length) != NULL && length == 17);
    CHECK(!strncmp(script_word_value(line, "console", 7, &length), "com0", 4) && length == 4);
    CHECK(script_word_value(line, "x", 1, &length) != NULL && length == 0);
    CHECK(script_word_value(line, "nothing", 7, &length) == NULL);
    CHECK(script_word_value(line, "roo", 3, &length) == NULL);
}

UNIT_MAIN
