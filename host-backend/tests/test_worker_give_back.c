// SPDX-License-Identifier: MIT
/*
 * Freed VRAM goes back to the host: measured at the window's memfd, whose
 * blocks are the pages that it has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/stat.h>

#include "support_worker.h"

static uint64_t held(const struct rig *rig)
{
	struct stat st;

	assert_int_equal(fstat(rig->window_fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static bool all_are(const uint8_t *bytes, size_t size, uint8_t value)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != value)
			return false;
	return true;
}

static void test_give_back(void **state)
{
	const uint64_t mib = 1 << 20;
	uint64_t twice[] = { 40 * mib, mib, 40 * mib, mib };
	uint64_t before;
	struct rig rig;

	(void)state;
	rig_up(&rig);
	before = held(&rig);
	rig_resource(&rig, 1, 0, 8 * mib);
	rig_resource(&rig, 2, 4 * mib, 8 * mib);
	memset(rig.vram, 5, 12 * mib);
	assert_int_equal(held(&rig) - before, 12 * mib);
	/* Half of it is another's too, and stays as it is. */
	assert_int_equal(rig_destroy(&rig, 1), 0);
	assert_int_equal(held(&rig) - before, 8 * mib);
	assert_true(all_are(rig.vram + 4 * mib, 8 * mib, 5));
	assert_int_equal(rig_destroy(&rig, 2), 0);
	assert_int_equal(held(&rig), before);
	/* What was named once more after that is given back once more. */
	rig_resource(&rig, 1, 4 * mib, 8 * mib);
	memset(rig.vram + 4 * mib, 6, 8 * mib);
	assert_int_equal(rig_destroy(&rig, 1), 0);
	assert_int_equal(held(&rig), before);
	/* Twice in one. */
	assert_int_equal(rig_create(&rig, 3, 2 * mib), 0);
	assert_int_equal(rig_back(&rig, 3, twice, 2), 0);
	memset(rig.vram + 40 * mib, 7, mib);
	assert_int_equal(rig_destroy(&rig, 3), 0);
	assert_int_equal(held(&rig), before);
	/* What no resource named stays. */
	memset(rig.vram + 50 * mib, 8, mib);
	rig_resource(&rig, 1, 49 * mib, mib);
	assert_int_equal(rig_destroy(&rig, 1), 0);
	assert_int_equal(held(&rig) - before, mib);
	rig_down(&rig);
}

/* Random extents of a small VRAM against a count of names. */
static void test_give_back_model(void **state)
{
	enum { UNITS = 64, NAMES = 12 };
	uint64_t extents[NAMES][2 * 5], seed = 77;
	uint32_t counts[NAMES] = { 0 };
	uint8_t named[UNITS] = { 0 };
	struct rig rig;

	(void)state;
	rig_up(&rig);
	for (uint32_t step = 0; step < 4000; step++) {
		uint32_t n = (uint32_t)(noise(&seed) % NAMES), units = 0;

		if (counts[n]) {
			assert_int_equal(rig_destroy(&rig, n + 1), 0);
			for (uint32_t i = 0; i < counts[n]; i++)
				for (uint64_t u = 0;
				     u < extents[n][2 * i + 1] / 4096; u++)
					named[extents[n][2 * i] / 4096 + u]--;
			counts[n] = 0;
		} else {
			counts[n] = 1 + (uint32_t)(noise(&seed) % 5);
			for (uint32_t i = 0; i < counts[n]; i++) {
				uint64_t length = 1 + noise(&seed) % 9;
				uint64_t at = noise(&seed) %
					      (UNITS - length + 1);

				extents[n][2 * i] = at * 4096;
				extents[n][2 * i + 1] = length * 4096;
				units += (uint32_t)length;
				for (uint64_t u = 0; u < length; u++)
					named[at + u]++;
			}
			assert_int_equal(rig_create(&rig, n + 1,
						    units * 4096), 0);
			assert_int_equal(rig_back(&rig, n + 1, extents[n],
						  counts[n]), 0);
		}
		/* Nothing that is named was lost, all that is not is. */
		for (uint32_t u = 0; u < UNITS; u++) {
			uint8_t *unit = rig.vram + u * 4096;

			if (!named[u])
				assert_int_equal(*unit, 0);
			else if (*unit)
				assert_int_equal(*unit, u + 1);
			if (named[u])
				*unit = (uint8_t)(u + 1);
		}
	}
	rig_down(&rig);
}

/* A large one goes in pieces, and others are answered meanwhile. */
static void test_give_back_in_pieces(void **state)
{
	struct pvgpu_resource_destroy q = {
		.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_RESOURCE_DESTROY),
		.msg.cookie = pvgpu_cpu_to_le32(1),
		.resource = pvgpu_cpu_to_le32(1),
	};
	struct pvgpu_ping ping = {
		.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_PING),
		.msg.cookie = pvgpu_cpu_to_le32(2),
	};
	const struct pvgpu_completion *done;
	uint32_t turns = 0, first = 0;
	struct rig rig;
	uint64_t before;

	(void)state;
	rig_up(&rig);
	done = (const void *)rig.reply;
	before = held(&rig);
	rig_resource(&rig, 1, 0, 48 << 20);
	memset(rig.vram, 9, 48 << 20);
	assert_false(pvgpu_client_send(&rig.client, 0, &q, sizeof(q)));
	assert_false(pvgpu_client_send(&rig.client, 0, &ping, sizeof(ping)));
	pvgpu_client_flush(&rig.client, 0);
	for (;;) {
		uint64_t left = held(&rig);

		assert_int_equal(worker_turn(rig.worker, 1000), 0);
		assert_true(left - held(&rig) <= 2 << 20);
		if (pvgpu_client_take(&rig.client, 0, rig.reply) <= 0)
			continue;
		assert_int_equal(done->status, 0);
		turns++;
		if (!first)
			first = pvgpu_le32_to_cpu(done->msg.cookie);
		if (pvgpu_le32_to_cpu(done->msg.cookie) == 1)
			break;
		assert_true(left - before > 40 << 20);
	}
	assert_int_equal(first, 2);
	assert_int_equal(turns, 2);
	assert_int_equal(held(&rig), before);
	assert_int_equal(rig_create(&rig, 1, 4096), 0);
	rig_down(&rig);
}

static void test_sweep(void **state)
{
	const size_t size = rig_limits.framebuffer;
	struct pvgpu_guest_block *block;
	uint64_t before, one = 1;
	struct rig rig;

	(void)state;
	rig_up(&rig);
	before = held(&rig);
	rig_resource(&rig, 1, 0, 8 << 20);
	memset(rig.vram, 3, size);
	/* Attaching again leaves it as it is. */
	assert_false(pvgpu_client_attach(&rig.client, &rig.hello, 1000));
	rig_pump(&rig);
	assert_int_equal(held(&rig) - before, size);
	/* And so does who comes back. */
	assert_false(pvgpu_client_detach(&rig.client, 1000));
	rig_pump(&rig);
	assert_int_equal(held(&rig) - before, size);
	assert_false(pvgpu_client_attach(&rig.client, &rig.hello, 1000));
	assert_false(pvgpu_client_leave(&rig.client, 1000));
	rig_pump(&rig);
	assert_int_equal(held(&rig), before);
	/* Who attaches in the middle of it keeps the rest. */
	assert_false(pvgpu_client_attach(&rig.client, &rig.hello, 1000));
	memset(rig.vram, 4, size);
	block = (void *)(rig.window + rig.layout.guest_offset);
	pvgpu_store64(&block->features, 0);
	pvgpu_store64(&block->nonce, 0);
	assert_int_equal(write(rig.doorbells[0], &one, 8), 8);
	for (int i = 0; i < 8; i++)
		assert_int_equal(worker_turn(rig.worker, 0), 0);
	assert_false(pvgpu_client_attach(&rig.client, &rig.hello, 1000));
	rig_pump(&rig);
	assert_in_range(held(&rig) - before, size / 2, size - (1 << 20));
	assert_true(all_are(rig.vram + size / 2, size / 2, 4));
	rig_down(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_give_back),
		cmocka_unit_test(test_give_back_model),
		cmocka_unit_test(test_give_back_in_pieces),
		cmocka_unit_test(test_sweep),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("worker give back", tests, NULL,
					   NULL);
}
