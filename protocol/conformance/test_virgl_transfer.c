// SPDX-License-Identifier: MIT
/*
 * Transfers between a surface and the VRAM behind it: spec.md 13.4. What goes
 * in comes out again to the byte, whatever the format, the target, the level,
 * the box, the strides and the extents; and not a byte beside it is touched.
 */
#include <stdio.h>
#include <stdlib.h>

#include "conform.h"
#include "virgl_guest.h"

#define VRAM_BYTES (4u << 20)		/* behind each surface */

/* A surface and a box in one of its levels. */
struct scene {
	const char *what;
	uint32_t target, format;
	uint32_t width, height, depth, layers, levels;
	uint32_t flags;
	uint32_t level;
	struct stream_box box;
	uint32_t stride, layer_stride;
	uint32_t offset;
};

static const struct scene scenes[] = {
	{ "all of it", 2, VIRGL_B8G8R8A8, 64, 48, 1, 1, 1, 0, 0,
	  { 0, 0, 0, 64, 48, 1 }, 0, 0, 0 },
	{ "a box in it", 2, VIRGL_B8G8R8A8, 64, 48, 1, 1, 1, 0, 0,
	  { 5, 7, 0, 33, 20, 1 }, 0, 0, 0 },
	{ "a box, with a stride", 2, VIRGL_B8G8R8A8, 64, 48, 1, 1, 1, 0, 0,
	  { 5, 7, 0, 33, 20, 1 }, 256, 0, 1300 },
	{ "a stride of no whole texels", 2, VIRGL_B8G8R8A8, 64, 48, 1, 1, 1,
	  0, 0, { 5, 7, 0, 33, 20, 1 }, 137, 0, 3 },
	{ "a single texel", 2, VIRGL_B8G8R8A8, 64, 48, 1, 1, 1, 0, 0,
	  { 63, 47, 0, 1, 1, 1 }, 0, 0, 4092 },
	{ "the last level", 2, VIRGL_B8G8R8A8, 64, 48, 1, 1, 7, 0, 6,
	  { 0, 0, 0, 1, 1, 1 }, 0, 0, 0 },
	{ "a level of odd sides", 2, VIRGL_B8G8R8A8, 77, 39, 1, 1, 4, 0, 2,
	  { 0, 0, 0, 19, 9, 1 }, 0, 0, 8192 },
	{ "upside down", 2, VIRGL_B8G8R8A8, 64, 48, 1, 1, 1,
	  PVGPU_SURFACE_Y_0_TOP, 0, { 0, 0, 0, 64, 48, 1 }, 0, 0, 0 },
	{ "a box upside down", 2, VIRGL_B8G8R8A8, 64, 48, 1, 1, 1,
	  PVGPU_SURFACE_Y_0_TOP, 0, { 8, 4, 0, 20, 12, 1 }, 100, 0, 40 },
	{ "R8G8B8A8", 2, VIRGL_R8G8B8A8, 50, 30, 1, 1, 1, 0, 0,
	  { 1, 2, 0, 40, 20, 1 }, 0, 0, 0 },
	{ "one byte a texel", 2, VIRGL_R8, 61, 43, 1, 1, 1, 0, 0,
	  { 3, 5, 0, 53, 31, 1 }, 0, 0, 1 },
	{ "one byte, with a stride", 2, VIRGL_R8, 61, 43, 1, 1, 1, 0, 0,
	  { 3, 5, 0, 53, 31, 1 }, 59, 0, 7 },
	{ "two bytes a texel", 2, VIRGL_R8G8, 61, 43, 1, 1, 1, 0, 0,
	  { 3, 5, 0, 53, 31, 1 }, 0, 0, 2 },
	{ "B5G6R5", 2, VIRGL_B5G6R5, 61, 43, 1, 1, 1, 0, 0,
	  { 3, 5, 0, 53, 31, 1 }, 0, 0, 0 },
	{ "16 bytes a texel", 2, VIRGL_RGBA32_FLOAT, 21, 13, 1, 1, 1, 0, 0,
	  { 1, 1, 0, 19, 11, 1 }, 320, 0, 16 },
	{ "RECT", 5, VIRGL_B8G8R8A8, 45, 33, 1, 1, 1, 0, 0,
	  { 2, 3, 0, 40, 25, 1 }, 0, 0, 0 },
	{ "1D", 1, VIRGL_B8G8R8A8, 200, 1, 1, 1, 1, 0, 0,
	  { 17, 0, 0, 100, 1, 1 }, 0, 0, 0 },
	{ "layers of 1D_ARRAY", 6, VIRGL_B8G8R8A8, 100, 1, 1, 9, 1, 0, 0,
	  { 10, 0, 2, 50, 1, 5 }, 0, 0, 0 },
	{ "layers of 2D_ARRAY", 7, VIRGL_B8G8R8A8, 30, 20, 1, 7, 1, 0, 0,
	  { 3, 4, 2, 20, 10, 4 }, 0, 0, 0 },
	{ "layers, with strides", 7, VIRGL_B8G8R8A8, 30, 20, 1, 7, 1, 0, 0,
	  { 3, 4, 1, 20, 10, 5 }, 100, 1500, 500 },
	{ "slices of 3D", 3, VIRGL_B8G8R8A8, 20, 16, 12, 1, 1, 0, 0,
	  { 2, 3, 4, 11, 9, 6 }, 0, 0, 0 },
	{ "slices of a level", 3, VIRGL_B8G8R8A8, 20, 16, 12, 1, 4, 0, 1,
	  { 1, 2, 1, 8, 5, 4 }, 64, 640, 96 },
	{ "faces of CUBE", 4, VIRGL_B8G8R8A8, 24, 24, 1, 6, 1, 0, 0,
	  { 2, 3, 1, 20, 19, 4 }, 0, 0, 0 },
	{ "faces of CUBE_ARRAY", 8, VIRGL_B8G8R8A8, 16, 16, 1, 12, 1, 0, 0,
	  { 1, 1, 4, 14, 13, 5 }, 0, 0, 0 },
	{ "BUFFER", 0, VIRGL_R8, 10000, 1, 1, 1, 1, 0, 0,
	  { 1111, 0, 0, 5555, 1, 1 }, 0, 0, 77 },
};

static void noise(uint8_t *at, uint64_t size, uint32_t seed, bool floats)
{
	uint64_t i;

	for (i = 0; i < size; i++)
		at[i] = (uint8_t)(xorshift(&seed) >> 11);
	/* Finite ones, so that nobody may change a bit of them. */
	for (i = 3; floats && i < size; i += 4)
		at[i] = 0x3f;
}

static struct pvgpu_resource_create surface_of(struct guest *g,
					       const struct scene *s)
{
	struct pvgpu_resource_create q = surface_2d(g, s->format, s->width,
						    s->height);

	q.target = pvgpu_cpu_to_le32(s->target);
	q.depth = pvgpu_cpu_to_le32(s->depth);
	q.layers = pvgpu_cpu_to_le32(s->layers);
	q.levels = pvgpu_cpu_to_le32(s->levels);
	q.flags = pvgpu_cpu_to_le32(s->flags);
	if (!s->target)
		q.bind = pvgpu_cpu_to_le32(VIRGL_BIND_VERTEX);
	return q;
}

/* Where a row of the box lies in the VRAM behind the surface. */
static uint64_t row_at(const struct scene *s, const struct transfer *t,
		       uint32_t y, uint32_t z)
{
	uint32_t bytes = pvgpu_surface_block(s->format).bytes;
	uint64_t stride = t->stride ? t->stride :
			  (uint64_t)s->box.width * bytes;
	uint64_t layer = t->layer_stride ? t->layer_stride :
			 stride * s->box.height;

	return t->offset + z * layer + y * stride;
}

/* The rows of `from` at `a` equal those of `to` at `b`. */
static void same_rows(const struct scene *s, const uint8_t *from,
		      const struct transfer *a, const uint8_t *to,
		      const struct transfer *b)
{
	uint32_t row = s->box.width * pvgpu_surface_block(s->format).bytes;
	uint32_t y, z, i;

	for (z = 0; z < s->box.depth; z++)
		for (y = 0; y < s->box.height; y++) {
			const uint8_t *p = from + row_at(s, a, y, z);
			const uint8_t *q = to + row_at(s, b, y, z);

			for (i = 0; i < row; i++)
				EXPECT(p[i] == q[i], "%s: byte %u of row %u, "
				       "%u is %02x, not %02x", s->what, i, y,
				       z, q[i], p[i]);
		}
}

/* What lies beside the rows of `t` in `now` is as in `before`. */
static void untouched(const struct scene *s, const uint8_t *before,
		      const uint8_t *now, const struct transfer *t)
{
	uint32_t row = s->box.width * pvgpu_surface_block(s->format).bytes;
	uint8_t *mask = calloc(VRAM_BYTES, 1);
	uint32_t y, z, i;

	EXPECT(mask, "memory");
	for (z = 0; z < s->box.depth; z++)
		for (y = 0; y < s->box.height; y++)
			memset(mask + row_at(s, t, y, z), 1, row);
	for (i = 0; i < VRAM_BYTES; i++)
		if (!mask[i] && before[i] != now[i])
			break;
	free(mask);
	EXPECT(i == VRAM_BYTES, "%s: byte %u beside it was touched", s->what,
	       i);
}

/* In with one stride, out with another, elsewhere; then a part of it again.
 * `bytes` is VRAM behind the surface, in its order. */
static void there_and_back(struct gl *gl, const struct scene *s,
			   uint32_t name, uint8_t *bytes, uint8_t *copy)
{
	bool floats = s->format == VIRGL_RGBA32_FLOAT;
	struct transfer in = {
		.resource = name, .level = s->level, .offset = s->offset,
		.stride = s->stride, .layer_stride = s->layer_stride,
		.box = s->box,
	}, out = in;
	struct guest *g = gl->g;

	noise(bytes, VRAM_BYTES, 17 + s->offset, floats);
	memcpy(copy, bytes, VRAM_BYTES);
	EXPECT_OK(g, s->what, gl_transfer(gl, PVGPU_OP_VIRGL_TRANSFER_TO,
					  &in));
	EXPECT(!memcmp(copy, bytes, VRAM_BYTES), "%s: TO writes", s->what);

	/* Back to another place, without gaps, over other noise. */
	out.offset = (2u << 20) + 60;
	out.stride = out.layer_stride = 0;
	noise(bytes + (2u << 20), 2u << 20, 99, false);
	{
		uint8_t *before = malloc(VRAM_BYTES);

		EXPECT(before, "memory");
		memcpy(before, bytes, VRAM_BYTES);
		conform_answered(g, __FILE__, __LINE__, s->what,
				 gl_transfer(gl, PVGPU_OP_VIRGL_TRANSFER_FROM,
					     &out), 0, 0);
		if (!conform_failed())
			untouched(s, before, bytes, &out);
		free(before);
	}
	if (!conform_failed())
		same_rows(s, copy, &in, bytes, &out);
	if (conform_failed())
		return;

	/* And with the strides that it came with. */
	out = in;
	out.offset = (2u << 20) + in.offset;
	memcpy(copy + (2u << 20), bytes + (2u << 20), 2u << 20);
	EXPECT_OK(g, s->what, gl_transfer(gl, PVGPU_OP_VIRGL_TRANSFER_FROM,
					  &out));
	untouched(s, copy, bytes, &out);
	if (!conform_failed())
		same_rows(s, copy, &in, bytes, &out);
}

static void every_shape(struct guest *g)
{
	uint8_t *copy = malloc(VRAM_BYTES), *bytes;
	uint32_t name, i;
	struct gl gl;

	EXPECT(copy && gl_begin(&gl, g), "begin: status %u", g->status);
	for (i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		struct pvgpu_resource_create q = surface_of(g, &scenes[i]);

		name = gl_surface(&gl, &q, VRAM_BYTES, &bytes);
		if (!name)
			conform_fail(__FILE__, __LINE__, "%s: status %u, "
				     "detail %u", scenes[i].what, g->status,
				     g->detail);
		else
			there_and_back(&gl, &scenes[i], name, bytes, copy);
		if (conform_failed())
			break;
		guest_destroy(g, name);
		g->vram_used -= VRAM_BYTES;
	}
	free(copy);
}

/* The same through extents in any order, some of them a page long. */
static void scattered(struct guest *g)
{
	static const struct scene s = {
		"scattered", 2, VIRGL_B8G8R8A8, 200, 100, 1, 1, 1, 0, 0,
		{ 3, 2, 0, 190, 95, 1 }, 804, 0, 4000,
	};
	const uint32_t pages = 2048, first = 512;	/* VRAM, in pages */
	struct pvgpu_resource_create q = surface_of(g, &s);
	uint32_t name = pvgpu_le32_to_cpu(q.resource), i, order = 1;
	struct transfer t = {
		.resource = name, .offset = s.offset, .stride = s.stride,
		.box = s.box,
	};
	struct gl gl;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	q.context = pvgpu_cpu_to_le32(1);
	q.size = pvgpu_cpu_to_le64(100 * 4096);
	EXPECT_OK(g, "surface", surface_create(g, &q));
	for (i = 0; i < 100; i++) {
		/* A walk that comes by no page twice. */
		order = (order * 5 + 3) % pages;
		EXPECT_OK(g, "back", guest_back(g, name,
			  (uint64_t)(first + order) * 4096, 4096));
	}
	{
		uint8_t *flat = malloc(100 * 4096), *back = malloc(100 * 4096);

		for (i = 0, order = 1; flat && back && i < 100; i++) {
			order = (order * 5 + 3) % pages;
			noise(g->vram + (first + order) * 4096, 4096, i + 1,
			      false);
			memcpy(flat + i * 4096,
			       g->vram + (first + order) * 4096, 4096);
		}
		conform_answered(g, __FILE__, __LINE__, "to", gl_transfer(&gl,
				 PVGPU_OP_VIRGL_TRANSFER_TO, &t), 0, 0);
		for (i = 0, order = 1; i < 100; i++) {
			order = (order * 5 + 3) % pages;
			memset(g->vram + (first + order) * 4096, 0xa5, 4096);
		}
		conform_answered(g, __FILE__, __LINE__, "from", gl_transfer(
				 &gl, PVGPU_OP_VIRGL_TRANSFER_FROM, &t), 0, 0);
		for (i = 0, order = 1; flat && back && i < 100; i++) {
			order = (order * 5 + 3) % pages;
			memcpy(back + i * 4096,
			       g->vram + (first + order) * 4096, 4096);
		}
		if (flat && back && !conform_failed())
			same_rows(&s, flat, &t, back, &t);
		free(flat);
		free(back);
	}
}

/* Transfers inside a stream, as Mesa sends them, say the same. */
static void inside_streams(struct guest *g)
{
	uint32_t target, i;
	uint8_t *bytes;
	struct gl gl;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	target = gl_target(&gl, 64, 64, &bytes);
	EXPECT(target, "surface");
	noise(bytes, 64 * 64 * 4, 5, false);
	/* resource, level, usage, strides, box, offset, direction */
	STREAM(&gl.s, VIRGL_TRANSFER3D, 0, target, 0, 0, 256, 0, 0, 0, 0, 64,
	       64, 1, 0, 1);
	stream_put(&gl.s, VIRGL_END_TRANSFERS, 0, NULL, 0);
	EXPECT_OK(g, "to", gl_run(&gl));
	for (i = 0; i < 64 * 64; i++)
		pvgpu_store32((void *)(bytes + i * 4), pvgpu_load32(
			      (void *)(bytes + i * 4)) ^ ~0u);
	EXPECT_OK(g, "from", gl_read(&gl, target, 64, 64));
	{
		uint8_t wanted[4096];

		noise(wanted, sizeof(wanted), 5, false);
		EXPECT(!memcmp(bytes, wanted, sizeof(wanted)),
		       "other bytes than those that were sent");
	}
	/* Beyond what is behind it: the context is lost, and no more. */
	stream_begin(&gl.s);
	STREAM(&gl.s, VIRGL_TRANSFER3D, 0, target, 0, 0, 256, 0, 0, 0, 0, 64,
	       64, 1, 4096, 1);
	EXPECT(gl_run(&gl) == PVGPU_STATUS_CONTEXT_LOST, "status %u",
	       g->status);
	EXPECT_OK(g, "ping", guest_ping(g));
}

/* From and to a staging buffer, inside a stream, as Mesa does it. */
static void staged(struct guest *g)
{
	struct pvgpu_resource_create q = surface_2d(g, VIRGL_R8, 65536, 1);
	uint32_t target, staging, i;
	uint8_t *bytes, *behind;
	struct gl gl;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	target = gl_target(&gl, 64, 64, &behind);
	q.target = pvgpu_cpu_to_le32(PVGPU_TARGET_BUFFER);
	q.bind = pvgpu_cpu_to_le32(VIRGL_BIND_STAGING);
	staging = gl_surface(&gl, &q, 65536, &bytes);
	EXPECT(target && staging, "surfaces: status %u", g->status);
	noise(bytes, 65536, 8, false);
	memset(behind, 0x11, 64 * 64 * 4);
	/* resource, level, usage, strides, box, source, its offset, flags */
	STREAM(&gl.s, VIRGL_COPY_TRANSFER3D, 0, target, 0, 0, 256, 16384, 0, 0,
	       0, 64, 64, 1, staging, 4096, 1);
	EXPECT_OK(g, "to", gl_run(&gl));
	EXPECT_OK(g, "read", gl_read(&gl, target, 64, 64));
	EXPECT(!memcmp(behind, bytes + 4096, 16384), "other bytes");
	stream_begin(&gl.s);
	STREAM(&gl.s, VIRGL_COPY_TRANSFER3D, 0, target, 0, 0, 256, 16384, 0, 0,
	       0, 64, 64, 1, staging, 32768, 3);
	EXPECT_OK(g, "from", gl_run(&gl));
	for (i = 0; i < 16384; i++)
		EXPECT(bytes[32768 + i] == behind[i], "byte %u came back as "
		       "%02x, not %02x", i, bytes[32768 + i], behind[i]);
}

/* ------------------------------------------------------------- refusals */

#define AT(field) offsetof(struct pvgpu_virgl_transfer, field)

static int send(struct gl *gl, const struct pvgpu_virgl_transfer *t)
{
	struct pvgpu_virgl_transfer q = *t;
	uint16_t opcode = gl->g->fences[1] % 2 ? PVGPU_OP_VIRGL_TRANSFER_TO :
			  PVGPU_OP_VIRGL_TRANSFER_FROM;

	return guest_submit(gl->g, gl->channel, opcode, PVGPU_MSG_NOTIFY, &q,
			    sizeof(q)) ? gl_answer(gl) : PVGPU_CLIENT_FULL;
}

static void refusals(struct guest *g)
{
	/* In the order of the checks, from the last to the first: a change to
	 * a transfer that is good otherwise, which stays for those above. */
	static const struct {
		uint32_t at, value, status, detail;
	} changes[] = {
		{ AT(offset), 16384 - 128 + 4, PVGPU_STATUS_RANGE,
		  AT(offset) },
		{ AT(offset) + 4, 1, PVGPU_STATUS_RANGE, AT(offset) },
		{ AT(layer_stride), 63, PVGPU_STATUS_INVALID,
		  AT(layer_stride) },
		{ AT(stride), 15, PVGPU_STATUS_INVALID, AT(stride) },
		{ AT(depth), 3, PVGPU_STATUS_RANGE, AT(z) },
		{ AT(z), ~0u, PVGPU_STATUS_RANGE, AT(z) },
		{ AT(height), 33, PVGPU_STATUS_RANGE, AT(y) },
		{ AT(y), ~0u, PVGPU_STATUS_RANGE, AT(y) },
		{ AT(width), 33, PVGPU_STATUS_RANGE, AT(x) },
		{ AT(x), ~0u, PVGPU_STATUS_RANGE, AT(x) },
		{ AT(level), 2, PVGPU_STATUS_RANGE, AT(level) },
		{ AT(level), ~0u, PVGPU_STATUS_RANGE, AT(level) },
		{ AT(resource), 99, PVGPU_STATUS_NOT_FOUND, AT(resource) },
		{ AT(resource), 0, PVGPU_STATUS_NOT_FOUND, AT(resource) },
		{ AT(context), 99, PVGPU_STATUS_NOT_FOUND, AT(context) },
		{ AT(context), 0, PVGPU_STATUS_NOT_FOUND, AT(context) },
		{ AT(depth), 0, PVGPU_STATUS_INVALID, AT(depth) },
		{ AT(height), 0, PVGPU_STATUS_INVALID, AT(height) },
		{ AT(width), 0, PVGPU_STATUS_INVALID, AT(width) },
		{ AT(reserved), 1, PVGPU_STATUS_INVALID, AT(reserved) },
	};
	struct pvgpu_resource_create q = surface_2d(g, VIRGL_B8G8R8A8, 64, 64);
	struct pvgpu_virgl_transfer t;
	struct transfer good = { .level = 1, .box = { 0, 0, 0, 4, 4, 2 } };
	uint32_t none, half, many, i;
	struct gl gl;

	EXPECT(gl_begin(&gl, g), "begin: status %u", g->status);
	q.levels = pvgpu_cpu_to_le32(2);
	q.target = pvgpu_cpu_to_le32(PVGPU_TARGET_2D_ARRAY);
	q.layers = pvgpu_cpu_to_le32(2);
	good.resource = gl_surface(&gl, &q, 16384, NULL);
	EXPECT(good.resource, "surface");
	EXPECT_OK(g, "a good one", gl_transfer(&gl,
		  PVGPU_OP_VIRGL_TRANSFER_TO, &good));
	good.offset = 16384 - 128;
	EXPECT_OK(g, "its last bytes", gl_transfer(&gl,
		  PVGPU_OP_VIRGL_TRANSFER_FROM, &good));
	t = transfer_message(&gl, &good);
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		pvgpu_le32 word = pvgpu_cpu_to_le32(changes[i].value);
		char what[48];

		memcpy((uint8_t *)&t + changes[i].at, &word, sizeof(word));
		snprintf(what, sizeof(what), "word %u = %u", changes[i].at,
			 changes[i].value);
		EXPECT_ANSWER(g, what, send(&gl, &t), changes[i].status,
			      changes[i].detail);
	}

	t = transfer_message(&gl, &good);
	q = surface_2d(g, VIRGL_B8G8R8A8, 64, 64);
	none = gl_surface(&gl, &q, 0, NULL);
	q = surface_2d(g, VIRGL_B8G8R8A8, 64, 64);
	half = pvgpu_le32_to_cpu(q.resource);
	q.size = pvgpu_cpu_to_le64(16384);
	q.context = pvgpu_cpu_to_le32(1);
	EXPECT_OK(g, "create", surface_create(g, &q));
	EXPECT_OK(g, "back half", guest_back(g, half, g->vram_used, 8192));
	t.level = 0;
	t.depth = pvgpu_cpu_to_le32(1);
	t.resource = pvgpu_cpu_to_le32(none);
	EXPECT_ANSWER(g, "without VRAM", send(&gl, &t), PVGPU_STATUS_INVALID,
		      AT(resource));
	t.resource = pvgpu_cpu_to_le32(half);
	EXPECT_ANSWER(g, "half backed", send(&gl, &t), PVGPU_STATUS_INVALID,
		      AT(resource));
	t.resource = pvgpu_cpu_to_le32(gl.commands);
	EXPECT_ANSWER(g, "a linear one", send(&gl, &t), PVGPU_STATUS_NOT_FOUND,
		      AT(resource));
	q = surface_2d(g, VIRGL_B8G8R8A8, 64, 64);
	q.samples = pvgpu_cpu_to_le32(4);
	many = gl_surface(&gl, &q, 16384, NULL);
	EXPECT(many, "surface");
	t.resource = pvgpu_cpu_to_le32(many);
	t.offset = 0;
	EXPECT_ANSWER(g, "of several samples", send(&gl, &t),
		      PVGPU_STATUS_UNSUPPORTED, AT(resource));
	/* None of it has cost the context anything. */
	EXPECT_OK(g, "a good one", gl_transfer(&gl,
		  PVGPU_OP_VIRGL_TRANSFER_TO, &good));
}

const struct test virgl_transfer_tests[] = {
	{ "virgl-transfer-every-shape", every_shape, false },
	{ "virgl-transfer-scattered", scattered, false },
	{ "virgl-transfer-inside-streams", inside_streams, false },
	{ "virgl-transfer-staged", staged, false },
	{ "virgl-transfer-refusals", refusals, false },
	{ NULL, NULL, false },
};
