// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Buffer objects: VRAM with a GEM handle. User mappings are by page frame
 * number and cached, kernel mappings the window itself or a vmap of its pages.
 * An object gets a name on the host (a LINEAR resource) when a plane or a
 * batch first needs one; after a reset it gets one again in the same way. The
 * name goes before the extents are free for others.
 */
#include "pvgpu_drv.h"

/* Pages that one fault maps, where they are contiguous in the mapping. */
#define FAULT_PAGES	512

/* ------------------------------------------------- the host's resource */

static int resource_back(struct pvgpu_card *pvgpu, struct pvgpu_bo *bo)
{
	u32 room = (pvgpu->link.client.device.message_max - sizeof(struct pvgpu_resource_back)) /
		   sizeof(struct pvgpu_extent);
	struct pvgpu_resource_back *back;
	u32 sent, count, i;
	int ret = 0;

	room = min(room, bo->vram.count);
	back = kzalloc(sizeof(*back) + room * sizeof(struct pvgpu_extent), GFP_KERNEL);
	if (!back)
		return -ENOMEM;
	for (sent = 0; sent < bo->vram.count && !ret; sent += count) {
		struct pvgpu_extent *extents = (void *)(back + 1);

		count = min(room, bo->vram.count - sent);
		for (i = 0; i < count; i++) {
			const struct drm_mm_node *node = &bo->vram.blocks[sent + i]->node;

			extents[i].offset = pvgpu_cpu_to_le64(node->start);
			extents[i].length = pvgpu_cpu_to_le64(node->size);
		}
		pvgpu_msg_init(back, PVGPU_OP_RESOURCE_BACK);
		back->resource = pvgpu_cpu_to_le32(bo->resource);
		back->count = pvgpu_cpu_to_le32(count);
		ret = pvgpu_link_call(pvgpu, back, sizeof(*back) + count * sizeof(*extents),
				      NULL, 0);
	}
	kfree(back);
	return ret;
}

static int resource_destroy(struct pvgpu_card *pvgpu, struct pvgpu_bo *bo)
{
	struct pvgpu_resource_destroy destroy = {
		.resource = pvgpu_cpu_to_le32(bo->resource),
	};

	pvgpu_msg_init(&destroy, PVGPU_OP_RESOURCE_DESTROY);
	return pvgpu_link_call(pvgpu, &destroy, sizeof(destroy), NULL, 0);
}

static int name_once(struct pvgpu_card *pvgpu)
{
	return ida_alloc_range(&pvgpu->names, 1, pvgpu->link.client.device.max_resources,
			       GFP_KERNEL);
}

int pvgpu_bo_name(struct pvgpu_card *pvgpu)
{
	int name = name_once(pvgpu);

	if (name == -ENOSPC && pvgpu_bo_reclaim(pvgpu))
		name = name_once(pvgpu);
	return name;
}

int pvgpu_bo_resource(struct pvgpu_bo *bo, u32 *ret_name)
{
	struct pvgpu_card *pvgpu = to_pvgpu(bo->base.dev);
	struct pvgpu_resource_create create = {
		.kind = pvgpu_cpu_to_le32(PVGPU_RESOURCE_LINEAR),
		.size = pvgpu_cpu_to_le64(bo->base.size),
	};
	struct pvgpu_request req;
	int ret = 0;

	mutex_lock(&bo->lock);
	if (!pvgpu_link_up(pvgpu)) {
		ret = -EIO;
		goto out;
	}
	if (bo->resource && bo->generation == pvgpu_link_generation(pvgpu))
		goto out;
	if (bo->surface) {
		/* What the renderer held is lost with the renderer. */
		ret = -EIO;
		goto out;
	}
	if (!bo->resource) {
		ret = pvgpu_bo_name(pvgpu);
		if (ret < 0)
			goto out;
		bo->resource = ret;
	}
	pvgpu_msg_init(&create, PVGPU_OP_RESOURCE_CREATE);
	create.resource = pvgpu_cpu_to_le32(bo->resource);
	bo->generation = 0;
	pvgpu_request_init(&req, NULL, 0);
	ret = pvgpu_link_submit(pvgpu, &req, &create, sizeof(create));
	if (!ret)
		ret = pvgpu_link_wait(pvgpu, &req);
	if (!ret)
		ret = resource_back(pvgpu, bo);
	if (!pvgpu_link_up(pvgpu) || pvgpu_link_generation(pvgpu) != req.generation)
		/* Lost in between: the host knows nothing of it any more. */
		ret = -EIO;
	else if (ret)
		resource_destroy(pvgpu, bo);
	else
		bo->generation = req.generation;
out:
	if (!ret && ret_name)
		*ret_name = bo->resource;
	mutex_unlock(&bo->lock);
	return ret;
}

static int vram_alloc(struct pvgpu_card *pvgpu, struct pvgpu_extents *ext, u64 size)
{
	int ret = pvgpu_vram_alloc(pvgpu, ext, size);

	if (ret && pvgpu_bo_reclaim(pvgpu))
		ret = pvgpu_vram_alloc(pvgpu, ext, size);
	return ret;
}

int pvgpu_bo_back(struct pvgpu_bo *bo)
{
	struct pvgpu_card *pvgpu = to_pvgpu(bo->base.dev);
	struct pvgpu_extents vram;
	int ret = 0;

	if (!bo->surface)
		return 0;
	mutex_lock(&bo->lock);
	if (bo->vram.count)
		goto out;
	ret = vram_alloc(pvgpu, &vram, bo->base.size);
	if (ret)
		goto out;
	pvgpu_vram_clear(pvgpu, &vram);
	bo->vram = vram;
	/* One that the host has lost can be mapped all the same. */
	if (bo->generation == pvgpu_link_generation(pvgpu) && pvgpu_link_up(pvgpu))
		ret = resource_back(pvgpu, bo);
	if (ret == -EIO || ret == -ENODEV)
		ret = 0;
	/* The host may have a part of it: the surface goes before its VRAM does.
	 * One that is shown keeps both, until it is freed.
	 */
	if (ret && !resource_destroy(pvgpu, bo)) {
		pvgpu_virgl_uncharge(pvgpu, bo->charge, bo->generation);
		bo->generation = 0;
		memset(&bo->vram, 0, sizeof(bo->vram));
		pvgpu_vram_free(pvgpu, &vram);
	}
out:
	mutex_unlock(&bo->lock);
	return ret;
}

/* ---------------------------------------------------------------- graves */

/** struct grave - what an object leaves until the host has let go of it */
struct grave {
	struct pvgpu_request req;
	struct llist_node node;
	struct pvgpu_card *pvgpu;
	struct pvgpu_extents vram;
	u32 name, generation;
	u64 charge;
};

static void bury(struct grave *grave)
{
	struct pvgpu_card *pvgpu = grave->pvgpu;

	pvgpu_vram_free(pvgpu, &grave->vram);
	pvgpu_virgl_uncharge(pvgpu, grave->charge, grave->generation);
	ida_free(&pvgpu->names, grave->name);
	kfree(grave);
	if (atomic_dec_and_test(&pvgpu->virgl.graves))
		wake_up_all(&pvgpu->virgl.wait);
}

static void bury_work(struct work_struct *work)
{
	struct pvgpu_virgl *virgl = container_of(work, struct pvgpu_virgl, bury_work);
	struct grave *grave, *next;

	llist_for_each_entry_safe(grave, next, llist_del_all(&virgl->buried), node)
		bury(grave);
}

/* The host has let go of it, or lost it. link.lock is held. */
static void grave_end(struct pvgpu_request *req)
{
	struct grave *grave = container_of(req, struct grave, req);
	struct pvgpu_card *pvgpu = grave->pvgpu;

	if (llist_add(&grave->node, &pvgpu->virgl.buried))
		queue_work(pvgpu->link.wq, &pvgpu->virgl.bury_work);
}

void pvgpu_bo_graves_init(struct pvgpu_card *pvgpu)
{
	init_llist_head(&pvgpu->virgl.buried);
	INIT_WORK(&pvgpu->virgl.bury_work, bury_work);
	init_waitqueue_head(&pvgpu->virgl.wait);
}

bool pvgpu_bo_reclaim(struct pvgpu_card *pvgpu)
{
	/* What batches hold may be nobody else's by now. */
	bool waited = pvgpu_channel_settle(pvgpu);

	pvgpu_channel_collect_all(pvgpu);
	if (!atomic_read(&pvgpu->virgl.graves))
		return waited;
	wait_event_timeout(pvgpu->virgl.wait, !atomic_read(&pvgpu->virgl.graves), HZ);
	return true;
}

/* Asks the host to let go of it, and waits for nobody: its memory, name and
 * charge are free when the answer comes.
 */
static void resource_bury(struct pvgpu_card *pvgpu, struct pvgpu_bo *bo)
{
	struct pvgpu_resource_destroy destroy = {
		.resource = pvgpu_cpu_to_le32(bo->resource),
	};
	struct grave *grave;

	/* Small enough not to fail, which we may not. */
	grave = kzalloc(sizeof(*grave), GFP_KERNEL | __GFP_NOFAIL);
	pvgpu_request_init(&grave->req, NULL, 0);
	grave->req.end = grave_end;
	grave->pvgpu = pvgpu;
	grave->vram = bo->vram;
	memset(&bo->vram, 0, sizeof(bo->vram));
	grave->name = bo->resource;
	grave->generation = bo->generation;
	grave->charge = bo->charge;
	atomic_inc(&pvgpu->virgl.graves);
	/* A name of an older generation is gone already, and so is one whose
	 * destruction fails: with it goes the generation.
	 */
	pvgpu_msg_init(&destroy, PVGPU_OP_RESOURCE_DESTROY);
	if (!bo->generation || bo->generation != pvgpu_link_generation(pvgpu) ||
	    pvgpu_link_submit(pvgpu, &grave->req, &destroy, sizeof(destroy)))
		bury(grave);
}

/* ------------------------------------------------------ object functions */

static void pvgpu_gem_free(struct drm_gem_object *obj)
{
	struct pvgpu_card *pvgpu = to_pvgpu(obj->dev);
	struct pvgpu_bo *bo = to_pvgpu_bo(obj);

	if (bo->vmap && bo->vram.count > 1)
		vunmap(bo->vmap);
	if (bo->resource)
		resource_bury(pvgpu, bo);
	if (pvgpu_bo_foreign(bo))
		pvgpu_prime_release_foreign(bo);
	drm_gem_object_release(obj);
	pvgpu_vram_free(pvgpu, &bo->vram);
	mutex_destroy(&bo->lock);
	kfree(bo);
}

static void free_dummy(struct drm_device *drm, void *page)
{
	__free_page(page);
}

/* Memory of no device, for mappings that outlive theirs: a program cannot deal
 * with a signal there.
 */
static vm_fault_t fault_dummy(struct vm_fault *vmf, struct drm_device *drm)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long address;
	vm_fault_t ret = VM_FAULT_NOPAGE;
	struct page *page;

	page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!page)
		return VM_FAULT_OOM;
	if (drmm_add_action_or_reset(drm, free_dummy, page))
		return VM_FAULT_OOM;
	for (address = vma->vm_start; address < vma->vm_end && ret == VM_FAULT_NOPAGE;
	     address += PAGE_SIZE)
		ret = vmf_insert_pfn(vma, address, page_to_pfn(page));
	return ret;
}

static vm_fault_t pvgpu_gem_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct drm_gem_object *obj = vma->vm_private_data;
	struct pvgpu_card *pvgpu = to_pvgpu(obj->dev);
	struct pvgpu_bo *bo = to_pvgpu_bo(obj);
	u64 base = pvgpu->transport.bus + pvgpu->link.client.device.vram_offset;
	/* The page in the object that the mapping starts with. */
	unsigned long first = vma->vm_pgoff - drm_vma_node_start(&obj->vma_node);
	unsigned long address, end;
	vm_fault_t ret;
	int idx;

	if (!drm_dev_enter(obj->dev, &idx))
		return fault_dummy(vmf, obj->dev);
	/* The page that is needed, then its neighbours as far as that is free. */
	address = vmf->address & PAGE_MASK;
	end = min(vma->vm_end, ALIGN(address + 1, FAULT_PAGES * PAGE_SIZE));
	ret = VM_FAULT_SIGBUS;
	while (address < end) {
		u64 at = (u64)(first + ((address - vma->vm_start) >> PAGE_SHIFT)) << PAGE_SHIFT;
		vm_fault_t more;
		u64 run, offset;

		if (at >= obj->size)
			break;
		offset = pvgpu_vram_offset(&bo->vram, at, &run);
		more = VM_FAULT_NOPAGE;
		for (; run && address < end; run -= PAGE_SIZE, offset += PAGE_SIZE) {
			more = vmf_insert_pfn(vma, address, PHYS_PFN(base + offset));
			if (ret == VM_FAULT_SIGBUS)
				ret = more;
			if (more != VM_FAULT_NOPAGE)
				break;
			address += PAGE_SIZE;
		}
		if (more != VM_FAULT_NOPAGE)
			break;
	}
	drm_dev_exit(idx);
	return ret;
}

static const struct vm_operations_struct pvgpu_gem_vm_ops = {
	.fault = pvgpu_gem_fault,
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
};

static int pvgpu_gem_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	struct pvgpu_bo *bo = to_pvgpu_bo(obj);
	int ret;

	if (pvgpu_bo_foreign(bo))
		return pvgpu_prime_mmap_foreign(bo, vma);
	ret = pvgpu_bo_back(bo);
	if (ret)
		return ret;
	/* A private writable mapping would need pages to copy. */
	if ((vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE)
		return -EINVAL;
	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	/* Cached, as vm_get_page_prot() has it: the host's memory is. */
	vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	return 0;
}

static void *bo_map_pages(struct pvgpu_card *pvgpu, struct pvgpu_bo *bo)
{
	u64 base = pvgpu->transport.bus + pvgpu->link.client.device.vram_offset;
	unsigned int count = bo->base.size >> PAGE_SHIFT, i;
	unsigned long *pfns;
	void *address;

	pfns = kvmalloc_array(count, sizeof(*pfns), GFP_KERNEL);
	if (!pfns)
		return NULL;
	for (i = 0; i < count; i++)
		pfns[i] = PHYS_PFN(base + pvgpu_vram_offset(&bo->vram, (u64)i << PAGE_SHIFT,
							     NULL));
	address = pvgpu_vmap_pfns(pfns, count);
	kvfree(pfns);
	return address;
}

static int pvgpu_gem_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct pvgpu_card *pvgpu = to_pvgpu(obj->dev);
	struct pvgpu_bo *bo = to_pvgpu_bo(obj);
	int ret = 0;

	if (pvgpu_bo_foreign(bo))
		return dma_buf_vmap(obj->import_attach->dmabuf, map);
	ret = pvgpu_bo_back(bo);
	if (ret)
		return ret;
	mutex_lock(&bo->lock);
	if (!bo->vmap) {
		if (bo->vram.count == 1)
			bo->vmap = pvgpu_vram_address(pvgpu, bo->vram.blocks[0]->node.start);
		else
			bo->vmap = bo_map_pages(pvgpu, bo);
	}
	if (bo->vmap) {
		bo->vmap_users++;
		iosys_map_set_vaddr(map, bo->vmap);
	} else {
		ret = -ENOMEM;
	}
	mutex_unlock(&bo->lock);
	return ret;
}

static void pvgpu_gem_vunmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct pvgpu_bo *bo = to_pvgpu_bo(obj);

	if (pvgpu_bo_foreign(bo)) {
		dma_buf_vunmap(obj->import_attach->dmabuf, map);
		return;
	}
	mutex_lock(&bo->lock);
	if (!--bo->vmap_users) {
		if (bo->vram.count > 1)
			vunmap(bo->vmap);
		bo->vmap = NULL;
	}
	mutex_unlock(&bo->lock);
}

static void pvgpu_gem_print_info(struct drm_printer *p, unsigned int indent,
				 const struct drm_gem_object *obj)
{
	const struct pvgpu_bo *bo = container_of(obj, struct pvgpu_bo, base);

	drm_printf_indent(p, indent, "resource=%u\n", bo->resource);
	if (bo->surface)
		drm_printf_indent(p, indent, "surface=%ux%ux%u format %u charge %llu\n",
				  bo->shape.width, bo->shape.height, bo->shape.depth,
				  bo->shape.format, bo->charge);
	drm_printf_indent(p, indent, "extents=%u\n", bo->vram.count);
}

static const struct drm_gem_object_funcs pvgpu_gem_funcs = {
	.free = pvgpu_gem_free,
	.open = pvgpu_gem_open,
	.close = pvgpu_gem_close,
	.export = pvgpu_prime_export,
	.vmap = pvgpu_gem_vmap,
	.vunmap = pvgpu_gem_vunmap,
	.mmap = pvgpu_gem_mmap,
	.vm_ops = &pvgpu_gem_vm_ops,
	.print_info = pvgpu_gem_print_info,
};

struct pvgpu_bo *pvgpu_bo_alloc(struct pvgpu_card *pvgpu, u64 size, struct dma_resv *resv)
{
	struct pvgpu_bo *bo;

	size = PAGE_ALIGN(size);
	if (!size)
		return ERR_PTR(-EINVAL);
	bo = kzalloc(sizeof(*bo), GFP_KERNEL);
	if (!bo)
		return ERR_PTR(-ENOMEM);
	mutex_init(&bo->lock);
	bo->base.funcs = &pvgpu_gem_funcs;
	bo->base.resv = resv;
	drm_gem_private_object_init(&pvgpu->drm, &bo->base, size);
	return bo;
}

struct pvgpu_bo *pvgpu_bo_create(struct pvgpu_card *pvgpu, u64 size, struct dma_resv *resv,
				 bool clear)
{
	struct pvgpu_bo *bo = pvgpu_bo_alloc(pvgpu, size, resv);
	int ret;

	if (IS_ERR(bo))
		return bo;
	ret = vram_alloc(pvgpu, &bo->vram, bo->base.size);
	if (ret) {
		drm_gem_object_put(&bo->base);
		return ERR_PTR(ret);
	}
	if (clear)
		pvgpu_vram_clear(pvgpu, &bo->vram);
	return bo;
}

int pvgpu_gem_dumb_create(struct drm_file *file, struct drm_device *drm,
			  struct drm_mode_create_dumb *args)
{
	u64 pitch = ALIGN((u64)args->width * DIV_ROUND_UP(args->bpp, 8), 64);
	struct pvgpu_bo *bo;
	int ret;

	if (!pitch || !args->height || pitch > U32_MAX ||
	    pitch > div_u64(S64_MAX, args->height))
		return -EINVAL;
	bo = pvgpu_bo_create(to_pvgpu(drm), pitch * args->height, NULL, true);
	if (IS_ERR(bo))
		return PTR_ERR(bo);
	args->pitch = pitch;
	args->size = bo->base.size;
	ret = drm_gem_handle_create(file, &bo->base, &args->handle);
	/* The handle holds the object now, or nobody does. */
	drm_gem_object_put(&bo->base);
	return ret;
}
