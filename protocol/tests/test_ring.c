// SPDX-License-Identifier: MIT
/*
 * The ring of pvgpu/ring.h in one thread: wrap-around, messages of several
 * slots, room, the event-index rule against a brute-force oracle, positions
 * that pass 2^32, and every way in which a peer can break a ring.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pvgpu/ring.h>

#define SLOTS 8u
#define MESSAGE_MAX (5 * PVGPU_SLOT_SIZE)
#define GUARD 64

struct rig {
	struct pvgpu_ring_words producer_words, consumer_words;
	_Alignas(64) uint8_t slots[SLOTS * PVGPU_SLOT_SIZE];
	struct pvgpu_producer producer;
	struct pvgpu_consumer consumer;
	_Alignas(8) uint8_t taken[MESSAGE_MAX + GUARD];
};

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* A ring whose positions all stand at `position`. */
static void rig_init(struct rig *r, uint32_t position)
{
	memset(r, 0xa5, sizeof(*r));
	pvgpu_producer_init(&r->producer, &r->producer_words,
			    &r->consumer_words, r->slots, SLOTS);
	pvgpu_consumer_init(&r->consumer, &r->consumer_words,
			    &r->producer_words, r->slots, SLOTS, MESSAGE_MAX);
	r->producer.produced = position;
	r->producer.published = position;
	r->producer.consumed = position;
	r->consumer.consumed = position;
	r->consumer.released = position;
	r->consumer.produced = position;
	pvgpu_store32(&r->producer_words.produced, position);
	pvgpu_store32(&r->producer_words.room_wake, position - 1);
	pvgpu_store32(&r->consumer_words.consumed, position);
	pvgpu_store32(&r->consumer_words.data_wake, position);
}

static void fill(uint8_t *message, uint32_t length, uint32_t number)
{
	struct pvgpu_msg head = {
		.length = pvgpu_cpu_to_le32(length),
		.cookie = pvgpu_cpu_to_le32(number),
	};
	uint32_t i;

	for (i = 0; i < length; i++)
		message[i] = (uint8_t)(number * 31 + i * 7);
	memcpy(message, &head, sizeof(head));
}

static int put(struct rig *r, uint32_t length, uint32_t number)
{
	uint8_t message[MESSAGE_MAX];

	fill(message, length, number);
	return pvgpu_producer_put(&r->producer, message, length);
}

static void take(struct rig *r, uint32_t length, uint32_t number)
{
	uint8_t expected[MESSAGE_MAX];
	int i;

	fill(expected, length, number);
	memset(r->taken + MESSAGE_MAX, 0x5c, GUARD);
	assert_int_equal(pvgpu_consumer_take(&r->consumer, r->taken), length);
	assert_memory_equal(r->taken, expected, length);
	for (i = 0; i < GUARD; i++)
		assert_int_equal(r->taken[MESSAGE_MAX + i], 0x5c);
}

/* Random lengths through a ring that starts at `position`, in random bursts,
 * compared with what was put. */
static void stream_from(uint32_t position)
{
	uint32_t lengths[SLOTS], random = 0x2545f491, number = 0, got = 0, i;
	struct rig r;

	rig_init(&r, position);
	for (i = 0; i < 4000; i++) {
		uint32_t length = 16 + 8 * (next_random(&random) %
					    ((MESSAGE_MAX - 16) / 8 + 1));
		int slots = put(&r, length, number);

		if (slots > 0) {
			assert_int_equal(slots, (length + 63) / 64);
			lengths[number++ % SLOTS] = length;
			if (next_random(&random) % 3)
				continue;
		} else {
			assert_int_equal(slots, 0);
		}
		pvgpu_producer_publish(&r.producer);
		while (got != number && next_random(&random) % 4) {
			take(&r, lengths[got % SLOTS], got);
			got++;
		}
		if (got == number)
			assert_int_equal(pvgpu_consumer_take(&r.consumer,
							     r.taken), 0);
		pvgpu_consumer_release(&r.consumer);
	}
	assert_true(got > 500);
	assert_int_equal(r.producer.published - position > SLOTS, 1);
}

static void test_stream(void **state)
{
	(void)state;
	stream_from(0);
}

static void test_stream_over_2_32(void **state)
{
	(void)state;
	stream_from((uint32_t)-1);
	stream_from((uint32_t)-3);
	stream_from((uint32_t)-777);
}

static void test_message_sizes(void **state)
{
	uint32_t length;
	struct rig r;

	(void)state;
	for (length = 16; length <= MESSAGE_MAX; length += 8) {
		rig_init(&r, SLOTS - 1);	/* starts in the last slot */
		assert_int_equal(put(&r, length, length),
				 pvgpu_slots(length));
		assert_true(pvgpu_producer_publish(&r.producer));
		take(&r, length, length);
		pvgpu_consumer_release(&r.consumer);
		assert_int_equal(pvgpu_producer_room(&r.producer), SLOTS);
	}
}

static void test_unpublished_is_unseen(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 0);
	assert_int_equal(put(&r, 64, 1), 1);
	assert_int_equal(put(&r, 128, 2), 2);
	assert_int_equal(pvgpu_consumer_take(&r.consumer, r.taken), 0);
	assert_true(pvgpu_producer_publish(&r.producer));
	assert_false(pvgpu_producer_publish(&r.producer));
	take(&r, 64, 1);
	take(&r, 128, 2);
}

static void test_room(void **state)
{
	struct rig r;
	uint32_t i;

	(void)state;
	rig_init(&r, 5);
	for (i = 0; i < SLOTS; i++) {
		assert_int_equal(pvgpu_producer_room(&r.producer), SLOTS - i);
		assert_int_equal(put(&r, 40, i), 1);
	}
	assert_int_equal(pvgpu_producer_room(&r.producer), 0);
	assert_int_equal(put(&r, 16, 99), 0);
	pvgpu_producer_publish(&r.producer);
	take(&r, 40, 0);
	take(&r, 40, 1);
	/* Taken is not yet free: the slots may still be read. */
	assert_int_equal(put(&r, 16, 99), 0);
	pvgpu_consumer_release(&r.consumer);
	assert_int_equal(put(&r, 129, 99), 0);
	assert_int_equal(put(&r, 128, 99), 2);
	assert_int_equal(put(&r, 16, 99), 0);
}

/* Somebody waits for the position to pass `wake`: does it, moving slot by
 * slot from `from` to `to`? */
static bool oracle(uint32_t wake, uint32_t from, uint32_t to)
{
	uint32_t at;

	for (at = from; at != to; at++)
		if (at == wake)
			return true;
	return false;
}

static void test_event_index(void **state)
{
	static const uint32_t bases[] = {
		0, 1, 17, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff,
	};
	uint32_t b, from, moved, wake;

	(void)state;
	for (b = 0; b < sizeof(bases) / sizeof(bases[0]); b++)
		for (from = bases[b]; from != bases[b] + 4; from++)
			for (moved = 0; moved <= 12; moved++)
				for (wake = bases[b] - 20;
				     wake != bases[b] + 36; wake++)
					assert_int_equal(
						pvgpu_passes(wake, from,
							     from + moved),
						oracle(wake, from,
						       from + moved));
}

static void test_data_notification(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 0xfffffffe);
	/* Never slept: the first message notifies all the same. */
	assert_int_equal(put(&r, 64, 0), 1);
	assert_true(pvgpu_producer_publish(&r.producer));
	assert_int_equal(put(&r, 64, 1), 1);
	assert_false(pvgpu_producer_publish(&r.producer));
	/* Something is there: it may not sleep, and asks for no interrupt. */
	assert_false(pvgpu_consumer_sleep(&r.consumer));
	take(&r, 64, 0);
	assert_false(pvgpu_consumer_sleep(&r.consumer));
	take(&r, 64, 1);
	assert_int_equal(put(&r, 64, 2), 1);
	assert_false(pvgpu_producer_publish(&r.producer));
	take(&r, 64, 2);
	assert_true(pvgpu_consumer_sleep(&r.consumer));
	assert_int_equal(put(&r, 128, 3), 2);
	assert_int_equal(put(&r, 64, 4), 1);
	assert_true(pvgpu_producer_publish(&r.producer));
}

static void test_room_notification(void **state)
{
	struct rig r;
	uint32_t i;

	(void)state;
	rig_init(&r, 0xfffffffa);
	for (i = 0; i < SLOTS; i++)
		assert_int_equal(put(&r, 64, i), 1);
	pvgpu_producer_publish(&r.producer);
	assert_int_equal(put(&r, 192, 9), 0);
	assert_true(pvgpu_producer_sleep(&r.producer, 3));
	take(&r, 64, 0);
	take(&r, 64, 1);
	assert_false(pvgpu_consumer_release(&r.consumer));
	take(&r, 64, 2);
	assert_true(pvgpu_consumer_release(&r.consumer));
	take(&r, 64, 3);
	assert_false(pvgpu_consumer_release(&r.consumer));
	assert_false(pvgpu_producer_sleep(&r.producer, 3));
	assert_false(pvgpu_producer_sleep(&r.producer, 4));
	assert_true(pvgpu_producer_sleep(&r.producer, 5));
	assert_int_equal(put(&r, 192, 9), 3);
}

/* ------------------------------------------------------------ broken rings */

struct broken {
	const char *what;
	uint32_t published;	/* slots that the peer says it published */
	uint32_t length;	/* of the message in the first slot */
};

static void test_broken_by_producer(void **state)
{
	static const struct broken cases[] = {
		{ "one slot more than the ring has", SLOTS + 1, 64 },
		{ "far ahead", 0x40000000, 64 },
		{ "backwards by one", (uint32_t)-1, 64 },
		{ "backwards by half the circle", 0x80000000, 64 },
		{ "length 0", 1, 0 },
		{ "length below a header", 1, 8 },
		{ "length 15", 1, 15 },
		{ "length no multiple of 8", 1, 20 },
		{ "length above message_max", SLOTS, MESSAGE_MAX + 8 },
		{ "length near 2^32", SLOTS, 0xfffffff8 },
		{ "length beyond what is published", 1, 72 },
		{ "two slots published, three meant", 2, 136 },
	};
	static const uint32_t positions[] = { 0, 3, 0xffffffff, 0xfffffffc };
	unsigned int i, p;

	(void)state;
	for (p = 0; p < 4; p++)
		for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			uint32_t at = positions[p];
			pvgpu_le32 length =
				pvgpu_cpu_to_le32(cases[i].length);
			struct rig r;
			int ret;

			rig_init(&r, at);
			memcpy(r.slots + at % SLOTS * PVGPU_SLOT_SIZE,
			       &length, sizeof(length));
			pvgpu_store32(&r.producer_words.produced,
				      at + cases[i].published);
			/* It must look, not sleep over a broken ring. */
			assert_false(pvgpu_consumer_sleep(&r.consumer));
			ret = pvgpu_consumer_take(&r.consumer, r.taken);
			if (ret != PVGPU_RING_BROKEN)
				fail_msg("%s at %u: %d", cases[i].what, at,
					 ret);
		}
}

static void test_backwards_between_taken_and_released(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 7);
	put(&r, 64, 0);
	put(&r, 64, 1);
	pvgpu_producer_publish(&r.producer);
	take(&r, 64, 0);
	take(&r, 64, 1);
	/* Nothing released yet: 8 lies between released and consumed. */
	pvgpu_store32(&r.producer_words.produced, 8);
	assert_int_equal(pvgpu_consumer_take(&r.consumer, r.taken),
			 PVGPU_RING_BROKEN);
	/* More than a ring beyond what was released. */
	pvgpu_store32(&r.producer_words.produced, 7 + SLOTS + 1);
	assert_int_equal(pvgpu_consumer_take(&r.consumer, r.taken),
			 PVGPU_RING_BROKEN);
}

static void test_broken_by_consumer(void **state)
{
	static const uint32_t positions[] = { 0, 0xffffffff, 0xfffffffd };
	unsigned int p;

	(void)state;
	for (p = 0; p < 3; p++) {
		uint32_t at = positions[p], i;
		struct rig r;

		rig_init(&r, at);
		for (i = 0; i < SLOTS; i++)
			put(&r, 64, i);
		pvgpu_producer_publish(&r.producer);
		/* Consumed what was not published. */
		pvgpu_store32(&r.consumer_words.consumed, at + SLOTS + 1);
		assert_int_equal(pvgpu_producer_room(&r.producer),
				 PVGPU_RING_BROKEN);
		assert_int_equal(put(&r, 64, 9), PVGPU_RING_BROKEN);
		assert_false(pvgpu_producer_sleep(&r.producer, 1));
		/* Consumed nothing, and less than nothing. */
		pvgpu_store32(&r.consumer_words.consumed, at - 1);
		assert_int_equal(pvgpu_producer_room(&r.producer),
				 PVGPU_RING_BROKEN);
		/* Took a step back after one that was believed. */
		pvgpu_store32(&r.consumer_words.consumed, at + 4);
		assert_int_equal(pvgpu_producer_room(&r.producer), 4);
		pvgpu_store32(&r.consumer_words.consumed, at + 3);
		assert_int_equal(pvgpu_producer_room(&r.producer),
				 PVGPU_RING_BROKEN);
	}
}

static void test_unpublished_cannot_be_consumed(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 0);
	put(&r, 64, 0);
	put(&r, 64, 1);
	pvgpu_store32(&r.consumer_words.consumed, 1);
	assert_int_equal(pvgpu_producer_room(&r.producer), PVGPU_RING_BROKEN);
}

/* Noise as the peer's words and slots: any answer but a crash, a read beyond
 * the slots or a write beyond message_max. ASan watches. */
static void test_noise(void **state)
{
	uint32_t random = 0x1b873593, round, i;
	struct rig r;

	(void)state;
	for (round = 0; round < 3000; round++) {
		rig_init(&r, next_random(&random));
		for (i = 0; i < sizeof(r.slots); i++)
			r.slots[i] = (uint8_t)next_random(&random);
		for (i = 0; i < SLOTS; i++)
			/* Often enough a length that could be one. */
			r.slots[i * 64 + 1] &= 3, r.slots[i * 64 + 2] = 0,
			r.slots[i * 64 + 3] = 0, r.slots[i * 64] &= 0xf8;
		pvgpu_store32(&r.producer_words.produced,
			      r.consumer.consumed +
			      next_random(&random) % (SLOTS + 2));
		memset(r.taken + MESSAGE_MAX, 0x5c, GUARD);
		for (i = 0; i < SLOTS + 2; i++) {
			int ret = pvgpu_consumer_take(&r.consumer, r.taken);

			assert_true(ret == PVGPU_RING_BROKEN || ret == 0 ||
				    (ret >= 16 && ret <= (int)MESSAGE_MAX &&
				     ret % 8 == 0));
			if (ret <= 0)
				break;
		}
		for (i = 0; i < GUARD; i++)
			assert_int_equal(r.taken[MESSAGE_MAX + i], 0x5c);
	}
}

static void test_halves_of_64_bits(void **state)
{
	pvgpu_le64 word = 0;

	(void)state;
	pvgpu_store64(&word, 0x0123456789abcdefull);
	assert_int_equal(pvgpu_le64_to_cpu(word), 0x0123456789abcdefull);
	assert_int_equal(pvgpu_load64(&word), 0x0123456789abcdefull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_stream_over_2_32),
		cmocka_unit_test(test_message_sizes),
		cmocka_unit_test(test_unpublished_is_unseen),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_event_index),
		cmocka_unit_test(test_data_notification),
		cmocka_unit_test(test_room_notification),
		cmocka_unit_test(test_broken_by_producer),
		cmocka_unit_test(test_backwards_between_taken_and_released),
		cmocka_unit_test(test_broken_by_consumer),
		cmocka_unit_test(test_unpublished_cannot_be_consumed),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_halves_of_64_bits),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
