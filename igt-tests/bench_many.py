#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make bench`, group "many": what the host pays for 1 to 32 vGPUs on one
pvgpud. Guests are clients of the conformance library (pvgpu-many), whose own
time does not count: only that of pvgpud and the workers does, as the scheduler
tells it. The peer of each figure is the same with one vGPU, so a ratio of 1 is
cost in proportion. Nothing is asserted. The rows go into
build/bench/results.json, in place of those of this group."""
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, "igt-tests")
from harness import BUILD, Host

COUNTS = (1, 2, 4, 8, 16, 32)
TYPE, HEADS, ROUNDS = "PV24-1Q", 4, 3
FLIPS, FILLS = 12800, 64        # commits of a round, over all vGPUs


def run_time(pids):
    """Nanoseconds on a CPU of all threads of these processes."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total


def private_kib(pid):
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(kib) for kib in re.findall(r"^Private_\w+: +(\d+) kB", text, re.M))


class Guests:
    def __init__(self, host, names):
        self.process = subprocess.Popen(
            [BUILD / "bin/pvgpu-many", *(host.runtime / f"{name}.sock" for name in names)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.line("ready")

    def line(self, wanted):
        line = self.process.stdout.readline()
        if not line.startswith(wanted):
            raise SystemExit(f"bench: pvgpu-many: {line or self.process.wait()}")
        return line.split()

    def draw(self, rounds, how):
        self.process.stdin.write(f"draw {rounds} {how}\n")
        self.process.stdin.flush()
        return int(self.line("drawn")[1])

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


def measure(count):
    """Medians: ms of CPU for 1000 flips and for 1000 drawn pictures; KiB of a
    worker and of pvgpud."""
    with Host("bench-many", args=["--gpu-memory", "64GiB"]) as host:
        names = [f"v{i}" for i in range(count)]
        for name in names:
            host.create(name, TYPE)
        guests = Guests(host, names)
        try:
            pids = [v["workerPid"] for v in host.ctl("list", json_output=True)["vgpus"]]
            memory = statistics.mean(map(private_kib, pids))
            manager = private_kib(host.process.pid)
            pids.append(host.process.pid)
            guests.draw(1, "fill")          # touches the memory
            costs = {}
            for how, commits in (("flip", FLIPS), ("fill", FILLS)):
                samples = []
                for _ in range(ROUNDS):
                    before = run_time(pids)
                    done = guests.draw(max(commits // (count * HEADS), 1), how)
                    samples.append((run_time(pids) - before) / 1e6 / done * 1000)
                costs[how] = statistics.median(samples)
        finally:
            guests.close()
    return costs["flip"], costs["fill"], memory, manager


def main():
    out = BUILD / "bench"
    out.mkdir(parents=True, exist_ok=True)
    path, rows = out / "results.json", []
    if path.exists():
        rows = [r for r in json.loads(path.read_text()) if r["group"] != "many"]
    names = (("CPU for 1000 commits", "ms"), ("CPU for 1000 pictures of 1080p, filled", "ms"),
             ("memory of a worker that is idle", "KiB"), ("memory of pvgpud", "KiB"))
    first, ours = None, []
    for count in COUNTS:
        print(f"bench: {count} vGPUs, {HEADS} heads each", flush=True)
        figures = measure(count)
        first = first or figures
        for (name, unit), value, peer in zip(names, figures, first):
            ours.append({"group": "many", "name": f"{name}, {count} vGPUs", "unit": unit,
                         "ours": value, "peer": peer, "ratio": peer / value})
    path.write_text(json.dumps(rows + ours, indent=1) + "\n")
    print(f"\n{'group':8} {'what':52} {'unit':4} {'cost':>10} {'with one':>10} {'ratio':>6}")
    for r in ours:
        print(f"{r['group']:8} {r['name']:52} {r['unit']:4} {r['ours']:10.1f} "
              f"{r['peer']:10.1f} {r['ratio']:6.2f}")
    print(f"\nmedians of {ROUNDS} rounds on {os.cpu_count()} CPUs; {path}")


main()
