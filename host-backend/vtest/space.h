/* SPDX-License-Identifier: MIT */
/* Which bytes of VRAM are free: whole pages, first fit, neighbours joined. */
#ifndef PVGPU_VTEST_SPACE_H
#define PVGPU_VTEST_SPACE_H

#include <stdint.h>

struct space {
	struct space_range *free;	/* by offset */
	uint64_t used;			/* bytes from 0 on that ever were */
};

/* All of `size` bytes, a multiple of PVGPU_EXTENT_ALIGN, is free. -ENOMEM. */
int space_init(struct space *space, uint64_t size);
/* `size` bytes, rounded up to PVGPU_EXTENT_ALIGN, in one piece; *ret_fresh:
 * they never were anybody's. -ENOSPC. */
int space_take(struct space *space, uint64_t size, uint64_t *ret_offset,
	       int *ret_fresh);
/* With the size that was asked for. -ENOMEM: they are not given again. */
int space_give(struct space *space, uint64_t offset, uint64_t size);
void space_free(struct space *space);

#endif
