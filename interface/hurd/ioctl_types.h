/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The C types that the stubs of the ioctl protocols use. */

#ifndef _HURD_IOCTL_TYPES_H
#define _HURD_IOCTL_TYPES_H

#include <termios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* struct termios in three pieces, in its order: the four mode words, the
   control characters, the input and output speed. */
typedef int modes_t[4];
typedef char ccs_t[20];
typedef int speeds_t[2];

typedef struct winsize winsize_t;

/* An interface's name, as in struct ifreq. */
typedef char ifname_t[16];
typedef struct sockaddr sockaddr_t;

/* What struct ifrtreq carries after the interface's name: ten ints. */
typedef struct srtentry {
    unsigned int rt_dest;
    unsigned int rt_mask;
    unsigned int rt_gateway;
    int rt_flags;
    int rt_metric;
    int rt_mtu;
    int rt_window;
    int rt_irtt;
    int rt_tos;
    int rt_class;
} srtentry_t;

#endif
