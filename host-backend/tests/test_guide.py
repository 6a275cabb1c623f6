#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The commands of the administrator's guide that are marked "host", in order,
in one shell: a pvgpud of our own, a libvirtd of our own, and QEMUs that it
starts. All of it runs as nobody if this is root, in a temporary folder; the
guide's last section says what is put in place of what."""

import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, "igt-tests")
from manager_support import *
from harness import guide

NOBODY = 65534
QEMU_DRIVER = ("/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/"
               "libvirt_driver_qemu.so")
NEEDED = {"/usr/sbin/libvirtd": "libvirt-daemon",
          QEMU_DRIVER: "libvirt-daemon-driver-qemu",
          "/usr/bin/virsh": "libvirt-clients",
          "/usr/bin/qemu-system-x86_64": "qemu-system-x86"}


def as_nobody(*command):
    if os.getuid():
        return list(command)
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
            "--clear-groups", "--no-new-privs", "--pdeathsig", "KILL",
            *command]


class Machine:
    """A folder with a pvgpud and a libvirtd in it, and a shell's environment
    in which the guide's commands find them."""

    def __init__(self):
        # Short: sockets lie in it.
        self.top = tempfile.mkdtemp(prefix="pvg-", dir="/tmp")
        for name in ("bin", "run", "home/libvirt", "images", "work"):
            os.makedirs(f"{self.top}/{name}")
        for name in ("pvgpud", "pvgpu-worker", "pvgpuctl"):
            shutil.copy(f"{PLAIN_BIN}/{name}", f"{self.top}/bin")
        shutil.copytree("host-backend/types", f"{self.top}/types")
        self.write("home/libvirt/qemu.conf", 'stdio_handler = "file"\n')
        self.write("bin/virsh", "#!/bin/sh\nexec /usr/bin/virsh -q -c "
                   "qemu:///session \"$@\"\n", 0o755)
        for n in (1, 2):
            self.write(f"images/desk-{n}.raw", "")
            os.truncate(f"{self.top}/images/desk-{n}.raw", 1 << 20)
        if not os.getuid():
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", self.top],
                           check=True)
        home = f"{self.top}/home"
        self.environment = {
            "PATH": f"{self.top}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": home, "XDG_RUNTIME_DIR": home, "XDG_CONFIG_HOME": home,
            "XDG_CACHE_HOME": home, "XDG_DATA_HOME": home, "LC_ALL": "C",
            "PVGPU_SOCKET": f"{self.top}/run/control"}
        self.processes = []
        self.start("pvgpud", f"{self.top}/bin/pvgpud", "--runtime-dir",
                   f"{self.top}/run", "--types-dir", f"{self.top}/types",
                   "--host-memory", "1000%")
        self.start("libvirtd", "/usr/sbin/libvirtd")
        wait_until(lambda: os.path.exists(self.environment["PVGPU_SOCKET"]),
                   "pvgpud")
        wait_until(lambda: os.path.exists(home + "/libvirt/libvirt-sock"),
                   "libvirtd " + self.log("libvirtd"))

    def write(self, name, text, mode=0o644):
        with open(f"{self.top}/{name}", "w") as f:
            f.write(text)
        os.chmod(f"{self.top}/{name}", mode)

    def start(self, name, *command):
        with open(f"{self.top}/{name}.log", "wb") as log:
            self.processes.append(subprocess.Popen(
                as_nobody(*command), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd=self.top, env=self.environment))

    def log(self, name):
        with open(f"{self.top}/{name}.log", errors="replace") as f:
            return f.read()[-3000:]

    def translate(self, commands):
        for ours, theirs in (("/var/lib/libvirt/images", "/images"),
                             ("/run/pvgpu", "/run")):
            commands = commands.replace(ours, self.top + theirs)
        return commands.replace("type='kvm'", "type='qemu'").replace(
            "unit='GiB'>2<", "unit='MiB'>128<")

    def run(self, commands):
        return subprocess.run(
            as_nobody("bash", "-eux", "-c", commands), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, cwd=f"{self.top}/work", timeout=200,
            env=self.environment)

    def stop(self):
        for name in ("desk-1", "desk-2"):
            self.run(f"virsh destroy {name} || true")
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.top)


def every_block_says_where_it_runs():
    found = guide.all_blocks()
    where = [place for place, _, _ in found]
    check({*where} == {*guide.WHERE}, f"{where}")
    check(where.count("host") >= 6, f"{where}")
    # The last section explains each of them.
    with open(guide.GUIDE) as f:
        last = f.read().partition("## How this guide is tested")[2]
    for place in guide.WHERE:
        check(f"**{place}**" in last, f"{place} is not explained")
    # And what it refers to is there.
    for path in re.findall(r"`((?:host-backend|igt-tests)/[^`]+)`", last):
        check(os.path.exists(path), path)


def what_installs_names_what_there_is():
    """Of the blocks that install and set up: packages, units, make's targets,
    and the change of the configuration."""
    text = "".join(c for where in ("tree", "systemd", "install", "dkms", "machine")
                   for c in guide.blocks(where))
    names = set(re.findall(r"(pvgpu[a-z-]*)_\*\.deb", text))
    check(names == {"pvgpu", "pvgpu-dkms"}, f"{names}")
    for name in names:
        check(any(os.path.exists(f"{room}/debian/{name}.control")
                  for room in ("host-backend", "guest-drm")), name)
    units = set(re.findall(r"pvgpud?[\w@-]*\.(?:service|socket)", text))
    check(units, "no units")
    for unit in units:
        check(os.path.exists(f"host-backend/systemd/{unit}"), unit)
    for target in set(re.findall(r"^make (\w+)$", text, re.M)):
        done = subprocess.run(["make", "-n", target], capture_output=True,
                              text=True, timeout=60)
        check(done.returncode == 0, done.stderr)
    sed = re.findall(r"^(sed -i .*) /etc/pvgpu/pvgpud.conf$", text, re.M)
    check(len(sed) == 1, f"{sed}")
    directory = tempfile.mkdtemp(prefix="pvgpu-")
    path = directory + "/pvgpud.conf"
    with open("host-backend/systemd/pvgpud.conf") as f:
        # Any group that is here.
        shipped = re.sub(r"(?m)^(\w+_group = ).*", rf"\g<1>{os.getgid()}",
                         f.read())
    with open(path, "w") as f:
        f.write(shipped)
    subprocess.run(["sh", "-c", f"{sed[0]} {path}"], check=True)
    memory = int(re.search(r"(\d+)GiB", sed[0])[1])
    with Daemon("--config", path) as daemon:
        check(daemon.call("ListTypes")["memory"]["limit"] == memory << 30,
              "memory")
    shutil.rmtree(directory)


def two_desktops_in_libvirt():
    absent = sorted({package for path, package in NEEDED.items()
                     if not os.path.exists(path)})
    check(not absent, f"install: {' '.join(absent)}")
    machine = Machine()
    try:
        blocks = guide.blocks("host")
        seen = []
        for number, commands in enumerate(blocks, 1):
            done = machine.run(machine.translate(commands))
            check(done.returncode == 0,
                  f"block {number}: status {done.returncode}\n{done.stdout}\n"
                  f"pvgpud: {machine.log('pvgpud')}\n"
                  f"libvirtd: {machine.log('libvirtd')}")
            seen.append(done.stdout)
            # What the guide says comes of it.
            if "virsh start desk-2" in commands:
                for desk in ("desk-1", "desk-2"):
                    check(machine.run(f"virsh domstate {desk}").stdout
                          .splitlines()[-1] == "running", desk)
                rows = [line.split() for line in
                        machine.run("pvgpuctl list").stdout.splitlines()]
                for desk in ("desk-1", "desk-2"):
                    row = next(r for r in rows if r[0] == desk)
                    check(row[-3] == "running" and int(row[-2]) and
                          int(row[-1]), f"{row}")
        text = "\n".join(seen)
        for wanted in ("PV24-2Q", "created desk-1, type PV24-2Q",
                       "created desk-2, type PV24-1B",
                       "plugged   2560x1440 at 60.000 Hz",
                       "unplugged", "-device ivshmem-doorbell",
                       "destroyed desk-1", "destroyed desk-2"):
            check(wanted in text, f"no '{wanted}' in\n{text}")
        check("desk" not in machine.run("pvgpuctl list").stdout
              .replace("+ pvgpuctl list", ""), "a vGPU is left")
    finally:
        machine.stop()


if __name__ == "__main__":
    run_tests([every_block_says_where_it_runs,
               what_installs_names_what_there_is, two_desktops_in_libvirt])
