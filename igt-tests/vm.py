#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""make vm: one virtual machine with a vGPU, and its shell on this terminal.

  vm.py [SUITE [TYPE]]

Leaving the shell powers the machine off, and everything is cleaned up."""
import shutil
import signal
import subprocess
import sys
import termios

from harness import TREE, Host, HostError, Vm, VmError, accelerator, images

WELCOME = """
 pvgpu {type} in Debian {suite}, Linux {version} ({accel})

 In the guest, pvgpu.ko is loaded by:   modprobe pvgpu   (done already)
   modetest -M pvgpu -c                 its heads and their modes
   modetest -M pvgpu -s {connector}:1024x768   lights the first one
   /host                                is {share} here
 On this host, in another terminal:
   {ctl} show vm
   {ctl} screenshot vm 0 -o head0.png
 Ctrl-A c is QEMU's monitor, Ctrl-A x ends QEMU, exit powers off.
"""


def vm(suite="trixie", type_name="PV24-2Q"):
    if not sys.stdin.isatty():
        print("vm: this is no terminal; the shell reads its standard input")
    size = shutil.get_terminal_size()
    settings = termios.tcgetattr(0) if sys.stdin.isatty() else None
    with Host("vm") as host:
        host.create("vm", type_name)
        machine = Vm("vm-shell", suite, host, ["vm"], console=True)
        # The shell waits for this file, so that the welcome stands above it.
        ready = machine.dir / "share/ready"
        ready.parent.mkdir()
        (machine.dir / "share/shellrc").write_text(
            "until [ -e /host/ready ]; do sleep 0.1; done; cat /host/welcome\n"
            "[ -e /etc/bash.bashrc ] && . /etc/bash.bashrc\n"
            "export TERM=linux PS1='guest:\\w# '\n"
            f"stty rows {size.lines} cols {size.columns}\n")
        print(f"vm: booting Debian {suite} with a {type_name}", flush=True)
        try:
            machine.start().wait()
            machine.load()
            connector = machine.card()["connectors"][0]["id"]
            ctl = " ".join(host.ctl_argv()).replace(f"{TREE}/", "")
            (machine.share / "welcome").write_text(WELCOME.format(
                type=type_name, suite=suite, version=machine.image.version, ctl=ctl,
                accel=accelerator(), share=machine.share, connector=connector))
            ready.touch()
            machine.process.wait()
        finally:
            machine.kill()
            if settings:
                termios.tcsetattr(0, termios.TCSADRAIN, settings)
        print("\nvm: done")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        vm(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
    except (HostError, VmError, images.ImageError, subprocess.SubprocessError) as e:
        sys.exit(f"vm: {e}")
