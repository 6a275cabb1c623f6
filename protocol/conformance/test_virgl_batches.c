// SPDX-License-Identifier: MIT
/*
 * Batches of class VIRGL, their checks, the order of their fences, and what
 * becomes of a context that sends a bad one: spec.md 8.3, 8.4 and 13.3.
 */
#include "conform.h"
#include "virgl_guest.h"

#define UNKNOWN 200u			/* no command of virgl's */

static uint32_t word_at(const uint8_t *bytes, uint32_t index)
{
	return pvgpu_load32((const void *)(bytes + index * 4));
}

/* VIRGL_SUBMIT in full. */
struct submission {
	uint32_t context, resource;
	uint64_t offset;
	uint32_t size, reserved;
};

static int submit(struct gl *gl, struct submission s)
{
	struct pvgpu_virgl_submit q = {
		.context = pvgpu_cpu_to_le32(s.context),
		.resource = pvgpu_cpu_to_le32(s.resource),
		.offset = pvgpu_cpu_to_le64(s.offset),
		.size = pvgpu_cpu_to_le32(s.size),
		.reserved = pvgpu_cpu_to_le32(s.reserved),
	};

	return guest_submit(gl->g, gl->channel, PVGPU_OP_VIRGL_SUBMIT,
			    PVGPU_MSG_NOTIFY, &q, sizeof(q)) ?
	       gl_answer(gl) : PVGPU_CLIENT_FULL;
}

static void refusals(struct guest *g)
{
	struct pvgpu_resource_create q = surface_2d(g, VIRGL_B8G8R8A8, 64,
						    64);
	const uint32_t half = 70, none = 71, most = g->d->max_commands;
	const uint64_t size = 1u << 20;
	uint32_t surface, large;
	uint8_t *zeroes;
	struct gl gl;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	surface = gl_surface(&gl, &q, 4096, NULL);
	large = guest_resource(g, (uint64_t)most + 8, &zeroes);
	EXPECT(surface && large, "resources");
	EXPECT_OK(g, "create", guest_create(g, half, 8192));
	EXPECT_OK(g, "back half", guest_back(g, half, 0, 4096));
	memset(gl.bytes, 0, size);	/* NOPs, and nothing behind them */

#define S(...) submit(&gl, (struct submission){ __VA_ARGS__ })
	EXPECT_ANSWER(g, "reserved", S(9, none, 1, 0, 1),
		      PVGPU_STATUS_INVALID, 44);
	EXPECT_ANSWER(g, "offset 1", S(9, none, 1, 0, 0),
		      PVGPU_STATUS_INVALID, 32);
	EXPECT_ANSWER(g, "offset 2", S(1, gl.commands, 2, 4, 0),
		      PVGPU_STATUS_INVALID, 32);
	EXPECT_ANSWER(g, "size 0", S(9, none, 0, 0, 0),
		      PVGPU_STATUS_INVALID, 40);
	EXPECT_ANSWER(g, "size 6", S(9, none, 0, 6, 0),
		      PVGPU_STATUS_INVALID, 40);
	EXPECT_ANSWER(g, "size 2^32-1", S(9, none, 0, ~0u, 0),
		      PVGPU_STATUS_INVALID, 40);
	EXPECT_ANSWER(g, "more than may be", S(9, none, 0, most + 4, 0),
		      PVGPU_STATUS_LIMIT_COMMANDS, most);
	EXPECT_ANSWER(g, "2^32-4", S(1, large, 0, ~3u, 0),
		      PVGPU_STATUS_LIMIT_COMMANDS, most);
	EXPECT_ANSWER(g, "no context", S(9, none, 0, 4, 0),
		      PVGPU_STATUS_NOT_FOUND, 24);
	EXPECT_ANSWER(g, "context 0", S(0, gl.commands, 0, 4, 0),
		      PVGPU_STATUS_NOT_FOUND, 24);
	EXPECT_ANSWER(g, "no resource", S(1, none, 0, 4, 0),
		      PVGPU_STATUS_NOT_FOUND, 28);
	EXPECT_ANSWER(g, "a surface", S(1, surface, 0, 4, 0),
		      PVGPU_STATUS_NOT_FOUND, 28);
	EXPECT_ANSWER(g, "half a resource", S(1, half, 0, 4, 0),
		      PVGPU_STATUS_INVALID, 28);
	EXPECT_ANSWER(g, "beyond its end", S(1, gl.commands, size, 4, 0),
		      PVGPU_STATUS_RANGE, 32);
	EXPECT_ANSWER(g, "over its end", S(1, gl.commands, size - 4, 8, 0),
		      PVGPU_STATUS_RANGE, 32);
	EXPECT_ANSWER(g, "2^64-4", S(1, gl.commands, ~3ull, 4, 0),
		      PVGPU_STATUS_RANGE, 32);
	EXPECT_ANSWER(g, "2^64-4 of 8", S(1, gl.commands, ~3ull, 8, 0),
		      PVGPU_STATUS_RANGE, 32);
	/* None of it has cost the context anything. */
	EXPECT_OK(g, "its last word", S(1, gl.commands, size - 4, 4, 0));
	memset(zeroes, 0, most + 8);
	EXPECT_OK(g, "as many as may be", S(1, large, 4, most, 0));
#undef S
}

/* The checks of every class, in this one too. */
static void common_refusals(struct guest *g)
{
	static const struct {
		const char *what;
		uint16_t opcode, flags;
		uint32_t length, generation;
		uint64_t back;		/* of the fence */
		uint32_t status, detail;
	} bad[] = {
		{ "another generation", 0x200, 0, 24, 1, 0,
		  PVGPU_STATUS_STALE, 0 },
		{ "an opcode of COPY", PVGPU_OP_COPY_NOP, 0, 24, 0, 0,
		  PVGPU_STATUS_UNSUPPORTED, 0 },
		{ "an opcode of nobody", 0x204, 0, 24, 0, 0,
		  PVGPU_STATUS_UNSUPPORTED, 0 },
		{ "a longer NOP", 0x200, 0, 32, 0, 0, PVGPU_STATUS_INVALID,
		  0 },
		{ "a shorter SUBMIT", 0x201, 0, 40, 0, 0,
		  PVGPU_STATUS_INVALID, 0 },
		{ "a longer SUBMIT", 0x201, 0, 56, 0, 0,
		  PVGPU_STATUS_INVALID, 0 },
		{ "a shorter transfer", 0x202, 0, 72, 0, 0,
		  PVGPU_STATUS_INVALID, 0 },
		{ "a longer transfer", 0x203, 0, 88, 0, 0,
		  PVGPU_STATUS_INVALID, 0 },
		{ "a flag", 0x200, 2, 24, 0, 0, PVGPU_STATUS_INVALID, 6 },
		{ "the fence before", 0x200, 0, 24, 0, 1,
		  PVGPU_STATUS_INVALID, 16 },
		{ "an older fence", 0x200, 0, 24, 0, 3, PVGPU_STATUS_INVALID,
		  16 },
	};
	_Alignas(8) uint8_t message[128] = { 0 };
	struct pvgpu_completion done;
	uint64_t fence;
	struct gl gl;
	uint32_t i;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	for (i = 0; i < 4; i++)
		EXPECT(gl_nop(&gl, 0), "room");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pvgpu_submit q = {
			.msg = guest_header(g, bad[i].opcode, bad[i].length),
		};

		fence = bad[i].back ? g->fences[1] + 1 - bad[i].back :
			++g->fences[1];
		q.msg.flags = pvgpu_cpu_to_le16(bad[i].flags);
		q.msg.generation = pvgpu_cpu_to_le32(g->client.generation +
						     bad[i].generation);
		q.fence = pvgpu_cpu_to_le64(fence);
		memcpy(message, &q, sizeof(q));
		EXPECT(guest_put(g, 1, message, bad[i].length), "room");
		EXPECT(guest_completion(g, 1, ANSWER_MS), "%s: no completion",
		       bad[i].what);
		memcpy(&done, g->reply, sizeof(done));
		EXPECT(g->status == bad[i].status &&
		       g->detail == bad[i].detail,
		       "%s: status %u, detail %u", bad[i].what, g->status,
		       g->detail);
		EXPECT(pvgpu_le64_to_cpu(done.value) == fence, "%s: value",
		       bad[i].what);
		EXPECT(!guest_finish(g, 1), "%s: the fence", bad[i].what);
	}
	stream_put(&gl.s, VIRGL_NOP, 0, NULL, 0);
	EXPECT_OK(g, "what follows goes on", gl_run(&gl));
}

/* ----------------------------------------------------------------- order */

/* Good batches and refused ones by turns: fences pass in order, and where one
 * has passed a refused batch, that batch's completion is there already. */
static void order(struct guest *g)
{
	uint32_t sent = 0, taken = 0, i, target;
	struct pvgpu_completion done;
	uint64_t now, last = 0, until;
	struct gl gl;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	target = gl_target(&gl, 512, 512, NULL);
	EXPECT(target, "surface");
	stream_surface(&gl.s, 5, target, VIRGL_B8G8R8A8, 0, 0);
	stream_framebuffer(&gl.s, 5);
	EXPECT_OK(g, "framebuffer", gl_run(&gl));
	stream_begin(&gl.s);
	for (i = 0; i < 20; i++)
		stream_clear(&gl.s, 1, 1, (float)i / 20, 1);

	last = now = g->fences[1];
	for (i = 0; i < 60; i++) {
		bool bad = i % 3 == 1;

		if (bad)
			gl.context = 77;
		EXPECT(gl_submit(&gl, 0), "room");
		gl.context = 1;
		sent += bad;
	}
	until = peer_now_ms() + 2 * ANSWER_MS;
	while (now < g->fences[1]) {
		now = pvgpu_client_fence(&g->client, 1, NULL);
		EXPECT(now >= last && now <= g->fences[1], "%llu after %llu",
		       (unsigned long long)now, (unsigned long long)last);
		/* The second, fifth, … of them up to it was a bad one. */
		while (taken < (now >= 3 ? (now - 3) / 3 + 1 : 0)) {
			int length = pvgpu_client_take(&g->client, 1,
						       g->reply);

			EXPECT(length > 0, "fence %llu is there, and the "
			       "completion of %u is not",
			       (unsigned long long)now, 3 * taken + 3);
			memcpy(&done, g->reply, sizeof(done));
			EXPECT(pvgpu_le64_to_cpu(done.value) == 3 * taken + 3,
			       "completion of %llu, not %u",
			       (unsigned long long)
			       pvgpu_le64_to_cpu(done.value), 3 * taken + 3);
			EXPECT(pvgpu_le32_to_cpu(done.status) ==
			       PVGPU_STATUS_NOT_FOUND, "status %u",
			       pvgpu_le32_to_cpu(done.status));
			taken++;
		}
		last = now;
		EXPECT(peer_now_ms() < until, "stuck at %llu of %llu",
		       (unsigned long long)now,
		       (unsigned long long)g->fences[1]);
	}
	EXPECT(taken == sent, "%u completions of %u", taken, sent);
	EXPECT(!guest_completion(g, 1, 50), "one too many");
}

/* A ring full of them, with completions by turns, is served to its end. */
static void many(struct guest *g)
{
	uint32_t sent = 0, got = 0, most = 3000;
	uint64_t until = peer_now_ms() + 6 * ANSWER_MS;
	struct pvgpu_completion done;
	struct gl gl;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	stream_put(&gl.s, VIRGL_NOP, 0, NULL, 0);
	while (got < most / 2) {
		int length;

		while (sent < most && (sent % 2 ? gl_nop(&gl, 0) :
				       gl_submit(&gl, PVGPU_MSG_NOTIFY)))
			sent++;
		length = pvgpu_client_take(&g->client, 1, g->reply);
		EXPECT(length >= 0, "the ring is broken");
		EXPECT(peer_now_ms() < until, "stuck: %u sent, %u done", sent,
		       got);
		if (!length) {
			peer_interrupted(&g->peer, pvgpu_device_vector(g->d,
								       1), 1);
			continue;
		}
		memcpy(&done, g->reply, sizeof(done));
		EXPECT(!done.status && pvgpu_le64_to_cpu(done.value) ==
		       2 * got + 1, "completion %u: status %u, of %llu", got,
		       pvgpu_le32_to_cpu(done.status),
		       (unsigned long long)pvgpu_le64_to_cpu(done.value));
		got++;
	}
	EXPECT(!guest_finish(g, 1), "the last fence");
}

/* Completions that nobody takes stop the channel, and lose nothing; others go
 * on. */
static void full_of_completions(struct guest *g)
{
	uint32_t most = 3 * g->d->queue_slots, sent = 0, got;
	uint32_t vector = pvgpu_device_vector(g->d, 1);
	struct pvgpu_completion done;
	struct gl gl;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	stream_put(&gl.s, VIRGL_NOP, 0, NULL, 0);
	while (sent < most) {
		if (gl_submit(&gl, PVGPU_MSG_NOTIFY)) {
			sent++;
			continue;
		}
		if (pvgpu_producer_sleep(&g->client.queues[1].submit, 1) &&
		    !peer_interrupted(&g->peer, vector, 2000))
			break;
	}
	EXPECT(sent < most && sent >= g->d->queue_slots, "%u batches", sent);
	EXPECT_OK(g, "a context meanwhile", context_create(g, 2));
	EXPECT_OK(g, "open", guest_open_as(g, 2, PVGPU_CHANNEL_VIRGL));
	gl.channel = 2;
	EXPECT(gl_nop(&gl, 0), "room");
	EXPECT(!guest_finish(g, 2), "another channel");
	for (got = 1; got <= sent; got++) {
		EXPECT(guest_completion(g, 1, ANSWER_MS),
		       "completion %u of %u is lost", got, sent);
		memcpy(&done, g->reply, sizeof(done));
		EXPECT(pvgpu_le64_to_cpu(done.value) == got && !g->status,
		       "completion %u: of %llu, status %u", got,
		       (unsigned long long)pvgpu_le64_to_cpu(done.value),
		       g->status);
	}
	EXPECT(!guest_finish(g, 1), "fence");
}

/* Only who asks is woken, and once the fence is there. */
static void fence_interrupts(struct guest *g)
{
	uint32_t vector = pvgpu_device_vector(g->d, 1), i;
	uint64_t until;
	struct gl gl;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	stream_put(&gl.s, VIRGL_NOP, 0, NULL, 0);
	EXPECT_OK(g, "the first", gl_run(&gl));
	for (i = 0; i < 10; i++) {
		while (peer_interrupted(&g->peer, vector, 0))
			;
		EXPECT(pvgpu_client_fence_sleep(&g->client, 1,
						g->fences[1] + 2), "is there");
		EXPECT(gl_submit(&gl, 0), "room");
		until = peer_now_ms() + ANSWER_MS;
		while (pvgpu_client_fence(&g->client, 1, NULL) != g->fences[1])
			EXPECT(peer_now_ms() < until, "no fence");
		EXPECT(!peer_interrupted(&g->peer, vector, 20),
		       "an interrupt before the fence that was asked for");
		EXPECT(gl_submit(&gl, 0), "room");
		EXPECT(peer_interrupted(&g->peer, vector, ANSWER_MS),
		       "no interrupt for the fence that was asked for");
		EXPECT(pvgpu_client_fence(&g->client, 1, NULL) ==
		       g->fences[1], "an interrupt before the fence");
	}
}

/* -------------------------------------------------------- lost contexts */

/* Fills a target with one colour, through context `gl->context`. */
static int paint(struct gl *gl, uint32_t target, float red, float green)
{
	stream_begin(&gl->s);
	stream_surface(&gl->s, 5, target, VIRGL_B8G8R8A8, 0, 0);
	stream_framebuffer(&gl->s, 5);
	stream_clear(&gl->s, red, green, 0, 1);
	return gl_run(gl);
}

/* The context is lost, with this offset, and stays so. */
static void expect_lost(struct gl *gl, const char *what, uint32_t offset)
{
	struct guest *g = gl->g;
	struct context_state s;
	uint32_t i;

	EXPECT_ANSWER(g, what, gl_run(gl), PVGPU_STATUS_CONTEXT_LOST, offset);
	stream_begin(&gl->s);
	stream_put(&gl->s, VIRGL_NOP, 0, NULL, 0);
	for (i = 0; i < 3; i++) {
		EXPECT(gl_run(gl) == PVGPU_STATUS_CONTEXT_LOST,
		       "%s: it goes on with status %u", what, g->status);
	}
	EXPECT_OK(g, "query", context_query(g, gl->context, &s));
	EXPECT(s.flags == PVGPU_CONTEXT_LOST, "%s: flags %u", what, s.flags);
}

static void bad_streams(struct guest *g)
{
	static const struct {
		const char *what;
		uint32_t word;		/* and three more words of zero */
	} bad[] = {
		{ "a command that is none", UNKNOWN | 3u << 16 },
		{ "the highest of all", 0xff | 3u << 16 },
		{ "one that makes a resource",
		  VIRGL_RESOURCE_MAKE | 3u << 16 },
		{ "one that gives it a type",
		  VIRGL_RESOURCE_SET_TYPE | 3u << 16 },
		{ "one that is longer than the stream",
		  VIRGL_NOP | 4u << 16 },
		{ "one of 65535 words", VIRGL_CLEAR | 0xffffu << 16 },
		{ "one that is too short", VIRGL_CLEAR | 3u << 16 },
		{ "an object of no type",
		  VIRGL_CREATE_OBJECT | 200u << 8 | 3u << 16 },
		{ "an object without a handle", VIRGL_CREATE_OBJECT |
		  VIRGL_OBJECT_DSA << 8 | 3u << 16 },
	};
	uint32_t target, i, offset;
	uint8_t *bytes;
	struct gl gl;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	EXPECT_OK(g, "a good context", context_create(g, 2));
	target = gl_target(&gl, 16, 16, &bytes);
	EXPECT(target, "surface");
	EXPECT_OK(g, "attach", context_attach(g, 2, target));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		gl.context = 1;
		EXPECT_OK(g, "red", paint(&gl, target, 1, 0));
		/* Green, and then it. */
		stream_begin(&gl.s);
		stream_clear(&gl.s, 0, 1, 0, 1);
		offset = gl.s.count * 4;
		gl.s.words[gl.s.count] = bad[i].word;
		memset(&gl.s.words[gl.s.count + 1], 0, 12);
		gl.s.count += 4;
		expect_lost(&gl, bad[i].what, offset);
		if (conform_failed())
			return;
		EXPECT(gl_read(&gl, target, 16, 16) ==
		       PVGPU_STATUS_CONTEXT_LOST, "%s: transfers go on",
		       bad[i].what);
		/* Nothing of it was carried out, and others do not notice. */
		gl.context = 2;
		EXPECT_OK(g, "read", gl_read(&gl, target, 16, 16));
		EXPECT(word_at(bytes, 0) == 0xffff0000 &&
		       word_at(bytes, 255) == 0xffff0000,
		       "%s: the pixel is %08x", bad[i].what,
		       word_at(bytes, 0));
		EXPECT_OK(g, "destroy", context_destroy(g, 1));
		EXPECT_OK(g, "the name again", context_create(g, 1));
		EXPECT_OK(g, "attach", context_attach(g, 1, target));
	}
}

/* Where only the renderer sees that a command is bad, what came before it is
 * done. */
static void renderer_refuses(struct guest *g)
{
	uint32_t target, i;
	uint8_t *bytes;
	struct gl gl;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	EXPECT_OK(g, "a good context", context_create(g, 2));
	target = gl_target(&gl, 16, 16, &bytes);
	EXPECT(target, "surface");
	EXPECT_OK(g, "attach", context_attach(g, 2, target));
	for (i = 0; i < 3; i++) {
		gl.context = 1;
		EXPECT_OK(g, "red", paint(&gl, target, 1, 0));
		stream_begin(&gl.s);
		stream_clear(&gl.s, 0, 1, 0, 1);
		if (i == 0)		/* of nine words, not of eight */
			STREAM(&gl.s, VIRGL_CLEAR, 0, 4, 0, 0, 0, 0, 0, 0, 0,
			       0);
		else if (i == 1)	/* a resource that is not attached */
			stream_surface(&gl.s, 6, 999, VIRGL_B8G8R8A8, 0, 0);
		else			/* an object that is not there */
			stream_framebuffer(&gl.s, 888);
		EXPECT(gl_run(&gl) == PVGPU_STATUS_CONTEXT_LOST,
		       "bad command %u: status %u", i, g->status);
		stream_begin(&gl.s);
		stream_put(&gl.s, VIRGL_NOP, 0, NULL, 0);
		EXPECT(gl_run(&gl) == PVGPU_STATUS_CONTEXT_LOST,
		       "after bad command %u: status %u", i, g->status);
		gl.context = 2;
		EXPECT_OK(g, "read", gl_read(&gl, target, 16, 16));
		EXPECT(word_at(bytes, 0) == 0xff00ff00, "the pixel is %08x",
		       word_at(bytes, 0));
		EXPECT_OK(g, "destroy", context_destroy(g, 1));
		EXPECT_OK(g, "the name again", context_create(g, 1));
		EXPECT_OK(g, "attach", context_attach(g, 1, target));
	}
}

/* A row of batches of two contexts, one of which goes bad in the middle. */
static void islands(struct guest *g)
{
	uint32_t target, other, i;
	uint8_t *bytes, *others;
	struct pvgpu_completion done;
	struct gl gl;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	target = gl_target(&gl, 16, 16, &bytes);
	EXPECT_OK(g, "context", context_create(g, 2));
	gl.context = 2;
	other = gl_target(&gl, 16, 16, &others);
	EXPECT(target && other, "surfaces");
	for (i = 0; i < 40; i++) {
		gl.context = 1 + i % 2;
		stream_begin(&gl.s);
		stream_surface(&gl.s, 5, i % 2 ? other : target,
			       VIRGL_B8G8R8A8, 0, 0);
		stream_framebuffer(&gl.s, 5);
		stream_clear(&gl.s, 0, (float)i / 40, 1, 1);
		if (i == 20)
			stream_put(&gl.s, UNKNOWN, 0, NULL, 0);
		EXPECT(gl_submit(&gl, PVGPU_MSG_NOTIFY), "room");
	}
	for (i = 0; i < 40; i++) {
		uint32_t expected = i >= 20 && i % 2 == 0 ?
				    PVGPU_STATUS_CONTEXT_LOST : 0;

		EXPECT(guest_completion(g, 1, ANSWER_MS), "no completion");
		memcpy(&done, g->reply, sizeof(done));
		EXPECT(pvgpu_le64_to_cpu(done.value) == i + 1, "out of order");
		EXPECT(g->status == expected, "batch %u: status %u", i,
		       g->status);
	}
	EXPECT(!guest_finish(g, 1), "the last fence");
	EXPECT_OK(g, "read", gl_read(&gl, other, 16, 16));
	EXPECT(word_at(others, 0) == 0xff00f9ff || word_at(others, 0) ==
	       0xff00f8ff, "the pixel is %08x", word_at(others, 0));
	/* What the other one drew lies where it drew it last. */
	EXPECT_OK(g, "attach", context_attach(g, 2, target));
	EXPECT_OK(g, "read", gl_read(&gl, target, 16, 16));
	EXPECT(word_at(bytes, 0) == 0xff0073ff || word_at(bytes, 0) ==
	       0xff0072ff, "the pixel is %08x", word_at(bytes, 0));
}

/* Resources of others are not to be reached. */
static void not_attached(struct guest *g)
{
	uint32_t target, mine;
	uint8_t *bytes;
	struct gl gl;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	target = gl_target(&gl, 16, 16, &bytes);
	EXPECT(target, "surface");
	EXPECT_OK(g, "red", paint(&gl, target, 1, 0));
	EXPECT_OK(g, "context", context_create(g, 2));
	gl.context = 2;
	EXPECT_ANSWER(g, "read", gl_read(&gl, target, 16, 16),
		      PVGPU_STATUS_NOT_FOUND, 28);
	EXPECT(paint(&gl, target, 0, 1) == PVGPU_STATUS_CONTEXT_LOST,
	       "drawn into another's: status %u", g->status);
	EXPECT_OK(g, "context", context_create(g, 3));
	gl.context = 3;
	mine = gl_target(&gl, 16, 16, NULL);
	EXPECT(mine, "surface");
	stream_begin(&gl.s);
	stream_copy(&gl.s, mine, 0, 0, target,
		    &(struct stream_box){ 0, 0, 0, 16, 16, 1 });
	EXPECT(gl_run(&gl) == PVGPU_STATUS_CONTEXT_LOST,
	       "copied from another's: status %u", g->status);
	gl.context = 1;
	EXPECT_OK(g, "read", gl_read(&gl, target, 16, 16));
	EXPECT(word_at(bytes, 0) == 0xffff0000, "the pixel is %08x",
	       word_at(bytes, 0));
	/* And no more once it is detached. */
	EXPECT_OK(g, "detach", context_detach(g, 1, target));
	EXPECT_ANSWER(g, "read", gl_read(&gl, target, 16, 16),
		      PVGPU_STATUS_NOT_FOUND, 28);
}

/* Batches that the host had not begun find no context. */
static void destroyed_meanwhile(struct guest *g)
{
	uint32_t i, status, last = PVGPU_STATUS_OK;
	struct gl gl;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	stream_put(&gl.s, VIRGL_NOP, 0, NULL, 0);
	for (i = 0; i < 50; i++)
		EXPECT(gl_submit(&gl, PVGPU_MSG_NOTIFY), "room");
	EXPECT_OK(g, "destroy", context_destroy(g, 1));
	for (i = 0; i < 50; i++) {
		EXPECT(guest_completion(g, 1, ANSWER_MS), "no completion");
		status = g->status;
		EXPECT(status == PVGPU_STATUS_OK ||
		       status == PVGPU_STATUS_NOT_FOUND, "batch %u: %u", i,
		       status);
		EXPECT(status >= last, "batch %u found it again", i);
		last = status;
	}
	EXPECT(!guest_finish(g, 1), "a fence is lost");
	EXPECT_ANSWER(g, "after it", gl_run(&gl), PVGPU_STATUS_NOT_FOUND, 24);
	EXPECT_OK(g, "the name again", context_create(g, 1));
	EXPECT_OK(g, "a new life", gl_run(&gl));
}

/* What streams make is charged before it is made. */
static void streams_are_charged(struct guest *g)
{
	uint64_t left = g->d->device_budget - PVGPU_CHARGE_CONTEXT, piece;
	struct pvgpu_resource_create q;
	struct context_state s;
	struct gl gl;
	uint32_t i;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	EXPECT_OK(g, "another", context_create(g, 2));
	left -= PVGPU_CHARGE_CONTEXT + 4 * PVGPU_CHARGE_OBJECT;
	for (; left; left -= piece) {
		piece = left < 1u << 30 ? left : 1u << 30;
		q = surface_hollow(g, (uint32_t)piece);
		EXPECT_OK(g, "a part of the budget", surface_create(g, &q));
	}
	/* Room for four objects is left: three of them, … */
	stream_plain_state(&gl.s, 10);
	EXPECT_OK(g, "three", gl_run(&gl));
	/* … one in place of one, which has gone only when all is done, … */
	stream_begin(&gl.s);
	stream_destroy(&gl.s, VIRGL_OBJECT_DSA, 12);
	STREAM(&gl.s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_DSA, 13, 0, 0, 0, 0);
	EXPECT_OK(g, "one for one", gl_run(&gl));
	/* … and two that do not fit. */
	stream_begin(&gl.s);
	for (i = 0; i < 2; i++)
		STREAM(&gl.s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_DSA, 20 + i,
		       0, 0, 0, 0);
	EXPECT_ANSWER(g, "two", gl_run(&gl), PVGPU_STATUS_CONTEXT_LOST, 24);
	EXPECT_OK(g, "the other context", context_query(g, 2, &s));
	EXPECT(!s.flags && s.charged == PVGPU_CHARGE_CONTEXT,
	       "flags %u, charged %llu", s.flags,
	       (unsigned long long)s.charged);
	/* A context that goes gives back what it had. */
	EXPECT_OK(g, "destroy", context_destroy(g, 1));
	gl.context = 2;
	stream_begin(&gl.s);
	stream_sub_context(&gl.s, VIRGL_CREATE_SUB_CONTEXT, 7);
	stream_plain_state(&gl.s, 1);
	EXPECT_OK(g, "a sub-context and three in its place", gl_run(&gl));
	EXPECT_OK(g, "query", context_query(g, 2, &s));
	EXPECT(s.charged == 2 * PVGPU_CHARGE_CONTEXT + 3 * PVGPU_CHARGE_OBJECT,
	       "charged %llu", (unsigned long long)s.charged);
	stream_begin(&gl.s);
	stream_sub_context(&gl.s, VIRGL_CREATE_SUB_CONTEXT, 8);
	EXPECT_ANSWER(g, "another", gl_run(&gl), PVGPU_STATUS_CONTEXT_LOST, 0);
}

const struct test virgl_batch_tests[] = {
	{ "virgl-submit-refusals", refusals, false },
	{ "virgl-batch-refusals", common_refusals, false },
	{ "virgl-order-of-fences", order, false },
	{ "virgl-many-batches", many, false },
	{ "virgl-full-of-completions", full_of_completions, false },
	{ "virgl-fence-interrupts", fence_interrupts, false },
	{ "virgl-bad-streams", bad_streams, false },
	{ "virgl-renderer-refuses", renderer_refuses, false },
	{ "virgl-islands", islands, false },
	{ "virgl-not-attached", not_attached, false },
	{ "virgl-context-destroyed-meanwhile", destroyed_meanwhile, false },
	{ "virgl-streams-are-charged", streams_are_charged, false },
	{ NULL, NULL, false },
};
