// SPDX-License-Identifier: MIT
/* Channels of class VIRGL: what their batches must be (spec.md sections 13.3
 * and 13.4), and the jobs that they become. */
#include <stdlib.h>

#include "worker.h"

/* Hands the batch over; the renderer's end of it is batch_end(). */
static struct verdict send(struct worker *w, struct channel *c,
			   struct batch *b, struct context *context,
			   struct job *job)
{
	if (!job)
		return verdict(PVGPU_STATUS_NO_MEMORY, 0);
	job->channel = c->index;
	job->priority = (uint8_t)c->priority;
	job->batch = b;
	job->context = context;
	job->traced = trace_on(&w->trace);
	if (context)
		context->jobs++;
	renderer_batch(w->virgl.renderer, job);
	return accepted();
}

static struct verdict find_context(struct worker *w, pvgpu_le32 name,
				   size_t at, struct context **ret)
{
	struct context *c = virgl_context(&w->virgl, pvgpu_le32_to_cpu(name));

	if (!c)
		return verdict(PVGPU_STATUS_NOT_FOUND, (uint32_t)at);
	if (atomic_load(&c->lost))
		return verdict(PVGPU_STATUS_CONTEXT_LOST, 0);
	*ret = c;
	return accepted();
}

static struct verdict nop_start(struct worker *w, struct channel *c,
				struct batch *b, const void *message,
				uint32_t length)
{
	(void)message, (void)length;
	if (!w->virgl.renderer) {
		/* Nothing was begun that it could come after. */
		b->done = true;
		return accepted();
	}
	return send(w, c, b, NULL, job_new(JOB_NOP, 0));
}

/* ---------------------------------------------------------------- submit */

static struct verdict submit_start(struct worker *w, struct channel *c,
				   struct batch *b, const void *message,
				   uint32_t length)
{
	const struct pvgpu_virgl_submit *q = message;
	uint64_t offset = pvgpu_le64_to_cpu(q->offset), at, run;
	uint32_t size = pvgpu_le32_to_cpu(q->size), pieces = 0;
	struct resource_cursor cursor = { 0 };
	struct context *context = NULL;
	struct resource *r;
	struct verdict v;
	struct job *job;

	(void)length;
	if (q->reserved)
		return invalid(offsetof(struct pvgpu_virgl_submit, reserved));
	if (offset % 4)
		return invalid(offsetof(struct pvgpu_virgl_submit, offset));
	if (!size || size % 4)
		return invalid(offsetof(struct pvgpu_virgl_submit, size));
	if (size > WINDOW_COMMANDS_MAX)
		return over_limit(PVGPU_STATUS_LIMIT_COMMANDS,
				  WINDOW_COMMANDS_MAX);
	v = find_context(w, q->context,
			 offsetof(struct pvgpu_virgl_submit, context),
			 &context);
	if (refused(v))
		return v;
	r = channel_resource(w, c, pvgpu_le32_to_cpu(q->resource));
	if (!r || r->kind != PVGPU_RESOURCE_LINEAR)
		return verdict(PVGPU_STATUS_NOT_FOUND,
			       offsetof(struct pvgpu_virgl_submit, resource));
	if (!resource_usable(r))
		return invalid(offsetof(struct pvgpu_virgl_submit, resource));
	if (!resource_holds(r, offset, size))
		return verdict(PVGPU_STATUS_RANGE,
			       offsetof(struct pvgpu_virgl_submit, offset));
	cursor.resource = r;
	for (at = 0; at < size; at += run, pieces++)
		resource_run(&w->resources, &cursor, offset + at, &run);
	job = job_new(JOB_SUBMIT, pieces);
	pieces = 0;
	for (at = 0; job && at < size; at += run, pieces++) {
		struct iovec *piece = &job->pieces[pieces];

		piece->iov_base = resource_run(&w->resources, &cursor,
					       offset + at, &run);
		if (run > size - at)
			run = size - at;
		piece->iov_len = run;
	}
	return send(w, c, b, context, job);
}

/* -------------------------------------------------------------- transfer */

static uint32_t round_to(uint32_t side, uint32_t block)
{
	return (side + block - 1) / block * block;
}

/* Slices, layers or faces of a level. */
static uint32_t level_layers(const struct pvgpu_surface *s, uint32_t level)
{
	return s->target == PVGPU_TARGET_3D ?
	       pvgpu_level_side(s->depth, level) : s->layers;
}

static bool inside(uint32_t from, uint32_t count, uint32_t side)
{
	return from <= side && count <= side - from;
}

static struct verdict check_box(const struct pvgpu_surface *s,
				const struct job_transfer *t,
				struct pvgpu_block block)
{
	/* The last block of a level may stick out. */
	uint32_t width = round_to(pvgpu_level_side(s->width, t->level),
				  block.width);
	uint32_t height = round_to(pvgpu_level_side(s->height, t->level),
				   block.height);

	if (!inside(t->x, t->width, width))
		return verdict(PVGPU_STATUS_RANGE,
			       offsetof(struct pvgpu_virgl_transfer, x));
	if (!inside(t->y, t->height, height))
		return verdict(PVGPU_STATUS_RANGE,
			       offsetof(struct pvgpu_virgl_transfer, y));
	if (!inside(t->z, t->depth, level_layers(s, t->level)))
		return verdict(PVGPU_STATUS_RANGE,
			       offsetof(struct pvgpu_virgl_transfer, z));
	return accepted();
}

/* Where the box's bytes lie in the VRAM behind the surface. */
static struct verdict check_bytes(const struct resource *r,
				  const struct job_transfer *t,
				  struct pvgpu_block block)
{
	uint64_t row = (uint64_t)round_to(t->width, block.width) /
		       block.width * block.bytes;
	uint64_t rows = round_to(t->height, block.height) / block.height;
	uint64_t stride = t->stride ? t->stride : row;
	uint64_t layer, layers;

	if (r->surface.target == PVGPU_TARGET_BUFFER)
		row = stride = t->width;
	if (stride < row)
		return invalid(offsetof(struct pvgpu_virgl_transfer, stride));
	layer = stride * (rows - 1) + row;
	layers = t->layer_stride ? t->layer_stride : stride * rows;
	if (t->depth > 1 && layers < layer)
		return invalid(offsetof(struct pvgpu_virgl_transfer,
					layer_stride));
	/* 2^32 * 2^14 + 2^32 * 2^11: below 2^63. */
	if (!resource_holds(r, t->offset, layers * (t->depth - 1) + layer))
		return verdict(PVGPU_STATUS_RANGE,
			       offsetof(struct pvgpu_virgl_transfer, offset));
	return accepted();
}

static struct verdict check_transfer(const struct resource *r,
				     const struct job_transfer *t)
{
	struct pvgpu_block block = pvgpu_surface_block(r->surface.format);
	struct verdict v;

	if (r->surface.target == PVGPU_TARGET_BUFFER)
		block = (struct pvgpu_block){ 1, 1, 1 };
	if (t->level >= r->surface.levels)
		return verdict(PVGPU_STATUS_RANGE,
			       offsetof(struct pvgpu_virgl_transfer, level));
	v = check_box(&r->surface, t, block);
	if (!refused(v))
		v = check_bytes(r, t, block);
	if (!refused(v) && r->surface.samples > 1)
		v = verdict(PVGPU_STATUS_UNSUPPORTED,
			    offsetof(struct pvgpu_virgl_transfer, resource));
	return v;
}

static struct verdict transfer_start(struct worker *w, struct channel *c,
				     struct batch *b, const void *message,
				     enum job_kind kind)
{
	const struct pvgpu_virgl_transfer *q = message;
	struct job_transfer t = {
		.level = pvgpu_le32_to_cpu(q->level),
		.stride = pvgpu_le32_to_cpu(q->stride),
		.layer_stride = pvgpu_le32_to_cpu(q->layer_stride),
		.x = pvgpu_le32_to_cpu(q->x),
		.y = pvgpu_le32_to_cpu(q->y),
		.z = pvgpu_le32_to_cpu(q->z),
		.width = pvgpu_le32_to_cpu(q->width),
		.height = pvgpu_le32_to_cpu(q->height),
		.depth = pvgpu_le32_to_cpu(q->depth),
		.offset = pvgpu_le64_to_cpu(q->offset),
	};
	struct context *context = NULL;
	struct resource *r;
	struct verdict v;
	struct job *job;

	if (q->reserved)
		return invalid(offsetof(struct pvgpu_virgl_transfer,
					reserved));
	if (!t.width)
		return invalid(offsetof(struct pvgpu_virgl_transfer, width));
	if (!t.height)
		return invalid(offsetof(struct pvgpu_virgl_transfer, height));
	if (!t.depth)
		return invalid(offsetof(struct pvgpu_virgl_transfer, depth));
	v = find_context(w, q->context,
			 offsetof(struct pvgpu_virgl_transfer, context),
			 &context);
	if (refused(v))
		return v;
	r = channel_resource(w, c, pvgpu_le32_to_cpu(q->resource));
	if (!r || r->kind != PVGPU_RESOURCE_SURFACE || !r->rendered ||
	    !resource_attached(r, context))
		return verdict(PVGPU_STATUS_NOT_FOUND,
			       offsetof(struct pvgpu_virgl_transfer,
					resource));
	if (!resource_usable(r))
		return invalid(offsetof(struct pvgpu_virgl_transfer,
					resource));
	v = check_transfer(r, &t);
	if (refused(v))
		return v;
	job = job_new(kind, 0);
	if (job) {
		job->rendered = r->rendered;
		job->transfer = t;
	}
	return send(w, c, b, context, job);
}

static struct verdict to_start(struct worker *w, struct channel *c,
			       struct batch *b, const void *message,
			       uint32_t length)
{
	(void)length;
	return transfer_start(w, c, b, message, JOB_TRANSFER_TO);
}

static struct verdict from_start(struct worker *w, struct channel *c,
				 struct batch *b, const void *message,
				 uint32_t length)
{
	(void)length;
	return transfer_start(w, c, b, message, JOB_TRANSFER_FROM);
}

/* ----------------------------------------------------------- the class */

static struct verdict open_virgl(struct worker *w, struct channel *c)
{
	(void)w, (void)c;
	return accepted();
}

static void close_virgl(struct worker *w, struct channel *c)
{
	(void)w, (void)c;
}

#define EXACTLY(type) sizeof(struct type), sizeof(struct type)

static const struct channel_op virgl_ops[] = {
	{ PVGPU_OP_VIRGL_NOP, EXACTLY(pvgpu_submit), nop_start },
	{ PVGPU_OP_VIRGL_SUBMIT, EXACTLY(pvgpu_virgl_submit), submit_start },
	{ PVGPU_OP_VIRGL_TRANSFER_TO, EXACTLY(pvgpu_virgl_transfer),
	  to_start },
	{ PVGPU_OP_VIRGL_TRANSFER_FROM, EXACTLY(pvgpu_virgl_transfer),
	  from_start },
};

const struct channel_class virgl_class = {
	.class_id = PVGPU_CHANNEL_VIRGL,
	.feature = PVGPU_FEATURE_VIRGL,
	.ops = virgl_ops,
	.op_count = ARRAY_SIZE(virgl_ops),
	.open = open_virgl,
	.close = close_virgl,
};
