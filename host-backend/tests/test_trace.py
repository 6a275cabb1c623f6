#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pvgpuctl trace: what a known load leaves in the file, and that the file is
what Perfetto reads; workers that write nonsense into theirs, die or hang; and
callers that go."""

import json
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from manager_support import *

CTL = os.path.abspath(ASAN_BIN + "/pvgpuctl")
MANY = PLAIN_BIN + "/pvgpu-many"
CONFORM = PLAIN_BIN + "/pvgpu-conform"
WORKER = os.path.abspath(ASAN_BIN + "/pvgpu-worker")
FENCE = 77          # helper_fake_worker.h
HEADS = 4
TYPES = """
[MANY-2Q]
series = Q
framebuffer = 2GiB
heads = 4
max_resolution = 7680x4320
max_pixels = 36864000
default_mode = 1920x1080@60
classes = copy virgl
"""


def ctl(daemon, *arguments):
    return subprocess.run([CTL, "--socket", daemon.control, *arguments],
                          capture_output=True, text=True, timeout=120,
                          cwd=daemon.directory)


def start_trace(daemon, seconds, *arguments):
    """A trace to the standard output, that is on."""
    before = len([1 for link in descriptors(daemon.pid).values()
                  if "pvgpu-trace" in link])
    process = subprocess.Popen(
        [CTL, "--socket", daemon.control, "trace", "-o", "-", "-s",
         str(seconds), *arguments], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    wait_until(lambda: len([1 for link in descriptors(daemon.pid).values()
                            if "pvgpu-trace" in link]) > before, "a trace")
    return process


def result(process):
    text, errors = process.communicate(timeout=120)
    check(process.returncode == 0 and not errors, f"{errors}")
    return Trace(text)


class Trace:
    """A file, which must be well formed: .names {pid: vGPU}, .events of a pid
    without what names tracks, .tracks {(pid, tid): name}, .data."""

    def __init__(self, text):
        whole = json.loads(text)
        self.data = whole["otherData"]
        self.names, self.tracks, self.all = {}, {}, []
        open_ones, arrows, ends = {}, {}, {}
        for event in whole["traceEvents"]:
            phase, pid, at = event["ph"], event["pid"], event["ts"]
            check(at >= 0, f"{event}")
            if phase == "M":
                args = event["args"]
                if event["name"] == "process_name":
                    check(pid not in self.names, f"{event}")
                    self.names[pid] = args["name"]
                elif event["name"] == "thread_name":
                    self.tracks[pid, event["tid"]] = args["name"]
                continue
            self.all.append(event)
            key = event.get("cat"), pid, event.get("id")
            if phase == "X":
                check(event["dur"] >= 0, f"{event}")
                # On one track they follow each other.
                track = pid, event["tid"]
                check(at >= ends.get(track, 0) - 0.002, f"{event} overlaps "
                      f"what ends at {ends.get(track)}")
                ends[track] = at + event["dur"]
            elif phase == "b":
                check(key not in open_ones, f"{event} twice")
                open_ones[key] = event
            elif phase == "e":
                begun = open_ones.pop(key)
                check(begun["ts"] <= at and begun["name"] == event["name"],
                      f"{event}")
                begun["dur"] = at - begun["ts"]
            elif phase == "s":
                check(key not in arrows, f"{event}")
                arrows[key] = event
            elif phase == "f":
                check(arrows.pop(key)["ts"] <= at, f"{event}")
            else:
                check(phase == "i", f"{event}")
            check(event.get("name"), f"{event}")
        check(not open_ones and not arrows, f"{open_ones} {arrows}")
        check({event["pid"] for event in self.all} <= self.names.keys(),
              "an event of no vGPU")
        for event in self.all:
            check(event["ph"] in "be" or
                  (event["pid"], event["tid"]) in self.tracks, f"{event}")

    def of(self, vgpu, track=None, phase=None):
        pid, = (pid for pid, name in self.names.items() if name == vgpu)
        return [event for event in self.all if event["pid"] == pid and
                (phase is None or event["ph"] == phase) and
                (track is None or
                 self.tracks.get((pid, event["tid"])) == track)]


def with_types(directory):
    os.mkdir(directory + "/types")
    with open(directory + "/types/types.conf", "w") as f:
        f.write(TYPES)
    return directory + "/types"


def a_known_load_is_in_it():
    directory = tempfile.mkdtemp(prefix="pvgpu-")
    with Daemon(worker=WORKER, directory=directory,
                types=with_types(directory)) as daemon:
        for name in ("one", "two", "idle"):
            daemon.call("Create", name=name, type="MANY-2Q")
        load = subprocess.Popen(
            [MANY] + [f"{directory}/{name}.sock" for name in ("one", "two")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def draw(order):
            load.stdin.write(order + "\n")
            load.stdin.flush()
            said = load.stdout.readline().split()
            check(said[0] == "drawn", f"{said}")
            return int(said[1])
        check(load.stdout.readline() == "ready 2\n", "pvgpu-many")
        draw("draw 1 fill")
        frames = {name: daemon.call("GetFigures", name=name)["vgpus"][0]
                  ["counters"]["batches"] for name in ("one", "two")}
        tracing = start_trace(daemon, 4)
        commits = draw("draw 5 fill") // 2      # of each
        check(tracing.poll() is None, "the load took too long")
        trace = result(tracing)
        # Off again, nothing is written any more.
        draw("draw 1 fill")
        check(trace.names == {1: "one", 2: "two", 3: "idle"},
              f"{trace.names}")
        check(not trace.of("idle"), "idle")
        check(trace.data["lost"] == trace.data["bad"] == 0, f"{trace.data}")
        check(commits == 5 * HEADS, f"{commits}")
        for name in ("one", "two"):
            flips = [event for head in range(HEADS)
                     for event in trace.of(name, f"head {head}", "i")]
            check(len(flips) == commits, f"{len(flips)} flips")
            check(len(trace.of(name, "commits", "X")) == commits, "commits")
            numbers = sorted(int(event["name"].split()[1]) for event in flips)
            check(numbers == list(range(HEADS + 1, HEADS + 1 + commits)),
                  f"{numbers}")
            batches = trace.of(name, phase="b")
            check(len(batches) == commits, f"{len(batches)} batches")
            check([event["args"]["fence"] for event in batches] ==
                  list(range(frames[name] + 1, frames[name] + 1 + commits)),
                  f"{batches}")
            check(all(event["args"]["status"] == 0 and event["dur"] > 0 and
                      event["name"] == "channel 1" for event in batches),
                  f"{batches}")
            check(trace.of(name, "doorbells", "i") and
                  trace.of(name, "interrupts", "i"), "no notifications")
            # A head's flip comes after its batch's fence.
            check(flips[0]["ts"] > batches[0]["ts"], "order")
        check(trace.data["records"] == len([e for e in trace.all
                                            if e["ph"] in "Xib"]),
              f"{trace.data}")
        load.stdin.close()
        check(load.wait(20) == 0, "pvgpu-many")
        load.stdout.close()


def rendering_is_in_it():
    directory = tempfile.mkdtemp(prefix="pvgpu-")
    with Daemon(worker=WORKER, directory=directory,
                types=with_types(directory)) as daemon:
        daemon.call("Create", name="a", type="MANY-2Q")

        def render():
            look = f"sh -c '{CTL} --socket {daemon.control} screenshot " \
                   f"-o {directory}/x.png a $0 >&2'"
            done = subprocess.run(
                [CONFORM, "--screenshot", look, f"{directory}/a.sock",
                 "virgl-draw-rectangles", "virgl-surface-on-a-head"],
                capture_output=True, text=True, timeout=120)
            check(done.returncode == 0, f"{done}")
            # Its QEMU is gone, and the worker with it, before the next one.
            wait_until(lambda: daemon.call("Show", name="a")["vgpu"]["state"]
                       == "waiting", "its end")
        done = ctl(daemon, "sched", "set", "--policy", "equal-share")
        check(done.returncode == 0, f"{done}")
        # Long enough for one whole run, on any machine.
        start = time.monotonic()
        render()
        tracing = start_trace(
            daemon, f"{2.5 * (time.monotonic() - start) + 1:.1f}", "a")
        while tracing.poll() is None:
            render()
            if select.select([tracing.stdout], [], [], 0)[0]:
                break
        trace = result(tracing)
        ran, made = trace.of("a", "GPU", "X"), trace.of("a", "decode", "X")
        batches = trace.of("a", phase="b")
        check(len(made) >= 2 and len(ran) >= len(made), f"{len(made)} decoded, "
              f"{len(ran)} run, {len(batches)} batches; {trace.data}")
        # It had the GPU for them.
        states = {event["name"] for event in trace.of("a", "schedule", "X")}
        check("running" in states and states <= {
            "waiting", "next", "running", "lending", "borrowing", "draining",
            "held back"}, f"{states}")
        # One arrow for each that was decoded, to where it ran.
        check(len(trace.of("a", phase="s")) == len(made), "arrows")
        check(trace.data["lost"] == trace.data["bad"] == 0, f"{trace.data}")
        pictures = [event for event in ran if event["name"] == "picture"]
        check(pictures and all(event["dur"] > 0 for event in pictures),
              f"{pictures}")
        for event in ran:
            if event in pictures:
                continue
            fence = event["args"]["fence"]
            check(event["args"]["context"] > 0, f"{event}")
            check(any(b["args"]["fence"] == fence and b["ts"] <= event["ts"] and
                      b["ts"] + b["dur"] >= event["ts"] + event["dur"] - 0.002
                      for b in batches), f"{event}: not in a batch")


def nonsense_is_counted_and_left_out():
    with Daemon() as daemon:
        for name in ("good", "wild"):
            daemon.call("Create", name=name, type="PV24-1Q")
        good = Qemu(daemon.directory + "/good.sock")
        wild = Qemu(daemon.directory + "/wild.sock")
        for name in ("good", "wild"):
            wait_until(lambda: daemon.call("Show", name=name)["vgpu"]["state"]
                       == "running", "running")
        wild.leave_order(WILD_TRACE)
        trace = result(start_trace(daemon, 0.3))
        for name in ("good", "wild"):
            batch, = trace.of(name, phase="b")
            check(batch["args"]["fence"] == FENCE and
                  abs(batch["dur"] - 1) < 0.002, f"{batch}")
            run, = trace.of(name, "GPU")[:1]
            check(run["dur"] == 0.4 and run["args"]["context"] == 5, f"{run}")
            flip, = trace.of(name, "head 2")
            check(flip["name"] == "frame 7", f"{flip}")
        check(not trace.of("good", "commits"), "good")
        commit, = trace.of("wild", "commits")
        check(commit["ts"] == 0 and 0.3e6 <= commit["dur"] < 60e6, f"{commit}")
        check(not trace.of("wild", "doorbells") and
              not trace.of("good", "schedule"), "out of its time")
        # The bad ones, and what lies behind them: zeros to the end.
        check(trace.data["bad"] == 262143 - 10 + 8 - 5 and
              trace.data["lost"] > 1 << 60, f"{trace.data}")
        # For people, too.
        done = ctl(daemon, "trace", "-s", "0.1", "wild")
        check(done.returncode == 0 and "trace.json: 5 records of 0." in
              done.stdout and "made no sense" in done.stdout, f"{done}")
        with open(daemon.directory + "/trace.json") as f:
            check(Trace(f.read()).names == {1: "wild"}, "only it")
        said = json.loads(ctl(daemon, "trace", "-s", "0.1", "good",
                              "--json").stdout)
        check(said == {"file": "trace.json", "records": 4, "lost": 0,
                       "bad": 0}, f"{said}")
        good.close()
        wild.close()


def nobody_is_held_up():
    with Daemon() as daemon:
        qemus = {}
        for name in ("good", "hangs", "dies"):
            daemon.call("Create", name=name, type="PV24-1Q")
            qemus[name] = Qemu(f"{daemon.directory}/{name}.sock")
            wait_until(lambda: daemon.call("Show", name=name)["vgpu"]["state"]
                       == "running", "running")
        # Descriptors of one that is over.
        result(start_trace(daemon, 0.1))
        before = sorted(descriptors(daemon.pid).values())
        qemus["hangs"].order(SILENT)
        tracing = start_trace(daemon, 4)
        error = expect_error("Busy", daemon.call, "Trace", milliseconds=100)
        check("another one is on" in error["message"], f"{error}")
        first = daemon.call("Show", name="dies")["vgpu"]["workerPid"]
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: daemon.call("Show", name="dies")["vgpu"].get(
            "workerPid", first) != first, "another worker")
        start = time.monotonic()
        trace = result(tracing)
        check(time.monotonic() - start < 15, "it took "
              f"{time.monotonic() - start:.1f} s")
        # The worker after the dead one goes on in the file.
        check(len(trace.of("dies", "head 2")) == 2, f"{trace.of('dies')}")
        begins, = trace.of("dies", "schedule", "i")
        check(begins["name"] == "a worker begins" and
              not trace.of("good", "schedule"), f"{begins}")
        check("hangs: its worker does not end the trace" in daemon.log(),
              daemon.log())
        qemus["hangs"].order(BEHAVE)
        # A caller who goes ends his, and a vGPU may end in the middle.
        client = Client(daemon)
        client.send(client.message("Trace", milliseconds=600000))
        wait_until(lambda: any("pvgpu-trace" in link for link in
                               descriptors(daemon.pid).values()), "a trace")
        client.close()
        wait_until(lambda: not any("pvgpu-trace" in link for link in
                                   descriptors(daemon.pid).values()),
                   "its end")
        tracing = start_trace(daemon, 1.5)
        daemon.call("Destroy", name="dies", force=True)
        check(result(tracing).names == {1: "good", 2: "hangs", 3: "dies"},
              "names")
        for qemu in qemus.values():
            qemu.close()
        check(len(descriptors(daemon.pid)) <= len(before),
              f"{descriptors(daemon.pid)}")


def what_is_refused():
    with Daemon() as daemon:
        error = expect_error("NoSuchVgpu", daemon.call, "Trace",
                             milliseconds=100)
        check(error["message"] == "there are none", f"{error}")
        daemon.call("Create", name="a", type="PV24-1A")
        for ms in (0, -1, 600001, 2 ** 62):
            error = expect_error("BadDuration", daemon.call, "Trace",
                                 milliseconds=ms)
            check("allowed are 1 to 600000" in error["message"], f"{error}")
        expect_error("NoSuchVgpu", daemon.call, "Trace", name="b",
                     milliseconds=10)
        for arguments, status, error in (
                (["-s", "601"], 2, "--seconds: '601' given; allowed are 0.1"),
                (["-s", "0.05"], 2, "--seconds: "),
                (["-s", "0.1", "-o", "/nonexistent/x"], 1,
                 "/nonexistent/x: No such file"),
                (["-s", "0.1", "-o", "/dev/full"], 1, "/dev/full: No space"),
                (["-s", "0.1", "b"], 1, "name: 'b' is not a vGPU")):
            done = ctl(daemon, "trace", *arguments)
            check(done.returncode == status and done.stderr.startswith(
                "pvgpuctl: trace: " + error), f"{done}")


def more_than_descriptors_for():
    with Daemon("--gpu-memory", "4096GiB") as daemon:
        for i in range(64):
            daemon.call("Create", name=f"v{i}", type="PV24-1A")
        error = expect_error("TooMany", daemon.call, "Trace",
                             milliseconds=100)
        check("63 vGPUs" in error["message"], f"{error}")
        daemon.call("Destroy", name="v0")
        trace = result(start_trace(daemon, 0.1))
        check(list(trace.names.values()) == [f"v{i}" for i in range(1, 64)],
              f"{trace.names}")


if __name__ == "__main__":
    run_tests([
        a_known_load_is_in_it,
        rendering_is_in_it,
        nonsense_is_counted_and_left_out,
        nobody_is_held_up,
        what_is_refused,
        more_than_descriptors_for,
    ])
