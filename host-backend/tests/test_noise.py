#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Noise of fixed seeds on pvgpud's sockets, while it serves others: clients
that are no QEMU on a vGPU's socket, messages that are none on the control
socket, and all that hangs up at any moment. The daemon (ASan, UBSan) answers a
good client at once all the while, and keeps no descriptor of the others."""

import os
import random
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from manager_support import *


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(0.05)      # they say mostly nothing
    s.connect(path)
    return s


def quietly(function, *arguments):
    """What the other side's hanging up raises is all right here."""
    try:
        return function(*arguments)
    except (ConnectionError, socket.timeout, BlockingIOError):
        return None


def kinds(daemon):
    """What the daemon's descriptors are, once that does not change."""
    last = None
    while True:
        now = sorted(link.partition(":")[0] for link in
                     descriptors(daemon.pid).values())
        if now == last:
            return now
        last = now
        time.sleep(0.3)


def settled(daemon, before):
    """The daemon has the descriptors that it had before, and no others."""
    wait_until(lambda: kinds(daemon) == before,
               f"descriptors: {kinds(daemon)}, before {before}")


def served(daemon, seconds=2.0):
    start = time.monotonic()
    check(len(daemon.call("List")["vgpus"]) == 2, "List")
    check(time.monotonic() - start < seconds,
          f"an answer after {time.monotonic() - start:.1f} s")


def on_a_vgpus_socket():
    noise = random.Random(4711)
    with Daemon() as daemon:
        for name in ("a", "b"):
            daemon.call("Create", name=name, type="PV24-1Q")
        good = Qemu(daemon.directory + "/b.sock")
        wait_until(lambda: daemon.call("Show", name="b")["vgpu"]["state"] ==
                   "running", "running")
        before = kinds(daemon)
        for round in range(150):
            s = connect(daemon.directory + "/a.sock")
            for _ in range(noise.randrange(4)):
                what = noise.randrange(4)
                if what == 0:
                    quietly(s.send, noise.randbytes(noise.randrange(1, 3000)))
                elif what == 1:
                    quietly(s.recv, noise.randrange(1, 200))
                elif what == 2:
                    quietly(s.shutdown, noise.choice((socket.SHUT_RD,
                                                      socket.SHUT_WR)))
                else:
                    # Descriptors that nobody asked for.
                    fds = [os.open("/dev/null", os.O_RDONLY)
                           for _ in range(noise.randrange(1, 8))]
                    quietly(socket.send_fds, s, [b"12345678"], fds)
                    for fd in fds:
                        os.close(fd)
            s.close()
            if round % 10 == 0:
                served(daemon)
        # Many at once: one is served, the others wait or are sent away.
        crowd = [connect(daemon.directory + "/a.sock") for _ in range(40)]
        served(daemon)
        for s in crowd:
            s.close()
        settled(daemon, before)
        check(hung_up_or_silent(good), "the other vGPU's QEMU heard something")
        # And a QEMU gets its window as ever.
        qemu = Qemu(daemon.directory + "/a.sock")
        wait_until(lambda: daemon.call("Show", name="a")["vgpu"]["state"] ==
                   "running", "running")
        qemu.close()
        good.close()


def hung_up_or_silent(qemu):
    """True if nothing came, and the connection stands."""
    qemu.socket.setblocking(False)
    try:
        return bool(qemu.socket.recv(8)) and False
    except BlockingIOError:
        return True


def on_the_control_socket():
    noise = random.Random(815)
    calls = [Client.message("List"), Client.message("Show", name="a"),
             Client.message("SetHead", name="a", head=0, edid="00ff" * 64),
             Client.message("Create", name="c", type="X"),
             Client.message("Screenshot", name="a", head=0),
             Client.message("LibvirtXml", name="b"),
             Client.message("org.varlink.service.GetInfo")]
    with Daemon() as daemon:
        for name in ("a", "b"):
            daemon.call("Create", name=name, type="PV24-1Q")
        before = kinds(daemon)
        for round in range(400):
            s = connect(daemon.control)
            message = bytearray(b"".join(noise.choices(
                calls, k=noise.randrange(1, 4))))
            for _ in range(noise.randrange(5)):
                at = noise.randrange(len(message))
                what = noise.randrange(3)
                if what == 0:
                    message[at] = noise.randrange(256)
                elif what == 1:
                    del message[at:at + noise.randrange(30)]
                else:
                    message[at:at] = noise.choice(
                        (b"\0", b"{" * 40, b"[" * 4000, b'"', b"\xff\xfe",
                         b"9" * 400, noise.randbytes(50)))
                message = message or bytearray(b"\0")
            quietly(s.sendall, bytes(message))
            if noise.randrange(3):
                quietly(s.recv, 65536)
            s.close()
            if round % 40 == 0:
                served(daemon)
        settled(daemon, before)
        # Without an end, beyond every bound.
        s = connect(daemon.control)
        quietly(s.sendall, b"x" * (1 << 20))
        s.close()
        # Mutations may have renamed nothing and destroyed nothing.
        check([v["name"] for v in daemon.call("List")["vgpus"]] ==
              ["a", "b"], "the vGPUs")
        settled(daemon, before)


def on_both_at_once():
    with Daemon() as daemon:
        for name in ("a", "b"):
            daemon.call("Create", name=name, type="PV24-1Q")
        before = kinds(daemon)
        stop = threading.Event()
        failures = []

        def pester(seed):
            noise = random.Random(seed)
            try:
                while not stop.is_set():
                    s = quietly(connect, noise.choice(
                        (daemon.control, daemon.directory + "/a.sock")))
                    if not s:
                        continue
                    quietly(s.send, noise.randbytes(noise.randrange(1, 99)))
                    if noise.randrange(2):
                        quietly(s.recv, 8)
                    s.close()
            except Exception as problem:
                failures.append(problem)

        threads = [threading.Thread(target=pester, args=(seed,))
                   for seed in range(1, 4)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + 3
        while time.monotonic() < end:
            served(daemon, 5)
        stop.set()
        for thread in threads:
            thread.join(20)
        check(not failures, f"{failures}")
        settled(daemon, before)


if __name__ == "__main__":
    run_tests([on_a_vgpus_socket, on_the_control_socket, on_both_at_once])
