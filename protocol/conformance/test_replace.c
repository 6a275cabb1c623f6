// SPDX-License-Identifier: MIT
/*
 * The host's process dies and is replaced: spec.md 5.4. Only with a command
 * that kills it.
 */
#include <stdlib.h>
#include <sys/wait.h>

#include "conform.h"

static const struct pvgpu_host_block *host(struct guest *g)
{
	return (const void *)(g->peer.window + g->d->host_offset);
}

static bool kill_host(void)
{
	int status = system(replace_command);

	return status != -1 && WIFEXITED(status) && !WEXITSTATUS(status);
}

static void replaced(struct guest *g)
{
	uint64_t nonce = pvgpu_load64(&host(g)->nonce);
	uint32_t generation = g->client.generation, v;
	uint64_t until;

	EXPECT(guest_resource(g, 4096, NULL), "resource");
	EXPECT_OK(g, "open", guest_open(g, 1));
	for (v = 0; v < g->d->vectors; v++)
		while (peer_interrupted(&g->peer, v, 0))
			;
	EXPECT(kill_host(), "%s", replace_command);
	until = peer_now_ms() + 3 * ANSWER_MS;
	while (pvgpu_client_attached(&g->client)) {
		EXPECT(peer_now_ms() < until, "nothing replaced it");
		peer_interrupted(&g->peer, 0, 50);
	}
	for (v = 1; v < g->d->vectors; v++)
		EXPECT(peer_interrupted(&g->peer, v, ANSWER_MS),
		       "no interrupt on vector %u", v);
	EXPECT(pvgpu_load32(&host(g)->state) == PVGPU_STATE_LOST, "state %u",
	       pvgpu_load32(&host(g)->state));
	EXPECT(pvgpu_load32(&host(g)->generation) > generation,
	       "generation %u after %u", pvgpu_load32(&host(g)->generation),
	       generation);
	EXPECT(pvgpu_load64(&host(g)->nonce) == nonce, "another nonce");
	EXPECT(guest_ping(g) == PVGPU_CLIENT_LOST, "the ping");

	EXPECT(guest_attach(g, ~0ull) == 0, "attach");
	EXPECT_OK(g, "ping", guest_ping(g));
	EXPECT_ANSWER(g, "destroy what is lost", guest_destroy(g, 1),
		      PVGPU_STATUS_NOT_FOUND, 16);
	EXPECT(guest_resource(g, g->d->vram_size, NULL), "VRAM is charged");
}

/* Its doorbell falls into the gap, and is answered all the same. */
static void attach_in_the_gap(struct guest *g)
{
	uint32_t round, generation;

	for (round = 0; round < 3; round++) {
		generation = g->client.generation;
		EXPECT(kill_host(), "%s", replace_command);
		EXPECT(guest_attach(g, ~0ull) == 0, "attach, round %u", round);
		/* What was answered just before it died may be over. */
		if (guest_ping(g) == PVGPU_CLIENT_LOST)
			EXPECT(guest_attach(g, ~0ull) == 0, "attach again");
		EXPECT_OK(g, "ping", guest_ping(g));
		EXPECT(g->client.generation > generation,
		       "generation %u after %u", g->client.generation,
		       generation);
	}
}

const struct test replace_tests[] = {
	{ "host-replaced", replaced, false },
	{ "host-replaced-while-attaching", attach_in_the_gap, false },
	{ NULL, NULL, false },
};
