// SPDX-License-Identifier: MIT
/*
 * The copy class against a naive model: random rectangles, scattered extents,
 * overlap, aliases. And what channels do around it: fences, refusals, slices,
 * closing, destruction that waits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "support_worker.h"

#define PAGE 4096u
#define ARENA_PAGES 256u
#define ARENA (ARENA_PAGES * PAGE)
#define RESOURCES 4u

static uint64_t fence_of[PVGPU_MAX_CHANNELS + 1];

/* Sends a batch with the channel's next fence; returns the fence. */
static uint64_t submit(struct rig *rig, uint32_t channel, void *message,
		       uint32_t length, uint16_t opcode, uint16_t flags)
{
	struct pvgpu_submit *s = message;

	s->msg.opcode = pvgpu_cpu_to_le16(opcode);
	s->msg.flags = pvgpu_cpu_to_le16(flags);
	s->msg.cookie = pvgpu_cpu_to_le32(0xc0ffee);
	s->fence = pvgpu_cpu_to_le64(++fence_of[channel]);
	assert_int_equal(pvgpu_client_send(&rig->client, channel, message,
					   length), 0);
	pvgpu_client_flush(&rig->client, channel);
	return fence_of[channel];
}

/* The next completion of a channel: its status, or -1 if there is none. */
static int completion(struct rig *rig, uint32_t channel, uint32_t *detail,
		      uint64_t *value)
{
	const struct pvgpu_completion *done = (void *)rig->reply;
	int length;

	rig_pump(rig);
	length = pvgpu_client_take(&rig->client, channel, rig->reply);
	assert_true(length >= 0);
	if (!length)
		return -1;
	assert_int_equal(length, sizeof(*done));
	assert_int_equal(pvgpu_le32_to_cpu(done->msg.cookie), 0xc0ffee);
	*detail = pvgpu_le32_to_cpu(done->detail);
	*value = pvgpu_le64_to_cpu(done->value);
	return (int)pvgpu_le32_to_cpu(done->status);
}

static struct pvgpu_copy_area area(uint32_t resource, uint64_t offset,
				   uint32_t stride)
{
	return (struct pvgpu_copy_area){
		.resource = pvgpu_cpu_to_le32(resource),
		.stride = pvgpu_cpu_to_le32(stride),
		.offset = pvgpu_cpu_to_le64(offset),
	};
}

static struct pvgpu_copy_rect rect(struct pvgpu_copy_area src,
				   struct pvgpu_copy_area dst,
				   uint32_t row_bytes, uint32_t height)
{
	return (struct pvgpu_copy_rect){
		.src = src, .dst = dst,
		.row_bytes = pvgpu_cpu_to_le32(row_bytes),
		.height = pvgpu_cpu_to_le32(height),
	};
}

static void up(struct rig *rig)
{
	memset(fence_of, 0, sizeof(fence_of));
	rig_up(rig);
}

/* ------------------------------------------------------ the naive model */

struct model {
	uint8_t vram[ARENA];
	uint32_t pages[RESOURCES][ARENA_PAGES];	/* of each resource, in order */
	uint32_t count[RESOURCES];
};

static uint8_t *byte_of(struct model *m, uint32_t r, uint64_t offset)
{
	return &m->vram[m->pages[r][offset / PAGE] * PAGE + offset % PAGE];
}

static void model_copy(struct model *m, uint32_t src, uint64_t src_offset,
		       uint32_t src_stride, uint32_t dst, uint64_t dst_offset,
		       uint32_t dst_stride, uint32_t row, uint32_t height)
{
	uint8_t *buffer = malloc((size_t)row * height);

	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < row; x++)
			buffer[y * row + x] = *byte_of(m, src, src_offset +
				(uint64_t)y * src_stride + x);
	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < row; x++)
			*byte_of(m, dst, dst_offset + (uint64_t)y *
				 dst_stride + x) = buffer[y * row + x];
	free(buffer);
}

static void model_fill(struct model *m, uint32_t dst, uint64_t offset,
		       uint32_t stride, uint32_t row, uint32_t height,
		       uint32_t unit, uint32_t value)
{
	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < row; x++)
			*byte_of(m, dst, offset + (uint64_t)y * stride + x) =
				(uint8_t)(value >> 8 * (x % unit));
}

/* Deals the arena's pages to the resources: each once, or at random. */
static void deal(struct rig *rig, struct model *m, uint64_t *seed,
		 bool aliases)
{
	uint32_t pages[ARENA_PAGES];

	memset(m->count, 0, sizeof(m->count));
	for (uint32_t i = 0; i < ARENA_PAGES; i++) {
		pages[i] = i;
		m->vram[i] = 0;
	}
	for (uint32_t i = ARENA_PAGES - 1; i; i--) {
		uint32_t j = (uint32_t)(noise(seed) % (i + 1));
		uint32_t t = pages[i];

		/* Some neighbours stay neighbours. */
		if (noise(seed) % 4)
			continue;
		pages[i] = pages[j];
		pages[j] = t;
	}
	for (uint32_t i = 0; i < ARENA_PAGES; i++) {
		uint32_t r = aliases ? (uint32_t)(noise(seed) % RESOURCES) :
			     i / (ARENA_PAGES / RESOURCES);

		m->pages[r][m->count[r]++] =
			aliases ? (uint32_t)(noise(seed) % 64) : pages[i];
	}
	for (uint32_t r = 0; r < RESOURCES; r++) {
		uint64_t extents[ARENA_PAGES * 2];

		for (uint32_t i = 0; i < m->count[r]; i++) {
			extents[2 * i] = m->pages[r][i] * PAGE;
			extents[2 * i + 1] = PAGE;
		}
		/* A size that ends within its last page. */
		assert_int_equal(rig_create(rig, r + 1,
					    m->count[r] * PAGE - 100), 0);
		assert_int_equal(rig_back(rig, r + 1, extents, m->count[r]),
				 0);
	}
	for (uint32_t i = 0; i < ARENA; i++)
		rig->vram[i] = m->vram[i] = (uint8_t)noise(seed);
}

static void random_rectangles(bool aliases, uint64_t seed, uint32_t rounds)
{
	struct model *m = malloc(sizeof(*m));
	struct rig rig;

	up(&rig);
	assert_int_equal(rig_open(&rig, 1), 0);
	deal(&rig, m, &seed, aliases);
	for (uint32_t n = 0; n < rounds; n++) {
		uint32_t src = (uint32_t)(noise(&seed) % RESOURCES);
		uint32_t dst = noise(&seed) % 2 ? src :
			       (uint32_t)(noise(&seed) % RESOURCES);
		uint32_t height = 1 + (uint32_t)(noise(&seed) % 20);
		uint32_t row = 1 + (uint32_t)(noise(&seed) %
					      (n % 8 ? 300 : 6000));
		uint32_t src_stride = row + (uint32_t)(noise(&seed) % 3 *
						       (noise(&seed) % 500));
		uint32_t dst_stride = noise(&seed) % 3 ? src_stride :
			row + (uint32_t)(noise(&seed) % 700);
		uint64_t src_size = m->count[src] * PAGE - 100;
		uint64_t dst_size = m->count[dst] * PAGE - 100;
		uint64_t src_span = (uint64_t)(height - 1) * src_stride + row;
		uint64_t dst_span = (uint64_t)(height - 1) * dst_stride + row;
		uint64_t src_at, dst_at;
		uint32_t unit = 1u << noise(&seed) % 3, detail;
		uint32_t value = (uint32_t)noise(&seed);
		uint64_t fence;

		if (src_span > src_size || dst_span > dst_size)
			continue;
		src_at = noise(&seed) % (src_size - src_span + 1);
		dst_at = noise(&seed) % (dst_size - dst_span + 1);
		/* Often near the source, to overlap it. */
		if (src == dst && noise(&seed) % 4) {
			dst_at = src_at + noise(&seed) % 64 - 32;
			if (noise(&seed) % 2)
				dst_at += (noise(&seed) % 7 - 3) * src_stride;
			if (dst_at > dst_size - dst_span)
				dst_at = src_at > dst_size - dst_span ? 0 :
					 src_at;
		}
		if (n % 5) {
			struct pvgpu_copy_rect q = rect(
				area(src + 1, src_at, src_stride),
				area(dst + 1, dst_at, dst_stride), row,
				height);

			fence = submit(&rig, 1, &q, sizeof(q),
				       PVGPU_OP_COPY_RECT, 0);
			model_copy(m, src, src_at, src_stride, dst, dst_at,
				   dst_stride, row, height);
		} else {
			struct pvgpu_copy_fill q = {
				.dst = area(dst + 1, dst_at, dst_stride),
				.height = pvgpu_cpu_to_le32(height),
				.unit = pvgpu_cpu_to_le32(unit),
				.value = pvgpu_cpu_to_le32(value),
			};

			row -= row % unit;
			if (!row)
				continue;
			q.row_bytes = pvgpu_cpu_to_le32(row);
			fence = submit(&rig, 1, &q, sizeof(q),
				       PVGPU_OP_COPY_FILL, 0);
			model_fill(m, dst, dst_at, dst_stride, row, height,
				   unit, value);
		}
		assert_int_equal(pvgpu_client_fence_wait(&rig.client, 1, fence,
							 1000), 0);
		pvgpu_client_fence(&rig.client, 1, &detail);
		assert_int_equal(detail, 0);
		if (memcmp(m->vram, rig.vram, ARENA))
			fail_msg("round %u differs (src %u+%llu/%u, dst "
				 "%u+%llu/%u, %u x %u)", n, src,
				 (unsigned long long)src_at, src_stride, dst,
				 (unsigned long long)dst_at, dst_stride, row,
				 height);
	}
	assert_true(rig_query(&rig).batches > rounds / 2);
	rig_down(&rig);
	free(m);
}

static void test_random(void **state)
{
	(void)state;
	random_rectangles(false, 0x9e3779b97f4a7c15, 3000);
}

static void test_random_aliases(void **state)
{
	(void)state;
	random_rectangles(true, 0xdeadbeefcafe, 1500);
}

/* -------------------------------------------------------------- refusals */

static void expect(struct rig *rig, int status, uint32_t detail, void *message,
		   uint32_t length, uint16_t opcode)
{
	uint64_t fence, value = 0;
	uint32_t got = 0, flags;

	fence = submit(rig, 1, message, length, opcode, 0);
	assert_int_equal(completion(rig, 1, &got, &value), status);
	assert_int_equal(got, detail);
	assert_true(value == fence);
	/* Refused, and yet complete: nobody waits for ever. */
	assert_true(pvgpu_client_fence(&rig->client, 1, &flags) == fence);
	assert_int_equal(flags, PVGPU_FENCE_FAILED);
}

static void test_refusals(void **state)
{
	struct pvgpu_copy_rect good, q;
	struct pvgpu_copy_fill good_fill = {
		.dst = area(1, 0, 64), .row_bytes = pvgpu_cpu_to_le32(64),
		.height = pvgpu_cpu_to_le32(4), .unit = pvgpu_cpu_to_le32(4),
	}, f;
	struct pvgpu_submit nop = { 0 };
	uint64_t value, huge[] = { 0, 48 << 20 };
	uint32_t detail, flags;
	struct rig rig;

	(void)state;
	up(&rig);
	rig_resource(&rig, 1, 0, 10000);
	rig_resource(&rig, 2, 16384, 10000);
	assert_int_equal(rig_create(&rig, 3, 8192), 0);	/* not backed */
	assert_int_equal(rig_open(&rig, 1), 0);
	good = rect(area(1, 0, 100), area(2, 0, 100), 100, 100);

	q = good;
	submit(&rig, 1, &q, sizeof(q), PVGPU_OP_COPY_RECT, PVGPU_MSG_NOTIFY);
	assert_int_equal(completion(&rig, 1, &detail, &value), 0);
	pvgpu_client_fence(&rig.client, 1, &flags);
	assert_int_equal(flags, 0);
	q = good;
	submit(&rig, 1, &q, sizeof(q), PVGPU_OP_COPY_RECT, 0);
	assert_int_equal(completion(&rig, 1, &detail, &value), -1);

#define REFUSED(status, detail, change) do { \
	q = good; \
	change; \
	expect(&rig, PVGPU_STATUS_##status, detail, &q, sizeof(q), \
	       PVGPU_OP_COPY_RECT); \
} while (0)
	REFUSED(NOT_FOUND, 24, q.src.resource = pvgpu_cpu_to_le32(9));
	REFUSED(NOT_FOUND, 40, q.dst.resource = 0);
	REFUSED(INVALID, 40, q.dst.resource = pvgpu_cpu_to_le32(3));
	REFUSED(INVALID, 56, q.row_bytes = 0);
	REFUSED(INVALID, 60, q.height = 0);
	REFUSED(INVALID, 28, q.src.stride = pvgpu_cpu_to_le32(99));
	REFUSED(INVALID, 44, q.dst.stride = 0);
	REFUSED(RANGE, 32, q.src.offset = pvgpu_cpu_to_le64(1));
	REFUSED(RANGE, 48, q.dst.offset = pvgpu_cpu_to_le64(~0ull));
	REFUSED(RANGE, 48, q.dst.offset = pvgpu_cpu_to_le64(~0ull - 9999));
	REFUSED(RANGE, 32, q.height = pvgpu_cpu_to_le32(101));
	REFUSED(RANGE, 32, q.height = ~0u);
	REFUSED(RANGE, 32, q.row_bytes = q.src.stride = q.dst.stride =
		q.height = ~0u);

	f = good_fill;
	f.unit = pvgpu_cpu_to_le32(3);
	expect(&rig, PVGPU_STATUS_INVALID, 48, &f, sizeof(f),
	       PVGPU_OP_COPY_FILL);
	f = good_fill;
	f.row_bytes = pvgpu_cpu_to_le32(62);
	expect(&rig, PVGPU_STATUS_INVALID, 40, &f, sizeof(f),
	       PVGPU_OP_COPY_FILL);
	expect(&rig, PVGPU_STATUS_INVALID, 0, &f, sizeof(f) - 8,
	       PVGPU_OP_COPY_FILL);
	expect(&rig, PVGPU_STATUS_INVALID, 0, &q, sizeof(q),
	       PVGPU_OP_COPY_NOP);
	expect(&rig, PVGPU_STATUS_UNSUPPORTED, 0, &nop, sizeof(nop), 0x1ff);
	expect(&rig, PVGPU_STATUS_UNSUPPORTED, 0, &nop, sizeof(nop),
	       PVGPU_OP_PING);

	/* A flag that is none; a fence that does not grow. */
	submit(&rig, 1, &nop, sizeof(nop), PVGPU_OP_COPY_NOP, 2);
	assert_int_equal(completion(&rig, 1, &detail, &value),
			 PVGPU_STATUS_INVALID);
	assert_int_equal(detail, 6);
	fence_of[1] -= 3;
	submit(&rig, 1, &nop, sizeof(nop), PVGPU_OP_COPY_NOP, 0);
	assert_int_equal(completion(&rig, 1, &detail, &value),
			 PVGPU_STATUS_INVALID);
	assert_int_equal(detail, 16);
	fence_of[1] += 2;
	assert_true(pvgpu_client_fence(&rig.client, 1, NULL) == fence_of[1]);

	/* Of another generation. */
	rig.client.generation--;
	submit(&rig, 1, &nop, sizeof(nop), PVGPU_OP_COPY_NOP, 0);
	rig.client.generation++;
	assert_int_equal(completion(&rig, 1, &detail, &value),
			 PVGPU_STATUS_STALE);

	/* Only closing forgets that something failed. */
	submit(&rig, 1, &nop, sizeof(nop), PVGPU_OP_COPY_NOP, 0);
	rig_pump(&rig);
	assert_true(pvgpu_client_fence(&rig.client, 1, &flags) == fence_of[1]);
	assert_int_equal(flags, PVGPU_FENCE_FAILED);
	assert_int_equal(rig_close(&rig, 1), 0);
	assert_int_equal(rig_close(&rig, 1), PVGPU_STATUS_NOT_FOUND);

	/* Aliases that would take more than we lend. */
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 1000), 0);
	memset(fence_of, 0, sizeof(fence_of));
	assert_int_equal(rig_create(&rig, 1, 48 << 20), 0);
	assert_int_equal(rig_back(&rig, 1, huge, 1), 0);
	assert_int_equal(rig_create(&rig, 2, 4096), 0);
	huge[1] = 4096;
	assert_int_equal(rig_back(&rig, 2, huge, 1), 0);
	assert_int_equal(rig_open(&rig, 1), 0);
	q = rect(area(1, 0, 1 << 20), area(1, 4096, 1 << 20), 1 << 20, 40);
	submit(&rig, 1, &q, sizeof(q), PVGPU_OP_COPY_RECT, PVGPU_MSG_NOTIFY);
	assert_int_equal(completion(&rig, 1, &detail, &value), 0);
	rig_down(&rig);
}

/* -------------------------------------------------------------- channels */

static void test_fence_wake(void **state)
{
	struct pvgpu_submit nop = { 0 };
	struct rig rig;
	uint64_t count;

	(void)state;
	up(&rig);
	assert_int_equal(rig_open(&rig, 2), 0);
	rig_pump(&rig);
	while (read(rig.vectors[2], &count, 8) == 8)
		;
	/* Nobody waits: no interrupt. */
	submit(&rig, 2, &nop, sizeof(nop), PVGPU_OP_COPY_NOP, 0);
	rig_pump(&rig);
	assert_int_equal(read(rig.vectors[2], &count, 8), -1);
	/* Somebody waits for a later one; then for this one. */
	assert_true(pvgpu_client_fence_sleep(&rig.client, 2, 3));
	submit(&rig, 2, &nop, sizeof(nop), PVGPU_OP_COPY_NOP, 0);
	rig_pump(&rig);
	assert_int_equal(read(rig.vectors[2], &count, 8), -1);
	submit(&rig, 2, &nop, sizeof(nop), PVGPU_OP_COPY_NOP, 0);
	rig_pump(&rig);
	assert_int_equal(read(rig.vectors[2], &count, 8), 8);
	/* And past it. */
	submit(&rig, 2, &nop, sizeof(nop), PVGPU_OP_COPY_NOP, 0);
	rig_pump(&rig);
	assert_int_equal(read(rig.vectors[2], &count, 8), -1);
	assert_false(pvgpu_client_fence_sleep(&rig.client, 2, 4));
	rig_down(&rig);
}

static void send_control(struct rig *rig, void *message, uint32_t length,
			 uint16_t opcode, uint32_t cookie)
{
	struct pvgpu_msg *msg = message;

	msg->opcode = pvgpu_cpu_to_le16(opcode);
	msg->cookie = pvgpu_cpu_to_le32(cookie);
	assert_int_equal(pvgpu_client_send(&rig->client, 0, message, length),
			 0);
	pvgpu_client_flush(&rig->client, 0);
}

/* Turns the worker until the next control answer; returns its cookie. */
static uint32_t next_answer(struct rig *rig, uint32_t *status)
{
	const struct pvgpu_completion *done = (void *)rig->reply;

	for (int i = 0; i < 1000; i++) {
		if (pvgpu_client_take(&rig->client, 0, rig->reply)) {
			*status = pvgpu_le32_to_cpu(done->status);
			return pvgpu_le32_to_cpu(done->msg.cookie);
		}
		assert_int_equal(worker_turn(rig->worker, 0), 0);
	}
	return 0;
}

static void test_long_copies_wait_for_nobody(void **state)
{
	struct pvgpu_resource_destroy destroy = {
		.resource = pvgpu_cpu_to_le32(1),
	};
	struct pvgpu_resource_create again = {
		.resource = pvgpu_cpu_to_le32(1),
		.kind = pvgpu_cpu_to_le32(PVGPU_RESOURCE_LINEAR),
		.size = pvgpu_cpu_to_le64(4096),
	};
	struct pvgpu_copy_rect big, late;
	struct pvgpu_ping ping = { 0 };
	uint32_t status = 99, detail;
	uint64_t fence, other, value;
	struct pvgpu_submit nop = { 0 };
	struct rig rig;

	(void)state;
	up(&rig);
	rig_resource(&rig, 1, 0, 24 << 20);
	rig_resource(&rig, 2, 24 << 20, 24 << 20);
	assert_int_equal(rig_open(&rig, 1), 0);
	assert_int_equal(rig_open(&rig, 2), 0);
	memset(rig.vram, 0x5a, 24 << 20);

	big = rect(area(1, 0, 1 << 20), area(2, 0, 1 << 20), 1 << 20, 24);
	fence = submit(&rig, 1, &big, sizeof(big), PVGPU_OP_COPY_RECT, 0);
	/* Submitted before the destruction, taken long after it. */
	big = rect(area(1, 0, 4096), area(2, 0, 4096), 4096, 1);
	fence = submit(&rig, 1, &big, sizeof(big), PVGPU_OP_COPY_RECT,
		       PVGPU_MSG_NOTIFY);
	other = submit(&rig, 2, &nop, sizeof(nop), PVGPU_OP_COPY_NOP, 0);
	send_control(&rig, &destroy, sizeof(destroy),
		     PVGPU_OP_RESOURCE_DESTROY, 1);
	send_control(&rig, &ping, sizeof(ping), PVGPU_OP_PING, 2);
	/* Its name is not free yet: this waits for the destruction. */
	send_control(&rig, &again, sizeof(again), PVGPU_OP_RESOURCE_CREATE, 3);
	assert_int_equal(next_answer(&rig, &status), 2);
	assert_int_equal(status, 0);
	assert_true(pvgpu_client_fence(&rig.client, 1, NULL) < fence);
	assert_int_equal(rig.worker->deferred_count, 1);

	/* The other channel has its turns meanwhile. */
	for (int i = 0; i < 4; i++)
		assert_int_equal(worker_turn(rig.worker, 0), 0);
	assert_true(pvgpu_client_fence(&rig.client, 2, NULL) == other);
	assert_true(pvgpu_client_fence(&rig.client, 1, NULL) < fence);

	/* Submitted after it: the name is gone. */
	late = rect(area(1, 0, 4096), area(2, 0, 4096), 4096, 1);
	submit(&rig, 1, &late, sizeof(late), PVGPU_OP_COPY_RECT, 0);

	assert_int_equal(next_answer(&rig, &status), 1);
	assert_int_equal(status, 0);
	assert_true(pvgpu_client_fence(&rig.client, 1, NULL) >= fence);
	assert_int_equal(next_answer(&rig, &status), 3);
	assert_int_equal(status, 0);
	assert_int_equal(completion(&rig, 1, &detail, &value), 0);
	assert_true(value == fence);
	status = (uint32_t)completion(&rig, 1, &detail, &value);
	/* Taken after the new one was made, not backed: INVALID; else gone. */
	assert_true(status == PVGPU_STATUS_NOT_FOUND ||
		    status == PVGPU_STATUS_INVALID);
	for (uint32_t i = 0; i < 24 << 20; i += 4093)
		assert_int_equal(rig.vram[(24 << 20) + i], 0x5a);
	rig_down(&rig);
}

static void test_close_in_the_middle(void **state)
{
	struct pvgpu_channel_close close = {
		.channel = pvgpu_cpu_to_le32(1),
	};
	struct pvgpu_channel_open open = {
		.channel = pvgpu_cpu_to_le32(1),
		.channel_class = pvgpu_cpu_to_le32(PVGPU_CHANNEL_COPY),
	};
	struct pvgpu_copy_rect big;
	struct pvgpu_submit nop = { 0 };
	struct pvgpu_ping ping = { 0 };
	uint32_t status, flags;
	uint64_t fence;
	struct rig rig;

	(void)state;
	up(&rig);
	rig_resource(&rig, 1, 0, 24 << 20);
	rig_resource(&rig, 2, 24 << 20, 24 << 20);
	assert_int_equal(rig_open(&rig, 1), 0);
	big = rect(area(1, 0, 1 << 20), area(2, 0, 1 << 20), 1 << 20, 24);
	fence = submit(&rig, 1, &big, sizeof(big), PVGPU_OP_COPY_RECT, 0);
	submit(&rig, 1, &nop, sizeof(nop), PVGPU_OP_COPY_NOP, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(worker_turn(rig.worker, 0), 0);
	send_control(&rig, &close, sizeof(close), PVGPU_OP_CHANNEL_CLOSE, 1);
	send_control(&rig, &ping, sizeof(ping), PVGPU_OP_PING, 2);
	send_control(&rig, &close, sizeof(close), PVGPU_OP_CHANNEL_CLOSE, 3);
	assert_int_equal(next_answer(&rig, &status), 2);
	assert_int_equal(next_answer(&rig, &status), 3);
	assert_int_equal(status, PVGPU_STATUS_NOT_FOUND);
	assert_true(pvgpu_client_fence(&rig.client, 1, NULL) < fence);
	/* Opening it again waits for the closing. */
	send_control(&rig, &open, sizeof(open), PVGPU_OP_CHANNEL_OPEN, 4);
	assert_int_equal(next_answer(&rig, &status), 1);
	assert_int_equal(status, 0);
	/* What was taken is done, the rest is dropped. */
	assert_true(pvgpu_client_fence(&rig.client, 1, &flags) == fence);
	assert_int_equal(next_answer(&rig, &status), 4);
	assert_int_equal(status, 0);
	assert_true(pvgpu_client_fence(&rig.client, 1, NULL) == 0);

	/* An attach in the middle of a copy gives it up. */
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 1000), 0);
	memset(fence_of, 0, sizeof(fence_of));
	rig_resource(&rig, 1, 0, 24 << 20);
	rig_resource(&rig, 2, 24 << 20, 24 << 20);
	assert_int_equal(rig_open(&rig, 1), 0);
	submit(&rig, 1, &big, sizeof(big), PVGPU_OP_COPY_RECT, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(worker_turn(rig.worker, 0), 0);
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 1000), 0);
	assert_int_equal(rig_query(&rig).channels, 0);
	assert_true(pvgpu_client_fence(&rig.client, 1, NULL) == 0);
	rig_down(&rig);
}

/* A guest that does not take its completions stops its own channel only. */
static void test_no_room(void **state)
{
	struct pvgpu_submit nop = { 0 };
	struct pvgpu_ping ping = {
		.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_PING),
	};
	uint32_t detail, sent = 0, got = 0;
	uint64_t value;
	struct rig rig;

	(void)state;
	up(&rig);
	assert_int_equal(rig_open(&rig, 1), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 300; i++, sent++)
			submit(&rig, 1, &nop, sizeof(nop), PVGPU_OP_COPY_NOP,
			       PVGPU_MSG_NOTIFY);
		rig_pump(&rig);
		assert_int_equal(rig_call(&rig, &ping, sizeof(ping)), 0);
		if (round == 1) {
			/* 512 completions fill it; the rest waits. */
			assert_true(pvgpu_client_fence(&rig.client, 1, NULL) ==
				    512);
			assert_false(rig.worker->queues[1].pending);
			while (got < sent &&
			       completion(&rig, 1, &detail, &value) == 0)
				assert_true(value == ++got);
			assert_int_equal(got, sent);
		}
	}
	while (completion(&rig, 1, &detail, &value) == 0)
		assert_true(value == ++got);
	assert_int_equal(got, 900);
	assert_true(pvgpu_client_fence(&rig.client, 1, NULL) == 900);
	rig_down(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_random_aliases),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_fence_wake),
		cmocka_unit_test(test_long_copies_wait_for_nobody),
		cmocka_unit_test(test_close_in_the_middle),
		cmocka_unit_test(test_no_room),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	log_set_level(LEVEL_ERROR);
	return cmocka_run_group_tests_name("worker copy", tests, NULL, NULL);
}
