/* SPDX-License-Identifier: MIT */
/*
 * A picture, coarsely: the mean colour of each of 16 × 16 fields. Two renderers
 * that draw the same differ in it by little, and what is garbage, black, or
 * another frame differs by much.
 */
#ifndef PVGPU_REPLAY_PICTURE_H
#define PVGPU_REPLAY_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#define PICTURE_SIDE 16u
#define PICTURE_BYTES (PICTURE_SIDE * PICTURE_SIDE * 3)

struct picture {
	uint8_t mean[PICTURE_BYTES];	/* rows of fields, three bytes each */
};

/* Rows without gaps of four bytes a pixel, of which the fourth does not count.
 * width and height: 16 at least. */
void picture_take(struct picture *ret, const uint8_t *pixels, uint32_t width,
		  uint32_t height);

/* How far two are apart. */
struct picture_distance {
	uint32_t worst;			/* of any field and colour, 0 to 255 */
	double mean;			/* of them all */
};
struct picture_distance picture_distance(const struct picture *a,
					 const struct picture *b);
/* Whether they show the same. */
bool picture_same(const struct picture *a, const struct picture *b);
/* Whether it is of one colour, and so proves nothing. */
bool picture_plain(const struct picture *p);

#endif
