#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""make demo: two virtual machines, each with a vGPU of its own, from one pvgpud.

First 2D: every head is lit by an unmodified modetest in the guest, at a mode of
its own. The picture of each head is then taken twice, in the guest from the
framebuffer and on the host from what pvgpud shows, and compared pixel for pixel;
the host's is also compared with the SMPTE bars that modetest is known to draw.

Then 3D, with stock Mesa: in one machine a GL program draws on two heads, and
what the host shows is compared with what a renderer in software draws without
any card; in the other there is a desktop, weston with a panel, a terminal and,
through Xwayland, glxgears, all of which must be seen there, the gears turning.

Pictures and summary.json are left in build/demo/. Exit status 0 only if all of
it holds."""
import contextlib
import json
import shutil
import signal
import sys
import time

from harness import (BUILD, Host, HostError, Vm, VmError, accelerator, images, primaries,
                     reference_scene, run_dir, smpte_problem)

OUT = BUILD / "demo"
SUITE = "trixie"
MACHINES = [     # VM and vGPU name, type, a mode for each head
    ("workstation", "PV24-2Q", ["1920x1080", "1280x720", "1024x768", "800x600"]),
    ("desktop", "PV24-1B", ["1280x1024", "1024x768", "800x600", "640x480"]),
]
SCENE = ["1280x720", "800x600"]     # for the heads of the GL program
FRAMES = 6
BACKGROUND = (0x20, 0x40, 0x60)     # of the desktop, by its pvgpu-session
BEGIN = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - BEGIN:5.1f} s] {text}", flush=True)


def check_head(host, vm, index, mode, card, modes):
    """Compares the two pictures of a head; gives its row of the summary."""
    name = vm.vgpus[0]
    png = OUT / f"{name}-head{index}.png"
    shown = host.screenshot(name, index, png)
    drawn = vm.grab(index)
    # modetest lays one framebuffer under all heads; each shows a part of it.
    lit = [card["crtcs"][i] for i in modes]
    width = max(c["x"] + c["width"] for c in lit)
    height = max(c["y"] + c["height"] for c in lit)
    crtc = card["crtcs"][index]
    problem = (shown.difference(drawn)
               or smpte_problem(shown, crtc["x"], width, height))
    if f"{shown.width}x{shown.height}" != mode:
        problem = f"the host shows {shown.width}x{shown.height}, asked for {mode}"
    return row(index, mode, "modetest's bars, every pixel", shown, png, problem,
               refresh=crtc["refresh"], equal=shown == drawn)


def row(index, mode, what, shown, png, problem, **more):
    """A picture's row of the summary."""
    return {"head": index, "mode": mode, "what": what, "png": str(png.relative_to(BUILD.parent)),
            "pixels": shown.width * shown.height, "problem": problem, **more}


def show_machine(host, vm, type_name, modes):
    """Loads the module, lights all heads, compares: the machine's summary."""
    say(f"{vm.name}: loading pvgpu.ko in Linux {vm.image.version}")
    vm.load()
    modes = dict(enumerate(modes))
    say(f"{vm.name}: modetest lights {len(modes)} head{'s'[:len(modes) > 1]}: "
        + ", ".join(modes.values()))
    with vm.light(modes) as card:
        if len(card["crtcs"]) != len(modes):
            raise VmError(f"{vm.name}: {len(card['crtcs'])} heads, {type_name} has {len(modes)}")
        say(f"{vm.name}: comparing the host's pictures with the guest's")
        heads = [check_head(host, vm, i, m, card, modes) for i, m in modes.items()]
    # What comes next has the heads to itself.
    vm.run("for c in /sys/class/vtconsole/vtcon*; do echo 0 > $c/bind; done", check=False)
    return {"vm": vm.name, "vgpu": vm.vgpus[0], "type": type_name, "suite": vm.suite,
            "kernel": vm.image.version, "mesa": vm.disk.packages["libgl1-mesa-dri"],
            "boot_seconds": round(vm.boot_seconds, 1), "heads": heads}


# --------------------------------------------------------------------------- 3D
def draw_scene(host, vm):
    """A GL program on some heads, against the reference renderer: their rows."""
    say(f"{vm.name}: a GL program draws {FRAMES} frames on {len(SCENE)} heads: "
        + ", ".join(SCENE))
    rows, references = [], run_dir("demo.reference")
    program = vm.start_command(f"exec pvgpu-gl show pvgpu {FRAMES} {' '.join(SCENE)}")
    program.wait_output(r"ready \d+", 180)
    for head, size in enumerate(SCENE):
        png = OUT / f"{vm.vgpus[0]}-gl-head{head}.png"
        shown = host.screenshot(vm.vgpus[0], head, png)
        problem = shown.unlike(reference_scene(references, size, FRAMES))
        rows.append(row(head, size, "GL, as the reference renderer has it", shown, png, problem))
    program.write("\n")
    program.end()
    if program.wait(30).status:
        raise VmError(f"{vm.name}: the GL program: {program.err}")
    return rows


def desktop_problem(shown):
    """What of the desktop is not to be seen, None if all of it is."""
    greys = {"its frame": 0, "its inside": 0}
    for i in range(0, len(shown.rgb), 3 * 5):
        pixel = tuple(shown.rgb[i:i + 3])
        greys["its frame"] += 5 * (pixel[0] == pixel[1] == pixel[2] and 150 < pixel[0] < 240)
        greys["its inside"] += 5 * (pixel == (0, 0, 0))
    if shown.pixel(shown.width - 4, shown.height - 4) != BACKGROUND:
        return "no background"
    if max(shown.pixel(shown.width // 2, 10)) >= max(BACKGROUND):
        return "no panel"
    for part, count in greys.items():
        if count < 3000:
            return f"no terminal: {count} pixels of {part}"
    if min(primaries(shown)) < 300:
        return f"no gears: {primaries(shown)} red, green, blue pixels"
    return None


def show_desktop(host, vm):
    """A Wayland session with programs: its row."""
    say(f"{vm.name}: weston, a terminal, and glxgears through Xwayland")
    name, png = vm.vgpus[0], OUT / f"{vm.vgpus[0]}.png"
    card = vm.card()["card"].rsplit("/", 1)[1]
    programs = [vm.start_command(f"exec pvgpu-session desktop {card} 2>&1")]
    programs[0].wait_output("xserver listening", 120)
    programs.append(vm.start_command("exec pvgpu-session terminal 2>&1"))
    deadline, first = time.monotonic() + 180, None
    while True:
        time.sleep(1)
        if any(p.ended for p in programs):
            raise VmError(f"{vm.name}: {[p.out[-1000:] for p in programs if p.ended]}")
        shown = host.screenshot(name, 0, png)
        problem = desktop_problem(shown)
        # The windows that come last are on top.
        if len(programs) == 2 and problem and problem.startswith("no gears"):
            programs.append(vm.start_command("exec pvgpu-session x11 glxgears 2>&1"))
        if not problem and first is None:
            first = shown
        elif not problem and shown == first:
            problem = "the gears stand still"
        elif not problem:
            break
        if time.monotonic() > deadline:
            break
    for program in reversed(programs):
        program.kill(signal.SIGTERM)
        program.wait(30)
    return row(0, f"{shown.width}x{shown.height}", "a desktop, its gears turning", shown, png,
               problem)


def table(machines):
    rows = [("VM", "kernel", "type", "head", "mode", "shows", "picture")]
    for m in machines:
        for h in m["heads"]:
            rows.append((m["vm"], m["kernel"], m["type"], str(h["head"]),
                         h["mode"], f"NOT {h['what']}: {h['problem']}" if h["problem"]
                         else h["what"], h["png"]))
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths)).rstrip())


def demo():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    say("starting pvgpud")
    with contextlib.ExitStack() as stack:
        host = stack.enter_context(Host("demo"))
        vms = []
        for name, type_name, _ in MACHINES:
            say(f"creating vGPU {name} of type {type_name}")
            host.create(name, type_name)
            # A renderer in software may take longer for a batch than a GPU.
            host.ctl("sched", "set", name, "--watchdog", "60s")
            vms.append(Vm(f"demo-{name}", SUITE, host, [name], memory=1536, disk=f"gl-{SUITE}"))
        how = {"kvm": "under KVM", "tcg": "emulated, as KVM does not work here"}[accelerator()]
        say(f"booting {len(vms)} stock Debian guests ({how})")
        for vm in vms:
            stack.callback(vm.stop)
            vm.start()
        for vm in vms:
            vm.wait()
            say(f"{vm.name}: up after {vm.boot_seconds:.1f} s")
        machines = [show_machine(host, vm, type_name, modes)
                    for vm, (_, type_name, modes) in zip(vms, MACHINES)]
        machines[0]["heads"] += draw_scene(host, vms[0])
        machines[1]["heads"].append(show_desktop(host, vms[1]))
        for vm in vms:
            vm.check_dmesg()
        say("powering the guests off")
        for vm in vms:
            vm.stop()
        for name, *_ in MACHINES:
            host.destroy(name)
    heads = [h for m in machines for h in m["heads"]]
    wanted = sum(len(m[2]) for m in MACHINES) + len(SCENE) + 1
    ok = len(heads) == wanted and not any(h["problem"] for h in heads)
    summary = {"ok": ok, "accelerator": accelerator(),
               "seconds": round(time.monotonic() - BEGIN, 1), "machines": machines}
    (OUT / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    print()
    table(machines)
    print()
    say("done: " + ("every head shows what its guest drew" if ok else "NOT as it should be"))
    return 0 if ok else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(demo())
    except (AssertionError, HostError, VmError, images.ImageError) as e:
        sys.exit(f"demo: {e}")
