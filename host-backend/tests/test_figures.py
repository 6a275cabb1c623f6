#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Figures of vGPUs: GetFigures, pvgpuctl stat, and the page for Prometheus;
with workers that do not answer, and clients of that page that are none."""

import http.client
import json
import os
import random
import re
import socket
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from manager_support import *

CTL = os.path.abspath(ASAN_BIN + "/pvgpuctl")
# Of the fake worker, more at each question: helper_fake_worker.h
BATCHES, GPU_TIME = 10, 3000000
# How long anybody waits for a worker that hangs, on a loaded machine.
BOUND = 5.0


def ctl(daemon, *arguments):
    done = subprocess.run([CTL, "--socket", daemon.control, *arguments],
                          capture_output=True, text=True, timeout=60)
    check(done.returncode == 0 and not done.stderr, f"{done}")
    return done.stdout


def running(daemon, name, kind="PV24-1Q"):
    """A new vGPU with a QEMU, once its worker is ready."""
    daemon.call("Create", name=name, type=kind)
    qemu = Qemu(f"{daemon.directory}/{name}.sock")
    wait_until(lambda: daemon.call("Show", name=name)["vgpu"]["state"] ==
               "running", "running")
    return qemu


def rows(reply):
    return {row["name"]: row for row in reply["vgpus"]}


def figures(daemon, **parameters):
    return rows(daemon.call("GetFigures", **parameters))


def of_every_state():
    with Daemon() as daemon:
        check(figures(daemon) == {}, "none")
        daemon.call("Create", name="a", type="PV24-2Q")
        qemu = running(daemon, "b")
        before = time.monotonic_ns()
        reply = daemon.call("GetFigures")
        after = time.monotonic_ns()
        check(before <= reply["time"] <= after, "time")
        check(reply["gpu"]["vgpus"] == 2, f"{reply['gpu']}")
        a, b = rows(reply)["a"], rows(reply)["b"]
        check(a["state"] == "waiting" and "counters" not in a and
              "schedule" not in a and a["window"] == {"limit": 2 << 30} and
              not a["stale"], f"{a}")
        check(b["state"] == "running" and not b["stale"] and
              b["time"] <= after and
              b["counters"]["gpuTime"] == GPU_TIME // BATCHES *
              b["counters"]["batches"] > 0, f"{b}")
        check(b["heads"][0]["active"] and b["schedule"]["state"] == "idle" and
              b["device"]["surfaces"] == 2 << 20, f"{b}")
        check(list(figures(daemon, name="b")) == ["b"], "one")
        error = expect_error("NoSuchVgpu", daemon.call, "GetFigures",
                             name="c")
        check("there are: a b" in error["message"], f"{error}")
        # Its worker dies: another one's counters begin anew, or none yet.
        qemu.order(CRASH)
        wait_until(lambda: figures(daemon)["b"]["replaced"] >= 1, "a death")
        qemu.leave_order(BEHAVE)
        new = wait_until(lambda: (lambda row: row if "counters" in row and
                                  row["workerPid"] != b["workerPid"] else None)
                         (figures(daemon)["b"]), "another worker")
        check(not new["stale"], f"{new}")
        qemu.close()


def one_that_hangs_holds_nobody_up():
    with Daemon() as daemon:
        good, bad = running(daemon, "good"), running(daemon, "bad")
        old = figures(daemon)["bad"]
        bad.order(SILENT)
        start = time.monotonic()
        # The first asker may wait half a second, the next ones not even that.
        for _ in range(8):
            time.sleep(0.03)        # what is newer is not asked for
            reply = figures(daemon)
        check(time.monotonic() - start < BOUND, "8 answers took "
              f"{time.monotonic() - start:.1f} s")
        check(reply["bad"]["stale"] and not reply["good"]["stale"],
              f"{reply}")
        check(reply["bad"]["time"] < reply["good"]["time"] and
              reply["bad"]["counters"]["gpuTime"] >=
              old["counters"]["gpuTime"], f"{reply}")
        check("stale" in ctl(daemon, "stat", "-d", "0.1"), "stat")
        # Nor does one that is destroyed while it is asked for.
        third = running(daemon, "third")
        third.order(SILENT)
        time.sleep(0.1)
        client = Client(daemon)
        client.send(client.message("GetFigures", name="third"))
        daemon.call("Destroy", name="third", force=True)
        check("error" in client.receive(), "an answer about what is gone")
        client.close()
        third.close()
        # Another worker answers, and is believed.
        bad.close()
        wait_until(lambda: figures(daemon)["bad"]["state"] == "waiting",
                   "its end")
        daemon.call("Destroy", name="bad")
        bad = running(daemon, "bad")
        wait_until(lambda: not figures(daemon)["bad"]["stale"] and
                   "counters" in figures(daemon)["bad"], "good again")
        good.close()
        bad.close()


def many_who_ask_share_the_question():
    with Daemon() as daemon:
        qemu = running(daemon, "a")
        first = figures(daemon)["a"]["heads"][0]["frames"]
        clients = [Client(daemon) for _ in range(20)]
        start = time.monotonic()
        for _ in range(20):
            for client in clients:
                client.send(client.message("GetFigures"))
            for client in clients:
                check("parameters" in client.receive(), "no figures")
        asked = figures(daemon)["a"]["heads"][0]["frames"] - first
        # The fake one counts questions as frames: one in 20 ms at most.
        allowed = (time.monotonic() - start) / 0.02 + 2
        check(1 <= asked <= min(allowed, 400), f"{asked} questions, allowed "
              f"{allowed:.0f}")
        for client in clients:
            client.close()
        qemu.close()


def stat_tells_rates():
    with Daemon() as daemon:
        qemu = running(daemon, "a")
        daemon.call("Create", name="idle", type="PV24-1A")
        now = json.loads(ctl(daemon, "--json", "stat"))
        check(rows(now).keys() == {"a", "idle"} and
              "rates" not in rows(now)["a"], f"{now}")
        lines = [json.loads(line) for line in
                 ctl(daemon, "stat", "--json", "-n", "2", "-d", "0.2")
                 .splitlines()]
        check(len(lines) == 2, f"{lines}")
        a = rows(lines[1])["a"]
        rates = a["rates"]
        check(0.2 <= rates["seconds"] < 60, f"{rates}")
        # One question in between: what it makes grow, by the time it took.
        check(abs(rates["batches"] * rates["seconds"] - BATCHES) < 0.01 and
              abs(rates["gpu"] * rates["seconds"] - GPU_TIME / 1e9) < 1e-6 and
              rates["share"] == 1 and abs(rates["fps"][0] *
              rates["seconds"] - 1) < 0.001 and rates["fps"][1] == 0,
              f"{rates}")
        check(rates["turns"] == rates["waits"] == 0, f"{rates}")
        check("rates" not in rows(lines[1])["idle"], "idle")
        text = ctl(daemon, "stat", "-d", "0.1").splitlines()
        check(text[0].split()[:3] == ["NAME", "GPU%", "SHARE/ENTIT"],
              text[0])
        check(text[1].startswith("a ") and "100.0/-" in text[1] and
              text[2].split()[:2] == ["idle", "waiting"] and
              all(len(line) <= 80 for line in text), f"{text}")
        # Alone it is entitled to all.
        ctl(daemon, "sched", "set", "--policy", "equal-share")
        text = ctl(daemon, "stat", "-d", "0.1").splitlines()
        check("100.0/100.0" in text[1], f"{text}")
        check(figures(daemon)["a"]["schedule"]["entitlement"] == 1, "JSON")
        check([line.split()[0] for line in
               ctl(daemon, "stat", "a", "-d", "0.1").splitlines()] ==
              ["NAME", "a"], "one")
        for arguments, why in ((["-d", "0"], "--delay: '0' given; allowed are "
                                "0.1 to 3600 seconds"),
                               (["-d", "1e3"], "--delay: '1e3'"),
                               (["-d", "1.2345"], "--delay: "),
                               (["-n", "0"], "--count: '0' given; allowed")):
            done = subprocess.run([CTL, "stat", *arguments], text=True,
                                  capture_output=True, timeout=30)
            check(done.returncode == 2 and
                  done.stderr.startswith("pvgpuctl: stat: " + why), f"{done}")
        # Of a worker that was replaced there are no rates, and no nonsense.
        process = subprocess.Popen(
            [CTL, "--socket", daemon.control, "--json", "stat", "-n", "1",
             "-d", "3"], stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)
        os.kill(daemon.call("Show", name="a")["vgpu"]["workerPid"],
                signal.SIGKILL)
        a = rows(json.loads(process.communicate(timeout=60)[0]))["a"]
        check(a["replaced"] and "rates" not in a, f"{a}")
        qemu.close()


# ------------------------------------------------------------- Prometheus

SAMPLE = re.compile(r'(pvgpu_[a-z_]+)\{((?:[a-z]+="[^"\\\n]*",?)+)\} '
                    r'(-?[0-9]+(?:\.[0-9]+)?)')


class Page(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path, timeout=30):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def get(connection, path="/metrics", method="GET"):
    connection.request(method, path)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response, body


def metrics(text):
    """{(name, labels): value}, of a text that is as Prometheus wants it:
    help and type first, samples of one metric together, each once."""
    values, kinds, current = {}, {}, None
    check(text.endswith("\n"), "no newline at the end")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split()[2]
            check(current not in kinds, f"{current} twice")
            check(len(line.split()) > 3, line)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            check(name == current and kind in ("counter", "gauge"), line)
            check((kind == "counter") == name.endswith("_total"), line)
            kinds[name] = kind
        else:
            found = SAMPLE.fullmatch(line)
            check(found and found[1] == current and current in kinds, line)
            labels = dict(re.findall(r'([a-z]+)="([^"]*)"', found[2]))
            key = found[1], tuple(sorted(labels.items()))
            check(key not in values, f"{line} twice")
            values[key] = float(found[3])
    return values


def value(values, name, **labels):
    """The one sample with these labels among others."""
    found = [v for (n, have), v in values.items() if n == "pvgpu_" + name and
             labels.items() <= dict(have).items()]
    check(len(found) == 1, f"{name} {labels}: {found}")
    return found[0]


def prometheus_reads_the_page():
    directory = tempfile.mkdtemp(prefix="pvgpu-")
    path = directory + "/metrics"
    with Daemon("--metrics", path) as daemon:
        check(os.stat(path).st_mode & 0o777 == 0o600, "its mode")
        qemu = running(daemon, "a")
        daemon.call("Create", name="idle", type="PV24-2Q")
        response, text = get(Page(path))
        check(response.status == 200 and response.getheader("Content-Type") ==
              "text/plain; version=0.0.4; charset=utf-8", f"{response}")
        seen = metrics(text)
        check(value(seen, "vgpu_info", vgpu="idle", type="PV24-2Q",
                    gpu="gpu0") == 1, "info")
        check(value(seen, "vgpu_state", vgpu="a", state="running") == 1 and
              value(seen, "vgpu_state", vgpu="idle", state="running") == 0,
              "state")
        check(value(seen, "gpu_memory_used_bytes") == 3 << 30, "memory")
        check(value(seen, "window_used_bytes", vgpu="a") == 8 << 20 and
              value(seen, "window_limit_bytes", vgpu="a") == 1 << 30 and
              value(seen, "device_kind_bytes", vgpu="a", kind="shaders") ==
              128 << 10, "budgets")
        batches = value(seen, "batches_total", vgpu="a")
        check(abs(value(seen, "gpu_time_seconds_total", vgpu="a") -
                  batches / BATCHES * GPU_TIME / 1e9) < 1e-9 and batches > 0,
              "GPU time")
        check(value(seen, "head_refresh_hertz", vgpu="a", head="0") == 60 and
              value(seen, "head_frames_total", vgpu="a", head="0") > 0,
              "head")
        check(value(seen, "schedule_turns_total", vgpu="a") == 0, "schedule")
        # The manual names just these.
        with open("docs/man/pvgpud.conf.5") as f:
            page = re.search(r"^\.Sh METRICS\n(.*?)^\.Sh ", f.read(),
                             re.M | re.S)[1]
        named = {"pvgpu_" + name for heads in re.findall(
            r"^\.It Va (.*)$", page, re.M) for name in heads.split(" , ")}
        names = set(re.findall(r"^# TYPE (\w+)", text, re.M))
        check(named | {"pvgpu_build_info"} == names, f"{named ^ names}")
        check(not any(name == "pvgpu_batches_total" and
                      ("vgpu", "idle") in labels for name, labels in seen),
              "an idle one has counters")
        # They grow.
        time.sleep(0.05)
        check(value(metrics(get(Page(path))[1]), "batches_total", vgpu="a") >
              batches, "no growth")
        qemu.order(SILENT)
        stale = wait_until(lambda: (lambda m: m if value(
            m, "vgpu_stale", vgpu="a") else None)(
                metrics(get(Page(path))[1])), "stale")
        check(value(stale, "batches_total", vgpu="a") > batches, "old ones")
        qemu.close()
    check(not os.path.exists(path), "the socket is left")
    os.rmdir(directory)


def loopback_and_nothing_else():
    for address in ("0.0.0.0:9437", "[::]:9437", "192.168.1.1:9437", "9437",
                    "localhost:9437", "127.0.0.1", "127.0.0.1:0",
                    "127.0.0.1:65536", "127.0.0.1:x", "[::1]", "::1:9437",
                    "metrics", "/" + "x" * 200):
        done = subprocess.run([ASAN_BIN + "/pvgpud", "--metrics", address],
                              capture_output=True, text=True, timeout=30)
        check(done.returncode == 2 and done.stderr.startswith(
            f"pvgpud: --metrics: '{address}' given; allowed is a socket's "
            "path such as"), f"{done}")
    port = socket.socket()
    port.bind(("127.0.0.1", 0))
    number = port.getsockname()[1]
    port.close()
    with Daemon("--metrics", f"127.0.0.1:{number}") as daemon:
        daemon.call("Create", name="a", type="PV24-1Q")
        response, text = get(http.client.HTTPConnection("127.0.0.1", number,
                                                        timeout=30))
        check(response.status == 200 and
              value(metrics(text), "vgpu_info", vgpu="a") == 1, text)
        with open("/proc/net/if_inet6") as f:
            here = any(line.startswith("0" * 31 + "1") for line in f)
        if here:
            with Daemon("--metrics", f"[::1]:{number}"):
                check(get(http.client.HTTPConnection(
                    "::1", number, timeout=30))[0].status == 200, "IPv6")
        # Another one finds it taken, and says so.
        directory = tempfile.mkdtemp(prefix="pvgpu-")
        done = subprocess.run(
            [ASAN_BIN + "/pvgpud", "--runtime-dir", directory, "--types-dir",
             "host-backend/types", "--metrics", f"127.0.0.1:{number}"],
            capture_output=True, text=True, timeout=30)
        check(done.returncode == 1 and "metrics: Address already in use" in
              done.stderr, f"{done}")
        os.unlink(directory + "/lock")
        os.rmdir(directory)


def it_moves_at_sighup():
    directory = tempfile.mkdtemp(prefix="pvgpu-")
    conf = directory + "/conf"

    def configure(text):
        with open(conf, "w") as f:
            f.write("[manager]\n" + text)

    def status(name):
        try:
            return get(Page(f"{directory}/{name}"))[0].status
        except OSError:
            return None

    # A killed one's file is in nobody's way.
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(directory + "/one")
    stale.close()
    configure(f"metrics = {directory}/one\n")
    with Daemon("--config", conf) as daemon:
        def reload():
            log = daemon.log().count("reload: ")
            daemon.process.send_signal(signal.SIGHUP)
            wait_until(lambda: daemon.log().count("reload: ") > log, "reload")
        check(status("one") == 200, "one")
        configure(f"metrics = {directory}/two\n")
        reload()
        check(status("two") == 200 and not os.path.exists(
            directory + "/one"), "two")
        # Where somebody else listens it does not go.
        other = socket.socket(socket.AF_UNIX)
        other.bind(directory + "/three")
        other.listen(1)
        configure(f"metrics = {directory}/three\n")
        reload()
        check("metrics: Address already in use" in daemon.log() and
              status("two") == 200, daemon.log())
        other.close()
        configure("")
        reload()
        check(not os.path.exists(directory + "/two"), "still there")
    for name in ("conf", "three"):
        os.unlink(f"{directory}/{name}")
    os.rmdir(directory)


def talk(path, *pieces, half_close=False):
    """All that comes back to these bytes."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    s.connect(path)
    data = b""
    try:
        for piece in pieces:
            s.sendall(piece)
            time.sleep(0.02)
        if half_close:
            s.shutdown(socket.SHUT_WR)
        while True:
            more = s.recv(65536)
            if not more:
                break
            data += more
    except ConnectionError:
        pass
    s.close()
    return data


def bad_requests_get_their_answer():
    directory = tempfile.mkdtemp(prefix="pvgpu-")
    path = directory + "/metrics"
    good = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    with Daemon("--metrics", path) as daemon:
        daemon.call("Create", name="a", type="PV24-1Q")
        for pieces, first in (
                ([good], b"200"), ([good[:7], good[7:]], b"200"),
                ([good + good], b"200"),
                ([good, b"x" * 3000], b"200"),
                ([b"GET /metrics HTTP/1.0\n\n"], b"200"),
                ([b"GET /metrics?a=b HTTP/1.1\r\n\r\n"], b"200"),
                ([b"GET / HTTP/1.1\r\n\r\n"], b"404"),
                ([b"GET /metrics/ HTTP/1.1\r\n\r\n"], b"404"),
                ([b"GET http://x/metrics HTTP/1.1\r\n\r\n"], b"404"),
                ([b"POST /metrics HTTP/1.1\r\n\r\n"], b"405"),
                ([b"GET /metrics\r\n\r\n"], b"400"),
                ([b"GET /metrics HTTP/2\r\n\r\n"], b"400"),
                ([b"\r\n\r\n"], b"400"), ([b"  \n\n"], b"400"),
                ([b"\0\0 \0 \n\n"], b"400"),
                ([b"\x16\x03\x01\x02\x00\n\n"], b"400"),
                ([b"GET /metrics HTTP/1.1\r\nX: " + b"y" * 5000], b"431")):
            reply = talk(path, *pieces)
            check(reply.startswith(b"HTTP/1.1 " + first + b" ") and
                  reply.count(b"HTTP/1.1") == 1, f"{pieces}: {reply[:200]}")
            head, _, body = reply.partition(b"\r\n\r\n")
            size = int(re.search(rb"Content-Length: (\d+)", head)[1])
            check(size == len(body) and b"Connection: close" in head,
                  f"{head}")
            check((b"Allow: GET, HEAD" in head) == (first == b"405"),
                  f"{head}")
        check(talk(path, good, half_close=True).startswith(b"HTTP/1.1 200"),
              "one who says no more than his request")
        reply = talk(path, b"HEAD /metrics HTTP/1.1\r\n\r\n")
        check(reply.startswith(b"HTTP/1.1 200") and
              reply.endswith(b"\r\n\r\n") and
              b"Content-Length: 0" not in reply, f"{reply}")
    os.rmdir(directory)


def descriptors_of(daemon):
    return len(descriptors(daemon.pid))


def memory_of(daemon):
    with open(f"/proc/{daemon.pid}/status") as f:
        return int(re.search(r"VmRSS:\s*(\d+)", f.read())[1])


def hostile_clients_hold_nobody_up():
    noise = random.Random(1729)
    directory = tempfile.mkdtemp(prefix="pvgpu-")
    path = directory + "/metrics"
    good = b"GET /metrics HTTP/1.1\r\n\r\n"
    # What is freed is not to be kept, to see what is not freed.
    os.environ["ASAN_OPTIONS"] = "quarantine_size_mb=1"
    with Daemon("--metrics", path) as daemon:
        del os.environ["ASAN_OPTIONS"]
        qemu = running(daemon, "a")
        before = descriptors_of(daemon)
        check(get(Page(path))[0].status == 200, "at first")

        def connect():
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(0.05)
            s.connect(path)
            return s

        def served():
            start = time.monotonic()
            check(get(Page(path))[0].status == 200, "refused")
            check(time.monotonic() - start < BOUND, "it took too long")
        # Those that say nothing, or a byte at a time, make room.
        idle = [connect() for _ in range(40)]
        served()
        check(descriptors_of(daemon) <= before + 20, "connections are kept")
        for s in idle:
            try:
                s.send(b"G")
            except OSError:
                pass
        served()
        # Those that ask and do not read, or read and never end.
        for _ in range(40):
            s = connect()
            s.send(good)
            idle.append(s)
        served()
        memory = memory_of(daemon)
        stop = threading.Event()
        failures = []

        def pester(seed):
            noise = random.Random(seed)
            while not stop.is_set():
                try:
                    s = connect()
                    what = noise.randrange(4)
                    if what == 0:
                        s.send(noise.randbytes(noise.randrange(1, 6000)))
                    elif what == 1:
                        s.send(good[:noise.randrange(len(good))])
                    elif what == 2:
                        s.send(good)
                        s.recv(noise.randrange(1, 400))
                    else:
                        s.send(good + b"z" * 100000)
                    s.close()
                except OSError:
                    pass
                except Exception as problem:
                    failures.append(problem)

        threads = [threading.Thread(target=pester, args=(noise.random(),))
                   for _ in range(3)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + 3
        while time.monotonic() < end:
            served()
            daemon.call("List")
        stop.set()
        for thread in threads:
            thread.join(20)
        check(not failures, f"{failures}")
        # A client that leaves before the answer, which a silent worker delays.
        qemu.order(SILENT)
        for _ in range(5):
            s = connect()
            s.send(good)
            s.close()
        served()
        # Whoever stays is sent away in the end.
        wait_until(lambda: descriptors_of(daemon) <= before, "descriptors: "
                   f"{descriptors_of(daemon)}, before {before}", 30)
        for s in idle:
            s.close()
        check(memory_of(daemon) < memory + 30000, "memory: "
              f"{memory_of(daemon)} KiB, before {memory}")
        qemu.close()
    os.rmdir(directory)


if __name__ == "__main__":
    run_tests([
        of_every_state,
        one_that_hangs_holds_nobody_up,
        many_who_ask_share_the_question,
        stat_tells_rates,
        prometheus_reads_the_page,
        loopback_and_nothing_else,
        it_moves_at_sighup,
        bad_requests_get_their_answer,
        hostile_clients_hold_nobody_up,
    ])
