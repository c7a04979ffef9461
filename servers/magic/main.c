/* SPDX-License-Identifier: GPL-2.0-or-later */
/* magic: nodes that only the process that looks them up can resolve.

       magic NAME               /dev/tty: whoever looks the node up is told to take its own NAME
       magic --directory NAME   /dev/fd: whoever looks up FILE in it is told to take its own NAME/FILE

   The answer is FS_RETRY_MAGICAL with that name (fs.defs, dir_lookup); the C library knows "tty" (the controlling
   terminal) and "fd/N" (a descriptor), among others. */

#include <error.h>
#include <fcntl.h>
#include <hurd/hurd_types.h>
#include <stdio.h>
#include <string.h>
#include <trivfs/trivfs.h>

static const char *magic_name;

/* The root of a single node: nothing but the name. */
static error_t node_getroot(struct trivfs_control *control, struct fshelp_user *user, int flags, retry_type *retry,
                            char *retry_name, mach_port_t *root)
{
    (void) control;
    (void) user;
    (void) flags;
    *retry = FS_RETRY_MAGICAL;
    *root = MACH_PORT_NULL;
    strcpy(retry_name, magic_name);
    return 0;
}

static error_t directory_magic(struct trivfs_protid *protid, const char *path, char *retry_name)
{
    (void) protid;
    /* The C library would take "." for number 0. */
    if (path[0] == '.')
        return ENOENT;
    int length = snprintf(retry_name, sizeof(string_t), "%s/%s", magic_name, path);
    return length < (int) sizeof(string_t) ? 0 : ENAMETOOLONG;
}

/* What is in it depends on who looks. */
static error_t directory_readdir(struct trivfs_protid *protid, unsigned int index, const char **name, ino64_t *fileno,
                                 int *type)
{
    (void) protid;
    (void) index;
    (void) name;
    (void) fileno;
    (void) type;
    return ENOENT;
}

static const struct trivfs_ops node_ops = {
    .name = "magic", .fstype = FSTYPE_MISC, .getroot = node_getroot,
};

static const struct trivfs_ops directory_ops = {
    .name = "magic", .fstype = FSTYPE_MISC, .modes = O_READ, .node_type = S_IFDIR,
    .magic = directory_magic, .readdir = directory_readdir,
};

int main(int argc, char **argv)
{
    bool directory = argc == 3 && strcmp(argv[1], "--directory") == 0;

    if (argc != 2 + directory || argv[argc - 1][0] == '-' || strlen(argv[argc - 1]) >= sizeof(string_t) / 2)
        error(2, 0, "usage: magic [--directory] NAME");
    magic_name = argv[argc - 1];
    trivfs_main(directory ? &directory_ops : &node_ops, NULL, 0);
}
