#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pvgpud from outside: the handshake's bytes, what a window is, QEMUs that
come, go and are killed, workers that die and lie, clients that misbehave, and
what is left behind."""

import fcntl
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from manager_support import *

F_GET_SEALS = 1034
SEAL, SHRINK, GROW, WRITE = 1, 2, 4, 8


def running(daemon, name, seconds=15):
    """Waits until the vGPU has a ready worker; what `show` says."""
    def ready():
        reply = daemon.call("Show", name=name)
        return reply if reply["vgpu"]["state"] == "running" else None
    return wait_until(ready, f"{name} is running", seconds)


def settle(daemon, name):
    """Waits until nobody has the vGPU and no worker is left."""
    wait_until(lambda: daemon.call("List")["vgpus"] and not
               children(daemon.pid), f"no worker of {name} is left")


# ------------------------------------------------------------------ broker

def handshake_is_what_ivshmem_says():
    with Daemon() as daemon:
        daemon.call("Create", name="a", type="PV24-2Q")
        path = daemon.directory + "/a.sock"
        check(os.stat(path).st_mode & 0o777 == 0o600, "mode of the socket")
        qemu = Qemu(path)
        numbers = [value for value, _ in qemu.words]
        check(numbers == [0, 1, -1] + [0] * 4 + [1] * 4, f"{numbers}")
        check([fd is not None for _, fd in qemu.words] ==
              [False, False] + [True] * 9, "which words carry descriptors")
        for fd in qemu.doorbells + qemu.vectors:
            check(os.readlink(f"/proc/self/fd/{fd}") ==
                  "anon_inode:[eventfd]", "an eventfd")
        # Nothing follows until somebody comes or goes.
        qemu.socket.setblocking(False)
        try:
            more = qemu.socket.recv(8)
        except BlockingIOError:
            more = None
        check(more is None, f"more than the handshake: {more}")
        qemu.close()


def window_is_sealed_sparse_and_described():
    with Daemon() as daemon:
        for name, kind, window, vram in (("a", "PV24-1A", 2 << 30, 1 << 30),
                                         ("b", "PV24-2Q", 4 << 30, 2 << 30)):
            daemon.call("Create", name=name, type=kind)
            vgpu = daemon.call("Show", name=name)["vgpu"]
            qemu = Qemu(f"{daemon.directory}/{name}.sock")
            check(qemu.size == window, f"window of {kind}: {qemu.size}")
            seals = fcntl.fcntl(qemu.window, F_GET_SEALS)
            check(seals & (SEAL | SHRINK | GROW) == SEAL | SHRINK | GROW and
                  not seals & WRITE, f"seals {seals}")
            try:
                os.ftruncate(qemu.window, 4096)
                shrunk = True
            except PermissionError:
                shrunk = False
            check(not shrunk, "a guest's QEMU shrank the window")
            check(os.fstat(qemu.window).st_blocks * 512 < 1 << 20,
                  "pages exist that nobody touched")
            magic, length, low, high, peer = struct.unpack_from(
                "<8sIIII", qemu.info)
            check(magic == b"pvgpu\0\0\1" and length == 256 and low == 1 and
                  high == 1 and peer == 0, "information page")
            size, offset, vram_size = struct.unpack_from("<QQQ", qemu.info, 32)
            check(size == window and offset % (2 << 20) == 0 and
                  vram_size == vram and offset + vram <= window, "layout")
            check(struct.unpack_from("<I", qemu.info, 112)[0] == VECTORS,
                  "vectors")
            check(qemu.info[176:208].rstrip(b"\0").decode() == kind,
                  "type's name")
            check(qemu.info[208:224].hex() == vgpu["uuid"].replace("-", ""),
                  "uuid")
            qemu.close()


def second_qemu_is_refused_while_the_first_lives():
    with Daemon() as daemon:
        daemon.call("Create", name="a", type="PV24-1Q")
        path = daemon.directory + "/a.sock"
        first = Qemu(path)
        second = socket.socket(socket.AF_UNIX)
        second.settimeout(10)
        second.connect(path)
        check(hung_up(second), "the second got something")
        second.close()
        wait_until(lambda: "refused: pid" in daemon.log(), "a line in the log")
        running(daemon, "a")
        first.ring()
        first.close()
        # At once, before the daemon has looked: it must not be refused.
        Qemu(path).close()
        for _ in range(20):
            Qemu(path).close()


def nothing_of_one_qemu_reaches_the_next():
    with Daemon() as daemon:
        daemon.call("Create", name="a", type="PV24-1Q")
        path = daemon.directory + "/a.sock"
        first = Qemu(path)
        os.pwrite(first.window, b"secret", 64 << 20)
        kept = os.dup(first.window)
        first.close()
        second = Qemu(path)
        check(os.pread(second.window, 6, 64 << 20) == b"\0" * 6,
              "a byte of the first QEMU")
        check(os.fstat(second.window).st_ino != os.fstat(kept).st_ino,
              "the same memory")
        os.close(kept)
        second.close()


def a_client_that_sends_bytes_is_dropped():
    with Daemon() as daemon:
        daemon.call("Create", name="a", type="PV24-1Q")
        qemu = Qemu(daemon.directory + "/a.sock")
        running(daemon, "a")
        qemu.socket.send(b"hello")
        check(hung_up(qemu.socket), "still connected")
        qemu.close()
        settle(daemon, "a")
        check("it sent bytes" in daemon.log(), "a line in the log")


# ----------------------------------------------------------------- workers

def a_worker_that_dies_is_replaced_with_the_same_memory():
    with Daemon() as daemon:
        daemon.call("Create", name="a", type="PV24-1Q")
        qemu = Qemu(daemon.directory + "/a.sock")
        show = running(daemon, "a")
        check(show["guest"]["generation"] == 1, "generation of the first")
        qemu.wait_vector()
        os.pwrite(qemu.window, b"still here", 64 << 20)
        os.kill(show["vgpu"]["workerPid"], signal.SIGKILL)
        # The replacement rings the guest on the same eventfd.
        qemu.wait_vector()
        again = running(daemon, "a")
        check(again["vgpu"]["workerPid"] != show["vgpu"]["workerPid"],
              "another process")
        check(again["guest"]["generation"] == 2, "generation of the second")
        check(again["worker"]["replaced"] == 1, "counted")
        check(again["vgpu"]["qemuPid"] == os.getpid(), "QEMU's pid")
        check(os.pread(qemu.window, 10, 64 << 20) == b"still here",
              "the same window")
        check(children(daemon.pid) == [again["vgpu"]["workerPid"]],
              "one worker, the old one reaped")
        check("killed by signal 9 (SIGKILL)" in daemon.log(), "why, in the log")
        qemu.close()


def deaths_are_told_and_slow_down_in_a_row():
    with Daemon() as daemon:
        daemon.call("Create", name="a", type="PV24-1Q")
        qemu = Qemu(daemon.directory + "/a.sock")
        running(daemon, "a")
        qemu.order(CRASH)
        wait_until(lambda: daemon.log().count("worker died") >= 3,
                   "three deaths")
        log = daemon.log()
        check("killed by signal 11 (SIGSEGV)" in log, log)
        check("worker death 2 in a row; the next starts in 0.25 s" in log, log)
        check("worker death 3 in a row; the next starts in 0.50 s" in log, log)
        # The first was replaced at once.
        check("worker death 1 in a row" not in log, log)
        state = daemon.call("Show", name="a")
        check(state["vgpu"]["state"] in ("replacing", "starting"), f"{state}")
        check(state["worker"]["error"], "why there are no figures")
        qemu.leave_order(BEHAVE)
        running(daemon, "a")
        qemu.order(EXIT)
        wait_until(lambda: "exited with status 7" in daemon.log(),
                   "the exit status in the log")
        # It leaves while the next start is being waited for.
        qemu.close()
        time.sleep(1.5)
        check(not children(daemon.pid), "a worker without a QEMU")


def workers_that_talk_nonsense_are_replaced():
    with Daemon() as daemon:
        daemon.call("Create", name="a", type="PV24-1Q")
        for order, why in ((JUNK, "makes no sense"),
                           (DEAF, "closed its socket")):
            qemu = Qemu(daemon.directory + "/a.sock")
            pid = running(daemon, "a")["vgpu"]["workerPid"]
            qemu.order(order)
            wait_until(lambda: not alive(pid), "the liar is gone")
            qemu.leave_order(BEHAVE)
            running(daemon, "a")
            check(why in daemon.log(), why)
            qemu.close()
            settle(daemon, "a")
        for order in (SHORT_PICTURE, UNSEALED_PICTURE):
            qemu = Qemu(daemon.directory + "/a.sock")
            pid = running(daemon, "a")["vgpu"]["workerPid"]
            qemu.leave_order(order)
            expect_error("NoAnswer", daemon.call, "Screenshot", name="a",
                         head=0)
            wait_until(lambda: not alive(pid), "the liar is gone")
            qemu.leave_order(BEHAVE)
            running(daemon, "a")
            qemu.close()
            settle(daemon, "a")
        qemu = Qemu(daemon.directory + "/a.sock")
        pid = running(daemon, "a")["vgpu"]["workerPid"]
        qemu.leave_order(WRONG_COOKIE)
        reply = daemon.call("Show", name="a")
        check("died" in reply["worker"]["error"], f"{reply['worker']}")
        wait_until(lambda: not alive(pid), "the liar is gone")
        qemu.close()


def a_silent_worker_hangs_nobody():
    with Daemon() as daemon:
        daemon.call("Create", name="a", type="PV24-1Q")
        qemu = Qemu(daemon.directory + "/a.sock")
        running(daemon, "a")
        qemu.leave_order(SILENT)
        with Client(daemon) as slow:
            slow.send(Client.message("Show", name="a"))
            start = time.monotonic()
            daemon.call("List")
            check(time.monotonic() - start < 1, "another client waited")
            reply = slow.receive()["parameters"]
            took = time.monotonic() - start
        check(1.5 < took < 6, f"answered after {took} s")
        check(reply["worker"]["error"] == "the worker does not answer",
              f"{reply['worker']}")
        check(reply["vgpu"]["state"] == "running" and "guest" not in reply,
              "what is known all the same")
        # A client that goes while its answer is awaited, and a vGPU too.
        with Client(daemon) as client:
            client.send(Client.message("Show", name="a"))
            time.sleep(0.2)
        with Client(daemon) as client:
            client.send(Client.message("Show", name="a"))
            time.sleep(0.2)
            daemon.call("Destroy", name="a", force=True)
            reply = client.receive()
            check(reply["error"].endswith("NoSuchVgpu"), f"{reply}")
        qemu.close()


def a_worker_program_that_cannot_run_is_told():
    directory = tempfile.mkdtemp(prefix="pvgpu-")
    program = directory + "/not-a-program"
    with open(program, "w") as f:
        f.write("\x7fELF nonsense")
    os.chmod(program, 0o755)
    with Daemon(worker=program) as daemon:
        daemon.call("Create", name="a", type="PV24-1Q")
        qemu = Qemu(daemon.directory + "/a.sock")
        wait_until(lambda: "no worker: " + program in daemon.log(),
                   "the reason in the log")
        check(daemon.call("Show", name="a")["vgpu"]["state"] == "replacing",
              "state")
        qemu.close()
    os.unlink(program)
    os.rmdir(directory)


# ------------------------------------------------------------------- leaks

def killed_qemu(path, seed, orders):
    """Forks a QEMU that draws and rings for ever; its pid once it does."""
    reader, writer = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        os.close(writer)
        connected = os.read(reader, 1)
        os.close(reader)
        check(connected == b"x", "the forked QEMU is connected")
        return pid
    try:
        os.close(reader)
        numbers = random.Random(seed)
        qemu = Qemu(path)
        words = qemu.map(qemu.guest_offset, 2 * REGION)
        pixels = qemu.map(64 << 20, 16 << 20)
        row = bytes(numbers.randrange(256) for _ in range(7680))
        os.write(writer, b"x")
        while os.getppid() == parent:
            for y in range(1080):
                at = y * 7680
                pixels[at:at + 7680] = row
                if not orders:
                    # Nonsense everywhere that a real worker looks.
                    offset = numbers.randrange(2 * REGION // 4) * 4
                    words[offset:offset + 4] = struct.pack(
                        "<I", numbers.getrandbits(32) >>
                        numbers.randrange(32))
                qemu.ring(numbers.randrange(VECTORS))
    finally:
        os._exit(1)


def idle_descriptors(daemon, vgpus):
    """The daemon's descriptors, once its only sockets are those that it
    listens on: a control client's goes a moment after the client."""
    def idle():
        links = descriptors(daemon.pid)
        sockets = sum(link.startswith("socket:") for link in links.values())
        return links if sockets == 1 + vgpus else None
    return wait_until(idle, "no client and no QEMU is left")


def memory_of(pid):
    """Private resident memory in KiB."""
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
    return 0


def kill_twenty_times(worker, orders):
    name = f"leak{os.getpid()}"
    with Daemon(program=PLAIN_BIN + "/pvgpud", worker=worker) as daemon:
        daemon.call("Create", name=name, type="PV24-1Q")
        path = f"{daemon.directory}/{name}.sock"
        before = idle_descriptors(daemon, 1)
        memory = 0
        for n in range(20):
            pid = killed_qemu(path, n, orders)
            try:
                running(daemon, name, 30)
                time.sleep(random.Random(n).uniform(0.0, 0.1))
            finally:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            if n % 3 == 0:
                # Sometimes the next is there before the last is cleared up.
                continue
            settle(daemon, name)
            after = idle_descriptors(daemon, 1)
            check(after.keys() == before.keys(),
                  f"round {n}: {after} after {before}")
            if n == 5:
                memory = memory_of(daemon.pid)
        settle(daemon, name)
        after = idle_descriptors(daemon, 1)
        check(after.keys() == before.keys(), f"{after} after {before}")
        check(not any("memfd" in link and "-board-" not in link
                      for link in after.values()), f"{after}")
        found = holders(f"-{name}")
        check(not found, f"the windows live on in {found}")
        grown = memory_of(daemon.pid) - memory
        check(grown < 256, f"pvgpud grew by {grown} KiB")
        check(daemon.log().count("connected") == 20, "twenty QEMUs came")
        check("worker died" not in daemon.log(), daemon.log())


def qemu_killed_in_a_frame_20_times_leaks_nothing():
    kill_twenty_times(FAKE_WORKER, True)


def the_same_with_the_real_worker_and_a_guest_that_writes_nonsense():
    kill_twenty_times(ASAN_BIN + "/pvgpu-worker", False)


def create_and_destroy_100_times_leaks_nothing():
    with Daemon(program=PLAIN_BIN + "/pvgpud") as daemon:
        with Client(daemon) as client:
            client.call("Create", name="kept", type="PV24-1Q")
            before = len(descriptors(daemon.pid))
            for n in range(100):
                client.call("Create", name=f"n{n}", type="PV24-12Q")
                if n % 10 == 0:
                    qemu = Qemu(f"{daemon.directory}/n{n}.sock")
                    expect_error("InUse", client.call, "Destroy",
                                 name=f"n{n}")
                    client.call("Destroy", name=f"n{n}", force=True)
                    check(hung_up(qemu.socket), "QEMU is dropped")
                    qemu.close()
                else:
                    client.call("Destroy", name=f"n{n}")
                check(not os.path.exists(f"{daemon.directory}/n{n}.sock"),
                      "socket is gone")
            check(len(descriptors(daemon.pid)) == before, "descriptors")
            check(not children(daemon.pid), "processes")


# -------------------------------------------------------------- life of pvgpud

def the_end_takes_workers_and_sockets_along():
    with Daemon() as daemon:
        for name in ("a", "b"):
            daemon.call("Create", name=name, type="PV24-1Q")
        qemus = [Qemu(f"{daemon.directory}/{n}.sock") for n in "ab"]
        workers = [running(daemon, n)["vgpu"]["workerPid"] for n in "ab"]
        client = Client(daemon)
        check(daemon.stop() == 0, "exit status")
        check(sorted(os.listdir(daemon.directory)) == ["lock", "log"],
              f"left: {os.listdir(daemon.directory)}")
        check(not any(alive(pid) for pid in workers), "workers live on")
        for qemu in qemus:
            check(hung_up(qemu.socket), "QEMU's socket")
            qemu.close()
        check(hung_up(client.socket), "client's socket")
        client.close()


def a_killed_pvgpud_leaves_a_directory_that_the_next_can_use():
    with Daemon(worker=ASAN_BIN + "/pvgpu-worker") as first:
        first.call("Create", name="a", type="PV24-1Q")
        qemu = Qemu(first.directory + "/a.sock")
        worker = running(first, "a")["vgpu"]["workerPid"]
        first.process.kill()
        first.process.wait()
        first.process.stdout.close()
        wait_until(lambda: not alive(worker), "its worker ends by itself")
        qemu.close()
        check(os.path.exists(first.directory + "/a.sock"), "left behind")
        with open(first.directory + "/keep.sock", "w") as f:
            f.write("no socket")
        second = subprocess.Popen(
            [ASAN_BIN + "/pvgpud", "--runtime-dir", first.directory,
             "--types-dir", "host-backend/types", "--worker", FAKE_WORKER],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        check("ready" in second.stdout.readline(), "the second is ready")
        check(not os.path.exists(first.directory + "/a.sock"), "cleaned")
        check(os.path.exists(first.directory + "/keep.sock"), "not a socket")
        check(first.call("List") == {"vgpus": []}, "the second answers")
        third = subprocess.run(
            [ASAN_BIN + "/pvgpud", "--runtime-dir", first.directory,
             "--types-dir", "host-backend/types", "--worker", FAKE_WORKER],
            capture_output=True, text=True, timeout=20)
        check(third.returncode == 1 and
              "another pvgpud runs there" in third.stderr, third.stderr)
        check(first.call("List") == {"vgpus": []}, "it did no harm")
        second.terminate()
        output = second.communicate(timeout=20)
        check(second.returncode == 0, f"{output}")


def wrong_command_lines_and_types_get_one_line():
    directory = tempfile.mkdtemp(prefix="pvgpu-")
    types = ["--types-dir", "host-backend/types"]
    bad = directory + "/types.d"
    os.mkdir(bad)
    empty = directory + "/empty.d"
    os.mkdir(empty)
    with open(bad + "/x.conf", "w") as f:
        f.write("[PV24-1Q]\nheads = many\n[PV24-2Q\n")
    for arguments, status, lines in (
            (["--frob"], 2, ["pvgpud: option: '--frob' given; allowed is"]),
            (["now"], 2, ["pvgpud: argument: 'now' given; allowed is none"]),
            (["--gpu-memory"], 2, ["pvgpud: --gpu-memory: 'nothing' given"]),
            (["--gpu-memory", "24GB"], 2,
             ["pvgpud: --gpu-memory: '24GB' given; allowed is a size"]),
            (["--types-dir", "/nonexistent"], 1,
             ["pvgpud: error: /nonexistent: No such file"]),
            (["--types-dir", empty], 1, ["pvgpud: error: no vGPU types: "]),
            (["--types-dir", bad], 1,
             [f"pvgpud: error: {bad}/x.conf:2: heads: 'many' given; allowed "
              "is 1 to 16"] +
             [f"pvgpud: error: {bad}/x.conf:"] * 6),
            (types + ["--worker", "/nonexistent"], 1,
             ["pvgpud: error: --worker: /nonexistent: No such file"]),
            (types + ["--worker", FAKE_WORKER, "--runtime-dir", "/dev/null"],
             1, ["pvgpud: error: --runtime-dir: /dev/null: Not a directory"])):
        result = subprocess.run([ASAN_BIN + "/pvgpud", *arguments],
                                capture_output=True, text=True, timeout=20)
        check(result.returncode == status and not result.stdout, f"{result}")
        got = result.stderr.splitlines()
        check(len(got) == len(lines) and
              all(g.startswith(line) for g, line in zip(got, lines)),
              f"{arguments}: {result.stderr}")
    os.unlink(bad + "/x.conf")
    for path in (bad, empty, directory):
        os.rmdir(path)


if __name__ == "__main__":
    run_tests([
        handshake_is_what_ivshmem_says,
        window_is_sealed_sparse_and_described,
        second_qemu_is_refused_while_the_first_lives,
        nothing_of_one_qemu_reaches_the_next,
        a_client_that_sends_bytes_is_dropped,
        a_worker_that_dies_is_replaced_with_the_same_memory,
        deaths_are_told_and_slow_down_in_a_row,
        workers_that_talk_nonsense_are_replaced,
        a_silent_worker_hangs_nobody,
        a_worker_program_that_cannot_run_is_told,
        qemu_killed_in_a_frame_20_times_leaks_nothing,
        the_same_with_the_real_worker_and_a_guest_that_writes_nonsense,
        create_and_destroy_100_times_leaks_nothing,
        the_end_takes_workers_and_sockets_along,
        a_killed_pvgpud_leaves_a_directory_that_the_next_can_use,
        wrong_command_lines_and_types_get_one_line,
    ])
