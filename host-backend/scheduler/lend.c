// SPDX-License-Identifier: MIT
/*
 * Who is lent the GPU while the one whose time it is has nothing in flight:
 * of those that want it the one that was lent least, by weight or share, so
 * that what is left over is shared as all is, and not by the costs of batches.
 * Under fixed share these numbers are times, and nothing is lent ahead of the
 * clock: that is the cap.
 */
#include "internal.h"

/* Whoever wants the GPU is in the queue, also while it has a grant. */
void lend_enqueue(struct sched *s, struct sched_vgpu *v)
{
	uint64_t least = s->lent;

	if (heap_has(&s->borrowers, v->slot) ||
	    (s->fixed && v->params.borrow <= SCHED_BORROW_MIN))
		return;
	if (s->fixed)
		least = s->now - s->slip - LENT_BEHIND_MAX;
	/* Who had less is first, but hardly anything is saved up. */
	if ((int64_t)(v->lent - least) < 0)
		v->lent = least;
	heap_push(&s->borrowers, v->slot, v->lent);
}

void lend_dequeue(struct sched *s, struct sched_vgpu *v)
{
	heap_remove(&s->borrowers, v->slot);
}

static const struct heap_item *put_off(struct sched *s, struct sched_vgpu *v)
{
	v->lent = s->now - s->slip + 1 +
		  sched_scale(v->quantum, SCHED_WHOLE, v->params.share);
	heap_remove(&s->borrowers, v->slot);
	heap_push(&s->borrowers, v->slot, v->lent);
	return heap_top(&s->borrowers);
}

struct sched_vgpu *lend_next(struct sched *s, uint64_t *ret_when)
{
	const struct heap_item *top = heap_top(&s->borrowers);

	*ret_when = SCHED_NEVER;
	/* Who owes for loans already has none for a round. */
	while (top && s->fixed && s->policy->owes(s, s->slots[top->slot]) &&
	       (int64_t)(s->now - s->slip - top->key) >= 0)
		top = put_off(s, s->slots[top->slot]);
	if (!top)
		return NULL;
	if (s->fixed && (int64_t)(s->now - s->slip - top->key) < 0) {
		*ret_when = top->key + s->slip;
		return NULL;
	}
	if ((int64_t)(top->key - s->lent) > 0)
		s->lent = top->key;
	return s->slots[top->slot];
}

void lend_account(struct sched *s, struct sched_vgpu *v, uint64_t used,
		  uint64_t charged)
{
	uint64_t lent = used - charged;

	v->figures.loans++;
	v->figures.borrowed += lent;
	/* Equal share: long batches must not get more of what is left over,
	 * though they pay for the drain too. Fixed share: the cap is above its
	 * share, so borrow - 100 percent of that may be lent to it. */
	if (!s->fixed)
		sched_serve(&v->lent, &v->lent_rest, used,
			    SCHED_WEIGHT_DEFAULT, v->params.weight);
	else if (v->params.borrow > SCHED_BORROW_MIN)
		sched_serve(&v->lent, &v->lent_rest, lent,
			    100ull * SCHED_WHOLE / v->params.share,
			    v->params.borrow - SCHED_BORROW_MIN);
	if (heap_has(&s->borrowers, v->slot)) {
		heap_remove(&s->borrowers, v->slot);
		heap_push(&s->borrowers, v->slot, v->lent);
	}
}
