# SPDX-License-Identifier: MIT
"""The host's side of a test: pvgpud with a runtime directory of its own, and
pvgpuctl."""
import fcntl
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from .picture import read_png

TREE = Path(__file__).resolve().parent.parent.parent
BUILD = TREE / "build"
TYPES = TREE / "host-backend/types"
SOCKET_PATH_MAX = 80        # of 108, leaves room for the names below it


class HostError(Exception):
    pass


def tail(path, lines=25):
    try:
        return "\n".join(Path(path).read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


_ours = {}      # folders that this process uses: the lock of each


def run_dir(name):
    """An empty folder for a run's files, kept after it: build/run/NAME, or
    NAME.2 ... while another process is at work in that."""
    (BUILD / "run").mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        path = BUILD / "run" / (name if number == 1 else f"{name}.{number}")
        if path not in _ours:
            lock = open(f"{path}.lock", "w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            _ours[path] = lock
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        return path


def socket_dir(path):
    """`path`, or a short one elsewhere where sockets below it would be too long."""
    if len(str(path)) <= SOCKET_PATH_MAX:
        return path, None
    short = tempfile.mkdtemp(prefix="pvgpu-")
    return Path(short), short


def spawn(argv, **kwargs):
    """A process that dies with this one, however this one dies."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *map(str, argv)],
                            stdin=kwargs.pop("stdin", subprocess.DEVNULL), **kwargs)


class Host:
    """A running pvgpud. Use as a context manager, or start() and stop().

    host.create(NAME, TYPE), host.destroy(NAME); host.ctl(ARGS...) runs pvgpuctl
    and returns what it prints (json=True: decoded), raises HostError if it
    fails; host.screenshot(NAME, HEAD) is a Picture. stop() raises if pvgpud
    ended badly or a sanitizer had something to say. asan=True runs the
    programs built with ASan and UBSan; types_dirs replaces the catalogue."""
    def __init__(self, name, asan=False, types_dirs=None, args=()):
        self.name, self.asan = name, asan
        self.dir = run_dir(f"{name}.host")
        self.runtime, self._short = socket_dir(self.dir / "runtime")
        self.runtime.mkdir(exist_ok=True)
        self.log = self.dir / "pvgpud.log"
        self.bin = BUILD / ("asan/bin" if asan else "bin")
        self.types_dirs = types_dirs or [TYPES]
        self.args, self.process = args, None
        self.socket = self.runtime / "control"

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        self.stop(check=kind is None)

    def start(self):
        argv = [self.bin / "pvgpud", "--runtime-dir", self.runtime,
                "--worker", self.bin / "pvgpu-worker",
                "--host-memory", "1000%"]     # of small machines too
        for path in self.types_dirs:
            argv += ["--types-dir", path]
        env = dict(os.environ)
        if self.asan:
            env["ASAN_OPTIONS"] = "detect_leaks=1:abort_on_error=0:log_to_syslog=0"
            env["UBSAN_OPTIONS"] = "print_stacktrace=1"
        with open(self.log, "ab") as log:
            self.process = spawn([*argv, *self.args], stdout=log, stderr=log, env=env)
        deadline = time.monotonic() + 30
        while True:
            if self.process.poll() is not None:
                raise HostError(f"pvgpud ended with {self.process.returncode} at its start:\n"
                                + tail(self.log))
            if self.socket.exists():
                try:
                    self.ctl("list")
                    return self
                except HostError:
                    pass
            if time.monotonic() > deadline:
                raise HostError("pvgpud is not ready after 30 s:\n" + tail(self.log))
            time.sleep(0.05)

    def stop(self, check=True):
        if self.process is None:
            return
        process, self.process = self.process, None
        code = process.poll()
        if code is not None:
            code = f"{code} before it was told to"
        else:
            process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                code = "no end within 20 s of SIGTERM"
        if self._short:
            shutil.rmtree(self._short, ignore_errors=True)
        if check:
            if code != 0:
                raise HostError(f"pvgpud ended with {code}:\n" + tail(self.log))
            self.check_log()

    def check_log(self):
        """Raises if a sanitizer reported anything."""
        text = self.log.read_text(errors="replace")
        found = re.search(r"(AddressSanitizer|LeakSanitizer|runtime error:)", text)
        if found:
            at = max(0, found.start() - 200)
            raise HostError("a sanitizer reported:\n" + text[at:at + 3000])

    def ctl_argv(self, *args):
        # The tool itself is the same in both builds.
        return [str(BUILD / "bin/pvgpuctl"), "--socket", str(self.socket), *map(str, args)]

    def ctl(self, *args, json_output=False, timeout=30):
        argv = self.ctl_argv(*(("--json",) if json_output else ()), *args)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode:
            raise HostError(f"pvgpuctl {' '.join(map(str, args))}: status {done.returncode}: "
                            f"{done.stderr.strip() or done.stdout.strip()}")
        return json.loads(done.stdout) if json_output else done.stdout

    def create(self, name, type_name):
        self.ctl("create", name, type_name)

    def destroy(self, name):
        self.ctl("destroy", name)

    def qemu_args(self, name):
        return self.ctl("qemu-args", name).split()

    def screenshot(self, name, head, path=None):
        path = path or self.dir / f"{name}-{head}.png"
        self.ctl("screenshot", name, head, "-o", path)
        return read_png(path)
