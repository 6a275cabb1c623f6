# SPDX-License-Identifier: MIT
# Recordings of virgl programs: who makes them, and who plays them.

# The player, plainly and with sanitizers. $(1) obj or asan, $(2) folder of
# programs, $(3) link flags
REPLAY_OBJECTS := $(patsubst %.c,%.o,$(filter-out %/record.c %/scenes.c,\
	$(wildcard protocol/replay/*.c))) $(addprefix protocol/conformance/,\
	guest.o virgl_guest.o virgl_stream.o) $(addprefix protocol/client/,\
	client.o peer.o)
define replay_program
$(2)/pvgpu-replay: $$(REPLAY_OBJECTS:%=$$(BUILD)/$(1)/%)
	$$(call say,LD,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CFLAGS) $(3) -o $$@ $$^ -lz -ljson-c -pthread
endef
$(eval $(call replay_program,obj,$(BUILD)/bin,))
$(eval $(call replay_program,asan,$(BUILD)/asan/bin,$(SANITIZE)))

RECORDING_OBJECTS := $(addprefix protocol/replay/,recording.o \
	recording_write.o picture.o)
$(BUILD)/bin/pvgpu-record: $(BUILD)/obj/protocol/replay/record.o \
		$(RECORDING_OBJECTS:%=$(BUILD)/obj/%)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ -lz
PROGRAMS += $(BUILD)/bin/pvgpu-replay $(BUILD)/bin/pvgpu-record

$(BUILD)/asan/tests/protocol/test_recording: \
		$(BUILD)/asan/protocol/replay/tests/test_recording.o \
		$(BUILD)/asan/protocol/replay/histogram.o \
		$(RECORDING_OBJECTS:%=$(BUILD)/asan/%)
	$(call say,LD asan,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) -o $@ $^ -lcmocka -lz
CHECK_DEPS += $(BUILD)/asan/bin/pvgpu-replay \
	$(BUILD)/asan/tests/protocol/test_recording
CHECKS += $(BUILD)/asan/tests/protocol/test_recording \
	protocol/replay/tests/test_replay.py
