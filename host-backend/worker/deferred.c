// SPDX-License-Identifier: MIT
/* Control requests that wait; see deferred.h. */
#include "deferred.h"

#include <string.h>

#include "worker.h"

/* Bytes of VRAM that are given back at a time: about 0.2 ms. */
#define SLICE_BYTES (1 << 20)

bool deferred_before(const struct deferred *d, const struct channel *c)
{
	uint32_t bit = 1u << (c->index - 1);

	return d->waits & bit &&
	       (int32_t)(c->taken - d->positions[c->index - 1]) < 0;
}

bool deferred_room(const struct worker *w)
{
	return w->deferred_count < DEFERRED_MAX;
}

static struct deferred *reserve(struct worker *w)
{
	for (uint32_t i = 0; i < DEFERRED_MAX; i++)
		if (!w->deferred[i].used)
			return &w->deferred[i];
	return NULL;
}

static struct verdict keep(struct worker *w, struct deferred *d,
			   const struct pvgpu_msg *msg)
{
	d->used = true;
	d->msg = *msg;
	w->deferred_count++;
	return verdict(VERDICT_LATER, 0);
}

/* No batch, no picture and no renderer needs the resource any more; the
 * renderer is told when no other does. */
static bool released(struct worker *w, struct deferred *d)
{
	if (d->waits || present_needs(w, d->resource))
		return false;
	if (!d->told) {
		d->told = true;
		d->rendering = virgl_resource_forget(w, d->resource, d);
	}
	return !d->rendering;
}

/* Nobody needs the resource: whether it is gone, its VRAM with it. */
static bool gone(struct worker *w, struct deferred *d, int64_t *budget)
{
	d->giving = !resource_give_back(&w->resources, d->resource, budget);
	if (d->giving)
		return false;
	resource_destroy(&w->resources, d->resource);
	return true;
}

struct verdict deferred_destroy(struct worker *w, const struct pvgpu_msg *msg,
				struct resource *r)
{
	struct deferred *d = reserve(w);
	int64_t budget = SLICE_BYTES;

	if (!d)
		return verdict(VERDICT_RETRY, 0);
	*d = (struct deferred){ .resource = r };
	for (uint32_t i = 0; i < w->limits.channels; i++) {
		struct channel *c = &w->channels[i];
		struct queue *q = &w->queues[c->index];
		uint32_t submitted;

		if (!c->open)
			continue;
		/* A position that makes no sense is not waited for; the next
		 * take finds the ring broken. */
		submitted = pvgpu_load32_acquire(&q->submit.peer->produced);
		if (c->closing ||
		    submitted - q->submit.consumed > q->submit.count)
			submitted = q->submit.consumed;
		if (channel_passed(c, submitted))
			continue;
		d->positions[i] = submitted;
		d->waits |= 1u << i;
	}
	if (released(w, d) && gone(w, d, &budget))
		return accepted();
	r->dying = d;
	return keep(w, d, msg);
}

struct verdict deferred_close(struct worker *w, const struct pvgpu_msg *msg,
			      struct channel *c)
{
	struct deferred *d;

	if (!c->count) {
		channel_end(w, c);
		deferred_progress(w);
		return accepted();
	}
	d = reserve(w);
	if (!d)
		return verdict(VERDICT_RETRY, 0);
	*d = (struct deferred){ .channel = c };
	c->closing = true;
	return keep(w, d, msg);
}

struct verdict deferred_commit(struct worker *w, const struct pvgpu_msg *msg,
			       const struct head *head, uint64_t until)
{
	struct deferred *d = reserve(w);

	*d = (struct deferred){ .commit = true, .head = head, .until = until };
	w->flips_held += until != 0;
	return keep(w, d, msg);
}

static bool ready(struct worker *w, struct deferred *d)
{
	if (d->commit)
		return !d->until && (!d->head || w->present.head != d->head);
	if (d->channel)
		return !d->channel->count;
	for (uint32_t i = 0; i < w->limits.channels; i++) {
		struct channel *c = &w->channels[i];

		if (!c->open || channel_passed(c, d->positions[i]) ||
		    (c->closing && !c->count))
			d->waits &= ~(1u << i);
	}
	return released(w, d);
}

/* One pass; a channel that it closes may be what another waits for. */
static bool progress(struct worker *w, int64_t *budget)
{
	bool any = false;

	for (uint32_t i = 0; w->deferred_count && i < DEFERRED_MAX; i++) {
		struct deferred *d = &w->deferred[i];

		if (!d->used || !ready(w, d))
			continue;
		if (d->channel)
			channel_end(w, d->channel);
		else if (d->resource && !gone(w, d, budget))
			continue;
		control_answer(w, &d->msg, accepted());
		d->used = false;
		w->deferred_count--;
		any = true;
	}
	return any;
}

void deferred_progress(struct worker *w)
{
	struct queue *control = &w->queues[PVGPU_QUEUE_CONTROL];
	int64_t budget = SLICE_BYTES;
	bool any = false;

	while (w->deferred_count && progress(w, &budget))
		any = true;
	if (!any)
		return;
	if (w->control_held)
		control->pending = true;	/* try again what had to wait */
	queue_settle(w, control);
}

void deferred_rendered(struct worker *w, struct deferred *d)
{
	d->rendering = false;
	deferred_progress(w);
}

bool deferred_turn(struct worker *w)
{
	for (uint32_t i = 0; w->deferred_count && i < DEFERRED_MAX; i++) {
		if (!w->deferred[i].used || !w->deferred[i].giving)
			continue;
		deferred_progress(w);
		return true;
	}
	return false;
}

void deferred_due(struct worker *w)
{
	uint64_t now;
	bool any = false;

	if (!w->flips_held)
		return;
	now = clock_ns();
	for (uint32_t i = 0; i < DEFERRED_MAX; i++) {
		struct deferred *d = &w->deferred[i];

		if (!d->used || !d->until || d->until > now)
			continue;
		d->until = 0;
		w->flips_held--;
		any = true;
	}
	if (any)
		deferred_progress(w);
}

uint64_t deferred_wait(const struct worker *w)
{
	uint64_t now, first = UINT64_MAX;

	if (!w->flips_held)
		return UINT64_MAX;
	now = clock_ns();
	for (uint32_t i = 0; i < DEFERRED_MAX; i++) {
		const struct deferred *d = &w->deferred[i];

		if (d->used && d->until && d->until < first)
			first = d->until;
	}
	return first > now ? first - now : 0;
}

void deferred_clear(struct worker *w)
{
	w->flips_held = 0;
	memset(w->deferred, 0, sizeof(w->deferred));
	w->deferred_count = 0;
}
