#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make bench`: pvgpu beside QEMU's stock virtio-gpu (2D), both cards in one
VM, the same guest program on each, in turns (A B A B ...); medians, and ratios
above 1 where ours is better. Nothing is asserted: it measures. The rows go to
build/bench/results.json as {group, name, unit, ours, peer, ratio}."""
import json
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, "igt-tests")
from harness import BUILD, Host, Vm, accelerator, read_ppm

ROUNDS, SECONDS = 3, 4
WIDTH, HEIGHT = 1920, 1080
DRIVERS = ("pvgpu", "virtio_gpu")

# group, name, unit, the program's figure, whether more is better
ROWS = [
    ("2d", "full-screen flips, unthrottled", "1/s", "flips_per_s", True),
    ("2d", "commit to flip event, median", "us", "flip_us_p50", False),
    ("2d", "commit to flip event, p99", "us", "flip_us_p99", False),
    ("2d", "full-screen update to the host's picture", "1/s", "updates_per_s", True),
    ("control", "round trip", "1/s", "round_trips_per_s", True),
]


def figures(text):
    return {name: float(value) for name, value in
            (line.split() for line in text.splitlines() if len(line.split()) == 2)}


def host_picture(vm, host, driver):
    if driver == "pvgpu":
        return host.screenshot("bench", 0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dump.ppm"
        vm.qmp("screendump", filename=str(path), device="peer")
        return read_ppm(path.read_bytes())


def measure(vm, host, driver):
    size = f"{WIDTH} {HEIGHT}"
    got = figures(vm.run(f"pvgpu-bench {driver} flips {SECONDS} {size}", timeout=180).out)

    # The last update must be what the host shows, or the figure means nothing.
    command = vm.start_command(f"exec pvgpu-bench {driver} updates {SECONDS} {size}")
    command.wait_output(r"last_value \d+")
    update = figures(command.out)
    picture = host_picture(vm, host, driver)
    value = int(update["last_value"])
    if picture.rgb != bytes([value]) * len(picture.rgb):
        raise SystemExit(f"bench: {driver}: the host does not show the last update")
    command.write("\n")
    command.end()
    command.wait(60)
    got |= update

    got |= figures(vm.run(f"pvgpu-bench {driver} round-trips {SECONDS}", timeout=180).out)
    return got


def main():
    out = BUILD / "bench"
    out.mkdir(parents=True, exist_ok=True)
    print(f"bench: booting one VM with both cards ({accelerator()})", flush=True)
    with Host("bench") as host:
        host.create("bench", "PV24-2Q")
        host.ctl("sched", "set", "bench", "--frame-limit", "off")
        peer = ["-device", f"virtio-gpu-pci,id=peer,xres={WIDTH},yres={HEIGHT}"]
        with Vm("bench", "trixie", host, ["bench"], memory=2048, args=peer) as vm:
            vm.run("modprobe virtio_gpu")
            vm.load()
            vm.run("for c in /sys/class/vtconsole/vtcon*; do echo 0 > $c/bind; done", check=False)
            samples = {driver: [] for driver in DRIVERS}
            for turn in range(ROUNDS):
                for driver in DRIVERS:
                    print(f"bench: round {turn + 1} of {ROUNDS}: {driver}", flush=True)
                    samples[driver].append(measure(vm, host, driver))
            vm.check_dmesg()

    rows = []
    for group, name, unit, figure, more in ROWS:
        ours, theirs = (statistics.median(s[figure] for s in samples[d]) for d in DRIVERS)
        rows.append({"group": group, "name": name, "unit": unit, "ours": ours, "peer": theirs,
                     "ratio": ours / theirs if more else theirs / ours})
    (out / "results.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(f"\n{'group':8} {'what':42} {'unit':4} {'pvgpu':>12} {'virtio-gpu':>12} {'ratio':>7}")
    for r in rows:
        print(f"{r['group']:8} {r['name']:42} {r['unit']:4} {r['ours']:12.1f} "
              f"{r['peer']:12.1f} {r['ratio']:7.2f}")
    print(f"\nmedians of {ROUNDS} rounds of {SECONDS} s, {WIDTH}x{HEIGHT}; {out / 'results.json'}")


main()
