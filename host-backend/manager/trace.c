// SPDX-License-Identifier: MIT
/* The trace that is on; see trace.h. */
#include "trace.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/log.h"
#include "common/trace.h"
#include "manager.h"
#include "schedule.h"

struct traced {
	struct trace *trace;
	struct vgpu *vgpu;		/* NULL: it has ended */
	char name[VGPU_NAME_MAX + 1];
	int fd;
	struct worker_request *request;	/* its worker is to stop */
	enum sched_state state;		/* SCHED_STATE_IDLE: nothing to tell */
	uint64_t since;
};

struct trace {
	struct manager *manager;
	sd_event_source *timer;		/* its end */
	trace_done *done;
	void *userdata;
	uint64_t began, ended;
	struct trace_file *schedule;
	int schedule_fd;
	size_t count;
	struct traced vgpus[];
};

/* ------------------------------------------------------------------ files */

static int make_file(const char *name)
{
	cleanup_fd int fd = -1;
	char label[64];

	snprintf(label, sizeof(label), "pvgpu-trace-%s", name);
	fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, sizeof(struct trace_file)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
				   F_SEAL_SEAL) < 0)
		return -errno;
	return take_fd(&fd);
}

static void free_trace(struct trace *t)
{
	if (!t)
		return;
	sd_event_source_disable_unref(t->timer);
	if (t->schedule)
		munmap(t->schedule, sizeof(*t->schedule));
	close_fd(t->schedule_fd);
	for (size_t i = 0; i < t->count; i++)
		close_fd(t->vgpus[i].fd);
	free(t);
}

static int make_schedule_file(struct trace *t)
{
	void *at;

	t->schedule_fd = make_file("schedule");
	if (t->schedule_fd < 0)
		return t->schedule_fd;
	at = mmap(NULL, sizeof(*t->schedule), PROT_READ | PROT_WRITE,
		  MAP_SHARED, t->schedule_fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	t->schedule = at;
	return 0;
}

static int add_vgpu(struct trace *t, struct vgpu *v)
{
	struct traced *one = &t->vgpus[t->count];

	*one = (struct traced){ .trace = t, .vgpu = v,
				.fd = make_file(v->name) };
	if (one->fd < 0)
		return one->fd;
	memcpy(one->name, v->name, sizeof(one->name));
	t->count++;
	return 0;
}

/* --------------------------------------------------------------- schedule */

/* What it was in until now, it is no more. */
static void end_state(struct trace *t, struct traced *one, uint64_t now)
{
	const struct trace_record record = {
		.begin = one->since, .end = now, .context = one->state,
		.kind = TRACE_STATE, .where = (uint16_t)(one - t->vgpus),
	};

	if (one->state != SCHED_STATE_IDLE)
		trace_put(t->schedule, &record);
}

static void note_state(struct trace *t, struct traced *one, uint64_t now)
{
	struct sched_figures f = { .state = SCHED_STATE_IDLE };

	if (one->vgpu)
		schedule_figures(one->vgpu, &f);
	if (f.state == one->state)
		return;
	end_state(t, one, now);
	one->state = f.state;
	one->since = now;
}

void trace_scheduled(struct manager *m)
{
	struct trace *t = m->trace;
	uint64_t now;

	if (!t || t->ended)
		return;
	now = clock_ns();
	for (size_t i = 0; i < t->count; i++)
		note_state(t, &t->vgpus[i], now);
}

static void note_worker(struct traced *one)
{
	const uint64_t now = clock_ns();
	const struct trace_record record = {
		.begin = now, .end = now, .kind = TRACE_WORKER,
		.where = (uint16_t)(one - one->trace->vgpus),
	};

	trace_put(one->trace->schedule, &record);
}

/* -------------------------------------------------------------------- end */

/* Nobody waits for the answer. */
static void forget(void *userdata, int error,
		   const union worker_message *message, int fd)
{
	(void)userdata, (void)error, (void)message, (void)fd;
}

static void ask_to_stop(struct traced *one, worker_answer *answer,
			struct worker_request **ret)
{
	const struct vgpu *v = one->vgpu;

	if (v && v->worker &&
	    worker_ask(v->worker, WORKER_TRACE_STOP, 0, answer, one, ret) < 0)
		log_debug("%s: not told that the trace is over", v->name);
}

static void finish_if_stopped(struct trace *t)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->vgpus[i].request)
			return;
	t->manager->trace = NULL;
	t->done(t->userdata, t);
	free_trace(t);
}

static void stopped(void *userdata, int error,
		    const union worker_message *message, int fd)
{
	struct traced *one = userdata;

	(void)message, (void)fd;
	if (error == -ETIMEDOUT)
		log_warning("%s: its worker does not end the trace",
			    one->name);
	one->request = NULL;
	finish_if_stopped(one->trace);
}

static int time_is_up(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct trace *t = userdata;

	(void)source;
	(void)usec;
	trace_scheduled(t->manager);
	t->ended = clock_ns();
	for (size_t i = 0; i < t->count; i++) {
		end_state(t, &t->vgpus[i], t->ended);
		ask_to_stop(&t->vgpus[i], stopped, &t->vgpus[i].request);
	}
	finish_if_stopped(t);
	return 0;
}

void trace_cancel(struct manager *m)
{
	struct trace *t = m->trace;
	struct worker_request *ignored;

	if (!t)
		return;
	m->trace = NULL;
	for (size_t i = 0; i < t->count; i++) {
		if (t->vgpus[i].request)
			worker_request_cancel(t->vgpus[i].request);
		else
			ask_to_stop(&t->vgpus[i], forget, &ignored);
	}
	free_trace(t);
}

/* ------------------------------------------------------------------ begin */

int trace_begin(struct manager *m, struct vgpu *only, uint64_t usec,
		trace_done *done, void *userdata)
{
	size_t count = 0;
	struct trace *t;
	int r;

	if (m->trace)
		return -EBUSY;
	for (const struct vgpu *v = m->vgpus; v; v = v->next)
		count += !only || v == only;
	if (!count)
		return -ENOENT;
	if (count > TRACE_VGPUS_MAX)
		return -E2BIG;
	t = calloc(1, sizeof(*t) + count * sizeof(t->vgpus[0]));
	if (!t)
		return -ENOMEM;
	t->manager = m;
	t->done = done;
	t->userdata = userdata;
	t->began = clock_ns();
	r = make_schedule_file(t);
	for (struct vgpu *v = m->vgpus; v && !r; v = v->next)
		if (!only || v == only)
			r = add_vgpu(t, v);
	if (!r)
		r = sd_event_add_time_relative(m->event, &t->timer,
			CLOCK_MONOTONIC, usec, 0, time_is_up, t);
	if (r < 0) {
		free_trace(t);
		return r;
	}
	m->trace = t;
	for (size_t i = 0; i < t->count; i++)
		if (vgpu_state(t->vgpus[i].vgpu) == VGPU_RUNNING)
			trace_worker_ready(t->vgpus[i].vgpu);
	trace_scheduled(m);
	return 0;
}

static struct traced *find(struct manager *m, const struct vgpu *v)
{
	for (size_t i = 0; m->trace && i < m->trace->count; i++)
		if (m->trace->vgpus[i].vgpu == v)
			return &m->trace->vgpus[i];
	return NULL;
}

void trace_worker_ready(struct vgpu *v)
{
	struct traced *one = find(v->manager, v);
	int r;

	if (!one || one->trace->ended)
		return;
	r = worker_trace(v->worker, one->fd);
	if (r < 0)
		log_warning("%s: its worker is not traced: %s", v->name,
			    strerror(-r));
	/* One that was there before has not begun now. */
	if (v->started * 1000 >= one->trace->began)
		note_worker(one);
}

void trace_leave(struct vgpu *v)
{
	struct traced *one = find(v->manager, v);

	if (!one)
		return;
	one->vgpu = NULL;
	trace_scheduled(v->manager);
}

/* ------------------------------------------------------------------- reply */

uint64_t trace_began(const struct trace *t)
{
	return t->began;
}

uint64_t trace_ended(const struct trace *t)
{
	return t->ended;
}

int trace_schedule_fd(const struct trace *t)
{
	return t->schedule_fd;
}

size_t trace_count(const struct trace *t)
{
	return t->count;
}

const char *trace_name(const struct trace *t, size_t i)
{
	return t->vgpus[i].name;
}

int trace_fd(const struct trace *t, size_t i)
{
	return t->vgpus[i].fd;
}
