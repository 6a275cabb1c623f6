#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Guest images: a stock Debian system with its stock kernel for each suite.

An image is made once by mmdebstrap, from the mirror that this host's own apt
uses, and kept in the XDG cache under a name that says what it was made from:

  root/            the unpacked system; pvgpu.ko is built in it
  rootfs.squashfs  the same without compilers and headers: the guest's disk
  kernel, initrd   what QEMU is given; the initrd is ours, see INIT
  info.json        suite and kernel version; written last

  images.py image SUITE...    make images that are not there yet
  images.py module SUITE...   build pvgpu.ko for them, in build/module/SUITE/
  images.py disk NAME...      make disks with Mesa; see images_gl.py
"""
import contextlib
import fcntl
import hashlib
import json
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
BUILD = TREE / "build"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pvgpu/images"
SUITES = ("bookworm", "trixie", "sid")      # Linux 6.1, 6.12 and the newest
# Systems with systemd, where packages are tried: this host's own suite, and the
# other stable Debian, on which they are built first.
HOST, OTHER_HOST = HOSTS = ("host", "host-other")

PACKAGES = "linux-image-amd64 linux-headers-amd64 make gcc sparse libdrm-tests kmod pciutils"

# What a host has before pvgpu is installed, and what its packages depend on.
HOST_PACKAGES = """linux-image-amd64 qemu-system-x86 linux-headers-amd64 make gcc kmod dkms systemd systemd-sysv
    dbus polkitd procps libjson-c5 libinih1 libpixman-1-0 libpng16-16 libseccomp2
    libvirglrenderer1 libepoxy0 libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri""".split()

OTHER_PACKAGES = """linux-image-amd64 linux-headers-amd64 make gcc kmod systemd systemd-sysv dbus
    polkitd procps pkg-config dpkg-dev libc6-dev libjson-c-dev libseccomp-dev libsystemd-dev
    libinih-dev libpixman-1-dev libpng-dev libdrm-dev libvirglrenderer-dev libepoxy-dev
    libegl-dev libgbm-dev""".split()

# What the initrd loads before it can mount anything.
BOOT_MODULES = "virtio_pci virtio_blk virtio_console squashfs overlay 9p 9pnet_virtio"
HOST_BOOT_MODULES = BOOT_MODULES + " crc32c_generic ext4"

# Of the kernel's modules only these reach the guest, uncompressed: xz costs
# seconds in an emulated CPU.
KEEP_MODULES = """arch crypto lib drivers/base drivers/block/virtio_blk drivers/cec
    drivers/char drivers/dma-buf drivers/gpu/drm/clients drivers/gpu/drm/display
    drivers/gpu/drm/lib drivers/gpu/drm/scheduler drivers/gpu/drm/tiny drivers/gpu/drm/ttm
    drivers/gpu/drm/vgem drivers/gpu/drm/virtio drivers/gpu/drm/vkms drivers/gpu/drm/*.ko
    drivers/gpu/drm/sysfb drivers/gpu/*.ko drivers/i2c drivers/input drivers/media/cec
    drivers/misc/eeprom drivers/virtio drivers/video drivers/video/fbdev/core fs/9p
    fs/netfs fs/fscache fs/overlayfs fs/squashfs net/9p""".split()
HOST_KEEP_MODULES = KEEP_MODULES + ["fs/ext4", "fs/jbd2", "fs/mbcache"]

# Not in the guest's disk.
LEAVE_OUT = """boot usr/src usr/include usr/lib/gcc usr/libexec/gcc usr/share/doc
    usr/share/man usr/share/locale usr/share/info var/lib/apt var/cache var/log
    usr/share/perl usr/lib/x86_64-linux-gnu/perl-base usr/lib/linux-kbuild-*
    usr/lib/x86_64-linux-gnu/libclang* usr/lib/x86_64-linux-gnu/libLLVM*
    usr/bin/*-linux-gnu-* usr/bin/*-gcc-* usr/bin/sparse*""".split()

# The guest's first process: it puts a writable layer over the disk and hands
# over to the agent, which the harness left in the shared folder.
INIT = """#!/bin/sh
export PATH=/bin HOME=/root
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
while read -r m; do insmod /modules/$m; done < /modules/order
n=0
until [ -b /dev/vda ] || [ $n = 100 ]; do usleep 50000; n=$((n + 1)); done
mount -t squashfs -o ro /dev/vda /ro
mount -t tmpfs rw /rw
mkdir /rw/up /rw/work
mount -t overlay -o lowerdir=/ro,upperdir=/rw/up,workdir=/rw/work root /new
mount --move /dev /new/dev
mount --move /proc /new/proc
mount --move /sys /new/sys
mkdir -p /new/dev/pts /new/dev/shm /new/host
ln -s /proc/self/fd /new/dev/fd
ln -s /proc/self/fd/0 /new/dev/stdin
ln -s /proc/self/fd/1 /new/dev/stdout
ln -s /proc/self/fd/2 /new/dev/stderr
mount -t devpts devpts /new/dev/pts
mount -t tmpfs shm /new/dev/shm
mount -t tmpfs run /new/run
mount -t tmpfs tmp /new/tmp
mount -t debugfs debugfs /new/sys/kernel/debug
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 host /new/host
echo guest > /new/proc/sys/kernel/hostname
cp /new/host/bin/* /new/usr/local/bin/
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec switch_root /new /usr/local/bin/pvgpu-agent
"""

# On the host image it is systemd, and the agent one of its services.
HOST_LEAVE_OUT = """boot usr/src usr/include usr/lib/gcc usr/libexec/gcc usr/share/doc
    usr/share/man usr/share/locale usr/share/info var/lib/apt usr/lib/linux-kbuild-*
    usr/lib/x86_64-linux-gnu/libclang* usr/bin/*-linux-gnu-*""".split()
AGENT_UNIT = """[Unit]
DefaultDependencies=no
After=sysinit.target dbus.service
[Service]
ExecStart=/usr/local/bin/pvgpu-agent
StandardError=journal+console
"""
# A second disk, where there is one, is what outlives a reboot.
HOST_INIT = INIT.replace("mount -t tmpfs rw /rw\nmkdir", """if [ -b /dev/vdb ]; then
    mount -t ext4 /dev/vdb /rw
else
    mount -t tmpfs rw /rw
fi
mkdir -p""").replace("exec switch_root /new /usr/local/bin/pvgpu-agent", f"""
mkdir -p /new/run/systemd/system/multi-user.target.wants
cat > /new/run/systemd/system/pvgpu-agent.service <<EOF
{AGENT_UNIT}EOF
ln -s ../pvgpu-agent.service /new/run/systemd/system/multi-user.target.wants/
exec switch_root /new /lib/systemd/systemd
""")
INIT_APPLETS = "sh mount insmod mkdir ln usleep cp switch_root"
HOST_APPLETS = INIT_APPLETS + " cat"

# The host needs neither the image's own initrd nor the time that it takes.
NO_INITRAMFS = """chroot "$1" dpkg-divert --quiet --local --no-rename \
--divert /usr/sbin/update-initramfs.real --add /usr/sbin/update-initramfs
mkdir -p "$1/usr/sbin"; ln -sf /bin/true "$1/usr/sbin/update-initramfs" """


class ImageError(Exception):
    pass


def say(text):
    sys.stdout.write(text + "\n")      # whole lines, also from two threads
    sys.stdout.flush()


def debian(suite):
    """The Debian release of an image."""
    if suite in HOSTS:
        ours = codename()
        return ours if suite == HOST else "bookworm" if ours == "trixie" else "trixie"
    return suite


def contents(suite):
    return {HOST: HOST_PACKAGES, OTHER_HOST: OTHER_PACKAGES}.get(suite) or PACKAGES.split()


def key(suite):
    if suite in HOSTS:
        made_from = [debian(suite), contents(suite), HOST_BOOT_MODULES, HOST_KEEP_MODULES,
                     HOST_LEAVE_OUT, HOST_INIT, HOST_APPLETS, NO_INITRAMFS, "format 1"]
        return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()[:12]
    made_from = [suite, PACKAGES, BOOT_MODULES, KEEP_MODULES, LEAVE_OUT, INIT,
                 INIT_APPLETS, NO_INITRAMFS, "format 1"]
    return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()[:12]


def run(argv, what, log=None, **kwargs):
    """Runs a command; says what failed with the end of its output."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True, errors="replace", **kwargs)
    if log:
        Path(log).write_text(done.stdout)
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-25:])
        raise ImageError(f"{what} failed (status {done.returncode}):\n{tail}")
    return done.stdout


# ------------------------------------------------------------------ the mirror
def codename():
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.split("=", 1)[1].strip('"')
    return ""


def mirror():
    """The Debian archive that this host's apt is configured with."""
    if os.environ.get("PVGPU_MIRROR"):
        return os.environ["PVGPU_MIRROR"]
    out = run(["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)",
               "Created-By: Packages"], "reading apt's sources")
    names = (codename(), "stable", "oldstable", "testing", "unstable", "sid")
    for line in out.splitlines():
        fields = line.split()
        if (len(fields) == 3 and fields[0] in names and fields[1] == "main"
                and fields[2].startswith(("http://", "https://", "file:"))):
            return fields[2].rstrip("/")
    raise ImageError("apt has no Debian archive among its sources; "
                     "name one in the environment: PVGPU_MIRROR=URL")


def host_apt_options():
    """The host's ways to its mirror (a proxy, a snapshot) are the image's too."""
    for name in ("Acquire::http::Proxy", "Acquire::https::Proxy",
                 "Acquire::Check-Valid-Until", "Acquire::Check-Date"):
        value = subprocess.run(["apt-config", "dump", "--format", "%v%n", name],
                               capture_output=True, text=True, check=False).stdout.strip()
        if value:
            yield f'--aptopt={name} "{value}"'


# ------------------------------------------------------------------- the parts
def bootstrap(name, tar, log, release, packages):
    """Debian's `release` with these packages, as a tar file; `name` for the log."""
    mode = "root" if os.geteuid() == 0 else "unshare"
    argv = ["mmdebstrap", "--variant=minbase", f"--mode={mode}", "--format=tar",
            '--aptopt=APT::Install-Recommends "false"', *host_apt_options(),
            "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*", f"--include={','.join(packages)}",
            f"--essential-hook={NO_INITRAMFS}", release, "-",
            f"deb {mirror()} {release} main"]
    # The result comes by stdout: in unshare mode mmdebstrap is another user,
    # who may not be able to reach the cache.
    with open(tar, "wb") as out, open(log, "w") as kept, subprocess.Popen(
            argv, stdout=out, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd="/",
            text=True, errors="replace") as process:
        for line in process.stderr:
            kept.write(line)
            if line.startswith("I: ") and line.endswith("...\n") and "tempdir" not in line:
                say(f"image {name}:   {line[3:].rstrip()}")
        code = process.wait()
    if code:
        tail = "\n".join(Path(log).read_text(errors="replace").splitlines()[-25:])
        hint = ""
        if "NO_PUBKEY" in tail or "not signed" in tail:
            hint = "\n(upgrade the package debian-archive-keyring)"
        raise ImageError(f"mmdebstrap {name} failed (status {code}):\n{tail}{hint}")


def prune_modules(kernel_dir, patterns):
    keep = set()
    for pattern in patterns:
        # A pattern ending in .ko means files of that folder, compressed or not.
        if pattern.endswith(".ko"):
            pattern += "*"
        for path in kernel_dir.glob(pattern if "*" in pattern else pattern + "*"):
            keep.update(path.rglob("*.ko*") if path.is_dir() else [path])
    for path in kernel_dir.rglob("*.ko*"):
        if path not in keep:
            path.unlink()
        elif path.suffix == ".xz":
            path.with_suffix("").write_bytes(lzma.decompress(path.read_bytes()))
            path.unlink()


def module_order(modules, names):
    """The files of the modules to insert, each after those that it needs."""
    needs, paths, order = {}, {}, []
    for line in (modules / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        paths[Path(path).stem.replace("-", "_")] = path
        needs[path] = rest.split()
    builtin = {Path(p).stem.replace("-", "_")
               for p in (modules / "modules.builtin").read_text().split()}
    def add(path):
        if path not in order:
            for other in reversed(needs[path]):
                add(other)
            order.append(path)
    for name in names.split():
        if name in paths:
            add(paths[name])
        elif name not in builtin:
            raise ImageError(f"the guest's kernel has no module {name}")
    return order


def make_initrd(modules, out, init=INIT, applets=INIT_APPLETS, names=BOOT_MODULES, files=()):
    """An initrd with busybox, `files` beside it in /bin, and modules to insert."""
    with tempfile.TemporaryDirectory() as tmp:
        top = Path(tmp)
        for name in ("bin", "dev", "proc", "sys", "ro", "rw", "new", "root", "modules"):
            (top / name).mkdir()
        shutil.copy("/bin/busybox", top / "bin/busybox")
        for name in applets.split():
            (top / "bin" / name).symlink_to("busybox")
        for path in files:
            shutil.copy(path, top / "bin")
        order = []
        for path in module_order(modules, names):
            shutil.copy(modules / path, top / "modules")
            order.append(Path(path).name)
        (top / "modules/order").write_text("".join(n + "\n" for n in order))
        (top / "init").write_text(init)
        (top / "init").chmod(0o755)
        names = "\n".join(str(p.relative_to(top)) for p in sorted(top.rglob("*")))
        with open(out, "wb") as f:
            subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"],
                           cwd=top, input=names.encode(), stdout=f, check=True)


def make_image(suite, where):
    start = time.time()
    say(f"image {suite}: installing a Debian system with its kernel (a minute or two)")
    bootstrap(suite, where / "root.tar", where / "mmdebstrap.log",
              release=debian(suite), packages=contents(suite))
    say(f"image {suite}: installed after {time.time() - start:.0f} s; making disk and initrd")
    root = where / "root"
    root.mkdir()
    run(["tar", "-xf", where / "root.tar", "-C", root, "--no-same-owner", "--exclude=./dev/*"],
        "unpacking")
    (where / "root.tar").unlink()
    versions = [p.name for p in (root / "lib/modules").iterdir() if (p / "build").is_symlink()
                and (root / "boot" / f"vmlinuz-{p.name}").exists()]
    if len(versions) != 1:
        raise ImageError(f"{suite}: expected one kernel with its headers, found {versions}")
    version = versions[0]
    modules = root / "lib/modules" / version
    prune_modules(modules / "kernel", HOST_KEEP_MODULES if suite in HOSTS else KEEP_MODULES)
    run(["/sbin/depmod", "-b", root, version], "depmod")
    shutil.copy(root / "boot" / f"vmlinuz-{version}", where / "kernel")
    if suite in HOSTS:
        make_initrd(modules, where / "initrd", HOST_INIT, HOST_APPLETS, HOST_BOOT_MODULES)
    else:
        make_initrd(modules, where / "initrd")
    run(["mksquashfs", root, where / "rootfs.squashfs", "-comp", "zstd",
         "-Xcompression-level", "3", "-all-root", "-noappend", "-no-progress", "-no-xattrs",
         "-wildcards", "-e", *(HOST_LEAVE_OUT if suite in HOSTS else LEAVE_OUT)], "mksquashfs")
    shutil.rmtree(modules / "kernel")
    (where / "info.json").write_text(json.dumps({"suite": suite, "version": version}))
    say(f"image {suite}: Linux {version} ready after {time.time() - start:.0f} s")


# ------------------------------------------------------------------ the images
class Image:
    """An image that is there: paths, and its kernel's version."""
    def __init__(self, suite, path):
        self.suite, self.path = suite, path
        self.kernel, self.initrd = path / "kernel", path / "initrd"
        self.disk, self.root = path / "rootfs.squashfs", path / "root"
        self.version = json.loads((path / "info.json").read_text())["version"]


def remove_old(suite, keep):
    """Images of other recipes that nobody has used for a month."""
    for info in CACHE.glob(f"{suite}-*/info.json"):
        if info.parent != keep and time.time() - info.stat().st_mtime > 30 * 86400:
            shutil.rmtree(info.parent, ignore_errors=True)


def cached(name, recipe, make):
    """The folder of an image with this name and key, made now by make(name,
    folder) if it is not there; it is complete when it has an info.json."""
    final = CACHE / f"{name}-{recipe}"
    if not (final / "info.json").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with open(CACHE / f".{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (final / "info.json").exists():
                for stale in CACHE.glob(f".{name}.tmp-*"):
                    shutil.rmtree(stale, ignore_errors=True)
                where = Path(tempfile.mkdtemp(prefix=f".{name}.tmp-", dir=CACHE))
                try:
                    make(name, where)
                    where.rename(final)
                except BaseException:
                    shutil.rmtree(where, ignore_errors=True)
                    raise
                remove_old(name, final)
    with contextlib.suppress(OSError):
        os.utime(final / "info.json")
    return final


def get(suite):
    """The image of a suite, made now if it is not there."""
    if suite not in (*SUITES, *HOSTS):
        raise ImageError(f"no suite {suite}; there are {', '.join((*SUITES, *HOSTS))}")
    return Image(suite, cached(suite, key(suite), make_image))


# ------------------------------------------------------------------ the module
MODULE_SOURCES = ("guest-drm", "protocol/include", "protocol/client")

# Runs in a mount namespace: the system's root with our sources at /mnt.
IN_ROOT = """set -e
mount --rbind /dev "$1/dev"
mount --rbind /proc "$1/proc"
mount --bind "$2" "$1/mnt"
# Debian's headers of 7.2 lack the script by which C=1 asks for sparse.
for headers in "$1"/usr/src/linux-headers-*-common; do
    checker="$headers/scripts/checker-valid.sh"
    if ! [ -e "$checker" ] && grep -q checker-valid.sh "$headers/Makefile"; then
        printf '#!/bin/sh\\necho 1\\n' > "$checker"
        chmod +x "$checker"
    fi
done
exec chroot "$1" /bin/sh -c 'cd /mnt && PATH=/usr/sbin:/usr/bin:/sbin:/bin exec "$@"' sh \
    make -C "/lib/modules/$3/build" M=/mnt/guest-drm W=1 C=1 "-j$4" modules
"""


INDEX = ("modules.dep.bin", "modules.alias.bin", "modules.symbols.bin")


def make_index(image, out):
    """What depmod makes of the guest's modules and ours: seconds in the guest."""
    with tempfile.TemporaryDirectory() as tmp:
        run(["unsquashfs", "-no-progress", "-d", f"{tmp}/root", image.disk,
             f"usr/lib/modules/{image.version}"], "unsquashfs")
        (Path(tmp) / "root/lib").symlink_to("usr/lib")
        modules = Path(tmp) / "root/lib/modules" / image.version
        (modules / "extra").mkdir()
        shutil.copy(out / "pvgpu.ko", modules / "extra")
        run(["/sbin/depmod", "-b", f"{tmp}/root", image.version], "depmod")
        shutil.rmtree(out / "index", ignore_errors=True)
        (out / "index").mkdir()
        for name in INDEX:
            shutil.copy(modules / name, out / "index")


def source_files():
    for top in MODULE_SOURCES:
        for path in sorted((TREE / top).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield path.relative_to(TREE)


def module(suite):
    """Builds build/module/SUITE/pvgpu.ko where sources or image have changed."""
    image = get(suite)
    out = BUILD / "module" / suite
    out.mkdir(parents=True, exist_ok=True)
    with open(out / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        build_module(image, out)


def build_module(image, out):
    suite = image.suite
    state = hashlib.sha256(str(image.path).encode() + b"format 3")
    for path in source_files():
        state.update(str(path).encode() + (TREE / path).read_bytes())
    stamp = out / "made-from"
    if (out / "pvgpu.ko").exists() and stamp.exists() and stamp.read_text() == state.hexdigest():
        return
    start = time.time()
    say(f"module {suite}: building pvgpu.ko for Linux {image.version}")
    stamp.unlink(missing_ok=True)
    src = out / "src"
    shutil.rmtree(src, ignore_errors=True)
    for path in source_files():
        (src / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(TREE / path, src / path)
    argv = ["unshare", "--mount", "sh", "-c", IN_ROOT, "sh", image.root, src, image.version,
            str(os.cpu_count() or 1)]
    if os.geteuid():
        argv.insert(1, "--map-root-user")
    output = run(argv, f"building pvgpu.ko for {suite}", out / "build.log")
    for line in output.splitlines():
        if "warning" in line.lower():
            say(f"module {suite}: {line}")
    # Without debug information it is in the guest in no time.
    run(["strip", "--strip-debug", "-o", out / "pvgpu.ko", src / "guest-drm/pvgpu.ko"], "strip")
    make_index(image, out)
    stamp.write_text(state.hexdigest())
    say(f"module {suite}: built in {time.time() - start:.0f} s")


def main(argv):
    import images_gl        # it needs this module
    commands = {"image": get, "module": module, "disk": images_gl.get}
    if len(argv) < 2 or argv[0] not in commands:
        sys.exit("usage: images.py image|module SUITE... or disk NAME...   (suites: "
                 + " ".join(SUITES) + "; disks: " + " ".join(images_gl.NAMES) + ")")
    failed = []
    def one(suite):
        try:
            commands[argv[0]](suite)
        except ImageError as e:
            failed.append(suite)
            say(f"images: {e}")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, argv[1:]))
    if failed:
        sys.exit(f"images: failed for {' '.join(failed)}")


if __name__ == "__main__":
    import images       # one module for all, not a second one by this name
    images.main(sys.argv[1:])
