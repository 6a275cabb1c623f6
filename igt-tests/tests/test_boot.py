#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""On each of the three kernels: the module is built without a warning, loads,
shows its heads, modetest lights them all, and the host sees what was drawn."""
import sys
sys.path.insert(0, "igt-tests")
from harness import BUILD, SUITES, TREE, Host, Lazy, Vm, add, main, smpte_problem

TYPE, HEADS = "PV24-2Q", 4
MODES = {0: "1024x768", 1: "800x600", 2: "640x480", 3: "1280x1024"}
KERNELS = {"bookworm": "6.1.", "trixie": "6.12.", "sid": "7."}

host = Lazy(lambda: Host("boot", asan=True).start())


def boot(suite):
    host().create(suite, TYPE)
    return Vm(f"boot-{suite}", suite, host(), [suite]).start().wait()


machines = {suite: Lazy(lambda suite=suite: boot(suite)) for suite in SUITES}


def builds_clean(suite):
    log = (BUILD / "module" / suite / "build.log").read_text()
    bad = [line for line in log.splitlines() if "warning" in line.lower() or "error:" in line]
    assert not bad, "\n".join(bad[:10])
    # One line a source, or sparse has not looked at it.
    sources = len(list((TREE / "guest-drm").glob("pvgpu_*.c")))
    assert log.count("CHECK") == sources, "sparse has not looked at every source"


def boots_and_loads(suite):
    vm = machines[suite]()
    assert vm.image.version.startswith(KERNELS[suite]), vm.image.version
    vm.load()
    assert vm.run("cat /sys/module/pvgpu/srcversion").out.strip()
    vm.check_dmesg()


def shows_its_heads(suite):
    card = machines[suite]().card()
    major, minor = map(int, card["version"].split("."))
    assert (major, minor) >= (0, 1) and major == 0, card["version"]
    assert len(card["crtcs"]) == HEADS, card["crtcs"]
    for index, connector in enumerate(card["connectors"]):
        assert connector["connected"], f"connector {index} is not connected"
        assert index in connector["crtcs"], f"connector {index} has CRTCs {connector['crtcs']}"
        names = [m["name"] for m in connector["modes"]]
        assert MODES[index] in names, f"connector {index} has modes {names}"


def host_sees_what_was_drawn(suite):
    vm = machines[suite]()
    with vm.light(MODES) as card:
        lit = card["crtcs"]
        width = max(c["x"] + c["width"] for c in lit)
        height = max(c["y"] + c["height"] for c in lit)
        for index, mode in MODES.items():
            shown = host().screenshot(suite, index)
            assert f"{shown.width}x{shown.height}" == mode, f"head {index}: not {mode}"
            problem = (shown.difference(vm.grab(index))
                       or smpte_problem(shown, lit[index]["x"], width, height))
            assert not problem, f"head {index}: {problem}"
    vm.check_dmesg()


def unloads(suite):
    vm = machines[suite]()
    vm.unload()
    assert vm.run("ls -d /sys/module/pvgpu", check=False).status, "the module is still there"
    vm.check_dmesg()


def powers_off(suite):
    assert machines[suite]().stop(), "QEMU had to be killed"


def cleanup():
    for machine in machines.values():
        if machine.made:
            machine().stop()
    if host.made:
        host().stop()


for name in SUITES:
    add(f"{name}: pvgpu.ko is built without a warning", builds_clean, name)
    add(f"{name}: boots and loads pvgpu.ko", boots_and_loads, name)
    add(f"{name}: shows the heads of its type", shows_its_heads, name)
    add(f"{name}: the host's pictures are the guest's, on every head",
        host_sees_what_was_drawn, name)
    add(f"{name}: unloads, and nothing is left in dmesg", unloads, name)
    add(f"{name}: powers off", powers_off, name)


main(cleanup)
