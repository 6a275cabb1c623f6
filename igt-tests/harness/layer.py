# SPDX-License-Identifier: MIT
"""Commands in a system of an image, with a layer in memory above it: what they
install or build is gone with it, and this machine is not changed."""
import os
import shutil
import subprocess
import tempfile

from . import host, vm

# $1 the system, $2 a folder, $3 options of the layer, $4 kept packages, $5 apt's
# settings, $6 where /out goes, $7 the commands, $8 files for them.
IN_LAYER = """set -e
mount -t tmpfs tmpfs "$2"
mkdir "$2/up" "$2/work" "$2/root"
mount -t overlay -o "lowerdir=$1,upperdir=$2/up,workdir=$2/work$3" overlay "$2/root"
cd "$2/root"
mount --rbind /dev dev
mount --rbind /proc proc
mount --bind "$4" var/cache/apt/archives
mkdir pvgpu out
mount --bind "$6" out
cp /etc/resolv.conf /etc/hosts etc/
for f in $8; do cp -R "$f" pvgpu/; done
printf '%s' "$7" > commands
# Nobody is there to answer; and nothing is fetched twice.
printf '%s\\n' 'APT::Get::Assume-Yes "true";' "$5" \\
    'Binary::apt::APT::Keep-Downloaded-Packages "true";' > etc/apt/apt.conf.d/99-test
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive
exec chroot . /bin/bash -ec 'cd /pvgpu && . /commands'
"""


def run(suite, commands, files=(), out=None, timeout=600):
    """What shell commands print in the system of an image, in a folder with
    copies of `files`; they stop at the first that fails, and that raises. What
    they leave in /out comes to the folder `out`."""
    image = vm.images.get(suite)
    kept = vm.images.CACHE / "apt" / suite
    (kept / "partial").mkdir(parents=True, exist_ok=True)
    settings = "\n".join(option.removeprefix("--aptopt=") + ";"
                         for option in vm.images.host_apt_options())
    where = tempfile.mkdtemp(prefix="pvgpu-layer-")
    try:
        argv = ["unshare", "--mount", "sh", "-c", IN_LAYER, "sh", image.root, where,
                ",userxattr" if os.geteuid() else "", kept, settings, out or host.run_dir("layer"),
                commands, " ".join(str(host.TREE / f) for f in files)]
        if os.geteuid():
            argv[1:1] = ["--map-root-user", "--map-auto"]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False)
    finally:
        shutil.rmtree(where)
    if done.returncode:
        raise vm.VmError(f"status {done.returncode} in a layer above {suite}:\n"
                         f"{done.stdout[-6000:]}")
    return done.stdout
