#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Admission, configuration, saved vGPUs and access, from outside: a random
life against a row of owners, every refusal's words, a state directory that is
damaged in every way, reloads, and who is logged to have done what."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from manager_support import *

GIB = 1 << 30
CTL = os.path.abspath(ASAN_BIN + "/pvgpuctl")


@contextlib.contextmanager
def folder():
    path = tempfile.mkdtemp(prefix="pvgpu-")
    try:
        yield path
    finally:
        shutil.rmtree(path)


def saved(state):
    """{name: what its file says}"""
    found = {}
    for name in os.listdir(state + "/vgpus"):
        with open(f"{state}/vgpus/{name}") as f:
            found[name] = json.load(f)
    return found


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def lines_with(daemon, text):
    return [line for line in daemon.log().splitlines() if text in line]


def reload(daemon, outcome):
    """SIGHUP, and waits for one more line with the outcome."""
    before = len(lines_with(daemon, outcome))
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(lines_with(daemon, outcome)) > before, outcome)


def rooms(daemon):
    reply = daemon.call("ListTypes")
    return {t["name"]: room for t, room in zip(reply["types"], reply["room"])}


# --------------------------------------------------------------- placement

def a_random_life_is_placed_without_overlap():
    """What the daemon says is there is what was made, apart and within the
    GPU; it refuses only if nothing fits, and says so beforehand."""
    numbers = random.Random(3)
    for mode in ("mixed", "equal"):
        with Daemon("--gpu-mode", mode) as daemon, Client(daemon) as client:
            live = {}
            for step in range(150):
                if live and numbers.random() < 0.45:
                    name = numbers.choice(sorted(live))
                    client.call("Destroy", name=name)
                    del live[name]
                else:
                    gib = numbers.choice((1, 2, 3, 4, 6, 8, 12, 24))
                    if mode == "equal" and live and numbers.random() < 0.6:
                        gib = min(size for _, size in live.values())
                    kind = f"PV24-{gib}{numbers.choice('QA')}"
                    row = [0] * 24
                    for at, size in live.values():
                        row[at:at + size] = [1] * size
                    fits = [at for at in range(25 - gib) if
                            not any(row[at:at + gib])]
                    if mode == "equal":
                        fits = [at for at in fits if at % gib == 0 and
                                all(size == gib for _, size in live.values())]
                    told = client.call("ListPlacements", type=kind)
                    check(told["size"] == gib and told["free"] == fits,
                          f"{told}: {fits}")
                    wanted = {}
                    if fits and numbers.random() < 0.3:
                        wanted = {"placement": numbers.choice(fits)}
                    check((rooms_of(client)[kind] > 0) == bool(fits), kind)
                    if not fits:
                        expect_error("NoRoom", client.call, "Create",
                                     name="x", type=kind)
                        continue
                    vgpu = client.call("Create", name=f"n{step}", type=kind,
                                       **wanted)["vgpu"]
                    check(vgpu["placement"] in fits and
                          wanted.get("placement", vgpu["placement"]) ==
                          vgpu["placement"], f"{vgpu}")
                    live[f"n{step}"] = (vgpu["placement"], gib)
                reply = client.call("GetGpu")
                end = 0
                for p in reply["placements"]:
                    check(p["placement"] == end, f"{reply}")
                    end += p["size"]
                    if "name" in p:
                        check(live[p["name"]] == (p["placement"], p["size"]),
                              f"{p}")
                check(end == 24, f"{reply}")
                check(reply["gpu"]["memory"]["used"] ==
                      sum(size for _, size in live.values()) * GIB and
                      reply["gpu"]["vgpus"] == len(live), f"{reply}")


def rooms_of(client):
    reply = client.call("ListTypes")
    return {t["name"]: room for t, room in zip(reply["types"], reply["room"])}


def refusals_say_why_and_what_would_fit():
    with Daemon() as daemon:
        def refused(error, **parameters):
            return expect_error(error, daemon.call, "Create", name="x",
                                **parameters)["message"]
        daemon.call("Create", name="a", type="PV24-2Q", placement=11)
        check(refused("NoRoom", type="PV24-12Q") ==
              "PV24-12Q takes 12 GiB in a row, and of the GPU's 22 GiB that "
              "are free the most in a row are 11 GiB; types that fit: PV24-8Q "
              "PV24-6Q PV24-4Q PV24-3Q PV24-2Q PV24-1Q PV24-2B PV24-1B "
              "PV24-8A PV24-6A PV24-4A PV24-3A PV24-2A PV24-1A PV24-8C "
              "PV24-6C PV24-4C", "a row")
        check(refused("BadPlacement", type="PV24-8Q", placement=12) ==
              "12 is taken; free for PV24-8Q in mixed mode are 0-3 13-16",
              "taken")
        for bad in (17, 24, -1, 2**31, -2**62):
            check(refused("BadPlacement", type="PV24-8Q", placement=bad) ==
                  f"{bad} is not an id of this type; free for PV24-8Q in "
                  "mixed mode are 0-3 13-16", f"{bad}")
        check(expect_error("InUse", daemon.call, "SetGpuMode",
                           mode="equal")["message"].startswith(
            "it is mixed, and 1 vGPUs are placed"), "the mode of a used GPU")
        daemon.call("SetGpuMode", mode="mixed")
        daemon.call("Destroy", name="a")
        expect_error("InvalidMode", daemon.call, "SetGpuMode", mode="odd")
        daemon.call("SetGpuMode", mode="equal")
        # One size, any series.
        for kind in "QBA":
            daemon.call("Create", name=kind.lower(), type=f"PV24-2{kind}")
        check(refused("NoRoom", type="PV24-1Q") ==
              "the GPU is in equal mode, and its vGPUs have 2 GiB each; "
              "PV24-1Q has 1 GiB; types that fit: PV24-2Q PV24-2B PV24-2A",
              "another size")
        check(refused("BadPlacement", type="PV24-2Q", placement=7) ==
              "7 is not an id of this type; free for PV24-2Q in equal mode "
              "are 6 8 10 12 14 16 18 20 22", "no multiple")
        check(rooms(daemon)["PV24-2Q"] == 9 and rooms(daemon)["PV24-4Q"] == 0,
              "room")


def both_modes_hold_as_many_of_one_size_as_the_memory():
    for mode in ("mixed", "equal"):
        with Daemon("--gpu-mode", mode, "--gpu-memory", "48GiB") as daemon:
            with Client(daemon) as client:
                for n in range(48):
                    client.call("Create", name=f"n{n}", type="PV24-1Q")
                expect_error("NoRoom", client.call, "Create", name="x",
                             type="PV24-1Q")


def host_memory_device_budgets_and_instances_bound_too():
    with folder() as types:
        body = ("max_resolution = 1920x1080\nmax_pixels = 2073600\nheads = 1\n"
                "default_mode = 1920x1080@60\nseries = Q\n")
        write(types + "/t.conf",
              f"[T-2Q]\nframebuffer = 2GiB\nmax_instances = 2\n{body}"
              f"[T-1Q]\nframebuffer = 1GiB\ndevice_budget = 5GiB\n{body}"
              f"[T-3Q]\nframebuffer = 3GiB\n{body}")
        with Daemon("--host-memory", "9GiB", "--gpu-memory", "16GiB",
                    types=types) as daemon:
            check([rooms(daemon)[t] for t in ("T-1Q", "T-2Q", "T-3Q")] ==
                  [3, 2, 3], f"{rooms(daemon)}")
            daemon.call("Create", name="a", type="T-2Q")
            daemon.call("Create", name="b", type="T-2Q")
            text = expect_error("NoRoom", daemon.call, "Create", name="x",
                                type="T-2Q")["message"]
            check(text.startswith("there are 2 of T-2Q, and its max_instances "
                                  "is 2; types that fit:"), text)
            daemon.call("Create", name="c", type="T-1Q")
            daemon.call("Create", name="d", type="T-1Q")
            text = expect_error("NoRoom", daemon.call, "Create", name="x",
                                type="T-1Q")["message"]
            check(text.startswith("T-1Q has a device_budget of 5 GiB, and 2 "
                                  "GiB of the GPU's 16 GiB"), text)
            for name in "cd":
                daemon.call("Destroy", name=name)
            daemon.call("Create", name="e", type="T-3Q")
            text = expect_error("NoRoom", daemon.call, "Create", name="x",
                                type="T-3Q")["message"]
            check(text.startswith("T-3Q takes up to 3 GiB of the host's "
                                  "memory, and 2 GiB of the 9 GiB that "
                                  "host_memory allows"), text)


def pvgpuctl_shows_and_sets_it():
    with Daemon() as daemon:
        def ctl(*arguments, status=0):
            done = subprocess.run([CTL, "--socket", daemon.control,
                                   *arguments], capture_output=True, text=True,
                                  timeout=30)
            check(done.returncode == status, f"{done}")
            return done.stdout if not status else done.stderr
        check("placement 5\n" in ctl("create", "--placement", "5", "web",
                                     "PV24-2Q"), "create")
        check(ctl("create", "x", "PV24-2Q", "--placement", "4", status=1) ==
              "pvgpuctl: create: placement: 4 is taken; free for PV24-2Q in "
              "mixed mode are 0-3 7-22\n", "taken")
        for bad in ("x", "-1", "4.0", "99999999999"):
            check(ctl("create", "x", "PV24-2Q", "--placement", bad,
                      status=2) == f"pvgpuctl: create: --placement: '{bad}' "
                  "given; allowed is a number\n", bad)
        rows = [line.split() for line in ctl("gpu").splitlines()]
        check(["mode", "mixed", "sizes"] in rows and
              ["5-6", "2", "GiB", "web", "PV24-2Q"] in rows and
              ["7-23", "17", "GiB", "free"] in rows, f"{rows}")
        check(ctl("gpu", "placements", "PV24-12Q").split() ==
              "size 12 GiB ids 0-12 free 7-12".split(), "placements")
        check("InUse" not in ctl("gpu", "set-mode", "equal", status=1) and
              ctl("gpu", "set-mode", "equal", status=1).startswith(
                  "pvgpuctl: gpu: mode: it is mixed"), "set-mode")
        ctl("gpu", "frob", status=2)
        ctl("gpu", "set-mode", status=2)
        ctl("destroy", "web")
        ctl("gpu", "set-mode", "equal")
        check("equal sizes" in ctl("types") and "equal" in ctl("gpu"), "mode")
        check(json.loads(ctl("--json", "gpu")) == daemon.call("GetGpu"),
              "--json")
        check(json.loads(ctl("--json", "gpu", "placements", "PV24-1A")) ==
              daemon.call("ListPlacements", type="PV24-1A"), "--json")


# ------------------------------------------------------------------- state

def vgpus_come_back_as_they_were():
    with folder() as state:
        with Daemon("--state-dir", state) as daemon:
            daemon.call("SetGpuMode", mode="mixed")
            daemon.call("Create", name="web", type="PV24-2Q", placement=7)
            daemon.call("Create", name="desk", type="PV24-1A")
            daemon.call("Create", name="gone", type="PV24-4Q")
            daemon.call("Destroy", name="gone")
            daemon.call("SetHead", name="web", head=1, width=1280, height=800)
            daemon.call("SetHead", name="web", head=2, connected=False)
            before = {v["name"]: v for v in daemon.call("List")["vgpus"]}
            heads = daemon.call("ListHeads", name="web")
            check(sorted(saved(state)) == ["desk.json", "web.json"],
                  f"{saved(state)}")
            check(os.stat(state + "/vgpus/web.json").st_mode & 0o077 == 0,
                  "mode of the file")
            # As by a power cut.
            daemon.process.kill()
            daemon.process.wait()
        with Daemon("--state-dir", state) as daemon:
            after = {v["name"]: v for v in daemon.call("List")["vgpus"]}
            for name, vgpu in before.items():
                for key in ("uuid", "type", "placement"):
                    check(after[name][key] == vgpu[key], f"{name} {key}")
            check(len(after) == 2, f"{after}")
            check(daemon.call("ListHeads", name="web") == heads, "heads")
            Qemu(daemon.directory + "/web.sock").close()
            check(daemon.stop() == 0 and len(saved(state)) == 2,
                  "an orderly end keeps them too")


def a_kill_at_any_moment_loses_no_vgpu():
    """Heads are set as fast as it goes; the next daemon has the last setting
    that was answered, or the one that was on its way."""
    numbers = random.Random(11)
    with folder() as state:
        sent = answered = 1920
        for _ in range(12):
            with Daemon("--state-dir", state) as daemon:
                names = [v["name"] for v in daemon.call("List")["vgpus"]]
                if not names:
                    daemon.call("Create", name="a", type="PV24-2Q")
                else:
                    width = daemon.call("ListHeads", name="a")["heads"][0][
                        "width"]
                    check(names == ["a"] and width in (answered, sent),
                          f"{names}, {width}: {answered}, {sent}")
                    answered = width
                timer = threading.Timer(numbers.uniform(0.01, 0.15),
                                        daemon.process.kill)
                timer.start()
                try:
                    with Client(daemon) as client:
                        while True:
                            sent = 640 + 8 * numbers.randrange(100)
                            client.call("SetHead", name="a", head=0,
                                        width=sent, height=480)
                            answered = sent
                except (OSError, AssertionError):
                    pass
                timer.join()
                daemon.process.wait()
            check(all(name in ("a.json", ".a.json.new") for name in
                      os.listdir(state + "/vgpus")), "something else")


def the_mode_comes_back():
    with folder() as state:
        with Daemon("--state-dir", state) as daemon:
            daemon.call("SetGpuMode", mode="equal")
        with Daemon("--state-dir", state, "--gpu-mode", "mixed") as daemon:
            check(daemon.call("GetGpu")["gpu"]["mode"] == "equal", "mode")
            check(lines_with(daemon, "as was set at run time"), "told")
        for bad in ("", "{", '{"version": 1, "mode": "odd"}',
                    '{"version": 2, "mode": "equal"}', "[]"):
            write(state + "/gpu.json", bad)
            with Daemon("--state-dir", state) as daemon:
                check(daemon.call("GetGpu")["gpu"]["mode"] == "mixed", bad)
                check(lines_with(daemon, "error: " + state + "/gpu.json: "),
                      daemon.log())
            with open(state + "/gpu.json") as f:
                check(f.read() == bad, "the damaged file is kept")


def damaged_and_unfitting_ones_are_left_aside():
    with folder() as state:
        with Daemon("--state-dir", state) as daemon:
            daemon.call("Create", name="good", type="PV24-2Q", placement=4)
        base = saved(state)["good.json"]
        uuid = "00000000-0000-4000-8000-0000000000%02x"
        text = json.dumps(base)

        def other(name, **changes):
            return json.dumps({**base, "name": name, "placement": 8,
                               "uuid": uuid % 0xff, **changes})
        files = {
            "empty": ("", "it ends too early"),
            "half": (text[:len(text) // 2], "it ends too early"),
            "junk": ("\x00\xff\x01", ""),
            "array": ("[]", "not one object"),
            "twice": (text + text, ""),
            "deep": ('{"a":' * 40 + "1" + "}" * 40, ""),
            "large": (" " * 300000, "larger than any"),
            "version": (other("version", version=2), "version: allowed is 1"),
            "extra": (other("extra", colour="red"), "colour: not a member"),
            "name": (other("nome"), "name: allowed is 'name'"),
            "no-name": (other(None), "name: allowed is 'no-name'"),
            "uuid": (other("uuid", uuid="x"), "uuid: allowed is a UUID"),
            "same-uuid": (other("same-uuid", uuid=base["uuid"]), "uuid: "),
            "type": (other("type", type="PV24-9Q"), "type: 'PV24-9Q' is not"),
            "taken": (other("taken", placement=5),
                      "placement: 5 is taken; free for PV24-2Q"),
            "outside": (other("outside", placement=23), "placement: 23 is "
                        "not an id of this type"),
            "minus": (other("minus", placement=-1), "placement: -1 is not"),
            "text": (other("text", placement="4"), "placement: "),
            "too-big": (other("too-big", type="PV24-24Q", placement=0),
                        "type: PV24-24Q takes 24 GiB"),
            "settings": (other("settings", settings=[]), "settings: allowed "
                         "is an object"),
            "odd-set": (other("odd-set", settings={"fan": 1}),
                        "settings: fan is not one"),
            "head": (other("head", settings={"heads": [{"head": 4}]}),
                     "settings: heads: head: allowed are 0 to 3"),
            "head-2": (other("head-2", settings={"heads": [{"head": 1}]}),
                       "settings: head 1: "),
            "Bad Name": (other("Bad Name"), "name: allowed are 1 to 32"),
            "x" * 33: (other("x" * 33), "name: allowed are 1 to 32"),
        }
        for name, (content, _) in files.items():
            write(f"{state}/vgpus/{name}.json", content)
        os.mkfifo(state + "/vgpus/fifo.json")
        os.symlink("/etc/passwd", state + "/vgpus/link.json")
        os.mkdir(state + "/vgpus/folder.json")
        write(state + "/vgpus/.cut.json.new", "{")
        write(state + "/vgpus/README", "hello")
        with Daemon("--state-dir", state) as daemon:
            vgpus = daemon.call("List")["vgpus"]
            check([v["name"] for v in vgpus] == ["good"], f"{vgpus}")
            for name, (_, why) in files.items():
                found = lines_with(daemon, f"/vgpus/{name}.json: {why}")
                check(len(found) == 1 and found[0].endswith(
                    "this vGPU is left aside, its file stays"),
                    f"{name}: {lines_with(daemon, name)}")
            for name in ("fifo", "link", "folder"):
                check(len(lines_with(daemon, f"/vgpus/{name}.json: ")) == 1,
                      name)
            check("README" not in daemon.log(), "another's file")
            # A name that is left aside is not free, and the file is safe.
            text = expect_error("Exists", daemon.call, "Create", name="half",
                                type="PV24-1Q")["message"]
            check("was left aside" in text and state in text, text)
            expect_error("NoSuchVgpu", daemon.call, "Destroy", name="half")
            daemon.call("Create", name="new", type="PV24-1Q")
        for name, (content, _) in files.items():
            with open(f"{state}/vgpus/{name}.json") as f:
                check(f.read() == content, f"{name} was touched")
        check("new.json" in os.listdir(state + "/vgpus"), "new")


def what_was_left_aside_comes_back_when_it_fits():
    with folder() as state, folder() as types:
        shutil.copy("host-backend/types/pv24.conf", types + "/a.conf")
        with Daemon("--state-dir", state) as daemon:
            daemon.call("Create", name="a", type="PV24-2Q")
            vgpu = daemon.call("Create", name="b", type="PV24-6Q")["vgpu"]
        with open(types + "/a.conf") as f:
            whole = f.read()
        cut = whole.replace("[PV24-6Q]", "[PV24-5Q]").replace(
            "framebuffer = 6GiB", "framebuffer = 5GiB", 1)
        write(types + "/a.conf", cut)
        with Daemon("--state-dir", state, types=types) as daemon:
            check([v["name"] for v in daemon.call("List")["vgpus"]] == ["a"],
                  "b has no type")
            write(types + "/a.conf", whole)
            reload(daemon, "reload: done")
            after = {v["name"]: v for v in daemon.call("List")["vgpus"]}
            check(after["b"]["uuid"] == vgpu["uuid"] and
                  after["b"]["placement"] == vgpu["placement"], f"{after}")


def a_state_directory_is_one_daemons():
    with folder() as state, Daemon("--state-dir", state):
        with folder() as runtime:
            done = subprocess.run(
                [ASAN_BIN + "/pvgpud", "--runtime-dir", runtime,
                 "--state-dir", state, "--types-dir", "host-backend/types",
                 "--worker", FAKE_WORKER], capture_output=True, text=True,
                timeout=20)
        check(done.returncode == 1 and done.stderr == "pvgpud: error: "
              f"--state-dir: {state}: another pvgpud has it\n", f"{done}")


def a_full_disk_makes_no_vgpu():
    """What cannot be saved is not made; the next one is."""
    with folder() as state, Daemon("--state-dir", state) as daemon:
        daemon.call("Create", name="a", type="PV24-1Q")
        # fsync and rename work; writing more than nothing does not.
        subprocess.run(["prlimit", f"--pid={daemon.pid}", "--fsize=10:"],
                       check=True)
        wait = expect_error("System", daemon.call, "Create", name="b",
                            type="PV24-1Q")
        check("File too large" in wait["message"], f"{wait}")
        head = expect_error("System", daemon.call, "SetHead", name="a",
                            head=0, width=1280, height=800)
        check("File too large" in head["message"], f"{head}")
        check(daemon.call("ListHeads", name="a")["heads"][0]["width"] == 1920,
              "the head is as it was")
        check(expect_error("System", daemon.call, "SetGpuMode", mode="mixed"),
              "the mode")
        check([v["name"] for v in daemon.call("List")["vgpus"]] == ["a"] and
              not os.path.exists(daemon.directory + "/b.sock"), "b is there")
        check(os.listdir(state + "/vgpus") == ["a.json"],
              f"{os.listdir(state + '/vgpus')}")


# ----------------------------------------------------------- configuration

def reload_takes_all_or_nothing():
    with folder() as directory:
        types = directory + "/types.d"
        os.mkdir(types)
        with open("host-backend/types/pv24.conf") as f:
            whole = f.read()
        write(types + "/a.conf", whole)
        config = directory + "/pvgpud.conf"
        write(config, "[gpu]\nname = one\nmemory = 24GiB\n[manager]\n"
              "host_memory = 1000%\n")
        with Daemon("--config", config, types=types) as daemon:
            def told(gpu_name, gib):
                gpu = daemon.call("GetGpu")["gpu"]
                check(gpu["name"] == gpu_name and
                      gpu["memory"]["limit"] == gib * GIB, f"{gpu}")
            daemon.call("Create", name="a", type="PV24-2Q", placement=10)
            limits = daemon.call("Show", name="a")["limits"]
            # A wrong line in either file: nothing of both.
            write(config, "[gpu]\nname = two\nmemory = lots\n")
            write(types + "/a.conf", whole.replace("PV24-8Q", "PV24-9Q")
                  .replace("framebuffer = 8GiB", "framebuffer = 9GiB", 1))
            reload(daemon, "reload: nothing is changed")
            check(lines_with(daemon, f"{config}:3: memory: 'lots' given; "
                             "allowed is a size"), daemon.log())
            told("one", 24)
            check("PV24-8Q" in rooms(daemon), "types")
            write(config, "[gpu]\nname = two\nmemory = 32GiB\n")
            write(types + "/a.conf", "[PV24-2Q]\nheads = many\n")
            reload(daemon, "reload: nothing is changed")
            told("one", 24)
            # Smaller than what is placed.
            write(types + "/a.conf", whole.replace(
                "[PV24-2Q]\nseries = Q\nframebuffer = 2GiB\nheads = 4",
                "[PV24-2Q]\nseries = Q\nframebuffer = 2GiB\nheads = 2"))
            write(config, "[gpu]\nmemory = 11GiB\n")
            reload(daemon, "reload: nothing is changed")
            check(lines_with(daemon, "allowed is 12 GiB or more"),
                  daemon.log())
            told("one", 24)
            # All good: the vGPU that is there keeps its type.
            write(config, "[gpu]\nname = two\nmemory = 12GiB\nmode = equal\n"
                  "[manager]\nhost_memory = 3GiB\n")
            reload(daemon, "reload: done")
            told("two", 12)
            check(lines_with(daemon, "it stays mixed"), daemon.log())
            check(daemon.call("Show", name="a")["limits"] == limits, "limits")
            # The command line's host_memory counts more than the file's.
            check(rooms(daemon)["PV24-1Q"] == 10, f"{rooms(daemon)}")
            daemon.call("Destroy", name="a")
            vgpu = daemon.call("Create", name="b", type="PV24-2Q")["vgpu"]
            check(vgpu["heads"] == 2, "a new one has the new type")
            os.unlink(config)
            reload(daemon, "reload: nothing is changed")
            check(lines_with(daemon, f"{config}: No such file"), daemon.log())


def a_wrong_configuration_starts_nothing():
    with folder() as directory:
        config = directory + "/c.conf"
        write(config, "[gpu]\nmemory = 1PB\n\nmode = some\n[manger]\n")
        done = subprocess.run(
            [ASAN_BIN + "/pvgpud", "--runtime-dir", directory + "/run",
             "--config", config, "--types-dir", "host-backend/types"],
            capture_output=True, text=True, timeout=20)
        got = done.stderr.splitlines()
        check(done.returncode == 1 and len(got) == 3 and not done.stdout and
              got[0].startswith(f"pvgpud: error: {config}:2: memory: '1PB' "
                                "given; allowed is a size") and
              got[1].startswith(f"pvgpud: error: {config}:4: mode: 'some' "
                                "given; allowed is equal or mixed") and
              got[2] == f"pvgpud: error: {config}:5: section: 'manger' given; "
              "allowed is [gpu], [scheduler] or [manager]", f"{done}")
        check(os.listdir(directory) == ["c.conf"], "it left something")
        for path, why in (("/nonexistent", "No such file or directory"),
                          (directory, "not a regular file")):
            done = subprocess.run([ASAN_BIN + "/pvgpud", "--config", path,
                                   "--types-dir", "host-backend/types"],
                                  capture_output=True, text=True, timeout=20)
            check(done.returncode == 1 and done.stderr ==
                  f"pvgpud: error: {path}: {why}\n", f"{done}")


# ------------------------------------------------------------------ access

def groups():
    """Two groups that this user may give files to, by number."""
    if os.geteuid() == 0:
        return [12345, 12346]
    own = [g for g in os.getgroups() if g != os.getegid()] + [os.getegid()]
    return [own[0], own[-1]]


def access_of(path):
    st = os.stat(path)
    return st.st_mode & 0o777, st.st_gid


def sockets_belong_to_their_groups():
    first, second = groups()
    with Daemon() as daemon:
        daemon.call("Create", name="a", type="PV24-1Q")
        for path in (daemon.control, daemon.directory + "/a.sock"):
            check(access_of(path)[0] == 0o600, f"{access_of(path)}")
    with folder() as directory:
        config = directory + "/c.conf"
        write(config, f"[manager]\nsocket_group = {first}\n"
              f"vgpu_socket_group = {second}\nhost_memory = 1000%\n")
        with Daemon("--config", config) as daemon:
            daemon.call("Create", name="a", type="PV24-1Q")
            path = daemon.directory + "/a.sock"
            check(access_of(daemon.control) == (0o660, first), "control")
            check(access_of(path) == (0o660, second), "a.sock")
            write(config, f"[manager]\nsocket_group = {second}\n"
                  "host_memory = 1000%\n")
            reload(daemon, "reload: done")
            check(access_of(daemon.control) == (0o660, second), "control")
            check(access_of(path)[0] == 0o600, "a.sock after a reload")


def other_users_are_kept_out():
    """As root only can it be tried for real; else the modes above say it."""
    if os.geteuid() != 0:
        return "needs root to become somebody else"
    with folder() as directory:
        os.chmod(directory, 0o755)
        with Daemon("--socket-group", "12345", "--vgpu-socket-group", "12346"
                    ) as daemon:
            os.chmod(daemon.directory, 0o755)
            daemon.call("Create", name="a", type="PV24-1Q")
            program = ("import socket,sys\ns = socket.socket(socket.AF_UNIX)\n"
                       "try: s.connect(sys.argv[1])\n"
                       "except PermissionError: sys.exit(7)\n")
            for groups_of, path, allowed in (
                    ("", "control", False), ("", "a.sock", False),
                    ("12345", "control", True), ("12345", "a.sock", False),
                    ("12346", "control", False), ("12346", "a.sock", True)):
                done = subprocess.run(
                    ["setpriv", "--reuid=54321", "--regid=54321",
                     *([f"--groups={groups_of}"] if groups_of else
                       ["--clear-groups"]), sys.executable, "-c", program,
                     f"{daemon.directory}/{path}"], timeout=20)
                check(done.returncode == (0 if allowed else 7),
                      f"{groups_of} {path}: {done}")


def a_group_that_is_not_ones_own_is_refused_at_the_start():
    if os.geteuid() != 0:
        return "needs root to become somebody else"
    with folder() as directory:
        os.chmod(directory, 0o777)
        for name in ("pvgpud", "helper_fake_worker"):
            shutil.copy(f"{ASAN_BIN}/{name}", directory)
        shutil.copytree("host-backend/types", directory + "/types")
        command = ["setpriv", "--reuid=54321", "--regid=54321",
                   "--groups=12345", directory + "/pvgpud", "--runtime-dir",
                   directory + "/run", "--types-dir", directory + "/types",
                   "--worker", directory + "/helper_fake_worker",
                   "--vgpu-socket-group"]
        done = subprocess.run(command + ["12346"], capture_output=True,
                              text=True, timeout=20)
        check(done.returncode == 1 and done.stderr == "pvgpud: error: "
              "vgpu_socket_group: 12346 given: Operation not permitted; "
              "allowed are groups that this process, of uid 54321, is in\n",
              f"{done}")
        process = subprocess.Popen(command + ["12345"],
                                   stdout=subprocess.PIPE, text=True)
        check("ready" in process.stdout.readline(), "its own group")
        subprocess.run([CTL, "--socket", directory + "/run/control", "create",
                        "a", "PV24-1Q"], check=True, stdout=subprocess.DEVNULL,
                       timeout=20)
        check(access_of(directory + "/run/a.sock") == (0o660, 12345), "a.sock")
        process.terminate()
        check(process.wait(20) == 0, "its end")
        process.stdout.close()


def who_did_what_is_logged():
    with Daemon() as daemon, Client(daemon) as client:
        me = f"control: uid {os.getuid()} gid {os.getgid()} pid {os.getpid()}"
        client.call("Create", name="a", type="PV24-1Q")
        expect_error("NoSuchVgpu", client.call, "Destroy",
                     name="x\n\x1b[31mforged")
        expect_error("InvalidMode", client.call, "SetGpuMode", mode="y")
        try:
            client.call("Create", name=3)
        except VarlinkError:
            pass
        client.call("SetHead", name="a", head=0, connected=False)
        client.call("List")
        client.call("Show", name="a")
        client.call("Destroy", name="a")
        lines = [line.partition(me)[2] for line in daemon.log().splitlines()
                 if me in line]
        expected = [
            ': Create {"name":"a","type":"PV24-1Q"}: done',
            ': Destroy {"name":"x\\n\\u001b[31mforged"}: NoSuchVgpu: ',
            ': SetGpuMode {"mode":"y"}: InvalidMode: \'y\' given; allowed is',
            ': Create {"name":3}: InvalidParameter: a string',
            ': SetHead {"name":"a","head":0,"connected":false}: done',
            ': Destroy {"name":"a"}: done']
        check(len(lines) == len(expected) and all(
            line.startswith(want) for line, want in zip(lines, expected)),
            f"{lines}")
        check("\x1b" not in daemon.log(), "a caller wrote to the log")


if __name__ == "__main__":
    run_tests([
        a_random_life_is_placed_without_overlap,
        refusals_say_why_and_what_would_fit,
        both_modes_hold_as_many_of_one_size_as_the_memory,
        host_memory_device_budgets_and_instances_bound_too,
        pvgpuctl_shows_and_sets_it,
        vgpus_come_back_as_they_were,
        a_kill_at_any_moment_loses_no_vgpu,
        the_mode_comes_back,
        damaged_and_unfitting_ones_are_left_aside,
        what_was_left_aside_comes_back_when_it_fits,
        a_state_directory_is_one_daemons,
        a_full_disk_makes_no_vgpu,
        reload_takes_all_or_nothing,
        a_wrong_configuration_starts_nothing,
        sockets_belong_to_their_groups,
        other_users_are_kept_out,
        a_group_that_is_not_ones_own_is_refused_at_the_start,
        who_did_what_is_logged,
    ])
