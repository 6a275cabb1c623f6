// SPDX-License-Identifier: MIT
/* What may be asked of the scheduler, and what it is unless asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "support_simulator.h"

static void defaults_and_ranges(void **state)
{
	struct sched_config c = sched_config_default(8);
	struct sched_params p = sched_params_default();
	struct sched *s;

	(void)state;
	assert_int_equal(c.policy, SCHED_BEST_EFFORT);
	assert_int_equal(c.order, SCHED_STRICT);
	assert_int_equal(c.slice, 2 * MS);
	assert_int_equal(c.frequency, 480);
	assert_int_equal(c.factor, 33);
	c = sched_config_default(9);
	assert_int_equal(c.slice, MS);
	assert_int_equal(c.frequency, 960);
	assert_null(sched_config_wrong(&c));
	assert_null(sched_params_wrong(&p));

#define WRONG(what, field, value, word) do { \
	__typeof__(what) changed = (what); \
	const char *wrong; \
	changed.field = (value); \
	wrong = _Generic(&changed, \
			 struct sched_config *: sched_config_wrong, \
			 struct sched_params *: sched_params_wrong)(&changed); \
	assert_non_null(wrong); \
	assert_non_null(strstr(wrong, word)); \
} while (0)
	WRONG(c, slice, MS - 1, "1 ms to 30 ms");
	WRONG(c, slice, 30 * MS + 1, "1 ms to 30 ms");
	WRONG(c, frequency, 62, "63 Hz to 960 Hz");
	WRONG(c, frequency, 961, "63 Hz to 960 Hz");
	WRONG(c, factor, 0, "1 to 60");
	WRONG(c, factor, 61, "1 to 60");
	WRONG(c, policy, (enum sched_policy)3, "policy");
	WRONG(c, order, (enum sched_order)2, "order");
	WRONG(p, weight, 0, "1 to 1000");
	WRONG(p, weight, 1001, "1 to 1000");
	WRONG(p, share, 0, "share");
	WRONG(p, share, SCHED_WHOLE + 1, "share");
	WRONG(p, borrow, 99, "100 %");
	WRONG(p, borrow, 3201, "3200 %");
	WRONG(p, watchdog, 0, "10 ms to 60 s");
	c.factor = 0;
	assert_int_equal(sched_new(&c, &s), -EINVAL);
}

static void shares_are_computed(void **state)
{
	(void)state;
	assert_int_equal(sched_share_of_instances(4), SCHED_WHOLE / 4);
	assert_int_equal(sched_share_of_instances(0), SCHED_WHOLE);
	assert_int_equal(sched_share_of_memory(6ull << 30, 24ull << 30),
			 SCHED_WHOLE / 4);
	assert_int_equal(sched_share_of_memory(48ull << 30, 24ull << 30),
			 SCHED_WHOLE);
	assert_int_equal(sched_share_of_memory(1, UINT64_MAX), 1);
}

static void shares_are_not_more_than_the_gpu(void **state)
{
	struct sched_config c = config(SCHED_FIXED_SHARE, SCHED_STRICT);
	struct sched_params half = share(2), third = share(3);
	struct sched_vgpu *a, *b, *more;
	struct sched *s;

	(void)state;
	assert_int_equal(sched_new(&c, &s), 0);
	assert_int_equal(sched_add(s, &half, NULL, 0, &a), 0);
	assert_int_equal(sched_add(s, &half, NULL, 0, &b), 0);
	assert_int_equal(sched_add(s, &third, NULL, 0, &more), -ENOSPC);
	sched_remove(s, a, 0);
	assert_int_equal(sched_add(s, &third, NULL, 0, &a), 0);
	assert_int_equal(sched_set(s, a, &half, 0), 0);
	/* Another policy may have more, and then has no way back. */
	c.policy = SCHED_EQUAL_SHARE;
	assert_int_equal(sched_configure(s, &c, 0), 0);
	assert_int_equal(sched_add(s, &third, NULL, 0, &more), 0);
	c.policy = SCHED_FIXED_SHARE;
	assert_int_equal(sched_configure(s, &c, 0), -ENOSPC);
	assert_int_equal(sched_config(s)->policy, SCHED_EQUAL_SHARE);
	sched_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_and_ranges),
		cmocka_unit_test(shares_are_computed),
		cmocka_unit_test(shares_are_not_more_than_the_gpu),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
