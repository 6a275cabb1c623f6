// SPDX-License-Identifier: MIT
/*
 * What a vGPU says about rendering, and what is refused where it is not
 * offered or was not wanted: spec.md 4, 9.3 and 13.
 */
#include "conform.h"
#include "virgl_guest.h"

static void whole_or_not(struct guest *g)
{
	const struct pvgpu_device *d = g->d;
	bool offered = d->features & PVGPU_FEATURE_VIRGL;
	bool class = d->channel_classes & 1u << PVGPU_CHANNEL_VIRGL;

	EXPECT(offered == class, "feature %d, class %d", offered, class);
	EXPECT(offered == !!d->capsets, "feature %d, capability sets 0x%x",
	       offered, d->capsets);
	EXPECT(offered == !!d->max_contexts, "feature %d, %u contexts",
	       offered, d->max_contexts);
	EXPECT(offered == !!d->max_commands, "feature %d, commands of %u",
	       offered, d->max_commands);
	EXPECT(d->max_commands % 4 == 0, "commands of %u", d->max_commands);
	EXPECT(!(d->capsets & ~(1u << PVGPU_CAPSET_VIRGL |
				1u << PVGPU_CAPSET_VIRGL2)),
	       "capability sets 0x%x", d->capsets);
	EXPECT(g->client.features == d->features, "granted 0x%llx of 0x%llx",
	       (unsigned long long)g->client.features,
	       (unsigned long long)d->features);
}

/* All that there is of it is answered as if there were no such thing. */
static void refused(struct guest *g)
{
	static const struct {
		const char *what;
		uint16_t opcode;
		uint32_t length;
	} requests[] = {
		{ "CAPSET", PVGPU_OP_CAPSET, 32 },
		{ "CONTEXT_CREATE", PVGPU_OP_CONTEXT_CREATE, 88 },
		{ "CONTEXT_DESTROY", PVGPU_OP_CONTEXT_DESTROY, 24 },
		{ "CONTEXT_ATTACH", PVGPU_OP_CONTEXT_ATTACH, 24 },
		{ "CONTEXT_DETACH", PVGPU_OP_CONTEXT_DETACH, 24 },
		{ "CONTEXT_QUERY", PVGPU_OP_CONTEXT_QUERY, 24 },
	};
	struct pvgpu_resource_create q = surface_2d(g, VIRGL_B8G8R8A8, 64,
						    64);
	_Alignas(8) uint8_t message[88];
	struct pvgpu_submit nop = { 0 };
	uint32_t i;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		/* Reserved words too: nothing is looked at before. */
		memset(message, 1, sizeof(message));
		memset(message, 0, sizeof(struct pvgpu_msg));
		EXPECT_ANSWER(g, requests[i].what,
			      guest_call(g, requests[i].opcode, message,
					 requests[i].length),
			      PVGPU_STATUS_UNSUPPORTED, 0);
	}
	EXPECT_ANSWER(g, "a surface", surface_create(g, &q),
		      PVGPU_STATUS_UNSUPPORTED, 20);
	q.flags = pvgpu_cpu_to_le32(~0u);
	EXPECT_ANSWER(g, "a bad surface", surface_create(g, &q),
		      PVGPU_STATUS_UNSUPPORTED, 20);
	q.resource = 0;
	EXPECT_ANSWER(g, "one without a name", surface_create(g, &q),
		      PVGPU_STATUS_INVALID, 16);
	EXPECT_ANSWER(g, "a channel", guest_open_as(g, 1,
						    PVGPU_CHANNEL_VIRGL),
		      PVGPU_STATUS_UNSUPPORTED, 20);
	/* On a channel of another class its batches are nobody's. */
	EXPECT_OK(g, "open", guest_open(g, 1));
	for (i = 0; i < 4; i++) {
		EXPECT(guest_submit(g, 1, (uint16_t)(PVGPU_OP_VIRGL_NOP + i),
				    0, &nop, sizeof(nop)), "room");
		EXPECT(guest_completion(g, 1, ANSWER_MS), "no completion");
		EXPECT(g->status == PVGPU_STATUS_UNSUPPORTED && !g->detail,
		       "batch 0x%x: status %u, detail %u",
		       PVGPU_OP_VIRGL_NOP + i, g->status, g->detail);
	}
	EXPECT_OK(g, "ping", guest_ping(g));
}

static void not_wanted(struct guest *g)
{
	EXPECT(!guest_attach(g, ~PVGPU_FEATURE_VIRGL), "attach");
	EXPECT(!(g->client.features & PVGPU_FEATURE_VIRGL),
	       "granted what was not wanted");
	refused(g);
}

/* It can be wanted again, by the next who attaches. */
static void wanted_again(struct guest *g)
{
	EXPECT(!guest_attach(g, PVGPU_FEATURE_VIRGL), "attach");
	EXPECT(g->client.features == PVGPU_FEATURE_VIRGL, "granted 0x%llx",
	       (unsigned long long)g->client.features);
	EXPECT_OK(g, "context", context_create(g, 1));
	EXPECT(!guest_attach(g, 0), "attach");
	EXPECT_ANSWER(g, "context", context_create(g, 1),
		      PVGPU_STATUS_UNSUPPORTED, 0);
	EXPECT(!guest_attach(g, ~0ull), "attach");
	EXPECT_OK(g, "context", context_create(g, 1));
}

const struct test virgl_offer_tests[] = {
	{ "virgl-offered-whole-or-not", whole_or_not, false },
	{ "virgl-not-wanted", not_wanted, true },
	{ NULL, NULL, false },
};

const struct test virgl_absent_tests[] = {
	{ "virgl-unsupported", refused, false },
	{ NULL, NULL, false },
};

const struct test virgl_wanted_tests[] = {
	{ "virgl-wanted-again", wanted_again, true },
	{ NULL, NULL, false },
};
