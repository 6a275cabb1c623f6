// SPDX-License-Identifier: MIT
/* Guests that break rings and write where they should not: spec.md 6.6. */
#include <stdlib.h>

#include "conform.h"

static struct pvgpu_ring_words *words(struct guest *g, uint32_t queue)
{
	return (void *)(g->peer.window + g->d->guest_offset +
			PVGPU_QUEUES_OFFSET +
			(uint64_t)queue * g->d->queue_stride);
}

static uint8_t *slots(struct guest *g, uint32_t queue)
{
	return (uint8_t *)words(g, queue) + PVGPU_RING_SLOTS_OFFSET;
}

static const struct pvgpu_host_block *host(struct guest *g)
{
	return (const void *)(g->peer.window + g->d->host_offset);
}

/* The ring was found broken: said so, and nothing is served any more; and a
 * new attach puts all right. */
static void expect_broken(struct guest *g, const char *what, uint32_t queue)
{
	uint64_t until = peer_now_ms() + ANSWER_MS;
	struct pvgpu_ping ping = {
		.msg = guest_header(g, PVGPU_OP_PING, sizeof(ping)),
	};
	uint32_t v;

	peer_ring(&g->peer, pvgpu_device_vector(g->d, queue));
	while (pvgpu_load32(&host(g)->state) != PVGPU_STATE_BROKEN) {
		EXPECT(peer_now_ms() < until, "%s: not found", what);
		peer_interrupted(&g->peer, 0, 10);
	}
	EXPECT(pvgpu_load32(&host(g)->broken_queue) == queue,
	       "%s: queue %u is blamed", what,
	       pvgpu_load32(&host(g)->broken_queue));
	/* Vector 0 may have been taken above. */
	for (v = 1; v < g->d->vectors; v++)
		EXPECT(peer_interrupted(&g->peer, v, ANSWER_MS),
		       "%s: no interrupt on vector %u", what, v);
	if (queue) {
		guest_put(g, 0, &ping, sizeof(ping));
		EXPECT(!guest_completion(g, 0, 50), "%s: still served", what);
	}
	EXPECT(guest_attach(g, ~0ull) == 0, "%s: attach", what);
	EXPECT(guest_ping(g) == 0, "%s: ping", what);
}

static void put_slot(struct guest *g, uint32_t queue, uint32_t position,
		     uint32_t length)
{
	struct pvgpu_msg msg = guest_header(g, PVGPU_OP_PING, length);

	memcpy(slots(g, queue) + (position & (g->d->queue_slots - 1)) *
	       PVGPU_SLOT_SIZE, &msg, sizeof(msg));
}

static void abuse(struct guest *g, uint32_t queue)
{
	uint32_t count = g->d->queue_slots, at, i;
	const uint32_t produced[] = {
		count + 1, 0xffffffff, 0x80000000, 0x7fffffff,
	};
	const uint32_t lengths[] = {
		0, 8, 12, 15, 20, 17, 72, 0xfffffff8, g->d->message_max + 8,
	};

#define AGAIN() do { \
		while (peer_interrupted(&g->peer, 0, 0)) \
			; \
		for (i = 1; i < g->d->vectors; i++) \
			while (peer_interrupted(&g->peer, i, 0)) \
				; \
		if (queue) \
			EXPECT(guest_open(g, queue) == 0, "open"); \
		at = g->client.queues[queue].submit.published; \
	} while (0)
#define BROKEN(what) do { \
		expect_broken(g, what, queue); \
		if (conform_failed()) \
			return; \
	} while (0)
	for (uint32_t k = 0; k < 4; k++) {
		AGAIN();
		pvgpu_store32(&words(g, queue)->produced, at + produced[k]);
		BROKEN("produced");
	}
	for (uint32_t k = 0; k < 9; k++) {
		AGAIN();
		put_slot(g, queue, at, lengths[k]);
		pvgpu_store32_release(&words(g, queue)->produced,
				      k == 8 ? at + count : at + 1);
		BROKEN("length");
	}
	/* Completions that nobody posted are said to be consumed. */
	for (uint32_t k = 0; k < 2; k++) {
		AGAIN();
		pvgpu_store32(&words(g, queue)->consumed,
			      k ? 0xffffffff : at + 1000);
		put_slot(g, queue, at, 24);
		pvgpu_store32_release(&words(g, queue)->produced, at + 1);
		BROKEN("consumed");
	}
#undef AGAIN
#undef BROKEN
}

static void abuse_control(struct guest *g)
{
	abuse(g, 0);
}

static void abuse_channel(struct guest *g)
{
	abuse(g, 1);
}

static void abuse_last_channel(struct guest *g)
{
	abuse(g, g->d->channels);
}

/* What stands in a closed channel's queue, or in the event queue's first ring,
 * is nobody's. */
static void unused_rings(struct guest *g)
{
	uint32_t q, i;

	for (q = 1; q <= g->d->channels + 1; q++) {
		pvgpu_store32(&words(g, q)->produced, 0x12345678);
		for (i = 0; i < 64; i++)
			slots(g, q)[i] = 0xff;
		peer_ring(&g->peer, pvgpu_device_vector(g->d, q));
	}
	EXPECT_OK(g, "ping", guest_ping(g));
	EXPECT(pvgpu_client_attached(&g->client), "state %u",
	       pvgpu_load32(&host(g)->state));
}

/* Random messages in good form, with random contents. */
static void noise_messages(struct guest *g)
{
	static const uint16_t opcodes[] = {
		PVGPU_OP_PING, PVGPU_OP_HEAD_QUERY, PVGPU_OP_HEAD_EDID,
		PVGPU_OP_RESOURCE_CREATE, PVGPU_OP_RESOURCE_BACK,
		PVGPU_OP_RESOURCE_DESTROY, PVGPU_OP_CHANNEL_OPEN,
		PVGPU_OP_CHANNEL_CLOSE, PVGPU_OP_COMMIT,
	};
	_Alignas(8) uint8_t message[PVGPU_MESSAGE_MAX];
	uint32_t random = 0x6c078965, round, i, answers = 0;

	for (round = 0; round < 4000; round++) {
		uint32_t kind = xorshift(&random);
		uint16_t opcode = opcodes[kind % 9];
		/* Mostly of a length that some opcode has. */
		uint32_t length = kind & 0x100 ? 24 + 8 * (kind >> 9) % 48 :
				  kind & 0x600 ? 24 : 64;
		struct pvgpu_msg msg = guest_header(g, opcode, length);

		/* Small numbers get further than large ones. */
		for (i = 0; i < length; i += 4) {
			uint32_t word = xorshift(&random);

			if (word & 1)
				word = word >> 28;
			else if (word & 2)
				word = (word >> 20) * 4096;
			else if (word & 4)
				word = 0;
			memcpy(message + i, &word, 4);
		}
		memcpy(message, &msg, sizeof(msg));
		EXPECT(guest_put(g, 0, message, length), "room");
		EXPECT(guest_completion(g, 0, ANSWER_MS),
		       "no answer to opcode 0x%x in round %u", opcode, round);
		answers++;
	}
	EXPECT(answers == 4000, "%u answers", answers);
	EXPECT(guest_attach(g, ~0ull) == 0, "attach");
	EXPECT_OK(g, "ping", guest_ping(g));
}

/* Random batches in good form on an open channel, with resources to hit. */
static void noise_batches(struct guest *g)
{
	_Alignas(8) uint8_t message[64];
	uint32_t random = 0x1f123bb5, round, i;

	for (i = 0; i < 4; i++)
		EXPECT(guest_resource(g, 100000, NULL), "resource");
	EXPECT_OK(g, "open", guest_open(g, 1));
	for (round = 0; round < 3000; round++) {
		uint16_t opcode = (uint16_t)(PVGPU_OP_COPY_NOP +
					     xorshift(&random) % 3);
		uint32_t length = opcode == PVGPU_OP_COPY_NOP ? 24 :
				  opcode == PVGPU_OP_COPY_RECT ? 64 : 56;

		for (i = 24; i < length; i += 4) {
			uint32_t word = xorshift(&random);

			word >>= word % 29;
			memcpy(message + i, &word, 4);
		}
		/* Offsets of 64 bits are mostly too large. */
		if (xorshift(&random) % 8) {
			uint32_t name = 1 + xorshift(&random) % 4;

			memcpy(message + 24, &name, 4);
			memset(message + 36, 0, 4);
			if (length == 64) {
				memcpy(message + 40, &name, 4);
				memset(message + 52, 0, 4);
			}
		}
		while (!guest_submit(g, 1, opcode, 0, message, length))
			while (guest_completion(g, 1, 10))
				;
		if (round % 64 == 0)
			while (guest_completion(g, 1, 0))
				;
	}
	while (pvgpu_client_fence(&g->client, 1, NULL) < g->fences[1])
		EXPECT(guest_completion(g, 1, 1000) ||
		       pvgpu_client_fence(&g->client, 1, NULL) ==
		       g->fences[1], "stuck at fence %llu of %llu",
		       (unsigned long long)pvgpu_client_fence(&g->client, 1,
							      NULL),
		       (unsigned long long)g->fences[1]);
	EXPECT_OK(g, "ping", guest_ping(g));
}

/* Noise in every ring, published. */
static void noise_rings(struct guest *g)
{
	uint32_t random = 0x85ebca6b, round, q, i;

	for (round = 0; round < 60; round++) {
		for (q = 1; q <= g->d->channels; q++)
			EXPECT_OK(g, "open", guest_open(g, q));
		for (q = 0; q <= g->d->channels + 1; q++) {
			uint8_t *to = slots(g, q);

			for (i = 0; i < g->d->queue_slots * 64; i += 4) {
				uint32_t word = xorshift(&random);

				if (i % 64 == 0 && round % 3)
					word = 8 * (2 + word % 30);
				if (i % 64 == 12 && round % 3)
					word = g->client.generation;
				memcpy(to + i, &word, 4);
			}
			pvgpu_store32_release(&words(g, q)->produced,
				words(g, q)->produced +
				1 + xorshift(&random) % g->d->queue_slots);
		}
		for (i = 0; i < g->d->vectors; i++)
			peer_ring(&g->peer, i);
		if (round % 2)
			peer_interrupted(&g->peer, 0, 5);
		EXPECT(guest_attach(g, ~0ull) == 0, "attach, round %u", round);
		EXPECT_OK(g, "ping", guest_ping(g));
	}
}

/* The guest writes over all that is the host's, while the host works. */
static void noise_over_the_host(struct guest *g)
{
	struct pvgpu_info *info = (void *)g->peer.window, before = *info;
	uint64_t size = pvgpu_le64_to_cpu(before.host_size);
	uint32_t random = 0xc2b2ae35, round, i;

	for (round = 0; round < 5; round++) {
		uint32_t r = guest_resource(g, 4u << 20, NULL);
		struct pvgpu_copy_fill fill = {
			.dst.resource = pvgpu_cpu_to_le32(r),
			.row_bytes = pvgpu_cpu_to_le32(4u << 20),
			.height = pvgpu_cpu_to_le32(1),
			.unit = pvgpu_cpu_to_le32(4),
		};
		uint8_t *bytes = g->peer.window + g->d->host_offset;

		EXPECT(r, "resource");
		EXPECT_OK(g, "open", guest_open(g, 1));
		for (i = 0; i < 8; i++)
			EXPECT(guest_submit(g, 1, PVGPU_OP_COPY_FILL,
					    PVGPU_MSG_NOTIFY, &fill,
					    sizeof(fill)), "room");
		for (i = 0; i < size; i += 4) {
			uint32_t word = xorshift(&random);

			memcpy(bytes + i, &word, 4);
		}
		for (i = 0; i < 65536; i += 4) {
			uint32_t word = xorshift(&random);

			memcpy(g->peer.window + i, &word, 4);
			memcpy(g->peer.window + g->d->fence_offset + i, &word,
			       4);
		}
		for (i = 0; i < g->d->vectors; i++)
			peer_ring(&g->peer, i);
		EXPECT(guest_attach(g, ~0ull) == 0, "attach, round %u", round);
		EXPECT_OK(g, "ping", guest_ping(g));
		EXPECT(!memcmp(info, &before, sizeof(before)),
		       "the information page was not written again");
		EXPECT(pvgpu_client_fence(&g->client, 1, NULL) == 0,
		       "the fence was not set back");
	}
}

const struct test abuse_tests[] = {
	{ "abuse-control-ring", abuse_control, false },
	{ "abuse-channel-ring", abuse_channel, false },
	{ "abuse-last-channel-ring", abuse_last_channel, false },
	{ "abuse-unused-rings", unused_rings, false },
	{ "abuse-noise-messages", noise_messages, false },
	{ "abuse-noise-batches", noise_batches, false },
	{ "abuse-noise-rings", noise_rings, false },
	{ "abuse-noise-over-the-host", noise_over_the_host, false },
	{ NULL, NULL, false },
};
