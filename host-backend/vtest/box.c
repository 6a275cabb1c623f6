// SPDX-License-Identifier: MIT
/* Boxes of texels in memory; see box.h. */
#include "box.h"

#include <errno.h>
#include <string.h>

static struct pvgpu_block block_of(const struct pvgpu_surface *s)
{
	if (s->target == PVGPU_TARGET_BUFFER)
		return (struct pvgpu_block){ 1, 1, 1 };
	return pvgpu_surface_block(s->format);
}

static uint32_t blocks(uint32_t side, uint32_t block)
{
	return side / block + (side % block != 0);
}

uint64_t box_end(const struct box_place *p)
{
	/* 2^32 * 2^14 + 2^32 * 2^14 + 2^32 and the offset: nothing wraps. */
	return p->offset + (uint64_t)p->layer * (p->layers - 1) +
	       (uint64_t)p->stride * (p->rows - 1) + p->row;
}

int box_place(struct box_place *ret, const struct pvgpu_surface *s,
	      uint32_t level, const uint32_t box[6], uint32_t stride,
	      uint32_t layer_stride, uint64_t offset, uint64_t size, bool tight)
{
	struct pvgpu_block block = block_of(s);
	uint64_t row = (uint64_t)blocks(box[3], block.width) * block.bytes;
	uint64_t level_stride = (uint64_t)blocks(
		pvgpu_level_side(s->width, level), block.width) * block.bytes;
	uint32_t level_rows = blocks(pvgpu_level_side(s->height, level),
				     block.height);
	struct box_place p = {
		.offset = offset,
		.rows = blocks(box[4], block.height), .layers = box[5],
	};
	uint64_t layer;

	if (level >= s->levels || !box[3] || !p.rows || !p.layers)
		return -EINVAL;
	if (row > size || offset > size || row > UINT32_MAX ||
	    level_stride > UINT32_MAX || p.rows > PVGPU_SURFACE_MAX_SIDE ||
	    p.layers > PVGPU_SURFACE_MAX_SIDE)
		return -ERANGE;
	p.row = (uint32_t)row;
	p.stride = stride ? stride : tight ? p.row : (uint32_t)level_stride;
	layer = layer_stride ? layer_stride :
		(uint64_t)p.stride * (tight ? p.rows : level_rows);
	if (layer > UINT32_MAX && p.layers > 1)
		return -ERANGE;
	p.layer = p.layers > 1 ? (uint32_t)layer : 0;
	if (box_end(&p) > size)
		return -ERANGE;
	*ret = p;
	return 0;
}

void box_copy(uint8_t *to, const struct box_place *t, const uint8_t *from,
	      const struct box_place *f)
{
	bool whole = t->stride == t->row && f->stride == f->row;
	uint32_t steps = whole ? 1 : t->rows;
	size_t run = whole ? (size_t)t->row * t->rows : t->row;

	for (uint32_t z = 0; z < t->layers; z++) {
		uint8_t *at = to + t->offset + (uint64_t)z * t->layer;
		const uint8_t *in = from + f->offset + (uint64_t)z * f->layer;

		for (uint32_t y = 0; y < steps; y++)
			memcpy(at + (uint64_t)y * t->stride,
			       in + (uint64_t)y * f->stride, run);
	}
}

uint64_t box_level_bytes(const struct pvgpu_surface *s)
{
	struct pvgpu_block block = block_of(s);

	return (uint64_t)blocks(s->width, block.width) * block.bytes *
	       blocks(s->height, block.height) *
	       (s->depth > s->layers ? s->depth : s->layers);
}
