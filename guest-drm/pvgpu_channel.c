// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The kernel's channel of class COPY: one submission ring, and the fences of
 * what is under way. The host writes a counter; the fence that comes next asks
 * for an interrupt when the counter gets there.
 */
#include "pvgpu_drv.h"

#define KERNEL_CHANNEL	1

int pvgpu_channel_init(struct pvgpu_card *pvgpu)
{
	const struct pvgpu_device *device = &pvgpu->link.client.device;
	struct pvgpu_channel *channel = &pvgpu->channel;

	channel->pvgpu = pvgpu;
	spin_lock_init(&channel->lock);
	INIT_LIST_HEAD(&channel->fences);
	init_waitqueue_head(&channel->wait);
	channel->context = dma_fence_context_alloc(1);
	/* A QEMU with fewer vectors than the device drops the channel's. */
	if (device->channels >= KERNEL_CHANNEL && device->features & PVGPU_FEATURE_COPY &&
	    device->channel_classes & BIT(PVGPU_CHANNEL_COPY) &&
	    pvgpu_device_vector(device, KERNEL_CHANNEL) < pvgpu->transport.num_vectors)
		channel->id = KERNEL_CHANNEL;
	return drmm_mutex_init(&pvgpu->drm, &channel->submit_lock);
}

int pvgpu_channel_open(struct pvgpu_card *pvgpu)
{
	struct pvgpu_channel *channel = &pvgpu->channel;
	struct pvgpu_channel_open open = {
		.channel = pvgpu_cpu_to_le32(channel->id),
		.channel_class = pvgpu_cpu_to_le32(PVGPU_CHANNEL_COPY),
	};
	int ret;

	if (!channel->id || !(pvgpu->link.client.features & PVGPU_FEATURE_COPY))
		return 0;
	pvgpu_msg_init(&open, PVGPU_OP_CHANNEL_OPEN);
	mutex_lock(&channel->submit_lock);
	ret = pvgpu_link_call(pvgpu, &open, sizeof(open), NULL, 0);
	if (!ret) {
		spin_lock_irq(&channel->lock);
		channel->next = 1;
		/* Lost meanwhile: whoever found out has closed it already, or
		 * will, once we are out of here.
		 */
		channel->open = pvgpu_link_up(pvgpu);
		spin_unlock_irq(&channel->lock);
	}
	mutex_unlock(&channel->submit_lock);
	return ret;
}

/* Moves fences to `done` up to a value; the lock is held. */
static void channel_collect(struct pvgpu_channel *channel, u64 value, struct list_head *done)
{
	struct pvgpu_fence_obj *fence, *next;

	list_for_each_entry_safe(fence, next, &channel->fences, entry) {
		if (fence->value > value)
			break;
		list_move_tail(&fence->entry, done);
	}
}

/* Without the lock: callbacks of other drivers run in here. */
static void channel_signal(struct list_head *done)
{
	struct pvgpu_fence_obj *fence, *next;

	list_for_each_entry_safe(fence, next, done, entry) {
		list_del_init(&fence->entry);
		dma_fence_signal(&fence->base);
		dma_fence_put(&fence->base);
	}
}

void pvgpu_channel_fail(struct pvgpu_card *pvgpu)
{
	struct pvgpu_channel *channel = &pvgpu->channel;
	struct pvgpu_fence_obj *fence;
	unsigned long flags;
	LIST_HEAD(done);

	spin_lock_irqsave(&channel->lock, flags);
	channel->open = false;
	list_for_each_entry(fence, &channel->fences, entry)
		dma_fence_set_error(&fence->base, -EIO);
	list_splice_init(&channel->fences, &done);
	spin_unlock_irqrestore(&channel->lock, flags);
	channel_signal(&done);
	wake_up_all(&channel->wait);
}

/* Completions come for batches that went wrong; the lock is held. */
static bool channel_errors(struct pvgpu_channel *channel)
{
	struct pvgpu_client *client = &channel->pvgpu->link.client;
	const struct pvgpu_completion *done = (void *)channel->scratch;
	struct pvgpu_fence_obj *fence;
	int length;

	do {
		while ((length = pvgpu_client_take(client, channel->id, channel->scratch)) > 0) {
			u32 status = length < sizeof(*done) ? 0 : pvgpu_le32_to_cpu(done->status);

			if (!status)
				continue;
			channel->failed++;
			list_for_each_entry(fence, &channel->fences, entry) {
				if (fence->value == pvgpu_le64_to_cpu(done->value))
					dma_fence_set_error(&fence->base,
							    pvgpu_status_to_errno(status));
			}
		}
		if (length < 0)
			return false;
	} while (!pvgpu_client_sleep(client, channel->id));
	return true;
}

/* Signals what is done; false: the ring makes no sense. */
static bool channel_process(struct pvgpu_channel *channel)
{
	struct pvgpu_client *client = &channel->pvgpu->link.client;
	struct pvgpu_fence_obj *next;
	unsigned long flags;
	bool sane = true;
	LIST_HEAD(done);

	spin_lock_irqsave(&channel->lock, flags);
	if (!channel->open)
		goto out;
	do {
		/* The counter first: a failure is told before it passes. */
		u64 value = pvgpu_client_fence(client, channel->id, NULL);

		sane = channel_errors(channel);
		channel_collect(channel, value, &done);
		next = list_first_entry_or_null(&channel->fences, struct pvgpu_fence_obj, entry);
	} while (sane && next &&
		 !pvgpu_client_fence_sleep(client, channel->id, next->value));
out:
	spin_unlock_irqrestore(&channel->lock, flags);
	channel_signal(&done);
	return sane;
}

void pvgpu_channel_interrupt(struct pvgpu_card *pvgpu, u32 vector)
{
	struct pvgpu_channel *channel = &pvgpu->channel;
	const struct pvgpu_device *device = &pvgpu->link.client.device;

	if (!channel->id || pvgpu_device_vector(device, channel->id) != vector)
		return;
	if (!channel_process(channel))
		pvgpu_link_fail(pvgpu);
	wake_up_all(&channel->wait);
}

/* One attempt; -EAGAIN: no room, and an interrupt is asked for. submit_lock is
 * held.
 */
static int channel_try_send(struct pvgpu_channel *channel, struct pvgpu_submit *submit,
			    u32 length, struct pvgpu_fence_obj *fence)
{
	struct pvgpu_client *client = &channel->pvgpu->link.client;
	unsigned long flags;
	int ret;

	spin_lock_irqsave(&channel->lock, flags);
	if (!channel->open) {
		ret = -EIO;
		goto out;
	}
	fence->value = channel->next;
	submit->fence = pvgpu_cpu_to_le64(fence->value);
	do {
		ret = pvgpu_client_send(client, channel->id, submit, length);
	} while (ret == PVGPU_CLIENT_FULL &&
		 !pvgpu_producer_sleep(&client->queues[channel->id].submit,
				       pvgpu_slots(length)));
	if (ret) {
		ret = ret == PVGPU_CLIENT_FULL ? -EAGAIN : -EIO;
		goto out;
	}
	channel->next++;
	channel->batches++;
	dma_fence_get(&fence->base);
	list_add_tail(&fence->entry, &channel->fences);
	pvgpu_client_flush(client, channel->id);
out:
	spin_unlock_irqrestore(&channel->lock, flags);
	return ret;
}

struct dma_fence *pvgpu_channel_submit(struct pvgpu_card *pvgpu, struct pvgpu_submit *submit,
				       u32 length)
{
	struct pvgpu_channel *channel = &pvgpu->channel;
	unsigned long end = jiffies + PVGPU_CALL_TIMEOUT;
	struct pvgpu_fence_obj *fence;
	DEFINE_WAIT(wait);
	int ret, idx;

	if (!channel->id)
		return ERR_PTR(-EOPNOTSUPP);
	if (!drm_dev_enter(&pvgpu->drm, &idx))
		return ERR_PTR(-ENODEV);
	fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	if (!fence) {
		drm_dev_exit(idx);
		return ERR_PTR(-ENOMEM);
	}

	mutex_lock(&channel->submit_lock);
	pvgpu_fence_init(channel, fence);
	for (;;) {
		prepare_to_wait(&channel->wait, &wait, TASK_INTERRUPTIBLE);
		ret = channel_try_send(channel, submit, length, fence);
		if (ret != -EAGAIN)
			break;
		if (signal_pending(current)) {
			ret = -ERESTARTSYS;
			break;
		}
		if (time_after(jiffies, end)) {
			ret = -EIO;
			pvgpu_link_fail(pvgpu);
			break;
		}
		schedule_timeout(HZ / 10);
	}
	finish_wait(&channel->wait, &wait);
	mutex_unlock(&channel->submit_lock);

	/* It may be done already, or nobody may have asked for an interrupt. */
	if (!ret && !channel_process(channel))
		pvgpu_link_fail(pvgpu);
	drm_dev_exit(idx);
	if (ret) {
		/* It never was anybody's. */
		dma_fence_set_error(&fence->base, ret);
		dma_fence_signal(&fence->base);
		dma_fence_put(&fence->base);
		return ERR_PTR(ret);
	}
	return &fence->base;
}
