// SPDX-License-Identifier: MIT
/*
 * What streams draw, a surface on a head, and a host that is in the middle of
 * it when something else happens: spec.md 10, 13.3 and 13.5.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "conform.h"
#include "virgl_guest.h"

#define SIDE 64u

static uint32_t pixel(const uint8_t *bytes, uint32_t x, uint32_t y)
{
	return pvgpu_load32((const void *)(bytes + (y * SIDE + x) * 4));
}

/* A target of SIDE x SIDE and all that is needed to draw into it. */
static bool begin(struct gl *gl, struct guest *g, uint32_t *ret_target,
		  uint32_t *ret_vertices, uint8_t **ret_bytes)
{
	if (!gl_begin(gl, g))
		return false;
	*ret_target = gl_target(gl, SIDE, SIDE, ret_bytes);
	*ret_vertices = gl_vertices(gl);
	if (!*ret_target || !*ret_vertices)
		return false;
	stream_surface(&gl->s, 1, *ret_target, VIRGL_B8G8R8A8, 0, 0);
	stream_framebuffer(&gl->s, 1);
	stream_viewport(&gl->s, SIDE, SIDE);
	stream_painter(&gl->s, 10, *ret_vertices);
	return true;
}

static void shapes(struct guest *g)
{
	static const float green[] = { 0, 1, 0, 1 }, blue[] = { 0, 0, 1, 1 };
	static const float left_low[] = { -1, -1, 0, 0 };
	static const float right[] = { 0.5f, -1, 1, 1 };
	uint32_t target, vertices;
	uint8_t *bytes;
	struct gl gl;

	EXPECT(begin(&gl, g, &target, &vertices, &bytes), "begin: status %u",
	       g->status);
	stream_clear(&gl.s, 1, 0, 0, 1);
	stream_rectangle(&gl.s, vertices, left_low, green);
	stream_rectangle(&gl.s, vertices, right, blue);
	EXPECT_OK(g, "draw", gl_run(&gl));
	EXPECT_OK(g, "read", gl_read(&gl, target, SIDE, SIDE));
	/* Row 0 is where y is -1. */
	EXPECT(pixel(bytes, 0, 0) == 0xff00ff00 &&
	       pixel(bytes, 31, 31) == 0xff00ff00, "left, low: %08x %08x",
	       pixel(bytes, 0, 0), pixel(bytes, 31, 31));
	EXPECT(pixel(bytes, 32, 0) == 0xffff0000 &&
	       pixel(bytes, 0, 32) == 0xffff0000 &&
	       pixel(bytes, 47, 63) == 0xffff0000, "the background");
	EXPECT(pixel(bytes, 48, 0) == 0xff0000ff &&
	       pixel(bytes, 63, 63) == 0xff0000ff, "right: %08x",
	       pixel(bytes, 48, 0));
}

static void copies(struct guest *g)
{
	static const float green[] = { 0, 1, 0, 1 };
	static const float low[] = { -1, -1, 1, 0 };
	const struct stream_box all = { 0, 0, 0, SIDE, SIDE, 1 };
	const struct stream_box part = { 0, 24, 0, 16, 16, 1 };
	const struct stream_box corner = { 32, 32, 0, 32, 32, 1 };
	uint32_t target, vertices, other;
	uint8_t *bytes, *others;
	struct gl gl;

	EXPECT(begin(&gl, g, &target, &vertices, &bytes), "begin: status %u",
	       g->status);
	other = gl_target(&gl, SIDE, SIDE, &others);
	EXPECT(other, "surface");
	stream_clear(&gl.s, 0, 0, 1, 1);
	stream_rectangle(&gl.s, vertices, low, green);
	stream_copy(&gl.s, other, 0, 0, target, &all);
	/* 16 rows from 24 on, to 32 rows from 32 on: half green, half blue. */
	stream_blit(&gl.s, other, &corner, target, &part, VIRGL_B8G8R8A8);
	EXPECT_OK(g, "draw", gl_run(&gl));
	EXPECT_OK(g, "read", gl_read(&gl, other, SIDE, SIDE));
	EXPECT(pixel(others, 0, 0) == 0xff00ff00 &&
	       pixel(others, 63, 31) == 0xff00ff00, "copied, low");
	EXPECT(pixel(others, 0, 32) == 0xff0000ff &&
	       pixel(others, 31, 63) == 0xff0000ff, "copied, high");
	EXPECT(pixel(others, 32, 32) == 0xff00ff00 &&
	       pixel(others, 63, 46) == 0xff00ff00, "blitted, low: %08x",
	       pixel(others, 32, 32));
	EXPECT(pixel(others, 32, 49) == 0xff0000ff &&
	       pixel(others, 63, 63) == 0xff0000ff, "blitted, high: %08x",
	       pixel(others, 63, 63));
}

/* Sub-contexts have bindings of their own, and share resources. */
static void sub_contexts(struct guest *g)
{
	uint32_t target, vertices, other;
	uint8_t *bytes, *others;
	struct gl gl;

	EXPECT(begin(&gl, g, &target, &vertices, &bytes), "begin: status %u",
	       g->status);
	other = gl_target(&gl, SIDE, SIDE, &others);
	EXPECT(other, "surface");
	stream_sub_context(&gl.s, VIRGL_CREATE_SUB_CONTEXT, 1);
	stream_sub_context(&gl.s, VIRGL_SET_SUB_CONTEXT, 1);
	stream_surface(&gl.s, 1, other, VIRGL_B8G8R8A8, 0, 0);
	stream_framebuffer(&gl.s, 1);
	stream_clear(&gl.s, 1, 1, 1, 1);
	stream_sub_context(&gl.s, VIRGL_SET_SUB_CONTEXT, 0);
	stream_clear(&gl.s, 0, 1, 0, 1);
	stream_sub_context(&gl.s, VIRGL_DESTROY_SUB_CONTEXT, 1);
	EXPECT_OK(g, "draw", gl_run(&gl));
	EXPECT_OK(g, "read", gl_read(&gl, target, SIDE, SIDE));
	EXPECT_OK(g, "read", gl_read(&gl, other, SIDE, SIDE));
	EXPECT(pixel(bytes, 9, 9) == 0xff00ff00, "the first: %08x",
	       pixel(bytes, 9, 9));
	EXPECT(pixel(others, 9, 9) == 0xffffffff, "the other: %08x",
	       pixel(others, 9, 9));
}

/* How many samples a rectangle passed: written into VRAM when it is known. */
static void queries(struct guest *g)
{
	static const float all[] = { -1, -1, 1, 0 }, red[] = { 1, 0, 0, 1 };
	struct pvgpu_resource_create q = surface_2d(g, VIRGL_R8, 16, 1);
	uint32_t target, vertices, result;
	uint8_t *bytes, *state;
	uint64_t until;
	struct gl gl;

	EXPECT(begin(&gl, g, &target, &vertices, &bytes), "begin: status %u",
	       g->status);
	q.target = pvgpu_cpu_to_le32(PVGPU_TARGET_BUFFER);
	q.bind = pvgpu_cpu_to_le32(VIRGL_BIND_CUSTOM);
	result = gl_surface(&gl, &q, 16, &state);
	EXPECT(result, "result: status %u", g->status);
	memset(state, 0, 16);
	STREAM(&gl.s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_QUERY, 50, 0, 0,
	       result);
	STREAM(&gl.s, VIRGL_BEGIN_QUERY, 0, 50);
	stream_rectangle(&gl.s, vertices, all, red);
	STREAM(&gl.s, VIRGL_END_QUERY, 0, 50);
	STREAM(&gl.s, VIRGL_GET_QUERY_RESULT, 0, 50, 1);
	EXPECT_OK(g, "draw", gl_run(&gl));
	stream_begin(&gl.s);
	stream_put(&gl.s, VIRGL_NOP, 0, NULL, 0);
	until = peer_now_ms() + ANSWER_MS;
	while (pvgpu_load32((void *)state) != 1) {
		EXPECT(peer_now_ms() < until, "state %u",
		       pvgpu_load32((void *)state));
		EXPECT_OK(g, "another batch", gl_run(&gl));
	}
	EXPECT(pvgpu_load32((void *)(state + 8)) == SIDE * SIDE / 2,
	       "%u samples", pvgpu_load32((void *)(state + 8)));
}

/* -------------------------------------------------------------- rewriting */

struct scribbler {
	uint32_t *words;
	uint32_t count;
	atomic_bool stop;
};

/* Turns commands into others and back, as fast as it can. */
static void *scribble(void *argument)
{
	struct scribbler *s = argument;
	uint32_t random = 4711, i;

	while (!atomic_load(&s->stop)) {
		i = xorshift(&random) % s->count;
		switch (xorshift(&random) % 4) {
		case 0:
			pvgpu_store32((void *)&s->words[i],
				      VIRGL_RESOURCE_MAKE | 11u << 16);
			break;
		case 1:
			pvgpu_store32((void *)&s->words[i], xorshift(&random));
			break;
		default:
			pvgpu_store32((void *)&s->words[i],
				      xorshift(&random) & 0xf00ff);
		}
	}
	return NULL;
}

/* The guest rewrites commands that it has sent: its own loss, at most. */
static void rewritten(struct guest *g)
{
	struct scribbler s = { 0 };
	uint32_t target, vertices, round, i;
	pthread_t thread;
	uint8_t *bytes;
	struct gl gl;

	EXPECT(begin(&gl, g, &target, &vertices, &bytes), "begin: status %u",
	       g->status);
	EXPECT_OK(g, "another", context_create(g, 2));
	gl.s.count = 0;
	stream_surface(&gl.s, 1, target, VIRGL_B8G8R8A8, 0, 0);
	for (i = 0; i < 400; i++) {
		stream_framebuffer(&gl.s, 1);
		stream_clear(&gl.s, 0, 1, 0, 1);
	}
	s.words = (void *)gl.bytes;
	s.count = gl.s.count;
	EXPECT(!pthread_create(&thread, NULL, scribble, &s), "thread");
	for (round = 0; round < 60; round++) {
		gl.used = 0;
		for (i = 0; i < 4; i++) {
			gl.used = 0;
			if (!gl_submit(&gl, 0))
				break;
		}
		if (guest_finish(g, 1))
			break;
		if (context_destroy(g, 1) || context_create(g, 1) ||
		    context_attach(g, 1, target))
			break;
		while (pvgpu_client_take(&g->client, 1, g->reply) > 0)
			;
	}
	atomic_store(&s.stop, true);
	pthread_join(thread, NULL);
	EXPECT(round == 60, "round %u: status %u", round, g->status);
	/* The other one has not noticed. */
	gl.context = 2;
	EXPECT_OK(g, "attach", context_attach(g, 2, target));
	stream_begin(&gl.s);
	stream_surface(&gl.s, 1, target, VIRGL_B8G8R8A8, 0, 0);
	stream_framebuffer(&gl.s, 1);
	stream_clear(&gl.s, 1, 0, 0, 1);
	EXPECT_OK(g, "draw", gl_run(&gl));
	EXPECT_OK(g, "read", gl_read(&gl, target, SIDE, SIDE));
	EXPECT(pixel(bytes, 5, 5) == 0xffff0000, "%08x", pixel(bytes, 5, 5));
}

/* ------------------------------------------------------------ in between */

/* Work for a while: large clears and rectangles, without waiting. */
static bool work(struct gl *gl, uint32_t surface, uint32_t vertices,
		 uint32_t batches)
{
	static const float all[] = { -1, -1, 1, 1 }, grey[] = { 1, 1, 1, 1 };

	stream_begin(&gl->s);
	stream_surface(&gl->s, 90, surface, VIRGL_B8G8R8A8, 0, 0);
	stream_framebuffer(&gl->s, 90);
	stream_viewport(&gl->s, 1024, 1024);
	for (uint32_t i = 0; i < 10; i++) {
		stream_clear(&gl->s, 0, 0, (float)i / 10, 1);
		stream_rectangle(&gl->s, vertices, all, grey);
	}
	while (batches--)
		if (!gl_submit(gl, 0))
			return false;
	return true;
}

/* A guest attaches while the last one's drawing is under way. */
static void attached_meanwhile(struct guest *g)
{
	uint32_t target, vertices, large, round;
	struct context_state s;
	uint8_t *bytes;
	uint64_t start;
	struct gl gl;

	for (round = 0; round < 5; round++) {
		EXPECT(begin(&gl, g, &target, &vertices, &bytes),
		       "round %u: status %u", round, g->status);
		EXPECT_OK(g, "set up", gl_run(&gl));
		large = gl_target(&gl, 1024, 1024, NULL);
		EXPECT(large, "surface");
		EXPECT(work(&gl, large, vertices, 30), "room");
		if (round % 2)
			guest_ping(g);
		start = peer_now_ms();
		EXPECT(!guest_attach(g, ~0ull), "round %u: attach", round);
		EXPECT(peer_now_ms() - start < 5000, "round %u: %llu ms",
		       round, (unsigned long long)(peer_now_ms() - start));
		/* Nothing of it is left. */
		EXPECT_ANSWER(g, "its context", context_query(g, 1, &s),
			      PVGPU_STATUS_NOT_FOUND, 16);
		EXPECT(pvgpu_client_fence(&g->client, 1, NULL) == 0,
		       "a fence of a channel that is closed");
	}
	EXPECT(begin(&gl, g, &target, &vertices, &bytes), "begin: status %u",
	       g->status);
	stream_clear(&gl.s, 1, 1, 0, 1);
	EXPECT_OK(g, "draw", gl_run(&gl));
	EXPECT_OK(g, "read", gl_read(&gl, target, SIDE, SIDE));
	EXPECT(pixel(bytes, 5, 5) == 0xffffff00, "%08x", pixel(bytes, 5, 5));
}

/* The control queue and channels of other classes do not wait for drawing. */
static void nobody_waits(struct guest *g)
{
	uint32_t target, vertices, large, i;
	struct pvgpu_submit nop = { 0 };
	uint64_t start, slowest = 0;
	uint8_t *bytes;
	struct gl gl;

	EXPECT(begin(&gl, g, &target, &vertices, &bytes), "begin: status %u",
	       g->status);
	EXPECT_OK(g, "set up", gl_run(&gl));
	large = gl_target(&gl, 1024, 1024, NULL);
	EXPECT(large, "surface");
	EXPECT_OK(g, "open", guest_open(g, 2));
	EXPECT(work(&gl, large, vertices, 40), "room");
	for (i = 0; i < 20; i++) {
		start = peer_now_ms();
		EXPECT_OK(g, "context", context_create(g, 100 + i));
		EXPECT(guest_submit(g, 2, PVGPU_OP_COPY_NOP, 0, &nop,
				    sizeof(nop)), "room");
		EXPECT(!guest_finish(g, 2), "a fence of COPY");
		if (peer_now_ms() - start > slowest)
			slowest = peer_now_ms() - start;
	}
	EXPECT(pvgpu_client_fence(&g->client, 1, NULL) < g->fences[1],
	       "the drawing was too short to show anything");
	EXPECT(slowest < 500, "one waited for %llu ms",
	       (unsigned long long)slowest);
	EXPECT(!guest_finish(g, 1), "the drawing");
}

/* A surface is there for the batches that were sent before it went. */
static void destroyed_in_use(struct guest *g)
{
	uint32_t target, vertices, round;
	uint8_t *bytes;
	struct gl gl;

	EXPECT(begin(&gl, g, &target, &vertices, &bytes), "begin: status %u",
	       g->status);
	EXPECT_OK(g, "set up", gl_run(&gl));
	for (round = 0; round < 10; round++) {
		uint32_t large = gl_target(&gl, 512, 512, NULL);

		EXPECT(large, "surface");
		EXPECT(work(&gl, large, vertices, 3), "room");
		EXPECT_OK(g, "destroy", guest_destroy(g, large));
		EXPECT(pvgpu_client_fence(&g->client, 1, NULL) ==
		       g->fences[1], "destroyed before its batches");
		EXPECT(!guest_completion(g, 1, 0), "a batch was refused: "
		       "status %u", g->status);
	}
}

/* Many surfaces are destroyed behind drawing: nobody else waits for that. */
static void many_destroyed_in_use(struct guest *g)
{
	enum { COUNT = 200 };
	uint32_t target, vertices, large, names[COUNT], i;
	uint8_t *bytes;
	uint64_t start;
	struct gl gl;

	EXPECT(begin(&gl, g, &target, &vertices, &bytes), "begin: status %u",
	       g->status);
	EXPECT_OK(g, "set up", gl_run(&gl));
	large = gl_target(&gl, 1024, 1024, NULL);
	EXPECT(large, "surface");
	for (i = 0; i < COUNT; i++) {
		struct pvgpu_resource_create q = surface_2d(g, VIRGL_B8G8R8A8,
							    8, 8);

		names[i] = gl_surface(&gl, &q, 0, NULL);
		EXPECT(names[i], "surface %u", i);
	}
	EXPECT(work(&gl, large, vertices, 40), "room");
	for (i = 0; i < COUNT; i++) {
		struct pvgpu_resource_destroy q = {
			.msg.opcode = pvgpu_cpu_to_le16(
				PVGPU_OP_RESOURCE_DESTROY),
			.resource = pvgpu_cpu_to_le32(names[i]),
		};

		EXPECT(!pvgpu_client_send(&g->client, PVGPU_QUEUE_CONTROL, &q,
					  sizeof(q)), "room for %u", i);
	}
	pvgpu_client_flush(&g->client, PVGPU_QUEUE_CONTROL);
	start = peer_now_ms();
	EXPECT_OK(g, "context", context_create(g, 2));
	EXPECT(pvgpu_client_fence(&g->client, 1, NULL) < g->fences[1],
	       "who asked waited for %llu ms, until all was drawn",
	       (unsigned long long)(peer_now_ms() - start));
	EXPECT(!guest_finish(g, 1), "the drawing");
	for (i = 0; i < COUNT; i++)
		EXPECT(guest_completion(g, PVGPU_QUEUE_CONTROL, ANSWER_MS) &&
		       !g->status, "destroyed %u: status %u", i, g->status);
}

/* Waits until the batch of that fence is done, and the next one begun. */
static bool begun(struct guest *g, uint64_t fence)
{
	uint64_t until = peer_now_ms() + ANSWER_MS;

	while (pvgpu_client_fence(&g->client, 1, NULL) < fence)
		if (peer_now_ms() > until)
			return false;
	return true;
}

/* One context ends while another draws: the other's fence is reached, although
 * nothing comes behind it. */
static void another_ends(struct guest *g)
{
	uint32_t target, vertices, large, round;
	uint8_t *bytes;
	struct gl gl;

	EXPECT(begin(&gl, g, &target, &vertices, &bytes), "begin: status %u",
	       g->status);
	EXPECT_OK(g, "set up", gl_run(&gl));
	large = gl_target(&gl, 1024, 1024, NULL);
	EXPECT(large, "surface");
	for (round = 0; round < 10; round++) {
		EXPECT_OK(g, "another", context_create(g, 2));
		EXPECT(work(&gl, large, vertices, 2), "room");
		/* In the middle of the second. */
		EXPECT(begun(g, g->fences[1] - 1), "round %u: the first", round);
		EXPECT_OK(g, "ends", context_destroy(g, 2));
		EXPECT(!guest_finish(g, 1), "round %u: its fence", round);
	}
}

/* A context ends before what it draws: that is over, one way or the other. */
static void ends_before_it_drew(struct guest *g)
{
	uint32_t target, vertices, large, round;
	uint8_t *bytes;
	struct gl gl;

	for (round = 0; round < 5; round++) {
		EXPECT(begin(&gl, g, &target, &vertices, &bytes),
		       "round %u: status %u", round, g->status);
		EXPECT_OK(g, "set up", gl_run(&gl));
		large = gl_target(&gl, 1024, 1024, NULL);
		EXPECT(large, "surface");
		EXPECT(work(&gl, large, vertices, 20), "room");
		EXPECT(begun(g, g->fences[1] - 15), "round %u: the first", round);
		EXPECT_OK(g, "ends", context_destroy(g, gl.context));
		EXPECT(!guest_finish(g, 1), "round %u: its fences", round);
		EXPECT_OK(g, "destroy", guest_destroy(g, large));
		EXPECT(!guest_attach(g, ~0ull), "attach");
	}
}

/* ---------------------------------------------------------------- heads */

/* What picture.py compares with. */
static uint32_t pattern(uint32_t head, uint32_t x, uint32_t y)
{
	return 0xff000000 | ((x * 3 + head * 50) & 255) << 16 |
	       ((y * 5) & 255) << 8 | ((x + y) & 255);
}

/* A surface with the pattern of head 0, with or without a flag. */
static uint32_t painted(struct gl *gl, uint32_t width, uint32_t height,
			uint32_t flags)
{
	struct pvgpu_resource_create q = surface_2d(gl->g, VIRGL_B8G8R8A8,
						    width, height);
	struct transfer t = { .box = { 0, 0, 0, width, height, 1 } };
	uint8_t *bytes;
	uint32_t x, y;

	q.flags = pvgpu_cpu_to_le32(flags);
	t.resource = gl_surface(gl, &q, (uint64_t)width * height * 4, &bytes);
	if (!t.resource)
		return 0;
	for (y = 0; y < height; y++)
		for (x = 0; x < width; x++)
			pvgpu_store32((void *)(bytes + (y * width + x) * 4),
				      pattern(0, x, y));
	if (gl_transfer(gl, PVGPU_OP_VIRGL_TRANSFER_TO, &t))
		return 0;
	/* The VRAM behind it is not what is shown. */
	memset(bytes, 0x55, (size_t)width * height * 4);
	return t.resource;
}

static int show(struct guest *g, uint32_t surface, uint32_t width,
		uint32_t height, uint32_t cursor)
{
	struct pvgpu_commit_plane *p;
	struct commit c;

	commit_begin(&c);
	commit_head(&c, 0, width, height, 60000);
	p = commit_plane(&c, 0, 0, surface, PVGPU_FORMAT_XRGB8888, width,
			 height, 0, 0);
	p->stride = 0;
	if (cursor) {
		p = commit_plane(&c, 0, g->d->planes - 1, cursor,
				 PVGPU_FORMAT_ARGB8888, 32, 32, 100, 60);
		p->stride = 0;
		p->blend = pvgpu_cpu_to_le16(PVGPU_BLEND_PREMULTIPLIED);
	}
	return guest_commit(g, &c);
}

/* picture.py's cursor: opaque orange, and clear where x < y. */
static uint32_t pointer(struct gl *gl)
{
	struct transfer t = { .box = { 0, 0, 0, 32, 32, 1 } };
	uint8_t *bytes;
	uint32_t i;

	t.resource = gl_target(gl, 32, 32, &bytes);
	for (i = 0; i < 32 * 32; i++)
		pvgpu_store32((void *)(bytes + i * 4),
			      i % 32 < i / 32 ? 0 : 0xffff8000);
	return t.resource && !gl_transfer(gl, PVGPU_OP_VIRGL_TRANSFER_TO, &t) ?
	       t.resource : 0;
}

static int look(uint32_t width, uint32_t height)
{
	char command[4096];
	int status;

	snprintf(command, sizeof(command), "%s 0 %u %u", screenshot_command,
		 width, height);
	status = system(command);
	return status != -1 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void on_a_head(struct guest *g)
{
	uint32_t surface, cursor, flags;
	struct gl gl;

	EXPECT(screenshot_command, "needs --screenshot");
	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	cursor = pointer(&gl);
	EXPECT(cursor, "cursor: status %u", g->status);
	for (flags = 0; flags <= PVGPU_SURFACE_Y_0_TOP; flags++) {
		surface = painted(&gl, 640, 480, flags);
		EXPECT(surface, "surface: status %u", g->status);
		EXPECT_OK(g, "show", show(g, surface, 640, 480, cursor));
		EXPECT(!look(640, 480), "flags %u: another picture", flags);
		EXPECT_ANSWER(g, "while it is shown",
			      guest_destroy(g, surface), PVGPU_STATUS_BUSY,
			      16);
	}
	/* Also where its context is gone, and the one that drew it lost. */
	EXPECT_OK(g, "destroy", context_destroy(g, 1));
	EXPECT(!look(640, 480), "without the context: another picture");
}

static void *look_often(void *argument)
{
	atomic_int *looks = argument;

	while (*looks < 4) {
		look(640, 480);		/* of whatever is there just now */
		++*looks;
	}
	return NULL;
}

/* Flips and drawing while somebody looks: none of them gets stuck. */
static void looked_at_meanwhile(struct guest *g)
{
	uint32_t surface[2], vertices, large, n = 0;
	atomic_int looks = 0;
	pthread_t thread;
	uint8_t *bytes;
	struct gl gl;

	EXPECT(screenshot_command, "needs --screenshot");
	EXPECT(begin(&gl, g, &large, &vertices, &bytes), "begin: status %u",
	       g->status);
	EXPECT_OK(g, "set up", gl_run(&gl));
	surface[0] = painted(&gl, 640, 480, 0);
	surface[1] = painted(&gl, 640, 480, 0);
	large = gl_target(&gl, 1024, 1024, NULL);
	EXPECT(surface[0] && surface[1] && large, "surfaces");
	EXPECT_OK(g, "show", show(g, surface[0], 640, 480, 0));
	EXPECT(!pthread_create(&thread, NULL, look_often, &looks), "thread");
	while (atomic_load(&looks) < 4 && !conform_failed()) {
		if (n % 8 == 0 && !work(&gl, large, vertices, 1))
			guest_finish(g, 1);
		conform_answered(g, __FILE__, __LINE__, "flip",
				 show(g, surface[++n % 2], 640, 480, 0), 0, 0);
		/* The one that is not shown any more may go at once. */
		if (n == 50 && !conform_failed()) {
			conform_answered(g, __FILE__, __LINE__, "destroy",
					 guest_destroy(g, surface[1]), 0, 0);
			surface[1] = painted(&gl, 640, 480, 0);
		}
	}
	pthread_join(thread, NULL);
	if (!conform_failed())
		EXPECT(!guest_finish(g, 1), "the drawing");
}

/* Refusals of planes that show a surface: spec.md 10.1, step 6. */
static void plane_refusals(struct guest *g)
{
	struct pvgpu_resource_create q;
	struct pvgpu_commit_plane *p;
	uint32_t good, i;
	struct commit c;
	const struct {
		uint32_t format, target, samples, shown;
		uint32_t status, detail;
	} kinds[] = {
		{ VIRGL_B8G8R8A8, 2, 1, PVGPU_FORMAT_ARGB8888, 0, 0 },
		{ VIRGL_B8G8R8X8, 5, 1, PVGPU_FORMAT_XRGB8888, 0, 0 },
		{ VIRGL_R8G8B8A8, 2, 1, PVGPU_FORMAT_XBGR8888, 0, 0 },
		{ VIRGL_B5G6R5, 2, 1, PVGPU_FORMAT_RGB565, 0, 0 },
		{ VIRGL_R8G8B8A8, 2, 1, PVGPU_FORMAT_XRGB8888,
		  PVGPU_STATUS_UNSUPPORTED, 12 },
		{ VIRGL_B5G6R5, 2, 1, PVGPU_FORMAT_XRGB8888,
		  PVGPU_STATUS_UNSUPPORTED, 12 },
		{ VIRGL_R8, 2, 1, PVGPU_FORMAT_XRGB8888,
		  PVGPU_STATUS_UNSUPPORTED, 12 },
		{ VIRGL_B8G8R8A8, 2, 1, 0x12345678, PVGPU_STATUS_UNSUPPORTED,
		  12 },
		{ VIRGL_B8G8R8A8, 2, 4, PVGPU_FORMAT_XRGB8888,
		  PVGPU_STATUS_INVALID, 8 },
		{ VIRGL_B8G8R8A8, 7, 1, PVGPU_FORMAT_XRGB8888,
		  PVGPU_STATUS_INVALID, 8 },
		{ VIRGL_B8G8R8A8, 3, 1, PVGPU_FORMAT_XRGB8888,
		  PVGPU_STATUS_INVALID, 8 },
	};
	/* In the order of the checks, from the last to the first. */
	static const struct {
		uint32_t at, value, status, detail;
	} changes[] = {
		{ 36, 65536, PVGPU_STATUS_RANGE, 36 },	/* src_x */
		{ 32, 101, PVGPU_STATUS_RANGE, 32 },	/* height */
		{ 28, 101, PVGPU_STATUS_RANGE, 28 },	/* width */
		{ 24, 400, PVGPU_STATUS_INVALID, 24 },	/* stride */
		{ 20, 1, PVGPU_STATUS_INVALID, 16 },	/* offset */
		{ 16, 4, PVGPU_STATUS_INVALID, 16 },
		{ 32, 0, PVGPU_STATUS_INVALID, 32 },
		{ 28, 0, PVGPU_STATUS_INVALID, 28 },
	};
	const uint32_t base = 40 + 64;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char what[48];

		q = surface_2d(g, kinds[i].format, 100, 100);
		q.target = pvgpu_cpu_to_le32(kinds[i].target);
		q.samples = pvgpu_cpu_to_le32(kinds[i].samples);
		EXPECT_OK(g, "surface", surface_create(g, &q));
		commit_begin(&c);
		commit_head(&c, 0, 640, 480, 60000);
		p = commit_plane(&c, 0, 0, pvgpu_le32_to_cpu(q.resource),
				 kinds[i].shown, 100, 100, 0, 0);
		p->stride = 0;
		snprintf(what, sizeof(what), "format %u, target %u",
			 kinds[i].format, kinds[i].target);
		EXPECT_ANSWER(g, what, guest_commit(g, &c), kinds[i].status,
			      kinds[i].detail ? kinds[i].detail + base : 0);
	}
	q = surface_2d(g, VIRGL_B8G8R8A8, 100, 100);
	good = pvgpu_le32_to_cpu(q.resource);
	EXPECT_OK(g, "surface", surface_create(g, &q));
	commit_begin(&c);
	commit_head(&c, 0, 640, 480, 60000);
	p = commit_plane(&c, 0, 0, good, PVGPU_FORMAT_XRGB8888, 100, 100, 0,
			 0);
	p->stride = 0;
	EXPECT_OK(g, "show", guest_commit(g, &c));
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		pvgpu_le32 word = pvgpu_cpu_to_le32(changes[i].value);
		char what[48];

		memcpy((uint8_t *)p + changes[i].at, &word, sizeof(word));
		snprintf(what, sizeof(what), "word %u = %u", changes[i].at,
			 changes[i].value);
		EXPECT_ANSWER(g, what, guest_commit(g, &c), changes[i].status,
			      changes[i].detail + base);
	}
	/* A part of a surface is a framebuffer too. */
	commit_begin(&c);
	commit_head(&c, 0, 640, 480, 60000);
	commit_plane(&c, 0, 0, good, PVGPU_FORMAT_XRGB8888, 60, 50, -10,
		     470)->stride = 0;
	EXPECT_OK(g, "a part of it", guest_commit(g, &c));
}

const struct test virgl_draw_tests[] = {
	{ "virgl-draw-rectangles", shapes, false },
	{ "virgl-draw-copies", copies, false },
	{ "virgl-draw-sub-contexts", sub_contexts, false },
	{ "virgl-draw-queries", queries, false },
	{ "virgl-commands-rewritten", rewritten, false },
	{ "virgl-attached-meanwhile", attached_meanwhile, false },
	{ "virgl-nobody-waits-for-drawing", nobody_waits, false },
	{ "virgl-destroyed-in-use", destroyed_in_use, false },
	{ "virgl-many-destroyed-in-use", many_destroyed_in_use, false },
	{ "virgl-another-ends", another_ends, false },
	{ "virgl-ends-before-it-drew", ends_before_it_drew, false },
	{ "virgl-plane-refusals", plane_refusals, false },
	{ NULL, NULL, false },
};

/* With --screenshot. */
const struct test virgl_look_tests[] = {
	{ "virgl-surface-on-a-head", on_a_head, false },
	{ "virgl-looked-at-meanwhile", looked_at_meanwhile, false },
	{ NULL, NULL, false },
};
