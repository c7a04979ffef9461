/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oracle: random file operations of every kind, each held against a model in memory.

       oracle DIRECTORY OPERATIONS SEED

   DIRECTORY must be empty.  Each operation's result (success or error number), the data read, and what stat and readdir
   say must be what the model says; every VERIFY_EVERY operations, and at the end, everything is compared.  Then a line
   "manifest SIZE CRC32 PATH" for each regular file tells what the disk must have after a halt, and the last line is
   "oracle: N operations, 0 failed".  The first difference ends the program with 1.  Runs as root; it also runs on other
   systems (cc *.c), which is how the model itself is checked. */

#include "oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { VERIFY_EVERY = 5000 };

uint64_t state;
unsigned long operation;
const char *doing = "nothing";

void fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    printf("oracle: operation %lu (%s): ", operation, doing);
    vprintf(format, list);
    printf("\noracle: %lu operations, 1 failed\n", operation);
    exit(1);
}

unsigned int any(unsigned int below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned int)((state >> 11) % below);
}

/* ---- the run ------------------------------------------------------------------------------------ */

static const struct {
    unsigned int weight;
    void (*run)(void);
} kinds[] = {
    {8, do_create},   {8, do_open_close}, {4, do_mkdir},  {3, do_symlink}, {4, do_link},          {6, do_unlink},
    {3, do_rmdir},    {9, do_rename},     {12, do_write}, {12, do_pwrite}, {14, do_read},         {5, do_seek},
    {5, do_truncate}, {7, do_mmap},       {1, do_fsync},  {8, do_stat},    {4, do_status_change}, {2, do_readdir},
};

static void operation_run(void)
{
    unsigned int total = 0, chosen;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        total += kinds[i].weight;
    chosen = any(total);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (chosen < kinds[i].weight) {
            kinds[i].run();
            return;
        }
        chosen -= kinds[i].weight;
    }
}

static uint32_t crc32(const unsigned char *data, size_t length)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < length; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void manifest_print(void)
{
    char path[PATH_SIZE];
    for (int i = 0; i < ENTRIES; i++)
        if (entries[i].used && nodes[entries[i].node].kind == REGULAR)
            printf("manifest %zu %08x %s\n", nodes[entries[i].node].size,
                   (unsigned)crc32(nodes[entries[i].node].data, nodes[entries[i].node].size),
                   path_of(entries[i].folder, entries[i].name, path) + strlen(root) + 1);
}

static void start(const char *directory, const char *seed)
{
    struct stat st;
    snprintf(root, sizeof root, "%s", directory);
    state = 88172645463325252u + strtoull(seed, NULL, 0) * 2654435761u;
    for (int i = 0; i < NAMES; i++) {        /* short ones, and some as long as they may be */
        int length = i < 16 ? 1 + i % 5 : i < 22 ? 20 + i : 255;
        memset(names[i], 'a' + i, (size_t)(length < 200 || i < 22 ? length : 255));
    }
    for (int i = 0; i < OPENS; i++)
        opens[i].fd = -1;
    umask(0);
    if (stat(root, &st) < 0)
        fail("%s: %s", root, strerror(errno));
    nodes[0] = (struct node){.kind = DIRECTORY,
                             .links = 1,
                             .mode = st.st_mode & 07777,
                             .uid = st.st_uid,
                             .gid = st.st_gid};
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: oracle DIRECTORY OPERATIONS SEED\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    start(argv[1], argv[3]);
    unsigned long count = strtoul(argv[2], NULL, 0);
    for (operation = 1; operation <= count; operation++) {
        operation_run();
        if (operation % VERIFY_EVERY == 0)
            verify_all();
    }
    for (int i = 0; i < OPENS; i++)
        if (opens[i].fd >= 0)
            close(opens[i].fd);
    operation = count;
    verify_all();
    manifest_print();
    printf("oracle: %lu operations, 0 failed\n", count);
    return 0;
}
