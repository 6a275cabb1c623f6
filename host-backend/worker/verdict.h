/* SPDX-License-Identifier: MIT */
/*
 * What a check or a handler decided about a guest's message: a status of the
 * protocol and the detail that goes with it. Two decisions never reach the
 * wire: the answer comes later, and the message must be looked at again.
 */
#ifndef PVGPU_WORKER_VERDICT_H
#define PVGPU_WORKER_VERDICT_H

#include <pvgpu/wire.h>

struct verdict {
	uint32_t status;		/* PVGPU_STATUS_* or below */
	uint32_t detail;
};

#define VERDICT_LATER	0x10000u	/* deferred.c answers it */
#define VERDICT_RETRY	0x10001u	/* after a deferred one is done */

static inline struct verdict verdict(uint32_t status, uint32_t detail)
{
	return (struct verdict){ status, detail };
}

static inline struct verdict accepted(void)
{
	return verdict(PVGPU_STATUS_OK, 0);
}

/* `offset` is that of the bad field in the request, bytes. */
static inline struct verdict invalid(size_t offset)
{
	return verdict(PVGPU_STATUS_INVALID, (uint32_t)offset);
}

/* Limits are 64-bit numbers with us and 32-bit ones in a detail. */
static inline struct verdict over_limit(uint32_t status, uint64_t limit)
{
	return verdict(status, limit > UINT32_MAX ? UINT32_MAX :
		       (uint32_t)limit);
}

static inline bool refused(struct verdict v)
{
	return v.status != PVGPU_STATUS_OK;
}

#endif
