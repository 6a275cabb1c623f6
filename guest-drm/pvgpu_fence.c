// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The dma_fence of a batch. It signals when the channel's counter in the fence
 * page gets to its value, or with an error when its generation is over.
 */
#include "pvgpu_drv.h"

static const char *fence_driver_name(struct dma_fence *fence)
{
	return PVGPU_NAME;
}

static const char *fence_timeline_name(struct dma_fence *fence)
{
	return "copy";
}

static void fence_release(struct dma_fence *fence)
{
	dma_fence_free(fence);
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops pvgpu_fence_ops = {
	.get_driver_name = fence_driver_name,
	.get_timeline_name = fence_timeline_name,
	.release = fence_release,
};

void pvgpu_fence_init(struct pvgpu_channel *channel, struct pvgpu_fence_obj *fence)
{
	/* A sync_file can outlive the device; its fence calls into us. */
	__module_get(THIS_MODULE);
	/* The lock as well, so each fence has its own. */
	spin_lock_init(&fence->lock);
	INIT_LIST_HEAD(&fence->entry);
	dma_fence_init(&fence->base, &pvgpu_fence_ops, &fence->lock, channel->context,
		       ++channel->seqno);
}
