#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Part of `make bench`: GL on pvgpu beside QEMU's stock virtio-gpu-gl, both cards
in one VM, the same stock Mesa, in turns (A B A B ...); medians, and ratios above
1 where ours is better. The rows are added to build/bench/results.json.

  bench_gl.py [SCENE...]     scenes of glmark2, all if none is named

glmark2 renders off-screen: on a stock virtio-gpu its frames never reach the
head. The renderer that Mesa names is asserted to be the same on both."""
import json
import os
import re
import statistics
import sys
from pathlib import Path

sys.path.insert(0, "igt-tests")
from harness import BUILD, TREE, Host, Vm, accelerator

ROUNDS, SECONDS, SCENE_SECONDS = 3, 3, 2
WIDTH, HEIGHT = 1920, 1080
RATE = 15               # frames a second, where CPU time is measured
MODE = "1024x768"       # of glmark2's scenes
DRIVERS = ("pvgpu", "virtio_gpu")
SCENES = """buffer build bump clear conditionals desktop effect2d function ideas jellyfish
    loop pulsar refract shading shadow terrain texture""".split()

# name, unit, figure, whether more is better
ROWS = [
    ("empty batch, submit to fence, median", "us", "submit_us_p50", False),
    ("empty batch, submit to fence, p99", "us", "submit_us_p99", False),
    ("empty batches, one after another", "1/s", "submits_per_s", True),
    ("small draws", "1/s", "draws_per_s", True),
    ("texture upload", "MB/s", "upload_mb_per_s", True),
    ("read-back", "MB/s", "readback_mb_per_s", True),
    (f"clear and flip, {WIDTH}x{HEIGHT}", "1/s", "gl_flips_per_s", True),
    (f"CPU of the host per frame, at {RATE} 1/s", "ms", "host_ms", False),
    (f"CPU of the guest per frame, at {RATE} 1/s", "ms", "guest_ms", False),
]


def figures(text):
    return {name: float(value) for name, value in
            (line.split() for line in text.splitlines() if len(line.split()) == 2)}


def ticks(task):
    """That a process or thread has run, threads that have ended included."""
    fields = Path(f"/proc/{task}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def cpu(vm, host):
    """Seconds that were run: by the host for the card, and by the guest. The guest's
    are those of the threads that are its processors, and the host's all others
    of QEMU, its X server and the vGPU's worker."""
    worker = host.ctl("show", "bench", json_output=True)["vgpu"]["workerPid"]
    tasks = [f"{vm.process.pid}/task/{c['thread-id']}" for c in vm.qmp("query-cpus-fast")]
    guest, everything = (sum(map(ticks, of)) / os.sysconf("SC_CLK_TCK")
                         for of in (tasks, (vm.process.pid, vm._xvfb.pid, worker)))
    return everything - guest, guest


def frames(vm, host, driver):
    """What the processors take for a frame at a rate that both cards keep. What a
    program takes to start is none of its frames'."""
    command = vm.start_command(f"exec pvgpu-glbench flips {driver} {SECONDS} {WIDTH} {HEIGHT} "
                               f"{RATE}", 120)
    command.wait_output("first_frame 1")
    before = cpu(vm, host)
    command.wait_output(r"gl_flips \d+")
    after = cpu(vm, host)
    command.end()
    command.wait(60)
    count = figures(command.out)["gl_flips"]
    return {name: (b - a) * 1000 / count
            for name, a, b in zip(("host_ms", "guest_ms"), before, after)}


def measure(vm, host, driver, scenes):
    got = figures(vm.run(f"pvgpu-virtgpu latency {driver} {SECONDS}", timeout=120).out)
    for what in ("draws", "upload", "readback"):
        got |= figures(vm.run(f"pvgpu-glbench {what} {driver} {SECONDS}", timeout=120).out)
    got |= figures(vm.run(f"pvgpu-glbench flips {driver} {SECONDS} {WIDTH} {HEIGHT}",
                          timeout=120).out)
    got |= frames(vm, host, driver)
    chosen = " ".join(f"-b {s}:duration={SCENE_SECONDS}" for s in scenes)
    text = vm.run(f"PVGPU_DRIVER={driver} PVGPU_MODE={MODE} LD_PRELOAD=/usr/local/bin/"
                  f"pvgpu-onemode.so glmark2-es2-drm --off-screen {chosen} 2>/dev/null",
                  timeout=600).out
    got["renderer"] = re.search(r"GL_RENDERER: +(.*)", text)[1]
    ran = re.findall(r"\[(\S+)\] \S+ FPS: \d+ FrameTime: (\S+) ms", text)
    if [scene for scene, _ in ran] != list(scenes):
        raise SystemExit(f"bench: not every scene ran on {driver}:\n{text}")
    got |= {f"glmark2 {scene}": 1000 / float(ms) for scene, ms in ran}
    if f"Surface Size:   {MODE}" not in text:
        raise SystemExit(f"bench: glmark2 does not run at {MODE}:\n{text}")
    return got


def main(scenes):
    out = BUILD / "bench"
    out.mkdir(parents=True, exist_ok=True)
    print(f"bench: GL: booting one VM with both cards ({accelerator()})", flush=True)
    with Host("bench-gl", types_dirs=[TREE / "igt-tests/types"]) as host:
        host.create("bench", "GLB-2Q")
        host.ctl("sched", "set", "bench", "--frame-limit", "off")
        peer = ["-device", f"virtio-gpu-gl-pci,id=peer,xres={WIDTH},yres={HEIGHT}"]
        with Vm("bench-gl", "trixie", host, ["bench"], memory=3072, args=peer,
                disk="gl-trixie", screen=True) as vm:
            vm.run("modprobe virtio_gpu")
            vm.load()
            vm.run("for c in /sys/class/vtconsole/vtcon*; do echo 0 > $c/bind; done", check=False)
            samples = {driver: [] for driver in DRIVERS}
            for turn in range(ROUNDS):
                for driver in DRIVERS:
                    print(f"bench: GL: round {turn + 1} of {ROUNDS}: {driver}", flush=True)
                    samples[driver].append(measure(vm, host, driver, scenes))
            vm.check_dmesg()
    renderers = {s["renderer"] for d in DRIVERS for s in samples[d]}
    if len(renderers) != 1:
        raise SystemExit(f"bench: the cards have different renderers: {renderers}")

    rows = []
    for name, unit, figure, more in [*ROWS, *((f"glmark2 {s}", "1/s", f"glmark2 {s}", True)
                                              for s in scenes)]:
        ours, theirs = (statistics.median(s[figure] for s in samples[d]) for d in DRIVERS)
        rows.append({"group": "gl", "name": name, "unit": unit, "ours": ours, "peer": theirs,
                     "ratio": ours / theirs if more else theirs / ours})
    path = out / "results.json"
    kept = json.loads(path.read_text()) if path.exists() else []
    path.write_text(json.dumps([r for r in kept if r.get("group") != "gl"] + rows, indent=1)
                    + "\n")
    print(f"\n{'group':8} {'what':42} {'unit':4} {'pvgpu':>12} {'virtio-gpu':>12} {'ratio':>7}")
    for r in rows:
        print(f"{r['group']:8} {r['name']:42} {r['unit']:4} {r['ours']:12.1f} "
              f"{r['peer']:12.1f} {r['ratio']:7.2f}")
    print(f"geometric mean of the ratios: {statistics.geometric_mean(r['ratio'] for r in rows):.2f}"
          f"\nmedians of {ROUNDS} rounds on {renderers.pop()}; {path.relative_to(TREE)}")


main(sys.argv[1:] or SCENES)
