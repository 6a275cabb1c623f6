/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * pvgpu's own ioctls. They count down from the top of the driver's range,
 * because its bottom is the virtgpu uAPI's.
 *
 * Rules: every struct is a multiple of 8 bytes and naturally aligned; padding
 * and unknown flags are zero, and refused with EINVAL where they are not;
 * structs grow at their ends only; numbers are never reused.
 */
#ifndef PVGPU_DRM_H
#define PVGPU_DRM_H

#if defined(__KERNEL__)
#include <drm/drm.h>
#else
#include "drm.h"
#endif

#if defined(__cplusplus)
extern "C" {
#endif

#define DRM_PVGPU_COPY	0x5f
#define DRM_PVGPU_FILL	0x5e

/* Start only when the sync_file in in_fence_fd has signalled. */
#define DRM_PVGPU_FENCE_IN	(1u << 0)
/* Return a sync_file in out_fence_fd that signals when the work is done. */
#define DRM_PVGPU_FENCE_OUT	(1u << 1)

/*
 * Numbers of DRM_IOCTL_VIRTGPU_GETPARAM beside virtgpu's own. The value is
 * written as a __u64, where virtgpu's are written as an int.
 */
#define DRM_PVGPU_PARAM_VRAM_SIZE	0x1000	/* bytes */
#define DRM_PVGPU_PARAM_VRAM_USED	0x1001
#define DRM_PVGPU_PARAM_DEVICE_BUDGET	0x1002	/* bytes with the renderer */
#define DRM_PVGPU_PARAM_DEVICE_USED	0x1003
#define DRM_PVGPU_PARAM_CONTEXT_LOST	0x1004	/* 1: this file's, for ever */

/* A rectangle inside a buffer object. */
struct drm_pvgpu_area {
	__u32 handle;
	__u32 stride;		/* bytes from row to row */
	__u64 offset;		/* of the first byte of the first row */
};

/*
 * DRM_IOCTL_PVGPU_COPY: the host copies height rows of row_bytes each. It is
 * ordered by implicit fences with all other users of the two buffers. Areas
 * of one buffer may overlap.
 *
 * ENOENT: no such handle. EINVAL: a field is out of range. EOPNOTSUPP: the
 * host offers no copy channel. EIO: the host was lost.
 */
struct drm_pvgpu_copy {
	struct drm_pvgpu_area src;
	struct drm_pvgpu_area dst;
	__u32 row_bytes;
	__u32 height;
	__u32 flags;		/* DRM_PVGPU_FENCE_* */
	__s32 in_fence_fd;
	__s32 out_fence_fd;
	__u32 pad;
};

/* DRM_IOCTL_PVGPU_FILL: the low `unit` bytes of value, over and over. */
struct drm_pvgpu_fill {
	struct drm_pvgpu_area dst;
	__u32 row_bytes;	/* a multiple of unit */
	__u32 height;
	__u32 unit;		/* 1, 2 or 4 */
	__u32 value;
	__u32 flags;		/* DRM_PVGPU_FENCE_* */
	__s32 in_fence_fd;
	__s32 out_fence_fd;
	__u32 pad;
};

#define DRM_IOCTL_PVGPU_COPY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PVGPU_COPY, struct drm_pvgpu_copy)
#define DRM_IOCTL_PVGPU_FILL \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PVGPU_FILL, struct drm_pvgpu_fill)

#if defined(__cplusplus)
}
#endif

#endif
