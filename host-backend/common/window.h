/* SPDX-License-Identifier: MIT */
/*
 * The layout of the shared window: where the regions of spec.md lie for given
 * limits, and the information page that tells the guest so. Pure arithmetic;
 * the manager uses it to make a window, the worker to find its way in one.
 */
#ifndef PVGPU_WINDOW_H
#define PVGPU_WINDOW_H

#include <pvgpu/wire.h>

#include "limits.h"

#define WINDOW_MIN_SIZE		(2ull << 30)	/* firmware puts it above 4 GiB */
#define WINDOW_VECTORS		4u		/* each way; QEMU's vectors= */
#define WINDOW_QUEUE_SLOTS	512u
#define WINDOW_PLANES		4u		/* primary, overlays, cursor */
#define WINDOW_CONTEXTS		256u		/* of the renderer */
#define WINDOW_COMMANDS_MAX	(4u << 20)	/* bytes of one command buffer */
#define WINDOW_HOST_PEER	0u
#define WINDOW_GUEST_PEER	1u

struct window_layout {
	uint64_t size;			/* of the memfd: a power of two */
	uint64_t host_offset, host_size;
	uint64_t guest_offset, guest_size;
	uint64_t fence_offset, fence_size;
	uint64_t vram_offset, vram_size;
	uint32_t queue_stride;
};

/* Computes the layout. -EINVAL if the limits are beyond the protocol's. */
int window_layout(struct window_layout *ret, const struct vgpu_limits *limits);

/* The features that are offered with these limits. */
uint64_t window_features(const struct vgpu_limits *limits);

/* Writes the information page at `page`, magic last. */
void window_write_info(void *page, const struct window_layout *layout,
		       const struct vgpu_limits *limits);

#endif
