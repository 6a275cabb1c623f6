#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs pvgpu-conform against the host of this tree: an own pvgpud in a
directory of its own, workers under ASan and UBSan, one vGPU of a type with
several heads that renders, and one with a single head that does not; and,
without sanitizers, what is to be seen of a worker's memory. TAP. Run from the
tree's root. With arguments: only the tests of these names.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

CONFORM = "build/bin/pvgpu-conform"
MANAGER = "build/asan/bin/pvgpud"
WORKER = "build/asan/bin/pvgpu-worker"
CONTROL = "build/bin/pvgpuctl"
PLAIN_MANAGER = "build/bin/pvgpud"
PLAIN_WORKER = "build/bin/pvgpu-worker"
TYPES = """
[MANY-2Q]
series = Q
framebuffer = 2GiB
heads = 4
max_resolution = 7680x4320
max_pixels = 36864000
default_mode = 1920x1080@60
classes = copy virgl

[COPIES-1A]
series = A
framebuffer = 1GiB
heads = 1
max_resolution = 1280x1024
max_pixels = 1310720
default_mode = 1280x1024@60
classes = copy
"""
# name, type, how often its worker is killed, and how often for a batch
VGPUS = (("many", "MANY-2Q", 6, 1), ("single", "COPIES-1A", 5, 0))
CONFORM_SECONDS = 420
LATE = r"channel \d+ kept the GPU for more than 2 s \(watchdog\)"
BAD = re.compile(r"Sanitizer|runtime error|"
                 rf"worker died: (?!.*signal 9|{LATE})")

number = 0
failed = 0


def report(name, problem=""):
    """One TAP line; problem is empty where all is well."""
    global number, failed
    number += 1
    failed += bool(problem)
    print(f"{'not ok' if problem else 'ok'} {number} - {name}")
    for line in problem.splitlines()[:40]:
        print(f"# {line}")
    sys.stdout.flush()


def absent():
    return [path for path in (CONFORM, MANAGER, WORKER, CONTROL,
                              PLAIN_MANAGER, PLAIN_WORKER)
            if not os.access(path, os.X_OK)]


class Daemon:
    """A pvgpud of our own; everything of it lies in one directory."""

    def __init__(self, folder, manager=MANAGER, worker=WORKER):
        self.folder = folder
        self.log_path = f"{folder}/log"
        self.control = f"{folder}/control"
        os.mkdir(f"{folder}/types")
        with open(f"{folder}/types/types.conf", "w",
                  encoding="utf-8") as types:
            types.write(TYPES)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [manager, "--runtime-dir", folder, "--types-dir",
                 f"{folder}/types", "--worker", os.path.abspath(worker)],
                stdout=log, stderr=subprocess.STDOUT)
        end = time.monotonic() + 30
        while not os.path.exists(self.control):
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"pvgpud is not there:\n{self.log()}")
            time.sleep(0.05)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def ctl(self, *arguments):
        return [CONTROL, "--socket", self.control, *arguments]

    def show(self, name):
        done = subprocess.run(self.ctl("--json", "show", name), check=True,
                              stdout=subprocess.PIPE, timeout=60)
        return json.loads(done.stdout)

    def stop(self):
        """Its exit status, or a word why there is none."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "none within 30 s"


def pass_on(name, text):
    """The lines of pvgpu-conform as ours, renumbered."""
    plan = re.search(r"^1\.\.(\d+)$", text, re.M)
    lines = text.splitlines()
    seen = 0
    for at, line in enumerate(lines):
        result = re.match(r"(not )?ok \d+ - (.*)", line)
        if not result:
            continue
        seen += 1
        why = lines[at + 1].lstrip("# ") if result[1] and \
            at + 1 < len(lines) else ""
        report(f"{name}: {result[2]}",
               (why or "failed") if result[1] else "")
    if not plan or seen != int(plan[1]):
        report(f"{name}: every test was run",
               f"{seen} of {plan[1] if plan else '?'}\n{text[-2000:]}")


def create(daemon, name, kind):
    created = subprocess.run(daemon.ctl("create", name, kind), check=False,
                             stdout=subprocess.PIPE, text=True,
                             stderr=subprocess.STDOUT, timeout=60)
    if created.returncode:
        report(f"{kind}: create", created.stdout)
    return not created.returncode


def run(daemon, name, kind, arguments, tests):
    """pvgpu-conform with these arguments, its lines passed on."""
    try:
        done = subprocess.run(
            [CONFORM, *arguments, f"{daemon.folder}/{name}.sock", *tests],
            stdout=subprocess.PIPE, text=True, check=False,
            timeout=CONFORM_SECONDS)
        if not (tests and done.returncode == 2):    # none of these here
            pass_on(kind, done.stdout)
    except subprocess.TimeoutExpired as late:
        report(f"{kind}: in {CONFORM_SECONDS} s",
               (late.stdout or b"").decode()[-2000:])


def myself(option, daemon, name):
    """A command that calls this script with an option."""
    return " ".join(map(shlex.quote, (
        sys.executable, "protocol/conformance/run.py", option,
        daemon.control, name)))


def conform(daemon, name, kind, kills, lates, tests):
    """All of pvgpu-conform against one vGPU, and how its worker took it."""
    if not create(daemon, name, kind):
        return
    shot = shlex.quote(f"{daemon.folder}/{name}.png")
    quoted = " ".join(shlex.quote(word) for word in
                      daemon.ctl("screenshot", "-o"))
    look = f"sh -c '{quoted} {shot} {name} $0 >&2 && " \
           f"exec protocol/conformance/picture.py {shot} $0 $1 $2 >&2'"
    run(daemon, name, kind,
        ["--screenshot", look, "--replace", myself("--kill", daemon, name),
         "--head", " ".join(map(shlex.quote, daemon.ctl("head", name)))],
        tests)
    if tests:
        return
    died = len(re.findall(rf"{name}: worker died: .*signal 9",
                          daemon.log()))
    late = len(re.findall(rf"{name}: worker died: {LATE}", daemon.log()))
    report(f"{kind}: the worker died when it was killed, or its batch took too "
           "long, and only then", "" if (died, late) == (kills, lates) else
           f"killed {died} times, not {kills}; too long {late}, not {lates}")


def growth(daemon, tests):
    """What of the worker's memory is seen without sanitizers, whose heap
    keeps what was freed."""
    listed = subprocess.run([CONFORM, "--list"], check=True, text=True,
                            stdout=subprocess.PIPE, timeout=60)
    chosen = [name for name in listed.stdout.split()
              if name.startswith(tuple(tests))]
    # What was used and freed before is used again, and not seen to grow.
    alone = [name for name in chosen if name == "virgl-growth-by-shaders"]
    for name, names in (("plain", [n for n in chosen if n not in alone]),
                        ("fresh", alone)):
        if names and create(daemon, name, "MANY-2Q"):
            run(daemon, name, "without sanitizers",
                ["--figures", myself("--figures", daemon, name)], names)


def show(control, name):
    done = subprocess.run([CONTROL, "--socket", control, "--json", "show",
                           name], check=True, stdout=subprocess.PIPE,
                          timeout=60)
    return json.loads(done.stdout)


def kill_worker(control, name):
    """For --replace: kills the vGPU's worker with SIGKILL."""
    os.kill(show(control, name)["vgpu"]["workerPid"], signal.SIGKILL)
    return 0


def figures(control, name):
    """For --figures: what is used of both budgets, and what the worker has
    of memory that is not shared."""
    told = show(control, name)
    with open(f"/proc/{told['vgpu']['workerPid']}/status",
              encoding="ascii") as status:
        own = re.search(r"RssAnon:\s*(\d+) kB", status.read())
    print(told["device"]["used"], told["window"]["used"], own[1])
    return 0


def main():
    if sys.argv[1:2] == ["--kill"]:
        return kill_worker(sys.argv[2], sys.argv[3])
    if sys.argv[1:2] == ["--figures"]:
        return figures(sys.argv[2], sys.argv[3])
    tests = sys.argv[1:]
    print("TAP version 13")
    missing = absent()
    if missing:
        report("programs", f"not built: {' '.join(missing)}; make all")
        print(f"1..{number}")
        return 1
    with tempfile.TemporaryDirectory(prefix="pvgpu-conform-") as folder:
        daemon = Daemon(folder)
        try:
            for name, kind, kills, lates in VGPUS:
                conform(daemon, name, kind, kills, lates, tests)
            time.sleep(0.2)
        finally:
            status = daemon.stop()
        report("pvgpud ends cleanly", "" if status == 0 else
               f"exit status {status}\n{daemon.log()[-3000:]}")
        bad = [line for line in daemon.log().splitlines()
               if BAD.search(line)]
        report("no sanitizer found anything", "\n".join(bad[:40]))
    with tempfile.TemporaryDirectory(prefix="pvgpu-conform-") as folder:
        daemon = Daemon(folder, PLAIN_MANAGER, PLAIN_WORKER)
        try:
            growth(daemon, tests or ["virgl-budget", "virgl-growth"])
        finally:
            daemon.stop()
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
