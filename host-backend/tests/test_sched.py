#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pvgpuctl sched and the methods behind it: what is in effect, every refusal,
shares that are given away, what each worker is told, and that all of it is
still there after a SIGKILL and under a reload of the configuration."""

import json
import os
import signal
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from manager_support import *

FAKE_FRAME_LIMIT = 2048
WHOLE = 1000000000


COMMAND = Command("sched")
ctl, good, refused = COMMAND.run, COMMAND.good, COMMAND.refused


def of(daemon, name):
    return daemon.call("GetScheduling", name=name)["vgpu"]


def gpu(daemon):
    return daemon.call("GetGpuScheduling")["gpu"]


def reload(daemon, outcome):
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: outcome in daemon.log(), outcome)


def shows_and_sets():
    with Daemon() as daemon:
        daemon.call("Create", name="a", type="PV24-2Q")
        daemon.call("Create", name="b", type="PV24-1B")
        rows = good(daemon, "show").splitlines()
        check(rows[0].split() == ["policy", "best-effort", "configured", "or",
                                  "by", "default"], f"{rows}")
        check(rows[2].split()[:2] == ["slice", "2ms"] and
              rows[3].split()[:2] == ["frequency", "480"] and
              rows[4].split()[:2] == ["factor", "33"], f"{rows}")
        check(rows[-2].split() == ["a", "100", "8.3333333%", "100%", "2s",
                                   "60"], f"{rows}")
        check(rows[-1].split() == ["b", "100", "4.1666666%", "100%", "2s",
                                   "45"], f"{rows}")
        rows = good(daemon, "set", "--policy", "equal-share", "--order",
                    "least-served", "--slice=2.5ms", "--factor",
                    "60").splitlines()
        check([row.split() for row in rows] == [
            ["policy", "equal-share", "set"], ["order", "least-served", "set"],
            ["slice", "2.5ms", "set"],
            ["frequency", "480", "configured", "or", "by", "default"],
            ["factor", "60", "set"]], f"{rows}")
        rows = good(daemon, "set", "b", "--weight", "300", "--share", "12.5%",
                    "--borrow", "200%", "--watchdog", "500ms",
                    "--frame-limit", "off")
        check(rows == good(daemon, "show", "b"), rows)
        check(of(daemon, "b") == {
            "name": "b", "weight": 300, "share": WHOLE // 8, "borrow": 200,
            "watchdog": 500000000, "frameLimit": 0,
            "set": ["weight", "share", "borrow", "watchdog", "frameLimit"]},
            f"{of(daemon, 'b')}")
        reply = json.loads(good(daemon, "show", "--json"))
        check(reply == daemon.call("GetGpuScheduling") and
              reply["vgpus"][1] == of(daemon, "b"), f"{reply}")
        check(json.loads(good(daemon, "--json", "show", "b")) ==
              {"vgpu": of(daemon, "b")}, "show b")
        check(of(daemon, "a")["set"] == [], "the other")
        # And back.
        good(daemon, "set", "b", "--weight", "default", "--share", "default",
             "--frame-limit", "default")
        check(of(daemon, "b") == {
            "name": "b", "weight": 100, "share": WHOLE // 24, "borrow": 200,
            "watchdog": 500000000, "frameLimit": 45000,
            "set": ["borrow", "watchdog"]}, f"{of(daemon, 'b')}")
        text = good(daemon, "set", "--order", "default", "--slice", "default")
        check("slice       2ms " in text and gpu(daemon)["set"] ==
              ["policy", "factor"], text)
        # Who did what is in the log, like any other change.
        check('SetScheduling {"name":"b","weight":-1,"share":-1,"frameLimit":'
              '-1}: done' in daemon.log(), daemon.log())


def wrong_settings_are_refused():
    with Daemon() as daemon:
        daemon.call("Create", name="a", type="PV24-2Q")
        before = daemon.call("GetGpuScheduling")
        for arguments, error in (
                (["set", "--slice", "31ms"], "--slice: '31ms' given; allowed "
                 "is 1ms to 30ms; or default"),
                (["set", "--slice", "0.5ms"], "--slice: '0.5ms' given"),
                (["set", "--frequency", "62"], "--frequency: '62' given; "
                 "allowed is 63 to 960, in Hz"),
                (["set", "--frequency", "961"], "--frequency: '961'"),
                (["set", "--factor", "0"], "--factor: '0' given; allowed is 1 "
                 "to 60"),
                (["set", "--policy", "fair"], "--policy: 'fair' given; allowed "
                 "is best-effort, equal-share or fixed-share"),
                (["set", "--order", "round"], "--order: 'round' given; allowed "
                 "is strict or least-served"),
                (["set", "a", "--weight", "1001"], "--weight: '1001' given; "
                 "allowed is 1 to 1000"),
                (["set", "a", "--share", "0%"], "--share: '0%' given"),
                (["set", "a", "--borrow", "99%"], "--borrow: '99%' given; "
                 "allowed is 100% to 3200%"),
                (["set", "a", "--watchdog", "61s"], "--watchdog: '61s' given; "
                 "allowed is 10ms to 60s"),
                (["set", "a", "--frame-limit", "0"], "--frame-limit: '0' "
                 "given; allowed is 1 to 1000, in Hz with up to three "
                 "decimals, or off"),
                (["set", "a", "--policy", "best-effort"], "--policy: is set "
                 "of the GPU"),
                (["set", "--weight", "1"], "--weight: is set of a vGPU"),
                (["set"], "set: nothing given"), (["set", "a"], "nothing"),
                (["show", "--weight", "1"], "--weight: is for set"),
                (["frob"], "'frob' given; allowed are show and set"),
                ([], "needs show|set [NAME]")):
            refused(daemon, error, *arguments, status=2)
        refused(daemon, "name: 'x' is not a vGPU; there are: a", "show", "x")
        refused(daemon, "name: 'x' is not a vGPU", "set", "x", "--weight", "2")
        # And by those that ask the daemon without pvgpuctl.
        for method, field, value, allowed in (
                ("SetGpuScheduling", "slice", 30000001, "1ms to 30ms"),
                ("SetGpuScheduling", "frequency", 2 ** 32 + 480, "63 to 960"),
                ("SetGpuScheduling", "factor", -2, "1 to 60"),
                ("SetGpuScheduling", "policy", "", "best-effort, "),
                ("SetScheduling", "weight", 0, "1 to 1000"),
                ("SetScheduling", "share", WHOLE + 1, "a part of the GPU"),
                ("SetScheduling", "borrow", 2 ** 62, "100% to 3200%"),
                ("SetScheduling", "watchdog", 1, "10ms to 60s"),
                ("SetScheduling", "frameLimit", 999, "1 to 1000")):
            name = {"name": "a"} if method == "SetScheduling" else {}
            with Client(daemon) as client:
                client.send(client.message(method, **name, **{field: value}))
                reply = client.receive()
            check(reply["error"] == "io.pvgpu.Manager.InvalidSetting" and
                  reply["parameters"]["field"] == field and
                  f"given; allowed is {allowed}" in
                  reply["parameters"]["message"], f"{reply}")
        check(daemon.call("GetGpuScheduling") == before, "something changed")


def shares_are_given_away_once():
    with Daemon("--policy", "fixed-share") as daemon:
        check(gpu(daemon)["policy"] == "fixed-share" and
              gpu(daemon)["set"] == [], f"{gpu(daemon)}")
        daemon.call("Create", name="a", type="PV24-12Q")
        check(of(daemon, "a")["share"] == WHOLE // 2, "half of the memory")
        good(daemon, "set", "a", "--share", "96%")
        reply = daemon.call("ListTypes")
        room = {t["name"]: n for t, n in zip(reply["types"], reply["room"])}
        check(room["PV24-1Q"] == 0 and room["PV24-2Q"] == 0, f"{room}")
        result = subprocess.run([Command.PROGRAM, "--socket", daemon.control, "create",
                                 "b", "PV24-1Q"], capture_output=True,
                                text=True, timeout=30)
        check(result.returncode == 1 and "type: the policy is fixed-share, "
              "PV24-1Q's share is 4.1666666%, and 4% of the GPU's time are "
              "not given away yet; types that fit: none" in result.stderr,
              f"{result}")
        good(daemon, "set", "a", "--share", "50%")
        daemon.call("Create", name="b", type="PV24-1Q")
        refused(daemon, "share: it would be 51%; allowed is up to 50%: the "
                "policy is fixed-share, and the other vGPUs have the rest",
                "set", "b", "--share", "51%")
        good(daemon, "set", "b", "--share", "50%")
        # Without the policy they are as many as anybody likes.
        good(daemon, "set", "--policy", "equal-share")
        good(daemon, "set", "b", "--share", "100%")
        refused(daemon, "policy: the vGPUs that there are have 150% of the "
                "GPU's time together; fixed-share is for up to 100%", "set",
                "--policy", "fixed-share")
        refused(daemon, "150% of the GPU's time", "set", "--policy", "default")
        check(gpu(daemon)["policy"] == "equal-share" and
              gpu(daemon)["set"] == ["policy"], f"{gpu(daemon)}")
    # One of as many as there could be, where sizes are equal.
    with Daemon("--policy", "fixed-share", "--gpu-mode", "equal",
                "--gpu-memory", "25GiB") as daemon:
        for i in range(3):
            daemon.call("Create", name=f"n{i}", type="PV24-8A")
        check({v["share"] for v in
               daemon.call("GetGpuScheduling")["vgpus"]} == {WHOLE // 3},
              "a third each")


def defaults_follow_the_number_of_vgpus():
    with Daemon() as daemon:
        for i in range(9):
            check((gpu(daemon)["slice"], gpu(daemon)["frequency"]) ==
                  (2000000, 480), f"{i}: {gpu(daemon)}")
            daemon.call("Create", name=f"n{i}", type="PV24-1Q")
        check((gpu(daemon)["slice"], gpu(daemon)["frequency"]) ==
              (1000000, 960), f"{gpu(daemon)}")
        good(daemon, "set", "--frequency", "100")
        daemon.call("Destroy", name="n3")
        check((gpu(daemon)["slice"], gpu(daemon)["frequency"]) ==
              (2000000, 100), f"{gpu(daemon)}")


def workers_are_told_the_limit():
    def told(qemu):
        return struct.unpack("<I", os.pread(
            qemu.window, 4, qemu.guest_offset + FAKE_FRAME_LIMIT))[0]

    def running():
        return daemon.call("Show", name="a")["vgpu"]["state"] == "running"

    with Daemon() as daemon:
        daemon.call("Create", name="a", type="PV24-1B")
        qemu = Qemu(daemon.directory + "/a.sock")
        wait_until(running, "running")
        check(told(qemu) == 45000, f"{told(qemu)}")
        good(daemon, "set", "a", "--frame-limit", "29.97")
        wait_until(lambda: told(qemu) == 29970, "the worker is told")
        good(daemon, "set", "a", "--frame-limit", "off")
        wait_until(lambda: told(qemu) == 0, "off")
        good(daemon, "set", "a", "--frame-limit", "10")
        wait_until(lambda: told(qemu) == 10000, "again")
        qemu.close()
        wait_until(lambda: not running(), "gone")
        qemu = Qemu(daemon.directory + "/a.sock")
        wait_until(running, "running again")
        check(told(qemu) == 10000, f"the next worker: {told(qemu)}")
        qemu.close()


def what_was_set_outlives_the_daemon():
    with tempfile.TemporaryDirectory(prefix="pvgpu-") as state:
        with Daemon("--state-dir", state, "--slice", "5ms") as daemon:
            daemon.call("Create", name="a", type="PV24-2Q")
            good(daemon, "set", "--policy", "fixed-share", "--factor", "7")
            good(daemon, "set", "a", "--frame-limit", "off", "--share", "40%")
            before = daemon.call("GetGpuScheduling")
            check(before["gpu"]["slice"] == 5000000, f"{before}")
            daemon.process.kill()
            daemon.process.wait()
        with Daemon("--state-dir", state, "--slice", "6ms") as daemon:
            before["gpu"]["slice"] = 6000000
            check(daemon.call("GetGpuScheduling") == before,
                  f"{daemon.call('GetGpuScheduling')} and not {before}")
            good(daemon, "set", "--policy", "default", "--factor", "default")
            good(daemon, "set", "a", "--share", "default")
        with Daemon("--state-dir", state) as daemon:
            check(gpu(daemon)["set"] == [] and gpu(daemon)["policy"] ==
                  "best-effort" and of(daemon, "a")["set"] == ["frameLimit"],
                  f"{daemon.call('GetGpuScheduling')}")


def what_is_configured_counts_less():
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
        def write(text):
            config.seek(0)
            config.truncate()
            config.write(text)
            config.flush()

        write("[scheduler]\npolicy = equal-share\nfactor = 10\n")
        with Daemon("--config", config.name) as daemon:
            daemon.call("Create", name="a", type="PV24-2Q")
            daemon.call("Create", name="b", type="PV24-2Q")
            good(daemon, "set", "--factor", "20")
            write("[scheduler]\norder = least-served\nslice = 9ms\n"
                  "factor = 30\n")
            reload(daemon, "reload: done")
            check(gpu(daemon) == {
                "policy": "best-effort", "order": "least-served",
                "slice": 9000000, "frequency": 480, "factor": 20,
                "set": ["factor"]}, f"{gpu(daemon)}")
            for name in "ab":
                good(daemon, "set", name, "--share", "60%")
            write("[scheduler]\npolicy = fixed-share\n")
            reload(daemon, "policy: fixed-share given; allowed is one of the "
                   "others, since the vGPUs that there are have 120%")
            check(gpu(daemon)["slice"] == 9000000, "something was taken over")


if __name__ == "__main__":
    run_tests([
        shows_and_sets,
        wrong_settings_are_refused,
        shares_are_given_away_once,
        defaults_follow_the_number_of_vgpus,
        workers_are_told_the_limit,
        what_was_set_outlives_the_daemon,
        what_is_configured_counts_less,
    ])
