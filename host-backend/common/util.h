/* SPDX-License-Identifier: MIT */
/*
 * Cleanup attributes and the small helpers that every host program uses.
 *
 * The error idiom of the host side: a function that can fail returns 0 or a
 * negative errno value, and leaves its ret_ outputs untouched on failure. What
 * a function acquires it holds in a variable with a cleanup attribute, and
 * hands on with take_fd() or take_ptr().
 */
#ifndef PVGPU_UTIL_H
#define PVGPU_UTIL_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define cleanup(function) __attribute__((cleanup(function)))
#define cleanup_fd cleanup(close_fd_at)
#define cleanup_free cleanup(free_at)
#define cleanup_file cleanup(close_file_at)
#define printf_like(text, first) __attribute__((format(printf, text, first)))

/* Closes a descriptor, accepts -1, keeps errno; returns -1, to assign. */
static inline int close_fd(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);	/* EINTR: the descriptor is closed all the same */
	errno = saved;
	return -1;
}

static inline void close_fd_at(int *fd)
{
	close_fd(*fd);
}

static inline void free_at(void *pointer)
{
	free(*(void **)pointer);
}

static inline void close_file_at(FILE **file)
{
	if (*file)
		fclose(*file);
}

/* Moves ownership out of a variable with a cleanup attribute. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define take_ptr(pointer) ({ \
	__typeof__(pointer) taken_ = (pointer); \
	(pointer) = NULL; \
	taken_; })

#endif
