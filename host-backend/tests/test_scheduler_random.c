// SPDX-License-Identifier: MIT
/*
 * Random guests against the invariants of docs/scheduler.md. Each seed is one
 * scenario: a policy, its numbers, guests of all kinds, with or without
 * latency. First a storm, in which guests come, go, die and change and
 * settings are turned; then calm, in which every window of max(1 s, 10 rounds)
 * is held against what each backlogged vGPU is entitled to. The simulator
 * checks exclusion and progress at every step.
 *
 * A seed that failed is run alone with PVGPU_SEED=n.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "support_simulator.h"

#define VGPUS_MAX	64u
#define WINDOW_STEPS	10u
#define STEPS		30u

struct scenario {
	uint32_t seed;
	struct sim *sim;
	struct sched_config config;
	uint32_t count;
	struct sim_guest guests[VGPUS_MAX];
	struct sched_params params[VGPUS_MAX];
	bool there[VGPUS_MAX];
	bool floods;			/* all are backlogged */
	uint64_t batch_max, slice;
	uint64_t latency;
};

struct sample {
	uint64_t busy, idle, used[VGPUS_MAX];
	int64_t carried[VGPUS_MAX];
};

static uint64_t between(struct scenario *c, uint64_t low, uint64_t high)
{
	return low + sim_random(c->sim, high - low + 1);
}

static bool chance(struct scenario *c, uint32_t percent)
{
	return sim_random(c->sim, 100) < percent;
}

static struct sched_config random_numbers(struct scenario *c)
{
	struct sched_config config = c->config;

	config.slice = between(c, MS, 30 * MS);
	config.frequency = (uint32_t)between(c, 63, 960);
	config.factor = (uint32_t)between(c, 1, 60);
	return config;
}

static struct sim_guest random_guest(struct scenario *c)
{
	uint64_t low = 10 * US << sim_random(c->sim, 7);
	struct sim_guest g = {
		.depth = (uint32_t)between(c, 3, 16),
		.cost_min = low,
		.cost_max = low << sim_random(c->sim, 4),
	};

	/* Small batches make many events: those of a long scenario are not. */
	if (g.cost_min < c->batch_max / 32)
		g.cost_min = c->batch_max / 32;
	if (g.cost_max > c->batch_max || chance(c, 30))
		g.cost_max = c->batch_max;
	if (g.cost_min > g.cost_max)
		g.cost_min = g.cost_max;
	if (c->floods || chance(c, 40))
		return g;
	switch (sim_random(c->sim, 4)) {
	case 0:				/* one frame in flight */
		g.depth = 1;
		g.think = between(c, 10 * US, 20 * MS);
		g.jitter = true;
		break;
	case 1:				/* bursts */
		g.on = between(c, MS, 300 * MS);
		g.off = between(c, MS, 300 * MS);
		g.jitter = true;
		break;
	case 2:				/* decodes for most of the time */
		g.depth = (uint32_t)between(c, 2, 4);
		g.prepare = between(c, 50 * US, 3 * MS);
		break;
	default:
		g.silent = true;
	}
	return g;
}

static struct sched_params random_params(struct scenario *c)
{
	struct sched_params p = sched_params_default();

	p.weight = chance(c, 50) ? 100 : (uint32_t)between(c, 25, 200);
	/* All together at most the GPU, in the storm too. */
	p.share = SCHED_WHOLE / VGPUS_MAX;
	if (c->count <= 8)
		p.share = (uint32_t)between(c, SCHED_WHOLE / 64,
					    SCHED_WHOLE / 8);
	p.borrow = chance(c, 50) ? 100 : (uint32_t)between(c, 100, 400);
	p.watchdog = 60 * SEC;
	return p;
}

static void add(struct scenario *c)
{
	uint32_t n = c->count;

	c->guests[n] = random_guest(c);
	c->params[n] = random_params(c);
	c->there[n] = true;
	assert_int_equal(sim_add(c->sim, &c->guests[n], &c->params[n]), n);
	c->count++;
}

static void storm(struct scenario *c)
{
	for (int i = 0; i < 60; i++) {
		uint32_t n = (uint32_t)sim_random(c->sim, c->count);
		struct sched_config config;

		switch (sim_random(c->sim, 8)) {
		case 0:
			if (c->count < VGPUS_MAX / 2 && chance(c, 30))
				add(c);
			break;
		case 1:
			if (c->there[n] && n && chance(c, 30)) {
				sim_remove(c->sim, n);
				c->there[n] = false;
			}
			break;
		case 2:
			if (c->there[n])
				sim_kill(c->sim, n);
			break;
		case 3:
			if (!c->there[n])
				break;
			c->params[n] = random_params(c);
			sim_set(c->sim, n, &c->params[n]);
			break;
		case 4:
			if (!c->there[n])
				break;
			c->guests[n] = random_guest(c);
			sim_set_guest(c->sim, n, &c->guests[n]);
			break;
		case 5:
			config = random_numbers(c);
			if (chance(c, 50))
				config.policy = (enum sched_policy)
					sim_random(c->sim, 3);
			sim_configure(c->sim, &config);
			break;
		default:
			break;
		}
		sim_run(c->sim, between(c, 0, c->batch_max + 20 * MS));
	}
	c->config = random_numbers(c);
	sim_configure(c->sim, &c->config);
	c->slice = c->config.order == SCHED_STRICT ?
		SEC / c->config.frequency : c->config.slice;
}

static void sample(struct scenario *c, struct sample *s)
{
	s->busy = sim_busy(c->sim);
	s->idle = sim_idle_ready(c->sim);
	for (uint32_t i = 0; i < c->count; i++) {
		if (!c->there[i])
			continue;
		s->used[i] = sim_figures(c->sim, i).used;
		s->carried[i] = (int64_t)sched_figures(sim_sched(c->sim),
			sim_vgpu(c->sim, i)).overshoot;
	}
}

static bool backlogged(struct scenario *c, uint32_t i)
{
	return c->there[i] && !sim_figures(c->sim, i).ever_unready;
}

/* In one window, in ns: is it within what the issue allows? */
static void check_window(struct scenario *c, const struct sample *a,
			 const struct sample *b, uint64_t window)
{
	bool fixed = c->config.policy == SCHED_FIXED_SHARE;
	bool strict = c->config.order == SCHED_STRICT;
	uint64_t weights = 0, mean = 0, there = 0;
	int64_t carried = 0;

	for (uint32_t i = 0; i < c->count; i++) {
		if (!c->there[i])
			continue;
		weights += c->params[i].weight;
		mean += c->params[i].share;
		there++;
		if (strict)
			carried += b->carried[i] - a->carried[i];
	}
	for (uint32_t i = 0; i < c->count; i++) {
		double used, part, own, all, slice, allowed;

		if (!backlogged(c, i))
			continue;
		used = (double)(b->used[i] - a->used[i]);
		part = fixed ? (double)c->params[i].share / SCHED_WHOLE :
			       (double)c->params[i].weight / (double)weights;
		slice = (double)c->slice *
			(fixed ? (double)there * c->params[i].share /
				 (double)mean :
				 c->params[i].weight / 100.0);
		/* What the averaging factor lets stand. */
		own = strict ? (double)(b->carried[i] - a->carried[i]) : 0;
		/* Equal share waits for those that think. */
		all = (double)window;
		if (!fixed)
			all -= (double)(b->idle - a->idle);
		own += (all - (double)carried) * part;
		allowed = 0.01 * (double)window + slice +
			  (double)c->batch_max;
		if (used < own - allowed)
			fail_msg("seed %u: vGPU %u had %.3f ms in %.0f ms, "
				 "is entitled to %.3f ms, -%.3f allowed",
				 c->seed, i, used / 1e6, (double)window / 1e6,
				 own / 1e6, allowed / 1e6);
		/* More is others' loss where all want all there is. */
		if ((c->floods && (!fixed || c->params[i].borrow <= 100)) &&
		    used > own + allowed)
			fail_msg("seed %u: vGPU %u had %.3f ms in %.0f ms, "
				 "is entitled to %.3f ms, +%.3f allowed",
				 c->seed, i, used / 1e6, (double)window / 1e6,
				 own / 1e6, allowed / 1e6);
	}
}

static void check_work_conservation(struct scenario *c, uint64_t idle,
				    uint64_t ns)
{
	/* Equal share waits for guests that think, a third at most; and where
	 * hand-overs take time they take it from all. */
	uint64_t allowed = c->config.policy == SCHED_BEST_EFFORT || c->floods ?
		0 : ns / 3;

	if (c->config.policy == SCHED_FIXED_SHARE || c->latency)
		return;
	if (idle > allowed)
		fail_msg("seed %u: idle for %.3f ms of %.0f with work there",
			 c->seed, (double)idle / 1e6, (double)ns / 1e6);
}

static void calm(struct scenario *c)
{
	static struct sample samples[STEPS + 1];
	uint64_t turn = c->slice > c->batch_max ? c->slice : c->batch_max;
	uint64_t window = 0, idle;

	for (uint32_t i = 0; i < c->count; i++)
		if (c->there[i])
			window += 10 * turn * (c->config.policy ==
				SCHED_EQUAL_SHARE && c->params[i].weight > 100 ?
				c->params[i].weight : 100) / 100;

	if (window < SEC)
		window = SEC;
	/* The rest of what the storm began. */
	sim_run(c->sim, window);
	sim_mark(c->sim);
	idle = sim_idle_ready(c->sim);
	for (uint32_t i = 0; i <= STEPS; i++) {
		sample(c, &samples[i]);
		if (i < STEPS)
			sim_run(c->sim, window / WINDOW_STEPS);
	}
	check_work_conservation(c, sim_idle_ready(c->sim) - idle,
				STEPS * window / WINDOW_STEPS);
	if (c->config.policy == SCHED_BEST_EFFORT)
		return;
	for (uint32_t i = 0; i + WINDOW_STEPS <= STEPS; i++)
		check_window(c, &samples[i], &samples[i + WINDOW_STEPS],
			     window);
	/* Carried over exactly: nothing of the GPU's time is lost or won. */
	for (uint32_t i = 0; i < c->count; i++) {
		struct sched_figures f;

		if (!c->there[i] || c->config.order != SCHED_STRICT)
			continue;
		f = sched_figures(sim_sched(c->sim), sim_vgpu(c->sim, i));
		assert_int_equal(f.charged + f.unused, f.worth + f.overshoot);
	}
}

static void run(uint32_t seed, bool floods, bool latency)
{
	struct scenario c = { .seed = seed, .floods = floods };
	uint64_t largest;
	uint32_t count;

	c.config = sched_config_default(8);
	c.config.policy = (enum sched_policy)(seed % 3);
	c.config.order = (enum sched_order)(seed / 3 % 2);
	c.sim = sim_new(&c.config, seed);
	for (int i = 0; i < 10; i++)
		sim_random(c.sim, 1);
	/* 80 us to 1.3 s: the longer, the fewer vGPUs and batches. */
	largest = 80 * US << sim_random(c.sim, 15);
	c.batch_max = largest;
	count = (uint32_t)between(&c, 2, largest > 100 * MS ? 5 : 16);
	if (latency) {
		c.latency = between(&c, US, 200 * US);
		sim_set_latency(c.sim, c.latency, between(&c, US, 40 * US));
	}
	for (uint32_t i = 0; i < count; i++)
		add(&c);
	storm(&c);
	calm(&c);
	sim_free(c.sim);
}

static void run_all(uint32_t from, uint32_t count, bool floods, bool latency)
{
	const char *only = getenv("PVGPU_SEED");

	for (uint32_t i = 0; i < count; i++)
		if (!only || (uint32_t)atoi(only) == from + i)
			run(from + i, floods, latency);
}

static void all_are_backlogged(void **state)
{
	(void)state;
	run_all(1000, 45, true, false);
}

static void guests_of_all_kinds(void **state)
{
	(void)state;
	run_all(2000, 45, false, false);
}

static void messages_take_time(void **state)
{
	(void)state;
	run_all(3000, 24, false, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_backlogged),
		cmocka_unit_test(guests_of_all_kinds),
		cmocka_unit_test(messages_take_time),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
