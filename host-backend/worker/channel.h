/* SPDX-License-Identifier: MIT */
/*
 * Channels: a submission queue of one class, and its fence. A class is a
 * table of operations; what a batch does is between the class and its state
 * here, how batches are taken, bounded, fenced and answered is common.
 */
#ifndef PVGPU_WORKER_CHANNEL_H
#define PVGPU_WORKER_CHANNEL_H

#include "copy.h"
#include "verdict.h"

struct worker;
struct channel;

struct channel_op {
	uint16_t opcode;
	uint32_t min_size;		/* of the message, bytes */
	uint32_t max_size;
	/* Checks the batch and keeps what running it needs. */
	struct verdict (*start)(struct worker *w, struct channel *c,
				const void *message, uint32_t length);
};

struct channel_class {
	uint32_t class_id;		/* PVGPU_CHANNEL_* */
	uint64_t feature;		/* to be granted at attach */
	const struct channel_op *ops;
	size_t op_count;
	struct verdict (*open)(struct worker *w, struct channel *c);
	void (*close)(struct worker *w, struct channel *c);
	/* Goes on with the batch that was started, for about *budget bytes,
	 * which it lowers. Returns whether it is done. */
	bool (*run)(struct worker *w, struct channel *c, int64_t *budget);
};

struct channel {
	uint32_t index;			/* and queue; from 1 */
	bool open;
	bool closing;			/* when the batch in hand is done */
	const struct channel_class *class;
	uint64_t fence;			/* last value set */
	uint32_t fence_flags;
	uint32_t done;			/* ring position behind the last batch
					 * that is done */
	bool busy;			/* with the batch below */
	struct pvgpu_msg msg;
	uint64_t batch_fence;
	struct copy_job copy;		/* class COPY */
};

struct verdict channel_open(struct worker *w,
			    const struct pvgpu_channel_open *request);
/* LATER while a batch is in hand: deferred.c ends it. */
struct verdict channel_close(struct worker *w,
			     const struct pvgpu_channel_close *request);
/* Closes at once; the batch in hand must be done or may be lost. */
void channel_end(struct worker *w, struct channel *c);
/* All closed, as at attach; the fence words start again. */
void channels_reset(struct worker *w);
/* One bounded slice. */
void channel_slice(struct worker *w, struct channel *c);
/* Whether the channel has done all that lies before a ring position. */
static inline bool channel_passed(const struct channel *c, uint32_t position)
{
	return (int32_t)(c->done - position) >= 0;
}

extern const struct channel_class copy_class;

#endif
