/* SPDX-License-Identifier: MIT */
/*
 * What a head shows, as pixels: its planes from the bottom up, scaled and turned
 * as they are said to be, clipped to the mode, over black. Reads the guest's
 * memory, which may change meanwhile: no decision is made on a pixel.
 */
#ifndef PVGPU_WORKER_COMPOSE_H
#define PVGPU_WORKER_COMPOSE_H

#include "heads.h"

/* What was read back of a SURFACE that a plane shows; the caller's. */
struct compose_surface {
	const uint8_t *pixels;		/* NULL: black and clear */
	uint32_t stride;		/* bytes, a multiple of 4 */
	uint32_t x, y;			/* of its first pixel, in the surface */
};

struct composer {
	/* Rows of a plane that are not in one piece are gathered here. */
	uint8_t *rows;
	size_t size;
	/* And here times their alpha, where that is still to be done. */
	uint8_t *multiplied;
	size_t multiplied_size;
	struct compose_surface surfaces[WINDOW_PLANES];
};

void composer_finish(struct composer *c);

/* How many rows of a mode this wide make a band that takes about as long as
 * a slice of other work. */
uint32_t compose_band(uint32_t width);

/* What of a plane is looked at, in pixels of its framebuffer; false: nothing. */
bool compose_visible(const struct head_state *head, uint32_t plane,
		     uint32_t *ret_x, uint32_t *ret_y, uint32_t *ret_width,
		     uint32_t *ret_height);

/* Composes `count` rows from row y, XRGB8888 with the unused byte 0xff, to
 * `to`, rows `stride` bytes (a multiple of 4) apart. 0 or -ENOMEM. */
int compose_rows(struct composer *c, const struct resource_table *resources,
		 const struct head_state *head, uint32_t y, uint32_t count,
		 uint8_t *to, uint32_t stride);

#endif
