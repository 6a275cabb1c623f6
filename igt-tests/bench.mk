# SPDX-License-Identifier: MIT
# Guest programs over libdrm, which has no static form: each travels with the
# loader and the libraries of the machine that built it, so that one build
# serves guests older and newer than that. And the benchmarks.

KMS_TOOLS := drmtest bench
KMS_LIB   := $(BUILD)/guest/lib
CFLAGS_igt-tests_guest_kms = $(shell pkg-config --cflags libdrm 2>/dev/null)

$(KMS_LIB)/pvgpu-%: $(BUILD)/obj/igt-tests/guest/kms/%.o \
		$(BUILD)/obj/igt-tests/guest/kms/kms.o
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $^ -ldrm -o $@
	$(Q)ldd $@ | grep -o '/[^ ]*' | xargs -I{} cp -Lf {} $(@D)/

# What the guest's PATH has: the program by its own loader.
$(KMS_TOOLS:%=$(BUILD)/guest/pvgpu-%): $(BUILD)/guest/pvgpu-%: $(KMS_LIB)/pvgpu-%
	$(Q)printf '#!/bin/sh\nexec %s --library-path %s %s "$$@"\n' \
		/host/lib/ld-linux-x86-64.so.2 /host/lib /host/lib/$(@F) > $@
	$(Q)chmod +x $@

KMS_PROGRAMS := $(KMS_TOOLS:%=$(BUILD)/guest/pvgpu-%)
CHECK_DEPS   += $(KMS_PROGRAMS)

bench: deps
	$(Q)$(MAKE) --no-print-directory bench-ready
bench-ready: $(PROGRAMS) $(GUEST_TOOLS) $(KMS_PROGRAMS)
	$(Q)$(PYTHON) igt-tests/images.py module trixie
	$(Q)$(PYTHON) igt-tests/bench.py
	$(Q)$(PYTHON) igt-tests/bench_many.py
