// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Our own ioctls: copy and fill by the host, ordered by fences. What an area
 * may be is checked here, so that the host never has a reason to refuse.
 */
#include "pvgpu_drv.h"

#include "uapi/pvgpu_drm.h"

#define FENCE_FLAGS	(DRM_PVGPU_FENCE_IN | DRM_PVGPU_FENCE_OUT)

/** struct pvgpu_job - what both ioctls have in common */
struct pvgpu_job {
	struct drm_gem_object *objs[2];	/* the one written to is the last */
	u32 count;
	u32 flags;
	s32 in_fd;
	struct pvgpu_batch batch;
};

static int area_check(struct pvgpu_bo *bo, const struct drm_pvgpu_area *area, u32 row_bytes,
		      u32 height)
{
	u64 size = bo->base.size, last;

	/* None of these overflows: each factor is below 2^32. */
	last = (u64)(height - 1) * area->stride;
	if (row_bytes > area->stride && height > 1)
		return -EINVAL;
	if (area->offset > size || last > size - area->offset ||
	    row_bytes > size - area->offset - last)
		return -EINVAL;
	return 0;
}

static int area_get(struct drm_file *file, const struct drm_pvgpu_area *area, u32 row_bytes,
		    u32 height, struct pvgpu_copy_area *ret_wire,
		    struct drm_gem_object **ret_obj)
{
	struct drm_gem_object *obj;
	u32 name;
	int ret;

	obj = drm_gem_object_lookup(file, area->handle);
	if (!obj)
		return -ENOENT;
	/* A foreign buffer's bytes are not where the host could copy them, and
	 * a surface's are the renderer's.
	 */
	ret = pvgpu_bo_foreign(to_pvgpu_bo(obj)) || to_pvgpu_bo(obj)->surface ? -EINVAL :
	      area_check(to_pvgpu_bo(obj), area, row_bytes, height);
	if (!ret)
		ret = pvgpu_bo_resource(to_pvgpu_bo(obj), &name);
	if (ret) {
		drm_gem_object_put(obj);
		return ret;
	}
	ret_wire->resource = pvgpu_cpu_to_le32(name);
	ret_wire->stride = pvgpu_cpu_to_le32(area->stride);
	ret_wire->offset = pvgpu_cpu_to_le64(area->offset);
	*ret_obj = obj;
	return 0;
}

static int wait_in_fence(s32 fd)
{
	struct dma_fence *fence = sync_file_get_fence(fd);
	int ret;

	if (!fence)
		return -EINVAL;
	ret = dma_fence_wait(fence, true);
	dma_fence_put(fence);
	return ret;
}

/* Waits for what must come first, submits, and makes what comes next wait.
 * Returns the out-fence's descriptor (-1 without) in *ret_fd.
 */
static int job_run(struct pvgpu_card *pvgpu, struct pvgpu_job *job, s32 *ret_fd)
{
	struct drm_gem_object *written = job->objs[job->count - 1];
	struct ww_acquire_ctx ctx;
	struct dma_fence *fence;
	struct sync_file *file = NULL;
	int ret, fd = -1;
	u32 i;

	if (!pvgpu->copy)
		return -EOPNOTSUPP;
	job->batch.timeline = &pvgpu->copy->timeline;
	if (job->flags & DRM_PVGPU_FENCE_IN) {
		ret = wait_in_fence(job->in_fd);
		if (ret)
			return ret;
	}
	if (job->flags & DRM_PVGPU_FENCE_OUT) {
		fd = get_unused_fd_flags(O_CLOEXEC);
		if (fd < 0)
			return fd;
	}
	ret = drm_gem_lock_reservations(job->objs, job->count, &ctx);
	if (ret)
		goto put_fd;
	for (i = 0; i < job->count && !ret; i++) {
		struct dma_resv *resv = job->objs[i]->resv;
		long left;

		ret = dma_resv_reserve_fences(resv, 1);
		if (ret)
			break;
		left = dma_resv_wait_timeout(resv,
					     dma_resv_usage_rw(job->objs[i] == written),
					     true, MAX_SCHEDULE_TIMEOUT);
		ret = left < 0 ? left : 0;
	}
	if (ret)
		goto unlock;
	fence = pvgpu_channel_submit(pvgpu->copy, &job->batch);
	if (IS_ERR(fence)) {
		ret = PTR_ERR(fence);
		goto unlock;
	}
	for (i = 0; i < job->count; i++)
		dma_resv_add_fence(job->objs[i]->resv, fence,
				   job->objs[i] == written ? DMA_RESV_USAGE_WRITE :
							     DMA_RESV_USAGE_READ);
	if (fd >= 0) {
		file = sync_file_create(fence);
		if (!file)
			ret = -ENOMEM;
	}
	dma_fence_put(fence);
unlock:
	drm_gem_unlock_reservations(job->objs, job->count, &ctx);
put_fd:
	if (ret && fd >= 0)
		put_unused_fd(fd);
	if (!ret && fd >= 0)
		fd_install(fd, file->file);
	if (!ret)
		*ret_fd = fd;
	return ret;
}

int pvgpu_ioctl_copy(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_pvgpu_copy *args = data;
	struct pvgpu_copy_rect rect = {
		.row_bytes = pvgpu_cpu_to_le32(args->row_bytes),
		.height = pvgpu_cpu_to_le32(args->height),
	};
	struct pvgpu_job job = {
		.flags = args->flags,
		.in_fd = args->in_fence_fd,
		.batch.message = &rect.submit,
		.batch.length = sizeof(rect),
	};
	u32 i;
	int ret;

	if (args->pad || args->flags & ~FENCE_FLAGS || !args->row_bytes || !args->height)
		return -EINVAL;
	pvgpu_msg_init(&rect, PVGPU_OP_COPY_RECT);
	ret = area_get(file, &args->src, args->row_bytes, args->height, &rect.src, &job.objs[0]);
	if (ret)
		return ret;
	job.count = 1;
	ret = area_get(file, &args->dst, args->row_bytes, args->height, &rect.dst, &job.objs[1]);
	if (ret)
		goto out;
	/* One object is locked once. */
	if (job.objs[0] == job.objs[1])
		drm_gem_object_put(job.objs[1]);
	else
		job.count = 2;
	ret = job_run(to_pvgpu(drm), &job, &args->out_fence_fd);
out:
	for (i = 0; i < job.count; i++)
		drm_gem_object_put(job.objs[i]);
	return ret;
}

int pvgpu_ioctl_fill(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_pvgpu_fill *args = data;
	struct pvgpu_copy_fill fill = {
		.row_bytes = pvgpu_cpu_to_le32(args->row_bytes),
		.height = pvgpu_cpu_to_le32(args->height),
		.unit = pvgpu_cpu_to_le32(args->unit),
		.value = pvgpu_cpu_to_le32(args->value),
	};
	struct pvgpu_job job = {
		.count = 1,
		.flags = args->flags,
		.in_fd = args->in_fence_fd,
		.batch.message = &fill.submit,
		.batch.length = sizeof(fill),
	};
	int ret;

	if (args->pad || args->flags & ~FENCE_FLAGS || !args->row_bytes || !args->height ||
	    (args->unit != 1 && args->unit != 2 && args->unit != 4) ||
	    args->row_bytes % args->unit)
		return -EINVAL;
	pvgpu_msg_init(&fill, PVGPU_OP_COPY_FILL);
	ret = area_get(file, &args->dst, args->row_bytes, args->height, &fill.dst, &job.objs[0]);
	if (ret)
		return ret;
	ret = job_run(to_pvgpu(drm), &job, &args->out_fence_fd);
	drm_gem_object_put(job.objs[0]);
	return ret;
}
