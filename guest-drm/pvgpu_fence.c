// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The dma_fence of a batch. It signals when the channel's counter in the fence
 * page gets to its value, or with an error when the batch was refused or its
 * generation is over. Whoever only looks reads the counter; whoever waits has
 * the channel ask for an interrupt.
 */
#include "pvgpu_drv.h"

static const char *fence_driver_name(struct dma_fence *fence)
{
	return PVGPU_NAME;
}

static const char *fence_timeline_name(struct dma_fence *fence)
{
	return "batches";
}

static bool fence_enable_signaling(struct dma_fence *fence)
{
	return pvgpu_channel_want(pvgpu_fence_of(fence));
}

static bool fence_signaled(struct dma_fence *fence)
{
	return pvgpu_channel_passed(pvgpu_fence_of(fence));
}

static void fence_release(struct dma_fence *fence)
{
	dma_fence_free(fence);
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops pvgpu_fence_ops = {
	.get_driver_name = fence_driver_name,
	.get_timeline_name = fence_timeline_name,
	.enable_signaling = fence_enable_signaling,
	.signaled = fence_signaled,
	.release = fence_release,
};

struct pvgpu_fence_obj *pvgpu_fence_of(struct dma_fence *fence)
{
	if (pvgpu_dma_fence_ops(fence) != &pvgpu_fence_ops)
		return NULL;
	return container_of(fence, struct pvgpu_fence_obj, base);
}

void pvgpu_fence_init(struct pvgpu_fence_obj *fence, const struct pvgpu_timeline *timeline)
{
	/* The lock as well, so each fence has its own. */
	spin_lock_init(&fence->lock);
	INIT_LIST_HEAD(&fence->entry);
	dma_fence_init(&fence->base, &pvgpu_fence_ops, &fence->lock, timeline->context,
		       timeline->seqno + 1);
}

void pvgpu_fence_sent(struct pvgpu_fence_obj *fence, struct pvgpu_timeline *timeline)
{
	timeline->seqno++;
	/* A sync_file can outlive the device; its fence calls into us. */
	__module_get(THIS_MODULE);
}

void pvgpu_fence_fail(struct pvgpu_fence_obj *fence, int error)
{
	/* Somebody who looked may have found it passed already. */
	if (!test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->base.flags))
		fence->base.error = error;
}
