# SPDX-License-Identifier: MIT
"""The tests' harness: a host (pvgpud), virtual machines, pictures, TAP.

A test file in igt-tests/tests/ is a program, test_SOMETHING.py:

    #!/usr/bin/python3
    # SPDX-License-Identifier: MIT
    \"\"\"What it shows.\"\"\"
    import sys; sys.path.insert(0, "igt-tests")
    from harness import Host, Vm, Lazy, test, main

    host = Lazy(lambda: Host("flip").start())
    def boot():
        host().create("a", "PV24-1Q")
        vm = Vm("flip", "trixie", host(), ["a"]).start().wait()
        vm.load()
        return vm
    vm = Lazy(boot)                 # one machine for all tests of the file

    @test
    def heads_show_what_was_drawn():
        with vm().light({0: "1024x768"}):
            assert vm().grab(0) == host().screenshot("a", 0)
        vm().check_dmesg()

    main(cleanup=lambda: (vm.made and vm().stop(), host.made and host().stop()))

add(NAME, FUNCTION, ARGS...) registers a test for several kernels (SUITES). A
process that a test starts by spawn(), a Host or a Vm dies with the test.
Logs stay in build/run/NAME: serial.log, qemu.log, qemu.args, pvgpud.log. Programs
for the guest are igt-tests/guest/NAME.c, there pvgpu-NAME in the PATH.
Run one file with: make check CHECKS_ARGS=flip
"""
from .host import BUILD, TREE, Host, HostError, run_dir, spawn, tail
from .picture import Picture, read_png, read_ppm, smpte_problem
from .scene import primaries, reference_scene
from .tap import Lazy, Skip, add, main, test
from .vm import HOST_ARGS, Command, EmulatorRace, Result, Vm, VmError, accelerator, images

SUITES = images.SUITES
