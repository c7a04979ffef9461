/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Formatted printing: one walk over the format, which gives characters to a sink. */

#include "base.h"
#include "../device/console.h"

struct sink {
    void (*put)(struct sink *sink, char c);
    char *buffer;
    size_t size, count;
};

struct conversion {
    bool left, zero;
    int width, precision; /* -1: none given */
    int longs;
};

static void sink_pad(struct sink *sink, char c, int count)
{
    while (count-- > 0)
        sink->put(sink, c);
}

static void sink_text(struct sink *sink, const struct conversion *how, const char *text, int length)
{
    int padding = how->width - length;
    if (!how->left)
        sink_pad(sink, ' ', padding);
    for (int i = 0; i < length; i++)
        sink->put(sink, text[i]);
    if (how->left)
        sink_pad(sink, ' ', padding);
}

static void sink_number(struct sink *sink, const struct conversion *how, uint64_t value, unsigned int base,
                        bool negative, bool upper)
{
    char digits[24];
    int length = 0;
    do
        digits[length++] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[value % base];
    while (value /= base);
    int padding = how->width - length - negative;
    if (!how->left && !how->zero)
        sink_pad(sink, ' ', padding);
    if (negative)
        sink->put(sink, '-');
    if (!how->left && how->zero)
        sink_pad(sink, '0', padding);
    while (length > 0)
        sink->put(sink, digits[--length]);
    if (how->left)
        sink_pad(sink, ' ', padding);
}

static uint64_t argument_unsigned(int longs, va_list *arguments)
{
    return longs ? va_arg(*arguments, uint64_t) : va_arg(*arguments, unsigned int);
}

static int64_t argument_signed(int longs, va_list *arguments)
{
    return longs ? va_arg(*arguments, int64_t) : va_arg(*arguments, int);
}

static const char *conversion_parse(const char *format, struct conversion *how)
{
    *how = (struct conversion){.precision = -1};
    for (;; format++) {
        if (*format == '-')
            how->left = true;
        else if (*format == '0')
            how->zero = true;
        else
            break;
    }
    while (*format >= '0' && *format <= '9')
        how->width = how->width * 10 + *format++ - '0';
    if (*format == '.')
        for (how->precision = 0, format++; *format >= '0' && *format <= '9'; format++)
            how->precision = how->precision * 10 + *format - '0';
    for (; *format == 'l' || *format == 'z'; format++)
        how->longs++;
    return format;
}

static void convert(struct sink *sink, char kind, struct conversion *how, va_list *arguments)
{
    switch (kind) {
    case 'd':
    case 'i': {
        int64_t value = argument_signed(how->longs, arguments);
        sink_number(sink, how, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0, false);
        break;
    }
    case 'u':
        sink_number(sink, how, argument_unsigned(how->longs, arguments), 10, false, false);
        break;
    case 'x':
    case 'X':
        sink_number(sink, how, argument_unsigned(how->longs, arguments), 16, false, kind == 'X');
        break;
    case 'p':
        sink_number(sink, how, (uintptr_t)va_arg(*arguments, void *), 16, false, false);
        break;
    case 's': {
        const char *text = va_arg(*arguments, const char *);
        text = text ? text : "(null)";
        int length = 0;
        while ((how->precision < 0 || length < how->precision) && text[length])
            length++;
        sink_text(sink, how, text, length);
        break;
    }
    case 'c': {
        char c = (char)va_arg(*arguments, int);
        sink_text(sink, how, &c, 1);
        break;
    }
    default:
        sink->put(sink, kind);
    }
}

static void format_walk(struct sink *sink, const char *format, va_list *arguments)
{
    for (; *format; format++) {
        if (*format != '%') {
            sink->put(sink, *format);
            continue;
        }
        struct conversion how;
        format = conversion_parse(format + 1, &how);
        if (*format == 0)
            break;
        convert(sink, *format, &how, arguments);
    }
}

static void put_console(struct sink *sink, char c)
{
    (void)sink;
    console_put(c);
}

static void put_buffer(struct sink *sink, char c)
{
    if (sink->count + 1 < sink->size)
        sink->buffer[sink->count] = c;
    sink->count++;
}

void kvprintf(const char *format, va_list arguments)
{
    struct sink sink = {.put = put_console};
    va_list copy;
    va_copy(copy, arguments);
    format_walk(&sink, format, &copy);
    va_end(copy);
}

void kprintf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    kvprintf(format, arguments);
    va_end(arguments);
}

int ksnprintf(char *buffer, size_t size, const char *format, ...)
{
    struct sink sink = {.put = put_buffer, .buffer = buffer, .size = size};
    va_list arguments;
    va_start(arguments, format);
    format_walk(&sink, format, &arguments);
    va_end(arguments);
    if (size)
        buffer[min(sink.count, size - 1)] = 0;
    return (int)sink.count;
}
