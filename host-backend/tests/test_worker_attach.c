// SPDX-License-Identifier: MIT
/* Attach, detach, take-over, broken rings and replacement of a worker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "support_worker.h"

/* What a type that does not render offers. */
#define OFFERED (PVGPU_FEATURE_COPY | PVGPU_FEATURE_CURSOR | \
		 PVGPU_FEATURE_PRIORITY | PVGPU_FEATURE_VBLANK | \
		 PVGPU_FEATURE_PLANES)

static const struct pvgpu_host_block *host_block(const struct rig *rig)
{
	return (void *)(rig->window + rig->layout.host_offset);
}

static struct pvgpu_guest_block *guest_block(const struct rig *rig)
{
	return (void *)(rig->window + rig->layout.guest_offset);
}

static int ping(struct rig *rig)
{
	struct pvgpu_ping q = {
		.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_PING),
		.payload = pvgpu_cpu_to_le64(0x1122334455667788),
	};
	struct pvgpu_ping_done *done = (void *)rig->reply;
	int status = rig_call(rig, &q, sizeof(q));

	if (!status)
		assert_int_equal(pvgpu_le64_to_cpu(done->payload),
				 0x1122334455667788);
	return status;
}

static void test_attach(void **state)
{
	struct worker_query_done q;
	struct rig rig;

	(void)state;
	rig_make(&rig, &rig_limits);
	rig_start_inside(&rig);
	assert_int_equal(pvgpu_load32(&host_block(&rig)->state),
			 PVGPU_STATE_DETACHED);
	assert_int_equal(rig_query(&rig).generation, 1);
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 1000), 0);
	assert_int_equal(rig.client.generation, 2);
	assert_int_equal(rig.client.features, OFFERED);
	assert_int_equal(rig.state->generation, 2);
	assert_true(rig.state->nonce == rig.client.nonce);
	assert_int_equal(ping(&rig), 0);

	q = rig_query(&rig);
	assert_int_equal(q.state, PVGPU_STATE_ATTACHED);
	assert_int_equal(q.guest_os, PVGPU_GUEST_TEST);
	assert_int_equal(q.driver_version, 3 << 16 | 7);
	assert_string_equal(q.driver_name, "test driver");
	assert_string_equal(q.os_name, "no os?");
	assert_int_equal(q.messages, 1);
	assert_int_equal(q.refused, 0);

	assert_int_equal(pvgpu_client_detach(&rig.client, 1000), 0);
	assert_int_equal(pvgpu_load32(&host_block(&rig)->state),
			 PVGPU_STATE_DETACHED);
	assert_true(rig.state->nonce == 0);
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 1000), 0);
	assert_int_equal(ping(&rig), 0);
	rig_down(&rig);
}

static void test_nonce_twice(void **state)
{
	struct rig rig;
	uint64_t one = 1;

	(void)state;
	rig_up(&rig);
	rig_resource(&rig, 5, 0, 4096);
	/* Doorbell 0 without a new nonce is no attach. */
	assert_int_equal(write(rig.doorbells[0], &one, 8), 8);
	rig_pump(&rig);
	assert_true(pvgpu_client_attached(&rig.client));
	assert_int_equal(rig_query(&rig).resources, 1);
	rig_down(&rig);
}

static void test_take_over(void **state)
{
	struct pvgpu_client *first;
	struct pvgpu_ping stale = {
		.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_PING),
	};
	struct worker_query_done q;
	struct rig_commit c = { 0 };
	struct rig rig;
	uint32_t *pixels;

	(void)state;
	rig_up(&rig);
	first = malloc(sizeof(*first));
	*first = rig.client;
	rig_resource(&rig, 5, 0, 640 * 480 * 4);
	commit_head(&c, 0, 640, 480);
	commit_plane(&c, 0, 0, 5, PVGPU_FORMAT_XRGB8888, 640, 480, 0, 0);
	assert_int_equal(rig_commit(&rig, &c), 0);
	assert_int_equal(rig_open(&rig, 1), 0);

	/* Another driver comes; everything of the first is gone. */
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 1000), 0);
	assert_false(pvgpu_client_attached(first));
	assert_int_equal(rig.client.generation, first->generation + 1);
	q = rig_query(&rig);
	assert_int_equal(q.resources, 0);
	assert_int_equal(q.channels, 0);
	assert_int_equal(q.window_used, 0);
	assert_int_equal(q.window_peak, 640 * 480 * 4);
	assert_false(q.heads[0].active);
	assert_int_equal(rig_screenshot(&rig, 0, &pixels).error, ENODATA);
	assert_int_equal(ping(&rig), 0);

	/* What carries the old number is refused, and answered. */
	rig.client.generation--;
	assert_int_equal(pvgpu_client_send(&rig.client, 0, &stale,
					   sizeof(stale)), 0);
	rig.client.generation++;
	assert_int_equal(ping(&rig), 0);	/* drops it, and finds its own */
	assert_int_equal(rig_query(&rig).refused, 1);
	free(first);
	rig_down(&rig);
}

static void test_refused(void **state)
{
	struct vgpu_limits limits = rig_limits;
	struct rig rig;

	(void)state;
	limits.guests = 1u << PVGPU_GUEST_LINUX;
	rig_make(&rig, &limits);
	rig_start_inside(&rig);
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 1000),
			 PVGPU_STATUS_GUEST_REFUSED);
	assert_int_equal(pvgpu_load32(&host_block(&rig)->state),
			 PVGPU_STATE_REFUSED);
	rig.hello.guest_os = 4000000000u;
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 1000),
			 PVGPU_STATUS_GUEST_REFUSED);
	rig.hello.guest_os = PVGPU_GUEST_LINUX;
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 1000), 0);
	rig_down(&rig);
}

/* Attaches with a block that the portable client would not write. */
static uint32_t attach_raw(struct rig *rig, uint32_t version,
			   uint32_t reserved, uint64_t features)
{
	struct pvgpu_guest_block *g = guest_block(rig);
	static uint64_t nonce = 99;
	uint64_t one = 1;

	memset(g, 0, sizeof(*g));
	g->version = pvgpu_cpu_to_le32(version);
	g->guest_os = pvgpu_cpu_to_le32(PVGPU_GUEST_TEST);
	g->features = pvgpu_cpu_to_le64(features);
	g->reserved[31] = pvgpu_cpu_to_le32(reserved);
	pvgpu_store64(&g->nonce, ++nonce);
	assert_int_equal(write(rig->doorbells[0], &one, 8), 8);
	rig_pump(rig);
	assert_true(pvgpu_load64(&host_block(rig)->nonce) == nonce);
	return pvgpu_load32(&host_block(rig)->status);
}

static void test_bad_block(void **state)
{
	struct rig rig;

	(void)state;
	rig_up(&rig);
	assert_int_equal(attach_raw(&rig, 2, 0, 0), PVGPU_STATUS_VERSION);
	assert_int_equal(attach_raw(&rig, 0, 0, 0), PVGPU_STATUS_VERSION);
	assert_int_equal(attach_raw(&rig, 1, 1, 0), PVGPU_STATUS_INVALID);
	assert_int_equal(attach_raw(&rig, 1, 0, ~0ull), PVGPU_STATUS_OK);
	assert_true(pvgpu_le64_to_cpu(host_block(&rig)->features) == OFFERED);
	assert_int_equal(attach_raw(&rig, 1, 0, 0), PVGPU_STATUS_OK);
	assert_true(host_block(&rig)->features == 0);
	/* A feature that was not asked for is not there. */
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 1000), 0);
	rig.hello.features = PVGPU_FEATURE_CURSOR;
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 1000), 0);
	assert_int_equal(rig_open(&rig, 1), PVGPU_STATUS_UNSUPPORTED);
	rig_down(&rig);
}

static struct pvgpu_ring_words *guest_words(struct rig *rig, uint32_t queue)
{
	return (void *)(rig->window + rig->layout.guest_offset +
			PVGPU_QUEUES_OFFSET +
			(uint64_t)queue * rig->layout.queue_stride);
}

static void expect_broken(struct rig *rig, uint32_t queue, uint32_t vector)
{
	uint64_t one = 1, count;

	for (uint32_t v = 0; v < WINDOW_VECTORS; v++)
		while (read(rig->vectors[v], &count, 8) == 8)
			;
	assert_int_equal(write(rig->doorbells[vector], &one, 8), 8);
	rig_pump(rig);
	assert_int_equal(pvgpu_load32(&host_block(rig)->state),
			 PVGPU_STATE_BROKEN);
	assert_int_equal(pvgpu_load32(&host_block(rig)->broken_queue), queue);
	for (uint32_t v = 0; v < WINDOW_VECTORS; v++)
		assert_int_equal(read(rig->vectors[v], &count, 8), 8);
	assert_int_equal(ping(rig), PVGPU_CLIENT_LOST);
}

static void test_broken(void **state)
{
	struct pvgpu_ping q = {
		.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_PING),
	};
	struct rig_commit c = { 0 };
	struct rig rig;
	uint32_t *pixels;

	(void)state;
	rig_up(&rig);
	commit_head(&c, 1, 640, 480);
	assert_int_equal(rig_commit(&rig, &c), 0);
	/* More produced than the ring holds. */
	pvgpu_store32(&guest_words(&rig, 0)->produced, 5000);
	expect_broken(&rig, 0, 0);
	/* The picture stays until somebody attaches. */
	assert_int_equal(rig_screenshot(&rig, 1, &pixels).error, 0);
	munmap(pixels, 640 * 480 * 4);

	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 1000), 0);
	assert_int_equal(ping(&rig), 0);
	/* Consumed what was not there. */
	pvgpu_store32(&guest_words(&rig, 0)->consumed, 77);
	expect_broken(&rig, 0, 0);

	/* A message that is longer than what is published. */
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 1000), 0);
	assert_int_equal(pvgpu_client_send(&rig.client, 0, &q, sizeof(q)), 0);
	*(pvgpu_le32 *)(void *)((uint8_t *)guest_words(&rig, 0) +
		PVGPU_RING_SLOTS_OFFSET) = pvgpu_cpu_to_le32(4096);
	pvgpu_client_flush(&rig.client, 0);
	expect_broken(&rig, 0, 0);

	/* On a channel's ring. */
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 1000), 0);
	assert_int_equal(rig_open(&rig, 2), 0);
	pvgpu_store32(&guest_words(&rig, 2)->produced, 513);
	expect_broken(&rig, 2, 2);
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 1000), 0);
	assert_int_equal(ping(&rig), 0);
	rig_down(&rig);
}

static void test_replacement(void **state)
{
	struct rig_commit c = { 0 };
	struct rig rig;
	uint64_t count;

	(void)state;
	rig_up(&rig);
	rig_resource(&rig, 5, 0, 4096);
	commit_head(&c, 0, 640, 480);
	assert_int_equal(rig_commit(&rig, &c), 0);
	rig_stop_inside(&rig);		/* as if it had died */

	rig_start_inside(&rig);
	assert_int_equal(pvgpu_load32(&host_block(&rig)->state),
			 PVGPU_STATE_LOST);
	assert_int_equal(rig_query(&rig).generation, 3);
	assert_false(pvgpu_client_attached(&rig.client));
	for (uint32_t v = 0; v < WINDOW_VECTORS; v++)
		assert_int_equal(read(rig.vectors[v], &count, 8), 8);
	assert_int_equal(ping(&rig), PVGPU_CLIENT_LOST);
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 1000), 0);
	assert_int_equal(rig.client.generation, 4);
	assert_int_equal(rig_query(&rig).resources, 0);
	assert_int_equal(ping(&rig), 0);
	rig_stop_inside(&rig);

	/* A nonce that nobody answered yet: an attach in flight. */
	pvgpu_store64(&guest_block(&rig)->nonce, 0xabcdef);
	rig_start_inside(&rig);
	assert_int_equal(pvgpu_load32(&host_block(&rig)->state),
			 PVGPU_STATE_ATTACHED);
	assert_true(pvgpu_load64(&host_block(&rig)->nonce) == 0xabcdef);
	assert_true(rig.state->nonce == 0xabcdef);
	assert_int_equal(rig.state->generation, 6);
	rig_down(&rig);
}

static void test_generation_wraps(void **state)
{
	struct rig rig;

	(void)state;
	rig_make(&rig, &rig_limits);
	rig.state->generation = 0xfffffffe;
	rig_start_inside(&rig);
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 1000), 0);
	assert_int_equal(rig.client.generation, 1);
	assert_int_equal(ping(&rig), 0);
	rig_down(&rig);
}

static void test_child(void **state)
{
	struct rig_commit c = { 0 };
	struct rig rig;
	uint32_t *pixels;
	int status;

	(void)state;
	rig_make(&rig, &rig_limits);
	rig_start_child(&rig, "build/asan/bin/pvgpu-worker");
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 5000), 0);
	assert_int_equal(ping(&rig), 0);
	rig_resource(&rig, 9, 8192, 640 * 480 * 4);
	for (uint32_t i = 0; i < 640 * 480; i++)
		((uint32_t *)(void *)(rig.vram + 8192))[i] = i;
	commit_head(&c, 0, 640, 480);
	commit_plane(&c, 0, 0, 9, PVGPU_FORMAT_XRGB8888, 640, 480, 0, 0);
	assert_int_equal(rig_commit(&rig, &c), 0);
	assert_int_equal(rig_screenshot(&rig, 0, &pixels).error, 0);
	for (uint32_t i = 0; i < 640 * 480; i++)
		assert_int_equal(pixels[i] & 0xffffff, i);
	munmap(pixels, 640 * 480 * 4);
	/* The manager goes, and the worker with it, in order. */
	status = rig_stop_child(&rig);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));

	/* Killed: its successor finds the window as it was. */
	rig_start_child(&rig, "build/asan/bin/pvgpu-worker");
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 5000), 0);
	assert_int_equal(kill(rig.child, SIGKILL), 0);
	rig_stop_child(&rig);
	rig_start_child(&rig, "build/asan/bin/pvgpu-worker");
	assert_int_equal(ping(&rig), PVGPU_CLIENT_LOST);
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 5000), 0);
	assert_int_equal(ping(&rig), 0);
	status = rig_stop_child(&rig);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	rig_drop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_nonce_twice),
		cmocka_unit_test(test_take_over),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bad_block),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_replacement),
		cmocka_unit_test(test_generation_wraps),
		cmocka_unit_test(test_child),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	log_set_level(LEVEL_ERROR);
	return cmocka_run_group_tests_name("worker attach", tests, NULL, NULL);
}
