# SPDX-License-Identifier: MIT
"""A machine inside of a machine: what a host in a VM runs as its guest. Two
emulators on each other are slow, so it is a stock kernel, our module and a
shell on the serial line, and nothing else."""
import lzma
import subprocess
import tempfile
from pathlib import Path

from . import host, vm

SUITE = "bookworm"      # the smallest kernel
MODULES = "drm_kms_helper"
APPLETS = "sh mount insmod mkdir sleep cat stty rm touch"
INIT = """#!/bin/sh
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
while read -r m; do insmod /modules/$m; done < /modules/order
insmod /bin/pvgpu.ko
exec < /dev/ttyS0 > /dev/ttyS0 2>&1
stty -echo
echo nested is up
exec sh
"""
# A kernel that looks at nothing it need not.
KERNEL_ARGS = "console=ttyS0 quiet mitigations=off nokaslr tsc=reliable raid=noautodetect panic=0"


def unpacked_kernel(image):
    """The ELF file inside of a bzImage: unpacking it there takes minutes."""
    data = image.read_bytes()
    at = data.find(b"\xfd7zXZ\0")
    if at < 0:
        raise vm.VmError(f"{image}: not packed by xz")
    return lzma.LZMADecompressor().decompress(data[at:])


def make(folder):
    """kernel and initrd of the guest, in a folder."""
    image = vm.images.get(SUITE)
    module = host.BUILD / "module" / SUITE / "pvgpu.ko"
    if not module.exists():
        raise vm.VmError(f"no build/module/{SUITE}/pvgpu.ko: make module")
    Path(folder, "kernel").write_bytes(unpacked_kernel(image.kernel))
    with tempfile.TemporaryDirectory() as tmp:
        subprocess.run(["unsquashfs", "-quiet", "-no-progress", "-d", f"{tmp}/root", image.disk,
                        f"usr/lib/modules/{image.version}"], check=True, capture_output=True)
        vm.images.make_initrd(
            Path(tmp, "root/usr/lib/modules", image.version), Path(folder, "initrd"), INIT,
            APPLETS, MODULES, (module, host.BUILD / "guest/pvgpu-drmtest"))


class Nested:
    """The guest of a Vm that is a host: QEMU runs there as a user who may only
    what members of kvm may. `devices` is what pvgpuctl qemu-args printed."""
    def __init__(self, outer, devices):
        make(outer.share)
        outer.run("mkdir -p /tmp/nested && cp /host/kernel /host/initrd /tmp/nested/ && "
                  "chmod -R a+rX /tmp/nested")
        self.outer, self._number = outer, 0
        self.command = outer.start_command(
            "exec setpriv --reuid=65534 --regid=65534 --groups=$(getent group kvm | cut -d: -f3) "
            "qemu-system-x86_64 -accel tcg -machine q35 -cpu qemu64 -m 256 -nodefaults "
            "-display none -kernel /tmp/nested/kernel -initrd /tmp/nested/initrd "
            f"-append '{KERNEL_ARGS}' -serial stdio {devices} 2>&1")

    def wait(self, seconds):
        self.command.wait_output("nested is up", seconds)

    def run(self, text, seconds=120):
        """Types a command that reads nothing; gives its output."""
        self._number += 1
        begin, number = len(self.command.out), self._number
        self.command.write(f"{text}\necho end-''{number} $?\n")
        found = self.command.wait_output(rf"end-{number} (\d+)", seconds)
        out = self.command.out[begin:found.start()]
        if found[1] != "0":
            raise vm.VmError(f"status {found[1]} in the nested guest: {text}\n{out}")
        return out

    def kill(self):
        self.command.kill()
        self.command.wait(30)
