#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A host with systemd, in a VM: the package is installed, vGPUs are made, a
machine in QEMU and a client draw on them, and pvgpud is restarted, killed and
stopped meanwhile, and the host rebooted; then the package goes without a trace.
What the guide installs besides, and the module's package by DKMS, in the same
system."""
import atexit
import re
import shutil
import subprocess
import sys
import tempfile
import time
sys.path.insert(0, "igt-tests")
from harness import (BUILD, HOST_ARGS, EmulatorRace, Lazy, Picture, Vm, guide, images, main,
                     read_png, test)
from harness import layer
from harness.nested import Nested

RESTARTS = KILLS = 5
# What a session, its grants and its worker keep in the store; a vGPU's listener;
# our record, board and listener. One vGPU is the machine's, the other the client's.
SESSION, LISTENER, OWN = 11 + 4 + 2, 1, 3
MACHINE = LISTENER + SESSION
IN_USE, IDLE = OWN + MACHINE + LISTENER + SESSION, OWN + 2 * LISTENER


def package(name):
    found = sorted((BUILD / "deb").glob(f"{name}_*.deb"))
    assert len(found) == 1, f"{name}: {found}; make deb"
    return found[0]


def boot():
    # What is written stays over a reboot.
    folder = tempfile.mkdtemp(prefix="pvgpu-")
    disk = f"{folder}/disk"
    atexit.register(shutil.rmtree, folder, True)
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", disk, "2G"], check=True,
                   capture_output=True)
    machine = Vm("systemd", "host", memory=4096, kernel_args=HOST_ARGS,
                 args=["-drive", f"file={disk},format=raw,if=virtio,cache=unsafe"]).start()
    for path in (package("pvgpu"), BUILD / "bin/pvgpu-many", BUILD / "bin/pvgpu-conform"):
        machine.put(path)
    machine.wait()
    # All files of the image's disk are root's.
    machine.run("chown polkitd: /usr/share/polkit-1/rules.d /etc/polkit-1/rules.d; "
                "cp /host/pvgpu-many /host/pvgpu-conform /usr/local/bin/")
    return machine


vm = Lazy(boot)


def unit(name, prop):
    return vm().run(f"systemctl show -P {prop} {name}").out.strip()


def journal():
    return vm().run("journalctl --no-pager -q -o short-monotonic -n 60 -u 'pvgpu*'").out


def wait_for(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what}: not within {seconds} s\n{journal()}"
        time.sleep(0.3)


def show(name):
    return vm().run(f"pvgpuctl show {name}").out


def worker(name):
    found = re.search(r"^worker +process (\d+)", show(name), re.M)
    assert found, show(name) + journal()
    return found[1]


def stored():
    return int(unit("pvgpud", "NFileDescriptorStore"))


class Drawing:
    """pvgpu-many, told to draw for as long as it lives."""
    def __init__(self, name):
        self.command = vm().start_command(
            f"(while :; do echo draw 3 flip; sleep 0.3; done) | pvgpu-many /run/pvgpu/{name}.sock")
        self.command.wait_output("drawn")

    def drawn(self):
        assert not self.command.ended and "failed" not in self.command.out, (
            self.command.out[-500:] + self.command.err + journal())
        return self.command.out.count("drawn")

    def goes_on(self):
        """Three more draws, begun after this call."""
        now = self.drawn()
        wait_for(lambda: self.drawn() >= now + 4, "drawing goes on")

    def end(self):
        # The loop before the pipe ends when nobody reads it.
        vm().run("kill $(pidof pvgpu-many)")
        self.command.wait(20)


drawing = Lazy(lambda: Drawing("a"))


def start_machine():
    vm().run("pvgpuctl create machine PV24-1A")
    machine = Nested(vm(), vm().run("pvgpuctl qemu-args machine").out.strip())
    wait_for(lambda: " running " in show("machine").replace("\n", " "), "QEMU has its vGPU")
    return machine


machine = Lazy(start_machine)


def frames(name):
    return int(re.search(r"^head 0 .* (\d+) frames", show(name), re.M)[1])


@test
def the_guides_installation_works_word_by_word():
    # From the folder of a source tree that has built its packages.
    vm().run("mkdir -p /root/pvgpu/build/deb && cp /host/pvgpu_*.deb /root/pvgpu/build/deb/ && "
             "useradd administrator")
    for commands in guide.blocks("systemd"):
        vm().run(f"set -e; cd /root/pvgpu; export SUDO_USER=administrator\n{commands}",
                 timeout=180)
    assert "pvgpu" in vm().run("id -nG administrator").out.split()
    assert "48 GiB" in vm().run("pvgpuctl gpu").out
    page = vm().run("exec 3<>/dev/tcp/127.0.0.1/9437; "
                    "printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3").out
    assert f'\npvgpu_gpu_memory_bytes{{gpu="gpu0"}} {48 << 30}\n' in page, page + journal()
    vm().run("rm -r /root/pvgpu")


@test
def pvgpud_is_ready_and_confined():
    assert unit("pvgpud.service", "ActiveState") == "active", journal()
    assert unit("pvgpud.service", "User") == "pvgpu"
    assert vm().run("stat -c '%a %U %G' /run/pvgpu/control").out.split() == ["660", "root", "pvgpu"]
    assert "PV24-1Q" in vm().run("pvgpuctl types").out
    assert stored() == OWN, stored()


@test
def the_guides_door_for_containers_is_a_unit():
    begin, end = guide.blocks("unit")
    before = stored()
    vm().run(f"set -e\n{begin}", timeout=120)
    name, path = "pvgpu-vtest@web.service", "/run/pvgpu-vtest/web/socket"
    wait_for(lambda: vm().run(f"test -S {path}", check=False).status == 0, path)
    assert unit(name, "ActiveState") == "active", journal()
    assert unit(name, "User") == "pvgpu-vtest" and unit(name, "Slice") == "pvgpu.slice"
    assert vm().run(f"stat -c '%a %G' {path}").out.split() == ["660", "pvgpu-vtest"]
    pid = unit(name, "MainPID")
    assert re.search(rf"^QEMU +process {pid}$", show("web"), re.M), show("web")
    # It answers a ping.
    out = vm().run("perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(\"%s\") or die; "
                   "syswrite $s, pack(\"L2\", 2, 8) . \"a\\0\" . pack(\"L2\", 0, 10); "
                   "sysread $s, $b, 8; print unpack(\"H*\", $b)'" % path).out
    assert out.strip() == "000000000a000000", out + journal()
    out = vm().run(f"systemd-analyze security --no-pager {name}").out
    score = re.search(rf"exposure level for {name}: ([0-9.]+)", out)
    assert score and float(score[1]) < 2.0, out[-2000:]
    print(f"# systemd-analyze security: {score[1]}")
    vm().run(f"set -e\n{end}", timeout=120)
    assert unit(name, "ActiveState") == "inactive" and "web" not in vm().run("pvgpuctl list").out
    wait_for(lambda: stored() == before, "nothing of it is kept")


@test
def a_qemu_is_served_by_a_unit():
    # The mode is remembered, too; the other tests look at it after a reboot.
    vm().run("pvgpuctl gpu set-mode equal")
    machine()
    assert unit("pvgpu-worker@machine.service", "MainPID") == worker("machine")
    owner = vm().run("ps -o args= -p $(pgrep -f qemu-system-x86_64 | head -n 1)").out
    assert "pvgpu-machine" in owner, owner
    assert stored() == OWN + MACHINE, stored()


@test
def its_security_scores_under_3():
    out = vm().run("systemd-analyze security --no-pager pvgpud.service").out
    score = re.search(r"exposure level for pvgpud.service: ([0-9.]+)", out)
    assert score and float(score[1]) < 3.0, out[-2000:]
    print(f"# systemd-analyze security: {score[1]}")


@test
def a_vgpu_is_served_by_a_unit_with_limits_of_its_own():
    vm().run("pvgpuctl create a PV24-1Q")
    drawing().goes_on()
    name = "pvgpu-worker@a.service"
    assert unit(name, "MainPID") == worker("a")
    assert unit(name, "Slice") == "pvgpu.slice"
    assert unit(name, "MemoryMax").isdigit() and unit(name, "CPUUsageNSec").isdigit()
    assert unit(name, "ControlGroup") == "/pvgpu.slice/pvgpu-worker@a.service"
    user = vm().run(f"ps -o user= -p {worker('a')}").out.strip()
    assert user == "pvgpu-worker"[:8] or user.startswith("pvgpu-w") or user.isdigit(), user
    assert stored() == IN_USE, stored()


# As pvgpu-drmtest draws it.
def pattern(width, height, seed):
    rgb, mask = bytearray(), 0xffffffff
    for y in range(height):
        for x in range(width):
            v = (x * 0x9e3779b1 ^ y * 0x85ebca6b ^ seed * 0xc2b2ae35) & mask
            v ^= v >> 15
            v = v * 0x2c1b3c6d & mask
            v ^= v >> 12
            rgb += (v & 0xffffff).to_bytes(3, "big")
    return Picture(width, height, rgb)


def screenshot(name, head):
    vm().run(f"pvgpuctl screenshot {name} {head} -o /tmp/{name}.png")
    vm().get(f"/tmp/{name}.png", vm().dir / f"{name}.png")
    return read_png(vm().dir / f"{name}.png")


@test
def a_machine_flips_and_draws_through_a_unit():
    machine().wait(400)
    before = frames("machine")
    machine().run("pvgpu-drmtest flips 3", 200)
    assert frames("machine") >= before + 3, show("machine")
    machine().run("mkdir /d; pvgpu-drmtest draw /d 0:640x480:XR24:9 & until [ -e /d/ready ]; "
                  "do sleep 1; done", 200)
    problem = screenshot("machine", 0).difference(pattern(640, 480, 9))
    machine().run("touch /d/done; wait", 200)
    assert not problem, problem
    # From here on it flips for as long as it lives.
    machine().run("while pvgpu-drmtest flips 5; do :; done &")


@test
def a_worker_in_its_unit_shuts_itself_in_and_renders():
    """The self-test, which draws too, as an instance of the very unit."""
    where = "/run/systemd/system/pvgpu-worker@selftest.service.d"
    vm().run(f"mkdir -p {where} && printf '[Service]\\nType=oneshot\\nExecStart=\\n"
             "ExecStart=/usr/libexec/pvgpu-worker --self-test\\n"
             "StandardOutput=truncate:/run/selftest.tap\\n"
             f"StandardError=journal\\n' > {where}/t.conf && systemctl daemon-reload")
    result = vm().run("systemctl start pvgpu-worker@selftest", timeout=180, check=False)
    out = vm().run("cat /run/selftest.tap").out
    plan = re.search(r"^1\.\.(\d+)$", out, re.M)
    assert plan and result.status == 0, out + result.err + journal()
    assert len(re.findall(r"^ok ", out, re.M)) == int(plan[1]) and "# SKIP" not in out, out
    assert re.search(r"GL running draws, on llvmpipe", out), out
    assert "root of its own: yes" in out and "empty root: yes" in out, out
    vm().run(f"rm -r {where}; systemctl daemon-reload")


@test
def restarts_and_sigkills_lose_nothing_while_a_guest_draws():
    drawing().goes_on()
    served_by, kept = (worker("a"), worker("machine")), stored()
    drawn, flipped = 0, frames("machine")
    for number in range(RESTARTS + KILLS):
        before = unit("pvgpud", "MainPID")
        vm().run("systemctl restart pvgpud" if number < RESTARTS else
                 "systemctl kill -s KILL pvgpud")
        wait_for(lambda: unit("pvgpud", "ActiveState") == "active" and
                 unit("pvgpud", "MainPID") not in (before, "0"), f"pvgpud is back, {number}")
        assert (worker("a"), worker("machine")) == served_by, (
            f"another worker after {number}\n{journal()}")
        assert stored() == kept, f"{stored()} in the store after {number}, {kept} before"
        now = frames("a")
        assert now > drawn, f"{now} frames after {number}, {drawn} before"
        drawn = now
    drawing().goes_on()
    wait_for(lambda: frames("machine") > flipped + 3, "the machine flips on")
    assert "guest      attached, generation 2," in show("machine"), show("machine")
    assert "still connected" in journal()


@test
def a_pvgpud_that_hangs_is_ended_by_the_watchdog():
    served_by = worker("a"), worker("machine")
    vm().run("mkdir -p /run/systemd/system/pvgpud.service.d && "
             "printf '[Service]\\nWatchdogSec=3s\\n' > /run/systemd/system/pvgpud.service.d/w.conf "
             "&& systemctl daemon-reload && systemctl restart pvgpud")
    before = unit("pvgpud", "MainPID")
    vm().run(f"kill -STOP {before}")
    wait_for(lambda: unit("pvgpud", "ActiveState") == "active" and
             unit("pvgpud", "MainPID") not in (before, "0"), "pvgpud is back")
    assert "Watchdog timeout" in journal()
    assert (worker("a"), worker("machine")) == served_by and stored() == IN_USE
    drawing().goes_on()
    vm().run("rm -r /run/systemd/system/pvgpud.service.d; systemctl daemon-reload")


@test
def an_upgrade_of_the_package_loses_nothing():
    served_by, before = (worker("a"), worker("machine")), unit("pvgpud", "MainPID")
    flipped = frames("machine")
    vm().run("dpkg -i /host/pvgpu_*.deb", timeout=180)
    assert unit("pvgpud", "MainPID") not in (before, "0"), journal()
    assert (worker("a"), worker("machine")) == served_by and stored() == IN_USE, journal()
    drawing().goes_on()
    wait_for(lambda: frames("machine") > flipped + 3, "the machine flips on")


@test
def a_second_vgpu_conforms_and_its_worker_is_replaced():
    vm().run("pvgpuctl create b PV24-1A")
    result = vm().run("pvgpu-conform --replace 'systemctl kill -s KILL pvgpu-worker@b.service' "
                      "/run/pvgpu/b.sock attach commit draw host-replaced", timeout=120, check=False)
    assert result.status == 0, result.out + result.err + journal()
    assert result.out.count("\nok ") >= 10, result.out
    vm().run("pvgpuctl destroy b")
    wait_for(lambda: unit("pvgpu-worker@b.service", "ActiveState") == "inactive", "b's worker ends")
    drawing().goes_on()
    assert stored() == IN_USE, stored()


@test
def a_process_outside_of_a_worker_unit_is_sent_away():
    before = worker("a")
    vm().run("timeout 10 /usr/libexec/pvgpu-worker --connect /run/pvgpu/workers", check=False)
    assert "is in no unit pvgpu-worker@*" in journal()
    assert worker("a") == before


@test
def nothing_stays_in_the_store_and_stop_and_start_keep_the_vgpu():
    drawing().end()
    assert not machine().command.ended, machine().command.out
    machine().kill()
    wait_for(lambda: stored() == IDLE, "the sessions are removed from the store")
    vm().run("systemctl stop pvgpud.socket pvgpud.service")
    assert unit("pvgpud", "ActiveState") == "inactive"
    vm().run("systemctl start pvgpud.socket pvgpud.service")
    assert re.search(r"^a +PV24-1Q .*waiting", vm().run("pvgpuctl list").out, re.M)
    assert stored() == IDLE, stored()


@test
def a_stop_is_the_end_of_a_guests_vgpu():
    guest = vm().start_command("(echo draw 1 flip; sleep 1000) | pvgpu-many /run/pvgpu/a.sock")
    guest.wait_output("drawn")
    vm().run("systemctl stop pvgpud.socket pvgpud.service")
    wait_for(lambda: unit("pvgpu-worker@a.service", "ActiveState") == "inactive",
             "the worker ends")
    guest.kill()
    vm().run("kill $(pidof pvgpu-many)", check=False)
    vm().run("systemctl start pvgpud.socket pvgpud.service")
    assert stored() == IDLE, stored()


@test
def a_reboot_of_the_host_keeps_vgpus_mode_and_heads():
    asked = "pvgpuctl list; pvgpuctl gpu; for v in a machine; do pvgpuctl head $v; done"
    vm().run("pvgpuctl head a 0 --mode 1280x720@60; pvgpuctl head a 1 --unplug")
    before, boot_id = vm().run(asked).out, vm().run("cat /proc/sys/kernel/random/boot_id").out
    for wanted in ("equal", "1280x720 at 60", "unplugged", "PV24-1A"):
        assert wanted in before, before
    vm().start_command("exec systemctl reboot")
    try:
        vm().wait(400)
    except EmulatorRace:
        vm().kill()
        vm().start().wait()
    assert vm().run("cat /proc/sys/kernel/random/boot_id").out != boot_id
    wait_for(lambda: unit("pvgpud", "ActiveState") == "active", "pvgpud is up")
    assert vm().run(asked).out == before, vm().run(asked).out + before
    assert stored() == IDLE, stored()
    guest = vm().start_command("(echo draw 1 flip; sleep 1000) | pvgpu-many /run/pvgpu/a.sock")
    guest.wait_output("drawn")
    assert unit("pvgpu-worker@a.service", "MainPID") == worker("a")
    guest.kill()
    vm().run("kill $(pidof pvgpu-many)", check=False)


@test
def the_package_goes_without_a_trace():
    vm().run("dpkg -P pvgpu", timeout=180)
    left = vm().run("systemctl list-units --all --no-legend --plain 'pvgpud*' 'pvgpu-worker*' "
                    "pvgpu.slice; find / -xdev -iname '*pvgpu*' ! -path '/usr/local/bin/*'; "
                    "find /run /tmp -iname '*pvgpu*' ! -name '*pvgpu-agent*'").out
    assert not left.strip(), left
    failed = vm().run("systemctl --failed --no-legend --plain").out
    assert not failed.strip(), failed


@test
def the_modules_package_is_built_by_dkms_and_goes():
    version = images.get("host").version
    out = layer.run("host", "".join(guide.blocks("dkms")) + """
        echo "STATUS $(dkms status pvgpu)"
        modinfo -F vermagic /lib/modules/*/updates/dkms/pvgpu.ko*
        dpkg -P pvgpu-dkms
        find /lib/modules /usr/src /var/lib/dkms -name 'pvgpu*' | sed 's/^/LEFT /'
        """, [package("pvgpu-dkms")])
    assert re.search(rf"STATUS pvgpu.*{re.escape(version)}.*: installed", out), out[-3000:]
    assert f"\n{version} SMP" in out, out[-3000:]
    assert "LEFT" not in out, out[-3000:]


@test
def what_the_guide_wants_besides_is_installed():
    # A fresh system has read its package lists.
    out = layer.run("host", "apt-get update\n" + "".join(guide.blocks("install")) + """
        libvirtd --version; virsh --version; mmdebstrap --version
        qemu-system-x86_64 -device help | grep ivshmem-doorbell
        getent group kvm libvirt
        id -nG libvirt-qemu
        """)
    for wanted in ("libvirtd (libvirt)", "mmdebstrap ", "ivshmem-doorbell", "libvirt:", "kvm:"):
        assert wanted in out, f"no {wanted}\n{out[-3000:]}"
    # Whose QEMUs reach a vGPU's socket.
    assert "kvm" in out.splitlines()[-1].split(), out[-300:]


main(cleanup=lambda: vm.made and vm().stop())
