/* SPDX-License-Identifier: MIT */
/*
 * The virtgpu uAPI by its raw calls: its structs and numbers, and the render
 * node of a DRM driver to try them on.
 */
#ifndef GL_NODE_H
#define GL_NODE_H

#include <stdint.h>
#include <sys/ioctl.h>

#include <drm.h>

/* The structs as the newest headers have them. */
struct map {
	uint64_t offset;
	uint32_t handle, pad;
};
struct execbuffer {
	uint32_t flags, size;
	uint64_t command, bo_handles;
	uint32_t num_bo_handles;
	int32_t fence_fd;
	uint32_t ring_idx, syncobj_stride;
	uint32_t num_in_syncobjs, num_out_syncobjs;
	uint64_t in_syncobjs, out_syncobjs;
};
struct getparam {
	uint64_t param, value;
};
struct resource_create {
	uint32_t target, format, bind, width, height, depth, array_size;
	uint32_t last_level, nr_samples, flags, bo_handle, res_handle;
	uint32_t size, stride;
};
struct resource_info {
	uint32_t bo_handle, res_handle, size, blob_mem;
};
struct transfer {
	uint32_t bo_handle, x, y, z, w, h, d;
	uint32_t level, offset, stride, layer_stride;
};
struct wait {
	uint32_t handle, flags;
};
struct get_caps {
	uint32_t id, version;
	uint64_t addr;
	uint32_t size, pad;
};
struct create_blob {
	uint32_t blob_mem, blob_flags, bo_handle, res_handle;
	uint64_t size;
	uint32_t pad, cmd_size;
	uint64_t cmd, blob_id;
};
struct context_param {
	uint64_t param, value;
};
struct context_init {
	uint32_t num_params, pad;
	uint64_t params;
};
struct syncobj {
	uint32_t handle, flags;
	uint64_t point;
};

#define VIRTGPU(number, type) DRM_IOWR(DRM_COMMAND_BASE + (number), type)
#define MAP		VIRTGPU(1, struct map)
#define EXECBUFFER	VIRTGPU(2, struct execbuffer)
#define GETPARAM	VIRTGPU(3, struct getparam)
#define RESOURCE_CREATE	VIRTGPU(4, struct resource_create)
#define RESOURCE_INFO	VIRTGPU(5, struct resource_info)
#define FROM_HOST	VIRTGPU(6, struct transfer)
#define TO_HOST		VIRTGPU(7, struct transfer)
#define WAIT		VIRTGPU(8, struct wait)
#define GET_CAPS	VIRTGPU(9, struct get_caps)
#define CREATE_BLOB	VIRTGPU(10, struct create_blob)
#define CONTEXT_INIT	VIRTGPU(11, struct context_init)

#define FENCE_IN	1u
#define FENCE_OUT	2u
#define RING_IDX	4u
#define NOWAIT		1u
#define RGBA		67u		/* VIRGL_FORMAT_R8G8B8A8_UNORM */
#define SAMPLER		(1u << 3)

/* The call's result, 0 or -errno; one that a signal broke is made again. */
int call(int fd, unsigned long request, void *argument);
/* The render node of this DRM driver; ends the program without one. */
int open_node(const char *driver);

#endif
