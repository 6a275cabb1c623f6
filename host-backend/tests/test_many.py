#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Many vGPUs on one pvgpud, and neighbours. 32 guests draw on all their heads
at once and every picture is right; guests that do nothing wake nobody; and a
guest that abuses its vGPU changes nothing for another one. Guests are clients
of the conformance library, not VMs."""

import mmap
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from manager_support import *

MANY = PLAIN_BIN + "/pvgpu-many"
HOSTILE = PLAIN_BIN + "/pvgpu-hostile"
TYPE, HEADS = "PV24-1Q", 4
COUNT, ROUNDS = 32, 4
WIDTH, HEIGHT = 1920, 1080
IDLE_SECONDS = 3
# An attached vGPU that does nothing: what its worker has for itself.
IDLE_KIB = 4096
MANAGER_KIB = 32768


class Guests:
    """pvgpu-many on some sockets; draw() and shown() speak with it."""

    def __init__(self, daemon, names):
        self.process = subprocess.Popen(
            [MANY, *(f"{daemon.directory}/{name}.sock" for name in names)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.expect(f"ready {len(names)}")

    def line(self):
        line = self.process.stdout.readline().strip()
        check(line and not line.startswith("failed"),
              f"pvgpu-many: '{line}', status {self.process.poll()}")
        return line

    def expect(self, wanted):
        line = self.line()
        check(line.startswith(wanted), f"'{line}' in place of '{wanted}'")
        return line

    def order(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def draw(self, rounds, how="fill"):
        """Commits and seconds."""
        self.order(f"draw {rounds} {how}")
        _, commits, seconds = self.expect("drawn ").split()
        return int(commits), float(seconds)

    def shown(self):
        """{(vGPU's number, head): colour}"""
        self.order("shown")
        shown = {}
        while (line := self.line()) != "end":
            _, vgpu, head, colour = line.split()
            shown[int(vgpu), int(head)] = int(colour)
        return shown

    def close(self):
        self.process.stdin.close()
        status = self.process.wait(30)
        self.process.stdout.close()
        check(status == 0, f"pvgpu-many ended with {status}")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
        else:
            self.close()


def create(daemon, count, prefix="v"):
    names = [f"{prefix}{i}" for i in range(count)]
    for name in names:
        daemon.call("Create", name=name, type=TYPE)
    return names


def workers(daemon):
    return {v["name"]: v["workerPid"] for v in daemon.call("List")["vgpus"]
            if "workerPid" in v}


def right_picture(daemon, name, head, colour):
    """Compares the daemon's memfd with the one colour."""
    with Client(daemon, 60) as client:
        reply = client.call("Screenshot", name=name, head=head)
        check((reply["width"], reply["height"]) == (WIDTH, HEIGHT),
              f"{reply}")
        size = reply["stride"] * HEIGHT
        row = colour.to_bytes(4, "little") * WIDTH
        with mmap.mmap(client.fds[0], size, prot=mmap.PROT_READ) as pixels:
            for y in range(HEIGHT):
                at = y * reply["stride"]
                # The fourth byte of a pixel means nothing.
                check(pixels[at:at + WIDTH * 4] == row or
                      all(pixels[at + c:at + WIDTH * 4:4] == row[c::4]
                          for c in range(3)),
                      f"{name}, head {head}, row {y}: not 0x{colour:06x}")


def status(pid, *keys):
    with open(f"/proc/{pid}/status") as f:
        text = f.read()
    return [int(re.search(rf"^{key}:\s*(\d+)", text, re.M)[1])
            for key in keys]


def switches(pids):
    """{pid: context switches of all its threads}"""
    found = {}
    for pid in pids:
        found[pid] = 0
        for task in os.listdir(f"/proc/{pid}/task"):
            found[pid] += sum(status(f"{pid}/task/{task}",
                                     "voluntary_ctxt_switches",
                                     "nonvoluntary_ctxt_switches"))
    return found


def memory(pid):
    """KiB of a process: resident, proportional, and its own."""
    with open(f"/proc/{pid}/smaps_rollup") as f:
        text = f.read()
    value = {key: int(number) for key, number in
             re.findall(r"^(\w+):\s+(\d+) kB", text, re.M)}
    return (value["Rss"], value["Pss"],
            value["Private_Dirty"] + value["Private_Clean"])


def wakes_nobody(daemon, pids, what):
    """No process runs at all for some seconds."""
    deadline = time.monotonic() + 20
    while True:
        before = switches(pids)
        time.sleep(IDLE_SECONDS)
        after = switches(pids)
        woken = {pid: after[pid] - before[pid] for pid in pids
                 if after[pid] != before[pid]}
        if not woken:
            print(f"# {what}: {len(pids)} processes, no switch in "
                  f"{IDLE_SECONDS} s")
            return
        # What the end of a call left to do (once), not what comes again.
        check(time.monotonic() < deadline, f"{what}: {woken}")


def draws_on_all_heads_of_32_vgpus():
    with Daemon("--gpu-memory", "64GiB", program=PLAIN_BIN + "/pvgpud",
                worker=os.path.abspath(PLAIN_BIN + "/pvgpu-worker")) as daemon:
        names = create(daemon, COUNT)
        wakes_nobody(daemon, [daemon.pid], "32 vGPUs without a QEMU")
        with Guests(daemon, names) as guests:
            own = workers(daemon)
            check(sorted(own) == sorted(names), f"{own}")
            for pid in own.values():
                check(memory(pid)[2] < IDLE_KIB, f"{memory(pid)}")
            rss, pss, private = (sum(values) // COUNT for values in
                                 zip(*map(memory, own.values())))
            print(f"# a worker that is attached and idle, mean: {rss} KiB "
                  f"resident, {pss} KiB proportional, {private} KiB its own")
            print(f"# pvgpud with {COUNT}: {memory(daemon.pid)[0]} KiB "
                  "resident")
            check(memory(daemon.pid)[0] < MANAGER_KIB,
                  f"pvgpud: {memory(daemon.pid)}")
            wakes_nobody(daemon, [daemon.pid, *own.values()],
                         "32 attached, nothing shown")
            commits, seconds = guests.draw(ROUNDS)
            check(commits == COUNT * HEADS * ROUNDS, f"{commits} commits")
            print(f"# {commits} full pictures in {seconds:.1f} s")
            shown = guests.shown()
            check(len(shown) == COUNT * HEADS, f"{len(shown)}")
            for (vgpu, head), colour in shown.items():
                right_picture(daemon, names[vgpu], head, colour)
            for name in names:
                reply = daemon.call("Show", name=name)
                check([h["frames"] for h in reply["heads"]] ==
                      [ROUNDS] * HEADS, f"{reply['heads']}")
                check(reply["worker"]["replaced"] == 0 and
                      reply["counters"]["refused"] == 0, f"{reply}")
            check(workers(daemon) == own, "a worker was replaced")
            wakes_nobody(daemon, [daemon.pid, *own.values()],
                         "32 lit on 4 heads each")
        check("died" not in daemon.log(), daemon.log())


def a_hostile_guest_disturbs_nobody():
    with Daemon("--gpu-memory", "8GiB",
                worker=os.path.abspath(ASAN_BIN + "/pvgpu-worker")) as daemon:
        create(daemon, 1, "bad")
        create(daemon, 1, "good")
        with Guests(daemon, ["good0"]) as guest:
            good = workers(daemon)["good0"]
            guest.draw(1)       # touches its memory
            alone = guest.draw(8)[1]
            hostile = subprocess.Popen(
                [HOSTILE, f"{daemon.directory}/bad0.sock", "8", "4711"],
                stdout=subprocess.PIPE, text=True)
            rounds, started = 9, time.monotonic()
            while hostile.poll() is None:
                # Each of them is checked, its fence and its bytes too.
                guest.draw(4)
                rounds += 4
                check(time.monotonic() - started < 60, "the abuse has no end")
            spent = time.monotonic() - started
            said = hostile.stdout.read().strip()
            hostile.stdout.close()
            check(hostile.returncode == 0, f"{hostile.returncode}: {said}")
            print(f"# the hostile guest: {said}")
            print(f"# the other one: {8 * HEADS / alone:.0f} pictures/s "
                  f"alone, {(rounds - 9) * HEADS / spent:.0f} beside it")
            numbers = list(map(int, re.findall(r"\d+", said)))
            check(len(numbers) == 7 and all(numbers), said)
            check(rounds >= 17, f"{rounds} rounds only")
            for (_, head), colour in guest.shown().items():
                right_picture(daemon, "good0", head, colour)
            reply = daemon.call("Show", name="good0")
            check([h["frames"] for h in reply["heads"]] ==
                  [rounds] * HEADS, f"{reply['heads']}")
            check(reply["counters"]["refused"] == 0 and
                  reply["guest"]["state"] == "attached", f"{reply}")
            check(workers(daemon)["good0"] == good, "its worker was replaced")
        log = daemon.log()
        check("worker died" not in log, log[-2000:])
        # The abused vGPU serves a guest with manners again.
        wait_until(lambda: "bad0" not in workers(daemon), "bad0 waiting")
        with Guests(daemon, ["bad0"]) as guest:
            guest.draw(1)
            for (_, head), colour in guest.shown().items():
                right_picture(daemon, "bad0", head, colour)


if __name__ == "__main__":
    run_tests([draws_on_all_heads_of_32_vgpus,
               a_hostile_guest_disturbs_nobody])
