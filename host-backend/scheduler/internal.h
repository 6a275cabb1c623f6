/* SPDX-License-Identifier: MIT */
/*
 * What the scheduler's files know of each other: turns.c says who holds the
 * GPU and moves it on, the policies say whose turn is next and what it is
 * worth, account.c counts.
 */
#ifndef PVGPU_SCHEDULER_INTERNAL_H
#define PVGPU_SCHEDULER_INTERNAL_H

#include <stddef.h>

#include "common/util.h"
#include "heap.h"
#include "scheduler.h"

/* A turn lasts at most so many times its budget, since a holder may have
 * nothing in flight for most of it: decoding was measured to be up to 86 % of
 * a draw-bound worker's time. Others are lent the GPU meanwhile. */
#define TURN_HOLD		8u
/* The clock of fixed shares does not run further ahead than this of the one
 * that got least: what a GPU is short of is not owed for ever. */
#define CLOCK_LAG_MAX		(3 * SCHED_SECOND)

/* How much later than at once a cap on borrowing may be used up. */
#define LENT_BEHIND_MAX		(100 * SCHED_MS)

struct sched_vgpu {
	uint32_t slot;			/* in sched.slots */
	void *owner;
	struct sched_params params;
	struct sched_grant grant;
	bool wanting;			/* a batch is ready */
	bool fresh;			/* and was not, a moment ago */
	bool active;			/* counts in sched.active */
	bool forgiven;			/* it drains for a change of policy */
	bool changed;			/* is in the queue of changes */
	struct sched_vgpu *next_changed;
	/* of the grant */
	uint64_t granted, closed;	/* when given; when last made SLICE */
	uint64_t drain_since;
	/* of the turn */
	uint64_t budget, begun, turn_used;
	/* strict */
	uint64_t round, overshoot;
	uint64_t lead_turns, lead_quantum;
	uint64_t pass_quantum;		/* of the turns that it passes */
	/* least served; units: ns * SCHED_WEIGHT_DEFAULT / weight, or
	 * ns * SCHED_WHOLE / share */
	uint64_t served, served_rest;
	uint64_t lent, lent_rest;	/* what was lent to it, likewise */
	uint64_t quantum;		/* fixed share */
	uint64_t wants_since;
	uint64_t last_strike, penalty;
	struct sched_running running;
	struct sched_figures figures;
};

enum turn_mode {
	TURN_HELD,			/* the holder has a grant */
	TURN_LENT,			/* and nothing in flight: it prepares */
	TURN_SLOT,			/* its time passes, it wants nothing */
};

struct policy {
	/* Whose turn is it? Stays in the order. NULL, and when to ask again. */
	struct sched_vgpu *(*next)(struct sched *s, uint64_t now,
				   uint64_t *ret_when);
	/* Puts it into the order. */
	void (*enter)(struct sched *s, struct sched_vgpu *v, uint64_t now);
	/* What a turn would be worth now, with nothing committed. */
	uint64_t (*budget)(struct sched *s, struct sched_vgpu *v);
	/* A turn begins: commits it and returns the same. */
	uint64_t (*begin)(struct sched *s, struct sched_vgpu *v);
	/* Would the holder be before this one, were its turn over now? */
	bool (*again)(const struct sched *s, const struct sched_vgpu *v);
	/* Is the armed one so far behind the first in order, who came since,
	 * that it must not go first? */
	bool (*too_early)(const struct sched *s);
	/* More than its budget that the holder may have now. */
	uint64_t (*lead)(struct sched *s, struct sched_vgpu *v);
	/* A turn is over: so much of its budget was used, or more. */
	void (*finish)(struct sched *s, struct sched_vgpu *v, uint64_t used);
	/* GPU time that it took from others outside a turn. */
	void (*charge)(struct sched *s, struct sched_vgpu *v, uint64_t used);
	/* Does it owe so much that it does without turns? */
	bool (*owes)(const struct sched *s, const struct sched_vgpu *v);
	/* Its turns are about to be worth something else, or v's weight or
	 * share to be as in params. It is not in the order. */
	void (*rescale)(struct sched *s, struct sched_vgpu *v,
			const struct sched_params *params);
};

extern const struct policy policy_strict, policy_least;

struct sched {
	struct sched_config config;
	const struct policy *policy;	/* NULL: best effort */
	bool fixed;
	bool slots_kept;		/* fixed and strict: idle ones have turns */
	struct sched_vgpu **slots;	/* by slot; 0 is `absent` */
	uint32_t slots_count, count;
	struct sched_vgpu absent;	/* has the time that is nobody's share */
	struct heap order;
	struct heap held_back;		/* by when they are not any more */
	struct heap borrowers;		/* all that want, by .lent */
	struct sched_vgpu *holder, *armed, *borrower;
	enum turn_mode mode;
	uint32_t draining;		/* revoked, not ended */
	uint32_t active;		/* work or hold */
	uint64_t active_weight, shares;
	uint64_t slice;			/* of the order in use */
	uint64_t round;			/* strict */
	uint64_t served;		/* least served: of the last to begin */
	uint64_t lent;			/* of the last that was lent to */
	uint64_t slip;			/* fixed share: now - slip is its clock */
	uint64_t slot_end, hold_until, loan_until, look_at;
	uint64_t now, last_strike;
	struct sched_vgpu *changed_first, *changed_last;
};

/* policy_strict.c, policy_least.c */
uint64_t sched_quantum(const struct sched *s, const struct sched_vgpu *v);
void sched_serve(uint64_t *served, uint64_t *rest, uint64_t ns,
		 uint64_t numerator, uint64_t denominator);
/* a * b / c, exact while the result fits. */
uint64_t sched_scale(uint64_t a, uint64_t b, uint64_t c);

/* turns.c */
void sched_enroll(struct sched *s, struct sched_vgpu *v);
void sched_settle(struct sched *s);
/* Best effort: all that it wants, unless it is held back. */
void sched_give_open(struct sched *s, struct sched_vgpu *v);
void sched_release(struct sched *s, struct sched_vgpu *v,
		   const struct sched_end *end);
void sched_drain(struct sched *s, struct sched_vgpu *v);
void sched_mark_changed(struct sched *s, struct sched_vgpu *v);
/* Forgets all turns, and revokes what is granted. */
void sched_stop_turns(struct sched *s);
static inline uint64_t sched_time(struct sched *s, uint64_t now)
{
	if (now > s->now)
		s->now = now;
	return s->now;
}

/* lend.c */
void lend_enqueue(struct sched *s, struct sched_vgpu *v);
void lend_dequeue(struct sched *s, struct sched_vgpu *v);
/* Whom to lend to now; NULL, and for fixed shares when to ask again. */
struct sched_vgpu *lend_next(struct sched *s, uint64_t *ret_when);
/* A loan is over; `charged` of it is paid for from its own time: the drain,
 * after it was wanted back. */
void lend_account(struct sched *s, struct sched_vgpu *v, uint64_t used,
		  uint64_t charged);

#endif
