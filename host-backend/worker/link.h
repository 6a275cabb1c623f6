/* SPDX-License-Identifier: MIT */
/*
 * The worker's end of the link to its manager. One request at a time: the
 * next is not read before the answer is sent, so a manager that does not read
 * costs nothing but its own answers, and never the guest's time.
 */
#ifndef PVGPU_WORKER_MANAGER_LINK_H
#define PVGPU_WORKER_MANAGER_LINK_H

#include <stdint.h>

#include "common/fdpass.h"
#include "common/worker_link.h"

struct worker;

/* Blocks for WORKER_INIT: 0, the message and its descriptors; or -errno. */
int link_receive_init(int socket, struct worker_init *ret_init, int *ret_fds);
/* Blocks for the HEAD_SET messages that INIT announced and heeds them. */
int link_receive_heads(struct worker *w, int socket, uint32_t count);
int link_ready(struct worker *w, uint32_t cookie);
/* Reads and serves a request; -EPIPE when the manager has gone. */
int link_serve(struct worker *w);
/* The answer to a screenshot request; fd stays the caller's. */
void link_screenshot(struct worker *w,
		     const struct worker_screenshot_done *done, int fd);

#endif
