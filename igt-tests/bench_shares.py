#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make bench`, group "shares": how the scheduler shares the GPU's time out,
measured with recorded programs (pvgpu-replay), without a VM: each policy and
order with batches of equal and of 1:10 costs, weights, an idle neighbour, one
with a single frame in flight; four vGPUs; what the scheduler costs one that is
alone; and frames of a light client beside a flooding one. The peer is what it
is entitled to, or the same load at virgl_test_server, which does not schedule.

"Work" is batches, each worth what it takes alone: 1 is as much as one vGPU does
alone. On the software GPU two that are not scheduled do more, on two processors.

Rows go into build/bench/results.json, in place of those of this group. Fails if
vGPUs that always have batches ready differ from their entitlement by more than
LIMIT points. Arguments are the seconds of a measurement (10; fewer are for a
quick look) and which parts of it, of peer, pairs and four, are wanted. A machine
that does something else meanwhile measures that, too: `chrt -r 1` before it goes
ahead of all else."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, "igt-tests")
from harness import BUILD, TREE, Host
from harness.host import spawn

SECONDS = float(sys.argv[1]) if sys.argv[1:] else 10.0
PARTS = sys.argv[2:] or ["peer", "pairs", "four"]
WARM_UP = 1
LIMIT = 3.0
RECORDINGS = TREE / "protocol/replay/recordings"
POLICIES = [(policy, order) for policy in ("equal-share", "fixed-share")
            for order in ("strict", "least-served")]
rows, deviations = [], []


def row(name, unit, ours, peer):
    rows.append({"group": "shares", "name": name, "unit": unit, "ours": ours, "peer": peer,
                 "ratio": ours / peer if peer else None})
    print(f"{'shares':10} {name:56} {unit:6} {ours:9.2f} {peer:9.2f}", flush=True)


class Client:
    """A recording, and how it is played; alone: batches a second with nobody
    beside it."""

    def __init__(self, recording, *options):
        self.recording, self.options = RECORDINGS / f"{recording}.rec", options
        self.alone = None

    def paced(self, *options):
        other = Client(self.recording.stem, *self.options, *options)
        other.alone = self.alone
        return other


def replay(pairs, seconds=SECONDS):
    """What is told of each (client, socket)."""
    argv = [BUILD / "bin/pvgpu-replay", "--json", "--seconds", seconds, "--warm-up", WARM_UP]
    for client, socket in pairs:
        argv += ["--fps", 0, "--repeat", 0, *client.options, client.recording, socket]
    done = subprocess.run([*map(str, argv)], stdout=subprocess.PIPE, timeout=seconds + 240,
                          check=False)
    if done.returncode:
        raise SystemExit("bench: pvgpu-replay failed, as said above")
    return json.loads(done.stdout)["clients"]


def rate(told):
    return told["batches"] / told["seconds"]


def flood(recording, repeat, socket):
    """Depth 8, each batch so many frames; measured alone."""
    client = Client(recording, "-d", 8, "-r", repeat)
    client.alone = rate(replay([(client, socket)])[0])
    return client


def repeats(recording, batch_us, socket):
    """How many frames make a batch of that cost."""
    client = Client(recording, "-d", 8, "--batch-us", batch_us)
    return replay([(client, socket)], 1)[0]["repeat"]


class Vgpus:
    def __init__(self, host, count):
        self.host, self.names = host, [f"v{i}" for i in range(count)]
        for name in self.names:
            host.create(name, "GL-1Q")

    def socket(self, index):
        return self.host.runtime / f"{self.names[index]}.sock"

    def configure(self, policy, order, parts):
        """parts: of 100, what each is to have."""
        ctl = self.host.ctl
        ctl("sched", "set", "--policy", "best-effort", "--order", order)
        for name in self.names:
            ctl("sched", "set", name, "--share", "1%")
        for name, part in zip(self.names, parts):
            ctl("sched", "set", name, "--share", f"{part}%", "--weight", part)
        ctl("sched", "set", "--policy", policy)

    def play(self, *clients, seconds=SECONDS):
        return replay([(client, self.socket(i)) for i, client in enumerate(clients)
                       if client], seconds)


def measure(vgpus, what, policy, order, parts, clients, backlogged=True):
    """Rows of one case: shares, and the work done as a part of what one alone
    does."""
    vgpus.configure(policy, order, parts)
    told = vgpus.play(*clients)
    busy = sum(t["gpuSeconds"] for t in told)
    here = f"{policy}, {order}: {what}"
    for t, part, client in zip(told, parts, clients):
        # A fixed share is one of all time, even of what nobody used.
        whole = t["seconds"] if policy == "fixed-share" else busy
        share = 100 * t["gpuSeconds"] / whole
        row(f"{here}; {client.recording.stem} × {client.options[3]}", "%", share, part)
        if backlogged and abs(share - part) > LIMIT:
            deviations.append(f"{here}: {share:.1f} % of the GPU, not {part} %")
    work = sum(rate(t) / c.alone for t, c in zip(told, clients))
    row(f"{here}; work", "x", work, 1.0)
    return told


def pairs(vgpus, small, large, draws):
    for policy, order in POLICIES:
        measure(vgpus, "costs 1:1", policy, order, (50, 50), (small, small))
        measure(vgpus, "costs 1:10", policy, order, (50, 50), (small, large))
        measure(vgpus, "3:1, costs 10:1", policy, order, (75, 25), (large, small))
        measure(vgpus, "1 in flight, 1:10", policy, order, (50, 50),
                (small.paced("-d", 1), large), backlogged=False)
        vgpus.configure(policy, order, (50, 50))
        told = vgpus.play(small, None)[0]
        row(f"{policy}, {order}: beside an idle one; work", "x",
            rate(told) / small.alone, 0.5 if policy == "fixed-share" else 1.0)
    measure(vgpus, "draw-bound, costs 1:1", *POLICIES[1], (50, 50), (draws, draws))
    vgpus.configure("best-effort", "strict", (50, 50))
    for what, clients in (("costs 1:1", (small, small)), ("costs 1:10", (small, large)),
                          ("draw-bound, costs 1:1", (draws, draws))):
        told = vgpus.play(*clients)
        row(f"best-effort: {what}; work", "x",
            sum(rate(t) / c.alone for t, c in zip(told, clients)), 1.0)


class Unscheduled:
    """virgl_test_server, a process a client."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="pvgpu-bench-")
        self.path = f"{self.folder.name}/vtest"
        try:
            self.process = spawn(["virgl_test_server", "--use-egl-surfaceless",
                                  f"--socket-path={self.path}"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except FileNotFoundError:
            raise SystemExit("bench: install virgl-server") from None
        end = time.monotonic() + 20
        while not Path(self.path).exists():
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit("bench: virgl_test_server does not start")
            time.sleep(0.05)
        return self

    def play(self, *clients, seconds=SECONDS):
        return replay([(client, f"vtest:{self.path}") for client in clients], seconds)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


def beside_peer(vgpus, small, large, draws):
    light = Client("gears", "-d", 1, "-r", 1, "--fps", 60)
    with Unscheduled() as peer:
        for client, what in ((small, "fill"), (draws, "draws")):
            told = peer.play(client)[0]
            row(f"{what} alone; peer virgl_test_server", "/s", client.alone, rate(told))
        vgpus.configure("equal-share", "least-served", (50, 50))
        row("fill alone, equal-share; peer best effort", "/s",
            rate(vgpus.play(small, None)[0]), small.alone)
        ours, theirs = vgpus.play(light, large), peer.play(light, large)
    for key, what in (("p50Ms", "p50"), ("p99Ms", "p99"), ("worstMs", "worst")):
        row(f"60 frames/s beside a flood, {what}; peer unscheduled", "ms",
            ours[0]["frame"][key], theirs[0]["frame"][key])
    row("the flood beside 60 frames/s; peer unscheduled", "/s", rate(ours[1]), rate(theirs[1]))


def four(small, large):
    with Host("bench-shares-four", types_dirs=[TREE / "igt-tests/types"]) as host:
        vgpus = Vgpus(host, 4)
        clients = (small, small, large, large)
        for policy, order in POLICIES:
            measure(vgpus, "four, costs 1:1:10:10", policy, order, (40, 20, 20, 20), clients)


def main():
    print(f"{'group':10} {'what':56} {'unit':6} {'ours':>9} {'peer':>9}")
    with Host("bench-shares", types_dirs=[TREE / "igt-tests/types"]) as host:
        vgpus = Vgpus(host, 2)
        frames = repeats("fill", 1000, vgpus.socket(0))
        small = flood("fill", frames, vgpus.socket(0))
        large = flood("fill", 10 * frames, vgpus.socket(0))
        draws = flood("draws", repeats("draws", 1000, vgpus.socket(0)), vgpus.socket(0))
        if "peer" in PARTS:
            beside_peer(vgpus, small, large, draws)
        if "pairs" in PARTS:
            pairs(vgpus, small, large, draws)
    if "four" in PARTS:
        four(small, large)
    path, others = BUILD / "bench/results.json", []
    path.parent.mkdir(exist_ok=True)
    if path.exists():
        others = [r for r in json.loads(path.read_text()) if r["group"] != "shares"]
    path.write_text(json.dumps(others + rows, indent=1) + "\n")
    if deviations:
        sys.exit("bench: shares differ from their entitlement by more than "
                 f"{LIMIT:g} points:\n" + "\n".join(deviations))


main()
