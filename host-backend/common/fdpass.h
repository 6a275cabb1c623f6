/* SPDX-License-Identifier: MIT */
/*
 * One datagram or one write with descriptors beside it (SCM_RIGHTS), and one
 * read of the same. Received descriptors are close-on-exec.
 */
#ifndef PVGPU_FDPASS_H
#define PVGPU_FDPASS_H

#include <sys/types.h>

#define FDPASS_MAX 64

/* Sends all of `size` bytes with `count` descriptors, which stay the
 * caller's. Returns 0 or -errno (-EAGAIN: nothing was sent). */
int fdpass_send(int socket, const void *data, size_t size, const int *fds,
		size_t count);

/* Receives up to `size` bytes and up to max_fds descriptors into fds (then the
 * caller's); *ret_count says how many. More descriptors than that, or a
 * datagram longer than `size`, is -EPROTO, and nothing is kept. Returns the
 * number of bytes, 0 at the end, or -errno. */
ssize_t fdpass_receive(int socket, void *data, size_t size, int *fds,
		       size_t max_fds, size_t *ret_count);

#endif
