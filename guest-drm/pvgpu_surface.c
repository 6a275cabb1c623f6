// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Surfaces: buffer objects that live with the renderer. They are charged
 * against the device budget here first, so that a program learns at once that
 * there is no more, and get VRAM only when somebody maps or transfers them.
 */
#include "pvgpu_drv.h"

/* virgl's numbers, as programs pass them in RESOURCE_CREATE. */
#define VIRGL_BIND_QUERY_BUFFER		BIT(15)
#define VIRGL_BIND_CUSTOM		BIT(17)
#define VIRGL_BIND_STAGING		BIT(19)
#define VIRGL_FLAG_Y_0_TOP		BIT(0)
#define VIRGL_FLAG_MAP_PERSISTENT	BIT(1)
#define VIRGL_FLAG_MAP_COHERENT		BIT(2)

static u32 at_least_one(u32 value)
{
	return value ? value : 1;
}

/* What a program asks for, as the protocol has it. virgl takes zeroes for
 * what a target does not have.
 */
static int surface_shape(const struct drm_virtgpu_resource_create *args,
			 struct pvgpu_surface *shape)
{
	*shape = (struct pvgpu_surface){
		.format = args->format,
		.width = args->width,
		.height = at_least_one(args->height),
		.depth = at_least_one(args->depth),
		.layers = at_least_one(args->array_size),
		.levels = args->last_level < 32 ? args->last_level + 1 : 0,
		.samples = at_least_one(args->nr_samples),
		.target = args->target,
	};
	if (args->flags & ~(VIRGL_FLAG_Y_0_TOP | VIRGL_FLAG_MAP_PERSISTENT |
			    VIRGL_FLAG_MAP_COHERENT))
		return -EINVAL;
	return pvgpu_surface_check(shape) == PVGPU_SURFACE_OK ? 0 : -EINVAL;
}

static int surface_tell(struct pvgpu_context *context, struct pvgpu_bo *bo, u32 flags)
{
	struct pvgpu_resource_create create = {
		.resource = pvgpu_cpu_to_le32(bo->resource),
		.kind = pvgpu_cpu_to_le32(PVGPU_RESOURCE_SURFACE),
		.size = pvgpu_cpu_to_le64(bo->base.size),
		.format = pvgpu_cpu_to_le32(bo->shape.format),
		.width = pvgpu_cpu_to_le32(bo->shape.width),
		.height = pvgpu_cpu_to_le32(bo->shape.height),
		.depth = pvgpu_cpu_to_le32(bo->shape.depth),
		.layers = pvgpu_cpu_to_le32(bo->shape.layers),
		.levels = pvgpu_cpu_to_le32(bo->shape.levels),
		.samples = pvgpu_cpu_to_le32(bo->shape.samples),
		.bind = pvgpu_cpu_to_le32(bo->bind),
		.target = pvgpu_cpu_to_le32(bo->shape.target),
		.flags = pvgpu_cpu_to_le32(flags & VIRGL_FLAG_Y_0_TOP ?
					   PVGPU_SURFACE_Y_0_TOP : 0),
		.context = pvgpu_cpu_to_le32(context->name),
	};
	struct pvgpu_request req;
	int ret;

	pvgpu_msg_init(&create, PVGPU_OP_RESOURCE_CREATE);
	pvgpu_request_init(&req, NULL, 0);
	ret = pvgpu_link_submit(context->pvgpu, &req, &create, sizeof(create));
	if (!ret)
		ret = pvgpu_link_wait(context->pvgpu, &req);
	/* Streams make things that are charged as well, and of which we do not
	 * know: what is on its way out may be what is missing.
	 */
	if (ret == -ENOSPC && pvgpu_bo_reclaim(context->pvgpu)) {
		pvgpu_request_init(&req, NULL, 0);
		ret = pvgpu_link_submit(context->pvgpu, &req, &create, sizeof(create));
		if (!ret)
			ret = pvgpu_link_wait(context->pvgpu, &req);
	}
	if (!ret && req.generation != context->generation)
		ret = -EIO;
	if (!ret)
		bo->generation = req.generation;
	return ret;
}

struct pvgpu_bo *pvgpu_surface_create(struct pvgpu_context *context,
				      const struct drm_virtgpu_resource_create *args)
{
	struct pvgpu_card *pvgpu = context->pvgpu;
	struct pvgpu_surface shape;
	struct pvgpu_bo *bo;
	u32 generation;
	int ret;

	ret = surface_shape(args, &shape);
	if (ret)
		return ERR_PTR(ret);
	/* What cannot be mapped has a page, as the size 0 would be none. */
	if (args->size > pvgpu->vram.size)
		return ERR_PTR(-ENOMEM);
	bo = pvgpu_bo_alloc(pvgpu, args->size ? args->size : PAGE_SIZE, NULL);
	if (IS_ERR(bo))
		return bo;
	bo->surface = true;
	bo->shape = shape;
	bo->bind = args->bind;
	ret = pvgpu_virgl_charge(pvgpu, pvgpu_footprint(&shape), &generation);
	if (ret)
		goto put;
	bo->charge = pvgpu_footprint(&shape);
	ret = pvgpu_bo_name(pvgpu);
	if (ret < 0)
		goto uncharge;
	bo->resource = ret;
	ret = surface_tell(context, bo, args->flags);
	if (ret)
		goto uncharge;
	bo->creator = context->name;
	/* The renderer writes there without being asked. */
	if (bo->bind & (VIRGL_BIND_CUSTOM | VIRGL_BIND_STAGING | VIRGL_BIND_QUERY_BUFFER))
		ret = pvgpu_bo_back(bo);
	if (ret)
		goto put;
	return bo;
uncharge:
	pvgpu_virgl_uncharge(pvgpu, bo->charge, generation);
	bo->charge = 0;
put:
	drm_gem_object_put(&bo->base);
	return ERR_PTR(ret);
}

/* ------------------------------------------------ for those who map it */

/* Of a surface, which has a format. */
static int surface_move(struct pvgpu_bo *bo, u32 opcode)
{
	struct pvgpu_block block = pvgpu_surface_block(bo->shape.format);
	struct pvgpu_virgl_transfer message = {
		.resource = pvgpu_cpu_to_le32(bo->resource),
		.width = pvgpu_cpu_to_le32(bo->shape.width),
		.height = pvgpu_cpu_to_le32(bo->shape.height),
		.depth = pvgpu_cpu_to_le32(1),
	};
	struct pvgpu_batch batch = {
		.message = &message.submit,
		.length = sizeof(message),
		.count = 1,
	};
	struct pvgpu_context *context;
	struct dma_fence *fence;
	int ret;

	message.stride = pvgpu_cpu_to_le32(DIV_ROUND_UP(bo->shape.width, block.width) *
					   block.bytes);
	ret = pvgpu_bo_back(bo);
	if (ret)
		return ret;
	context = pvgpu_context_kernel(bo);
	if (IS_ERR(context))
		return PTR_ERR(context);
	pvgpu_msg_init(&message, opcode);
	message.context = pvgpu_cpu_to_le32(context->name);
	batch.timeline = &context->channel->timeline;
	batch.objs = kvmalloc(sizeof(*batch.objs), GFP_KERNEL);
	if (!batch.objs) {
		ret = -ENOMEM;
		goto put;
	}
	batch.objs[0] = &bo->base;
	drm_gem_object_get(&bo->base);
	fence = pvgpu_submit(context, &batch);
	if (IS_ERR(fence)) {
		ret = PTR_ERR(fence);
		drm_gem_object_put(&bo->base);
		kvfree(batch.objs);
		goto put;
	}
	ret = dma_fence_wait(fence, true);
	if (!ret)
		ret = fence->error;
	dma_fence_put(fence);
put:
	pvgpu_context_put(context);
	return ret;
}

int pvgpu_surface_fetch(struct pvgpu_bo *bo)
{
	return bo->surface ? surface_move(bo, PVGPU_OP_VIRGL_TRANSFER_FROM) : 0;
}

int pvgpu_surface_store(struct pvgpu_bo *bo)
{
	return bo->surface ? surface_move(bo, PVGPU_OP_VIRGL_TRANSFER_TO) : 0;
}
