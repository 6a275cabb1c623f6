/* SPDX-License-Identifier: MIT */
/*
 * The renderer's thread and the work that is given to it. GL has one thread
 * of its own, because a batch may take long and the thread that reads the
 * rings must not: it checks, charges and answers, and hands over jobs.
 *
 * Jobs lie in two kinds of queues: the lane, for what control requests make
 * and destroy, and one queue a channel, for its batches. The lane is emptied
 * first and in order, so what a request made is there for every batch that is
 * taken after it. Batches, and the pictures of those who look, are the GPU's
 * work: which of them is next, and when, the vGPU's grants say. What is done
 * comes back in one list, of which an eventfd tells.
 *
 * Threads: renderer_run() and the fields that say so belong to the renderer's
 * thread, all else to the ring thread.
 */
#ifndef PVGPU_WORKER_RENDERER_H
#define PVGPU_WORKER_RENDERER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/uio.h>

#include <pvgpu/footprint.h>

#include "common/gpu.h"
#include "verdict.h"

struct batch;
struct deferred;
struct grants;
struct ledger;
struct render;
struct stream;

/* A list that an entry can leave by itself; a list's head is one too. */
struct link_node {
	struct link_node *next, *previous;
};

/* A context; made and freed by the ring thread, which alone knows its name. */
struct context {
	struct context *next;		/* in the table of names */
	uint32_t name;			/* the guest's */
	uint32_t id;			/* the renderer's; never used again */
	uint32_t capset;
	char label[65];			/* printable */
	uint32_t jobs;			/* that name it and are not done */
	struct job *last;		/* destroys it */
	bool destroyed;			/* has no name any more */
	/* Written by the renderer's thread, read by both. */
	atomic_bool lost;
	_Atomic uint64_t busy;		/* ns */
	_Atomic uint64_t batches;	/* done */
	_Atomic uint64_t charged;	/* bytes, in its streams */
	/* The renderer's thread only. */
	struct link_node node;
	struct stream *stream;
	bool made;
	bool gone;			/* destroyed; some batches come late */
};

/* The renderer's part of a resource; made and freed by the ring thread. */
struct rendered {
	uint32_t name;			/* also the renderer's: streams use it */
	struct job *last;		/* destroys it */
	/* The renderer's thread only. */
	struct link_node node;
	struct pvgpu_surface surface;	/* SURFACE */
	struct iovec *iov;		/* the VRAM behind it */
	uint32_t iov_count;
	bool made;
};

enum job_kind {
	/* of the lane */
	JOB_START,			/* nothing but that GL is there */
	JOB_CONTEXT_CREATE,
	JOB_CONTEXT_DESTROY,
	JOB_SURFACE_CREATE,
	JOB_BLOB_CREATE,		/* a LINEAR resource, for a context */
	JOB_BACK,
	JOB_RESOURCE_DESTROY,
	JOB_ATTACH,
	JOB_DETACH,
	/* of a channel, without the GPU */
	JOB_NOP,
	/* and the GPU's */
	JOB_READ_BACK,
	JOB_SUBMIT,
	JOB_TRANSFER_TO,
	JOB_TRANSFER_FROM,
};

struct job_surface {
	struct pvgpu_surface surface;
	uint32_t bind;			/* virgl's */
	uint32_t flags;			/* PVGPU_SURFACE_* */
};

struct job_transfer {
	uint32_t level, stride, layer_stride;
	uint32_t x, y, z, width, height, depth;
	uint64_t offset;
};

/* A part of a surface's level 0, into memory that is the job's. */
struct job_read_back {
	uint32_t x, y, width, height;
	uint32_t stride;		/* bytes, of `pixels` */
	uint8_t *pixels;
	size_t size;			/* bytes */
	uint32_t plane, picture;	/* for present.c */
};

/* Lives from job_new() to the ring thread's job_free(). */
struct job {
	struct job *next;
	enum job_kind kind;
	struct verdict verdict;		/* of the renderer's thread */
	struct context *context;
	struct rendered *rendered;
	struct deferred *deferred;	/* who waits for it, or NULL */
	struct batch *batch;		/* of a channel */
	uint32_t channel;		/* from 1; PICTURES */
	uint8_t priority;		/* of the channel */
	bool granted;			/* it is in flight */
	union {
		struct job_surface surface;
		struct job_transfer transfer;
		struct job_read_back read_back;
	};
	uint64_t fence;			/* the renderer's thread only */
	uint64_t gpu_time;		/* ns; of a batch that is done */
	bool traced;			/* wants these, in ns: */
	uint64_t begun;
	uint64_t submitted;		/* 0: was not */
	uint64_t ended;			/* its fence was reached */
	uint32_t count;			/* of pieces; the commands of SUBMIT,
					 * the VRAM of BACK and BLOB_CREATE */
	struct iovec pieces[];
};

/* In place of GL_RENDERER where GL did not start. */
#define RENDERER_NONE "none: it cannot be started, pvgpud's log says why"

/* Figures of the renderer, once it has started. */
struct renderer_info {
	bool started;			/* else `failed` may be set */
	bool failed;
	char name[128];			/* GL_RENDERER, or RENDERER_NONE */
	uint32_t capset_size[3];	/* by id; 0: there is none */
	uint32_t capset_version[3];
	uint8_t *capset[3];		/* at that version */
};

/* The queue of what is read back for those who look. */
#define RENDERER_PICTURES	(PVGPU_MAX_CHANNELS + 1)

struct job_queue {
	struct job *first, **end;
	uint32_t count;
};

struct renderer {
	pthread_t thread;
	pthread_mutex_t lock;		/* over what follows */
	pthread_cond_t idle;		/* `reset` was done */
	struct job_queue lane;
	struct job_queue batches[RENDERER_PICTURES];	/* by channel - 1 */
	struct job *done, **done_end;
	struct renderer_info info;
	bool reset, stop;
	/* No lock. */
	int work_fd;			/* eventfd: look into the queues */
	int done_fd;			/* eventfd: look into `done` */
	struct ledger *ledger;
	struct gpu_device gpu;
	struct grants *grants;
	/* The renderer's thread only. */
	struct render *render;
};

/* More jobs than these in the lane make a control request wait. */
#define LANE_MAX 16384u

struct job *job_new(enum job_kind kind, uint32_t pieces);
void job_free(struct job *job);
/* Of one that the renderer does not know, or not any more. NULL is nothing. */
void rendered_free(struct rendered *r);

/* Starts the thread; GL starts on that device with the first job. Ledger and
 * grants are the caller's and outlive it. NULL with errno set. */
struct renderer *renderer_new(const struct gpu_device *gpu,
			      struct ledger *ledger, struct grants *grants);
/* Waits for what is being done, and drops the rest. NULL is nothing. */
void renderer_free(struct renderer *r);

/* Hands over a job. */
void renderer_lane(struct renderer *r, struct job *job);
void renderer_batch(struct renderer *r, struct job *job);
/* Whether the lane takes another. */
bool renderer_has_room(struct renderer *r);
/* The jobs that are done, in the order in which they were; the caller's. */
struct job *renderer_done(struct renderer *r);
/* A copy; its pointers stay good. */
struct renderer_info renderer_info(struct renderer *r);

/* Drops all jobs and everything that the renderer made for the guest.
 * Returns what was queued or done, the caller's, in *ret_jobs; -ETIMEDOUT
 * where the renderer does not come to an end, when nothing of it may be
 * touched any more and only the process's end helps. */
int renderer_reset(struct renderer *r, uint32_t timeout_ms,
		   struct job **ret_jobs);

#endif
