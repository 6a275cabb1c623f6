// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Submission: what a batch must come after, the batch, and what comes after it.
 * All waiting for others is done before, interruptibly and without a lock, so
 * that nothing that is under way ever waits for a program.
 */
#include "pvgpu_drv.h"

/* More than any program has; it bounds what we allocate for its sake. */
#define MAX_OBJECTS	65536
#define MAX_SYNCOBJS	65536

/* --------------------------------------------------------------- batches */

static int wait_objects(struct pvgpu_channel *channel, struct pvgpu_batch *batch)
{
	int ret = 0;
	u32 i;

	/* Which of them it writes to only the commands say. */
	for (i = 0; i < batch->count && !ret; i++)
		ret = pvgpu_channel_wait_resv(channel, batch->objs[i]->resv, DMA_RESV_USAGE_READ);
	return ret;
}

struct dma_fence *pvgpu_submit(struct pvgpu_context *context, struct pvgpu_batch *batch)
{
	struct pvgpu_channel *channel = context->channel;
	struct drm_gem_object **objs = batch->objs;
	struct dma_fence *fence;
	struct ww_acquire_ctx ctx;
	u32 count = batch->count, i;
	int ret;

	batch->context = context;
	ret = wait_objects(channel, batch);
	if (!ret)
		ret = pvgpu_channel_admit(channel, context, batch->size);
	if (!ret && count)
		ret = drm_gem_lock_reservations(objs, count, &ctx);
	if (ret)
		return ERR_PTR(ret);
	for (i = 0; i < count && !ret; i++)
		ret = dma_resv_reserve_fences(objs[i]->resv, 1);
	/* Somebody may have come in between. */
	if (!ret)
		ret = wait_objects(channel, batch);
	fence = ret ? ERR_PTR(ret) : pvgpu_channel_submit(channel, batch);
	for (i = 0; i < count && !IS_ERR(fence); i++)
		dma_resv_add_fence(objs[i]->resv, fence, DMA_RESV_USAGE_WRITE);
	if (count)
		drm_gem_unlock_reservations(objs, count, &ctx);
	/* Not before: it may be done already. */
	if (!IS_ERR(fence))
		pvgpu_fence_hold(fence, objs, count);
	pvgpu_channel_reap(channel);
	return fence;
}

/* ------------------------------------------------------------ EXECBUFFER */

/** struct signal_point - a syncobj, and the point of it that the batch signals */
struct signal_point {
	struct drm_syncobj *syncobj;
	struct dma_fence_chain *chain;	/* NULL: all of it, not a point */
	u64 point;
};

/** struct execbuf - an EXECBUFFER and what it needs */
struct execbuf {
	struct drm_virtgpu_execbuffer *args;
	struct drm_file *file;
	struct pvgpu_context *context;
	struct pvgpu_virgl_submit message;
	struct pvgpu_batch batch;
	struct drm_gem_object **objs;
	void *commands;
	struct drm_syncobj **resets;
	struct signal_point *signals;
	s32 in_fd;
	int out_fd;
};

static int copy_syncobj(const struct drm_virtgpu_execbuffer *args, u64 array, u32 index,
			struct drm_virtgpu_execbuffer_syncobj *ret_syncobj)
{
	u64 at = array + (u64)index * args->syncobj_stride;
	size_t size = min_t(size_t, args->syncobj_stride, sizeof(*ret_syncobj));

	memset(ret_syncobj, 0, sizeof(*ret_syncobj));
	return copy_from_user(ret_syncobj, u64_to_user_ptr(at), size) ? -EFAULT : 0;
}

/* Finds everything that the batch will signal, so that this cannot fail. */
static int find_signals(struct execbuf *exec)
{
	struct drm_virtgpu_execbuffer *args = exec->args;
	struct drm_virtgpu_execbuffer_syncobj desc;
	u32 i;
	int ret;

	if (!args->num_out_syncobjs)
		return 0;
	if (args->num_out_syncobjs > MAX_SYNCOBJS)
		return -ENOMEM;
	exec->signals = kvcalloc(args->num_out_syncobjs, sizeof(*exec->signals), GFP_KERNEL);
	if (!exec->signals)
		return -ENOMEM;
	for (i = 0; i < args->num_out_syncobjs; i++) {
		struct signal_point *signal = &exec->signals[i];

		ret = copy_syncobj(args, args->out_syncobjs, i, &desc);
		if (ret)
			return ret;
		if (desc.flags)
			return -EINVAL;
		signal->point = desc.point;
		if (desc.point) {
			signal->chain = dma_fence_chain_alloc();
			if (!signal->chain)
				return -ENOMEM;
		}
		signal->syncobj = drm_syncobj_find(exec->file, desc.handle);
		if (!signal->syncobj)
			return -EINVAL;
	}
	return 0;
}

static int wait_syncobjs(struct execbuf *exec)
{
	struct drm_virtgpu_execbuffer *args = exec->args;
	struct drm_virtgpu_execbuffer_syncobj desc;
	struct dma_fence *fence;
	u32 i;
	int ret;

	if (!args->num_in_syncobjs)
		return 0;
	if (args->num_in_syncobjs > MAX_SYNCOBJS)
		return -ENOMEM;
	exec->resets = kvcalloc(args->num_in_syncobjs, sizeof(*exec->resets), GFP_KERNEL);
	if (!exec->resets)
		return -ENOMEM;
	for (i = 0; i < args->num_in_syncobjs; i++) {
		ret = copy_syncobj(args, args->in_syncobjs, i, &desc);
		if (ret)
			return ret;
		if (desc.flags & ~VIRTGPU_EXECBUF_SYNCOBJ_FLAGS)
			return -EINVAL;
		ret = drm_syncobj_find_fence(exec->file, desc.handle, desc.point, 0, &fence);
		if (ret)
			return ret;
		ret = pvgpu_channel_wait_for(exec->context->channel, fence);
		dma_fence_put(fence);
		if (ret)
			return ret;
		if (desc.flags & VIRTGPU_EXECBUF_SYNCOBJ_RESET) {
			exec->resets[i] = drm_syncobj_find(exec->file, desc.handle);
			if (!exec->resets[i])
				return -EINVAL;
		}
	}
	return 0;
}

static int wait_in_fd(struct execbuf *exec)
{
	struct dma_fence *fence;
	int ret;

	if (!(exec->args->flags & VIRTGPU_EXECBUF_FENCE_FD_IN))
		return 0;
	fence = sync_file_get_fence(exec->in_fd);
	if (!fence)
		return -EINVAL;
	ret = pvgpu_channel_wait_for(exec->context->channel, fence);
	dma_fence_put(fence);
	return ret;
}

/* Objects and commands into our memory. */
static int copy_in(struct execbuf *exec)
{
	struct drm_virtgpu_execbuffer *args = exec->args;
	int ret;

	if (args->num_bo_handles > MAX_OBJECTS)
		return -ENOMEM;
	ret = drm_gem_objects_lookup(exec->file, u64_to_user_ptr(args->bo_handles),
				     args->num_bo_handles, &exec->objs);
	if (ret)
		return ret;
	if (args->size > exec->context->pvgpu->link.client.device.max_commands)
		return -EINVAL;
	exec->commands = vmemdup_user(u64_to_user_ptr(args->command), args->size);
	if (IS_ERR(exec->commands)) {
		ret = PTR_ERR(exec->commands);
		exec->commands = NULL;
	}
	return ret;
}

static int reserve_event(struct execbuf *exec, struct drm_device *drm)
{
	struct pvgpu_file *pfile = exec->file->driver_priv;
	struct pvgpu_event *event;
	int ret;

	if (!(exec->args->flags & VIRTGPU_EXECBUF_RING_IDX) ||
	    !(pfile->poll_rings & BIT_ULL(exec->args->ring_idx)))
		return 0;
	event = kzalloc(sizeof(*event), GFP_KERNEL);
	if (!event)
		return -ENOMEM;
	event->event.type = VIRTGPU_EVENT_FENCE_SIGNALED;
	event->event.length = sizeof(event->event);
	ret = drm_event_reserve_init(drm, exec->file, &event->base, &event->event);
	if (ret) {
		kfree(event);
		return ret;
	}
	exec->batch.event = event;
	return 0;
}

static struct dma_fence *execbuf_send(struct execbuf *exec)
{
	struct pvgpu_virgl_submit *message = &exec->message;
	/* Commands are words; what is left behind the last is none. */
	u32 size = round_down(exec->args->size, sizeof(u32));
	struct dma_fence *fence;

	exec->batch.message = &message->submit;
	if (size) {
		pvgpu_msg_init(message, PVGPU_OP_VIRGL_SUBMIT);
		message->context = pvgpu_cpu_to_le32(exec->context->name);
		message->size = pvgpu_cpu_to_le32(size);
		exec->batch.length = sizeof(*message);
		exec->batch.commands = exec->commands;
		exec->batch.size = size;
	} else {
		pvgpu_msg_init(message, PVGPU_OP_VIRGL_NOP);
		exec->batch.length = sizeof(message->submit);
	}
	exec->batch.objs = exec->objs;
	exec->batch.count = exec->args->num_bo_handles;
	fence = pvgpu_submit(exec->context, &exec->batch);
	if (!IS_ERR(fence)) {
		exec->objs = NULL;
		exec->batch.event = NULL;
	}
	return fence;
}

/* Makes the fence known in every way that was asked for. */
static int execbuf_signal(struct execbuf *exec, struct dma_fence *fence)
{
	struct drm_virtgpu_execbuffer *args = exec->args;
	struct sync_file *file;
	u32 i;

	for (i = 0; i < args->num_in_syncobjs; i++) {
		if (exec->resets[i])
			drm_syncobj_replace_fence(exec->resets[i], NULL);
	}
	for (i = 0; i < args->num_out_syncobjs; i++) {
		struct signal_point *signal = &exec->signals[i];

		if (signal->chain)
			drm_syncobj_add_point(signal->syncobj, signal->chain, fence,
					      signal->point);
		else
			drm_syncobj_replace_fence(signal->syncobj, fence);
		signal->chain = NULL;
	}
	if (exec->out_fd < 0)
		return 0;
	file = sync_file_create(fence);
	if (!file)
		return -ENOMEM;
	args->fence_fd = exec->out_fd;
	fd_install(exec->out_fd, file->file);
	exec->out_fd = -1;
	return 0;
}

static void execbuf_free(struct execbuf *exec, struct drm_device *drm)
{
	struct drm_virtgpu_execbuffer *args = exec->args;
	u32 i;

	for (i = 0; exec->objs && i < args->num_bo_handles; i++) {
		if (exec->objs[i])
			drm_gem_object_put(exec->objs[i]);
	}
	kvfree(exec->objs);
	kvfree(exec->commands);
	for (i = 0; exec->resets && i < args->num_in_syncobjs; i++) {
		if (exec->resets[i])
			drm_syncobj_put(exec->resets[i]);
	}
	kvfree(exec->resets);
	for (i = 0; exec->signals && i < args->num_out_syncobjs; i++) {
		dma_fence_chain_free(exec->signals[i].chain);
		if (exec->signals[i].syncobj)
			drm_syncobj_put(exec->signals[i].syncobj);
	}
	kvfree(exec->signals);
	if (exec->batch.event)
		drm_event_cancel_free(drm, &exec->batch.event->base);
	if (exec->out_fd >= 0)
		put_unused_fd(exec->out_fd);
}

int pvgpu_ioctl_execbuffer(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct pvgpu_file *pfile = file->driver_priv;
	struct drm_virtgpu_execbuffer *args = data;
	struct dma_fence *fence;
	struct execbuf exec = {
		.args = args,
		.file = file,
		.in_fd = args->fence_fd,
		.out_fd = -1,
		.batch.timeline = &pfile->main,
	};
	int ret;

	if (!pvgpu_has_virgl(pfile->pvgpu))
		return -ENOSYS;
	if (args->flags & ~VIRTGPU_EXECBUF_FLAGS)
		return -EINVAL;
	if (args->flags & VIRTGPU_EXECBUF_RING_IDX) {
		if (args->ring_idx >= pfile->num_rings)
			return -EINVAL;
		exec.batch.timeline = &pfile->rings[args->ring_idx];
	}
	exec.context = pvgpu_file_context(file);
	if (IS_ERR(exec.context))
		return PTR_ERR(exec.context);

	ret = copy_in(&exec);
	if (!ret && args->flags & VIRTGPU_EXECBUF_FENCE_FD_OUT) {
		ret = get_unused_fd_flags(O_CLOEXEC);
		if (ret >= 0) {
			exec.out_fd = ret;
			ret = 0;
		}
	}
	if (!ret)
		ret = reserve_event(&exec, drm);
	if (!ret)
		ret = find_signals(&exec);
	if (!ret)
		ret = wait_syncobjs(&exec);
	if (!ret)
		ret = wait_in_fd(&exec);
	if (!ret) {
		fence = execbuf_send(&exec);
		ret = PTR_ERR_OR_ZERO(fence);
	}
	if (!ret) {
		ret = execbuf_signal(&exec, fence);
		dma_fence_put(fence);
	}
	execbuf_free(&exec, drm);
	return ret;
}
