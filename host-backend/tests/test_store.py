#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pvgpud's restarts, under a service manager of our own: it is told to end, is
killed, and finds on its return that workers and QEMUs have gone or come."""

import fcntl
import os
import random
import shutil
import signal
import socket
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from systemd_support import *

SESSION = {"window", "state", "qemu"} | {f"doorbell{i}" for i in range(4)} | \
          {f"interrupt{i}" for i in range(4)}
WORKER = {"worker", "pidfd", "grants", "bell", "go", "report"}
ALWAYS = {"record", "board"}


def frames(systemd, name):
    """How many questions the worker has answered; asking counts."""
    return systemd.call("Show", name=name)["heads"][0]["frames"]


def dead(pid):
    """A zombie of whoever adopts orphans here counts as dead."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


# -------------------------------------------------------------------- tests

def everything_is_stored_by_name_and_removed_by_name():
    with Systemd() as systemd:
        check(systemd.kept() == ALWAYS, f"at first: {systemd.kept()}")
        systemd.call("Create", name="a", type="PV24-2Q")
        check(systemd.kept("a") == {"listener"}, f"{systemd.kept()}")
        qemu = Qemu(systemd.path("a"))
        # Before the handshake, so no waiting here.
        check(systemd.kept("a") >= SESSION, f"{systemd.kept('a')}")
        systemd.running("a")
        check(systemd.kept("a") == {"listener"} | SESSION | WORKER,
              f"{systemd.kept('a')}")
        qemu.close()
        wait_until(lambda: systemd.kept("a") == {"listener"},
                   "the session is removed")
        systemd.call("Destroy", name="a")
        wait_until(lambda: systemd.kept() == ALWAYS,
                   f"at last: {systemd.kept()}")


def nothing_is_lost_over_restarts_and_kills():
    with Systemd() as systemd:
        for name in ("a", "b", "idle"):
            systemd.call("Create", name=name, type="PV24-1Q")
        qemus = {name: Qemu(systemd.path(name)) for name in ("a", "b")}
        before = {name: systemd.running(name) for name in qemus}
        before["idle"] = systemd.vgpu("idle")
        systemd.call("SetScheduling", name="a", weight=7, frameLimit=0)
        slices = systemd.call("GetGpuScheduling")["vgpus"]
        kept = systemd.kept()
        asked = frames(systemd, "a")
        for round in range(10):
            systemd.restart(signal.SIGKILL if round % 2 else signal.SIGTERM)
            for name, vgpu in before.items():
                now = systemd.vgpu(name)
                check(now == vgpu, f"round {round}: {now}, was {vgpu}")
            check(systemd.kept() == kept,
                  f"round {round}: {systemd.kept() ^ kept}")
            now = systemd.call("GetGpuScheduling")["vgpus"]
            check(now == slices, f"round {round}: {now}, was {slices}")
            now = frames(systemd, "a")
            check(now > asked, "it is the same worker that answers")
            asked = now
        # One worker each since the beginning; the guests saw nothing.
        for qemu in qemus.values():
            check(qemu.wait_vector() == 1, "more than one worker")
            qemu.close()
        wait_until(lambda: systemd.kept() ==
                   ALWAYS | {"a.listener", "b.listener", "idle.listener"},
                   "the sessions end")
        again = Qemu(systemd.path("a"))
        systemd.running("a")
        again.close()


def a_worker_that_dies_meanwhile_is_replaced():
    with Systemd() as systemd:
        systemd.call("Create", name="a", type="PV24-1Q")
        qemu = Qemu(systemd.path("a"))
        first = systemd.running("a")["workerPid"]
        qemu.wait_vector()
        systemd.end(signal.SIGKILL)
        os.kill(first, signal.SIGKILL)
        systemd.start()
        qemu.wait_vector()      # the next one is there, with these eventfds
        second = systemd.running("a")["workerPid"]
        check(second != first and dead(first), f"{first}, {second}")
        # And one that is not our child dies under our eyes.
        systemd.restart()
        os.kill(second, signal.SIGKILL)
        qemu.wait_vector()
        check(systemd.running("a")["workerPid"] != second, "a third one")
        check(systemd.kept("a") == {"listener"} | SESSION | WORKER,
              f"{systemd.kept('a')}")
        qemu.close()


def a_trace_ends_with_the_pvgpud_that_was_asked():
    with Systemd() as systemd:
        systemd.call("Create", name="a", type="PV24-1Q")
        qemu = Qemu(systemd.path("a"))
        worker = systemd.running("a")["workerPid"]

        def traces():
            with open(f"/proc/{worker}/maps") as f:
                return "pvgpu-trace" in f.read()
        client = Client(systemd)
        client.send(client.message("Trace", milliseconds=600000))
        wait_until(traces, "a trace")
        systemd.end(signal.SIGKILL)
        client.close()
        systemd.start()
        wait_until(lambda: not traces(), "its end")
        check(systemd.running("a")["workerPid"] == worker, "another worker")
        qemu.close()


def a_qemu_that_leaves_meanwhile_is_noticed():
    with Systemd() as systemd:
        systemd.call("Create", name="a", type="PV24-1Q")
        qemu = Qemu(systemd.path("a"))
        worker = systemd.running("a")["workerPid"]
        systemd.end(signal.SIGKILL)
        qemu.close()
        systemd.start()
        wait_until(lambda: systemd.kept("a") == {"listener"} and
                   dead(worker), "the session and its worker end")
        check(systemd.vgpu("a")["state"] == "waiting", "it waits")
        other = Qemu(systemd.path("a"))
        systemd.running("a")
        other.close()


def a_qemu_that_comes_meanwhile_is_served():
    with Systemd() as systemd:
        systemd.call("Create", name="a", type="PV24-1Q")
        systemd.end(signal.SIGTERM)
        # It waits in the listener that the store holds open.
        timer = threading.Timer(0.3, systemd.start)
        timer.start()
        qemu = Qemu(systemd.path("a"))
        timer.join()
        systemd.running("a")
        qemu.close()


def a_kill_at_any_moment_leaves_no_qemu_hanging():
    random.seed(11)
    with Systemd() as systemd:
        systemd.call("Create", name="a", type="PV24-1Q")
        for round in range(25):
            early = threading.Timer(random.random() * 0.02,
                                    os.kill, (systemd.pid, signal.SIGKILL))
            early.start()
            qemu = None
            try:
                # All of the handshake from one of the two pvgpuds, or an end.
                starter = threading.Timer(0.05, lambda: systemd.restart(
                    signal.SIGKILL))
                starter.start()
                qemu = Qemu(systemd.path("a"), timeout=10)
            except (ConnectionResetError, AssertionError) as problem:
                check("odd word: b''" in str(problem) or isinstance(
                    problem, ConnectionResetError), f"{problem}")
            early.join()
            starter.join()
            if qemu:
                # It may have been cut after its handshake, but not be deaf.
                qemu.socket.settimeout(0.01)
                try:
                    gone = qemu.socket.recv(8) == b""
                except TimeoutError:
                    gone = False
                if not gone:
                    systemd.running("a")
                    qemu.wait_vector()
                qemu.close()
            wait_until(lambda: systemd.kept() == ALWAYS | {"a.listener"},
                       f"round {round}: all is removed: {systemd.kept()}")


def what_belongs_to_nothing_is_removed():
    with Systemd() as systemd:
        systemd.call("Create", name="a", type="PV24-1Q")
        systemd.end(signal.SIGTERM)
        for name in ("ghost.window", "ghost.qemu", "a.doorbell2", "a.pidfd",
                     "what-is-this"):
            systemd.store[name] = [fcntl.fcntl(
                systemd.socket, fcntl.F_DUPFD_CLOEXEC, 400)]
        systemd.start()
        wait_until(lambda: systemd.kept() == ALWAYS | {"a.listener"},
                   f"removed: {systemd.kept()}")
        log = systemd.log()
        for name in ("ghost.window", "ghost.qemu", "what-is-this"):
            check(f"'{name}' belongs to nothing" in log, log)
        check(systemd.vgpu("a")["state"] == "waiting", "a is well")


def a_record_cut_short_leaves_the_one_before():
    with Systemd() as systemd:
        systemd.call("Create", name="a", type="PV24-1Q")
        systemd.call("Create", name="b", type="PV24-1Q")
        systemd.end(signal.SIGKILL)
        record = systemd.store["record"][0]
        slot = 24 + (4 << 20)
        numbers = [struct.unpack("<QQQ", os.pread(record, 24, at))[1]
                   for at in (0, slot)]
        newest = slot * numbers.index(max(numbers))
        os.pwrite(record, b'{"vgpus": [', newest + 24)
        systemd.start()
        names = {v["name"] for v in systemd.call("List")["vgpus"]}
        check(names == {"a"}, f"the record before had a: {names}")
        check("b.listener" not in systemd.kept(), "b's listener is removed")


def a_worker_of_another_version_is_replaced():
    with Systemd() as systemd:
        systemd.call("Create", name="a", type="PV24-1Q")
        qemu = Qemu(systemd.path("a"))
        first = systemd.running("a")["workerPid"]
        qemu.wait_vector()
        systemd.end(signal.SIGTERM)
        record = systemd.store["record"][0]
        for at in (24, 48 + (4 << 20)):
            text = os.pread(record, 65536, at)
            found = text.find(b'"workerLink":')
            if found >= 0:
                os.pwrite(record, b"9", at + found + len('"workerLink":'))
        systemd.start()
        qemu.wait_vector()      # QEMU keeps its window and eventfds
        check(systemd.running("a")["workerPid"] != first, "the same worker")
        check("of another version" in systemd.log(), "a line about it")
        qemu.close()


def a_vgpu_keeps_its_limits_when_its_type_is_gone():
    with Systemd() as systemd:
        systemd.call("Create", name="a", type="PV24-2Q")
        qemu = Qemu(systemd.path("a"))
        before = systemd.running("a")
        slices = systemd.call("GetScheduling", name="a")
        systemd.end(signal.SIGKILL)
        other = systemd.directory + "/types"
        os.mkdir(other)
        found = False
        for name in os.listdir("host-backend/types"):
            if not name.endswith(".conf"):
                continue
            with open("host-backend/types/" + name) as f:
                text = f.read()
            found |= "PV24-2Q" in text
            with open(f"{other}/{name}", "w") as f:
                f.write(text.replace("PV24-", "PV25-"))
        check(found, "the type's file")
        systemd.start(types=other)
        check(systemd.vgpu("a") == before, f"{systemd.vgpu('a')}")
        check(systemd.call("GetScheduling", name="a") == slices, "slices")
        qemu.close()


def a_configuration_that_became_too_small_takes_no_vgpu_away():
    with Systemd() as systemd, tempfile.TemporaryDirectory() as state:
        for name, kind, at in (("a", "PV24-2Q", 1), ("b", "PV24-3Q", 18)):
            systemd.call("Create", name=name, type=kind, placement=at)
        before = {v["name"]: v for v in systemd.call("List")["vgpus"]}
        qemu = Qemu(systemd.path("b"))
        systemd.running("b")
        systemd.end(signal.SIGKILL)
        # A state directory that has none of them yet.
        systemd.options = ["--gpu-memory", "4GiB", "--gpu-mode", "equal",
                           "--vgpu-socket-group", "4294967294",
                           "--state-dir", state]
        systemd.start()
        after = {v["name"]: v for v in systemd.call("List")["vgpus"]}
        check(all(after[n]["placement"] == v["placement"] and
                  after[n]["uuid"] == v["uuid"] for n, v in before.items()),
              f"{after}")
        check(systemd.running("b")["qemuPid"] == os.getpid(), "b is served")
        gpu = systemd.call("GetGpu")["gpu"]
        check(gpu["mode"] == "mixed" and
              gpu["memory"]["limit"] == 21 << 30, f"{gpu}")
        check("the GPU is taken for 21 GiB, mixed sizes" in systemd.log(),
              systemd.log())
        check(sorted(os.listdir(state + "/vgpus")) == ["a.json", "b.json"],
              "they are saved now")
        qemu.close()


def the_end_of_the_store_is_the_end_of_all():
    with Systemd() as systemd:
        systemd.call("Create", name="a", type="PV24-1Q")
        qemu = Qemu(systemd.path("a"))
        worker = systemd.running("a")["workerPid"]
        systemd.end(signal.SIGTERM)
        check(not dead(worker), "the worker outlives its pvgpud")
        systemd.drop_store()
        check(hung_up(qemu.socket), "QEMU's socket is open")
        wait_until(lambda: dead(worker), "the worker ends")
        qemu.close()
        systemd.start()
        check(systemd.call("List")["vgpus"] == [], "nothing is left")


def the_store_of_another_service_is_left_alone():
    """A pvgpud that somebody runs by hand in a shell of some service."""
    with Systemd() as systemd:
        systemd.end(signal.SIGTERM)
        systemd.drop_store()
        systemd.start(started="1")
        systemd.call("Create", name="a", type="PV24-1Q")
        qemu = Qemu(systemd.path("a"))
        worker = systemd.running("a")["workerPid"]
        check(systemd.kept() == set(), f"stored: {systemd.kept()}")
        systemd.end(signal.SIGTERM)
        check(dead(worker) and not os.path.exists(systemd.path("a")),
              "it left something")
        check(hung_up(qemu.socket), "QEMU's socket is open")
        qemu.close()


def the_watchdog_is_fed():
    with Systemd() as systemd:
        wait_until(lambda: systemd.watchdogs >= 2, "two signs of life", 5)


run_tests([
    everything_is_stored_by_name_and_removed_by_name,
    nothing_is_lost_over_restarts_and_kills,
    a_worker_that_dies_meanwhile_is_replaced,
    a_trace_ends_with_the_pvgpud_that_was_asked,
    a_qemu_that_leaves_meanwhile_is_noticed,
    a_qemu_that_comes_meanwhile_is_served,
    a_kill_at_any_moment_leaves_no_qemu_hanging,
    what_belongs_to_nothing_is_removed,
    a_record_cut_short_leaves_the_one_before,
    a_worker_of_another_version_is_replaced,
    a_vgpu_keeps_its_limits_when_its_type_is_gone,
    a_configuration_that_became_too_small_takes_no_vgpu_away,
    the_end_of_the_store_is_the_end_of_all,
    the_store_of_another_service_is_left_alone,
    the_watchdog_is_fed,
])
