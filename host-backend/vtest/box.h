/* SPDX-License-Identifier: MIT */
/* Where the bytes of a box of texels lie in memory, and copying them from one
 * such place to another. Pure arithmetic. */
#ifndef PVGPU_VTEST_BOX_H
#define PVGPU_VTEST_BOX_H

#include <pvgpu/footprint.h>

struct box_place {
	uint64_t offset;		/* of the first row of blocks, bytes */
	uint32_t stride, layer;		/* from row to row, layer to layer */
	uint32_t row;			/* bytes of a row */
	uint32_t rows, layers;
};

/*
 * The place of a box (x, y, z, width, height, depth) of a level, in memory of
 * `size` bytes. Strides of 0 are those of the level, as virgl has it; with
 * `tight` those of the box. -EINVAL: no such level or nothing in the box;
 * -ERANGE: it ends beyond the memory.
 */
int box_place(struct box_place *ret, const struct pvgpu_surface *surface,
	      uint32_t level, const uint32_t box[6], uint32_t stride,
	      uint32_t layer_stride, uint64_t offset, uint64_t size,
	      bool tight);

/* The byte behind its last one. */
uint64_t box_end(const struct box_place *place);

/* Rows, layers and bytes of a row must agree. */
void box_copy(uint8_t *to, const struct box_place *to_place,
	      const uint8_t *from, const struct box_place *from_place);

/* Bytes that the largest level takes without gaps. */
uint64_t box_level_bytes(const struct pvgpu_surface *surface);

#endif
