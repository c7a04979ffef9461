/* SPDX-License-Identifier: GPL-2.0-or-later */
/* modes.c: the modes that a terminal begins with. */

#include "modes.h"

#define CTRL_KEY(c) ((c) & 0x1f)

const struct modes modes_default = {
    .iflag = I_BRKINT | I_ICRNL | I_IMAXBEL | I_IXON,
    .oflag = O_OPOST | O_ONLCR,
    .cflag = C_CREAD | C_CS8 | C_HUPCL,
    .lflag = L_ECHO | L_ICANON | L_ISIG | L_IEXTEN | L_ECHOE | L_ECHOKE | L_ECHOCTL,
    .cc = {
        [CC_EOF] = CTRL_KEY('d'), [CC_EOL] = CC_DISABLED, [CC_EOL2] = CC_DISABLED, [CC_ERASE] = 0x7f,
        [CC_WERASE] = CTRL_KEY('w'), [CC_KILL] = CTRL_KEY('u'), [CC_REPRINT] = CTRL_KEY('r'), [7] = CC_DISABLED,
        [CC_INTR] = CTRL_KEY('c'), [CC_QUIT] = 0x1c, [CC_SUSP] = CTRL_KEY('z'), [CC_DSUSP] = CTRL_KEY('y'),
        [CC_START] = CTRL_KEY('q'), [CC_STOP] = CTRL_KEY('s'), [CC_LNEXT] = CTRL_KEY('v'), [CC_DISCARD] = CTRL_KEY('o'),
        [CC_MIN] = 1, [CC_TIME] = 0, [CC_STATUS] = CTRL_KEY('t'), [19] = CC_DISABLED,
    },
    .ispeed = 9600,
    .ospeed = 9600,
};
