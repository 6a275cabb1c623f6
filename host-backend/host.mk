# SPDX-License-Identifier: MIT
# The host programs and their tests. Nothing here names a source file: a new .c
# file in a room's directory is found.
#
#   host-backend/ROOM/main.c + *.c   build/bin/PROGRAM, build/asan/bin/PROGRAM
#   tests/test_*.c      one cmocka program each, ASan and UBSan; linked against
#                       every room's files but the main.c ones, and only
#                       test_worker_*.c against the worker's
#   tests/test_*.py     executable scripts that speak TAP
#   tests/support_*.c   linked into every test that uses them
#   tests/helper_*.c    programs that tests start: build/asan/bin/helper_*

HOST_ROOMS := common types scheduler manager ctl worker vtest
HOST_PROGRAM_manager := pvgpud
HOST_PROGRAM_ctl := pvgpuctl
HOST_PROGRAM_worker := pvgpu-worker
HOST_PROGRAM_vtest := pvgpu-vtest

HOST_LIBS_manager := -lsystemd -ljson-c -linih
HOST_LIBS_ctl := -ljson-c -lpng
HOST_LIBS_worker := -lpixman-1 -lseccomp -lvirglrenderer -lepoxy -pthread
HOST_LIBS_vtest := -lseccomp
# A guest of the protocol.
HOST_MORE_vtest := protocol/client/client.o protocol/client/peer.o
HOST_LIBS := $(HOST_LIBS_manager) $(HOST_LIBS_ctl) $(HOST_LIBS_worker)

CFLAGS_host-backend_worker += -I/usr/include/pixman-1 -I/usr/include/virgl
CFLAGS_host-backend_tests += -I/usr/include/pixman-1

# One archive a room and variant. $(1) room, $(2) obj or asan
define host_archive
HOST_OBJECTS_$(1)_$(2) := $$(patsubst %.c,$$(BUILD)/$(2)/%.o,$$(filter-out \
	host-backend/$(1)/main.c,$$(wildcard host-backend/$(1)/*.c)))
$$(BUILD)/$(2)/host-backend/$(1).a: $$(HOST_OBJECTS_$(1)_$(2))
	$$(Q)mkdir -p $$(@D) && rm -f $$@ && ar rcsD $$@ $$^
HOST_ARCHIVES_$(2) += $$(BUILD)/$(2)/host-backend/$(1).a
endef
$(foreach room,$(HOST_ROOMS),$(foreach variant,obj asan,\
	$(eval $(call host_archive,$(room),$(variant)))))

# The room's own files are all linked; of the floors below, what is used.
# $(1) room, $(2) obj or asan, $(3) folder of programs, $(4) link flags
define host_program
$(3)/$(HOST_PROGRAM_$(1)): $$(BUILD)/$(2)/host-backend/$(1)/main.o \
		$$(HOST_OBJECTS_$(1)_$(2)) \
		$$(BUILD)/$(2)/host-backend/scheduler.a \
		$$(BUILD)/$(2)/host-backend/types.a \
		$$(BUILD)/$(2)/host-backend/common.a \
		$$(HOST_MORE_$(1):%=$$(BUILD)/$(2)/%)
	$$(call say,LINK,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CFLAGS) $(4) -o $$@ $$^ $$(HOST_LIBS_$(1)) $$(LDFLAGS)
endef
HOST_PROGRAM_ROOMS := $(foreach room,manager ctl worker vtest,\
	$(if $(wildcard host-backend/$(room)/main.c),$(room)))
$(foreach room,$(HOST_PROGRAM_ROOMS),\
	$(eval $(call host_program,$(room),obj,$(BUILD)/bin,))\
	$(eval $(call host_program,$(room),asan,$(BUILD)/asan/bin,$(SANITIZE))))
PROGRAMS += $(foreach room,$(HOST_PROGRAM_ROOMS),\
	$(BUILD)/bin/$(HOST_PROGRAM_$(room)))
CHECK_DEPS += $(foreach room,$(HOST_PROGRAM_ROOMS),\
	$(BUILD)/asan/bin/$(HOST_PROGRAM_$(room)))

# ------------------------------------------------------------------- tests
HOST_CLIENT_ASAN := $(patsubst %.c,$(BUILD)/asan/%.o,\
	$(wildcard protocol/client/*.c))
HOST_SUPPORT_ASAN := $(patsubst %.c,$(BUILD)/asan/%.o,\
	$(wildcard host-backend/tests/support_*.c))
$(BUILD)/asan/host-backend/tests.a: $(HOST_SUPPORT_ASAN) $(HOST_CLIENT_ASAN)
	$(Q)mkdir -p $(@D) && rm -f $@ && ar rcsD $@ $^

HOST_TESTS := $(patsubst host-backend/tests/%.c,$(BUILD)/asan/bin/%,\
	$(wildcard host-backend/tests/test_*.c))
HOST_HELPERS := $(patsubst host-backend/tests/%.c,$(BUILD)/asan/bin/%,\
	$(wildcard host-backend/tests/helper_*.c))
# Only test_worker_* is linked with the worker's files.
$(filter $(BUILD)/asan/bin/test_worker_%,$(HOST_TESTS)): $(BUILD)/asan/host-backend/worker.a
$(HOST_TESTS) $(HOST_HELPERS): $(BUILD)/asan/bin/%: \
		$(BUILD)/asan/host-backend/tests/%.o \
		$(BUILD)/asan/host-backend/tests.a \
		$(filter-out %/worker.a,$(HOST_ARCHIVES_asan))
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) -o $@ $(filter %.o,$^) \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
		-Wl,--as-needed -lcmocka $(HOST_LIBS) $(LDFLAGS)

CHECK_DEPS += $(HOST_TESTS) $(HOST_HELPERS)
CHECKS += $(HOST_TESTS) $(wildcard host-backend/tests/test_*.py)

# What the scheduler costs, for `make bench`.
$(BUILD)/bin/bench-scheduler: $(BUILD)/obj/host-backend/tests/bench_scheduler.o \
		$(BUILD)/obj/host-backend/scheduler.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS)

# The text that .incbin puts into the program.
$(BUILD)/obj/host-backend/manager/varlink.o \
$(BUILD)/asan/host-backend/manager/varlink.o: \
	$(wildcard host-backend/manager/*.varlink)

# ------------------------------------------------------ installing, packages
# `make install DESTDIR= PREFIX=/usr`: programs, units, users, types, man pages.
# Paths outside PREFIX (/etc, /run, /var) are fixed.
PREFIX  ?= /usr
DESTDIR ?=
INSTALL := install
UNITDIR  = $(PREFIX)/lib/systemd/system
# Elsewhere than in /usr the units say where things are.
HOST_ELSEWHERE = $(if $(filter-out /usr,$(PREFIX)), --types-dir \
	$(PREFIX)/share/pvgpu/types.d --types-dir /etc/pvgpu/types.d --worker \
	$(PREFIX)/libexec/pvgpu-worker)

.PHONY: install deb
install: $(PROGRAMS)
	$(Q)d='$(DESTDIR)'; p="$$d$(PREFIX)"; set -e; \
	$(INSTALL) -D -m755 $(BUILD)/bin/pvgpud "$$p/sbin/pvgpud"; \
	$(INSTALL) -D -m755 $(BUILD)/bin/pvgpuctl "$$p/bin/pvgpuctl"; \
	$(INSTALL) -D -m755 $(BUILD)/bin/pvgpu-worker "$$p/libexec/pvgpu-worker"; \
	$(INSTALL) -D -m755 $(BUILD)/bin/pvgpu-replay "$$p/bin/pvgpu-replay"; \
	$(INSTALL) -D -m644 -t "$$p/share/pvgpu/recordings" \
		protocol/replay/recordings/*.rec; \
	$(INSTALL) -D -m755 $(BUILD)/bin/pvgpu-vtest "$$p/bin/pvgpu-vtest"; \
	$(INSTALL) -D -m644 -t "$$p/share/pvgpu/types.d" host-backend/types/*.conf; \
	$(INSTALL) -D -m644 host-backend/manager/io.pvgpu.Manager.varlink \
		"$$p/share/varlink/io.pvgpu.Manager.varlink"; \
	$(INSTALL) -D -m644 host-backend/ctl/completion/pvgpuctl \
		"$$p/share/bash-completion/completions/pvgpuctl"; \
	for page in docs/man/*.[1-9]; do $(INSTALL) -D -m644 -t \
		"$$p/share/man/man$${page##*.}" "$$page"; done; \
	$(INSTALL) -D -m644 -t "$$d$(UNITDIR)" host-backend/systemd/*.socket \
		host-backend/systemd/*.service host-backend/systemd/*.slice; \
	sed -i 's,=/usr/,=$(PREFIX)/,; /sbin.pvgpud/s,$$,$(HOST_ELSEWHERE),' \
		"$$d$(UNITDIR)"/pvgpu*.service; \
	$(INSTALL) -D -m644 host-backend/systemd/pvgpu.sysusers \
		"$$p/lib/sysusers.d/pvgpu.conf"; \
	$(INSTALL) -D -m644 host-backend/systemd/pvgpu.tmpfiles \
		"$$p/lib/tmpfiles.d/pvgpu.conf"; \
	$(INSTALL) -D -m644 -t "$$p/share/polkit-1/rules.d" \
		host-backend/systemd/50-pvgpu.rules; \
	$(INSTALL) -D -m644 -t "$$d/etc/pvgpu" host-backend/systemd/pvgpud.conf; \
	$(INSTALL) -d -m755 "$$d/etc/pvgpu/types.d"

deb: $(PROGRAMS)
	$(Q)host-backend/debian/build.sh
