/* SPDX-License-Identifier: MIT */
/*
 * What a resource is charged against the device budget, in bytes: the same
 * function in the guest, which refuses at once what its budget does not hold,
 * and in the host, which refuses it in any case. spec.md "Footprint".
 */
#ifndef PVGPU_FOOTPRINT_H
#define PVGPU_FOOTPRINT_H

#include "format.h"

#define PVGPU_FOOTPRINT_ROW_ALIGN	64u
#define PVGPU_FOOTPRINT_SIDE_ALIGN	4u
#define PVGPU_FOOTPRINT_ALIGN		4096u
#define PVGPU_SURFACE_MAX_SIDE		16384u
#define PVGPU_SURFACE_MAX_LAYERS	2048u
#define PVGPU_SURFACE_MAX_SAMPLES	16u

/* Charged for what a context makes beside resources, bytes. */
#define PVGPU_CHARGE_CONTEXT	4194304u	/* and for each sub-context
						 * beyond its first */
#define PVGPU_CHARGE_OBJECT	4096u
#define PVGPU_CHARGE_SHADER	786432u
#define PVGPU_CHARGE_TEXT	256u		/* for a byte of a shader */

/* In the order in which RESOURCE_CREATE has them. */
struct pvgpu_surface {
	uint32_t format;		/* VIRGL_FORMAT_* */
	uint32_t width;			/* of a BUFFER bytes */
	uint32_t height;
	uint32_t depth;			/* 1 unless 3D */
	uint32_t layers;		/* 1 unless an array; 6 a cube */
	uint32_t levels;		/* 1 is no mip-maps */
	uint32_t samples;		/* 1, 2, 4, 8, 16 */
	uint32_t target;		/* PVGPU_TARGET_* */
};

/* What of a surface makes that there can be none such, in the order in which
 * the checks are made. */
enum pvgpu_surface_verdict {
	PVGPU_SURFACE_OK,
	PVGPU_SURFACE_BAD_FORMAT,
	PVGPU_SURFACE_BAD_TARGET,
	PVGPU_SURFACE_BAD_WIDTH,
	PVGPU_SURFACE_BAD_HEIGHT,
	PVGPU_SURFACE_BAD_DEPTH,
	PVGPU_SURFACE_BAD_LAYERS,
	PVGPU_SURFACE_BAD_LEVELS,
	PVGPU_SURFACE_BAD_SAMPLES,
};

PVGPU_INLINE uint32_t pvgpu_level_side(uint32_t side, uint32_t level)
{
	side = level < 32 ? side >> level : 0;
	return side ? side : 1;
}

/* Levels down to a single texel. */
PVGPU_INLINE uint32_t pvgpu_surface_max_levels(const struct pvgpu_surface *s)
{
	uint32_t largest = s->width > s->height ? s->width : s->height;
	uint32_t levels = 1;

	if (s->depth > largest)
		largest = s->depth;
	while (largest >>= 1)
		levels++;
	return levels;
}

PVGPU_INLINE bool pvgpu_surface_layers_fit(const struct pvgpu_surface *s)
{
	switch (s->target) {
	case PVGPU_TARGET_CUBE:
		return s->layers == 6;
	case PVGPU_TARGET_CUBE_ARRAY:
		return s->layers && s->layers % 6 == 0 &&
		       s->layers <= PVGPU_SURFACE_MAX_LAYERS;
	case PVGPU_TARGET_1D_ARRAY:
	case PVGPU_TARGET_2D_ARRAY:
		return s->layers && s->layers <= PVGPU_SURFACE_MAX_LAYERS;
	default:
		return s->layers == 1;
	}
}

/* Whether there can be such a surface. */
PVGPU_INLINE enum pvgpu_surface_verdict
pvgpu_surface_check(const struct pvgpu_surface *s)
{
	bool buffer = s->target == PVGPU_TARGET_BUFFER;
	bool flat = buffer || s->target == PVGPU_TARGET_1D ||
		    s->target == PVGPU_TARGET_1D_ARRAY;
	bool cube = s->target == PVGPU_TARGET_CUBE ||
		    s->target == PVGPU_TARGET_CUBE_ARRAY;

	if (!pvgpu_surface_block(s->format).bytes)
		return PVGPU_SURFACE_BAD_FORMAT;
	if (s->target > PVGPU_TARGET_CUBE_ARRAY)
		return PVGPU_SURFACE_BAD_TARGET;
	if (!s->width || (!buffer && s->width > PVGPU_SURFACE_MAX_SIDE))
		return PVGPU_SURFACE_BAD_WIDTH;
	if (!s->height || s->height > PVGPU_SURFACE_MAX_SIDE ||
	    (flat && s->height != 1) || (cube && s->height != s->width))
		return PVGPU_SURFACE_BAD_HEIGHT;
	if (!s->depth || s->depth > PVGPU_SURFACE_MAX_LAYERS ||
	    (s->depth != 1 && s->target != PVGPU_TARGET_3D))
		return PVGPU_SURFACE_BAD_DEPTH;
	if (!pvgpu_surface_layers_fit(s))
		return PVGPU_SURFACE_BAD_LAYERS;
	if (!s->levels || s->levels > pvgpu_surface_max_levels(s) ||
	    (s->levels > 1 && (buffer || s->target == PVGPU_TARGET_RECT)))
		return PVGPU_SURFACE_BAD_LEVELS;
	if (!s->samples || s->samples > PVGPU_SURFACE_MAX_SAMPLES ||
	    (s->samples & (s->samples - 1)) ||
	    (s->samples > 1 && (s->levels > 1 ||
				(s->target != PVGPU_TARGET_2D &&
				 s->target != PVGPU_TARGET_2D_ARRAY))))
		return PVGPU_SURFACE_BAD_SAMPLES;
	return PVGPU_SURFACE_OK;
}

/* Blocks along one side of a level. */
PVGPU_INLINE uint64_t pvgpu_level_blocks(uint32_t side, uint32_t level,
					 uint32_t block)
{
	uint32_t texels = pvgpu_level_side(side, level);

	texels = (texels + PVGPU_FOOTPRINT_SIDE_ALIGN - 1) &
		 ~(PVGPU_FOOTPRINT_SIDE_ALIGN - 1);
	return (texels + block - 1) / block;
}

/*
 * Bytes charged for a surface, 0 if no such surface can be. The bounds keep
 * each product below 2^63, so nothing overflows.
 */
PVGPU_INLINE uint64_t pvgpu_footprint(const struct pvgpu_surface *s)
{
	struct pvgpu_block block = pvgpu_surface_block(s->format);
	uint64_t total = 0, row;
	uint32_t level, bytes;

	if (pvgpu_surface_check(s) != PVGPU_SURFACE_OK)
		return 0;
	if (s->target == PVGPU_TARGET_BUFFER) {
		total = s->width;
	} else {
		/* Renderers keep three components as four. */
		for (bytes = 1; bytes < block.bytes; bytes *= 2)
			;
		for (level = 0; level < s->levels; level++) {
			row = pvgpu_level_blocks(s->width, level,
						 block.width) * bytes;
			row = (row + PVGPU_FOOTPRINT_ROW_ALIGN - 1) &
			      ~(uint64_t)(PVGPU_FOOTPRINT_ROW_ALIGN - 1);
			total += row * pvgpu_level_blocks(s->height, level,
							  block.height) *
				 pvgpu_level_side(s->depth, level);
		}
		total *= (uint64_t)s->layers * s->samples;
	}
	return (total + PVGPU_FOOTPRINT_ALIGN - 1) &
	       ~(uint64_t)(PVGPU_FOOTPRINT_ALIGN - 1);
}

/* VRAM that `size` bytes behind a resource take, 0 if it overflows. */
PVGPU_INLINE uint64_t pvgpu_linear_extent(uint64_t size)
{
	uint64_t rounded = size + PVGPU_EXTENT_ALIGN - 1;

	return rounded < size ? 0 :
		rounded & ~(uint64_t)(PVGPU_EXTENT_ALIGN - 1);
}

#endif
