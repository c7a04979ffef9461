/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ps: shows the processes, as proc knows them. */

#include "ps.h"

#include <getopt.h>
#include <hurd.h>
#include <hurd/process.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

const char program_name[] = "ps";
const char program_help[] =
    "ps [OPTION...] [PID...]\n"
    "Shows processes: those of this session, or of all PIDs given.\n\n"
    "  -e, -A          all processes (also: ax)\n"
    "  -f              more columns: UID PID PPID PGRP SESS STAT TIME COMMAND\n"
    "  -l              more columns: with sizes and threads (also: u)\n"
    "  -o FIELD,...    these columns: pid ppid pgrp sess uid user stat nth vsz rss time comm args\n"
    "  -p PID,...      these processes\n"
    "      --no-headers\n"
    "      --help      this text\n"
    "STAT: R runs, S waits, D waits uninterruptibly, T stopped, Z has ended; s leads its session, l has several "
    "threads.\n";

enum { OPTION_NO_HEADERS = 256, OPTION_HELP };
static const struct option options[] = {
    { "no-headers", no_argument, NULL, OPTION_NO_HEADERS }, { "help", no_argument, NULL, OPTION_HELP }, { 0 },
};

struct wishes {
    bool all, headers;
    pid_t session;        /* unless `all` or given */
    pid_t *given;         /* or NULL */
    unsigned int given_count;
    const char *columns;
};

/* ---- what one process is ----------------------------------------------------------- */

static unsigned long add_time(unsigned long milliseconds, const struct procinfo *info, unsigned int threads,
                              bool with_task)
{
    if (with_task)
        milliseconds += (unsigned long)(info->taskinfo.user_time.seconds + info->taskinfo.system_time.seconds) * 1000 +
                        (unsigned long)(info->taskinfo.user_time.microseconds +
                                        info->taskinfo.system_time.microseconds) /
                            1000;
    for (unsigned int i = 0; i < threads; i++) {
        const struct thread_basic_info *thread = &info->threadinfos[i].pis_bi;
        if (!info->threadinfos[i].died)
            milliseconds += (unsigned long)(thread->user_time.seconds + thread->system_time.seconds) * 1000 +
                            (unsigned long)(thread->user_time.microseconds + thread->system_time.microseconds) / 1000;
    }
    return milliseconds;
}

static char state_letter(const struct procinfo *info, unsigned int threads)
{
    char letter = 'S';

    if (info->state & PI_ZOMBIE)
        return 'Z';
    if (info->state & PI_STOPPED)
        return 'T';
    for (unsigned int i = 0; i < threads; i++) {
        if (info->threadinfos[i].died)
            continue;
        int state = info->threadinfos[i].pis_bi.run_state;
        if (state == TH_STATE_RUNNING && info->threadinfos[i].pis_bi.suspend_count == 0)
            return 'R';
        if (state == TH_STATE_UNINTERRUPTIBLE)
            letter = 'D';
    }
    return letter;
}

/* The command line with blanks between the words; (name) when there is none to be had. */
static void fill_command(process_t proc, struct ps_process *process)
{
    char buffer[2048], *args = buffer;
    mach_msg_type_number_t length = sizeof buffer;

    process->args = process->comm = NULL;
    if (!(process->state & PI_ZOMBIE) && proc_getprocargs(proc, process->pid, &args, &length) == 0 && length > 0) {
        process->args = malloc(length + 1);
        if (process->args != NULL) {
            memcpy(process->args, args, length);
            process->args[length] = '\0';
            process->comm = strdup(process->args);
            for (mach_msg_type_number_t i = 0; i + 1 < length; i++)
                if (process->args[i] == '\0')
                    process->args[i] = ' ';
        }
        if (args != buffer)
            vm_deallocate(mach_task_self(), (vm_address_t) args, length);
    }
    if (process->args == NULL || process->args[0] == '\0') {
        free(process->args);
        process->args = strdup(process->state & PI_ZOMBIE ? "<defunct>" : "-");
    }
}

static error_t get_process(process_t proc, pid_t pid, struct ps_process *process)
{
    int buffer[1024], *raw = buffer;
    mach_msg_type_number_t count = sizeof buffer / sizeof buffer[0], wait_count = 0;
    int flags = PI_FETCH_TASKINFO | PI_FETCH_THREADS | PI_FETCH_THREAD_BASIC;
    char *waits = NULL;
    error_t err = proc_getprocinfo(proc, pid, &flags, &raw, &count, &waits, &wait_count);

    if (err)
        return err;
    const struct procinfo *info = (const struct procinfo *) raw;
    size_t bytes = count * sizeof *raw;
    unsigned int threads = 0;
    if (bytes < offsetof(struct procinfo, taskinfo))
        err = EGRATUITOUS;
    else {
        if (flags & PI_FETCH_THREADS && bytes >= sizeof *info)
            threads = (unsigned int) ((bytes - sizeof *info) / sizeof info->threadinfos[0]);
        if ((int) threads > info->nthreads)
            threads = (unsigned int) info->nthreads;
        bool task = (flags & PI_FETCH_TASKINFO) && bytes >= sizeof *info;
        *process = (struct ps_process){
            .pid = pid,
            .ppid = info->ppid,
            .pgrp = info->pgrp,
            .session = info->session,
            .owner = info->owner,
            .state = info->state,
            .threads = (unsigned int)info->nthreads,
            .letter = state_letter(info, flags & PI_FETCH_THREAD_BASIC ? threads : 0),
            .virtual_kb = task ? info->taskinfo.virtual_size / 1024 : 0,
            .resident_kb = task ? info->taskinfo.resident_size / 1024 : 0,
            .milliseconds = add_time(0, info, flags & PI_FETCH_THREAD_BASIC ? threads : 0, task),
        };
    }
    if (raw != buffer)
        vm_deallocate(mach_task_self(), (vm_address_t) raw, bytes);
    if (wait_count > 0)
        vm_deallocate(mach_task_self(), (vm_address_t) waits, wait_count);
    if (!err)
        fill_command(proc, process);
    return err;
}

/* ---- which processes ------------------------------------------------------------------- */

static pid_t parse_pid(const char *text, char **end)
{
    long pid = strtol(text, end, 10);
    if (*end == text || pid < 0 || pid > 0x7fffffff)
        usage_error("`%s' is no process id", text);
    return (pid_t) pid;
}

static void wish_pids(struct wishes *wishes, const char *list)
{
    char *end;
    do {
        pid_t pid = parse_pid(list, &end);
        wishes->given = realloc(wishes->given, (wishes->given_count + 1) * sizeof *wishes->given);
        if (wishes->given == NULL)
            fail(ENOMEM, "arguments");
        wishes->given[wishes->given_count++] = pid;
        list = end + 1;
    } while (*end == ',');
    if (*end != '\0')
        usage_error("`%s' is no process id", end);
}

/* `ps aux`: letters without a dash. */
static bool wish_letters(struct wishes *wishes, const char *word)
{
    if (word[strspn(word, "axuwlef")] != '\0')
        return false;
    if (strpbrk(word, "ax"))
        wishes->all = true;
    if (strpbrk(word, "ul"))
        wishes->columns = PS_COLUMNS_LONG;
    return true;
}

static void wishes_parse(int argc, char **argv, struct wishes *wishes)
{
    int option;

    while ((option = getopt_long(argc, argv, "eAaxflwo:p:", options, NULL)) != -1)
        switch (option) {
        case 'e': case 'A': case 'a': case 'x': wishes->all = true; break;
        case 'f': wishes->columns = PS_COLUMNS_FULL; break;
        case 'l': wishes->columns = PS_COLUMNS_LONG; break;
        case 'w': break;
        case 'o': wishes->columns = optarg; break;
        case 'p': wish_pids(wishes, optarg); break;
        case OPTION_NO_HEADERS: wishes->headers = false; break;
        case OPTION_HELP: usage_help();
        default: exit(2);
        }
    for (; optind < argc; optind++)
        if (!wish_letters(wishes, argv[optind]))
            wish_pids(wishes, argv[optind]);
}

static bool wanted(const struct wishes *wishes, const struct ps_process *process)
{
    return wishes->all || wishes->given_count > 0 || process->session == wishes->session;
}

int main(int argc, char **argv)
{
    struct wishes wishes = { .headers = true, .session = getsid(0), .columns = PS_COLUMNS_USUAL };
    process_t proc = getproc();
    mach_msg_type_number_t count;
    struct ps_column *columns;
    unsigned int column_count;
    int found = 0;

    wishes_parse(argc, argv, &wishes);
    const char *bad = ps_columns_parse(wishes.columns, &columns, &column_count);
    if (bad != NULL)
        usage_error("no such column: %s", bad);
    pidarray_t pids = wishes.given;
    count = wishes.given_count;
    if (pids == NULL) {
        error_t err = proc_getallpids(proc, &pids, &count);
        if (err)
            fail(err, "list of processes");
    }
    if (wishes.headers)
        ps_print_headers(columns, column_count);
    for (mach_msg_type_number_t i = 0; i < count; i++) {
        struct ps_process process;
        /* One that has ended meanwhile is no error. */
        if (get_process(proc, pids[i], &process) == 0 && wanted(&wishes, &process)) {
            ps_print(columns, column_count, &process);
            found++;
        }
    }
    return fflush(stdout) == 0 && found > 0 ? 0 : 1;
}
