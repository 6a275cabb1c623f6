// SPDX-License-Identifier: MIT
/* The scheduler on the event loop; see schedule.h. */
#include "schedule.h"

#include <string.h>
#include <time.h>

#include "common/log.h"
#include "manager.h"

struct schedule {
	struct manager *manager;
	struct sched *sched;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SCHED_SECOND + (uint64_t)t.tv_nsec;
}

int schedule_new(struct manager *m)
{
	struct sched_config config = sched_config_default(1);
	struct schedule *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	r = sched_new(&config, &s->sched);
	if (r < 0) {
		free(s);
		return r;
	}
	s->manager = m;
	m->schedule = s;
	return 0;
}

void schedule_free(struct manager *m)
{
	if (!m->schedule)
		return;
	sched_free(m->schedule->sched);
	free(m->schedule);
	m->schedule = NULL;
}

const struct sched_config *schedule_config(const struct manager *m)
{
	return sched_config(m->schedule->sched);
}

/* Of all vGPUs, there or not, if one had `params`. */
static uint64_t shares(const struct manager *m, const struct vgpu *one,
		       const struct sched_params *params)
{
	uint64_t sum = 0;

	for (const struct vgpu *v = m->vgpus; v; v = v->next)
		sum += v == one ? params->share : v->sched_params.share;
	return sum;
}

/* Those that found no room before. */
static void join_all(struct manager *m)
{
	for (struct vgpu *v = m->vgpus; v; v = v->next)
		if (v->waits_for_share)
			schedule_join(v);
}

int schedule_configure(struct manager *m, const struct sched_config *config)
{
	int r;

	if (config->policy == SCHED_FIXED_SHARE &&
	    shares(m, NULL, NULL) > SCHED_WHOLE)
		return -ENOSPC;
	r = sched_configure(m->schedule->sched, config, now_ns());
	if (!r)
		join_all(m);
	return r;
}

const struct sched_params *schedule_params(const struct vgpu *v)
{
	return &v->sched_params;
}

int schedule_set(struct vgpu *v, const struct sched_params *params)
{
	struct manager *m = v->manager;
	int r = 0;

	if (sched_params_wrong(params))
		return -EINVAL;
	if (schedule_config(m)->policy == SCHED_FIXED_SHARE &&
	    shares(m, v, params) > SCHED_WHOLE)
		return -ENOSPC;
	if (v->scheduled)
		r = sched_set(m->schedule->sched, v->scheduled, params,
			      now_ns());
	if (r < 0)
		return r;
	v->sched_params = *params;
	join_all(m);
	return 0;
}

bool schedule_figures(const struct vgpu *v, struct sched_figures *ret)
{
	if (!v->scheduled)
		return false;
	*ret = sched_figures(v->manager->schedule->sched, v->scheduled);
	return true;
}

void schedule_join(struct vgpu *v)
{
	struct schedule *s = v->manager->schedule;
	int r;

	if (v->scheduled)
		return;
	r = sched_add(s->sched, &v->sched_params, v, now_ns(), &v->scheduled);
	v->waits_for_share = r < 0;
	if (r == -ENOSPC)
		log_error("%s: no share of the GPU is left for it: it renders "
			  "nothing until there is", v->name);
	else if (r < 0)
		log_error("%s: not scheduled: %s", v->name, strerror(-r));
}

void schedule_leave(struct vgpu *v)
{
	struct manager *m = v->manager;

	v->waits_for_share = false;
	if (!v->scheduled)
		return;
	sched_remove(m->schedule->sched, v->scheduled, now_ns());
	v->scheduled = NULL;
	join_all(m);
}
