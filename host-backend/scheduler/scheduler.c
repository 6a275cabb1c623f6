// SPDX-License-Identifier: MIT
/* The scheduler's calls; see scheduler.h. */
#include <string.h>

#include "internal.h"

static const struct policy *policy_of(const struct sched_config *c)
{
	if (c->policy == SCHED_BEST_EFFORT)
		return NULL;
	return c->order == SCHED_STRICT ? &policy_strict : &policy_least;
}

/* What turns are worth is about to change. */
static void before_change(struct sched *s, struct sched_vgpu *changed,
			  const struct sched_params *params)
{
	for (uint32_t i = 1; s->policy && i < s->slots_count; i++) {
		struct sched_vgpu *v = s->slots[i];

		if (!v)
			continue;
		heap_remove(&s->order, i);
		lend_dequeue(s, v);
		s->policy->rescale(s, v, v == changed ? params : &v->params);
	}
}

/* And has: one round of fixed shares is as many slices as there are vGPUs, and
 * as much longer as there is time that nobody has. */
static void after_change(struct sched *s)
{
	uint64_t all = s->slice * s->count;

	heap_remove(&s->order, 0);
	s->absent.quantum = 0;
	if (s->slots_kept && s->count)
		s->absent.quantum = sched_scale(all, SCHED_WHOLE - s->shares,
						s->shares);
	if (s->absent.quantum && s->holder != &s->absent)
		s->policy->enter(s, &s->absent, s->now);
	for (uint32_t i = 1; i < s->slots_count; i++) {
		struct sched_vgpu *v = s->slots[i];

		if (!v)
			continue;
		v->quantum = s->fixed ? sched_scale(all, v->params.share,
						    s->shares) : 0;
		if (v->wanting && !s->policy &&
		    v->grant.kind == SCHED_GRANT_NONE)
			sched_give_open(s, v);
		sched_enroll(s, v);
	}
}

/* The slice of strict order is its frequency's period. */
static void take_config(struct sched *s, const struct sched_config *config)
{
	s->config = *config;
	s->policy = policy_of(config);
	s->fixed = config->policy == SCHED_FIXED_SHARE;
	s->slots_kept = s->fixed && config->order == SCHED_STRICT;
	s->slice = config->order == SCHED_STRICT ?
		SCHED_SECOND / config->frequency : config->slice;
}

int sched_new(const struct sched_config *config, struct sched **ret)
{
	cleanup_free struct sched *s = NULL;
	int r;

	if (sched_config_wrong(config))
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->slots = calloc(1, sizeof(*s->slots));
	r = s->slots ? heap_reserve(&s->order, 1) : -ENOMEM;
	if (r < 0) {
		free(s->slots);
		return r;
	}
	s->slots[0] = &s->absent;
	s->slots_count = 1;
	s->look_at = SCHED_NEVER;
	take_config(s, config);
	*ret = take_ptr(s);
	return 0;
}

void sched_free(struct sched *s)
{
	if (!s)
		return;
	for (uint32_t i = 1; i < s->slots_count; i++)
		free(s->slots[i]);
	free(s->slots);
	heap_free(&s->order);
	heap_free(&s->held_back);
	heap_free(&s->borrowers);
	free(s);
}

const struct sched_config *sched_config(const struct sched *s)
{
	return &s->config;
}

int sched_configure(struct sched *s, const struct sched_config *config,
		    uint64_t now)
{
	bool same = config->policy == s->config.policy &&
		    config->order == s->config.order;

	if (sched_config_wrong(config))
		return -EINVAL;
	if (config->policy == SCHED_FIXED_SHARE && s->shares > SCHED_WHOLE)
		return -ENOSPC;
	sched_time(s, now);
	if (same)
		before_change(s, NULL, NULL);
	else
		sched_stop_turns(s);
	take_config(s, config);
	after_change(s);
	sched_settle(s);
	return 0;
}

/* ----------------------------------------------------------------- vGPUs */

static int free_slot(struct sched *s, uint32_t *ret)
{
	uint32_t i = 1;
	struct sched_vgpu **slots;
	int r;

	if (s->count == SCHED_VGPUS_MAX)
		return -ENOSPC;
	while (i < s->slots_count && s->slots[i])
		i++;
	if (i == s->slots_count) {
		uint32_t more = i * 2;

		r = heap_reserve(&s->order, more);
		if (!r)
			r = heap_reserve(&s->held_back, more);
		if (!r)
			r = heap_reserve(&s->borrowers, more);
		if (r < 0)
			return r;
		slots = realloc(s->slots, more * sizeof(*slots));
		if (!slots)
			return -ENOMEM;
		memset(&slots[i], 0, (more - i) * sizeof(*slots));
		s->slots = slots;
		s->slots_count = more;
	}
	*ret = i;
	return 0;
}

int sched_add(struct sched *s, const struct sched_params *params, void *owner,
	      uint64_t now, struct sched_vgpu **ret)
{
	struct sched_vgpu *v;
	uint32_t slot;
	int r;

	if (sched_params_wrong(params))
		return -EINVAL;
	if (s->fixed && s->shares + params->share > SCHED_WHOLE)
		return -ENOSPC;
	sched_time(s, now);
	r = free_slot(s, &slot);
	if (r < 0)
		return r;
	v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->slot = slot;
	v->owner = owner;
	v->params = *params;
	v->grant.successor = SCHED_NOBODY;
	v->fresh = true;
	v->figures.channel_at_fault = SCHED_NO_CHANNEL;
	if (s->fixed)
		before_change(s, NULL, NULL);
	s->slots[slot] = v;
	s->count++;
	s->shares += params->share;
	if (s->fixed)
		after_change(s);
	*ret = v;
	return 0;
}

void sched_adopt(struct sched *s, struct sched_vgpu *v, uint32_t epoch,
		 bool granted, uint64_t now)
{
	sched_time(s, now);
	v->grant.epoch = epoch;
	if (!granted)
		return;
	v->grant.kind = SCHED_GRANT_SLICE;
	v->granted = v->closed = s->now;
	v->forgiven = true;
	sched_drain(s, v);
}

void sched_remove(struct sched *s, struct sched_vgpu *v, uint64_t now)
{
	struct sched_vgpu **at = &s->changed_first;

	/* Out of everything first, so that nothing is given to it again. */
	sched_lost(s, v, 0, now);
	if (s->holder == v) {
		s->holder = NULL;	/* its slot, which nobody owns now */
		s->mode = TURN_HELD;
	}
	heap_remove(&s->order, v->slot);
	heap_remove(&s->held_back, v->slot);
	while (*at && *at != v)
		at = &(*at)->next_changed;
	if (*at) {
		*at = v->next_changed;
		s->changed_last = NULL;
		for (struct sched_vgpu *c = s->changed_first; c;
		     c = c->next_changed)
			s->changed_last = c;
	}
	s->slots[v->slot] = NULL;
	if (s->fixed)
		before_change(s, NULL, NULL);
	s->count--;
	s->shares -= v->params.share;
	free(v);
	if (s->fixed)
		after_change(s);
	sched_settle(s);
}

int sched_set(struct sched *s, struct sched_vgpu *v,
	      const struct sched_params *params, uint64_t now)
{
	uint64_t shares = s->shares - v->params.share + params->share;

	if (sched_params_wrong(params))
		return -EINVAL;
	if (s->fixed && shares > SCHED_WHOLE)
		return -ENOSPC;
	sched_time(s, now);
	if (v->active)
		s->active_weight += (uint64_t)params->weight -
				    v->params.weight;
	before_change(s, v, params);
	if (params->weight != v->params.weight ||
	    params->share != v->params.share ||
	    params->borrow != v->params.borrow)
		v->lent_rest = 0;
	v->params = *params;
	s->shares = shares;
	after_change(s);
	sched_settle(s);
	return 0;
}

const struct sched_params *sched_params(const struct sched_vgpu *v)
{
	return &v->params;
}

void *sched_owner(const struct sched_vgpu *v)
{
	return v->owner;
}

uint32_t sched_id(const struct sched_vgpu *v)
{
	return v->slot;
}

/* ------------------------------------------------------------------ calls */

void sched_wants(struct sched *s, struct sched_vgpu *v, uint64_t now)
{
	sched_time(s, now);
	if (v->wanting)
		return;
	v->wanting = true;
	v->wants_since = s->now;
	if (!s->policy && v->grant.kind == SCHED_GRANT_NONE)
		sched_give_open(s, v);
	sched_enroll(s, v);
	sched_settle(s);
}

void sched_idles(struct sched *s, struct sched_vgpu *v, uint64_t now)
{
	sched_time(s, now);
	if (!v->wanting || v->grant.kind != SCHED_GRANT_NONE)
		return;
	v->wanting = false;
	v->fresh = true;
	sched_enroll(s, v);
	sched_settle(s);
}

void sched_yields(struct sched *s, struct sched_vgpu *v, uint32_t epoch,
		  uint64_t now)
{
	sched_time(s, now);
	if (v->grant.epoch != epoch)
		return;
	if (v != s->holder || s->mode != TURN_HELD ||
	    v->grant.kind != SCHED_GRANT_SLICE) {
		/* Nobody wants it any more: given back at once. */
		v->grant.resumes++;
		sched_mark_changed(s, v);
		return;
	}
	s->mode = TURN_LENT;
	v->wanting = false;
	v->grant.lent = true;
	sched_mark_changed(s, v);
	sched_enroll(s, v);
	sched_settle(s);
}

int sched_ended(struct sched *s, struct sched_vgpu *v,
		const struct sched_end *end, uint64_t now)
{
	if (end->epoch != v->grant.epoch || v->grant.kind == SCHED_GRANT_NONE)
		return -ESTALE;
	sched_time(s, now);
	sched_release(s, v, end);
	if (v->wanting && !s->policy)
		sched_give_open(s, v);
	sched_settle(s);
	return 0;
}

void sched_lost(struct sched *s, struct sched_vgpu *v, uint64_t used,
		uint64_t now)
{
	struct sched_end end = { .began = true, .used = used };

	sched_time(s, now);
	v->wanting = false;
	v->fresh = true;
	if (v->grant.kind != SCHED_GRANT_NONE) {
		end.began = !v->grant.armed;
		sched_release(s, v, &end);
	}
	v->running.in_flight = false;
	/* What the dead worker may still have said is of no epoch. */
	v->grant.epoch++;
	sched_enroll(s, v);
	sched_settle(s);
}

const struct sched_grant *sched_grant(const struct sched_vgpu *v)
{
	return &v->grant;
}

struct sched_vgpu *sched_changed(struct sched *s)
{
	struct sched_vgpu *v = s->changed_first;

	if (!v)
		return NULL;
	s->changed_first = v->next_changed;
	if (!s->changed_first)
		s->changed_last = NULL;
	v->changed = false;
	return v;
}

uint64_t sched_deadline(const struct sched *s)
{
	const struct heap_item *held = heap_top(&s->held_back);
	uint64_t at = held ? held->key : SCHED_NEVER;

	if (!s->policy)
		return at;
	if (s->holder && s->mode != TURN_SLOT && s->hold_until < at &&
	    s->holder->grant.kind != SCHED_GRANT_DRAIN)
		at = s->hold_until;
	/* What follows waits for the end of what was revoked. */
	if (s->draining)
		return at;
	if (s->holder && s->mode == TURN_SLOT && s->slot_end < at)
		at = s->slot_end;
	if ((!s->holder || s->mode != TURN_HELD) && s->look_at < at)
		at = s->look_at;
	if (s->borrower && s->loan_until < at)
		at = s->loan_until;
	return at;
}

void sched_advance(struct sched *s, uint64_t now)
{
	const struct heap_item *held;

	sched_time(s, now);
	while ((held = heap_top(&s->held_back)) && held->key <= s->now) {
		struct sched_vgpu *v = s->slots[held->slot];

		heap_remove(&s->held_back, v->slot);
		v->figures.held_until = 0;
		if (!s->policy && v->wanting &&
		    v->grant.kind == SCHED_GRANT_NONE)
			sched_give_open(s, v);
		sched_enroll(s, v);
	}
	if (s->policy && s->holder && s->mode != TURN_SLOT &&
	    s->hold_until <= s->now)
		sched_drain(s, s->holder);
	if (s->borrower && s->loan_until <= s->now)
		sched_drain(s, s->borrower);
	sched_settle(s);
}
