#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""QEMU killed with SIGKILL while its guest flips frames, and started again, 20
times: pvgpud keeps no descriptor, no process and no memory of it."""
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, "igt-tests")
from harness import Host, Lazy, Vm, main, test

ROUNDS, SETTLED = 20, 3     # the first rounds warm the allocator up
TYPE, MODE = "PV24-1A", "1024x768"
NAME = f"kill{os.getpid()}"      # its window is known by it on this whole machine
GROWTH_KIB = 512            # what pvgpud's own memory may differ by

host = Lazy(lambda: Host("kill").start())


def descriptors(pid):
    """What a process has open, by kind: an inode's number says nothing."""
    links = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(os.readlink(link).split(":")[0])
        except OSError:
            pass        # closed meanwhile
    return sorted(links)


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def private_kib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    raise AssertionError("no RssAnon")


def windows():
    """Processes that hold the vGPU's window, open or mapped."""
    name, found = f"/memfd:pvgpu-window-{NAME} ", []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            held = [os.readlink(f) for f in (process / "fd").iterdir()]
            held += (process / "maps").read_text().splitlines()
        except OSError:
            continue
        if any(name in line for line in held):
            found.append(int(process.name))
    return found


def settled(pid, want=None):
    """Waits until pvgpud has cleared up; gives what it then has open. Its
    control clients' sockets go a moment after the clients."""
    deadline, last = time.monotonic() + 10, None
    while time.monotonic() < deadline:
        now = descriptors(pid)
        if not children(pid) and now == (want or last):
            return now
        last = now
        time.sleep(0.2)
    return descriptors(pid)


@test
def qemu_killed_in_a_frame_twenty_times_leaves_nothing():
    pid = host().process.pid
    host().create(NAME, TYPE)
    before = settled(pid)
    memory = None
    for number in range(ROUNDS):
        vm = Vm("kill", "sid", host(), [NAME]).start().wait()
        try:
            vm.load()
            connector = vm.card()["connectors"][0]["id"]
            flips = vm.start_command(f"exec modetest -M pvgpu -v -s {connector}:{MODE}")
            deadline = time.monotonic() + 60
            first = frames()     # the console has drawn some
            while frames() < first + 10:
                assert not flips.ended and time.monotonic() < deadline, flips.out + flips.err
                time.sleep(0.05)
            assert windows(), "nothing holds a window while the VM runs"
            time.sleep(0.01 * (number % 5))     # not always at the same point
        finally:
            vm.kill()
        after = settled(pid, before)
        assert not children(pid), f"round {number}: processes {children(pid)} are left"
        assert after == before, f"round {number}: open {after}, before {before}"
        assert not windows(), f"round {number}: a window lives on in {windows()}"
        if number == SETTLED:
            memory = private_kib(pid)
    grown = private_kib(pid) - memory
    assert grown < GROWTH_KIB, f"pvgpud grew by {grown} KiB"


def frames():
    """Frames that head 0 has latched."""
    return host().ctl("show", NAME, json_output=True)["heads"][0]["frames"]


@test
def the_host_is_none_the_worse():
    with Vm("kill", "sid", host(), [NAME]) as vm:
        vm.load()
        with vm.light({0: MODE}):
            problem = host().screenshot(NAME, 0).difference(vm.grab(0))
            assert not problem, problem
        vm.check_dmesg()


main(lambda: host.made and host().stop())
