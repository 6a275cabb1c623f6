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
struct batch;
struct resource;

struct channel_op {
	uint16_t opcode;
	uint32_t min_size;		/* of the message, bytes */
	uint32_t max_size;
	/* Checks the batch and keeps what running it needs. */
	struct verdict (*start)(struct worker *w, struct channel *c,
				struct batch *b, const void *message,
				uint32_t length);
};

/* A batch that was taken and is not answered yet. They are answered in order,
 * whatever was found out about one that came behind. */
struct batch {
	struct pvgpu_msg msg;
	uint64_t fence;
	uint32_t position;		/* in the ring, behind it */
	uint64_t taken;			/* ns, while a trace is on */
	struct verdict verdict;		/* once done */
	bool done;
};

/* Of one channel, for a class that works on several at once. */
#define BATCHES_MAX 64u

struct channel_class {
	uint32_t class_id;		/* PVGPU_CHANNEL_* */
	uint64_t feature;		/* to be granted at attach */
	const struct channel_op *ops;
	size_t op_count;
	struct verdict (*open)(struct worker *w, struct channel *c);
	void (*close)(struct worker *w, struct channel *c);
	/* Goes on with the batch that was started, for about *budget bytes,
	 * which it lowers. Returns whether it is done. NULL: batches are
	 * worked on elsewhere once they are started, several at a time, and
	 * their end is told through batch_end(). */
	bool (*run)(struct worker *w, struct channel *c, int64_t *budget);
};

struct channel {
	uint32_t index;			/* and queue; from 1 */
	bool open;
	uint8_t priority;		/* 0 first, to PVGPU_PRIORITY_MAX */
	bool closing;			/* when the batch in hand is done */
	const struct channel_class *class;
	uint64_t fence;			/* last value set */
	uint32_t fence_flags;
	uint64_t submitted;		/* highest fence of any batch taken */
	uint32_t taken;			/* ring position before the batch that
					 * was taken last */
	uint32_t done;			/* and behind the last one done */
	struct batch *batches;		/* BATCHES_MAX, a ring of those taken */
	uint32_t first;			/* the oldest in it */
	uint32_t count;
	struct copy_job copy;		/* class COPY: of the first */
};

struct verdict channel_open(struct worker *w,
			    const struct pvgpu_channel_open *request);
/* LATER while batches are in hand: deferred.c ends it. */
struct verdict channel_close(struct worker *w,
			     const struct pvgpu_channel_close *request);
/* Closes at once; no batch may be in hand. */
void channel_end(struct worker *w, struct channel *c);
/* All closed, as at attach; the fence words start again. */
void channels_reset(struct worker *w);
/* One bounded slice. */
void channel_slice(struct worker *w, struct channel *c);
/* A batch of a class without run() came to its end. */
void batch_end(struct worker *w, struct channel *c, struct batch *b,
	       struct verdict v);
/* The resource that a batch which is being started may name: one whose
 * destruction was asked for later is still there for it. Or NULL. */
struct resource *channel_resource(struct worker *w, const struct channel *c,
				  uint32_t name);
/* Whether the channel has done all that lies before a ring position. */
static inline bool channel_passed(const struct channel *c, uint32_t position)
{
	return (int32_t)(c->done - position) >= 0;
}

extern const struct channel_class copy_class;
extern const struct channel_class virgl_class;	/* virgl.c */

#endif
