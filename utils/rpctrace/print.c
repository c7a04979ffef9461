/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines: one for a request and its answer if nothing comes between, else two (rpctrace.h). */

#include "rpctrace.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static FILE *output;
static unsigned int limit;
static unsigned int serials;
static unsigned int open_line; /* the request whose line is unfinished, 0: none */

void print_init(FILE *to, unsigned int string_limit)
{
    output = to;
    limit = string_limit;
}

void print_end(void)
{
    if (open_line)
        fputs(" ...\n", output);
    open_line = 0;
    fflush(output);
}

void print_note(const char *format, ...)
{
    va_list arguments;
    print_end();
    va_start(arguments, format);
    vfprintf(output, format, arguments);
    va_end(arguments);
    fputc('\n', output);
}

static int name_compare(const void *key, const void *at)
{
    int id = *(const int *)key;
    const struct routine_name *name = at;
    return (id > name->id) - (id < name->id);
}

const char *routine_name(int id)
{
    const struct routine_name *found = bsearch(&id, routine_names, routine_count, sizeof *routine_names, name_compare);
    return found ? found->name : NULL;
}

static void routine_print(int id)
{
    const char *name = routine_name(id);
    if (name)
        fputs(name, output);
    else
        fprintf(output, "message %d", id);
}

/* ---- values -------------------------------------------------------------------------------------------- */

static void string_print(const unsigned char *text, size_t length)
{
    fputc('"', output);
    for (size_t i = 0; i < length && i < limit; i++) {
        if (text[i] == '\n')
            fputs("\\n", output);
        else if (text[i] == '"' || text[i] == '\\')
            fprintf(output, "\\%c", text[i]);
        else if (isprint(text[i]))
            fputc(text[i], output);
        else
            fprintf(output, "\\%o", text[i]);
    }
    fputs(length > limit ? "\"..." : "\"", output);
}

static void right_print(mach_port_t name, unsigned int type)
{
    const struct wrapper *wrapper = wrap_lookup(name);
    if (name == MACH_PORT_NULL)
        fputs("(null)", output);
    else if (name == MACH_PORT_DEAD)
        fputs("(dead)", output);
    else if (wrapper)
        fprintf(output, "%s", wrapper->label);
    else
        fprintf(output,
                type == MACH_MSG_TYPE_PORT_RECEIVE     ? "receive:%u"
                : type == MACH_MSG_TYPE_PORT_SEND_ONCE ? "once:%u"
                                                       : "port:%u",
                name);
}

static long number_get(const void *at, unsigned int bits)
{
    switch (bits) {
    case 8: return *(const int8_t *)at;
    case 16: return *(const int16_t *)at;
    case 32: return *(const int32_t *)at;
    default: return *(const int64_t *)at;
    }
}

static void array_print(const mach_msg_type_t *type, const char *data, size_t count)
{
    bool rights = MACH_MSG_TYPE_PORT_ANY(type->msgt_name), single = count == 1;
    unsigned int step = rights && type->msgt_inline ? 8 : rights ? sizeof(mach_port_t) : type->msgt_size / 8;
    if (!single)
        fputc('{', output);
    for (size_t i = 0; i < count && i < limit; i++, data += step) {
        if (i)
            fputc(' ', output);
        if (rights)
            right_print(*(const mach_port_t *)data, type->msgt_name);
        else
            fprintf(output, "%ld", number_get(data, type->msgt_size));
    }
    if (!single)
        fputs(count > limit ? " ...}" : "}", output);
}

static void value_print(const mach_msg_type_t *type, const void *data)
{
    size_t count = type->msgt_number, bytes = (count * type->msgt_size + 7) / 8;
    if (bytes == 0)
        fputs(type->msgt_size == 8 ? "\"\"" : "{}", output);
    else if (type->msgt_name == MACH_MSG_TYPE_STRING_C)
        string_print(data, strnlen(data, bytes));
    else if (type->msgt_size == 8 && count > 1)
        string_print(data, bytes);
    else if (type->msgt_size == 8 || type->msgt_size == 16 || type->msgt_size == 32 || type->msgt_size == 64)
        array_print(type, data, count);
    else
        fprintf(output, "(%zu bytes)", bytes);
}

/* The values of MESSAGE from the SKIPth on, each behind a blank but the first. */
static void values_print(const mach_msg_header_t *message, unsigned int skip)
{
    const char *at = (const char *)(message + 1), *end = (const char *)message + message->msgh_size;
    for (unsigned int i = 0; at + sizeof(mach_msg_type_t) <= end; i++) {
        const mach_msg_type_t *type = (const mach_msg_type_t *)at;
        size_t bytes = (type->msgt_number * (size_t)type->msgt_size + 7) / 8;
        at += sizeof *type;
        const void *data = type->msgt_inline ? at : *(void *const *)at;
        at += type->msgt_inline ? (bytes + 7) & ~(size_t)7 : sizeof(void *);
        if (at > end)
            return;
        if (i >= skip) {
            if (i > 0)
                fputc(' ', output);
            value_print(type, data);
        }
    }
}

/* ---- lines ------------------------------------------------------------------------------------------------ */

unsigned int print_request(const struct wrapper *wrapper, const mach_msg_header_t *message)
{
    print_end();
    fprintf(output, "%s->", wrapper->label);
    routine_print(message->msgh_id);
    fputs(" (", output);
    values_print(message, 0);
    fputc(')', output);
    if (message->msgh_remote_port == MACH_PORT_NULL) {
        fputs(";\n", output);
        return 0;
    }
    open_line = ++serials;
    return open_line;
}

void print_reply(const struct wrapper *wrapper, const mach_msg_header_t *message)
{
    if (open_line != wrapper->serial) {
        print_end();
        fputs("... ", output);
        routine_print(wrapper->request);
    }
    open_line = 0;
    const mig_reply_header_t *reply = (const mig_reply_header_t *)message;
    fputs(" = ", output);
    if (message->msgh_id != wrapper->request + 100 || message->msgh_size < sizeof *reply) {
        fprintf(output, "message %d ", message->msgh_id);
        values_print(message, 0);
    } else if (reply->RetCode) {
        fprintf(output, "%#x (%s)", reply->RetCode, strerror(reply->RetCode));
    } else {
        fputc('0', output);
        values_print(message, 1);
    }
    fputc('\n', output);
}
