/* SPDX-License-Identifier: MIT */
/*
 * What is known of a vGPU's use, for all who ask: Varlink calls and the meter
 * that Prometheus reads. Workers are asked at most once at a time and some
 * times a second, however many want to know, and nobody waits long for one
 * that does not answer: its last figures are stale then.
 */
#ifndef PVGPU_FIGURES_H
#define PVGPU_FIGURES_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/worker_link.h"

struct manager;
struct vgpu;

/* A vGPU's, kept with it. */
struct figures {
	struct worker_query_done live;	/* the worker's last word */
	pid_t worker;			/* whose; 0: of none so far */
	uint64_t time;			/* ns, CLOCK_MONOTONIC, when it came */
	struct worker_request *request;	/* it is being asked */
	bool late;			/* and has not answered in time */
};

struct figures_wait;
typedef void figures_done(void *userdata);

/* Asks the workers of all vGPUs, or of `only` (NULL: all), and calls `done`
 * from the event loop when their figures are new, or half a second later.
 * 0, 1 (they are new already, and `done` is not called), or -errno. */
int figures_gather(struct manager *manager, struct vgpu *only,
		   figures_done *done, void *userdata,
		   struct figures_wait **ret);
/* `done` will not be called. */
void figures_cancel(struct figures_wait *wait);

/* The worker that runs the vGPU now has given figures; NULL if not. */
const struct figures *figures_of(struct vgpu *vgpu);

/* A vGPU ends: nobody waits for it any more. */
void figures_drop(struct vgpu *vgpu);

#endif
