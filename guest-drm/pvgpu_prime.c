// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Sharing buffers with other drivers.
 *
 * Export: importers that map or vmap get the window's cached memory; those
 * that can do peer-to-peer get its bus addresses. An importer that wants pages
 * gets -EOPNOTSUPP when it maps: there are none. A surface's pixels are carried
 * into that memory, and back, around each access by a processor.
 *
 * Import: the host sees VRAM only, so a foreign buffer gets a shadow there. It
 * is mapped for the processor while a plane shows it, and copied (what is
 * damaged) in the commit, after its fences.
 */
#include "pvgpu_drv.h"

/* ---------------------------------------------------------------- export */

static int prime_attach(struct dma_buf *dma_buf, struct dma_buf_attachment *attach)
{
	return 0;
}

static void prime_free_table(struct device *dev, struct sg_table *table,
			     enum dma_data_direction dir)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_sg(table, sg, i) {
		if (sg_dma_len(sg))
			dma_unmap_resource(dev, sg_dma_address(sg), sg_dma_len(sg), dir,
					   DMA_ATTR_SKIP_CPU_SYNC);
	}
	sg_free_table(table);
	kfree(table);
}

static struct sg_table *prime_map(struct dma_buf_attachment *attach,
				  enum dma_data_direction dir)
{
	struct drm_gem_object *obj = attach->dmabuf->priv;
	struct pvgpu_card *pvgpu = to_pvgpu(obj->dev);
	struct pvgpu_bo *bo = to_pvgpu_bo(obj);
	u64 base = pvgpu->transport.bus + pvgpu->link.client.device.vram_offset;
	struct sg_table *table;
	struct scatterlist *sg;
	int ret, i;

	/* What the renderer draws no device finds there. */
	if (!attach->peer2peer || bo->surface)
		return ERR_PTR(-EOPNOTSUPP);
	table = kzalloc(sizeof(*table), GFP_KERNEL);
	if (!table)
		return ERR_PTR(-ENOMEM);
	ret = sg_alloc_table(table, bo->vram.count, GFP_KERNEL);
	if (ret) {
		kfree(table);
		return ERR_PTR(ret);
	}
	for_each_sgtable_sg(table, sg, i) {
		const struct drm_mm_node *node = &bo->vram.blocks[i]->node;
		dma_addr_t address;

		address = dma_map_resource(attach->dev, base + node->start, node->size, dir,
					   DMA_ATTR_SKIP_CPU_SYNC);
		if (dma_mapping_error(attach->dev, address)) {
			prime_free_table(attach->dev, table, dir);
			return ERR_PTR(-EIO);
		}
		sg_set_page(sg, NULL, node->size, 0);
		sg_dma_address(sg) = address;
		sg_dma_len(sg) = node->size;
	}
	return table;
}

static void prime_unmap(struct dma_buf_attachment *attach, struct sg_table *table,
			enum dma_data_direction dir)
{
	prime_free_table(attach->dev, table, dir);
}

/* A surface's pixels are the renderer's: they come when somebody begins to look
 * at its memory, and go when he has written there.
 */
static int prime_begin_cpu_access(struct dma_buf *dma_buf, enum dma_data_direction dir)
{
	struct drm_gem_object *obj = dma_buf->priv;

	return pvgpu_surface_fetch(to_pvgpu_bo(obj));
}

static int prime_end_cpu_access(struct dma_buf *dma_buf, enum dma_data_direction dir)
{
	struct drm_gem_object *obj = dma_buf->priv;

	return dir == DMA_FROM_DEVICE ? 0 : pvgpu_surface_store(to_pvgpu_bo(obj));
}

static const struct dma_buf_ops pvgpu_prime_ops = {
	.attach = prime_attach,
	.begin_cpu_access = prime_begin_cpu_access,
	.end_cpu_access = prime_end_cpu_access,
	.map_dma_buf = prime_map,
	.unmap_dma_buf = prime_unmap,
	.release = drm_gem_dmabuf_release,
	.mmap = drm_gem_dmabuf_mmap,
	.vmap = drm_gem_dmabuf_vmap,
	.vunmap = drm_gem_dmabuf_vunmap,
};

struct dma_buf *pvgpu_prime_export(struct drm_gem_object *obj, int flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);

	info.exp_name = KBUILD_MODNAME;
	info.owner = obj->dev->driver->fops->owner;
	info.ops = &pvgpu_prime_ops;
	info.size = obj->size;
	info.flags = flags;
	info.priv = obj;
	info.resv = obj->resv;
	return drm_gem_dmabuf_export(obj->dev, &info);
}

/* ---------------------------------------------------------------- import */

struct drm_gem_object *pvgpu_prime_import(struct drm_device *drm, struct dma_buf *dma_buf)
{
	struct dma_buf_attachment *attach;
	struct pvgpu_bo *bo;

	if (dma_buf->ops == &pvgpu_prime_ops) {
		struct drm_gem_object *own = dma_buf->priv;

		/* Ours, coming home: the object itself. */
		if (own->dev == drm) {
			drm_gem_object_get(own);
			return own;
		}
	}
	/* Nothing that we show or copy may end within a page. */
	if (!PAGE_ALIGNED(dma_buf->size))
		return ERR_PTR(-EINVAL);
	attach = dma_buf_attach(dma_buf, drm->dev);
	if (IS_ERR(attach))
		return ERR_CAST(attach);
	/* The first copy fills it. */
	bo = pvgpu_bo_create(to_pvgpu(drm), dma_buf->size, dma_buf->resv, false);
	if (IS_ERR(bo)) {
		dma_buf_detach(dma_buf, attach);
		return ERR_CAST(bo);
	}
	get_dma_buf(dma_buf);
	bo->base.import_attach = attach;
	return &bo->base;
}

void pvgpu_prime_release_foreign(struct pvgpu_bo *bo)
{
	struct dma_buf_attachment *attach = bo->base.import_attach;
	struct dma_buf *dma_buf = attach->dmabuf;

	dma_buf_detach(dma_buf, attach);
	/* The lock that was the buffer's goes with it. */
	bo->base.resv = &bo->base._resv;
	dma_buf_put(dma_buf);
}

int pvgpu_prime_mmap_foreign(struct pvgpu_bo *bo, struct vm_area_struct *vma)
{
	int ret;

	/* The exporter sets its own, and holds its own reference. */
	vma->vm_private_data = NULL;
	vma->vm_ops = NULL;
	ret = dma_buf_mmap(bo->base.import_attach->dmabuf, vma, 0);
	if (!ret)
		drm_gem_object_put(&bo->base);
	return ret;
}

int pvgpu_prime_pin_foreign(struct pvgpu_bo *bo)
{
	int ret = 0;

	mutex_lock(&bo->lock);
	if (!bo->foreign_users)
		ret = dma_buf_vmap_unlocked(bo->base.import_attach->dmabuf, &bo->foreign_map);
	if (!ret)
		bo->foreign_users++;
	mutex_unlock(&bo->lock);
	return ret;
}

void pvgpu_prime_unpin_foreign(struct pvgpu_bo *bo)
{
	mutex_lock(&bo->lock);
	if (!--bo->foreign_users)
		dma_buf_vunmap_unlocked(bo->base.import_attach->dmabuf, &bo->foreign_map);
	mutex_unlock(&bo->lock);
}

void pvgpu_prime_sync_begin(struct pvgpu_bo *bo)
{
	dma_buf_begin_cpu_access(bo->base.import_attach->dmabuf, DMA_FROM_DEVICE);
}

void pvgpu_prime_sync_rows(struct pvgpu_bo *bo, u64 offset, u32 stride, u32 row_bytes, u32 rows)
{
	struct pvgpu_card *pvgpu = to_pvgpu(bo->base.dev);
	int idx;

	if (!drm_dev_enter(bo->base.dev, &idx))
		return;
	if (stride == row_bytes) {
		row_bytes *= rows;
		rows = rows ? 1 : 0;
	}
	for (; rows; rows--, offset += stride) {
		if (offset > bo->base.size || row_bytes > bo->base.size - offset)
			break;
		pvgpu_vram_write(pvgpu, &bo->vram, offset, &bo->foreign_map, offset, row_bytes);
		cond_resched();
	}
	drm_dev_exit(idx);
}

void pvgpu_prime_sync_end(struct pvgpu_bo *bo)
{
	dma_buf_end_cpu_access(bo->base.import_attach->dmabuf, DMA_FROM_DEVICE);
}
