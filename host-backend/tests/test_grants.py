#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Grants for real: pvgpud, several workers that render, and recorded programs
played on them as load, without a VM. Shares are given wide room, since others
use this machine too; what must be exact is."""

import json
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from systemd_support import *

CTL = PLAIN_BIN + "/pvgpuctl"
REPLAY = PLAIN_BIN + "/pvgpu-replay"
FILL = "protocol/replay/recordings/fill.rec"
FOREVER = 300
ROOM = 0.15             # of a share


class Host(Systemd):
    """pvgpud with sanitizers, and workers without: they are the load."""

    def __init__(self, *names):
        super().__init__(worker=PLAIN_BIN + "/pvgpu-worker")
        self.names = names
        self.loads = []

    def __enter__(self):
        super().__enter__()
        for name in self.names:
            self.call("Create", name=name, type="PV24-2Q")
        return self

    def __exit__(self, *error):
        for load in self.loads:
            load.kill()
            load.communicate()
        return super().__exit__(*error)

    def load(self, name, repeat=1, depth=8, seconds=FOREVER):
        """A program that draws frames of `repeat` times the same, as its
        guest, for so long."""
        load = subprocess.Popen(
            [REPLAY, "--json", "-w", "0", "-s", str(seconds), "-d", str(depth),
             "-r", str(repeat), FILL, self.path(name)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.loads.append(load)
        wait_until(lambda: self.used(name) > 0 or load.poll() is not None,
                   f"{name} draws", 60)
        check(load.poll() is None, f"the load on {name} has ended")
        return load

    def set(self, *arguments):
        done = subprocess.run([CTL, "--socket", self.control, "sched", "set",
                               *arguments], capture_output=True, text=True,
                              timeout=30)
        check(done.returncode == 0, f"{arguments}: {done.stderr}")

    def scheduled(self, name):
        vgpu, = self.call("GetFigures", name=name)["vgpus"]
        return vgpu.get("schedule", {"used": 0, "turns": 0})

    def used(self, name):
        return self.scheduled(name)["used"]

    def shares(self, seconds=1.5, names=None):
        """Parts of all that is used of the GPU meanwhile."""
        names = names or self.names
        before = [self.used(name) for name in names]
        time.sleep(seconds)
        used = [self.used(name) - was for name, was in zip(names, before)]
        check(sum(used) > 0, "nothing is drawn")
        return [part / sum(used) for part in used]

    def expect(self, *expected, names=None):
        """After a change: the shares are so, within a while. The average of
        all that was seen counts, so that a busy machine is waited for."""
        seen = []
        for _ in range(6):
            seen.append(self.shares(names=names))
            mean = [sum(one) / len(seen) for one in zip(*seen)]
            if all(abs(a - b) < ROOM for a, b in zip(mean, expected)):
                return
            seen = seen[-3:]
        raise AssertionError(f"shares {seen}, expected {expected}")


# -------------------------------------------------------------------- tests

def shares_are_by_entitlement_whatever_batches_cost():
    with Host("a", "b") as host:
        host.set("--policy", "equal-share")
        host.load("a", repeat=1)
        host.load("b", repeat=6)
        host.expect(0.5, 0.5)
        a = host.scheduled("a")
        check(a["turns"] > 10 and a["waits"] > 10, f"no turns: {a}")
        # Changed while they run.
        host.set("a", "--weight", "300")
        host.expect(0.75, 0.25)
        host.set("--order", "least-served")
        host.expect(0.75, 0.25)
        host.set("a", "--weight", "default")
        host.set("a", "--share", "20%")
        host.set("b", "--share", "80%")
        host.set("--policy", "fixed-share")
        host.expect(0.2, 0.8)
        host.set("--order", "strict")
        host.expect(0.2, 0.8)
        host.set("--policy", "best-effort")
        a, b = host.shares()
        check(a and b, f"one starves: {a}, {b}")


def a_fixed_share_is_all_that_one_alone_has():
    with Host("a") as host:
        host.set("a", "--share", "25%")
        host.set("--policy", "fixed-share")
        host.load("a")
        before, began = host.used("a"), time.monotonic()
        time.sleep(3)
        part = (host.used("a") - before) / 1e9 / (time.monotonic() - began)
        # One slice and one batch more than that, at most.
        check(0.05 < part < 0.3, f"{part}")
        host.set("a", "--borrow", "400%")
        wait_until(lambda: host.scheduled("a")["state"] == "running" and
                   host.shares(0.2), "it has all of the GPU")
        before, began = host.used("a"), time.monotonic()
        time.sleep(2)
        more = (host.used("a") - before) / 1e9 / (time.monotonic() - began)
        check(more > 2 * part, f"{more}, and {part} before")


def a_dead_holder_keeps_nobody_waiting():
    with Host("a", "b", "c") as host:
        host.set("--policy", "equal-share")
        loads = {name: host.load(name, repeat=3) for name in host.names}
        for name in ("a", "b"):
            worker = host.vgpu(name)["workerPid"]
            os.kill(worker, signal.SIGKILL)
            loads[name].communicate(timeout=60)     # it saw its device lost
            before = host.used("c")
            wait_until(lambda: host.used("c") > before, "the others go on")
        check(loads["c"].poll() is None, "another one was disturbed")
        host.load("a")
        check(host.scheduled("a")["strikes"] == 0, "a kill is nobody's fault")
        host.expect(0.5, 0.5, names=("a", "c"))


def pvgpuds_end_is_no_end_of_turns():
    with Host("a", "b", "c") as host:
        host.set("--policy", "equal-share")
        loads = [host.load(name, repeat=3) for name in host.names]
        workers = [host.vgpu(name)["workerPid"] for name in host.names]
        host.expect(1 / 3, 1 / 3, 1 / 3)
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGKILL):
            host.end(number)
            time.sleep(0.3)             # they hold what they hold
            host.start()
            host.set("--policy", "equal-share")
            for name in host.names:
                before = host.used(name)
                wait_until(lambda: host.used(name) > before,
                           f"{name} goes on", 30)
        host.expect(1 / 3, 1 / 3, 1 / 3)
        check([host.vgpu(name)["workerPid"] for name in host.names] == workers,
              "a worker was replaced")
        check(all(load.poll() is None for load in loads), "a guest was hurt")
        # Alone, with nobody to ask: it goes on for as long as it likes.
        for load in loads[1:]:
            load.terminate()
            load.communicate()
        wait_until(lambda: not any(host.used(name) for name in
                                   host.names[1:]), "the others left")
        check(host.shares(0.5) == [1, 0, 0], "it goes on alone")
        batches = lambda: host.call("GetFigures", name="a")["vgpus"][0][
            "counters"]["batches"]
        before = batches()
        host.end(signal.SIGKILL)
        time.sleep(1)
        host.start()
        check(batches() > before + 50, "it waited for pvgpud")


def a_batch_beyond_the_watchdog_is_its_guests_loss():
    with Host("a", "b") as host:
        host.set("--policy", "equal-share")
        host.set("a", "--watchdog", "100ms")
        good = host.load("b", repeat=2)
        for strike in range(1, 4):
            bad = subprocess.Popen(
                [REPLAY, "-w", "0", "-s", "30", "-d", "2", "-r", "900", FILL,
                 host.path("a")], stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True)
            host.loads.append(bad)
            said = bad.communicate(timeout=120)[1]
            check("lost" in said, f"the guest was told: {said}")
            wait_until(lambda: len(re.findall(
                r"a: worker died: channel 1 kept the GPU for more than 0.1 s "
                r"\(watchdog\)", host.log())) == strike, "the log names it")
            before = host.used("b")
            wait_until(lambda: host.used("b") > before, "the other goes on")
            check(good.poll() is None, "the other was hurt")
        # It is no help that each time another QEMU came.
        check("a: has kept the GPU 2 times: held back for 1 s" in host.log() and
              "a: has kept the GPU 3 times: held back for 2 s" in host.log(),
              host.log()[-2000:])
        host.set("a", "--watchdog", "default")
        began = time.monotonic()
        host.load("a")
        check(time.monotonic() - began > 1, "it was not held back")
        a = host.scheduled("a")
        check(a["strikes"] == 3 and a["channelAtFault"] == 1, f"{a}")
        shown = subprocess.run([CTL, "--socket", host.control, "show", "a"],
                               capture_output=True, text=True, timeout=30)
        check("3 batches took too long, the last on channel 1" in shown.stdout,
              f"{shown}")


run_tests([
    shares_are_by_entitlement_whatever_batches_cost,
    a_fixed_share_is_all_that_one_alone_has,
    a_dead_holder_keeps_nobody_waiting,
    pvgpuds_end_is_no_end_of_turns,
    a_batch_beyond_the_watchdog_is_its_guests_loss,
])
