/* SPDX-License-Identifier: MIT */
/*
 * What a trace is made of: records of what happened when, in a memfd that its
 * writer shares with whoever wants the trace, while it is on. A file that is
 * full takes no more, and counts what it does not have.
 *
 * Whoever reads a file of a worker's has a stranger's bytes: each record is
 * copied once, and checked.
 */
#ifndef PVGPU_TRACE_H
#define PVGPU_TRACE_H

#include <stdint.h>

#include "clock.h"

enum trace_kind {
	TRACE_NONE,
	/* a worker's */
	TRACE_BATCH,		/* taken to fenced; id: fence, context: status */
	TRACE_DECODE,		/* made GL of; id: fence */
	TRACE_GPU,		/* on the GPU; id: fence. Channel 0: a picture
				 * that somebody looks at */
	TRACE_COMMIT,		/* carried out; context: mask of heads */
	TRACE_FLIP,		/* latched; id: the guest's number of it */
	TRACE_DOORBELL,		/* of the guest */
	TRACE_INTERRUPT,	/* to the guest */
	/* the manager's; `where` is the vGPU's place in the trace */
	TRACE_STATE,		/* from, to; context: enum sched_state */
	TRACE_WORKER,		/* one has begun */
	TRACE_KINDS,
};

/* Times are ns of CLOCK_MONOTONIC. */
struct trace_record {
	uint64_t begin;
	uint64_t end;		/* the same: it has no length */
	uint64_t id;
	uint32_t context;	/* a batch's: the guest's name of it */
	uint16_t kind;
	uint16_t where;		/* channel (from 1), head or vector */
};
_Static_assert(sizeof(struct trace_record) == 32, "32 bytes a record");

#define TRACE_RECORDS	262143u

struct trace_file {
	uint64_t taken;		/* records, those that had no room too */
	uint64_t reserved[3];
	struct trace_record records[TRACE_RECORDS];
};
_Static_assert(sizeof(struct trace_file) == 8u << 20, "8 MiB");

/* One writer at a time. */
static inline void trace_put(struct trace_file *file,
			     const struct trace_record *record)
{
	uint64_t n = file->taken++;

	if (n < TRACE_RECORDS)
		file->records[n] = *record;
}

#endif
