/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot script: the lines of the boot modules, with variables and functions (seeds/bootstrap.txt, "State at the
   beginning"; Mach manual, "Modules").  Pure: it knows no task and no port, so that it runs in a unit test and a fuzzer
   on the host.

       line      = word*                       separated by blanks; the first is the program's name (argv[0])
       word      = (text | '${' name '}')*     an argument; what is substituted stays in this word, blanks and all
                 | '$(' [name '='] function ')' a function call, no argument
       function  = task-create | task-resume | prompt-task-resume | ramdisk-create

   task-create makes the module's task, and stores it in the variable that is assigned; task-resume lets it run;
   prompt-task-resume does so after a key; ramdisk-create turns the module into a disk instead, and stores its name
   ("rd0").

   Variables: strings (kernel-command-line, and every name=value word of the kernel's line) and ports (host-port,
   device-port, kernel-task, tasks); a port is substituted by the name it gets in the module's task. */

#ifndef BOOT_SCRIPT_H
#define BOOT_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

enum script_function { SCRIPT_TASK_CREATE, SCRIPT_TASK_RESUME, SCRIPT_PROMPT_TASK_RESUME, SCRIPT_RAMDISK_CREATE };

/* What the owner of the tasks does for the script. */
struct script_actions {
    /* Function FUNCTION of module MODULE; for an assignment, NAME (LENGTH characters) is to become a variable; else
       LENGTH 0.  NULL, or why it failed (a constant string). */
    const char *(*call)(void *cookie, unsigned int module, enum script_function function, const char *name,
                        size_t length);
    /* The text of variable NAME for MODULE into TO (SIZE bytes with the NUL); gives the length it has or would have, or
       -1: no such variable. */
    int (*variable)(void *cookie, unsigned int module, const char *name, size_t length, char *to, size_t size);
};

struct script_error {
    unsigned int module, column; /* from 0; column from 1 */
    const char *reason;
};

/* The passes, over all lines, in this order: the functions that create, then the arguments, then those that resume. */
enum script_pass { SCRIPT_CREATE, SCRIPT_RESUME };

/* Calls the functions of LINE that belong to PASS.  False: *ERROR says why. */
bool script_run(const char *line, unsigned int module, enum script_pass pass, const struct script_actions *actions,
                void *cookie, struct script_error *error);

/* Writes LINE's arguments, each with a NUL behind it, to TO.  *COUNT arguments, *USED bytes.  False: *ERROR. */
bool script_arguments(const char *line, unsigned int module, const struct script_actions *actions, void *cookie,
                      char *to, size_t size, unsigned int *count, size_t *used, struct script_error *error);

/* The value of NAME=value among the blank-separated WORDS: its start, or NULL; *VALUE_LENGTH characters. */
const char *script_word_value(const char *words, const char *name, size_t length, size_t *value_length);

#endif
