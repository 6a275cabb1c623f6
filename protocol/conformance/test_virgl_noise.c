// SPDX-License-Identifier: MIT
/*
 * A guest that renders without manners, of fixed seeds: it does itself harm
 * and the host none. Every batch is answered, and a context that is made
 * afterwards draws what it should.
 */
#include "conform.h"
#include "virgl_noise.h"

#define STEPS 2000u

/* All that was sent is answered, and the host holds the attachment. */
static void settle(struct guest *g)
{
	uint64_t until = peer_now_ms() + 6 * ANSWER_MS;

	while (pvgpu_client_fence(&g->client, NOISE_CHANNEL, NULL) <
	       g->fences[NOISE_CHANNEL]) {
		while (pvgpu_client_take(&g->client, NOISE_CHANNEL,
					 g->reply) > 0)
			;
		while (pvgpu_client_take(&g->client, 0, g->reply) > 0)
			;
		EXPECT(pvgpu_client_attached(&g->client),
		       "the attachment is lost");
		EXPECT(peer_now_ms() < until, "stuck at %llu of %llu",
		       (unsigned long long)pvgpu_client_fence(&g->client,
					NOISE_CHANNEL, NULL),
		       (unsigned long long)g->fences[NOISE_CHANNEL]);
		peer_interrupted(&g->peer, pvgpu_device_vector(g->d,
					NOISE_CHANNEL), 5);
	}
}

static void noise(struct guest *g)
{
	static const uint32_t seeds[] = { 3, 1009, 0xcafe };
	static struct virgl_noise n;
	struct pvgpu_resource_create q;
	struct gl gl;
	uint8_t *bytes;
	uint32_t i, target, sent;

	for (i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
		EXPECT(!guest_attach(g, ~0ull), "seed %u: attach", seeds[i]);
		EXPECT(noise_begin(&n, g, seeds[i]), "seed %u: status %u",
		       seeds[i], g->status);
		for (sent = 0; sent < STEPS;) {
			sent += noise_step(&n);
			EXPECT(pvgpu_client_attached(&g->client),
			       "seed %u: lost after %u", seeds[i], sent);
		}
		settle(g);
		if (conform_failed())
			return;
		/* Room for one more: of what it made, something goes. */
		for (uint32_t name = 100; name < 2200; name++)
			guest_destroy(g, name);
		EXPECT_OK(g, "ping", guest_ping(g));
		gl = (struct gl){ .g = g, .context = 5000,
				  .channel = NOISE_CHANNEL };
		EXPECT_OK(g, "context", context_create(g, gl.context));
		g->next_name = 5000;
		gl.commands = guest_resource(g, 1u << 20, &gl.bytes);
		EXPECT(gl.commands, "resource: status %u", g->status);
		q = surface_2d(g, VIRGL_B8G8R8A8, 64, 64);
		target = gl_surface(&gl, &q, 64 * 64 * 4, &bytes);
		EXPECT(target, "surface: status %u, detail %u", g->status,
		       g->detail);
		stream_surface(&gl.s, 1, target, VIRGL_B8G8R8A8, 0, 0);
		stream_framebuffer(&gl.s, 1);
		stream_clear(&gl.s, 0, 1, 0, 1);
		EXPECT_OK(g, "draw", gl_run(&gl));
		EXPECT_OK(g, "read", gl_read(&gl, target, 64, 64));
		EXPECT(pvgpu_load32((void *)(bytes + 4096)) == 0xff00ff00,
		       "seed %u: %08x", seeds[i],
		       pvgpu_load32((void *)(bytes + 4096)));
	}
}

const struct test virgl_noise_tests[] = {
	{ "virgl-noise", noise, true },
	{ NULL, NULL, false },
};
