// SPDX-License-Identifier: MIT
/* One gate: grants and epochs, its channels, and what its batches cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "scheduler/gate.h"

#define MS SCHED_MS

/* A grant is revoked between the look at it and the submission. */
static void a_revoked_grant_submits_nothing(void **state)
{
	struct sched_grant grant = {
		.epoch = 1, .kind = SCHED_GRANT_SLICE, .budget = 4 * MS,
		.hold = 8 * MS, .window = MS, .successor = SCHED_NOBODY,
	};
	struct gate g;
	struct gate_message m;

	(void)state;
	gate_init(&g);
	gate_ready(&g, 0, 3, 0);
	assert_int_equal(gate_message(&g, 0).kind, GATE_WANTS);
	assert_int_equal(gate_next(&g, 0), -EAGAIN);
	gate_update(&g, &grant, 1);
	assert_int_equal(gate_next(&g, 1), 0);
	assert_true(gate_submit(&g, 0, 1));
	assert_int_equal(gate_next(&g, 2), 0);
	grant.kind = SCHED_GRANT_DRAIN;
	gate_update(&g, &grant, 2);
	assert_false(gate_submit(&g, 0, 2));
	assert_int_equal(gate_message(&g, 2).kind, GATE_NOTHING);
	assert_int_equal(gate_fenced(&g, 500), 499);
	m = gate_message(&g, 500);
	assert_int_equal(m.kind, GATE_ENDED);
	assert_int_equal(m.end.used, 499);
	assert_true(m.end.more && m.end.began);
	/* Told with the end: not told again. */
	assert_int_equal(gate_message(&g, 500).kind, GATE_NOTHING);
	/* An armed grant is used after the hand-over only, of its epoch. */
	grant = (struct sched_grant){
		.epoch = 2, .kind = SCHED_GRANT_SLICE, .armed = true,
		.budget = MS, .hold = 8 * MS, .window = MS,
	};
	gate_update(&g, &grant, 600);
	assert_int_equal(gate_next(&g, 600), -EAGAIN);
	assert_false(gate_go(&g, 1, 600));
	assert_true(gate_go(&g, 2, 600));
	assert_false(gate_go(&g, 2, 601));
	assert_int_equal(gate_next(&g, 601), 0);
}

static void channels_have_priorities(void **state)
{
	struct sched_grant grant = {
		.epoch = 1, .kind = SCHED_GRANT_OPEN, .budget = MS,
		.hold = MS, .window = MS, .successor = SCHED_NOBODY,
	};
	uint64_t now = 0, used[3];
	struct gate g;

	(void)state;
	gate_init(&g);
	gate_set_priority(&g, 2, 1);
	gate_update(&g, &grant, now);
	/* 0 and 1 share by time, their batches being 3 : 1. */
	for (uint32_t i = 0; i < 3; i++)
		gate_ready(&g, i, 1000, now);
	for (int i = 0; i < 800; i++) {
		int channel = gate_next(&g, now);

		assert_in_range(channel, 0, 1);
		assert_true(gate_submit(&g, (uint32_t)channel, now));
		now += channel ? 1 * MS : 3 * MS;
		gate_fenced(&g, now);
	}
	for (int i = 0; i < 3; i++)
		used[i] = g.channels[i].used;
	assert_in_range(used[0], used[1] - 4 * MS, used[1] + 4 * MS);
	assert_int_equal(used[2], 0);
	/* The lower one has what they leave. */
	gate_dropped(&g, 0, now);
	gate_dropped(&g, 1, now);
	assert_int_equal(gate_next(&g, now), 2);
	gate_ready(&g, 1, 1, now);
	assert_int_equal(gate_next(&g, now), 1);
}

/* From the later of its submission and the fence before to its own. */
static void batches_cost_what_they_kept_the_gpu(void **state)
{
	struct sched_grant grant = {
		.epoch = 1, .kind = SCHED_GRANT_OPEN, .budget = MS,
		.hold = MS, .window = MS, .successor = SCHED_NOBODY,
	};
	struct sched_running running;
	struct gate g;

	(void)state;
	gate_init(&g);
	gate_update(&g, &grant, 0);
	gate_ready(&g, 4, 2, 0);
	assert_false(gate_running(&g).in_flight);
	assert_true(gate_submit(&g, 4, 100));
	assert_true(gate_submit(&g, 4, 200));
	running = gate_running(&g);
	assert_true(running.in_flight);
	assert_int_equal(running.channel, 4);
	assert_int_equal(running.since, 100);
	assert_int_equal(gate_fenced(&g, 1100), 1000);
	assert_int_equal(gate_running(&g).since, 1100);
	assert_int_equal(gate_fenced(&g, 1500), 400);
	gate_ready(&g, 4, 1, 5000);
	assert_true(gate_submit(&g, 4, 5000));
	assert_int_equal(gate_fenced(&g, 5010), 10);
	assert_int_equal(g.channels[4].used, 1410);
	assert_int_equal(g.used_total, 1410);
	assert_int_equal(gate_fenced(&g, 6000), 0);
}

/* Another look at how many wait: more, fewer, none. */
static void what_is_ready_can_be_counted_anew(void **state)
{
	struct gate g;

	(void)state;
	gate_init(&g);
	gate_set_ready(&g, 2, 3, 0);
	assert_int_equal(gate_message(&g, 0).kind, GATE_WANTS);
	gate_set_ready(&g, 1, 1, 1);
	gate_set_ready(&g, 2, 1, 1);
	assert_int_equal(g.ready, 2);
	assert_int_equal(gate_message(&g, 1).kind, GATE_NOTHING);
	gate_set_ready(&g, 2, 0, 2);
	gate_set_ready(&g, 1, 0, 2);
	assert_int_equal(g.ready, 0);
	assert_int_equal(gate_message(&g, 2).kind, GATE_IDLES);
}

/* A scheduler that starts among gates that hold an earlier one's grants. */
static void what_was_granted_before_ends_first(void **state)
{
	const struct sched_config config = {
		.policy = SCHED_EQUAL_SHARE, .slice = 2 * MS, .frequency = 480,
		.factor = SCHED_FACTOR_DEFAULT,
	};
	struct sched_params params = sched_params_default();
	struct sched_grant old = {
		.epoch = 70, .kind = SCHED_GRANT_OPEN, .window = 2 * MS,
		.successor = SCHED_NOBODY,
	};
	struct sched_vgpu *holder, *other, *gone;
	struct gate_message m;
	struct sched *s;
	struct gate g;

	(void)state;
	gate_init(&g);
	gate_update(&g, &old, 0);
	gate_ready(&g, 0, 2, 0);
	assert_true(gate_submit(&g, 0, 0));
	assert_int_equal(sched_new(&config, &s), 0);
	assert_int_equal(sched_add(s, &params, NULL, 1, &holder), 0);
	assert_int_equal(sched_add(s, &params, NULL, 1, &other), 0);
	assert_int_equal(sched_add(s, &params, NULL, 1, &gone), 0);
	sched_adopt(s, holder, 70, true, 1);
	sched_adopt(s, other, 9, false, 1);
	sched_adopt(s, gone, 3, true, 1);
	sched_wants(s, other, 2);
	assert_int_equal(sched_grant(other)->kind, SCHED_GRANT_NONE);
	assert_int_equal(sched_grant(other)->epoch, 9);
	gate_update(&g, sched_grant(holder), 2);
	assert_int_equal(gate_next(&g, 2), -EAGAIN);
	assert_int_equal(gate_message(&g, 2).kind, GATE_NOTHING);
	gate_fenced(&g, 5 * MS);
	m = gate_message(&g, 5 * MS);
	assert_int_equal(m.kind, GATE_ENDED);
	assert_int_equal(m.end.epoch, 70);
	assert_int_equal(sched_ended(s, holder, &m.end, 5 * MS), 0);
	assert_int_equal(sched_grant(other)->kind, SCHED_GRANT_NONE);
	/* The last of them is dead, as turns out. */
	sched_lost(s, gone, 0, 6 * MS);
	assert_int_not_equal(sched_grant(other)->kind, SCHED_GRANT_NONE);
	/* Nobody was charged, and epochs go on. */
	assert_int_equal(sched_figures(s, holder).charged, 0);
	assert_true(sched_grant(holder)->epoch >= 70);
	sched_free(s);
}

/* Leaving and coming back is no way out. */
static void strikes_are_remembered(void **state)
{
	const struct sched_config config = sched_config_default(1);
	struct sched_params params = sched_params_default();
	struct sched_running running = { true, 3, 0 };
	struct sched_past past = { 0 };
	uint64_t now = SCHED_SECOND;
	struct sched_vgpu *v;
	struct sched *s;
	uint32_t channel;

	(void)state;
	assert_int_equal(sched_new(&config, &s), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sched_add(s, &params, NULL, now, &v), 0);
		sched_recall(s, v, &past, now);
		sched_wants(s, v, now);
		running.since = now;
		sched_note_running(s, v, &running);
		now += 3 * SCHED_SECOND;
		assert_ptr_equal(sched_overdue(s, now, &channel), v);
		past = sched_past(v);
		sched_remove(s, v, now);
	}
	assert_int_equal(past.strikes, 2);
	assert_int_equal(past.channel_at_fault, 3);
	assert_int_equal(sched_add(s, &params, NULL, now, &v), 0);
	sched_recall(s, v, &past, now);
	sched_wants(s, v, now);
	assert_int_equal(sched_grant(v)->kind, SCHED_GRANT_NONE);
	assert_int_equal(sched_figures(s, v).state, SCHED_STATE_HELD_BACK);
	now += SCHED_SECOND;
	sched_advance(s, now);
	assert_int_equal(sched_grant(v)->kind, SCHED_GRANT_OPEN);
	sched_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_revoked_grant_submits_nothing),
		cmocka_unit_test(channels_have_priorities),
		cmocka_unit_test(batches_cost_what_they_kept_the_gpu),
		cmocka_unit_test(what_is_ready_can_be_counted_anew),
		cmocka_unit_test(what_was_granted_before_ends_first),
		cmocka_unit_test(strikes_are_remembered),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
