/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mark: one mark, MARK_FIRST_COMMAND of bench/run; put into a copy of /libexec/runsystem as its first command. */

#include "mark.h"

int main(void)
{
    MARK(100);
    return 0;
}
