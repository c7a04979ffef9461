# SPDX-License-Identifier: GPL-2.0-or-later
"""The dance in its order: with --trace-boot each of the eight says one line a step (lib/dance); the merged log of every chain is held
against the order that seeds/bootstrap.txt demands, sentence by sentence.  And docs/bootstrap.md, which tells where each step is, against
the sources."""

import functools
import os
import re

from image import ROOT, Image
from machine import Failure, Machine

SERVERS = ("pci-arbiter", "rumpdisk", "ext2fs", "exec", "startup", "proc", "auth")

# (section of the seed, its sentence or the part that the step shows, the step, the steps that must have come before)
# A step is NAME NUMBER, or NAME NUMBER: BEGINNING OF ITS WORDS.  Rows with a step of a server that a chain has not are left out there.
DEMANDS = (
    ("State at the beginning of the bootstrap",
     "create a task for the ext2fs module and a task for the exec module",
     "kernel loaded: exec", ["kernel loaded: ext2fs", "kernel loaded: rumpdisk", "kernel loaded: pci-arbiter"]),
    ("State at the beginning of the bootstrap",
     "GNU Mach will eventually make the $(task-resume) function calls, and thus resume the ext2fs task only",
     "kernel start", ["kernel loaded: exec"]),

    ("Initialization of translators before ext2fs",
     "pci-arbiter's main function parses the arguments, and since it is given a disk task port, it knows it is a bootstrap translator",
     "pci-arbiter 1: command line parsed: given a task", ["kernel start"]),
    ("Initialization of translators before ext2fs", "and thus initializes the machdev library",
     "pci-arbiter 2", ["pci-arbiter 1"]),
    ("Initialization of translators before ext2fs", "machdev_trivfs_init resumes the disk task",
     "pci-arbiter 5", ["pci-arbiter 2", "pci-arbiter 3", "pci-arbiter 4"]),
    ("Initialization of translators before ext2fs",
     "rumpdisk's main function parses the arguments, and since it is given a FS task port, it knows it is a bootstrap translator",
     "rumpdisk 1: command line parsed: given a task", ["kernel start", "pci-arbiter 5"]),
    ("Initialization of translators before ext2fs", "and thus machdev_trivfs_init resumes the FS task",
     "rumpdisk 5", ["rumpdisk 1", "rumpdisk 2", "rumpdisk 3", "rumpdisk 4"]),

    ("ext2fs initialization", "diskfs_init_main parses the ext2fs command line with argp_parse, to record the parameters set up by the kernel. "
     "It makes sure to have a working stdout by opening the Mach console.", "ext2fs 1", ["kernel start", "rumpdisk 5"]),
    ("ext2fs initialization", "diskfs_init_main sets the ext2fs bootstrap port to MACH_PORT_NULL", "ext2fs 2", ["ext2fs 1"]),
    ("ext2fs initialization", "diskfs_init_main then initializes the libdiskfs library and spawns a thread to manage libdiskfs RPCs",
     "ext2fs 3", ["ext2fs 2"]),
    ("ext2fs initialization", "ext2fs continues its initialization: creating a pager", "ext2fs 4", ["ext2fs 3"]),
    ("ext2fs initialization", "opening the hypermetadata", "ext2fs 5", ["ext2fs 4"]),
    ("ext2fs initialization", "opening the root inode to be set as root by libdiskfs. ext2fs then calls diskfs_startup_diskfs",
     "ext2fs 6", ["ext2fs 5"]),

    ("libdiskfs bootstrap", "diskfs_start_bootstrap starts by creating a open port on itself for the current and root directory",
     "ext2fs 7", ["ext2fs 6"]),
    ("libdiskfs bootstrap", "start_execserver that sets the bootstrap port of the exec task to a port of the diskfs_execboot_class, "
     "and resumes the exec task", "ext2fs 8", ["ext2fs 7"]),
    ("libdiskfs bootstrap", "diskfs_start_bootstrap then waits for execstarted", "ext2fs 9", ["ext2fs 8"]),

    ("exec bootstrap", "exec's main function starts and calls task_get_bootstrap_port to get its bootstrap port and getproc "
     "(thus MACH_PORT_NULL at this point since the proc translator is not started yet)",
     "exec 1: bootstrap port got; getproc gives null", ["ext2fs 8"]),
    ("exec bootstrap", "exec initializes the trivfs library", "exec 2", ["exec 1"]),
    ("exec bootstrap", "and eventually calls trivfs_startup on its bootstrap port", "exec 3", ["exec 2"]),

    ("libdiskfs taking back control", "diskfs_execboot_fsys_startup is thus called. It calls dir_lookup on /servers/exec to return the "
     "underlying node for the exec translator, and stores the exec control port in diskfs_exec_ctl. It can then signal execstarted.",
     "ext2fs 10", ["exec 3"]),
    ("exec bootstrap", "and get back a port on the underlying node for the exec translator", "exec 4", ["ext2fs 10"]),
    ("libdiskfs taking back control", "diskfs_start_bootstrap thus takes back control, It calls fsys_getroot on the control port of exec, "
     "and uses dir_lookup and file_set_translator to attach it to /servers/exec", "ext2fs 11", ["ext2fs 9", "ext2fs 10", "exec 4"]),
    ("libdiskfs taking back control", "diskfs_start_bootstrap then looks for which startup process to run. … it will default to /hurd/startup",
     "ext2fs 12: startup program: /hurd/startup", ["ext2fs 11"]),
    ("libdiskfs taking back control", "the startup process can be created with exec_exec. … It is passed as bootstrap port a port from the "
     "diskfs_control_class", "ext2fs 13", ["ext2fs 12"]),
    ("libdiskfs taking back control", "it calls diskfs_call_fsys_startup which creates a new control port and passes it do a call to "
     "fsys_startup on the bootstrap port", "ext2fs 14", ["ext2fs 13"]),
    ("libdiskfs taking back control", "so rumpdisk gets access to the ext2fs filesystem", "rumpdisk 7", ["ext2fs 14"]),
    ("libdiskfs taking back control", "Rumpdisk forwards this fsys_startup call to pci-arbiter", "rumpdisk 8", ["rumpdisk 7", "pci-arbiter 5"]),
    ("libdiskfs taking back control", "so the latter also gets access to the ext2fs filesystem", "pci-arbiter 7", ["rumpdisk 8"]),

    ("startup", "startup's main function starts and calls task_get_bootstrap_port to get its bootstrap port, i.e. the control port of ext2fs",
     "startup 1", ["ext2fs 13"]),
    ("startup", "and fsys_getpriv on it to get the host privileged port and device master port. It clears the bootstrap port so children do "
     "not inherit it.", "startup 2", ["startup 1"]),
    ("startup", "It sets itself up with output on the Mach console", "startup 3", ["startup 2"]),
    ("startup", "and wires itself against swapping", "startup 4", ["startup 3"]),
    ("startup", "It requests notification for ext2fs translator dying … It creates a startup port which it will get RPCs on.",
     "startup 5", ["startup 4"]),
    ("startup", "and run /hurd/proc", "startup 6: running /hurd/proc", ["startup 5"]),
    ("startup", "and /hurd/auth, giving them as bootstrap port the startup port", "startup 6: running /hurd/auth", ["startup 5"]),

    ("proc", "It initializes itself", "proc 1", ["startup 6: running /hurd/proc"]),
    ("proc", "and calls task_get_bootstrap_port to get a port on startup", "proc 2", ["proc 1"]),
    ("proc", "It can then call startup_procinit on it", "proc 3", ["proc 2"]),
    ("auth", "It creates the initial root auth handle", "auth 1", ["startup 6: running /hurd/auth"]),
    ("auth", "It calls task_get_bootstrap_port to get a port on startup.", "auth 2", ["auth 1"]),
    ("auth", "It can then call startup_authinit on it to pass the initial root auth handle", "auth 3", ["auth 2"]),

    ("startup getting back control", "startup notices initialization of auth and proc from S_startup_procinit and S_startup_authinit. "
     "Once both have been called, it calls launch_core_servers.", "startup 7", ["proc 3", "auth 3"]),
    ("startup getting back control", "launch_core_servers starts by calling startup_procinit_reply to actually reply to the "
     "startup_procinit RPC with a port on auth", "startup 8", ["startup 7"]),
    ("proc", "and get ports on the auth server, the host privileged port, and device master port", "proc 4", ["startup 8"]),
    ("startup getting back control", "launch_core_servers then tells proc that the bootstrap processes are important",
     "startup 9", ["startup 8"]),
    ("startup getting back control", "launch_core_servers then calls install_as_translator to show up in the filesystem on /servers/startup",
     "startup 10", ["startup 9", "proc 4"]),
    ("startup getting back control", "launch_core_servers calls startup_authinit_reply", "startup 11", ["startup 10"]),
    ("auth", "and get a port on the proc server. It can then register itself to proc.", "auth 4", ["startup 11", "proc 4"]),
    ("startup getting back control", "launch_core_servers eventually calls fsys_init on its bootstrap port, to give ext2fs the proc and "
     "auth ports", "startup 12", ["startup 11"]),
    ("startup getting back control", "diskfs' diskfs_S_fsys_init thus gets called. It first replies to startup", "ext2fs 15", ["startup 12"]),

    ("proc", "Eventually, proc calls startup_essential_task", "proc 6", ["proc 4", "proc 5"]),
    ("auth", "Eventually, auth calls startup_essential_task", "auth 5", ["auth 4"]),
    ("libdiskfs taking back control", "diskfs now knows that proc and auth are ready, and can call exec_init on the exec port",
     "ext2fs 16", ["ext2fs 15"]),
    ("exec getting initialized", "exec's S_exec_init gets called from the exec_init call from ext2fs. Exec can register itself with proc",
     "exec 5", ["ext2fs 16", "proc 4"]),
    ("exec getting initialized", "and eventually call startup_essential_task", "exec 6", ["exec 5"]),
    ("back to libdiskfs initialization", "It also calls fsys_init on its bootstrap port, i.e. rumpdisk", "ext2fs 17", ["ext2fs 16", "ext2fs 14"]),
    ("rumpdisk getting initialized", "rumpdisk's trivfs_S_fsys_init gets called from the fsys_init call from ext2fs",
     "rumpdisk 9", ["ext2fs 17", "rumpdisk 7"]),
    ("rumpdisk getting initialized", "It calls fsys_init on its bootstrap port", "rumpdisk 10", ["rumpdisk 9", "pci-arbiter 5"]),
    ("pci-arbiter getting initialized", "pci-arbiter's trivfs_S_fsys_init gets called from the fsys_init call from rumpdisk",
     "pci-arbiter 9", ["rumpdisk 10", "pci-arbiter 7"]),
    ("pci-arbiter getting initialized", "It gets the root node of ext2fs, sets all common ports", "pci-arbiter 11", ["pci-arbiter 9"]),
    ("pci-arbiter getting initialized", "and install pci-arbiter in the ext2fs FS as translator for /servers/bus/pci",
     "pci-arbiter 12: installed as the translator of /servers/bus/pci", ["pci-arbiter 11"]),
    ("pci-arbiter getting initialized", "It eventually calls startup_essential_task", "pci-arbiter 13", ["pci-arbiter 12", "startup 10"]),
    ("pci-arbiter getting initialized", "and requests shutdown notifications", "pci-arbiter 14", ["pci-arbiter 13"]),
    ("back to rumpdisk initialization", "It gets the root node of ext2fs, sets all common ports", "rumpdisk 11", ["rumpdisk 9", "rumpdisk 10"]),
    ("back to rumpdisk initialization", "and install rumpdisk in the ext2fs FS as translator for /dev/disk",
     "rumpdisk 12: installed as the translator of /dev/disk", ["rumpdisk 11"]),
    ("back to rumpdisk initialization", "It eventually calls startup_essential_task", "rumpdisk 13", ["rumpdisk 12", "startup 10"]),
    ("back to rumpdisk initialization", "and requests shutdown notifications", "rumpdisk 14", ["rumpdisk 13"]),
    ("back to libdiskfs initialization", "It initializes the default proc and auth ports to be given to processes", "ext2fs 18", ["ext2fs 17"]),
    ("back to libdiskfs initialization", "It calls startup_essential_task on the startup port", "ext2fs 19", ["ext2fs 18"]),
    ("back to libdiskfs initialization", "Eventually, it calls _diskfs_init_completed … startup_request_notification", "ext2fs 20", ["ext2fs 19"]),

    ("startup monitoring bootstrap progress", "startup's S_startup_essential_task function thus gets called each time, and startup records "
     "each of them as essential", "startup 13: proc", ["proc 6"]),
    ("startup monitoring bootstrap progress", "(auth)", "startup 13: auth", ["auth 5"]),
    ("startup monitoring bootstrap progress", "(exec)", "startup 13: exec", ["exec 6"]),
    ("startup monitoring bootstrap progress", "(ext2fs)", "startup 13: ext2fs", ["ext2fs 19"]),
    ("startup monitoring bootstrap progress", "(rumpdisk)", "startup 13: rumpdisk", ["rumpdisk 13"]),
    ("startup monitoring bootstrap progress", "(pci-arbiter)", "startup 13: pci-arbiter", ["pci-arbiter 13"]),
    ("startup monitoring bootstrap progress", "Once all of proc, auth, exec have called startup_essential_task, startup replies to their "
     "respective RPCs", "startup 14", ["startup 13: proc", "startup 13: auth", "startup 13: exec"]),
    ("startup monitoring bootstrap progress", "so they actually start working altogether: proc", "proc 7", ["startup 14"]),
    ("startup monitoring bootstrap progress", "so they actually start working altogether: auth", "auth 6", ["startup 14"]),
    ("startup monitoring bootstrap progress", "so they actually start working altogether: exec", "exec 7", ["startup 14"]),
    ("startup monitoring bootstrap progress", "It also calls init_stdarrays which sets the initial values of the standard exec data",
     "startup 15", ["startup 14"]),
    ("startup monitoring bootstrap progress", "and frob_kernel_process to plug the kernel task into the picture", "startup 16", ["startup 15"]),
    ("startup monitoring bootstrap progress", "It eventually calls launch_something … by default is /libexec/runsystem",
     "startup 17: launch_something: /libexec/runsystem", ["startup 15", "startup 16"]),
)


def events(log):
    """The steps in the log's order, as `NAME NUMBER: words`; the kernel's own lines as `kernel loaded: NAME` and `kernel start`."""
    found = []
    for line in log.splitlines():
        loaded = re.match(r"task loaded: (\S+)", line)
        if loaded:
            found.append(f"kernel loaded: {loaded[1]}")
        if re.match(r"start \S+(: |$)", line):
            found.append("kernel start")
        for name, number, words in re.findall(r"(\S+): step (\d+): (.*)", line):
            found.append(f"{name} {number}: {words}")
    return found


def position(found, step):
    """Where STEP is in the list of events; None: nowhere."""
    beginning = step if ":" in step or step.startswith("kernel") else step + ":"
    return next((i for i, event in enumerate(found) if event.startswith(beginning)), None)


def absent(step, chain):
    """Chain 2 has no driver: nobody before ext2fs, to whom it would go on."""
    if chain == "2":
        return "pci-arbiter" in step or "rumpdisk" in step or step in ("ext2fs 14", "ext2fs 17")
    return chain == "3" and (step.startswith("pci-arbiter") or "pci-arbiter" in step or step in ("rumpdisk 8", "rumpdisk 10"))


def check_order(log, chain):
    found = events(log)
    wrong = []
    for section, sentence, step, before in DEMANDS:
        if absent(step, chain):
            continue
        at = position(found, step)
        if at is None:
            wrong.append(f"{section}: {sentence!r}: {step!r} is not in the log")
            continue
        for earlier in before:
            earlier_at = position(found, earlier)
            if absent(earlier, chain):
                continue
            if earlier_at is None or earlier_at > at:
                wrong.append(f"{section}: {sentence!r}: {step!r} is not preceded by {earlier!r}")
    if wrong:
        raise Failure("\n".join(wrong + ["--- the steps as they came ---"] + found))


def complete(log, chain):
    last = ["startup 17", "startup 13: ext2fs", "ext2fs 20", "rumpdisk 14", "startup 13: rumpdisk", "pci-arbiter 14"]
    found = events(log)
    return all(position(found, step) is not None for step in last if not absent(step, chain))


def boot(folder, chain, exec_kind):
    image = Image(folder)
    kernel = ["--kernel", "quadrille"] if chain == "2" else []
    with Machine(os.path.join(folder, "serial.log"), "--trace", "--chain", chain, "--exec", exec_kind, *kernel, disk=image.path) as machine:
        machine.prompt()
        for _ in range(60):     # the drivers become ordinary beside the shell
            if complete(machine.log, chain):
                break
            machine.pause(1)
        check_order(machine.log, chain)
        machine.halt()


def held(folder, chain, exec_kind):
    """The file system takes its time to become a process: runsystem, which is there long before, waits for the first translators and goes on as always."""
    kernel = ["--kernel", "quadrille"] if chain == "2" else []
    with Machine(os.path.join(folder, "serial.log"), "--trace", "--append", "hold-boot=ext2fs:18:3000", "--chain", chain, "--exec", exec_kind, *kernel,
                 disk=Image(folder).path) as machine:
        machine.prompt()
        if machine.run("tty") != "/dev/console\n":
            machine.fail("the shell is on no terminal")
        if "runsystem ended" in machine.log or "rror" in machine.log:
            machine.fail("something could not be started")
        check_order(machine.log, chain)
        machine.halt()


def silent(folder):
    """Without the option nobody tells steps."""
    with Machine(os.path.join(folder, "serial.log"), disk=Image(folder).path) as machine:
        machine.prompt()
        if any(not event.startswith("kernel") for event in events(machine.log)):
            machine.fail("steps are told without being asked for")
        machine.halt()


# ---- the documentation ----------------------------------------------------------------------------


def documented_steps():
    """Rows of docs/bootstrap.md: (step, function, file)."""
    with open(os.path.join(ROOT, "docs", "bootstrap.md"), encoding="utf-8") as text:
        for line in text:
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if len(cells) == 3 and re.match(r"(%s) \d+" % "|".join(SERVERS), cells[0]):
                where = re.fullmatch(r"`(\w+)`, `([\w/.-]+)`", cells[2])
                if not where:
                    raise Failure(f"docs/bootstrap.md: {cells[0]}: {cells[2]!r} is not a function and a file")
                for step in cells[0].split(", "):
                    yield step, where[1], where[2]


def told_steps():
    """Every dance_step of the sources: file → numbers."""
    for top in ("lib", "servers"):
        for folder, _, files in os.walk(os.path.join(ROOT, top)):
            for name in files:
                if not name.endswith(".c") or os.path.basename(folder) == "dance":
                    continue
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as source:
                    numbers = {int(n) for n in re.findall(r"\bdance_step\((\d+),", source.read())}
                if numbers:
                    yield os.path.relpath(path, ROOT), numbers


def documented(_folder):
    told = dict(told_steps())
    wrong, rows = [], {}
    for step, function, path in documented_steps():
        rows[step] = path
        try:
            with open(os.path.join(ROOT, path), encoding="utf-8") as source:
                text = source.read()
        except OSError as error:
            wrong.append(f"{step}: {error}")
            continue
        body = re.search(r"^[a-z][^\n;]*\b%s\([^;{]*\)\s*\n?\{.*?^\}" % function, text, re.M | re.S)
        if not body:
            wrong.append(f"{step}: {path} has no function {function}")
        elif f"dance_step({step.split()[1]}," not in body[0]:
            wrong.append(f"{step}: {function} of {path} does not tell step {step.split()[1]}")
    for path, numbers in told.items():
        for number in sorted(numbers):
            if not any(where == path and int(step.split()[1]) == number for step, where in rows.items()):
                wrong.append(f"{path} tells step {number}, which docs/bootstrap.md does not have")
    for _, _, step, before in DEMANDS:
        for name in [step, *before]:
            if not name.startswith("kernel") and name.split(":")[0] not in rows:
                wrong.append(f"{name}: not in docs/bootstrap.md")
    if wrong:
        raise Failure("\n".join(wrong))


CASES = [(f"chain{chain}-{exec_kind}", functools.partial(boot, chain=chain, exec_kind=exec_kind))
         for chain in ("4", "3", "2") for exec_kind in ("static", "ldso")] + [("held-chain4", functools.partial(held, chain="4", exec_kind="static")),
         ("held-chain2", functools.partial(held, chain="2", exec_kind="ldso")), ("silent", silent), ("documented", documented)]
