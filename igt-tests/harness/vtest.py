# SPDX-License-Identifier: MIT
"""The door for containers: pvgpu-vtest as a process of the test, programs with
stock Mesa in a sandbox that has nothing but its socket, and a client by hand,
written from Mesa's side of the protocol."""
import mmap
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

from .host import BUILD, HostError, spawn, tail

MESA = {"GALLIUM_DRIVER": "virpipe", "LIBGL_ALWAYS_SOFTWARE": "1"}
SOCKET = "/tmp/.virgl_test"         # where Mesa looks


def sandbox_argv(door, argv, *binds):
    """A sandbox for one program: the system for reading, no network, no
    processes but its own, and the door's socket. binds: what else it may write."""
    args = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session",
            "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib",
            "--symlink", "usr/lib64", "/lib64", "--symlink", "usr/bin", "/bin",
            "--ro-bind-try", "/etc/glvnd", "/etc/glvnd",
            "--ro-bind", "/etc/ld.so.cache", "/etc/ld.so.cache",
            "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
            "--ro-bind", str(BUILD / "guest"), str(BUILD / "guest"),
            "--bind", str(door), SOCKET]
    for path in binds:
        args += ["--bind", str(path), str(path)]
    return [*args, *map(str, argv)]


class Door:
    """pvgpu-vtest for one vGPU of a host, of the host's build or, asan=True, of
    that with sanitizers. A context manager."""
    def __init__(self, host, vgpu, *options, asan=False):
        self.host, self.vgpu, self.options = host, vgpu, options
        self.program = (BUILD / "asan/bin" if asan else host.bin) / "pvgpu-vtest"
        self.dir = tempfile.mkdtemp(prefix="pvgpu-vtest-")
        self.socket = f"{self.dir}/socket"
        self.log = host.dir / f"{vgpu}.vtest.log"
        self.process = None

    def start(self):
        argv = [self.program, "--runtime-dir", self.host.runtime,
                "--vgpu", self.vgpu, "--socket", self.socket, *self.options]
        with open(self.log, "wb") as log:
            self.process = spawn(argv, stdout=subprocess.PIPE, stderr=log, text=True)
        if not self.process.stdout.readline():
            raise HostError(f"pvgpu-vtest ended with {self.process.wait()}:\n" + tail(self.log))
        return self

    def stop(self):
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            code = "no end within 20 s of SIGTERM"
        process.stdout.close()
        left = os.listdir(self.dir)
        shutil.rmtree(self.dir)
        if code or left:
            raise HostError(f"pvgpu-vtest: {code}, left {left}:\n" + tail(self.log, 60))

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def run(self, *argv, binds=(), timeout=60):
        """A program of ours in the sandbox, with Mesa at the door; its output."""
        done = subprocess.run(sandbox_argv(self.socket, argv, *binds), capture_output=True,
                              text=True, timeout=timeout, check=False,
                              env=dict(MESA, PATH=os.environ["PATH"]))
        if done.returncode:
            raise HostError(f"{argv[0]}: {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def used(self):
        """Bytes of both budgets; None while its worker is replaced."""
        shown = self.host.ctl("show", self.vgpu, json_output=True)
        both = [shown[budget].get("used") for budget in ("device", "window")]
        return None if None in both else sum(both)

    def wait_empty(self, seconds=40):
        """Until its clients have left nothing behind."""
        deadline = time.monotonic() + seconds
        while self.used() != 0:
            if time.monotonic() > deadline:
                raise AssertionError("left behind:\n" + self.host.ctl("show", self.vgpu))
            time.sleep(0.1)


(GET_CAPS, CREATE, UNREF, GET, PUT, SUBMIT, BUSY_WAIT, CREATE_RENDERER, GET_CAPS2, PING, VERSION,
 CREATE2, GET2, PUT2) = range(1, 15)
TARGET_BUFFER, TARGET_2D = 0, 2
RGBA, R8 = 67, 64                   # formats, as virgl numbers them
DRAWN, SAMPLED, CUSTOM, STAGING = 1 << 1, 1 << 3, 1 << 17, 1 << 19


def words(*values):
    return struct.pack(f"={len(values)}I", *values)


def stream(*commands):
    """Commands of virgl: (number, object, words...)."""
    return b"".join(words(c[0] | c[1] << 8 | len(c) - 2 << 16, *c[2:]) for c in commands)


class Client:
    """A connection by hand. version None: nothing is said yet."""
    def __init__(self, path, version=2, timeout=20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.fds = []
        if version is not None:
            self.raw(words(5, CREATE_RENDERER) + b"hand\0")
            self.send(PING)
            self.send(BUSY_WAIT, 0, 0)
            assert self.take(8) == words(0, PING)
            assert self.take(12) == words(1, BUSY_WAIT, 0)
            self.send(VERSION, version)
            self.version = struct.unpack("=3I", self.take(12))[2]

    def close(self):
        self.socket.close()

    def raw(self, data):
        self.socket.sendall(data)

    def send(self, command, *values):
        self.raw(words(len(values), command, *values))

    def take(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError(f"closed after {len(data)} of {size} bytes")
            data += more
        return data

    def closed(self):
        """Whether the other side closes; what it sends before is dropped."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        except TimeoutError:
            return False
        return True

    def create(self, handle, width, height=1, target=TARGET_2D, fmt=RGBA, bind=DRAWN | SAMPLED,
               size=None):
        """With memory: its mapping, or None where the vGPU has no room."""
        size = width * height * (1 if target == TARGET_BUFFER else 4) if size is None else size
        self.send(CREATE2, handle, target, fmt, bind, width, height, 1, 1, 0, 0, size)
        if not size:
            return None
        data, fds, _, _ = socket.recv_fds(self.socket, 1, 1)
        if not data:
            raise EOFError("closed")
        if not fds:
            return None
        memory = mmap.mmap(fds[0], size)
        self.fds.append(fds[0])
        return memory

    def transfer(self, command, handle, width, height=1, x=0, y=0, offset=0):
        length = 10 + (width * height * 4 + 3) // 4 if command == PUT2 else 10
        self.raw(words(length, command, handle, 0, x, y, 0, width, height, 1, 0, offset))

    def submit(self, data):
        self.raw(words(len(data) // 4, SUBMIT) + data)

    def wait(self, handle=0, flags=1):
        self.send(BUSY_WAIT, handle, flags)
        return struct.unpack("=3I", self.take(12))[2]
