/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proctest: what its files share. */

#ifndef PROCTEST_H
#define PROCTEST_H

void refused_tests(void); /* proctest-refused.c: what proc refuses users, and requests that make no sense */

#endif /* PROCTEST_H */
