#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A guest follows what the host plugs into its heads: status, preferred mode
and EDID of each connector, as /sys/class/drm shows them. Its vGPU sits where
libvirt puts one, behind two bridges."""
import os
import signal
import sys
import time

sys.path.insert(0, "igt-tests")
from harness import Host, Lazy, Vm, add, main

NAME, TYPE = "desk-1", "PV24-1Q"
host = Lazy(lambda: Host("heads", asan=True).start())


def boot():
    host().create(NAME, TYPE)
    # Before there is a guest: it finds it so.
    host().ctl("head", NAME, 3, "--unplug")
    bridges = ["-device", "pcie-root-port,id=pci.1,bus=pcie.0,chassis=1,addr=0x10",
               "-device", "pcie-pci-bridge,id=pci.2,bus=pci.1,addr=0x0"]
    ours = host().qemu_args(NAME)
    ours[-1] += ",bus=pci.2,addr=0x1"
    vm = Vm("heads", "trixie", host(), [], memory=512, args=bridges + ours).start().wait()
    vm.load()
    return vm


machine = Lazy(boot)


def connector(head):
    """Status, preferred mode and size of the EDID of a head's connector."""
    where = f"/sys/class/drm/card*-Virtual-{head + 1}"
    status, mode, edid = machine().run(
        f"cat {where}/status; head -n1 {where}/modes | grep . || echo -; "
        f"wc -c < {where}/edid").out.split()
    return status, mode, int(edid)


def follows(head, expected, *change):
    if change:
        host().ctl("head", NAME, head, *change)
    deadline = time.monotonic() + 60
    while True:
        got = connector(head)
        if got == expected:
            return
        assert time.monotonic() < deadline, f"{got}, expected {expected}"
        time.sleep(0.5)


def as_it_began():
    follows(0, ("connected", "1920x1080", 128))
    follows(3, ("disconnected", "-", 0))


def another_mode():
    follows(1, ("connected", "1280x720", 128), "--mode", "1280x720@60")
    follows(0, ("connected", "1920x1080", 128))


def unplugged_and_plugged():
    follows(1, ("disconnected", "-", 0), "--unplug")
    follows(1, ("connected", "1280x720", 128), "--plug")
    follows(3, ("connected", "1920x1080", 128), "--plug")


def own_edid():
    """The EDID of head 0, with another name and one more block, to head 2."""
    edid = bytearray(machine().run(
        "od -An -v -tx1 /sys/class/drm/card*-Virtual-1/edid").out.encode())
    edid = bytearray(bytes.fromhex(edid.decode()))
    edid[126] = 1
    edid[127] = -sum(edid[:127]) & 255
    extension = bytearray(128)
    extension[:4] = 2, 3, 4, 0
    extension[127] = -sum(extension) & 255
    path = host().dir / "own.edid"
    path.write_bytes(edid + extension)
    follows(2, ("connected", "1920x1080", 256), "--edid", path)
    seen = machine().run("od -An -v -tx1 /sys/class/drm/card*-Virtual-3/edid").out
    assert bytes.fromhex(seen) == edid + extension, seen


def after_its_worker():
    """What was set is there again when another worker serves the guest."""
    os.kill(host().ctl("show", NAME, json_output=True)["vgpu"]["workerPid"], signal.SIGKILL)
    follows(1, ("connected", "1024x768", 128), "--mode", "1024x768@60")
    follows(2, ("connected", "1920x1080", 256))
    machine().check_dmesg()


def where_libvirt_puts_it():
    bus = machine().run("ls -d /sys/bus/pci/drivers/pvgpu/0000:*").out.strip()
    path = machine().run(f"realpath {bus}").out.strip()
    # Host bridge, root port, bridge, device.
    assert path.count("/0000:") == 3, path


def cleanup():
    if machine.made:
        machine().stop()
    if host.made:
        host().stop()


for title, function in (
        ("a guest finds the heads as they were set", as_it_began),
        ("its device sits behind libvirt's bridges", where_libvirt_puts_it),
        ("it follows another mode", another_mode),
        ("it follows a monitor that goes and comes", unplugged_and_plugged),
        ("it sees an EDID that was given", own_edid),
        ("it follows after the death of its worker", after_its_worker)):
    add(title, function)

main(cleanup)
