// SPDX-License-Identifier: MIT
/*
 * The scheduler policy by policy, on a simulated GPU in virtual time: what is
 * shared how, what becomes of idle time, what a newcomer waits for, and what
 * happens to one that overdoes it. test_scheduler_random.c holds the
 * invariants against random guests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "common/util.h"
#include "support_simulator.h"

#define PERCENT(n) ((n) * 10000u)	/* of a million */

static const struct sim_guest flood_1ms = {
	.depth = 8, .cost_min = MS, .cost_max = MS,
};
static const struct sim_guest flood_10ms = {
	.depth = 8, .cost_min = 10 * MS, .cost_max = 10 * MS,
};
static const struct sim_guest flood_small = {
	.depth = 64, .cost_min = 10 * US, .cost_max = 10 * US,
};
static const struct sim_guest one_frame = {
	.depth = 1, .cost_min = 500 * US, .cost_max = 500 * US,
	.think = 100 * US,
};
static const struct sim_guest silent = {
	.silent = true, .depth = 8, .cost_min = MS, .cost_max = MS,
};

static struct sched_params weight(uint32_t weight)
{
	struct sched_params p = sched_params_default();

	p.weight = weight;
	return p;
}

/* What n uses of the next ns, in millionths. */
static void measure(struct sim *sim, uint64_t ns, uint32_t *parts,
		    uint32_t count)
{
	uint64_t before[16];

	for (uint32_t i = 0; i < count; i++)
		before[i] = sim_figures(sim, i).used;
	sim_run(sim, ns);
	for (uint32_t i = 0; i < count; i++)
		parts[i] = (uint32_t)((sim_figures(sim, i).used - before[i]) *
				      1000000 / ns);
}

static void assert_part(uint32_t part, uint32_t expected, uint32_t tolerance)
{
	if (part + tolerance < expected || part > expected + tolerance)
		fail_msg("%u.%04u %% of the GPU, not %u.%04u %%", part / 10000,
			 part % 10000, expected / 10000, expected % 10000);
}

/* ------------------------------------------------------------ best effort */

static void best_effort_bounds_what_is_in_flight(void **state)
{
	struct sched_config c = config(SCHED_BEST_EFFORT, SCHED_STRICT);
	struct sched_params p = sched_params_default();
	struct sim *sim = sim_new(&c, 1);
	uint32_t parts[3];

	(void)state;
	sim_add(sim, &flood_1ms, &p);
	sim_add(sim, &flood_1ms, &p);
	sim_add(sim, &one_frame, &p);
	for (int i = 0; i < 1000; i++) {
		sim_run(sim, 100 * US);
		for (uint32_t n = 0; n < 3; n++)
			assert_in_range(sim_gate(sim, n)->flight_count, 0, 2);
	}
	assert_int_equal(sim_idle_ready(sim), 0);
	measure(sim, SEC, parts, 3);
	assert_part(parts[0], parts[1], PERCENT(1));
	sim_free(sim);
	/* Whole windows of small ones: the GPU must not run dry. */
	sim = sim_new(&c, 1);
	sim_add(sim, &flood_small, &p);
	sim_run(sim, 100 * MS);
	assert_in_range(sim_gate(sim, 0)->flight_count, 32, 64);
	sim_free(sim);
}

/* ------------------------------------------------------------ equal share */

static void equal_share_is_equal(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		struct sched_config c = config(SCHED_EQUAL_SHARE, order);
		struct sched_params p = sched_params_default();
		struct sim *sim = sim_new(&c, 2);
		uint32_t parts[4];

		sim_add(sim, &flood_10ms, &p);
		sim_add(sim, &flood_1ms, &p);
		measure(sim, SEC, parts, 2);
		/* The first second, while the overshoot builds up. */
		assert_part(parts[0], PERCENT(50), PERCENT(4));
		measure(sim, 10 * SEC, parts, 2);
		assert_part(parts[0], PERCENT(50), PERCENT(1));
		assert_part(parts[1], PERCENT(50), PERCENT(1));
		/* Arrivals, and departures. */
		sim_add(sim, &flood_small, &p);
		sim_add(sim, &flood_10ms, &p);
		sim_run(sim, SEC);
		measure(sim, 10 * SEC, parts, 4);
		for (int i = 0; i < 4; i++)
			assert_part(parts[i], PERCENT(25), PERCENT(1));
		sim_remove(sim, 0);
		sim_run(sim, SEC);
		measure(sim, 10 * SEC, parts, 4);
		for (int i = 1; i < 4; i++)
			assert_part(parts[i], PERCENT(100) / 3, PERCENT(1));
		assert_int_equal(sim_idle_ready(sim), 0);
		sim_free(sim);
	}
}

static void weights_count(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		struct sched_config c = config(SCHED_EQUAL_SHARE, order);
		struct sched_params three = weight(300), one = weight(100);
		struct sim *sim = sim_new(&c, 3);
		uint32_t parts[3];

		sim_add(sim, &flood_1ms, &three);
		sim_add(sim, &flood_10ms, &one);
		sim_run(sim, SEC);
		measure(sim, 10 * SEC, parts, 2);
		assert_part(parts[0], PERCENT(75), PERCENT(1));
		/* Changed while they run, within a round of 4 ms and the batch
		 * that is in flight. */
		sim_set(sim, 0, &one);
		sim_set(sim, 1, &three);
		sim_run(sim, order == SCHED_STRICT ? 2 * SEC : 50 * MS);
		measure(sim, 10 * SEC, parts, 2);
		assert_part(parts[0], PERCENT(25), PERCENT(1));
		/* A tiny weight is not nothing. */
		one.weight = 1;
		sim_set(sim, 0, &one);
		sim_run(sim, 2 * SEC);
		measure(sim, 20 * SEC, parts, 2);
		assert_in_range(parts[0], 1000, PERCENT(1));
		sim_free(sim);
	}
}

/* Under equal share the time of an idle one is the others'. */
static void equal_share_passes_idle_time_on(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		struct sched_config c = config(SCHED_EQUAL_SHARE, order);
		struct sched_params p = sched_params_default();
		struct sim *sim = sim_new(&c, 4);
		uint32_t parts[3];

		sim_add(sim, &flood_1ms, &p);
		sim_add(sim, &flood_1ms, &p);
		sim_add(sim, &silent, &p);
		measure(sim, 5 * SEC, parts, 3);
		assert_part(parts[0], PERCENT(50), PERCENT(1));
		assert_int_equal(parts[2], 0);
		assert_int_equal(sim_idle_ready(sim), 0);
		assert_int_equal(sched_figures(sim_sched(sim),
					       sim_vgpu(sim, 2)).turns, 0);
		/* It comes, and saved nothing up. */
		sim_set_guest(sim, 2, &flood_1ms);
		measure(sim, SEC, parts, 3);
		for (int i = 0; i < 3; i++)
			assert_part(parts[i], PERCENT(100) / 3, PERCENT(1));
		sim_free(sim);
	}
}

static void one_frame_in_flight_keeps_its_share(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		struct sched_config c = config(SCHED_EQUAL_SHARE, order);
		struct sched_params p = sched_params_default();
		struct sim *sim = sim_new(&c, 5);
		uint32_t parts[2];

		sim_add(sim, &flood_10ms, &p);
		sim_add(sim, &one_frame, &p);
		sim_run(sim, 2 * SEC);
		measure(sim, 10 * SEC, parts, 2);
		/* As much as the other one, who is not waited for long. */
		assert_part(parts[1], parts[0], PERCENT(3));
		assert_in_range(parts[0], PERCENT(44), PERCENT(51));
		/* One that thinks for longer than a slice is not waited for:
		 * the flood gets all that it leaves, but it gets its turn. */
		sim_set_guest(sim, 1, &(struct sim_guest){
			.depth = 1, .cost_min = MS, .cost_max = MS,
			.think = 19 * MS,
		});
		sim_run(sim, 2 * SEC);
		measure(sim, 10 * SEC, parts, 2);
		assert_in_range(parts[0] + parts[1], PERCENT(99), PERCENT(101));
		assert_in_range(parts[1], PERCENT(2), PERCENT(5));
		sim_free(sim);
	}
}

/* ------------------------------------------------------------ fixed share */

static void fixed_share_is_constant(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		struct sched_config c = config(SCHED_FIXED_SHARE, order);
		struct sched_params quarter = share(4);
		struct sim *sim = sim_new(&c, 6);
		uint32_t parts[4];

		/* Alone, and it has no more for that. */
		sim_add(sim, &flood_1ms, &quarter);
		sim_run(sim, SEC);
		measure(sim, 4 * SEC, parts, 1);
		assert_part(parts[0], PERCENT(25), PERCENT(1));
		assert_int_not_equal(sched_grant(sim_vgpu(sim, 0))->kind,
				     SCHED_GRANT_OPEN);
		sim_add(sim, &flood_10ms, &quarter);
		sim_add(sim, &silent, &quarter);
		sim_run(sim, SEC);
		measure(sim, 10 * SEC, parts, 3);
		assert_part(parts[0], PERCENT(25), PERCENT(1));
		assert_part(parts[1], PERCENT(25), PERCENT(1));
		assert_int_equal(parts[2], 0);
		sim_add(sim, &flood_small, &quarter);
		sim_set_guest(sim, 2, &flood_1ms);
		sim_run(sim, 2 * SEC);
		measure(sim, 10 * SEC, parts, 4);
		for (int i = 0; i < 4; i++)
			assert_part(parts[i], PERCENT(25), PERCENT(1));
		sim_free(sim);
	}
}

static void fixed_share_in_mixed_sizes(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		struct sched_config c = config(SCHED_FIXED_SHARE, order);
		struct sched_params p[3];
		struct sim *sim = sim_new(&c, 7);
		uint32_t parts[3];

		for (int i = 0; i < 3; i++)
			p[i] = sched_params_default();
		p[0].share = sched_share_of_memory(12ull << 30, 24ull << 30);
		p[1].share = sched_share_of_memory(2ull << 30, 24ull << 30);
		p[2].share = SCHED_WHOLE / 100 * 5;	/* stated */
		for (int i = 0; i < 3; i++)
			sim_add(sim, i == 1 ? &flood_10ms : &flood_1ms, &p[i]);
		sim_run(sim, 2 * SEC);
		measure(sim, 20 * SEC, parts, 3);
		assert_part(parts[0], PERCENT(50), PERCENT(1));
		assert_part(parts[1], PERCENT(100) / 12, PERCENT(1));
		assert_part(parts[2], PERCENT(5), PERCENT(1));
		sim_free(sim);
	}
}

static void borrowing_ends_at_the_cap(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		struct sched_config c = config(SCHED_FIXED_SHARE, order);
		struct sched_params twice = share(4), none = share(4),
				    all = share(4);
		struct sim *sim = sim_new(&c, 8);
		uint32_t parts[3];

		twice.borrow = 200;
		all.borrow = 400;
		sim_add(sim, &flood_1ms, &twice);
		sim_add(sim, &flood_1ms, &none);
		sim_run(sim, SEC);
		measure(sim, 10 * SEC, parts, 2);
		assert_part(parts[0], PERCENT(50), PERCENT(2));
		assert_part(parts[1], PERCENT(25), PERCENT(1));
		/* Alone, the cap is the GPU: an open-ended grant. */
		sim_set_guest(sim, 0, &silent);
		sim_set_guest(sim, 1, &silent);
		sim_add(sim, &flood_1ms, &all);
		sim_run(sim, SEC);
		measure(sim, SEC, parts, 3);
		assert_part(parts[2], PERCENT(100), PERCENT(1));
		assert_int_equal(sched_grant(sim_vgpu(sim, 2))->kind,
				 SCHED_GRANT_OPEN);
		/* Those who want what is theirs have it. */
		sim_set_guest(sim, 0, &flood_1ms);
		sim_set_guest(sim, 1, &flood_10ms);
		sim_run(sim, SEC);
		measure(sim, 10 * SEC, parts, 3);
		assert_in_range(parts[0], PERCENT(24), PERCENT(51));
		assert_part(parts[1], PERCENT(25), PERCENT(1));
		assert_in_range(parts[2], PERCENT(24), PERCENT(51));
		assert_in_range(parts[0] + parts[1] + parts[2], PERCENT(98),
				PERCENT(101));
		sim_free(sim);
	}
}

/* ----------------------------------------------------------------- grants */

static void alone_costs_nothing(void **state)
{
	struct sched_config c = config(SCHED_EQUAL_SHARE, SCHED_STRICT);
	struct sched_params p = sched_params_default();
	struct sim *sim = sim_new(&c, 9);
	struct sched_figures f;
	uint32_t parts[1];

	(void)state;
	sim_set_latency(sim, MS, MS);
	sim_add(sim, &flood_1ms, &p);
	sim_run(sim, 10 * MS);
	measure(sim, SEC, parts, 1);
	assert_part(parts[0], PERCENT(100), 0);
	assert_in_range(sim_gate(sim, 0)->flight_count, 1, 2);
	/* Idle and back, again and again: the grant stays. */
	sim_set_guest(sim, 0, &one_frame);
	sim_run(sim, SEC);
	f = sched_figures(sim_sched(sim), sim_vgpu(sim, 0));
	assert_int_equal(f.turns, 1);
	assert_int_equal(f.waits, 1);
	sim_free(sim);
}

static void a_newcomer_waits_for_what_is_in_flight(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		struct sched_config c = config(SCHED_EQUAL_SHARE, order);
		struct sched_params p = sched_params_default();
		struct sim *sim = sim_new(&c, 10);
		uint32_t parts[2];

		sim_add(sim, &flood_10ms, &p);
		sim_add(sim, &silent, &p);
		sim_run(sim, 10 * SEC + 3 * MS);
		sim_set_guest(sim, 1, &(struct sim_guest){
			.depth = 1, .cost_min = MS, .cost_max = MS,
			.think = 100 * MS,
		});
		sim_run(sim, 50 * MS);
		assert_int_equal(sim_figures(sim, 1).batches, 1);
		assert_in_range(sim_figures(sim, 1).longest_wait, 0, 20 * MS);
		/* What it had while alone is not held against it. */
		sim_set_guest(sim, 1, &flood_10ms);
		measure(sim, SEC, parts, 2);
		assert_part(parts[0], PERCENT(50), PERCENT(4));
		sim_free(sim);
	}
}

static void a_preparing_holder_lends(void **state)
{
	/* Ten batches of decoding each in turn, as measured: 86 % of the time
	 * nothing is in flight. */
	const struct sim_guest draws = {
		.depth = 2, .cost_min = 140 * US, .cost_max = 140 * US,
		.prepare = 860 * US,
	};
	struct sched_config c = config(SCHED_EQUAL_SHARE, SCHED_LEAST_SERVED);
	struct sched_params p = sched_params_default();

	(void)state;
	for (int order = 0; order < 2; order++) {
		struct sim *sim;
		uint32_t alone[1], parts[4];
		uint64_t borrowed = 0;
		int64_t owed = 0;

		c.order = order;
		sim = sim_new(&c, 11);
		sim_add(sim, &draws, &p);
		sim_run(sim, SEC);
		measure(sim, SEC, alone, 1);
		for (int i = 0; i < 3; i++)
			sim_add(sim, &draws, &p);
		sim_run(sim, SEC);
		measure(sim, 5 * SEC, parts, 4);
		for (int i = 0; i < 4; i++)
			assert_part(parts[i], alone[0], alone[0] / 20);
		for (uint32_t i = 0; i < 4; i++) {
			struct sched_figures f = sched_figures(sim_sched(sim),
							sim_vgpu(sim, i));

			borrowed += f.borrowed;
			owed += (int64_t)f.lent_time - (int64_t)f.borrowed;
		}
		/* What one had of others' time, others lent. */
		assert_true(borrowed > 0);
		assert_int_equal(owed, 0);
		/* Fixed share without borrowing lends to nobody. */
		sim_free(sim);
		c.policy = SCHED_FIXED_SHARE;
		sim = sim_new(&c, 11);
		p = share(4);
		sim_add(sim, &draws, &p);
		sim_add(sim, &flood_1ms, &p);
		sim_run(sim, 5 * SEC);
		for (uint32_t i = 0; i < 2; i++)
			assert_int_equal(sched_figures(sim_sched(sim),
				sim_vgpu(sim, i)).borrowed, 0);
		sim_free(sim);
		c.policy = SCHED_EQUAL_SHARE;
		p = sched_params_default();
	}
}

/* One hop, of 14 us, between the last fence and the next submission, though
 * the manager is slow: 0.5 ms each way. */
static void handing_over_takes_one_hop(void **state)
{
	struct sched_config c = config(SCHED_EQUAL_SHARE, SCHED_STRICT);
	struct sched_params p = sched_params_default();
	struct sim *sim = sim_new(&c, 12);
	uint32_t parts[2];

	(void)state;
	c.slice = 2 * MS;
	sim_set_latency(sim, 500 * US, 14 * US);
	sim_add(sim, &flood_1ms, &p);
	sim_add(sim, &flood_1ms, &p);
	sim_run(sim, SEC);
	measure(sim, 10 * SEC, parts, 2);
	/* Turns of 2 or 3 ms, 14 us lost with each. */
	assert_in_range(parts[0] + parts[1], PERCENT(99), PERCENT(100));
	assert_part(parts[0], parts[1], PERCENT(1));
	sim_free(sim);
}

static void a_dead_holder_is_released(void **state)
{
	(void)state;
	for (int policy = 0; policy < 3; policy++)
		for (int order = 0; order < 2; order++) {
			struct sched_config c = config(policy, order);
			struct sched_params p = share(4);
			struct sim *sim = sim_new(&c, 13);
			uint64_t before;

			sim_add(sim, &flood_1ms, &p);
			sim_add(sim, &flood_1ms, &p);
			for (int i = 0; i < 40; i++) {
				sim_run(sim, 7 * MS + 100 * US);
				sim_kill(sim, i % 2);
			}
			before = sim_figures(sim, 0).used;
			sim_run(sim, SEC);
			assert_true(sim_figures(sim, 0).used > before +
				    200 * MS);
			sim_free(sim);
		}
}

static void old_epochs_say_nothing(void **state)
{
	struct sched_config c = config(SCHED_EQUAL_SHARE, SCHED_STRICT);
	struct sched_params p = sched_params_default();
	struct sched_end end = { .began = true };
	struct sched_vgpu *v;
	struct sched *s;

	(void)state;
	assert_int_equal(sched_new(&c, &s), 0);
	assert_int_equal(sched_add(s, &p, NULL, 0, &v), 0);
	end.epoch = sched_grant(v)->epoch;
	assert_int_equal(sched_ended(s, v, &end, 0), -ESTALE);
	sched_wants(s, v, 0);
	assert_int_equal(sched_grant(v)->kind, SCHED_GRANT_OPEN);
	assert_int_equal(sched_ended(s, v, &end, 1), -ESTALE);
	end.epoch = sched_grant(v)->epoch;
	sched_lost(s, v, 0, 2);
	assert_int_equal(sched_ended(s, v, &end, 3), -ESTALE);
	sched_wants(s, v, 4);
	assert_true(sched_grant(v)->epoch != end.epoch);
	assert_int_equal(sched_ended(s, v, &end, 5), -ESTALE);
	/* A grant is ended once. */
	end.epoch = sched_grant(v)->epoch;
	assert_int_equal(sched_ended(s, v, &end, 6), 0);
	assert_int_equal(sched_ended(s, v, &end, 7), -ESTALE);
	sched_free(s);
}

/* ------------------------------------------------------- changes, accounts */

static void policies_change_while_guests_run(void **state)
{
	struct sched_config c = config(SCHED_BEST_EFFORT, SCHED_STRICT);
	struct sched_params p = share(4);
	struct sim *sim = sim_new(&c, 14);
	uint32_t parts[3];

	(void)state;
	sim_set_latency(sim, 20 * US, 10 * US);
	sim_add(sim, &flood_10ms, &p);
	sim_add(sim, &flood_1ms, &p);
	sim_add(sim, &one_frame, &p);
	for (int i = 0; i < 24; i++) {
		int policy = i % 3, order = i / 3 % 2;

		c = config(policy, order);
		c.frequency = 63 + (uint32_t)sim_random(sim, 900);
		c.slice = MS + sim_random(sim, 29 * MS);
		c.factor = 1 + (uint32_t)sim_random(sim, 60);
		sim_configure(sim, &c);
		/* All rounds are over, and so is what was in flight. */
		sim_run(sim, 200 * MS);
		measure(sim, 2 * SEC, parts, 3);
		if (policy == SCHED_FIXED_SHARE && order == 1)
			assert_part(parts[1], PERCENT(25), PERCENT(3));
		if (policy == SCHED_EQUAL_SHARE && order == 1)
			assert_part(parts[1], parts[0], PERCENT(4));
		if (policy == SCHED_BEST_EFFORT)
			assert_part(parts[1], parts[0] / 10, PERCENT(2));
		sim_run(sim, sim_random(sim, 10 * MS));
	}
	sim_free(sim);
}

static void overshoot_is_carried_exactly(void **state)
{
	(void)state;
	for (int policy = 1; policy < 3; policy++) {
		struct sched_config c = config(policy, SCHED_STRICT);
		struct sim *sim = sim_new(&c, 15);
		struct sched_params p = share(8);

		for (uint32_t i = 0; i < 6; i++) {
			struct sim_guest g = {
				.depth = 4, .cost_min = 50 * US << i,
				.cost_max = 400 * US << i,
			};

			p.weight = 50 + 30 * i;
			sim_add(sim, &g, &p);
		}
		for (int turn = 0; turn < 200; turn++) {
			sim_run(sim, 23 * MS);
			for (uint32_t i = 0; i < 6; i++) {
				struct sched_figures f = sched_figures(
					sim_sched(sim), sim_vgpu(sim, i));

				assert_int_equal(f.charged + f.unused,
						 f.worth + f.overshoot);
			}
		}
		sim_free(sim);
	}
}

static void the_watchdog_names_and_holds_back(void **state)
{
	const struct sim_guest hangs = {
		.depth = 2, .cost_min = 30 * SEC, .cost_max = 30 * SEC,
	};
	(void)state;
	for (int policy = 0; policy < 3; policy++) {
		struct sched_config c = config(policy, SCHED_STRICT);
		struct sched_params p = share(4);
		struct sim *sim = sim_new(&c, 16);
		struct sched_figures f;
		uint64_t used;

		sim_add(sim, &flood_1ms, &p);
		sim_add(sim, &hangs, &p);
		sim_watch(sim, 100 * MS);
		sim_run(sim, 100 * MS);
		used = sim_figures(sim, 0).used;
		sim_run(sim, 2 * SEC + 150 * MS);
		f = sched_figures(sim_sched(sim), sim_vgpu(sim, 1));
		assert_int_equal(f.strikes, 1);
		assert_int_equal(f.channel_at_fault, 1);
		assert_int_equal(f.held_until, 0);
		/* The other lost the watchdog's time, and a look of it. */
		assert_true(sim_figures(sim, 0).used > used);
		/* And again: held back for longer each time. */
		sim_run(sim, 2 * SEC + 750 * MS);
		f = sched_figures(sim_sched(sim), sim_vgpu(sim, 1));
		assert_int_equal(f.strikes, 2);
		assert_int_equal(f.state, SCHED_STATE_HELD_BACK);
		assert_string_equal(sched_state_name(f.state), "held back");
		assert_true(f.held_until > sim_now(sim));
		sim_run(sim, 60 * SEC);
		f = sched_figures(sim_sched(sim), sim_vgpu(sim, 1));
		assert_in_range(f.strikes, 5, 8);
		used = sim_figures(sim, 0).used;
		sim_run(sim, 60 * SEC);
		/* So the other one goes on nearly undisturbed. */
		assert_true(sim_figures(sim, 0).used - used >
			    (policy == SCHED_FIXED_SHARE ? 13 : 54) * SEC);
		f = sched_figures(sim_sched(sim), sim_vgpu(sim, 0));
		assert_int_equal(f.strikes, 0);
		sim_free(sim);
	}
}

/* A worker that neither submits nor gives back. */
static void who_keeps_a_grant_is_found(void **state)
{
	struct sched_config c = config(SCHED_EQUAL_SHARE, SCHED_STRICT);
	struct sched_params p = sched_params_default();
	struct sched_running nothing = { .channel = SCHED_NO_CHANNEL };
	struct sched_vgpu *bad, *good, *found;
	uint64_t now = 0;
	uint32_t channel;
	struct sched *s;

	(void)state;
	assert_int_equal(sched_new(&c, &s), 0);
	assert_int_equal(sched_add(s, &p, NULL, now, &bad), 0);
	assert_int_equal(sched_add(s, &p, NULL, now, &good), 0);
	sched_wants(s, bad, now);
	sched_wants(s, good, now);
	sched_note_running(s, bad, &nothing);
	while (!(found = sched_overdue(s, now, &channel))) {
		assert_true(now < 3 * SEC);
		now += 10 * MS;
		sched_advance(s, now);
	}
	assert_ptr_equal(found, bad);
	assert_int_equal(channel, SCHED_NO_CHANNEL);
	assert_int_equal(sched_figures(s, bad).state, SCHED_STATE_DRAINING);
	sched_lost(s, bad, 0, now);
	assert_false(sched_grant(good)->armed);
	assert_int_equal(sched_grant(good)->kind, SCHED_GRANT_OPEN);
	sched_free(s);
}

static void a_thousand_have_their_turns(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		struct sched_config c = config(SCHED_EQUAL_SHARE, order);
		struct sched_params p = sched_params_default();
		struct sim *sim = sim_new(&c, 17);
		uint64_t carried = 0;
		struct sim_guest g = {
			.depth = 2, .cost_min = 500 * US, .cost_max = 2 * MS,
		};

		c.slice = MS;
		c.frequency = 960;
		sim_configure(sim, &c);
		for (int i = 0; i < 1024; i++)
			sim_add(sim, &g, &p);
		sim_run(sim, 30 * SEC);
		assert_int_equal(sim_idle_ready(sim), 0);
		for (uint32_t i = 0; i < 1024; i++)
			carried += sched_figures(sim_sched(sim),
						 sim_vgpu(sim, i)).overshoot;
		for (uint32_t i = 0; i < 1024; i++) {
			uint64_t own = sched_figures(sim_sched(sim),
						sim_vgpu(sim, i)).overshoot;
			uint64_t fair = (30 * SEC - carried) / 1024 + own;

			assert_in_range(sim_figures(sim, i).used,
					fair - 4 * MS, fair + 4 * MS);
		}
		sim_free(sim);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(best_effort_bounds_what_is_in_flight),
		cmocka_unit_test(equal_share_is_equal),
		cmocka_unit_test(weights_count),
		cmocka_unit_test(equal_share_passes_idle_time_on),
		cmocka_unit_test(one_frame_in_flight_keeps_its_share),
		cmocka_unit_test(fixed_share_is_constant),
		cmocka_unit_test(fixed_share_in_mixed_sizes),
		cmocka_unit_test(borrowing_ends_at_the_cap),
		cmocka_unit_test(alone_costs_nothing),
		cmocka_unit_test(a_newcomer_waits_for_what_is_in_flight),
		cmocka_unit_test(a_preparing_holder_lends),
		cmocka_unit_test(handing_over_takes_one_hop),
		cmocka_unit_test(a_dead_holder_is_released),
		cmocka_unit_test(old_epochs_say_nothing),
		cmocka_unit_test(policies_change_while_guests_run),
		cmocka_unit_test(overshoot_is_carried_exactly),
		cmocka_unit_test(the_watchdog_names_and_holds_back),
		cmocka_unit_test(who_keeps_a_grant_is_found),
		cmocka_unit_test(a_thousand_have_their_turns),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
