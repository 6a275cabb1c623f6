// SPDX-License-Identifier: MIT
/* Resources, their backing and the window budget: spec.md 9.3. */
#include "conform.h"

#define EXTENTS_MAX ((PVGPU_MESSAGE_MAX - 24) / 16)

static struct pvgpu_resource_create linear(uint32_t name, uint64_t size)
{
	return (struct pvgpu_resource_create){
		.resource = pvgpu_cpu_to_le32(name),
		.kind = pvgpu_cpu_to_le32(PVGPU_RESOURCE_LINEAR),
		.size = pvgpu_cpu_to_le64(size),
	};
}

static int create(struct guest *g, struct pvgpu_resource_create q)
{
	return guest_call(g, PVGPU_OP_RESOURCE_CREATE, &q, sizeof(q));
}

/* RESOURCE_BACK with pairs of offset and length. */
static int back(struct guest *g, uint32_t name, uint32_t count,
		const uint64_t *pairs)
{
	_Alignas(8) uint8_t message[PVGPU_MESSAGE_MAX] = { 0 };
	struct pvgpu_resource_back q = {
		.resource = pvgpu_cpu_to_le32(name),
		.count = pvgpu_cpu_to_le32(count),
	};
	uint32_t i;

	memcpy(message, &q, sizeof(q));
	for (i = 0; i < count; i++) {
		struct pvgpu_extent e = {
			.offset = pvgpu_cpu_to_le64(pairs[2 * i]),
			.length = pvgpu_cpu_to_le64(pairs[2 * i + 1]),
		};

		memcpy(message + sizeof(q) + i * sizeof(e), &e, sizeof(e));
	}
	return guest_call(g, PVGPU_OP_RESOURCE_BACK, message,
			  sizeof(q) + count * (uint32_t)sizeof(struct
							pvgpu_extent));
}

static void create_refusals(struct guest *g)
{
	struct pvgpu_resource_create q;
	uint32_t at, one = pvgpu_cpu_to_le32(1);

	EXPECT_ANSWER(g, "name 0", create(g, linear(0, 4096)),
		      PVGPU_STATUS_INVALID, 16);
	q = linear(1, 4096);
	q.kind = 0;
	EXPECT_ANSWER(g, "kind 0", create(g, q), PVGPU_STATUS_INVALID, 20);
	q.kind = pvgpu_cpu_to_le32(3);
	EXPECT_ANSWER(g, "kind 3", create(g, q), PVGPU_STATUS_INVALID, 20);
	EXPECT_ANSWER(g, "size 0", create(g, linear(1, 0)),
		      PVGPU_STATUS_INVALID, 24);
	for (at = 32; at < 80; at += 4) {
		q = linear(1, 4096);
		memcpy((uint8_t *)&q + at, &one, sizeof(one));
		EXPECT_ANSWER(g, "a field of surfaces", create(g, q),
			      PVGPU_STATUS_INVALID, at);
	}
	EXPECT_ANSWER(g, "a byte more than VRAM",
		      create(g, linear(1, g->d->vram_size + 1)),
		      PVGPU_STATUS_LIMIT_WINDOW, clamp32(g->d->vram_size));
	EXPECT_ANSWER(g, "2^64 - 1 bytes", create(g, linear(1, ~0ull)),
		      PVGPU_STATUS_LIMIT_WINDOW, clamp32(g->d->vram_size));
	EXPECT_ANSWER(g, "2^63 bytes", create(g, linear(1, 1ull << 63)),
		      PVGPU_STATUS_LIMIT_WINDOW, clamp32(g->d->vram_size));
	EXPECT_OK(g, "name 2^32-1", create(g, linear(0xffffffff, 1)));
	EXPECT_ANSWER(g, "twice", create(g, linear(0xffffffff, 1)),
		      PVGPU_STATUS_EXISTS, 16);
	EXPECT_OK(g, "name 1", create(g, linear(1, 1)));
	EXPECT_OK(g, "destroy", guest_destroy(g, 1));
	EXPECT_OK(g, "name 1 again", create(g, linear(1, 1)));
}

static void back_refusals(struct guest *g)
{
	uint64_t vram = g->d->vram_size;
	const uint64_t pair[][2] = {
		{ 1, 4096 }, { 4095, 4096 }, { 0, 0 }, { 0, 1 }, { 0, 4097 },
		{ vram, 4096 }, { vram - 4096, 8192 }, { 0, vram + 4096 },
		{ 0xfffffffffffff000, 4096 }, { 0xfffffffffffff000, 8192 },
		{ 4096, 0xfffffffffffff000 }, { 1ull << 63, 1ull << 63 },
		{ 0, 12288 },
	};
	static const uint32_t answer[][2] = {
		{ PVGPU_STATUS_INVALID, 24 }, { PVGPU_STATUS_INVALID, 24 },
		{ PVGPU_STATUS_INVALID, 32 }, { PVGPU_STATUS_INVALID, 32 },
		{ PVGPU_STATUS_INVALID, 32 }, { PVGPU_STATUS_RANGE, 24 },
		{ PVGPU_STATUS_RANGE, 24 }, { PVGPU_STATUS_RANGE, 24 },
		{ PVGPU_STATUS_RANGE, 24 }, { PVGPU_STATUS_RANGE, 24 },
		{ PVGPU_STATUS_RANGE, 24 }, { PVGPU_STATUS_RANGE, 24 },
		{ PVGPU_STATUS_RANGE, 32 },
	};
	const uint64_t second[] = { 0, 4096, 8192, 8192 };
	const uint64_t wrong[] = { 0, 4096, 5000, 4096 };
	const uint64_t right[] = { 0, 4096, 8192, 4096 };
	_Alignas(8) uint8_t message[64] = { 0 };
	struct pvgpu_resource_back q = {
		.resource = pvgpu_cpu_to_le32(1),
		.count = pvgpu_cpu_to_le32(2),
	};
	uint32_t i;

	EXPECT_OK(g, "create", create(g, linear(1, 8000)));
	EXPECT_ANSWER(g, "no such resource", back(g, 2, 1, right),
		      PVGPU_STATUS_NOT_FOUND, 16);
	EXPECT_ANSWER(g, "name 0", back(g, 0, 1, right),
		      PVGPU_STATUS_NOT_FOUND, 16);
	EXPECT_ANSWER(g, "no extents", back(g, 1, 0, right),
		      PVGPU_STATUS_INVALID, 20);
	memcpy(message, &q, sizeof(q));
	EXPECT_ANSWER(g, "one extent of two",
		      guest_call(g, PVGPU_OP_RESOURCE_BACK, message, 40),
		      PVGPU_STATUS_INVALID, 0);
	/* count * 16 is 2^32 */
	q.count = pvgpu_cpu_to_le32(0x10000000);
	memcpy(message, &q, sizeof(q));
	EXPECT_ANSWER(g, "extents that overflow",
		      guest_call(g, PVGPU_OP_RESOURCE_BACK, message, 24),
		      PVGPU_STATUS_INVALID, 0);
	for (i = 0; i < sizeof(pair) / sizeof(pair[0]); i++)
		EXPECT_ANSWER(g, "an extent", back(g, 1, 1, pair[i]),
			      answer[i][0], answer[i][1]);
	/* All of a message or nothing. */
	EXPECT_ANSWER(g, "the second is misaligned", back(g, 1, 2, wrong),
		      PVGPU_STATUS_INVALID, 40);
	EXPECT_ANSWER(g, "the second is too long", back(g, 1, 2, second),
		      PVGPU_STATUS_RANGE, 48);
	EXPECT_OK(g, "both", back(g, 1, 2, right));
	EXPECT_ANSWER(g, "more than all", back(g, 1, 1, right),
		      PVGPU_STATUS_RANGE, 32);
}

static void window_budget(struct guest *g)
{
	uint64_t vram = g->d->vram_size;

	EXPECT_OK(g, "create", create(g, linear(1, vram)));
	EXPECT_OK(g, "back with all of VRAM", guest_back(g, 1, 0, vram));
	EXPECT_OK(g, "create another", create(g, linear(2, 1)));
	EXPECT_ANSWER(g, "a page more", guest_back(g, 2, 0, 4096),
		      PVGPU_STATUS_LIMIT_WINDOW, clamp32(vram));
	EXPECT_OK(g, "destroy", guest_destroy(g, 1));
	EXPECT_OK(g, "now it fits", guest_back(g, 2, 0, 4096));
	/* What is shared is charged as often as it is named. */
	EXPECT_OK(g, "create", create(g, linear(3, vram - 4096)));
	EXPECT_OK(g, "back", guest_back(g, 3, 0, vram - 4096));
	EXPECT_OK(g, "create", create(g, linear(4, 4096)));
	EXPECT_ANSWER(g, "the same page again", guest_back(g, 4, 0, 4096),
		      PVGPU_STATUS_LIMIT_WINDOW, clamp32(vram));
}

static void extents_limit(struct guest *g)
{
	uint32_t most = g->d->max_extents, done = 0, i;
	static uint64_t pairs[2 * EXTENTS_MAX];

	/* A page each, the same one, as often as it may be named. */
	if ((uint64_t)most + 1 > g->d->vram_size / 4096)
		most = (uint32_t)(g->d->vram_size / 4096) - 1;
	for (i = 0; i < EXTENTS_MAX; i++) {
		pairs[2 * i] = i % 2 * 8192;
		pairs[2 * i + 1] = 4096;
	}
	EXPECT_OK(g, "create", create(g, linear(1, ((uint64_t)most + 1) *
						4096)));
	while (done < most) {
		uint32_t n = most - done < EXTENTS_MAX ? most - done :
			     EXTENTS_MAX;

		EXPECT_OK(g, "back", back(g, 1, n, pairs));
		done += n;
	}
	if (most == g->d->max_extents)
		EXPECT_ANSWER(g, "one extent more", back(g, 1, 1, pairs),
			      PVGPU_STATUS_LIMIT_EXTENTS, g->d->max_extents);
	else
		EXPECT_OK(g, "the last page", back(g, 1, 1, pairs));
	EXPECT_OK(g, "destroy", guest_destroy(g, 1));
}

static void resources_limit(struct guest *g)
{
	uint32_t most = g->d->max_resources, sent = 0, got = 0;

	while (got < most) {
		while (sent < most && sent - got < g->d->queue_slots / 4) {
			struct pvgpu_resource_create q = linear(sent + 1, 1);

			q.msg = guest_header(g, PVGPU_OP_RESOURCE_CREATE,
					     sizeof(q));
			EXPECT(pvgpu_producer_put(
				&g->client.queues[0].submit, &q,
				sizeof(q)) > 0, "no room");
			sent++;
		}
		pvgpu_client_flush(&g->client, 0);
		while (got < sent) {
			EXPECT(guest_completion(g, 0, ANSWER_MS), "no answer");
			EXPECT(!g->status, "resource %u: status %u", got,
			       g->status);
			got++;
		}
	}
	EXPECT_ANSWER(g, "one resource more", create(g, linear(most + 1, 1)),
		      PVGPU_STATUS_LIMIT_RESOURCES, most);
	EXPECT_OK(g, "destroy", guest_destroy(g, most / 2 + 1));
	EXPECT_OK(g, "one instead", create(g, linear(most + 1, 1)));
}

static void destroy(struct guest *g)
{
	struct pvgpu_resource_destroy q = {
		.resource = pvgpu_cpu_to_le32(1),
		.reserved = pvgpu_cpu_to_le32(1),
	};
	uint32_t r = guest_resource(g, 640 * 480 * 4, NULL);
	struct commit c;

	EXPECT(r == 1, "resource");
	EXPECT_ANSWER(g, "reserved", guest_call(g, PVGPU_OP_RESOURCE_DESTROY,
		      &q, sizeof(q)), PVGPU_STATUS_INVALID, 20);
	EXPECT_ANSWER(g, "name 0", guest_destroy(g, 0),
		      PVGPU_STATUS_NOT_FOUND, 16);
	EXPECT_ANSWER(g, "no such resource", guest_destroy(g, 77),
		      PVGPU_STATUS_NOT_FOUND, 16);
	commit_begin(&c);
	commit_head(&c, 0, 640, 480, 60000);
	commit_plane(&c, 0, 0, r, PVGPU_FORMAT_XRGB8888, 640, 480, 0, 0);
	EXPECT_OK(g, "show", guest_commit(g, &c));
	EXPECT_ANSWER(g, "while it is shown", guest_destroy(g, r),
		      PVGPU_STATUS_BUSY, 16);
	commit_begin(&c);
	commit_head(&c, 0, 0, 0, 0);
	EXPECT_OK(g, "go dark", guest_commit(g, &c));
	EXPECT_OK(g, "destroy", guest_destroy(g, r));
	EXPECT_ANSWER(g, "destroy twice", guest_destroy(g, r),
		      PVGPU_STATUS_NOT_FOUND, 16);
}

/* The completion of a destruction comes after the batches that use it. */
static void destroy_waits(struct guest *g)
{
	const uint32_t size = 8u << 20;
	struct pvgpu_resource_destroy q = { 0 };
	struct pvgpu_resource_create again;
	struct pvgpu_copy_fill fill;
	uint8_t *bytes;
	uint32_t r, keeper, i, round;

	EXPECT_OK(g, "open", guest_open(g, 1));
	for (round = 0; round < 5; round++) {
		g->vram_used = 0;
		r = guest_resource(g, size, &bytes);
		EXPECT(r, "resource");
		/* What another names too is still there after the end. */
		g->vram_used = 0;
		keeper = guest_resource(g, size, &bytes);
		EXPECT(keeper, "another of the same VRAM");
		for (i = 1; i <= 3; i++) {
			fill = (struct pvgpu_copy_fill){
				.dst.resource = pvgpu_cpu_to_le32(r),
				.row_bytes = pvgpu_cpu_to_le32(size),
				.height = pvgpu_cpu_to_le32(1),
				.unit = pvgpu_cpu_to_le32(1),
				.value = pvgpu_cpu_to_le32(i + round),
			};
			EXPECT(guest_submit(g, 1, PVGPU_OP_COPY_FILL, 0, &fill,
					    sizeof(fill)), "submit");
		}
		/* And its name is used again, before anybody has answered. */
		q.resource = pvgpu_cpu_to_le32(r);
		q.msg = guest_header(g, PVGPU_OP_RESOURCE_DESTROY, sizeof(q));
		again = linear(r, size);
		again.msg = guest_header(g, PVGPU_OP_RESOURCE_CREATE,
					 sizeof(again));
		EXPECT(guest_put(g, 0, &q, sizeof(q)) &&
		       guest_put(g, 0, &again, sizeof(again)), "room");
		EXPECT(guest_completion(g, 0, ANSWER_MS), "no answer");
		EXPECT(!g->status, "destroy: %u", g->status);
		EXPECT(pvgpu_client_fence(&g->client, 1, NULL) ==
		       g->fences[1], "destroyed before its batches");
		EXPECT(bytes[0] == 3 + round && bytes[size - 1] == 3 + round,
		       "the batches were not done");
		EXPECT(guest_completion(g, 0, ANSWER_MS), "no answer");
		EXPECT(!g->status, "create again: %u, detail %u", g->status,
		       g->detail);
		EXPECT_OK(g, "destroy", guest_destroy(g, r));
		EXPECT_OK(g, "destroy", guest_destroy(g, keeper));
	}
}

const struct test resource_tests[] = {
	{ "resource-create-refusals", create_refusals, false },
	{ "resource-back-refusals", back_refusals, false },
	{ "resource-window-budget", window_budget, false },
	{ "resource-extents-limit", extents_limit, false },
	{ "resource-count-limit", resources_limit, false },
	{ "resource-destroy", destroy, false },
	{ "resource-destroy-waits", destroy_waits, false },
	{ NULL, NULL, false },
};
