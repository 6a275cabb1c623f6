# SPDX-License-Identifier: MIT
# GL in the guest: disks with Mesa, our programs, and what is run with them.

GL_DISKS := $(addprefix gl-,$(SUITES))

# Dynamic: Mesa is the guest's. Nothing of a C library newer than Debian 12's
# may be linked, since one build serves the guests of all suites.
GL_PROGRAM := $(BUILD)/guest/pvgpu-gl
GL_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,$(addprefix igt-tests/guest/gl/,\
	gl.c egl.c scene.c) igt-tests/guest/kms/kms.c)
CFLAGS_igt-tests_guest_gl = $(shell pkg-config --cflags libdrm 2>/dev/null)
$(GL_PROGRAM): $(GL_OBJECTS)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $^ -lEGL -lGLESv2 -lgbm -ldrm -lm -o $@
	$(Q)! objdump -T $@ | grep -E 'GLIBC_2\.(3[7-9]|[4-9])' >&2

# The virtgpu uAPI by its raw calls.
VIRTGPU_PROGRAM := $(BUILD)/guest/pvgpu-virtgpu
$(VIRTGPU_PROGRAM): $(BUILD)/obj/igt-tests/guest/gl/virtgpu.o
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -static $^ -o $@

# Its edges, as TAP.
UAPI_PROGRAM := $(BUILD)/guest/pvgpu-uapi
$(UAPI_PROGRAM): $(BUILD)/obj/igt-tests/guest/gl/uapi.o
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -static $^ -o $@

$(BUILD)/guest/pvgpu-session: igt-tests/guest/gl/session
	$(Q)install -D -m755 $< $@

GL_PROGRAMS := $(GL_PROGRAM) $(VIRTGPU_PROGRAM) $(UAPI_PROGRAM) $(BUILD)/guest/pvgpu-session
CHECK_DEPS += $(GL_PROGRAMS) gl-disks

.PHONY: gl-disks
gl-disks:
	$(Q)$(PYTHON) igt-tests/images.py disk $(GL_DISKS)
