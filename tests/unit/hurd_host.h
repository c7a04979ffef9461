/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hurd_host.h: the few names of the Hurd's C library that files under test use and this host's lacks.  Files that
   include <mach.h> or <hurd/...> compile here with `c_args: hurd_host_args` (meson.build), which takes those headers
   from the sysroot, and this one by -include. */

#ifndef HURD_HOST_H
#define HURD_HOST_H

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#ifndef O_READ
#define O_READ 1
#define O_WRITE 2
#define O_EXEC 4
#endif
#ifndef EDIED
#define EDIED 0x40000065
#endif
#ifndef S_IUNKSHIFT
#define S_IUNKSHIFT 12
#define S_IUSEUNK 0400000
#define S_IUNKNOWN 07000000
#endif

#endif /* HURD_HOST_H */
