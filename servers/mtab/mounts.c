/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which file systems there are: each is asked for those that sit on its nodes (fsys_get_children), beginning with the
   root's.

   Anybody may be a file system, so each is given ten seconds for an answer, and the table ends somewhere. */

#include "mtab.h"

#include <fcntl.h>
#include <hurd/hurd_types.h>
#include <ports/ports.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fsys_U.h"
#include "io_U.h"

enum {
    DEPTH_MAX = 16,            /* file systems on file systems */
    TEXT_MAX = 256 * 1024,
};

/* Gives back memory that came with an answer instead of lying in SPACE. */
static void answer_free(const void *data, const void *space, size_t length)
{
    if (data != space)
        vm_deallocate(mach_task_self(), (vm_address_t)data, length);
}

/* The line of the file system of CONTROL at PATH. */
static error_t mount_add(mach_port_t control, const char *path, char **text, size_t *length)
{
    string_t source = "";
    char space[2048], *options = space;
    mach_msg_type_number_t count = sizeof space;
    if (brief_fsys_get_source(control, source) != 0)
        source[0] = '\0';
    source[sizeof source - 1] = '\0';
    if (brief_fsys_get_options(control, &options, &count) != 0) {
        options = space;
        count = 0;
    }
    size_t whole = count; /* strings that end */
    while (whole > 0 && options[whole - 1] != '\0')
        whole--;
    error_t err = mount_line_add(text, length, source, *path != '\0' ? path : "/", options, whole);
    answer_free(options, space, count);
    return err;
}

/* Whether one can go into the file system of CONTROL. */
static bool is_directory(mach_port_t control)
{
    uid_t root_id = 0;
    retry_type retry;
    string_t retry_name;
    mach_port_t root = MACH_PORT_NULL, reply = mach_reply_port(); /* an answer that comes too late goes with it */
    io_statbuf_t st;
    error_t err = brief_fsys_getroot(control, reply, MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND, &root_id, 1, &root_id, 1,
                                     O_NOTRANS, &retry, retry_name, &root);
    mach_port_mod_refs(mach_task_self(), reply, MACH_PORT_RIGHT_RECEIVE, -1);
    if (err)
        return false;
    bool directory = MACH_PORT_VALID(root) && brief_io_stat(root, &st) == 0 && S_ISDIR(st.st_mode);
    if (MACH_PORT_VALID(root))
        mach_port_deallocate(mach_task_self(), root);
    return directory;
}

static error_t list(mach_port_t control, const char *path, unsigned int depth, char **text, size_t *length);

/* Whether CONTROL is this translator's own: to open ourselves would list everything again, and so on. */
static bool is_own(mach_port_t control)
{
    return ports_name_type(control) & MACH_PORT_TYPE_RECEIVE;
}

/* Adds the file system whose control port is CONTROL and whose root is NAME below PATH, if that is a directory. */
static error_t child_list(mach_port_t control, const char *path, const char *name, unsigned int depth, char **text,
                          size_t *length)
{
    char *child;
    if (depth == DEPTH_MAX || *length >= TEXT_MAX || is_own(control) || !is_directory(control))
        return 0;
    if (asprintf(&child, "%s/%s", path, name) < 0)
        return ENOMEM;
    error_t err = list(control, child, depth + 1, text, length);
    free(child);
    return err;
}

static error_t list(mach_port_t control, const char *path, unsigned int depth, char **text, size_t *length)
{
    char name_space[2048], *names = name_space;
    mach_port_t control_space[64], *controls = control_space;
    mach_msg_type_number_t names_length = sizeof name_space, count = sizeof control_space / sizeof *control_space;
    error_t err = mount_add(control, path, text, length);
    if (err || brief_fsys_get_children(control, &names, &names_length, &controls, &count) != 0)
        return err;
    const char *name = names, *end = names + names_length;
    for (mach_msg_type_number_t i = 0; i < count; i++) {
        const char *next = name < end ? memchr(name, '\0', (size_t)(end - name)) : NULL;
        if (next != NULL && !err) {
            err = child_list(controls[i], path, name, depth, text, length);
            name = next + 1;
        }
        if (MACH_PORT_VALID(controls[i]))
            mach_port_deallocate(mach_task_self(), controls[i]);
    }
    answer_free(names, name_space, names_length);
    answer_free(controls, control_space, count * sizeof *controls);
    return err;
}

error_t mounts_list(mach_port_t control, char **text, size_t *length)
{
    return list(control, "", 0, text, length);
}
