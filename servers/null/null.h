/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The three kinds of node that the null server can be.  */

#ifndef NULL_NULL_H
#define NULL_NULL_H

#include <trivfs/trivfs.h>

extern const struct trivfs_ops null_ops, zero_ops, full_ops;

#endif /* NULL_NULL_H */
