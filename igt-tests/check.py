#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs test programs that speak TAP, one after another, and counts.

  check.py [SELECT...] -- PROGRAM...

SELECT: only programs whose path contains one of these. Everything that a
program prints is kept in build/check/. A program that ends badly, prints no
plan or not the tests that it planned, or takes too long, has failed."""
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
LOGS = TREE / "build/check"
TIMEOUT = int(os.environ.get("PVGPU_TEST_TIMEOUT", "900"))     # seconds for a program

LINE = re.compile(r"^(not )?ok\b(?:\s+(\d+))?\s*(?:-\s*)?(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)(?:\s*#\s*skip\b\s*(.*))?", re.IGNORECASE)
SKIP = re.compile(r"#\s*skip\b:?\s*(.*)$", re.IGNORECASE)


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def run(program, log):
    """Runs a program; gives what it printed and, if it ended badly, how. It is
    the leader of its own process group, which does not outlive it."""
    try:
        process = subprocess.Popen([program], stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT, cwd=TREE, start_new_session=True)
    except OSError as e:
        return f"cannot be run: {e.strerror}"
    problem = None
    try:
        code = process.wait(TIMEOUT)
        if code < 0:
            problem = f"killed by {signal.Signals(-code).name}"
        elif code:
            problem = f"ended with status {code}"
    except subprocess.TimeoutExpired:
        problem = f"not done after {TIMEOUT} s"
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            pass
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
    return problem


def judge(text, problem):
    """Counts a program's tests; gives the count and what to show of failures."""
    count, shown, planned, seen, failing = Count(), [], [], 0, False
    for line in text.splitlines():
        plan, result = PLAN.match(line), LINE.match(line)
        if plan:
            planned.append(int(plan.group(1)))
            if plan.group(1) == "0" and plan.group(2):
                count.skipped += 1
                shown.append(f"skipped: {plan.group(2)}")
        elif result:
            seen += 1
            name = result.group(3)
            skip = SKIP.search(name)
            failing = bool(result.group(1))
            if failing:
                count.failed += 1
                shown.append(f"not ok - {name}")
            elif skip:
                count.skipped += 1
                shown.append(f"skipped: {name[:skip.start()].strip()}: {skip.group(1)}")
            else:
                count.passed += 1
        elif failing and line.startswith("#"):
            shown.append("  " + line)
    # cmocka prints a plan for each of its groups.
    if not planned:
        problem = f"no plan (1..N){', ' + problem if problem else ''}"
    elif sum(planned) != seen:
        problem = f"planned {sum(planned)} tests, ran {seen}{', ' + problem if problem else ''}"
    elif count.failed:
        problem = None      # its status says no more than its tests do
    if problem:
        count.failed += 1
        shown.append(f"not ok - the program: {problem}")
        shown += ["  | " + line for line in text.splitlines()[-15:]]
    return count, shown


def main(argv):
    if "--" not in argv:
        sys.exit("usage: check.py [SELECT...] -- PROGRAM...")
    at = argv.index("--")
    select, programs = argv[:at], argv[at + 1:]
    if select:
        programs = [p for p in programs if any(s in p for s in select)]
    LOGS.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    total, begin = Count(), time.monotonic()
    for number, program in enumerate(programs, 1):
        start = time.monotonic()
        print(f"[{number}/{len(programs)}] {program} ", end="", flush=True)
        path = LOGS / (re.sub(r"[^A-Za-z0-9_.-]+", "-", program).strip("-") + ".log")
        with open(path, "wb") as log:
            problem = run(program, log)
        count, shown = judge(path.read_text(errors="replace"), problem)
        total.add(count)
        print(f"{'FAILED' if count.failed else 'ok'}: {count} ({time.monotonic() - start:.1f} s)")
        for line in shown:
            print(f"    {line}")
        if count.failed:
            print(f"    log: {path.relative_to(TREE)}", flush=True)
    print(f"all in {time.monotonic() - begin:.0f} s")
    print(total, flush=True)
    sys.exit(0 if total.passed and not total.failed else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
