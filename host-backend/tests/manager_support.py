# SPDX-License-Identifier: MIT
"""What the tests of pvgpud from outside share: TAP, a daemon of one's own in a
directory of its own, Varlink by hand, and a QEMU that is nothing but an
ivshmem client, written from QEMU's ivshmem-spec and not from our C."""

import json
import mmap
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

from varlink_support import Interface

ASAN_BIN = "build/asan/bin"
PLAIN_BIN = "build/bin"
FAKE_WORKER = ASAN_BIN + "/helper_fake_worker"
VECTORS = 4
REGION = 65536
with open("host-backend/manager/io.pvgpu.Manager.varlink") as description:
    INTERFACE = Interface(description.read())

# helper_fake_worker.h
(BEHAVE, CRASH, EXIT, JUNK, DEAF, SILENT, WRONG_COOKIE, SHORT_PICTURE,
 UNSEALED_PICTURE, WILD_TRACE) = range(10)


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def wait_until(condition, text, seconds=15.0):
    """Waits for the condition and returns what it gave; fails with text."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{text}: not within {seconds} s")
        time.sleep(0.02)


def run_tests(tests):
    """Runs the functions as TAP; ends the program. What a function returns
    says why it could not be tried here."""
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, test in enumerate(tests, 1):
        name = test.__name__.replace("_", " ")
        try:
            skipped = test()
            print(f"ok {number} - {name}" +
                  (f" # SKIP {skipped}" if skipped else ""), flush=True)
        except Exception:
            failed += 1
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines():
                print("# " + line)
            sys.stdout.flush()
    sys.exit(1 if failed else 0)


def alive(pid):
    return os.path.exists(f"/proc/{pid}")


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(word) for word in f.read().split()]
    except FileNotFoundError:
        return []


def descriptors(pid):
    """What each descriptor of a process is, {number: link}."""
    links = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            links[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            pass
    return links


def holders(text):
    """Processes with a descriptor or mapping whose name has the text."""
    found = set()
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            if any(text in link for link in descriptors(name).values()):
                found.add(int(name))
            with open(f"/proc/{name}/maps") as f:
                if text in f.read():
                    found.add(int(name))
        except OSError:
            pass
    return found


def hung_up(connection):
    """Waits for the other side to close; fails if it sends instead."""
    try:
        return connection.recv(64) == b""
    except ConnectionResetError:
        return True     # it had not read all that we sent


class Daemon:
    """A pvgpud with a runtime directory of its own; a context manager."""

    def __init__(self, *options, program=ASAN_BIN + "/pvgpud",
                 worker=FAKE_WORKER, directory=None,
                 types="host-backend/types"):
        self.directory = directory or tempfile.mkdtemp(prefix="pvgpu-")
        self.log_path = self.directory + "/log"
        self.control = self.directory + "/control"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [program, "--runtime-dir", self.directory,
                 "--types-dir", types, "--worker", worker,
                 "--host-memory", "1000%",
                 *options], stdout=subprocess.PIPE, stderr=log, text=True)
        self.ready = self.process.stdout.readline()
        if not self.ready:
            self.process.wait()
            raise AssertionError("pvgpud did not start: " + self.log())
        self.pid = self.process.pid

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def stop(self):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        finally:
            self.process.stdout.close()

    def call(self, method, **parameters):
        with Client(self) as client:
            return client.call(method, **parameters)

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        status = None
        if self.process.poll() is None:
            try:
                status = self.stop()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        log = self.log()
        if kind:
            for line in log.splitlines()[-40:]:
                print("# " + line)
        shutil.rmtree(self.directory)
        if not kind:
            check("Sanitizer" not in log and "runtime error" not in log, log)
            check(status in (0, None), f"pvgpud ended with {status}: {log}")
        return False


class VarlinkError(Exception):
    def __init__(self, reply):
        super().__init__(json.dumps(reply))
        self.name = reply["error"].rpartition(".")[2]
        self.parameters = reply["parameters"]


class Client:
    """One connection to the control socket."""

    def __init__(self, daemon, timeout=15):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(daemon.control)
        self.pending = b""
        self.fds = []

    def __enter__(self):
        return self

    def __exit__(self, *rest):
        self.close()

    def close(self):
        self.socket.close()
        for fd in self.fds:
            os.close(fd)
        self.fds = []

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """The next message, or None at the end."""
        while b"\0" not in self.pending:
            data, fds, _, _ = socket.recv_fds(self.socket, 65536, 4)
            self.fds += fds
            if not data:
                check(not self.pending, "half a message at the end")
                return None
            self.pending += data
        message, _, self.pending = self.pending.partition(b"\0")
        return json.loads(message)

    @staticmethod
    def message(method, **parameters):
        if "." not in method:
            method = "io.pvgpu.Manager." + method
        return json.dumps({"method": method,
                           "parameters": parameters}).encode() + b"\0"

    def call(self, method, **parameters):
        """The reply's parameters, which are as the interface describes."""
        self.send(self.message(method, **parameters))
        reply = self.receive()
        check(reply is not None, "no reply")
        wrong = INTERFACE.reply_mismatch(method, reply)
        check(not wrong, f"not as described: {wrong}")
        if "error" in reply:
            raise VarlinkError(reply)
        return reply["parameters"]


def expect_error(expected, function, /, *arguments, **parameters):
    """The parameters of the Varlink error that the call must end in."""
    try:
        reply = function(*arguments, **parameters)
    except VarlinkError as error:
        check(error.name == expected, f"{error} in place of {expected}")
        return error.parameters
    raise AssertionError(f"{reply} in place of {expected}")


class Command:
    """One command of pvgpuctl, given to a daemon."""

    PROGRAM = os.path.abspath(ASAN_BIN + "/pvgpuctl")

    def __init__(self, name):
        self.name = name

    def run(self, daemon, *arguments):
        return subprocess.run([self.PROGRAM, "--socket", daemon.control, self.name,
                               *arguments], capture_output=True, text=True,
                              timeout=30, cwd=daemon.directory)

    def good(self, daemon, *arguments):
        """What it prints; it must succeed."""
        result = self.run(daemon, *arguments)
        check(result.returncode == 0 and not result.stderr, f"{result}")
        return result.stdout

    def refused(self, daemon, error, *arguments, status=1):
        """It must say so in one line, of which `error` is a part."""
        result = self.run(daemon, *arguments)
        check(result.returncode == status and not result.stdout and
              result.stderr.count("\n") == 1 and
              result.stderr.startswith(f"pvgpuctl: {self.name}: ") and
              error in result.stderr, f"{error}: {result}")


class Qemu:
    """The ivshmem client that QEMU is: reads the handshake, maps the window."""

    def __init__(self, path, timeout=15):
        self.fds = []
        self.memory = None
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.words = []
        try:
            for _ in range(3 + 2 * VECTORS):
                self.words.append(self.word())
        except BaseException:
            self.close()
            raise
        self.window = self.words[2][1]
        self.doorbells = [fd for value, fd in self.words[3:] if value == 0]
        self.vectors = [fd for value, fd in self.words[3:] if value == 1]
        self.size = os.fstat(self.window).st_size
        info = os.pread(self.window, 256, 0)
        (self.guest_offset,) = struct.unpack_from("<Q", info, 80)
        self.info = info

    def word(self):
        """One message: (number, descriptor or None)."""
        data, fds, flags, _ = socket.recv_fds(self.socket, 8, 4)
        self.fds += fds
        check(len(data) == 8 and len(fds) <= 1, f"odd word: {data} {fds}")
        return struct.unpack("<q", data)[0], fds[0] if fds else None

    def order(self, what):
        """Writes the fake worker's order and rings it."""
        os.pwrite(self.window, struct.pack("<Q", what), self.guest_offset)
        self.ring()

    def leave_order(self, what):
        os.pwrite(self.window, struct.pack("<Q", what), self.guest_offset)

    def ring(self, vector=0):
        os.write(self.doorbells[vector], struct.pack("=Q", 1))

    def wait_vector(self, vector=0, seconds=15):
        """Waits for an interrupt; how many were coalesced."""
        ready, _, _ = select.select([self.vectors[vector]], [], [], seconds)
        check(ready, f"no interrupt {vector} within {seconds} s")
        return struct.unpack("=Q", os.read(self.vectors[vector], 8))[0]

    def map(self, offset, size):
        return mmap.mmap(self.window, size, offset=offset)

    def close(self):
        self.socket.close()
        for fd in self.fds:
            os.close(fd)
        self.fds = []
