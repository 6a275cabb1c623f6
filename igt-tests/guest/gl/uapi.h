/* SPDX-License-Identifier: MIT */
/*
 * What the cases of pvgpu-uapi share: how they complain, and calls that most of
 * them make. The ones of uapi_sync.c are declared at the end.
 */
#ifndef GL_UAPI_H
#define GL_UAPI_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "node.h"

#define EVENT_FENCE	0x90000000u
#define RESET		1u
#define NONE		0xfffffu	/* no handle is that high */
#define BAD		((uint64_t)8)	/* no memory is there */
#define P(param, value) ((struct context_param){ (param), (value) })

extern const char *driver, *skipped;
extern bool ours, failed;

void complain(int line, const char *format, ...);

/* The call gives `wanted`: 0 or -errno. */
#define expect(result, wanted) do { \
	int got_ = (result); \
	if (got_ != (wanted)) \
		complain(__LINE__, "%s gives %d (%s), not %d", #result, got_, \
			 strerror(-got_), (wanted)); \
} while (0)
#define check(condition) do { \
	if (!(condition)) \
		complain(__LINE__, "not so: %s", #condition); \
} while (0)

int parameter(int fd, uint64_t which, uint32_t *value);
/* Whether GETPARAM knows it, and says that it is there. */
bool has(int fd, uint64_t which);
/* A texture of 64 by 32 texels, and its handle. */
struct resource_create plain(void);
uint32_t resource(int fd);
int wait_for(int fd, uint32_t handle, uint32_t flags);
/* A batch of one command that does nothing. */
struct execbuffer empty(void);
int exec(int fd, struct execbuffer e);
/* 1: done well, -errno: with an error, 0: not within 10 s. */
int fence_end(int fence);
/* CONTEXT_INIT. */
int init(int fd, uint32_t count, const struct context_param *params);

void waits(void);
void batches(void);
void fences(void);
void syncobjs(void);
void rings(void);
void flood(void);

#endif
