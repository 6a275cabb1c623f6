// SPDX-License-Identifier: MIT
/* Asking workers for figures, and waiting for them; see figures.h. */
#include "figures.h"

#include <stdlib.h>

#include "common/clock.h"
#include "manager.h"

#define NEW_NSEC	20000000u	/* so old are new enough */
#define PATIENCE_USEC	500000u

struct figures_wait {
	struct manager *manager;
	struct figures_wait *next;
	struct vgpu *only;		/* NULL: all */
	sd_event_source *timer;
	figures_done *done;
	void *userdata;
};

const struct figures *figures_of(struct vgpu *v)
{
	const struct figures *f = &v->figures;

	return f->worker && vgpu_state(v) == VGPU_RUNNING &&
	       f->worker == worker_pid(v->worker) ? f : NULL;
}

void figures_cancel(struct figures_wait *wait)
{
	struct figures_wait **at = &wait->manager->figures_waits;

	while (*at != wait)
		at = &(*at)->next;
	*at = wait->next;
	sd_event_source_disable_unref(wait->timer);
	free(wait);
}

/* Whether an answer is still to come; one that is late is not waited for. */
static bool is_awaited(const struct figures_wait *wait, const struct vgpu *v)
{
	return (!wait->only || wait->only == v) && v->figures.request &&
	       !v->figures.late;
}

static bool is_over(const struct figures_wait *wait)
{
	const struct vgpu *v = wait->manager->vgpus;

	while (v && !is_awaited(wait, v))
		v = v->next;
	return !v;
}

/* Tells those whose figures are all there. */
static void settle(struct manager *m)
{
	struct figures_wait *wait = m->figures_waits;

	while (wait) {
		figures_done *done = wait->done;
		void *userdata = wait->userdata;

		if (!is_over(wait)) {
			wait = wait->next;
			continue;
		}
		figures_cancel(wait);
		done(userdata);
		wait = m->figures_waits;	/* others may have gone, too */
	}
}

static int patience_ends(sd_event_source *source, uint64_t usec,
			 void *userdata)
{
	struct figures_wait *wait = userdata;

	(void)source;
	(void)usec;
	for (struct vgpu *v = wait->manager->vgpus; v; v = v->next)
		if (is_awaited(wait, v))
			v->figures.late = true;
	settle(wait->manager);
	return 0;
}

static void answered(void *userdata, int error,
		     const union worker_message *message, int fd)
{
	struct vgpu *v = userdata;
	struct figures *f = &v->figures;

	(void)fd;	/* QUERY_DONE has none */
	f->request = NULL;
	f->late = error == -ETIMEDOUT;
	if (message) {
		f->live = message->query_done;
		f->worker = worker_pid(v->worker);
		f->time = clock_ns();
	}
	settle(v->manager);
}

static void ask(struct vgpu *v)
{
	struct figures *f = &v->figures;

	if (f->request || vgpu_state(v) != VGPU_RUNNING ||
	    (figures_of(v) && clock_ns() - f->time < NEW_NSEC))
		return;
	/* Where it cannot be asked, what it said last will do. */
	if (worker_ask(v->worker, WORKER_QUERY, 0, answered, v, &f->request) < 0)
		f->late = true;
}

int figures_gather(struct manager *m, struct vgpu *only, figures_done *done,
		   void *userdata, struct figures_wait **ret)
{
	struct figures_wait *wait;
	int r;

	for (struct vgpu *v = m->vgpus; v; v = v->next)
		if (!only || v == only)
			ask(v);
	wait = calloc(1, sizeof(*wait));
	if (!wait)
		return -ENOMEM;
	*wait = (struct figures_wait){
		.manager = m, .next = m->figures_waits, .only = only,
		.done = done, .userdata = userdata,
	};
	m->figures_waits = wait;
	r = sd_event_add_time_relative(m->event, &wait->timer, CLOCK_MONOTONIC,
				       PATIENCE_USEC, 0, patience_ends, wait);
	if (r < 0 || is_over(wait)) {
		figures_cancel(wait);
		return r < 0 ? r : 1;
	}
	*ret = wait;
	return 0;
}

void figures_drop(struct vgpu *v)
{
	struct figures *f = &v->figures;

	if (f->request)
		worker_request_cancel(f->request);
	f->request = NULL;
	for (struct figures_wait *w = v->manager->figures_waits; w; w = w->next)
		if (w->only == v)
			w->only = NULL;
	settle(v->manager);
}
