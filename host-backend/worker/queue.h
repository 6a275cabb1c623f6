/* SPDX-License-Identifier: MIT */
/*
 * The queues of the attached guest: which of them want a look, how they are
 * served in turn, and the interrupts that come of it.
 *
 * A turn is bounded: some control messages, then a slice of one channel. So
 * no queue starves another, and a control message waits for one slice at
 * most. A queue that is empty, or has no room for its answers, says so by the
 * event-index rule and is not looked at before its doorbell rings.
 */
#ifndef PVGPU_WORKER_QUEUE_H
#define PVGPU_WORKER_QUEUE_H

#include <pvgpu/ring.h>

struct worker;

struct queue {
	uint32_t index;
	uint32_t vector;		/* doorbell and interrupt */
	bool pending;			/* wants a look */
	struct pvgpu_consumer submit;
	struct pvgpu_producer done;
};

/* Empties every queue of the window and makes the host's words say so. */
void queues_init(struct worker *w);
/* Empties one (a channel that is opened). */
void queue_init(struct worker *w, uint32_t index);
/* A doorbell rang: its queues want a look. */
void queues_ring(struct worker *w, uint32_t vector);
/* Serves what is pending, once around; returns whether something still is. */
bool queues_turn(struct worker *w);

/* Puts a completion or event behind the queue's last one; the room was made
 * sure of. False, and the guest's ring is broken, where it is not there. */
bool queue_post(struct worker *w, struct queue *q, const void *message,
		uint32_t length);
/* Whether there is room for `slots` now. If not, the queue asks to be told
 * and stops being pending, or breaks. */
bool queue_room(struct worker *w, struct queue *q, uint32_t slots);
/* The next message into `message`: its length, or 0 if there is none, when
 * the queue has stopped being pending or is broken. */
uint32_t queue_take(struct worker *w, struct queue *q, void *message);
/* Publishes what was posted and gives back what was taken. */
void queue_settle(struct worker *w, struct queue *q);

/* An interrupt is owed to the guest; sent when the turn ends. */
void interrupt(struct worker *w, uint32_t vector);
void interrupts_send(struct worker *w);
void interrupt_all(struct worker *w);

/* The heads in `mask` are to be asked about again: told when there is room. */
void event_heads(struct worker *w, uint32_t mask);

#endif
