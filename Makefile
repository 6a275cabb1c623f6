# SPDX-License-Identifier: MIT
# Two commands are the whole set-up on a fresh Debian 12 or 13: `make demo` and
# `make check`. `make help` lists the rest. What each room builds and tests is
# in its own .mk file; everything made goes to build/.

BUILD   := build
CC      ?= gcc
PYTHON  := /usr/bin/python3
CFLAGS  ?= -O2 -g
CFLAGS_ALL = -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -MMD -MP \
	-Iprotocol/include -Ihost-backend -I. $(CFLAGS)
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s %s\n' '$(1)' '$(2)')

# Rooms add to these: programs for `all`, what tests need built, and the tests
# themselves, each a command that speaks TAP.
PROGRAMS   :=
CHECK_DEPS :=
CHECKS     :=

.DELETE_ON_ERROR:
.PHONY: all check demo vm bench deps clean help
all:

include protocol/protocol.mk
include host-backend/host.mk
include guest-drm/guest.mk
include igt-tests/igt.mk

all: $(PROGRAMS)

# Set-up, then everything again with what was installed; a no-op when all is
# there.
deps:
	$(Q)igt-tests/deps.sh

check: deps
	$(Q)$(MAKE) --no-print-directory check-ready
check-ready: $(PROGRAMS) $(CHECK_DEPS)
	$(Q)$(PYTHON) igt-tests/check.py $(CHECKS_ARGS) -- $(CHECKS)

clean:
	$(Q)rm -rf $(BUILD)

help:
	@echo 'make demo    two VMs, each with its own vGPU; pictures in build/demo/'
	@echo 'make check   all tests; ends with N passed, N failed, N skipped'
	@echo 'make check-gl  GL in all guests; piglit on pvgpu and virtio-gpu-gl'
	@echo 'make vm      one VM with a vGPU, to a shell on this terminal'
	@echo 'make bench   pvgpu beside virtio-gpu in one VM, and 1 to 32 vGPUs; build/bench/'
	@echo 'make bench-scheduler  only what the scheduler costs; no VM'
	@echo 'make bench-vtest  only containers, beside virgl_test_server; no VM, 1 minute'
	@echo 'make bench-shares  only how it shares the GPU out; no VM, 6 minutes'
	@echo 'make all     build the host programs'
	@echo 'make module  build pvgpu.ko for every kernel of the guest images'
	@echo 'make deps    install what is missing (apt)'
	@echo 'make install the host programs and units; DESTDIR=, PREFIX=/usr'
	@echo 'make deb     Debian packages of host and guest, in build/deb/'
	@echo 'make clean   remove build/ (guest images stay in the XDG cache)'

# ------------------------------------------------------------ compile rules
$(BUILD)/obj/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) $(CFLAGS_$(subst /,_,$(<D))) -c $< -o $@
$(BUILD)/asan/%.o: %.c
	$(call say,CC asan,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) $(SANITIZE) $(CFLAGS_$(subst /,_,$(<D))) -c $< -o $@

-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
