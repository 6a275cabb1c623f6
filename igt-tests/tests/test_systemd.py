#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A host with systemd, in a VM: the package is installed, a vGPU is made, a
guest draws on it, and pvgpud is restarted, killed and stopped meanwhile; then
the package goes without a trace. The module's package is built by DKMS in the
same system."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
sys.path.insert(0, "igt-tests")
from harness import BUILD, Lazy, Vm, guide, images, main, test

# What a host without pvgpu has no need of in an emulated CPU.
QUIET = """e2scrub_reap.service systemd-logind.service getty@tty1.service
    serial-getty@ttyS0.service systemd-user-sessions.service systemd-timesyncd.service
    systemd-udev-trigger.service systemd-udevd.service dev-hugepages.mount
    sys-kernel-tracing.mount""".split()
RESTARTS = KILLS = 5
# What a session, its worker and its listener take, and our record and listener.
IN_USE, IDLE = 2 + 1 + 11 + 2, 2 + 1


def package(name):
    found = sorted((BUILD / "deb").glob(f"{name}_*.deb"))
    assert len(found) == 1, f"{name}: {found}; make deb"
    return found[0]


def boot():
    machine = Vm("systemd", "host", memory=4096, kernel_args="systemd.show_status=0 "
                 + " ".join(f"systemd.mask={unit}" for unit in QUIET)).start()
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
    vm().run("rm -r /root/pvgpu")


@test
def pvgpud_is_ready_and_confined():
    assert unit("pvgpud.service", "ActiveState") == "active", journal()
    assert unit("pvgpud.service", "User") == "pvgpu"
    assert vm().run("stat -c '%a %U %G' /run/pvgpu/control").out.split() == ["660", "root", "pvgpu"]
    assert "PV24-1Q" in vm().run("pvgpuctl types").out
    assert stored() == IDLE - 1, stored()


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
    served_by, kept = worker("a"), stored()
    frames = 0
    for number in range(RESTARTS + KILLS):
        before = unit("pvgpud", "MainPID")
        vm().run("systemctl restart pvgpud" if number < RESTARTS else
                 "systemctl kill -s KILL pvgpud")
        wait_for(lambda: unit("pvgpud", "ActiveState") == "active" and
                 unit("pvgpud", "MainPID") not in (before, "0"), f"pvgpud is back, {number}")
        assert worker("a") == served_by, f"another worker after {number}\n{journal()}"
        assert stored() == kept, f"{stored()} in the store after {number}, {kept} before"
        now = int(re.search(r"^head 0 .* (\d+) frames", show("a"), re.M)[1])
        assert now > frames, f"{now} frames after {number}, {frames} before"
        frames = now
    drawing().goes_on()
    assert "still connected" in journal()


@test
def a_pvgpud_that_hangs_is_ended_by_the_watchdog():
    served_by = worker("a")
    vm().run("mkdir -p /run/systemd/system/pvgpud.service.d && "
             "printf '[Service]\\nWatchdogSec=3s\\n' > /run/systemd/system/pvgpud.service.d/w.conf "
             "&& systemctl daemon-reload && systemctl restart pvgpud")
    before = unit("pvgpud", "MainPID")
    vm().run(f"kill -STOP {before}")
    wait_for(lambda: unit("pvgpud", "ActiveState") == "active" and
             unit("pvgpud", "MainPID") not in (before, "0"), "pvgpud is back")
    assert "Watchdog timeout" in journal()
    assert worker("a") == served_by and stored() == IN_USE
    drawing().goes_on()
    vm().run("rm -r /run/systemd/system/pvgpud.service.d; systemctl daemon-reload")


@test
def an_upgrade_of_the_package_loses_nothing():
    served_by, before = worker("a"), unit("pvgpud", "MainPID")
    vm().run("dpkg -i /host/pvgpu_*.deb", timeout=180)
    assert unit("pvgpud", "MainPID") not in (before, "0"), journal()
    assert worker("a") == served_by and stored() == IN_USE, journal()
    drawing().goes_on()


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
    wait_for(lambda: stored() == IDLE, "the session is removed from the store")
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
def the_package_goes_without_a_trace():
    vm().run("dpkg -P pvgpu", timeout=180)
    left = vm().run("systemctl list-units --all --no-legend --plain 'pvgpud*' 'pvgpu-worker*' "
                    "pvgpu.slice; find / -xdev -iname '*pvgpu*' ! -path '/usr/local/bin/*'; "
                    "find /run /tmp -iname '*pvgpu*' ! -name '*pvgpu-agent*'").out
    assert not left.strip(), left
    failed = vm().run("systemctl --failed --no-legend --plain").out
    assert not failed.strip(), failed


# The image's system with a layer above it, as the package's build finds it.
IN_SYSTEM = """set -e
mount -t tmpfs tmpfs "$2"
mkdir "$2/up" "$2/work" "$2/root"
mount -t overlay -o "lowerdir=$1,upperdir=$2/up,workdir=$2/work$4" overlay "$2/root"
mount --rbind /dev "$2/root/dev"
mount --rbind /proc "$2/root/proc"
mkdir "$2/root/pvgpu"
cp "$3" "$2/root/pvgpu/"
printf 'set -e\n%s' "$5" > "$2/root/pvgpu/guide"
# Nobody is there to answer.
echo 'APT::Get::Assume-Yes "true";' > "$2/root/etc/apt/apt.conf.d/99-yes"
exec chroot "$2/root" /bin/bash -c '
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
(cd /pvgpu && DEBIAN_FRONTEND=noninteractive sh ./guide) || { cat /var/lib/dkms/pvgpu/*/build/make.log; exit 1; }
echo "STATUS $(dkms status pvgpu)"
modinfo -F vermagic /lib/modules/*/updates/dkms/pvgpu.ko*
dpkg -P pvgpu-dkms
find /lib/modules /usr/src /var/lib/dkms -name "pvgpu*" | sed "s/^/LEFT /"'
"""


@test
def the_modules_package_is_built_by_dkms_and_goes():
    image = images.get("host")
    where = tempfile.mkdtemp(prefix="pvgpu-dkms-")
    argv = ["unshare", "--mount", "sh", "-c", IN_SYSTEM, "sh", image.root, where,
            package("pvgpu-dkms"), ",userxattr" if os.geteuid() else "",
            "".join(guide.blocks("dkms"))]
    if os.geteuid():
        argv.insert(1, "--map-root-user")
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=600, check=False)
    finally:
        shutil.rmtree(where)
    assert done.returncode == 0, done.stdout[-6000:]
    assert re.search(rf"STATUS pvgpu.*{re.escape(image.version)}.*: installed", done.stdout), \
        done.stdout[-3000:]
    assert f"\n{image.version} SMP" in done.stdout, done.stdout[-3000:]
    assert "LEFT" not in done.stdout, done.stdout[-3000:]


main(cleanup=lambda: vm.made and vm().stop())
