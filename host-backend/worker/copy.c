// SPDX-License-Identifier: MIT
/* The copy class; see copy.h. */
#include "copy.h"

#include <string.h>

#include "worker.h"

static struct verdict check_area(struct copy_area *area,
				 struct resource *(*find)(void *, uint32_t),
				 void *context,
				 const struct pvgpu_copy_area *request,
				 size_t at, uint64_t row_bytes,
				 uint64_t height)
{
	struct resource *r;
	uint64_t span;

	*area = (struct copy_area){
		.offset = pvgpu_le64_to_cpu(request->offset),
		.stride = pvgpu_le32_to_cpu(request->stride),
	};
	if (height > 1 && area->stride < row_bytes)
		return invalid(at + offsetof(struct pvgpu_copy_area, stride));
	r = find(context, pvgpu_le32_to_cpu(request->resource));
	if (!r)
		return verdict(PVGPU_STATUS_NOT_FOUND, (uint32_t)at);
	if (!resource_usable(r))
		return invalid(at);
	/* All are below 2^32, so the span is below 2^64. */
	span = area->stride * (height - 1) + row_bytes;
	if (!resource_holds(r, area->offset, span))
		return verdict(PVGPU_STATUS_RANGE, (uint32_t)(at +
			       offsetof(struct pvgpu_copy_area, offset)));
	area->cursor.resource = r;
	return accepted();
}

/* Rows without gaps are one long row. */
static void merge_rows(struct copy_job *j)
{
	if (j->dst.stride != j->row_bytes ||
	    (j->kind != COPY_PATTERN && j->src.stride != j->row_bytes))
		return;
	j->row_bytes *= j->height;
	j->height = 1;
}

/* Which order of copying gives what a copy through a buffer would. */
static enum copy_kind order_of(const struct copy_job *j, bool aliased)
{
	uint64_t src_end = j->src.offset + j->src.stride * (j->height - 1) +
			   j->row_bytes;
	uint64_t dst_end = j->dst.offset + j->dst.stride * (j->height - 1) +
			   j->row_bytes;

	if (aliased)
		return COPY_TO_BUFFER;	/* different places, same memory */
	if (j->src.cursor.resource != j->dst.cursor.resource ||
	    src_end <= j->dst.offset || dst_end <= j->src.offset)
		return COPY_FORWARD;
	if (j->height > 1 && j->src.stride != j->dst.stride)
		return COPY_TO_BUFFER;	/* the distance changes on the way */
	return j->dst.offset <= j->src.offset ? COPY_FORWARD : COPY_BACKWARD;
}

struct verdict copy_rect_start(struct copy_job *j,
			       const struct resource_table *table,
			       struct resource *(*find)(void *, uint32_t),
			       void *context,
			       const struct pvgpu_copy_rect *q)
{
	struct verdict v;

	*j = (struct copy_job){
		.row_bytes = pvgpu_le32_to_cpu(q->row_bytes),
		.height = pvgpu_le32_to_cpu(q->height),
	};
	if (!j->row_bytes)
		return invalid(offsetof(struct pvgpu_copy_rect, row_bytes));
	if (!j->height)
		return invalid(offsetof(struct pvgpu_copy_rect, height));
	v = check_area(&j->src, find, context, &q->src,
		       offsetof(struct pvgpu_copy_rect, src), j->row_bytes,
		       j->height);
	if (!refused(v))
		v = check_area(&j->dst, find, context, &q->dst,
			       offsetof(struct pvgpu_copy_rect, dst),
			       j->row_bytes, j->height);
	if (refused(v))
		return v;
	j->kind = order_of(j, table->aliased);
	if (j->kind == COPY_TO_BUFFER) {
		uint64_t size;

		if (__builtin_mul_overflow(j->row_bytes, j->height, &size) ||
		    size > COPY_BUFFER_MAX)
			return verdict(PVGPU_STATUS_NO_MEMORY, 0);
		j->buffer = malloc(size);
		if (!j->buffer)
			return verdict(PVGPU_STATUS_NO_MEMORY, 0);
	}
	merge_rows(j);
	return accepted();
}

struct verdict copy_fill_start(struct copy_job *j,
			       struct resource *(*find)(void *, uint32_t),
			       void *context,
			       const struct pvgpu_copy_fill *q)
{
	pvgpu_le32 value = q->value;
	struct verdict v;

	*j = (struct copy_job){
		.kind = COPY_PATTERN,
		.row_bytes = pvgpu_le32_to_cpu(q->row_bytes),
		.height = pvgpu_le32_to_cpu(q->height),
		.unit = pvgpu_le32_to_cpu(q->unit),
	};
	if (j->unit != 1 && j->unit != 2 && j->unit != 4)
		return invalid(offsetof(struct pvgpu_copy_fill, unit));
	if (!j->row_bytes || j->row_bytes % j->unit)
		return invalid(offsetof(struct pvgpu_copy_fill, row_bytes));
	if (!j->height)
		return invalid(offsetof(struct pvgpu_copy_fill, height));
	v = check_area(&j->dst, find, context, &q->dst,
		       offsetof(struct pvgpu_copy_fill, dst), j->row_bytes,
		       j->height);
	if (refused(v))
		return v;
	/* Little-endian on the wire, so the low bytes come first. */
	for (uint32_t i = 0; i < sizeof(j->pattern); i++)
		j->pattern[i] = ((uint8_t *)&value)[i % j->unit];
	merge_rows(j);
	return accepted();
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Repeats the pattern from `phase` bytes into it. */
static void fill(uint8_t *to, uint64_t length, const struct copy_job *j,
		 uint32_t phase)
{
	while (length) {
		uint64_t n = least(length, sizeof(j->pattern) - phase);

		memcpy(to, j->pattern + phase, n);
		phase = 0;		/* the pattern holds whole units */
		to += n;
		length -= n;
	}
}

/* One piece of the row in hand, at most `most` bytes; returns its length. */
static uint64_t piece(struct copy_job *j, const struct resource_table *t,
		      uint64_t most)
{
	uint64_t left = least(j->row_bytes - j->column, most), run;
	uint64_t row = j->kind == COPY_BACKWARD ? j->height - 1 - j->row :
		       j->row;
	uint64_t src = j->src.offset + row * j->src.stride + j->column;
	uint64_t dst = j->dst.offset + row * j->dst.stride + j->column;
	uint8_t *from, *to;

	switch (j->kind) {
	case COPY_FORWARD:
		from = resource_run(t, &j->src.cursor, src, &run);
		left = least(left, run);
		to = resource_run(t, &j->dst.cursor, dst, &run);
		left = least(left, run);
		memmove(to, from, left);
		break;
	case COPY_BACKWARD:	/* the column counts from the row's end */
		src += j->row_bytes - 2 * j->column;
		dst += j->row_bytes - 2 * j->column;
		from = resource_run_before(t, &j->src.cursor, src, &run);
		left = least(left, run);
		to = resource_run_before(t, &j->dst.cursor, dst, &run);
		left = least(left, run);
		memmove(to - left, from - left, left);
		break;
	case COPY_TO_BUFFER:
		from = resource_run(t, &j->src.cursor, src, &run);
		left = least(left, run);
		memcpy(j->buffer + row * j->row_bytes + j->column, from, left);
		break;
	case COPY_FROM_BUFFER:
		to = resource_run(t, &j->dst.cursor, dst, &run);
		left = least(left, run);
		memcpy(to, j->buffer + row * j->row_bytes + j->column, left);
		break;
	case COPY_PATTERN:
		to = resource_run(t, &j->dst.cursor, dst, &run);
		left = least(left, run);
		fill(to, left, j, (uint32_t)(j->column % j->unit));
		break;
	case COPY_NOTHING:
		break;
	}
	return left;
}

bool copy_run(struct copy_job *j, const struct resource_table *table,
	      int64_t *budget)
{
	if (j->kind == COPY_NOTHING)
		return true;
	for (;;) {
		while (j->row < j->height) {
			uint64_t n;

			if (*budget <= 0)
				return false;
			n = piece(j, table, (uint64_t)*budget);
			/* A piece costs something beside its bytes. */
			*budget -= (int64_t)n + 64;
			j->column += n;
			if (j->column == j->row_bytes) {
				j->column = 0;
				j->row++;
			}
		}
		if (j->kind != COPY_TO_BUFFER)
			return true;
		j->kind = COPY_FROM_BUFFER;
		j->row = 0;
	}
}

void copy_end(struct copy_job *j)
{
	free(j->buffer);
	*j = (struct copy_job){ 0 };
}

/* ------------------------------------------------------ as a channel class */

struct finder {
	struct worker *w;
	struct channel *c;
};

static struct resource *find(void *context, uint32_t name)
{
	struct finder *f = context;
	struct resource *r = channel_resource(f->w, f->c, name);

	return r && r->kind == PVGPU_RESOURCE_LINEAR ? r : NULL;
}

static struct verdict nop_start(struct worker *w, struct channel *c,
				struct batch *b, const void *message,
				uint32_t length)
{
	(void)w, (void)b, (void)message, (void)length;
	c->copy = (struct copy_job){ .kind = COPY_NOTHING };
	return accepted();
}

static struct verdict rect_start(struct worker *w, struct channel *c,
				 struct batch *b, const void *message,
				 uint32_t length)
{
	struct finder f = { w, c };

	(void)b, (void)length;
	return copy_rect_start(&c->copy, &w->resources, find, &f, message);
}

static struct verdict fill_start(struct worker *w, struct channel *c,
				 struct batch *b, const void *message,
				 uint32_t length)
{
	struct finder f = { w, c };

	(void)b, (void)length;
	return copy_fill_start(&c->copy, find, &f, message);
}

static bool run(struct worker *w, struct channel *c, int64_t *budget)
{
	if (!copy_run(&c->copy, &w->resources, budget))
		return false;
	copy_end(&c->copy);
	return true;
}

static struct verdict open_copy(struct worker *w, struct channel *c)
{
	(void)w;
	c->copy = (struct copy_job){ 0 };
	return accepted();
}

static void close_copy(struct worker *w, struct channel *c)
{
	(void)w;
	copy_end(&c->copy);
}

static const struct channel_op copy_ops[] = {
	{ PVGPU_OP_COPY_NOP, sizeof(struct pvgpu_submit),
	  sizeof(struct pvgpu_submit), nop_start },
	{ PVGPU_OP_COPY_RECT, sizeof(struct pvgpu_copy_rect),
	  sizeof(struct pvgpu_copy_rect), rect_start },
	{ PVGPU_OP_COPY_FILL, sizeof(struct pvgpu_copy_fill),
	  sizeof(struct pvgpu_copy_fill), fill_start },
};

const struct channel_class copy_class = {
	.class_id = PVGPU_CHANNEL_COPY,
	.feature = PVGPU_FEATURE_COPY,
	.ops = copy_ops,
	.op_count = ARRAY_SIZE(copy_ops),
	.open = open_copy,
	.close = close_copy,
	.run = run,
};
