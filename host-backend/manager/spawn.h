/* SPDX-License-Identifier: MIT */
/* A worker as a child of this process, with a clean environment. */
#ifndef PVGPU_SPAWN_H
#define PVGPU_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

/* `socket` becomes the child's WORKER_LINK_FD and stays the caller's. Returns
 * 0 or -errno. */
int spawn_worker(pid_t *ret, const char *program, bool debug, int socket);

#endif
