/* SPDX-License-Identifier: MIT */
/* Shared memory whose size nobody can change, so that no access to what is
 * mapped of it can fail. */
#ifndef PVGPU_SEALED_H
#define PVGPU_SEALED_H

#include <stdint.h>

/* A memfd of `size` zeros, labelled pvgpu-KIND-NAME where the kernel lists
 * it. Returns the descriptor or -errno. */
int sealed_memfd(const char *kind, const char *name, uint64_t size);
/* Maps the first `size` bytes, shared. 0, -EINVAL if it is shorter or its size
 * is not sealed, or -errno. */
int sealed_map(int fd, uint64_t size, void **ret);

#endif
