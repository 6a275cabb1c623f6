#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Part of `make bench`: containers. The same programs with the same stock Mesa in
the same sandbox, on the door pvgpu-vtest and on virglrenderer's own
virgl_test_server, in turns (A B A B ...); medians, and ratios above 1 where ours
is better. Needs no VM. The rows are added to build/bench/results.json.

The renderer that Mesa names is asserted to be the same on both."""
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "igt-tests")
from harness import BUILD, TREE, Host, spawn
from harness import vtest

ROUNDS, SECONDS = 5, 2

# name, unit, the program's word and figure
ROWS = [
    ("clear and read a pixel, one after another", "1/s", "frames", "frames_per_s"),
    ("small draws", "1/s", "draws", "draws_per_s"),
    ("texture upload", "MB/s", "upload", "upload_mb_per_s"),
    ("read-back", "MB/s", "readback", "readback_mb_per_s"),
]


class Peer:
    """virgl_test_server, a process a client; a context manager."""
    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.socket = f"{self.folder.name}/socket"
        self.process = spawn(["virgl_test_server", "--use-egl-surfaceless",
                              f"--socket-path={self.socket}"], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL,
                             env=dict(os.environ, LIBGL_ALWAYS_SOFTWARE="1"))
        deadline = time.monotonic() + 20
        while not os.path.exists(self.socket):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("bench: virgl_test_server does not start; apt install virgl-server")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


def run(socket, *argv):
    done = subprocess.run(vtest.sandbox_argv(socket, argv), capture_output=True, text=True,
                          timeout=120, check=False, env=dict(vtest.MESA, PATH=os.environ["PATH"]))
    if done.returncode:
        raise SystemExit(f"bench: {argv}: {done.returncode}: {done.stderr[-1000:]}")
    return done.stdout


def main():
    out = BUILD / "bench"
    out.mkdir(parents=True, exist_ok=True)
    with Host("bench-vtest", types_dirs=[TREE / "igt-tests/types"]) as host, Peer() as peer:
        host.create("bench", "VTEST-1B")
        with vtest.Door(host, "bench") as door:
            sockets = {"ours": door.socket, "peer": peer.socket}
            renderers = {re.search("renderer (.*)", run(s, BUILD / "guest/pvgpu-gl", "info",
                                                        "surfaceless"))[1]
                         for s in sockets.values()}
            if len(renderers) != 1:
                raise SystemExit(f"bench: different renderers: {renderers}")
            samples = {(who, row[3]): [] for who in sockets for row in ROWS}
            for turn in range(ROUNDS):
                print(f"bench: containers: round {turn + 1} of {ROUNDS}", flush=True)
                for _, _, word, figure in ROWS:
                    for who, socket in sockets.items():
                        said = run(socket, BUILD / "guest/pvgpu-glbench", word, "surfaceless",
                                   SECONDS)
                        samples[who, figure].append(float(said.split()[1]))

    rows = []
    for name, unit, _, figure in ROWS:
        ours, theirs = (statistics.median(samples[who, figure]) for who in sockets)
        rows.append({"group": "vtest", "name": name, "unit": unit, "ours": ours,
                     "peer": theirs, "ratio": ours / theirs})
    path = out / "results.json"
    kept = json.loads(path.read_text()) if path.exists() else []
    path.write_text(json.dumps([r for r in kept if r.get("group") != "vtest"] + rows, indent=1)
                    + "\n")
    print(f"\n{'group':8} {'what':42} {'unit':4} {'pvgpu':>12} {'test server':>12} {'ratio':>7}")
    for r in rows:
        print(f"{r['group']:8} {r['name']:42} {r['unit']:4} {r['ours']:12.1f} "
              f"{r['peer']:12.1f} {r['ratio']:7.2f}")
    print(f"medians of {ROUNDS} rounds on {renderers.pop()}; {path.relative_to(TREE)}")


main()
