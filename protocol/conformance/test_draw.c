// SPDX-License-Identifier: MIT
/*
 * A picture on every head, with a cursor that is partly clear and partly
 * beyond the edge, for whoever looks from the host: spec.md 10.2. What the
 * pixels must be is said in picture.py too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "conform.h"

#define CURSOR 32u

/* Red, green and blue of a pixel of a head's picture. */
static uint32_t pixel(uint32_t head, uint32_t x, uint32_t y)
{
	return ((x * 3 + head * 50) & 255) << 16 | ((y * 5) & 255) << 8 |
	       ((x + y) & 255);
}

/* Another size on each head; all fit where the type allows 640x480. */
static void size_of(uint32_t head, uint32_t *width, uint32_t *height)
{
	*width = 640 - head * 40;
	*height = 480 - head * 30;
}

static uint32_t paint(struct guest *g, uint32_t head, uint32_t width,
		      uint32_t height)
{
	uint32_t r, x, y;
	uint8_t *bytes;

	r = guest_resource(g, (uint64_t)width * height * 4, &bytes);
	for (y = 0; r && y < height; y++)
		for (x = 0; x < width; x++)
			pvgpu_store32((void *)(bytes + (y * width + x) * 4),
				      pixel(head, x, y));
	return r;
}

/* Opaque orange, and clear where x < y. */
static uint32_t paint_cursor(struct guest *g)
{
	uint32_t r, x, y;
	uint8_t *bytes;

	r = guest_resource(g, CURSOR * CURSOR * 4, &bytes);
	for (y = 0; r && y < CURSOR; y++)
		for (x = 0; x < CURSOR; x++)
			pvgpu_store32((void *)(bytes + (y * CURSOR + x) * 4),
				      x < y ? 0 : 0xffff8000);
	return r;
}

static void look(uint32_t head, uint32_t width, uint32_t height)
{
	char command[4096];
	int status;

	if (!screenshot_command)
		return;
	snprintf(command, sizeof(command), "%s %u %u %u", screenshot_command,
		 head, width, height);
	status = system(command);
	EXPECT(status != -1 && WIFEXITED(status) && !WEXITSTATUS(status),
	       "head %u: %s: %d", head, command, status);
}

static void draw(struct guest *g)
{
	uint32_t head, width, height, cursor = paint_cursor(g), r;
	struct pvgpu_commit_plane *p;
	struct commit c;

	EXPECT(cursor, "resource");
	for (head = 0; head < g->d->heads; head++) {
		size_of(head, &width, &height);
		r = paint(g, head, width, height);
		EXPECT(r, "resource");
		commit_begin(&c);
		commit_head(&c, head, width, height, 60000)->frame =
			pvgpu_cpu_to_le64(1000 + head);
		commit_plane(&c, head, 0, r, PVGPU_FORMAT_XRGB8888, width,
			     height, 0, 0);
		p = commit_plane(&c, head, g->d->planes - 1, cursor,
				 PVGPU_FORMAT_ARGB8888, CURSOR, CURSOR,
				 head % 2 ? -16 : 100,
				 head % 2 ? (int32_t)height - 10 : 60);
		p->blend = pvgpu_cpu_to_le16(PVGPU_BLEND_PREMULTIPLIED);
		EXPECT_OK(g, "show", guest_commit(g, &c));
	}
	for (head = 0; head < g->d->heads && !conform_failed(); head++) {
		size_of(head, &width, &height);
		look(head, width, height);
	}
}

/* ---------------------------------------------- the same by other planes */

#define HOLE_X 300u
#define HOLE_Y 200u
#define HOLE_W 64u
#define HOLE_H 48u

static bool in_hole(uint32_t x, uint32_t y)
{
	return x - HOLE_X < HOLE_W && y - HOLE_Y < HOLE_H;
}

/* Where a pixel of a source of w x h is in the mode, step by step. */
static void follow(uint32_t transform, uint32_t w, uint32_t h, uint32_t *x,
		   uint32_t *y)
{
	uint32_t turns = transform & PVGPU_TRANSFORM_TURN_270, t;

	if (transform & PVGPU_TRANSFORM_MIRROR_X)
		*x = w - 1 - *x;
	if (transform & PVGPU_TRANSFORM_MIRROR_Y)
		*y = h - 1 - *y;
	for (; turns; turns--) {
		/* The upper right corner becomes the upper left one. */
		t = *x;
		*x = *y;
		*y = w - 1 - t;
		t = w;
		w = h;
		h = t;
	}
}

/* Head 0's picture for a plane with that transform, white where its hole is. */
static void paint_turned(uint8_t *bytes, uint32_t transform, uint32_t width,
			 uint32_t height)
{
	bool turned = transform & PVGPU_TRANSFORM_TURN_90;
	uint32_t w = turned ? height : width, h = turned ? width : height;
	uint32_t x, y;

	for (y = 0; y < h; y++)
		for (x = 0; x < w; x++) {
			uint32_t to_x = x, to_y = y;

			follow(transform, w, h, &to_x, &to_y);
			pvgpu_store32((void *)(bytes + (y * w + x) * 4),
				      in_hole(to_x, to_y) ? 0xffffff :
				      pixel(0, to_x, to_y));
		}
}

static uint32_t ten_bits(uint32_t value)
{
	return value << 2 | value >> 6;
}

/* What belongs into the hole: opaque there, and clear white around it. */
static uint32_t paint_filling(struct guest *g, bool ten)
{
	uint32_t w = HOLE_W + 16, h = HOLE_H + 16, r, x, y;
	uint8_t *bytes;

	r = guest_resource(g, (uint64_t)w * h * 4, &bytes);
	for (y = 0; r && y < h; y++)
		for (x = 0; x < w; x++) {
			uint32_t at_x = HOLE_X - 8 + x, at_y = HOLE_Y - 8 + y;
			uint32_t v = pixel(0, at_x, at_y) | 0xff000000;

			if (ten)
				v = 3u << 30 | ten_bits(v >> 16 & 255) << 20 |
				    ten_bits(v >> 8 & 255) << 10 |
				    ten_bits(v & 255);
			if (!in_hole(at_x, at_y))
				v = ten ? 0x3fffffff : 0x00ffffff;
			pvgpu_store32((void *)(bytes + (y * w + x) * 4), v);
		}
	return r;
}

static struct pvgpu_commit_plane *overlay(struct commit *c, uint32_t plane,
					  uint32_t resource, uint32_t format,
					  uint32_t z)
{
	struct pvgpu_commit_plane *p = commit_plane(c, 0, plane, resource,
		format, HOLE_W + 16, HOLE_H + 16, HOLE_X - 8, HOLE_Y - 8);

	p->z = pvgpu_cpu_to_le32(z);
	p->blend = pvgpu_cpu_to_le16(PVGPU_BLEND_COVERAGE);
	return p;
}

/* The picture of head 0 as it was, but its primary turned and mirrored, with a
 * hole that an overlay fills, and another overlay that the primary covers. */
static void draw_with_overlays(struct guest *g)
{
	static const uint32_t transforms[] = { 0, 1, 2, 3, 4, 5, 8, 11 };
	uint32_t width, height, cursor = paint_cursor(g), screen, fill[2], i;
	struct pvgpu_commit_plane *p;
	uint8_t *bytes;
	struct commit c;

	EXPECT(g->client.features & PVGPU_FEATURE_PLANES &&
	       g->d->planes >= 4, "no overlays");
	size_of(0, &width, &height);
	screen = guest_resource(g, (uint64_t)width * height * 4, &bytes);
	fill[0] = paint_filling(g, false);
	fill[1] = paint_filling(g, true);
	EXPECT(cursor && screen && fill[0] && fill[1], "resources");
	for (i = 0; i < sizeof(transforms) / sizeof(transforms[0]) &&
		    !conform_failed(); i++) {
		bool turned = transforms[i] & PVGPU_TRANSFORM_TURN_90;
		bool ten = i % 2;

		paint_turned(bytes, transforms[i], width, height);
		commit_begin(&c);
		commit_head(&c, 0, width, height, 60000);
		p = commit_plane(&c, 0, 0, screen, PVGPU_FORMAT_XRGB8888,
				 turned ? height : width,
				 turned ? width : height, 0, 0);
		p->dst_w = pvgpu_cpu_to_le32(width);
		p->dst_h = pvgpu_cpu_to_le32(height);
		p->transform = pvgpu_cpu_to_le32(transforms[i]);
		p->z = pvgpu_cpu_to_le32(2);
		/* Below the primary, though its number is higher. */
		overlay(&c, 1, fill[0], PVGPU_FORMAT_XRGB8888, 1);
		overlay(&c, 2, fill[ten], ten ? PVGPU_FORMAT_ARGB2101010 :
			PVGPU_FORMAT_ARGB8888, 3);
		p = commit_plane(&c, 0, g->d->planes - 1, cursor,
				 PVGPU_FORMAT_ARGB8888, CURSOR, CURSOR, 100,
				 60);
		p->blend = pvgpu_cpu_to_le16(PVGPU_BLEND_PREMULTIPLIED);
		p->z = pvgpu_cpu_to_le32(0x80000000);
		EXPECT_OK(g, "show", guest_commit(g, &c));
		look(0, width, height);
	}
}

const struct test draw_tests[] = {
	{ "draw-with-overlays", draw_with_overlays, false },
	{ "draw-every-head", draw, false },
	{ NULL, NULL, false },
};
