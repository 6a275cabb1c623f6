#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pvgpuctl as an administrator sees it: exit statuses, one line for each
error, tables and JSON, pictures as PNG, arguments that a shell reads back; and
daemons that are not there, hang up or answer nonsense."""

import json
import os
import shlex
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from manager_support import *

CTL = os.path.abspath(ASAN_BIN + "/pvgpuctl")
COMMANDS = ["types", "gpu", "create", "destroy", "list", "show", "stat",
            "top", "trace", "head", "sched", "screenshot", "qemu-args",
            "libvirt-xml"]


def ctl(*arguments, socket_path=None, cwd=None, **environment):
    if socket_path:
        environment["PVGPU_SOCKET"] = socket_path
    return subprocess.run([CTL, *arguments], capture_output=True, timeout=30,
                          env=dict(os.environ, **environment), cwd=cwd)


def expect(result, status, error=None, output=None):
    stderr = result.stderr.decode()
    check(result.returncode == status,
          f"{result.args}: {result.returncode}, {stderr}")
    if error is None:
        check(not stderr, f"{result.args}: {stderr}")
    else:
        check(stderr.startswith(error) and stderr.count("\n") == 1,
              f"{result.args}: {stderr} in place of {error}")
        check(not result.stdout, f"{result.args}: {result.stdout}")
    if output is not None:
        check(output in result.stdout.decode(),
              f"{result.args}: {result.stdout.decode()}")
    return result.stdout.decode(errors="replace")


def wrong_command_lines():
    for arguments, error in (
            ([], "pvgpuctl: no command given; see pvgpuctl --help"),
            (["frob"], "pvgpuctl: command: 'frob' given; allowed is one of "
             + " ".join(COMMANDS)),
            (["--frob"], "pvgpuctl: option: '--frob' given"),
            (["list", "--frob"], "pvgpuctl: list: option: '--frob' given"),
            (["list", "-o", "x"], "pvgpuctl: list: option: '-o' given"),
            (["list", "a"], "pvgpuctl: list: argument: 'a' given; allowed is "
             "none"),
            (["create"], "pvgpuctl: create: needs [--placement ID] NAME TYPE"),
            (["create", "a"], "pvgpuctl: create: needs [--placement ID] NAME TYPE"),
            (["create", "a", "b", "c"], "pvgpuctl: create: argument: 'c'"),
            (["show"], "pvgpuctl: show: needs NAME"),
            (["screenshot", "a"], "pvgpuctl: screenshot: needs"),
            (["screenshot", "a", "x"], "pvgpuctl: screenshot: head: 'x' "
             "given; allowed is a number"),
            (["screenshot", "a", "0", "-o"], "pvgpuctl: screenshot: --output"),
            (["--socket"], "pvgpuctl: --socket: '' given"),
            (["--socket="], "pvgpuctl: --socket: '' given"),
            (["sh\x1b[31mow"], "pvgpuctl: command: 'sh?[31mow' given")):
        expect(ctl(*arguments), 2, error)


def help_for_everything():
    text = expect(ctl("--help"), 0)
    for command in COMMANDS:
        check(f"\n  {command} " in text, f"{command} is not in --help")
        expect(ctl(command, "--help"), 0, output=f"pvgpuctl {command}")
        expect(ctl("--help", command), 0, output=f"pvgpuctl {command}")
    for word in ("--socket", "--json", "PVGPU_SOCKET", "Exit status"):
        check(word in text, f"{word} is not in --help")
    expect(ctl("--version"), 0, output="pvgpuctl ")


def no_daemon():
    directory = tempfile.mkdtemp(prefix="pvgpu-")
    path = directory + "/control"
    expect(ctl("list", socket_path=path), 3, f"pvgpuctl: list: {path}: No such "
           "file or directory; is pvgpud running?")
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(path)
    stale.close()
    expect(ctl("list", socket_path=path), 3,
           f"pvgpuctl: list: {path}: Connection refused; is pvgpud running?")
    expect(ctl("--socket", "/" + "x" * 120, "list"), 3, "pvgpuctl: list: /xxx")
    os.unlink(path)
    os.rmdir(directory)


def from_create_to_destroy():
    with Daemon() as daemon:
        def run(*arguments):
            return ctl(*arguments, socket_path=daemon.control)
        text = expect(run("types"), 0)
        check(text.splitlines()[0].split()[:3] == ["TYPE", "SERIES", "MEMORY"],
              text)
        check("PV24-1A" in text and "0 B of 24 GiB" in text, text)
        expect(run("create", "web", "PV24-2Q"), 0,
               output="created web, type PV24-2Q, uuid ")
        expect(run("create", "web", "PV24-2Q"), 1, "pvgpuctl: create: name: "
               "there is a vGPU 'web' already")
        expect(run("create", "x", "X"), 1, "pvgpuctl: create: type: 'X' is "
               "not a type; types: PV24-")
        expect(run("create", "X", "PV24-1Q"), 1, "pvgpuctl: create: name: 'X' "
               "is not a name; allowed are 1 to 32 of")
        expect(run("create", "x", "PV24-24Q"), 1, "pvgpuctl: create: type: "
               "PV24-24Q takes 24 GiB, and 22 GiB")
        rows = expect(run("list"), 0).splitlines()
        check(len(rows) == 2 and rows[1].split() ==
              ["web", "PV24-2Q", "2", "GiB", "4", "waiting", "-", "-"],
              f"{rows}")
        text = expect(run("show", "web"), 0)
        for word in ("waiting", "2 GiB", "4 heads", "7680x4320", "QEMU       "
                     "none", daemon.directory + "/web.sock"):
            check(word in text, f"{word} is not in {text}")
        expect(run("screenshot", "web", "0"), 1, "pvgpuctl: screenshot: name: "
               "'web' is waiting")
        expect(run("show", "nope"), 1, "pvgpuctl: show: name: 'nope' is not a "
               "vGPU; there are: web")
        # The environment is the default, the option goes first.
        expect(ctl("--socket", daemon.control, "list", socket_path="/none"), 0,
               output="web")
        expect(ctl("list", "--socket=" + daemon.control), 0, output="web")
        expect(run("destroy", "web"), 0, output="destroyed web")
        expect(run("destroy", "web"), 1, "pvgpuctl: destroy: name: 'web' is "
               "not a vGPU; there are: none")


def json_is_the_reply():
    with Daemon() as daemon:
        def run(*arguments):
            return json.loads(expect(ctl("--json", *arguments,
                                         socket_path=daemon.control), 0))
        for arguments, method, parameters in (
                (["types"], "ListTypes", {}),
                (["list"], "List", {})):
            check(run(*arguments) == daemon.call(method, **parameters), method)
        check(run("create", "a", "PV24-1A")["vgpu"]["type"] == "PV24-1A", "")
        check(run("show", "a") == daemon.call("Show", name="a"), "Show")
        check(run("qemu-args", "a") ==
              daemon.call("QemuArguments", name="a"), "QemuArguments")
        check(run("destroy", "a") == {}, "Destroy")


def decode_png(data):
    """Width, height and rows of RGB; only what pvgpuctl writes."""
    check(data[:8] == b"\x89PNG\r\n\x1a\n", "signature")
    at, body, header = 8, b"", None
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        chunk = data[at + 8:at + 8 + size]
        check(zlib.crc32(kind + chunk) ==
              struct.unpack_from(">I", data, at + 8 + size)[0], "CRC")
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", chunk)
        elif kind == b"IDAT":
            body += chunk
        at += size + 12
    width, height, depth, colour, _, _, interlace = header
    check((depth, colour, interlace) == (8, 2, 0), f"{header}")
    raw = zlib.decompress(body)
    rows, last = [], bytes(width * 3)
    for y in range(height):
        start = y * (width * 3 + 1)
        kind, row = raw[start], bytearray(raw[start + 1:
                                              start + 1 + width * 3])
        for i in range(len(row)):
            left = row[i - 3] if i >= 3 else 0
            up, corner = last[i], last[i - 3] if i >= 3 else 0
            if kind == 1:
                row[i] = (row[i] + left) & 255
            elif kind == 2:
                row[i] = (row[i] + up) & 255
            elif kind == 3:
                row[i] = (row[i] + (left + up) // 2) & 255
            elif kind == 4:
                p = left + up - corner
                best = min((abs(p - left), 0, left), (abs(p - up), 1, up),
                           (abs(p - corner), 2, corner))
                row[i] = (row[i] + best[2]) & 255
        rows.append(bytes(row))
        last = bytes(row)
    return width, height, rows


def screenshot_is_the_picture():
    with Daemon() as daemon:
        def run(*arguments):
            return ctl(*arguments, socket_path=daemon.control,
                       cwd=daemon.directory)
        daemon.call("Create", name="a", type="PV24-1Q")
        qemu = Qemu(daemon.directory + "/a.sock")
        wait_until(lambda: daemon.call("Show", name="a")["vgpu"]["state"] ==
                   "running", "running")
        expect(run("screenshot", "a", "2"), 0,
               output="a-2.png: 64x48, frame 7")
        with open(daemon.directory + "/a-2.png", "rb") as f:
            width, height, rows = decode_png(f.read())
        check((width, height) == (64, 48), "size")
        for y in range(48):
            for x in range(64):
                value = 2 << 20 | (y * 64 + x)      # XRGB
                check(rows[y][x * 3:x * 3 + 3] ==
                      value.to_bytes(3, "big"), f"pixel {x},{y}")
        result = run("screenshot", "a", "2", "-o", "-")
        check(result.returncode == 0 and not result.stderr, f"{result}")
        check(decode_png(result.stdout) == (width, height, rows), "stdout")
        reply = json.loads(expect(run("--json", "screenshot", "-o", "x.png",
                                      "a", "0"), 0))
        check(reply["file"] == "x.png" and reply["width"] == 64, f"{reply}")
        check(os.path.exists(daemon.directory + "/x.png"), "x.png")
        expect(run("screenshot", "a", "1"), 1, "pvgpuctl: screenshot: head: 1 "
               "of 'a' shows nothing now")
        expect(run("screenshot", "a", "4"), 1, "pvgpuctl: screenshot: head: 4 "
               "is not a head of 'a'; allowed are 0 to 3")
        expect(run("screenshot", "a", "0", "-o", "/nonexistent/x.png"), 1,
               "pvgpuctl: screenshot: /nonexistent/x.png: No such file")
        expect(run("screenshot", "a", "0", "-o", "/dev/full"), 1,
               "pvgpuctl: screenshot: /dev/full: ")
        check(os.path.exists("/dev/full"), "it removed /dev/full")
        expect(run("destroy", "a"), 1, "pvgpuctl: destroy: name: QEMU (pid "
               f"{os.getpid()}) has 'a'; stop it first")
        text = expect(run("show", "a"), 0)
        for words in (f"QEMU       process {os.getpid()}", "driver pvgpu?[31m",
                      "head 0     64x48 at 60.000 Hz", "head 1     dark",
                      "8 MiB of 1 GiB used, 1016 MiB free, at most 9 MiB used "
                      "so far", "classes copy virgl",
                      "6.1 MiB of 1 GiB used, 1017.8 MiB free, at most 7 MiB",
                      " surfaces 2 MiB, contexts 4 MiB, objects 12 KiB, "
                      "shaders 128 KiB", "renderer   softpipe?[31m",
                      "40 messages, 2 of them refused"):
            check(words in text, f"{words} is not in {text}")
        expect(run("destroy", "--force", "a"), 0, output="destroyed a")
        qemu.close()


def qemu_arguments_survive_a_shell():
    plain = tempfile.mkdtemp(prefix="pvgpu-")
    odd = plain + "/it's, $HOME"
    os.mkdir(odd)
    for directory in (plain, odd):
        process = subprocess.Popen(
            [ASAN_BIN + "/pvgpud", "--runtime-dir", directory, "--types-dir",
             "host-backend/types", "--worker", FAKE_WORKER],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.readline()
        path = directory + "/control"
        expect(ctl("create", "vm-1", "PV24-1Q", socket_path=path), 0)
        line = expect(ctl("qemu-args", "vm-1", socket_path=path), 0)
        check(line.count("\n") == 1, line)
        expected = ["-chardev", "socket,id=pvgpu-vm-1,path=" +
                    directory.replace(",", ",,") + "/vm-1.sock", "-device",
                    "ivshmem-doorbell,chardev=pvgpu-vm-1,vectors=4"]
        check(shlex.split(line) == expected, line)
        if directory == plain:
            check(line == " ".join(expected) + "\n", line)
        output = subprocess.run(["sh", "-c", f"printf '%s\\n' {line}"],
                                capture_output=True, text=True).stdout
        check(output.splitlines() == expected, output)
        process.terminate()
        process.wait(20)
        process.stdout.close()
        os.unlink(directory + "/lock")
    os.rmdir(odd)
    os.rmdir(plain)


def odd_daemons():
    directory = tempfile.mkdtemp(prefix="pvgpu-")
    path = directory + "/control"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)

    def answer(data, fds):
        client, _ = listener.accept()
        client.recv(65536)
        if data:
            socket.send_fds(client, [data], fds)
        client.close()

    memfd = os.memfd_create("picture", os.MFD_ALLOW_SEALING)
    os.ftruncate(memfd, 64 * 64 * 4)
    picture = {"width": 64, "height": 64, "stride": 256, "frame": 1,
               "format": "XRGB8888", "fileDescriptor": 0}

    def reply(**changes):
        return json.dumps({"parameters": dict(picture, **changes)}).encode() \
            + b"\0"
    shot = ["screenshot", "a", "0", "-o", directory + "/x.png"]
    memory = "pvgpuctl: screenshot: the picture's memory is missing"
    nonsense = "pvgpuctl: screenshot: the reply is no picture"
    for arguments, data, fds, status, error in (
            (["list"], b"", [], 3, f"pvgpuctl: list: {path}: no whole reply"),
            (["list"], b'{"par', [], 3, "pvgpuctl: list: "),
            (["list"], b"nonsense\0", [], 1, "pvgpuctl: list: " + path +
             ": the reply is not Varlink"),
            (["list"], b"[]\0", [], 1, "pvgpuctl: list: " + path),
            (["list"], b'{"error":"a.b.C\\u001b[2J"}\0', [], 1,
             "pvgpuctl: list: pvgpud says a.b.C?[2J"),
            (["qemu-args", "a"], b'{"parameters":{"arguments":5}}\0', [], 1,
             "pvgpuctl: qemu-args: the reply has no arguments"),
            (shot, reply(), [], 1, memory),
            (shot, reply(), [memfd], 1, memory),
            (shot, reply(width=-1), [memfd], 1, nonsense),
            (shot, reply(width=2 ** 62), [memfd], 1, nonsense),
            (shot, reply(stride=255), [memfd], 1, nonsense),
            (shot, reply(format="RG16"), [memfd], 1, nonsense)):
        thread = threading.Thread(target=answer, args=(data, fds))
        thread.start()
        result = ctl(*arguments, socket_path=path)
        thread.join(10)
        expect(result, status, error)
        check(not os.path.exists(directory + "/x.png"), "it wrote a file")
    # Sealed, but smaller than the reply says.
    import fcntl
    fcntl.fcntl(memfd, 1033, 2 | 4 | 8)
    for changes, status in ((dict(height=65), 1), ({}, 0)):
        thread = threading.Thread(target=answer,
                                  args=(reply(**changes), [memfd]))
        thread.start()
        result = ctl(*shot, socket_path=path)
        thread.join(10)
        check(result.returncode == status, f"{result}")
    listener.close()
    os.close(memfd)
    for name in ("control", "x.png"):
        os.unlink(f"{directory}/{name}")
    os.rmdir(directory)


if __name__ == "__main__":
    run_tests([
        wrong_command_lines,
        help_for_everything,
        no_daemon,
        from_create_to_destroy,
        json_is_the_reply,
        screenshot_is_the_picture,
        qemu_arguments_survive_a_shell,
        odd_daemons,
    ])
