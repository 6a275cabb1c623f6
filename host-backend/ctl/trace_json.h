/* SPDX-License-Identifier: MIT */
/*
 * A trace as Chrome's trace-event JSON, which Perfetto opens: one process for
 * each vGPU, with threads and asynchronous events for what is traced.
 */
#ifndef PVGPU_CTL_TRACE_JSON_H
#define PVGPU_CTL_TRACE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/fdpass.h"
#include "common/trace.h"

struct trace_json {
	FILE *out;
	uint64_t began, ended;		/* ns; what is not between is dropped */
	bool any;			/* an event was written */
	uint64_t named[FDPASS_MAX];	/* by vGPU: bits of its tracks */
	uint64_t written;		/* records, */
	uint64_t lost;			/* with no room in their file, */
	uint64_t bad;			/* and that make no sense */
};

void trace_json_begin(struct trace_json *t);
/* A vGPU, numbered from 1, below FDPASS_MAX. The name is the daemon's, and printable. */
void trace_json_vgpu(struct trace_json *t, unsigned int vgpu,
		     const char *name);
/* The file of a vGPU's workers (vgpu: its number), or the schedule's (0). */
void trace_json_file(struct trace_json *t, unsigned int vgpu,
		     const struct trace_file *file, unsigned int vgpus);
void trace_json_end(struct trace_json *t);

#endif
