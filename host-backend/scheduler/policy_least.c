// SPDX-License-Identifier: MIT
/*
 * Least served first. What a vGPU was served is divided by its weight or its
 * share, so that equal numbers are what fairness is; whoever has the least is
 * next. Under fixed shares the numbers are times: a vGPU that was served its
 * share up to 10:00 is not served before it is 10:00, whoever is idle.
 */
#include "internal.h"

uint64_t sched_scale(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t product;

	if (!__builtin_mul_overflow(a, b, &product))
		return product / c;
	return (uint64_t)((unsigned __int128)a * b / c);
}

/* Adds ns * numerator / denominator, and keeps what the division leaves. */
void sched_serve(uint64_t *served, uint64_t *rest, uint64_t ns,
		 uint64_t numerator, uint64_t denominator)
{
	unsigned __int128 sum = (unsigned __int128)ns * numerator + *rest;

	if (sum <= UINT64_MAX) {
		*served += (uint64_t)sum / denominator;
		*rest = (uint64_t)sum % denominator;
	} else {
		*served += (uint64_t)(sum / denominator);
		*rest = (uint64_t)(sum % denominator);
	}
}

/* Equal share: a slice at the default weight, more or less at others. Fixed
 * share: a mean turn is a slice, so a round is as many as there are turns. */
uint64_t sched_quantum(const struct sched *s, const struct sched_vgpu *v)
{
	uint64_t quantum = v->quantum;

	if (!s->fixed)
		quantum = s->slice * v->params.weight / SCHED_WEIGHT_DEFAULT;
	return quantum ? quantum : 1;
}

/* The clock of fixed shares. */
static uint64_t clock_now(struct sched *s, uint64_t now, uint64_t least)
{
	int64_t lag = (int64_t)(now - s->slip - least);

	if (lag > (int64_t)CLOCK_LAG_MAX)
		s->slip += (uint64_t)lag - CLOCK_LAG_MAX;
	return now - s->slip;
}

static struct sched_vgpu *least_next(struct sched *s, uint64_t now,
				     uint64_t *ret_when)
{
	const struct heap_item *top = heap_top(&s->order);

	*ret_when = SCHED_NEVER;
	if (!top)
		return NULL;
	if (s->fixed && (int64_t)(clock_now(s, now, top->key) - top->key) < 0) {
		*ret_when = top->key + s->slip;
		return NULL;
	}
	return s->slots[top->slot];
}

/* Nothing is saved up by being idle: whoever comes has at least what the one
 * had who is worst off now. */
static void least_enter(struct sched *s, struct sched_vgpu *v, uint64_t now)
{
	const struct heap_item *top = heap_top(&s->order);
	uint64_t floor = s->served;

	if (s->fixed) {
		floor = now - s->slip;
		if (top && (int64_t)(top->key - floor) < 0)
			floor = top->key;
		if (s->holder &&
		    s->holder->grant.kind != SCHED_GRANT_OPEN &&
		    (int64_t)(s->holder->served - floor) < 0)
			floor = s->holder->served;
	}
	if (v->fresh && (int64_t)(v->served - floor) < 0) {
		v->served = floor;
		v->served_rest = 0;
	}
	v->fresh = false;
	heap_push(&s->order, v->slot, v->served);
}

static uint64_t least_budget(struct sched *s, struct sched_vgpu *v)
{
	return sched_quantum(s, v);
}

static uint64_t least_begin(struct sched *s, struct sched_vgpu *v)
{
	uint64_t quantum = sched_quantum(s, v);

	if ((int64_t)(v->served - s->served) > 0)
		s->served = v->served;
	v->figures.worth += quantum;
	return quantum;
}

static bool least_again(const struct sched *s, const struct sched_vgpu *v)
{
	(void)s, (void)v;
	return false;			/* see least_lead() */
}

static bool least_too_early(const struct sched *s)
{
	const struct heap_item *top = heap_top(&s->order);

	/* Of equal share; a slice or two are not worth it. */
	return top && !s->fixed &&
	       (int64_t)(s->armed->served - top->key - 2 * s->slice) > 0;
}

/* By how much the holder is behind the next: it would be the next again. */
static uint64_t least_lead(struct sched *s, struct sched_vgpu *v)
{
	const struct heap_item *top = heap_top(&s->order);
	int64_t lead = INT64_MAX;

	if (s->fixed)
		return 0;
	if (top)
		lead = (int64_t)(top->key - v->served);
	if (s->armed && (int64_t)(s->armed->served - v->served) < lead)
		lead = (int64_t)(s->armed->served - v->served);
	if (lead <= 0 || lead == INT64_MAX)
		return 0;
	return sched_scale((uint64_t)lead, v->params.weight,
			   SCHED_WEIGHT_DEFAULT);
}

static void least_charge(struct sched *s, struct sched_vgpu *v, uint64_t used)
{
	if (s->fixed)
		sched_serve(&v->served, &v->served_rest, used, SCHED_WHOLE,
			    v->params.share);
	else
		sched_serve(&v->served, &v->served_rest, used,
			    SCHED_WEIGHT_DEFAULT, v->params.weight);
	/* Its place in the order is by what it had. */
	if (heap_has(&s->order, v->slot)) {
		heap_remove(&s->order, v->slot);
		heap_push(&s->order, v->slot, v->served);
	}
}

static void least_finish(struct sched *s, struct sched_vgpu *v, uint64_t used)
{
	uint64_t held = s->now - (v->closed > v->begun ? v->closed : v->begun);

	if (used < v->budget)
		v->figures.unused += v->budget - used;
	/* A fixed share is time: who prepares in it, or thinks, uses it up. */
	if (s->fixed && held > used)
		used = held;
	least_charge(s, v, used);
}

static bool least_owes(const struct sched *s, const struct sched_vgpu *v)
{
	uint64_t base = s->fixed ? s->now - s->slip : s->served;
	int64_t lead = (int64_t)(v->served - base);
	uint64_t turn = s->fixed ?
		sched_scale(v->quantum, SCHED_WHOLE, v->params.share) :
		s->slice;

	return lead > 0 && (uint64_t)lead > 2 * turn;
}

/* Debts and claims stay what they are, in time of the GPU. */
static uint64_t rescaled(uint64_t served, uint64_t base, uint64_t was,
			 uint64_t is)
{
	int64_t lag = (int64_t)(served - base);

	return lag < 0 ? base - sched_scale((uint64_t)-lag, was, is) :
			 base + sched_scale((uint64_t)lag, was, is);
}

static void least_rescale(struct sched *s, struct sched_vgpu *v,
			  const struct sched_params *params)
{
	uint64_t was = s->fixed ? v->params.share : v->params.weight;
	uint64_t is = s->fixed ? params->share : params->weight;
	uint64_t base = s->fixed ? s->now - s->slip : s->served;

	if (was == is)
		return;
	v->served = rescaled(v->served, base, was, is);
	v->served_rest = 0;
}

const struct policy policy_least = {
	.next = least_next,
	.enter = least_enter,
	.budget = least_budget,
	.begin = least_begin,
	.again = least_again,
	.too_early = least_too_early,
	.lead = least_lead,
	.finish = least_finish,
	.charge = least_charge,
	.owes = least_owes,
	.rescale = least_rescale,
};
