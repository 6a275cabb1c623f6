/* SPDX-License-Identifier: MIT */
/*
 * The copy class: rectangles of bytes copied and filled inside LINEAR
 * resources, in pieces, so that a long one holds nobody up.
 */
#ifndef PVGPU_WORKER_COPY_H
#define PVGPU_WORKER_COPY_H

#include "resource.h"

/* What one copy may hold of the worker's own memory, for areas that overlap
 * in a way that no order of copying gets right. */
#define COPY_BUFFER_MAX (64u << 20)

struct copy_area {
	struct resource_cursor cursor;
	uint64_t offset;		/* bytes, of the first one */
	uint64_t stride;
};

struct copy_job {
	enum copy_kind {
		COPY_NOTHING, COPY_FORWARD, COPY_BACKWARD,
		COPY_TO_BUFFER, COPY_FROM_BUFFER, COPY_PATTERN,
	} kind;
	struct copy_area src, dst;
	uint64_t row_bytes;
	uint64_t height;
	uint64_t row, column;		/* done so far, in copying order */
	uint8_t *buffer;		/* row_bytes * height */
	uint8_t pattern[4096];		/* of whole units */
	uint32_t unit;
};

/* Checks a request and readies the job; nothing is copied yet. */
struct verdict copy_rect_start(struct copy_job *job,
			       const struct resource_table *table,
			       struct resource *(*find)(void *, uint32_t),
			       void *context,
			       const struct pvgpu_copy_rect *request);
struct verdict copy_fill_start(struct copy_job *job,
			       struct resource *(*find)(void *, uint32_t),
			       void *context,
			       const struct pvgpu_copy_fill *request);
/* Goes on for about *budget bytes; true when done. */
bool copy_run(struct copy_job *job, const struct resource_table *table,
	      int64_t *budget);
/* Lets go of the buffer; a job that is done or given up. */
void copy_end(struct copy_job *job);

#endif
