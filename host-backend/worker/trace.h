/* SPDX-License-Identifier: MIT */
/*
 * What a worker traces, while the manager has a trace on. Off, which is nearly
 * always, a place that could be traced costs one branch, and reads no clock.
 *
 * Threads: the ring thread only. The renderer's thread leaves its times in a
 * job that is marked as traced.
 */
#ifndef PVGPU_WORKER_TRACE_H
#define PVGPU_WORKER_TRACE_H

#include <stdbool.h>

#include "common/trace.h"

struct batch;
struct channel;
struct job;
struct worker;

struct trace {
	struct trace_file *file;	/* NULL: off */
	uint64_t since;			/* ns; since it is on */
};

static inline bool trace_on(const struct trace *trace)
{
	return __builtin_expect(trace->file != NULL, false);
}

/* Goes on with the manager's file, where a worker before this one left off;
 * the descriptor stays the caller's. 0 or -errno. */
int trace_start(struct trace *trace, int fd);
void trace_stop(struct trace *trace);

/* While it is on: something of no length, now; */
void trace_event(struct trace *trace, enum trace_kind kind, uint32_t where,
		 uint64_t id);
/* a commit that began at `begin` is carried out; */
void trace_commit(struct trace *trace, uint64_t begin, uint32_t heads);
/* a batch was answered; */
void trace_batch(struct trace *trace, const struct channel *channel,
		 const struct batch *batch);
/* the renderer is done with a job, whose batch, if it has one, is not ended. */
void trace_job(struct trace *trace, const struct job *job);

#endif
