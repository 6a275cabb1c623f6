# SPDX-License-Identifier: MIT
# GL in the guest: disks with Mesa, our programs, and what is run with them.

GL_DISKS := $(addprefix gl-,$(SUITES))

# Dynamic: Mesa is the guest's. Nothing of a C library newer than Debian 12's
# may be linked, since one build serves the guests of all suites.
GL_PROGRAM := $(BUILD)/guest/pvgpu-gl
GL_BENCH := $(BUILD)/guest/pvgpu-glbench
GL_SHARED := $(patsubst %.c,$(BUILD)/obj/igt-tests/guest/%.o,gl/egl.c kms/kms.c)
$(GL_PROGRAM): $(patsubst %,$(BUILD)/obj/igt-tests/guest/gl/%.o,gl scene) $(GL_SHARED)
$(GL_BENCH): $(BUILD)/obj/igt-tests/guest/gl/bench.o $(GL_SHARED)
CFLAGS_igt-tests_guest_gl = $(shell pkg-config --cflags libdrm 2>/dev/null)
$(GL_PROGRAM) $(GL_BENCH):
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $^ -lEGL -lGLESv2 -lgbm -ldrm -lm -o $@
	$(Q)! objdump -T $@ | grep -E 'GLIBC_2\.(3[7-9]|[4-9][0-9])' >&2

# The virtgpu uAPI by its raw calls.
VIRTGPU_PROGRAM := $(BUILD)/guest/pvgpu-virtgpu
$(VIRTGPU_PROGRAM): $(patsubst %,$(BUILD)/obj/igt-tests/guest/gl/%.o,virtgpu node)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -static $^ -o $@

# Its edges, as TAP.
UAPI_PROGRAM := $(BUILD)/guest/pvgpu-uapi
$(UAPI_PROGRAM): $(patsubst %,$(BUILD)/obj/igt-tests/guest/gl/%.o,uapi uapi_sync node)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -static $^ -o $@

# What makes glmark2 take one card and one mode.
$(BUILD)/guest/pvgpu-onemode.so: igt-tests/guest/gl/onemode.c
	$(call say,CC guest,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) $(CFLAGS_igt-tests_guest_gl) -fPIC -shared -MF $@.d $< -o $@

$(BUILD)/guest/pvgpu-session: igt-tests/guest/gl/session
	$(Q)install -D -m755 $< $@

GL_PROGRAMS := $(GL_PROGRAM) $(GL_BENCH) $(VIRTGPU_PROGRAM) $(UAPI_PROGRAM) \
	$(BUILD)/guest/pvgpu-session $(BUILD)/guest/pvgpu-onemode.so
CHECK_DEPS += $(GL_PROGRAMS) gl-disks
demo-ready: $(GL_PROGRAMS)

.PHONY: gl-disks
gl-disks:
	$(Q)$(PYTHON) igt-tests/images.py disk $(GL_DISKS)

# Every GL test in the guests of all suites, then piglit on pvgpu and on
# virtio-gpu-gl, in one VM; check-piglit is the latter alone. GL_SUITE=sid,
# GL_SHARE=1/10: piglit's suite, and every tenth test of it.
GL_SUITE ?= trixie
GL_SHARE ?= 1/1
.PHONY: check-gl check-piglit gl-guests gl-piglit
check-gl: deps
	$(Q)$(MAKE) --no-print-directory gl-guests gl-piglit
check-piglit: deps
	$(Q)$(MAKE) --no-print-directory gl-piglit
gl-guests: $(PROGRAMS) $(GUEST_TOOLS) $(GL_PROGRAMS) gl-disks
	$(Q)$(PYTHON) igt-tests/images.py module $(SUITES)
	$(Q)PVGPU_GL_FULL=1 $(PYTHON) igt-tests/tests/test_gl.py
gl-piglit: $(PROGRAMS) $(GUEST_TOOLS) $(GL_PROGRAMS)
	$(Q)$(PYTHON) igt-tests/images.py module $(GL_SUITE)
	$(Q)$(PYTHON) igt-tests/piglit.py $(GL_SUITE) $(GL_SHARE)
