// SPDX-License-Identifier: MIT
/*
 * The pacer: a guest that always has its next frame ready gets exactly the
 * limited rate in intervals that differ by at most one vblank, a late one makes
 * nothing up, and no two flips are shown at one vblank.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "common/util.h"
#include "scheduler/pacer.h"

#define SEC 1000000000ull

static const uint32_t refreshes[] = {
	23976, 50000, 59940, 60000, 75000, 119880, 144000, 240000, 999999,
};
static const uint32_t limits[] = {
	0, 1000, 24000, 29970, 45000, 59940, 60000, 61000, 120000, 1000000,
};

static uint64_t vblank_of(const struct pacer *p, uint64_t at)
{
	uint64_t n = (uint64_t)((unsigned __int128)(at - p->base + 1000) *
				p->refresh / 1000000000000ull);

	assert_int_equal(pacer_vblank(p, n), at);
	return n;
}

static void intervals_differ_by_one_vblank(void **state)
{
	(void)state;
	for (size_t r = 0; r < ARRAY_SIZE(refreshes); r++)
		for (size_t l = 0; l < ARRAY_SIZE(limits); l++) {
			uint32_t rate = pacer_advertised(refreshes[r],
							 limits[l]);
			uint64_t now = 5 * SEC + 123, low = UINT64_MAX,
				 high = 0, first = 0, last = 0;
			struct pacer p;

			assert_int_equal(pacer_init(&p, refreshes[r], SEC), 0);
			assert_int_equal(pacer_set_limit(&p, limits[l]), 0);
			for (int i = 0; i < 2000; i++) {
				uint64_t at = pacer_flip(&p, now);
				uint64_t n = vblank_of(&p, at);

				assert_true(at > now);
				if (i) {
					if (n - last < low)
						low = n - last;
					if (n - last > high)
						high = n - last;
				} else {
					first = n;
				}
				last = n;
				now = at;	/* the next is ready at once */
			}
			assert_true(low >= 1);
			assert_true(high - low <= 1);
			/* 1999 intervals of the limited rate, to a vblank. */
			assert_in_range((last - first) * rate,
					1999ull * refreshes[r] - rate,
					1999ull * refreshes[r] + rate);
		}
}

static void a_late_guest_makes_nothing_up(void **state)
{
	uint64_t now = SEC, last = 0, shown[256];
	uint32_t seed = 1;
	struct pacer p;

	(void)state;
	assert_int_equal(pacer_init(&p, 60000, 0), 0);
	assert_int_equal(pacer_set_limit(&p, 45000), 0);
	for (int i = 0; i < 20000; i++) {
		uint64_t at = pacer_flip(&p, now), n = vblank_of(&p, at);

		assert_true(at > now && n > last);
		last = n;
		shown[i % 256] = n;
		/* No 10 flips within less than 9 periods of the limit, but for
		 * the vblank that they are rounded to. */
		if (i >= 10)
			assert_true(n - shown[(i - 9) % 256] >= 11);
		seed = seed * 1664525u + 1013904223u;
		now = at + (seed >> 24 > 200 ? (seed >> 8) % 50000000 : 0);
	}
}

static void limits_change_while_it_runs(void **state)
{
	struct pacer p;
	uint64_t at, next;

	(void)state;
	assert_int_equal(pacer_init(&p, 60000, 0), 0);
	at = pacer_flip(&p, 100);
	next = pacer_flip(&p, at);
	assert_int_equal(vblank_of(&p, next) - vblank_of(&p, at), 1);
	assert_int_equal(pacer_set_limit(&p, 20000), 0);
	at = pacer_flip(&p, next);
	next = pacer_flip(&p, at);
	assert_int_equal(vblank_of(&p, next) - vblank_of(&p, at), 3);
	assert_int_equal(pacer_set_limit(&p, 0), 0);
	at = pacer_flip(&p, next);
	next = pacer_flip(&p, at);
	assert_int_equal(vblank_of(&p, next) - vblank_of(&p, at), 1);
	/* Another mode, whose vblanks begin later. */
	assert_int_equal(pacer_set_refresh(&p, 120000, next + 1000), 0);
	assert_int_equal(pacer_flip(&p, next), next + 1000);
	assert_int_equal(pacer_next_vblank(&p, next + 1000),
			 pacer_vblank(&p, 1));
}

/* Where the vblanks are found to be, there they are, and what is booked with
 * them. */
static void vblanks_are_aligned(void **state)
{
	struct pacer p;
	uint64_t at, period;

	(void)state;
	assert_int_equal(pacer_init(&p, 60000, SEC), 0);
	assert_int_equal(pacer_set_limit(&p, 20000), 0);
	period = pacer_period(&p);
	assert_int_equal(period, 16666666);
	at = pacer_flip(&p, 2 * SEC);
	for (int i = 1; i <= 100; i++) {
		uint64_t moved = at + (i % 2 ? 5000000 : -5000000), next;

		pacer_align(&p, moved + (uint64_t)i * 7 * SEC / 60);
		assert_in_range(pacer_next_vblank(&p, moved - 1000),
				moved - 200, moved + 200);
		next = pacer_flip(&p, moved);
		assert_in_range(next, moved + 3 * period - 1000,
				moved + 3 * period + 1000);
		at = next;
	}
	/* Also to before it all began. */
	assert_int_equal(pacer_init(&p, 60000, SEC), 0);
	pacer_align(&p, 1000);
	assert_int_equal(pacer_vblank(&p, 0), 1000);
}

static void wrong_rates_are_refused(void **state)
{
	struct pacer p;

	(void)state;
	assert_int_equal(pacer_init(&p, 0, 0), -EINVAL);
	assert_int_equal(pacer_init(&p, PACER_RATE_MAX + 1, 0), -EINVAL);
	assert_int_equal(pacer_init(&p, 60000, 0), 0);
	assert_int_equal(pacer_set_limit(&p, PACER_RATE_MAX + 1), -EINVAL);
	assert_int_equal(pacer_advertised(60000, 45000), 45000);
	assert_int_equal(pacer_advertised(60000, 0), 60000);
	assert_int_equal(pacer_advertised(60000, 75000), 60000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(intervals_differ_by_one_vblank),
		cmocka_unit_test(a_late_guest_makes_nothing_up),
		cmocka_unit_test(limits_change_while_it_runs),
		cmocka_unit_test(vblanks_are_aligned),
		cmocka_unit_test(wrong_rates_are_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
