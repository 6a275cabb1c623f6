// SPDX-License-Identifier: MIT
/* Queues, turns and interrupts; see queue.h. */
#include "queue.h"

#include <string.h>

#include "worker.h"

void queue_init(struct worker *w, uint32_t index)
{
	const struct window_layout *l = &w->layout;
	uint64_t at = PVGPU_QUEUES_OFFSET + (uint64_t)index * l->queue_stride;
	struct pvgpu_ring_words *own = (void *)(w->window + l->host_offset + at);
	const struct pvgpu_ring_words *peer =
		(void *)(w->window + l->guest_offset + at);
	struct queue *q = &w->queues[index];

	q->index = index;
	q->vector = pvgpu_queue_vector(index, w->limits.channels,
				       WINDOW_VECTORS);
	q->pending = false;
	pvgpu_producer_init(&q->done, own, peer,
			    (uint8_t *)own + PVGPU_RING_SLOTS_OFFSET,
			    WINDOW_QUEUE_SLOTS);
	pvgpu_consumer_init(&q->submit, own, peer,
			    (const uint8_t *)peer + PVGPU_RING_SLOTS_OFFSET,
			    WINDOW_QUEUE_SLOTS, PVGPU_MESSAGE_MAX);
}

void queues_init(struct worker *w)
{
	for (uint32_t i = 0; i < w->limits.channels + 2; i++)
		queue_init(w, i);
}

void queues_ring(struct worker *w, uint32_t vector)
{
	if (w->attachment.state != PVGPU_STATE_ATTACHED)
		return;
	for (uint32_t i = 0; i < w->limits.channels + 2; i++)
		if (w->queues[i].vector == vector)
			w->queues[i].pending = true;
}

bool queue_room(struct worker *w, struct queue *q, uint32_t slots)
{
	int room = pvgpu_producer_room(&q->done);

	if (room >= 0 && room < (int)slots) {
		if (pvgpu_producer_sleep(&q->done, slots)) {
			q->pending = false;
			return false;
		}
		/* It came in between, or the ring broke in between. */
		room = pvgpu_producer_room(&q->done);
	}
	if (room < 0)
		attach_broken(w, q->index);
	return room >= (int)slots;
}

uint32_t queue_take(struct worker *w, struct queue *q, void *message)
{
	int length = pvgpu_consumer_take(&q->submit, message);

	if (!length) {
		if (pvgpu_consumer_sleep(&q->submit)) {
			q->pending = false;
			return 0;
		}
		length = pvgpu_consumer_take(&q->submit, message);
	}
	if (length < 0) {
		attach_broken(w, q->index);
		return 0;
	}
	return (uint32_t)length;
}

bool queue_post(struct worker *w, struct queue *q, const void *message,
		uint32_t length)
{
	if (pvgpu_producer_put(&q->done, message, length) > 0)
		return true;
	attach_broken(w, q->index);	/* the guest took its room back */
	return false;
}

void queue_settle(struct worker *w, struct queue *q)
{
	/* Both are asked, always: each moves its position. */
	bool published = pvgpu_producer_publish(&q->done);
	bool released = pvgpu_consumer_release(&q->submit);

	if (published || released)
		interrupt(w, q->vector);
}

/* ----------------------------------------------------------------- turns */

static void events_slice(struct worker *w)
{
	struct queue *q = worker_event_queue(w);
	struct pvgpu_event_head event = {
		.msg = {
			.length = pvgpu_cpu_to_le32(sizeof(event)),
			.opcode = pvgpu_cpu_to_le16(PVGPU_EVENT_HEAD),
			.generation =
				pvgpu_cpu_to_le32(w->attachment.generation),
		},
		.heads = pvgpu_cpu_to_le32(w->events_pending),
	};

	if (!w->events_pending) {
		q->pending = false;
		return;
	}
	if (!queue_room(w, q, pvgpu_slots(sizeof(event))) ||
	    !queue_post(w, q, &event, sizeof(event)))
		return;
	w->events_pending = 0;
	q->pending = false;
	queue_settle(w, q);
}

void event_heads(struct worker *w, uint32_t mask)
{
	if (w->attachment.state != PVGPU_STATE_ATTACHED)
		return;		/* who attaches asks for all of them */
	w->events_pending |= mask;
	worker_event_queue(w)->pending = true;
}

static bool any_pending(const struct worker *w)
{
	for (uint32_t i = 0; i < w->limits.channels + 2; i++)
		if (w->queues[i].pending)
			return true;
	return false;
}

bool queues_turn(struct worker *w)
{
	uint32_t channels = w->limits.channels;
	bool more = false;

	if (w->attachment.state == PVGPU_STATE_ATTACHED &&
	    w->queues[PVGPU_QUEUE_CONTROL].pending)
		control_slice(w);
	if (w->attachment.state == PVGPU_STATE_ATTACHED &&
	    worker_event_queue(w)->pending)
		events_slice(w);
	for (uint32_t i = 0; i < channels; i++) {
		uint32_t n = (w->next_channel + i) % channels;

		if (w->attachment.state != PVGPU_STATE_ATTACHED)
			break;
		if (!w->queues[n + 1].pending)
			continue;
		w->next_channel = (n + 1) % channels;
		channel_slice(w, &w->channels[n]);
		break;
	}
	if (w->attachment.state == PVGPU_STATE_ATTACHED)
		more = deferred_turn(w);
	interrupts_send(w);
	return w->attachment.state == PVGPU_STATE_ATTACHED &&
	       (more || any_pending(w));
}

/* ------------------------------------------------------------ interrupts */

void interrupt(struct worker *w, uint32_t vector)
{
	w->interrupts_owed |= 1u << vector;
}

void interrupts_send(struct worker *w)
{
	static const uint64_t one = 1;

	for (uint32_t v = 0; w->interrupts_owed; v++) {
		if (!(w->interrupts_owed & 1u << v))
			continue;
		w->interrupts_owed &= ~(1u << v);
		/* Full counter: the guest has plenty to wake up for. */
		if (write(w->vectors[v], &one, sizeof(one)) == sizeof(one))
			w->statistics.interrupts++;
		if (trace_on(&w->trace))
			trace_event(&w->trace, TRACE_INTERRUPT, v, 0);
	}
}

void interrupt_all(struct worker *w)
{
	for (uint32_t v = 0; v < WINDOW_VECTORS; v++)
		interrupt(w, v);
	interrupts_send(w);
}
