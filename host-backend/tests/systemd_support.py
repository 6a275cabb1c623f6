# SPDX-License-Identifier: MIT
"""A service manager that is nothing but the notify socket and the
file-descriptor store of sd_notify(3) and sd_listen_fds(3), and a pvgpud under
it."""

import fcntl
import os
import shutil
import signal
import socket
import tempfile
import threading

from manager_support import *


class Systemd:
    """The service manager; a context manager that ends what it started."""

    def __init__(self, types="host-backend/types", worker=FAKE_WORKER):
        self.directory = tempfile.mkdtemp(prefix="pvgpu-")
        self.control = self.directory + "/run/control"
        self.log_path = self.directory + "/log"
        self.types = types
        self.worker = os.path.abspath(worker)
        self.options = []
        os.mkdir(self.directory + "/run")
        self.store = {}
        self.ready = threading.Event()
        self.watchdogs = 0
        self.lock = threading.Lock()
        self.pid = None
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.directory + "/notify")
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self.socket, 65536, 64)
            except OSError:
                return
            if not data:
                return
            fields = dict(line.split("=", 1)
                          for line in data.decode().splitlines())
            with self.lock:
                name = fields.get("FDNAME", "stored")
                if "FDSTORE" in fields:
                    for fd in fds:
                        # High numbers, out of the way of what is handed on.
                        self.store.setdefault(name, []).append(
                            fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 400))
                if "FDSTOREREMOVE" in fields:
                    for fd in self.store.pop(name, []):
                        os.close(fd)
                self.watchdogs += "WATCHDOG" in fields
            for fd in fds:      # BARRIER: its closing is the answer
                os.close(fd)
            if "READY" in fields:
                self.ready.set()

    def start(self, types=None, started="$$"):
        """`started` is the process that it says it started."""
        with self.lock:
            kept = [(name, fd) for name, fds in self.store.items()
                    for fd in fds]
        environment = dict(os.environ, NOTIFY_SOCKET=self.directory + "/notify",
                           WATCHDOG_USEC="1000000")
        if kept:
            environment |= {"LISTEN_FDS": str(len(kept)),
                            "LISTEN_FDNAMES": ":".join(n for n, _ in kept)}
        log = os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        actions = [(os.POSIX_SPAWN_DUP2, log, 1),
                   (os.POSIX_SPAWN_DUP2, log, 2)]
        actions += [(os.POSIX_SPAWN_DUP2, fd, 3 + number)
                    for number, (_, fd) in enumerate(kept)]
        check(len(kept) < 390, "a store that grows")
        self.ready.clear()
        self.pid = os.posix_spawn(
            "/bin/sh", ["sh", "-c", f'LISTEN_PID=$$ SYSTEMD_EXEC_PID={started} '
                        'exec "$@"', "sh",
                        ASAN_BIN + "/pvgpud", "--runtime-dir",
                        self.directory + "/run", "--types-dir",
                        types or self.types, "--worker", self.worker,
                        "--host-memory", "1000%", *self.options],
            environment, file_actions=actions)
        os.close(log)
        if not self.ready.wait(20):
            raise AssertionError("pvgpud is not ready:\n" + self.log())
        return self

    def end(self, number):
        """Ends pvgpud by a signal; what waitpid() says."""
        pid, self.pid = self.pid, None
        os.kill(pid, number)
        return os.waitpid(pid, 0)[1]

    def restart(self, number=signal.SIGKILL):
        status = self.end(number)
        check(status == (9 if number == signal.SIGKILL else 0),
              f"pvgpud ended with {status}:\n{self.log()}")
        return self.start()

    def kept(self, name=None):
        """Names in the store; of one vGPU, without its name."""
        with self.lock:
            check(all(len(fds) == 1 for fds in self.store.values()),
                  f"twice in the store: {self.store}")
            if name is None:
                return set(self.store)
            return {n.partition(".")[2] for n in self.store
                    if n.startswith(name + ".")}

    def drop_store(self):
        with self.lock:
            for fds in self.store.values():
                for fd in fds:
                    os.close(fd)
            self.store.clear()

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def call(self, method, **parameters):
        with Client(self) as client:
            return client.call(method, **parameters)

    def vgpu(self, name):
        return self.call("Show", name=name)["vgpu"]

    def running(self, name):
        def ready():
            vgpu = self.vgpu(name)
            return vgpu if vgpu["state"] == "running" else None
        return wait_until(ready, f"{name} is running")

    def path(self, name):
        return f"{self.directory}/run/{name}.sock"

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *rest):
        if self.pid:
            self.end(signal.SIGTERM)
        self.drop_store()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        log = self.log()
        shutil.rmtree(self.directory)
        if kind:
            for line in log.splitlines()[-60:]:
                print("# " + line)
        else:
            check("Sanitizer" not in log and "runtime error" not in log, log)
        return False
