// SPDX-License-Identifier: MIT
/* The renderer's thread: its queues, its loop; see renderer.h. */
#include "renderer.h"

#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "common/log.h"
#include "common/util.h"
#include "grants.h"
#include "render.h"
#include "sandbox.h"

/* LLVM compiles shaders on it. */
#define STACK_SIZE (8u << 20)

struct job *job_new(enum job_kind kind, uint32_t pieces)
{
	struct job *job = calloc(1, sizeof(*job) +
				 pieces * sizeof(job->pieces[0]));

	if (job) {
		job->kind = kind;
		job->count = pieces;
	}
	return job;
}

void job_free(struct job *job)
{
	if (job && job->kind == JOB_READ_BACK)
		free(job->read_back.pixels);
	free(job);
}

static void append(struct job ***end, struct job *job)
{
	job->next = NULL;
	**end = job;
	*end = &job->next;
}

static void put(struct job_queue *q, struct job *job)
{
	append(&q->end, job);
	q->count++;
}

/* The first one, or NULL. */
static struct job *take(struct job_queue *q)
{
	struct job *job = q->first;

	if (job) {
		q->first = job->next;
		if (!--q->count)
			q->end = &q->first;
	}
	return job;
}

static void kick(int fd)
{
	static const uint64_t one = 1;

	/* A full counter says the same. */
	if (write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error("eventfd: %m");
}

static void drain(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_error("eventfd: %m");
}

/* ------------------------------------------------ the renderer's thread */

/* In the order in which they were submitted. */
static void account(struct renderer *r, struct job *job)
{
	uint64_t took = grants_fenced(r->grants);

	job->granted = false;
	job->gpu_time = took;
	job->ended = r->grants->gate.last_fence;
	if (!job->context || refused(job->verdict))
		return;
	atomic_fetch_add(&job->context->busy, took);
	atomic_fetch_add(&job->context->batches, 1);
}

static void finished(void *context, struct job *job)
{
	struct renderer *r = context;
	bool first;

	if (job->granted)
		account(r, job);
	pthread_mutex_lock(&r->lock);
	first = !r->done;
	append(&r->done_end, job);
	pthread_mutex_unlock(&r->lock);
	if (first)
		kick(r->done_fd);
}

/* Done as soon as it is looked at. */
static bool is_free(const struct job *job)
{
	return job->kind == JOB_NOP ||
	       (job->kind == JOB_READ_BACK && !job->rendered) ||
	       (job->context && (job->context->gone ||
				 atomic_load(&job->context->lost)));
}

/* The lane goes first: pictures of what it is about to destroy are of
 * nothing. */
static void forget_pictures(struct renderer *r, const struct rendered *gone)
{
	struct job *job = r->batches[RENDERER_PICTURES - 1].first;

	for (; job; job = job->next)
		if (job->rendered == gone)
			job->rendered = NULL;
}

/* What comes next, by the rule of renderer.h; the lock is held. */
static struct job *next_job(struct renderer *r)
{
	struct job *job = take(&r->lane);
	int channel;

	if (job && job->kind == JOB_RESOURCE_DESTROY)
		forget_pictures(r, job->rendered);
	if (job)
		return job;
	for (uint32_t n = 0; n < RENDERER_PICTURES; n++)
		if (r->batches[n].first && is_free(r->batches[n].first))
			return take(&r->batches[n]);
	for (uint32_t n = 0; n < RENDERER_PICTURES - 1; n++)
		if (r->batches[n].first)
			grants_set_priority(r->grants, n,
					    r->batches[n].first->priority);
	/* More first: none must look idle for having changed channels. */
	for (uint32_t n = 0; n < RENDERER_PICTURES; n++)
		grants_set_ready(r->grants, n, r->batches[n].count, true);
	for (uint32_t n = 0; n < RENDERER_PICTURES; n++)
		grants_set_ready(r->grants, n, r->batches[n].count, false);
	channel = grants_submit(r->grants);
	if (channel < 0)
		return NULL;
	job = take(&r->batches[channel]);
	job->granted = true;
	return job;
}

/* A batch takes and gives back about a megabyte, in pieces of all sizes. By
 * default malloc hands that to the kernel each time, until it has learnt not to:
 * hundreds of page faults a batch, and five times the time for small draws. */
static void keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, 4 << 20);
	mallopt(M_TRIM_THRESHOLD, 32 << 20);
}

static void start(struct renderer *r)
{
	struct renderer_info info = { 0 };
	struct render *render = render_start(&r->gpu, r->ledger, finished,
					     r, &info);
	int ret = sandbox_seal();

	keep_memory();
	/* Started or not: what it is loaded from is not needed again. */
	if (ret && render) {
		log_error("cannot shut the sandbox behind the renderer: %s",
			  strerror(-ret));
		render_stop(render);
		render = NULL;
	}
	info.started = render != NULL;
	info.failed = !render;
	if (!render)
		strcpy(info.name, RENDERER_NONE);
	r->render = render;
	pthread_mutex_lock(&r->lock);
	r->info = info;
	pthread_mutex_unlock(&r->lock);
}

/* Waits for jobs, fences and grants, and serves fences and grants. */
static void wait_for_work(struct renderer *r, bool more)
{
	static const struct timespec at_once;
	struct timespec room;
	struct pollfd fds[] = {
		{ .fd = r->work_fd, .events = POLLIN },
		{ .fd = r->render ? render_fd(r->render) : -1,
		  .events = POLLIN },
		{ .fd = r->grants->bell, .events = POLLIN },
		{ .fd = r->grants->go, .events = POLLIN },
	};

	if (ppoll(fds, ARRAY_SIZE(fds), more ? &at_once :
		  grants_timeout(r->grants, &room), NULL) > 0) {
		if (fds[0].revents)
			drain(r->work_fd);
		if (fds[1].revents)
			render_poll(r->render);
		if (fds[2].revents || fds[3].revents)
			grants_hear(r->grants);
	}
	grants_step(r->grants);
}

static void *renderer_run(void *context)
{
	struct renderer *r = context;
	bool stop = false;

	while (!stop) {
		struct job *job = NULL;
		bool reset;

		pthread_mutex_lock(&r->lock);
		reset = r->reset;
		stop = r->stop;
		if (!reset && !stop)
			job = next_job(r);
		pthread_mutex_unlock(&r->lock);
		if (reset) {
			if (r->render)
				render_reset(r->render);
			pthread_mutex_lock(&r->lock);
			r->reset = false;
			pthread_cond_signal(&r->idle);
			pthread_mutex_unlock(&r->lock);
			continue;
		}
		if (job && !r->render && !r->info.failed)
			start(r);
		if (job && r->render) {
			render_job(r->render, job);
		} else if (job) {
			job->verdict = verdict(PVGPU_STATUS_NO_MEMORY, 0);
			finished(r, job);
		}
		if (!stop)
			wait_for_work(r, job);
	}
	if (r->render)
		render_stop(r->render);
	return NULL;
}

/* ------------------------------------------------------- the ring thread */

struct renderer *renderer_new(const struct gpu_device *gpu,
			      struct ledger *ledger, struct grants *grants)
{
	struct renderer *r = calloc(1, sizeof(*r));
	pthread_condattr_t monotonic;
	pthread_attr_t attr;
	int ret = ENOMEM;

	if (!r)
		return NULL;
	r->gpu = *gpu;
	r->ledger = ledger;
	r->grants = grants;
	r->lane.end = &r->lane.first;
	r->done_end = &r->done;
	for (uint32_t n = 0; n < RENDERER_PICTURES; n++)
		r->batches[n].end = &r->batches[n].first;
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&r->idle, &monotonic);
	pthread_condattr_destroy(&monotonic);
	r->work_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->work_fd >= 0 && r->done_fd >= 0) {
		pthread_attr_init(&attr);
		pthread_attr_setstacksize(&attr, STACK_SIZE);
		ret = pthread_create(&r->thread, &attr, renderer_run, r);
		pthread_attr_destroy(&attr);
	} else {
		ret = errno;
	}
	if (!ret)
		return r;
	close_fd(r->work_fd);
	close_fd(r->done_fd);
	pthread_cond_destroy(&r->idle);
	pthread_mutex_destroy(&r->lock);
	free(r);
	errno = ret;
	return NULL;
}

static void free_jobs(struct job *job)
{
	while (job) {
		struct job *next = job->next;

		job_free(job);
		job = next;
	}
}

void renderer_free(struct renderer *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_mutex_unlock(&r->lock);
	kick(r->work_fd);
	pthread_join(r->thread, NULL);
	free_jobs(r->lane.first);
	free_jobs(r->done);
	for (uint32_t n = 0; n < RENDERER_PICTURES; n++)
		free_jobs(r->batches[n].first);
	for (size_t i = 0; i < ARRAY_SIZE(r->info.capset); i++)
		free(r->info.capset[i]);
	close_fd(r->work_fd);
	close_fd(r->done_fd);
	pthread_cond_destroy(&r->idle);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void renderer_lane(struct renderer *r, struct job *job)
{
	pthread_mutex_lock(&r->lock);
	put(&r->lane, job);
	pthread_mutex_unlock(&r->lock);
	kick(r->work_fd);
}

void renderer_batch(struct renderer *r, struct job *job)
{
	uint32_t n = job->channel - 1;

	pthread_mutex_lock(&r->lock);
	put(&r->batches[n], job);
	pthread_mutex_unlock(&r->lock);
	kick(r->work_fd);
}

bool renderer_has_room(struct renderer *r)
{
	bool room;

	pthread_mutex_lock(&r->lock);
	room = r->lane.count < LANE_MAX;
	pthread_mutex_unlock(&r->lock);
	return room;
}

struct job *renderer_done(struct renderer *r)
{
	struct job *jobs;

	drain(r->done_fd);
	pthread_mutex_lock(&r->lock);
	jobs = r->done;
	r->done = NULL;
	r->done_end = &r->done;
	pthread_mutex_unlock(&r->lock);
	return jobs;
}

struct renderer_info renderer_info(struct renderer *r)
{
	struct renderer_info info;

	pthread_mutex_lock(&r->lock);
	info = r->info;
	pthread_mutex_unlock(&r->lock);
	return info;
}

/* All that is queued or done, one list; the lock is held. */
static struct job *take_all(struct renderer *r)
{
	struct job *all = NULL, **end = &all, *job;

	*end = r->done;
	end = r->done ? r->done_end : end;
	r->done = NULL;
	r->done_end = &r->done;
	while ((job = take(&r->lane)))
		append(&end, job);
	for (uint32_t n = 0; n < RENDERER_PICTURES; n++)
		while ((job = take(&r->batches[n])))
			append(&end, job);
	return all;
}

int renderer_reset(struct renderer *r, uint32_t timeout_ms,
		   struct job **ret_jobs)
{
	struct job *queued, *done, **end;
	struct timespec until;
	int ret = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&r->lock);
	queued = take_all(r);
	r->reset = true;
	kick(r->work_fd);
	while (r->reset && !ret)
		ret = pthread_cond_timedwait(&r->idle, &r->lock, &until);
	done = take_all(r);
	pthread_mutex_unlock(&r->lock);
	for (end = &queued; *end; end = &(*end)->next)
		;
	*end = done;
	*ret_jobs = queued;
	return -ret;
}
