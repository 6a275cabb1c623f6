// SPDX-License-Identifier: MIT
/* Channels, batches and fences, whatever their class: spec.md 8.1 to 8.4. */
#include "conform.h"

static uint64_t fence(struct guest *g, uint32_t channel)
{
	return pvgpu_client_fence(&g->client, channel, NULL);
}

static bool nop(struct guest *g, uint32_t channel, uint16_t flags)
{
	struct pvgpu_submit q = { 0 };

	return guest_submit(g, channel, PVGPU_OP_COPY_NOP, flags, &q,
			    sizeof(q));
}

/* COPY_NOP with any fence and length. */
static bool nop_as(struct guest *g, uint64_t value, uint16_t flags,
		   uint32_t length, uint32_t generation)
{
	_Alignas(8) uint8_t message[256] = { 0 };
	struct pvgpu_submit q = {
		.msg = guest_header(g, PVGPU_OP_COPY_NOP, length),
		.fence = pvgpu_cpu_to_le64(value),
	};

	q.msg.flags = pvgpu_cpu_to_le16(flags);
	q.msg.generation = pvgpu_cpu_to_le32(generation);
	memcpy(message, &q, sizeof(q));
	return guest_put(g, 1, message, length);
}

static void open_refusals(struct guest *g)
{
	static const uint32_t classes[] = { 0, 3, 31, 32, 33, 0xffffffff };
	struct pvgpu_channel_open q = {
		.channel = pvgpu_cpu_to_le32(1),
		.channel_class = pvgpu_cpu_to_le32(PVGPU_CHANNEL_COPY),
	};
	uint32_t i;

	EXPECT_ANSWER(g, "channel 0", guest_open(g, 0), PVGPU_STATUS_INVALID,
		      16);
	EXPECT_ANSWER(g, "one too many", guest_open(g, g->d->channels + 1),
		      PVGPU_STATUS_LIMIT_CHANNELS, g->d->channels);
	EXPECT_ANSWER(g, "2^32-1", guest_open(g, 0xffffffff),
		      PVGPU_STATUS_LIMIT_CHANNELS, g->d->channels);
	for (i = 0; i < 6; i++) {
		q.channel_class = pvgpu_cpu_to_le32(classes[i]);
		EXPECT_ANSWER(g, "a class that is not",
			      guest_call(g, PVGPU_OP_CHANNEL_OPEN, &q,
					 sizeof(q)),
			      PVGPU_STATUS_UNSUPPORTED, 20);
	}
	q.channel_class = pvgpu_cpu_to_le32(PVGPU_CHANNEL_COPY);
	q.priority = pvgpu_cpu_to_le32(PVGPU_PRIORITY_MAX + 1);
	EXPECT_ANSWER(g, "priority", guest_call(g, PVGPU_OP_CHANNEL_OPEN, &q,
		      sizeof(q)), PVGPU_STATUS_INVALID, 24);
	q.priority = 0;
	q.reserved = pvgpu_cpu_to_le32(1);
	EXPECT_ANSWER(g, "reserved", guest_call(g, PVGPU_OP_CHANNEL_OPEN, &q,
		      sizeof(q)), PVGPU_STATUS_INVALID, 28);
	q.reserved = 0;
	for (i = 0; g->d->features & PVGPU_FEATURE_PRIORITY &&
		    i <= PVGPU_PRIORITY_MAX; i++) {
		q.priority = pvgpu_cpu_to_le32(i);
		EXPECT_OK(g, "a priority", guest_call(g,
			  PVGPU_OP_CHANNEL_OPEN, &q, sizeof(q)));
		EXPECT_OK(g, "close", guest_close(g, 1));
	}
	EXPECT_OK(g, "open", guest_open(g, 1));
	EXPECT_ANSWER(g, "open twice", guest_open(g, 1), PVGPU_STATUS_EXISTS,
		      16);
}

static void close_refusals(struct guest *g)
{
	struct pvgpu_channel_close q = {
		.channel = pvgpu_cpu_to_le32(1),
		.reserved = pvgpu_cpu_to_le32(1),
	};

	EXPECT_ANSWER(g, "not open", guest_close(g, 1),
		      PVGPU_STATUS_NOT_FOUND, 16);
	EXPECT_ANSWER(g, "channel 0", guest_close(g, 0),
		      PVGPU_STATUS_NOT_FOUND, 16);
	EXPECT_ANSWER(g, "one too many", guest_close(g, g->d->channels + 1),
		      PVGPU_STATUS_NOT_FOUND, 16);
	EXPECT_ANSWER(g, "reserved", guest_call(g, PVGPU_OP_CHANNEL_CLOSE, &q,
		      sizeof(q)), PVGPU_STATUS_INVALID, 20);
	EXPECT_OK(g, "open", guest_open(g, 1));
	EXPECT_OK(g, "close", guest_close(g, 1));
	EXPECT_ANSWER(g, "close twice", guest_close(g, 1),
		      PVGPU_STATUS_NOT_FOUND, 16);
}

static void reopen(struct guest *g)
{
	uint32_t round, i, flags;

	for (round = 0; round < 5; round++) {
		EXPECT_OK(g, "open", guest_open(g, 1));
		EXPECT(pvgpu_client_fence(&g->client, 1, &flags) == 0 &&
		       !flags, "fence %llu, flags %u after opening",
		       (unsigned long long)fence(g, 1), flags);
		for (i = 0; i < 7; i++)
			EXPECT(nop(g, 1, 0), "room");
		EXPECT(guest_finish(g, 1) == 0, "fence in round %u", round);
		/* A refused one: the flag is of this life only. */
		EXPECT(nop_as(g, 3, 0, 24, g->client.generation), "room");
		EXPECT(guest_completion(g, 1, ANSWER_MS), "no completion");
		EXPECT_OK(g, "close", guest_close(g, 1));
		EXPECT(nop(g, 1, 0), "room");
		EXPECT_OK(g, "ping", guest_ping(g));
		EXPECT(fence(g, 1) == 7, "a closed channel is served");
	}
}

static void every_channel(struct guest *g)
{
	uint32_t n, i;

	for (n = 1; n <= g->d->channels; n++)
		EXPECT_OK(g, "open", guest_open(g, n));
	for (i = 0; i < 30; i++)
		for (n = 1; n <= g->d->channels; n++)
			EXPECT(nop(g, n, i % 3 ? 0 : PVGPU_MSG_NOTIFY),
			       "room");
	for (n = 1; n <= g->d->channels; n++) {
		EXPECT(guest_finish(g, n) == 0, "fence of channel %u", n);
		EXPECT(fence(g, n) == 30, "fence %llu",
		       (unsigned long long)fence(g, n));
	}
	EXPECT_OK(g, "close one", guest_close(g, g->d->channels));
	if (g->d->channels > 1) {
		EXPECT(nop(g, 1, 0), "room");
		EXPECT(guest_finish(g, 1) == 0, "its neighbour");
	}
}

static void fence_values(struct guest *g)
{
	static const uint64_t values[] = {
		1, 2, 10, 1000, 0xfffffffe, 0xffffffff, 0x100000000,
		0x100000001, 0x1ffffffff, 0x7fffffffffffffff,
		0xfffffffffffffffe,
	};
	uint32_t i, flags;

	EXPECT_OK(g, "open", guest_open(g, 1));
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		EXPECT(nop_as(g, values[i], 0, 24, g->client.generation),
		       "room");
		g->fences[1] = values[i];
		EXPECT(guest_finish(g, 1) == 0, "fence %llx",
		       (unsigned long long)values[i]);
		EXPECT(pvgpu_client_fence(&g->client, 1, &flags) == values[i],
		       "beyond it");
		EXPECT(!flags, "failed");
	}
}

static void fences_monotonic(struct guest *g)
{
	uint64_t last = 0, now, sent = 0, until = peer_now_ms() + ANSWER_MS;

	EXPECT_OK(g, "open", guest_open(g, 1));
	while (last < 5000) {
		while (sent < 5000 && nop(g, 1, 0))
			sent++;
		now = fence(g, 1);
		EXPECT(now >= last && now <= sent, "%llu after %llu, of %llu",
		       (unsigned long long)now, (unsigned long long)last,
		       (unsigned long long)sent);
		last = now;
		EXPECT(peer_now_ms() < until, "stuck at %llu",
		       (unsigned long long)now);
	}
}

static void one_doorbell(struct guest *g)
{
	uint32_t many = g->d->queue_slots, i, rung;

	EXPECT_OK(g, "open", guest_open(g, 1));
	EXPECT(nop(g, 1, 0), "room");
	EXPECT(guest_finish(g, 1) == 0, "the first");
	/* Long enough for the host to sleep. */
	peer_interrupted(&g->peer, 0, 50);
	rung = g->peer.rung;
	for (i = 0; i < many; i++) {
		struct pvgpu_submit q = {
			.msg = guest_header(g, PVGPU_OP_COPY_NOP, sizeof(q)),
			.fence = pvgpu_cpu_to_le64(++g->fences[1]),
		};

		EXPECT(pvgpu_producer_put(&g->client.queues[1].submit, &q,
					  sizeof(q)) > 0, "room");
	}
	pvgpu_client_flush(&g->client, 1);
	EXPECT(g->peer.rung == rung + 1, "%u doorbells", g->peer.rung - rung);
	EXPECT(guest_finish(g, 1) == 0, "%u batches", many);
}

static void fence_interrupts(struct guest *g)
{
	uint32_t vector = pvgpu_device_vector(g->d, 1), i;
	uint64_t until;

	EXPECT_OK(g, "open", guest_open(g, 1));
	for (i = 0; i < 20; i++) {
		while (peer_interrupted(&g->peer, vector, 0))
			;
		/* Asked for: the fence after the next. */
		EXPECT(pvgpu_client_fence_sleep(&g->client, 1,
						g->fences[1] + 2), "is there");
		EXPECT(nop(g, 1, 0), "room");
		until = peer_now_ms() + ANSWER_MS;
		while (fence(g, 1) != g->fences[1])
			EXPECT(peer_now_ms() < until, "no fence");
		EXPECT(!peer_interrupted(&g->peer, vector, 20),
		       "an interrupt before the fence that was asked for");
		EXPECT(nop(g, 1, 0), "room");
		EXPECT(peer_interrupted(&g->peer, vector, ANSWER_MS),
		       "no interrupt for the fence that was asked for");
		/* Not asked for. */
		EXPECT(nop(g, 1, 0), "room");
		until = peer_now_ms() + ANSWER_MS;
		while (fence(g, 1) != g->fences[1])
			EXPECT(peer_now_ms() < until, "no fence");
		EXPECT(!peer_interrupted(&g->peer, vector, 20),
		       "an interrupt for nobody");
	}
}

static void notify(struct guest *g)
{
	struct pvgpu_completion done;

	EXPECT_OK(g, "open", guest_open(g, 1));
	EXPECT(nop(g, 1, 0) && nop(g, 1, PVGPU_MSG_NOTIFY) && nop(g, 1, 0),
	       "room");
	EXPECT(guest_completion(g, 1, ANSWER_MS), "no completion");
	memcpy(&done, g->reply, sizeof(done));
	EXPECT(!g->status && !g->detail && g->reply_length == sizeof(done),
	       "status, detail or length");
	EXPECT(pvgpu_le64_to_cpu(done.value) == 2, "of fence %llu",
	       (unsigned long long)pvgpu_le64_to_cpu(done.value));
	EXPECT(pvgpu_le16_to_cpu(done.msg.opcode) == PVGPU_OP_COPY_NOP,
	       "opcode");
	EXPECT(pvgpu_le32_to_cpu(done.msg.cookie) ==
	       g->client.next_cookie - 1, "cookie");
	EXPECT(guest_finish(g, 1) == 0, "fence");
	EXPECT(!guest_completion(g, 1, 30), "a completion nobody asked for");
}

/* Completions that nobody takes stop the channel, and lose nothing. */
static void full_of_completions(struct guest *g)
{
	uint32_t most = 3 * g->d->queue_slots, sent = 0, got;
	uint32_t vector = pvgpu_device_vector(g->d, 1), stuck;

	EXPECT_OK(g, "open", guest_open(g, 1));
	while (sent < most) {
		if (nop(g, 1, PVGPU_MSG_NOTIFY)) {
			sent++;
			continue;
		}
		if (pvgpu_producer_sleep(&g->client.queues[1].submit, 1) &&
		    !peer_interrupted(&g->peer, vector, 2000))
			break;
	}
	EXPECT(sent < most, "completions into a full ring");
	EXPECT(sent >= g->d->queue_slots, "%u batches only", sent);
	stuck = (uint32_t)fence(g, 1);
	EXPECT(stuck <= g->d->queue_slots, "%u done without room", stuck);
	EXPECT_OK(g, "ping meanwhile", guest_ping(g));
	for (got = 1; got <= sent; got++) {
		struct pvgpu_completion done;

		EXPECT(guest_completion(g, 1, ANSWER_MS),
		       "completion %u of %u is lost", got, sent);
		memcpy(&done, g->reply, sizeof(done));
		EXPECT(pvgpu_le64_to_cpu(done.value) == got,
		       "completion %u out of order", got);
	}
	EXPECT(guest_finish(g, 1) == 0, "fence");
}

static void refused(struct guest *g, const char *what, uint32_t status,
		    uint32_t detail, uint64_t value, uint64_t expected)
{
	struct pvgpu_completion done;
	uint32_t flags;

	EXPECT(guest_completion(g, 1, ANSWER_MS), "%s: no completion", what);
	memcpy(&done, g->reply, sizeof(done));
	EXPECT(g->status == status && g->detail == detail,
	       "%s: status %u, detail %u; not %u, %u", what, g->status,
	       g->detail, status, detail);
	EXPECT(pvgpu_le64_to_cpu(done.value) == value, "%s: value %llu", what,
	       (unsigned long long)pvgpu_le64_to_cpu(done.value));
	/* It comes before the fence does. */
	EXPECT(!pvgpu_client_fence_wait(&g->client, 1, expected, ANSWER_MS),
	       "%s: no fence", what);
	EXPECT(pvgpu_client_fence(&g->client, 1, &flags) == expected,
	       "%s: the fence is at %llu, not %llu", what,
	       (unsigned long long)fence(g, 1), (unsigned long long)expected);
	EXPECT(flags == PVGPU_FENCE_FAILED, "%s: flags %u", what, flags);
}

static void batch_refusals(struct guest *g)
{
	uint32_t now = g->client.generation;
	struct pvgpu_submit q = { 0 };

	EXPECT_OK(g, "open", guest_open(g, 1));
#define REFUSED(...) do { \
		refused(g, __VA_ARGS__); \
		if (conform_failed()) \
			return; \
	} while (0)
	EXPECT(nop_as(g, 0, 0, 24, now), "room");
	REFUSED("fence 0", PVGPU_STATUS_INVALID, 16, 0, 0);
	EXPECT(nop_as(g, 5, 0, 24, now), "room");
	EXPECT(nop_as(g, 5, 0, 24, now), "room");
	REFUSED("a fence again", PVGPU_STATUS_INVALID, 16, 5, 5);
	EXPECT(nop_as(g, 4, 0, 24, now), "room");
	REFUSED("a lower fence", PVGPU_STATUS_INVALID, 16, 4, 5);
	EXPECT(nop_as(g, 6, 0, 24, now + 1), "room");
	REFUSED("another generation", PVGPU_STATUS_STALE, 0, 6, 6);
	EXPECT(nop_as(g, 7, 0, 16, now), "room");
	REFUSED("a header alone", PVGPU_STATUS_INVALID, 0, 0, 6);
	EXPECT(nop_as(g, 8, 0, 32, now), "room");
	REFUSED("8 bytes more", PVGPU_STATUS_INVALID, 0, 8, 8);
	EXPECT(nop_as(g, 9, 2, 24, now), "room");
	REFUSED("a flag", PVGPU_STATUS_INVALID, 6, 9, 9);
	EXPECT(nop_as(g, 10, 0x8001, 24, now), "room");
	REFUSED("a flag beside NOTIFY", PVGPU_STATUS_INVALID, 6, 10, 10);
	g->fences[1] = 10;
	EXPECT(guest_submit(g, 1, PVGPU_OP_PING, 0, &q, sizeof(q)), "room");
	REFUSED("an opcode of the control queue", PVGPU_STATUS_UNSUPPORTED, 0,
		11, 11);
	EXPECT(guest_submit(g, 1, 0xffff, 0, &q, sizeof(q)), "room");
	REFUSED("an opcode of nobody", PVGPU_STATUS_UNSUPPORTED, 0, 12, 12);
#undef REFUSED
	/* What follows goes on. */
	EXPECT(nop(g, 1, PVGPU_MSG_NOTIFY), "room");
	EXPECT(guest_completion(g, 1, ANSWER_MS) && !g->status,
	       "the next batch");
}

const struct test channel_tests[] = {
	{ "channel-open-refusals", open_refusals, false },
	{ "channel-close-refusals", close_refusals, false },
	{ "channel-opened-again", reopen, false },
	{ "channel-every-one", every_channel, false },
	{ "fence-values", fence_values, false },
	{ "fence-monotonic", fences_monotonic, false },
	{ "fence-interrupts", fence_interrupts, false },
	{ "batch-one-doorbell-for-many", one_doorbell, false },
	{ "batch-notify", notify, false },
	{ "batch-full-of-completions", full_of_completions, false },
	{ "batch-refusals", batch_refusals, false },
	{ NULL, NULL, false },
};
