// SPDX-License-Identifier: MIT
/* The control queue, its general refusals, heads and EDID: spec.md 7, 9. */
#include "conform.h"

static const struct {
	uint16_t opcode;
	uint32_t size;
	bool longer;			/* may be longer: refused by its counts */
} ops[] = {
	{ PVGPU_OP_PING, sizeof(struct pvgpu_ping), false },
	{ PVGPU_OP_HEAD_QUERY, sizeof(struct pvgpu_head_query), false },
	{ PVGPU_OP_HEAD_EDID, sizeof(struct pvgpu_head_edid), false },
	{ PVGPU_OP_RESOURCE_CREATE, sizeof(struct pvgpu_resource_create),
	  false },
	{ PVGPU_OP_RESOURCE_BACK, sizeof(struct pvgpu_resource_back), true },
	{ PVGPU_OP_RESOURCE_DESTROY, sizeof(struct pvgpu_resource_destroy),
	  false },
	{ PVGPU_OP_CHANNEL_OPEN, sizeof(struct pvgpu_channel_open), false },
	{ PVGPU_OP_CHANNEL_CLOSE, sizeof(struct pvgpu_channel_close), false },
	{ PVGPU_OP_COMMIT, sizeof(struct pvgpu_commit), true },
};
#define OPS (sizeof(ops) / sizeof(ops[0]))

static int call_zeroes(struct guest *g, uint16_t opcode, uint32_t length)
{
	_Alignas(8) uint8_t message[PVGPU_MESSAGE_MAX] = { 0 };

	return guest_call(g, opcode, message, length);
}

/* A request with a header of the caller's making. */
static int call_header(struct guest *g, struct pvgpu_msg msg)
{
	_Alignas(8) uint8_t message[PVGPU_MESSAGE_MAX] = { 0 };

	memcpy(message, &msg, sizeof(msg));
	if (!guest_put(g, 0, message, pvgpu_le32_to_cpu(msg.length)))
		return PVGPU_CLIENT_FULL;
	if (!guest_completion(g, 0, ANSWER_MS))
		return PVGPU_CLIENT_TIMEOUT;
	return (int)g->status;
}

static void ping(struct guest *g)
{
	static const uint64_t payloads[] = { 0, 1, ~0ull, 0x0123456789abcdef };
	struct pvgpu_ping_done done;
	uint32_t i;

	for (i = 0; i < 4; i++) {
		struct pvgpu_ping q = {
			.payload = pvgpu_cpu_to_le64(payloads[i]),
		};

		EXPECT_OK(g, "ping", guest_call(g, PVGPU_OP_PING, &q,
						sizeof(q)));
		memcpy(&done, g->reply, sizeof(done));
		EXPECT(g->reply_length == sizeof(done), "%u bytes",
		       g->reply_length);
		EXPECT(done.payload == q.payload, "another payload");
		EXPECT(done.done.msg.opcode == q.msg.opcode &&
		       !done.done.msg.flags && !done.done.value,
		       "opcode, flags or value");
	}
}

static void pipelined(struct guest *g)
{
	uint32_t many = g->d->queue_slots / 2, first = g->client.next_cookie + 1;
	uint32_t i, round;

	for (round = 0; round < 3; round++, first += many) {
		for (i = 0; i < many; i++) {
			struct pvgpu_ping q = {
				.msg = guest_header(g, PVGPU_OP_PING,
						    sizeof(q)),
			};

			EXPECT(pvgpu_producer_put(
				&g->client.queues[0].submit, &q, sizeof(q)) > 0,
			       "no room for request %u", i);
		}
		pvgpu_client_flush(&g->client, 0);
		for (i = 0; i < many; i++) {
			struct pvgpu_msg msg;

			EXPECT(guest_completion(g, 0, ANSWER_MS),
			       "no answer to request %u", i);
			memcpy(&msg, g->reply, sizeof(msg));
			EXPECT(pvgpu_le32_to_cpu(msg.cookie) == first + i,
			       "answer %u is to request %u", i,
			       pvgpu_le32_to_cpu(msg.cookie) - first);
		}
	}
}

/* A guest that does not take its answers is not served, and loses nothing. */
static void full_of_answers(struct guest *g)
{
	uint32_t sent = 0, got = 0, first = g->client.next_cookie + 1;
	uint32_t most = 3 * g->d->queue_slots;
	uint64_t until = peer_now_ms() + ANSWER_MS;

	/* Puts until neither ring has room any more. */
	while (sent < most && peer_now_ms() < until) {
		struct pvgpu_ping q = {
			.msg = guest_header(g, PVGPU_OP_PING, sizeof(q)),
		};

		if (guest_put(g, 0, &q, sizeof(q))) {
			sent++;
			continue;
		}
		g->client.next_cookie--;
		if (pvgpu_producer_sleep(&g->client.queues[0].submit, 1) &&
		    !peer_interrupted(&g->peer, 0, 2000))
			break;
	}
	EXPECT(sent > g->d->queue_slots, "%u requests only", sent);
	EXPECT(sent < most, "the host answers into a full ring");
	for (got = 0; got < sent; got++) {
		struct pvgpu_msg msg;

		EXPECT(guest_completion(g, 0, ANSWER_MS),
		       "answer %u of %u is lost", got, sent);
		memcpy(&msg, g->reply, sizeof(msg));
		EXPECT(pvgpu_le32_to_cpu(msg.cookie) == first + got,
		       "answer %u out of order", got);
	}
}

static void unknown_opcodes(struct guest *g)
{
	static const uint16_t unknown[] = {
		0x0000, 0x0004, 0x000f, 0x0013, 0x0022, 0x0031, 0x00ff,
		PVGPU_OP_COPY_NOP, PVGPU_OP_COPY_RECT, PVGPU_OP_COPY_FILL,
		0x7fff, PVGPU_EVENT_HEAD, 0xffff,
	};
	uint32_t i;

	for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		EXPECT_ANSWER(g, "unknown opcode",
			      call_zeroes(g, unknown[i], 16),
			      PVGPU_STATUS_UNSUPPORTED, 0);
		EXPECT_ANSWER(g, "long unknown opcode",
			      call_zeroes(g, unknown[i], 8192),
			      PVGPU_STATUS_UNSUPPORTED, 0);
	}
}

static void lengths(struct guest *g)
{
	uint32_t i;

	for (i = 0; i < OPS; i++) {
		EXPECT_ANSWER(g, "a header alone",
			      call_zeroes(g, ops[i].opcode, 16),
			      PVGPU_STATUS_INVALID, 0);
		EXPECT_ANSWER(g, "8 bytes short",
			      call_zeroes(g, ops[i].opcode, ops[i].size - 8),
			      PVGPU_STATUS_INVALID, 0);
		EXPECT_ANSWER(g, "8 bytes long",
			      call_zeroes(g, ops[i].opcode, ops[i].size + 8),
			      PVGPU_STATUS_INVALID, 0);
		EXPECT_ANSWER(g, "as long as can be",
			      call_zeroes(g, ops[i].opcode, g->d->message_max),
			      PVGPU_STATUS_INVALID, 0);
	}
}

static void flags(struct guest *g)
{
	uint32_t i, bit;

	for (i = 0; i < OPS; i++)
		for (bit = 0; bit < 16; bit++) {
			struct pvgpu_msg msg = guest_header(g, ops[i].opcode,
							    ops[i].size);

			msg.flags = pvgpu_cpu_to_le16((uint16_t)(1u << bit));
			EXPECT_ANSWER(g, "a flag", call_header(g, msg),
				      PVGPU_STATUS_INVALID, 6);
		}
}

static void generations(struct guest *g)
{
	uint32_t i, k;

	for (i = 0; i <= OPS; i++)
		for (k = 0; k < 4; k++) {
			uint16_t opcode = i < OPS ? ops[i].opcode : 0x7777;
			struct pvgpu_msg msg = guest_header(g, opcode, 24);
			const uint32_t other[] = {
				g->client.generation + 1,
				g->client.generation - 1, 0, 0xffffffff,
			};

			msg.generation = pvgpu_cpu_to_le32(other[k]);
			EXPECT_ANSWER(g, "another generation",
				      call_header(g, msg),
				      PVGPU_STATUS_STALE, 0);
		}
	EXPECT_OK(g, "ping", guest_ping(g));
}

static int head_query(struct guest *g, uint32_t head, uint32_t reserved,
		      struct pvgpu_head_query_done *ret)
{
	struct pvgpu_head_query q = {
		.head = pvgpu_cpu_to_le32(head),
		.reserved = pvgpu_cpu_to_le32(reserved),
	};
	int status = guest_call(g, PVGPU_OP_HEAD_QUERY, &q, sizeof(q));

	memcpy(ret, g->reply, sizeof(*ret));
	return status;
}

static int head_edid(struct guest *g, uint32_t head, uint32_t serial,
		     uint32_t offset, uint32_t size)
{
	struct pvgpu_head_edid q = {
		.head = pvgpu_cpu_to_le32(head),
		.serial = pvgpu_cpu_to_le32(serial),
		.offset = pvgpu_cpu_to_le32(offset),
		.size = pvgpu_cpu_to_le32(size),
	};

	return guest_call(g, PVGPU_OP_HEAD_EDID, &q, sizeof(q));
}

static void heads(struct guest *g)
{
	struct pvgpu_head_query_done done;
	uint32_t head, width, height, refresh;

	for (head = 0; head < g->d->heads; head++) {
		EXPECT_OK(g, "query", head_query(g, head, 0, &done));
		EXPECT(g->reply_length == sizeof(done), "%u bytes",
		       g->reply_length);
		EXPECT(pvgpu_le32_to_cpu(done.head) == head && !done.reserved,
		       "head or reserved");
		width = pvgpu_le32_to_cpu(done.width);
		height = pvgpu_le32_to_cpu(done.height);
		refresh = pvgpu_le32_to_cpu(done.refresh);
		if (!(pvgpu_le32_to_cpu(done.flags) & PVGPU_HEAD_CONNECTED)) {
			EXPECT(!done.edid_size && !width && !height && !refresh,
			       "head %u: a mode without a monitor", head);
			continue;
		}
		EXPECT(width && width <= g->d->max_width && height &&
		       height <= g->d->max_height && refresh &&
		       refresh <= g->d->max_refresh,
		       "head %u prefers %ux%u at %u mHz", head, width, height,
		       refresh);
		EXPECT(done.edid_size &&
		       pvgpu_le32_to_cpu(done.edid_size) % 128 == 0,
		       "an EDID of %u bytes",
		       pvgpu_le32_to_cpu(done.edid_size));
	}
	EXPECT_ANSWER(g, "one head too many",
		      head_query(g, g->d->heads, 0, &done),
		      PVGPU_STATUS_LIMIT_HEADS, g->d->heads);
	EXPECT_ANSWER(g, "head 2^32-1",
		      head_query(g, 0xffffffff, 0, &done),
		      PVGPU_STATUS_LIMIT_HEADS, g->d->heads);
	EXPECT_ANSWER(g, "reserved", head_query(g, 0, 1, &done),
		      PVGPU_STATUS_INVALID, 20);
}

static void edid(struct guest *g)
{
	static const uint8_t start[8] = {
		0, 255, 255, 255, 255, 255, 255, 0,
	};
	static const uint32_t chunks[] = { 1, 7, 8, 100, 128, 1024 };
	struct pvgpu_head_query_done head;
	uint8_t whole[4096], again[4096];
	uint32_t n, i, at, k, size, serial;

	for (n = 0; n < g->d->heads; n++) {
		EXPECT_OK(g, "query", head_query(g, n, 0, &head));
		size = pvgpu_le32_to_cpu(head.edid_size);
		serial = pvgpu_le32_to_cpu(head.serial);
		EXPECT(size <= sizeof(whole), "an EDID of %u bytes", size);
		for (k = 0; k < sizeof(chunks) / sizeof(chunks[0]); k++) {
			uint8_t *to = k ? again : whole;

			for (at = 0; at < size; at += chunks[k]) {
				struct pvgpu_head_edid_done d;
				uint32_t want = size - at < chunks[k] ?
						size - at : chunks[k];

				EXPECT_OK(g, "edid", head_edid(g, n, serial,
					  at, chunks[k]));
				memcpy(&d, g->reply, sizeof(d));
				EXPECT(pvgpu_le32_to_cpu(d.size) == want &&
				       !d.reserved,
				       "%u bytes at %u, not %u",
				       pvgpu_le32_to_cpu(d.size), at, want);
				EXPECT(g->reply_length ==
				       sizeof(d) + (want + 7) / 8 * 8,
				       "an answer of %u bytes",
				       g->reply_length);
				for (i = want; i < (want + 7) / 8 * 8; i++)
					EXPECT(!g->reply[sizeof(d) + i],
					       "padding is not zero");
				memcpy(to + at, g->reply + sizeof(d), want);
			}
			EXPECT(!k || !memcmp(whole, again, size),
			       "chunks of %u bytes differ", chunks[k]);
		}
		if (!size)
			continue;
		EXPECT(!memcmp(whole, start, 8), "no EDID header");
		EXPECT(whole[126] == size / 128 - 1, "%u extensions, %u bytes",
		       whole[126], size);
		for (at = 0; at < size; at += 128) {
			uint8_t sum = 0;

			for (i = 0; i < 128; i++)
				sum = (uint8_t)(sum + whole[at + i]);
			EXPECT(!sum, "checksum of block %u", at / 128);
		}
		EXPECT_OK(g, "at its end", head_edid(g, n, serial, size, 8));
		EXPECT(g->reply_length == sizeof(struct pvgpu_head_edid_done),
		       "bytes behind the end");
		EXPECT_OK(g, "far behind its end",
			  head_edid(g, n, serial, 0xffffffff, 1024));
		EXPECT(g->reply_length == sizeof(struct pvgpu_head_edid_done),
		       "bytes behind the end");
		EXPECT_ANSWER(g, "another serial",
			      head_edid(g, n, serial + 1, 0, 8),
			      PVGPU_STATUS_STALE, 20);
	}
	EXPECT_ANSWER(g, "size 0", head_edid(g, 0, 0, 0, 0),
		      PVGPU_STATUS_INVALID, 28);
	EXPECT_ANSWER(g, "size 1025", head_edid(g, 0, 0, 0, 1025),
		      PVGPU_STATUS_INVALID, 28);
	EXPECT_ANSWER(g, "one head too many",
		      head_edid(g, g->d->heads, 0, 0, 8),
		      PVGPU_STATUS_LIMIT_HEADS, g->d->heads);
}

/* An interrupt for who sleeps, none for who does not. */
static void notifications(struct guest *g)
{
	struct pvgpu_client_queue *q = &g->client.queues[0];
	struct pvgpu_ping ping = { 0 };
	uint64_t until;
	uint32_t i;

	EXPECT_OK(g, "ping", guest_ping(g));
	for (i = 0; i < 20; i++) {
		while (peer_interrupted(&g->peer, 0, 0))
			;
		EXPECT(pvgpu_client_sleep(&g->client, 0), "nothing was asked");
		ping.msg = guest_header(g, PVGPU_OP_PING, sizeof(ping));
		EXPECT(guest_put(g, 0, &ping, sizeof(ping)), "room");
		EXPECT(peer_interrupted(&g->peer, 0, ANSWER_MS),
		       "no interrupt for a sleeper");
		EXPECT(guest_completion(g, 0, 0), "an interrupt for nothing");

		/* Awake: the wake word stays behind the position. */
		pvgpu_store32(&q->done.own->data_wake, q->done.consumed - 1);
		ping.msg = guest_header(g, PVGPU_OP_PING, sizeof(ping));
		EXPECT(guest_put(g, 0, &ping, sizeof(ping)), "room");
		until = peer_now_ms() + ANSWER_MS;
		while (pvgpu_load32(&q->done.peer->produced) ==
		       q->done.consumed)
			EXPECT(peer_now_ms() < until, "no answer");
		EXPECT(!peer_interrupted(&g->peer, 0, 20),
		       "an interrupt for nobody");
		EXPECT(guest_completion(g, 0, 0), "no answer");
	}
}

const struct test control_tests[] = {
	{ "ping", ping, false },
	{ "control-pipelined", pipelined, false },
	{ "control-full-of-answers", full_of_answers, false },
	{ "control-unknown-opcodes", unknown_opcodes, false },
	{ "control-lengths", lengths, false },
	{ "control-flags", flags, false },
	{ "control-generations", generations, false },
	{ "control-notifications", notifications, false },
	{ "head-query", heads, false },
	{ "head-edid", edid, false },
	{ NULL, NULL, false },
};
