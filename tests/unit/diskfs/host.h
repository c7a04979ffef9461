/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.h: lib/diskfs's files that know no message, on this host.  Its struct stat lacks the Hurd's fields: they get one
   of their own.  */

#ifndef DISKFS_UNIT_HOST_H
#define DISKFS_UNIT_HOST_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>
#include <time.h>

#include "../hurd_host.h"

#undef st_atime
#undef st_mtime
#undef st_ctime
struct hurd_stat {
    int st_fstype;
    uint64_t st_fsid;
    uint64_t st_ino;
    unsigned int st_gen;
    uint64_t st_rdev;
    uint32_t st_mode;
    uint64_t st_nlink;
    uint32_t st_uid, st_gid;
    int64_t st_size;
    struct timespec st_atim, st_mtim, st_ctim;
    int64_t st_blksize, st_blocks;
    uint32_t st_author;
    unsigned int st_flags;
};
#define stat hurd_stat
typedef uint64_t hurd_fsid_t;
#define fsid_t hurd_fsid_t

#ifndef O_NOLINK
#define O_NOLINK 0x40000000
#define O_NOTRANS 0x20000000
#endif
#ifndef S_IPTRANS
#define S_IPTRANS 0x00400000
#define S_IATRANS 0x00800000
#endif
#ifndef O_FSYNC
#define O_FSYNC O_SYNC
#endif

#endif /* DISKFS_UNIT_HOST_H */
