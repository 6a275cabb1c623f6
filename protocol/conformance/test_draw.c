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

const struct test draw_tests[] = {
	{ "draw-every-head", draw, false },
	{ NULL, NULL, false },
};
