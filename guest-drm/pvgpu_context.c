// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Contexts: an island of the renderer's state for each open file. What a file
 * does wrong is lost for it alone, and what an attachment loses is lost for
 * ever: the file has to be opened anew.
 *
 * A context is made when a file first needs it. It outlives its file by the
 * batches that are under way, so that what a program drew last is drawn, and
 * nobody waits for that. What a program had begun that was killed is not drawn.
 */
#include "pvgpu_drv.h"

bool pvgpu_virgl_offered(const struct pvgpu_device *device)
{
	return device->features & PVGPU_FEATURE_VIRGL &&
	       device->channel_classes & BIT(PVGPU_CHANNEL_VIRGL) &&
	       device->channels > 1 && device->capsets && device->max_contexts &&
	       device->max_commands;
}

static void virgl_fini(struct drm_device *drm, void *data)
{
	struct pvgpu_card *pvgpu = data;

	pvgpu_capset_fini(pvgpu);
	ida_destroy(&pvgpu->virgl.names);
}

int pvgpu_virgl_init(struct pvgpu_card *pvgpu)
{
	struct pvgpu_virgl *virgl = &pvgpu->virgl;
	int ret;

	ida_init(&virgl->names);
	INIT_LIST_HEAD(&virgl->caps);
	pvgpu_bo_graves_init(pvgpu);
	ret = drmm_add_action_or_reset(&pvgpu->drm, virgl_fini, pvgpu);
	if (!ret)
		ret = drmm_mutex_init(&pvgpu->drm, &virgl->lock);
	if (!ret)
		ret = drmm_mutex_init(&pvgpu->drm, &virgl->kernel_lock);
	return ret ? ret : drmm_mutex_init(&pvgpu->drm, &virgl->caps_lock);
}

void pvgpu_virgl_stop(struct pvgpu_card *pvgpu)
{
	struct pvgpu_virgl *virgl = &pvgpu->virgl;

	mutex_lock(&virgl->kernel_lock);
	if (virgl->kernel)
		pvgpu_context_put(virgl->kernel);
	virgl->kernel = NULL;
	mutex_unlock(&virgl->kernel_lock);
}

/* ---------------------------------------------------------------- budget */

/* What the host charges for a context: itself, and in its streams the one
 * sub-context that Mesa makes, with the first objects and shaders. Where surfaces
 * had taken that, the host would end a context for making its sub-context.
 */
#define CONTEXT_CHARGE	(2 * PVGPU_CHARGE_CONTEXT + SZ_2M)

static int charge_once(struct pvgpu_card *pvgpu, u64 bytes, u32 *ret_generation)
{
	u64 budget = pvgpu->link.client.device.device_budget;
	struct pvgpu_virgl *virgl = &pvgpu->virgl;
	u32 generation = pvgpu_link_generation(pvgpu);
	int ret = 0;

	mutex_lock(&virgl->lock);
	if (virgl->generation != generation) {
		/* A new host holds nothing of ours. */
		virgl->generation = generation;
		virgl->charged = 0;
	}
	if (virgl->charged > budget || bytes > budget - virgl->charged) {
		ret = -ENOSPC;
	} else {
		virgl->charged += bytes;
		virgl->peak = max(virgl->peak, virgl->charged);
		*ret_generation = generation;
	}
	mutex_unlock(&virgl->lock);
	return ret;
}

int pvgpu_virgl_charge(struct pvgpu_card *pvgpu, u64 bytes, u32 *ret_generation)
{
	int ret = charge_once(pvgpu, bytes, ret_generation);

	if (ret == -ENOSPC && pvgpu_bo_reclaim(pvgpu))
		ret = charge_once(pvgpu, bytes, ret_generation);
	return ret;
}

u64 pvgpu_virgl_charged(struct pvgpu_card *pvgpu)
{
	struct pvgpu_virgl *virgl = &pvgpu->virgl;
	u64 charged;

	mutex_lock(&virgl->lock);
	charged = virgl->generation == pvgpu_link_generation(pvgpu) ? virgl->charged : 0;
	mutex_unlock(&virgl->lock);
	return charged;
}

void pvgpu_virgl_uncharge(struct pvgpu_card *pvgpu, u64 bytes, u32 generation)
{
	struct pvgpu_virgl *virgl = &pvgpu->virgl;

	if (!bytes)
		return;
	mutex_lock(&virgl->lock);
	if (virgl->generation == generation)
		virgl->charged -= bytes;
	mutex_unlock(&virgl->lock);
}

/* -------------------------------------------------------------- contexts */

static struct pvgpu_channel *channel_take(struct pvgpu_card *pvgpu)
{
	struct pvgpu_channel *best = NULL;
	u32 id;

	mutex_lock(&pvgpu->virgl.lock);
	for (id = 1; id <= PVGPU_MAX_CHANNELS; id++) {
		struct pvgpu_channel *channel = pvgpu->channels[id];

		if (channel && channel->class == PVGPU_CHANNEL_VIRGL &&
		    (!best || channel->contexts < best->contexts))
			best = channel;
	}
	if (best)
		best->contexts++;
	mutex_unlock(&pvgpu->virgl.lock);
	return best;
}

static void context_free(struct pvgpu_context *context)
{
	struct pvgpu_card *pvgpu = context->pvgpu;

	pvgpu_virgl_uncharge(pvgpu, CONTEXT_CHARGE, context->generation);
	ida_free(&pvgpu->virgl.names, context->name);
	mutex_lock(&pvgpu->virgl.lock);
	context->channel->contexts--;
	mutex_unlock(&pvgpu->virgl.lock);
	xa_destroy(&context->attached);
	mutex_destroy(&context->attach_lock);
	kfree(context);
}

/* On the host, if the host still has it. */
static void context_destroy(struct pvgpu_context *context)
{
	struct pvgpu_card *pvgpu = context->pvgpu;
	struct pvgpu_context_destroy destroy = {
		.context = pvgpu_cpu_to_le32(context->name),
	};

	pvgpu_msg_init(&destroy, PVGPU_OP_CONTEXT_DESTROY);
	if (context->generation == pvgpu_link_generation(pvgpu) && pvgpu_link_up(pvgpu))
		pvgpu_link_call(pvgpu, &destroy, sizeof(destroy), NULL, 0);
}

static void context_release(struct kref *refs)
{
	struct pvgpu_context *context = container_of(refs, struct pvgpu_context, refs);

	if (!context->destroyed)
		context_destroy(context);
	context_free(context);
}

void pvgpu_context_put(struct pvgpu_context *context)
{
	kref_put(&context->refs, context_release);
}

bool pvgpu_context_lost(struct pvgpu_context *context)
{
	return READ_ONCE(context->lost) || !pvgpu_link_up(context->pvgpu) ||
	       context->generation != pvgpu_link_generation(context->pvgpu);
}

void pvgpu_context_failed(struct pvgpu_context *context, u32 opcode, u32 status, u32 detail)
{
	/* A transfer that was refused has changed nothing. */
	if (opcode != PVGPU_OP_VIRGL_SUBMIT && status != PVGPU_STATUS_CONTEXT_LOST)
		return;
	if (context->lost)
		return;
	WRITE_ONCE(context->lost, true);
	context->pvgpu->virgl.lost++;
	dev_warn_ratelimited(context->pvgpu->drm.dev,
			     "context %u of %s is lost: status %u, detail %u\n",
			     context->name, context->label, status, detail);
}

/* Whether commands may name it. */
static bool bo_renders(const struct pvgpu_bo *bo)
{
	return bo->surface || bo->blob;
}

static int context_call(struct pvgpu_context *context, u32 opcode, u32 resource)
{
	struct pvgpu_context_attach attach = {
		.context = pvgpu_cpu_to_le32(context->name),
		.resource = pvgpu_cpu_to_le32(resource),
	};

	pvgpu_msg_init(&attach, opcode);
	return pvgpu_link_call(context->pvgpu, &attach, sizeof(attach), NULL, 0);
}

int pvgpu_context_attach(struct pvgpu_context *context, struct pvgpu_bo *bo)
{
	bool there;
	u32 name;
	int ret;

	if (pvgpu_context_lost(context))
		return -EIO;
	ret = pvgpu_bo_resource(bo, &name);
	if (ret)
		return ret;
	mutex_lock(&context->attach_lock);
	/* One that waits to be detached stays. */
	there = xa_load(&context->attached, name) || bo->creator == context->name;
	bo->creator = 0;
	ret = xa_err(xa_store(&context->attached, name, xa_mk_value(1), GFP_KERNEL));
	if (!ret && !there) {
		ret = context_call(context, PVGPU_OP_CONTEXT_ATTACH, name);
		if (ret)
			xa_erase(&context->attached, name);
	}
	mutex_unlock(&context->attach_lock);
	return ret;
}

int pvgpu_context_query(struct pvgpu_context *context, struct pvgpu_context_query_done *done)
{
	struct pvgpu_context_query query = {
		.context = pvgpu_cpu_to_le32(context->name),
	};

	if (!pvgpu_link_up(context->pvgpu) ||
	    context->generation != pvgpu_link_generation(context->pvgpu))
		return -EIO;
	pvgpu_msg_init(&query, PVGPU_OP_CONTEXT_QUERY);
	return pvgpu_link_call(context->pvgpu, &query, sizeof(query), done, sizeof(*done));
}

/* Letters that may stand in a log. */
static void label_set(char *label, size_t size, const char *from)
{
	size_t i;

	for (i = 0; i < size - 1 && from[i]; i++)
		label[i] = from[i] >= ' ' && from[i] < 127 ? from[i] : '?';
	label[i] = '\0';
}

static struct pvgpu_context *context_create(struct pvgpu_card *pvgpu, u32 capset,
					    const char *label)
{
	struct pvgpu_context_create create = {
		.capset = pvgpu_cpu_to_le32(capset),
	};
	struct pvgpu_context *context;
	int ret;

	context = kzalloc(sizeof(*context), GFP_KERNEL);
	if (!context)
		return ERR_PTR(-ENOMEM);
	context->pvgpu = pvgpu;
	kref_init(&context->refs);
	mutex_init(&context->attach_lock);
	xa_init(&context->attached);
	label_set(context->label, sizeof(context->label), label);
	ret = ida_alloc_range(&pvgpu->virgl.names, 1,
			      pvgpu->link.client.device.max_contexts, GFP_KERNEL);
	if (ret < 0)
		goto free_context;
	context->name = ret;
	ret = pvgpu_virgl_charge(pvgpu, CONTEXT_CHARGE, &context->generation);
	if (ret)
		goto free_name;
	context->channel = channel_take(pvgpu);
	ret = pvgpu_channel_prepare(context->channel);
	if (ret)
		goto free_all;
	pvgpu_msg_init(&create, PVGPU_OP_CONTEXT_CREATE);
	create.context = pvgpu_cpu_to_le32(context->name);
	memcpy(create.label, context->label, sizeof(create.label));
	ret = pvgpu_link_call(pvgpu, &create, sizeof(create), NULL, 0);
	/* Lost in between: it is another generation's. */
	if (!ret && context->generation != pvgpu_link_generation(pvgpu))
		ret = -EIO;
	if (!ret)
		return context;
free_all:
	context_free(context);
	return ERR_PTR(ret);
free_name:
	ida_free(&pvgpu->virgl.names, context->name);
free_context:
	kfree(context);
	return ERR_PTR(ret);
}

static u32 capset_default(struct pvgpu_card *pvgpu)
{
	return pvgpu->link.client.device.capsets & BIT(PVGPU_CAPSET_VIRGL2) ?
	       PVGPU_CAPSET_VIRGL2 : PVGPU_CAPSET_VIRGL;
}

struct pvgpu_context *pvgpu_context_kernel(struct pvgpu_bo *bo)
{
	struct pvgpu_card *pvgpu = to_pvgpu(bo->base.dev);
	struct pvgpu_virgl *virgl = &pvgpu->virgl;
	struct pvgpu_context *context;
	int ret = 0;

	mutex_lock(&virgl->kernel_lock);
	context = virgl->kernel;
	if (context && pvgpu_context_lost(context)) {
		pvgpu_context_put(context);
		context = NULL;
	}
	if (!context)
		context = context_create(pvgpu, capset_default(pvgpu), "the kernel");
	virgl->kernel = IS_ERR(context) ? NULL : context;
	if (!IS_ERR(context)) {
		kref_get(&context->refs);
		/* It goes with the object, and need not be remembered. */
		ret = bo->generation == context->generation ?
		      context_call(context, PVGPU_OP_CONTEXT_ATTACH, bo->resource) : -EIO;
	}
	mutex_unlock(&virgl->kernel_lock);
	if (ret) {
		pvgpu_context_put(context);
		return ERR_PTR(ret);
	}
	return context;
}

/* What its handles name, its batches may name. */
static int context_attach_handles(struct pvgpu_context *context, struct drm_file *file)
{
	struct drm_gem_object *obj;
	int id = 0, ret = 0;

	for (; !ret; id++) {
		spin_lock(&file->table_lock);
		obj = idr_get_next(&file->object_idr, &id);
		if (obj)
			drm_gem_object_get(obj);
		spin_unlock(&file->table_lock);
		if (!obj)
			break;
		if (bo_renders(to_pvgpu_bo(obj)))
			ret = pvgpu_context_attach(context, to_pvgpu_bo(obj));
		drm_gem_object_put(obj);
		/* A dead one is nobody's. */
		if (ret == -EIO && !pvgpu_context_lost(context))
			ret = 0;
	}
	return ret;
}

int pvgpu_file_context_make(struct drm_file *file)
{
	struct pvgpu_file *pfile = file->driver_priv;
	struct pvgpu_card *pvgpu = pfile->pvgpu;
	char comm[TASK_COMM_LEN], label[96];
	struct pvgpu_context *context;
	u32 capset = pfile->capset;
	int ret;

	if (!pvgpu_has_virgl(pvgpu))
		return -ENOSYS;
	/* Who says nothing speaks virgl. */
	if (!capset)
		capset = capset_default(pvgpu);
	get_task_comm(comm, current);
	snprintf(label, sizeof(label), "%s (%d)", pfile->name[0] ? pfile->name : comm,
		 task_tgid_nr(current));
	context = context_create(pvgpu, capset, label);
	if (IS_ERR(context))
		return PTR_ERR(context);
	ret = context_attach_handles(context, file);
	if (ret) {
		pvgpu_context_put(context);
		return ret;
	}
	/* Readers do not lock. */
	smp_store_release(&pfile->context, context);
	return 0;
}

struct pvgpu_context *pvgpu_file_context(struct drm_file *file)
{
	struct pvgpu_file *pfile = file->driver_priv;
	struct pvgpu_context *context = smp_load_acquire(&pfile->context);
	int ret = 0;

	if (!context) {
		mutex_lock(&pfile->lock);
		if (!pfile->context)
			ret = pvgpu_file_context_make(file);
		context = pfile->context;
		mutex_unlock(&pfile->lock);
	}
	if (ret)
		return ERR_PTR(ret);
	return pvgpu_context_lost(context) ? ERR_PTR(-EIO) : context;
}

/* --------------------------------------------------------------- handles */

int pvgpu_gem_open(struct drm_gem_object *obj, struct drm_file *file)
{
	struct pvgpu_file *pfile = file->driver_priv;
	struct pvgpu_context *context = smp_load_acquire(&pfile->context);
	struct pvgpu_bo *bo = to_pvgpu_bo(obj);

	/* Without a context all that there is is attached when there is one. */
	if (!bo_renders(bo) || !context)
		return 0;
	/* A lost one, or a lost surface, will not draw: a handle does no harm. */
	if (pvgpu_context_lost(context) ||
	    (bo->surface && bo->generation != context->generation))
		return 0;
	return pvgpu_context_attach(context, bo);
}

/** struct detach - an object that a context may not name any more */
struct detach {
	struct dma_fence_cb cb;
	struct work_struct work;
	struct pvgpu_context *context;
	struct drm_gem_object *obj;
	struct dma_fence *fence;
};

static void detach_work(struct work_struct *work)
{
	struct detach *detach = container_of(work, struct detach, work);
	struct pvgpu_context *context = detach->context;
	struct pvgpu_bo *bo = to_pvgpu_bo(detach->obj);

	mutex_lock(&context->attach_lock);
	/* Unless it has a handle again. */
	if (xa_load(&context->attached, bo->resource) == xa_mk_value(0)) {
		xa_erase(&context->attached, bo->resource);
		if (!pvgpu_context_lost(context) && bo->generation == context->generation)
			context_call(context, PVGPU_OP_CONTEXT_DETACH, bo->resource);
	}
	mutex_unlock(&context->attach_lock);
	drm_gem_object_put(detach->obj);
	pvgpu_context_put(context);
	dma_fence_put(detach->fence);
	kfree(detach);
}

static void detach_later(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct detach *detach = container_of(cb, struct detach, cb);

	queue_work(detach->context->pvgpu->link.wq, &detach->work);
}

void pvgpu_gem_close(struct drm_gem_object *obj, struct drm_file *file)
{
	struct pvgpu_file *pfile = file->driver_priv;
	struct pvgpu_context *context = smp_load_acquire(&pfile->context);
	struct pvgpu_bo *bo = to_pvgpu_bo(obj);
	struct detach *detach;

	if (!bo_renders(bo) || !context || pvgpu_context_lost(context))
		return;
	mutex_lock(&context->attach_lock);
	/* With its last handle and name it goes altogether. */
	if (obj->handle_count == 1 && !obj->dma_buf)
		xa_erase(&context->attached, bo->resource);
	else if (xa_load(&context->attached, bo->resource))
		xa_store(&context->attached, bo->resource, xa_mk_value(0), GFP_KERNEL);
	detach = xa_load(&context->attached, bo->resource);
	mutex_unlock(&context->attach_lock);
	if (!detach)
		return;
	detach = kzalloc(sizeof(*detach), GFP_KERNEL | __GFP_NOFAIL);
	INIT_WORK(&detach->work, detach_work);
	kref_get(&context->refs);
	detach->context = context;
	drm_gem_object_get(obj);
	detach->obj = obj;
	/* Batches that name it and are under way are done first. */
	if (dma_resv_get_singleton(obj->resv, DMA_RESV_USAGE_READ, &detach->fence))
		detach->fence = NULL;
	if (!detach->fence || dma_fence_add_callback(detach->fence, &detach->cb, detach_later))
		queue_work(context->pvgpu->link.wq, &detach->work);
}

/* ----------------------------------------------------------------- files */

int pvgpu_file_open(struct drm_device *drm, struct drm_file *file)
{
	static atomic64_t clients;
	struct pvgpu_file *pfile;

	pfile = kzalloc(sizeof(*pfile), GFP_KERNEL);
	if (!pfile)
		return -ENOMEM;
	pfile->pvgpu = to_pvgpu(drm);
	mutex_init(&pfile->lock);
	pfile->main.context = dma_fence_context_alloc(1);
	pfile->client_id = atomic64_inc_return(&clients);
	file->driver_priv = pfile;
	return 0;
}

void pvgpu_file_release(struct drm_file *file)
{
	struct pvgpu_file *pfile = file->driver_priv;
	struct pvgpu_context *context = pfile->context;

	if (!context || pvgpu_context_lost(context))
		return;
	/* Nobody has a use for what one still draws that was killed; its name
	 * stays its own until the last batch has come back.
	 */
	if (!(current->flags & PF_EXITING) || !(current->exit_code & 0x7f))
		return;
	WRITE_ONCE(context->lost, true);
	context->destroyed = true;
	context_destroy(context);
}

void pvgpu_file_close(struct drm_device *drm, struct drm_file *file)
{
	struct pvgpu_file *pfile = file->driver_priv;

	/* Its batches go on; the last of them takes the context along. */
	if (pfile->context)
		pvgpu_context_put(pfile->context);
	mutex_destroy(&pfile->lock);
	kfree(pfile->rings);
	kfree(pfile);
}
