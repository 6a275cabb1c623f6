# SPDX-License-Identifier: MIT
"""A virtual machine: stock QEMU, a guest image, and the agent inside it."""
import atexit
import contextlib
import functools
import gzip
import json
import os
import queue
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from .host import BUILD, TREE, run_dir, socket_dir, spawn, tail
from .picture import read_ppm

sys.path.insert(0, str(TREE / "igt-tests"))
import images  # noqa: E402  (a script beside this package)
import images_gl  # noqa: E402

QEMU = "qemu-system-x86_64"
DRIRC = TREE / "guest-drm/00-pvgpu.conf"
FRAME = struct.Struct("<5I")
MAGIC, PAYLOAD = 0x41475650, 4096
EXEC, STDIN, KILL, RESET, HELLO, OUT, ERR, EXIT = 1, 2, 3, 4, 16, 17, 18, 19
TIMED_OUT = 0x80000000

# For the kernel of a host image: without what a host of vGPUs does not need, in
# an emulated CPU.
HOST_ARGS = "systemd.show_status=0 " + " ".join(f"systemd.mask={unit}" for unit in """
    e2scrub_reap.service systemd-logind.service getty@tty1.service serial-getty@ttyS0.service
    systemd-user-sessions.service systemd-timesyncd.service systemd-udev-trigger.service
    systemd-udevd.service dev-hugepages.mount sys-kernel-tracing.mount""".split())

# A line of dmesg that no test may leave behind.
BAD_DMESG = re.compile(
    r"WARNING:|\bBUG:|\bOops\b|KASAN|UBSAN|KFENCE|kmemleak|refcount_t|general protection"
    r"|Call Trace:|lockdep|possible (circular|recursive) locking|inconsistent lock state"
    r"|INFO: task .* blocked|rcu: INFO|soft lockup|hard LOCKUP|Bad page|scheduling while atomic"
    r"|sleeping function|use-after-free|double free|memory leak|leaked"
    r"|\*ERROR\*|pvgpu.*(\berror\b|\bfailed\b)", re.IGNORECASE)
# What an unsigned module from outside the tree is greeted with; and QEMU's
# timer, which 6.1 sometimes finds not wired after a reset.
GOOD_DMESG = re.compile(r"module verification failed|loading out-of-tree module"
                        r"|MP-BIOS bug: 8254 timer")
TAINT_ALLOWED = 1 << 12 | 1 << 13       # out of tree, unsigned


class VmError(Exception):
    pass


class EmulatorRace(VmError):
    """QEMU's emulated processors, not the guest, are at fault: a kernel that
    patches its own code while another processor runs it sometimes gets its
    breakpoint too late under TCG with threads (about one boot in a hundred
    here, before any module of ours). Starting again is the only way."""


EMULATOR_RACE = re.compile(rb"int3: 0000 \[#1\]")


@functools.lru_cache(maxsize=None)
def accelerator():
    """"kvm" where a machine really runs under it, else "tcg": a boot sector
    that ends QEMU is the proof. PVGPU_ACCEL in the environment decides."""
    chosen = os.environ.get("PVGPU_ACCEL")
    if not chosen:
        chosen = "kvm" if _kvm_runs() else "tcg"
        os.environ["PVGPU_ACCEL"] = chosen      # for the programs that we start
    return chosen


def _kvm_runs():
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    sector = b"\xb0\x2a\xba\xf4\x00\xee\xf4"     # mov al,42; mov dx,0xf4; out dx,al; hlt
    with tempfile.NamedTemporaryFile() as disk:
        disk.write(sector.ljust(510, b"\0") + b"\x55\xaa")
        disk.flush()
        try:
            done = subprocess.run(
                [QEMU, "-accel", "kvm", "-machine", "q35", "-cpu", "host", "-m", "32",
                 "-nodefaults", "-display", "none", "-device", "isa-debug-exit,iobase=0xf4",
                 "-drive", f"file={disk.name},format=raw,if=ide,readonly=on"],
                stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
    return done.returncode == 42 * 2 + 1


class Result:
    """What a command in the guest printed (out, err) and how it ended: status
    is its exit status, 128 + signal, or None when its time was up."""
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err


class Command:
    """A command that runs in the guest; see Vm.start()."""
    def __init__(self, vm, number, text):
        self._vm, self.number, self.text = vm, number, text
        self._out, self._err = bytearray(), bytearray()
        self._change = threading.Condition()
        self._status, self._ended = None, False

    def _receive(self, kind, arg, payload):
        with self._change:
            if kind == OUT:
                self._out += payload
            elif kind == ERR:
                self._err += payload
            else:
                self._ended = True
                if not arg & TIMED_OUT:
                    signal = arg & 0x7f
                    self._status = 128 + signal if signal else arg >> 8 & 0xff
            self._change.notify_all()

    @property
    def out(self):
        return self._out.decode(errors="replace")

    @property
    def err(self):
        return self._err.decode(errors="replace")

    @property
    def ended(self):
        return self._ended

    def write(self, data):
        """Gives the command input; end() says that there is no more."""
        data = data.encode() if isinstance(data, str) else data
        for at in range(0, len(data), PAYLOAD):
            self._vm._send(STDIN, self.number, 0, data[at:at + PAYLOAD])

    def end(self):
        self._vm._send(STDIN, self.number, 0, b"")

    def kill(self, signal=9):
        self._vm._send(KILL, self.number, signal, b"")

    def _wait(self, condition, timeout, what):
        deadline = time.monotonic() + timeout
        with self._change:
            while not condition():
                self._vm._check_alive()
                left = deadline - time.monotonic()
                if left <= 0:
                    raise VmError(f"{self._vm.name}: no {what} within {timeout} s from: {self.text}\n"
                                  f"{self.out}{self.err}\n{self._vm.last_words()}")
                self._change.wait(min(left, 1))

    def wait_output(self, pattern, timeout=60):
        """Waits until what it printed matches a regular expression."""
        self._wait(lambda: re.search(pattern, self.out) or self._ended, timeout, pattern)
        found = re.search(pattern, self.out)
        if not found:
            raise VmError(f"{self._vm.name}: ended with {self._status} before printing "
                          f"{pattern}: {self.text}\n{self.out}{self.err}")
        return found

    def wait(self, timeout=60):
        self._wait(lambda: self._ended, timeout, "end")
        return Result(self._status, self.out, self.err)


class Vm:
    """A machine with vGPUs. Use as a context manager, or start(), wait(), stop().

    vm.run(SHELL COMMAND) gives a Result, and raises VmError unless its status
    is 0 (check=False: any). vm.start_command(TEXT) gives a Command that runs on.
    vm.share is a folder of the host that the guest has as /host; put() and
    get() copy through it. vm.load(), vm.unload(): pvgpu.ko. vm.cards(),
    vm.light(), vm.grab(): what its heads show. vm.check_dmesg() raises for any
    line that must not be there. vm.reboot(); vm.qmp(COMMAND, **ARGUMENTS).
    kill() ends QEMU as SIGKILL does. `vgpus` are names of vGPUs of `host`.

    disk="gl-SUITE" (images_gl.py) gives the guest Mesa and GL programs, and the
    tree's drirc file. screen=True gives QEMU a GL display on an Xvfb, which a
    stock virtio-gpu-gl needs."""
    def __init__(self, name, suite="trixie", host=None, vgpus=(), memory=1024, cpus=2,
                 args=(), kernel_args="", console=False, disk=None, screen=False):
        self.name, self.suite, self.host, self.vgpus = name, suite, host, list(vgpus)
        self.memory, self.cpus, self.args = memory, cpus, list(args)
        self.kernel_args, self.console = kernel_args, console
        self.image = images.get(suite)
        self.disk = images_gl.get(disk) if disk else None
        self.screen, self._xvfb = screen, None
        self.dir = run_dir(name)
        self.serial = self.dir / "serial.log"
        self.share = self.dir / "share"
        self.process, self.booted = None, False

    # -------------------------------------------------------------- its life
    def __enter__(self):
        self.start()
        try:
            return self.wait()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def _fill_share(self):
        (self.share / "bin").mkdir(parents=True, exist_ok=True)
        for tool in (BUILD / "guest").glob("pvgpu-*"):
            if tool.suffix in ("", ".so"):
                shutil.copy(tool, self.share / "bin")
        module = BUILD / "module" / self.suite
        if (module / "pvgpu.ko").exists():
            shutil.copy(module / "pvgpu.ko", self.share)
            shutil.copytree(module / "index", self.share / "index", dirs_exist_ok=True)
        (self.share / "drirc").mkdir(exist_ok=True)
        shutil.copy(DRIRC, self.share / "drirc")

    def qemu_argv(self):
        accel = accelerator()
        argv = [QEMU, "-name", self.name, "-nodefaults", "-no-user-config", "-machine", "q35",
                "-smp", self.cpus, "-m", self.memory,
                "-display", "sdl,gl=on" if self.screen else "none",
                *(("-accel", "kvm", "-cpu", "host") if accel == "kvm" else
                  ("-accel", "tcg,thread=multi", "-cpu", "max")),
                "-kernel", self.image.kernel, "-initrd", self._initrd(), "-append",
                "console=ttyS0 quiet loglevel=5 mitigations=off panic=0 "
                + ("PVGPU_SHELL=ttyS0 " if self.console else "") + self.kernel_args,
                "-drive", f"file={self.image.disk},format=raw,if=virtio,readonly=on",
                *(("-drive", f"file={self.disk.disk},format=raw,if=virtio,readonly=on")
                  if self.disk else ()),
                "-virtfs", f"local,path={self.share},mount_tag=host,security_model=none,"
                           "multidevs=remap",
                "-device", "virtio-serial-pci",
                "-chardev", f"socket,id=agent,path={self._sockets}/agent,server=on,wait=off",
                "-device", "virtserialport,chardev=agent,name=pvgpu.agent",
                "-chardev", f"socket,id=qmp,path={self._sockets}/qmp,server=on,wait=off",
                "-mon", "chardev=qmp,mode=control"]
        if self.console:
            argv += ["-serial", "mon:stdio"]
        else:
            argv += ["-chardev", f"file,id=serial,path={self.serial}", "-serial", "chardev:serial"]
        for name in self.vgpus:
            argv += self.host.qemu_args(name)
        return argv + self.args

    def _initrd(self):
        if not self.disk:
            return self.image.initrd
        # Of two archives behind each other the kernel unpacks both.
        path = self.dir / "initrd"
        path.write_bytes(self.image.initrd.read_bytes() + self.disk.init.read_bytes())
        return path

    def _start_screen(self):
        """An X server for QEMU's display; gives QEMU's environment."""
        if not shutil.which("Xvfb"):
            raise VmError("no Xvfb: make deps (package xvfb)")
        reader, writer = os.pipe()
        with open(self.dir / "xvfb.log", "wb") as log:
            self._xvfb = spawn(["Xvfb", "-displayfd", writer, "-nolisten", "tcp",
                                "-screen", "0", "2560x1600x24"],
                               stdout=log, stderr=log, pass_fds=(writer,))
        os.close(writer)
        with os.fdopen(reader) as answer:
            number = answer.readline().strip()
        if not number:
            raise VmError(f"{self.name}: Xvfb did not start:\n{tail(self.dir / 'xvfb.log')}")
        return dict(os.environ, DISPLAY=f":{number}", SDL_VIDEODRIVER="x11")

    def start(self):
        """Starts QEMU, and does not wait for the guest. Call it from the main
        thread: QEMU dies with the thread that started it."""
        self._sockets, self._short = socket_dir(self.dir)
        self._fill_share()
        self._commands, self._next = {}, 1
        self._hello, self._gone = queue.Queue(), None
        argv = self.qemu_argv()
        env = self._start_screen() if self.screen else None
        (self.dir / "qemu.args").write_text("\n".join(map(str, argv)) + "\n")
        with open(self.dir / "qemu.log", "wb") as log:
            self.process = spawn(argv, env=env, stdin=None if self.console else subprocess.DEVNULL,
                                 stdout=None if self.console else log, stderr=log)
        atexit.register(self.kill)
        self._started = time.monotonic()
        self._agent = self._connect("agent")
        self._qmp = Qmp(self._connect("qmp"))
        threading.Thread(target=self._read, args=(self._agent,), daemon=True).start()
        return self

    def _connect(self, name):
        deadline = time.monotonic() + 30
        while True:
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(str(self._sockets / name))
                return s
            except OSError:
                s.close()
            if self.process.poll() is not None or time.monotonic() > deadline:
                problem = tail(self.dir / "qemu.log")
                self.kill()
                raise VmError(f"{self.name}: QEMU did not start:\n{problem}")
            time.sleep(0.05)

    def wait(self, timeout=180):
        """Waits for the guest's agent; sets boot_seconds. A first boot that the
        emulator spoilt is tried again."""
        for _ in range(3):
            try:
                return self._wait_for_agent(timeout)
            except EmulatorRace as e:
                if self.booted:
                    raise
                print(f"# {self.name}: started again: {EmulatorRace.__doc__.split(':')[0]}",
                      flush=True)
                self.kill()
                self.start()
        return self._wait_for_agent(timeout)

    def _wait_for_agent(self, timeout):
        deadline = time.monotonic() + timeout
        while True:
            self._check_alive()
            try:
                self._hello.get(timeout=1)
                break
            except queue.Empty:
                if time.monotonic() > deadline:
                    raise VmError(f"{self.name}: the guest is not up after {timeout} s\n"
                                  + self.last_words()) from None
        self.boot_seconds = time.monotonic() - self._started
        self.booted = True
        return self

    def reboot(self, timeout=180):
        self._started = time.monotonic()
        self._send(RESET, 0, 1, b"")
        return self.wait(timeout)

    def kill(self):
        """SIGKILL, as if the host had lost QEMU."""
        process, self.process = self.process, None
        xvfb, self._xvfb = self._xvfb, None
        for one in (process, xvfb):
            if one:
                one.kill()
                one.wait()
        if process is None:
            return
        atexit.unregister(self.kill)
        for s in ("_agent", "_qmp"):
            if hasattr(self, s):
                getattr(self, s).close()
        if self._short:
            shutil.rmtree(self._short, ignore_errors=True)

    def stop(self, timeout=30):
        """Powers the guest off; kills QEMU if that takes too long. True if the
        guest was up and powered itself off."""
        if self.process is None:
            return False
        with contextlib.suppress(OSError, VmError, subprocess.TimeoutExpired):
            self._send(RESET, 0, 0, b"")
            self.process.wait(timeout)
        code = self.process.poll()
        self.kill()
        return code == 0

    def last_words(self):
        return f"-- end of its console:\n{tail(self.serial)}\n{tail(self.dir / 'qemu.log', 5)}"

    def _check_alive(self):
        if self.process is None or self.process.poll() is not None or self._gone:
            code = self.process and self.process.poll()
            raise VmError(f"{self.name}: QEMU is gone ({code})\n{self.last_words()}")
        with contextlib.suppress(OSError):
            said = self.serial.read_bytes()[-20000:]
            if b"Kernel panic" in said:
                kind = EmulatorRace if EMULATOR_RACE.search(said) else VmError
                raise kind(f"{self.name}: the guest's kernel panicked\n{self.last_words()}")

    # ------------------------------------------------------------- the agent
    def _send(self, kind, number, arg, payload):
        self._agent.sendall(FRAME.pack(MAGIC, kind, number, arg, len(payload)) + payload)

    def _read(self, agent):
        data = bytearray()
        magic = struct.pack("<I", MAGIC)
        while True:
            try:
                got = agent.recv(65536)
            except OSError:
                got = b""
            if not got:
                self._gone = True
                return
            data += got
            while len(data) >= FRAME.size:
                first, kind, number, arg, length = FRAME.unpack_from(data)
                if first != MAGIC or length > PAYLOAD:
                    at = data.find(magic, 1)
                    del data[:at if at > 0 else len(data) - 3]
                    continue
                if len(data) < FRAME.size + length:
                    break
                payload = bytes(data[FRAME.size:FRAME.size + length])
                del data[:FRAME.size + length]
                if kind == HELLO:
                    self._hello.put(True)
                elif number in self._commands:
                    self._commands[number]._receive(kind, arg, payload)

    def start_command(self, text, timeout=0):
        """Starts a shell command in the guest; the guest kills it after `timeout`
        seconds, if any."""
        if len(text.encode()) >= PAYLOAD:
            raise VmError("the command is too long; put() a script")
        command = Command(self, self._next, text)
        self._commands[self._next] = command
        self._next += 1
        self._send(EXEC, command.number, int(timeout), text.encode())
        return command

    def run(self, text, timeout=120, check=True, input=None):
        command = self.start_command(text, timeout)
        if input is not None:
            command.write(input)
        command.end()
        result = command.wait(timeout + 30)
        del self._commands[command.number]
        if result.status is None:
            raise VmError(f"{self.name}: not done within {timeout} s: {text}\n"
                          f"{result.out}{result.err}\n{self.last_words()}")
        if check and result.status:
            raise VmError(f"{self.name}: status {result.status}: {text}\n{result.out}{result.err}")
        return result

    def put(self, path, name=None):
        """Copies a file of the host to /host/NAME in the guest."""
        name = name or Path(path).name
        shutil.copy(path, self.share / name)
        return f"/host/{name}"

    def get(self, guest_path, path):
        name = f"get-{os.path.basename(guest_path)}"
        self.run(f"cp '{guest_path}' '/host/{name}'")
        shutil.move(self.share / name, path)

    def qmp(self, command, **arguments):
        return self._qmp.execute(command, arguments)

    # ------------------------------------------------- the module and its heads
    def load(self, parameters=""):
        """modprobe pvgpu."""
        if not (self.share / "pvgpu.ko").exists():
            raise VmError(f"no build/module/{self.suite}/pvgpu.ko: make module")
        modules = f"/lib/modules/{self.image.version}"
        self.run(f"[ -e {modules}/extra ] || (mkdir {modules}/extra && "
                 f"cp /host/pvgpu.ko {modules}/extra/ && cp /host/index/* {modules}/); "
                 f"modprobe pvgpu {parameters}")

    def unload(self):
        self.run("rmmod pvgpu")

    def card(self, driver="pvgpu"):
        """What pvgpu-grab lists: card, crtcs (mode, x, y, fb ...), connectors."""
        return json.loads(self.run(f"pvgpu-grab {driver} list").out)

    def grab(self, crtc, driver="pvgpu"):
        """What the guest itself shows on a CRTC, by its index: a Picture."""
        packed = self.share / f"grab-{crtc}.ppm.gz"
        # Packed: 6.12 takes seconds to write megabytes to a 9p share.
        self.run(f"set -o pipefail; pvgpu-grab {driver} grab {crtc} /dev/stdout | "
                 f"gzip -1 > /host/{packed.name}")
        picture = read_ppm(gzip.decompress(packed.read_bytes()))
        packed.unlink()
        return picture

    @contextlib.contextmanager
    def light(self, modes, driver="pvgpu"):
        """Lights heads with one modetest, {CRTC index: mode name}, for as long as
        the context lasts; gives card() as it then is."""
        card = self.card(driver)
        settings = []
        for crtc, mode in modes.items():
            connector = next((c for c in card["connectors"] if crtc in c["crtcs"]), None)
            if connector is None:
                raise VmError(f"no connector for CRTC {crtc}")
            settings.append(f"-s {connector['id']}@{card['crtcs'][crtc]['id']}:{mode}")
        command = self.start_command(f"exec stdbuf -oL modetest -M {driver} {' '.join(settings)}")
        try:
            command.wait_output(r"(?s)" + r"setting mode.*" * len(modes))
            deadline = time.monotonic() + 60
            while True:
                now = self.card(driver)
                lit = [now["crtcs"][i] for i in modes]
                if (all(c["active"] and mode_matches(c, m) for c, m in zip(lit, modes.values()))
                        and all(now["crtcs"][i]["fb"] != card["crtcs"][i]["fb"] for i in modes)):
                    break
                if command.ended or time.monotonic() > deadline:
                    raise VmError(f"{self.name}: modetest did not light {modes}: {lit}\n"
                                  f"{command.out}{command.err}")
                time.sleep(0.1)
            complaints = [line for line in command.err.splitlines()
                          if "failed to set gamma" not in line]    # optional in KMS
            if complaints:
                raise VmError(f"{self.name}: modetest complained: {complaints}")
            yield now
        finally:
            if not command.ended:
                command.write("\n")
                command.end()
                with contextlib.suppress(VmError):
                    command.wait(20)
                if not command.ended:
                    command.kill()

    def dmesg(self):
        return self.run("dmesg").out

    def check_dmesg(self):
        """Raises for a warning, bug, leak or error in the kernel's log, and for a
        taint beyond out-of-tree and unsigned."""
        bad = [line for line in self.dmesg().splitlines()
               if BAD_DMESG.search(line) and not GOOD_DMESG.search(line)]
        if bad:
            raise AssertionError("dmesg has:\n" + "\n".join(bad[:20]))
        taint = int(self.run("cat /proc/sys/kernel/tainted").out)
        if taint & ~TAINT_ALLOWED:
            raise AssertionError(f"the kernel is tainted: {taint:#x}, allowed {TAINT_ALLOWED:#x}")


def mode_matches(crtc, mode):
    """Whether a CRTC shows "1024x768" or "1024x768-60"."""
    name, _, refresh = mode.partition("-")
    return crtc["mode"] == name and (not refresh or abs(crtc["refresh"] - float(refresh)) < 1)


class Qmp:
    """QEMU's monitor; execute() returns what a command returns. Events that came
    in between are kept in `events`."""
    def __init__(self, connection):
        self._socket, self._file = connection, connection.makefile("rw")
        self.events = []
        connection.settimeout(60)
        self._file.readline()
        self.execute("qmp_capabilities", {})

    def execute(self, command, arguments):
        # QMP names have dashes where Python's have underscores.
        arguments = {k.replace("_", "-"): v for k, v in arguments.items()}
        self._file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._file.flush()
        while True:
            line = self._file.readline()
            if not line:
                raise VmError(f"QEMU's monitor is gone during {command}")
            answer = json.loads(line)
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise VmError(f"QMP {command}: {answer['error']['desc']}")
            else:
                return answer["return"]

    def close(self):
        self._file.close()
        self._socket.close()
