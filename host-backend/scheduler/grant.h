/* SPDX-License-Identifier: MIT */
/*
 * What the scheduler tells a vGPU's gate, and what a gate tells the scheduler:
 * the two halves know each other by these structs alone. Plain values; how
 * they travel (a shared page, a socket, a call) is the caller's.
 *
 * All times are nanoseconds of one monotonic clock.
 */
#ifndef PVGPU_SCHEDULER_GRANT_H
#define PVGPU_SCHEDULER_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#define SCHED_NEVER		UINT64_MAX
#define SCHED_NOBODY		UINT32_MAX

enum sched_grant_kind {
	SCHED_GRANT_NONE,		/* submit nothing */
	SCHED_GRANT_SLICE,		/* a turn, until it is spent */
	SCHED_GRANT_OPEN,		/* nobody else wants the GPU */
	SCHED_GRANT_LOAN,		/* of somebody's idle time, one batch
					 * in flight */
	SCHED_GRANT_DRAIN,		/* revoked: submit nothing more, and
					 * end it once nothing is in flight */
};

/*
 * A grant has one epoch from when it is given until the gate ends it, exactly
 * once; within it the kind goes only from ARMED to begun, OPEN to SLICE and
 * back, any to DRAIN, and `budget` may change.
 */
struct sched_grant {
	uint32_t epoch;			/* counts the grants of this vGPU */
	enum sched_grant_kind kind;
	/* Given beforehand: begins when the predecessor hands over, or when
	 * this is cleared. */
	bool armed;
	/* With nothing in flight while the next batch is being prepared, tell
	 * the scheduler, which lends the GPU meanwhile (`lent`). `resumes`
	 * counts how often it was given back. */
	bool lends, lent;
	/* An idle end is not handed over: the time stays this vGPU's. */
	bool slot;
	bool single;			/* a LOAN ends after one batch */
	uint32_t resumes;
	uint64_t budget;		/* GPU time, of the whole grant */
	uint64_t hold;			/* longest time from its beginning, or
					 * from when it was OPEN last */
	uint64_t window;		/* of work in flight, beyond 2 batches */
	/* Whom to hand over to, and the epoch of its armed grant. */
	uint32_t successor;		/* SCHED_NOBODY */
	uint32_t successor_epoch;
};

/* What a gate says of a grant that it does not hold any more. */
struct sched_end {
	uint32_t epoch;
	bool began;			/* an armed one may never have */
	bool more;			/* a batch is ready to be submitted */
	bool handed;			/* the successor's gate has begun */
	uint64_t used;			/* GPU time of the whole grant */
	uint64_t free;			/* part of it that is nobody's loss:
					 * while OPEN, or lent, until revoked */
	uint64_t waited;		/* for a next batch, nothing in flight */
};

#endif
