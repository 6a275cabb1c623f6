#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Stock Mesa in guests: what it says it is, pictures against a reference
renderer, GL programs and compositors on several heads, the device budget, and
programs and workers that die.

`make check` runs the long list on one suite; PVGPU_GL_FULL=1 in the environment,
as `make check-gl` has it, on all. With PVGPU_GL_PEER=1 the guests have QEMU's virtio-gpu-gl
instead, without the tests that look at pvgpud: what fails there as well is not
pvgpu's fault."""
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, "igt-tests")
from harness import (BUILD, SUITES, TREE, Host, HostError, Lazy, Skip, Vm, VmError, add, main,
                     primaries, read_ppm, reference_scene, run_dir)

PEER = bool(os.environ.get("PVGPU_GL_PEER"))
DRIVER = "virtio_gpu" if PEER else "pvgpu"
# The long list; the others get the short one.
FULL = SUITES if os.environ.get("PVGPU_GL_FULL") else ("trixie",)
TYPE, SMALL, BUDGET_MIB = "GL-1Q", "GLS-1Q", 256
SCENES = """buffer build bump clear conditionals desktop effect2d function ideas jellyfish
    loop pulsar refract shading shadow terrain texture""".split()

host = Lazy(lambda: Host("gl", types_dirs=[TREE / "igt-tests/types"]).start())
references = Lazy(lambda: run_dir("gl.reference"))


def boot(suite, type_name):
    name = f"{suite}-{type_name}".lower()
    if PEER:
        vm = Vm(f"gl-{name}", suite, memory=2048, disk=f"gl-{suite}", screen=True,
                args=["-device", "virtio-gpu-gl-pci,max_outputs=2,xres=1024,yres=768"])
        vm.start().wait().run("modprobe virtio_gpu")
    else:
        host().create(name, type_name)
        vm = Vm(f"gl-{name}", suite, host(), [name], memory=2048, disk=f"gl-{suite}")
        vm.start().wait().load()
    vm.run("for c in /sys/class/vtconsole/vtcon*; do echo 0 > $c/bind; done", check=False)
    return vm


machines = {suite: Lazy(lambda suite=suite: boot(suite, TYPE)) for suite in SUITES}
small = Lazy(lambda: boot("trixie", SMALL))


def pvgpud_only():
    if PEER:
        raise Skip("the peer has no pvgpud")


def vgpu(vm):
    return host().ctl("show", vm.vgpus[0], json_output=True)


def used(vm):
    """Bytes that the ledger says the guest holds on the device."""
    return vgpu(vm)["device"]["used"]


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def given_back(vm, before, seconds=20):
    """Waits until no more is used than before: as long as it gets less, which
    on a machine with other work may be slow, and so long after it last did."""
    least, deadline = used(vm), time.monotonic() + seconds
    while least > before:
        assert time.monotonic() < deadline, \
            f"{least} bytes in use, for {seconds} s already, and {before} before: " \
            + json.dumps(vgpu(vm)["device"])
        time.sleep(0.05)
        now = used(vm)
        if now < least:
            least, deadline = now, time.monotonic() + seconds


def reference(size, frame=0):
    return reference_scene(references(), size, frame)


def scene(vm, size="640x480", frame=0):
    vm.run(f"pvgpu-gl scene {DRIVER} {size} {frame} /tmp/scene.ppm && "
           "mv /tmp/scene.ppm /host/scene.ppm")
    return read_ppm((vm.share / "scene.ppm").read_bytes())


def draws_scene(vm, frame=0):
    problem = scene(vm, frame=frame).unlike(reference("640x480", frame))
    assert not problem, f"the scene is not as the reference: {problem}"


def number(pattern, text):
    found = re.search(pattern, text)
    assert found, f"no {pattern} in: {text}"
    return int(found[1])


def card(vm):
    """Its primary node's name, for compositors."""
    return os.path.basename(vm.card(DRIVER)["card"])


def check(vm, *known):
    """dmesg, with the lines that a test provokes by intent."""
    if PEER:
        return
    try:
        vm.check_dmesg()
    except AssertionError as e:
        bad = [line for line in str(e).splitlines()[1:]
               if not any(re.search(k, line) for k in known)]
        assert not bad, "dmesg has:\n" + "\n".join(bad)


# ------------------------------------------------------------ what it shows
def names_virgl(suite):
    vm = machines[suite]()
    here = subprocess.run([BUILD / "guest/pvgpu-gl", "info", "surfaceless"], text=True,
                          capture_output=True, timeout=60, check=True).stdout
    renderer = re.search(r"renderer (.*)", here)[1]
    told = vm.run(f"pvgpu-gl info {DRIVER}").out
    assert "virgl" in told and renderer.lower() in told.lower(), \
        f"the guest's renderer is not virgl on {renderer}: {told}"
    listed = vm.run("eglinfo -B 2>/dev/null || eglinfo 2>/dev/null", timeout=60, check=False).out
    gbm = listed[listed.index("GBM platform"):]
    # Debian 12's names the driver only, the others the renderer.
    assert "virgl" in gbm[:3000] or "EGL driver name: virtio_gpu" in gbm[:300], gbm[:1500]
    check(vm)


def draws_as_the_reference(suite):
    vm = machines[suite]()
    for frame in (0, 5):
        draws_scene(vm, frame)
    check(vm)


def shows_it_on_two_heads(suite):
    pvgpud_only()
    vm = machines[suite]()
    command = vm.start_command(f"exec pvgpu-gl show {DRIVER} 6 1024x768 800x600")
    command.wait_output(r"ready \d+", 120)
    try:
        for head, size in enumerate(("1024x768", "800x600")):
            problem = host().screenshot(vm.vgpus[0], head).unlike(reference(size, 6))
            assert not problem, f"head {head}: {problem}"
    finally:
        command.write("\n")
        command.end()
    assert command.wait(30).status == 0, command.err
    check(vm)


def runs_kmscube(suite):
    vm = machines[suite]()
    # It ends at the first input, and at the end of it: there is neither.
    cube = vm.start_command(f"exec kmscube -D /dev/dri/{card(vm)} -c 60 2>&1", 90)
    out = cube.wait(100).out
    assert number(r"Rendered (\d+) frames", out) >= 59, out
    assert "virgl" in out, out
    check(vm)


def runs_glmark2(suite, scenes):
    vm = machines[suite]()
    chosen = " ".join(f"-b {name}:duration=0.5" for name in scenes)
    result = vm.run(f"timeout 280 glmark2-es2-drm {chosen} 2>/tmp/glmark2.err", timeout=300,
                    check=False)
    assert result.status == 0, f"status {result.status}: {result.out[-2000:]}" \
        + vm.run("head -20 /tmp/glmark2.err").out
    ran = re.findall(r"\[(\S+)\] \S+ FPS: (\d+)", result.out)
    assert [name for name, _ in ran] == list(scenes), result.out
    assert "virgl" in result.out, result.out
    check(vm)


# -------------------------------------------------------------- compositors
class Session:
    """weston on two heads, for as long as the context lasts."""
    def __init__(self, vm):
        self.vm, self.programs = vm, []

    def __enter__(self):
        self.weston = self.vm.start_command(f"exec pvgpu-session weston {card(self.vm)} 2>&1")
        wait_until(lambda: self.weston.ended or "xserver listening" in self.weston.out, 60,
                   f"weston: {self.weston.out}")
        assert not self.weston.ended, self.weston.out
        return self

    def __exit__(self, *_):
        for program in (*self.programs, self.weston):
            program.kill(signal.SIGTERM)
        for program in (*self.programs, self.weston):
            try:
                program.wait(20)
            except VmError:
                program.kill()

    def start(self, how, program):
        started = self.vm.start_command(f"exec stdbuf -oL pvgpu-session {how} {program} 2>&1")
        self.programs.append(started)
        return started

    def run(self, how, program):
        return self.vm.run(f"timeout 60 pvgpu-session {how} {program} 2>&1", timeout=70).out


def moves(vm, heads, what):
    """Red, green and blue things on these heads together, and others later."""
    last = [None]
    def look():
        try:
            return [host().screenshot(vm.vgpus[0], head) for head in heads]
        except HostError:       # dark as yet
            return None
    def there():
        last[0] = look()
        return last[0] and min(map(sum, zip(*map(primaries, last[0])))) > 300
    try:
        wait_until(there, 90, f"{what} on heads {heads}")
    except AssertionError as e:
        raise AssertionError(f"{e}; colours {last[0] and list(map(primaries, last[0]))}") from None
    first = last[0]
    wait_until(lambda: look() != first, 30, f"{what} moving on heads {heads}")


def carries_a_session(suite):
    vm = machines[suite]()
    with Session(vm) as session:
        told = session.run("x11", "glxinfo -B")
        assert "virgl" in told and "direct rendering: Yes" in told, told
        told = session.run("x11", "es2_info")
        assert "virgl" in told, told[:1000]
        x11 = session.start("x11", "glxgears")
        if PEER:
            x11.wait_output(r"frames in", 60)
        else:
            moves(vm, [0, 1], "glxgears in Xwayland")
            assert not x11.ended, x11.out
            x11.kill()
            x11.wait(20)
        wayland = session.start("wayland", "weston-simple-egl")
        if not PEER:
            # The older weston has windows where it likes.
            moves(vm, [0, 1] if suite == "bookworm" else [1], "weston-simple-egl")
        assert not wayland.ended, wayland.out
    check(vm)


def carries_cage(suite):
    vm = machines[suite]()
    cage = vm.start_command(f"exec pvgpu-session cage {card(vm)} weston-simple-egl 2>&1")
    try:
        if PEER:
            time.sleep(10)
        else:
            moves(vm, [0, 1], "weston-simple-egl in cage")
        assert not cage.ended, cage.out
    finally:
        cage.kill(signal.SIGTERM)
        cage.wait(30)
    check(vm)


# ------------------------------------------------------------ many and full
def serves_several(suite):
    vm = machines[suite]()
    spins = [vm.start_command(f"exec pvgpu-gl spin {DRIVER} 10") for _ in range(4)]
    draws_scene(vm, 2)
    for spin in spins:
        result = spin.wait(120)
        assert result.status == 0, result.err
        assert number(r"frames (\d+)\n", result.out) > 1 and number(r"wrong (\d+)", result.out) == 0, \
            result.out
    check(vm)


def forgets_the_killed(suite):
    pvgpud_only()
    vm = machines[suite]()
    draws_scene(vm)
    before = used(vm)
    spins = [vm.start_command(f"exec pvgpu-gl spin {DRIVER} 100 512") for _ in range(2)]
    fill = vm.start_command(f"exec pvgpu-gl fill {DRIVER} 64")
    for spin in spins:
        spin.wait_output(r"frame \d+", 60)
    fill.wait_output(r"filled \d+", 60)
    held = used(vm) - before
    assert held >= 64 << 20, f"64 MiB of textures are charged as {held} bytes"
    for one in (*spins, fill):
        one.kill()
        one.wait(20)
    given_back(vm, before)
    draws_scene(vm)
    check(vm)


def goes_on_beside_a_flood(suite):
    """Who fills its ring stops nobody's flips, and a signal ends it at once."""
    pvgpud_only()
    vm = machines[suite]()
    draws_scene(vm)
    before = used(vm)
    def rates():
        begin = time.monotonic()
        vm.run("pvgpu-drmtest flips 40", timeout=120)
        plain = 40 / (time.monotonic() - begin)
        drawn = vm.run(f"pvgpu-gl flips {DRIVER} 5 640x480", timeout=120).out
        return plain, number(r"flips (\d+)", drawn) / 5
    alone = rates()
    flood = vm.start_command(f"exec pvgpu-gl flood {DRIVER} 300")
    flood.wait_output(r"frame \d+", 60)
    wait_until(lambda: full_rings(vm), 60, "a full ring")
    beside = rates()
    print(f"# flips/s alone, beside a flood: {alone[0]:.1f}, {beside[0]:.1f} of dumb buffers; "
          f"{alone[1]:.1f}, {beside[1]:.1f} of GL's", flush=True)
    assert beside[1] >= alone[1] / 10, \
        f"{beside[1]} GL flips a second beside a flood, {alone[1]} alone"
    assert not flood.ended, flood.err
    wait_until(lambda: full_rings(vm), 60, "a full ring")
    flood.kill(signal.SIGINT)
    assert flood.wait(10).status == 128 + signal.SIGINT, flood.err
    given_back(vm, before)
    draws_scene(vm)
    check(vm)


def full_rings(vm):
    """Channels in which a context has all under way that it may."""
    told = vm.run("cat /sys/kernel/debug/dri/*/render").out
    return [line for line in told.splitlines() if re.search(r"under_way 3[12]$", line)]


def has_no_memory():
    pvgpud_only()
    vm = small()
    other = vm.start_command(f"exec pvgpu-gl spin {DRIVER} 25")
    other.wait_output(r"frame \d+", 60)
    fill = vm.start_command(f"exec pvgpu-gl fill {DRIVER} {2 * BUDGET_MIB}")
    fill.wait_output(r"filled .*\n", 120)
    filled = number(r"filled (\d+) MiB", fill.out)
    assert "error 0x505" in fill.out, f"no GL_OUT_OF_MEMORY: {fill.out}"
    assert BUDGET_MIB // 2 < filled <= BUDGET_MIB, \
        f"{filled} MiB fit into a budget of {BUDGET_MIB}"
    assert used(vm) <= BUDGET_MIB << 20, f"{used(vm)} bytes in use"
    fill.write("\n")
    fill.end()
    result = fill.wait(120)
    assert result.status == 0, result.err
    again = re.search(r"again (\d+) of (\d+)", result.out)
    assert again and again[1] == again[2], f"what was freed is not there again: {result.out}"
    assert "clear right" in result.out, result.out
    result = other.wait(120)
    assert result.status == 0 and number(r"wrong (\d+)", result.out) == 0, \
        f"the other client: {result.out}{result.err}"
    check(vm)


def takes_back(suite):
    """Textures of 64 times the budget, one after another: all of it comes back."""
    pvgpud_only()
    vm = small() if suite is None else machines[suite]()
    draws_scene(vm)
    before = used(vm)
    vm.run(f"pvgpu-gl churn {DRIVER} 16 200", timeout=300)
    given_back(vm, before)
    check(vm)


# ------------------------------------------------------------------- misuse
def answers_every_call(suite):
    vm = machines[suite]()
    params = dict(line.rsplit(" ", 1) for line in
                  vm.run(f"pvgpu-virtgpu params {DRIVER}").out.splitlines())
    assert params["3D_FEATURES"] == "1" and params["CAPSET_QUERY_FIX"] == "1", params
    assert params["HOST_VISIBLE"] == "0", "coherent blobs would have Mesa create in streams"
    assert params["capset 2 version"] == "2", params
    assert "done" in vm.run(f"pvgpu-virtgpu calls {DRIVER}").out
    check(vm)


def is_listed_by_gputop(suite):
    """What fdinfo has, by a tool that knows no driver by its name."""
    vm = machines[suite]()
    spin = vm.start_command(f"exec pvgpu-gl spin {DRIVER} 60 512")
    spin.wait_output(r"frame \d+", 60)
    told = vm.run("timeout 50 gputop -d 1 -n 3", timeout=60).out
    spin.kill()
    spin.wait(20)
    rows = re.findall(r"^\d+ +(\d+)M +(\d+)M \| +([\d.]+)% .*\| pvgpu-gl", told, re.M)
    assert len(rows) == 3 and re.search(r"\brender\b", told), told
    memory, resident, busy = map(float, rows[-1])
    # Textures, two targets and what a context itself is charged.
    assert 2 <= resident <= memory <= 200, told
    assert 2 < busy <= 110, told
    check(vm)


def withstands_garbage(suite):
    vm = machines[suite]()
    spin = vm.start_command(f"exec pvgpu-gl spin {DRIVER} 15")
    spin.wait_output(r"frame \d+", 60)
    for seed in (3, 17, 4711):
        vm.run(f"pvgpu-virtgpu garbage {DRIVER} {seed} 40", timeout=120)
    result = spin.wait(120)
    assert result.status == 0 and number(r"wrong (\d+)", result.out) == 0, \
        f"the other client: {result.out}{result.err}"
    draws_scene(vm)
    # Once for each context, and no more than the kernel's rate limit lets by.
    check(vm, r"pvgpu.*context")


def survives_its_worker(suite):
    pvgpud_only()
    vm = machines[suite]()
    spin = vm.start_command(f"exec pvgpu-gl spin {DRIVER} 12")
    waits = vm.start_command(f"exec pvgpu-virtgpu wait {DRIVER} 12")
    cube = vm.start_command(f"exec kmscube -D /dev/dri/{card(vm)} -c 100000")
    spin.wait_output(r"frame \d+", 60)
    waits.wait_output(r"at \d+", 60)
    worker = vgpu(vm)["vgpu"]["workerPid"]
    os.kill(worker, signal.SIGKILL)
    killed = time.monotonic()
    wait_until(lambda: vgpu(vm)["vgpu"].get("workerPid") not in (None, 0, worker), 5,
               "another worker")
    took = time.monotonic() - killed
    assert took < 1, f"the worker was replaced after {took:.1f} s"
    result = waits.wait(60)
    longest, done = number(r"longest_ms (\d+)", result.out), number(r"done (\d+) ", result.out)
    told = number(r"refused (\d+)", result.out) + number(r"failed (\d+)", result.out)
    assert number(r"late (\d+)", result.out) == 0 and longest < 8000, result.out
    assert told >= 1, f"no call and no fence told of the loss: {result.out}"
    assert done > 10, result.out
    assert spin.wait(60).status is not None
    cube.kill()
    draws_scene(vm)
    wait_until(lambda: vgpu(vm)["vgpu"]["state"] == "running", 5, "state running")
    check(vm)


def cleanup():
    for machine in (*machines.values(), small):
        if machine.made:
            machine().stop()
    if host.made:
        host().stop()


for name in SUITES:
    short = (("names virgl and the host's renderer", names_virgl),
             ("draws as the reference renderer does", draws_as_the_reference),
             ("shows it on two heads", shows_it_on_two_heads),
             ("answers every call of the uAPI", answers_every_call))
    more = (("runs kmscube", runs_kmscube),
            ("carries weston on two heads, with Xwayland", carries_a_session),
            ("carries cage", carries_cage),
            ("serves several clients at once", serves_several),
            ("forgets clients that are killed", forgets_the_killed),
            ("goes on beside a client that floods", goes_on_beside_a_flood),
            ("withstands garbage in a context", withstands_garbage),
            ("survives the death of its worker", survives_its_worker))
    for title, function in short + (more if name in FULL else ()):
        add(f"{name}: {title}", function, name)
    if name == "sid":
        add(f"{name}: is listed by gputop", is_listed_by_gputop, name)
    if name in FULL:
        add(f"{name}: runs every scene of glmark2", runs_glmark2, name, SCENES)
    else:
        add(f"{name}: runs scenes of glmark2", runs_glmark2, name, SCENES[:3])
add("small: has GL_OUT_OF_MEMORY for one client, and goes on", has_no_memory)
add("small: takes back what is dropped", takes_back, None)


main(cleanup)
