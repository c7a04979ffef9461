# SPDX-License-Identifier: GPL-2.0-or-later
"""GRUB configurations of the boot chains (imported by image/build and tools/boot).

A chain is the list of modules of seeds/bootstrap.txt, in its words and order:
  4: pci-arbiter, rumpdisk, ext2fs, exec     3: rumpdisk, ext2fs, exec
  2: ext2fs, exec, whose disk is the kernel's: a third module becomes its RAM
     disk rd0.  Only on our kernel; GNU Mach for x86_64 has no disk driver.
The first one is created and resumed by the kernel, each further one is created
suspended, its task port stored in a variable for the module before it.
exec is loaded as exec.static, or as ld.so.1 told to load /hurd/exec.
"""

CHAINS = (4, 3, 2)
EXECS = ('static', 'ldso')
ROOTS = {4: 'part:1:device:wd0', 3: 'part:1:device:wd0', 2: 'device:rd0'}
RAMDISK = '/boot/ramdisk.img'
LOADS = {1: ('multiboot', 'module'), 2: ('multiboot2', 'module2')}     # by Multiboot's version
PRIVILEGES = ("--host-priv-port='${host-port}' "
              "--device-master-port='${device-port}'")


def modules(chain, exec_kind):
    """The module lines of a chain: (file in the image, rest of the line)."""
    if chain not in CHAINS or exec_kind not in EXECS:
        raise ValueError('no such chain: %s %s' % (chain, exec_kind))
    first = "'$(task-create)' '$(task-resume)'"
    rumpdisk = ("rumpdisk %s --fs-server-task='${fs-task}' %%s" % PRIVILEGES)
    lines = []
    if chain == 4:
        lines.append(('/hurd/pci-arbiter.static',
                      "pci-arbiter %s --disk-server-task='${disk-task}' %s"
                      % (PRIVILEGES, first)))
        lines.append(('/hurd/rumpdisk.static', rumpdisk % "'$(disk-task=task-create)'"))
    elif chain == 3:
        lines.append(('/hurd/rumpdisk.static', rumpdisk % first))
    lines.append(('/hurd/ext2fs.static',
                  "ext2fs --readonly --multiboot-command-line='${kernel-command-line}' "
                  "%s --exec-server-task='${exec-task}' --kernel-task='${kernel-task}' "
                  "-T typed '${root}' %s"
                  % (PRIVILEGES, first if chain == 2 else "'$(fs-task=task-create)'")))
    if exec_kind == 'static':
        lines.append(('/hurd/exec.static', "exec '$(exec-task=task-create)'"))
    else:
        lines.append(('/lib/ld-x86-64.so.1', "exec /hurd/exec '$(exec-task=task-create)'"))
    if chain == 2:
        lines.append((RAMDISK, "ramdisk '$(ramdisk-create)'"))
    return lines


def entry(chain, exec_kind, kernel='/boot/quadrille', append='', root=None,
          label='quadrille', omit=(), trace=False, multiboot=1, console='com0', lines=()):
    """One menu entry; OMIT names modules to leave out; TRACE asks every module to
    tell its steps (startup sees it on the kernel's line, proc and auth hear of it from startup);
    LINES replaces what is behind a module's file, by the file's name."""
    append += ' trace-boot' if trace else ''
    words = ' '.join(w for w in ('root=' + (root or ROOTS[chain]),
                                 'console=' + console if console else '', append) if w)
    load_kernel, load_module = LOADS[multiboot]
    loads = [(load_kernel, kernel, words)]
    loads += [(load_module, path,
               rest.replace(" '$(", " --trace-boot '$(", 1) if trace and path != RAMDISK else rest)
              for path, rest in ((p, dict(lines).get(p.rsplit('/', 1)[-1], r))
                                 for p, r in modules(chain, exec_kind))
              if path.rsplit('/', 1)[-1] not in omit]
    lines = ['menuentry "%s, %d modules, exec %s" --id %s-%d-%s {'
             % (label, chain, exec_kind, label, chain, exec_kind), '    set missing=']
    # GRUB by itself would boot without a module that is not there, and the
    # kernel would wait for it for ever.
    lines += ['    if [ ! -f %s ]; then set missing="$missing %s"; fi' % (path, path)
              for kind, path, rest in loads]
    lines += ['    if [ -n "$missing" ]; then',
              '        echo "boot failed: GRUB does not find$missing"',
              '        sleep --interruptible 10', '    else']
    lines += ['        %s %s %s' % load for load in loads]
    return '\n'.join(lines + ['        boot', '    fi', '}', ''])


HEADER = '''# Made by image/build; the entries are those of image/grub.py.
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
set timeout=%d
set default=%s
'''


def configuration(entries, default, timeout):
    """A whole grub.cfg, with each kernel: entries are (chain, exec_kind) pairs."""
    return HEADER % (timeout, default) + '\n'.join(
        entry(c, e, '/boot/' + kernel, label=kernel) for kernel in ('quadrille', 'gnumach') for c, e in entries
        if c != 2)
