/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module's main program: runs the cases one after the other and writes the transcript (frame.h).

   Arguments: --host-priv-port=N --device-master-port=N --kernel=gnumach|quadrille [--from=N] [WORD...]
   Runs the cases whose `subject/name` contains one of the WORDs (all without words), from the Nth on.  The lines:

       @ N subject/name kind        a case begins
         text = value               what it observed
       ! file:line: text            it fails
       # text                       a remark
       . N                          it has ended
       N passed, N failed           all have  */

#include "frame.h"

#include <device/device.h>
#include <stdarg.h>

#include "thread_start.h"

extern const struct conformance_case *__start_cases[], *__stop_cases[];

mach_port_t host_priv, device_master;
bool on_quadrille;

static mach_port_t console;
static unsigned int problems;       /* of the running case */
static mach_port_t worker_done;     /* gets a message when the worker has finished a case */
static mach_port_t exceptions;      /* this task's exception port */
static const struct conformance_case *current;
static struct helper worker;

/* ---- the transcript --------------------------------------------------------------------------- */

static void line_write(const char *text, size_t length)
{
    while (length) {
        int wrote = 0;
        if (device_write_inband(console, 0, 0, text, length > 120 ? 120 : length, &wrote) || wrote <= 0)
            return;
        text += wrote;
        length -= wrote;
    }
}

static void say(char mark, const char *format, va_list arguments)
{
    char line[320] = {mark, ' '};
    int length = vsnprintf(line + 2, sizeof line - 3, format, arguments);
    if (length > (int)sizeof line - 4)
        length = sizeof line - 4;
    line[length + 2] = '\n';
    line_write(line, length + 3);
}

__attribute__((format(printf, 2, 3))) static void tell(char mark, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(mark, format, arguments);
    va_end(arguments);
}

void remark(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say('#', format, arguments);
    va_end(arguments);
}

void observe(const char *name, long value)
{
    tell(' ', "%s = %ld", name, value);
}

static const char *base_name(const char *file)
{
    const char *slash = strrchr(file, '/');
    return slash ? slash + 1 : file;
}

bool check(const char *file, int line, const char *text, bool holds)
{
    if (!holds) {
        problems++;
        tell('!', "%s:%d: %s", base_name(file), line, text);
    }
    return holds;
}

bool expect(const char *file, int line, const char *text, long value, long wanted)
{
    observe(text, value);
    if (value != wanted) {
        problems++;
        tell('!', "%s:%d: %s is %ld (%#lx), not %ld (%#lx)", base_name(file), line, text, value, value, wanted, wanted);
    }
    return value == wanted;
}

/* ---- what is there before and after a case --------------------------------------------------------- */

struct figures {
    unsigned int names;
    unsigned int threads;
    unsigned int tasks;
};

static void send_rights_drop(mach_port_t *names, mach_msg_type_number_t count)
{
    for (mach_msg_type_number_t i = 0; i < count; i++)
        mach_port_deallocate(mach_task_self(), names[i]);
    vm_deallocate(mach_task_self(), (vm_address_t)names, count * sizeof *names);
}

static unsigned int threads_count(void)
{
    mach_port_t *threads;
    mach_msg_type_number_t count = 0;
    if (task_threads(mach_task_self(), &threads, &count))
        return 0;
    send_rights_drop(threads, count);
    return count;
}

static unsigned int tasks_count(void)
{
    mach_port_t set, control, *tasks;
    mach_msg_type_number_t count = 0;
    if (processor_set_default(host_priv, &set))
        return 0;
    if (host_processor_set_priv(host_priv, set, &control) == 0) {
        if (processor_set_tasks(control, &tasks, &count) == 0)
            send_rights_drop(tasks, count);
        mach_port_deallocate(mach_task_self(), control);
    }
    mach_port_deallocate(mach_task_self(), set);
    return count;
}

static struct figures figures_take(void)
{
    return (struct figures){port_names(), threads_count(), tasks_count()};
}

static bool figures_agree(struct figures a, struct figures b)
{
    return a.names == b.names && a.threads == b.threads && a.tasks == b.tasks;
}

static bool figures_are(void *before)
{
    return figures_agree(*(struct figures *)before, figures_take());
}

static void figures_compare(struct figures before)
{
    if (!settle(figures_are, &before, 1000)) {
        struct figures after = figures_take();
        problems++;
        tell('!', "left behind: %d names, %d threads, %d tasks", (int)(after.names - before.names),
             (int)(after.threads - before.threads), (int)(after.tasks - before.tasks));
    }
}

/* ---- running one ------------------------------------------------------------------------------------ */

static void case_run(void *unused)
{
    (void)unused;
    struct figures before = figures_take();
    current->run();
    figures_compare(before);
}

/* What a faulting thread of this task sends (exc.defs, exception_raise). */
struct exception_message {
    mach_msg_header_t header;
    mach_msg_type_t thread_type;
    mach_port_t thread;
    mach_msg_type_t task_type;
    mach_port_t task;
    struct {
        mach_msg_type_t type;
        integer_t value __attribute__((aligned(8)));
    } exception, code;
    mach_msg_type_t subcode_type;
    long subcode;
};

static void exception_tell(mach_port_t thread)
{
    struct i386_thread_state state;
    mach_msg_type_number_t count = i386_THREAD_STATE_COUNT;
    if (thread_get_state(thread, i386_REGS_SEGS_STATE, (thread_state_t)&state, &count) == 0)
        tell('!', "the case's thread faulted at %#lx", (unsigned long)state.rip);
    else
        tell('!', "the case's thread faulted");
}

/* Runs the case in a thread of its own and waits for its end. */
static void case_supervise(void)
{
    union {
        mach_msg_header_t header;
        struct exception_message exception;
        char room[512];
    } message;
    problems = 0;
    helper_start(&worker, case_run, NULL);
    if (mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof message, worker_done, CASE_LIMIT_S * 1000,
                 MACH_PORT_NULL)) {
        problems++;
        tell('!', "did not end within %d s", CASE_LIMIT_S);
        helper_end(&worker);
    } else if (message.header.msgh_local_port == exceptions) {
        problems++;
        exception_tell(message.exception.thread);
        helper_end(&worker);
        mach_port_deallocate(mach_task_self(), message.exception.thread);
        mach_port_deallocate(mach_task_self(), message.exception.task);
        mach_port_deallocate(mach_task_self(), message.header.msgh_remote_port);
    } else {
        helper_end(&worker);
    }
}

static void subject_of(const struct conformance_case *entry, char *name, size_t size)
{
    const char *file = base_name(entry->file);
    snprintf(name, size, "%.*s/%s", (int)strcspn(file, "."), file, entry->name);
}

static bool chosen(const char *name, int words, char **word)
{
    for (int i = 0; i < words; i++)
        if (strstr(name, word[i]))
            return true;
    return words == 0;
}

/* Subjects by the alphabet, the cases of each as its file has them. */
static int case_compare(const void *left, const void *right)
{
    const struct conformance_case *a = *(const struct conformance_case *const *)left,
                                  *b = *(const struct conformance_case *const *)right;
    int order = strcmp(a->file, b->file);
    return order ? order : a->line - b->line;
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"both", "differs", "ours"};
    unsigned int from = 0, passed = 0, failed = 0, words = 0;
    for (int i = 1; i < argc; i++) {
        sscanf(argv[i], "--host-priv-port=%u", &host_priv);
        sscanf(argv[i], "--device-master-port=%u", &device_master);
        sscanf(argv[i], "--from=%u", &from);
        on_quadrille |= strcmp(argv[i], "--kernel=quadrille") == 0;
        if (argv[i][0] != '-')
            argv[words++] = argv[i];
    }
    if (device_open(device_master, D_WRITE | D_READ, "console", &console))
        return 1;
    line_write("\n", 1); /* behind what the kernel has written of its last line */
    exceptions = port_create_with_send();
    mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &worker_done);
    worker.done = port_create();
    mach_port_move_member(mach_task_self(), exceptions, worker_done);
    mach_port_move_member(mach_task_self(), worker.done, worker_done);
    task_set_special_port(mach_task_self(), TASK_EXCEPTION_PORT, exceptions);

    qsort(__start_cases, __stop_cases - __start_cases, sizeof *__start_cases, case_compare);
    unsigned int index = 0;
    for (const struct conformance_case **at = __start_cases; at < __stop_cases; at++, index++) {
        char name[128];
        current = *at;
        subject_of(current, name, sizeof name);
        if (index < from || !chosen(name, words, argv) || (current->kind == CASE_OURS && !on_quadrille))
            continue;
        tell('@', "%u %s %s", index, name, kinds[current->kind]);
        case_supervise();
        tell('.', "%u", index);
        *(problems ? &failed : &passed) += 1;
    }
    tell('=', "%u passed, %u failed", passed, failed);
    for (;;)
        pause_ms(1000000);
}
