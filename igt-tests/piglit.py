#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""make check-piglit: piglit on pvgpu and on QEMU's stock virtio-gpu-gl, both cards in
one VM, at the same time. What passes there must pass here.

  piglit.py [SUITE [SHARE]]     SHARE 1/10: every tenth test, for a quick look

Leaves build/piglit/KERNEL/: pvgpu.txt and virtio_gpu.txt (a line a test, RESULT
NAME) and results.json. A test that passed there and not here is tried once
more on both; what passes then is named as unsteady, and not counted as a
failure. Ends with status 0 only if at least 2000 tests ran on each card (of
SHARE 1/1) and none failed here alone."""
import json
import signal
import sys
import time
from collections import Counter

sys.path.insert(0, "igt-tests")
from harness import BUILD, TREE, Host, HostError, Vm, VmError, images

LEAST = 2000
LIST = TREE / "igt-tests/lists/piglit.list"
RUNNER = TREE / "igt-tests/guest/gl/piglit"
DRIVERS = ("pvgpu", "virtio_gpu")
HOURS = 3


def say(text):
    print(f"piglit: {text}", flush=True)


def results_of(path):
    """{name: result} and the seconds it took, None if it is not at its end."""
    results, seconds = {}, None
    for line in path.read_text(errors="replace").splitlines():
        result, _, name = line.partition(" ")
        if result == "done":
            seconds = int(name)
        else:
            results[name] = result
    return results, seconds


def nodes(vm):
    """The render node of each driver."""
    found = {}
    for line in vm.run("for n in /dev/dri/renderD*; do echo $n $(basename $(readlink -f "
                       "/sys/class/drm/${n##*/}/device/driver)); done").out.splitlines():
        node, driver = line.split()
        found["virtio_gpu" if driver == "virtio-pci" else driver] = node
    return {driver: found[driver] for driver in DRIVERS}


def run(vm, at, path, out, share="1/1"):
    """Runs a list on all cards at once; gives {driver: {name: result}}."""
    commands = {}
    for driver, node in at.items():
        commands[driver] = vm.start_command(
            f"exec python3 {path} {node} /host/{LIST.name} /host/{driver}.txt {share}",
            HOURS * 3600)
    begin, said = time.monotonic(), time.monotonic()
    while not all(c.ended for c in commands.values()):
        vm._check_alive()
        time.sleep(1)
        if time.monotonic() - said > 60:
            said = time.monotonic()
            counts = {d: len(results_of(vm.share / f"{d}.txt")[0]) for d in at}
            say(f"{said - begin:5.0f} s: " + ", ".join(f"{n} on {d}" for d, n in counts.items()))
    got = {}
    for driver, command in commands.items():
        text = (vm.share / f"{driver}.txt").read_text()
        got[driver], seconds = results_of(vm.share / f"{driver}.txt")
        if command.wait(10).status or seconds is None:
            raise VmError(f"{driver}: the runner ended early: {command.err[-2000:]}")
        (out / f"{driver}.txt").write_text(text)
    return got


def worse(got):
    return sorted(name for name, result in got["virtio_gpu"].items()
                  if result == "pass" and got["pvgpu"].get(name) != "pass")


def check_dmesg(vm):
    """The kernel's log; tests of piglit may crash, on any card."""
    try:
        vm.check_dmesg()
    except AssertionError as e:
        bad = [line for line in str(e).splitlines()[1:] if "traps: " not in line]
        if bad:
            raise AssertionError("dmesg has:\n" + "\n".join(bad)) from None


def main(suite="trixie", share="1/1"):
    say(f"booting Debian {suite} with a vGPU and a virtio-gpu-gl")
    with Host("piglit", types_dirs=[TREE / "igt-tests/types"]) as host:
        host.create("piglit", "GL-1Q")
        with Vm("piglit", suite, host, ["piglit"], memory=4096, disk=f"piglit-{suite}",
                screen=True, args=["-device", "virtio-gpu-gl-pci"]) as vm:
            vm.run("modprobe virtio_gpu")
            vm.load()
            out = BUILD / "piglit" / vm.image.version
            out.mkdir(parents=True, exist_ok=True)
            at, path = nodes(vm), vm.put(RUNNER)
            vm.put(LIST)
            begin = time.monotonic()
            got = run(vm, at, path, out, share)
            again = worse(got)
            if again:
                say(f"{len(again)} passed on virtio-gpu-gl only; once more")
                files = [n for n in again if n.endswith(".shader_test")]
                others = sorted({n.split(" | ")[0] for n in again} - set(files))
                (vm.share / LIST.name).write_text(
                    "".join(f"shader {n}\n" for n in files) + "".join(f"run {n}\n" for n in others))
                (out / "again").mkdir(exist_ok=True)
                second = run(vm, at, path, out / "again")
            else:
                second = {d: {} for d in DRIVERS}
            check_dmesg(vm)
            seconds = time.monotonic() - begin
            version = vm.image.version
            mesa = vm.disk.packages
    failed = [n for n in again if second["pvgpu"].get(n) != "pass"
              and second["virtio_gpu"].get(n) == "pass"]
    unsteady = sorted(set(again) - set(failed))
    counts = {d: dict(Counter(got[d].values())) for d in DRIVERS}
    (out / "results.json").write_text(json.dumps(
        {"kernel": version, "packages": mesa, "seconds": round(seconds), "share": share,
         "counts": counts, "failed": failed, "unsteady": unsteady}, indent=1) + "\n")
    for driver in DRIVERS:
        print(f"{driver:12} {len(got[driver]):5} tests: " + ", ".join(
            f"{n} {result}" for result, n in sorted(counts[driver].items())))
    for name in unsteady:
        print(f"unsteady: {name}: {got['pvgpu'].get(name)}, then {second['pvgpu'].get(name)}")
    for name in failed:
        print(f"FAILED: {name}: {got['pvgpu'].get(name)}, passes on virtio-gpu-gl")
    few = share == "1/1" and min(len(got[d]) for d in DRIVERS) < LEAST
    if few:
        print(f"fewer than {LEAST} tests ran")
    say(f"{len(failed)} failed on pvgpu alone, in {seconds / 60:.0f} min; "
        f"{(out / 'results.json').relative_to(TREE)}")
    return 1 if failed or few else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(*sys.argv[1:]))
    except (AssertionError, HostError, VmError, images.ImageError) as e:
        sys.exit(f"piglit: {e}")
