/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes.  The compiler calls these by name too.  String instructions move eight bytes each: a fixed number of
   instructions whatever the size, and fast on every processor for the sizes that the kernel moves. */

#include "base.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    void *result = to;
    size_t words = size / 8, rest = size % 8;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
    return result;
}

void *memmove(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to - (uintptr_t)from >= size)
        return memcpy(to, from, size);
    char *t = to;
    const char *f = from;
    while (size-- > 0)
        t[size] = f[size];
    return to;
}

void *memset(void *where, int byte, size_t size)
{
    void *result = where;
    uint64_t pattern = 0x0101010101010101ull * (unsigned char)byte;
    size_t words = size / 8, rest = size % 8;
    __asm__ volatile("rep stosq" : "+D"(where), "+c"(words) : "a"(pattern) : "memory");
    __asm__ volatile("rep stosb" : "+D"(where), "+c"(rest) : "a"(pattern) : "memory");
    return result;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < size; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}

size_t strlen(const char *string)
{
    size_t length = 0;
    while (string[length])
        length++;
    return length;
}

int strncmp(const char *a, const char *b, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i] || a[i] == 0)
            return (unsigned char)a[i] - (unsigned char)b[i];
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *string, int c)
{
    for (;; string++) {
        if (*string == (char)c)
            return (char *)string;
        if (*string == 0)
            return NULL;
    }
}
