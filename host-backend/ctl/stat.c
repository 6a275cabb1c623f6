// SPDX-License-Identifier: MIT
/* pvgpuctl stat */
#include <time.h>

#include "figures.h"

static void print_line(void *userdata, const char *text, bool heading)
{
	(void)userdata;
	(void)heading;
	puts(text);
}

static void print(const struct ctl *ctl, json_object *now, bool lines)
{
	if (ctl->json && lines)
		figures_print_line(now);
	else if (!ctl_print_json(ctl, now))
		figures_table(now, FIGURES_BY_NAME, 255, print_line, NULL);
	fflush(stdout);
}

enum ctl_status ctl_stat(struct ctl *ctl)
{
	cleanup_json json_object *before = NULL;
	unsigned int ms = FIGURES_DELAY_DEFAULT, count = 1;
	enum ctl_status status = figures_options(ctl, &ms, &count);
	bool lines = ctl_option(ctl, 'n');

	if (!status)
		status = figures_sample(ctl, &before);
	/* What there is, at once, where no rates are asked for. */
	if (!status && ctl->json && !lines && !ctl_option(ctl, 'd')) {
		print(ctl, before, false);
		return CTL_OK;
	}
	for (unsigned int i = 0; !status && i < count; i++) {
		const struct timespec delay = {
			.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000,
		};
		json_object *now;

		nanosleep(&delay, NULL);
		status = figures_sample(ctl, &now);
		if (status)
			break;
		figures_rates(before, now);
		json_object_put(before);
		before = now;
		if (i && !ctl->json)
			puts("");
		print(ctl, now, lines);
		if (ferror(stdout))	/* whoever read it has gone */
			break;
	}
	return status;
}
