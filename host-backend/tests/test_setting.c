// SPDX-License-Identifier: MIT
/*
 * What may be set of time slices: as people write it and back, within just the
 * bounds that the scheduler has, and as JSON of which nothing can be trusted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/util.h"
#include "manager/sched_setting.h"
#include "scheduler/pacer.h"

static const struct {
	enum setting which;
	const char *text;
	uint64_t value;
	const char *written;		/* NULL: as text */
} good[] = {
	{ SETTING_POLICY, "best-effort", SCHED_BEST_EFFORT, NULL },
	{ SETTING_POLICY, "equal-share", SCHED_EQUAL_SHARE, NULL },
	{ SETTING_POLICY, "fixed-share", SCHED_FIXED_SHARE, NULL },
	{ SETTING_ORDER, "strict", SCHED_STRICT, NULL },
	{ SETTING_ORDER, "least-served", SCHED_LEAST_SERVED, NULL },
	{ SETTING_SLICE, "1ms", SCHED_MS, NULL },
	{ SETTING_SLICE, "30ms", 30 * SCHED_MS, NULL },
	{ SETTING_SLICE, "2.50ms", 2500000, "2.5ms" },
	{ SETTING_SLICE, "1.000001ms", 1000001, NULL },
	{ SETTING_FREQUENCY, "63", 63, NULL },
	{ SETTING_FREQUENCY, "960", 960, NULL },
	{ SETTING_FACTOR, "1", 1, NULL },
	{ SETTING_FACTOR, "60", 60, NULL },
	{ SETTING_WEIGHT, "1", 1, NULL },
	{ SETTING_WEIGHT, "1000", 1000, NULL },
	{ SETTING_SHARE, "100%", SCHED_WHOLE, NULL },
	{ SETTING_SHARE, "12.5%", SCHED_WHOLE / 8, NULL },
	{ SETTING_SHARE, "0.0000001%", 1, NULL },
	{ SETTING_BORROW, "100%", 100, NULL },
	{ SETTING_BORROW, "3200%", 3200, NULL },
	{ SETTING_WATCHDOG, "10ms", 10 * SCHED_MS, NULL },
	{ SETTING_WATCHDOG, "60s", 60 * SCHED_SECOND, NULL },
	{ SETTING_WATCHDOG, "1.5s", 1500 * SCHED_MS, "1500ms" },
	{ SETTING_WATCHDOG, "2000ms", 2 * SCHED_SECOND, "2s" },
	{ SETTING_FRAME_LIMIT, "off", 0, NULL },
	{ SETTING_FRAME_LIMIT, "1", 1000, NULL },
	{ SETTING_FRAME_LIMIT, "59.94", 59940, NULL },
	{ SETTING_FRAME_LIMIT, "1000", PACER_RATE_MAX, NULL },
};

static const struct {
	enum setting which;
	const char *text;
} bad[] = {
	{ SETTING_POLICY, "" }, { SETTING_POLICY, "fixed" },
	{ SETTING_POLICY, "2" }, { SETTING_ORDER, "Strict" },
	{ SETTING_SLICE, "0.999999ms" }, { SETTING_SLICE, "30.000001ms" },
	{ SETTING_SLICE, "2" }, { SETTING_SLICE, "2 ms" },
	{ SETTING_SLICE, "ms" }, { SETTING_SLICE, "-2ms" },
	{ SETTING_SLICE, "2.ms" }, { SETTING_SLICE, ".5ms" },
	{ SETTING_SLICE, "2.0000001ms" }, { SETTING_SLICE, "1e1ms" },
	{ SETTING_SLICE, "99999999999999999999ms" },
	{ SETTING_FREQUENCY, "62" }, { SETTING_FREQUENCY, "961" },
	{ SETTING_FREQUENCY, "480Hz" }, { SETTING_FACTOR, "0" },
	{ SETTING_FACTOR, "61" }, { SETTING_WEIGHT, "0" },
	{ SETTING_WEIGHT, "1001" }, { SETTING_WEIGHT, "1.5" },
	{ SETTING_SHARE, "0%" }, { SETTING_SHARE, "100.0000001%" },
	{ SETTING_SHARE, "12" }, { SETTING_SHARE, "0.00000001%" },
	{ SETTING_BORROW, "99%" }, { SETTING_BORROW, "3201%" },
	{ SETTING_WATCHDOG, "9.9ms" }, { SETTING_WATCHDOG, "60.1s" },
	{ SETTING_WATCHDOG, "0" }, { SETTING_WATCHDOG, "2m" },
	{ SETTING_FRAME_LIMIT, "0" }, { SETTING_FRAME_LIMIT, "0.9" },
	{ SETTING_FRAME_LIMIT, "1000.1" }, { SETTING_FRAME_LIMIT, "no" },
};

static void text_and_back(void **state)
{
	char out[SETTING_TEXT_MAX];
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		if (setting_parse(&value, good[i].which, good[i].text) ||
		    value != good[i].value)
			fail_msg("%s", good[i].text);
		setting_text(out, good[i].which, value);
		assert_string_equal(out, good[i].written ? good[i].written :
							   good[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!setting_parse(&value, bad[i].which, bad[i].text))
			fail_msg("%s was taken", bad[i].text);
}

/* What passes here is what the scheduler takes, and nothing else. */
static void bounds_are_the_schedulers(void **state)
{
	static const uint64_t near[] = {
		0, 1, 2, 9, 10, 59, 60, 61, 62, 63, 64, 99, 100, 101, 959, 960,
		961, 999, 1000, 1001, 3199, 3200, 3201, 999999, 1000000,
		9999999, 10000000, 30000000, 30000001, 999999999, 1000000000,
		1000000001, 60000000000ull, 60000000001ull,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(near); i++) {
		struct sched_config c = sched_config_default(1), d;
		struct sched_params p = sched_params_default(), q;
		uint64_t v = near[i];

#define SAME(all, copy, field, type, wrong, which) do { \
		copy = all; \
		copy.field = (type)v; \
		if (v <= UINT32_MAX || sizeof(copy.field) == 8) \
			assert_int_equal(!wrong(&copy), \
					 setting_is_allowed(which, v)); \
} while (0)
		SAME(c, d, policy, enum sched_policy, sched_config_wrong,
		     SETTING_POLICY);
		SAME(c, d, order, enum sched_order, sched_config_wrong,
		     SETTING_ORDER);
		SAME(c, d, slice, uint64_t, sched_config_wrong, SETTING_SLICE);
		SAME(c, d, frequency, uint32_t, sched_config_wrong,
		     SETTING_FREQUENCY);
		SAME(c, d, factor, uint32_t, sched_config_wrong,
		     SETTING_FACTOR);
		SAME(p, q, weight, uint32_t, sched_params_wrong,
		     SETTING_WEIGHT);
		SAME(p, q, share, uint32_t, sched_params_wrong, SETTING_SHARE);
		SAME(p, q, borrow, uint32_t, sched_params_wrong,
		     SETTING_BORROW);
		SAME(p, q, watchdog, uint64_t, sched_params_wrong,
		     SETTING_WATCHDOG);
	}
}

static void json_and_back(void **state)
{
	struct settings s = { 0 }, t;
	char why[SETTING_WHY_MAX];
	json_object *o;

	(void)state;
	settings_put(&s, SETTING_POLICY, SCHED_FIXED_SHARE);
	settings_put(&s, SETTING_SLICE, 3 * SCHED_MS);
	settings_put(&s, SETTING_FRAME_LIMIT, 0);
	settings_put(&s, SETTING_SHARE, SCHED_WHOLE);
	o = settings_json(&s, SETTINGS_GPU);
	assert_string_equal(json_object_to_json_string_ext(o,
			    JSON_C_TO_STRING_PLAIN),
			    "{\"policy\":\"fixed-share\",\"slice\":3000000}");
	assert_int_equal(settings_from_json(&t, o, SETTINGS_GPU, why), 0);
	assert_int_equal(t.given, 1u << SETTING_POLICY | 1u << SETTING_SLICE);
	assert_int_equal(settings_from_json(&t, o, SETTINGS_VGPU, why),
			 -EINVAL);
	json_object_put(o);
	o = settings_json(&s, SETTINGS_VGPU);
	assert_int_equal(settings_from_json(&t, o, SETTINGS_VGPU, why), 0);
	assert_int_equal(t.given, 1u << SETTING_FRAME_LIMIT |
				  1u << SETTING_SHARE);
	assert_true(t.value[SETTING_SHARE] == SCHED_WHOLE);
	json_object_put(o);
}

static void wrong_json(void **state)
{
	static const struct {
		const char *text, *why;
	} wrong[] = {
		{ "[]", "allowed is an object" },
		{ "{\"frob\":1}", "frob is nothing that is set" },
		{ "{\"weight\":0}", "weight: allowed is 1 to 1000" },
		{ "{\"weight\":-1}", "weight: allowed is 1 to 1000" },
		{ "{\"weight\":1.5}", "weight: allowed is" },
		{ "{\"weight\":\"100\"}", "weight: allowed is" },
		{ "{\"weight\":null}", "weight: allowed is" },
		{ "{\"weight\":4294967396}", "weight: allowed is" },
		{ "{\"frameLimit\":999}", "frameLimit: allowed is 1 to 1000" },
		{ "{\"policy\":\"equal-share\"}", "policy is nothing" },
	};
	char why[SETTING_WHY_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		json_object *o = json_tokener_parse(wrong[i].text);
		struct settings s = { 0 };

		assert_non_null(o);
		assert_int_equal(settings_from_json(&s, o, SETTINGS_VGPU, why),
				 -EINVAL);
		if (strncmp(why, wrong[i].why, strlen(wrong[i].why)))
			fail_msg("%s: %s", wrong[i].text, why);
		assert_int_equal(s.given, 0);
		json_object_put(o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_and_back),
		cmocka_unit_test(bounds_are_the_schedulers),
		cmocka_unit_test(json_and_back),
		cmocka_unit_test(wrong_json),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("setting", tests, NULL, NULL);
}
