#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compiles the protocol's headers and its portable client for every system
that they are meant for, with every warning an error. TAP.

Run from the tree's root; what it makes goes to build/ports/.
"""

import os
import re
import shutil
import subprocess
import sys

OUT = "build/ports"
SOURCES = ("protocol/client/client.c", "protocol/ports/freestanding.c")
FLAGS = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
         "-Wshadow", "-Wundef", "-Wcast-align", "-Wstrict-prototypes",
         "-Wmissing-prototypes", "-Iprotocol/include"]
FREESTANDING = ["-ffreestanding", "-nostdlib"]

# name, compiler, flags, Debian package
TARGETS = (
    ("Linux, native gcc", "gcc", [], "gcc"),
    ("32-bit x86, gcc, freestanding", "gcc", ["-m32"] + FREESTANDING, "gcc"),
    ("native clang, freestanding", "clang", FREESTANDING, "clang"),
    ("64-bit Windows, MSVC rules, clang, freestanding", "clang",
     ["--target=x86_64-pc-windows-msvc"] + FREESTANDING, "clang"),
    ("32-bit Windows, MSVC rules, clang, freestanding", "clang",
     ["--target=i686-pc-windows-msvc"] + FREESTANDING, "clang"),
    ("64-bit Windows, MinGW", "x86_64-w64-mingw32-gcc", [],
     "gcc-mingw-w64-x86-64"),
    ("32-bit Windows, MinGW", "i686-w64-mingw32-gcc", [],
     "gcc-mingw-w64-i686"),
    ("64-bit ARM, clang, freestanding", "clang",
     ["--target=aarch64-none-elf"] + FREESTANDING, "clang"),
    ("64-bit ARM, big-endian, clang, freestanding", "clang",
     ["--target=aarch64_be-none-elf"] + FREESTANDING, "clang"),
)

number = 0
failed = 0


def report(name, text):
    """One TAP line; `text` is empty where the test passed."""
    global number, failed
    number += 1
    if text:
        failed += 1
    print(f"{'not ok' if text else 'ok'} {number} - {name}")
    for line in text.splitlines()[:40]:
        print(f"# {line}")
    sys.stdout.flush()


def command(argv, ours=""):
    """What the command said if it failed, or warned of a file whose path
    matches `ours`; else nothing."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode or re.search(f"^[^ ]*{ours}[^ ]*: .*(warning|error)",
                                    done.stdout, re.M):
        return f"{' '.join(argv)}\n{done.stdout}" \
               f"exit status {done.returncode}"
    return ""


def compile_for(name, compiler, flags, package):
    if not shutil.which(compiler):
        report(name, f"no {compiler}: apt install {package}")
        return
    folder = f"{OUT}/{re.sub('[^a-z0-9]+', '-', name.lower())}"
    os.makedirs(folder, exist_ok=True)
    report(name, "".join(
        command([compiler, *FLAGS, *flags, "-c", source, "-o",
                 f"{folder}/{os.path.basename(source)[:-2]}.o"])
        for source in SOURCES))


def kernel_trees():
    """Complete header trees of installed Debian kernels, newest last."""
    found = []
    for name in os.listdir("/usr/src") if os.path.isdir("/usr/src") else ():
        path = f"/usr/src/{name}"
        match = re.match(r"linux-headers-(\d+)\.(\d+).*-(amd64|arm64)$", name)
        if match and os.path.exists(f"{path}/Module.symvers"):
            found.append(((int(match[1]), int(match[2]), name), path))
    return [path for _, path in sorted(found)]


def compile_for_kernel():
    trees = kernel_trees()
    if not trees:
        report("Linux kernel module", "no kernel headers in /usr/src: "
               "apt install linux-headers-amd64")
        return
    if not shutil.which("sparse"):
        report("Linux kernel module", "no sparse: apt install sparse")
        return
    for tree in trees:
        copy = os.path.abspath(f"{OUT}/{os.path.basename(tree)}")
        shutil.rmtree(copy, ignore_errors=True)
        for part in ("include", "client", "ports"):
            shutil.copytree(f"protocol/{part}", f"{copy}/{part}")
        shutil.copy("protocol/ports/kernel/Kbuild", copy)
        # C=2: sparse looks at every file; endianness is part of it. What
        # it says of the kernel's own headers is not our business.
        report(f"Linux kernel module, sparse: {os.path.basename(tree)}",
               command(["make", "-s", "-C", tree, f"M={copy}", "C=2", "W=1",
                        "KBUILD_MODPOST_WARN=", "modules"],
                       "(client/|ports/|pvgpu)"))


def main():
    print("TAP version 13")
    for target in TARGETS:
        compile_for(*target)
    compile_for_kernel()
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
