#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The desktop of the administrator's guide, made by the guide's own commands.

The Debian in a folder (the block marked "base") is kept in the images' cache;
what is put into it and the disk ("desk") are made again, in build/desk, when
the module's package has changed:

  desk.raw, desk/vmlinuz, desk/initrd.img     as the guide leaves them
"""
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

import images
from harness import guide
from images import BUILD, ImageError, say

OUT = BUILD / "desk"

# A folder like the source tree's, with the kept system below a layer in memory:
# what the commands leave in desk/ goes with the namespace.
IN_LAYER = """set -e
mount -t tmpfs tmpfs "$2"
mkdir "$2/up" "$2/work" "$3/desk"
mount -t overlay -o "lowerdir=$1,upperdir=$2/up,workdir=$2/work$4" overlay "$3/desk"
cd "$3"
bash -eux -c "$5"
cp -L desk/vmlinuz desk/initrd.img ./
"""


def as_root(argv):
    """A command as root, or as a root over users of one's own."""
    return argv if os.geteuid() == 0 else ["unshare", "--map-root-user", "--map-auto", *argv]


def make_base(_, where):
    start = time.time()
    say("desk: installing a Debian with a desktop (two minutes or three)")
    where.chmod(0o755)
    options = " ".join(f"'{option}'" for option in images.host_apt_options())
    wrapper = where / "bin/mmdebstrap"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/mmdebstrap {options} "$@" {images.mirror()}\n')
    wrapper.chmod(0o755)
    images.run(as_root(["bash", "-eux", "-c", "".join(guide.blocks("base"))]),
               "the guide's mmdebstrap", where / "mmdebstrap.log", cwd=where,
               env=dict(os.environ, PATH=f"{where}/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
    (where / "info.json").write_text("{}\n")
    say(f"desk: installed after {time.time() - start:.0f} s")


def base():
    """The folder with the system of the guide's first command."""
    recipe = hashlib.sha256(f"{guide.blocks('base')}format 1".encode()).hexdigest()[:12]
    return images.cached("desk", recipe, make_base) / "desk"


def disk():
    """build/desk with the disk, made now if it is not there or not current."""
    system, commands = base(), "".join(guide.blocks("desk"))
    packages = sorted((BUILD / "deb").glob("pvgpu-dkms_*.deb"))
    if len(packages) != 1:
        raise ImageError(f"desk: {len(packages)} packages of the module in build/deb; make deb")
    state = hashlib.sha256(f"{system}{commands}{IN_LAYER}".encode()
                           + packages[0].read_bytes()).hexdigest()
    OUT.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "desk.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = OUT / "made-from"
        if stamp.exists() and stamp.read_text() == state:
            return OUT
        start = time.time()
        say("desk: putting the driver into it, and it into a disk")
        subprocess.run(as_root(["rm", "-rf", OUT]), check=True)
        (OUT / "build/deb").mkdir(parents=True)
        shutil.copy(packages[0], OUT / "build/deb")
        with tempfile.TemporaryDirectory(prefix="pvgpu-") as memory:
            argv = ["unshare", "--mount", "sh", "-c", IN_LAYER, "sh", system, memory, OUT,
                    ",userxattr" if os.geteuid() else "", commands]
            images.run(as_root(argv), "the guide's commands", OUT / "log",
                       env=dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C",
                                PATH="/usr/sbin:/usr/bin:/sbin:/bin"))
        for name in ("vmlinuz", "initrd.img"):
            (OUT / name).rename(OUT / "desk" / name)
        shutil.rmtree(OUT / "build")
        stamp.write_text(state)
        say(f"desk: made in {time.time() - start:.0f} s")
    return OUT


if __name__ == "__main__":
    try:
        disk()
    except ImageError as e:
        sys.exit(f"desk: {e}")
