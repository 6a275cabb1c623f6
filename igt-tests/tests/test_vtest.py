#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The door for containers: programs with stock Mesa in a sandbox draw what they
draw without it, several at once; whatever a client does ends for itself alone
and leaves nothing. The door is built with ASan and UBSan, and for what is hostile
all of ours."""
import concurrent.futures
import fcntl
import os
import random
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, "igt-tests")
from harness import BUILD, TREE, Host, Lazy, guide, main, read_ppm, spawn, tail, test
from harness import vtest as v

VGPU, TYPE = "box", "VTEST-1B"
CLIENTS = 12                        # more than the vGPU has channels
GL = BUILD / "guest/pvgpu-gl"
TYPES = [TREE / "igt-tests/types"]
host = Lazy(lambda: Host("vtest", asan=True, types_dirs=TYPES).start())
gl_host = Lazy(lambda: Host("vtest-gl", types_dirs=TYPES).start())


def open_door(at):
    at().create(VGPU, TYPE)
    return v.Door(at(), VGPU, "--clients", str(CLIENTS), "--debug", asan=True).start()


door = Lazy(lambda: open_door(host))
gl_door = Lazy(lambda: open_door(gl_host))


def client(**kwargs):
    return v.Client(door().socket, **kwargs)


def picture(frame, *prefix, size="320x240"):
    """The scene, from the door; with a prefix, from llvmpipe itself."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [GL, "scene", "surfaceless", size, str(frame), f"{folder}/p.ppm"]
        if prefix:
            subprocess.run([*prefix, *argv], check=True, timeout=60, capture_output=True)
        else:
            gl_door().run(*argv, binds=[folder])
        return read_ppm(Path(f"{folder}/p.ppm").read_bytes())


def like_llvmpipe(frame, drawn):
    problem = drawn.unlike(picture(frame, "env", "LIBGL_ALWAYS_SOFTWARE=1"))
    assert not problem, f"frame {frame}: {problem}"


def bystander_lives(c):
    """One that did nothing wrong goes on."""
    memory = c.create(900, 16, 16)
    memory[:] = bytes(range(256)) * 4
    c.transfer(v.PUT2, 900, 16, 16)
    assert c.wait(900) == 0         # what was put may be overwritten
    memory[:] = bytes(1024)
    c.transfer(v.GET2, 900, 16, 16)
    assert c.wait(900) == 0
    assert memory[:] == bytes(range(256)) * 4
    c.send(v.UNREF, 900)


# ------------------------------------------------------------- what it is for
@test
def mesa_in_a_sandbox_draws_what_llvmpipe_draws():
    told = gl_door().run(GL, "info", "surfaceless")
    assert "renderer virgl" in told, told
    like_llvmpipe(3, picture(3))


@test
def several_clients_draw_at_once():
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for frame, drawn in enumerate(pool.map(picture, range(3))):
            like_llvmpipe(frame, drawn)


@test
def a_client_that_is_killed_leaves_nothing():
    gl_door().wait_empty()
    process = spawn(v.sandbox_argv(gl_door().socket, [GL, "spin", "surfaceless", "60", "256"]),
                    stdout=subprocess.DEVNULL, env=dict(v.MESA, PATH=os.environ["PATH"]))
    deadline = time.monotonic() + 30
    while not gl_door().used():
        assert time.monotonic() < deadline, "the client has nothing"
        time.sleep(0.1)
    time.sleep(1)
    running = process.poll() is None
    process.kill()
    process.wait()
    assert running, "it ended by itself"
    gl_door().wait_empty()


@test
def the_worker_s_death_ends_connections_and_not_the_door():
    a, b = client(), client()
    a.create(1, 64, 64)
    os.kill(host().ctl("show", VGPU, json_output=True)["vgpu"]["workerPid"], signal.SIGKILL)
    assert a.closed() and b.closed()
    bystander_lives(client())


# What podman is told of this machine: who starts it may be in a container too.
PODMAN = """[containers]
default_ulimits = []
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
"""


def run_guide(folder, env):
    said = ""
    for commands in guide.blocks("container"):
        commands = commands.replace("/run/pvgpu-vtest/web/socket", gl_door().socket)
        commands = commands.replace("pvgpuctl show web", f"pvgpuctl show {VGPU}")
        done = subprocess.run(["bash", "-eu", "-c", commands], cwd=folder, env=env, text=True,
                              capture_output=True, timeout=120, check=False)
        said += done.stdout
        assert done.returncode == 0, f"{commands}: {done.stdout}{done.stderr}"
    assert said.count("GL_RENDERER   = virgl") == 2 and "renderer   llvmpipe" in said, said


@test
def the_guide_s_containers_draw():
    gl_door()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "containers.conf").write_text(PODMAN)
        os.mkdir(f"{folder}/bin")
        Path(folder, "bin/pvgpuctl").write_text(
            f'#!/bin/sh\nexec {BUILD}/bin/pvgpuctl --socket {gl_host().socket} "$@"\n')
        os.chmod(f"{folder}/bin/pvgpuctl", 0o755)
        env = dict(os.environ, CONTAINERS_CONF=f"{folder}/containers.conf",
                   PATH=f"{folder}/bin:{os.environ['PATH']}")
        run_guide(folder, env)


# --------------------------------------------------------------- the protocol
@test
def versions_are_negotiated():
    for asked, granted in ((0, 0), (1, 0), (2, 2), (3, 2), (0xffffffff, 2)):
        c = client(version=asked)
        assert c.version == granted, (asked, c.version)
        c.close()
    c = client(version=0)
    c.create(1, 4, 4, size=0)
    assert c.closed(), "CREATE2 with version 0"


@test
def memory_is_sealed_and_the_client_s_alone():
    a, b = client(), client()
    first, second = a.create(1, 64, 64), b.create(1, 64, 64)
    seals = fcntl.fcntl(a.fds[0], 1034)                 # F_GET_SEALS
    assert seals & 7 == 7, f"seals {seals:#x}: not against sealing, shrinking, growing"
    try:
        os.ftruncate(a.fds[0], 4096)
        raise AssertionError("the memory was made shorter")
    except PermissionError:
        pass
    assert os.fstat(a.fds[0]).st_size == 64 * 64 * 4
    first[:], second[:] = b"a" * len(first), b"b" * len(second)
    for c in a, b:
        c.transfer(v.PUT2, 1, 64, 64)
        c.wait(1)
    first[:], second[:] = bytes(len(first)), bytes(len(second))
    # Only the box comes back, where it lies in the level.
    for c in a, b:
        c.transfer(v.GET2, 1, 8, 4, x=8, y=2, offset=2 * 256 + 32)
        assert c.wait(1) == 0
    for memory, value in (first, b"a"), (second, b"b"):
        expected = bytearray(len(memory))
        for row in range(2, 6):
            expected[row * 256 + 32:row * 256 + 64] = value * 32
        assert memory[:] == expected


@test
def vram_that_changes_hands_is_empty():
    for _ in range(3):
        c = client()
        memory = c.create(1, 1 << 20, target=v.TARGET_BUFFER, fmt=v.R8, bind=v.CUSTOM)
        c.transfer(v.GET2, 1, 1 << 20)
        assert c.wait(1) == 0
        assert memory[:] == bytes(1 << 20), "another client's bytes"
        memory[:] = b"s" * (1 << 20)
        c.transfer(v.PUT2, 1, 1 << 20)
        c.wait(1)
        c.close()
        door().wait_empty()


@test
def streams_carry_their_transfers():
    c = client()
    memory = c.create(7, 32, 32)
    staging = c.create(3000000000, 65536, target=v.TARGET_BUFFER, fmt=v.R8, bind=v.STAGING)
    memory[:] = b"t" * 4096
    staging[100:100 + 64] = b"c" * 64
    box = (0, 0, 0, 32, 32, 1)
    # TRANSFER3D of all, then a COPY_TRANSFER3D of 4x4 texels in the middle.
    c.submit(v.stream((43, 0, 7, 0, 0, 0, 0, *box, 0, 1),
                      (45, 0, 7, 0, 0, 16, 0, 8, 8, 0, 4, 4, 1, 3000000000, 100, 1)))
    assert c.wait() == 0
    memory[:] = bytes(4096)
    c.transfer(v.GET2, 7, 32, 32)
    c.wait()
    expected = bytearray(b"t" * 4096)
    for row in range(8, 12):
        expected[row * 128 + 32:row * 128 + 48] = b"c" * 16
    assert memory[:] == expected


@test
def queries_are_answered_in_memory():
    c = client()
    c.create(1, 16, 16)
    result = c.create(2, 16, target=v.TARGET_BUFFER, fmt=v.R8, bind=v.CUSTOM)
    surface, query = 10, 11
    c.submit(v.stream((1, 8, surface, 1, v.RGBA, 0, 0), (5, 0, 1, 0, surface),
                      (1, 9, query, 0, 0, 2)))
    for _ in range(3):
        result[0:4] = v.words(2)        # the host's turn
        c.submit(v.stream((19, 0, query), (20, 0, query), (21, 0, query, 1)))
        deadline = time.monotonic() + 20
        while c.wait() or result[0:4] == v.words(2):
            assert time.monotonic() < deadline, "no result"
            c.transfer(v.GET2, 2, 16)
        assert result[:] == v.words(1, 4, 0, 0), result[:]


@test
def version_0_sends_pixels_through_the_socket():
    c = client(version=0)
    c.send(v.CREATE, 1, v.TARGET_2D, v.RGBA, v.DRAWN | v.SAMPLED, 33, 9, 1, 1, 0, 0)
    pixels = random.Random(1).randbytes(33 * 9 * 4)
    box = (0, 0, 0, 33, 9, 1)
    c.raw(v.words(11 + 297, v.PUT, 1, 0, 33 * 4, 0, *box, len(pixels)) + pixels)
    c.send(v.GET, 1, 0, 33 * 4, 0, *box, len(pixels))
    assert c.take(len(pixels)) == pixels
    # A part, in wider rows; what is between them is nobody's.
    c.send(v.GET, 1, 0, 64, 0, 2, 3, 0, 4, 2, 1, 64 + 16)
    rows = [pixels[(y * 33 + 2) * 4:(y * 33 + 6) * 4] for y in (3, 4)]
    assert c.take(80) == rows[0] + bytes(48) + rows[1]
    c.send(v.PING)
    assert c.take(8) == v.words(0, v.PING)


@test
def a_fence_waits_for_what_was_before_it():
    c = client()
    c.create(1, 64, 64)
    for n in range(50):
        c.transfer(v.PUT2, 1, 64, 64)
        c.create(100 + n, 8, target=v.TARGET_BUFFER, fmt=v.R8, bind=v.CUSTOM)
    for n in reversed(range(50)):
        assert c.wait(100 + n) == 0
        assert c.wait(100 + n, 0) == 0
        c.send(v.UNREF, 100 + n)
    assert host().ctl("show", VGPU, json_output=True)["counters"]["resources"] < 10


# --------------------------------------------------------------------- limits
@test
def what_is_beyond_the_budget_is_refused_and_nobody_else():
    a, b = client(), client()
    huge = 8192                         # 256 MiB of 1 GiB
    made = [a.create(n, huge, huge, size=4096) is not None for n in range(1, 7)]
    assert made == [True] * 3 + [False] * 3, made
    bystander_lives(b)
    bystander_lives(a)
    a.send(v.UNREF, 1)
    assert a.create(4, huge, huge, size=4096), "what was freed can be had"
    assert b.create(1, 64, 64, size=1 << 31) is None, "more memory than VRAM"
    bystander_lives(b)
    a.close()
    b.close()
    door().wait_empty()


@test
def more_clients_wait_for_their_turn():
    door().wait_empty()
    served = [client() for _ in range(CLIENTS)]
    for c in served:
        bystander_lives(c)
    late = client(version=None, timeout=1)
    late.raw(v.words(5, v.CREATE_RENDERER) + b"late\0" + v.words(0, v.PING))
    try:
        late.take(8)
        raise AssertionError(f"client {CLIENTS + 1} was served")
    except TimeoutError:
        pass
    served.pop().close()
    late.socket.settimeout(20)
    assert late.take(8) == v.words(0, v.PING)
    for c in served:
        bystander_lives(c)


# -------------------------------------------------------------------- hostile
GREETING = v.words(5, v.CREATE_RENDERER) + b"evil\0"
BAD = {
    "no greeting": v.words(0, v.PING),
    "two greetings": GREETING + GREETING,
    "a long greeting": v.words(5000, v.CREATE_RENDERER),
    "command 0": GREETING + v.words(0, 0),
    "command 15": GREETING + v.words(1, 15, 1),
    "a command of no table": GREETING + v.words(0, 0xffffffff),
    "a ping with a body": GREETING + v.words(1, v.PING, 0),
    "a short create": GREETING + v.words(3, v.CREATE, 1, 2, 3),
    "a stream of 4 GiB": GREETING + v.words(0xffffffff, v.SUBMIT),
    "a stream of 1 MiB and a word": GREETING + v.words((1 << 18) + 1, v.SUBMIT),
    "a stream that ends in a command": GREETING + v.words(1, v.SUBMIT, 7 | 8 << 16),
    "a stream that makes a resource": GREETING + v.words(12, v.SUBMIT, 48 | 11 << 16, *[1] * 11),
    "a stream of no command": GREETING + v.words(1, v.SUBMIT, 200),
    "a stream with nobody's resource":
        GREETING + v.words(6, v.SUBMIT, 1 | 8 << 8 | 5 << 16, 1, 77, 67, 0, 0),
    "a transfer of nobody's resource": GREETING + v.words(11, v.GET, 9, *[0] * 10),
    "a transfer of 4 GiB": GREETING + v.words(11, v.PUT, 9, *[0] * 9, 0xffffffff),
    "a transfer back of 4 GiB":
        GREETING + v.words(10, v.CREATE, 1, 2, 67, 10, 8, 8, 1, 1, 0, 0) +
        v.words(11, v.GET, 1, 0, 0, 0, 0, 0, 0, 8, 8, 1, 0xffffffff),
    "a box beyond its resource":
        GREETING + v.words(10, v.CREATE, 1, 2, 67, 10, 8, 8, 1, 1, 0, 0) +
        v.words(11, v.GET, 1, 0, 0, 0, 0, 0, 0, 9, 9, 1, 324),
    "a box at the end of numbers":
        GREETING + v.words(10, v.CREATE, 1, 2, 67, 10, 8, 8, 1, 1, 0, 0) +
        v.words(11, v.GET, 1, 0, 0xfffffffc, 0xffffffff, 0xffffffff, 0, 0, 1, 8, 8, 256),
    "a handle twice": GREETING + v.words(10, v.CREATE, 1, 2, 67, 10, 8, 8, 1, 1, 0, 0) * 2,
    "handle 0": GREETING + v.words(10, v.CREATE, 0, 2, 67, 10, 8, 8, 1, 1, 0, 0),
    "a surface of no format": GREETING + v.words(10, v.CREATE, 1, 2, 9999, 10, 8, 8, 1, 1, 0, 0),
}


@test
def what_makes_no_sense_closes_its_own_connection():
    bystander = client()
    for name, data in BAD.items():
        c = client(version=None)
        c.raw(data)
        assert c.closed(), f"{name}: not closed\n{tail(door().log)}"
        bystander_lives(bystander)
    # Each closing is told with its reason.
    assert len(re.findall("closed: ", door().log.read_text())) >= 20, tail(door().log)


@test
def another_client_s_resource_is_nobody_s():
    a, b = client(), client()
    a.create(5, 64, 64)
    b.transfer(v.GET2, 5, 64, 64)
    assert b.closed()
    bystander_lives(a)


@test
def who_stops_in_the_middle_or_never_reads_stops_alone():
    door().wait_empty()
    bystander, half, deaf = client(), client(), client()
    half.create(1, 512, 512)
    half.raw(v.words(1000, v.SUBMIT) + bytes(100))
    deaf.socket.settimeout(2)
    try:
        for _ in range(100000):
            deaf.raw(v.words(0, v.GET_CAPS2) * 100)
        raise AssertionError("it reads without end, and answers nobody")
    except TimeoutError:
        pass
    bystander_lives(bystander)
    for c in bystander, half, deaf:
        c.close()
    door().wait_empty()


def random_command(rng):
    kind = rng.choice((v.CREATE2, v.CREATE2, v.GET2, v.PUT2, v.SUBMIT, v.BUSY_WAIT, v.UNREF,
                       v.GET, v.GET_CAPS2, v.PING))
    small = lambda: rng.choice((0, 1, 2, 3, 8, 64, 64, 64, rng.randrange(1 << 32)))
    handle = rng.randrange(1, 6)
    if kind == v.CREATE2:
        return v.words(11, kind, handle, rng.randrange(9), rng.choice((1, 64, 67, rng.randrange(400))),
                       rng.choice((2, 8, 10, v.CUSTOM, v.STAGING)), small(), small(), 1, 1,
                       rng.randrange(3), 0, rng.choice((0, 64, 16384, 1 << 20)))
    if kind in (v.GET2, v.PUT2):
        return v.words(10, kind, handle, rng.randrange(2), 0, 0, 0, small(), small(), 1, 0, small())
    if kind == v.GET:
        return v.words(11, kind, handle, 0, small(), small(), 0, 0, 0, small(), small(), 1, 256)
    if kind == v.SUBMIT:
        body = v.stream(*((rng.choice((1, 3, 5, 7, 17, 21, 43, 45, 50)), rng.randrange(12),
                           *(rng.choice((small(), handle)) for _ in range(rng.randrange(22))))
                          for _ in range(rng.randrange(1, 4))))
        return v.words(len(body) // 4, kind) + body
    if kind == v.BUSY_WAIT:
        return v.words(2, kind, handle, rng.randrange(2))
    return v.words(1, kind, handle) if kind == v.UNREF else v.words(0, kind)


@test
def noise_of_a_fixed_amount_ends_nothing_but_itself():
    rng = random.Random(20261122)
    bystander = client()
    for n in range(150):
        c = client(timeout=2)
        try:
            for _ in range(20):
                c.raw(random_command(rng))
            if n % 3:
                c.raw(rng.randbytes(rng.randrange(200)))
        except (BrokenPipeError, ConnectionResetError):
            pass
        c.close()                       # some with all of it still unread
        if n % 25 == 0:
            bystander_lives(bystander)
    bystander_lives(bystander)
    bystander.close()
    door().wait_empty(60)


# ---------------------------------------------------------------- the program
def ends(*argv):
    done = subprocess.run([BUILD / "asan/bin/pvgpu-vtest", *argv], capture_output=True, text=True,
                          timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@test
def its_command_line_is_checked():
    assert ends("--help")[0] == 0
    for argv in ((), ("--vgpu", "a"), ("--vgpu", "a", "--socket", "b", "c"), ("--nonsense",),
                 ("--vgpu", "a", "--socket", "b", "--mode", "999"),
                 ("--vgpu", "a", "--socket", "b", "--clients", "0"), ("--clients",)):
        code, said = ends(*argv)
        assert code == 2 and "allowed is" in said, (argv, code, said)
    code, said = ends("--vgpu", "/nowhere/there", "--socket", "b")
    assert code == 1 and "/nowhere/there: connecting: No such file" in said, said


@test
def the_socket_is_whose_it_should_be():
    mode = stat.S_IMODE(os.stat(door().socket).st_mode)
    assert mode == 0o600, oct(mode)
    host().create("other", TYPE)
    with tempfile.TemporaryDirectory() as folder:
        left = socket.socket(socket.AF_UNIX)
        left.bind(f"{folder}/socket")
        left.close()                    # nobody listens: it is replaced
        with v.Door(host(), "other", "--mode", "0660", "--group", "nogroup") as other:
            info = os.stat(other.socket)
            assert stat.S_IMODE(info.st_mode) == 0o660
            assert info.st_gid == __import__("grp").getgrnam("nogroup").gr_gid
            code, said = ends("--runtime-dir", str(host().runtime), "--vgpu", VGPU, "--socket",
                              other.socket)
            assert code == 1, f"a socket that is listened at was taken: {said}"


def stop():
    for at in door, gl_door, host, gl_host:
        if at.made:
            at().stop()


main(cleanup=stop)
