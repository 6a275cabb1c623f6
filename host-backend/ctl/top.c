// SPDX-License-Identifier: MIT
/* pvgpuctl top: the table of `stat`, live on a terminal; else, or if told so,
 * as lines. */
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "figures.h"
#include "screen.h"

struct top {
	struct ctl *ctl;
	unsigned int ms, count;		/* count 0: until it is told to end */
	enum figures_order order;
	json_object *now;
};

static const char keys[] =
	"q: quit   g: by GPU   n: by name   space: now";

static void headline(const struct top *top, char *out, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;
	char summary[160];

	figures_summary(top->now, summary, sizeof(summary));
	localtime_r(&now, &tm);
	snprintf(out, size, "%02d:%02d:%02d  %s", tm.tm_hour, tm.tm_min,
		 tm.tm_sec, summary);
}

/* The next sample, with rates since the last one, if there was any. */
static enum ctl_status sample(struct top *top)
{
	json_object *now;
	enum ctl_status status = figures_sample(top->ctl, &now);

	if (status)
		return status;
	if (top->now)
		figures_rates(top->now, now);
	json_object_put(top->now);
	top->now = now;
	return CTL_OK;
}

/* ------------------------------------------------------------------ lines */

static void print_line(void *userdata, const char *text, bool heading)
{
	(void)userdata;
	(void)heading;
	puts(text);
}

static enum ctl_status batch(struct top *top)
{
	enum ctl_status status = sample(top);
	char text[200];

	for (unsigned int i = 0; !status && (!top->count || i < top->count);
	     i++) {
		const struct timespec delay = {
			.tv_sec = top->ms / 1000,
			.tv_nsec = top->ms % 1000 * 1000000L,
		};

		nanosleep(&delay, NULL);
		status = sample(top);
		if (status)
			break;
		if (top->ctl->json) {
			figures_print_line(top->now);
		} else {
			headline(top, text, sizeof(text));
			printf("%s%s\n", i ? "\n" : "", text);
			figures_table(top->now, top->order, 255, print_line,
				      NULL);
		}
		if (fflush(stdout) == EOF || ferror(stdout))
			break;		/* whoever read it has gone */
	}
	return status;
}

/* ----------------------------------------------------------------- screen */

static void draw_line(void *userdata, const char *text, bool heading)
{
	(void)userdata;
	screen_line(text, heading);
}

static void draw(const struct top *top)
{
	char text[200];

	screen_begin();
	headline(top, text, sizeof(text));
	screen_line(text, false);
	screen_line(keys, false);
	figures_table(top->now, top->order, screen_width(), draw_line, NULL);
	screen_end();
}

/* Until the next sample is due. False: it is to end. */
static bool serve_keys(struct top *top)
{
	uint64_t due = clock_ns() + top->ms * 1000000ull;

	for (;;) {
		uint64_t now = clock_ns();

		if (now >= due)
			return true;
		switch (screen_wait((int)((due - now) / 1000000) + 1)) {
		case 'q':
		case 'Q':
		case SCREEN_GONE:
			return false;
		case 'g':
			top->order = FIGURES_BY_GPU;
			break;
		case 'n':
			top->order = FIGURES_BY_NAME;
			break;
		case ' ':
			return true;
		case SCREEN_RESIZED:
			break;
		default:
			continue;
		}
		draw(top);
	}
}

static enum ctl_status live(struct top *top)
{
	enum ctl_status status = sample(top);
	int r;

	if (status)
		return status;
	r = screen_enter();
	if (r < 0) {
		ctl_complain(top->ctl, "terminal: %s", strerror(-r));
		return CTL_FAILED;
	}
	for (unsigned int i = 0; !status; i++) {
		draw(top);
		/* The first one has no rates, and does not count. */
		if ((top->count && i == top->count) || !serve_keys(top))
			break;
		status = sample(top);
	}
	screen_leave();
	return status;
}

enum ctl_status ctl_top(struct ctl *ctl)
{
	struct top top = { .ctl = ctl, .ms = FIGURES_DELAY_DEFAULT };
	enum ctl_status status = figures_options(ctl, &top.ms, &top.count);

	if (status)
		return status;
	status = ctl->json || ctl_option(ctl, 'b') || !screen_possible() ?
		batch(&top) : live(&top);
	json_object_put(top.now);
	return status;
}
