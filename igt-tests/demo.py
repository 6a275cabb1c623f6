#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""make demo: two virtual machines, each with a vGPU of its own, from one pvgpud.

Every head is lit by an unmodified modetest in the guest, at a mode of its own.
The picture of each head is then taken twice, in the guest from the framebuffer
and on the host from what pvgpud shows, and compared pixel for pixel; the host's
is also compared with the SMPTE bars that modetest is known to draw. Pictures
and summary.json are left in build/demo/. Exit status 0 only if all of it holds."""
import contextlib
import json
import shutil
import signal
import sys
import time

from harness import BUILD, Host, HostError, Vm, VmError, accelerator, images, smpte_problem

OUT = BUILD / "demo"
MACHINES = [     # VM and vGPU name, type, suite, a mode for each head
    ("workstation", "PV24-2Q", "trixie", ["1920x1080", "1280x720", "1024x768", "800x600"]),
    ("application", "PV24-1A", "bookworm", ["1280x1024"]),
]
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
    return {"head": index, "mode": mode, "refresh": crtc["refresh"],
            "png": str(png.relative_to(BUILD.parent)), "pixels": shown.width * shown.height,
            "equal": shown == drawn, "problem": problem}


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
    vm.check_dmesg()
    return {"vm": vm.name, "vgpu": vm.vgpus[0], "type": type_name, "suite": vm.suite,
            "kernel": vm.image.version, "boot_seconds": round(vm.boot_seconds, 1),
            "heads": heads}


def table(machines):
    rows = [("VM", "kernel", "type", "head", "mode", "guest = host", "picture")]
    for m in machines:
        for h in m["heads"]:
            rows.append((m["vm"], m["kernel"], m["type"], str(h["head"]),
                         f"{h['mode']}@{h['refresh']}", h["problem"] or "every pixel", h["png"]))
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
        for name, type_name, suite, _ in MACHINES:
            say(f"creating vGPU {name} of type {type_name}")
            host.create(name, type_name)
            vms.append(Vm(f"demo-{name}", suite, host, [name]))
        how = {"kvm": "under KVM", "tcg": "emulated, as KVM does not work here"}[accelerator()]
        say(f"booting {len(vms)} stock Debian guests ({how})")
        for vm in vms:
            stack.callback(vm.stop)
            vm.start()
        for vm in vms:
            vm.wait()
            say(f"{vm.name}: up after {vm.boot_seconds:.1f} s")
        machines = [show_machine(host, vm, type_name, modes)
                    for vm, (_, type_name, _, modes) in zip(vms, MACHINES)]
        say("powering the guests off")
        for vm in vms:
            vm.stop()
        for name, *_ in MACHINES:
            host.destroy(name)
    heads = [h for m in machines for h in m["heads"]]
    ok = len(heads) == sum(len(m[3]) for m in MACHINES) and not any(h["problem"] for h in heads)
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
