// SPDX-License-Identifier: MIT
/* One vGPU's gate to the GPU; see gate.h. */
#include "gate.h"

#include <string.h>

#include "common/util.h"

/* A guest is waited for if it comes soon compared to its slice; the mean and
 * four deviations are long enough for nearly all, as for TCP's timer. */
#define WAIT_MARGIN		4
#define WAIT_PART		2	/* of a slice one wait, of what was used all */
#define THINK_MAX		(100 * SCHED_MS)

void gate_init(struct gate *g)
{
	*g = (struct gate){
		.grant.successor = SCHED_NOBODY,
		.wait_until = SCHED_NEVER,
		.think = THINK_MAX,	/* not waited for until it is known */
	};
}

/* ----------------------------------------------------- waiting for a batch */

static void learn_think(struct gate *g, uint64_t sample)
{
	uint64_t error;

	if (sample > THINK_MAX)
		sample = THINK_MAX;
	error = sample > g->think ? sample - g->think : g->think - sample;
	g->think_deviation = g->think_deviation - g->think_deviation / 4 +
			     error / 4;
	g->think = g->think - g->think / 8 + sample / 8;
	/* The first sample after a long pause is not the mean. */
	if (error > g->think && sample < g->think) {
		g->think = sample;
		g->think_deviation = sample / 2;
	}
}

/* How long it is worth to wait; 0: not at all. */
static uint64_t wait_time(const struct gate *g)
{
	uint64_t most = g->used / WAIT_PART;
	uint64_t once = g->grant.window / WAIT_PART;
	uint64_t wait = g->think + WAIT_MARGIN * g->think_deviation;

	/* At most a third of the GPU's time is spent so. */
	most = g->waited < most ? most - g->waited : 0;
	if (most > once)
		most = once;
	if (g->think > most)
		return 0;
	return wait < most ? wait : most;
}

static uint64_t wait_began(const struct gate *g)
{
	return g->idle_since > g->held_from ? g->idle_since : g->held_from;
}

static void note_idle(struct gate *g, uint64_t now)
{
	bool idle = !g->ready && !g->flight_count;

	if (idle == g->idle)
		return;
	g->idle = idle;
	if (idle) {
		g->idle_since = now;
		return;
	}
	learn_think(g, now - g->idle_since);
	if (g->wait_until != SCHED_NEVER) {
		g->waited += now - wait_began(g);
		g->wait_until = SCHED_NEVER;
	}
}

/* ---------------------------------------------------------------- messages */

static void tell(struct gate *g, enum gate_kind kind)
{
	g->message.kind = kind;
	g->message.successor = SCHED_NOBODY;
}

static void end_grant(struct gate *g, bool hand_over)
{
	/* An idle end of a slot leaves it the slot; one that yielded may have
	 * lent to its successor meanwhile. */
	if ((g->grant.slot && !g->ready) || g->yielded || !g->begun)
		hand_over = false;
	g->message = (struct gate_message){
		.kind = GATE_ENDED,
		.end = {
			.epoch = g->grant.epoch,
			.began = g->begun,
			.more = g->ready,
			.used = g->used,
			.free = g->free,
			.waited = g->waited,
		},
		.successor = hand_over ? g->grant.successor : SCHED_NOBODY,
		.successor_epoch = g->grant.successor_epoch,
	};
	g->grant.kind = SCHED_GRANT_NONE;
	g->begun = g->yielded = false;
	g->told_wants = g->ready;
	g->wait_until = SCHED_NEVER;
}

static bool is_over(const struct gate *g, uint64_t now)
{
	const struct sched_grant *grant = &g->grant;

	switch (grant->kind) {
	case SCHED_GRANT_DRAIN:
		return true;
	case SCHED_GRANT_LOAN:
		return !g->ready || g->used >= grant->budget ||
		       (grant->single && g->submitted);
	case SCHED_GRANT_SLICE:
		return g->used - g->free >= grant->budget ||
		       now - g->held_from >= grant->hold;
	default:
		return false;
	}
}

static void step_without(struct gate *g)
{
	if (g->ready && !g->told_wants) {
		g->told_wants = true;
		tell(g, GATE_WANTS);
	} else if (!g->ready && g->told_wants) {
		g->told_wants = false;
		tell(g, GATE_IDLES);
	}
}

/* The holder of a slice has nothing in flight. */
static void step_slice(struct gate *g, uint64_t now)
{
	if (g->yielded) {
		if (g->ready && !g->told_wants) {
			g->told_wants = true;
			tell(g, GATE_WANTS);
		} else if (!g->ready && !g->preparing) {
			end_grant(g, true);	/* it was dropped */
		}
		return;
	}
	if (g->ready)
		return;
	if (g->preparing) {
		g->wait_until = SCHED_NEVER;
		if (!g->grant.lends)
			return;
		g->yielded = true;
		g->told_wants = false;
		tell(g, GATE_YIELDS);
		g->message.end.epoch = g->grant.epoch;
		return;
	}
	if (g->wait_until == SCHED_NEVER)
		g->wait_until = g->idle_since + wait_time(g);
	if (now >= g->wait_until) {
		g->waited += now - wait_began(g);
		end_grant(g, true);
	}
}

void gate_step(struct gate *g, uint64_t now)
{
	note_idle(g, now);
	if (g->message.kind != GATE_NOTHING)
		return;
	if (g->grant.kind == SCHED_GRANT_NONE) {
		step_without(g);
		return;
	}
	if (!g->begun) {
		/* No use for what was armed, or it was revoked. */
		if (!g->ready || g->grant.kind == SCHED_GRANT_DRAIN)
			end_grant(g, false);
		return;
	}
	if (g->flight_count)
		return;
	if (is_over(g, now))
		end_grant(g, g->grant.kind == SCHED_GRANT_SLICE);
	else if (g->grant.kind == SCHED_GRANT_SLICE)
		step_slice(g, now);
}

struct gate_message gate_message(struct gate *g, uint64_t now)
{
	struct gate_message message;

	gate_step(g, now);
	message = g->message;
	g->message.kind = GATE_NOTHING;
	return message;
}

uint64_t gate_deadline(const struct gate *g)
{
	uint64_t at = SCHED_NEVER;

	if (g->message.kind != GATE_NOTHING)
		return 0;
	if (g->grant.kind != SCHED_GRANT_SLICE || !g->begun || g->flight_count)
		return at;
	at = g->held_from + g->grant.hold;
	return g->wait_until < at ? g->wait_until : at;
}

/* ----------------------------------------------------------------- batches */

void gate_set_priority(struct gate *g, uint32_t channel, uint8_t priority)
{
	g->channels[channel].priority = priority;
}

void gate_ready(struct gate *g, uint32_t channel, uint32_t count,
		uint64_t now)
{
	struct gate_channel *c = &g->channels[channel];

	/* One that was idle starts even with those that were not. */
	if (!c->ready && !c->in_flight) {
		uint64_t least = UINT64_MAX;

		for (uint32_t i = 0; i < GATE_CHANNELS; i++) {
			const struct gate_channel *other = &g->channels[i];

			if ((other->ready || other->in_flight) &&
			    other->served < least)
				least = other->served;
		}
		if (least != UINT64_MAX && c->served < least)
			c->served = least;
	}
	c->ready += count;
	g->ready += count;
	gate_step(g, now);
}

void gate_set_ready(struct gate *g, uint32_t channel, uint32_t count,
		    uint64_t now)
{
	struct gate_channel *c = &g->channels[channel];

	if (count > c->ready) {
		gate_ready(g, channel, count - c->ready, now);
		return;
	}
	g->ready -= c->ready - count;
	c->ready = count;
	gate_step(g, now);
}

void gate_dropped(struct gate *g, uint32_t channel, uint64_t now)
{
	gate_set_ready(g, channel, 0, now);
}

void gate_preparing(struct gate *g, bool preparing, uint64_t now)
{
	g->preparing = preparing;
	gate_step(g, now);
}

/* Two batches, or as many as fill the window: so a newcomer waits for no more,
 * and small ones keep the GPU busy all the same. What is left of a slice is
 * not begun with more than what it is expected to hold, and one. */
static bool has_room(const struct gate *g)
{
	const struct sched_grant *grant = &g->grant;
	uint64_t mean;

	if (!g->flight_count)
		return true;
	/* What is lent is wanted back at any moment. */
	if (grant->kind == SCHED_GRANT_LOAN)
		return false;
	if (grant->kind != SCHED_GRANT_OPEN &&
	    g->used - g->free + g->flight_cost >= grant->budget)
		return false;
	mean = g->flight_cost / g->flight_count;
	return g->flight_count < 2 ||
	       (g->flight_count < GATE_FLIGHT_MAX &&
		g->flight_cost + mean <= grant->window);
}

int gate_next(const struct gate *g, uint64_t now)
{
	int best = -EAGAIN;

	if (!g->ready || !g->begun || g->yielded ||
	    g->message.kind != GATE_NOTHING ||
	    g->grant.kind == SCHED_GRANT_NONE ||
	    g->grant.kind == SCHED_GRANT_DRAIN || !has_room(g))
		return -EAGAIN;
	if (is_over(g, now))
		return -EAGAIN;
	for (uint32_t i = 0; i < GATE_CHANNELS; i++) {
		const struct gate_channel *c = &g->channels[i];
		const struct gate_channel *b;

		if (!c->ready)
			continue;
		b = best < 0 ? NULL : &g->channels[best];
		if (!b || c->priority < b->priority ||
		    (c->priority == b->priority && c->served < b->served))
			best = (int)i;
	}
	return best;
}

bool gate_submit(struct gate *g, uint32_t channel, uint64_t now)
{
	struct gate_channel *c = &g->channels[channel];
	uint32_t at = (g->flight_first + g->flight_count) % GATE_FLIGHT_MAX;

	if (!c->ready || gate_next(g, now) < 0)
		return false;
	c->ready--;
	g->ready--;
	c->in_flight++;
	/* Unknown ones are taken for long, and go alone but for one. */
	if (!c->batches)
		c->cost = g->grant.window;
	/* Charged beforehand with what it will cost, corrected at its fence:
	 * else the channel would be the next again. */
	c->served += c->cost;
	g->flight[at] = (struct gate_flight){
		.submitted = now, .cost = c->cost, .channel = channel,
	};
	g->flight_count++;
	g->flight_cost += c->cost;
	g->submitted++;
	gate_step(g, now);
	return true;
}

static uint64_t begun_at(const struct gate *g)
{
	uint64_t submitted = g->flight[g->flight_first].submitted;

	return submitted > g->last_fence ? submitted : g->last_fence;
}

uint64_t gate_fenced(struct gate *g, uint64_t now)
{
	struct gate_flight *f = &g->flight[g->flight_first];
	struct gate_channel *c = &g->channels[f->channel];
	uint64_t since = begun_at(g);
	uint64_t took = now > since ? now - since : 0;

	if (!g->flight_count)
		return 0;
	g->flight_first = (g->flight_first + 1) % GATE_FLIGHT_MAX;
	g->flight_count--;
	g->flight_cost -= f->cost;
	g->last_fence = now;
	g->used += took;
	g->used_total += took;
	c->in_flight--;
	c->used += took;
	c->batches++;
	c->served += took - f->cost;
	/* Rather too much: a batch too many would overshoot the slice. */
	c->cost = c->batches == 1 || took > c->cost ? took :
		  c->cost - (c->cost - took) / 8;
	gate_step(g, now);
	return took;
}

struct sched_running gate_running(const struct gate *g)
{
	struct sched_running running = { .channel = SCHED_NO_CHANNEL };

	if (!g->flight_count)
		return running;
	running.in_flight = true;
	running.channel = g->flight[g->flight_first].channel;
	running.since = begun_at(g);
	return running;
}

/* ------------------------------------------------------------------ grants */

/* Used under the grant, with what the running batch has had so far. */
static uint64_t used_so_far(const struct gate *g, uint64_t now)
{
	uint64_t since = g->flight_count ? begun_at(g) : now;

	return g->used + (now > since ? now - since : 0);
}

static void begin(struct gate *g, uint64_t now)
{
	if (g->begun)
		return;
	g->begun = true;
	g->held_from = now;
}

static void new_grant(struct gate *g, const struct sched_grant *grant,
		      uint64_t now)
{
	g->grant = *grant;
	g->begun = g->yielded = false;
	g->used = g->free = g->waited = 0;
	g->submitted = 0;
	g->wait_until = SCHED_NEVER;
	g->told_wants = true;
	if (!grant->armed)
		begin(g, now);
}

static void free_until_now(struct gate *g, uint64_t kept, uint64_t now)
{
	uint64_t used = used_so_far(g, now);

	if (used > kept && used - kept > g->free)
		g->free = used - kept;
}

void gate_update(struct gate *g, const struct sched_grant *grant,
		 uint64_t now)
{
	enum sched_grant_kind was = g->grant.kind;

	if (grant->epoch != g->grant.epoch) {
		/* A message of an older grant is of no interest any more. */
		if (grant->kind == SCHED_GRANT_NONE) {
			g->grant = *grant;
			g->begun = g->yielded = g->told_wants = false;
		} else {
			new_grant(g, grant, now);
		}
		gate_step(g, now);
		return;
	}
	if (was == SCHED_GRANT_NONE)
		return;		/* ended, as the scheduler will learn */
	if (was == SCHED_GRANT_OPEN && grant->kind == SCHED_GRANT_SLICE) {
		free_until_now(g, grant->budget, now);
		g->held_from = now;
	} else if (was == SCHED_GRANT_OPEN || was == SCHED_GRANT_LOAN) {
		if (grant->kind == SCHED_GRANT_DRAIN)
			free_until_now(g, 0, now);
	}
	if (g->yielded && !grant->lent && grant->resumes != g->grant.resumes)
		g->yielded = false;
	g->grant = *grant;
	if (grant->kind == SCHED_GRANT_NONE)
		g->begun = false;
	else if (!grant->armed)
		begin(g, now);
	if (was != grant->kind)
		g->wait_until = SCHED_NEVER;
	gate_step(g, now);
}

bool gate_go(struct gate *g, uint32_t epoch, uint64_t now)
{
	if (g->grant.epoch != epoch || g->grant.kind == SCHED_GRANT_NONE ||
	    g->grant.kind == SCHED_GRANT_DRAIN || !g->grant.armed)
		return false;
	g->grant.armed = false;
	begin(g, now);
	gate_step(g, now);
	return true;
}
