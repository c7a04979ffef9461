/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpc_tioctl.c: the routines of tioctl.defs, on a terminal or a pty's master, whose terminal is meant then.  What the
   one at hand does not have answers EOPNOTSUPP, which ioctl(2) tells as ENOTTY. */

#include <fcntl.h>
#include <hurd.h>
#include <hurd/process.h>
#include <signal.h>
#include <string.h>
#include "device.h"
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

static error_t set_modes(trivfs_protid_t protid, const int *modes, const char *ccs, const int *speeds, bool drain,
                         bool flush)
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

/* The session of PID, or of the first process of a group: -PID. */
static error_t session_of(pid_t pid, pid_t *session)
{
    pid_t room[16], *pids = room;
    mach_msg_type_number_t count = sizeof room / sizeof *room;
    mach_port_t proc = getproc();
    error_t err = 0;

    if (pid < 0) {
        err = proc_getpgrppids(proc, -pid, &pids, &count);
        if (!err)
            pid = count > 0 ? pids[0] : 0;
        if (!err && pids != room)
            vm_deallocate(mach_task_self(), (vm_address_t)pids, count * sizeof *pids);
    }
    if (!err)
        err = pid > 0 ? proc_getsid(proc, pid, session) : ESRCH;
    mach_port_deallocate(mach_task_self(), proc);
    return err;
}

/* PGRP must be a group, and one of the session whose terminal this is, as far as the port says whose it is. */
static error_t check_group(trivfs_protid_t protid, pid_t pgrp)
{
    pid_t caller = (pid_t)(protid->tag >> 32), session, own;

    if (pgrp <= 0)
        return EINVAL;
    if (session_of(-pgrp, &session))
        return EPERM;
    return caller > 0 && !session_of(caller, &own) && own != session ? EPERM : 0;
}

kern_return_t S_tioctl_tiocspgrp(trivfs_protid_t protid, int pgrp)
{
    error_t err = node_check_change(protid);

    if (!err)
        err = check_group(protid, pgrp);
    if (err)
        return err;
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
    if (protid->tag == 0 && !node_is_master(protid) && !fshelp_user_is_root(protid->user))
        return EPERM;
    terminal_input(&node_terminal, &byte, 1);
    return 0;
}

/* ---- modem lines and breaks: what the device has; a pty has none ---------------------------------- */

static error_t check_device(trivfs_protid_t protid, bool change)
{
    error_t err = change ? node_check_change(protid) : node_check(protid, O_READ | O_WRITE);

    return err ? err : node_terminal.device ? 0 : EOPNOTSUPP;
}

/* (lines & KEEP) | SET */
static error_t modem_change(trivfs_protid_t protid, int keep, int set)
{
    int bits = 0;
    error_t err = check_device(protid, true);

    if (!err && keep)
        err = device_modem(node_terminal.device, &bits);
    return err ? err : device_set_modem(node_terminal.device, (bits & keep) | set);
}

kern_return_t S_tioctl_tiocmget(trivfs_protid_t protid, int *bits)
{
    error_t err = check_device(protid, false);

    return err ? err : device_modem(node_terminal.device, bits);
}

kern_return_t S_tioctl_tiocmodg(trivfs_protid_t protid, int *state) { return S_tioctl_tiocmget(protid, state); }
kern_return_t S_tioctl_tiocmset(trivfs_protid_t protid, int bits) { return modem_change(protid, 0, bits); }
kern_return_t S_tioctl_tiocmods(trivfs_protid_t protid, int state) { return modem_change(protid, 0, state); }
kern_return_t S_tioctl_tiocmbic(trivfs_protid_t protid, int bits) { return modem_change(protid, ~bits, 0); }
kern_return_t S_tioctl_tiocmbis(trivfs_protid_t protid, int bits) { return modem_change(protid, ~0, bits); }
kern_return_t S_tioctl_tioccdtr(trivfs_protid_t protid) { return modem_change(protid, ~TIOCM_DTR, 0); }
kern_return_t S_tioctl_tiocsdtr(trivfs_protid_t protid) { return modem_change(protid, ~0, TIOCM_DTR); }

/* Of a pty: nobody would notice, so it is done. */
static error_t set_break(trivfs_protid_t protid, bool on)
{
    error_t err = node_check_change(protid);

    return err || !node_terminal.device ? err : device_set_break(node_terminal.device, on);
}

kern_return_t S_tioctl_tioccbrk(trivfs_protid_t protid) { return set_break(protid, false); }
kern_return_t S_tioctl_tiocsbrk(trivfs_protid_t protid) { return set_break(protid, true); }

/* ---- a pty's master ---------------------------------------------------------------------------------- */

static error_t check_master(trivfs_protid_t protid)
{
    error_t err = node_check(protid, O_READ | O_WRITE);

    return err ? err : node_is_master(protid) ? 0 : EOPNOTSUPP;
}

kern_return_t S_tioctl_tiocsig(trivfs_protid_t protid, int signal)
{
    error_t err = check_master(protid);

    if (err)
        return err;
    if (signal < 1 || signal >= _NSIG)
        return EINVAL;
    terminal_signal(&node_terminal, signal);
    return 0;
}

kern_return_t S_tioctl_tiocext(trivfs_protid_t protid, int mode)
{
    struct modes modes;
    error_t err = check_master(protid);

    if (err)
        return err;
    terminal_modes(&node_terminal, &modes);
    modes.lflag = mode ? modes.lflag | L_EXTPROC : modes.lflag & ~L_EXTPROC;
    return terminal_set_modes(&node_terminal, &modes, false, false);
}

static error_t set_master_mode(trivfs_protid_t protid, enum pty_mode mode, bool on)
{
    error_t err = check_master(protid);

    return err ? err : pty_set_mode(&node_pty, mode, on);
}

kern_return_t S_tioctl_tiocucntl(trivfs_protid_t protid, int on)
{
    return set_master_mode(protid, PTY_USER_CONTROL, on);
}
kern_return_t S_tioctl_tiocremote(trivfs_protid_t protid, int on) { return set_master_mode(protid, PTY_REMOTE, on); }
kern_return_t S_tioctl_tiocpkt(trivfs_protid_t protid, int on) { return set_master_mode(protid, PTY_PACKET, on); }
