/* SPDX-License-Identifier: MIT */
/*
 * The walk over a client's stream of virgl commands: every handle of a resource
 * is replaced by the name that the resource has on the vGPU, and the commands
 * that read or write what lies behind a resource are pointed out. What a stream
 * may do is judged by the worker (worker/stream.c), not here. Pure; one thread.
 */
#ifndef PVGPU_VTEST_REWRITE_H
#define PVGPU_VTEST_REWRITE_H

#include <stdint.h>

/* What no resource is ever called; stands for handles that are nobody's. */
#define REWRITE_NOBODY 0xffffffffu

struct rewrite_hooks {
	/* The name for a handle, REWRITE_NOBODY for one that is nobody's. */
	uint32_t (*name)(void *context, uint32_t handle);
	/* A command as it came, of one of the kinds that concern memory: word 0
	 * is its header, and all words that virgl defines for it are there.
	 * Not 0 ends the walk. */
	int (*heed)(void *context, const uint32_t *command);
};

/*
 * Writes `count` words to `to`, which the client cannot reach, nor `from`.
 * Returns 0; -EINVAL if a command ends beyond the stream or is shorter than
 * virgl defines it, with where it begins in *ret_at; or what heed() returned.
 */
int rewrite(uint32_t *to, const uint32_t *from, uint32_t count,
	    const struct rewrite_hooks *hooks, void *context,
	    uint32_t *ret_at);

/* Words of TRANSFER3D and COPY_TRANSFER3D, counted from the header. */
enum {
	REWRITE_RESOURCE = 1, REWRITE_LEVEL, REWRITE_STRIDE = 4,
	REWRITE_LAYER_STRIDE, REWRITE_BOX, REWRITE_OFFSET = 12,
	REWRITE_DIRECTION,
	REWRITE_COPY_MEMORY = 12, REWRITE_COPY_OFFSET, REWRITE_COPY_FLAGS,
	/* of a CREATE_OBJECT of a query, and of what uses one */
	REWRITE_QUERY = 1, REWRITE_QUERY_MEMORY = 4,
};
#define REWRITE_TO_HOST		1u	/* a direction */
#define REWRITE_COPY_FROM_HOST	(1u << 1)	/* a flag */

#endif
