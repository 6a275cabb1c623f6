// SPDX-License-Identifier: MIT
/* Handshake, information page, attach, detach, reset: spec.md 2, 4, 5. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "conform.h"

static struct pvgpu_guest_block *block(struct guest *g)
{
	return (void *)(g->peer.window + g->d->guest_offset);
}

static const struct pvgpu_host_block *host(struct guest *g)
{
	return (const void *)(g->peer.window + g->d->host_offset);
}

static uint32_t state(struct guest *g)
{
	return pvgpu_load32(&host(g)->state);
}

/* Writes the block as it stands with a new nonce, and waits for its answer. */
static bool say(struct guest *g, uint64_t nonce)
{
	uint64_t until = peer_now_ms() + ANSWER_MS;

	pvgpu_store64(&block(g)->nonce, nonce);
	pvgpu_mb();
	peer_ring(&g->peer, 0);
	while (pvgpu_load64(&host(g)->nonce) != nonce) {
		if (peer_now_ms() > until)
			return false;
		peer_interrupted(&g->peer, 0, 20);
	}
	return true;
}

static void handshake(struct guest *g)
{
	int seals = fcntl(g->peer.memory, F_GET_SEALS);

	EXPECT(g->peer.version == 0, "version %lld",
	       (long long)g->peer.version);
	EXPECT(g->peer.id != g->d->host_peer, "the host's number for us");
	EXPECT(g->peer.doorbells == g->d->vectors &&
	       g->peer.interrupts == g->d->vectors,
	       "%u doorbells and %u interrupts, not %u", g->peer.doorbells,
	       g->peer.interrupts, g->d->vectors);
	EXPECT(peer_silent(&g->peer), "more after the handshake");
	EXPECT(!(g->peer.size & (g->peer.size - 1)) &&
	       g->peer.size >= 2ull << 30, "a window of %llu bytes",
	       (unsigned long long)g->peer.size);
	EXPECT(g->d->window_size == g->peer.size, "another size is announced");
	EXPECT(seals >= 0 && seals & F_SEAL_SHRINK && seals & F_SEAL_GROW &&
	       seals & F_SEAL_SEAL, "seals 0x%x", seals);
}

static void information(struct guest *g)
{
	const struct pvgpu_info *info = (const void *)g->peer.window;
	const struct pvgpu_device *d = g->d;
	uint32_t uuid = 0, i;

	for (i = 0; i < 8; i++)
		EXPECT(!info->reserved[i], "reserved word %u", i);
	EXPECT(d->version_min <= 1 && d->version_max >= 1, "versions");
	EXPECT(d->features & PVGPU_FEATURE_COPY, "no copy class");
	EXPECT(d->channel_classes & 1u << PVGPU_CHANNEL_COPY,
	       "class COPY is a feature but no class");
	EXPECT(d->heads && d->channels && d->max_resources && d->max_extents,
	       "heads, channels, resources or extents: none");
	EXPECT(!(d->features & PVGPU_FEATURE_CURSOR) ||
	       (d->planes >= 2 && d->cursor_max), "a cursor of nothing");
	EXPECT(d->max_width >= 640 && d->max_height >= 480 &&
	       d->max_pixels >= 640 * 480 && d->max_refresh >= 60000,
	       "not even 640x480 at 60 Hz");
	EXPECT(d->vram_size >= 16u << 20, "VRAM of %llu bytes",
	       (unsigned long long)d->vram_size);
	EXPECT(d->type_name[0], "no type name");
	for (i = 0; d->type_name[i]; i++)
		EXPECT(d->type_name[i] > ' ' && d->type_name[i] < 127,
		       "type name");
	for (i = 0; i < 16; i++)
		uuid |= d->vgpu_uuid[i];
	EXPECT(uuid, "no UUID");
}

static void attach_and_detach(struct guest *g)
{
	uint32_t first, i;

	EXPECT(guest_attach(g, ~0ull) == 0, "attach");
	EXPECT(g->client.version == 1, "version %u", g->client.version);
	EXPECT(g->client.features == g->d->features,
	       "all was wanted and 0x%llx granted",
	       (unsigned long long)g->client.features);
	first = g->client.generation;
	EXPECT_OK(g, "ping", guest_ping(g));
	EXPECT(pvgpu_client_detach(&g->client, ANSWER_MS) == 0, "detach");
	EXPECT(state(g) == PVGPU_STATE_DETACHED, "state %u", state(g));
	EXPECT(pvgpu_client_detach(&g->client, ANSWER_MS) == 0,
	       "detach again");
	/* VRAM is kept, but from a guest that leaves for good. */
	memset(g->vram, 0x5a, 8192);
	EXPECT(guest_attach(g, 0) == 0, "attach after detach, for nothing");
	EXPECT(pvgpu_client_detach(&g->client, ANSWER_MS) == 0, "detach");
	EXPECT(guest_attach(g, ~0ull) == 0, "attach after detach");
	EXPECT(g->vram[0] == 0x5a && g->vram[8191] == 0x5a,
	       "detaching changed VRAM");
	EXPECT(pvgpu_client_leave(&g->client, ANSWER_MS) == 0, "leave");
	EXPECT(state(g) == PVGPU_STATE_DETACHED, "state %u", state(g));
	EXPECT(guest_attach(g, ~0ull) == 0, "attach after leaving");
	memset(g->vram, 0xa5, 8192);
	usleep(50000);
	EXPECT(g->vram[0] == 0xa5 && g->vram[8191] == 0xa5,
	       "VRAM was taken back while a guest is attached");
	EXPECT(g->client.generation > first, "generation %u after %u",
	       g->client.generation, first);
	EXPECT_OK(g, "ping", guest_ping(g));
	for (i = 0; i < 20; i++) {
		first = g->client.generation;
		EXPECT(guest_attach(g, ~0ull) == 0, "take-over %u", i);
		EXPECT(g->client.generation > first, "generation %u after %u",
		       g->client.generation, first);
		EXPECT_OK(g, "ping", guest_ping(g));
	}
}

static void attach_interrupts(struct guest *g)
{
	while (peer_interrupted(&g->peer, 0, 0))
		;
	block(g)->version = pvgpu_cpu_to_le32(1);
	pvgpu_store64(&block(g)->nonce, pvgpu_load64(&host(g)->nonce) ^ 3);
	pvgpu_mb();
	peer_ring(&g->peer, 0);
	EXPECT(peer_interrupted(&g->peer, 0, ANSWER_MS), "no interrupt");
}

static void attach_empties(struct guest *g)
{
	struct pvgpu_submit nop = { 0 };
	uint32_t resource, flags;
	struct commit c;

	resource = guest_resource(g, 640 * 480 * 4, NULL);
	EXPECT(resource, "resource");
	commit_begin(&c);
	commit_head(&c, 0, 640, 480, 60000);
	commit_plane(&c, 0, 0, resource, PVGPU_FORMAT_XRGB8888, 640, 480, 0, 0);
	EXPECT_OK(g, "commit", guest_commit(g, &c));
	EXPECT(guest_head_active(g, 0), "head 0 is dark");
	EXPECT_OK(g, "open", guest_open(g, 1));
	EXPECT(guest_submit(g, 1, PVGPU_OP_COPY_NOP, 0, &nop, sizeof(nop)),
	       "submit");
	EXPECT(guest_finish(g, 1) == 0, "fence");

	EXPECT(guest_attach(g, ~0ull) == 0, "take-over");
	EXPECT(pvgpu_client_fence(&g->client, 1, &flags) == 0 && !flags,
	       "the fence outlived its guest");
	EXPECT(!guest_head_active(g, 0), "head 0 is still lit");
	EXPECT_ANSWER(g, "destroy a resource of the last guest",
		      guest_destroy(g, resource), PVGPU_STATUS_NOT_FOUND, 16);
	EXPECT_ANSWER(g, "close a channel of the last guest",
		      guest_close(g, 1), PVGPU_STATUS_NOT_FOUND, 16);
	EXPECT(guest_resource(g, g->d->vram_size, NULL),
	       "VRAM is still charged");
}

static void same_nonce(struct guest *g)
{
	uint32_t generation = g->client.generation, i;

	EXPECT(guest_resource(g, 4096, NULL), "resource");
	for (i = 0; i < 5; i++)
		peer_ring(&g->peer, 0);
	EXPECT_OK(g, "ping", guest_ping(g));
	EXPECT(pvgpu_load32(&host(g)->generation) == generation,
	       "a doorbell alone made a new generation");
	EXPECT_OK(g, "destroy", guest_destroy(g, 1));
}

static void refused_as(struct guest *g, const char *what, uint32_t status)
{
	uint64_t nonce = pvgpu_load64(&host(g)->nonce) + 0x123456789abcdefull;
	uint32_t generation = pvgpu_load32(&host(g)->generation);

	EXPECT(say(g, nonce), "%s: no answer", what);
	EXPECT(state(g) == PVGPU_STATE_REFUSED, "%s: state %u", what,
	       state(g));
	EXPECT(pvgpu_load32(&host(g)->status) == status, "%s: status %u",
	       what, pvgpu_load32(&host(g)->status));
	EXPECT(pvgpu_load32(&host(g)->generation) > generation,
	       "%s: generation", what);
	EXPECT(!host(g)->version && !host(g)->features, "%s: granted", what);
	/* Nothing is served. */
	g->client.generation = pvgpu_load32(&host(g)->generation);
	{
		struct pvgpu_ping q = {
			.msg = guest_header(g, PVGPU_OP_PING, sizeof(q)),
		};

		EXPECT(guest_put(g, 0, &q, sizeof(q)), "%s: no room", what);
		EXPECT(!guest_completion(g, 0, 100), "%s: served", what);
	}
	EXPECT(guest_attach(g, ~0ull) == 0, "%s: attach afterwards", what);
	EXPECT_OK(g, "ping", guest_ping(g));
}

static void attach_refusals(struct guest *g)
{
	struct pvgpu_guest_block *b = block(g);

	b->version = pvgpu_cpu_to_le32(g->d->version_max + 1);
	refused_as(g, "a version to come", PVGPU_STATUS_VERSION);
	if (conform_failed())
		return;
	b->version = 0;
	refused_as(g, "version 0", PVGPU_STATUS_VERSION);
	if (conform_failed())
		return;
	b->reserved0 = pvgpu_cpu_to_le32(1);
	refused_as(g, "reserved0", PVGPU_STATUS_INVALID);
	if (conform_failed())
		return;
	b->reserved[31] = pvgpu_cpu_to_le32(1u << 31);
	refused_as(g, "the last reserved word", PVGPU_STATUS_INVALID);
	if (conform_failed())
		return;
	b->guest_os = pvgpu_cpu_to_le32(PVGPU_GUEST_COUNT);
	refused_as(g, "a guest of no kind", PVGPU_STATUS_GUEST_REFUSED);
	if (conform_failed())
		return;
	b->guest_os = pvgpu_cpu_to_le32(0xffffffff);
	refused_as(g, "a guest of no kind", PVGPU_STATUS_GUEST_REFUSED);
}

static void no_features(struct guest *g)
{
	struct pvgpu_channel_open q = {
		.channel = pvgpu_cpu_to_le32(1),
		.channel_class = pvgpu_cpu_to_le32(PVGPU_CHANNEL_COPY),
		.priority = pvgpu_cpu_to_le32(1),
	};
	struct commit c;
	uint32_t r;

	EXPECT(guest_attach(g, 0) == 0, "attach");
	EXPECT(g->client.features == 0, "granted what nobody wanted");
	EXPECT_ANSWER(g, "open a copy channel", guest_open(g, 1),
		      PVGPU_STATUS_UNSUPPORTED, 20);
	r = guest_resource(g, 64 * 64 * 4, NULL);
	EXPECT(r, "resource");
	commit_begin(&c);
	commit_head(&c, 0, 640, 480, 60000);
	commit_plane(&c, 0, g->d->planes - 1, r, PVGPU_FORMAT_ARGB8888, 32, 32,
		     0, 0);
	EXPECT_ANSWER(g, "a cursor", guest_commit(g, &c),
		      PVGPU_STATUS_UNSUPPORTED, 40 + 64 + 4);
	commit_begin(&c);
	commit_head(&c, 0, 640, 480, 60000)->vblank = pvgpu_cpu_to_le32(1);
	EXPECT_ANSWER(g, "a vblank", guest_commit(g, &c),
		      PVGPU_STATUS_UNSUPPORTED, 40 + 40);
	EXPECT(guest_attach(g, PVGPU_FEATURE_COPY) == 0, "attach");
	EXPECT_ANSWER(g, "a priority", guest_call(g, PVGPU_OP_CHANNEL_OPEN, &q,
		      sizeof(q)), PVGPU_STATUS_UNSUPPORTED, 24);
	/* What it wants beyond what is offered is not granted either. */
	block(g)->features = pvgpu_cpu_to_le64(~0ull);
	EXPECT(say(g, pvgpu_load64(&host(g)->nonce) + 99), "attach");
	EXPECT(pvgpu_le64_to_cpu(host(g)->features) == g->d->features,
	       "granted 0x%llx", (unsigned long long)
	       pvgpu_le64_to_cpu(host(g)->features));
}

static void torn_nonce(struct guest *g)
{
	uint64_t nonce = pvgpu_load64(&host(g)->nonce) ^ 0x5555555566666666ull;
	pvgpu_le32 *half = (void *)&block(g)->nonce;
	uint32_t q;

	/* As at an attach of the client, but with doorbells in between. */
	for (q = 0; q < g->d->channels + 2; q++)
		pvgpu_client_queue_init(&g->client, q);
	pvgpu_store32_release(&half[0], (uint32_t)nonce);
	peer_ring(&g->peer, 0);
	peer_interrupted(&g->peer, 0, 50);
	pvgpu_store32_release(&half[1], (uint32_t)(nonce >> 32));
	EXPECT(say(g, nonce), "not answered");
	EXPECT(state(g) == PVGPU_STATE_ATTACHED, "state %u", state(g));
	g->client.generation = pvgpu_load32(&host(g)->generation);
	EXPECT_OK(g, "ping", guest_ping(g));
}

static void noise_before(struct guest *g)
{
	uint32_t random = 0x9e3779b9, i;
	uint64_t size = pvgpu_le64_to_cpu(
		((struct pvgpu_info *)(void *)g->peer.window)->guest_size);

	for (i = 0; i < size; i += 4)
		pvgpu_store32((void *)(g->peer.window + g->d->guest_offset + i),
			      xorshift(&random));
	for (i = 0; i < g->d->vectors; i++)
		peer_ring(&g->peer, i);
	EXPECT(guest_attach(g, ~0ull) == 0, "attach");
	EXPECT_OK(g, "ping", guest_ping(g));
}

const struct test attach_tests[] = {
	{ "handshake", handshake, true },
	{ "information-page", information, true },
	{ "attach-and-detach", attach_and_detach, true },
	{ "attach-interrupts", attach_interrupts, false },
	{ "attach-empties-everything", attach_empties, false },
	{ "attach-same-nonce-is-nothing", same_nonce, false },
	{ "attach-refusals", attach_refusals, false },
	{ "attach-without-features", no_features, true },
	{ "attach-torn-nonce", torn_nonce, false },
	{ "attach-over-noise", noise_before, true },
	{ NULL, NULL, false },
};
