// SPDX-License-Identifier: MIT
/* Figures as text for Prometheus; see metrics.h. One table has each metric's
 * name, type and help, and how it is written. */
#include "metrics.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "http.h"
#include "listener.h"
#include "manager.h"
#include "schedule.h"

#define PAGE_PATH "/metrics"

/* Of manager.h. */
struct metrics {
	struct http_address address;
	struct http *http;
};

struct asking {
	struct manager *manager;
	struct http_request *request;
	struct figures_wait *wait;
};

/* ------------------------------------------------------------------ text */

/* What there is to tell of one vGPU. */
struct row {
	struct vgpu *vgpu;
	const struct figures *figures;		/* NULL: none */
	const struct sched_figures *scheduled;	/* NULL: it is not */
};

enum metric_source { ALWAYS, LIVE, SCHEDULED };

struct metric {
	enum metric_source source;	/* what a row must have */
	const char *name;		/* without "pvgpu_" */
	const char *type;
	const char *help;
	/* Writes a row's samples. */
	void (*write)(FILE *out, const struct metric *metric,
		      const struct row *row);
	size_t offset;			/* of a u64 in what the source has */
	double unit;			/* that one of it is in the metric's */
};

/* Names and types of vGPUs, and the GPU's, need no escaping. */
static void begin(FILE *out, const struct metric *metric,
		  const struct row *row)
{
	fprintf(out, "pvgpu_%s{gpu=\"%s\",vgpu=\"%s\"", metric->name,
		row->vgpu->manager->config.gpu_name, row->vgpu->name);
}

static void put_number(FILE *out, const struct metric *metric,
		       const struct row *row, uint64_t value)
{
	begin(out, metric, row);
	if (metric->unit < 1)
		fprintf(out, "} %.9f\n", (double)value * metric->unit);
	else
		fprintf(out, "} %" PRIu64 "\n", value);
}

static void put_info(FILE *out, const struct metric *metric,
		     const struct row *row)
{
	begin(out, metric, row);
	fprintf(out, ",type=\"%s\",uuid=\"%s\"} 1\n", row->vgpu->type->name,
		row->vgpu->uuid);
}

static void put_state(FILE *out, const struct metric *metric,
		      const struct row *row)
{
	for (enum vgpu_state s = VGPU_WAITING; s <= VGPU_REPLACING; s++) {
		begin(out, metric, row);
		fprintf(out, ",state=\"%s\"} %d\n", vgpu_state_name(s),
			vgpu_state(row->vgpu) == s);
	}
}

static void put_stale(FILE *out, const struct metric *metric,
		      const struct row *row)
{
	put_number(out, metric, row, row->vgpu->figures.late);
}

static void put_window_limit(FILE *out, const struct metric *metric,
			     const struct row *row)
{
	put_number(out, metric, row, row->vgpu->limits.framebuffer);
}

static void put_device_limit(FILE *out, const struct metric *metric,
			     const struct row *row)
{
	put_number(out, metric, row, row->vgpu->limits.device_budget);
}

static void put_device_use(FILE *out, const struct metric *metric,
			   const struct row *row)
{
	const struct worker_query_done *q = &row->figures->live;
	const struct {
		const char *kind;
		uint64_t bytes;
	} uses[] = {
		{ "surfaces", q->device_surfaces },
		{ "contexts", q->device_contexts },
		{ "objects", q->device_objects },
		{ "shaders", q->device_shaders },
	};

	for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
		begin(out, metric, row);
		fprintf(out, ",kind=\"%s\"} %" PRIu64 "\n", uses[i].kind,
			uses[i].bytes);
	}
}

/* One u64 of what the source says. */
static void put_field(FILE *out, const struct metric *metric,
		      const struct row *row)
{
	const char *source = metric->source == LIVE ?
		(const char *)&row->figures->live :
		(const char *)row->scheduled;
	uint64_t value;

	memcpy(&value, source + metric->offset, sizeof(value));
	put_number(out, metric, row, value);
}

static void put_head_frames(FILE *out, const struct metric *metric,
			    const struct row *row)
{
	for (uint32_t i = 0; i < row->vgpu->limits.heads; i++) {
		begin(out, metric, row);
		fprintf(out, ",head=\"%u\"} %" PRIu64 "\n", i,
			row->figures->live.heads[i].frames);
	}
}

static void put_head_refresh(FILE *out, const struct metric *metric,
			     const struct row *row)
{
	for (uint32_t i = 0; i < row->vgpu->limits.heads; i++) {
		const struct worker_head_state *h =
			&row->figures->live.heads[i];

		begin(out, metric, row);
		fprintf(out, ",head=\"%u\"} %.3f\n", i,
			h->active ? (double)h->refresh / 1000 : 0);
	}
}

static void put_entitlement(FILE *out, const struct metric *metric,
			    const struct row *row)
{
	if (row->scheduled->entitlement)
		put_number(out, metric, row, row->scheduled->entitlement);
}

static void put_strikes(FILE *out, const struct metric *metric,
			const struct row *row)
{
	put_number(out, metric, row, row->scheduled->strikes);
}

static void put_held_back(FILE *out, const struct metric *metric,
			  const struct row *row)
{
	put_number(out, metric, row,
		   row->scheduled->state == SCHED_STATE_HELD_BACK);
}

#define OF_WORKER(field, unit) \
	put_field, offsetof(struct worker_query_done, field), unit
#define OF_SCHEDULE(field, unit) \
	put_field, offsetof(struct sched_figures, field), unit

/* A worker's counters begin at 0 when it is started, the scheduler's when a
 * QEMU connects. */
static const struct metric metrics[] = {
	{ ALWAYS, "vgpu_info", "gauge", "A vGPU that there is.",
	  put_info, 0, 1 },
	{ ALWAYS, "vgpu_state", "gauge", "1 for the state that it is in.",
	  put_state, 0, 1 },
	{ ALWAYS, "vgpu_stale", "gauge", "1 while the worker does not answer: "
	  "what it said is old.", put_stale, 0, 1 },
	{ ALWAYS, "window_limit_bytes", "gauge", "VRAM of the type.",
	  put_window_limit, 0, 1 },
	{ ALWAYS, "device_limit_bytes", "gauge", "What the renderer may hold "
	  "for the guest.", put_device_limit, 0, 1 },

	{ LIVE, "window_used_bytes", "gauge", "VRAM behind resources.",
	  OF_WORKER(window_used, 1) },
	{ LIVE, "window_peak_bytes", "gauge", "The most of it so far.",
	  OF_WORKER(window_peak, 1) },
	{ LIVE, "device_used_bytes", "gauge", "What the renderer holds for the "
	  "guest.", OF_WORKER(device_used, 1) },
	{ LIVE, "device_peak_bytes", "gauge", "The most of it so far.",
	  OF_WORKER(device_peak, 1) },
	{ LIVE, "device_kind_bytes", "gauge", "Of device_used_bytes, by what "
	  "it is for.", put_device_use, 0, 1 },
	{ LIVE, "gpu_time_seconds_total", "counter", "What batches took on "
	  "the GPU.", OF_WORKER(gpu_time, 1e-9) },
	{ LIVE, "batches_total", "counter", "Batches completed.",
	  OF_WORKER(batches, 1) },
	{ LIVE, "messages_total", "counter", "Control requests of the guest.",
	  OF_WORKER(messages, 1) },
	{ LIVE, "messages_refused_total", "counter", "Of them, refused.",
	  OF_WORKER(refused, 1) },
	{ LIVE, "doorbells_total", "counter", "Wake-ups by the guest.",
	  OF_WORKER(doorbells, 1) },
	{ LIVE, "interrupts_total", "counter", "Interrupts sent to the guest.",
	  OF_WORKER(interrupts, 1) },
	{ LIVE, "head_frames_total", "counter", "Frames latched.",
	  put_head_frames, 0, 1 },
	{ LIVE, "head_refresh_hertz", "gauge", "Of the head's mode; 0: it is "
	  "dark.", put_head_refresh, 0, 1 },

	{ SCHEDULED, "schedule_entitlement_ratio", "gauge", "Its part of the "
	  "GPU among those that want it.", put_entitlement, 0,
	  1.0 / SCHED_WHOLE },
	{ SCHEDULED, "schedule_used_seconds_total", "counter", "GPU time of "
	  "its grants.", OF_SCHEDULE(used, 1e-9) },
	{ SCHEDULED, "schedule_charged_seconds_total", "counter", "Of it, what "
	  "counts for its share.", OF_SCHEDULE(charged, 1e-9) },
	{ SCHEDULED, "schedule_borrowed_seconds_total", "counter", "Of it, in "
	  "others' time.", OF_SCHEDULE(borrowed, 1e-9) },
	{ SCHEDULED, "schedule_lent_seconds_total", "counter", "What others "
	  "borrowed in its time.", OF_SCHEDULE(lent_time, 1e-9) },
	{ SCHEDULED, "schedule_overshoot_seconds", "gauge", "Used beyond its "
	  "turns, to be paid back.", OF_SCHEDULE(overshoot, 1e-9) },
	{ SCHEDULED, "schedule_turns_total", "counter", "Turns that it had.",
	  OF_SCHEDULE(turns, 1) },
	{ SCHEDULED, "schedule_loans_taken_total", "counter", "Loans that it had.",
	  OF_SCHEDULE(loans, 1) },
	{ SCHEDULED, "schedule_loans_given_total", "counter", "Loans that it gave.",
	  OF_SCHEDULE(lent, 1) },
	{ SCHEDULED, "schedule_waits_total", "counter", "Waits for turns.",
	  OF_SCHEDULE(waits, 1) },
	{ SCHEDULED, "schedule_wait_seconds_total", "counter", "How long they "
	  "were.", OF_SCHEDULE(wait, 1e-9) },
	{ SCHEDULED, "schedule_strikes_total", "counter", "Batches beyond the "
	  "watchdog.", put_strikes, 0, 1 },
	{ SCHEDULED, "schedule_held_back", "gauge", "1 while it is held back "
	  "for them.", put_held_back, 0, 1 },
};

static void put_one(FILE *out, const struct manager *m, const char *name,
		    const char *help, uint64_t value)
{
	fprintf(out, "# HELP pvgpu_%s %s\n# TYPE pvgpu_%s gauge\n"
		"pvgpu_%s{gpu=\"%s\"} %" PRIu64 "\n", name, help, name, name,
		m->config.gpu_name, value);
}

static void put_metric(FILE *out, const struct metric *metric,
		       struct manager *m)
{
	fprintf(out, "# HELP pvgpu_%s %s\n# TYPE pvgpu_%s %s\n", metric->name,
		metric->help, metric->name, metric->type);
	for (struct vgpu *v = m->vgpus; v; v = v->next) {
		struct row row = { .vgpu = v, .figures = figures_of(v) };
		struct sched_figures scheduled;

		if (schedule_figures(v, &scheduled))
			row.scheduled = &scheduled;
		if ((metric->source != LIVE || row.figures) &&
		    (metric->source != SCHEDULED || row.scheduled))
			metric->write(out, metric, &row);
	}
}

/* NULL: out of memory. */
static char *make_text(struct manager *m, size_t *ret_size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_size);

	if (!out)
		return NULL;
	fputs("# HELP pvgpu_build_info The manager that runs.\n"
	      "# TYPE pvgpu_build_info gauge\n"
	      "pvgpu_build_info{version=\"" PVGPU_RELEASE "\"} 1\n", out);
	put_one(out, m, "gpu_memory_bytes", "What framebuffers of vGPUs may "
		"add up to.", m->config.gpu_memory);
	put_one(out, m, "gpu_memory_used_bytes", "What they do add up to.",
		manager_memory_used(m));
	put_one(out, m, "host_memory_bytes", "What windows may take of the "
		"host's RAM.", m->config.host_memory);
	for (size_t i = 0; i < ARRAY_SIZE(metrics); i++)
		put_metric(out, &metrics[i], m);
	if (ferror(out) | fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* --------------------------------------------------------------- serving */

static void reply(struct manager *m, struct http_request *request)
{
	size_t size = 0;
	char *text = make_text(m, &size);

	http_reply(request, text, size);
}

static void gathered(void *userdata)
{
	cleanup_free struct asking *a = userdata;

	reply(a->manager, a->request);
}

static void client_gone(void *pending)
{
	struct asking *a = pending;

	figures_cancel(a->wait);
	free(a);
}

static void wanted(void *userdata, struct http_request *request)
{
	struct manager *m = userdata;
	struct asking *a = calloc(1, sizeof(*a));
	int r = -ENOMEM;

	if (a) {
		*a = (struct asking){ .manager = m, .request = request };
		r = figures_gather(m, NULL, gathered, a, &a->wait);
	}
	if (!r) {
		http_later(request, a);
		return;
	}
	free(a);
	if (r < 0)
		http_reply(request, NULL, 0);
	else
		reply(m, request);
}

void metrics_close(struct manager *m)
{
	if (!m->metrics)
		return;
	http_free(m->metrics->http);
	free(m->metrics);
	m->metrics = NULL;
}

/* Whoever may use the control socket may read this one. */
static int share(const struct manager *m)
{
	const struct http_address *a = &m->config.metrics;

	return a->any.sa_family == AF_UNIX ?
	       socket_share(a->path.sun_path, m->config.socket_group) : 0;
}

int metrics_open(struct manager *m)
{
	const struct http_address *a = &m->config.metrics;
	const struct http_page page = {
		.path = PAGE_PATH,
		.type = "text/plain; version=0.0.4; charset=utf-8",
		.wanted = wanted, .gone = client_gone, .userdata = m,
	};
	struct metrics *new;
	int r;

	if (!a->size) {
		metrics_close(m);
		return 0;
	}
	if (m->metrics && !memcmp(&m->metrics->address, a, sizeof(*a)))
		return share(m);
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->address = *a;
	r = http_new(&new->http, m->event, a, &page);
	if (!r)
		r = share(m);
	if (r < 0) {
		log_error("metrics: %s%s",
			  strerror(-r), r == -EAFNOSUPPORT ?
			  "; its unit lets pvgpud have no ports: see "
			  "pvgpud.conf(5)" : "");
		http_free(new->http);
		free(new);
		return r;
	}
	metrics_close(m);
	m->metrics = new;
	return 0;
}
