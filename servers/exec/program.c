/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program: what is to be run.  Opens and reads, maps nothing, changes nothing. */

#include "exec.h"
#include "script.h"

#include <fcntl.h>
#include <hurd/io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Where a movable program and the program interpreter go.  Low, so that they share page tables with each other; the
   interpreter below the usual programs (0x400000), so that the C library, which the kernel puts into the first hole,
   finds room there and does not sit where the break shall grow.  The first pages stay free: the C library makes page
   zero a trap. */
#define PROGRAM_BASE 0x08000000ull
#define INTERPRETER_BASE 0x00010000ull
/* Where neither fits: that far behind the program, beyond its break. */
#define INTERPRETER_GAP (256ull << 20)

/* The copied bytes of a segment, the end of its data, are less than a page in files that linkers make; from so many on
   they are read when the task is filled, when an error can only end it. */
#define READ_AHEAD_MAX (256u << 10)

static void image_release(struct exec_image *image)
{
    if (image->opened)
        mach_port_deallocate(mach_task_self(), image->file);
    if (image->object != MACH_PORT_NULL)
        mach_port_deallocate(mach_task_self(), image->object);
    for (unsigned int i = 0; image->ahead != NULL && i < image->plan->segment_count; i++)
        if (image->ahead[i] != 0)
            vm_deallocate(mach_task_self(), image->ahead[i], exec_copy_room(&image->plan->segments[i]));
    free(image->ahead);
    free(image->plan);
    *image = (struct exec_image) { 0 };
}

void exec_program_release(struct exec_program *program)
{
    image_release(&program->main);
    image_release(&program->interpreter);
    if (program->delegate != MACH_PORT_NULL)
        mach_port_deallocate(mach_task_self(), program->delegate);
    free(program->delegate_name);
    free(program->argv);
    *program = (struct exec_program) { 0 };
}

/* The memory object that one may map FILE with for reading; MACH_PORT_NULL if there is none, so that it has to be
   read. */
static error_t file_object(file_t file, mach_port_t *object)
{
    mach_port_t readable, writable;
    error_t err = io_map(file, &readable, &writable);

    *object = MACH_PORT_NULL;
    if (err == EOPNOTSUPP || err == MIG_BAD_ID)
        return 0;
    if (err)
        return err;
    if (MACH_PORT_VALID(writable))
        mach_port_deallocate(mach_task_self(), writable);
    if (MACH_PORT_VALID(readable))
        *object = readable;
    return 0;
}

/* Reads the copied bytes of SEGMENT into fresh pages. */
static error_t segment_read_ahead(file_t file, const struct elf_segment *segment, vm_address_t *pages)
{
    vm_size_t room = exec_copy_room(segment);
    size_t got;

    if (vm_allocate(mach_task_self(), pages, room, TRUE))
        return ENOMEM;
    error_t err = exec_read(file, segment->copy_offset, (char *)*pages + segment->copy_address % vm_page_size,
                            segment->copy_size, &got);
    if (!err && got < segment->copy_size)
        err = ENOEXEC;      /* the file ends before its headers say so */
    if (err) {
        vm_deallocate(mach_task_self(), *pages, room);
        *pages = 0;
    }
    return err;
}

/* Reads what will have to be copied, while an error can still be told to whoever asked for the exec. */
static error_t image_read_ahead(struct exec_image *image)
{
    const struct elf_plan *plan = image->plan;
    error_t err = 0;

    image->ahead = calloc(plan->segment_count, sizeof *image->ahead);
    if (image->ahead == NULL)
        return ENOMEM;
    for (unsigned int i = 0; i < plan->segment_count && !err; i++)
        if (plan->segments[i].copy_size > 0 && plan->segments[i].copy_size <= READ_AHEAD_MAX)
            err = segment_read_ahead(image->file, &plan->segments[i], &image->ahead[i]);
    return err;
}

/* Plans IMAGE, whose file is set, from the first LENGTH bytes of it. */
static error_t image_load(struct exec_image *image, const char *header, size_t length)
{
    struct elf_headers headers;
    const char *table;
    char *long_table = NULL;
    size_t got;
    error_t err = elf_plan_headers(header, length, &headers);

    if (err)
        return err;
    if (headers.offset + headers.size <= length)
        table = header + headers.offset;
    else {
        table = long_table = malloc(headers.size);
        if (long_table == NULL)
            return ENOMEM;
        err = exec_read(image->file, headers.offset, long_table, headers.size, &got);
        if (!err && got < headers.size)
            err = ENOEXEC;
    }
    if (!err)
        err = elf_plan_create(header, &headers, table, EXEC_ADDRESS_LIMIT, &image->plan);
    free(long_table);
    if (!err)
        err = file_object(image->file, &image->object);
    return err ? err : image_read_ahead(image);
}

/* The name of the program interpreter, which PLAN says is in FILE: malloc'd. */
static error_t interpreter_name(const struct exec_image *image, const char *header, size_t length, char **name)
{
    const struct elf_plan *plan = image->plan;
    size_t got = plan->interpreter_size;
    error_t err = 0;

    *name = malloc(plan->interpreter_size);
    if (*name == NULL)
        return ENOMEM;
    if (plan->interpreter_offset <= length && plan->interpreter_size <= length - plan->interpreter_offset)
        memcpy(*name, header + plan->interpreter_offset, plan->interpreter_size);
    else
        err = exec_read(image->file, plan->interpreter_offset, *name, plan->interpreter_size, &got);
    if (!err && (got < plan->interpreter_size || (*name)[got - 1] != '\0' || (*name)[0] == '\0'))
        err = ENOEXEC;
    if (err)
        free(*name);
    return err;
}

/* Opens and plans the program interpreter of PROGRAM->main. */
static error_t interpreter_load(const struct exec_request *request, struct exec_program *program, char *header,
                                size_t length)
{
    struct exec_image *image = &program->interpreter;
    char *name;
    error_t err = interpreter_name(&program->main, header, length, &name);

    if (err)
        return err;
    err = exec_lookup(request, name, O_READ | O_EXEC, &image->file);
    free(name);
    if (err)
        return err;
    image->opened = true;
    err = exec_read(image->file, 0, header, EXEC_HEADER_SIZE, &length);
    return err ? err : image_load(image, header, length);
}

static error_t program_place(struct exec_program *program)
{
    struct exec_image *main = &program->main, *interpreter = &program->interpreter;
    error_t err = elf_plan_place(main->plan, PROGRAM_BASE, 0, 0, 0, EXEC_ADDRESS_LIMIT, &main->base);

    if (err || interpreter->plan == NULL)
        return err;
    return elf_plan_place(interpreter->plan, INTERPRETER_BASE, main->plan->low + main->base,
                          main->plan->high + main->base, INTERPRETER_GAP, EXEC_ADDRESS_LIMIT, &interpreter->base);
}

/* What the interpreter is to call the script, in NAME (malloc'd).  A name can be made to mean another file between our
   look and the interpreter's; a program with more rights than its caller gets the file itself, as a descriptor. */
static error_t script_name(const struct exec_request *request, struct exec_program *program, char **name)
{
    if (!(request->flags & EXEC_SECURE) && (request->path[0] != '\0' || request->abspath[0] != '\0')) {
        *name = strdup(request->path[0] != '\0' ? request->path : request->abspath);
        return *name ? 0 : ENOMEM;
    }
    unsigned int fd = 0;
    while (fd < request->dtable_count && request->dtable[fd] != MACH_PORT_NULL)
        fd++;
    if (asprintf(name, "/dev/fd/%u", fd) < 0)
        return ENOMEM;
    program->script = request->file;
    program->script_fd = fd;
    return 0;
}

/* May we read FILE ourselves and run it with the rights of the request? */
static bool interpreter_is_plain(file_t file)
{
    io_statbuf_t st;
    return io_stat(file, &st) == 0 && (st.st_mode & (S_ISUID | S_ISGID)) == 0;
}

/* Opens the interpreter NAME of a script as the next file to look at, or as PROGRAM->delegate.  Only its file system
   can run one that is set-id or may not be read. */
static error_t script_open(const struct exec_request *request, struct exec_program *program, const char *name)
{
    struct exec_image *image = &program->main;
    error_t err = exec_lookup(request, name, O_READ | O_EXEC, &image->file);

    image->opened = err == 0;
    if (!err && interpreter_is_plain(image->file))
        return 0;
    if (image->opened)
        mach_port_deallocate(mach_task_self(), image->file);
    image->opened = false;
    image->file = MACH_PORT_NULL;
    if (err && err != EACCES)
        return err;
    program->delegate_name = strdup(name);
    return program->delegate_name ? exec_lookup(request, name, O_EXEC, &program->delegate) : ENOMEM;
}

/* One step: HEADER is the beginning of a script, which PROGRAM's argv (or the request's) is for; opens its interpreter
   and extends the arguments. */
static error_t script_step(const struct exec_request *request, struct exec_program *program, char *header,
                           size_t length, char **last_name)
{
    char *interpreter, *argument, *argv, *name;
    size_t argv_length;
    error_t err = script_parse(header, length, length < EXEC_HEADER_SIZE, &interpreter, &argument);

    if (err)
        return err;
    if (*last_name == NULL) {
        err = script_name(request, program, last_name);
        if (err)
            return err;
    }
    if (program->argv == NULL) {
        err = exec_arguments_copy(request, &program->argv);
        if (err)
            return err;
        program->argv_length = request->argv_length;
    }
    name = strdup(interpreter);
    if (name == NULL)
        return ENOMEM;
    err = script_arguments(interpreter, argument, *last_name, program->argv, program->argv_length, &argv, &argv_length);
    if (!err) {
        free(program->argv);
        program->argv = argv;
        program->argv_length = argv_length;
        if (program->main.opened)
            mach_port_deallocate(mach_task_self(), program->main.file);
        program->main.opened = false;
        err = script_open(request, program, name);
    }
    free(*last_name);
    *last_name = name;
    return err;
}

error_t exec_program_load(const struct exec_request *request, struct exec_program *program)
{
    char header[EXEC_HEADER_SIZE + 1], *name = NULL;
    size_t length = 0;
    int depth = 0;
    error_t err;

    *program = (struct exec_program) { .main.file = request->file };
    for (;;) {
        err = exec_read(program->main.file, 0, header, EXEC_HEADER_SIZE, &length);
        if (err || !script_is_script(header, length))
            break;
        err = depth++ == SCRIPT_DEPTH_MAX ? ELOOP : script_step(request, program, header, length, &name);
        if (err || program->delegate != MACH_PORT_NULL)
            break;
    }
    free(name);
    if (!err && program->delegate == MACH_PORT_NULL) {
        err = image_load(&program->main, header, length);
        if (!err && program->main.plan->interpreter_size != 0)
            err = interpreter_load(request, program, header, length);
        if (!err)
            err = program_place(program);
    }
    if (err)
        exec_program_release(program);
    return err;
}
