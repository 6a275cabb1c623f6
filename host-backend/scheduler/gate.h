/* SPDX-License-Identifier: MIT */
/*
 * One vGPU's gate to the GPU: the half of the scheduler that runs where its
 * batches are submitted and completed. It holds to the grant that it was
 * given, ends it, accounts every batch from its completion, chooses between
 * the vGPU's channels, and learns how long the guest takes to come with its
 * next batch.
 *
 * No I/O, no clock, no memory of its own, no threads: the struct is the
 * caller's, every call says what time it is, and one thread at a time calls.
 *
 * The order of calls for a batch:
 *   gate_ready()       it could be submitted now
 *   gate_next()        may one be, and of which channel?
 *   gate_submit()      it is about to be; false: not after all (the grant was
 *                      revoked since: call gate_update() with what the page
 *                      says after "in flight" was published, then this)
 *   gate_fenced()      the oldest in flight is done
 * After any call: gate_message() until it returns GATE_NOTHING, and
 * gate_step() at gate_deadline() at the latest.
 */
#ifndef PVGPU_SCHEDULER_GATE_H
#define PVGPU_SCHEDULER_GATE_H

#include <stddef.h>

#include "scheduler.h"

#define GATE_CHANNELS		33u	/* PVGPU_MAX_CHANNELS, and pictures */
#define GATE_FLIGHT_MAX		64u	/* batches in flight, at most */
#define GATE_PRIORITIES		5u	/* 0 first: the pictures */

enum gate_kind {
	GATE_NOTHING,
	GATE_WANTS,			/* sched_wants() */
	GATE_IDLES,			/* sched_idles() */
	GATE_YIELDS,			/* sched_yields(), with end.epoch */
	GATE_ENDED,			/* hand over if there is a successor,
					 * then sched_ended() with end */
};

struct gate_message {
	enum gate_kind kind;
	struct sched_end end;		/* .handed: for the caller to fill in */
	uint32_t successor;		/* SCHED_NOBODY: hand over to nobody; */
	uint32_t successor_epoch;	/* else gate_go() there, its result is
					 * `handed` */
};

struct gate_channel {
	uint32_t ready, in_flight;	/* batches */
	uint8_t priority;
	uint64_t cost;			/* ns; what a batch takes, learned */
	uint64_t used, batches;		/* since gate_init() */
	uint64_t served;		/* by which equals take turns */
};

struct gate_flight {
	uint64_t submitted, cost;
	uint32_t channel;
};

struct gate {
	struct gate_channel channels[GATE_CHANNELS];
	uint32_t ready;			/* in all channels */
	struct gate_flight flight[GATE_FLIGHT_MAX];
	uint32_t flight_first, flight_count;
	uint64_t flight_cost;		/* expected, of all in flight */
	uint64_t last_fence;
	uint64_t used_total;
	/* the grant */
	struct sched_grant grant;
	bool begun, yielded;
	uint64_t held_from;
	uint64_t used, free, waited;
	uint32_t submitted;		/* batches under it */
	/* waiting for the next batch */
	bool preparing;			/* gate_preparing() said so */
	bool idle;			/* nothing ready, nothing in flight */
	uint64_t idle_since, wait_until;
	uint64_t think, think_deviation;	/* learned */
	/* what the scheduler was told */
	bool told_wants;
	struct gate_message message;	/* one at most is waiting */
};

void gate_init(struct gate *g);

/* 0 to GATE_PRIORITIES - 1; a smaller one goes first always, equal ones share
 * by GPU time. */
void gate_set_priority(struct gate *g, uint32_t channel, uint8_t priority);
/* `count` more batches of the channel could be submitted. */
void gate_ready(struct gate *g, uint32_t channel, uint32_t count,
		uint64_t now);
/* So many could be, of this channel, whatever was said before. */
void gate_set_ready(struct gate *g, uint32_t channel, uint32_t count,
		    uint64_t now);
/* None of the channel's can be any more (it was reset or closed). */
void gate_dropped(struct gate *g, uint32_t channel, uint64_t now);
/* The next batch is on its way: read and being decoded, not ready yet. */
void gate_preparing(struct gate *g, bool preparing, uint64_t now);

/* The channel to submit a batch of, or -EAGAIN. */
int gate_next(const struct gate *g, uint64_t now);
bool gate_submit(struct gate *g, uint32_t channel, uint64_t now);
/* Returns the GPU time of the oldest in flight, which is done: from its
 * submission, or the fence before it if that was later. */
uint64_t gate_fenced(struct gate *g, uint64_t now);

/* What the scheduler publishes for this vGPU now; again is nothing. */
void gate_update(struct gate *g, const struct sched_grant *grant,
		 uint64_t now);
/* The predecessor hands over; false: that is not the grant it has. */
bool gate_go(struct gate *g, uint32_t epoch, uint64_t now);

struct gate_message gate_message(struct gate *g, uint64_t now);
uint64_t gate_deadline(const struct gate *g);
void gate_step(struct gate *g, uint64_t now);

/* What the GPU is at, for the watchdog. */
struct sched_running gate_running(const struct gate *g);

#endif
