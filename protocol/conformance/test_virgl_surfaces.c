// SPDX-License-Identifier: MIT
/* Resources of kind SURFACE and the device budget: spec.md 9.3 and 11. */
#include <stdio.h>

#include "conform.h"
#include "virgl_guest.h"

#define AT(field) offsetof(struct pvgpu_resource_create, field)

/* A good surface in which one word is another. */
struct change {
	uint32_t target;
	uint32_t at;			/* offset of the word */
	uint32_t value;
	uint32_t detail;		/* offset that is complained of */
};

static struct pvgpu_resource_create good(struct guest *g, uint32_t target)
{
	struct pvgpu_resource_create q = surface_2d(g, VIRGL_B8G8R8A8, 64,
						    64);

	q.resource = pvgpu_cpu_to_le32(1);
	q.target = pvgpu_cpu_to_le32(target);
	if (target == PVGPU_TARGET_BUFFER || target == PVGPU_TARGET_1D ||
	    target == PVGPU_TARGET_1D_ARRAY)
		q.height = pvgpu_cpu_to_le32(1);
	if (target == PVGPU_TARGET_CUBE)
		q.layers = pvgpu_cpu_to_le32(6);
	if (target == PVGPU_TARGET_CUBE_ARRAY)
		q.layers = pvgpu_cpu_to_le32(12);
	if (target == PVGPU_TARGET_BUFFER) {
		q.format = pvgpu_cpu_to_le32(VIRGL_R8);
		q.bind = pvgpu_cpu_to_le32(VIRGL_BIND_VERTEX);
	}
	return q;
}

static void set(struct pvgpu_resource_create *q, uint32_t at, uint32_t value)
{
	pvgpu_le32 word = pvgpu_cpu_to_le32(value);

	memcpy((uint8_t *)q + at, &word, sizeof(word));
}

static void no_such_surface(struct guest *g)
{
	static const struct change changes[] = {
		{ 2, AT(format), 0, AT(format) },
		{ 2, AT(format), 348, AT(format) },
		{ 2, AT(format), PVGPU_FORMAT_XRGB8888, AT(format) },
		{ 2, AT(format), ~0u, AT(format) },
		{ 2, AT(target), 9, AT(target) },
		{ 2, AT(target), ~0u, AT(target) },
		{ 2, AT(width), 0, AT(width) },
		{ 2, AT(width), 16385, AT(width) },
		{ 2, AT(width), ~0u, AT(width) },
		{ 0, AT(width), 0, AT(width) },
		{ 2, AT(height), 0, AT(height) },
		{ 2, AT(height), 16385, AT(height) },
		{ 0, AT(height), 2, AT(height) },
		{ 1, AT(height), 2, AT(height) },
		{ 6, AT(height), 2, AT(height) },
		{ 4, AT(height), 32, AT(height) },
		{ 8, AT(height), 65, AT(height) },
		{ 2, AT(depth), 0, AT(depth) },
		{ 2, AT(depth), 2, AT(depth) },
		{ 7, AT(depth), 2, AT(depth) },
		{ 3, AT(depth), 2049, AT(depth) },
		{ 2, AT(layers), 0, AT(layers) },
		{ 2, AT(layers), 2, AT(layers) },
		{ 3, AT(layers), 2, AT(layers) },
		{ 4, AT(layers), 1, AT(layers) },
		{ 4, AT(layers), 12, AT(layers) },
		{ 8, AT(layers), 13, AT(layers) },
		{ 8, AT(layers), 2052, AT(layers) },
		{ 7, AT(layers), 2049, AT(layers) },
		{ 6, AT(layers), 0, AT(layers) },
		{ 2, AT(levels), 0, AT(levels) },
		{ 2, AT(levels), 8, AT(levels) },
		{ 2, AT(levels), ~0u, AT(levels) },
		{ 5, AT(levels), 2, AT(levels) },
		{ 0, AT(levels), 2, AT(levels) },
		{ 2, AT(samples), 0, AT(samples) },
		{ 2, AT(samples), 3, AT(samples) },
		{ 2, AT(samples), 32, AT(samples) },
		{ 3, AT(samples), 4, AT(samples) },
		{ 4, AT(samples), 4, AT(samples) },
		{ 0, AT(samples), 2, AT(samples) },
	};
	uint32_t i, target;

	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const struct change *c = &changes[i];
		struct pvgpu_resource_create q = good(g, c->target);
		char what[64];

		set(&q, c->at, c->value);
		snprintf(what, sizeof(what), "target %u, word %u = %u",
			 c->target, c->at, c->value);
		EXPECT_ANSWER(g, what, surface_create(g, &q),
			      PVGPU_STATUS_INVALID, c->detail);
	}
	/* Of several the first in the list; not in the order of the message. */
	{
		struct pvgpu_resource_create q = good(g, 2);

		q.samples = 0;
		q.levels = 0;
		EXPECT_ANSWER(g, "levels, samples", surface_create(g, &q),
			      PVGPU_STATUS_INVALID, AT(levels));
		q.target = pvgpu_cpu_to_le32(9);
		EXPECT_ANSWER(g, "target before levels",
			      surface_create(g, &q), PVGPU_STATUS_INVALID,
			      AT(target));
		q.width = 0;
		EXPECT_ANSWER(g, "target before width",
			      surface_create(g, &q), PVGPU_STATUS_INVALID,
			      AT(target));
		q.format = 0;
		EXPECT_ANSWER(g, "format before all",
			      surface_create(g, &q), PVGPU_STATUS_INVALID,
			      AT(format));
	}
	/* And the same without the change. */
	for (target = 0; target <= PVGPU_TARGET_CUBE_ARRAY; target++) {
		struct pvgpu_resource_create q = good(g, target);

		EXPECT_OK(g, "a good one", surface_create(g, &q));
		EXPECT_OK(g, "destroy", guest_destroy(g, 1));
	}
}

/* Each check hides those behind it: from the last to the first. */
static void order_of_checks(struct guest *g)
{
	uint64_t vram = g->d->vram_size, budget = g->d->device_budget;
	struct pvgpu_resource_create q = good(g, 2);

	/* 4 GiB a layer: more than any budget that is tested here. */
	q.format = pvgpu_cpu_to_le32(VIRGL_RGBA32_FLOAT);
	q.width = q.height = pvgpu_cpu_to_le32(16384);
	q.target = pvgpu_cpu_to_le32(PVGPU_TARGET_2D_ARRAY);
	q.layers = pvgpu_cpu_to_le32(2048);
	EXPECT_ANSWER(g, "its footprint", surface_create(g, &q),
		      PVGPU_STATUS_LIMIT_DEVICE, clamp32(budget));
	q.size = pvgpu_cpu_to_le64(vram + 1);
	EXPECT_ANSWER(g, "its size", surface_create(g, &q),
		      PVGPU_STATUS_LIMIT_WINDOW, clamp32(vram));
	q.size = pvgpu_cpu_to_le64(~0ull);
	EXPECT_ANSWER(g, "its size, which overflows", surface_create(g, &q),
		      PVGPU_STATUS_LIMIT_WINDOW, clamp32(vram));
	EXPECT_OK(g, "another", guest_create(g, 1, 4096));
	EXPECT_ANSWER(g, "its name", surface_create(g, &q),
		      PVGPU_STATUS_EXISTS, AT(resource));
	q.samples = pvgpu_cpu_to_le32(3);
	EXPECT_ANSWER(g, "its samples", surface_create(g, &q),
		      PVGPU_STATUS_INVALID, AT(samples));
	q.context = pvgpu_cpu_to_le32(3);
	EXPECT_ANSWER(g, "its context", surface_create(g, &q),
		      PVGPU_STATUS_NOT_FOUND, AT(context));
	q.flags = pvgpu_cpu_to_le32(2);
	EXPECT_ANSWER(g, "its flags", surface_create(g, &q),
		      PVGPU_STATUS_INVALID, AT(flags));
	q.kind = pvgpu_cpu_to_le32(3);
	EXPECT_ANSWER(g, "its kind", surface_create(g, &q),
		      PVGPU_STATUS_INVALID, AT(kind));
	q.reserved = pvgpu_cpu_to_le32(1);
	EXPECT_ANSWER(g, "reserved", surface_create(g, &q),
		      PVGPU_STATUS_INVALID, AT(reserved));
	q.resource = 0;
	EXPECT_ANSWER(g, "no name", surface_create(g, &q),
		      PVGPU_STATUS_INVALID, AT(resource));
}

static void backing(struct guest *g)
{
	struct pvgpu_resource_create q = good(g, 2);

	EXPECT_OK(g, "never backed", surface_create(g, &q));
	EXPECT_ANSWER(g, "it lacks nothing", guest_back(g, 1, 0, 4096),
		      PVGPU_STATUS_RANGE, 32);
	q.resource = pvgpu_cpu_to_le32(2);
	q.size = pvgpu_cpu_to_le64(5000);
	EXPECT_OK(g, "a page and more", surface_create(g, &q));
	EXPECT_OK(g, "a page", guest_back(g, 2, 8192, 4096));
	EXPECT_OK(g, "another", guest_back(g, 2, 0, 4096));
	EXPECT_ANSWER(g, "a third", guest_back(g, 2, 4096, 4096),
		      PVGPU_STATUS_RANGE, 32);
	/* Its VRAM is charged to the window. */
	EXPECT_OK(g, "the rest", guest_create(g, 3, g->d->vram_size - 4096));
	EXPECT_ANSWER(g, "a page too many",
		      guest_back(g, 3, 0, g->d->vram_size - 4096),
		      PVGPU_STATUS_LIMIT_WINDOW, clamp32(g->d->vram_size));
	EXPECT_OK(g, "destroy", guest_destroy(g, 2));
	EXPECT_OK(g, "now it fits",
		  guest_back(g, 3, 0, g->d->vram_size - 4096));
}

/* To the byte: what is charged is the footprint, and it comes back. */
static void budget(struct guest *g)
{
	uint64_t left = g->d->device_budget, piece;
	struct pvgpu_resource_create q;
	uint32_t round, first, last, i;

	for (round = 0; round < 3; round++) {
		left = g->d->device_budget;
		first = g->next_name;
		while (left) {
			piece = left < 1u << 30 ? left : 1u << 30;
			q = surface_hollow(g, (uint32_t)piece);
			EXPECT_OK(g, "a part of the budget",
				  surface_create(g, &q));
			left -= piece;
		}
		last = g->next_name;
		q = surface_hollow(g, 1);
		EXPECT_ANSWER(g, "a byte more", surface_create(g, &q),
			      PVGPU_STATUS_LIMIT_DEVICE,
			      clamp32(g->d->device_budget));
		EXPECT_ANSWER(g, "a context", context_create(g, 1),
			      PVGPU_STATUS_LIMIT_DEVICE,
			      clamp32(g->d->device_budget));
		/* Linear ones cost nothing of it. */
		EXPECT(guest_resource(g, 4096, NULL), "a linear one");
		for (i = first; i < last; i++)
			EXPECT_OK(g, "destroy", guest_destroy(g, i));
	}
	/* A page missing is a page missing, and not a context's room. */
	q = surface_hollow(g, PVGPU_CHARGE_CONTEXT);
	EXPECT_OK(g, "room for one context", surface_create(g, &q));
	first = g->next_name - 1;
	for (left = g->d->device_budget - PVGPU_CHARGE_CONTEXT; left;
	     left -= piece) {
		piece = left < 1u << 30 ? left : 1u << 30;
		q = surface_hollow(g, (uint32_t)piece);
		EXPECT_OK(g, "the rest", surface_create(g, &q));
	}
	EXPECT_OK(g, "destroy", guest_destroy(g, first));
	q = surface_hollow(g, 4096);
	EXPECT_OK(g, "a page of it", surface_create(g, &q));
	EXPECT_ANSWER(g, "a context", context_create(g, 1),
		      PVGPU_STATUS_LIMIT_DEVICE,
		      clamp32(g->d->device_budget));
	EXPECT_OK(g, "destroy", guest_destroy(g, g->next_name - 1));
	EXPECT_OK(g, "the context fits", context_create(g, 1));
}

/* Of each kind one, beside what fills the budget but for its footprint. */
static void footprints(struct guest *g)
{
	static const uint32_t shapes[][8] = {
		/* target, format, width, height, depth, layers, levels, samples */
		{ 0, VIRGL_R8, 12345, 1, 1, 1, 1, 1 },
		{ 1, VIRGL_R8, 100, 1, 1, 1, 7, 1 },
		{ 2, VIRGL_B8G8R8A8, 100, 60, 1, 1, 1, 1 },
		{ 2, VIRGL_B5G6R5, 136, 77, 1, 1, 8, 1 },
		{ 2, VIRGL_R8G8B8A8, 65, 65, 1, 1, 1, 4 },
		{ 3, VIRGL_R8G8, 30, 20, 10, 1, 5, 1 },
		{ 4, VIRGL_B8G8R8A8, 64, 64, 1, 6, 7, 1 },
		{ 5, VIRGL_RGBA32_FLOAT, 33, 17, 1, 1, 1, 1 },
		{ 6, VIRGL_B8G8R8A8, 64, 1, 1, 9, 2, 1 },
		{ 7, VIRGL_R16, 50, 50, 1, 5, 6, 1 },
		{ 8, VIRGL_B8G8R8A8, 16, 16, 1, 12, 1, 1 },
	};
	uint64_t left, piece;
	uint32_t i;

	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const uint32_t *s = shapes[i];
		const struct pvgpu_surface surface = {
			.target = s[0], .format = s[1], .width = s[2],
			.height = s[3], .depth = s[4], .layers = s[5],
			.levels = s[6], .samples = s[7],
		};
		struct pvgpu_resource_create q = surface_2d(g, s[1], s[2],
							    s[3]), fill;

		q.target = pvgpu_cpu_to_le32(s[0]);
		q.depth = pvgpu_cpu_to_le32(s[4]);
		q.layers = pvgpu_cpu_to_le32(s[5]);
		q.levels = pvgpu_cpu_to_le32(s[6]);
		q.samples = pvgpu_cpu_to_le32(s[7]);
		if (!s[0])
			q.bind = pvgpu_cpu_to_le32(VIRGL_BIND_VERTEX);
		EXPECT_OK(g, "it", surface_create(g, &q));
		left = g->d->device_budget - pvgpu_footprint(&surface);
		for (; left; left -= piece) {
			piece = left < 1u << 30 ? left : 1u << 30;
			fill = surface_hollow(g, (uint32_t)piece);
			EXPECT_OK(g, "the rest beside it",
				  surface_create(g, &fill));
		}
		fill = surface_hollow(g, 1);
		EXPECT_ANSWER(g, "a byte more", surface_create(g, &fill),
			      PVGPU_STATUS_LIMIT_DEVICE,
			      clamp32(g->d->device_budget));
		EXPECT(!guest_attach(g, ~0ull), "attach");
	}
}

/* A surface that the renderer cannot make loses who uses it, and no other. */
static void cannot_be_made(struct guest *g)
{
	struct pvgpu_resource_create q = surface_2d(g, VIRGL_R64G64B64A64, 32,
						    32);
	struct gl gl;
	uint32_t name, again;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	name = gl_surface(&gl, &q, 0, NULL);
	EXPECT(name, "status %u, detail %u", g->status, g->detail);
	EXPECT_OK(g, "another context", context_create(g, 2));
	stream_surface(&gl.s, 5, name, VIRGL_R64G64B64A64, 0, 0);
	EXPECT_ANSWER(g, "use it", gl_run(&gl), PVGPU_STATUS_CONTEXT_LOST, 0);
	gl.context = 2;
	again = gl_target(&gl, 32, 32, NULL);
	EXPECT(again, "a good one");
	stream_begin(&gl.s);
	stream_surface(&gl.s, 5, again, VIRGL_B8G8R8A8, 0, 0);
	EXPECT_OK(g, "the other context", gl_run(&gl));
	EXPECT_OK(g, "destroy", guest_destroy(g, name));
}

/* COPY works on bytes, and a surface has none. */
static void no_copies(struct guest *g)
{
	struct pvgpu_resource_create q = good(g, 2);
	struct pvgpu_copy_fill fill = {
		.dst.resource = pvgpu_cpu_to_le32(1),
		.row_bytes = pvgpu_cpu_to_le32(16),
		.height = pvgpu_cpu_to_le32(1),
		.unit = pvgpu_cpu_to_le32(4),
	};

	q.size = pvgpu_cpu_to_le64(4096);
	EXPECT_OK(g, "surface", surface_create(g, &q));
	EXPECT_OK(g, "back", guest_back(g, 1, 0, 4096));
	EXPECT_OK(g, "open", guest_open(g, 1));
	EXPECT(guest_submit(g, 1, PVGPU_OP_COPY_FILL, 0, &fill, sizeof(fill)),
	       "room");
	EXPECT(guest_completion(g, 1, ANSWER_MS), "no completion");
	EXPECT(g->status == PVGPU_STATUS_NOT_FOUND && g->detail == 24,
	       "status %u, detail %u", g->status, g->detail);
}

static void count_limit(struct guest *g)
{
	uint32_t most = g->d->max_resources, i;
	struct pvgpu_resource_create q = surface_hollow(g, 1);

	if ((uint64_t)most * 4096 > g->d->device_budget)
		most = (uint32_t)(g->d->device_budget / 4096);
	g->next_name = 1;
	for (i = 0; i < most; i++) {
		q.resource = pvgpu_cpu_to_le32(g->next_name++);
		EXPECT_OK(g, "one of many", surface_create(g, &q));
	}
	q.resource = pvgpu_cpu_to_le32(g->next_name);
	if (most == g->d->max_resources)
		EXPECT_ANSWER(g, "one too many", surface_create(g, &q),
			      PVGPU_STATUS_LIMIT_RESOURCES, most);
	else
		EXPECT_ANSWER(g, "one too many", surface_create(g, &q),
			      PVGPU_STATUS_LIMIT_DEVICE,
			      clamp32(g->d->device_budget));
	EXPECT_OK(g, "destroy one", guest_destroy(g, most / 2));
	EXPECT_OK(g, "one instead", surface_create(g, &q));
}

const struct test virgl_surface_tests[] = {
	{ "surface-there-is-none-such", no_such_surface, false },
	{ "surface-order-of-checks", order_of_checks, false },
	{ "surface-backing", backing, false },
	{ "surface-budget-to-the-byte", budget, false },
	{ "surface-footprints", footprints, false },
	{ "surface-cannot-be-made", cannot_be_made, false },
	{ "surface-is-not-for-copies", no_copies, false },
	{ "surface-count-limit", count_limit, false },
	{ NULL, NULL, false },
};
