// SPDX-License-Identifier: MIT
/*
 * Who holds the GPU, and how it goes on. Everything that happens changes some
 * state and then calls sched_settle(), which brings the grants into line; a
 * step that needs work in flight to be over first revokes its grant, returns,
 * and is reached again when that grant has ended.
 */
#include "internal.h"

void sched_mark_changed(struct sched *s, struct sched_vgpu *v)
{
	if (v->changed)
		return;
	v->changed = true;
	v->next_changed = NULL;
	if (s->changed_last)
		s->changed_last->next_changed = v;
	else
		s->changed_first = v;
	s->changed_last = v;
}

/* ------------------------------------------------------------ membership */

static bool held_back(const struct sched *s, const struct sched_vgpu *v)
{
	return heap_has(&s->held_back, v->slot);
}

/* Brings the orders and sums up to what v is now. */
void sched_enroll(struct sched *s, struct sched_vgpu *v)
{
	bool wanting = v->wanting && !held_back(s, v);
	bool granted = v->grant.kind != SCHED_GRANT_NONE;
	bool active = wanting || (v == s->holder && granted);
	bool ordered = v != s->holder && v != s->armed && s->policy &&
		       (wanting || s->slots_kept);

	if (active != v->active) {
		v->active = active;
		s->active += active ? 1 : -1u;
		s->active_weight += active ? v->params.weight :
				    -(uint64_t)v->params.weight;
	}
	if (ordered && !heap_has(&s->order, v->slot))
		s->policy->enter(s, v, s->now);
	else if (!ordered)
		heap_remove(&s->order, v->slot);
	if (wanting && s->policy)
		lend_enqueue(s, v);
	else
		lend_dequeue(s, v);
}

static void enter_absent(struct sched *s)
{
	if (s->slots_kept && s->absent.quantum && s->holder != &s->absent &&
	    !heap_has(&s->order, 0))
		s->policy->enter(s, &s->absent, s->now);
}

/* ---------------------------------------------------------------- grants */

static void give(struct sched *s, struct sched_vgpu *v,
		 enum sched_grant_kind kind, uint64_t budget, bool armed)
{
	v->grant = (struct sched_grant){
		.epoch = v->grant.epoch + 1,
		.kind = kind,
		.armed = armed,
		.lends = !s->fixed || s->borrowers.count,
		.slot = s->slots_kept,
		.budget = budget,
		.hold = s->fixed ? budget : TURN_HOLD * budget,
		.window = s->policy ? s->slice : 2 * SCHED_MS,
		.successor = SCHED_NOBODY,
	};
	v->granted = v->closed = s->now;
	sched_mark_changed(s, v);
}

static void served_now(struct sched *s, struct sched_vgpu *v)
{
	uint64_t wait = s->now - v->wants_since;

	v->figures.waits++;
	v->figures.wait += wait;
	if (wait > v->figures.wait_max)
		v->figures.wait_max = wait;
}

void sched_drain(struct sched *s, struct sched_vgpu *v)
{
	if (v->grant.kind == SCHED_GRANT_NONE ||
	    v->grant.kind == SCHED_GRANT_DRAIN)
		return;
	v->grant.kind = SCHED_GRANT_DRAIN;
	v->grant.successor = SCHED_NOBODY;
	v->drain_since = s->now;
	s->draining++;
	sched_mark_changed(s, v);
}

static void set_successor(struct sched *s, struct sched_vgpu *v)
{
	struct sched_grant *g = &s->holder->grant;
	uint32_t slot = v ? v->slot : SCHED_NOBODY;

	if (g->successor == slot && (!v || g->successor_epoch == v->grant.epoch))
		return;
	g->successor = slot;
	g->successor_epoch = v ? v->grant.epoch : 0;
	sched_mark_changed(s, s->holder);
}

void sched_give_open(struct sched *s, struct sched_vgpu *v)
{
	if (held_back(s, v))
		return;
	give(s, v, SCHED_GRANT_OPEN, s->slice, false);
	v->figures.turns++;
	served_now(s, v);
}

/* ----------------------------------------------------------------- turns */

static void keep_hold_time(struct sched *s)
{
	const struct sched_grant *g = &s->holder->grant;

	/* The gate ends it by itself; this is for one that does not. */
	s->hold_until = g->kind == SCHED_GRANT_SLICE ?
		s->now + g->hold + s->slice : SCHED_NEVER;
}

static void begin_turn(struct sched *s, struct sched_vgpu *v)
{
	v->budget = s->policy->begin(s, v);
	v->turn_used = 0;
	v->begun = s->now;
	v->figures.turns++;
	s->mode = TURN_HELD;
	s->slot_end = s->now + v->budget;
	if (v->wanting)
		served_now(s, v);
}

static void finish_turn(struct sched *s)
{
	struct sched_vgpu *v = s->holder;

	s->policy->finish(s, v, v->turn_used);
	v->figures.held += s->now - v->begun;
	s->holder = NULL;
	if (v == &s->absent)
		enter_absent(s);
	else
		sched_enroll(s, v);
}

/* The armed one is the holder now; whoever woke it, publishing it again does
 * no harm. */
static void promote(struct sched *s)
{
	struct sched_vgpu *v = s->armed;

	s->armed = NULL;
	s->holder = v;
	begin_turn(s, v);
	v->grant.armed = false;
	v->granted = v->closed = s->now;
	keep_hold_time(s);
	sched_enroll(s, v);
	sched_mark_changed(s, v);
}

/* The time that is nobody's share comes in pieces worth a timer. */
static bool absent_is_too_short(struct sched *s)
{
	struct sched_vgpu *v = &s->absent;

	v->overshoot += v->quantum;
	if (v->overshoot < s->slice / 4) {
		if ((int64_t)(v->round - s->round) > 0)
			s->round = v->round;
		v->round = s->round + 1;
		heap_remove(&s->order, 0);
		heap_push(&s->order, 0, v->round);
		return true;
	}
	return false;
}

static void begin_absent(struct sched *s)
{
	struct sched_vgpu *v = &s->absent;

	heap_remove(&s->order, 0);
	if ((int64_t)(v->round - s->round) > 0)
		s->round = v->round;
	v->budget = v->overshoot;
	v->overshoot = 0;
	v->turn_used = v->budget;
	v->begun = s->now;
	s->holder = v;
	s->mode = TURN_SLOT;
	s->slot_end = s->now + v->budget;
}

/* Is it alone, and may it have all of the GPU? */
static bool is_sole(const struct sched *s, const struct sched_vgpu *v)
{
	return s->active == 1 && v->active &&
	       (!s->fixed || (uint64_t)v->params.share * v->params.borrow >=
			     100ull * SCHED_WHOLE);
}

static struct sched_vgpu *sole(struct sched *s)
{
	const struct heap_item *top = heap_top(&s->borrowers);

	if (!s->fixed || !top || !is_sole(s, s->slots[top->slot]))
		return NULL;
	return s->slots[top->slot];
}

/* Lends what is idle; or says when there will be somebody to lend it to. */
static void lend(struct sched *s, bool single)
{
	struct sched_vgpu *v;
	uint64_t when;

	if (s->borrower || s->draining)
		return;
	v = lend_next(s, &when);
	if (!v) {
		if (when < s->look_at)
			s->look_at = when;
		return;
	}
	if (v == s->armed) {
		/* Its turn is armed anew afterwards. Whoever lends does not
		 * hand over, so it has not begun. */
		s->armed = NULL;
		if (s->holder)
			set_successor(s, NULL);
	}
	s->borrower = v;
	give(s, v, SCHED_GRANT_LOAN, sched_quantum(s, v), false);
	v->grant.single = single;
	s->loan_until = s->now + v->grant.hold + s->slice;
	sched_enroll(s, v);
	if (s->holder && s->holder != &s->absent)
		s->holder->figures.lent++;
}

/* Waits for the loan to be over: false while it is not. */
static bool take_back(struct sched *s)
{
	if (s->borrower)
		sched_drain(s, s->borrower);
	return !s->draining;
}

static void give_turn(struct sched *s, struct sched_vgpu *v, uint64_t budget)
{
	give(s, v, is_sole(s, v) ? SCHED_GRANT_OPEN : SCHED_GRANT_SLICE,
	     budget, false);
	keep_hold_time(s);
	sched_enroll(s, v);
}

/* Nobody has a turn; true if there is more to do. */
static bool settle_none(struct sched *s)
{
	struct sched_vgpu *v;
	uint64_t when;

	if (s->armed) {
		if (!take_back(s))
			return false;
		promote(s);
		return true;
	}
	v = sole(s);
	if (!v) {
		v = s->policy->next(s, s->now, &when);
		s->look_at = when;
	}
	if (!v) {
		if (s->fixed)
			lend(s, false);
		return false;
	}
	if (!take_back(s))
		return false;
	if (v == &s->absent) {
		if (!absent_is_too_short(s))
			begin_absent(s);
		return true;
	}
	heap_remove(&s->order, v->slot);
	s->holder = v;
	begin_turn(s, v);
	if (v->wanting && !held_back(s, v))
		give_turn(s, v, v->budget);
	else
		s->mode = TURN_SLOT;
	return true;
}

/* A turn whose owner wants nothing now. */
static bool settle_slot(struct sched *s)
{
	struct sched_vgpu *v = s->holder;

	if (s->now >= s->slot_end || sole(s)) {
		if (!take_back(s))
			return false;
		finish_turn(s);
		return true;
	}
	if (v != &s->absent && v->wanting && !held_back(s, v)) {
		uint64_t left = s->slot_end - s->now;

		if (!take_back(s))
			return false;
		if (left > v->budget - v->turn_used)
			left = v->budget - v->turn_used;
		s->mode = TURN_HELD;
		give_turn(s, v, left);
		return true;
	}
	s->look_at = SCHED_NEVER;
	lend(s, false);
	return false;
}

static bool settle_lent(struct sched *s)
{
	struct sched_vgpu *v = s->holder;

	if (v->grant.kind == SCHED_GRANT_DRAIN)
		return false;
	if (v->wanting) {
		if (!take_back(s))
			return false;
		s->mode = TURN_HELD;
		v->grant.lent = false;
		v->grant.resumes++;
		sched_mark_changed(s, v);
		return true;
	}
	s->look_at = SCHED_NEVER;
	lend(s, true);
	return false;
}

static void arm(struct sched *s)
{
	struct sched_vgpu *v;
	uint64_t when;

	if (s->armed || s->borrower || s->draining)
		return;
	v = s->policy->next(s, s->now, &when);
	if (!v || v == &s->absent || !v->wanting || held_back(s, v) ||
	    v->grant.kind != SCHED_GRANT_NONE || s->policy->again(s, v))
		return;
	heap_remove(&s->order, v->slot);
	s->armed = v;
	give(s, v, SCHED_GRANT_SLICE, s->policy->budget(s, v), true);
	sched_enroll(s, v);
	set_successor(s, v);
}

static void settle_held(struct sched *s)
{
	struct sched_vgpu *v = s->holder;
	struct sched_grant *g = &v->grant;
	uint64_t budget = v->budget - v->turn_used;

	if (g->kind == SCHED_GRANT_DRAIN)
		return;
	if (is_sole(s, v)) {
		if (g->kind != SCHED_GRANT_OPEN) {
			g->kind = SCHED_GRANT_OPEN;
			set_successor(s, NULL);
			sched_mark_changed(s, v);
			keep_hold_time(s);
		}
		return;
	}
	if (s->armed && s->policy->too_early(s)) {
		struct sched_vgpu *armed = s->armed;

		s->armed = NULL;
		set_successor(s, NULL);
		sched_drain(s, armed);
		sched_enroll(s, armed);
	}
	if (s->slots_kept && budget > g->budget)
		budget = g->budget;	/* what was left of its slot */
	budget += s->policy->lead(s, v);
	if (g->kind == SCHED_GRANT_OPEN || g->budget != budget) {
		if (g->kind == SCHED_GRANT_OPEN) {
			v->closed = s->now;
			/* It had all there was: nothing is owed to it. */
			if (s->fixed &&
			    (int64_t)(s->now - s->slip - v->served) > 0)
				v->served = s->now - s->slip;
			s->slot_end = s->now + budget;
		}
		g->kind = SCHED_GRANT_SLICE;
		g->budget = budget;
		if (!s->slots_kept)
			g->hold = (s->fixed ? 1 : TURN_HOLD) * budget;
		sched_mark_changed(s, v);
		keep_hold_time(s);
	}
	arm(s);
}

void sched_settle(struct sched *s)
{
	bool more = s->policy;

	while (more) {
		if (!s->holder) {
			more = settle_none(s);
		} else if (s->mode == TURN_SLOT) {
			more = settle_slot(s);
		} else if (s->mode == TURN_LENT) {
			more = settle_lent(s);
		} else {
			settle_held(s);
			more = false;
		}
	}
}

/* ------------------------------------------------------------------- ends */

static void end_of_turn(struct sched *s, struct sched_vgpu *v,
			const struct sched_end *end, uint64_t charge,
			bool revoked)
{
	v->turn_used += charge;
	if (s->slots_kept && !end->more && !revoked && s->now < s->slot_end &&
	    v->turn_used < v->budget) {
		s->mode = TURN_SLOT;
		sched_enroll(s, v);
		return;
	}
	finish_turn(s);
	if (end->handed && s->armed)
		promote(s);
}

/* v's grant is no more: a gate has ended it, or its worker is gone. */
void sched_release(struct sched *s, struct sched_vgpu *v,
		   const struct sched_end *end)
{
	bool revoked = v->grant.kind == SCHED_GRANT_DRAIN;
	bool loan = v == s->borrower;
	uint64_t longest = v->grant.budget + (s->now - v->closed);
	uint64_t used = end->used, charge;

	/* A gate cannot have used more than time that went by, nor be charged
	 * for what was free: a loan but for its drain, all but a budget and
	 * what came after while nobody else wanted the GPU. */
	if (used > s->now - v->granted)
		used = s->now - v->granted;
	charge = used > end->free ? used - end->free : 0;
	if (v->grant.kind == SCHED_GRANT_OPEN) {
		charge = 0;
		v->closed = s->now;
	}
	if (loan)
		longest = revoked ? s->now - v->drain_since : 0;
	if (charge > longest)
		charge = longest;
	/* Of a policy that is no more; or more than it could ever pay. */
	if (v->forgiven || !s->policy ||
	    (loan && !s->fixed && s->policy->owes(s, v)))
		charge = 0;
	v->forgiven = false;

	if (revoked)
		s->draining--;
	v->grant.kind = SCHED_GRANT_NONE;
	v->grant.armed = v->grant.lent = false;
	v->grant.successor = SCHED_NOBODY;
	v->figures.used += used;
	v->figures.waited += end->waited;
	v->figures.charged += charge;
	v->wanting = end->more;
	v->fresh = !end->more;
	v->wants_since = s->now;
	sched_mark_changed(s, v);

	if (loan) {
		s->borrower = NULL;
		if (s->holder && s->holder != &s->absent)
			s->holder->figures.lent_time += used - charge;
		lend_account(s, v, used, charge);
		if (charge)
			s->policy->charge(s, v, charge);
	} else if (v == s->holder) {
		end_of_turn(s, v, end, charge, revoked);
	} else if (v == s->armed) {
		/* Its predecessor's end is still on the way, or it gave back
		 * what it has no use for. */
		s->armed = NULL;
		if (s->holder)
			set_successor(s, NULL);
		if (end->began) {
			v->budget = s->policy->begin(s, v);
			v->figures.turns++;
			s->policy->finish(s, v, charge);
		}
	} else if (charge) {
		/* It was armed, and woken before it knew that it is not. */
		s->policy->charge(s, v, charge);
	}
	if (v != s->holder)
		sched_enroll(s, v);
}

void sched_stop_turns(struct sched *s)
{
	s->holder = s->armed = s->borrower = NULL;
	s->mode = TURN_HELD;
	for (uint32_t i = 1; i < s->slots_count; i++) {
		struct sched_vgpu *v = s->slots[i];

		if (!v)
			continue;
		lend_dequeue(s, v);
		sched_drain(s, v);
		v->forgiven = v->grant.kind != SCHED_GRANT_NONE;
		v->round = v->overshoot = 0;
		v->served = v->served_rest = v->lent = v->lent_rest = 0;
		v->fresh = true;
		v->figures.charged = v->figures.worth = v->figures.unused = 0;
	}
	heap_clear(&s->order);
	heap_clear(&s->borrowers);
	s->absent.round = s->absent.overshoot = 0;
	s->round = s->served = s->slip = s->lent = 0;
}
