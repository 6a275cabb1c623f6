#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The edges of the virtgpu uAPI, in a guest: pvgpu-uapi on our driver, where
every answer has to be right, and on stock virtio-gpu with virgl in the same
machine, which shows that they are its answers too."""
import re
import sys

sys.path.insert(0, "igt-tests")
from harness import Host, Lazy, Vm, add, main

TYPE = "PV24-1Q"
# Before Linux 6.6 virtio-gpu has no syncobjs in EXECBUFFER: there it is ours alone.
SUITES = {"bookworm": (), "trixie": ("-device", "virtio-gpu-gl-pci"), "sid": ()}
DISKS = {"sid": "gl-sid"}       # it has igt-gpu-tools
IGT = "/usr/libexec/igt-gpu-tools/drm_virtgpu"


host = Lazy(lambda: Host("uapi", asan=True).start())


def boot(suite):
    host().create(suite, TYPE)
    vm = Vm(f"uapi-{suite}", suite, host(), [suite], args=SUITES[suite],
            disk=DISKS.get(suite), screen=bool(SUITES[suite])).start().wait()
    vm.load()
    return vm


machines = {suite: Lazy(lambda suite=suite: boot(suite)) for suite in SUITES}


def answers(vm, driver):
    """What pvgpu-uapi prints: {test: passed}, and all of it."""
    result = vm.run(f"pvgpu-uapi {driver}", timeout=300, check=False)
    lines = re.findall(r"^(ok|not ok) \d+ - (.*)$", result.out, re.MULTILINE)
    assert lines and f"1..{len(lines)}" in result.out, result.out + result.err
    return {name: good == "ok" for good, name in lines}, result.out


def is_right(suite):
    passed, out = answers(machines[suite](), "pvgpu")
    assert all(passed.values()) and "# SKIP" not in out, out
    machines[suite]().check_dmesg()


def is_virtio_gpus(suite):
    vm = machines[suite]()
    vm.run("modprobe virtio-gpu")
    passed, out = answers(vm, "virtio_gpu")
    assert all(passed.values()), out
    # QEMU's has CONTEXT_INIT from 9.2 on; all else is there to be compared.
    skipped = {name for name in passed if "# SKIP" in name}
    assert skipped <= {"contexts and their parameters # SKIP no CONTEXT_INIT",
                       "rings and their events # SKIP no CONTEXT_INIT",
                       "a buffer that is mapped by others # SKIP ours alone"}, out


def goes_under_another_name(suite):
    """As tools that insist on a name want it."""
    vm = machines[suite]()
    vm.unload()
    vm.load("drm_name=virtio_gpu")
    assert "3D_FEATURES 1" in vm.run("pvgpu-virtgpu params virtio_gpu").out
    vm.unload()
    vm.load()


def passes_igt(suite):
    """igt's drm_virtgpu insists on the driver's name."""
    vm = machines[suite]()
    vm.unload()
    vm.load("drm_name=virtio_gpu")
    out = vm.run(f"IGT_FORCE_DRIVER=virtio_gpu {IGT} 2>&1", timeout=300, check=False).out
    ends = re.findall(r"^Subtest (\S+): (\w+)", out, re.MULTILINE)
    assert len(ends) >= 10 and all(end == "SUCCESS" for _, end in ends), out
    vm.check_dmesg()


def leaves_nothing(suite):
    """Clients killed in mid-draw: no object, charge or context stays."""
    vm = machines[suite]()
    read = "cat /sys/kernel/debug/dri/*/render /sys/kernel/debug/dri/*/vram"
    figures = re.compile(r"^(charged|objects_waiting|objects) (\d+)", re.MULTILINE)
    # What stays for good is there after this: a context of the kernel's own.
    vm.run("pvgpu-uapi pvgpu; sleep 1")
    before = figures.findall(vm.run(read).out)
    vm.run("for i in 1 2 3 4 5; do timeout -s KILL 0.4 pvgpu-uapi pvgpu > /dev/null; "
           "timeout -s KILL 0.3 pvgpu-virtgpu latency pvgpu 5; done; sleep 1", check=False)
    after = figures.findall(vm.run(read).out)
    assert dict(after)["charged"] == dict(before)["charged"], (before, after)
    assert dict(after)["objects_waiting"] == "0", after
    # The channels' command memory stays once it is there.
    assert int(dict(after)["objects"]) <= int(dict(before)["objects"]) + 7, (before, after)
    vm.check_dmesg()


def cleanup():
    for machine in machines.values():
        if machine.made:
            machine().stop()
    if host.made:
        host().stop()


for name, stock in SUITES.items():
    add(f"{name}: answers to the virtgpu uAPI are right", is_right, name)
    add(f"{name}: killed clients leave nothing behind", leaves_nothing, name)
    if stock:
        add(f"{name}: the answers are virtio-gpu's", is_virtio_gpus, name)
    elif name in DISKS:
        add(f"{name}: igt's drm_virtgpu passes", passes_igt, name)
    else:
        add(f"{name}: goes under another driver's name", goes_under_another_name, name)

main(cleanup)
