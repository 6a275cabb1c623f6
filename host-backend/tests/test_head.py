#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pvgpuctl head: what is plugged into the heads, every refusal, and that each
worker and each QEMU gets what was set. That a guest is told is tested by
pvgpu-conform (head-changes*)."""

import json
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from manager_support import *

FAKE_HEADS = 1024


COMMAND = Command("head")
ctl, good, refused = COMMAND.run, COMMAND.good, COMMAND.refused


def edid(width=1024, height=768, clock=6500, hblank=320, vblank=38,
         extensions=0, **bytes_at):
    """An EDID by hand; b17=... sets byte 17 before the checksums."""
    d = bytearray(18)
    struct.pack_into("<H", d, 0, clock)
    d[2], d[3] = width & 255, hblank & 255
    d[4] = width >> 8 << 4 | hblank >> 8
    d[5], d[6] = height & 255, vblank & 255
    d[7] = height >> 8 << 4 | vblank >> 8
    d[17] = 0x1a
    block = bytearray(128)
    block[:8] = b"\0\xff\xff\xff\xff\xff\xff\0"
    block[8:10] = b"\x34\x12"
    block[18:20] = b"\x01\x04"
    block[54:72] = d
    block[126] = extensions
    whole = block + bytearray(128 * extensions)
    for at in range(128, len(whole), 128):
        whole[at] = 0x70
    for name, value in bytes_at.items():
        whole[int(name[1:])] = value
    for at in range(0, len(whole), 128):
        whole[at + 127] = -sum(whole[at:at + 127]) & 255
    return bytes(whole)


def write(daemon, data, name="e.bin"):
    with open(f"{daemon.directory}/{name}", "wb") as f:
        f.write(data)
    return name


def shows_and_sets():
    with Daemon() as daemon:
        daemon.call("Create", name="a", type="PV24-2Q")
        lines = good(daemon, "a").splitlines()
        check(len(lines) == 4 and lines[3].split()[:3] ==
              ["3", "plugged", "1920x1080"] and "made by pvgpu" in lines[3],
              f"{lines}")
        text = good(daemon, "a", "2", "--mode", "1280x1024@75")
        check(text == "2     plugged   1280x1024 at 75.000 Hz, EDID made by "
              "pvgpu\n", text)
        check(good(daemon, "a", "2") == text, "shown as set")
        check("unplugged 1280x1024" in good(daemon, "a", "2", "--unplug"), "")
        check("plugged   800x600 at 60.000" in
              good(daemon, "a", "2", "--plug", "--mode=800x600"), "")
        write(daemon, edid(extensions=2))
        check("plugged   1024x768 at 60.003 Hz, EDID of 384 bytes given" in
              good(daemon, "a", "2", "--edid", "e.bin"), good(daemon, "a"))
        text = good(daemon, "--json", "a", "2")
        check(json.loads(text)["edid"] == edid(extensions=2).hex(), text)
        check(len(json.loads(good(daemon, "a", "--json"))["heads"]) == 4, "")
        check("1920x1080 at 60.000 Hz, EDID made" in
              good(daemon, "a", "2", "--edid", "default"), "default")
        # The other heads are as they were.
        check(good(daemon, "a").splitlines() == lines, good(daemon, "a"))
        # The same again changes nothing, not even the serial.
        serial = json.loads(good(daemon, "--json", "a", "2"))["serial"]
        good(daemon, "a", "2", "--plug", "--mode", "1920x1080@60")
        check(json.loads(good(daemon, "--json", "a", "2"))["serial"] ==
              serial, "another serial")


TIGHT = """[TIGHT-1Q]
series = Q
framebuffer = 1GiB
heads = 2
max_resolution = 4096x4096
max_pixels = 4096000
default_mode = 1024x768@60
"""


def refusals():
    types = tempfile.mkdtemp(prefix="pvgpu-types-")
    with open(types + "/tight.conf", "w") as f:
        f.write(TIGHT)
    try:
        with Daemon("--types-dir", types) as daemon:
            refuse_all(daemon)
    finally:
        shutil.rmtree(types)


def refuse_all(daemon):
    daemon.call("Create", name="a", type="PV24-1A")
    daemon.call("Create", name="b", type="TIGHT-1Q")
    before = good(daemon, "a"), good(daemon, "b")
    for error, arguments in (
            ("head: 1 is not a head of 'a'; allowed are 0 to 0",
             ["a", "1", "--plug"]),
            ("head: 1 is not a head of 'a'; allowed are 0 to 0",
             ["a", "1"]),
            ("name: 'x' is not a vGPU; there are: a b", ["x"]),
            ("mode: 1281x1024 is beyond the type's limit; allowed is up "
             "to 1280x1024", ["a", "0", "--mode", "1281x1024"]),
            ("allowed is up to 1280x1024",
             ["a", "0", "--mode", "1280x1025"]),
            ("241 Hz is beyond the type's limit; allowed is up to 240",
             ["a", "0", "--mode", "1280x1024@241"]),
            ("mode: 100x100 is too small; allowed is 320x200",
             ["a", "0", "--mode", "100x100"]),
            ("too slow for an EDID", ["a", "0", "--mode", "640x480@1"]),
            ("too slow for an EDID", ["a", "0", "--mode", "640x480@0"]),
            ("2560x1601 is 4098560 pixels; allowed are up to 4096000, the "
             "type's limit", ["b", "0", "--mode", "2560x1601"])):
        refused(daemon, error, *arguments)
    for error, arguments in (
            ("needs NAME", []),
            ("needs NAME HEAD to set", ["a", "--plug"]),
            ("head: 'x' given", ["a", "x"]),
            ("--plug and --unplug", ["a", "0", "--plug", "--unplug"]),
            ("--mode and --edid", ["a", "0", "--mode", "800x600",
                                   "--edid", "default"]),
            ("--mode: '' given; allowed is a mode", ["a", "0", "--mode"]),
            ("--edid: '' given", ["a", "0", "--edid="]),
            ("--mode: '800' given", ["a", "0", "--mode", "800"]),
            ("--mode: '800x' given", ["a", "0", "--mode", "800x"]),
            ("--mode: '-1x5' given", ["a", "0", "--mode", "-1x5"]),
            ("--mode: '800x600@' given", ["a", "0", "--mode",
                                          "800x600@"]),
            ("--mode: '800x600@1.2345'", ["a", "0", "--mode",
                                          "800x600@1.2345"]),
            ("argument: '1' given", ["a", "0", "1"])):
        refused(daemon, error, *arguments, status=2)
    for error, data in (
            ("e.bin: 0 bytes", b""),
            ("edid: 127 bytes; allowed are 1 to 8 blocks of 128",
             edid()[:127]),
            ("edid: 1152 bytes; allowed are 1 to 8", edid(extensions=8)),
            ("e.bin: at least 65536 bytes", bytes(70000)),
            ("edid: the header is not", bytes(128)),
            ("edid: version 2.4; allowed is 1.x", edid(b18=2)),
            ("byte 126 says 0 extensions, and there are 1",
             edid() + bytes(128)),
            ("byte 126 says 1 extensions, and there are 0",
             edid(extensions=1)[:128]),
            ("block 0 has a wrong checksum", edid()[:127] +
             bytes([edid()[127] ^ 1])),
            ("block 1 has a wrong checksum", edid(extensions=1)[:255] +
             bytes([edid(extensions=1)[255] ^ 1])),
            ("byte 54 is no detailed timing", edid(clock=0)),
            ("the preferred mode is interlaced", edid(b71=0x9a)),
            ("1400x1050 is beyond the type's limit; allowed is up to "
             "1280x1024", edid(1400, 1050, clock=10100))):
        write(daemon, data)
        refused(daemon, error, "a", "0", "--edid", "e.bin")
    refused(daemon, "nowhere: No such file", "a", "0", "--edid",
            "nowhere")
    refused(daemon, "/: Is a directory", "a", "0", "--edid", "/")
    for field, parameters in (
            ("edid", dict(edid="0")), ("edid", dict(edid="zz")),
            ("edid", dict(edid="00" * 1025)),
            ("width", dict(width=-1)), ("height", dict(height=2 ** 40)),
            ("mode", dict(width=0)),
            ("edid", dict(edid="", width=800, height=600))):
        error = expect_error("InvalidHead", daemon.call, "SetHead",
                             name="a", head=0, **parameters)
        check(error["field"] == field, f"{error}")
    for head in (-1, 1, 2 ** 40):
        expect_error("NoSuchHead", daemon.call, "SetHead", name="a",
                     head=head, connected=False)
    check((good(daemon, "a"), good(daemon, "b")) == before, "changed")


def told(qemu, head):
    """Messages, serial, connected, width, height, refresh, EDID bytes, and
    the last of them."""
    return struct.unpack("<8I", os.pread(
        qemu.window, 32, qemu.guest_offset + FAKE_HEADS + 32 * head))


def every_worker_gets_it():
    with Daemon() as daemon:
        def state():
            return daemon.call("Show", name="a")["vgpu"]["state"]
        daemon.call("Create", name="a", type="PV24-2Q")
        good(daemon, "a", "1", "--mode", "1024x768@60")
        data = edid(800, 600, clock=4000, hblank=256, vblank=28)
        write(daemon, data)
        good(daemon, "a", "3", "--edid", "e.bin", "--unplug")
        qemu = Qemu(daemon.directory + "/a.sock")
        wait_until(lambda: state() == "running", "running")
        check(told(qemu, 0)[0] == 0, "head 0 was never set")
        check(told(qemu, 1)[:7] == (1, 2, 1, 1024, 768, 60000, 0),
              f"{told(qemu, 1)}")
        check(told(qemu, 3)[:5] == (1, 2, 0, 800, 600) and
              told(qemu, 3)[6:] == (128, data[127]), f"{told(qemu, 3)}")
        # While it runs: at once, and once.
        good(daemon, "a", "0", "--unplug")
        wait_until(lambda: told(qemu, 0)[:3] == (1, 2, 0), "head 0")
        good(daemon, "a", "0", "--unplug")
        daemon.call("Show", name="a")
        check(told(qemu, 0)[0] == 1, "told twice")
        # A worker that dies.
        worker = daemon.call("Show", name="a")["vgpu"]["workerPid"]
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: told(qemu, 3)[0] == 2, "the next worker")
        check(told(qemu, 0)[:3] == (2, 2, 0) and
              told(qemu, 1)[:5] == (2, 2, 1, 1024, 768), "other settings")
        # A QEMU that goes.
        qemu.close()
        wait_until(lambda: state() == "waiting", "waiting")
        good(daemon, "a", "1", "--edid", "default")
        qemu = Qemu(daemon.directory + "/a.sock")
        wait_until(lambda: state() == "running", "running")
        check(told(qemu, 1)[:7] == (1, 3, 1, 1920, 1080, 60000, 0),
              f"{told(qemu, 1)}")
        check(told(qemu, 3)[:5] == (1, 2, 0, 800, 600), f"{told(qemu, 3)}")
        qemu.close()


if __name__ == "__main__":
    run_tests([shows_and_sets, refusals, every_worker_gets_it])
