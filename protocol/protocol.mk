# SPDX-License-Identifier: MIT
# The protocol: header, ring, portable client; unit tests, models, the compile
# check for other systems, and the conformance client.

PROTOCOL_TESTS := test_ring test_ring_threads test_footprint test_client
PROTOCOL_TEST_BINS := \
	$(PROTOCOL_TESTS:%=$(BUILD)/tests/protocol/%) \
	$(PROTOCOL_TESTS:%=$(BUILD)/asan/tests/protocol/%)
CHECK_DEPS += $(PROTOCOL_TEST_BINS)
CHECKS += $(PROTOCOL_TEST_BINS)

$(BUILD)/tests/protocol/%: $(BUILD)/obj/protocol/tests/%.o \
		$(BUILD)/obj/protocol/client/client.o
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ -lcmocka -lpthread
$(BUILD)/asan/tests/protocol/%: $(BUILD)/asan/protocol/tests/%.o \
		$(BUILD)/asan/protocol/client/client.o
	$(call say,LD asan,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) -o $@ $^ -lcmocka -lpthread
.PRECIOUS: $(BUILD)/obj/%.o $(BUILD)/asan/%.o

# The same files for every other system.
CHECKS += protocol/ports/check.py

# The models, and their broken variants.
CHECKS += protocol/model/check.py

# The specification against the headers.
CHECKS += protocol/tests/spec_check.py

# The client that attaches as QEMU does.
CONFORM_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,\
	$(wildcard protocol/conformance/*.c)) \
	$(BUILD)/obj/protocol/client/client.o $(BUILD)/obj/protocol/client/peer.o
$(BUILD)/bin/pvgpu-conform: $(CONFORM_OBJECTS)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -o $@ $^
PROGRAMS += $(BUILD)/bin/pvgpu-conform

# Guests in numbers, and one without manners, for tests of the host.
CONFORM_CLIENTS := $(patsubst protocol/conformance/clients/%.c,\
	$(BUILD)/bin/pvgpu-%,$(wildcard protocol/conformance/clients/*.c))
$(CONFORM_CLIENTS): $(BUILD)/bin/pvgpu-%: \
		$(BUILD)/obj/protocol/conformance/clients/%.o \
		$(BUILD)/obj/protocol/conformance/guest.o \
		$(BUILD)/obj/protocol/conformance/virgl_guest.o \
		$(BUILD)/obj/protocol/conformance/virgl_noise.o \
		$(BUILD)/obj/protocol/conformance/virgl_stream.o \
		$(BUILD)/obj/protocol/client/client.o \
		$(BUILD)/obj/protocol/client/peer.o
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ -pthread
PROGRAMS += $(CONFORM_CLIENTS)
CHECKS += protocol/conformance/run.py

include protocol/replay/replay.mk
