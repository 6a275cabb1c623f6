// SPDX-License-Identifier: MIT
/* Transfers; see transfer.h. */
#include "transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <virglrenderer.h>

/* As long as a row of the widest surface is, at least. */
#define BUFFER_BYTES (1u << 20)

/* One step: a box of one layer, and where its rows lie. */
struct step {
	const struct job *job;
	struct virgl_box box;
	uint64_t offset;		/* of the first row, bytes */
	uint64_t stride;
	uint32_t row;			/* bytes */
	uint32_t rows;			/* of blocks */
	struct pvgpu_block block;
};

void transfer_buffer_free(struct transfer_buffer *buffer)
{
	free(buffer->bytes);
	buffer->bytes = NULL;
}

/* iov: NULL for the VRAM behind the surface. */
static int move(const struct step *s, const struct virgl_box *box,
		uint64_t offset, uint32_t stride, struct iovec *iov)
{
	uint32_t name = s->job->rendered->name;
	uint32_t context = s->job->context->id;
	uint32_t level = s->job->transfer.level;
	struct virgl_box copy = *box;
	int count = iov ? 1 : 0, ret;

	if (s->job->kind == JOB_TRANSFER_TO)
		ret = virgl_renderer_transfer_write_iov(name, context,
			(int)level, stride, 0, &copy, offset, iov,
			(unsigned int)count);
	else
		ret = virgl_renderer_transfer_read_iov(name, context, level,
			stride, 0, &copy, offset, iov, count);
	return ret ? -EINVAL : 0;
}

/* `length` bytes at `offset` of the VRAM behind a surface to or from memory;
 * the range was checked. */
static void copy_vram(const struct rendered *r, uint64_t offset,
		      uint8_t *bytes, uint64_t length, bool to_vram)
{
	for (uint32_t i = 0; i < r->iov_count && length; i++) {
		uint64_t run = r->iov[i].iov_len;
		uint8_t *at = r->iov[i].iov_base;

		if (offset >= run) {
			offset -= run;
			continue;
		}
		at += offset;
		run -= offset;
		offset = 0;
		if (run > length)
			run = length;
		if (to_vram)
			memcpy(at, bytes, run);
		else
			memcpy(bytes, at, run);
		bytes += run;
		length -= run;
	}
}

/* Rows of blocks that go through the buffer at once. */
static uint32_t band_rows(const struct step *s)
{
	/* GL reads rows to addresses that are multiples of four. */
	if (s->job->kind == JOB_TRANSFER_FROM && s->row % 4 &&
	    s->block.bytes & (s->block.bytes - 1))
		return 1;
	return BUFFER_BYTES / s->row;
}

static int through_buffer(struct transfer_buffer *b, const struct step *s)
{
	bool to_vram = s->job->kind == JOB_TRANSFER_FROM;
	uint32_t band = band_rows(s), end = s->box.y + s->box.h, n;

	if (!b->bytes)
		b->bytes = malloc(BUFFER_BYTES);
	if (!b->bytes)
		return -ENOMEM;
	for (uint32_t at = 0; at < s->rows; at += n) {
		struct virgl_box box = s->box;
		struct iovec iov = { .iov_base = b->bytes };
		int ret;

		n = s->rows - at < band ? s->rows - at : band;
		iov.iov_len = (size_t)n * s->row;
		box.y += at * s->block.height;
		box.h = n * s->block.height;
		if (box.h > end - box.y)
			box.h = end - box.y;	/* the last block sticks out */
		for (uint32_t i = 0; !to_vram && i < n; i++)
			copy_vram(s->job->rendered, s->offset +
				  (at + i) * s->stride, b->bytes +
				  (size_t)i * s->row, s->row, false);
		ret = move(s, &box, 0, s->row, &iov);
		if (ret)
			return ret;
		for (uint32_t i = 0; to_vram && i < n; i++)
			copy_vram(s->job->rendered, s->offset +
				  (at + i) * s->stride, b->bytes +
				  (size_t)i * s->row, s->row, true);
	}
	return 0;
}

/* What virglrenderer does right by itself. */
static bool direct(const struct step *s)
{
	bool even = !(s->block.bytes & (s->block.bytes - 1));

	return s->rows == 1 ||
	       (even && s->stride % s->block.bytes == 0 &&
		s->stride <= INT32_MAX);
}

int transfer_run(struct transfer_buffer *b, const struct job *job)
{
	const struct job_transfer *t = &job->transfer;
	const struct pvgpu_surface *surface = &job->rendered->surface;
	struct step s = {
		.job = job,
		.box = { t->x, t->y, t->z, t->width, t->height, 1 },
		.offset = t->offset,
		.block = pvgpu_surface_block(surface->format),
	};
	uint64_t layer;
	int ret = 0;

	if (surface->target == PVGPU_TARGET_BUFFER)
		return move(&s, &s.box, s.offset, 0, NULL);
	s.row = (t->width + s.block.width - 1) / s.block.width * s.block.bytes;
	s.rows = (t->height + s.block.height - 1) / s.block.height;
	s.stride = t->stride ? t->stride : s.row;
	layer = t->layer_stride ? t->layer_stride : s.stride * s.rows;
	for (uint32_t z = 0; z < t->depth && !ret; z++) {
		s.box.z = t->z + z;
		s.offset = t->offset + z * layer;
		ret = direct(&s) ?
			move(&s, &s.box, s.offset, (uint32_t)
			     (s.rows == 1 ? s.row : s.stride), NULL) :
			through_buffer(b, &s);
	}
	return ret;
}
