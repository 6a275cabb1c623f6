#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A GPU with a render node: a guest's own, Mesa's virgl on pvgpu, on which a
second pvgpud in that guest has its workers render. So all of what a GPU of the
host needs is there but the GPU: a node that is found and opened, the files that
libdrm reads, a driver that talks by ioctl, and GL that says what it is."""
import contextlib
import re
import subprocess
import sys

sys.path.insert(0, "igt-tests")
from harness import BUILD, TREE, Host, Lazy, Vm, main, test

# What is built here runs there: a guest of this machine's own suite.
SUITE = re.search(r"^VERSION_CODENAME=(\w+)", open("/etc/os-release").read(), re.M)[1]
PROGRAMS = [BUILD / "bin" / name for name in ("pvgpud", "pvgpu-worker", "pvgpuctl",
                                              "pvgpu-conform")]
NODE = "/dev/dri/renderD128"
LIBRARY = re.compile(r"=> (/\S+)")

host = Lazy(lambda: Host("gpu", types_dirs=[TREE / "igt-tests/types"]).start())


def boot():
    host().create("outer", "GL-1Q")
    vm = Vm("gpu", SUITE, host(), ["outer"], memory=2048, disk=f"gl-{SUITE}")
    libraries = set()
    for path in PROGRAMS:
        told = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        libraries |= set(LIBRARY.findall(told))
    vm.start().wait().load()
    for path in [*PROGRAMS, *libraries, TREE / "igt-tests/types/gl.conf"]:
        vm.put(path)
    there = " ".join(sorted(path.rsplit("/", 1)[1] for path in libraries))
    # Of the libraries what this guest does not have itself. The node is a
    # group's, as udev's rules have it.
    vm.run(f"cd /host; for l in {there}; do ldconfig -p | grep -q \"$l \" || "
           "cp $l /usr/lib/x86_64-linux-gnu/; done; ldconfig; "
           "mkdir -p /opt/types && cp gl.conf /opt/types/ && "
           f"cp {' '.join(path.name for path in PROGRAMS)} /usr/local/bin/ && "
           f"chgrp video {NODE} && chmod 660 {NODE}")
    # The first to load Mesa reads it from an emulated disk, longer than a client waits.
    vm.run("pvgpu-gl info pvgpu", timeout=180)
    return vm


vm = Lazy(boot)


class Inner:
    """A pvgpud in the guest, with a vGPU. start() and end(), or with."""
    def __init__(self, device, user=None):
        self.device, self.run_as = device, f"setpriv {user} " if user else ""

    def __enter__(self):
        vm().run("rm -rf /tmp/run; mkdir -m 777 /tmp/run")
        self.command = vm().start_command(
            f"exec {self.run_as}pvgpud --runtime-dir /tmp/run --types-dir /opt/types "
            f"--host-memory 1000% --gpu-device {self.device} 2>&1")
        self.command.wait_output("ready", 60)
        self.ctl("create inner GL-1Q")
        return self

    def __exit__(self, *_):
        self.command.kill(15)
        self.command.wait(30)

    def ctl(self, words):
        return vm().run(f"pvgpuctl --socket /tmp/run/control {words}").out

    def conform(self, tests, good=True):
        done = vm().run(f"timeout 200 pvgpu-conform /tmp/run/inner.sock {tests}", timeout=220,
                        check=False)
        bad = re.findall(r"^not ok .*(?:\n# .*)?", done.out, re.M)
        if good:
            assert done.status == 0 and not bad, f"{done.out}{done.err}{self.log}"
        else:
            assert done.status == 1 and bad, done.out

    @property
    def log(self):
        return self.command.out


def address():
    return vm().run("basename $(readlink -f /sys/class/drm/renderD128/device)").out.strip()


@test
def a_render_node_is_rendered_on():
    with Inner(NODE) as inner:
        assert f"{NODE} (pvgpu, {address()})" in inner.ctl("gpu")
        # What is drawn, how it travels, and what goes wrong.
        inner.conform("virgl-draw virgl-transfer virgl-bad virgl-islands virgl-order "
                      "virgl-commands virgl-destroyed virgl-noise")
        assert re.search(r"rendering on virgl \(LLVMPIPE", inner.log), inner.log


@test
def by_its_address_and_by_itself():
    for device in (address(), "auto"):
        with Inner(device) as inner:
            assert f"{NODE} (pvgpu, {address()})" in inner.ctl("gpu")
            inner.conform("virgl-draw-rectangles")
            assert "rendering on virgl (" in inner.log, inner.log


@test
def an_ordinary_user_who_is_in_the_nodes_group():
    # One that may make namespaces only within a user namespace.
    groups = vm().run("getent group video | cut -d: -f3").out.strip()
    with Inner(NODE, f"--reuid 1234 --regid 1234 --groups {groups}") as inner:
        inner.conform("virgl-draw")
        assert "rendering on virgl (" in inner.log, inner.log


@test
def llvmpipe_where_it_is_asked_for():
    with Inner("llvmpipe") as inner:
        assert re.search(r"^device +llvmpipe$", inner.ctl("gpu"), re.M)
        inner.conform("virgl-draw-rectangles")
        assert "rendering on llvmpipe (" in inner.log, inner.log


def nothing_is_rendered(inner, why):
    inner.conform("virgl-draw-rectangles", good=False)
    inner.conform("resource")
    assert re.search(why, inner.log) and "rendering on" not in inner.log, inner.log


@test
def what_is_not_there_is_no_llvmpipe():
    done = vm().run("pvgpud --runtime-dir /tmp/run --types-dir /opt/types "
                    "--gpu-device /dev/dri/renderD129", check=False)
    assert done.status == 1 and (
        f"gpu device: /dev/dri/renderD129 given: it is not there; this host has {NODE} (pvgpu, "
        in done.err), done.err


@contextlib.contextmanager
def changed(command, back):
    vm().run(command)
    try:
        yield
    finally:
        vm().run(back)


@test
def what_may_not_be_opened_is_no_llvmpipe():
    with changed(f"chmod 600 {NODE}", f"chmod 660 {NODE}"), Inner(NODE) as inner:
        nothing_is_rendered(inner, rf"nothing is rendered, for want of {NODE} \(pvgpu, .*\): "
                                   f"{NODE}: Permission denied")


@test
def what_has_no_driver_for_gl_is_no_llvmpipe():
    # Mesa's loader does not know which of its drivers it is.
    there = "/usr/share/drirc.d/00-pvgpu.conf"
    with changed(f"mv {there} /tmp/", f"mv /tmp/00-pvgpu.conf {there}"), Inner(NODE) as inner:
        nothing_is_rendered(inner, "EGL|asked for")


@test
def no_line_of_dmesg_is_bad():
    vm().check_dmesg()


def cleanup():
    if vm.made:
        vm().stop()
    if host.made:
        host().stop()


main(cleanup)
