// SPDX-License-Identifier: MIT
/* The control queue's dispatch table and its handlers; see control.h. */
#include "control.h"

#include <string.h>

#include "worker.h"

#define SLICE_MESSAGES 16u

struct control_op {
	uint16_t opcode;
	uint32_t min_size;		/* of the message, bytes */
	uint32_t max_size;
	struct verdict (*handler)(struct worker *w, const void *message,
				  uint32_t length, struct answer *answer);
};

void answer_fill(struct answer *a, const void *whole, size_t size)
{
	a->length = (uint32_t)(size - sizeof(a->done));
	memcpy(a->data, (const uint8_t *)whole + sizeof(a->done), a->length);
}

static struct verdict ping(struct worker *w, const void *message,
			   uint32_t length, struct answer *a)
{
	const struct pvgpu_ping *q = message;
	struct pvgpu_ping_done done = { .payload = q->payload };

	(void)w, (void)length;
	answer_fill(a, &done, sizeof(done));
	return accepted();
}

static struct verdict head_query(struct worker *w, const void *message,
				 uint32_t length, struct answer *a)
{
	const struct pvgpu_head_query *q = message;
	uint32_t index = pvgpu_le32_to_cpu(q->head);
	struct pvgpu_head_query_done done = { .head = q->head };
	const struct head *h;

	(void)length;
	if (q->reserved)
		return invalid(offsetof(struct pvgpu_head_query, reserved));
	if (index >= w->heads.count)
		return over_limit(PVGPU_STATUS_LIMIT_HEADS, w->heads.count);
	h = &w->heads.head[index];
	done.flags = pvgpu_cpu_to_le32(h->connected ? PVGPU_HEAD_CONNECTED : 0);
	done.edid_size = pvgpu_cpu_to_le32(h->edid_size);
	done.serial = pvgpu_cpu_to_le32(h->serial);
	done.width = pvgpu_cpu_to_le32(h->width);
	done.height = pvgpu_cpu_to_le32(h->height);
	done.refresh = pvgpu_cpu_to_le32(h->refresh);
	answer_fill(a, &done, sizeof(done));
	return accepted();
}

static struct verdict head_edid(struct worker *w, const void *message,
				uint32_t length, struct answer *a)
{
	const struct pvgpu_head_edid *q = message;
	uint32_t index = pvgpu_le32_to_cpu(q->head);
	uint32_t offset = pvgpu_le32_to_cpu(q->offset);
	uint32_t size = pvgpu_le32_to_cpu(q->size);
	struct {
		struct pvgpu_head_edid_done done;
		uint8_t data[PVGPU_EDID_CHUNK_MAX];
	} all = { 0 };
	const struct head *h;

	(void)length;
	if (!size || size > PVGPU_EDID_CHUNK_MAX)
		return invalid(offsetof(struct pvgpu_head_edid, size));
	if (index >= w->heads.count)
		return over_limit(PVGPU_STATUS_LIMIT_HEADS, w->heads.count);
	h = &w->heads.head[index];
	if (pvgpu_le32_to_cpu(q->serial) != h->serial)
		return verdict(PVGPU_STATUS_STALE,
			       offsetof(struct pvgpu_head_edid, serial));
	if (offset > h->edid_size)
		offset = h->edid_size;
	if (size > h->edid_size - offset)
		size = h->edid_size - offset;
	all.done.size = pvgpu_cpu_to_le32(size);
	memcpy(all.data, h->edid + offset, size);
	answer_fill(a, &all, sizeof(all.done) + (size + 7) / 8 * 8);
	return accepted();
}

/* While a name or a place is held by what waits to be destroyed, a refusal
 * would be a lie a moment later. */
static struct verdict or_retry(struct worker *w, struct verdict v)
{
	switch (v.status) {
	case PVGPU_STATUS_EXISTS:
	case PVGPU_STATUS_LIMIT_RESOURCES:
	case PVGPU_STATUS_LIMIT_WINDOW:
	case PVGPU_STATUS_LIMIT_DEVICE:
		if (w->deferred_count)
			return verdict(VERDICT_RETRY, 0);
	}
	return v;
}

static struct verdict create(struct worker *w, const void *message,
			     uint32_t length, struct answer *a)
{
	(void)length, (void)a;
	return or_retry(w, virgl_resource_create(w, message));
}

static struct verdict back(struct worker *w, const void *message,
			   uint32_t length, struct answer *a)
{
	(void)a;
	return or_retry(w, virgl_resource_back(w, message, length));
}

static struct verdict destroy(struct worker *w, const void *message,
			      uint32_t length, struct answer *a)
{
	const struct pvgpu_resource_destroy *q = message;
	struct resource *r;

	(void)length, (void)a;
	if (q->reserved)
		return invalid(offsetof(struct pvgpu_resource_destroy,
					reserved));
	r = resource_find(&w->resources, pvgpu_le32_to_cpu(q->resource));
	if (!r || r->dying)
		return verdict(PVGPU_STATUS_NOT_FOUND,
			       offsetof(struct pvgpu_resource_destroy,
					resource));
	if (r->shown)
		return verdict(PVGPU_STATUS_BUSY,
			       offsetof(struct pvgpu_resource_destroy,
					resource));
	return deferred_destroy(w, &q->msg, r);
}

static struct verdict open_channel(struct worker *w, const void *message,
				   uint32_t length, struct answer *a)
{
	(void)length, (void)a;
	return channel_open(w, message);
}

static struct verdict close_channel(struct worker *w, const void *message,
				    uint32_t length, struct answer *a)
{
	(void)length, (void)a;
	return channel_close(w, message);
}

/* When the flips of a commit are due that is about to be latched; 0: now. */
static uint64_t flips_due(struct worker *w, uint32_t mask,
			  const struct head_state *next)
{
	uint64_t now = clock_ns(), due, last = 0;

	for (uint32_t i = 0; i < w->heads.count; i++) {
		if (!(mask & 1u << i) || !limiter_limits(&w->limiter, &next[i]))
			continue;
		due = limiter_book(&w->limiter, i, &next[i], now);
		if (due > now && due > last)
			last = due;
	}
	return last;
}

static struct verdict commit(struct worker *w, const void *message,
			     uint32_t length, struct answer *a)
{
	const struct pvgpu_commit *q = message;
	uint64_t begin = trace_on(&w->trace) ? clock_ns() : 0;
	struct head_state next[PVGPU_MAX_HEADS];
	const struct head *read = NULL;	/* one picture at a time */
	uint64_t until;
	bool limited = false;
	uint32_t mask = 0;
	struct verdict v = commit_check(&w->heads, &w->resources, &w->limits,
		w->attachment.features, message, length, next, &mask);

	(void)a;
	if (refused(v) || pvgpu_le32_to_cpu(q->flags) & PVGPU_COMMIT_TEST)
		return v;
	for (uint32_t i = 0; i < w->heads.count; i++)
		if (mask & 1u << i) {
			if (present_reads(w, &w->heads.head[i]))
				read = &w->heads.head[i];
			limited |= limiter_limits(&w->limiter, &next[i]);
		}
	if ((read || limited) && !deferred_room(w))
		return verdict(VERDICT_RETRY, 0);
	until = limited ? flips_due(w, mask, next) : 0;
	for (uint32_t i = 0; i < w->heads.count; i++) {
		if (!(mask & 1u << i))
			continue;
		/* From the completion on nobody reads the old buffers. */
		present_before_latch(w, &w->heads.head[i]);
		heads_latch(&w->heads.head[i], &next[i]);
		if (trace_on(&w->trace))
			trace_event(&w->trace, TRACE_FLIP, i, next[i].frame);
	}
	if (trace_on(&w->trace))
		trace_commit(&w->trace, begin, mask);
	return read || until ? deferred_commit(w, &q->msg, read, until) : v;
}

#define EXACTLY(type) sizeof(struct type), sizeof(struct type)
#define AT_LEAST(type) sizeof(struct type), PVGPU_MESSAGE_MAX

static const struct control_op ops[] = {
	{ PVGPU_OP_PING, EXACTLY(pvgpu_ping), ping },
	{ PVGPU_OP_HEAD_QUERY, EXACTLY(pvgpu_head_query), head_query },
	{ PVGPU_OP_HEAD_EDID, EXACTLY(pvgpu_head_edid), head_edid },
	{ PVGPU_OP_RESOURCE_CREATE, EXACTLY(pvgpu_resource_create), create },
	{ PVGPU_OP_RESOURCE_BACK, AT_LEAST(pvgpu_resource_back), back },
	{ PVGPU_OP_RESOURCE_DESTROY, EXACTLY(pvgpu_resource_destroy),
	  destroy },
	{ PVGPU_OP_CHANNEL_OPEN, EXACTLY(pvgpu_channel_open), open_channel },
	{ PVGPU_OP_CHANNEL_CLOSE, EXACTLY(pvgpu_channel_close),
	  close_channel },
	{ PVGPU_OP_COMMIT, AT_LEAST(pvgpu_commit), commit },
	{ PVGPU_OP_CAPSET, EXACTLY(pvgpu_capset), virgl_capset },
	{ PVGPU_OP_CONTEXT_CREATE, EXACTLY(pvgpu_context_create),
	  virgl_context_create },
	{ PVGPU_OP_CONTEXT_DESTROY, EXACTLY(pvgpu_context_destroy),
	  virgl_context_destroy },
	{ PVGPU_OP_CONTEXT_ATTACH, EXACTLY(pvgpu_context_attach),
	  virgl_context_attach },
	{ PVGPU_OP_CONTEXT_DETACH, EXACTLY(pvgpu_context_attach),
	  virgl_context_detach },
	{ PVGPU_OP_CONTEXT_QUERY, EXACTLY(pvgpu_context_query),
	  virgl_context_query },
};

static struct verdict dispatch(struct worker *w, const void *message,
			       uint32_t length, struct answer *a)
{
	const struct pvgpu_msg *msg = message;

	if (pvgpu_le32_to_cpu(msg->generation) != w->attachment.generation)
		return verdict(PVGPU_STATUS_STALE, 0);
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		if (ops[i].opcode != pvgpu_le16_to_cpu(msg->opcode))
			continue;
		if (length < ops[i].min_size || length > ops[i].max_size)
			return invalid(0);
		if (msg->flags)		/* none is defined here */
			return invalid(offsetof(struct pvgpu_msg, flags));
		return ops[i].handler(w, message, length, a);
	}
	return verdict(PVGPU_STATUS_UNSUPPORTED, 0);
}

void control_post(struct worker *w, const struct pvgpu_msg *request,
		  struct verdict v, struct answer *a)
{
	uint32_t length = (uint32_t)sizeof(a->done) + a->length;

	if (refused(v))
		length = sizeof(a->done);
	a->done = (struct pvgpu_completion){
		.msg = {
			.length = pvgpu_cpu_to_le32(length),
			.opcode = request->opcode,
			.cookie = request->cookie,
			.generation =
				pvgpu_cpu_to_le32(w->attachment.generation),
		},
		.status = pvgpu_cpu_to_le32(v.status),
		.detail = pvgpu_cpu_to_le32(v.detail),
	};
	w->statistics.refused += refused(v);
	if (refused(v) && log_allowed(&w->guest_log))
		log_debug("opcode 0x%04x refused: status %u, detail %u",
			  pvgpu_le16_to_cpu(request->opcode), v.status,
			  v.detail);
	queue_post(w, &w->queues[PVGPU_QUEUE_CONTROL], a, length);
}

void control_answer(struct worker *w, const struct pvgpu_msg *request,
		    struct verdict v)
{
	struct answer a;

	a.length = 0;
	control_post(w, request, v, &a);
}

void control_slice(struct worker *w)
{
	struct queue *q = &w->queues[PVGPU_QUEUE_CONTROL];
	void *message = w->control_message;
	struct answer a;
	struct verdict v;

	for (uint32_t n = 0; n < SLICE_MESSAGES; n++) {
		/* For the largest answer, and for those that come later. */
		_Static_assert(PVGPU_MESSAGE_MAX / PVGPU_SLOT_SIZE +
			       DEFERRED_MAX + VIRGL_OWED_MAX <=
			       WINDOW_QUEUE_SLOTS, "there is never room");
		if (!w->control_held &&
		    !queue_room(w, q, PVGPU_MESSAGE_MAX / PVGPU_SLOT_SIZE +
				w->deferred_count + virgl_owed_slots(w)))
			break;
		if (!w->control_held) {
			w->control_held = queue_take(w, q, message);
			if (!w->control_held)
				break;
			w->statistics.messages++;
		}
		a.length = 0;
		v = dispatch(w, message, w->control_held, &a);
		if (v.status == VERDICT_RETRY) {
			q->pending = false;	/* deferred_progress() */
			break;
		}
		w->control_held = 0;
		if (v.status != VERDICT_LATER)
			control_post(w, message, v, &a);
		if (w->attachment.state != PVGPU_STATE_ATTACHED)
			return;
	}
	if (w->attachment.state == PVGPU_STATE_ATTACHED)
		queue_settle(w, q);
}
