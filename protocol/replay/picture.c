// SPDX-License-Identifier: MIT
/* A picture, coarsely; see picture.h. */
#include "protocol/replay/picture.h"

#include <stdlib.h>

/* Of a field, where an edge may lie a pixel further; and on the whole. */
#define WORST 12u
#define MEAN 1.0

/* Fields differ in size by a pixel where the picture is no multiple of 16. */
static void field(uint8_t *ret, const uint8_t *pixels, uint32_t width,
		  uint32_t x0, uint32_t x1, uint32_t y0, uint32_t y1)
{
	uint64_t sum[3] = { 0 };
	uint64_t count = (uint64_t)(x1 - x0) * (y1 - y0);

	for (uint32_t y = y0; y < y1; y++) {
		const uint8_t *p = pixels + ((uint64_t)y * width + x0) * 4;

		for (uint32_t x = x0; x < x1; x++, p += 4)
			for (int c = 0; c < 3; c++)
				sum[c] += p[c];
	}
	for (int c = 0; c < 3; c++)
		ret[c] = (uint8_t)((sum[c] + count / 2) / count);
}

static uint32_t edge(uint32_t i, uint32_t size)
{
	return (uint32_t)((uint64_t)i * size / PICTURE_SIDE);
}

void picture_take(struct picture *ret, const uint8_t *pixels, uint32_t width,
		  uint32_t height)
{
	uint8_t *to = ret->mean;

	for (uint32_t y = 0; y < PICTURE_SIDE; y++)
		for (uint32_t x = 0; x < PICTURE_SIDE; x++, to += 3)
			field(to, pixels, width, edge(x, width),
			      edge(x + 1, width), edge(y, height),
			      edge(y + 1, height));
}

struct picture_distance picture_distance(const struct picture *a,
					 const struct picture *b)
{
	struct picture_distance ret = { 0 };
	uint64_t sum = 0;

	for (uint32_t i = 0; i < PICTURE_BYTES; i++) {
		uint32_t apart = (uint32_t)abs(a->mean[i] - b->mean[i]);

		sum += apart;
		if (apart > ret.worst)
			ret.worst = apart;
	}
	ret.mean = (double)sum / PICTURE_BYTES;
	return ret;
}

bool picture_same(const struct picture *a, const struct picture *b)
{
	struct picture_distance d = picture_distance(a, b);

	return d.worst <= WORST && d.mean <= MEAN;
}

bool picture_plain(const struct picture *p)
{
	for (uint32_t i = 3; i < PICTURE_BYTES; i++)
		if (abs(p->mean[i] - p->mean[i % 3]) > (int)WORST)
			return false;
	return true;
}
