/* SPDX-License-Identifier: MIT */
/*
 * The worker's sandbox: everything that it does not need is given up before a
 * guest's byte is read.
 *
 * One that only copies enters it at once and for good. One that may render
 * enters it in two stages, because GL is loaded and started when a guest first
 * asks for it: in the first stage there are threads and code that is made, and
 * the files that GL is loaded from, to be read, and a cache in memory for the
 * shaders that it compiles; with GL started the second shuts these, for every
 * thread, and no file can be had any more. What GL had open by then it keeps,
 * and that is the cache. On a GPU its device nodes can be opened in the first
 * stage, and in the second only where its driver must.
 */
#ifndef PVGPU_WORKER_SANDBOX_H
#define PVGPU_WORKER_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/gpu.h"

struct sandbox {
	const int *keep;		/* descriptors, beside standard error */
	size_t count;
	uint64_t memory;		/* that it may map more than now, bytes */
	uint64_t picture;		/* the largest file that it may make */
	bool outlive;			/* does not die with its parent */
	bool renders;			/* the first of two stages */
	/* What it renders on, and the driver's row: that is there to be opened.
	 * NULL: llvmpipe. */
	const struct gpu_device *gpu;
	const struct gpu_driver *driver;
};

/* What could be shut; what the kernel or the user's rights do not allow stays
 * false, and everything that follows holds without it. */
struct sandbox_report {
	bool user;			/* another user, none of the manager's */
	bool namespaces;		/* own, empty: network, IPC, names */
	bool root;			/* a file system that is empty, or holds
					 * what GL is loaded from */
	int gpu;			/* -errno: the GPU cannot be had, and
					 * nothing may be rendered */
	char missing[GPU_NODE_MAX];	/* for want of this node; or "": of a
					 * root */
};

/*
 * Enters it: for good, for the whole process, which must have one thread.
 * Closes all other descriptors. Always: no new privileges, no capability, no
 * other process to be had, no file to be written, a short list of system
 * calls; and, unless it renders, no file at all, no thread and no code that
 * was not there. 0 or -errno, and the process is then fit for nothing.
 */
int sandbox_enter(const struct sandbox *sandbox,
		  struct sandbox_report *ret_report);

/*
 * The second stage, for all threads at once: to be called when GL has started,
 * on any of them. Nothing happens in a process that has not entered the first,
 * or is in the second already. 0 or -errno, and nothing of the guest's may
 * then be rendered.
 */
int sandbox_seal(void);

/* Proves it by trying, in a child for each attempt, in both kinds; TAP on
 * standard output. Returns 0 if every attempt was refused. */
int sandbox_self_test(void);

#endif
