#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A virtual machine beside guests without manners, all of one pvgpud: while one
neighbour writes noise over its window and floods its rings, and clients make
noise on a vGPU's socket and on the control socket, the machine goes on flipping
and every picture of it is right on the host."""
import contextlib
import random
import re
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, "igt-tests")
from harness import BUILD, Host, Lazy, Picture, Vm, main, test

TYPE, HEADS = "PV24-1Q", 4
ABUSE_SECONDS = 5       # at a time, again and again until the machine has done its part
FLIPS = 20
# Each with another pattern, format and cursor: what the host has to show.
DRAWN = (("0:1024x768:XR24:1:100:100", "1:800x600:RG16:2:-20:-30"),
         ("0:800x600:XB24:5:790:590", "1:640x480:XR24:6:20:20"),
         ("0:640x480:RG16:7:30:40", "1:1024x768:XR24:8:1000:3"))

host = Lazy(lambda: Host("neighbour", asan=True).start())


def boot():
    for name in ("good", "bad", "noise"):
        host().create(name, TYPE)
    machine = Vm("neighbour", "trixie", host(), ["good"]).start().wait()
    machine.load()
    return machine


vm = Lazy(boot)


def shown(name):
    return host().ctl("show", name, json_output=True)


def frames():
    return sum(head["frames"] for head in shown("good")["heads"])


class Noise(threading.Thread):
    """Connects to a socket, sends what is no message, hangs up; again and again."""
    def __init__(self, path, seed):
        super().__init__(daemon=True)
        self.path, self.random = str(path), random.Random(seed)
        self.over, self.rounds = threading.Event(), 0

    def run(self):
        while not self.over.is_set():
            with socket.socket(socket.AF_UNIX) as s, contextlib.suppress(OSError):
                s.settimeout(0.05)
                s.connect(self.path)
                self.rounds += 1
                for _ in range(self.random.randrange(4)):
                    s.sendall(self.random.choice(
                        (b"\0", b'{"method":' * 50 + b"\0", b"[" * 4000 + b"\0",
                         self.random.randbytes(self.random.randrange(1, 3000)))))
                    if self.random.randrange(2):
                        s.recv(4096)
            # Noise, not all of the host's processors.
            time.sleep(0.01)

    def end(self):
        self.over.set()
        self.join(20)
        assert not self.is_alive() and self.rounds > 10, f"{self.path}: {self.rounds} rounds"
        return self.rounds


class Abuse(threading.Thread):
    """pvgpu-hostile on a vGPU, each time with another seed."""
    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.over, self.said, self.failed = path, threading.Event(), [], None

    def run(self):
        while not self.over.is_set() and not self.failed:
            done = subprocess.run([BUILD / "bin/pvgpu-hostile", self.path, str(ABUSE_SECONDS),
                                   str(4711 + len(self.said))], capture_output=True, text=True,
                                  timeout=120, check=False)
            self.said.append(done.stdout.strip())
            if done.returncode:
                self.failed = f"status {done.returncode}: {done.stdout}{done.stderr}"

    def end(self):
        self.over.set()
        self.join(120)
        assert not self.is_alive() and not self.failed, self.failed
        for line in self.said:
            numbers = list(map(int, re.findall(r"\d+", line)))
            assert len(numbers) == 7 and all(numbers), line
        return self.said


def expected(folder, head, width, height):
    raw = (folder / f"head-{head}.xrgb").read_bytes()
    rgb = bytearray(width * height * 3)
    rgb[0::3], rgb[1::3], rgb[2::3] = raw[2::4], raw[1::4], raw[0::4]
    return Picture(width, height, rgb)


def draws(specs, name):
    """The machine draws; what the host shows is that, to the pixel."""
    folder = vm().share / name
    folder.mkdir()
    command = vm().start_command(f"exec pvgpu-drmtest draw /host/{name} {' '.join(specs)}")
    end = time.monotonic() + 120
    while not (folder / "ready").exists():
        assert not command.ended and time.monotonic() < end, command.out + command.err
        time.sleep(0.05)
    problems = []
    for spec in specs:
        head, size = spec.split(":")[:2]
        problem = host().screenshot("good", int(head)).difference(
            expected(folder, head, *map(int, size.split("x"))))
        if problem:
            problems.append(f"{spec}: {problem}")
    (folder / "ready").unlink()
    (folder / "done").touch()
    command.end()
    result = command.wait(60)
    assert result.status == 0, result.err
    assert not problems, "\n".join(problems)


def flips():
    """Flips on all heads, each with its event; how many a second."""
    before, start = frames(), time.monotonic()
    vm().run(f"pvgpu-drmtest flips {FLIPS}")
    done = frames() - before
    assert done >= FLIPS * HEADS, f"the host latched {done} frames of {FLIPS * HEADS}"
    return done / (time.monotonic() - start)


@test
def a_machine_flips_and_draws_alone():
    vm()
    rate = flips()
    draws(DRAWN[0], "alone")
    print(f"# {rate:.0f} frames/s")


@test
def and_goes_on_beside_a_hostile_guest_and_noise():
    vm()
    worker = shown("good")["vgpu"]["workerPid"]
    abuse = Abuse(host().runtime / "bad.sock")
    noise = [Noise(host().runtime / "noise.sock", 1), Noise(host().socket, 2)]
    for thread in (abuse, *noise):
        thread.start()
    try:
        rates = []
        for number, specs in enumerate(DRAWN):
            rates.append(flips())
            draws(specs, f"beside-{number}")
            assert abuse.is_alive(), f"the abuse ended: {abuse.failed}"
    finally:
        rounds = [thread.end() for thread in noise]
        said = abuse.end()
    print(f"# beside them {min(rates):.0f} to {max(rates):.0f} frames/s; "
          f"connections of noise: {rounds}")
    for line in said:
        print(f"# the hostile guest: {line}")
    now = shown("good")
    assert now["vgpu"]["workerPid"] == worker, "the machine's worker was replaced"
    assert now["counters"]["refused"] == 0, now["counters"]
    assert "worker died" not in host().log.read_text(errors="replace")
    vm().check_dmesg()


def cleanup():
    if vm.made:
        vm().stop()
    if host.made:
        host().stop()


main(cleanup)
