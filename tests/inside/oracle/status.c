/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations on what is told of files. */

#include "oracle.h"

#include <sys/time.h>

void do_stat(void)
{
    struct open_file *file = any(3) ? NULL : any_open();
    struct entry *e = any_entry(FREE);
    struct stat st;
    doing = "stat";
    if (file) {
        doing = "fstat";
        expect(fstat(file->fd, &st), 0);
        stat_compare(&st, file->node);
    } else if (e) {
        entry_compare(e, false);
    }
}

void do_status_change(void)
{
    char path[PATH_SIZE];
    struct entry *e = any_entry(FREE);
    doing = "chmod, chown, utimes";
    if (!e || nodes[e->node].kind == SYMLINK)
        return;
    struct node *node = &nodes[e->node];
    struct timeval times[2] = {{.tv_sec = 1000000000 + any(1000000000)}, {.tv_sec = 1000000000 + any(1000000000)}};
    path_of(e->folder, e->name, path);
    switch (any(3)) {
    case 0:
        node->mode = any(512);
        expect(chmod(path, node->mode), 0);
        break;
    case 1:
        node->uid = any(4) * 1000;
        node->gid = any(4) * 100;
        expect(chown(path, node->uid, node->gid), 0);
        break;
    default:
        expect(utimes(path, times), 0);
        node->time = (long)times[1].tv_sec;
        node->time_known = true;
    }
}

void do_readdir(void)
{
    doing = "readdir";
    folder_compare(any_folder());
}
