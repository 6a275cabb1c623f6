// SPDX-License-Identifier: MIT
/*
 * The daemon's configuration: what good files become, what every kind of wrong
 * line is told, and files mutated at random (with a fixed seed) that must
 * neither crash it nor get a value past its bounds, nor change anything when
 * they are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/util.h"
#include "manager/config.h"
#include "scheduler/scheduler.h"

struct reports {
	unsigned int count;
	char first[700];
};

static void collect(void *userdata, const char *line)
{
	struct reports *r = userdata;

	assert_null(strchr(line, '\n'));
	if (!r->count++)
		snprintf(r->first, sizeof(r->first), "%s", line);
}

static int parse(struct config *config, const void *text, size_t size,
		 struct reports *reports)
{
	FILE *stream = size ? fmemopen((void *)text, size, "r") :
			      fopen("/dev/null", "r");
	int r;

	assert_non_null(stream);
	*reports = (struct reports){ 0 };
	r = config_parse(config, stream, "c.conf", collect, reports);
	fclose(stream);
	return r;
}

static uint64_t ram(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) *
	       (uint64_t)sysconf(_SC_PAGESIZE);
}

static void defaults(void **state)
{
	struct config c;
	struct reports reports;

	(void)state;
	config_defaults(&c);
	assert_int_equal(parse(&c, "", 0, &reports), 0);
	assert_string_equal(c.gpu_name, "gpu0");
	assert_string_equal(c.gpu_device, "llvmpipe");
	assert_true(c.gpu_memory == 24ull << 30);
	assert_int_equal(c.gpu_mode, PLACEMENT_MIXED);
	assert_true(c.host_memory <= ram() / 10 * 8 + 100 &&
		    c.host_memory >= ram() / 10 * 8 - 100);
	assert_true(c.socket_group == NO_GROUP);
	assert_true(c.vgpu_socket_group == NO_GROUP);
}

static void good_file(void **state)
{
	static const char text[] =
		"# comment\n[gpu]\nname = card.1\nmemory=48 GiB\n"
		"device = 0000:41:00.0\n"
		"mode = equal ; one size\n\n[scheduler]\npolicy = fixed-share\n"
		"slice=3ms\n[manager]\r\nhost_memory = 150%\r\n"
		"socket_group = 12\n[manager]\nvgpu_socket_group = root";
	static const char unset[] =
		"[manager]\nhost_memory = 3GiB\nsocket_group =\n";
	struct config c;
	struct reports reports;

	(void)state;
	config_defaults(&c);
	assert_int_equal(parse(&c, text, strlen(text), &reports), 0);
	assert_int_equal(reports.count, 0);
	assert_string_equal(c.gpu_name, "card.1");
	assert_string_equal(c.gpu_device, "0000:41:00.0");
	assert_true(c.gpu_memory == 48ull << 30);
	assert_int_equal(c.gpu_mode, PLACEMENT_EQUAL);
	assert_int_equal(c.schedule.given,
			 1u << SETTING_POLICY | 1u << SETTING_SLICE);
	assert_int_equal(c.schedule.value[SETTING_POLICY], SCHED_FIXED_SHARE);
	assert_int_equal(c.schedule.value[SETTING_SLICE], 3 * SCHED_MS);
	assert_true(c.host_memory == ram() / 100 * 150);
	assert_int_equal(c.socket_group, 12);
	assert_int_equal(c.vgpu_socket_group, 0);
	assert_int_equal(parse(&c, unset, strlen(unset), &reports), 0);
	assert_true(c.host_memory == 3ull << 30);
	assert_true(c.socket_group == NO_GROUP);
}

static const struct {
	const char *text, *report;
} wrong[] = {
	{ "memory = 1GiB\n", "c.conf:1: memory: stands before any section; "
			     "allowed is [gpu], [scheduler] or [manager] first" },
	{ "[card]\nmemory = 1GiB\n", "c.conf:1: section: 'card' given; "
				     "allowed is [gpu], [scheduler] or [manager]" },
	{ "[gpu\n", "c.conf:1: section: allowed is [gpu], [scheduler] or [manager]" },
	{ "[gpu]\nhost_memory = 80%\n", "c.conf:2: host_memory: is not a key "
		"of [gpu]; allowed are name device memory mode" },
	{ "[gpu]\nmode\n", "c.conf:2: line: allowed are [NAME], KEY = VALUE" },
	{ "[gpu]\n mode = equal\n", "c.conf:2: line: begins with a blank" },
	{ "[gpu]\nmode = both\n", "c.conf:2: mode: 'both' given; allowed is "
				  "equal or mixed" },
	{ "[gpu]\nmode = mixed\nmode = equal\n", "c.conf:3: mode: stands at "
						 "line 2 already" },
	{ "[gpu]\nmemory = 24GB\n", "c.conf:2: memory: '24GB' given; allowed "
				    "is a size of 1GiB to 4096GiB" },
	{ "[gpu]\nmemory = 1536MiB\n", "c.conf:2: memory:" },
	{ "[gpu]\nmemory = 0GiB\n", "c.conf:2: memory:" },
	{ "[gpu]\nmemory = 4097GiB\n", "c.conf:2: memory:" },
	{ "[gpu]\nmemory = 18446744073709551617GiB\n", "c.conf:2: memory:" },
	{ "[gpu]\nname =\n", "c.conf:2: name: '' given; allowed is a name" },
	{ "[gpu]\nname = -x\n", "c.conf:2: name:" },
	{ "[gpu]\nname = a/b\n", "c.conf:2: name:" },
	{ "[gpu]\ndevice = /dev/dri/card0\n", "c.conf:2: device: "
		"'/dev/dri/card0' given; allowed is llvmpipe, auto, a render "
		"node such as /dev/dri/renderD128 or a PCI address" },
	{ "[gpu]\ndevice =\n", "c.conf:2: device:" },
	{ "[gpu]\ndevice = /dev/dri/renderD1281281281281281281281281\n",
	  "c.conf:2: device:" },
	{ "[gpu]\nname = a123456789012345678901234567890b\n",
	  "c.conf:2: name:" },
	{ "[scheduler]\npolicy = fixed\n", "c.conf:2: policy: 'fixed' given; "
		"allowed is best-effort, equal-share or fixed-share" },
	{ "[scheduler]\norder = least\n", "c.conf:2: order: 'least' given; "
		"allowed is strict or least-served" },
	{ "[scheduler]\nslice = 31ms\n", "c.conf:2: slice: '31ms' given; "
		"allowed is 1ms to 30ms" },
	{ "[scheduler]\nfrequency = 62\n", "c.conf:2: frequency:" },
	{ "[scheduler]\nfactor = 61\n", "c.conf:2: factor:" },
	{ "[scheduler]\nweight = 1\n", "c.conf:2: weight: is not a key of "
		"[scheduler]; allowed are policy order slice frequency" },
	{ "[manager]\nhost_memory = 0%\n", "c.conf:2: host_memory: '0%' "
		"given; allowed is 1% to 1000%" },
	{ "[manager]\nhost_memory = 1001%\n", "c.conf:2: host_memory:" },
	{ "[manager]\nhost_memory = %\n", "c.conf:2: host_memory:" },
	{ "[manager]\nhost_memory = 80 %\n", "c.conf:2: host_memory:" },
	{ "[manager]\nhost_memory = 99999999999%\n", "c.conf:2: host_memory:" },
	{ "[manager]\nhost_memory = 5MiB\n", "c.conf:2: host_memory:" },
	{ "[manager]\nsocket_group = no-such-group\n",
	  "c.conf:2: socket_group: 'no-such-group' given; allowed is the name "
	  "or number of a group" },
	{ "[manager]\nsocket_group = 4294967295\n", "c.conf:2: socket_group:" },
	{ "[manager]\nvgpu_socket_group = \x1b[31m\n", "c.conf:2: line: a "
		"control character" },
};

static void every_wrong_line_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct config c, before;
		struct reports reports;

		config_defaults(&c);
		before = c;
		assert_int_equal(parse(&c, wrong[i].text, strlen(wrong[i].text),
				       &reports), -EINVAL);
		if (reports.count != 1 ||
		    strncmp(reports.first, wrong[i].report,
			    strlen(wrong[i].report)))
			fail_msg("%s: %u reports, %s", wrong[i].text,
				 reports.count, reports.first);
		assert_memory_equal(&c, &before, sizeof(c));
	}
}

static void all_wrong_lines_are_told(void **state)
{
	static const char text[] = "x = 1\n[gpu]\nmemory = x\nmode = x\ny = 1\n"
				   "[z]\nmemory = x\n";
	struct config c;
	struct reports reports;

	(void)state;
	config_defaults(&c);
	assert_int_equal(parse(&c, text, strlen(text), &reports), -EINVAL);
	assert_int_equal(reports.count, 5);
}

static void assert_same(const struct config *a, const struct config *b)
{
	assert_string_equal(a->gpu_name, b->gpu_name);
	assert_string_equal(a->gpu_device, b->gpu_device);
	assert_true(a->gpu_memory == b->gpu_memory);
	assert_int_equal(a->gpu_mode, b->gpu_mode);
	assert_true(a->host_memory == b->host_memory);
	assert_int_equal(a->socket_group, b->socket_group);
	assert_int_equal(a->vgpu_socket_group, b->vgpu_socket_group);
}

/* The comments of the file that is shipped tell the truth. */
static void shipped_file(void **state)
{
	cleanup_file FILE *file = fopen("host-backend/systemd/pvgpud.conf",
					"r");
	char line[256], live[4096] = "";
	unsigned int keys = 0;
	struct config defaults_here, c;
	struct reports reports;

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		const char *text = line;

		if (*line == '#' && line[1] >= 'a' && line[1] <= 'z') {
			text++;
			keys++;
		}
		/* The one that is no default; this host may have no kvm. */
		if (!strcmp(text, "vgpu_socket_group = kvm\n")) {
			text = "vgpu_socket_group =\n";
			keys++;
		}
		assert_true(strlen(live) + strlen(text) < sizeof(live));
		strcat(live, text);
	}
	/* All but the control socket's group. */
	assert_int_equal(keys, CONFIG_KEYS - 1);
	config_defaults(&defaults_here);
	c = (struct config){ .socket_group = NO_GROUP };
	assert_int_equal(parse(&c, live, strlen(live), &reports), 0);
	assert_same(&c, &defaults_here);
}

static uint32_t random_state = 4711;

static uint32_t random_below(uint32_t bound)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(random_state >> 8) * bound >> 24);
}

static void mutations(void **state)
{
	static const char base[] =
		"# some text that says nothing\n[gpu]\nname = a\nmemory = 24GiB\nmode = equal\n[manager]\n"
		"host_memory = 80%\nsocket_group = 5\nvgpu_socket_group = 6\n";
	unsigned int good = 0, bad = 0;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		char text[sizeof(base) + 8];
		size_t size = sizeof(base) - 1;
		struct config c, before;
		struct reports reports;
		int r;

		memcpy(text, base, size);
		for (uint32_t n = 1 + random_below(2); n; n--) {
			uint32_t at = random_below((uint32_t)size - 8);

			switch (random_below(3)) {
			case 0:
				text[at] = (char)random_below(256);
				break;
			case 1:
				text[at] = "=[]\n%# 09;"[random_below(10)];
				break;
			default:
				memmove(text + at, text + at + 1,
					size - at - 1);
				size--;
			}
		}
		config_defaults(&c);
		before = c;
		r = parse(&c, text, size, &reports);
		if (r < 0) {
			assert_int_equal(r, -EINVAL);
			assert_true(reports.count > 0);
			assert_memory_equal(&c, &before, sizeof(c));
			bad++;
			continue;
		}
		assert_int_equal(reports.count, 0);
		assert_true(c.gpu_memory >= 1ull << 30 &&
			    c.gpu_memory <= 4096ull << 30);
		assert_true(c.gpu_mode == PLACEMENT_MIXED ||
			    c.gpu_mode == PLACEMENT_EQUAL);
		assert_true(strlen(c.gpu_name) > 0);
		assert_true(c.host_memory >= ram() / 100);
		good++;
	}
	print_message("# %u good, %u bad\n", good, bad);
	assert_true(good > 100 && bad > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(good_file),
		cmocka_unit_test(every_wrong_line_is_told),
		cmocka_unit_test(all_wrong_lines_are_told),
		cmocka_unit_test(shipped_file),
		cmocka_unit_test(mutations),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
