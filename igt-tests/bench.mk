# SPDX-License-Identifier: MIT
# Guest programs over libdrm, static like the others, and the benchmarks.

KMS_PROGRAMS := $(BUILD)/guest/pvgpu-drmtest $(BUILD)/guest/pvgpu-bench
CFLAGS_igt-tests_guest_kms = $(shell pkg-config --cflags libdrm 2>/dev/null)

$(KMS_PROGRAMS): $(BUILD)/guest/pvgpu-%: $(BUILD)/obj/igt-tests/guest/kms/%.o \
		$(BUILD)/obj/igt-tests/guest/kms/kms.o
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -static $^ -ldrm -lm -o $@

CHECK_DEPS += $(KMS_PROGRAMS)

bench: deps
	$(Q)$(MAKE) --no-print-directory bench-ready
bench-ready: $(PROGRAMS) $(GUEST_TOOLS) $(KMS_PROGRAMS) $(GL_PROGRAMS)
	$(Q)$(PYTHON) igt-tests/images.py module trixie
	$(Q)$(PYTHON) igt-tests/bench.py
	$(Q)$(PYTHON) igt-tests/bench_many.py
	$(Q)$(PYTHON) igt-tests/bench_gl.py
	$(Q)$(PYTHON) igt-tests/bench_vtest.py
	$(Q)$(MAKE) --no-print-directory bench-scheduler bench-shares

# Need no VM.
.PHONY: bench-scheduler bench-shares
bench-shares: $(PROGRAMS)
	$(Q)$(PYTHON) igt-tests/bench_shares.py $(SHARES_SECONDS)
bench-scheduler: $(BUILD)/bin/bench-scheduler
	$(Q)$(PYTHON) igt-tests/bench_scheduler.py

# A container's programs on a vGPU, and on virgl_test_server.
.PHONY: bench-vtest
bench-vtest: $(PROGRAMS) $(GL_PROGRAMS)
	$(Q)$(PYTHON) igt-tests/bench_vtest.py
