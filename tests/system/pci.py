# SPDX-License-Identifier: GPL-2.0-or-later
"""pci-arbiter on a machine with bridges: the tree, the pci interface (tests/inside/pcitest), permission scopes, and that
nothing has two drivers, with the arbiter and without."""

import os

from machine import Machine
from session import image_with

USER = "chroot --userspec=1000:100 / "
TREE = "/servers/bus/pci"
# A root port with a network card behind it, two bridges in a row with QEMU's educational device behind them, and a second
# root bus.
BRIDGES = ("pcie-root-port,id=port1,chassis=1,slot=1", "e1000e,bus=port1", "pcie-root-port,id=port2,chassis=2,slot=2",
           "pcie-pci-bridge,id=outer,bus=port2", "pci-bridge,id=inner,bus=outer,chassis_nr=3,addr=1", "edu,bus=inner,addr=5",
           "pxb-pcie,id=second,bus_nr=128,bus=pcie.0", "pcie-root-port,id=port3,bus=second,chassis=4,slot=4", "virtio-rng-pci,bus=port3")


def machine_with(folder, *options):
    return Machine(os.path.join(folder, "serial.log"), *options, disk=image_with(folder, "pcitest").path)


def wanted(machine, command, text, status=0):
    got, output = machine.run(command, status=None, limit=120)
    if text not in output or got != status:
        machine.fail(f"{command}: status {got}, {text!r} is not in {output!r}")
    return output


def function_of(machine, identity):
    """The directory of the function whose first four bytes od shows as IDENTITY."""
    output = machine.run(f"cd {TREE}; for f in */*/*/*; do echo $f $(head -c 4 $f/config | od -An -x); done; cd /", limit=120)
    found = [line.split()[0] for line in output.splitlines() if line.endswith(identity)]
    if len(found) != 1:
        machine.fail(f"{len(found)} functions of {identity} in {output!r}")
    return found[0]


def scopes(machine, edu):
    function = f"{TREE}/{edu}"
    bus, device = edu.split("/")[1:3]
    wanted(machine, USER + f"/pcitest --refused {function}", " 0 failed")
    machine.run(f"fsysopts {TREE} --class=02 --uid=0 --bus={bus} --dev={device} --uid=1000 --gid=7")
    wanted(machine, f"fsysopts {TREE}", f"pci-arbiter --class=02 --uid=0 --bus={bus} --dev={device} --uid=1000 --gid=7")
    wanted(machine, f"ls -ln {function}/region0", "-rw-rw---- 1 1000 7 ")
    wanted(machine, USER + f"/pcitest {function}", " 0 failed")
    wanted(machine, f"chroot --userspec=1001:7 / /pcitest {function}", " 0 failed")
    wanted(machine, f"chroot --userspec=1001:100 / /pcitest --refused {function}", " 0 failed")
    for wrong in ("--uid=1000", "--bus=100 --uid=1", "--bus=1", "--subclass=1 --uid=1", "--bus=1 --uid=x", "--nonsense", "word",
                  "--bus=1 --uid=1 --uid=2", "--dev=20 --uid=1"):
        wanted(machine, f"fsysopts {TREE} {wrong}", "Invalid argument", 1)
    wanted(machine, f"fsysopts {TREE}", f"--bus={bus} --dev={device} --uid=1000 --gid=7")
    wanted(machine, USER + f"fsysopts {TREE} --root-only", "ermitted", 1)
    machine.run(f"fsysopts {TREE} --root-only")
    wanted(machine, USER + f"/pcitest --refused {function}", " 0 failed")


def test_bridges(folder):
    with machine_with(folder, *(f"--qemu={word}" for device in BRIDGES for word in ("-device", device))) as machine:
        machine.prompt()
        edu = function_of(machine, "1234 11e8")
        card = function_of(machine, "8086 10d3")
        generator = function_of(machine, "1af4 1044")
        if edu.split("/")[1] < "03" or card.split("/")[1] != "01" or generator.split("/")[1] != "81":
            machine.fail(f"edu, e1000e and virtio-rng are at {edu}, {card}, {generator}")
        wanted(machine, f"wc -c < {TREE}/{card}/config", "4096")
        wanted(machine, f"wc -c < {TREE}/{edu}/config", "256")
        wanted(machine, f"head -c 4 {TREE}/{card}/rom | od -An -tx1", "55 aa")
        wanted(machine, f"head -c 258 {TREE}/{card}/config | tail -c 2 | od -An -x", " 0001") # Advanced Error Reporting
        wanted(machine, f"cd {TREE}/{edu}/../../..; ls -d ../0000", "../0000")
        wanted(machine, f"cd /; ls {TREE}/{edu}/region9", "No such file", 2)
        wanted(machine, f"chown 1000 {TREE}/{edu}/config", "not supported", 1)
        wanted(machine, f"/pcitest {TREE}/{edu}", " 0 failed")
        # I/O ports: a data register of the SMBus controller keeps what is written to it.
        ports = f"{TREE}/0000/00/1f/3/region4"
        machine.run(f"printf U | dd of={ports} bs=1 seek=5")
        wanted(machine, f"dd if={ports} bs=1 skip=5 count=1", "U")
        scopes(machine, edu)
        # The disk's controller is rumpdisk's, and rumpdisk's alone.
        wanted(machine, f"head -c 4 {TREE}/0000/00/1f/2/region5", "busy", 1)
        wanted(machine, "settrans -a -c /tmp/disk2 /hurd/rumpdisk.static", "cannot be used: another driver has it")
        wanted(machine, "settrans -g /tmp/disk2; wc -c < /bin/sh", "")
        machine.halt()


def test_second_driver_without_arbiter(folder):
    with machine_with(folder, "--chain", "3") as machine:
        machine.prompt()
        wanted(machine, "settrans -a -c /tmp/disk2 /hurd/rumpdisk.static", "another task has it", 1)
        wanted(machine, "settrans -a /servers/bus/pci /hurd/pci-arbiter.static", "another task has it", 1)
        wanted(machine, "md5sum < /bin/sh", "  -")
        machine.halt()
