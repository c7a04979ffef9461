/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of the table of mounted file systems. */

#include "mtab.h"
#include "unit.h"

/* What mount_line_add makes of its arguments, as a string that the caller frees. */
static char *line(const char *source, const char *path, const char *options, size_t length)
{
    char *text = NULL, *string;
    size_t text_length = 0;
    CHECK_EQ(mount_line_add(&text, &text_length, source, path, options, length), 0);
    string = strndup(text, text_length);
    free(text);
    return string;
}

#define CHECK_LINE(SOURCE, PATH, OPTIONS, WANTED) \
    do { \
        char *got = line(SOURCE, PATH, OPTIONS, sizeof OPTIONS); \
        CHECK_STR(got, WANTED); \
        free(got); \
    } while (0)

UNIT_TEST(types_and_options)
{
    CHECK_LINE("part:1:device:wd0", "/", "ext2fs\0--writable\0--sync=30\0part:1:device:wd0",
               "part:1:device:wd0 / ext2fs rw,sync=30 0 0\n");
    CHECK_LINE("/dev/wd1", "/mnt", "/hurd/ext2fs.static\0--readonly\0-T\0typed\0/dev/wd1",
               "/dev/wd1 /mnt ext2fs ro 0 0\n");
    CHECK_LINE("", "/servers/bus/pci", "/hurd/pci-arbiter.static", "none /servers/bus/pci pci-arbiter rw 0 0\n");
}

UNIT_TEST(fields_stay_fields)
{
    CHECK_LINE("a b", "/with\ttab\nand\\", "/hurd/x\0--o p", "a\\040b /with\\011tab\\012and\\134 x rw,o\\040p 0 0\n");
}

UNIT_TEST(nothing_known)
{
    char *got = line("", "/x", NULL, 0);
    CHECK_STR(got, "none /x none rw 0 0\n");
    free(got);
}

UNIT_TEST(lines_follow_each_other)
{
    char *text = NULL;
    size_t length = 0;
    CHECK_EQ(mount_line_add(&text, &length, "a", "/", "f", 2), 0);
    CHECK_EQ(mount_line_add(&text, &length, "b", "/b", "g", 2), 0);
    CHECK_EQ(length, strlen("a / f rw 0 0\nb /b g rw 0 0\n"));
    CHECK(length > 0 && memcmp(text, "a / f rw 0 0\nb /b g rw 0 0\n", length) == 0);
    free(text);
}

UNIT_MAIN
