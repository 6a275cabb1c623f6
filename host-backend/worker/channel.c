// SPDX-License-Identifier: MIT
/* What channels of all classes have in common; see channel.h. */
#include "channel.h"

#include <stdlib.h>
#include <string.h>

#include "worker.h"

/* Of one slice: about 0.2 ms of copying, so that a control message never
 * waits long; and batches that cost nothing are bounded too. */
#define SLICE_BYTES	(1 << 20)
#define SLICE_BATCHES	64u

static const struct channel_class *const classes[] = {
	&copy_class, &virgl_class,
};

static struct pvgpu_fence *fence_words(struct worker *w,
				       const struct channel *c)
{
	return (struct pvgpu_fence *)(void *)(w->window +
		w->layout.fence_offset) + (c->index - 1);
}

static const struct pvgpu_fence_wake *fence_wake(struct worker *w,
						 const struct channel *c)
{
	return (const void *)(w->window + w->layout.guest_offset +
		PVGPU_QUEUES_OFFSET +
		(uint64_t)c->index * w->layout.queue_stride +
		PVGPU_FENCE_WAKE_OFFSET(WINDOW_QUEUE_SLOTS));
}

static void fence_reset(struct worker *w, struct channel *c)
{
	struct pvgpu_fence *f = fence_words(w, c);

	c->fence = 0;
	c->submitted = 0;
	c->fence_flags = 0;
	pvgpu_store32(&f->flags, 0);
	pvgpu_store32(&f->generation, w->attachment.generation);
	pvgpu_store64(&f->value, 0);
}

/* The batch's fence is reached; failed: flagged before it is seen. */
static void fence_signal(struct worker *w, struct channel *c, uint64_t value,
			 bool failed)
{
	struct pvgpu_fence *f = fence_words(w, c);
	uint64_t from = c->fence, wake;

	if (failed && !(c->fence_flags & PVGPU_FENCE_FAILED)) {
		c->fence_flags |= PVGPU_FENCE_FAILED;
		pvgpu_store32_release(&f->flags, c->fence_flags);
	}
	if (value <= from)
		return;
	c->fence = value;
	pvgpu_store64(&f->value, value);
	/* Full: the value is there before we ask whether somebody waits. */
	pvgpu_mb();
	wake = pvgpu_load64(&fence_wake(w, c)->value);
	if (wake > from && wake <= value)
		interrupt(w, w->queues[c->index].vector);
}

/* ---------------------------------------------------------- open, close */

struct verdict channel_open(struct worker *w,
			    const struct pvgpu_channel_open *q)
{
	uint32_t index = pvgpu_le32_to_cpu(q->channel);
	uint32_t class_id = pvgpu_le32_to_cpu(q->channel_class);
	uint32_t priority = pvgpu_le32_to_cpu(q->priority);
	const struct channel_class *class = NULL;
	struct channel *c;
	struct verdict v;

	if (!index)
		return invalid(offsetof(struct pvgpu_channel_open, channel));
	if (priority > PVGPU_PRIORITY_MAX)
		return invalid(offsetof(struct pvgpu_channel_open, priority));
	if (q->reserved)
		return invalid(offsetof(struct pvgpu_channel_open, reserved));
	if (index > w->limits.channels)
		return over_limit(PVGPU_STATUS_LIMIT_CHANNELS,
				  w->limits.channels);
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (classes[i]->class_id == class_id)
			class = classes[i];
	if (!class || !(w->attachment.features & class->feature))
		return verdict(PVGPU_STATUS_UNSUPPORTED,
			       offsetof(struct pvgpu_channel_open,
					channel_class));
	if (priority && !(w->attachment.features & PVGPU_FEATURE_PRIORITY))
		return verdict(PVGPU_STATUS_UNSUPPORTED,
			       offsetof(struct pvgpu_channel_open, priority));
	c = &w->channels[index - 1];
	if (c->closing)
		return verdict(VERDICT_RETRY, 0);
	if (c->open)
		return verdict(PVGPU_STATUS_EXISTS,
			       offsetof(struct pvgpu_channel_open, channel));
	c->batches = calloc(BATCHES_MAX, sizeof(*c->batches));
	if (!c->batches)
		return verdict(PVGPU_STATUS_NO_MEMORY, 0);
	v = class->open(w, c);
	if (refused(v)) {
		free(c->batches);
		c->batches = NULL;
		return v;
	}
	c->class = class;
	c->priority = (uint8_t)priority;
	c->open = true;
	c->taken = 0;
	c->done = 0;
	queue_init(w, index);
	fence_reset(w, c);
	/* What was submitted at once with the opening rang too early. */
	w->queues[index].pending = true;
	return v;
}

struct verdict channel_close(struct worker *w,
			     const struct pvgpu_channel_close *q)
{
	uint32_t index = pvgpu_le32_to_cpu(q->channel);

	if (q->reserved)
		return invalid(offsetof(struct pvgpu_channel_close, reserved));
	if (!index || index > w->limits.channels ||
	    !w->channels[index - 1].open || w->channels[index - 1].closing)
		return verdict(PVGPU_STATUS_NOT_FOUND,
			       offsetof(struct pvgpu_channel_close, channel));
	return deferred_close(w, &q->msg, &w->channels[index - 1]);
}

void channel_end(struct worker *w, struct channel *c)
{
	struct queue *q = &w->queues[c->index];

	queue_settle(w, q);
	q->pending = false;
	c->class->close(w, c);
	free(c->batches);
	c->batches = NULL;
	c->open = false;
	c->closing = false;
}

void channels_reset(struct worker *w)
{
	for (uint32_t i = 0; i < w->limits.channels; i++) {
		struct channel *c = &w->channels[i];

		if (c->open)
			c->class->close(w, c);
		free(c->batches);
		memset(c, 0, sizeof(*c));
		c->index = i + 1;
		fence_reset(w, c);
	}
}

/* --------------------------------------------------------------- batches */

struct resource *channel_resource(struct worker *w, const struct channel *c,
				  uint32_t name)
{
	struct resource *r = resource_find(&w->resources, name);

	return r && r->dying && !deferred_before(r->dying, c) ? NULL : r;
}

static void batch_answer(struct worker *w, struct channel *c,
			 const struct batch *b)
{
	struct pvgpu_completion done = {
		.msg = {
			.length = pvgpu_cpu_to_le32(sizeof(done)),
			.opcode = b->msg.opcode,
			.cookie = b->msg.cookie,
			.generation =
				pvgpu_cpu_to_le32(w->attachment.generation),
		},
		.status = pvgpu_cpu_to_le32(b->verdict.status),
		.detail = pvgpu_cpu_to_le32(b->verdict.detail),
		.value = pvgpu_cpu_to_le64(b->fence),
	};

	queue_post(w, &w->queues[c->index], &done, sizeof(done));
}

/* Answers what is done, in order, as far as nothing before it is not. */
static void batches_retire(struct worker *w, struct channel *c)
{
	struct queue *q = &w->queues[c->index];
	bool any = false;

	while (c->count && c->batches[c->first].done &&
	       w->attachment.state == PVGPU_STATE_ATTACHED) {
		struct batch *b = &c->batches[c->first];
		bool failed = refused(b->verdict);

		c->first = (c->first + 1) % BATCHES_MAX;
		c->count--;
		c->done = b->position;
		w->statistics.batches++;
		if (trace_on(&w->trace))
			trace_batch(&w->trace, c, b);
		/* A failure is told before its fence is seen to pass. */
		if (failed) {
			batch_answer(w, c, b);
			pvgpu_producer_publish(&q->done);
			interrupt(w, q->vector);
		}
		fence_signal(w, c, b->fence, failed);
		if (!failed && pvgpu_le16_to_cpu(b->msg.flags) &
			       PVGPU_MSG_NOTIFY)
			batch_answer(w, c, b);
		any = true;
	}
	if (any && w->deferred_count)
		deferred_progress(w);
}

void batch_end(struct worker *w, struct channel *c, struct batch *b,
	       struct verdict v)
{
	b->verdict = v;
	b->done = true;
	batches_retire(w, c);
	if (!c->open || w->attachment.state != PVGPU_STATE_ATTACHED)
		return;
	queue_settle(w, &w->queues[c->index]);
	/* There may be room for another one now. */
	w->queues[c->index].pending = true;
}

static struct verdict batch_start(struct worker *w, struct channel *c,
				  struct batch *b, const void *message,
				  uint32_t length)
{
	const struct pvgpu_submit *submit = message;
	const struct channel_op *op = NULL;
	uint64_t before = c->submitted;
	uint16_t opcode;

	b->msg = submit->msg;
	b->fence = length < sizeof(*submit) ? 0 :
		   pvgpu_le64_to_cpu(submit->fence);
	if (b->fence > before)
		c->submitted = b->fence;
	opcode = pvgpu_le16_to_cpu(b->msg.opcode);
	if (pvgpu_le32_to_cpu(b->msg.generation) != w->attachment.generation)
		return verdict(PVGPU_STATUS_STALE, 0);
	for (size_t i = 0; i < c->class->op_count; i++)
		if (c->class->ops[i].opcode == opcode)
			op = &c->class->ops[i];
	if (!op)
		return verdict(PVGPU_STATUS_UNSUPPORTED, 0);
	if (length < op->min_size || length > op->max_size)
		return invalid(0);
	if (pvgpu_le16_to_cpu(b->msg.flags) & ~PVGPU_MSG_NOTIFY)
		return invalid(offsetof(struct pvgpu_msg, flags));
	if (b->fence <= before)
		return invalid(offsetof(struct pvgpu_submit, fence));
	return op->start(w, c, b, message, length);
}

/* Takes the next batch and starts it; false: there is none, or no room. */
static bool batch_take(struct worker *w, struct channel *c)
{
	struct queue *q = &w->queues[c->index];
	struct batch *b;
	uint32_t length;
	struct verdict v;

	if (c->closing || c->count == BATCHES_MAX) {
		q->pending = false;	/* batch_end() asks again */
		return false;
	}
	/* For its completion and theirs, should they need one. */
	if (!queue_room(w, q, c->count + 1))
		return false;
	c->taken = q->submit.consumed;
	length = queue_take(w, q, w->channel_message);
	if (!length)
		return false;
	b = &c->batches[(c->first + c->count++) % BATCHES_MAX];
	*b = (struct batch){ .position = q->submit.consumed };
	if (trace_on(&w->trace))
		b->taken = clock_ns();
	v = batch_start(w, c, b, w->channel_message, length);
	if (refused(v)) {
		b->verdict = v;
		b->done = true;
	}
	batches_retire(w, c);
	return true;
}

void channel_slice(struct worker *w, struct channel *c)
{
	struct queue *q = &w->queues[c->index];
	int64_t budget = SLICE_BYTES;

	if (!c->open) {
		q->pending = false;
		return;
	}
	for (uint32_t n = 0; n < SLICE_BATCHES && budget > 0; n++) {
		bool in_hand = c->class->run && c->count;

		if (!in_hand && !batch_take(w, c))
			break;
		if (c->class->run && c->count) {
			if (!c->class->run(w, c, &budget))
				break;
			c->batches[c->first].done = true;
			batches_retire(w, c);
		}
		if (!c->open || w->attachment.state != PVGPU_STATE_ATTACHED)
			return;		/* it was closing, or broke */
	}
	if (w->attachment.state == PVGPU_STATE_ATTACHED)
		queue_settle(w, q);
}
