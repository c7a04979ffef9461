# SPDX-License-Identifier: GPL-2.0-or-later
"""Our libraries and the proc server with nothing but a kernel below them (tests/boot-modules), on GNU Mach and on ours."""

import kernelmodule

KERNELS = ("gnumach", "quadrille-checked")
PROC = {"servers/proc/proc.static": "/hurd/proc '$(proc-task=task-create)'"}


def case(kernel, name, *words, beside={}):
    def run(folder):
        kernelmodule.run(folder, f"boot-modules/module_{name}", *words, kernel=kernel, beside=beside, memory=256)
    return f"{name}-{kernel}", run


CASES = [one for kernel in KERNELS for one in (
    case(kernel, "ports"), case(kernel, "trivfs"), case(kernel, "pager"),
    case(kernel, "proc", "'--proc-task=${proc-task}'", beside=PROC))]
