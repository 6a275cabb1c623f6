// SPDX-License-Identifier: MIT
/*
 * The portable client against a host that lives in its hooks: what it makes
 * of the information page, attach and its refusals, calls, stale and foreign
 * completions, loss, fences, time-outs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/client/client.h"

#define WINDOW (4u << 20)
#define SLOTS 16u
#define STRIDE 4096u
#define CHANNELS 3u

/* A host, as far as a client sees one. */
struct host {
	uint8_t *window;
	uint64_t answered;
	uint32_t generation;
	struct pvgpu_producer done[CHANNELS + 2];
	struct pvgpu_consumer submit[CHANNELS + 2];
	uint32_t doorbells[8];
	uint64_t now;
	uint64_t next_random;
	/* what it does wrong or slowly */
	bool deaf;
	uint32_t refuse;		/* attach with this status */
	uint32_t stale_first;		/* completions of an old generation */
	uint32_t foreign_first;		/* completions with another cookie */
	bool lose_on_request;
	uint32_t answer_after_waits;
	uint64_t fence_on_wait;
};

struct rig {
	struct host host;
	struct pvgpu_client client;
	void *window;
};

static const struct pvgpu_hello hello = {
	.guest_os = PVGPU_GUEST_TEST,
	.driver_version = 1 << 16 | 2,
	.features = ~0ull,
	.driver_name = "a name that is longer than the field for names",
	.os_name = "test",
};

static void write_info(uint8_t *window)
{
	struct pvgpu_info info = {
		.magic = pvgpu_cpu_to_le64(PVGPU_MAGIC),
		.length = pvgpu_cpu_to_le32(sizeof(info)),
		.version_min = pvgpu_cpu_to_le32(1),
		.version_max = pvgpu_cpu_to_le32(1),
		.features = pvgpu_cpu_to_le64(PVGPU_FEATURE_COPY),
		.window_size = pvgpu_cpu_to_le64(WINDOW),
		.vram_offset = pvgpu_cpu_to_le64(2u << 20),
		.vram_size = pvgpu_cpu_to_le64(1u << 20),
		.host_offset = pvgpu_cpu_to_le64(0x10000),
		.host_size = pvgpu_cpu_to_le64(0x10000),
		.guest_offset = pvgpu_cpu_to_le64(0x20000),
		.guest_size = pvgpu_cpu_to_le64(0x10000),
		.fence_offset = pvgpu_cpu_to_le64(0x30000),
		.fence_size = pvgpu_cpu_to_le64(0x10000),
		.vectors = pvgpu_cpu_to_le32(3),
		.queue_slots = pvgpu_cpu_to_le32(SLOTS),
		.queue_stride = pvgpu_cpu_to_le32(STRIDE),
		.message_max = pvgpu_cpu_to_le32(512),
		.heads = pvgpu_cpu_to_le32(2),
		.planes = pvgpu_cpu_to_le32(2),
		.channels = pvgpu_cpu_to_le32(CHANNELS),
		.type_name = "T",
	};

	memcpy(window, &info, sizeof(info));
}

static uint8_t *part(struct host *h, uint64_t region, uint32_t queue)
{
	return h->window + region + PVGPU_QUEUES_OFFSET + queue * STRIDE;
}

static void host_queues(struct host *h)
{
	uint32_t q;

	for (q = 0; q < CHANNELS + 2; q++) {
		uint8_t *own = part(h, 0x10000, q), *guest =
			part(h, 0x20000, q);

		pvgpu_producer_init(&h->done[q], (void *)own, (void *)guest,
				    own + PVGPU_RING_SLOTS_OFFSET, SLOTS);
		pvgpu_consumer_init(&h->submit[q], (void *)own, (void *)guest,
				    guest + PVGPU_RING_SLOTS_OFFSET, SLOTS,
				    512);
	}
}

static void host_block(struct host *h, uint32_t state, uint32_t status,
		       uint64_t nonce)
{
	struct pvgpu_host_block *b = (void *)(h->window + 0x10000);

	b->generation = pvgpu_cpu_to_le32(h->generation);
	b->state = pvgpu_cpu_to_le32(state);
	b->status = pvgpu_cpu_to_le32(status);
	b->version = pvgpu_cpu_to_le32(1);
	b->features = pvgpu_cpu_to_le64(PVGPU_FEATURE_COPY);
	pvgpu_store64(&b->nonce, nonce);
	h->answered = nonce;
}

static void host_complete(struct host *h, const struct pvgpu_ping *ping,
			  uint32_t generation, uint32_t cookie)
{
	struct pvgpu_ping_done done = {
		.done.msg = {
			.length = pvgpu_cpu_to_le32(sizeof(done)),
			.opcode = ping->msg.opcode,
			.cookie = pvgpu_cpu_to_le32(cookie),
			.generation = pvgpu_cpu_to_le32(generation),
		},
		.payload = ping->payload,
	};

	if (pvgpu_le16_to_cpu(ping->msg.opcode) != PVGPU_OP_PING)
		done.done.status =
			pvgpu_cpu_to_le32(PVGPU_STATUS_UNSUPPORTED);
	assert_int_equal(pvgpu_producer_put(&h->done[0], &done, sizeof(done)),
			 1);
	pvgpu_producer_publish(&h->done[0]);
}

static void host_look(struct host *h)
{
	struct pvgpu_guest_block *g = (void *)(h->window + 0x20000);
	uint64_t nonce = pvgpu_load64(&g->nonce);
	_Alignas(8) uint8_t message[512];
	struct pvgpu_ping ping;
	int ret;

	if (nonce != h->answered) {
		h->generation++;
		host_queues(h);
		if (!nonce)
			host_block(h, PVGPU_STATE_DETACHED, 0, 0);
		else if (h->refuse)
			host_block(h, PVGPU_STATE_REFUSED, h->refuse, nonce);
		else
			host_block(h, PVGPU_STATE_ATTACHED, 0, nonce);
		return;
	}
	while ((ret = pvgpu_consumer_take(&h->submit[0], message)) > 0) {
		uint32_t cookie;

		pvgpu_consumer_release(&h->submit[0]);
		memcpy(&ping, message, sizeof(ping));
		cookie = pvgpu_le32_to_cpu(ping.msg.cookie);
		if (h->lose_on_request) {
			h->generation++;
			host_block(h, PVGPU_STATE_LOST, 0, h->answered);
			return;
		}
		for (; h->stale_first; h->stale_first--)
			host_complete(h, &ping, h->generation - 1, cookie);
		for (; h->foreign_first; h->foreign_first--)
			host_complete(h, &ping, h->generation, cookie + 77);
		host_complete(h, &ping,
			      pvgpu_le32_to_cpu(ping.msg.generation), cookie);
	}
	assert_int_not_equal(ret, PVGPU_RING_BROKEN);
	pvgpu_consumer_sleep(&h->submit[0]);
}

static void hook_doorbell(void *context, uint32_t vector)
{
	struct host *h = context;

	assert_true(vector < 3);
	h->doorbells[vector]++;
	if (!h->deaf && !h->answer_after_waits)
		host_look(h);
}

static void hook_wait(void *context, uint32_t vector, uint32_t timeout_ms)
{
	struct host *h = context;

	assert_true(vector < 3);
	assert_true(timeout_ms > 0);
	h->now += timeout_ms < 7 ? timeout_ms : 7;
	if (h->answer_after_waits && !--h->answer_after_waits)
		host_look(h);
	if (h->fence_on_wait) {
		struct pvgpu_fence *f = (void *)(h->window + 0x30000 + 64);

		pvgpu_store64(&f->value, h->fence_on_wait);
	}
}

static uint64_t hook_now(void *context)
{
	return ((struct host *)context)->now;
}

static uint64_t hook_random(void *context)
{
	return ((struct host *)context)->next_random++;
}

static const struct pvgpu_client_hooks hooks = {
	.doorbell = hook_doorbell,
	.wait = hook_wait,
	.now_ms = hook_now,
	.random = hook_random,
};

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	r->window = aligned_alloc(4096, WINDOW);
	memset(r->window, 0, WINDOW);
	r->host.window = r->window;
	write_info(r->window);
	host_queues(&r->host);
	assert_int_equal(pvgpu_client_init(&r->client, r->window, WINDOW,
					   &hooks, &r->host), 0);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	free(r->window);
	free(r);
	return 0;
}

static void attach(struct rig *r)
{
	assert_int_equal(pvgpu_client_attach(&r->client, &hello, 100), 0);
	assert_true(pvgpu_client_attached(&r->client));
}

static int ping(struct rig *r, uint64_t payload)
{
	struct pvgpu_ping request = {
		.msg.opcode = pvgpu_cpu_to_le16(PVGPU_OP_PING),
		.payload = pvgpu_cpu_to_le64(payload),
	};
	_Alignas(8) uint8_t reply[512];
	struct pvgpu_ping_done done;
	int ret = pvgpu_client_call(&r->client, &request, sizeof(request),
				    reply, 100);

	memcpy(&done, reply, sizeof(done));
	if (!ret)
		assert_int_equal(pvgpu_le64_to_cpu(done.payload), payload);
	return ret;
}

/* ------------------------------------------------------------ information */

static void test_info_is_read(void **state)
{
	struct rig *r = *state;
	const struct pvgpu_device *d = &r->client.device;

	assert_int_equal(d->vram_size, 1u << 20);
	assert_int_equal(d->channels, CHANNELS);
	assert_string_equal(d->type_name, "T");
	assert_int_equal(pvgpu_device_event_queue(d), CHANNELS + 1);
	assert_int_equal(pvgpu_device_vector(d, 0), 0);
	assert_int_equal(pvgpu_device_vector(d, 1), 1);
	assert_int_equal(pvgpu_device_vector(d, 2), 2);
	assert_int_equal(pvgpu_device_vector(d, 3), 1);
	assert_int_equal(pvgpu_device_vector(d, 4), 0);
}

struct bad_info {
	const char *what;
	uint32_t offset, size;
	uint64_t value;
	int ret;
};

static void test_info_is_checked(void **state)
{
#define FIELD(f) (uint32_t)offsetof(struct pvgpu_info, f), \
	sizeof(((struct pvgpu_info *)0)->f)
	static const struct bad_info cases[] = {
		{ "magic", FIELD(magic), 1, PVGPU_CLIENT_NO_DEVICE },
		{ "version", FIELD(version_min), 2, PVGPU_CLIENT_NO_DEVICE },
		{ "version", FIELD(version_max), 0, PVGPU_CLIENT_NO_DEVICE },
		{ "short", FIELD(length), 255, PVGPU_CLIENT_BAD_INFO },
		{ "window", FIELD(window_size), WINDOW + 1,
		  PVGPU_CLIENT_BAD_INFO },
		{ "no vector", FIELD(vectors), 0, PVGPU_CLIENT_BAD_INFO },
		{ "vectors", FIELD(vectors), 17, PVGPU_CLIENT_BAD_INFO },
		{ "peer", FIELD(host_peer), 65536, PVGPU_CLIENT_BAD_INFO },
		{ "heads", FIELD(heads), 17, PVGPU_CLIENT_BAD_INFO },
		{ "planes", FIELD(planes), 0, PVGPU_CLIENT_BAD_INFO },
		{ "channels", FIELD(channels), 33, PVGPU_CLIENT_BAD_INFO },
		{ "channels", FIELD(channels), 0xffffffff,
		  PVGPU_CLIENT_BAD_INFO },
		{ "queues too large", FIELD(channels), 14,
		  PVGPU_CLIENT_BAD_INFO },
		{ "slots 0", FIELD(queue_slots), 0, PVGPU_CLIENT_BAD_INFO },
		{ "slots 12", FIELD(queue_slots), 12, PVGPU_CLIENT_BAD_INFO },
		{ "slots 2^31", FIELD(queue_slots), 1u << 31,
		  PVGPU_CLIENT_BAD_INFO },
		{ "message over ring", FIELD(message_max), 17 * 64,
		  PVGPU_CLIENT_BAD_INFO },
		{ "message 96", FIELD(message_max), 96,
		  PVGPU_CLIENT_BAD_INFO },
		{ "message 0", FIELD(message_max), 0, PVGPU_CLIENT_BAD_INFO },
		{ "stride", FIELD(queue_stride), 0, PVGPU_CLIENT_BAD_INFO },
		{ "host over guest", FIELD(host_offset), 0x20000,
		  PVGPU_CLIENT_BAD_INFO },
		{ "host at 0", FIELD(host_offset), 0, PVGPU_CLIENT_BAD_INFO },
		{ "host odd", FIELD(host_offset), 0x10008,
		  PVGPU_CLIENT_BAD_INFO },
		{ "guest beyond", FIELD(guest_offset), WINDOW,
		  PVGPU_CLIENT_BAD_INFO },
		{ "guest near 2^64", FIELD(guest_offset),
		  0xffffffffffff0000ull, PVGPU_CLIENT_BAD_INFO },
		{ "guest size", FIELD(guest_size), ~0ull,
		  PVGPU_CLIENT_BAD_INFO },
		{ "fences over VRAM", FIELD(fence_size), 2u << 20,
		  PVGPU_CLIENT_BAD_INFO },
		{ "no room for fences", FIELD(fence_size), 191,
		  PVGPU_CLIENT_BAD_INFO },
		{ "VRAM beyond", FIELD(vram_size), 3u << 20,
		  PVGPU_CLIENT_BAD_INFO },
		{ "VRAM 2^64", FIELD(vram_size), 0xfffffffffffff000ull,
		  PVGPU_CLIENT_BAD_INFO },
		{ "no VRAM", FIELD(vram_size), 0, PVGPU_CLIENT_BAD_INFO },
		{ "VRAM odd", FIELD(vram_size), 4097, PVGPU_CLIENT_BAD_INFO },
		{ "VRAM at 1 MiB", FIELD(vram_offset), 1u << 20,
		  PVGPU_CLIENT_BAD_INFO },
	};
#undef FIELD
	struct rig *r = *state;
	struct pvgpu_device d;
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pvgpu_le64 value = pvgpu_cpu_to_le64(cases[i].value);
		int ret;

		write_info(r->window);
		memcpy((uint8_t *)r->window + cases[i].offset, &value,
		       cases[i].size);
		ret = pvgpu_device_read(&d, r->window, WINDOW);
		if (ret != cases[i].ret)
			fail_msg("%s (%u): %d", cases[i].what, i, ret);
	}
	write_info(r->window);
	assert_int_equal(pvgpu_device_read(&d, r->window, WINDOW), 0);
	assert_int_equal(pvgpu_device_read(&d, r->window, 255),
			 PVGPU_CLIENT_NO_DEVICE);
}

/* ----------------------------------------------------------------- attach */

static void test_attach(void **state)
{
	struct rig *r = *state;
	struct pvgpu_guest_block *g = (void *)((uint8_t *)r->window + 0x20000);
	uint32_t first;

	attach(r);
	first = r->client.generation;
	assert_int_not_equal(first, 0);
	/* It asks only for what was offered, and never writes nonce 0. */
	assert_int_equal(pvgpu_le64_to_cpu(g->features), PVGPU_FEATURE_COPY);
	assert_int_not_equal(pvgpu_load64(&g->nonce), 0);
	assert_memory_equal(g->driver_name, hello.driver_name, 32);
	assert_memory_equal(g->os_name, "test\0\0", 6);
	assert_int_equal(ping(r, 1), 0);
	attach(r);
	assert_int_not_equal(r->client.generation, first);
	assert_int_equal(ping(r, 2), 0);
	assert_int_equal(pvgpu_client_detach(&r->client, 100), 0);
	assert_false(pvgpu_client_attached(&r->client));
	assert_int_equal(ping(r, 3), PVGPU_CLIENT_LOST);
	assert_int_not_equal(pvgpu_load64(&g->features), 0);
	attach(r);
	assert_int_equal(pvgpu_client_leave(&r->client, 100), 0);
	assert_int_equal(pvgpu_load64(&g->features), 0);
	assert_false(pvgpu_client_attached(&r->client));
	attach(r);
}

static void test_nonce_differs_from_last(void **state)
{
	struct rig *r = *state;

	attach(r);
	/* A source of random numbers that repeats itself, and gives 0. */
	r->host.next_random = r->client.nonce;
	attach(r);
	r->host.next_random = 0;
	attach(r);
	assert_int_not_equal(r->client.nonce, 0);
}

static void test_attach_refused(void **state)
{
	struct rig *r = *state;

	r->host.refuse = PVGPU_STATUS_GUEST_REFUSED;
	assert_int_equal(pvgpu_client_attach(&r->client, &hello, 100),
			 PVGPU_STATUS_GUEST_REFUSED);
	assert_false(pvgpu_client_attached(&r->client));
	assert_int_equal(ping(r, 1), PVGPU_CLIENT_LOST);
}

static void test_attach_times_out(void **state)
{
	struct rig *r = *state;

	r->host.deaf = true;
	assert_int_equal(pvgpu_client_attach(&r->client, &hello, 100),
			 PVGPU_CLIENT_TIMEOUT);
	assert_in_range(r->host.now, 100, 110);
	r->host.deaf = false;
	attach(r);
}

static void test_attach_late(void **state)
{
	struct rig *r = *state;

	r->host.answer_after_waits = 5;
	attach(r);
}

static void test_attach_after_noise(void **state)
{
	struct rig *r = *state;

	/* What a previous guest left in the pages that the guest writes. */
	memset((uint8_t *)r->window + 0x20000, 0xee, 0x10000);
	attach(r);
	assert_int_equal(ping(r, 4), 0);
}

/* ------------------------------------------------------------------ calls */

static void test_many_calls(void **state)
{
	struct rig *r = *state;
	uint32_t i;

	attach(r);
	for (i = 0; i < 200; i++)
		assert_int_equal(ping(r, i * 0x100000001ull), 0);
}

static void test_status(void **state)
{
	struct rig *r = *state;
	struct pvgpu_msg odd = { .opcode = pvgpu_cpu_to_le16(0x7777) };
	_Alignas(8) uint8_t message[64] = { 0 }, reply[512];

	attach(r);
	memcpy(message, &odd, sizeof(odd));
	assert_int_equal(pvgpu_client_call(&r->client, message, 24, reply,
					   100), PVGPU_STATUS_UNSUPPORTED);
}

static void test_stale_and_foreign(void **state)
{
	struct rig *r = *state;

	attach(r);
	attach(r);
	r->host.stale_first = 3;
	r->host.foreign_first = 2;
	assert_int_equal(ping(r, 5), 0);
}

static void test_call_late_and_never(void **state)
{
	struct rig *r = *state;

	attach(r);
	r->host.answer_after_waits = 4;
	assert_int_equal(ping(r, 6), 0);
	r->host.deaf = true;
	assert_int_equal(ping(r, 7), PVGPU_CLIENT_TIMEOUT);
}

static void test_lost_in_call(void **state)
{
	struct rig *r = *state;

	attach(r);
	r->host.lose_on_request = true;
	assert_int_equal(ping(r, 8), PVGPU_CLIENT_LOST);
	assert_false(pvgpu_client_attached(&r->client));
	r->host.lose_on_request = false;
	attach(r);
	assert_int_equal(ping(r, 9), 0);
}

static void test_bad_completion_ring(void **state)
{
	struct rig *r = *state;

	attach(r);
	r->host.deaf = true;
	pvgpu_store32(&r->host.done[0].own->produced, 1000);
	assert_int_equal(ping(r, 1), PVGPU_CLIENT_LOST);
}

static void test_full_and_too_long(void **state)
{
	struct rig *r = *state;
	_Alignas(8) uint8_t message[1024] = { 0 };
	uint32_t i;

	attach(r);
	r->host.deaf = true;
	assert_int_equal(pvgpu_client_send(&r->client, 1, message, 520),
			 PVGPU_CLIENT_TOO_LONG);
	for (i = 0; i < SLOTS; i++)
		assert_int_equal(pvgpu_client_send(&r->client, 1, message, 64),
				 0);
	assert_int_equal(pvgpu_client_send(&r->client, 1, message, 64),
			 PVGPU_CLIENT_FULL);
}

static void test_one_doorbell_for_many(void **state)
{
	struct rig *r = *state;
	_Alignas(8) uint8_t message[64] = { 0 };
	uint32_t i;

	attach(r);
	for (i = 0; i < 5; i++)
		assert_int_equal(pvgpu_client_send(&r->client, 1, message, 64),
				 0);
	pvgpu_client_flush(&r->client, 1);
	pvgpu_client_flush(&r->client, 1);
	assert_int_equal(r->host.doorbells[1], 1);
}

/* A look at the ring, which takes nothing. */
static void test_pending(void **state)
{
	struct rig *r = *state;
	struct pvgpu_ring_words own = { 0 };
	struct pvgpu_consumer *ring;

	attach(r);
	ring = &r->client.queues[PVGPU_QUEUE_CONTROL].done;
	assert_false(pvgpu_client_pending(&r->client, PVGPU_QUEUE_CONTROL));
	pvgpu_store32(&own.produced, ring->consumed + 1);
	ring->peer = &own;
	assert_true(pvgpu_client_pending(&r->client, PVGPU_QUEUE_CONTROL));
	ring->consumed++;
	assert_false(pvgpu_client_pending(&r->client, PVGPU_QUEUE_CONTROL));
}

/* ----------------------------------------------------------------- fences */

static void test_fence(void **state)
{
	struct rig *r = *state;
	struct pvgpu_fence *f = (void *)((uint8_t *)r->window + 0x30000 + 64);
	struct pvgpu_fence_wake *wake = (void *)(part(&r->host, 0x20000, 2) +
		PVGPU_FENCE_WAKE_OFFSET(SLOTS));
	uint32_t flags = 9;

	attach(r);
	assert_true(pvgpu_load64(&wake->value) == ~0ull);
	assert_int_equal(pvgpu_client_fence(&r->client, 2, &flags), 0);
	assert_int_equal(flags, 0);
	pvgpu_store64(&f->value, 0x1ffffffff);
	f->flags = pvgpu_cpu_to_le32(PVGPU_FENCE_FAILED);
	assert_true(pvgpu_client_fence(&r->client, 2, &flags) == 0x1ffffffff);
	assert_int_equal(flags, PVGPU_FENCE_FAILED);
	assert_false(pvgpu_client_fence_sleep(&r->client, 2, 0x1ffffffff));
	assert_true(pvgpu_client_fence_sleep(&r->client, 2, 0x200000000));
	assert_true(pvgpu_load64(&wake->value) == 0x200000000);
	assert_int_equal(pvgpu_client_fence_wait(&r->client, 2, 0x200000000,
						 50), PVGPU_CLIENT_TIMEOUT);
	r->host.fence_on_wait = 0x200000001;
	assert_int_equal(pvgpu_client_fence_wait(&r->client, 2, 0x200000000,
						 50), 0);
	r->host.generation++;
	host_block(&r->host, PVGPU_STATE_LOST, 0, r->host.answered);
	assert_int_equal(pvgpu_client_fence_wait(&r->client, 2, 0x300000000,
						 50), PVGPU_CLIENT_LOST);
}

static void test_queue_starts_over(void **state)
{
	struct rig *r = *state;
	_Alignas(8) uint8_t message[64] = { 0 };

	attach(r);
	assert_int_equal(pvgpu_client_send(&r->client, 2, message, 64), 0);
	pvgpu_client_flush(&r->client, 2);
	pvgpu_client_fence_sleep(&r->client, 2, 5);
	pvgpu_client_queue_init(&r->client, 2);
	assert_int_equal(pvgpu_load32((pvgpu_le32 *)(void *)
				      part(&r->host, 0x20000, 2)), 0);
	assert_int_equal(pvgpu_client_send(&r->client, 2, message, 64), 0);
	pvgpu_client_flush(&r->client, 2);
	assert_int_equal(pvgpu_load32((pvgpu_le32 *)(void *)
				      part(&r->host, 0x20000, 2)), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_info_is_read),
		TEST(test_info_is_checked),
		TEST(test_attach),
		TEST(test_nonce_differs_from_last),
		TEST(test_attach_refused),
		TEST(test_attach_times_out),
		TEST(test_attach_late),
		TEST(test_attach_after_noise),
		TEST(test_many_calls),
		TEST(test_status),
		TEST(test_stale_and_foreign),
		TEST(test_call_late_and_never),
		TEST(test_lost_in_call),
		TEST(test_bad_completion_ring),
		TEST(test_full_and_too_long),
		TEST(test_one_doorbell_for_many),
		TEST(test_pending),
		TEST(test_fence),
		TEST(test_queue_starts_over),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
