// SPDX-License-Identifier: MIT
/*
 * Rendering ends with the process that does it, and begins again with the
 * next: where it is killed, and where it ends by itself because a batch does
 * not. spec.md 5.2, 5.4 and 13.
 */
#include <stdlib.h>
#include <sys/wait.h>

#include "conform.h"
#include "virgl_guest.h"

#define SIDE		4096u
#define RECTANGLES	250u		/* of a stream: it must fit */
#define STREAMS		60u
#define END_MS		20000u		/* a renderer's time, and a new one's */

/* Sends minutes of drawing. */
static bool draw_for_long(struct gl *gl)
{
	static const float all[] = { -1, -1, 1, 1 };
	/* Enabled, one and one of colours and alpha, all of them written. */
	const uint32_t blend = 1 | 1 << 4 | 1 << 9 | 1 << 17 | 1 << 22 |
			       0xfu << 27;
	uint32_t vertices = gl_vertices(gl), target, i;
	uint64_t at;

	target = gl_target(gl, SIDE, SIDE, NULL);
	if (!target || !vertices)
		return false;
	stream_begin(&gl->s);
	stream_surface(&gl->s, 1, target, VIRGL_B8G8R8A8, 0, 0);
	stream_framebuffer(&gl->s, 1);
	stream_viewport(&gl->s, SIDE, SIDE);
	stream_painter(&gl->s, 10, vertices);
	/* Added to what is there: a renderer leaves out what is drawn over. */
	STREAM(&gl->s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_BLEND, 40, 0, 0,
	       blend, blend, blend, blend, blend, blend, blend, blend);
	STREAM(&gl->s, VIRGL_BIND_OBJECT, VIRGL_OBJECT_BLEND, 40);
	if (gl_run(gl))
		return false;
	stream_begin(&gl->s);
	for (i = 0; i < RECTANGLES; i++) {
		const float rgba[] = { 0, (float)i / RECTANGLES, 1, 1 };

		stream_rectangle(&gl->s, vertices, all, rgba);
	}
	/* All of them from the same place, where the same words lie. */
	at = gl->used;
	for (i = 0; i < STREAMS; i++) {
		gl->used = at;
		if (!gl_submit(gl, 0))
			return false;
	}
	return true;
}

/* The next attachment renders as if nothing had been. */
static void draws_again(struct guest *g)
{
	struct context_state s;
	struct gl gl;
	uint32_t target;
	uint8_t *bytes;

	EXPECT_ANSWER(g, "its context", context_query(g, 1, &s),
		      PVGPU_STATUS_NOT_FOUND, 16);
	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	target = gl_target(&gl, 16, 16, &bytes);
	EXPECT(target, "surface: status %u", g->status);
	stream_surface(&gl.s, 1, target, VIRGL_B8G8R8A8, 0, 0);
	stream_framebuffer(&gl.s, 1);
	stream_clear(&gl.s, 0, 1, 1, 1);
	EXPECT_OK(g, "draw", gl_run(&gl));
	EXPECT_OK(g, "read", gl_read(&gl, target, 16, 16));
	EXPECT(pvgpu_load32((void *)bytes) == 0xff00ffff, "%08x",
	       pvgpu_load32((void *)bytes));
}

/* GL has no way to stop a batch, and a guest that attaches is answered all
 * the same. */
static void does_not_end(struct guest *g)
{
	const struct pvgpu_hello hello = {
		.guest_os = PVGPU_GUEST_TEST, .features = ~0ull,
		.driver_name = "pvgpu-conform", .os_name = "none",
	};
	uint64_t start;
	struct gl gl;
	int ret;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	EXPECT(draw_for_long(&gl), "drawing: status %u", g->status);
	EXPECT(!guest_completion(g, 1, 100), "refused: status %u", g->status);
	start = peer_now_ms();
	ret = pvgpu_client_attach(&g->client, &hello, END_MS);
	EXPECT(!ret, "attach: %d after %llu ms", ret,
	       (unsigned long long)(peer_now_ms() - start));
	/* What was answered just before it ended may be over. */
	EXPECT(!guest_attach(g, ~0ull), "attach again");
	draws_again(g);
}

static void killed(struct guest *g)
{
	uint64_t until;
	uint64_t fence;
	struct gl gl;
	int status;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	EXPECT(draw_for_long(&gl), "drawing: status %u", g->status);
	status = system(replace_command);
	EXPECT(status != -1 && WIFEXITED(status) && !WEXITSTATUS(status),
	       "%s", replace_command);
	until = peer_now_ms() + END_MS;
	while (pvgpu_client_attached(&g->client)) {
		EXPECT(peer_now_ms() < until, "nothing replaced it");
		peer_interrupted(&g->peer, 0, 50);
	}
	fence = pvgpu_client_fence(&g->client, 1, NULL);
	EXPECT(fence < g->fences[1], "fences of the dead: %llu",
	       (unsigned long long)fence);
	EXPECT(!guest_attach(g, ~0ull), "attach");
	draws_again(g);
}

const struct test virgl_replace_tests[] = {
	{ "virgl-host-killed", killed, false },
	{ "virgl-drawing-without-end", does_not_end, false },
	{ NULL, NULL, false },
};
