// SPDX-License-Identifier: MIT
/*
 * pvgpu-conform: tests of a live vGPU against spec.md, over its ivshmem
 * socket, as a guest that wants to know and not as one that behaves. TAP on
 * standard output; exit status 0 if all passed, 1 if not, 2 for a wrong
 * command line, 3 where there is no vGPU.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "conform.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct test *const groups[] = {
	attach_tests, control_tests, resource_tests, channel_tests,
	copy_tests, commit_tests, abuse_tests, draw_tests, head_tests,
	replace_tests, head_replace_tests,
};

const char *screenshot_command;
const char *head_command;
const char *replace_command;
static char why[512];
static bool failed;

void conform_fail(const char *file, int line, const char *format, ...)
{
	const char *name = strrchr(file, '/');
	va_list arguments;
	int n = snprintf(why, sizeof(why), "%s:%d: ", name ? name + 1 : file,
			 line);

	va_start(arguments, format);
	vsnprintf(why + n, sizeof(why) - (size_t)n, format, arguments);
	va_end(arguments);
	failed = true;
}

bool conform_failed(void)
{
	return failed;
}

bool conform_answered(struct guest *g, const char *file, int line,
		      const char *what, int answer, uint32_t status,
		      uint32_t detail)
{
	if (answer < 0)
		conform_fail(file, line, "%s: no answer (%d), state %u", what,
			     answer, pvgpu_load32(&((struct pvgpu_host_block *)
				(void *)(g->peer.window +
					 g->d->host_offset))->state));
	else if ((uint32_t)answer != status || g->detail != detail)
		conform_fail(file, line,
			     "%s: status %d, detail %u; not %u, %u", what,
			     answer, g->detail, status, detail);
	else
		return true;
	return false;
}

/* Whether a test is to run: all of them, or those that were asked for by name
 * or by the start of it. */
static bool wanted(const struct test *t, char **names, int count)
{
	if (!replace_command && !strncmp(t->name, "host-replaced", 13))
		return false;
	if (!head_command && (!strncmp(t->name, "head-changes", 12) ||
			      !strcmp(t->name, "host-replaced-keeps-heads")))
		return false;
	if (!count)
		return true;
	for (int i = 0; i < count; i++)
		if (!strncmp(t->name, names[i], strlen(names[i])))
			return true;
	return false;
}

static bool run_test(struct guest *g, const struct test *t, unsigned int number)
{
	int ret = 0;

	failed = false;
	if (!t->detached)
		ret = guest_attach(g, ~0ull);
	if (ret)
		conform_fail(__FILE__, __LINE__, "attach: %d", ret);
	else
		t->run(g);
	printf("%s %u - %s\n", failed ? "not ok" : "ok", number, t->name);
	if (failed)
		printf("# %s\n", why);
	fflush(stdout);
	return !failed;
}

static int usage(FILE *to)
{
	fprintf(to, "usage: pvgpu-conform [--screenshot COMMAND] [--replace COMMAND]\n"
		"                     [--head COMMAND] SOCKET [TEST...]\n"
		"       pvgpu-conform --list\n"
		"TEST is the name of a test, or how names begin.\n"
		"COMMAND is run by a shell. --screenshot: when the test picture is\n"
		"shown, with HEAD WIDTH HEIGHT behind it; it fails if the picture is\n"
		"wrong. --replace: to kill the process that serves the vGPU; without\n"
		"it the tests host-replaced* are left out. --head: to change what is\n"
		"plugged into a head, with HEAD and what `pvgpuctl head` takes behind\n"
		"it; without it the tests head-changes* are left out.\n");
	return to == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "list", no_argument, NULL, 'l' },
		{ "screenshot", required_argument, NULL, 's' },
		{ "replace", required_argument, NULL, 'r' },
		{ "head", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	unsigned int count = 0, number = 0, good = 0;
	static struct guest guest;
	const char *missing;
	bool list = false;
	int option, ret;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'l')
			list = true;
		else if (option == 's')
			screenshot_command = optarg;
		else if (option == 'r')
			replace_command = optarg;
		else if (option == 'd')
			head_command = optarg;
		else
			return usage(option == 'h' ? stdout : stderr);
	}
	if (list) {
		for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
			for (const struct test *t = groups[i]; t->name; t++)
				puts(t->name);
		return 0;
	}
	if (optind == argc)
		return usage(stderr);
	argv += optind + 1;
	argc -= optind + 1;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		for (const struct test *t = groups[i]; t->name; t++)
			count += wanted(t, argv, argc);
	if (!count) {
		fprintf(stderr, "pvgpu-conform: no test is called %s; see --list\n",
			argv[0]);
		return 2;
	}

	ret = guest_connect(&guest, argv[-1], &missing);
	if (ret) {
		fprintf(stderr, "pvgpu-conform: %s: %s: %s\n", argv[-1],
			missing, strerror(-ret));
		return 3;
	}
	printf("TAP version 13\n1..%u\n# type %s\n", count,
	       guest.d->type_name);
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		for (const struct test *t = groups[i]; t->name; t++)
			if (wanted(t, argv, argc))
				good += run_test(&guest, t, ++number);
	guest_disconnect(&guest);
	return good == count ? 0 : 1;
}
