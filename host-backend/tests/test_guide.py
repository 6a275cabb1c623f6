#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The commands of the administrator's guide from its second section on, in
order: a pvgpud of our own, a libvirtd of our own, and two machines that it
starts, with the desktops that the guide has made. All of it runs as nobody if
this is root, in a temporary folder; the guide's last section says what is put
in place of what."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, "igt-tests")
from manager_support import *
import desk
from harness import accelerator, guide, read_png
from harness.console import Console

NOBODY = 65534
# As section 3 sets them.
DESKS = ("desk-1", "desk-2")
HEADS = {"desk-1": {0: (2560, 1440), 1: (1920, 1080)},
         "desk-2": {0: (1920, 1080)}}
# Of two machines at once that QEMU emulates on two processors.
DESKTOP_SECONDS = 700
SESSION = "xfce4-session xfwm4 xfce4-panel xfdesktop"
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
        # What the guide's earlier commands have left in their folder.
        made = desk.disk()
        shutil.copytree(made / "desk", f"{self.top}/work/desk")
        os.symlink(made / "desk.raw", f"{self.top}/work/desk.raw")
        if not os.getuid():
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", self.top],
                           check=True)
        home = f"{self.top}/home"
        self.environment = {
            "PATH": f"{self.top}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": home, "XDG_RUNTIME_DIR": home, "XDG_CONFIG_HOME": home,
            "XDG_CACHE_HOME": home, "XDG_DATA_HOME": home, "LC_ALL": "C",
            "PVGPU_SOCKET": f"{self.top}/run/control"}
        self.processes, self.consoles = [], []
        self.started = time.monotonic()
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
        if accelerator() != "kvm":
            commands = commands.replace("type='kvm'", "type='qemu'").replace(
                "-accel kvm -cpu host", "-accel tcg -cpu max")
        return commands

    def run(self, commands):
        return subprocess.run(
            as_nobody("bash", "-eux", "-c", commands), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, cwd=f"{self.top}/work", timeout=200,
            env=self.environment)

    def stop(self):
        for console in self.consoles:
            console.close()
        for name in DESKS:
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
    text = "".join(c for where in ("tree", "systemd", "install", "dkms", "desk")
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
    seds = re.findall(r"^(sed -i .*) /etc/pvgpu/pvgpud.conf$", text, re.M)
    check(len(seds) == 2, f"{seds}")
    directory = tempfile.mkdtemp(prefix="pvgpu-")
    path = directory + "/pvgpud.conf"
    with open("host-backend/systemd/pvgpud.conf") as f:
        # Any group that is here.
        shipped = re.sub(r"(?m)^(\w+_group = ).*", rf"\g<1>{os.getgid()}",
                         f.read())
    with open(path, "w") as f:
        f.write(shipped)
    for sed in seds:
        subprocess.run(["sh", "-c", f"{sed} {path}"], check=True)
    with open(path) as f:
        changed = f.read()
    check("\nmetrics = /run/pvgpu/metrics\n" in changed, changed)
    # It is another's here.
    with open(path, "w") as f:
        f.write(changed.replace("/run/pvgpu", directory))
    memory = int(re.search(r"(\d+)GiB", seds[0])[1])
    with Daemon("--config", path) as daemon:
        check(daemon.call("ListTypes")["memory"]["limit"] == memory << 30,
              "memory")
        check(os.path.exists(directory + "/metrics"), "metrics")
    shutil.rmtree(directory)


def rows(machine):
    """What `pvgpuctl list` says: {vGPU: words of its line}"""
    done = machine.run("pvgpuctl list")
    return {line.split()[0]: line.split()
            for line in done.stdout.splitlines() if line}


def runs_until_told(machine, commands):
    """A QEMU in the foreground; it gets its vGPU."""
    process = subprocess.Popen(
        as_nobody("bash", "-eu", "-c", machine.translate(commands)),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, cwd=f"{machine.top}/work",
        env=machine.environment, start_new_session=True)
    try:
        wait_until(lambda: process.poll() is not None or
                   rows(machine)["desk-1"][-3] == "running",
                   "a QEMU on desk-1", 60)
        check(process.poll() is None, f"QEMU ended: {process.returncode}")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        said = process.communicate(timeout=30)[0]
    check(b"qemu-system-x86_64: -" not in said, said)
    wait_until(lambda: rows(machine)["desk-1"][-3] == "waiting", "its end")


def picture(machine, name, head):
    """The host's, or None while the head is dark."""
    path = f"{machine.top}/work/{name}-{head}.png"
    done = machine.run(f"pvgpuctl screenshot {name} {head} -o {path}")
    return read_png(path) if done.returncode == 0 else None


def is_desktop(found):
    """Icons, and a light panel along the top."""
    panel = found.row(5)
    return (sum(panel) > len(panel) * 160 and
            len(set(zip(found.rgb[0::3], found.rgb[1::3],
                        found.rgb[2::3]))) > 1000)


def wait_for_desktops(machine):
    """Every head in its mode, and the desktop on one of each machine's. A
    machine at work is left alone till then: logging in has its time, too."""
    end = time.monotonic() + DESKTOP_SECONDS
    for name, heads in HEADS.items():
        while True:
            found = [picture(machine, name, head) for head in heads]
            if (all(found) and any(map(is_desktop, found)) and
                    [(p.width, p.height) for p in found] ==
                    list(heads.values())):
                break
            check(time.monotonic() < end, f"{name}: no desktop within "
                  f"{DESKTOP_SECONDS} s\n{machine.log('pvgpud')}")
            time.sleep(4)
        print(f"# {time.monotonic() - machine.started:.0f} s: {name}'s "
              "desktop is up", flush=True)


def log_in(machine, name):
    console = Console(as_nobody(f"{machine.top}/bin/virsh", "console", name),
                      machine.environment)
    machine.consoles.append(console)
    console.login("root", "pvgpu", DESKTOP_SECONDS)
    console.run(f"for p in {SESSION}; do pidof $p >/dev/null || exit 1; done")
    return console


def two_desktops_in_libvirt():
    absent = sorted({package for path, package in NEEDED.items()
                     if not os.path.exists(path)})
    check(not absent, f"install: {' '.join(absent)}")
    machine, consoles, text = Machine(), {}, ""
    try:
        for where, line, commands in guide.all_blocks():
            place = f"{guide.GUIDE.name}:{line}"
            print(f"# {time.monotonic() - machine.started:.0f} s: {place}",
                  flush=True)
            if where == "qemu":
                runs_until_told(machine, commands)
            elif where == "guest":
                if not consoles:
                    wait_for_desktops(machine)
                    consoles = {name: log_in(machine, name) for name in DESKS}
                text += consoles["desk-1"].run(commands)
            elif where in ("host", "look"):
                done = machine.run(machine.translate(commands))
                check(done.returncode == 0,
                      f"{place}: status {done.returncode}\n{done.stdout}\n"
                      f"pvgpud: {machine.log('pvgpud')}\n"
                      f"libvirtd: {machine.log('libvirtd')}")
                text += done.stdout
            # What the guide says comes of it.
            if "virsh start desk-2" in commands:
                for name in DESKS:
                    check(machine.run(f"virsh domstate {name}").stdout
                          .splitlines()[-1] == "running", name)
                    row = rows(machine)[name]
                    check(row[-3] == "running" and int(row[-2]) and
                          int(row[-1]), f"{row}")
        for wanted in ("PV24-2Q", "created desk-1, type PV24-2Q",
                       "created desk-2, type PV24-1B",
                       "plugged   2560x1440 at 60.000 Hz",
                       "unplugged", "-device ivshmem-doorbell",
                       "Monitors: 2", "2560x1440", "driver pvgpu",
                       "destroyed desk-1", "destroyed desk-2"):
            check(wanted in text, f"no '{wanted}' in\n{text}")
        check("desk-1" not in rows(machine), "a vGPU is left")
    finally:
        machine.stop()


if __name__ == "__main__":
    # libvirt's QEMUs are nobody's children.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    run_tests([every_block_says_where_it_runs,
               what_installs_names_what_there_is, two_desktops_in_libvirt])
