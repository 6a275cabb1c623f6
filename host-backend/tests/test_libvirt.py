#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pvgpuctl libvirt-xml: libvirt's own schema takes it, and libvirt's own QEMU
driver makes of it the device that pvgpuctl qemu-args says. The driver runs
inside virsh, as nobody; no libvirtd and no VM is started."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from manager_support import *

CTL = os.path.abspath(ASAN_BIN + "/pvgpuctl")
NOBODY = 65534
TOOLS = {"virt-xml-validate": "libvirt-clients", "virsh": "libvirt-clients",
         "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/"
         "libvirt_driver_qemu.so": "libvirt-daemon-driver-qemu",
         "qemu-system-x86_64": "qemu-system-x86"}
DOMAIN = """<domain type='qemu'>
  <name>desktop</name>
  <memory unit='MiB'>256</memory>
  <os><type arch='x86_64' machine='{machine}'>hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    {devices}
  </devices>
</domain>
"""
ODD = "it's <\"odd\"> & so, on"


def need_tools():
    """A missing tool fails the test, and says which package has it."""
    absent = {package for tool, package in TOOLS.items()
              if not (shutil.which(tool) or
                      (tool.startswith("/") and os.path.exists(tool)))}
    check(not absent, f"install: {' '.join(sorted(absent))}")


def ctl(control, *arguments):
    done = subprocess.run([CTL, "--socket", control, *arguments],
                          capture_output=True, text=True, timeout=30)
    check(done.returncode == 0 and not done.stderr, f"{done}")
    return done.stdout


class Manager:
    """Any runtime directory, of any name."""

    def __init__(self, name=""):
        self.top = tempfile.mkdtemp(prefix="pvgpu-")
        self.directory = os.path.join(self.top, name) if name else self.top
        os.makedirs(self.directory, exist_ok=True)
        self.control = self.directory + "/control"
        self.process = subprocess.Popen(
            [ASAN_BIN + "/pvgpud", "--runtime-dir", self.directory,
             "--types-dir", "host-backend/types", "--worker", FAKE_WORKER,
             "--host-memory", "1000%"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        check(self.process.stdout.readline(), "pvgpud did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()
        shutil.rmtree(self.top)


def write_domain(folder, devices, machine="q35"):
    path = folder + "/domain.xml"
    with open(path, "w") as f:
        f.write(DOMAIN.format(devices=devices, machine=machine))
    return path


def run(folder, *command):
    """A command of libvirt's, as nobody, its files in `folder`."""
    own = dict(HOME=folder, XDG_RUNTIME_DIR=folder, XDG_CONFIG_HOME=folder,
               XDG_CACHE_HOME=folder, LC_ALL="C", PATH=os.environ["PATH"])
    if os.getuid() == 0:
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
                   "--clear-groups", *command]
    return subprocess.run(command, capture_output=True, text=True, timeout=120,
                          env=own)


def libvirt_folder():
    folder = tempfile.mkdtemp(prefix="pvgpu-libvirt-")
    if os.getuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    return folder


def the_schema_takes_it():
    need_tools()
    folder = libvirt_folder()
    for name in ("", ODD):
        with Manager(name) as manager:
            ctl(manager.control, "create", "desk-1", "PV24-1Q")
            ctl(manager.control, "create", "desk-2", "PV24-2Q")
            both = [ctl(manager.control, "libvirt-xml", desk)
                    for desk in ("desk-1", "desk-2")]
            path = write_domain(folder, "".join(both))
            os.chmod(path, 0o644)
            done = run(folder, "virt-xml-validate", path, "domain")
            check(done.returncode == 0, f"{done}")
            # What a parser reads is the socket's path.
            for desk, text in zip(("desk-1", "desk-2"), both):
                root = xml.etree.ElementTree.fromstring(text)
                check(root.find("server").get("path") ==
                      f"{manager.directory}/{desk}.sock", text)
                reply = json.loads(ctl(manager.control, "--json",
                                       "libvirt-xml", desk))
                check(reply == {"xml": text}, f"{reply}")
    # The check can fail.
    path = write_domain(folder, both[0].replace("msi", "irqs"))
    os.chmod(path, 0o644)
    check(run(folder, "virt-xml-validate", path, "domain").returncode,
          "nonsense is valid")
    shutil.rmtree(folder)


def devices_of(arguments):
    """{driver: properties} of -device, and the -chardev by id."""
    devices, chardevs = [], {}
    for option, value in zip(arguments, arguments[1:]):
        if option == "-device" and value.startswith("{"):
            devices.append(json.loads(value))
        elif option == "-device":
            driver, *rest = value.split(",")
            devices.append({"driver": driver,
                            **dict(word.split("=", 1) for word in rest)})
        elif option == "-chardev":
            kind, _, rest = value.partition(",")
            # ",," is a comma inside a value.
            words = rest.replace(",,", "\0").split(",")
            properties = dict(word.replace("\0", ",").split("=", 1)
                              for word in words)
            chardevs[properties["id"]] = dict(properties, kind=kind)
    return devices, chardevs


def libvirt_makes_the_same_device():
    need_tools()
    folder = libvirt_folder()
    for name, machine in (("", "q35"), ("", "pc"), ("so, on", "q35")):
        with Manager(name) as manager:
            ctl(manager.control, "create", "desk", "PV24-1Q")
            path = write_domain(folder, ctl(manager.control, "libvirt-xml",
                                            "desk"), machine)
            os.chmod(path, 0o644)
            done = run(folder, "virsh", "-c", f"qemu:///embed?root={folder}/r",
                       "domxml-to-native", "qemu-argv", "--xml", path)
            check(done.returncode == 0, f"{done}")
            devices, chardevs = devices_of(shlex.split(done.stdout))
            ours = [d for d in devices if d["driver"] == "ivshmem-doorbell"]
            check(len(ours) == 1, done.stdout)
            expected, expected_chardevs = devices_of(shlex.split(
                ctl(manager.control, "qemu-args", "desk")))
            check(int(ours[0]["vectors"]) == int(expected[0]["vectors"]),
                  f"{ours}")
            check(ours[0].get("ioeventfd", True) in (True, "on"), f"{ours}")
            got = chardevs[ours[0]["chardev"]]
            want = expected_chardevs[expected[0]["chardev"]]
            check((got["kind"], got["path"]) == (want["kind"], want["path"])
                  and got.get("server", "off") == "off", f"{got}, {want}")
            check(got["path"] == manager.directory + "/desk.sock", f"{got}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    run_tests([the_schema_takes_it, libvirt_makes_the_same_device])
