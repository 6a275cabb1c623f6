/* SPDX-License-Identifier: MIT */
/*
 * One ring of 64-byte slots between a producer and a consumer that do not
 * trust each other, with the event-index rule for notifications. Used by both
 * sides of every queue. Checked by the Spin model in protocol/model/.
 *
 * A ring is three places: the producer's words (produced, room_wake), the
 * consumer's words (consumed, data_wake) and the slots, which belong to the
 * producer. Positions count slots since attach, modulo 2^32; each side keeps
 * its own position privately, publishes it, and reads only the peer's.
 *
 * The rule: after moving its position from old to new, a side notifies the
 * other if and only if the other's wake word w satisfies old <= w < new
 * (modulo 2^32): somebody waits for the position to pass w. A side that wants
 * to sleep stores the position it has seen as wake word, makes a full
 * barrier, and looks once more before it sleeps.
 *
 * Threads: one producer and one consumer a ring; the caller serialises its
 * own side.
 */
#ifndef PVGPU_RING_H
#define PVGPU_RING_H

#include "barrier.h"
#include "wire.h"

struct pvgpu_producer {
	struct pvgpu_ring_words *own;		/* shared, this side writes */
	const struct pvgpu_ring_words *peer;	/* shared, the peer writes */
	uint8_t *slots;				/* shared, this side writes */
	uint32_t count;				/* slots; a power of two */
	uint32_t produced;			/* written, not all published */
	uint32_t published;
	uint32_t consumed;			/* as last read and found sane */
};

struct pvgpu_consumer {
	struct pvgpu_ring_words *own;
	const struct pvgpu_ring_words *peer;
	const uint8_t *slots;			/* shared, the peer writes */
	uint32_t count;
	uint32_t consumed;			/* taken, not all released */
	uint32_t released;
	uint32_t produced;			/* as last read and found sane */
	uint32_t message_max;			/* bytes */
};

/* What the calls below answer besides a size: the peer broke the ring. */
#define PVGPU_RING_BROKEN	(-1)

/* Slots that a message of `length` bytes takes. */
PVGPU_INLINE uint32_t pvgpu_slots(uint32_t length)
{
	return (length + PVGPU_SLOT_SIZE - 1) / PVGPU_SLOT_SIZE;
}

/* The event-index rule, for a position that moved from `from` to `to`. */
PVGPU_INLINE bool pvgpu_passes(uint32_t wake, uint32_t from, uint32_t to)
{
	return (uint32_t)(wake - from) < (uint32_t)(to - from);
}

/* -------------------------------------------------------------- producer */

/* Starts at zero, and makes the shared words say so. */
PVGPU_INLINE void pvgpu_producer_init(struct pvgpu_producer *r,
				      struct pvgpu_ring_words *own,
				      const struct pvgpu_ring_words *peer,
				      void *slots, uint32_t count)
{
	r->own = own;
	r->peer = peer;
	r->slots = (uint8_t *)slots;
	r->count = count;
	r->produced = 0;
	r->published = 0;
	r->consumed = 0;
	pvgpu_store32(&own->produced, 0);
	/* Asleep for room: never passed until a wait stores a position. */
	pvgpu_store32(&own->room_wake, (uint32_t)-1);
}

/* Free slots, or PVGPU_RING_BROKEN if the peer consumed what was not there. */
PVGPU_INLINE int pvgpu_producer_room(struct pvgpu_producer *r)
{
	/* Acquire: the peer is done with the slots before we write them. */
	uint32_t consumed = pvgpu_load32_acquire(&r->peer->consumed);

	if ((uint32_t)(r->published - consumed) > r->count)
		return PVGPU_RING_BROKEN;
	if ((uint32_t)(consumed - r->consumed) > r->count)
		return PVGPU_RING_BROKEN;	/* it ran backwards */
	r->consumed = consumed;
	return (int)(r->count - (uint32_t)(r->produced - consumed));
}

/*
 * Copies a message of `length` bytes behind the last one, unpublished.
 * Returns its slots, 0 if there is no room now, or PVGPU_RING_BROKEN.
 */
PVGPU_INLINE int pvgpu_producer_put(struct pvgpu_producer *r,
				    const void *message, uint32_t length)
{
	const uint8_t *from = (const uint8_t *)message;
	uint32_t need = pvgpu_slots(length), at, left, n;
	int room = (int)(r->count - (uint32_t)(r->produced - r->consumed));

	if (room < (int)need) {
		room = pvgpu_producer_room(r);
		if (room < 0)
			return room;
		if (room < (int)need)
			return 0;
	}
	at = (r->produced & (r->count - 1)) * PVGPU_SLOT_SIZE;
	left = r->count * PVGPU_SLOT_SIZE - at;
	n = length < left ? length : left;
	pvgpu_memcpy(r->slots + at, from, n);
	if (n < length)
		pvgpu_memcpy(r->slots, from + n, length - n);
	r->produced += need;
	return (int)need;
}

/* Publishes what was put; returns whether the peer must be notified. */
PVGPU_INLINE bool pvgpu_producer_publish(struct pvgpu_producer *r)
{
	uint32_t from = r->published;

	if (from == r->produced)
		return false;
	r->published = r->produced;
	/* Release: the slots are written before the position says so. */
	pvgpu_store32_release(&r->own->produced, r->published);
	/* Full: published before we ask whether the consumer sleeps. */
	pvgpu_mb();
	return pvgpu_passes(pvgpu_load32(&r->peer->data_wake), from,
			    r->published);
}

/*
 * Before sleeping until `need` slots are free (1..count): asks for a
 * notification. Returns true if it may sleep, false if the room is there (or
 * the ring is broken: the next put says so).
 */
PVGPU_INLINE bool pvgpu_producer_sleep(struct pvgpu_producer *r, uint32_t need)
{
	int room;

	/* Wake when consumed passes this: then `need` slots are free. */
	pvgpu_store32(&r->own->room_wake,
		      r->produced + need - r->count - 1);
	pvgpu_mb();
	room = pvgpu_producer_room(r);
	return room >= 0 && room < (int)need;
}

/* -------------------------------------------------------------- consumer */

PVGPU_INLINE void pvgpu_consumer_init(struct pvgpu_consumer *r,
				      struct pvgpu_ring_words *own,
				      const struct pvgpu_ring_words *peer,
				      const void *slots, uint32_t count,
				      uint32_t message_max)
{
	r->own = own;
	r->peer = peer;
	r->slots = (const uint8_t *)slots;
	r->count = count;
	r->consumed = 0;
	r->released = 0;
	r->produced = 0;
	r->message_max = message_max;
	pvgpu_store32(&own->consumed, 0);
	/* Asleep for data: the very first message notifies. */
	pvgpu_store32(&own->data_wake, 0);
}

/*
 * Copies the next message, once, into `message`, which holds message_max
 * bytes, 8-byte aligned. Returns its length in bytes, 0 if there is none, or
 * PVGPU_RING_BROKEN: more slots than the ring has, a position that ran
 * backwards, or a length that is below a header, above message_max, no
 * multiple of 8, or beyond what is published. Its slots stay the peer's to
 * respect until pvgpu_consumer_release().
 */
PVGPU_INLINE int pvgpu_consumer_take(struct pvgpu_consumer *r, void *message)
{
	uint32_t ready, at, left, length, slots, n;
	uint8_t *to = (uint8_t *)message;
	struct pvgpu_msg head;

	if (r->consumed == r->produced) {
		/* Acquire: the position before the slots that it covers. */
		uint32_t produced = pvgpu_load32_acquire(&r->peer->produced);

		if ((uint32_t)(produced - r->released) > r->count ||
		    (uint32_t)(produced - r->consumed) > r->count)
			return PVGPU_RING_BROKEN;
		r->produced = produced;
		if (r->consumed == produced)
			return 0;
	}
	ready = r->produced - r->consumed;
	at = (r->consumed & (r->count - 1)) * PVGPU_SLOT_SIZE;
	/* The first slot once; all decisions are made on the private copy. */
	pvgpu_memcpy(to, r->slots + at, PVGPU_SLOT_SIZE);
	pvgpu_memcpy(&head, to, sizeof(head));
	length = pvgpu_le32_to_cpu(head.length);
	if (length < sizeof(head) || length > r->message_max || length % 8)
		return PVGPU_RING_BROKEN;
	slots = pvgpu_slots(length);
	if (slots > ready)
		return PVGPU_RING_BROKEN;
	if (slots > 1) {
		at = ((r->consumed + 1) & (r->count - 1)) * PVGPU_SLOT_SIZE;
		left = r->count * PVGPU_SLOT_SIZE - at;
		length -= PVGPU_SLOT_SIZE;
		n = length < left ? length : left;
		pvgpu_memcpy(to + PVGPU_SLOT_SIZE, r->slots + at, n);
		if (n < length)
			pvgpu_memcpy(to + PVGPU_SLOT_SIZE + n, r->slots,
				     length - n);
		length += PVGPU_SLOT_SIZE;
	}
	r->consumed += slots;
	return (int)length;
}

/* Gives the slots of all taken messages back; returns whether the peer must
 * be notified (it waits for room). */
PVGPU_INLINE bool pvgpu_consumer_release(struct pvgpu_consumer *r)
{
	uint32_t from = r->released;

	if (from == r->consumed)
		return false;
	r->released = r->consumed;
	/* Release: our reads of the slots are done before they are free. */
	pvgpu_store32_release(&r->own->consumed, r->released);
	/* Full: freed before we ask whether the producer sleeps. */
	pvgpu_mb();
	return pvgpu_passes(pvgpu_load32(&r->peer->room_wake), from,
			    r->released);
}

/*
 * Before sleeping: asks to be notified of the next message. Returns true if
 * the consumer may sleep, false if there is something to take (or the ring
 * is broken: the next take says so). While it does not sleep a consumer
 * leaves the word as it is: behind the position, it suppresses.
 */
PVGPU_INLINE bool pvgpu_consumer_sleep(struct pvgpu_consumer *r)
{
	pvgpu_store32(&r->own->data_wake, r->consumed);
	/* Full: we say that we sleep before we look for the last time. */
	pvgpu_mb();
	return pvgpu_load32_acquire(&r->peer->produced) == r->consumed;
}

/* ---------------------------------------------------------------- queues */

/* The doorbell and the interrupt vector of a queue, the same number each way
 * (spec.md "Transport"): 0 for control and events, the channels share the rest. */
PVGPU_INLINE uint32_t pvgpu_queue_vector(uint32_t queue, uint32_t channels,
					 uint32_t vectors)
{
	if (queue == PVGPU_QUEUE_CONTROL || queue > channels || vectors == 1)
		return 0;
	return 1 + (queue - 1) % (vectors - 1);
}

#endif
