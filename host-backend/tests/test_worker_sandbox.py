#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pvgpu-worker --self-test: both builds, as this user and, where this is
root, as an ordinary one. Speaks TAP."""
import os
import shutil
import subprocess
import sys
import tempfile

BUILDS = ("build/bin/pvgpu-worker", "build/asan/bin/pvgpu-worker")
ORDINARY = 65533


def demote():
    os.setgroups([])
    os.setresgid(ORDINARY, ORDINARY, ORDINARY)
    os.setresuid(ORDINARY, ORDINARY, ORDINARY)


def run(program, preexec):
    try:
        done = subprocess.run([program, "--self-test"], preexec_fn=preexec,
                              stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [("not ok", f"starts ({error})")], []
    points, notes = [], []
    plan = 0
    for line in done.stdout.splitlines():
        if line.startswith("1.."):
            plan = int(line[3:])
        elif line.startswith(("ok ", "not ok ")):
            verdict, _, text = line.partition(" - ")
            points.append((verdict.rsplit(" ", 1)[0], text))
        else:
            notes.append(line)
    if not plan or len(points) != plan or done.returncode:
        points.append(("not ok", f"{len(points)} of {plan} attempts, "
                                 f"status {done.returncode}"))
    return points, notes


def main():
    points = []
    with tempfile.TemporaryDirectory(prefix="pvgpu-sandbox-") as directory:
        os.chmod(directory, 0o755)      # the ordinary user starts it too
        for build in BUILDS:
            copy = os.path.join(directory, build.replace("/", "-"))
            try:
                shutil.copyfile(build, copy)
                os.chmod(copy, 0o755)
            except OSError as error:
                points.append(("not ok", f"{build}: {error}", []))
                continue
            users = [("this user", None)]
            if os.geteuid() == 0:
                users.append(("an ordinary user", demote))
            for who, preexec in users:
                results, notes = run(copy, preexec)
                for verdict, text in results:
                    points.append((verdict, f"{build} as {who}: {text}",
                                   notes))
    print("TAP version 13")
    print(f"1..{len(points)}")
    for number, (verdict, text, notes) in enumerate(points, 1):
        print(f"{verdict} {number} - {text}")
        if verdict != "ok":
            for note in notes:
                print(f"# {note}")
    return any(verdict != "ok" for verdict, _, _ in points)


if __name__ == "__main__":
    sys.exit(main())
