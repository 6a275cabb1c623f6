// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Channels: submission rings of a class each, and what is under way in them.
 * Channel 1 is the kernel's own, of class COPY; the others render, and each
 * context is bound to one of them.
 *
 * The host writes a counter for each channel. We ask for an interrupt at the
 * first fence that somebody waits for, and else at the last one, so that a busy
 * channel of which nobody waits interrupts when it comes to rest. Nothing here
 * times out: a batch takes as long as it takes, and a host that is lost ends
 * every wait with -EIO.
 *
 * A context may have only so many batches and commands under way, so that one
 * that floods its channel leaves room for the others.
 */
#include "pvgpu_drv.h"

#define COPY_CHANNEL	1
#define ARENA_SIZE	SZ_4M
/* The share of a context: batches, and one so-manieth of the arena. */
#define SHARE_BATCHES	32
#define SHARE_ARENA	4
/* How often somebody who waits for room looks whether there is a host. */
#define LOOK_PERIOD	HZ
/* How long what is done may hold what nobody needs: a program that goes on lets
 * go of it with its next batch, which costs less than to wake a thread for it.
 */
#define REAP_DELAY	(HZ / 4)

static void channel_work(struct work_struct *work);

/* ------------------------------------------------------- open and close */

static void channel_fini(struct drm_device *drm, void *data)
{
	struct pvgpu_channel *channel = data;

	/* Whoever held something has let go: nothing is under way any more. */
	cancel_delayed_work_sync(&channel->work);
	if (channel->arena.bo)
		drm_gem_object_put(&channel->arena.bo->base);
}

static int channel_create(struct pvgpu_card *pvgpu, u32 id, u32 class)
{
	struct pvgpu_channel *channel;
	int ret;

	channel = drmm_kzalloc(&pvgpu->drm, sizeof(*channel), GFP_KERNEL);
	if (!channel)
		return -ENOMEM;
	channel->pvgpu = pvgpu;
	channel->id = id;
	channel->class = class;
	spin_lock_init(&channel->lock);
	INIT_LIST_HEAD(&channel->fences);
	INIT_LIST_HEAD(&channel->reap);
	INIT_DELAYED_WORK(&channel->work, channel_work);
	init_waitqueue_head(&channel->wait);
	channel->timeline.context = dma_fence_context_alloc(1);
	ret = drmm_mutex_init(&pvgpu->drm, &channel->submit_lock);
	if (!ret)
		ret = drmm_add_action_or_reset(&pvgpu->drm, channel_fini, channel);
	if (!ret)
		pvgpu->channels[id] = channel;
	return ret;
}

int pvgpu_channel_init(struct pvgpu_card *pvgpu)
{
	const struct pvgpu_device *device = &pvgpu->link.client.device;
	bool copy = device->features & PVGPU_FEATURE_COPY &&
		    device->channel_classes & BIT(PVGPU_CHANNEL_COPY);
	bool virgl = pvgpu_virgl_offered(device);
	u32 id, class;
	int ret;

	for (id = 1; id <= device->channels; id++) {
		/* A QEMU with fewer vectors than the device drops the channel's. */
		if (pvgpu_device_vector(device, id) >= pvgpu->transport.num_vectors)
			continue;
		if (id == COPY_CHANNEL ? !copy : !virgl)
			continue;
		class = id == COPY_CHANNEL ? PVGPU_CHANNEL_COPY : PVGPU_CHANNEL_VIRGL;
		ret = channel_create(pvgpu, id, class);
		if (ret)
			return ret;
		if (class == PVGPU_CHANNEL_COPY)
			pvgpu->copy = pvgpu->channels[id];
		else
			pvgpu->virgl.offered = true;
	}
	return 0;
}

static int channel_open(struct pvgpu_channel *channel)
{
	struct pvgpu_card *pvgpu = channel->pvgpu;
	struct pvgpu_channel_open open = {
		.channel = pvgpu_cpu_to_le32(channel->id),
		.channel_class = pvgpu_cpu_to_le32(channel->class),
	};
	int ret;

	pvgpu_msg_init(&open, PVGPU_OP_CHANNEL_OPEN);
	mutex_lock(&channel->submit_lock);
	ret = pvgpu_link_call(pvgpu, &open, sizeof(open), NULL, 0);
	if (!ret) {
		spin_lock_irq(&channel->lock);
		channel->next = 1;
		channel->arena.head = 0;
		channel->arena.tail = 0;
		/* Lost meanwhile: whoever found out has closed it already, or
		 * will, once we are out of here.
		 */
		channel->open = pvgpu_link_up(pvgpu);
		spin_unlock_irq(&channel->lock);
	}
	mutex_unlock(&channel->submit_lock);
	return ret;
}

int pvgpu_channel_open(struct pvgpu_card *pvgpu)
{
	u64 granted = pvgpu->link.client.features;
	u32 id;
	int ret;

	for (id = 1; id <= PVGPU_MAX_CHANNELS; id++) {
		struct pvgpu_channel *channel = pvgpu->channels[id];

		if (!channel || !(granted & (channel->class == PVGPU_CHANNEL_COPY ?
					     PVGPU_FEATURE_COPY : PVGPU_FEATURE_VIRGL)))
			continue;
		ret = channel_open(channel);
		if (ret)
			return ret;
	}
	return 0;
}

int pvgpu_channel_prepare(struct pvgpu_channel *channel)
{
	struct pvgpu_card *pvgpu = channel->pvgpu;
	u64 size = max_t(u64, ARENA_SIZE,
			 roundup_pow_of_two(2 * (u64)pvgpu->link.client.device.max_commands));
	struct pvgpu_bo *bo;
	int ret = 0;

	mutex_lock(&channel->submit_lock);
	if (!channel->arena.bo) {
		/* Nobody reads in it what he has not written. */
		bo = pvgpu_bo_create(pvgpu, size, NULL, false);
		if (IS_ERR(bo)) {
			ret = PTR_ERR(bo);
		} else {
			channel->arena.size = size;
			channel->arena.bo = bo;
		}
	}
	if (!ret)
		ret = pvgpu_bo_resource(channel->arena.bo, NULL);
	mutex_unlock(&channel->submit_lock);
	return ret;
}

/* ------------------------------------------------------------ completion */

/* Asks for the interrupt that is needed next; the lock is held. */
static void channel_arm(struct pvgpu_channel *channel)
{
	struct pvgpu_client *client = &channel->pvgpu->link.client;
	struct pvgpu_fence_obj *fence;
	u64 value, now;

	do {
		now = pvgpu_client_fence(client, channel->id, NULL);
		value = 0;
		list_for_each_entry(fence, &channel->fences, entry) {
			if (fence->value <= now)
				continue;
			value = fence->value;
			if (fence->wanted || channel->hungry)
				break;
		}
	} while (value && !pvgpu_client_fence_sleep(client, channel->id, value));
}

/* One completion in channel.scratch; the lock is held. */
static void channel_failed(struct pvgpu_channel *channel, int length)
{
	const struct pvgpu_completion *done = (void *)channel->scratch;
	struct pvgpu_fence_obj *fence;
	u32 status;

	status = length < sizeof(*done) ? 0 : pvgpu_le32_to_cpu(done->status);
	if (!status)
		return;
	channel->failed++;
	list_for_each_entry(fence, &channel->fences, entry) {
		if (fence->value != pvgpu_le64_to_cpu(done->value))
			continue;
		pvgpu_fence_fail(fence, pvgpu_status_to_errno(status));
		if (fence->context)
			pvgpu_context_failed(fence->context, pvgpu_le16_to_cpu(done->msg.opcode),
					     status, pvgpu_le32_to_cpu(done->detail));
		break;
	}
}

/* Completions come for batches that went wrong; the lock is held. False: the
 * ring makes no sense.
 */
static bool channel_errors(struct pvgpu_channel *channel)
{
	struct pvgpu_client *client = &channel->pvgpu->link.client;
	int length;

	do {
		while ((length = pvgpu_client_take(client, channel->id, channel->scratch)) > 0)
			channel_failed(channel, length);
		if (length < 0)
			return false;
	} while (!pvgpu_client_sleep(client, channel->id));
	return true;
}

/* It is done: what it took of its channel is free; the lock is held. */
static void fence_uncount(struct pvgpu_fence_obj *fence)
{
	if (fence->context) {
		fence->context->batches--;
		fence->context->bytes -= fence->size;
	}
	if (fence->size)
		fence->channel->arena.tail = fence->arena_end;
}

/* Moves fences to `done` up to a value; the lock is held. */
static void channel_collect(struct pvgpu_channel *channel, u64 value, struct list_head *done)
{
	struct pvgpu_fence_obj *fence, *next;

	list_for_each_entry_safe(fence, next, &channel->fences, entry) {
		if (fence->value > value)
			break;
		fence_uncount(fence);
		list_move_tail(&fence->entry, done);
		channel->progress++;
	}
}

/* Without the lock: callbacks of other drivers run in here. What must sleep to
 * be let go of is left to the work.
 */
static void channel_signal(struct pvgpu_channel *channel, struct list_head *done)
{
	struct pvgpu_card *pvgpu = channel->pvgpu;
	struct pvgpu_fence_obj *fence, *next;
	unsigned long flags;
	bool reap = false;

	list_for_each_entry_safe(fence, next, done, entry) {
		if (fence->event)
			drm_send_event(&pvgpu->drm, &fence->event->base);
		fence->event = NULL;
		dma_fence_signal(&fence->base);
		if (fence->objs || fence->context) {
			spin_lock_irqsave(&channel->lock, flags);
			list_move_tail(&fence->entry, &channel->reap);
			spin_unlock_irqrestore(&channel->lock, flags);
			reap = true;
		} else {
			list_del_init(&fence->entry);
			dma_fence_put(&fence->base);
		}
	}
	if (reap)
		queue_delayed_work(pvgpu->link.wq, &channel->work, REAP_DELAY);
}

void pvgpu_channel_fail(struct pvgpu_card *pvgpu)
{
	struct pvgpu_fence_obj *fence;
	unsigned long flags;
	LIST_HEAD(done);
	u32 id;

	for (id = 1; id <= PVGPU_MAX_CHANNELS; id++) {
		struct pvgpu_channel *channel = pvgpu->channels[id];

		if (!channel)
			continue;
		spin_lock_irqsave(&channel->lock, flags);
		channel->open = false;
		list_for_each_entry(fence, &channel->fences, entry)
			pvgpu_fence_fail(fence, -EIO);
		channel_collect(channel, U64_MAX, &done);
		channel->progress++;
		spin_unlock_irqrestore(&channel->lock, flags);
		channel_signal(channel, &done);
		mod_delayed_work(pvgpu->link.wq, &channel->work, 0);
		wake_up_all(&channel->wait);
	}
}

/* Signals what is done, and asks for the next interrupt. */
static void channel_process(struct pvgpu_channel *channel)
{
	struct pvgpu_client *client = &channel->pvgpu->link.client;
	struct pvgpu_fence_obj *first;
	unsigned long flags;
	bool sane = true;
	LIST_HEAD(done);
	u32 before;

	spin_lock_irqsave(&channel->lock, flags);
	before = channel->progress;
	while (channel->open) {
		/* The counter first: a failure is told before it passes. */
		u64 value = pvgpu_client_fence(client, channel->id, NULL);

		sane = channel_errors(channel);
		if (!sane)
			break;
		channel_collect(channel, value, &done);
		channel_arm(channel);
		first = list_first_entry_or_null(&channel->fences, struct pvgpu_fence_obj, entry);
		if (!first || first->value > pvgpu_client_fence(client, channel->id, NULL))
			break;
	}
	before -= channel->progress;
	spin_unlock_irqrestore(&channel->lock, flags);
	channel_signal(channel, &done);
	if (!sane)
		pvgpu_link_fail(channel->pvgpu);
	if (before && waitqueue_active(&channel->wait))
		wake_up_all(&channel->wait);
}

void pvgpu_channel_interrupt(struct pvgpu_card *pvgpu, u32 vector)
{
	const struct pvgpu_device *device = &pvgpu->link.client.device;
	u32 id;

	for (id = 1; id <= device->channels; id++) {
		struct pvgpu_channel *channel = pvgpu->channels[id];
		unsigned long flags;

		if (!channel || pvgpu_device_vector(device, id) != vector)
			continue;
		channel_process(channel);
		/* It may be about room in the ring. */
		spin_lock_irqsave(&channel->lock, flags);
		channel->progress++;
		spin_unlock_irqrestore(&channel->lock, flags);
		wake_up_all(&channel->wait);
	}
}

bool pvgpu_channel_settle(struct pvgpu_card *pvgpu)
{
	struct pvgpu_fence_obj *last;
	struct dma_fence *fence;
	bool waited = false;
	long left = HZ;
	u32 id;

	for (id = 1; id <= PVGPU_MAX_CHANNELS && left > 0; id++) {
		struct pvgpu_channel *channel = pvgpu->channels[id];

		if (!channel)
			continue;
		spin_lock_irq(&channel->lock);
		last = list_empty(&channel->fences) ? NULL :
			list_last_entry(&channel->fences, struct pvgpu_fence_obj, entry);
		fence = last ? dma_fence_get(&last->base) : NULL;
		spin_unlock_irq(&channel->lock);
		if (!fence)
			continue;
		left = dma_fence_wait_timeout(fence, true, left);
		dma_fence_put(fence);
		waited = true;
	}
	return waited;
}

void pvgpu_channel_collect_all(struct pvgpu_card *pvgpu)
{
	u32 id;

	for (id = 1; id <= PVGPU_MAX_CHANNELS; id++) {
		if (!pvgpu->channels[id])
			continue;
		channel_process(pvgpu->channels[id]);
		pvgpu_channel_reap(pvgpu->channels[id]);
		flush_delayed_work(&pvgpu->channels[id]->work);
	}
}

static void objects_put(struct drm_gem_object **objs, u32 count)
{
	u32 i;

	for (i = 0; objs && i < count; i++)
		drm_gem_object_put(objs[i]);
	kvfree(objs);
}

void pvgpu_fence_hold(struct dma_fence *base, struct drm_gem_object **objs, u32 count)
{
	struct pvgpu_fence_obj *fence = pvgpu_fence_of(base);
	bool reaped;

	spin_lock_irq(&fence->channel->lock);
	reaped = fence->reaped;
	if (!reaped) {
		fence->objs = objs;
		fence->count = count;
	}
	spin_unlock_irq(&fence->channel->lock);
	if (reaped)
		objects_put(objs, count);
}

void pvgpu_channel_reap(struct pvgpu_channel *channel)
{
	struct pvgpu_fence_obj *fence, *next;
	LIST_HEAD(reap);

	if (list_empty_careful(&channel->reap))
		return;
	spin_lock_irq(&channel->lock);
	list_splice_init(&channel->reap, &reap);
	list_for_each_entry(fence, &reap, entry)
		fence->reaped = true;
	spin_unlock_irq(&channel->lock);
	list_for_each_entry_safe(fence, next, &reap, entry) {
		list_del_init(&fence->entry);
		objects_put(fence->objs, fence->count);
		fence->objs = NULL;
		if (fence->context)
			pvgpu_context_put(fence->context);
		fence->context = NULL;
		dma_fence_put(&fence->base);
		cond_resched();
	}
}

static void channel_work(struct work_struct *work)
{
	struct pvgpu_channel *channel = container_of(to_delayed_work(work), struct pvgpu_channel,
						     work);

	channel_process(channel);
	pvgpu_channel_reap(channel);
}

bool pvgpu_channel_want(struct pvgpu_fence_obj *fence)
{
	struct pvgpu_channel *channel = fence->channel;
	bool waits = true;

	/* The fence's lock is held, and interrupts are off. */
	spin_lock(&channel->lock);
	if (channel->open && !list_empty(&channel->fences)) {
		fence->wanted = true;
		channel_arm(channel);
		if (pvgpu_client_fence(&channel->pvgpu->link.client, channel->id, NULL) >=
		    fence->value) {
			waits = !channel_errors(channel);
			if (waits)
				mod_delayed_work(channel->pvgpu->link.wq, &channel->work, 0);
		}
	}
	spin_unlock(&channel->lock);
	return waits;
}

bool pvgpu_channel_passed(struct pvgpu_fence_obj *fence)
{
	struct pvgpu_channel *channel = fence->channel;
	unsigned long flags;
	bool passed;

	if (!READ_ONCE(channel->open) ||
	    pvgpu_client_fence(&channel->pvgpu->link.client, channel->id, NULL) < fence->value)
		return false;
	/* If it failed, it must be told so before it signals. */
	spin_lock_irqsave(&channel->lock, flags);
	passed = channel->open && channel_errors(channel);
	spin_unlock_irqrestore(&channel->lock, flags);
	return passed;
}

/* ------------------------------------------------------------ submission */

/* Whether the context may send `size` bytes more; the lock is held. */
static bool share_left(const struct pvgpu_channel *channel, const struct pvgpu_context *context,
		       u32 size)
{
	if (!context || !context->batches)
		return true;
	return context->batches < SHARE_BATCHES &&
	       context->bytes + (u64)size <= channel->arena.size / SHARE_ARENA;
}

/* Where the next `size` bytes of commands would lie, and the position behind
 * them; false: there is no room. Pieces do not wrap. submit_lock and the lock
 * are held.
 */
static bool arena_place(const struct pvgpu_arena *arena, u32 size, u64 *ret_at, u64 *ret_end)
{
	u64 at = arena->head;

	if ((at & (arena->size - 1)) + size > arena->size)
		at = ALIGN(at, arena->size);
	*ret_at = at & (arena->size - 1);
	*ret_end = ALIGN(at + size, 64);
	return *ret_end - arena->tail <= arena->size;
}

/* Whether there is room now, and what became of the channel; the lock is held.
 * 0, -EAGAIN or -EIO.
 */
static int channel_state(struct pvgpu_channel *channel, const struct pvgpu_context *context,
			 u32 size)
{
	if (!channel->open)
		return -EIO;
	if (context && (READ_ONCE(context->lost) ||
			context->generation != channel->pvgpu->link.client.generation))
		return -EIO;
	return share_left(channel, context, size) ? 0 : -EAGAIN;
}

static void arena_write(struct pvgpu_channel *channel, u64 at, const void *from, u32 size)
{
	struct iosys_map map = IOSYS_MAP_INIT_VADDR((void *)from);

	pvgpu_vram_write(channel->pvgpu, &channel->arena.bo->vram, at, &map, 0, size);
}

/* One attempt; -EAGAIN: no room. submit_lock is held. */
static int channel_try_send(struct pvgpu_channel *channel, struct pvgpu_batch *batch,
			    struct pvgpu_fence_obj *fence)
{
	struct pvgpu_client *client = &channel->pvgpu->link.client;
	struct pvgpu_virgl_submit *submit = (void *)batch->message;
	u64 at = 0, end = 0;
	int ret;

	spin_lock_irq(&channel->lock);
	ret = channel_state(channel, batch->context, batch->size);
	if (!ret && batch->size && !arena_place(&channel->arena, batch->size, &at, &end))
		ret = -EAGAIN;
	spin_unlock_irq(&channel->lock);
	if (ret)
		return ret;
	if (batch->size) {
		arena_write(channel, at, batch->commands, batch->size);
		submit->resource = pvgpu_cpu_to_le32(channel->arena.bo->resource);
		submit->offset = pvgpu_cpu_to_le64(at);
	}

	spin_lock_irq(&channel->lock);
	ret = channel_state(channel, batch->context, batch->size);
	if (ret)
		goto out;
	/* Each attempt has a number in the timeline: it is what it is sent with. */
	pvgpu_fence_init(fence, batch->timeline);
	fence->value = channel->next;
	batch->message->fence = pvgpu_cpu_to_le64(fence->value);
	do {
		ret = pvgpu_client_send(client, channel->id, batch->message, batch->length);
	} while (ret == PVGPU_CLIENT_FULL &&
		 !pvgpu_producer_sleep(&client->queues[channel->id].submit,
				       pvgpu_slots(batch->length)));
	if (ret) {
		ret = ret == PVGPU_CLIENT_FULL ? -EAGAIN : -EIO;
		goto out;
	}
	pvgpu_fence_sent(fence, batch->timeline);
	channel->next++;
	channel->batches++;
	if (batch->size) {
		channel->arena.head = end;
		fence->arena_end = end;
		fence->size = batch->size;
	}
	if (batch->context) {
		kref_get(&batch->context->refs);
		fence->context = batch->context;
		fence->context->batches++;
		fence->context->bytes += fence->size;
	}
	fence->event = batch->event;
	fence->wanted = fence->event;
	dma_fence_get(&fence->base);
	list_add_tail(&fence->entry, &channel->fences);
	pvgpu_client_flush(client, channel->id);
out:
	spin_unlock_irq(&channel->lock);
	return ret;
}

/* Sleeps until there may be room again: what was the progress when there was
 * none. 0 or -ERESTARTSYS.
 */
static int channel_sleep(struct pvgpu_channel *channel, u32 progress)
{
	struct pvgpu_card *pvgpu = channel->pvgpu;
	long left;

	spin_lock_irq(&channel->lock);
	channel->hungry++;
	spin_unlock_irq(&channel->lock);
	channel_process(channel);
	left = wait_event_interruptible_timeout(channel->wait,
						READ_ONCE(channel->progress) != progress,
						LOOK_PERIOD);
	spin_lock_irq(&channel->lock);
	channel->hungry--;
	spin_unlock_irq(&channel->lock);
	/* A host that is gone may have told nobody. */
	if (!left && pvgpu_link_up(pvgpu) && !pvgpu_client_attached(&pvgpu->link.client))
		pvgpu_link_fail(pvgpu);
	return left < 0 ? left : 0;
}

int pvgpu_channel_admit(struct pvgpu_channel *channel, struct pvgpu_context *context, u32 size)
{
	u32 progress;
	int ret;

	for (;;) {
		spin_lock_irq(&channel->lock);
		progress = channel->progress;
		ret = channel_state(channel, context, size);
		spin_unlock_irq(&channel->lock);
		if (ret != -EAGAIN)
			return ret;
		ret = channel_sleep(channel, progress);
		if (ret)
			return ret;
	}
}

struct dma_fence *pvgpu_channel_submit(struct pvgpu_channel *channel, struct pvgpu_batch *batch)
{
	struct pvgpu_card *pvgpu = channel->pvgpu;
	struct pvgpu_fence_obj *fence;
	u32 progress;
	int ret, idx;

	if (!drm_dev_enter(&pvgpu->drm, &idx))
		return ERR_PTR(-ENODEV);
	fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	if (!fence) {
		drm_dev_exit(idx);
		return ERR_PTR(-ENOMEM);
	}
	fence->channel = channel;
	for (;;) {
		progress = READ_ONCE(channel->progress);
		ret = mutex_lock_interruptible(&channel->submit_lock);
		if (ret) {
			ret = -ERESTARTSYS;
			break;
		}
		ret = channel_try_send(channel, batch, fence);
		mutex_unlock(&channel->submit_lock);
		if (ret != -EAGAIN)
			break;
		ret = channel_sleep(channel, progress);
		if (ret)
			break;
	}

	/* It may be done already, or nobody may have asked for an interrupt. */
	if (!ret)
		channel_process(channel);
	drm_dev_exit(idx);
	if (!ret)
		return &fence->base;
	/* It never was anybody's. */
	kfree(fence);
	return ERR_PTR(ret);
}

/* --------------------------------------------------------------- waiting */

int pvgpu_channel_wait_for(struct pvgpu_channel *channel, struct dma_fence *fence)
{
	struct dma_fence_unwrap cursor;
	struct dma_fence *one;
	int ret = 0;

	dma_fence_unwrap_for_each(one, &cursor, fence) {
		struct pvgpu_fence_obj *own = pvgpu_fence_of(one);

		/* A channel's batches are done in order. */
		if (own && own->channel == channel)
			continue;
		ret = dma_fence_wait(one, true);
		if (ret)
			break;
	}
	/* Breaking out leaves the cursor's reference to the chain. */
	if (ret)
		dma_fence_put(cursor.chain);
	return ret;
}

int pvgpu_channel_wait_resv(struct pvgpu_channel *channel, struct dma_resv *resv,
			    enum dma_resv_usage usage)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	int ret = 0;

	dma_resv_iter_begin(&cursor, resv, usage);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		ret = pvgpu_channel_wait_for(channel, fence);
		if (ret)
			break;
	}
	dma_resv_iter_end(&cursor);
	return ret;
}
