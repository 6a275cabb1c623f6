// SPDX-License-Identifier: MIT
/* The renderer's thread: its queues, its loop; see renderer.h. */
#include "renderer.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "common/log.h"
#include "common/util.h"
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

/* The first one, or NULL. */
static struct job *take(struct job **first, struct job ***end)
{
	struct job *job = *first;

	if (job) {
		*first = job->next;
		if (!*first)
			*end = first;
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

static void finished(void *context, struct job *job)
{
	struct renderer *r = context;
	bool first;

	pthread_mutex_lock(&r->lock);
	first = !r->done;
	append(&r->done_end, job);
	pthread_mutex_unlock(&r->lock);
	if (first)
		kick(r->done_fd);
}

/* What comes next, by the rule of renderer.h; the lock is held. */
static struct job *next_job(struct renderer *r)
{
	struct job *job = take(&r->lane, &r->lane_end);

	if (job) {
		r->lane_count--;
		return job;
	}
	for (uint32_t i = 0; i < PVGPU_MAX_CHANNELS; i++) {
		uint32_t n = (r->turn + i) % PVGPU_MAX_CHANNELS;

		job = take(&r->batches[n], &r->batches_end[n]);
		if (job) {
			r->turn = (n + 1) % PVGPU_MAX_CHANNELS;
			return job;
		}
	}
	return NULL;
}

static void start(struct renderer *r)
{
	struct renderer_info info = { 0 };
	struct render *render = render_start(&r->gpu, r->ledger, finished,
					     r, &info);
	int ret = sandbox_seal();

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

/* Waits for jobs and for fences, and serves the fences. */
static void wait_for_work(struct renderer *r, bool more)
{
	struct pollfd fds[2] = {
		{ .fd = r->work_fd, .events = POLLIN },
		{ .fd = r->render ? render_fd(r->render) : -1,
		  .events = POLLIN },
	};

	if (poll(fds, 2, more ? 0 : -1) <= 0)
		return;
	if (fds[0].revents)
		drain(r->work_fd);
	if (fds[1].revents)
		render_poll(r->render);
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
			      struct ledger *ledger)
{
	struct renderer *r = calloc(1, sizeof(*r));
	pthread_condattr_t monotonic;
	pthread_attr_t attr;
	int ret = ENOMEM;

	if (!r)
		return NULL;
	r->gpu = *gpu;
	r->ledger = ledger;
	r->lane_end = &r->lane;
	r->done_end = &r->done;
	for (uint32_t i = 0; i < PVGPU_MAX_CHANNELS; i++)
		r->batches_end[i] = &r->batches[i];
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
	free_jobs(r->lane);
	free_jobs(r->done);
	for (uint32_t i = 0; i < PVGPU_MAX_CHANNELS; i++)
		free_jobs(r->batches[i]);
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
	append(&r->lane_end, job);
	r->lane_count++;
	pthread_mutex_unlock(&r->lock);
	kick(r->work_fd);
}

void renderer_batch(struct renderer *r, struct job *job)
{
	uint32_t n = job->channel - 1;

	pthread_mutex_lock(&r->lock);
	append(&r->batches_end[n], job);
	pthread_mutex_unlock(&r->lock);
	kick(r->work_fd);
}

bool renderer_has_room(struct renderer *r)
{
	bool room;

	pthread_mutex_lock(&r->lock);
	room = r->lane_count < LANE_MAX;
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

	while ((job = take(&r->done, &r->done_end)))
		append(&end, job);
	while ((job = next_job(r)))
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
