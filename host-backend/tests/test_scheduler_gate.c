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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_revoked_grant_submits_nothing),
		cmocka_unit_test(channels_have_priorities),
		cmocka_unit_test(batches_cost_what_they_kept_the_gpu),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
