/* SPDX-License-Identifier: MIT */
/*
 * What a recording is played against: a vGPU's socket, or another renderer's. One context, one row of
 * submissions that are done in order, numbered from 1. Functions return 0, or
 * -1 with a line in `why`.
 *
 * Threads: a target is used by one at a time.
 */
#ifndef PVGPU_REPLAY_TARGET_H
#define PVGPU_REPLAY_TARGET_H

#include "protocol/replay/recording.h"

#define TARGET_DEPTH_MAX 64u		/* submissions under way */

/* A stream in the area that they are submitted from again and again. */
struct target_stream {
	uint64_t offset;
	uint32_t size;			/* bytes */
};

struct target {
	const struct target_ops *ops;
	char why[200];
	uint64_t submitted;		/* number of the last */
	uint32_t stream_max;		/* bytes of one submission */
};

struct target_ops {
	/* *ret_memory: what is behind it, NULL where it has none; it stays
	 * where it is until it is destroyed. */
	int (*create)(struct target *t, uint32_t name,
		      const struct recording_resource *made,
		      uint8_t **ret_memory);
	int (*destroy)(struct target *t, uint32_t name);
	/* Both are submissions. */
	int (*transfer)(struct target *t, uint32_t name,
			const struct recording_transfer *how, bool from);
	int (*submit)(struct target *t, const struct target_stream *s);
	/* Puts a part of a stream down, at `at` in the area for streams; what
	 * was there must not be under way. */
	int (*put)(struct target *t, uint64_t at, const uint8_t *bytes,
		   uint32_t length);
	/* Sleeps until `number` is done, at most so long; *ret_done is the
	 * last that is. Fails where one has failed. */
	int (*wait)(struct target *t, uint64_t number, uint32_t timeout_ms,
		    uint64_t *ret_done);
	/* GPU time of the context by the host's account, ns. */
	int (*busy)(struct target *t, uint64_t *ret_busy);
	void (*close)(struct target *t);
};

/* Connects, attaches, makes a context. On failure *ret is there all the same,
 * with its `why`, to be closed; or NULL, where there is no memory. */
int target_vgpu(struct target **ret, const char *socket,
		const struct recording *r);
/* The same at a socket of a server that speaks vtest. */
int target_vtest(struct target **ret, const char *path,
		 const struct recording *r);

#endif
