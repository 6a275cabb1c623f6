// SPDX-License-Identifier: MIT
/* The table of what may be set of time slices; see setting.h. */
#include "setting.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/size.h"
#include "common/util.h"
#include "scheduler/pacer.h"
#include "scheduler/scheduler.h"

static const char *const policies[] = {
	[SCHED_BEST_EFFORT] = "best-effort",
	[SCHED_EQUAL_SHARE] = "equal-share",
	[SCHED_FIXED_SHARE] = "fixed-share",
	NULL,
};

static const char *const orders[] = {
	[SCHED_STRICT] = "strict",
	[SCHED_LEAST_SERVED] = "least-served",
	NULL,
};

const struct setting_info setting_infos[SETTINGS] = {
	[SETTING_POLICY] = { "policy", "policy", "--policy", policies,
		POLICY_ALLOWED },
	[SETTING_ORDER] = { "order", "order", "--order", orders,
		ORDER_ALLOWED },
	[SETTING_SLICE] = { "slice", "slice", "--slice", NULL, SLICE_ALLOWED },
	[SETTING_FREQUENCY] = { "frequency", "frequency", "--frequency", NULL,
		FREQUENCY_ALLOWED },
	[SETTING_FACTOR] = { "factor", "factor", "--factor", NULL,
		FACTOR_ALLOWED },
	[SETTING_WEIGHT] = { "weight", "weight", "--weight", NULL,
		WEIGHT_ALLOWED },
	[SETTING_SHARE] = { "share", "share", "--share", NULL, SHARE_ALLOWED },
	[SETTING_BORROW] = { "borrow", "borrow", "--borrow", NULL,
		BORROW_ALLOWED },
	[SETTING_WATCHDOG] = { "watchdog", "watchdog", "--watchdog", NULL,
		WATCHDOG_ALLOWED },
	[SETTING_FRAME_LIMIT] = { "frame_limit", "frameLimit", "--frame-limit",
		NULL, FRAME_LIMIT_ALLOWED },
};

static const struct range {
	uint64_t least, most;
} ranges[SETTINGS] = {
	[SETTING_POLICY] = { 0, SCHED_FIXED_SHARE },
	[SETTING_ORDER] = { 0, SCHED_LEAST_SERVED },
	[SETTING_SLICE] = { SCHED_SLICE_MIN, SCHED_SLICE_MAX },
	[SETTING_FREQUENCY] = { SCHED_FREQUENCY_MIN, SCHED_FREQUENCY_MAX },
	[SETTING_FACTOR] = { SCHED_FACTOR_MIN, SCHED_FACTOR_MAX },
	[SETTING_WEIGHT] = { 1, SCHED_WEIGHT_MAX },
	[SETTING_SHARE] = { 1, SCHED_WHOLE },
	[SETTING_BORROW] = { SCHED_BORROW_MIN, SCHED_BORROW_MAX },
	[SETTING_WATCHDOG] = { SCHED_WATCHDOG_MIN, SCHED_WATCHDOG_MAX },
	[SETTING_FRAME_LIMIT] = { 1000, PACER_RATE_MAX },
};

/* How numbers are written: with up to so many decimals, before a unit. */
static const struct unit {
	const char *text;
	unsigned int decimals;
} units[SETTINGS][2] = {
	[SETTING_SLICE] = { { "ms", 6 } },
	[SETTING_SHARE] = { { "%", 7 } },
	[SETTING_BORROW] = { { "%", 0 } },
	[SETTING_WATCHDOG] = { { "ms", 6 }, { "s", 9 } },
	[SETTING_FRAME_LIMIT] = { { "", 3 } },
};

bool setting_is_allowed(enum setting which, uint64_t value)
{
	if (which == SETTING_FRAME_LIMIT && !value)
		return true;
	return value >= ranges[which].least && value <= ranges[which].most;
}

static int parse_unit(uint64_t *ret, const struct unit *unit,
		      const char *text)
{
	size_t length = strlen(text), tail = strlen(unit->text);
	char number[24];

	if (length < tail || length - tail >= sizeof(number) ||
	    strcmp(text + length - tail, unit->text))
		return -EINVAL;
	memcpy(number, text, length - tail);
	number[length - tail] = '\0';
	return parse_decimal(ret, number, unit->decimals, INT64_MAX);
}

int setting_parse(uint64_t *ret, enum setting which, const char *text)
{
	const char *const *words = setting_infos[which].words;
	uint64_t value;

	if (words) {
		for (value = 0; words[value]; value++)
			if (!strcmp(words[value], text)) {
				*ret = value;
				return 0;
			}
		return -EINVAL;
	}
	if (which == SETTING_FRAME_LIMIT && !strcmp(text, "off")) {
		*ret = 0;
		return 0;
	}
	if (!units[which][0].text) {
		if (parse_number(&value, text, ranges[which].most))
			return -EINVAL;
	} else if (parse_unit(&value, &units[which][0], text) &&
		   (!units[which][1].text ||
		    parse_unit(&value, &units[which][1], text))) {
		return -EINVAL;
	}
	if (!value || !setting_is_allowed(which, value))
		return -EINVAL;
	*ret = value;
	return 0;
}

const char *setting_text(char out[SETTING_TEXT_MAX], enum setting which,
			 uint64_t value)
{
	const struct unit *unit = units[which];
	uint64_t one = 1;
	unsigned int decimals;
	size_t used;

	if (setting_infos[which].words) {
		snprintf(out, SETTING_TEXT_MAX, "%s",
			 setting_infos[which].words[value]);
		return out;
	}
	if (which == SETTING_FRAME_LIMIT && !value) {
		snprintf(out, SETTING_TEXT_MAX, "off");
		return out;
	}
	/* The larger unit where it is a whole number of it. */
	if (unit[1].text && !(value % SCHED_SECOND))
		unit++;
	decimals = unit->decimals;
	for (unsigned int i = 0; i < decimals; i++)
		one *= 10;
	used = (size_t)snprintf(out, SETTING_TEXT_MAX, "%" PRIu64,
				value / one);
	if (value % one) {
		used += (size_t)snprintf(out + used, SETTING_TEXT_MAX - used,
					 ".%0*" PRIu64, (int)decimals,
					 value % one);
		while (out[used - 1] == '0')
			used--;
	}
	snprintf(out + used, SETTING_TEXT_MAX - used, "%s",
		 unit->text ? unit->text : "");
	return out;
}

int settings_read(struct settings *s, enum setting which, const char *text)
{
	uint64_t value;

	if (setting_parse(&value, which, text))
		return -EINVAL;
	settings_put(s, which, value);
	return 0;
}
