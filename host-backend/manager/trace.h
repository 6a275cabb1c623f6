/* SPDX-License-Identifier: MIT */
/*
 * One trace at a time, of all vGPUs or of one: a file (common/trace.h) for each
 * vGPU's workers, one after the other, and one for what the scheduler decides
 * here. What workers write is not looked at here.
 */
#ifndef PVGPU_MANAGER_TRACE_H
#define PVGPU_MANAGER_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "common/fdpass.h"

#define TRACE_VGPUS_MAX	(FDPASS_MAX - 1u)	/* with the schedule's file */
#define TRACE_USEC_MAX	(600 * 1000000ull)

struct manager;
struct trace;
struct vgpu;

/* It is over: files are complete, but for those of workers that hang. Freed
 * after this. */
typedef void trace_done(void *userdata, const struct trace *trace);

/* Traces for so long. 0; -EBUSY: somebody does; -E2BIG: there are more than
 * TRACE_VGPUS_MAX; -ENOENT: there are none; or -errno. */
int trace_begin(struct manager *manager, struct vgpu *only, uint64_t usec,
		trace_done *done, void *userdata);
/* Ends it now; `done` is not called. */
void trace_cancel(struct manager *manager);

/* ns of CLOCK_MONOTONIC. */
uint64_t trace_began(const struct trace *trace);
uint64_t trace_ended(const struct trace *trace);
/* The schedule's file; its `where` is the number of a vGPU here. */
int trace_schedule_fd(const struct trace *trace);
size_t trace_count(const struct trace *trace);
const char *trace_name(const struct trace *trace, size_t i);
int trace_fd(const struct trace *trace, size_t i);

/* For vgpu.c: a worker has begun, the vGPU ends. For schedule.c: something was
 * decided. Nothing while no trace is on. */
void trace_worker_ready(struct vgpu *vgpu);
void trace_leave(struct vgpu *vgpu);
void trace_scheduled(struct manager *manager);

#endif
