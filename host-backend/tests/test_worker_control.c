// SPDX-License-Identifier: MIT
/* Control messages: every refusal with its status and detail; the ledger. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "support_worker.h"

/* Sends a message of `length` bytes; status and detail must be these. */
static void expect(struct rig *rig, uint32_t status, uint32_t detail,
		   const void *message, uint32_t length)
{
	uint64_t copy[PVGPU_MESSAGE_MAX / 8] = { 0 };

	memcpy(copy, message, length);
	assert_int_equal(rig_call(rig, copy, length), status);
	assert_int_equal(rig->detail, detail);
}

#define OPCODE(op) .msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_##op)
#define LE(v) pvgpu_cpu_to_le32(v)

static void test_every_opcode_and_size(void **state)
{
	static const struct {
		uint16_t opcode;
		uint32_t size;
		bool at_least;
	} ops[] = {
		{ PVGPU_OP_PING, 24, false },
		{ PVGPU_OP_HEAD_QUERY, 24, false },
		{ PVGPU_OP_HEAD_EDID, 32, false },
		{ PVGPU_OP_RESOURCE_CREATE, 80, false },
		{ PVGPU_OP_RESOURCE_BACK, 24, true },
		{ PVGPU_OP_RESOURCE_DESTROY, 24, false },
		{ PVGPU_OP_CHANNEL_OPEN, 32, false },
		{ PVGPU_OP_CHANNEL_CLOSE, 24, false },
		{ PVGPU_OP_COMMIT, 40, true },
		{ PVGPU_OP_CAPSET, 32, false },
		{ PVGPU_OP_CONTEXT_CREATE, 88, false },
		{ PVGPU_OP_CONTEXT_DESTROY, 24, false },
		{ PVGPU_OP_CONTEXT_ATTACH, 24, false },
		{ PVGPU_OP_CONTEXT_DETACH, 24, false },
		{ PVGPU_OP_CONTEXT_QUERY, 24, false },
	};
	struct rig rig;

	(void)state;
	rig_up(&rig);
	for (uint32_t opcode = 0; opcode < 0x400; opcode++) {
		struct pvgpu_msg msg = { .opcode = (uint16_t)opcode };
		uint32_t size = 0;

		for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
			if (ops[i].opcode == opcode)
				size = ops[i].size;
		if (!size) {
			expect(&rig, PVGPU_STATUS_UNSUPPORTED, 0, &msg,
			       sizeof(msg));
			continue;
		}
		expect(&rig, PVGPU_STATUS_INVALID, 0, &msg, sizeof(msg));
	}
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		uint64_t bytes[32] = { 0 };
		struct pvgpu_msg *msg = (void *)bytes;

		msg->opcode = pvgpu_cpu_to_le16(ops[i].opcode);
		expect(&rig, PVGPU_STATUS_INVALID, 0, bytes, ops[i].size - 8);
		if (!ops[i].at_least)
			expect(&rig, PVGPU_STATUS_INVALID, 0, bytes,
			       ops[i].size + 8);
	}
	rig_down(&rig);
}

static void test_flags_and_generation(void **state)
{
	struct pvgpu_ping q = { OPCODE(PING), .msg.flags = LE(1) };
	const struct pvgpu_completion *done;
	struct rig rig;

	(void)state;
	rig_up(&rig);
	assert_int_equal(pvgpu_client_send(&rig.client, 0, &q, sizeof(q)), 0);
	pvgpu_client_flush(&rig.client, 0);
	rig_pump(&rig);
	assert_int_equal(pvgpu_client_take(&rig.client, 0, rig.reply),
			 sizeof(*done));
	done = (void *)rig.reply;
	assert_int_equal(done->status, LE(PVGPU_STATUS_INVALID));
	assert_int_equal(done->detail, LE(6));
	assert_int_equal(done->msg.opcode, q.msg.opcode);
	assert_int_equal(done->msg.generation, LE(rig.client.generation));

	rig.client.generation += 5;
	assert_int_equal(pvgpu_client_send(&rig.client, 0, &q, sizeof(q)), 0);
	pvgpu_client_flush(&rig.client, 0);
	rig.client.generation -= 5;
	rig_pump(&rig);
	assert_int_equal(pvgpu_client_take(&rig.client, 0, rig.reply),
			 sizeof(*done));
	assert_int_equal(done->status, LE(PVGPU_STATUS_STALE));
	rig_down(&rig);
}

static void test_heads(void **state)
{
	struct pvgpu_head_query query = { OPCODE(HEAD_QUERY) };
	struct pvgpu_head_query_done *found;
	struct pvgpu_head_edid edid = { OPCODE(HEAD_EDID) };
	struct pvgpu_head_edid_done *got;
	const struct head *head;
	const uint8_t *data;
	struct rig rig;

	(void)state;
	rig_up(&rig);
	found = (void *)rig.reply;
	got = (void *)rig.reply;
	data = (const uint8_t *)(got + 1);
	head = &rig.worker->heads.head[1];

	query.head = LE(1);
	expect(&rig, 0, 0, &query, sizeof(query));
	assert_int_equal(found->head, LE(1));
	assert_int_equal(found->flags, LE(PVGPU_HEAD_CONNECTED));
	assert_int_equal(found->edid_size, LE(128));
	assert_int_equal(found->width, LE(1280));
	assert_int_equal(found->height, LE(800));
	assert_int_equal(found->refresh, LE(60000));
	edid.serial = found->serial;
	query.head = LE(2);
	expect(&rig, PVGPU_STATUS_LIMIT_HEADS, 2, &query, sizeof(query));
	query.reserved = LE(1);
	expect(&rig, PVGPU_STATUS_INVALID, 20, &query, sizeof(query));

	edid.head = LE(1);
	edid.size = LE(1024);
	expect(&rig, 0, 0, &edid, sizeof(edid));
	assert_int_equal(got->size, LE(128));
	assert_memory_equal(data, head->edid, 128);
	edid.offset = LE(100);
	edid.size = LE(13);
	expect(&rig, 0, 0, &edid, sizeof(edid));
	assert_int_equal(got->size, LE(13));
	assert_int_equal(got->done.msg.length, LE(40 + 16));
	assert_memory_equal(data, head->edid + 100, 13);
	assert_memory_equal(data + 13, "\0\0\0", 3);
	edid.offset = LE(4000000000u);
	expect(&rig, 0, 0, &edid, sizeof(edid));
	assert_int_equal(got->size, 0);
	edid.size = 0;
	expect(&rig, PVGPU_STATUS_INVALID, 28, &edid, sizeof(edid));
	edid.size = LE(1025);
	expect(&rig, PVGPU_STATUS_INVALID, 28, &edid, sizeof(edid));
	edid.size = LE(10);
	edid.serial++;
	expect(&rig, PVGPU_STATUS_STALE, 20, &edid, sizeof(edid));
	edid.head = LE(7);
	expect(&rig, PVGPU_STATUS_LIMIT_HEADS, 2, &edid, sizeof(edid));
	rig_down(&rig);
}

/* Events: coalesced, kept while there is no room, told of changes only. */
static void test_head_events(void **state)
{
	const struct pvgpu_event_head *event;
	uint32_t queue, got = 0;
	struct rig rig;

	(void)state;
	rig_up(&rig);
	queue = pvgpu_device_event_queue(&rig.client.device);
	event = (void *)rig.reply;
	event_heads(rig.worker, 1);
	event_heads(rig.worker, 2);
	rig_pump(&rig);
	assert_int_equal(pvgpu_client_take(&rig.client, queue, rig.reply),
			 sizeof(*event));
	assert_int_equal(event->msg.opcode, pvgpu_cpu_to_le16(PVGPU_EVENT_HEAD));
	assert_int_equal(event->heads, LE(3));
	assert_int_equal(pvgpu_client_take(&rig.client, queue, rig.reply), 0);

	for (int i = 0; i < 600; i++) {
		event_heads(rig.worker, 1u << i % 2);
		rig_pump(&rig);
	}
	assert_int_equal(rig.worker->events_pending, 3);
	while (pvgpu_client_take(&rig.client, queue, rig.reply))
		got++;
	assert_int_equal(got, 512);
	rig_pump(&rig);
	assert_int_equal(rig.worker->events_pending, 0);
	assert_int_equal(pvgpu_client_take(&rig.client, queue, rig.reply),
			 sizeof(*event));
	assert_int_equal(event->heads, LE(3));
	rig_down(&rig);
}

/* What is plugged in: as it is told, and nothing that no manager tells. */
static void test_head_sets(void **state)
{
	struct worker_head_set set = {
		.head = 1, .serial = 7, .connected = 1, .width = 800,
		.height = 600, .refresh = 60000,
	}, bad;
	struct head *head;
	struct rig rig;

	(void)state;
	rig_up(&rig);
	head = &rig.worker->heads.head[1];
#define PLUG(s) heads_plug(&rig.worker->heads, &rig.limits, s)
	assert_int_equal(PLUG(&set), 0);
	assert_int_equal(head->serial, 7);
	assert_int_equal(head->edid_size, 128);
	assert_int_equal(head->edid[56] | (head->edid[58] & 0xf0) << 4, 800);
	set.edid_size = 2 * EDID_BLOCK;
	memset(set.edid, 0x5a, sizeof(set.edid));
	assert_int_equal(PLUG(&set), 0);
	assert_int_equal(head->edid_size, 256);
	assert_memory_equal(head->edid, set.edid, 256);
	set.connected = 0;
	assert_int_equal(PLUG(&set), 0);
	assert_int_equal(head->edid_size + head->width, 0);
#define REFUSED(field, value) do { \
		bad = set; \
		bad.field = value; \
		assert_int_equal(PLUG(&bad), -EINVAL); \
	} while (0)
	REFUSED(head, 2);
	REFUSED(head, 0xffffffff);
	REFUSED(width, 0);
	REFUSED(width, 1921);
	REFUSED(height, 0);
	REFUSED(height, 1201);
	REFUSED(refresh, 0);
	REFUSED(refresh, rig.limits.max_refresh + 1);
	REFUSED(edid_size, 100);
	REFUSED(edid_size, EDID_MAX + EDID_BLOCK);
	assert_int_equal(head->serial, 7);
	rig_down(&rig);
}

static void test_resources(void **state)
{
	struct pvgpu_resource_create good = {
		OPCODE(RESOURCE_CREATE), .resource = LE(7),
		.kind = LE(PVGPU_RESOURCE_LINEAR), .size = 100000,
	}, q;
	struct pvgpu_resource_destroy destroy = {
		OPCODE(RESOURCE_DESTROY), .resource = LE(7),
	};
	uint64_t e[4];
	struct rig rig;

	(void)state;
	rig_up(&rig);
#define CREATE(status, detail, change) do { \
	q = good; \
	change; \
	expect(&rig, PVGPU_STATUS_##status, detail, &q, sizeof(q)); \
} while (0)
	CREATE(INVALID, 16, q.resource = 0);
	CREATE(UNSUPPORTED, 20, q.kind = LE(PVGPU_RESOURCE_SURFACE));
	CREATE(INVALID, 20, q.kind = LE(3));
	CREATE(INVALID, 24, q.size = 0);
	CREATE(INVALID, 32, q.format = LE(PVGPU_FORMAT_XRGB8888));
	CREATE(INVALID, 60, q.bind = LE(1));
	CREATE(LIMIT_WINDOW, 64 << 20, q.size = (64 << 20) + 1);
	CREATE(LIMIT_WINDOW, 64 << 20, q.size = ~0ull);
	CREATE(OK, 0, (void)0);
	CREATE(EXISTS, 16, (void)0);

	/* 100000 bytes are 25 units of 4096. */
#define BACK(status, at, o1, l1, o2, l2, count) do { \
	e[0] = o1; \
	e[1] = l1; \
	e[2] = o2; \
	e[3] = l2; \
	assert_int_equal(rig_back(&rig, 7, e, count), PVGPU_STATUS_##status); \
	assert_int_equal(rig.detail, at); \
} while (0)
	BACK(INVALID, 20, 0, 0, 0, 0, 0);
	BACK(INVALID, 24, 1, 4096, 0, 0, 1);
	BACK(INVALID, 32, 0, 0, 0, 0, 1);
	BACK(INVALID, 48, 0, 4096, 0, 4095, 2);
	BACK(RANGE, 24, 64 << 20, 4096, 0, 0, 1);
	BACK(RANGE, 24, (64 << 20) - 4096, 8192, 0, 0, 1);
	BACK(RANGE, 40, 0, 4096, ~0ull - 4095, 8192, 2);
	BACK(RANGE, 32, 0, 26 * 4096, 0, 0, 1);
	BACK(RANGE, 48, 0, 25 * 4096, 0, 4096, 2);
	/* Nothing of what was refused is kept. */
	assert_int_equal(rig_query(&rig).window_used, 0);
	BACK(OK, 0, 8192, 20 * 4096, 0, 4096, 2);
	assert_int_equal(rig_query(&rig).window_used, 21 * 4096);
	BACK(RANGE, 32, 0, 5 * 4096, 0, 0, 1);
	BACK(OK, 0, 1 << 20, 4 * 4096, 0, 0, 1);
	BACK(RANGE, 32, 0, 4096, 0, 0, 1);
	assert_int_equal(rig_back(&rig, 8, e, 1), PVGPU_STATUS_NOT_FOUND);
	assert_int_equal(rig.detail, 16);

	expect(&rig, 0, 0, &destroy, sizeof(destroy));
	expect(&rig, PVGPU_STATUS_NOT_FOUND, 16, &destroy, sizeof(destroy));
	destroy.reserved = LE(4);
	expect(&rig, PVGPU_STATUS_INVALID, 20, &destroy, sizeof(destroy));
	assert_int_equal(rig_query(&rig).window_used, 0);
	assert_int_equal(rig_query(&rig).window_peak, 25 * 4096);
	rig_down(&rig);
}

static void test_resource_limits(void **state)
{
	uint64_t e[1000], whole[2] = { 0, 40 << 20 };
	struct rig rig;

	(void)state;
	rig_up(&rig);
	for (uint32_t i = 0; i < 32; i++)
		assert_int_equal(rig_create(&rig, 0x80000000u + i * 65536,
					    4096), 0);
	assert_int_equal(rig_create(&rig, 5, 4096),
			 PVGPU_STATUS_LIMIT_RESOURCES);
	assert_int_equal(rig.detail, 32);
	for (uint32_t i = 0; i < 32; i++)
		assert_int_equal(rig_destroy(&rig, 0x80000000u + i * 65536), 0);

	/* Extents count as they were named, merged or not. */
	assert_int_equal(rig_create(&rig, 5, 1 << 24), 0);
	for (uint32_t i = 0; i < 500; i++) {
		e[2 * i] = i * 4096;
		e[2 * i + 1] = 4096;
	}
	assert_int_equal(rig_back(&rig, 5, e, 500), 0);
	assert_int_equal(resource_find(&rig.worker->resources,
				       5)->extent_count, 1);
	assert_int_equal(rig_back(&rig, 5, e, 201),
			 PVGPU_STATUS_LIMIT_EXTENTS);
	assert_int_equal(rig.detail, 700);
	assert_int_equal(rig_back(&rig, 5, e, 200), 0);
	assert_int_equal(rig_back(&rig, 5, e, 1), PVGPU_STATUS_LIMIT_EXTENTS);
	assert_int_equal(rig_destroy(&rig, 5), 0);

	/* The sum of all extents is bounded, wherever they lie. */
	assert_int_equal(rig_create(&rig, 1, 40 << 20), 0);
	assert_int_equal(rig_create(&rig, 2, 40 << 20), 0);
	assert_int_equal(rig_back(&rig, 1, whole, 1), 0);
	assert_int_equal(rig_back(&rig, 2, whole, 1),
			 PVGPU_STATUS_LIMIT_WINDOW);
	assert_int_equal(rig.detail, 64 << 20);
	whole[1] = 24 << 20;
	assert_int_equal(rig_back(&rig, 2, whole, 1), 0);
	assert_int_equal(rig_query(&rig).window_used, 64 << 20);
	rig_down(&rig);
}

static void test_channels(void **state)
{
	struct pvgpu_channel_open good = {
		OPCODE(CHANNEL_OPEN), .channel = LE(3),
		.channel_class = LE(PVGPU_CHANNEL_COPY),
	}, q;
	struct pvgpu_channel_close close = {
		OPCODE(CHANNEL_CLOSE), .channel = LE(3),
	};
	struct rig rig;

	(void)state;
	rig_up(&rig);
#define OPEN(status, detail, change) do { \
	q = good; \
	change; \
	expect(&rig, PVGPU_STATUS_##status, detail, &q, sizeof(q)); \
} while (0)
	OPEN(INVALID, 16, q.channel = 0);
	OPEN(LIMIT_CHANNELS, 3, q.channel = LE(4));
	OPEN(UNSUPPORTED, 20, q.channel_class = LE(2));
	OPEN(INVALID, 24, q.priority = LE(PVGPU_PRIORITY_MAX + 1));
	OPEN(INVALID, 28, q.reserved = LE(1));
	OPEN(OK, 0, q.priority = LE(PVGPU_PRIORITY_MAX));
	assert_int_equal(rig.worker->channels[2].priority, PVGPU_PRIORITY_MAX);
	OPEN(EXISTS, 16, (void)0);
	assert_int_equal(rig_query(&rig).channels, 1);
	close.reserved = LE(1);
	expect(&rig, PVGPU_STATUS_INVALID, 20, &close, sizeof(close));
	close.reserved = 0;
	expect(&rig, 0, 0, &close, sizeof(close));
	expect(&rig, PVGPU_STATUS_NOT_FOUND, 16, &close, sizeof(close));
	close.channel = LE(~0u);
	expect(&rig, PVGPU_STATUS_NOT_FOUND, 16, &close, sizeof(close));
	rig_down(&rig);
}

/* Answers are not taken: the host stops taking requests, and goes on. */
static void test_no_room(void **state)
{
	struct pvgpu_ping q = { OPCODE(PING) };
	uint32_t sent = 0, got = 0;
	struct rig rig;

	(void)state;
	rig_up(&rig);
	for (int i = 0; i < 500; i++, sent++)
		assert_int_equal(pvgpu_client_send(&rig.client, 0, &q,
						   sizeof(q)), 0);
	pvgpu_client_flush(&rig.client, 0);
	rig_pump(&rig);
	/* Kept free: room for the largest answer. */
	assert_int_equal(rig_query(&rig).messages, 512 - 128 + 1);
	assert_false(rig.worker->queues[0].pending);
	for (;;) {
		int n = pvgpu_client_take(&rig.client, 0, rig.reply);

		if (!n) {
			rig_pump(&rig);
			n = pvgpu_client_take(&rig.client, 0, rig.reply);
		}
		if (!n)
			break;
		got++;
	}
	assert_int_equal(got, sent);
	rig_down(&rig);
}

/* --------------------------------------------------------------- ledger */

static void test_ledger(void **state)
{
	uint64_t seed = 42, held[64] = { 0 }, sum = 0, peak = 0, bytes;
	struct pvgpu_surface s = {
		.format = 1, .width = 100, .height = 100, .depth = 1,
		.layers = 1, .levels = 1, .samples = 1,
		.target = PVGPU_TARGET_2D,
	};
	struct ledger l;
	struct verdict v;

	(void)state;
	ledger_init(&l, 1000000, 1 << 20);
	for (int i = 0; i < 20000; i++) {
		uint32_t slot = (uint32_t)(noise(&seed) % 64);
		uint64_t want = noise(&seed) %
				(noise(&seed) % 100 ? 50000 : ~0ull);

		if (held[slot]) {
			budget_release(&l.window, held[slot]);
			sum -= held[slot];
			held[slot] = 0;
		} else if (budget_charge(&l.window, want)) {
			assert_true(want <= 1000000 - sum);
			held[slot] = want;
			sum += want;
			if (sum > peak)
				peak = sum;
		} else {
			assert_true(want > 1000000 - sum);
		}
		assert_true(l.window.used == sum && l.window.peak == peak);
		assert_true(sum <= 1000000);
	}
	assert_true(peak > 900000);
	assert_true(l.device.used == 0);

	/* Surfaces cost what the protocol says, on the other budget. */
	v = ledger_charge_surface(&l, &s, &bytes);
	assert_int_equal(v.status, 0);
	assert_true(bytes == pvgpu_footprint(&s) && l.device.used == bytes);
	s.width = s.height = 4096;
	bytes = 1;
	v = ledger_charge_surface(&l, &s, &bytes);
	assert_int_equal(v.status, PVGPU_STATUS_LIMIT_DEVICE);
	assert_int_equal(v.detail, 1 << 20);
	assert_true(bytes == 1);
	s.samples = 3;
	assert_int_equal(ledger_charge_surface(&l, &s, &bytes).status,
			 PVGPU_STATUS_INVALID);
	assert_true(l.window.used == sum);
}

/* What `pvgpuctl show` is told of the device budget. */
static void test_figures(void **state)
{
	static const uint32_t bytes[LEDGER_KINDS] = { 5000, 600, 70, 8 };
	struct rig rig;
	struct worker_query_done q;

	(void)state;
	rig_up(&rig);
	assert_string_equal(rig_query(&rig).renderer, "");
	worker_name_renderer(rig.worker, "a renderer");
	for (int k = 0; k < LEDGER_KINDS; k++)
		assert_true(ledger_charge(&rig.worker->ledger,
					  (enum ledger_kind)k, bytes[k]));
	assert_true(ledger_charge(&rig.worker->ledger, LEDGER_OBJECTS, 30));
	ledger_release(&rig.worker->ledger, LEDGER_OBJECTS, 30);
	q = rig_query(&rig);
	assert_string_equal(q.renderer, "a renderer");
	assert_int_equal(q.device_used, 5678);
	assert_int_equal(q.device_peak, 5708);
	assert_int_equal(q.device_surfaces, 5000);
	assert_int_equal(q.device_contexts, 600);
	assert_int_equal(q.device_objects, 70);
	assert_int_equal(q.device_shaders, 8);
	worker_name_renderer(rig.worker, NULL);
	assert_string_equal(rig_query(&rig).renderer, "");
	rig_down(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_opcode_and_size),
		cmocka_unit_test(test_flags_and_generation),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_head_events),
		cmocka_unit_test(test_head_sets),
		cmocka_unit_test(test_resources),
		cmocka_unit_test(test_resource_limits),
		cmocka_unit_test(test_channels),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_ledger),
		cmocka_unit_test(test_figures),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	log_set_level(LEVEL_ERROR);
	return cmocka_run_group_tests_name("worker control", tests, NULL,
					   NULL);
}
