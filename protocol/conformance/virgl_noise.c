// SPDX-License-Identifier: MIT
/* Rendering without manners; see virgl_noise.h. */
#include "virgl_noise.h"

#include <string.h>

#define CONTEXTS	4u		/* that are there in good order */
#define SURFACES	6u
#define COMMAND_BYTES	(1u << 20)
#define SIDE		64u
#define ANY_NAME	2000u

static uint32_t next(struct virgl_noise *n)
{
	n->random ^= n->random << 13;
	n->random ^= n->random >> 17;
	n->random ^= n->random << 5;
	return n->random;
}

static uint32_t below(struct virgl_noise *n, uint32_t bound)
{
	return next(n) % bound;
}

/* A word that goes further than noise does. */
static uint32_t wild(struct virgl_noise *n)
{
	uint32_t word = next(n);

	switch (word >> 29) {
	case 0:
		return 0;
	case 1:
	case 2:
		return word & 15;
	case 3:
		return ~(word & 15);
	case 4:
		return 1u << (word & 31);
	case 5:
		return word & 0xffff;
	default:
		return word;
	}
}

/* Mostly as it should be. */
static uint32_t seldom_wild(struct virgl_noise *n, uint32_t value)
{
	return below(n, 8) ? value : wild(n);
}

/* ---------------------------------------------------------------- begin */

/* Everything that streams do, once: what is changed into noise later. */
static void good_stream(struct virgl_noise *n)
{
	static const float box[] = { -1, -1, 0.5f, 0.5f };
	static const float rgba[] = { 0, 1, 0, 1 };
	const struct stream_box all = { 0, 0, 0, SIDE, SIDE, 1 };
	struct stream *s = &n->good;
	uint32_t target = n->commands + 1, other = n->commands + 2;
	uint32_t vertices = n->commands + SURFACES;

	stream_begin(s);
	stream_sub_context(s, VIRGL_CREATE_SUB_CONTEXT, 1 + below(n, 9));
	stream_sub_context(s, VIRGL_SET_SUB_CONTEXT, below(n, 4));
	stream_surface(s, 1, target, VIRGL_B8G8R8A8, 0, 0);
	stream_framebuffer(s, 1);
	stream_viewport(s, SIDE, SIDE);
	stream_painter(s, 10, vertices);
	stream_clear(s, 1, 0, 0, 1);
	stream_rectangle(s, vertices, box, rgba);
	stream_copy(s, other, 0, 0, target, &all);
	stream_blit(s, other, &all, target, &all, VIRGL_B8G8R8A8);
	STREAM(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_QUERY, 30, 0, 0, target);
	STREAM(s, VIRGL_BEGIN_QUERY, 0, 30);
	STREAM(s, VIRGL_END_QUERY, 0, 30);
	STREAM(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_SAMPLER_VIEW, 31, target,
	       VIRGL_B8G8R8A8, 0, 0, 0x688);
	STREAM(s, VIRGL_TRANSFER3D, 0, target, 0, 0, SIDE * 4, 0, 0, 0, 0,
	       SIDE, SIDE, 1, 0, 1);
	stream_destroy(s, VIRGL_OBJECT_SURFACE, 1);
}

static uint32_t surface(struct virgl_noise *n, uint32_t context, bool buffer)
{
	struct guest *g = n->g;
	struct pvgpu_resource_create q = surface_2d(g, buffer ? VIRGL_R8 :
						    VIRGL_B8G8R8A8,
						    buffer ? STREAM_VERTICES :
							     SIDE,
						    buffer ? 1 : SIDE);
	uint32_t name = pvgpu_le32_to_cpu(q.resource);

	q.size = pvgpu_cpu_to_le64(SIDE * SIDE * 4);
	q.context = pvgpu_cpu_to_le32(context);
	if (buffer) {
		q.target = pvgpu_cpu_to_le32(PVGPU_TARGET_BUFFER);
		q.bind = pvgpu_cpu_to_le32(VIRGL_BIND_VERTEX);
	}
	if (surface_create(g, &q) ||
	    guest_back(g, name, g->vram_used, SIDE * SIDE * 4))
		return 0;
	g->vram_used += SIDE * SIDE * 4;
	return name;
}

bool noise_begin(struct virgl_noise *n, struct guest *g, uint32_t seed)
{
	uint32_t i, name;

	n->g = g;
	n->random = seed | 1;
	if (!(g->client.features & PVGPU_FEATURE_VIRGL))
		return false;
	for (i = 1; i <= CONTEXTS; i++)
		if (context_create(g, i))
			return false;
	if (guest_open_as(g, NOISE_CHANNEL, PVGPU_CHANNEL_VIRGL))
		return false;
	n->commands = guest_resource(g, COMMAND_BYTES, &n->bytes);
	if (!n->commands)
		return false;
	for (i = 1; i <= SURFACES; i++) {
		name = surface(n, 1, i == SURFACES);
		/* The first one also to all others, the rest to half. */
		if (!name || context_attach(g, 2, name) ||
		    (i == 1 && context_attach(g, 3, name)))
			return false;
	}
	return true;
}

/* -------------------------------------------------------------- batches */

/* A stream, good but for some words, or not good at all. */
static void make_stream(struct virgl_noise *n)
{
	struct stream *s = &n->wild;
	uint32_t changes = below(n, 6), i;

	stream_begin(s);
	if (below(n, 5) == 0) {
		/* Commands of the right form and any contents. */
		uint32_t commands = 1 + below(n, 40);

		for (i = 0; i < commands; i++) {
			uint32_t words[24], count = below(n, 24), k;

			for (k = 0; k < count; k++)
				words[k] = wild(n);
			stream_put(s, below(n, 64), below(n, 13), words,
				   count);
		}
		return;
	}
	good_stream(n);
	memcpy(s, &n->good, sizeof(*s));
	for (i = 0; i < changes; i++)
		s->words[below(n, s->count)] = wild(n);
	if (below(n, 16) == 0)
		s->count = 1 + below(n, s->count);
}

static bool send_stream(struct virgl_noise *n)
{
	struct pvgpu_virgl_submit q = { 0 };
	uint32_t at = below(n, COMMAND_BYTES / 2) & ~3u, i;

	make_stream(n);
	for (i = 0; i < n->wild.count; i++)
		pvgpu_store32((void *)(n->bytes + at + i * 4),
			      n->wild.words[i]);
	q.context = pvgpu_cpu_to_le32(seldom_wild(n, 1 + below(n, CONTEXTS)));
	q.resource = pvgpu_cpu_to_le32(seldom_wild(n, n->commands));
	q.offset = pvgpu_cpu_to_le64(seldom_wild(n, at));
	q.size = pvgpu_cpu_to_le32(seldom_wild(n, n->wild.count * 4));
	return guest_submit(n->g, NOISE_CHANNEL, PVGPU_OP_VIRGL_SUBMIT, 0, &q,
			    sizeof(q));
}

static bool send_transfer(struct virgl_noise *n)
{
	struct pvgpu_virgl_transfer q = {
		.context = pvgpu_cpu_to_le32(seldom_wild(n, 1 +
						below(n, CONTEXTS))),
		.resource = pvgpu_cpu_to_le32(seldom_wild(n, n->commands + 1 +
						below(n, SURFACES))),
		.offset = pvgpu_cpu_to_le64(seldom_wild(n, 0)),
		.level = pvgpu_cpu_to_le32(seldom_wild(n, 0)),
		.stride = pvgpu_cpu_to_le32(seldom_wild(n, 0)),
		.layer_stride = pvgpu_cpu_to_le32(seldom_wild(n, 0)),
		.x = pvgpu_cpu_to_le32(seldom_wild(n, below(n, SIDE))),
		.y = pvgpu_cpu_to_le32(seldom_wild(n, below(n, SIDE))),
		.z = pvgpu_cpu_to_le32(seldom_wild(n, 0)),
		.width = pvgpu_cpu_to_le32(seldom_wild(n, 1 +
						       below(n, SIDE))),
		.height = pvgpu_cpu_to_le32(seldom_wild(n, 1 +
							below(n, SIDE))),
		.depth = pvgpu_cpu_to_le32(seldom_wild(n, 1)),
	};

	return guest_submit(n->g, NOISE_CHANNEL, below(n, 2) ?
			    PVGPU_OP_VIRGL_TRANSFER_TO :
			    PVGPU_OP_VIRGL_TRANSFER_FROM, 0, &q, sizeof(q));
}

/* ------------------------------------------------------ control requests */

static bool request(struct virgl_noise *n, uint16_t opcode, void *message,
		    uint32_t length)
{
	struct pvgpu_msg header = guest_header(n->g, opcode, length);

	memcpy(message, &header, sizeof(header));
	n->requests++;
	return guest_put(n->g, 0, message, length);
}

static bool send_surface(struct virgl_noise *n)
{
	struct pvgpu_resource_create q = {
		.resource = pvgpu_cpu_to_le32(100 + below(n, ANY_NAME)),
		.kind = pvgpu_cpu_to_le32(PVGPU_RESOURCE_SURFACE),
		.size = pvgpu_cpu_to_le64(below(n, 3) ? 0 : below(n, 1 << 20)),
		.format = pvgpu_cpu_to_le32(below(n, 3) ? VIRGL_B8G8R8A8 :
					    below(n, 350)),
		.width = pvgpu_cpu_to_le32(seldom_wild(n, 1 + below(n, 600))),
		.height = pvgpu_cpu_to_le32(seldom_wild(n, 1 + below(n, 600))),
		.depth = pvgpu_cpu_to_le32(seldom_wild(n, 1)),
		.layers = pvgpu_cpu_to_le32(seldom_wild(n, 1)),
		.levels = pvgpu_cpu_to_le32(seldom_wild(n, 1 + below(n, 9))),
		.samples = pvgpu_cpu_to_le32(seldom_wild(n, 1)),
		.bind = pvgpu_cpu_to_le32(below(n, 2) ? VIRGL_BIND_VIEW :
					  wild(n)),
		.target = pvgpu_cpu_to_le32(seldom_wild(n, below(n, 9))),
		.flags = pvgpu_cpu_to_le32(seldom_wild(n, below(n, 2))),
		.context = pvgpu_cpu_to_le32(seldom_wild(n, below(n,
							CONTEXTS + 1))),
	};

	return request(n, PVGPU_OP_RESOURCE_CREATE, &q, sizeof(q));
}

static bool send_context(struct virgl_noise *n)
{
	uint32_t name = below(n, 4) ? 100 + below(n, ANY_NAME) :
			1 + below(n, CONTEXTS);

	if (below(n, 2)) {
		struct pvgpu_context_create q = {
			.context = pvgpu_cpu_to_le32(name),
			.capset = pvgpu_cpu_to_le32(1 + below(n, 2)),
		};

		return request(n, PVGPU_OP_CONTEXT_CREATE, &q, sizeof(q));
	} else {
		struct pvgpu_context_destroy q = {
			.context = pvgpu_cpu_to_le32(name),
		};

		return request(n, PVGPU_OP_CONTEXT_DESTROY, &q, sizeof(q));
	}
}

/* The small ones: two words, whatever they mean. */
static bool send_small(struct virgl_noise *n)
{
	static const uint16_t opcodes[] = {
		PVGPU_OP_CONTEXT_ATTACH, PVGPU_OP_CONTEXT_DETACH,
		PVGPU_OP_CONTEXT_ATTACH, PVGPU_OP_CONTEXT_QUERY,
		PVGPU_OP_RESOURCE_DESTROY, PVGPU_OP_CAPSET,
	};
	uint32_t which = below(n, 6);
	struct pvgpu_capset q = {
		.capset = pvgpu_cpu_to_le32(1 + below(n, 5)),
		.version = pvgpu_cpu_to_le32(seldom_wild(n, 1)),
	};

	if (which < 3)
		q.version = pvgpu_cpu_to_le32(below(n, 100) ?
			n->commands + below(n, 9) : 100 + below(n, ANY_NAME));
	else if (which == 4)
		q.capset = pvgpu_cpu_to_le32(below(n, 20) ?
			100 + below(n, ANY_NAME) : n->commands + below(n, 9));
	if (which >= 3 && which < 5)
		q.version = 0;
	return request(n, opcodes[which], &q, opcodes[which] ==
		       PVGPU_OP_CAPSET ? sizeof(q) : 24);
}

bool noise_step(struct virgl_noise *n)
{
	uint32_t what = below(n, 16);
	bool sent;

	if (what < 8)
		sent = send_stream(n);
	else if (what < 11)
		sent = send_transfer(n);
	else if (what < 13)
		sent = send_surface(n);
	else if (what < 14)
		sent = send_context(n);
	else
		sent = send_small(n);
	n->batches += sent && what < 11;
	if (sent)
		return true;
	while (pvgpu_client_take(&n->g->client, 0, n->g->reply) > 0)
		;
	while (pvgpu_client_take(&n->g->client, NOISE_CHANNEL,
				 n->g->reply) > 0)
		;
	return false;
}
