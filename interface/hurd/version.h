/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The version of the protocols in this folder: a date, yyyymmdd. */

#ifndef _HURD_VERSION_H
#define _HURD_VERSION_H

#define HURD_INTERFACE_VERSION 20250701

#endif
