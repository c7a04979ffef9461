/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpc_tioctl.c: the routines of tioctl.defs.  A console has no modem lines and no other side: what is for those answers
   EOPNOTSUPP, which ioctl(2) tells as ENOTTY. */

#include <fcntl.h>
#include <string.h>
#include "node.h"
#include "tioctl_S.h"

/* The queue selector of tiocflush: the old FREAD and FWRITE. */
enum { FLUSH_INPUT = 1, FLUSH_OUTPUT = 2 };

kern_return_t S_tioctl_tiocexcl(trivfs_protid_t protid)
{
    error_t err = node_check_change(protid);

    if (!err)
        terminal_set_exclusive(&node_terminal, true);
    return err;
}

kern_return_t S_tioctl_tiocnxcl(trivfs_protid_t protid)
{
    error_t err = node_check_change(protid);

    if (!err)
        terminal_set_exclusive(&node_terminal, false);
    return err;
}

kern_return_t S_tioctl_tiocflush(trivfs_protid_t protid, int queue_selector)
{
    error_t err = node_check_change(protid);

    if (err)
        return err;
    if (queue_selector == 0)
        queue_selector = FLUSH_INPUT | FLUSH_OUTPUT;
    terminal_flush(&node_terminal, queue_selector & FLUSH_INPUT, queue_selector & FLUSH_OUTPUT);
    return 0;
}

/* ---- modes --------------------------------------------------------------------------------- */

kern_return_t S_tioctl_tiocgeta(trivfs_protid_t protid, modes_t modes, ccs_t ccs, speeds_t speeds)
{
    struct modes now;
    error_t err = node_check(protid, O_READ | O_WRITE);

    if (err)
        return err;
    terminal_modes(&node_terminal, &now);
    modes[0] = now.iflag;
    modes[1] = now.oflag;
    modes[2] = now.cflag;
    modes[3] = now.lflag;
    memcpy(ccs, now.cc, CC_COUNT);
    speeds[0] = now.ispeed;
    speeds[1] = now.ospeed;
    return 0;
}

static error_t set_modes(trivfs_protid_t protid, const int *modes, const char *ccs, const int *speeds, bool drain, bool flush)
{
    struct modes wanted = {
        .iflag = modes[0], .oflag = modes[1], .cflag = modes[2], .lflag = modes[3],
        .ispeed = speeds[0] ? speeds[0] : speeds[1], .ospeed = speeds[1],
    };
    error_t err = node_check_change(protid);

    if (err)
        return err;
    if (speeds[0] < 0 || speeds[1] < 0)
        return EINVAL;
    memcpy(wanted.cc, ccs, CC_COUNT);
    return terminal_set_modes(&node_terminal, &wanted, drain, flush);
}

kern_return_t S_tioctl_tiocseta(trivfs_protid_t protid, const modes_t modes, const ccs_t ccs, const speeds_t speeds)
{
    return set_modes(protid, modes, ccs, speeds, false, false);
}

kern_return_t S_tioctl_tiocsetaw(trivfs_protid_t protid, const modes_t modes, const ccs_t ccs, const speeds_t speeds)
{
    return set_modes(protid, modes, ccs, speeds, true, false);
}

kern_return_t S_tioctl_tiocsetaf(trivfs_protid_t protid, const modes_t modes, const ccs_t ccs, const speeds_t speeds)
{
    return set_modes(protid, modes, ccs, speeds, true, true);
}

kern_return_t S_tioctl_tiocgetd(trivfs_protid_t protid, int *discipline)
{
    *discipline = 0;
    return node_check(protid, O_READ | O_WRITE);
}

kern_return_t S_tioctl_tiocsetd(trivfs_protid_t protid, int discipline)
{
    error_t err = node_check_change(protid);

    return err ? err : discipline == 0 ? 0 : ENXIO;
}

/* ---- output --------------------------------------------------------------------------------- */

kern_return_t S_tioctl_tiocdrain(trivfs_protid_t protid)
{
    error_t err = node_check_change(protid);

    return err ? err : terminal_drain(&node_terminal);
}

kern_return_t S_tioctl_tiocstart(trivfs_protid_t protid)
{
    error_t err = node_check_change(protid);

    if (!err)
        terminal_start(&node_terminal);
    return err;
}

kern_return_t S_tioctl_tiocstop(trivfs_protid_t protid)
{
    error_t err = node_check_change(protid);

    if (!err)
        terminal_stop(&node_terminal);
    return err;
}

kern_return_t S_tioctl_tiocoutq(trivfs_protid_t protid, int *queue_size)
{
    error_t err = node_check(protid, O_READ | O_WRITE);

    if (!err)
        *queue_size = (int)terminal_output_size(&node_terminal);
    return err;
}

/* ---- window, groups, typing ------------------------------------------------------------------- */

kern_return_t S_tioctl_tiocgwinsz(trivfs_protid_t protid, winsize_t *sizes)
{
    error_t err = node_check(protid, O_READ | O_WRITE);

    if (err)
        return err;
    pthread_mutex_lock(&node_terminal.lock);
    *sizes = node_terminal.size;
    pthread_mutex_unlock(&node_terminal.lock);
    return 0;
}

kern_return_t S_tioctl_tiocswinsz(trivfs_protid_t protid, winsize_t sizes)
{
    error_t err = node_check_change(protid);

    if (!err)
        terminal_set_size(&node_terminal, &sizes);
    return err;
}

kern_return_t S_tioctl_tiocgpgrp(trivfs_protid_t protid, int *pgrp)
{
    error_t err = node_check(protid, O_READ | O_WRITE);

    if (err)
        return err;
    *pgrp = terminal_foreground(&node_terminal);
    return *pgrp > 0 ? 0 : ENOTTY;
}

kern_return_t S_tioctl_tiocspgrp(trivfs_protid_t protid, int pgrp)
{
    error_t err = node_check_change(protid);

    if (err)
        return err;
    if (pgrp <= 0)
        return EINVAL;
    terminal_set_foreground(&node_terminal, pgrp);
    return 0;
}

kern_return_t S_tioctl_tiocsti(trivfs_protid_t protid, char datum)
{
    uint8_t byte = (uint8_t)datum;
    error_t err = node_check_change(protid);

    if (err)
        return err;
    if (!(protid->peropen->flags & O_READ))
        return EPERM;
    /* Only what is one's own terminal may be typed at. */
    if (protid->tag == 0 && !fshelp_user_is_root(protid->user))
        return EPERM;
    terminal_input(&node_terminal, &byte, 1);
    return 0;
}

/* ---- what only modems and ptys have --------------------------------------------------------------- */

static error_t none_here(trivfs_protid_t protid)
{
    (void)protid;
    return EOPNOTSUPP;
}

kern_return_t S_tioctl_tiocmodg(trivfs_protid_t protid, int *state) { (void)state; return none_here(protid); }
kern_return_t S_tioctl_tiocmods(trivfs_protid_t protid, int state) { (void)state; return none_here(protid); }
kern_return_t S_tioctl_tiocmget(trivfs_protid_t protid, int *bits) { (void)bits; return none_here(protid); }
kern_return_t S_tioctl_tiocmset(trivfs_protid_t protid, int bits) { (void)bits; return none_here(protid); }
kern_return_t S_tioctl_tiocmbic(trivfs_protid_t protid, int bits) { (void)bits; return none_here(protid); }
kern_return_t S_tioctl_tiocmbis(trivfs_protid_t protid, int bits) { (void)bits; return none_here(protid); }
kern_return_t S_tioctl_tioccdtr(trivfs_protid_t protid) { return none_here(protid); }
kern_return_t S_tioctl_tiocsdtr(trivfs_protid_t protid) { return none_here(protid); }
kern_return_t S_tioctl_tioccbrk(trivfs_protid_t protid) { return none_here(protid); }
kern_return_t S_tioctl_tiocsbrk(trivfs_protid_t protid) { return none_here(protid); }
kern_return_t S_tioctl_tiocsig(trivfs_protid_t protid, int signal) { (void)signal; return none_here(protid); }
kern_return_t S_tioctl_tiocext(trivfs_protid_t protid, int mode) { (void)mode; return none_here(protid); }
kern_return_t S_tioctl_tiocucntl(trivfs_protid_t protid, int on) { (void)on; return none_here(protid); }
kern_return_t S_tioctl_tiocremote(trivfs_protid_t protid, int on) { (void)on; return none_here(protid); }
kern_return_t S_tioctl_tiocpkt(trivfs_protid_t protid, int on) { (void)on; return none_here(protid); }
