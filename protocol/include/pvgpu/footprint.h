/* SPDX-License-Identifier: MIT */
/*
 * What a resource is charged against the device budget, in bytes: the same
 * function in the guest, which refuses at once what its budget does not hold,
 * and in the host, which refuses it in any case. spec.md "Footprint".
 */
#ifndef PVGPU_FOOTPRINT_H
#define PVGPU_FOOTPRINT_H

#include "barrier.h"
#include "wire.h"

#define PVGPU_FOOTPRINT_ROW_ALIGN	64u
#define PVGPU_FOOTPRINT_ALIGN		4096u
#define PVGPU_SURFACE_MAX_SIDE		16384u
#define PVGPU_SURFACE_MAX_LAYERS	2048u
#define PVGPU_SURFACE_MAX_SAMPLES	16u

struct pvgpu_surface {
	uint32_t format;		/* PVGPU_FORMAT_* */
	uint32_t width;
	uint32_t height;
	uint32_t depth;			/* 1 unless three-dimensional */
	uint32_t layers;		/* 1 unless an array; 6 a cube */
	uint32_t levels;		/* 1 is no mip-maps */
	uint32_t samples;		/* 1, 2, 4, 8, 16 */
};

/* Bytes a pixel, or 0 if the format is not known. */
PVGPU_INLINE uint32_t pvgpu_format_bytes(uint32_t format)
{
	switch (format) {
	case PVGPU_FORMAT_XRGB8888:
	case PVGPU_FORMAT_ARGB8888:
	case PVGPU_FORMAT_XBGR8888:
	case PVGPU_FORMAT_ABGR8888:
		return 4;
	case PVGPU_FORMAT_RGB565:
		return 2;
	default:
		return 0;
	}
}

PVGPU_INLINE uint32_t pvgpu_level_side(uint32_t side, uint32_t level)
{
	side >>= level;
	return side ? side : 1;
}

/*
 * Bytes charged for a surface, 0 if no such surface can be: an unknown
 * format, a side, layer, level or sample count of 0 or above its maximum, or
 * more levels than the largest side has. Every bound keeps each product
 * below 2^63, so nothing overflows.
 */
PVGPU_INLINE uint64_t pvgpu_footprint(const struct pvgpu_surface *s)
{
	uint32_t bytes = pvgpu_format_bytes(s->format);
	uint32_t largest, level, levels;
	uint64_t texels = 0, row;

	if (!bytes || !s->width || !s->height || !s->depth || !s->layers ||
	    !s->levels || s->width > PVGPU_SURFACE_MAX_SIDE ||
	    s->height > PVGPU_SURFACE_MAX_SIDE ||
	    s->depth > PVGPU_SURFACE_MAX_LAYERS ||
	    s->layers > PVGPU_SURFACE_MAX_LAYERS || !s->samples ||
	    s->samples > PVGPU_SURFACE_MAX_SAMPLES ||
	    (s->samples & (s->samples - 1)) ||
	    (s->samples > 1 && s->levels > 1) ||
	    (s->depth > 1 && s->layers > 1))
		return 0;

	largest = s->width > s->height ? s->width : s->height;
	if (s->depth > largest)
		largest = s->depth;
	for (levels = 1; largest >> levels; levels++)
		;
	if (s->levels > levels)
		return 0;

	for (level = 0; level < s->levels; level++) {
		row = (uint64_t)pvgpu_level_side(s->width, level) * bytes;
		row = (row + PVGPU_FOOTPRINT_ROW_ALIGN - 1) &
		      ~(uint64_t)(PVGPU_FOOTPRINT_ROW_ALIGN - 1);
		texels += row * pvgpu_level_side(s->height, level) *
			  pvgpu_level_side(s->depth, level);
	}
	texels *= (uint64_t)s->layers * s->samples;
	return (texels + PVGPU_FOOTPRINT_ALIGN - 1) &
	       ~(uint64_t)(PVGPU_FOOTPRINT_ALIGN - 1);
}

/* VRAM that a LINEAR resource of `size` bytes takes, 0 if it overflows. */
PVGPU_INLINE uint64_t pvgpu_linear_extent(uint64_t size)
{
	uint64_t rounded = size + PVGPU_EXTENT_ALIGN - 1;

	return rounded < size ? 0 :
		rounded & ~(uint64_t)(PVGPU_EXTENT_ALIGN - 1);
}

#endif
