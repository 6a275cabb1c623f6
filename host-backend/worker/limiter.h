/* SPDX-License-Identifier: MIT */
/*
 * The frame-rate limiter: until when the completion of a flip is held, so that
 * a head shows no more frames a second than the vGPU may (spec.md 10.3). Only
 * flips pass through here, and only where the head's refresh is above the
 * limit by more than 1 %; whoever holds the completion is deferred.c.
 */
#ifndef PVGPU_WORKER_LIMITER_H
#define PVGPU_WORKER_LIMITER_H

#include "heads.h"
#include "scheduler/pacer.h"

struct limiter {
	uint32_t limit;			/* mHz; 0: none */
	struct pacer heads[PVGPU_MAX_HEADS];
};

/* From the next flip on; 0 is none. -EINVAL beyond PACER_RATE_MAX. */
int limiter_set(struct limiter *l, uint32_t limit);
/* Whether a commit that makes `next` a head's state is a flip that is limited. */
bool limiter_limits(const struct limiter *l, const struct head_state *next);
/* Books one that is: its completion is due at this time, CLOCK_MONOTONIC in ns,
 * which may have passed. A call for each flip of a head, in their order. */
uint64_t limiter_book(struct limiter *l, uint32_t head,
		      const struct head_state *next, uint64_t now);

#endif
