// SPDX-License-Identifier: MIT
/*
 * Property of a queue (two rings, one eventfd each way) between two threads:
 * whatever either side does in whatever order, every request is answered
 * once, in order and intact, and nobody sleeps for ever. A sleep that nobody
 * ends within half a minute is a lost wake-up. The first argument, or the
 * environment's PVGPU_SEED, is the seed; it is printed.
 */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include <pvgpu/ring.h>

#define SLOTS_MAX 16
#ifndef SLEEP_MS
#define SLEEP_MS 30000
#endif

static uint32_t the_seed = 20240229;

struct side {
	struct pvgpu_producer out;
	struct pvgpu_consumer in;
	int wake, peer;			/* eventfds: mine, the other's */
	uint32_t random;
	uint32_t message_max;
	uint32_t total;			/* messages to put and to take */
	uint32_t sleeps, notified;
	const char *failure;
	bool answers;			/* puts only what it took */
};

struct queue {
	struct pvgpu_ring_words guest, host;
	_Alignas(64) uint8_t guest_slots[SLOTS_MAX * PVGPU_SLOT_SIZE];
	_Alignas(64) uint8_t host_slots[SLOTS_MAX * PVGPU_SLOT_SIZE];
};

static uint32_t draw(struct side *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 17;
	s->random ^= s->random << 5;
	return s->random;
}

static void notify(struct side *s, bool must)
{
	uint64_t one = 1;

	if (must) {
		s->notified++;
		if (write(s->peer, &one, sizeof(one)) != sizeof(one))
			s->failure = "eventfd";
	}
}

/* A message's length and bytes follow from its number. */
static uint32_t build(uint8_t *message, uint32_t number, uint32_t max)
{
	uint32_t length = 16 + 8 * (number * 2654435761u % ((max - 16) / 8));
	struct pvgpu_msg head = {
		.length = pvgpu_cpu_to_le32(length),
		.cookie = pvgpu_cpu_to_le32(number),
	};

	memset(message, (int)(number & 0xff), length);
	memcpy(message, &head, sizeof(head));
	return length;
}

static bool check_taken(struct side *s, const uint8_t *message, int length,
			uint32_t number)
{
	uint8_t expected[SLOTS_MAX * PVGPU_SLOT_SIZE];

	return (uint32_t)length == build(expected, number, s->message_max) &&
	       !memcmp(message, expected, (size_t)length);
}

/* Both rings of a side, by one loop, as a driver or a worker has it. */
static void *run_side(void *argument)
{
	struct side *s = argument;
	_Alignas(8) uint8_t message[SLOTS_MAX * PVGPU_SLOT_SIZE];
	uint32_t sent = 0, taken = 0, need = 1;

	while ((sent < s->total || taken < s->total) && !s->failure) {
		uint32_t burst = 1 + draw(s) % 6;
		bool moved = false;
		struct pollfd wait = { .fd = s->wake, .events = POLLIN };
		uint64_t count;
		int ret;

		while (burst-- && sent < s->total &&
		       (!s->answers || sent < taken)) {
			uint32_t length = build(message, sent,
						s->message_max);

			need = pvgpu_slots(length);
			ret = pvgpu_producer_put(&s->out, message, length);
			if (ret < 0)
				s->failure = "the ring for messages broke";
			if (ret <= 0)
				break;
			sent++;
			moved = true;
			if (draw(s) % 2)
				notify(s, pvgpu_producer_publish(&s->out));
		}
		notify(s, pvgpu_producer_publish(&s->out));
		burst = draw(s) % 6;
		while (burst-- && taken < s->total) {
			ret = pvgpu_consumer_take(&s->in, message);
			if (ret < 0)
				s->failure = "the ring of messages broke";
			if (ret <= 0)
				break;
			if (!check_taken(s, message, ret, taken))
				s->failure = "another message than was put";
			taken++;
			moved = true;
			if (draw(s) % 2)
				notify(s, pvgpu_consumer_release(&s->in));
		}
		notify(s, pvgpu_consumer_release(&s->in));
		if (moved || (draw(s) % 8) == 0)
			continue;

		if (taken < s->total && !pvgpu_consumer_sleep(&s->in))
			continue;
		if (sent < s->total && (!s->answers || sent < taken) &&
		    !pvgpu_producer_sleep(&s->out, need))
			continue;
		if (sent == s->total && taken == s->total)
			break;
		s->sleeps++;
		if (poll(&wait, 1, SLEEP_MS) != 1)
			s->failure = "lost wake-up";
		else if (read(s->wake, &count, sizeof(count)) !=
			 sizeof(count))
			s->failure = "eventfd";
	}
	return NULL;
}

static void run(uint32_t slots, uint32_t max_slots, uint32_t total)
{
	static struct queue q;
	struct side guest = { 0 }, host = { 0 };
	int to_guest = eventfd(0, 0), to_host = eventfd(0, 0);
	pthread_t a, b;

	memset(&q, 0, sizeof(q));
	guest.random = the_seed ^ slots;
	host.random = the_seed * 3 + max_slots;
	guest.total = host.total = total;
	guest.message_max = host.message_max = max_slots * PVGPU_SLOT_SIZE;
	guest.wake = host.peer = to_guest;
	guest.peer = host.wake = to_host;
	host.answers = true;
	pvgpu_producer_init(&guest.out, &q.guest, &q.host, q.guest_slots,
			    slots);
	pvgpu_consumer_init(&guest.in, &q.guest, &q.host, q.host_slots, slots,
			    guest.message_max);
	pvgpu_producer_init(&host.out, &q.host, &q.guest, q.host_slots, slots);
	pvgpu_consumer_init(&host.in, &q.host, &q.guest, q.guest_slots, slots,
			    host.message_max);
	assert_int_equal(pthread_create(&a, NULL, run_side, &guest), 0);
	assert_int_equal(pthread_create(&b, NULL, run_side, &host), 0);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	close(to_guest);
	close(to_host);
	print_message("# %u slots, seed %u: %u messages, sleeps %u + %u, "
		      "notifications %u + %u\n", slots, the_seed, total,
		      guest.sleeps, host.sleeps, guest.notified,
		      host.notified);
	if (guest.failure || host.failure)
		fail_msg("guest: %s; host: %s (seed %u)",
			 guest.failure ? guest.failure : "fine",
			 host.failure ? host.failure : "fine", the_seed);
	/* A rule that always notifies would pass everything above. */
	assert_true(guest.notified < 3 * total);
	assert_true(guest.sleeps + host.sleeps > 0);
}

static void test_tight(void **state)
{
	(void)state;
	run(2, 2, 15000);
}

static void test_small(void **state)
{
	(void)state;
	run(4, 3, 20000);
}

static void test_roomy(void **state)
{
	(void)state;
	run(16, 4, 40000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tight),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_roomy),
	};
	const char *seed = argc > 1 ? argv[1] : getenv("PVGPU_SEED");

	if (seed)
		the_seed = (uint32_t)strtoul(seed, NULL, 0);
	if (!the_seed)
		the_seed = 1;
	printf("# seed %u\n", the_seed);
	fflush(stdout);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ring-threads", tests, NULL, NULL);
}
