// SPDX-License-Identifier: MIT
/*
 * Who is lent the GPU while the one whose time it is has nothing in flight.
 * Under equal share those that wait take turns, a batch each. Under fixed
 * share the one that had least of its cap is next: what was lent is counted as
 * a time, as its share is, and it is lent nothing ahead of the clock.
 */
#include "internal.h"

void lend_enqueue(struct sched *s, struct sched_vgpu *v)
{
	if (v->lendable || (s->fixed && v->params.borrow <= SCHED_BORROW_MIN))
		return;
	v->lendable = true;
	if (s->fixed) {
		uint64_t least = s->now - s->slip - LENT_BEHIND_MAX;

		/* Who had less is first, but hardly anything is saved up. */
		if ((int64_t)(v->lent - least) < 0)
			v->lent = least;
		heap_push(&s->borrowers, v->slot, v->lent);
		return;
	}
	v->lend_link = (struct vgpu_link){ .previous = s->lend_last };
	if (s->lend_last)
		s->lend_last->lend_link.next = v;
	else
		s->lend_first = v;
	s->lend_last = v;
}

void lend_dequeue(struct sched *s, struct sched_vgpu *v)
{
	struct vgpu_link *link = &v->lend_link;

	if (!v->lendable)
		return;
	v->lendable = false;
	if (heap_has(&s->borrowers, v->slot)) {
		heap_remove(&s->borrowers, v->slot);
		return;
	}
	if (link->previous)
		link->previous->lend_link.next = link->next;
	else
		s->lend_first = link->next;
	if (link->next)
		link->next->lend_link.previous = link->previous;
	else
		s->lend_last = link->previous;
}

struct sched_vgpu *lend_next(struct sched *s, uint64_t *ret_when)
{
	const struct heap_item *top = heap_top(&s->borrowers);

	*ret_when = SCHED_NEVER;
	if (!s->fixed)
		return s->lend_first;
	if (!top)
		return NULL;
	if ((int64_t)(s->now - s->slip - top->key) < 0) {
		*ret_when = top->key + s->slip;
		return NULL;
	}
	return s->slots[top->slot];
}

void lend_account(struct sched *s, struct sched_vgpu *v, uint64_t used)
{
	v->figures.loans++;
	v->figures.borrowed += used;
	/* From idle owners and from nobody alike: the cap is above its share,
	 * so borrow - 100 percent of the share may be lent to it. */
	if (s->fixed && v->params.borrow > SCHED_BORROW_MIN)
		sched_serve(&v->lent, &v->lent_rest, used,
			    100ull * SCHED_WHOLE / v->params.share,
			    v->params.borrow - SCHED_BORROW_MIN);
}
