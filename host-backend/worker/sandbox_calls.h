/* SPDX-License-Identifier: MIT */
/* The system calls of the sandbox's stages; for sandbox.c alone. */
#ifndef PVGPU_WORKER_SANDBOX_CALLS_H
#define PVGPU_WORKER_SANDBOX_CALLS_H

#include "common/gpu.h"

enum sandbox_stage {
	SANDBOX_TIGHT,		/* nothing is rendered */
	SANDBOX_GL_STARTS,	/* the first of two */
	SANDBOX_GL_STARTS_CACHED,	/* the same; files may be made, where
					 * the file system lets them */
	SANDBOX_GL_RUNS,	/* the second, for all threads */
};

/* Leaves this stage's calls, for good; no new privileges must be set. `driver`
 * is that of the GPU whose nodes are in the worker's own root, or NULL. */
int sandbox_calls(enum sandbox_stage stage, const struct gpu_driver *driver);

#endif
