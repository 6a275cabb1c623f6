// SPDX-License-Identifier: MIT
/* What may be asked for, what was had, and who overdid it. */
#include <string.h>

#include "internal.h"

struct sched_config sched_config_default(uint32_t vgpus)
{
	bool few = vgpus <= 8;

	return (struct sched_config){
		.policy = SCHED_BEST_EFFORT,
		.order = SCHED_STRICT,
		.slice = few ? 2 * SCHED_MS : 1 * SCHED_MS,
		.frequency = few ? 480 : 960,
		.factor = SCHED_FACTOR_DEFAULT,
	};
}

struct sched_params sched_params_default(void)
{
	return (struct sched_params){
		.weight = SCHED_WEIGHT_DEFAULT,
		.share = 1,
		.borrow = SCHED_BORROW_MIN,
		.watchdog = SCHED_WATCHDOG_DEFAULT,
	};
}

uint32_t sched_share_of_instances(uint32_t instances)
{
	uint32_t share = instances ? SCHED_WHOLE / instances : SCHED_WHOLE;

	return share ? share : 1;
}

uint32_t sched_share_of_memory(uint64_t framebuffer, uint64_t gpu_memory)
{
	uint64_t share;

	if (framebuffer >= gpu_memory)
		return SCHED_WHOLE;
	share = sched_scale(framebuffer, SCHED_WHOLE, gpu_memory);
	return share ? (uint32_t)share : 1;
}

const char *sched_config_wrong(const struct sched_config *c)
{
	if ((unsigned int)c->policy > SCHED_FIXED_SHARE)
		return "policy: must be best effort, equal share or fixed share";
	if ((unsigned int)c->order > SCHED_LEAST_SERVED)
		return "order: must be strict or least served";
	if (c->slice < SCHED_SLICE_MIN || c->slice > SCHED_SLICE_MAX)
		return "slice: must be from 1 ms to 30 ms";
	if (c->frequency < SCHED_FREQUENCY_MIN ||
	    c->frequency > SCHED_FREQUENCY_MAX)
		return "frequency: must be from 63 Hz to 960 Hz";
	if (c->factor < SCHED_FACTOR_MIN || c->factor > SCHED_FACTOR_MAX)
		return "averaging factor: must be from 1 to 60";
	return NULL;
}

const char *sched_params_wrong(const struct sched_params *p)
{
	if (!p->weight || p->weight > SCHED_WEIGHT_MAX)
		return "weight: must be from 1 to 1000";
	if (!p->share || p->share > SCHED_WHOLE)
		return "share: must be more than nothing and at most the GPU";
	if (p->borrow < SCHED_BORROW_MIN || p->borrow > SCHED_BORROW_MAX)
		return "borrowing: must be from 100 % to 3200 % of the share";
	if (p->watchdog < SCHED_WATCHDOG_MIN ||
	    p->watchdog > SCHED_WATCHDOG_MAX)
		return "watchdog: must be from 10 ms to 60 s";
	return NULL;
}

/* --------------------------------------------------------------- watchdog */

static void hold_back(struct sched *s, struct sched_vgpu *v, uint64_t until)
{
	v->figures.held_until = until;
	heap_remove(&s->held_back, v->slot);
	heap_push(&s->held_back, v->slot, until);
	sched_enroll(s, v);
}

struct sched_past sched_past(const struct sched_vgpu *v)
{
	return (struct sched_past){
		.strikes = v->figures.strikes,
		.channel_at_fault = v->figures.channel_at_fault,
		.last_strike = v->last_strike,
		.penalty = v->penalty,
		.held_until = v->figures.held_until,
	};
}

void sched_recall(struct sched *s, struct sched_vgpu *v,
		  const struct sched_past *past, uint64_t now)
{
	if (!past->strikes)
		return;
	v->figures.strikes = past->strikes;
	v->figures.channel_at_fault = past->channel_at_fault;
	v->last_strike = past->last_strike;
	v->penalty = past->penalty;
	if (past->held_until > sched_time(s, now))
		hold_back(s, v, past->held_until);
}

static void strike(struct sched *s, struct sched_vgpu *v, uint32_t channel)
{
	bool again = v->figures.strikes &&
		     s->now - v->last_strike < SCHED_FORGIVEN + v->penalty;

	v->figures.strikes++;
	v->figures.channel_at_fault = channel;
	v->last_strike = s->now;
	if (!again) {
		v->penalty = 0;
		return;
	}
	v->penalty = v->penalty ? v->penalty * 2 : SCHED_SECOND;
	if (v->penalty > SCHED_PENALTY_MAX)
		v->penalty = SCHED_PENALTY_MAX;
	hold_back(s, v, s->now + v->penalty);
}

void sched_note_running(struct sched *s, struct sched_vgpu *v,
			const struct sched_running *running)
{
	(void)s;
	v->running = *running;
}

/* Since when it keeps the others waiting; SCHED_NEVER: it does not. */
static uint64_t overdue_since(const struct sched *s,
			      const struct sched_vgpu *v)
{
	uint64_t since = SCHED_NEVER;

	if (v->grant.kind == SCHED_GRANT_NONE)
		return SCHED_NEVER;
	if (v->running.in_flight)
		since = v->running.since;
	/* Many batches that passed for short ones, or not one. */
	if (v->grant.kind == SCHED_GRANT_DRAIN && v->drain_since < since)
		since = v->drain_since;
	if (since < s->last_strike)
		since = s->last_strike;
	return since < s->now && s->now - since > v->params.watchdog ?
		since : SCHED_NEVER;
}

struct sched_vgpu *sched_overdue(struct sched *s, uint64_t now,
				 uint32_t *ret_channel)
{
	uint64_t oldest = SCHED_NEVER;
	struct sched_vgpu *found = NULL;

	sched_time(s, now);
	for (uint32_t i = 1; i < s->slots_count; i++) {
		struct sched_vgpu *v = s->slots[i];
		uint64_t since = v ? overdue_since(s, v) : SCHED_NEVER;

		/* Of those since the last strike, the first submitted. */
		if (since == SCHED_NEVER || since > oldest ||
		    (since == oldest &&
		     v->running.since >= found->running.since))
			continue;
		oldest = since;
		found = v;
	}
	if (!found)
		return NULL;
	*ret_channel = found->running.in_flight ? found->running.channel :
						  SCHED_NO_CHANNEL;
	strike(s, found, *ret_channel);
	s->last_strike = s->now;
	return found;
}

/* ----------------------------------------------------------------- figures */

static enum sched_state state_of(const struct sched *s,
				 const struct sched_vgpu *v)
{
	if (v->grant.kind == SCHED_GRANT_DRAIN)
		return SCHED_STATE_DRAINING;
	if (heap_has(&s->held_back, v->slot))
		return SCHED_STATE_HELD_BACK;
	if (v->grant.kind == SCHED_GRANT_LOAN)
		return SCHED_STATE_BORROWING;
	if (v->grant.armed)
		return SCHED_STATE_ARMED;
	if (v->grant.lent)
		return SCHED_STATE_LENDING;
	if (v->grant.kind != SCHED_GRANT_NONE)
		return SCHED_STATE_RUNNING;
	return v->wanting ? SCHED_STATE_WAITING : SCHED_STATE_IDLE;
}

/* What turns pay that it is to pass, and that did not go by yet. */
static uint64_t ahead(const struct sched *s, const struct sched_vgpu *v)
{
	int64_t turns = (int64_t)(v->round - s->round) - 1;

	return v != s->holder && turns > 0 ?
		(uint64_t)turns * v->pass_quantum : 0;
}

struct sched_figures sched_figures(const struct sched *s,
				   const struct sched_vgpu *v)
{
	struct sched_figures f = v->figures;

	f.state = state_of(s, v);
	f.overshoot = v->overshoot + ahead(s, v);
	f.worth -= ahead(s, v);
	/* A turn counts when it is over. */
	if (v == s->holder)
		f.worth -= v->budget - v->turn_used;
	if (s->fixed)
		f.entitlement = v->params.share;
	else if (s->policy && v->active)
		f.entitlement = (uint32_t)((uint64_t)v->params.weight *
					   SCHED_WHOLE / s->active_weight);
	else if (s->policy)
		f.entitlement = (uint32_t)((uint64_t)v->params.weight *
			SCHED_WHOLE / (s->active_weight + v->params.weight));
	return f;
}

static const char *const state_names[] = {
	[SCHED_STATE_IDLE] = "idle",
	[SCHED_STATE_WAITING] = "waiting",
	[SCHED_STATE_ARMED] = "next",
	[SCHED_STATE_RUNNING] = "running",
	[SCHED_STATE_LENDING] = "lending",
	[SCHED_STATE_BORROWING] = "borrowing",
	[SCHED_STATE_DRAINING] = "draining",
	[SCHED_STATE_HELD_BACK] = "held back",
};

const char *sched_state_name(enum sched_state state)
{
	return state_names[state];
}
