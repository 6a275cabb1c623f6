# SPDX-License-Identifier: MIT
"""Disks with Mesa for the guests of images.py: gl-SUITE has stock Mesa, GL
programs and compositors, piglit-SUITE also Debian's piglit.

Such a disk has no kernel: a guest with it boots the suite's own image and
lays this disk over that one (INIT), so its module is build/module/SUITE's.

  gl.squashfs   the disk
  init.cpio     what is put behind the suite's initrd: another /init
  info.json     suite and package versions; written last
"""
import hashlib
import json
import subprocess
import tempfile
import time
from pathlib import Path

import images

GL_PACKAGES = """libegl-mesa0 libgl1-mesa-dri libglx-mesa0 libgbm1 libegl1 libgl1 libgles2
    mesa-utils mesa-utils-bin kmscube glmark2-es2-drm weston xwayland cage seatd x11-apps
    x11-utils udev libdrm-tests kmod pciutils procps strace""".split()
SUITE_PACKAGES = {      # what not every suite has
    "bookworm": (),
    "trixie": ("nvtop",),
    "sid": ("nvtop", "igt-gpu-tools-tests"),
}
PIGLIT = ("trixie", "sid")
NAMES = (*(f"gl-{s}" for s in images.SUITES), *(f"piglit-{s}" for s in PIGLIT))

LEAVE_OUT = """boot dev/* usr/src usr/include usr/share/doc usr/share/man usr/share/locale
    usr/share/info var/lib/apt var/cache var/log usr/lib/systemd/catalog
    usr/lib/udev/hwdb.d usr/lib/x86_64-linux-gnu/libz3.so*.a usr/share/bug
    usr/lib/x86_64-linux-gnu/piglit/generated_tests/cl
    usr/lib/x86_64-linux-gnu/piglit/bin/cl-* usr/lib/x86_64-linux-gnu/piglit/bin/vk-*""".split()

# Of two gigabytes of generated tests what piglit.list names.
PIGLIT_LEAVE_OUT = [f"usr/lib/x86_64-linux-gnu/piglit/generated_tests/{part}" for part in (
    "vulkan asmparsertest spec/glsl-4.* spec/arb_vertex_attrib_64bit spec/arb_gpu_shader_int64 "
    "spec/intel_* spec/amd_* spec/ext_* spec/EXT_*").split()]

# The suite's own first process, with this disk as the upper of two layers, and
# with the tree's file for Mesa's loader where its package would put it.
INIT = images.INIT.replace(
    "mount -t tmpfs rw /rw\n",
    "mount -t tmpfs rw /rw\nmkdir /gl\n"
    "until [ -b /dev/vdb ] || [ $n = 200 ]; do usleep 50000; n=$((n + 1)); done\n"
    "mount -t squashfs -o ro /dev/vdb /gl\n").replace(
    "lowerdir=/ro,", "lowerdir=/gl:/ro,").replace(
    "cp /new/host/bin/*",
    "mkdir -p /new/usr/share/drirc.d /new/run/udev\n"
    "cp /new/host/drirc/* /new/usr/share/drirc.d/\ncp /new/host/bin/*")


def packages(name):
    kind, suite = name.split("-")
    return [*GL_PACKAGES, *SUITE_PACKAGES[suite], *(["piglit"] if kind == "piglit" else [])]


def left_out(name):
    return LEAVE_OUT + (PIGLIT_LEAVE_OUT if name.startswith("piglit") else [])


def key(name):
    made_from = [name, packages(name), left_out(name), INIT, images.NO_INITRAMFS, "format 1"]
    return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()[:12]


def make(name, where):
    """Makes the disk of that name in the folder `where`."""
    start, suite = time.time(), name.split("-")[1]
    images.say(f"image {name}: installing Mesa and GL programs (some minutes)")
    images.bootstrap(name, where / "root.tar", where / "mmdebstrap.log",
                     release=suite, packages=packages(name))
    with tempfile.TemporaryDirectory(dir=where) as tmp:
        root = Path(tmp) / "root"
        root.mkdir()
        images.run(["tar", "-xf", where / "root.tar", "-C", root, "--no-same-owner",
                    "--exclude=./dev/*"], "unpacking")
        (where / "root.tar").unlink()
        versions = images.run(["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f",
                               "${Package} ${Version}\n", "libgl1-mesa-dri",
                               *(["piglit"] if name.startswith("piglit") else [])],
                              "asking for versions")
        # lz4: an emulated CPU reads Mesa and LLVM at every program's start.
        images.run(["mksquashfs", root, where / "gl.squashfs", "-comp", "lz4", "-all-root",
                    "-noappend", "-no-progress", "-no-xattrs", "-wildcards", "-e", *left_out(name)],
                   "mksquashfs")
        init = Path(tmp) / "init"
        init.write_text(INIT)
        init.chmod(0o755)
        with open(where / "init.cpio", "wb") as out:
            subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=tmp,
                           input=b"init\n", stdout=out, check=True)
    (where / "info.json").write_text(json.dumps(
        {"suite": suite, "packages": dict(line.split() for line in versions.splitlines())}))
    images.say(f"image {name}: {', '.join(versions.splitlines())}: ready after "
               f"{time.time() - start:.0f} s")


class GlImage:
    """A disk that is there: its paths, and versions by package."""
    def __init__(self, name, path):
        self.name, self.path = name, path
        self.disk, self.init = path / "gl.squashfs", path / "init.cpio"
        info = json.loads((path / "info.json").read_text())
        self.suite, self.packages = info["suite"], info["packages"]


def get(name):
    """The disk of that name, made now if it is not there."""
    if name not in NAMES:
        raise images.ImageError(f"no image {name}; there are {', '.join(NAMES)}")
    return GlImage(name, images.cached(name, key(name), make))
