# SPDX-License-Identifier: MIT
# Guest images, the virtual machines' harness, the tests that run in them, and
# the demonstration.

SUITES := bookworm trixie sid

# Programs that run in the guests: static, so that one build serves them all.
GUEST_TOOLS := $(patsubst igt-tests/guest/%.c,$(BUILD)/guest/pvgpu-%,\
	$(filter-out igt-tests/guest/bench%,$(wildcard igt-tests/guest/*.c)))

$(BUILD)/guest/pvgpu-%: igt-tests/guest/%.c
	$(call say,CC guest,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -I/usr/include/libdrm -static -s -MF $@.d $< -o $@

CHECK_DEPS += $(GUEST_TOOLS) modules deb host-images desk
CHECKS     += $(sort $(wildcard igt-tests/tests/test_*.py))

.PHONY: images module modules host-images desk demo-ready vm-ready
images: deps
	$(Q)$(PYTHON) igt-tests/images.py image $(SUITES) host host-other
# Systems with systemd, on which the packages are tried: of this Debian, and of
# the other stable one.
host-images:
	$(Q)$(PYTHON) igt-tests/images.py image host host-other
# The desktop of the administrator's guide, with the module's package in it.
desk: deb
	$(Q)$(PYTHON) igt-tests/desk.py

# The script knows what a module was made from, and does nothing when that has
# not changed.
module: deps
	$(Q)$(MAKE) --no-print-directory modules
modules:
	$(Q)$(PYTHON) igt-tests/images.py module $(SUITES)

demo: deps
	$(Q)$(MAKE) --no-print-directory demo-ready
demo-ready: $(PROGRAMS) $(GUEST_TOOLS)
	$(Q)$(PYTHON) igt-tests/images.py module trixie
	$(Q)$(PYTHON) igt-tests/images.py disk gl-trixie
	$(Q)$(PYTHON) igt-tests/demo.py

# make vm SUITE=sid TYPE=PV24-1Q: another kernel, another type of vGPU.
SUITE ?= trixie
TYPE  ?= PV24-2Q
vm: deps
	$(Q)$(MAKE) --no-print-directory vm-ready
vm-ready: $(PROGRAMS) $(GUEST_TOOLS)
	$(Q)$(PYTHON) igt-tests/images.py module $(SUITE)
	$(Q)$(PYTHON) igt-tests/vm.py $(SUITE) $(TYPE)

include igt-tests/gl.mk
-include igt-tests/bench.mk
