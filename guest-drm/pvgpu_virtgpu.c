// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The virtgpu uAPI, as <drm/virtgpu_drm.h> has it and Mesa uses it: parameters,
 * contexts, resources, transfers, waiting. What there is none of (host-visible
 * memory, other virtio devices) is answered so, and what a program gets wrong
 * is answered as virtio-gpu answers it.
 */
#include "pvgpu_drv.h"

#include "uapi/pvgpu_drm.h"

/* As long as virtio-gpu waits. */
#define WAIT_TIMEOUT	(15 * HZ)

#define MAX_CONTEXT_PARAMS	4
#define BLOB_FLAGS	(VIRTGPU_BLOB_FLAG_USE_MAPPABLE | VIRTGPU_BLOB_FLAG_USE_SHAREABLE | \
			 VIRTGPU_BLOB_FLAG_USE_CROSS_DEVICE)

/* ------------------------------------------------------------ parameters */

static int own_param(struct pvgpu_card *pvgpu, struct drm_file *file, u64 param, u64 *value)
{
	struct pvgpu_file *pfile = file->driver_priv;
	struct pvgpu_context *context = smp_load_acquire(&pfile->context);

	switch (param) {
	case DRM_PVGPU_PARAM_VRAM_SIZE:
		*value = pvgpu->vram.size;
		return 0;
	case DRM_PVGPU_PARAM_VRAM_USED:
		*value = READ_ONCE(pvgpu->vram.used);
		return 0;
	case DRM_PVGPU_PARAM_DEVICE_BUDGET:
		*value = pvgpu->link.client.device.device_budget;
		return 0;
	case DRM_PVGPU_PARAM_DEVICE_USED:
		*value = pvgpu_virgl_charged(pvgpu);
		return 0;
	case DRM_PVGPU_PARAM_CONTEXT_LOST:
		*value = context && pvgpu_context_lost(context);
		return 0;
	default:
		return -EINVAL;
	}
}

int pvgpu_ioctl_getparam(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct pvgpu_card *pvgpu = to_pvgpu(drm);
	struct drm_virtgpu_getparam *args = data;
	bool virgl = pvgpu_has_virgl(pvgpu);
	void __user *to = u64_to_user_ptr(args->value);
	u64 own;
	int value, ret;

	switch (args->param) {
	case VIRTGPU_PARAM_3D_FEATURES:
	case VIRTGPU_PARAM_RESOURCE_BLOB:
	case VIRTGPU_PARAM_CONTEXT_INIT:
	case VIRTGPU_PARAM_EXPLICIT_DEBUG_NAME:
		value = virgl;
		break;
	case VIRTGPU_PARAM_CAPSET_QUERY_FIX:
		value = 1;
		break;
	case VIRTGPU_PARAM_HOST_VISIBLE:
	case VIRTGPU_PARAM_CROSS_DEVICE:
		value = 0;
		break;
	case VIRTGPU_PARAM_SUPPORTED_CAPSET_IDs:
		value = virgl ? pvgpu->link.client.device.capsets : 0;
		break;
	default:
		ret = own_param(pvgpu, file, args->param, &own);
		if (ret)
			return ret;
		return copy_to_user(to, &own, sizeof(own)) ? -EFAULT : 0;
	}
	return copy_to_user(to, &value, sizeof(value)) ? -EFAULT : 0;
}

/* -------------------------------------------------------------- contexts */

static int context_param(struct pvgpu_file *pfile,
			 const struct drm_virtgpu_context_set_param *param)
{
	u32 capsets = pfile->pvgpu->link.client.device.capsets, i;
	long length;

	switch (param->param) {
	case VIRTGPU_CONTEXT_PARAM_CAPSET_ID:
		if (pfile->capset || param->value > 31 || !param->value ||
		    !(capsets & BIT(param->value)))
			return -EINVAL;
		pfile->capset = param->value;
		return 0;
	case VIRTGPU_CONTEXT_PARAM_NUM_RINGS:
		if (pfile->rings || param->value > PVGPU_MAX_RINGS)
			return -EINVAL;
		pfile->rings = kcalloc(max(param->value, 1ull), sizeof(*pfile->rings),
				       GFP_KERNEL);
		if (!pfile->rings)
			return -ENOMEM;
		for (i = 0; i < param->value; i++)
			pfile->rings[i].context = dma_fence_context_alloc(1);
		WRITE_ONCE(pfile->num_rings, param->value);
		return 0;
	case VIRTGPU_CONTEXT_PARAM_POLL_RINGS_MASK:
		if (pfile->poll_rings)
			return -EINVAL;
		pfile->poll_rings = param->value;
		return 0;
	case VIRTGPU_CONTEXT_PARAM_DEBUG_NAME:
		if (pfile->name[0])
			return -EINVAL;
		length = strncpy_from_user(pfile->name, u64_to_user_ptr(param->value),
					   sizeof(pfile->name) - 1);
		return length < 0 ? length : 0;
	default:
		return -EINVAL;
	}
}

/* What was said of a context that is not made in the end is not said. */
static void context_forget(struct pvgpu_file *pfile)
{
	pfile->capset = 0;
	pfile->num_rings = 0;
	kfree(pfile->rings);
	pfile->rings = NULL;
	pfile->poll_rings = 0;
	memset(pfile->name, 0, sizeof(pfile->name));
}

int pvgpu_ioctl_context_init(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_virtgpu_context_set_param params[MAX_CONTEXT_PARAMS];
	struct drm_virtgpu_context_init *args = data;
	struct pvgpu_file *pfile = file->driver_priv;
	int ret = 0;
	u32 i;

	if (!pvgpu_has_virgl(pfile->pvgpu) || args->num_params > MAX_CONTEXT_PARAMS)
		return -EINVAL;
	if (copy_from_user(params, u64_to_user_ptr(args->ctx_set_params),
			   args->num_params * sizeof(*params)))
		return -EFAULT;

	mutex_lock(&pfile->lock);
	if (pfile->context) {
		ret = -EEXIST;
		goto out;
	}
	for (i = 0; i < args->num_params && !ret; i++)
		ret = context_param(pfile, &params[i]);
	if (!ret && pfile->num_rings < PVGPU_MAX_RINGS && pfile->poll_rings >> pfile->num_rings)
		ret = -EINVAL;
	if (!ret)
		ret = pvgpu_file_context_make(file);
	if (ret)
		context_forget(pfile);
out:
	mutex_unlock(&pfile->lock);
	return ret;
}

/* ------------------------------------------------------------- resources */

int pvgpu_ioctl_map(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_virtgpu_map *args = data;
	struct drm_gem_object *obj;
	int ret;

	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;
	ret = pvgpu_bo_back(to_pvgpu_bo(obj));
	if (!ret)
		ret = drm_gem_create_mmap_offset(obj);
	if (!ret)
		args->offset = drm_vma_node_offset_addr(&obj->vma_node);
	drm_gem_object_put(obj);
	return ret;
}

int pvgpu_ioctl_resource_create(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_virtgpu_resource_create *args = data;
	struct pvgpu_context *context;
	struct pvgpu_bo *bo;
	int ret;

	if (!pvgpu_has_virgl(to_pvgpu(drm)))
		return -ENOSYS;
	context = pvgpu_file_context(file);
	if (IS_ERR(context))
		return PTR_ERR(context);
	bo = pvgpu_surface_create(context, args);
	if (IS_ERR(bo))
		return PTR_ERR(bo);
	args->res_handle = bo->resource;
	ret = drm_gem_handle_create(file, &bo->base, &args->bo_handle);
	/* The handle holds the object now, or nobody does. */
	drm_gem_object_put(&bo->base);
	return ret;
}

/* Guest blobs: bytes in VRAM that commands may name. Memory of the host's, to
 * be mapped here, there is none.
 */
int pvgpu_ioctl_create_blob(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_virtgpu_resource_create_blob *args = data;
	struct pvgpu_context *context;
	struct pvgpu_bo *bo;
	int ret;

	if (!pvgpu_has_virgl(to_pvgpu(drm)) || args->blob_flags & ~BLOB_FLAGS ||
	    args->blob_flags & VIRTGPU_BLOB_FLAG_USE_CROSS_DEVICE ||
	    args->blob_mem != VIRTGPU_BLOB_MEM_GUEST || args->blob_id || args->cmd_size ||
	    !args->size)
		return -EINVAL;
	if (args->size > to_pvgpu(drm)->vram.size)
		return -ENOMEM;
	context = pvgpu_file_context(file);
	if (IS_ERR(context))
		return PTR_ERR(context);
	bo = pvgpu_bo_create(to_pvgpu(drm), args->size, NULL, true);
	if (IS_ERR(bo))
		return PTR_ERR(bo);
	bo->blob = true;
	ret = pvgpu_context_attach(context, bo);
	if (!ret) {
		args->res_handle = bo->resource;
		ret = drm_gem_handle_create(file, &bo->base, &args->bo_handle);
	}
	drm_gem_object_put(&bo->base);
	return ret;
}

int pvgpu_ioctl_resource_info(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_virtgpu_resource_info *args = data;
	struct drm_gem_object *obj;
	struct pvgpu_bo *bo;
	u32 name;
	int ret = 0;

	obj = drm_gem_object_lookup(file, args->bo_handle);
	if (!obj)
		return -ENOENT;
	bo = to_pvgpu_bo(obj);
	/* Whoever asks wants to name it. One that is dead has its name still. */
	if (!bo->surface)
		ret = pvgpu_bo_resource(bo, &name);
	if (!ret) {
		args->size = obj->size;
		args->res_handle = bo->resource;
		if (bo->blob)
			args->blob_mem = VIRTGPU_BLOB_MEM_GUEST;
	}
	drm_gem_object_put(obj);
	return ret;
}

/* ------------------------------------------------- transfers and waiting */

/* A program's 0 is the row, or the layer, of the whole level; the protocol's is
 * that of the box.
 */
static void transfer_strides(const struct pvgpu_surface *shape,
			     const struct drm_virtgpu_3d_transfer_to_host *args,
			     struct pvgpu_virgl_transfer *message)
{
	struct pvgpu_block block = pvgpu_surface_block(shape->format);
	u32 columns = DIV_ROUND_UP(pvgpu_level_side(shape->width, args->level), block.width);
	u32 rows = DIV_ROUND_UP(pvgpu_level_side(shape->height, args->level), block.height);
	u64 stride = args->stride ? args->stride : (u64)columns * block.bytes;
	u64 layer = args->layer_stride ? args->layer_stride : stride * rows;

	/* What is larger than its memory can be is refused by the host anyway. */
	message->stride = pvgpu_cpu_to_le32(min_t(u64, stride, U32_MAX));
	message->layer_stride = pvgpu_cpu_to_le32(min_t(u64, layer, U32_MAX));
}

static int transfer(struct drm_file *file, u32 opcode,
		    const struct drm_virtgpu_3d_transfer_to_host *args)
{
	struct pvgpu_file *pfile = file->driver_priv;
	struct pvgpu_virgl_transfer message = {
		.offset = pvgpu_cpu_to_le64(args->offset),
		.level = pvgpu_cpu_to_le32(args->level),
		.x = pvgpu_cpu_to_le32(args->box.x),
		.y = pvgpu_cpu_to_le32(args->box.y),
		.z = pvgpu_cpu_to_le32(args->box.z),
		.width = pvgpu_cpu_to_le32(args->box.w),
		.height = pvgpu_cpu_to_le32(args->box.h),
		.depth = pvgpu_cpu_to_le32(args->box.d),
	};
	struct pvgpu_batch batch = {
		.message = &message.submit,
		.length = sizeof(message),
		.timeline = &pfile->main,
		.count = 1,
	};
	struct pvgpu_context *context;
	struct drm_gem_object *obj;
	struct dma_fence *fence;
	int ret;

	if (!pvgpu_has_virgl(pfile->pvgpu))
		return -ENOSYS;
	context = pvgpu_file_context(file);
	if (IS_ERR(context))
		return PTR_ERR(context);
	obj = drm_gem_object_lookup(file, args->bo_handle);
	if (!obj)
		return -ENOENT;
	/* What lies in VRAM alone is where it is. */
	ret = to_pvgpu_bo(obj)->surface ? pvgpu_bo_back(to_pvgpu_bo(obj)) : -EINVAL;
	if (ret)
		goto put;
	transfer_strides(&to_pvgpu_bo(obj)->shape, args, &message);
	pvgpu_msg_init(&message, opcode);
	message.context = pvgpu_cpu_to_le32(context->name);
	message.resource = pvgpu_cpu_to_le32(to_pvgpu_bo(obj)->resource);
	batch.objs = kvmalloc(sizeof(*batch.objs), GFP_KERNEL);
	if (!batch.objs) {
		ret = -ENOMEM;
		goto put;
	}
	batch.objs[0] = obj;
	fence = pvgpu_submit(context, &batch);
	if (!IS_ERR(fence)) {
		dma_fence_put(fence);
		return 0;
	}
	ret = PTR_ERR(fence);
	kvfree(batch.objs);
put:
	drm_gem_object_put(obj);
	return ret;
}

int pvgpu_ioctl_transfer_from_host(struct drm_device *drm, void *data, struct drm_file *file)
{
	/* The two structs are alike. */
	return transfer(file, PVGPU_OP_VIRGL_TRANSFER_FROM, data);
}

int pvgpu_ioctl_transfer_to_host(struct drm_device *drm, void *data, struct drm_file *file)
{
	return transfer(file, PVGPU_OP_VIRGL_TRANSFER_TO, data);
}

int pvgpu_ioctl_wait(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_virtgpu_3d_wait *args = data;
	struct drm_gem_object *obj;
	long left;

	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;
	if (args->flags & VIRTGPU_WAIT_NOWAIT)
		left = dma_resv_test_signaled(obj->resv, DMA_RESV_USAGE_READ);
	else
		left = dma_resv_wait_timeout(obj->resv, DMA_RESV_USAGE_READ, true, WAIT_TIMEOUT);
	drm_gem_object_put(obj);
	if (left < 0)
		return left;
	return left ? 0 : -EBUSY;
}
