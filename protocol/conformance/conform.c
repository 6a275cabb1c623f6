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

const char *screenshot_command;
const char *head_command;
const char *replace_command;
const char *figures_command;

/* Tests that are run together, or together left out: where a command was not
 * given, or where the vGPU does not render. What holds there instead are the
 * tests of those that do not. */
static const struct group {
	const struct test *tests;
	enum { ANY, RENDERS, DOES_NOT } vgpu;
	const char **needs[2];
} groups[] = {
	{ attach_tests, ANY, { NULL } },
	{ control_tests, ANY, { NULL } },
	{ resource_tests, ANY, { NULL } },
	{ channel_tests, ANY, { NULL } },
	{ copy_tests, ANY, { NULL } },
	{ commit_tests, ANY, { NULL } },
	{ abuse_tests, ANY, { NULL } },
	{ draw_tests, ANY, { NULL } },
	{ head_tests, ANY, { &head_command } },
	{ virgl_offer_tests, ANY, { NULL } },
	{ virgl_absent_tests, DOES_NOT, { NULL } },
	{ virgl_wanted_tests, RENDERS, { NULL } },
	{ virgl_context_tests, RENDERS, { NULL } },
	{ virgl_surface_tests, RENDERS, { NULL } },
	{ virgl_batch_tests, RENDERS, { NULL } },
	{ virgl_transfer_tests, RENDERS, { NULL } },
	{ virgl_draw_tests, RENDERS, { NULL } },
	{ virgl_look_tests, RENDERS, { &screenshot_command } },
	{ virgl_noise_tests, RENDERS, { NULL } },
	{ virgl_growth_tests, RENDERS, { &figures_command } },
	{ virgl_replace_tests, RENDERS, { &replace_command } },
	{ replace_tests, ANY, { &replace_command } },
	{ head_replace_tests, ANY, { &replace_command, &head_command } },
};

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

/* Whether a group can be run on this vGPU, with what was given. */
static bool possible(const struct group *group, const struct guest *g)
{
	bool renders = g->d->features & PVGPU_FEATURE_VIRGL;

	if (group->vgpu != ANY && (group->vgpu == RENDERS) != renders)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(group->needs); i++)
		if (group->needs[i] && !*group->needs[i])
			return false;
	return true;
}

/* Whether a test is to run: all of them, or those that were asked for by name
 * or by the start of it. */
static bool wanted(const struct test *t, char **names, int count)
{
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
		"                     [--head COMMAND] [--figures COMMAND] SOCKET\n"
		"                     [TEST...]\n"
		"       pvgpu-conform --list\n"
		"TEST is the name of a test, or how names begin.\n"
		"COMMAND is run by a shell. --screenshot: when the test picture is\n"
		"shown, with HEAD WIDTH HEIGHT behind it; it fails if the picture is\n"
		"wrong. --replace: to kill the process that serves the vGPU; without\n"
		"it the tests host-replaced*, virgl-host-killed and\n"
		"virgl-drawing-without-end are left out. --head: to change what is\n"
		"plugged into a head, with HEAD and what `pvgpuctl head` takes behind\n"
		"it; without it the tests head-changes* are left out. --figures: to\n"
		"print what is used of the device and of the window budget, bytes, and\n"
		"the memory of the process that serves the vGPU, KiB; without it the\n"
		"tests virgl-budget* and virgl-growth* are left out.\n"
		"Tests of rendering are run on a vGPU that renders, and on another the\n"
		"one that it refuses all of it.\n");
	return to == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "list", no_argument, NULL, 'l' },
		{ "screenshot", required_argument, NULL, 's' },
		{ "replace", required_argument, NULL, 'r' },
		{ "head", required_argument, NULL, 'd' },
		{ "figures", required_argument, NULL, 'f' },
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
		else if (option == 'f')
			figures_command = optarg;
		else
			return usage(option == 'h' ? stdout : stderr);
	}
	if (list) {
		for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
			for (const struct test *t = groups[i].tests; t->name;
			     t++)
				puts(t->name);
		return 0;
	}
	if (optind == argc)
		return usage(stderr);
	argv += optind + 1;
	argc -= optind + 1;
	ret = guest_connect(&guest, argv[-1], &missing);
	if (ret) {
		fprintf(stderr, "pvgpu-conform: %s: %s: %s\n", argv[-1],
			missing, strerror(-ret));
		return 3;
	}
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		for (const struct test *t = groups[i].tests; t->name; t++)
			count += possible(&groups[i], &guest) &&
				 wanted(t, argv, argc);
	if (!count) {
		fprintf(stderr, "pvgpu-conform: no test that can be run here is called %s; see --list and --help\n",
			argv[0]);
		guest_disconnect(&guest);
		return 2;
	}
	printf("TAP version 13\n1..%u\n# type %s\n", count,
	       guest.d->type_name);
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		for (const struct test *t = groups[i].tests; t->name; t++)
			if (possible(&groups[i], &guest) &&
			    wanted(t, argv, argc))
				good += run_test(&guest, t, ++number);
	guest_disconnect(&guest);
	return good == count ? 0 : 1;
}
