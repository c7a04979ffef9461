/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exechello: a program that ends with status 0 if its constants, its data, its bss and its relocations are what they
   should be. */

#include <string.h>

static char zeroes[70000];
static const char *const words[] = { "relocated", "pointers", zeroes };
static int data = 42;

int main(int argc, char **argv)
{
    for (unsigned int i = 0; i < sizeof zeroes; i++)
        if (zeroes[i] != 0)
            return 1;
    return argc < 1 || argv[argc] != NULL || data != 42 || strcmp(words[0], "relocated") != 0 ||
           strcmp(words[1], "pointers") != 0 || words[2] != zeroes;
}
