#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pvgpu-replay against a host of this tree, all of it under ASan and UBSan:
each recording's frames beside the recorded pictures, recordings that are to
fail, loads and what is told of them, the command line; and pvgpu-record between
a program and a server that are both played here. TAP. From the tree's root."""

import array
import glob
import gzip
import json
import mmap
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, "protocol/conformance")
from run import BAD, Daemon         # noqa: E402

REPLAY = "build/asan/bin/pvgpu-replay"
RECORD = "build/bin/pvgpu-record"
RECORDINGS = sorted(glob.glob("protocol/replay/recordings/*.rec"))
GEARS = "protocol/replay/recordings/gears.rec"
HEADER, BATCH, FRAME, LOOP = 80, 5, 6, 7
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Failed(Exception):
    pass


def check(true, why):
    if not true:
        raise Failed(why)


def replay(*arguments, status=0):
    done = subprocess.run([REPLAY, *map(str, arguments)], timeout=120, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    check(done.returncode == status, f"{arguments}: status {done.returncode}, not {status}\n"
          f"{done.stdout}{done.stderr}")
    return done.stdout if not status else done.stderr


def records(path):
    """(kind, words) of each, read without our own reader."""
    with gzip.open(path) as file:
        data = file.read()
    at, found = HEADER, []
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        found.append((kind, struct.unpack_from(f"<{length // 4}I", data, at + 8)))
        at += 8 + length
    return data[:HEADER], found


def write(path, header, found):
    with open(path, "wb") as file:
        file.write(header)
        for kind, words in found:
            file.write(struct.pack(f"<II{len(words)}I", kind, len(words) * 4, *words))


class Host:
    def __init__(self, folder):
        self.daemon = Daemon(folder)
        self.folder = folder
        for name in ("a", "b"):
            subprocess.run(self.daemon.ctl("create", name, "MANY-2Q"), check=True,
                           stdout=subprocess.DEVNULL, timeout=60)
            # With sanitizers, on a busy machine, a first batch takes seconds.
            subprocess.run(self.daemon.ctl("sched", "set", name, "--watchdog", "60s"),
                           check=True, stdout=subprocess.DEVNULL, timeout=60)
        subprocess.run(self.daemon.ctl("create", "c", "COPIES-1A"), check=True,
                       stdout=subprocess.DEVNULL, timeout=60)

    def socket(self, name):
        return f"{self.folder}/{name}.sock"


@test
def every_recording_draws_what_was_recorded(host):
    check(len(RECORDINGS) >= 5, f"only {RECORDINGS}")
    for path in RECORDINGS:
        said = replay("--check", path, host.socket("a"))
        check(re.search(r"4 frames are as recorded, to \d+ of 255", said), said)


@test
def a_picture_that_is_another_fails(host):
    header, found = records(GEARS)
    frames = [i for i, (kind, _) in enumerate(found) if kind == FRAME]
    kind, words = found[frames[-2]]
    found[frames[-2]] = kind, words[:1] + tuple(word ^ 0xffffffff for word in words[1:])
    path = f"{host.folder}/other.rec"
    write(path, header, found)
    said = replay("--check", path, host.socket("a"), status=1)
    check("frame 2 is not the recorded one: fields differ by up to 255 of 255" in said, said)


@test
def a_loop_that_draws_nothing_fails(host):
    header, found = records(GEARS)
    loop = [kind for kind, _ in found].index(LOOP)
    found = [(kind, (0,) if kind == BATCH and i > loop else words)     # a NOP
             for i, (kind, words) in enumerate(found)]
    path = f"{host.folder}/nothing.rec"
    write(path, header, found)
    said = replay("--check", path, host.socket("a"), status=1)
    check("is not the recorded one" in said, said)


@test
def a_stream_that_the_host_refuses_is_told(host):
    header, found = records(GEARS)
    batch = [kind for kind, _ in found].index(BATCH)
    found[batch] = BATCH, (0xfeedbeef,) * 4
    path = f"{host.folder}/bad.rec"
    write(path, header, found)
    said = replay("--check", path, host.socket("a"), status=1)
    check(f"step {batch}: a batch failed with status" in said, said)


@test
def what_is_no_recording_is_refused_by_offset(host):
    path = f"{host.folder}/no.rec"
    header, found = records(GEARS)
    write(path, header, found[:3] + [(9, ())])
    offset = os.path.getsize(path) - 8
    said = replay("--list", path, status=1)
    check("records" in said or f"at byte {offset}" in said, said)
    write(path, header[:12] + struct.pack("<I", 4) + header[16:], found[:3] + [(9, ())])
    said = replay("--list", path, status=1)
    check(f"{path}: at byte {offset}: a record of kind 9" in said, said)
    said = replay("--list", "Makefile", status=1)
    check("Makefile: at byte 0: this is no recording" in said, said)
    said = replay("--list", f"{host.folder}/absent", status=1)
    check("No such file" in said, said)


@test
def a_vgpu_that_cannot_is_told(host):
    said = replay("--check", GEARS, host.socket("c"), status=1)
    check("its type does not render" in said, said)
    said = replay("--check", GEARS, f"{host.folder}/nobody", status=1)
    check("connecting: No such file" in said, said)


@test
def two_vgpus_are_loaded_and_measured(host):
    told = json.loads(replay("--json", "--seconds", 1.5, "--warm-up", 0.2, "-d", 4,
                             "--batch-us", 20000, GEARS, host.socket("a"),
                             "-d", 1, "-r", 1, "--fps", 10, GEARS, host.socket("b")))
    busy, paced = told["clients"]
    check(busy["depth"] == 4 and busy["repeat"] > 1 and busy["aloneBatchMs"] > 1, told)
    check(paced["depth"] == 1 and paced["repeat"] == 1, told)
    for client in busy, paced:
        batch = client["batch"]
        check(1.4 < client["seconds"] < 10 and client["batches"] > 0 and
              client["frames"] == client["batches"] == batch["count"] and
              0 < client["gpuSeconds"] < 1.1 * client["seconds"] + 0.5 and
              0 < batch["p50Ms"] <= batch["p99Ms"] <= batch["worstMs"], client)
    check(paced["frames"] <= 10 * paced["seconds"] + 2, paced)


@test
def batches_as_recorded_and_a_pause(host):
    told = json.loads(replay("-j", "-s", 0.6, "-w", 0, "-t", 50000, GEARS, host.socket("a")))
    client = told["clients"][0]
    check(client["batches"] > client["frames"] > 0, told)
    check(client["frames"] <= client["seconds"] / 0.05 + 1, told)
    said = replay("-s", 0.3, "-w", 0, "-d", 8, RECORDINGS[-1], host.socket("a"))
    check(re.search(r"a\.sock +upload\.rec +8 +\d", said), said)


@test
def a_vtest_server_draws_the_same(host):
    path = f"{host.folder}/vtest"
    server = subprocess.Popen(["virgl_test_server", "--use-egl-surfaceless",
                               f"--socket-path={path}"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 20
        while not os.path.exists(path):
            check(time.monotonic() < end, "virgl_test_server does not start")
            time.sleep(0.05)
        for recording in RECORDINGS:
            said = replay("--check", recording, f"vtest:{path}")
            check("4 frames are as recorded" in said, said)
        told = json.loads(replay("-j", "-s", 0.3, "-w", 0, "-d", 4, "-r", 1, GEARS,
                                 f"vtest:{path}"))["clients"][0]
        check(told["batches"] == told["frames"] > 0, told)
    finally:
        server.kill()
        server.wait()
    said = replay("--check", GEARS, f"vtest:{path}", status=1)
    check("connecting: Connection refused" in said, said)


@test
def wrong_words_are_refused(host):
    for words, why in (
            ((), "usage"), ((GEARS,), "without a socket"), (("-d", "0"), "from 1 to 64"),
            (("-d", "2.5"), "whole number"), (("-s", "none"), "from 0.1 to"),
            (("-s", "nan"), "from 0.1 to"), (("--what",), "usage")):
        said = replay(*words, status=2)
        check(why in said, f"{words}: {said}")
    check("--batch-us" in replay("--help"), "help")


# ------------------------------------------------------------- the recorder
class Server(threading.Thread):
    """What a vtest server answers to the messages below; memory of resources
    that are read back is filled with `colours`."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.door = socket.socket(socket.AF_UNIX)
        self.door.bind(path)
        self.door.listen(1)
        self.commands = []
        self.memory = {}
        self.frame = 0

    def run(self):
        client, _ = self.door.accept()
        while head := client.recv(8, socket.MSG_WAITALL):
            length, command = struct.unpack("<II", head)
            words = struct.unpack(f"<{length}I", client.recv(length * 4, socket.MSG_WAITALL)) \
                if length else ()
            self.commands.append(command)
            if command == 11:
                client.sendall(struct.pack("<III", 1, 11, words[0]))
            elif command == 12 and words[10]:
                fd = os.memfd_create("resource")
                os.ftruncate(fd, words[10])
                self.memory[words[0]] = mmap.mmap(fd, words[10])
                client.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                          array.array("i", [fd]))])
                os.close(fd)
            elif command == 13:
                memory = self.memory[words[0]]
                self.frame += 1
                half = len(memory) // 2
                memory[:] = bytes([self.frame * 10]) * half + bytes(half)
            elif command == 7:
                client.sendall(struct.pack("<III", 1, 7, 0))


class Program:
    """The other end: what Mesa sends, frame by frame."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + 20
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                check(time.monotonic() < end, "pvgpu-record does not listen")
                time.sleep(0.05)

    def send(self, command, *words):
        self.socket.sendall(struct.pack(f"<II{len(words)}I", len(words), command, *words))

    def create(self, name, size, bind=1 << 7):
        self.send(12, name, 2, 1, bind, 32, 32, 1, 0, 0, 0, size)
        _, fds, _, _ = socket.recv_fds(self.socket, 1, 1)
        return mmap.mmap(fds[0], size)

    def answer(self):
        return self.socket.recv(12, socket.MSG_WAITALL)

    def show(self, name):
        self.send(13, name, 0, 0, 0, 0, 32, 32, 1, 4096, 0)
        self.send(7, name, 1)
        self.answer()


@test
def what_goes_through_the_recorder_is_recorded(host):
    path, door, back = (f"{host.folder}/{name}" for name in ("made.rec", "door", "back"))
    server = Server(back)
    server.start()
    recorder = subprocess.Popen([RECORD, "-o", path, "-l", door, "-s", back, "-f", "1",
                                 "-n", "2", "-t", "a play"], stderr=subprocess.PIPE, text=True)
    try:
        program = Program(door)
        program.send(11, 3)
        check(struct.unpack("<III", program.answer())[2] == 2, "version 2 is what is spoken")
        program.create(1, 4096)
        data = program.create(2, 4096, bind=16)
        data[100:104] = b"abcd"
        data[4000:4004] = b"wxyz"
        program.send(6, 0x10000, 1)             # before the loop
        program.show(1)
        for frame in range(2):
            data[100] = 65 + frame
            program.send(12, 3 + frame, 0, 64, 1 << 17, 8, 1, 1, 0, 0, 0, 0)    # a fence
            program.send(6, 0x10000, 2 + frame)
            program.show(1)
            program.send(3, 3 + frame)
        program.send(3, 2)
        said = recorder.communicate(timeout=30)[1]
    finally:
        recorder.kill()
        recorder.wait()
    check(recorder.returncode == 0, said)
    header, found = records(path)
    check(header[16:22] == b"a play", header)
    kinds = [kind for kind, _ in found]
    check(kinds == [1, 1, 3, 3, 5, 6, 7, 3, 5, 6, 3, 5, 6], kinds)
    check(found[0][1] == (1, 2, 1, 128, 32, 32, 1, 1, 1, 1, 0, 4096), found[0])
    check(found[2][1][:2] == (2, 64) and found[3][1][:2] == (2, 3968), found[2:4])
    check(struct.pack("<I", found[7][1][2 + 9]) == b"Abcd", found[7])
    check(found[8][1] == (0x10000, 2) and found[11][1] == (0x10000, 3), found)
    means = struct.pack("<193I", *found[5][1])[4:]
    check(means[:3] == b"\x0a\x0a\x0a" and means[-1] == 0, means)
    check("loop: 2 frames, 2 batches of 16 bytes" in replay("--list", path), "list")
    check(server.commands.count(6) == 3 and server.commands[0] == 11, server.commands)


def main():
    print("TAP version 13")
    print(f"1..{len(TESTS) + 1}")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="pvgpu-replay-") as folder:
        host = Host(folder)
        try:
            for number, function in enumerate(TESTS, 1):
                why = ""
                try:
                    function(host)
                except (Failed, OSError, subprocess.SubprocessError, ValueError) as problem:
                    why = str(problem) or repr(problem)
                    failed += 1
                print(f"{'not ok' if why else 'ok'} {number} - "
                      f"{function.__name__.replace('_', ' ')}")
                for line in why.splitlines()[:40]:
                    print(f"# {line}")
                sys.stdout.flush()
        finally:
            host.daemon.stop()
        bad = [line for line in host.daemon.log().splitlines() if BAD.search(line)]
        failed += bool(bad)
        print(f"{'not ok' if bad else 'ok'} {len(TESTS) + 1} - no worker died, and no "
              "sanitizer found anything")
        for line in bad[:40]:
            print(f"# {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
