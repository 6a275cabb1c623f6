/* SPDX-License-Identifier: MIT */
/*
 * The worker's sandbox: everything that it does not need is given up before a
 * guest's byte is read.
 */
#ifndef PVGPU_WORKER_SANDBOX_H
#define PVGPU_WORKER_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What could be shut; what the kernel or the user's rights do not allow stays
 * false, and everything that follows holds without it. */
struct sandbox_report {
	bool user;			/* another user, none of the manager's */
	bool namespaces;		/* own, empty: network, IPC, names */
	bool root;			/* an empty file system */
};

/*
 * Enters it: for good, for the whole process, which must have one thread.
 * Keeps standard error and the descriptors in keep[] and closes the rest.
 * memory is what the process may map more than it has now, bytes; picture the
 * largest file that it may make. Always: no new privileges, no capability, no
 * other process or file to be had, a short list of system calls; and death
 * with the parent, unless it may outlive it. 0 or -errno, and the process is then fit for nothing.
 */
int sandbox_enter(const int *keep, size_t count, uint64_t memory,
		  uint64_t picture, bool outlive,
		  struct sandbox_report *ret_report);

/* Proves it by trying, in a child for each attempt; TAP on standard output.
 * Returns 0 if every attempt was refused. */
int sandbox_self_test(void);

#endif
