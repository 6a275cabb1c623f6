// SPDX-License-Identifier: MIT
/* When a limited flip is complete; see limiter.h. */
#include "limiter.h"

#include <errno.h>

/* A guest takes so long to hear of a completion: a vblank that is closer than
 * this is missed, and the flip is for the next. */
#define LATCH_NS 500000u
/* Modes of "60 Hz" are up to 60.32: one that is faster by 1/LIKE is as good as
 * the limit. */
#define LIKE 100

int limiter_set(struct limiter *l, uint32_t limit)
{
	if (limit > PACER_RATE_MAX)
		return -EINVAL;
	l->limit = limit;
	return 0;
}

bool limiter_limits(const struct limiter *l, const struct head_state *next)
{
	return l->limit && next->flips &&
	       next->refresh > l->limit + l->limit / LIKE;
}

uint64_t limiter_book(struct limiter *l, uint32_t head,
		      const struct head_state *next, uint64_t now)
{
	struct pacer *p = &l->heads[head];

	if (p->refresh != next->refresh)
		pacer_init(p, next->refresh, now);
	if (p->limit != l->limit)
		pacer_set_limit(p, l->limit);
	if (!next->vblank)
		return pacer_flip(p, now);
	/* Early enough for the guest to reach that vblank of its own, whatever
	 * the time is that the messages take. */
	pacer_align(p, now + next->vblank);
	return pacer_flip(p, now + LATCH_NS) - pacer_period(p) / 2;
}
