// SPDX-License-Identifier: MIT
/*
 * Strict round-robin. A vGPU has one turn a round; what it overshoots is
 * carried, and each later turn is shortened by carried / factor, which leaves
 * the carried sum. A turn that would be shortened to nothing is passed, and
 * pays its whole worth: the rounds that a vGPU passes are known beforehand, so
 * the order is a heap by the round of the next turn that is not passed.
 */
#include "internal.h"

static struct sched_vgpu *strict_next(struct sched *s, uint64_t now,
				      uint64_t *ret_when)
{
	const struct heap_item *top = heap_top(&s->order);

	(void)now;
	/* With nobody at work the rounds stand still. */
	if (!top || !s->active) {
		*ret_when = SCHED_NEVER;
		return NULL;
	}
	return s->slots[top->slot];
}

static void pass_turns(struct sched *s, struct sched_vgpu *v)
{
	uint64_t quantum = sched_quantum(s, v);
	uint64_t least = quantum * s->config.factor, passed;

	if (v->overshoot < least)
		return;
	passed = (v->overshoot - least) / quantum + 1;
	v->overshoot -= passed * quantum;
	v->figures.worth += passed * quantum;
	v->round += passed;
	v->pass_quantum = quantum;
}

/* It is alone, and the rounds that it should have passed did not go by: what
 * they paid is owed again, to those who will be back in a moment. */
static void unpass_turns(struct sched *s, struct sched_vgpu *v)
{
	uint64_t early = v->round - s->round;

	if (s->active > 1 || (int64_t)early <= 1 || !v->pass_quantum)
		return;
	early = (early - 1) * v->pass_quantum;
	v->overshoot += early;
	v->figures.worth -= early;
}

static void strict_enter(struct sched *s, struct sched_vgpu *v, uint64_t now)
{
	(void)now;
	if ((int64_t)(v->round - s->round) < 0)
		v->round = s->round;
	pass_turns(s, v);
	v->fresh = false;
	heap_push(&s->order, v->slot, v->round);
}

static uint64_t strict_budget(struct sched *s, struct sched_vgpu *v)
{
	uint64_t quantum = sched_quantum(s, v);
	uint64_t pay = v->overshoot / s->config.factor;

	/* More than turns that are passed leave: it was alone just now, or
	 * its quantum has become less. */
	return pay < quantum ? quantum - pay : 1;
}

static uint64_t strict_begin(struct sched *s, struct sched_vgpu *v)
{
	uint64_t quantum = sched_quantum(s, v), budget;

	unpass_turns(s, v);
	budget = strict_budget(s, v);
	if ((int64_t)(v->round - s->round) > 0)
		s->round = v->round;
	v->overshoot -= quantum - budget;
	v->figures.worth += quantum;
	return budget;
}

/* Under fixed share the holder's next turn may be before that of one which
 * passes some; under equal share see strict_lead(). */
static bool strict_again(const struct sched *s, const struct sched_vgpu *v)
{
	return s->fixed && (int64_t)(v->round - s->round) > 1;
}

static bool strict_too_early(const struct sched *s)
{
	const struct heap_item *top = heap_top(&s->order);

	return top && (int64_t)(s->armed->round - top->key) > 1;
}

/* All others pass their next turns: the holder's until then are one, shortened
 * once. Else one that is about to come with its next batch would find the GPU
 * taken, each time, by one that owes. */
static uint64_t strict_lead(struct sched *s, struct sched_vgpu *v)
{
	const struct heap_item *top = heap_top(&s->order);
	uint64_t next = top ? top->key : s->round;
	uint64_t turns;

	if (s->armed && (!top || (int64_t)(s->armed->round - next) < 0))
		next = s->armed->round;
	turns = next - s->round - 1;
	if (s->fixed || (int64_t)turns <= 0)
		return 0;
	v->lead_quantum = sched_quantum(s, v);
	if (turns > v->lead_turns)
		v->lead_turns = turns;
	return turns * v->lead_quantum;
}

static void strict_finish(struct sched *s, struct sched_vgpu *v, uint64_t used)
{
	uint64_t budget = v->budget, turns;

	if (v->lead_turns && used > budget) {
		/* What is no whole turn is overshoot: it was cut short. */
		turns = (used - budget) / v->lead_quantum;
		if (turns > v->lead_turns)
			turns = v->lead_turns;
		budget += turns * v->lead_quantum;
		v->figures.worth += turns * v->lead_quantum;
		s->round += turns;
	}
	v->lead_turns = 0;
	if (used > budget)
		v->overshoot += used - budget;
	else
		v->figures.unused += budget - used;
	v->round = s->round + 1;
}

static void strict_charge(struct sched *s, struct sched_vgpu *v, uint64_t used)
{
	(void)s;
	v->overshoot += used;
}

static bool strict_owes(const struct sched *s, const struct sched_vgpu *v)
{
	return (int64_t)(v->round - s->round) > 1 ||
	       v->overshoot >= sched_quantum(s, v) * s->config.factor;
}

/* Turns are about to be worth something else: those that it was to pass and
 * that did not go by are owed again, and passed by their new worth. */
static void strict_rescale(struct sched *s, struct sched_vgpu *v,
			   const struct sched_params *params)
{
	uint64_t ahead = v->round - s->round;

	(void)params;
	v->lead_turns = 0;
	if (v == s->holder || (int64_t)ahead <= 1)
		return;
	v->overshoot += (ahead - 1) * v->pass_quantum;
	v->figures.worth -= (ahead - 1) * v->pass_quantum;
	v->round = s->round + 1;
}

const struct policy policy_strict = {
	.next = strict_next,
	.enter = strict_enter,
	.budget = strict_budget,
	.begin = strict_begin,
	.again = strict_again,
	.too_early = strict_too_early,
	.lead = strict_lead,
	.finish = strict_finish,
	.charge = strict_charge,
	.owes = strict_owes,
	.rescale = strict_rescale,
};
