// SPDX-License-Identifier: MIT
/* The copy class: spec.md 8.5. */
#include <stdlib.h>

#include "conform.h"

#define SIZE (1u << 20)

struct area {
	uint32_t resource, stride;
	uint64_t offset;
};

static struct pvgpu_copy_area wire_area(struct area a)
{
	return (struct pvgpu_copy_area){
		.resource = pvgpu_cpu_to_le32(a.resource),
		.stride = pvgpu_cpu_to_le32(a.stride),
		.offset = pvgpu_cpu_to_le64(a.offset),
	};
}

static bool rect(struct guest *g, struct area src, struct area dst,
		 uint32_t row_bytes, uint32_t height)
{
	struct pvgpu_copy_rect q = {
		.src = wire_area(src), .dst = wire_area(dst),
		.row_bytes = pvgpu_cpu_to_le32(row_bytes),
		.height = pvgpu_cpu_to_le32(height),
	};

	return guest_submit(g, 1, PVGPU_OP_COPY_RECT, 0, &q, sizeof(q));
}

static bool fill(struct guest *g, struct area dst, uint32_t row_bytes,
		 uint32_t height, uint32_t unit, uint32_t value)
{
	struct pvgpu_copy_fill q = {
		.dst = wire_area(dst),
		.row_bytes = pvgpu_cpu_to_le32(row_bytes),
		.height = pvgpu_cpu_to_le32(height),
		.unit = pvgpu_cpu_to_le32(unit),
		.value = pvgpu_cpu_to_le32(value),
	};

	return guest_submit(g, 1, PVGPU_OP_COPY_FILL, 0, &q, sizeof(q));
}

static void noise(uint8_t *bytes, uint32_t size, uint32_t seed)
{
	uint32_t i;

	for (i = 0; i < size; i++)
		bytes[i] = (uint8_t)xorshift(&seed);
}

/* Waits, and says whether all went well. */
static bool done(struct guest *g)
{
	uint32_t flags;

	return guest_finish(g, 1) == 0 &&
	       (pvgpu_client_fence(&g->client, 1, &flags), !flags);
}

static void fills(struct guest *g)
{
	static const struct {
		uint32_t offset, stride, row, height, unit, value;
	} cases[] = {
		{ 0, 0, 1, 1, 1, 0x11 },
		{ 7, 0, 13, 1, 1, 0xabcdef22 },
		{ 100, 64, 30, 5, 2, 0x33441234 },
		{ 3, 100, 100, 10, 4, 0x55667788 },
		{ 4095, 5000, 4098, 20, 2, 0xbeef },
		{ 1, 4000, 3996, 200, 4, 0x01020304 },
		{ 0, 0, SIZE, 1, 4, 0xdeadbeef },
		{ SIZE - 4, 0, 4, 1, 4, 0x0badcafe },
	};
	uint8_t *bytes, *expected = malloc(SIZE);
	uint32_t r = guest_resource(g, SIZE, &bytes), i, y, x;

	EXPECT(r && expected, "resource");
	EXPECT_OK(g, "open", guest_open(g, 1));
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		noise(bytes, SIZE, i + 1);
		memcpy(expected, bytes, SIZE);
		for (y = 0; y < cases[i].height; y++)
			for (x = 0; x < cases[i].row; x++)
				expected[cases[i].offset +
					 y * cases[i].stride + x] =
					(uint8_t)(cases[i].value >>
						  8 * (x % cases[i].unit));
		EXPECT(fill(g, (struct area){ r, cases[i].stride,
					      cases[i].offset },
			    cases[i].row, cases[i].height, cases[i].unit,
			    cases[i].value), "room");
		EXPECT(done(g), "fill %u was refused", i);
		EXPECT(!memcmp(bytes, expected, SIZE), "fill %u", i);
	}
	free(expected);
}

static void rects(struct guest *g)
{
	uint32_t random = 0x51ed270b, i, y;
	uint8_t *from, *to, *expected = malloc(SIZE);
	uint32_t a = guest_resource(g, SIZE, &from);
	uint32_t b = guest_resource(g, SIZE, &to);

	EXPECT(a && b && expected, "resources");
	EXPECT_OK(g, "open", guest_open(g, 1));
	noise(from, SIZE, 7);
	for (i = 0; i < 40; i++) {
		uint32_t row = 1 + xorshift(&random) % 5000;
		uint32_t height = 1 + xorshift(&random) % 40;
		uint32_t stride = row + xorshift(&random) % 600;
		uint32_t to_stride = row + xorshift(&random) % 600;
		uint32_t offset = xorshift(&random) % 10000;
		uint32_t to_offset = xorshift(&random) % 10000;

		memset(to, 0x77, SIZE);
		memset(expected, 0x77, SIZE);
		for (y = 0; y < height; y++)
			memcpy(expected + to_offset + y * to_stride,
			       from + offset + y * stride, row);
		EXPECT(rect(g, (struct area){ a, stride, offset },
			    (struct area){ b, to_stride, to_offset }, row,
			    height), "room");
		EXPECT(done(g), "copy %u was refused", i);
		EXPECT(!memcmp(to, expected, SIZE), "copy %u", i);
	}
	free(expected);
}

/* What a copy through a buffer of its own gives. */
static void through_buffer(uint8_t *bytes, uint32_t src, uint32_t src_stride,
			   uint32_t dst, uint32_t dst_stride, uint32_t row,
			   uint32_t height)
{
	uint8_t *buffer = malloc((size_t)row * height);
	uint32_t y;

	for (y = 0; buffer && y < height; y++)
		memcpy(buffer + (size_t)y * row, bytes + src + y * src_stride,
		       row);
	for (y = 0; buffer && y < height; y++)
		memcpy(bytes + dst + y * dst_stride, buffer + (size_t)y * row,
		       row);
	free(buffer);
}

static void overlaps(struct guest *g)
{
	static const int32_t moves[] = {
		0, 1, -1, 4, -4, 63, -64, 1000, -1000, 1023, 1024, 1025,
		-1023, -1024, -1025, 20000, -20000,
	};
	uint8_t *bytes, *expected = malloc(SIZE);
	uint32_t r = guest_resource(g, SIZE, &bytes), alias, i, k;
	const uint32_t base = 100000;

	EXPECT(r && expected, "resource");
	/* The same memory by another name, and shifted by a page. */
	alias = g->next_name++;
	EXPECT_OK(g, "create", guest_create(g, alias, SIZE - 4096));
	EXPECT_OK(g, "back", guest_back(g, alias, 4096, SIZE - 4096));
	EXPECT_OK(g, "open", guest_open(g, 1));
	for (k = 0; k < 3; k++)
		for (i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
			uint32_t stride = k == 1 ? 900 : 1024;
			uint32_t to_stride = k == 2 ? 1100 : stride;
			uint32_t to = base + (uint32_t)moves[i];
			struct area dst = { r, to_stride, to };

			noise(bytes, SIZE, i + 99);
			memcpy(expected, bytes, SIZE);
			through_buffer(expected, base, stride, to, to_stride,
				       900, 50);
			if (i % 2) {
				dst.resource = alias;
				dst.offset -= 4096;
			}
			EXPECT(rect(g, (struct area){ r, stride, base }, dst,
				    900, 50), "room");
			EXPECT(done(g), "move %d, %u was refused", moves[i], k);
			EXPECT(!memcmp(bytes, expected, SIZE), "move %d, %u",
			       moves[i], k);
		}
	free(expected);
}

/* Extents in any order, in parts; and the bytes are where they should be. */
static void scattered(struct guest *g)
{
	static const uint32_t pages[] = { 9, 3, 4, 20, 0, 17, 16, 15 };
	uint32_t r = 50, flat, i;
	uint8_t *to;

	g->vram_used = 1u << 20;
	EXPECT_OK(g, "create", guest_create(g, r, 8 * 4096 - 100));
	for (i = 0; i < 8; i++) {
		EXPECT_OK(g, "back", guest_back(g, r, pages[i] * 4096, 4096));
		noise(g->vram + pages[i] * 4096, 4096, i + 1);
	}
	flat = guest_resource(g, 8 * 4096, &to);
	EXPECT(flat, "resource");
	memset(to, 0, 8 * 4096);
	EXPECT_OK(g, "open", guest_open(g, 1));
	EXPECT(rect(g, (struct area){ r, 0, 0 }, (struct area){ flat, 0, 0 },
		    8 * 4096 - 100, 1), "room");
	EXPECT(done(g), "refused");
	for (i = 0; i < 8; i++)
		EXPECT(!memcmp(to + i * 4096, g->vram + pages[i] * 4096,
			       i < 7 ? 4096 : 3996), "page %u", i);
	EXPECT(to[8 * 4096 - 100] == 0, "beyond the end");
	/* And back, across the borders, with a gap between the rows. */
	noise(to, 8 * 4096, 77);
	EXPECT(rect(g, (struct area){ flat, 3000, 0 },
		    (struct area){ r, 4500, 1000 }, 3000, 7), "room");
	EXPECT(done(g), "refused");
	for (i = 0; i < 7 * 3000; i++) {
		uint32_t at = 1000 + i / 3000 * 4500 + i % 3000;

		EXPECT(g->vram[pages[at / 4096] * 4096 + at % 4096] == to[i],
		       "byte %u", i);
	}
}

/* The batch is refused so, its fence is reached, and nothing was written. */
static void expect_refused(struct guest *g, const char *what, bool sent,
			   uint32_t status, uint32_t detail)
{
	struct pvgpu_completion done;
	uint32_t flags;

	EXPECT(sent, "%s: room", what);
	EXPECT(guest_completion(g, 1, ANSWER_MS), "%s: no completion", what);
	memcpy(&done, g->reply, sizeof(done));
	EXPECT(g->status == status && g->detail == detail,
	       "%s: status %u, detail %u; not %u, %u", what, g->status,
	       g->detail, status, detail);
	EXPECT(pvgpu_le64_to_cpu(done.value) == g->fences[1], "%s: value",
	       what);
	EXPECT(guest_finish(g, 1) == 0, "%s: the fence is lost", what);
	pvgpu_client_fence(&g->client, 1, &flags);
	EXPECT(flags == PVGPU_FENCE_FAILED, "%s: flags %u", what, flags);
}

#define REFUSED(what, sent, status, detail) do { \
		expect_refused(g, what, sent, status, detail); \
		if (conform_failed()) \
			return; \
	} while (0)
#define A(...) (struct area){ __VA_ARGS__ }

static void rect_refusals(struct guest *g)
{
	uint8_t *from, *to;
	uint32_t a = guest_resource(g, 10000, &from);
	uint32_t b = guest_resource(g, 10000, &to), i;
	const uint32_t none = 99, half = 98;

	EXPECT(a && b, "resources");
	EXPECT_OK(g, "create", guest_create(g, half, 8192));
	EXPECT_OK(g, "back half", guest_back(g, half, 0, 4096));
	EXPECT_OK(g, "open", guest_open(g, 1));
	memset(from, 1, 12288);
	memset(to, 2, 12288);
	REFUSED("row of 0", rect(g, A(a, 10, 0), A(b, 10, 0), 0, 5),
		PVGPU_STATUS_INVALID, 56);
	REFUSED("no rows", rect(g, A(a, 10, 0), A(b, 10, 0), 10, 0),
		PVGPU_STATUS_INVALID, 60);
	REFUSED("source stride", rect(g, A(a, 9, 0), A(b, 10, 0), 10, 2),
		PVGPU_STATUS_INVALID, 28);
	REFUSED("no source", rect(g, A(none, 10, 0), A(b, 10, 0), 10, 2),
		PVGPU_STATUS_NOT_FOUND, 24);
	REFUSED("source 0", rect(g, A(0, 10, 0), A(b, 10, 0), 10, 2),
		PVGPU_STATUS_NOT_FOUND, 24);
	REFUSED("half a source", rect(g, A(half, 10, 0), A(b, 10, 0), 10, 2),
		PVGPU_STATUS_INVALID, 24);
	REFUSED("source one byte long", rect(g, A(a, 0, 1), A(b, 0, 0), 10000,
					     1), PVGPU_STATUS_RANGE, 32);
	REFUSED("into the rest of the page", rect(g, A(a, 0, 10000),
						  A(b, 0, 0), 1, 1),
		PVGPU_STATUS_RANGE, 32);
	REFUSED("source rows", rect(g, A(a, 1000, 1), A(b, 100, 0), 1000, 10),
		PVGPU_STATUS_RANGE, 32);
	REFUSED("source far away", rect(g, A(a, 10, ~0ull), A(b, 10, 0), 10,
					1), PVGPU_STATUS_RANGE, 32);
	REFUSED("source that overflows", rect(g, A(a, 10, ~0ull - 9),
					      A(b, 10, 0), 10, 1),
		PVGPU_STATUS_RANGE, 32);
	REFUSED("all the numbers", rect(g, A(a, 0xffffffff, 0),
					A(b, 0xffffffff, 0), 0xffffffff,
					0xffffffff), PVGPU_STATUS_RANGE, 32);
	REFUSED("destination stride", rect(g, A(a, 10, 0), A(b, 9, 0), 10, 2),
		PVGPU_STATUS_INVALID, 44);
	REFUSED("no destination", rect(g, A(a, 10, 0), A(none, 10, 0), 10, 2),
		PVGPU_STATUS_NOT_FOUND, 40);
	REFUSED("half a destination", rect(g, A(a, 10, 0), A(half, 10, 0), 10,
					   2), PVGPU_STATUS_INVALID, 40);
	REFUSED("destination", rect(g, A(a, 100, 0), A(b, 100, 9901), 100, 1),
		PVGPU_STATUS_RANGE, 48);
	for (i = 0; i < 10000; i++)
		EXPECT(to[i] == 2 && from[i] == 1, "byte %u was written", i);
	/* The same within the bounds. */
	EXPECT(rect(g, A(a, 1000, 0), A(b, 1000, 0), 1000, 10), "room");
	EXPECT(guest_finish(g, 1) == 0, "the next one");
	EXPECT(to[0] == 1 && to[9999] == 1 && to[10000] == 2, "is not done");
}

static void fill_refusals(struct guest *g)
{
	uint8_t *to;
	uint32_t b = guest_resource(g, 10000, &to), i;

	EXPECT(b, "resource");
	EXPECT_OK(g, "open", guest_open(g, 1));
	memset(to, 2, 12288);
	REFUSED("unit 0", fill(g, A(b, 16, 0), 16, 1, 0, 1),
		PVGPU_STATUS_INVALID, 48);
	REFUSED("unit 3", fill(g, A(b, 16, 0), 18, 1, 3, 1),
		PVGPU_STATUS_INVALID, 48);
	REFUSED("unit 8", fill(g, A(b, 16, 0), 16, 1, 8, 1),
		PVGPU_STATUS_INVALID, 48);
	REFUSED("row of 0", fill(g, A(b, 16, 0), 0, 1, 4, 1),
		PVGPU_STATUS_INVALID, 40);
	REFUSED("broken unit", fill(g, A(b, 16, 0), 6, 1, 4, 1),
		PVGPU_STATUS_INVALID, 40);
	REFUSED("no rows", fill(g, A(b, 16, 0), 16, 0, 4, 1),
		PVGPU_STATUS_INVALID, 44);
	REFUSED("stride", fill(g, A(b, 15, 0), 16, 2, 4, 1),
		PVGPU_STATUS_INVALID, 28);
	REFUSED("no destination", fill(g, A(77, 16, 0), 16, 2, 4, 1),
		PVGPU_STATUS_NOT_FOUND, 24);
	REFUSED("range", fill(g, A(b, 16, 9985), 16, 1, 4, 1),
		PVGPU_STATUS_RANGE, 32);
	REFUSED("overflow", fill(g, A(b, 16, ~0ull - 15), 16, 1, 4, 1),
		PVGPU_STATUS_RANGE, 32);
	REFUSED("all the numbers", fill(g, A(b, 0xffffffff, ~0ull),
					0xfffffffc, 0xffffffff, 4, 1),
		PVGPU_STATUS_RANGE, 32);
	for (i = 0; i < 12288; i++)
		EXPECT(to[i] == 2, "byte %u was written", i);
}

const struct test copy_tests[] = {
	{ "copy-fill", fills, false },
	{ "copy-rect", rects, false },
	{ "copy-overlap", overlaps, false },
	{ "copy-scattered-extents", scattered, false },
	{ "copy-rect-refusals", rect_refusals, false },
	{ "copy-fill-refusals", fill_refusals, false },
	{ NULL, NULL, false },
};
