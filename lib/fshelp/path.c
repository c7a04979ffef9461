/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Path names, one component at a time. */

#include <fshelp/fshelp.h>

#include <limits.h>
#include <string.h>

error_t fshelp_path_step(const char **path, char *name, bool *last, bool *must_be_dir)
{
    const char *start = *path + strspn(*path, "/");
    size_t length = strcspn(start, "/");
    const char *behind = start + length, *next = behind + strspn(behind, "/");

    if (length == 0)
        return ENOENT;
    if (length > NAME_MAX)
        return ENAMETOOLONG;
    memcpy(name, start, length);
    name[length] = '\0';
    *path = next;
    *last = *next == '\0';
    *must_be_dir = *last && next != behind;
    return 0;
}
