# SPDX-License-Identifier: GPL-2.0-or-later
"""Anonymous memory goes to a default memory manager and comes back (paging/): programs that need twice the memory there is, copies and children
of what is paged out, tasks that end, managers that forget, refuse, say nothing and die.  On our kernel with assertions
and 28 MiB of memory."""

import kernelmodule


def test_one_processor(folder):
    kernelmodule.run(folder, "kernel/paging/kernel_paging", memory=28)


def test_two_processors(folder):
    kernelmodule.run(folder, "kernel/paging/kernel_paging", "three-at-once", "fork", "children", "kill", "succession", memory=28, cpus=2)
