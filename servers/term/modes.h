/* SPDX-License-Identifier: GPL-2.0-or-later */
/* modes.h: a terminal's modes as they travel in tioctl.defs.

   The bits and the places of the control characters are the wire's (they are what <termios.h> says on the Hurd;
   modes_check.c holds the two together), written down here so that the line discipline compiles on any host. */

#ifndef TERM_MODES_H
#define TERM_MODES_H

#include <stdbool.h>
#include <stdint.h>

/* Input. */
enum {
    I_IGNBRK = 1 << 0, I_BRKINT = 1 << 1, I_IGNPAR = 1 << 2, I_PARMRK = 1 << 3, I_INPCK = 1 << 4, I_ISTRIP = 1 << 5,
    I_INLCR = 1 << 6, I_IGNCR = 1 << 7, I_ICRNL = 1 << 8, I_IXON = 1 << 9, I_IXOFF = 1 << 10, I_IXANY = 1 << 11,
    I_IMAXBEL = 1 << 13, I_IUCLC = 1 << 14,
};

/* Output. */
enum {
    O_OPOST = 1 << 0, O_ONLCR = 1 << 1, O_OXTABS = 1 << 2, O_ONOEOT = 1 << 3, O_OCRNL = 1 << 4, O_ONOCR = 1 << 5,
    O_ONLRET = 1 << 6, O_OLCUC = 1 << 17,
};

/* Control.  These are kept; the character size is always 8, and breaks and errors of parity are not reported: Mach's
   devices do not tell of them (IGNBRK, BRKINT, IGNPAR, INPCK have nothing to do). */
enum {
    C_CIGNORE = 1 << 0, C_CS8 = 3 << 8, C_CREAD = 1 << 11, C_HUPCL = 1 << 14, C_CLOCAL = 1 << 15,
};

/* Local. */
enum {
    L_ECHOKE = 1 << 0, L_ECHOE = 1 << 1, L_ECHOK = 1 << 2, L_ECHO = 1 << 3, L_ECHONL = 1 << 4, L_ECHOPRT = 1 << 5,
    L_ECHOCTL = 1 << 6, L_ISIG = 1 << 7, L_ICANON = 1 << 8, L_ALTWERASE = 1 << 9, L_IEXTEN = 1 << 10,
    L_EXTPROC = 1 << 11, /* somebody behind the pty edits: what comes is taken as it is */
    L_TOSTOP = 1 << 22, L_FLUSHO = 1 << 23, L_NOKERNINFO = 1 << 25, L_PENDIN = 1 << 29,
};
#define L_NOFLSH (1u << 31)

/* Places in cc. */
enum {
    CC_EOF = 0,
    CC_EOL = 1,
    CC_EOL2 = 2,
    CC_ERASE = 3,
    CC_WERASE = 4,
    CC_KILL = 5,
    CC_REPRINT = 6,
    CC_INTR = 8,
    CC_QUIT = 9,
    CC_SUSP = 10,
    CC_DSUSP = 11,
    CC_START = 12,
    CC_STOP = 13,
    CC_LNEXT = 14,
    CC_DISCARD = 15,
    CC_MIN = 16,
    CC_TIME = 17,
    CC_STATUS = 18,
    CC_COUNT = 20,
};
#define CC_DISABLED 0x00 /* a control character that does not exist */

struct modes {
    uint32_t iflag, oflag, cflag, lflag;
    uint8_t cc[CC_COUNT];
    int32_t ispeed, ospeed; /* baud */
};

/* What a terminal has when the server starts: those of <sys/ttydefaults.h>, but 8 bits clean and with real tabs. */
extern const struct modes modes_default;

#endif /* TERM_MODES_H */
