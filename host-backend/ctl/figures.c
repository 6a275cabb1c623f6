// SPDX-License-Identifier: MIT
/* Samples, rates and tables; see figures.h. */
#include "figures.h"

#include <stdarg.h>
#include <string.h>

#include "common/size.h"

#define DELAY_MAX	3600000u	/* ms */
#define COUNT_MAX	1000000000u

/* --------------------------------------------------------------- options */

bool figures_seconds(unsigned int *ret_ms, const char *text,
		     unsigned int max_ms)
{
	const char *dot = strchr(text, '.');
	size_t whole = dot ? (size_t)(dot - text) : strlen(text);
	char digits[16] = "", decimals[4] = "000";
	uint64_t seconds, ms;

	if (whole >= sizeof(digits) || (dot && strlen(dot + 1) > 3))
		return false;
	memcpy(digits, text, whole);
	if (dot)
		memcpy(decimals, dot + 1, strlen(dot + 1));
	if (parse_number(&seconds, digits, max_ms / 1000) ||
	    parse_number(&ms, decimals, 999))
		return false;
	ms += seconds * 1000;
	if (ms < 100 || ms > max_ms)
		return false;
	*ret_ms = (unsigned int)ms;
	return true;
}

enum ctl_status figures_options(const struct ctl *ctl, unsigned int *ms,
				unsigned int *count)
{
	const char *given = ctl_option(ctl, 'd');
	uint64_t number;

	if (given && !figures_seconds(ms, given, DELAY_MAX)) {
		ctl_complain(ctl, "--delay: '%s' given; allowed are 0.1 to "
			     "3600 seconds", ctl_safe(given));
		return CTL_USAGE;
	}
	given = ctl_option(ctl, 'n');
	if (!given)
		return CTL_OK;
	if (parse_number(&number, given, COUNT_MAX) || !number) {
		ctl_complain(ctl, "--count: '%s' given; allowed is a number "
			     "from 1 on", ctl_safe(given));
		return CTL_USAGE;
	}
	*count = (unsigned int)number;
	return CTL_OK;
}

enum ctl_status figures_sample(const struct ctl *ctl, json_object **ret)
{
	return ctl_call(ctl, "GetFigures", ctl->arguments[0] ?
			ctl_named(ctl->arguments[0]) : NULL, ret, NULL);
}

/* ----------------------------------------------------------------- rates */

static size_t length_of(json_object *array)
{
	return json_object_get_type(array) == json_type_array ?
		json_object_array_length(array) : 0;
}

static json_object *row_of(json_object *sample, size_t i)
{
	json_object *rows = json_member(sample, "vgpus");

	return i < length_of(rows) ? json_object_array_get_idx(rows, i) : NULL;
}

static json_object *find_row(json_object *sample, const char *name)
{
	json_object *row;

	for (size_t i = 0; (row = row_of(sample, i)); i++)
		if (!strcmp(json_string(row, "name"), name))
			return row;
	return NULL;
}

/* How much a counter has grown; less than 0: it is another's. */
static double grown(json_object *before, json_object *now, const char *name)
{
	return (double)json_number(now, name) -
	       (double)json_number(before, name);
}

static void put_rate(json_object *rates, const char *name, double value)
{
	json_object_object_add(rates, name, json_object_new_double(value));
}

static json_object *head_of(json_object *row, size_t i)
{
	json_object *heads = json_member(row, "heads");

	return i < length_of(heads) ? json_object_array_get_idx(heads, i) :
				      NULL;
}

/* Of what the scheduler gave it. */
static void put_schedule_rates(json_object *rates, json_object *before,
			       json_object *now, double seconds)
{
	static const char *const numbers[] = { "turns", "loans", "lent" };
	json_object *s0 = json_member(before, "schedule");
	json_object *s1 = json_member(now, "schedule");
	double waits = grown(s0, s1, "waits");

	/* Another QEMU's, or another pvgpud's. */
	if (!s0 || !s1 || waits < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (grown(s0, s1, numbers[i]) < 0)
			return;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		put_rate(rates, numbers[i],
			 grown(s0, s1, numbers[i]) / seconds);
	put_rate(rates, "borrowed",
		 grown(s0, s1, "borrowed") / 1e9 / seconds);
	put_rate(rates, "lentTime",
		 grown(s0, s1, "lentTime") / 1e9 / seconds);
	put_rate(rates, "waits", waits / seconds);
	put_rate(rates, "wait", waits > 0 ?
		 grown(s0, s1, "wait") / 1e9 / waits : 0);
}

/* NULL where the two samples are no two of one worker's. */
static json_object *rates_of(json_object *before, json_object *now)
{
	static const char *const counters[] = {
		"batches", "messages", "refused", "doorbells", "interrupts",
	};
	json_object *c0 = json_member(before, "counters");
	json_object *c1 = json_member(now, "counters");
	double seconds = grown(before, now, "time") / 1e9;
	json_object *rates, *fps, *head;

	if (!c0 || !c1 || seconds <= 0 || grown(before, now, "workerPid") ||
	    grown(c0, c1, "gpuTime") < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		if (grown(c0, c1, counters[i]) < 0)
			return NULL;
	rates = json_object_new_object();
	fps = json_object_new_array();
	put_rate(rates, "seconds", seconds);
	put_rate(rates, "gpu", grown(c0, c1, "gpuTime") / 1e9 / seconds);
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		put_rate(rates, counters[i],
			 grown(c0, c1, counters[i]) / seconds);
	for (size_t i = 0; (head = head_of(now, i)); i++) {
		double frames = grown(head_of(before, i), head, "frames");

		json_object_array_add(fps, json_object_new_double(
			frames > 0 ? frames / seconds : 0));
	}
	json_object_object_add(rates, "fps", fps);
	put_schedule_rates(rates, before, now, seconds);
	return rates;
}

static double rate(json_object *row, const char *name)
{
	json_object *value = json_member(json_member(row, "rates"), name);

	return json_object_get_double(value);
}

void figures_rates(json_object *before, json_object *now)
{
	json_object *row, *old, *rates;
	double all = 0;

	for (size_t i = 0; (row = row_of(now, i)); i++) {
		old = find_row(before, json_string(row, "name"));
		rates = old ? rates_of(old, row) : NULL;
		if (!rates)
			continue;
		json_object_object_add(row, "rates", rates);
		all += rate(row, "gpu");
	}
	/* Of what all had of the GPU. */
	for (size_t i = 0; (row = row_of(now, i)); i++) {
		rates = json_member(row, "rates");
		if (rates)
			put_rate(rates, "share", all > 0 ?
				 rate(row, "gpu") / all : 0);
	}
}

/* ----------------------------------------------------------------- table */

/* "1.2G": at most five characters. */
static const char *short_size(char out[16], long long bytes)
{
	static const char units[] = "BKMGT";
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1000 && units[unit + 1]) {
		value /= 1024;
		unit++;
	}
	snprintf(out, 16, unit && value < 9.95 ? "%.1f%c" : "%.0f%c", value,
		 units[unit]);
	return out;
}

struct line {
	char text[256];
	size_t used;
};

/* Appends, and stays whole where there is no more room. */
static void append(struct line *l, const char *format, ...) printf_like(2, 3);
static void append(struct line *l, const char *format, ...)
{
	size_t room = sizeof(l->text) - l->used;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(l->text + l->used, room, format, ap);
	va_end(ap);
	if (n > 0)
		l->used += (size_t)n < room ? (size_t)n : room - 1;
}

static void put_use(struct line *l, json_object *budget)
{
	char size[16];

	append(l, " %6s", json_member(budget, "used") ?
	       short_size(size, json_number(budget, "used")) : "-");
}

static void put_fps(struct line *l, json_object *row)
{
	json_object *fps = json_member(json_member(row, "rates"), "fps");
	size_t lit = length_of(json_member(row, "heads"));

	while (lit && !json_true(head_of(row, lit - 1), "active"))
		lit--;
	for (size_t i = 0; i < lit; i++) {
		if (!json_true(head_of(row, i), "active"))
			append(l, " -");
		else
			append(l, " %.0f", json_object_get_double(
				json_object_array_get_idx(fps, i)));
	}
}

/* Share of what all had, against what it is entitled to. */
static void put_share(struct line *l, json_object *row)
{
	json_object *entitled = json_member(json_member(row, "schedule"),
					    "entitlement");
	char text[16] = "-";

	if (entitled)
		snprintf(text, sizeof(text), "%.1f",
			 json_object_get_double(entitled) * 100);
	append(l, " %5.1f %5.1f/%-5s", rate(row, "gpu") * 100,
	       rate(row, "share") * 100, text);
}

static void put_schedule(struct line *l, json_object *row)
{
	json_object *schedule = json_member(row, "schedule");

	if (!schedule || !json_member(json_member(row, "rates"), "turns")) {
		append(l, " %5s %4s %4s %5s %5s", "-", "-", "-", "-", "-");
		return;
	}
	append(l, " %5.0f %4.1f %4.1f %5.1f %5.1f", rate(row, "turns"),
	       rate(row, "lentTime") * 100, rate(row, "borrowed") * 100,
	       (double)json_number(schedule, "overshoot") / 1e6,
	       rate(row, "wait") * 1e3);
}

/* One that does not run, or does not say, has its state instead. */
static const char *state_of(json_object *row)
{
	const char *state = json_string(row, "state");

	if (json_true(row, "stale"))
		return "stale";
	if (strcmp(state, "running"))
		return ctl_safe(state);
	return json_member(row, "rates") ? NULL : "running";
}

static void put_row(struct line *l, json_object *row)
{
	const char *state = state_of(row);

	append(l, "%-13.13s", ctl_safe(json_string(row, "name")));
	if (state) {
		append(l, " %-45s", state);
	} else {
		put_share(l, row);
		put_schedule(l, row);
	}
	put_use(l, json_member(row, "window"));
	put_use(l, json_member(row, "device"));
	if (!state)
		put_fps(l, row);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(json_string(*(json_object *const *)a, "name"),
		      json_string(*(json_object *const *)b, "name"));
}

static int by_gpu(const void *a, const void *b)
{
	double x = rate(*(json_object *const *)a, "gpu");
	double y = rate(*(json_object *const *)b, "gpu");

	return x > y ? -1 : x < y ? 1 : by_name(a, b);
}

void figures_table(json_object *now, enum figures_order order, size_t width,
		   figures_line *line, void *userdata)
{
	size_t count = length_of(json_member(now, "vgpus"));
	cleanup_free json_object **rows = calloc(count + 1, sizeof(*rows));
	struct line l = { .used = 0 };

	append(&l, "%-13s %5s %11s %5s %4s %4s %5s %5s %6s %6s FPS", "NAME",
	       "GPU%", "SHARE/ENTIT", "TURNS", "LEN%", "BOR%", "OVER", "WAIT",
	       "WINDOW", "DEVICE");
	if (width < sizeof(l.text))
		l.text[width] = '\0';
	line(userdata, l.text, true);
	if (!rows)
		return;
	for (size_t i = 0; i < count; i++)
		rows[i] = row_of(now, i);
	qsort(rows, count, sizeof(*rows),
	      order == FIGURES_BY_GPU ? by_gpu : by_name);
	for (size_t i = 0; i < count; i++) {
		l.used = 0;
		put_row(&l, rows[i]);
		if (width < sizeof(l.text))
			l.text[width] = '\0';
		line(userdata, l.text, false);
	}
}

void figures_print_line(json_object *now)
{
	puts(json_object_to_json_string_ext(now, JSON_C_TO_STRING_PLAIN |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
}

void figures_summary(json_object *now, char *out, size_t size)
{
	json_object *gpu = json_member(now, "gpu"), *row;
	json_object *memory = json_member(gpu, "memory");
	char used[SIZE_TEXT_MAX], limit[SIZE_TEXT_MAX];
	double busy = 0;

	for (size_t i = 0; (row = row_of(now, i)); i++)
		busy += rate(row, "gpu");
	snprintf(out, size, "%s: %s, %zu vGPUs, %.1f %% busy, %s of %s used",
		 ctl_safe(json_string(gpu, "name")),
		 ctl_safe(json_string(now, "policy")),
		 length_of(json_member(now, "vgpus")), busy * 100,
		 format_size(used, (uint64_t)json_number(memory, "used")),
		 format_size(limit, (uint64_t)json_number(memory, "limit")));
}
