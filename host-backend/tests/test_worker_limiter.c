// SPDX-License-Identifier: MIT
/*
 * The frame-rate limiter: a guest that has the next frame ready in time gets
 * the limited rate, in intervals of its own vblanks that differ by at most one,
 * however its vblanks lie and however long messages take; and in the worker a
 * flip that is held holds nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "support_worker.h"

#define LE(v) pvgpu_cpu_to_le32(v)
#define MS 1000000ull

/* ----------------------------------------------------- in a time of its own */

struct run {
	uint32_t refresh, limit;	/* mHz */
	uint64_t phase;			/* ns, of the guest's vblanks */
	uint64_t draw;			/* ns from a vblank to its commit */
	uint64_t travel;		/* ns, at most, of a message */
};

/* A guest that shows a flip at its first vblank after the completion, and then
 * draws the next. Checks the intervals; returns how many vblanks all took. */
static uint64_t flips(const struct run *run, unsigned int count)
{
	struct head_state state = {
		.active = true, .refresh = run->refresh, .flips = true,
	};
	struct limiter l = { 0 };
	struct pacer guest;
	uint64_t sent, random = 0x1234567 + run->phase, first = 0, last = 0;
	uint64_t low = UINT64_MAX, high = 0;

	assert_int_equal(pacer_init(&guest, run->refresh,
				    1000 * MS + run->phase), 0);
	assert_int_equal(limiter_set(&l, run->limit), 0);
	sent = 1500 * MS;
	for (unsigned int i = 0; i < count; i++) {
		uint64_t arrived = sent + noise(&random) % (run->travel + 1);
		uint64_t done, shown, n;

		state.vblank = (uint32_t)(pacer_next_vblank(&guest, sent) -
					  sent);
		assert_true(limiter_limits(&l, &state));
		done = limiter_book(&l, 0, &state, arrived);
		if (done < arrived)
			done = arrived;
		done += noise(&random) % (run->travel + 1);
		shown = pacer_next_vblank(&guest, done);
		n = ((shown - guest.base) * run->refresh / 1000 + 500 * MS) /
		    (1000 * MS);
		if (i) {
			low = n - last < low ? n - last : low;
			high = n - last > high ? n - last : high;
		} else {
			first = n;
		}
		last = n;
		sent = shown + run->draw;
	}
	if (!low || high - low > 1)
		fail_msg("%u mHz limited to %u, phase %llu, draw %llu: %llu "
			 "to %llu vblanks", run->refresh, run->limit,
			 (unsigned long long)run->phase,
			 (unsigned long long)run->draw,
			 (unsigned long long)low, (unsigned long long)high);
	return last - first;
}

static void test_intervals(void **state)
{
	static const uint32_t refreshes[] = { 59940, 60000, 75000, 144000 };
	static const uint32_t limits[] = { 1000, 24000, 30000, 45000, 59000 };

	(void)state;
	for (size_t r = 0; r < ARRAY_SIZE(refreshes); r++)
		for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
			for (uint64_t part = 0; part < 10; part++) {
				uint64_t period = 1000000 * MS / refreshes[r];
				struct run run = {
					refreshes[r], limits[i],
					period * part / 10,
					(period - 2 * MS) * (9 - part) / 10,
					MS,
				};
				uint64_t took = flips(&run, 200);

				/* The rate: 199 intervals, to a vblank. */
				assert_in_range(took * limits[i],
					199ull * refreshes[r] - limits[i],
					199ull * refreshes[r] + limits[i]);
			}
}

static void test_which(void **state)
{
	struct head_state flip = {
		.active = true, .refresh = 60000, .flips = true,
	};
	struct limiter l = { 0 };

	(void)state;
	assert_false(limiter_limits(&l, &flip));
	assert_int_equal(limiter_set(&l, 60000), 0);
	assert_false(limiter_limits(&l, &flip));
	flip.refresh = 60600;
	assert_false(limiter_limits(&l, &flip));
	flip.refresh = 60601;
	assert_true(limiter_limits(&l, &flip));
	assert_int_equal(limiter_set(&l, PACER_RATE_MAX + 1), -EINVAL);
	assert_int_equal(l.limit, 60000);
	assert_int_equal(limiter_set(&l, 30000), 0);
	flip.flips = false;
	assert_false(limiter_limits(&l, &flip));
}

/* ------------------------------------------------------------ in the worker */

/* What a guest sends without waiting; the cookie of each is its number. */
static void send(struct rig *rig, void *message, uint16_t opcode,
		 uint32_t length, uint64_t cookie)
{
	*(struct pvgpu_msg *)message = (struct pvgpu_msg){
		.length = LE(length),
		.opcode = pvgpu_cpu_to_le16(opcode),
		.cookie = pvgpu_cpu_to_le32((uint32_t)cookie),
		.generation = LE(rig->client.generation),
	};
	assert_int_equal(pvgpu_client_send(&rig->client, 0, message, length),
			 0);
	pvgpu_client_flush(&rig->client, 0);
}

static void send_flip(struct rig *rig, uint32_t head, uint32_t plane,
		      uint32_t cookie)
{
	struct {
		struct pvgpu_commit commit;
		struct pvgpu_commit_head head;
		struct pvgpu_commit_plane plane;
	} q = { 0 };
	struct rig_commit c = { 0 };

	c.commit.heads = 0;
	q.plane = *commit_plane(&c, head, plane, plane ? 2 : 1,
				PVGPU_FORMAT_ARGB8888, 64, 64, 0, 0);
	q.commit.heads = LE(1u << head);
	q.commit.head_count = q.commit.plane_count = LE(1);
	q.head.head = LE(head);
	q.head.flags = LE(PVGPU_COMMIT_HEAD_ACTIVE);
	send(rig, &q, PVGPU_OP_COMMIT, sizeof(q), cookie);
}

/* The next answer's cookie, or 0: there is none. */
static uint32_t answer(struct rig *rig)
{
	struct pvgpu_completion *done = (void *)rig->reply;

	rig_pump(rig);
	if (pvgpu_client_take(&rig->client, 0, rig->reply) <= 0)
		return 0;
	assert_int_equal(done->status, 0);
	return pvgpu_le32_to_cpu(done->msg.cookie);
}

static uint32_t wait_answer(struct rig *rig)
{
	uint32_t cookie;

	while (!(cookie = answer(rig)))
		assert_int_equal(worker_turn(rig->worker, 1000), 0);
	/* A guest looks when it is told to. */
	assert_int_equal(rig->worker->interrupts_owed, 0);
	return cookie;
}

static void set_limit(struct rig *rig, uint32_t limit)
{
	struct worker_frame_limit m = {
		.header.op = WORKER_FRAME_LIMIT, .limit = limit,
	};

	assert_int_equal(worker_link_send(rig->link, &m, NULL, 0), 0);
	rig_pump(rig);
	assert_int_equal(rig->worker->limiter.limit, limit);
}

static void lit(struct rig *rig)
{
	struct rig_commit c = { 0 };

	rig_up(rig);
	rig_resource(rig, 1, 0, 640 * 480 * 4);
	rig_resource(rig, 2, 16 << 20, 64 * 64 * 4);
	commit_head(&c, 0, 640, 480);
	commit_head(&c, 1, 640, 480);
	assert_int_equal(rig_commit(rig, &c), 0);
}

/* A flip that is held holds nothing but itself. */
static void test_held(void **state)
{
	struct pvgpu_ping ping = { 0 };
	uint64_t begin;
	struct rig rig;

	(void)state;
	lit(&rig);
	set_limit(&rig, 2000);
	begin = clock_ns();
	send_flip(&rig, 0, 0, 10);
	assert_int_equal(wait_answer(&rig), 10);
	/* It is latched at once, and answered in its time. */
	send_flip(&rig, 0, 0, 11);
	assert_int_equal(answer(&rig), 0);
	assert_int_equal(rig.worker->heads.head[0].latched, 3);
	assert_int_equal(rig.worker->flips_held, 1);
	send(&rig, &ping, PVGPU_OP_PING, sizeof(ping), 12);
	assert_int_equal(answer(&rig), 12);
	for (uint32_t i = 20; i < 30; i++) {
		send_flip(&rig, 0, 1, i);
		assert_int_equal(answer(&rig), i);
	}
	send_flip(&rig, 1, 0, 13);
	assert_int_equal(wait_answer(&rig), 13);
	assert_int_equal(wait_answer(&rig), 11);
	/* Half a second after the first was due, which was at a vblank. */
	assert_true(clock_ns() - begin >= 480 * MS);
	assert_int_equal(rig.worker->flips_held, 0);
	assert_int_equal(rig.worker->deferred_count, 0);
	rig_down(&rig);
}

/* Another limit is for the next flip; none holds nothing. */
static void test_changes(void **state)
{
	struct rig rig;

	(void)state;
	lit(&rig);
	set_limit(&rig, 1000);
	send_flip(&rig, 0, 0, 10);
	assert_int_equal(wait_answer(&rig), 10);
	set_limit(&rig, 0);
	for (uint32_t i = 20; i < 40; i++) {
		send_flip(&rig, 0, 0, i);
		assert_int_equal(answer(&rig), i);
	}
	/* As fast as the head: a modeset neither. */
	set_limit(&rig, 61000);
	send_flip(&rig, 0, 0, 41);
	assert_int_equal(answer(&rig), 41);
	assert_int_equal(deferred_wait(rig.worker), UINT64_MAX);
	rig_down(&rig);
}

/* One that waits for nothing: more than can be held wait in the ring, all are
 * answered once and in their order, and what else it asks as soon as it can. */
static void test_flood(void **state)
{
	const uint32_t flips = DEFERRED_MAX + 20;
	struct pvgpu_ping ping = { 0 };
	uint32_t sent = 0, seen = 0, cookie;
	bool ponged = false, full = false;
	struct rig rig;

	(void)state;
	lit(&rig);
	set_limit(&rig, 55000);
	while (seen < flips || !ponged) {
		cookie = answer(&rig);
		if (cookie > flips)
			ponged = true;
		else if (cookie)
			assert_int_equal(cookie, ++seen);
		else if (sent < flips)
			send_flip(&rig, 0, 0, ++sent);
		else if (sent == flips)
			send(&rig, &ping, PVGPU_OP_PING, sizeof(ping), ++sent);
		else
			assert_int_equal(worker_turn(rig.worker, 1000), 0);
		full |= rig.worker->deferred_count == DEFERRED_MAX;
	}
	assert_true(full);
	assert_int_equal(rig.worker->flips_held, 0);
	assert_int_equal(rig.worker->deferred_count, 0);
	rig_down(&rig);
}

/* A guest that goes, and one that comes, find nothing of it. */
static void test_reset(void **state)
{
	struct rig rig;

	(void)state;
	lit(&rig);
	set_limit(&rig, 1000);
	for (uint32_t i = 10; i < 14; i++)
		send_flip(&rig, 0, 0, i);
	rig_pump(&rig);
	assert_in_range(rig.worker->flips_held, 3, 4);
	assert_int_equal(pvgpu_client_attach(&rig.client, &rig.hello, 1000),
			 0);
	assert_int_equal(rig.worker->flips_held, 0);
	assert_int_equal(deferred_wait(rig.worker), UINT64_MAX);
	assert_int_equal(answer(&rig), 0);
	rig_down(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_which),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_reset),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
