#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The host's package on the other stable Debian: built there from this tree, and
installed and used on it in a VM with systemd. test_systemd.py has the rest."""
import re
import sys
import time

sys.path.insert(0, "igt-tests")
from harness import HOST_ARGS, Lazy, Vm, images, layer, main, run_dir, test

SUITE = "host-other"
SOURCES = "Makefile LICENSE docs protocol host-backend guest-drm igt-tests".split()


def build():
    out = run_dir("other-packages")
    said = layer.run(SUITE, """
        make -j$(nproc) deb
        cp build/deb/pvgpu_*.deb build/bin/pvgpu-conform /out/
        """, SOURCES, out)
    # What dpkg-shlibdeps says of a stage is about no source of ours.
    warnings = [line for line in said.splitlines()
                if "warning" in line and not line.startswith(("dpkg-shlibdeps", "make["))]
    assert not warnings, "\n".join(warnings)
    return out


packages = Lazy(build)


def boot():
    machine = Vm("other-host", SUITE, memory=2048, kernel_args=HOST_ARGS).start()
    for path in packages().iterdir():
        machine.put(path)
    machine.wait()
    # All files of the image's disk are root's.
    machine.run("chown -f polkitd: /usr/share/polkit-1/rules.d /etc/polkit-1/rules.d || true")
    return machine


vm = Lazy(boot)


@test
def the_package_is_built_without_a_warning():
    found = [path.name for path in packages().iterdir()]
    assert len(found) == 2 and any(re.fullmatch(r"pvgpu_.*_amd64\.deb", n) for n in found), found


@test
def it_is_installed_and_starts():
    vm()
    print(f"# Debian {images.debian(SUITE)}, "
          + vm().run("systemctl --version | head -n 1").out.strip())
    vm().run("apt-get install -y /host/pvgpu_*.deb", timeout=180)
    state = vm().run("systemctl is-active pvgpud.socket pvgpud.service", check=False).out
    assert state.split() == ["active", "active"], (
        state + vm().run("journalctl --no-pager -q -n 40 -u 'pvgpu*'").out)


@test
def a_guest_conforms_and_outlives_pvgpud():
    vm().run("pvgpuctl create a PV24-1A")
    result = vm().run(
        "/host/pvgpu-conform --replace 'systemctl kill -s KILL pvgpu-worker@a.service' "
        "/run/pvgpu/a.sock attach commit draw host-replaced", timeout=180, check=False)
    journal = vm().run("journalctl --no-pager -q -n 40 -u 'pvgpu*'").out
    assert result.status == 0, result.out + result.err + journal
    assert result.out.count("\nok ") >= 10, result.out
    vm().run("systemctl kill -s KILL pvgpud")
    end = time.monotonic() + 60
    while vm().run("pvgpuctl show a | grep -w waiting", check=False).status:
        assert time.monotonic() < end, vm().run("pvgpuctl show a", check=False).out
        time.sleep(0.5)


@test
def it_goes_without_a_trace():
    vm().run("dpkg -P pvgpu", timeout=180)
    left = vm().run("systemctl list-units --all --no-legend --plain 'pvgpud*' 'pvgpu-worker*'; "
                    "find / -xdev -iname '*pvgpu*' ! -path '/usr/local/bin/*'; "
                    "systemctl --failed --no-legend --plain").out
    assert not left.strip(), left


main(cleanup=lambda: vm.made and vm().stop())
